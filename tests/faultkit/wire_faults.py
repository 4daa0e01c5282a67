"""Faults of the network: responses that break off, have a wrong length or size, are very slow, or never arrive."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

from faultkit.connection import LONGEST_WAIT, Connection, play
from faultkit.fault import Moment, fault
from hlkit.sim import ids
from hlkit.sim.exchange import Reply

SHARE = 0.6  # of a body that breaks off
SLICE = 0.1  # seconds between two pieces of a body that crawls


def _cut(moment: Moment, body: bytes) -> bytes:
    """The first bytes of a body: the option ``bytes``, or a share."""
    return body[: int(moment.options.get("bytes", len(body) * SHARE))]


def _chunk(piece: bytes) -> bytes:
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


@fault(
    2, "reset_peer", "network", "the connection breaks within the body", ("rst", "last_chunk", "bad_chunk"), "wire"
)
def reset_peer(moment: Moment) -> bool:
    """RST after some bytes; a chunked body without its last chunk; a chunk whose size is no number."""

    def send(connection: Connection, reply: Reply) -> None:
        piece = _cut(moment, reply.body)
        if moment.variant == "rst":
            connection.send(reply.head() + piece)
            connection.reset()
            return
        reply.headers["transfer-encoding"] = "chunked"
        rest = _chunk(reply.body) if moment.variant == "last_chunk" else _chunk(piece) + b"zz\r\n" + piece
        connection.send(reply.head(length=False) + rest)

    return _broken(moment, send)


@fault(
    3,
    "short_body",
    "network",
    "less body than promised, or an end that nobody can tell from a cut",
    ("length", "close", "length_valid_json", "close_valid_json"),
    "wire",
)
def short_body(moment: Moment) -> bool:
    """Too few bytes for Content-Length; no length and an early close; each also where the cut leaves valid JSON."""

    def send(connection: Connection, reply: Reply) -> None:
        promised, piece = len(reply.body), _cut(moment, reply.body)
        if moment.variant.endswith("valid_json"):
            reply.headers.pop("content-encoding", None)
            promised, piece = len(moment.plain), _fewer_rows(moment.plain)
        if moment.variant.startswith("length"):
            reply.headers["content-length"] = str(promised)
        else:
            reply.headers["connection"] = "close"
        connection.send(reply.head(length=False) + piece)

    return _broken(moment, send)


def _fewer_rows(body: bytes) -> bytes:
    """The same JSON with half of its rows."""
    try:
        payload: dict[str, Any] = json.loads(body)
    except ValueError:
        return body[: len(body) // 2]
    short = {key: value[: len(value) // 2] if isinstance(value, list) else value for key, value in payload.items()}
    return json.dumps(short, ensure_ascii=False, separators=(",", ":")).encode()


@fault(4, "gzip_cut", "network", "a gzip body that is not whole", ("half", "trailer", "crc", "plain"), "wire")
def gzip_cut(moment: Moment) -> bool:
    """Half of the stream; no trailer; a wrong checksum; plain text that says it is gzip. The length is right."""

    def send(connection: Connection, reply: Reply) -> None:
        if "content-encoding" not in reply.headers:
            reply.compress()
        if moment.variant == "half":
            reply.body = reply.body[: len(reply.body) // 2]
        elif moment.variant == "trailer":
            reply.body = reply.body[:-8]
        elif moment.variant == "crc":
            reply.body = reply.body[:-8] + bytes(byte ^ 0xFF for byte in reply.body[-8:-4]) + reply.body[-4:]
        else:
            reply.body = moment.plain
        reply.headers["connection"] = "close"
        connection.send(reply.whole())

    return _broken(moment, send)


@fault(
    5,
    "trickle",
    "network",
    "an answer that crawls, stays away, or closes late",
    ("body", "headers", "silence", "late_close"),
    "wire",
)
def trickle(moment: Moment) -> bool:
    """Ten bytes a second (option ``bytes_per_second``) in the body or the headers; nothing; all, but no close."""
    piece = max(1, round(moment.options.get("bytes_per_second", 10) * SLICE))

    def send(connection: Connection, reply: Reply) -> None:
        if moment.variant == "silence":
            _crawl(connection, b"", piece)
        elif moment.variant == "late_close":
            reply.headers["connection"] = "close"
            connection.send(reply.whole())
            _crawl(connection, b"", piece)
        elif moment.variant == "headers":
            _crawl(connection, reply.whole(), piece)
        else:
            connection.send(reply.head())
            _crawl(connection, reply.body, piece)

    if moment.variant == "late_close":
        play(moment.built_reply(), send)
        return True
    return _broken(moment, send)


def _crawl(connection: Connection, data: bytes, piece: int) -> None:
    """Send some bytes at a time; then hold the socket. At most a minute, or until the client leaves."""
    for start in range(0, len(data), piece):
        connection.send(data[start : start + piece])
        if not connection.wait(SLICE):
            return
    for _ in range(round(LONGEST_WAIT / SLICE)):
        if not connection.wait(SLICE):
            return


BLOCK = 1 << 20
NESTED, DIGITS, LONG_HEADER = 100_000, 5_000, 100_000


@fault(
    7, "bomb", "network", "an answer that is larger than it looks", ("gzip", "header", "nesting", "digits"), "wire"
)
def bomb(moment: Moment) -> bool:
    """A gigabyte (option ``megabytes``, 1024) of JSON from a megabyte of gzip; a header of 100 KB; a value within
    100,000 arrays; a number of 5,000 digits."""
    reply = moment.built_reply()
    reply.headers.pop("content-encoding", None)
    begin = b"" if moment.plain[:1] != b"{" else moment.plain[1:]
    if moment.variant == "gzip":
        reply.body = _inflating(int(moment.options.get("megabytes", 1024)), begin)
        reply.headers["content-encoding"] = "gzip"
        moment.logged.rows = 0
    elif moment.variant == "header":
        reply.body = moment.plain
        reply.headers["x-padding"] = "x" * LONG_HEADER
    elif moment.variant == "nesting":
        reply.body = b'{"deep":' + b"[" * NESTED + b"]" * NESTED + b"," + begin
    else:
        reply.body = b'{"size":' + b"9" * DIGITS + b"," + begin
    return True


def _inflating(megabytes: int, rest: bytes) -> bytes:
    """Gzip of JSON that begins with so many megabytes of blanks within a text; one block, said many times."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts = [b'{"pad":"', b" " * BLOCK, b'",' + rest]
    packed = [squeeze.compress(part) + squeeze.flush(zlib.Z_FULL_FLUSH) for part in parts]
    checksum = zlib.crc32(parts[0])
    for _ in range(megabytes):
        checksum = zlib.crc32(parts[1], checksum)
    checksum = zlib.crc32(parts[2], checksum)
    size = len(parts[0]) + megabytes * BLOCK + len(parts[2])
    head = b"\x1f\x8b\x08" + bytes(5) + b"\x00\xff"
    tail = squeeze.flush() + struct.pack("<II", checksum, size & 0xFFFFFFFF)
    return head + packed[0] + packed[1] * megabytes + packed[2] + tail


@fault(8, "jitter", "network", "answers take their time: those of several threads overtake each other", (), "wire")
def jitter(moment: Moment) -> bool:
    """A wait between the options ``low`` (0.05) and ``high`` (3) seconds, drawn with the seed."""
    rng = moment.state.setdefault("rng", ids.generator(moment.injection.seed, "jitter"))
    low, high = float(moment.options.get("low", 0.05)), float(moment.options.get("high", 3.0))
    wait, before = float(rng.uniform(low, high)), moment.built_reply().play

    def send(connection: Connection, reply: Reply) -> None:
        if not connection.wait(wait):
            return
        if before is not None:
            before(connection.socket, connection.stopping)
        else:
            connection.send(reply.whole())

    moment.built_reply().headers["connection"] = "close"
    play(moment.built_reply(), send)
    return True


def _broken(moment: Moment, send: Callable[[Connection, Reply], None]) -> bool:
    play(moment.built_reply(), send)
    moment.logged.rows = 0
    return True
