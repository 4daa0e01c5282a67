"""Printing to any terminal or pipe: old encodings, closed pipes, full disks, unknown widths."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import shutil
import sys
import unicodedata
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

CLOSED_PIPE = 141  # the exit code that shells report for SIGPIPE

_ASCII = {
    "·": "-", "•": "*", "…": "...", "–": "-", "—": "-", "−": "-", "×": "x", "→": "->", "←": "<-", "≤": "<=",
    "≥": ">=", "±": "+/-", "‘": "'", "’": "'", "“": '"', "”": '"', "─": "-", "│": "|",
    "▲": "up", "▼": "down",
}  # fmt: skip


def prepare() -> None:
    """From now on, print characters that the output's encoding lacks as readable ASCII instead of failing."""
    codecs.register_error("hlkit", _encode_as_ascii)
    for stream in _streams():
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="hlkit")


def _encode_as_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_ascii, error.object[error.start : error.end])), error.end


def _ascii(character: str) -> str:
    """``-`` for a middle dot, ``e`` for an accented e, nothing for a combining accent, ``?`` for another script."""
    if character in _ASCII:
        return _ASCII[character]
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return ""
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"


def help_console() -> Console:
    """A console for help, as wide as the terminal but 40 to 160 columns: rich hangs at a width of 0."""
    from rich.console import Console

    class HelpConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return HelpConsole(width=min(max(shutil.get_terminal_size((80, 24)).columns, 40), 160))


def flush() -> None:
    """Write the buffered output now rather than when Python exits. Raises ``OSError``."""
    for stream in _streams():
        stream.flush()


def is_closed_pipe(error: OSError) -> bool:
    """Whether the reader closed the pipe, as ``head`` does after its last line."""
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)


def give_up() -> None:
    """Discard all further output; otherwise Python would try again, and print an error, when it exits."""
    for stream in _streams():
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())


def _streams() -> list[TextIO]:
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None and not stream.closed]
