"""The server process of ``hlkit app``: Voila, until the program that started it stops.

The first line of standard input is the access token of the page. When standard input is closed, because the parent
process closed it or has stopped, the server stops its kernels and itself.
"""

from __future__ import annotations

import os
import sys
import threading
from importlib import import_module
from typing import Any

REFUSAL = "Open this page with the full address that hlkit app printed, including the token."


def main() -> None:
    """Serve the notebook given on the command line."""
    voila = import_module("voila.app")
    token = sys.stdin.readline().strip()

    class Server(voila.Voila):  # type: ignore[misc, name-defined]
        def init_handlers(self) -> Any:
            return [(r"/login.*", _refusal_handler()), *super().init_handlers()]

    server = Server.instance(token=token, auto_token=False, config_file_paths=[])
    threading.Thread(target=_stop_when_input_closes, args=(server,), daemon=True).start()
    server.initialize(sys.argv[1:])
    server.start()


def _refusal_handler() -> Any:
    """Replaces Jupyter's login form, which asks for a password that does not exist."""

    def get(self: Any) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(REFUSAL + "\n")

    return type("Refusal", (import_module("tornado.web").RequestHandler,), {"get": get})


def _stop_when_input_closes(server: Any) -> None:
    sys.stdin.read()
    loop = getattr(server, "ioloop", None)
    if loop is None:  # the server is still starting
        os._exit(1)
    loop.add_callback(loop.stop)


if __name__ == "__main__":
    main()
