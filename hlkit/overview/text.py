"""The overview as text, for a terminal."""

from __future__ import annotations

import textwrap

from hlkit.analysis.core.table_text import terminal_width
from hlkit.client.text import printable
from hlkit.overview.screen import Screen


def page(screen: Screen) -> str:
    """The headline, a line per tile, what is worth a look, and what was left out."""
    width = min(terminal_width(), 120)
    lines = [f"{screen.location} · {screen.period}, compared with {screen.earlier}", screen.headline, ""]
    titles = max(len(measure.title) for measure, _ in screen.tiles)
    numbers = [f"{tile.number} {tile.interval}".strip() for _, tile in screen.tiles]
    for (measure, tile), number, p in zip(screen.tiles, numbers, screen.p, strict=True):
        rest = " · ".join(filter(None, (tile.base, tile.change(p))))
        lines.append(f"{measure.title:<{titles}}  {number:>{max(map(len, numbers))}}  {rest}".rstrip())
    if screen.items:
        lines += ["", "Worth a look"]
        size = max(len(item.number) for item in screen.items)
        for item in screen.items:
            lines += [f"{item.number:>{size}}  {item.what}{item.more}", f"{'':{size}}    {item.call}"]
    lines += [""] + [line for note in (*screen.notes, screen.source) for line in textwrap.wrap(note, width)]
    return printable("\n".join(lines))
