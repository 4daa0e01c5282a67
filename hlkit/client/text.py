"""Helpers for text: printable, shortened, folded to compare, counts with their noun, near misses, JSON as a key."""

from __future__ import annotations

import difflib
import json
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


def shorten(text: str, length: int) -> str:
    """*text*, with an ellipsis in place of what exceeds *length* characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def fold(text: object) -> str:
    """Text to compare by, ignoring case and spaces."""
    return " ".join(str(text).split()).casefold()


def did_you_mean(name: object, known: Iterable[str], form: str = "{!r}", cutoff: float = 0.6) -> str:
    """The question "did you mean 'won'?" with the closest of *known*, or nothing. *cutoff* is how close, 0 to 1."""
    by_folded = {fold(candidate): candidate for candidate in known}
    closest = difflib.get_close_matches(fold(name), list(by_folded), n=1, cutoff=cutoff)
    return f"did you mean {form.format(by_folded[closest[0]])}?" if closest else ""


def canonical_json(value: object) -> str:
    """Equal values give equal text, in whatever order their keys are."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
