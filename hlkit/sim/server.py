"""The HTTP server: sockets, threads, and closing all of them at once."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hlkit.sim.exchange import Logged, Reply

POLL = 0.05


class Server(ThreadingTCPServer):
    """Sends the reply to every request, and calls *answered* once it was sent."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        reply: Callable[[Logged], Reply],
        answered: Callable[[Logged], None],
    ) -> None:
        self.reply, self.answered = reply, answered
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._answering: set[threading.Thread] = set()
        self._lock = threading.Lock()
        super().__init__(address, Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(POLL,), daemon=True)
        self._thread.start()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, and record its socket so that it can be closed."""
        sock, address = super().get_request()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(sock)
        return sock, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a daemon thread that ``close`` can wait for."""
        thread = threading.Thread(target=self._process, args=(request, client_address), daemon=True)
        with self._lock:
            self._answering.add(thread)
        thread.start()

    def _process(self, request: Any, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._answering.discard(threading.current_thread())

    def shutdown_request(self, request: Any) -> None:
        """Forget the socket."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has disconnected is no error."""
        if not isinstance(sys.exception(), OSError | ValueError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Stop at once: end all waits, close every connection, join every thread."""
        self.stopping.set()
        self.shutdown()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            threads = [self._thread, *self._answering]
        self.server_close()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()


class Handler(BaseHTTPRequestHandler):
    """Reads the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        """Read the request and send its reply."""
        logged = self._read()
        reply = self.server.reply(logged)
        try:
            if reply.play:
                self.close_connection = True
                reply.play(self.connection, self.server.stopping)
            else:
                self.connection.sendall(reply.whole())
        except OSError:
            self.close_connection = True
        self.server.answered(logged)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

    def _read(self) -> Logged:
        address = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = None
        return Logged(
            method=self.command,
            path=address.path,
            query=dict(parse_qsl(address.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            at=monotonic(),
        )

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: requests are in the simulation's log."""
