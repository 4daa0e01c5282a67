"""The simulated location over TLS, with a bad certificate, or with a good one that a client can be told to trust."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faultkit.fault import FAULTS, Fault
from hlkit.sim import Simulation
from hlkit.sim.exchange import Logged, Reply
from hlkit.sim.server import Server

Trouble = Literal["self_signed", "expired", "wrong_host", "none"]
TROUBLES: tuple[Trouble, ...] = ("self_signed", "expired", "wrong_host")

FAULTS["tls_bad"] = Fault(
    6, "tls_bad", "client", "a certificate that nobody should trust: tls(sim, how) serves with it", TROUBLES
)


@dataclass(frozen=True)
class Secured:
    """Where the simulation answers over TLS, and the certificate's file, for a client that is told to trust it."""

    url: str
    certificate: Path


class SecureServer(Server):
    """A server behind TLS; the handshake is made on the first read, in the thread of the connection."""

    def __init__(self, reply: Callable[[Logged], Reply], context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(("127.0.0.1", 0), reply, lambda logged: None)

    def server_activate(self) -> None:
        """Listen; accepted sockets are TLS sockets."""
        super().server_activate()
        self.socket = self._context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)


@contextmanager
def tls(sim: Simulation, how: Trouble = "self_signed") -> Iterator[Secured]:
    """Serve a running simulation over TLS as well, on another port.

    "self_signed" and "none" are the same good certificate, which only a client told so trusts;
    "expired" ended yesterday; "wrong_host" is another host's. Needs the command ``openssl``.
    """
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = _certificate(Path(folder), how)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = SecureServer(sim.reply, context)
        try:
            yield Secured(f"https://localhost:{server.server_address[1]}", certificate)
        finally:
            server.close()


def _certificate(folder: Path, how: Trouble) -> tuple[Path, Path]:
    """A key and the certificate that it signs for itself."""
    if shutil.which("openssl") is None:
        raise RuntimeError("the command openssl makes the certificate, and is not here")
    host = "elsewhere.example" if how == "wrong_host" else "localhost"
    key, request, out, names = (folder / name for name in ("key.pem", "request.pem", "cert.pem", "names"))
    names.write_text(f"subjectAltName=DNS:{host}" + (",IP:127.0.0.1" if host == "localhost" else ""))
    days = "-1" if how == "expired" else "30"
    _run("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-subj", f"/CN={host}", "-out", request)
    _run("x509", "-req", "-in", request, "-signkey", key, "-days", days, "-extfile", names, "-out", out)
    return out, key


def _run(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
