"""The overview as HTML: a page in a cell. Its tiles are table cells, so that it is readable without styles too."""

from __future__ import annotations

from html import escape
from math import isfinite

from hlkit.client.schema import COUNT, MONEY
from hlkit.display import sparkline
from hlkit.display.html import text_html
from hlkit.display.theme import styled
from hlkit.overview.attention import Item
from hlkit.overview.measures import Measure
from hlkit.overview.screen import Screen
from hlkit.overview.tile import Tile

_CSS = """
.hl.hl table.hl-tiles, .hl.hl table.hl-look, .hl.hl table.hl-how { border: 0; border-spacing: 0; margin: 16px 0 0;
  width: 100%; font-size: 14px; display: block; table-layout: auto; }
.hl.hl .hl-tiles tbody { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr));
  border-top: 1px solid var(--hl-line); }
.hl.hl .hl-tiles tr, .hl.hl .hl-look tr, .hl.hl .hl-how tr { background: none; }
.hl.hl .hl-tiles th, .hl.hl .hl-tiles td, .hl.hl .hl-look th, .hl.hl .hl-look td { display: block; border: 0;
  padding: 0; text-align: left; background: none; max-width: none; white-space: normal; color: var(--hl-ink); }
.hl.hl .hl-tile { display: grid; grid-template-columns: minmax(0, 1fr) 124px; align-items: end;
  padding: 14px 20px 15px; border-bottom: 1px solid var(--hl-line); border-left: 1px solid var(--hl-hair); }
.hl.hl .hl-tile:nth-child(3n+1) { border-left: 0; padding-left: 0; }
.hl.hl .hl-tile:nth-child(3n) { padding-right: 0; }
.hl.hl .hl-tile th { grid-column: 1 / -1; font-size: 13px; font-weight: 550; display: flex;
  justify-content: space-between; gap: 8px; }
.hl.hl .hl-tile th .hl-muted { font-weight: 400; text-align: right; }
.hl.hl .hl-tile td.hl-number { font-size: 30px; line-height: 1.3; font-weight: 650; white-space: nowrap; }
.hl.hl .hl-tile .hl-number small { font-size: 13px; font-weight: 400; color: var(--hl-muted); margin-left: 6px; }
.hl.hl .hl-tile td.hl-number.hl-none { font-size: 20px; color: var(--hl-muted); }
.hl.hl .hl-tile svg { display: block; width: 124px; height: 40px; overflow: visible; }
.hl.hl .hl-tile td.hl-change { grid-column: 1 / -1; font-size: 12.5px; color: var(--hl-muted); margin-top: 5px; }
.hl.hl .hl-look tbody { display: block; border-top: 1px solid var(--hl-line); }
.hl.hl .hl-look tr { display: grid; grid-template-columns: 124px minmax(0, 1fr) auto; gap: 2px 16px; padding: 10px 0;
  border-bottom: 1px solid var(--hl-hair); align-items: baseline; }
.hl.hl .hl-look th { font-size: 18px; font-weight: 650; }
.hl.hl summary .hl-muted { font-weight: 400; margin-left: 6px; }
.hl.hl .hl-look b { font-weight: 600; }
.hl.hl .hl-how td, .hl.hl .hl-how th { text-align: left; vertical-align: top; padding: 4px 16px 4px 0; border: 0;
  white-space: normal; color: var(--hl-ink); }
.hl.hl .hl-how th { font-weight: 550; white-space: nowrap; }
.hl.hl .hl-notes { font-size: 12.5px; color: var(--hl-muted); margin: 12px 0; max-width: 96ch; }
@container (max-width: 1000px) { .hl.hl .hl-tile { grid-template-columns: minmax(0, 1fr) 96px; padding: 13px 15px; }
  .hl.hl .hl-tile svg { width: 96px; height: 31px; } .hl.hl .hl-tile td.hl-number { font-size: 25px; } }
@container (max-width: 780px) { .hl.hl .hl-tiles tbody { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .hl.hl .hl-tile:nth-child(n) { padding: 13px 16px; border-left: 1px solid var(--hl-hair); }
  .hl.hl .hl-tile:nth-child(2n+1) { border-left: 0; padding-left: 0; }
  .hl.hl .hl-look tr { grid-template-columns: 84px minmax(0, 1fr); } .hl.hl .hl-look td.hl-code { grid-column: 2; } }
@container (max-width: 520px) { .hl.hl .hl-tiles tbody { grid-template-columns: minmax(0, 1fr); }
  .hl.hl .hl-tile:nth-child(n) { border-left: 0; padding: 11px 0 12px; }
  .hl.hl .hl-how td:last-child { display: none; } }
"""


def page(screen: Screen) -> str:
    """The headline, the tiles, what is worth a look, what was left out, and how each number is computed."""
    pairs = zip(screen.tiles, screen.p, strict=True)
    tiles = "".join(_tile(measure, tile, p) for (measure, tile), p in pairs)
    above = f"{screen.location} · {screen.period}, compared with {screen.earlier}"
    parts = [
        f'<p class="hl-small hl-muted">{text_html(above)}</p>',
        f'<h2 class="hl-headline">{text_html(screen.headline)}</h2>',
        f'<table class="hl-tiles"><tbody>{tiles}</tbody></table>',
    ]
    if screen.items:
        rows = "".join(map(_item, screen.items))
        parts.append(f'<h3 class="hl-section">Worth a look</h3><table class="hl-look"><tbody>{rows}</tbody></table>')
    parts += [f'<p class="hl-notes">{text_html(note)}</p>' for note in (*screen.notes, screen.source)]
    how = "".join(_definition(measure, tile) for measure, tile in screen.tiles)
    summary = 'How each number is computed <span class="hl-muted">definitions and code</span>'
    parts.append(f'<details><summary>{summary}</summary><table class="hl-how"><tbody>{how}</tbody></table></details>')
    return styled(_CSS, "".join(parts))


def _definition(measure: Measure, tile: Tile) -> str:
    code = f"<td><code>{text_html(tile.call)}</code></td>"
    return f"<tr><th>{text_html(measure.title)}</th><td>{text_html(measure.definition)}</td>{code}</tr>"


def _tile(measure: Measure, tile: Tile, p: float) -> str:
    interval = f" <small>{tile.interval}</small>" if tile.interval else ""
    number = (
        f'<td class="hl-number{"" if isfinite(tile.value) else " hl-none"}">{text_html(tile.number)}{interval}</td>'
    )
    direction = tile.direction(p)
    change = text_html(tile.change(p))
    change = f'<span class="hl-{direction}">{change}</span>' if direction else change
    base = f'<span class="hl-muted">{text_html(tile.base)}</span>'
    return (
        f'<tr class="hl-tile"><th>{text_html(measure.title)} {base}</th>'
        f'{number}<td>{_picture(measure, tile)}</td><td class="hl-change">{change or "&nbsp;"}</td></tr>'
    )


def _picture(measure: Measure, tile: Tile) -> str:
    label = escape(
        f"{measure.title}, 12 periods: {', '.join(tile.text_of(value) for value in tile.history if isfinite(value))}"
    )
    if tile.history and tile.kind in (COUNT, MONEY):
        return sparkline.bars(tile.history, label)
    if tile.history:
        return sparkline.line(tile.history, label)
    color = "attention" if tile.kind is COUNT else "c1"
    return sparkline.part(tile.part, escape(f"{measure.title}: {tile.number}"), color)


def _item(item: Item) -> str:
    text = f"<b>{text_html(item.what)}</b>{text_html(item.more)}"
    code = f'<td class="hl-code"><code>{text_html(item.call)}</code></td>'
    return f"<tr><th>{text_html(item.number)}</th><td>{text}.</td>{code}</tr>"
