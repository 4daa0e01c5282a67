"""``python -m hlkit.sim``: serve the simulated location to curl or any other client."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence

from hlkit.sim.simulation import Simulation

EXAMPLES = """\
from Python:
hlkit.connect("{token}", "{location}", base_url="{url}")

from a terminal:
curl -s {url}/contacts/search -H 'Authorization: Bearer {token}' -H 'Version: 2021-07-28' \\
  -H 'Content-Type: application/json' -d '{{"locationId": "{location}", "pageLimit": 2}}'"""


def serve(
    port: int = 8000,
    size: int = 5000,
    seed: int = 0,
    as_of: str | None = None,
    host: str = "127.0.0.1",
    stop: threading.Event | None = None,
) -> None:
    """Serve until Ctrl-C, or until *stop* is set; print the URL and token first."""
    with Simulation(seed=seed, size=size, as_of=as_of, port=port, host=host) as sim:
        print(f"url       {sim.url}\ntoken     {sim.token}\nlocation  {sim.location_id}")
        print(f"as of     {sim.as_of:%Y-%m-%d %H:%M %Z}\n\n{_examples(sim)}\n\nCtrl-C stops it.", flush=True)
        try:
            (stop or threading.Event()).wait()
        except KeyboardInterrupt:
            print("stopped")


def _examples(sim: Simulation) -> str:
    return EXAMPLES.format(url=sim.url, token=sim.token, location=sim.location_id)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the flags and serve."""
    parser = argparse.ArgumentParser(prog="python -m hlkit.sim", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="0 picks a free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes another location")
    parser.add_argument("--size", type=int, default=5000, help="number of contacts")
    parser.add_argument("--as-of", help="the date on which its data ends (default: today)")
    options = parser.parse_args(arguments)
    serve(options.port, options.size, options.seed, options.as_of, options.host)


if __name__ == "__main__":
    main()
