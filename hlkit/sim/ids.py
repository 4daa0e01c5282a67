"""Ids as HighLevel has them: 20 letters and digits, 24 hex digits, or UUIDs; the same for the same seed.

An id is derived from a 64-bit key, and ids sort as their keys do. A table holds an array of keys, and
the id is written only when its row is.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID
from zlib import crc32

import numpy as np

from hlkit.sim.clock import Array

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LETTERS = np.frombuffer(ALPHABET.encode(), np.uint8)
_VALUE = {letter: value for value, letter in enumerate(ALPHABET)}
_HEAD, _TAIL = 11, 9  # 62 ** 11 is just above 2 ** 64

Style = Literal["text", "object", "uuid"]


def generator(seed: int, resource: str) -> np.random.Generator:
    """The random generator of one resource; each resource has its own, so that they do not affect each other."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, crc32(resource.encode())])))


def scramble(numbers: Array) -> Array:
    """Splitmix64: distinct numbers become distinct, random-looking numbers."""
    x = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def keys(seed: int, resource: str, numbers: Array) -> Array:
    """One distinct key for each number of a resource."""
    offset = scramble(np.array([crc32(f"{seed}/{resource}".encode())], np.uint64))
    return scramble(numbers.astype(np.uint64) + offset)


def texts(key: Array) -> list[str]:
    """The 20-character ids of an array of keys."""
    out = np.empty((len(key), _HEAD + _TAIL), np.uint8)
    _digits(key.astype(np.uint64), out[:, :_HEAD])
    _digits(scramble(key), out[:, _HEAD:])
    flat = out.tobytes().decode("ascii")
    width = _HEAD + _TAIL
    return [flat[i : i + width] for i in range(0, len(flat), width)]


def objects(key: Array) -> list[str]:
    """24 hex digits for each key, as payments and invoices have."""
    pairs = zip(key.tolist(), scramble(key).tolist(), strict=True)
    return [f"{head:016x}{tail & 0xFFFFFFFF:08x}" for head, tail in pairs]


def uuids(key: Array) -> list[str]:
    """A version 4 UUID for each key, as form submissions have."""
    out = []
    for head, tail in zip(key.tolist(), scramble(key).tolist(), strict=True):
        first, last = f"{head:016x}", f"{tail & 0xFFFFFFFFFFFFFF:014x}"
        out.append(f"{first[:8]}-{first[8:12]}-4{first[12:15]}-8{first[15]}{last[:2]}-{last[2:]}")
    return out


def text(seed: int, resource: str, number: int = 0) -> str:
    """The id of one thing."""
    return texts(keys(seed, resource, np.array([number])))[0]


def object_id(seed: int, resource: str, number: int = 0) -> str:
    """The id of one thing, in 24 hex digits."""
    return objects(keys(seed, resource, np.array([number])))[0]


WRITERS = {"text": texts, "object": objects, "uuid": uuids}


def key_of(identifier: object, style: Style = "text") -> int | None:
    """The key of an id, or None for a text that is not an id of this module."""
    if not isinstance(identifier, str):
        return None
    value = _value(identifier) if style == "text" else _hex_value(identifier, style)
    if value is None or WRITERS[style](np.array([value], np.uint64))[0] != identifier:
        return None
    return value


def _value(identifier: str) -> int | None:
    if len(identifier) != _HEAD + _TAIL:
        return None
    value = 0
    for letter in identifier[:_HEAD]:
        if letter not in _VALUE:
            return None
        value = value * 62 + _VALUE[letter]
    return value if value < 2**64 else None


def _hex_value(identifier: str, style: Style) -> int | None:
    digits = identifier.replace("-", "")
    digits = digits[:12] + digits[13:16] + digits[17:18] if style == "uuid" else digits[:16]
    try:
        return int(digits, 16)
    except ValueError:
        return None


def uuid(seed: int, resource: str, number: int = 0) -> str:
    """A version 4 UUID, as pipeline stages and workflows have."""
    numbers = np.array([2 * number, 2 * number + 1])
    return str(UUID(bytes=keys(seed, resource, numbers).tobytes(), version=4))


def _digits(key: Array, out: Array) -> None:
    base = np.uint64(62)
    for position in range(out.shape[1] - 1, -1, -1):
        key, digit = np.divmod(key, base)
        out[:, position] = _LETTERS[digit.astype(np.intp)]
