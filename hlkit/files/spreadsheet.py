"""Text that is safe in a spreadsheet: it runs no formula and stays in its cell."""

from __future__ import annotations

import re

from hlkit.client.text import BREAKS, printable

NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FORMULA_STARTS = "[=+\\-@＝＋－＠]"
# A phone number in digits is harmless: it holds no name, no cell reference and nothing to subtract.
_PHONE = "\\+[0-9](?: ?[0-9]){6,14}"
# Blanks and invisible characters before the sign count too: some programs skip them.
_FORMULA = re.compile(f"(?!{_PHONE}\\Z)[\\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*{_FORMULA_STARTS}|[\t\r\n]")
# Excel splits CSV at semicolons in much of Europe: there, text after a semicolon starts a cell.
_AFTER_SEMICOLON = re.compile(f"(;\\s*)(?={_FORMULA_STARTS})(?!{_PHONE}(?:;|\\Z))")


def harmless(text: str) -> str:
    """Printable *text*, with ``'`` in front if a spreadsheet would run it as a formula."""
    text = printable(text)
    return "'" + text if _FORMULA.match(text) else text


def one_line(text: str) -> str:
    """Harmless *text* without line breaks and tabs, and harmless too if a program splits it at semicolons."""
    return _AFTER_SEMICOLON.sub(r"\1'", BREAKS.sub(" ", harmless(text)))


def without_nul(text: str) -> str:
    """*text* without NUL characters, at which pandas would cut it."""
    return text.replace("\0", "")
