"""Text that is safe to print: no control characters, no lone surrogates; counts with their noun; near misses."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colors and cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])(?:[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c))?"  # links, titles
    r"|\x1b[ -/]*[0-~]"
)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
SURROGATES = re.compile("[\ud800-\udfff]")
BREAKS = re.compile("\r\n|[\t\r\n\u2028\u2029]")


def printable(text: str) -> str:
    """*text* without colors, links and other control sequences; tabs and line breaks stay."""
    if text.isprintable():
        return text
    return SURROGATES.sub("\ufffd", _CONTROLS.sub("", _SEQUENCES.sub("", text)))


def many(count: float, noun: str) -> str:
    """A count with its noun: "1 deal", "2,000 deals"."""
    return f"{count:,.0f} {noun}{'' if count == 1 else 's'}"


def did_you_mean(name: str, known: Iterable[str], form: str = "{!r}") -> str:
    """The question "did you mean 'won'?" with the closest of *known*, or nothing."""
    closest = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {form.format(closest[0])}?" if closest else ""
