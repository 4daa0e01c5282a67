"""What a command prints, whatever takes it: an old encoding, a closed pipe, a full disk, a screen of no width."""

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

CLOSED_PIPE = 141  # the exit code of whatever a shell finds ended by SIGPIPE

_SIGNS = {
    "·": "-", "•": "*", "…": "...", "–": "-", "—": "-", "−": "-", "×": "x", "→": "->", "←": "<-", "≤": "<=",
    "≥": ">=", "±": "+/-", "‘": "'", "’": "'", "“": '"', "”": '"', "─": "-", "│": "|",
}  # fmt: skip


def prepare() -> None:
    """From now on a character that the output's encoding lacks is replaced by readable ASCII, and never an error."""
    codecs.register_error("hlkit", _replaced)
    for stream in _streams():
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="hlkit")


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_ascii, error.object[error.start : error.end])), error.end


def _ascii(character: str) -> str:
    """``-`` for a middle dot, ``e`` for an accented e, nothing for an accent alone, ``?`` for another script."""
    if character in _SIGNS:
        return _SIGNS[character]
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return ""
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"


def help_console() -> Console:
    """A console for help, as wide as the screen, within reason: rich never ends a page of no width."""
    from rich.console import Console

    class HelpConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return HelpConsole(width=min(max(shutil.get_terminal_size((80, 24)).columns, 40), 160))


def flush() -> None:
    """Write what is still waiting, here rather than when Python ends. Raises ``OSError``."""
    for stream in _streams():
        stream.flush()


def is_closed_pipe(error: OSError) -> bool:
    """Whether the reader has gone, such as ``head`` after its last line."""
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)


def give_up() -> None:
    """Print no more, so that Python does not try again, and complain, as it ends."""
    for stream in _streams():
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())


def _streams() -> list[TextIO]:
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None and not stream.closed]
