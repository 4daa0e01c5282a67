"""HTML that is legible in light and dark themes."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from hlkit.client.text import printable

# Text color and background, always set together: Jupyter's theme (light or dark), else black on white.
INK = "color:var(--jp-ui-font-color1,#1a1a1a);background:var(--jp-layout-color1,#fff)"


def text_html(text: str) -> str:
    """*text* to insert into HTML: escaped, without control sequences."""
    return escape(printable(text))


def link_html(address: str) -> str:
    """A link that opens *address* in a new tab; the escaped text itself if it is not an address."""
    if not address.startswith("https://"):
        return escape(address)
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">open</a>'


def pairs_html(pairs: Iterable[tuple[str, str]], head: str = "th") -> str:
    """A table of names and values, one row per pair. The caller escapes both: they are inserted as HTML."""
    cell = f"text-align:left;vertical-align:top;padding:2px 12px 2px 0;border:0;{INK}"
    rows = "".join(
        f'<tr style="{INK}"><{head} style="{cell};white-space:nowrap">{name}</{head}>'
        f'<td style="{cell}">{value}</td></tr>'
        for name, value in pairs
    )
    return f'<table style="border-collapse:collapse;line-height:1.4;{INK}">{rows}</table>'
