"""The server behind ``hlkit app``: Voila, until whoever started it is gone.

Its first line of standard input is the page's token. When that input ends, because its starter ended it or
was itself ended, the server ends its kernels and itself.
"""

from __future__ import annotations

import os
import sys
import threading
from importlib import import_module
from typing import Any

WITHOUT = "This page opens with the whole address that hlkit app printed, its token included."


def main() -> None:
    """Serve the notebook that is named on the command line."""
    voila = import_module("voila.app")
    token = sys.stdin.readline().strip()

    class Server(voila.Voila):  # type: ignore[misc, name-defined]
        def init_handlers(self) -> Any:
            return [(r"/login.*", _refusal()), *super().init_handlers()]

    server = Server.instance(token=token, auto_token=False, config_file_paths=[])
    threading.Thread(target=_end_with_input, args=(server,), daemon=True).start()
    server.initialize(sys.argv[1:])
    server.start()


def _refusal() -> Any:
    """In the place of Jupyter's form, which asks for a password that there is not."""

    def get(self: Any) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(WITHOUT + "\n")

    return type("Refusal", (import_module("tornado.web").RequestHandler,), {"get": get})


def _end_with_input(server: Any) -> None:
    sys.stdin.read()
    loop = getattr(server, "ioloop", None)
    if loop is None:  # not serving yet
        os._exit(1)
    loop.add_callback(loop.stop)


if __name__ == "__main__":
    main()
