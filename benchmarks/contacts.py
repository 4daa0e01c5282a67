"""Contacts into a typed frame: what it takes over HTTP, and from the bodies alone against json_normalize.

Each side of the comparison runs in a process of its own, in turn, on the same pages; the ratios are medians
over the rounds. Peak memory is what a side needs beyond the bodies that both hold.

    python benchmarks/contacts.py [--size 100000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FIELDS = "custom_fields.json"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--size", type=int, default=100_000, help="contacts")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--only", choices=("serve", "fetch", "hlkit", "peer"), help=argparse.SUPPRESS)
    arguments.add_argument("--given", default="", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.only:
        {"serve": serve, "fetch": fetch, "hlkit": from_bodies, "peer": by_json_normalize}[chosen.only](
            chosen.given, chosen.size
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        server = start("serve", chosen.size, "")
        try:
            address = server.stdout.readline().strip()
            over_http = run("fetch", chosen.size, f"{address} {folder}")
        finally:
            server.terminate()
            server.wait()
        print(
            f"over HTTP: {over_http['rows']:,} rows, {over_http['columns']} columns, "
            f"{over_http['requests']:,} requests, {over_http['rows'] / over_http['seconds']:,.0f} rows/s, "
            f"peak {over_http['peak_mb']:,.0f} MB in all; "
            f"again from the cache: {over_http['again']} requests"
        )
        rounds = [{side: run(side, chosen.size, folder) for side in ("hlkit", "peer")} for _ in range(chosen.rounds)]
    show(rounds)


def show(rounds: list[dict[str, dict[str, float]]]) -> None:
    for side, name in (("hlkit", "hlkit"), ("peer", "json.loads + json_normalize")):
        seconds = statistics.median(one[side]["seconds"] for one in rounds)
        peak = statistics.median(one[side]["peak_mb"] for one in rounds)
        rows = rounds[0][side]["rows"]
        print(f"bodies to frame, {name}: {rows / seconds:,.0f} rows/s, peak {peak:,.0f} MB over the bodies")
    faster = statistics.median(one["peer"]["seconds"] / one["hlkit"]["seconds"] for one in rounds)
    leaner = statistics.median(one["hlkit"]["peak_mb"] / one["peer"]["peak_mb"] for one in rounds)
    print(f"ratio: {faster:.1f} times faster (goal: at least 2), {leaner:.2f} of its memory (goal: at most 0.3)")


def start(side: str, size: int, given: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--only", side, "--size", str(size), "--given", given]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def run(side: str, size: int, given: str) -> dict[str, float]:
    with start(side, size, given) as process:
        told, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{side} failed")
    return json.loads(told.splitlines()[-1])


def serve(_: str, size: int) -> None:
    from hlkit.sim import Simulation

    with Simulation(size=size, as_of="2026-01-01", burst=(100_000, 10_000)) as simulation:
        print(f"{simulation.url} {simulation.token} {simulation.location_id}", flush=True)
        time.sleep(3600)


def fetch(given: str, _: int) -> None:
    """One call, with its progress line; then the bodies are saved for the comparison."""
    import hlkit as hl
    from hlkit.client.http.progress import ProgressBar

    url, token, location_id, folder = given.split()
    loc = hl.connect(token, location_id, base_url=url, cache=Path(folder) / "cache")
    began = time.perf_counter()
    contacts = loc.contacts(progress=ProgressBar())
    seconds = time.perf_counter() - began
    again = loc.contacts()
    told = {
        "rows": len(contacts),
        "columns": contacts.shape[1],
        "requests": contacts.attrs["hlkit"]["requests"],
        "again": again.attrs["hlkit"]["requests"],
        "seconds": seconds,
        "peak_mb": peak_mb(),
    }
    lay_aside(url, token, location_id, Path(folder))
    print(json.dumps(told))


def lay_aside(url: str, token: str, location_id: str, folder: Path) -> None:
    import requests

    with requests.Session() as session:
        session.headers.update({"Authorization": f"Bearer {token}", "Version": "2021-07-28"})
        fields = session.get(f"{url}/locations/{location_id}/customFields", params={"model": "all"})
        (folder / FIELDS).write_bytes(fields.content)
        asked = {"locationId": location_id, "pageLimit": 500, "sort": [{"field": "dateAdded", "direction": "asc"}]}
        for number in range(10_000):
            answer = session.post(f"{url}/contacts/search", json=asked)
            rows = answer.json()["contacts"]
            if not rows:
                return
            (folder / f"page-{number:05}.json").write_bytes(answer.content)
            asked["searchAfter"] = rows[-1]["searchAfter"]


def bodies(folder: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(Path(folder).glob("page-*.json"))]


def from_bodies(folder: str, _: int) -> None:
    """The path that every read takes: check a body, turn its rows into columns, give the frame."""
    from hlkit.client.frames.builder import FrameBuilder
    from hlkit.client.frames.custom_fields import CustomFields
    from hlkit.client.http.body import read_page
    from hlkit.client.resources import CATALOG

    resource = CATALOG["contacts"]
    pages = bodies(folder)
    definitions = json.loads((Path(folder) / FIELDS).read_bytes())["customFields"]
    location_id = json.loads(pages[0])["contacts"][0]["locationId"]

    def work() -> int:
        builder = FrameBuilder(
            resource.columns, resource.key, CustomFields.of(definitions, "contact", resource.columns)
        )
        for body in pages:
            builder.add(read_page(body, resource, location_id).rows)
        return len(builder.frame())

    measure(work)


def by_json_normalize(folder: str, _: int) -> None:
    import pandas as pd

    pages = bodies(folder)

    def work() -> int:
        rows: list[object] = []
        for body in pages:
            rows += json.loads(body)["contacts"]
        return len(pd.json_normalize(rows))

    measure(work)


def measure(work: object) -> None:
    before = peak_mb()
    began = time.perf_counter()
    rows = work()  # type: ignore[operator]
    print(json.dumps({"rows": rows, "seconds": time.perf_counter() - began, "peak_mb": peak_mb() - before}))


def peak_mb() -> float:
    """The most memory this process has held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


if __name__ == "__main__":
    main()
