"""Text that does nothing: no colors in a terminal, no formula in a spreadsheet; and legible on any page."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colors and cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])(?:[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c))?"  # links, titles
    r"|\x1b[ -/]*[0-~]"
)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
SURROGATES = re.compile("[\ud800-\udfff]")
BREAKS = re.compile("\r\n|[\t\r\n\u2028\u2029]")
_STARTS = "[=+\\-@＝＋－＠]"
# A phone number in digits does nothing: no sheet finds a name, a cell or something to subtract in it.
_PHONE = "\\+[0-9](?: ?[0-9]){6,14}"
# Blanks and invisible marks before the sign: some programs skip them.
_FORMULA = re.compile(f"(?!{_PHONE}\\Z)[\\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*{_STARTS}|[\t\r\n]")
# Where Excel splits at semicolons, as it does in much of Europe, what follows one starts a cell.
_AFTER_SEMICOLON = re.compile(f"(;\\s*)(?={_STARTS})(?!{_PHONE}(?:;|\\Z))")


def printable(text: str) -> str:
    """*text* without colors, links and other control sequences; tabs and line breaks stay."""
    if text.isprintable():
        return text
    return SURROGATES.sub("\ufffd", _CONTROLS.sub("", _SEQUENCES.sub("", text)))


def harmless(text: str) -> str:
    """Printable *text* with ``'`` before it where a spreadsheet would run it as a formula."""
    text = printable(text)
    return "'" + text if _FORMULA.match(text) else text


def one_line(text: str) -> str:
    """Harmless *text* without line breaks and tabs, also where a program splits it at semicolons."""
    return _AFTER_SEMICOLON.sub(r"\1'", BREAKS.sub(" ", harmless(text)))


def without_nul(text: str) -> str:
    """*text* without the character at which pandas would end it."""
    return text.replace("\0", "")


# Text and its ground, always set together: those of Jupyter's theme, light or dark, else black on white.
INK = "color:var(--jp-ui-font-color1,#1a1a1a);background:var(--jp-layout-color1,#fff)"


def pairs_html(pairs: Iterable[tuple[str, str]], head: str = "th") -> str:
    """A table of two columns; what is given is HTML already, escaped by who knows what it is."""
    cell = f"text-align:left;vertical-align:top;padding:2px 12px 2px 0;border:0;{INK}"
    rows = "".join(
        f'<tr style="{INK}"><{head} style="{cell};white-space:nowrap">{name}</{head}>'
        f'<td style="{cell}">{value}</td></tr>'
        for name, value in pairs
    )
    return f'<table style="border-collapse:collapse;line-height:1.4;{INK}">{rows}</table>'


def many(count: float, noun: str) -> str:
    """A count of things: 1 deal, 2,000 deals."""
    return f"{count:,.0f} {noun}{'' if count == 1 else 's'}"
