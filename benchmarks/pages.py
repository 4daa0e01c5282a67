"""How much memory does a row that ``.pages()`` has given leave behind?

A server on this machine makes up contacts by the page. Each page is let go of as it comes, so that what grows
with the number of rows is what the download keeps of them. Goal: one page, and at most 16 bytes for each row.

    python benchmarks/pages.py [--rows 200000]
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "pit-00000000-0000-0000-0000-000000000000"
PAGE = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--serve", action="store_true")
    given = parser.parse_args()
    if given.serve:
        serve(given.rows)
        return
    with subprocess.Popen(
        [sys.executable, __file__, "--serve", "--rows", str(given.rows)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            measure(server.stdout.readline().strip(), given.rows)
        finally:
            server.terminate()


def measure(url: str, rows: int) -> None:
    import hlkit as hl

    with tempfile.TemporaryDirectory() as folder:
        loc = hl.connect(TOKEN, "loc1", base_url=url, cache=folder)
        held, peaks, seen = [], [], 0
        pages = loc.contacts.pages(custom_fields=False)
        next(pages)  # whatever is imported and made once
        tracemalloc.start()
        for page in pages:
            seen += len(page)
            del page
            if seen % (rows // 4) < PAGE:
                peaks.append(tracemalloc.get_traced_memory()[1])
                gc.collect()
                held.append((seen, tracemalloc.get_traced_memory()[0]))
                tracemalloc.reset_peak()
        tracemalloc.stop()
    for (count, size), peak in zip(held, peaks, strict=True):
        print(f"{count:>9,} rows: {size / 1e6:6.1f} MB held, {peak / 1e6:6.1f} MB at most since")
    (first, before), (last, after) = held[0], held[-1]
    print(f"each row leaves {(after - before) / (last - first):.1f} bytes (goal: at most 16)")


def serve(rows: int) -> None:
    pages = -(-rows // PAGE)

    class Pages(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = asked.get("searchAfter", [0])[0]
            found = [row(number * PAGE + place, number + 1) for place in range(PAGE if number < pages else 0)]
            body = json.dumps({"contacts": found, "total": pages * PAGE}).encode()
            self.send_response(200)
            for name, value in (("Content-Length", len(body)), ("X-RateLimit-Max", 9999)):
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


def row(number: int, following: int) -> dict[str, object]:
    name = f"c{number:023}"
    return {
        "id": name,
        "locationId": "loc1",
        "firstName": "Ann",
        "lastName": f"Example {number}",
        "email": f"ann{number}@example.com",
        "dateAdded": "2025-01-01T00:00:00.000Z",
        "searchAfter": [following, name],
    }


if __name__ == "__main__":
    main()
