"""One client's socket, as a response that misbehaves needs it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from time import monotonic

from hlkit.sim.exchange import Reply

LONGEST_WAIT = 60.0


class Connection:
    """Sends bytes, waits, or resets."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self.socket = sock
        self.stopping = stopping
        self._opened = monotonic()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def wait(self, seconds: float) -> bool:
        """Wait; False when the server stops, the client has disconnected, or a minute is over."""
        if self.stopping.wait(min(seconds, LONGEST_WAIT)) or monotonic() - self._opened > LONGEST_WAIT:
            return False
        with contextlib.suppress(BlockingIOError):
            return bool(self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        return True

    def reset(self) -> None:
        """End the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def play(reply: Reply, send: Callable[[Connection, Reply], None]) -> None:
    """Let ``send(connection, reply)`` send this reply."""
    reply.play = lambda sock, stopping: send(Connection(sock, stopping), reply)
