"""The overview of a business: nine tiles, what is worth a look, and what was left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import get_args

import pandas as pd

from hlkit.analysis.core.date_text import format_date
from hlkit.analysis.core.period_change import Earlier, Span
from hlkit.analysis.core.period_comparison import holm
from hlkit.client import access
from hlkit.client.arguments import short
from hlkit.client.client import Client
from hlkit.client.dates import check, instant
from hlkit.client.dates import period as parse_period
from hlkit.client.endpoint import CONFIRM_ABOVE
from hlkit.client.errors import HlkitError, InvalidRequest
from hlkit.client.http.progress import Progress, current_progress
from hlkit.client.http.rate_limit import duration
from hlkit.client.resources import CATALOG
from hlkit.client.schema import FLAG, NUMBER, TEXT
from hlkit.client.text import many
from hlkit.client.timezones import zone
from hlkit.overview import html, text
from hlkit.overview.attention import WORTH_A_LOOK, Item
from hlkit.overview.measures import MEASURES, Measure
from hlkit.overview.reading import UNREADABLE, Reading
from hlkit.overview.screen import Screen
from hlkit.overview.tile import Tile
from hlkit.overview.window import Window

# What the tiles and the items to look at are made of, and the names in them.
RESOURCES = (
    *("location", "custom_fields", "contacts", "messages", "opportunities", "stages", "appointments", "tasks"),
    *("transactions", "users", "pipelines", "businesses"),
)


class Overview(Screen):
    """The business on one screen. Alone in a cell it is a page, printed it is text."""

    @property
    def table(self) -> pd.DataFrame:
        """The tiles as a frame.

        One row per tile: ``measure``, ``title``, ``value`` and ``before`` (a count, a share from 0 to 1, minutes, or
        money in ``currency``), ``low`` and ``high`` (the 95% interval of a share), ``p`` (corrected for all tests of
        the screen; null if not tested), ``significant``, ``base``, ``note``, and ``analysis``, the code behind it.
        """
        rows = [
            {
                "measure": measure.name,
                "title": measure.title,
                "value": tile.value,
                "low": tile.low,
                "high": tile.high,
                "before": tile.before,
                "p": p,
                "significant": tile.is_significant(p) if math.isfinite(p) else None,
                "currency": tile.currency or None,
                "base": tile.base or None,
                "note": tile.note or (tile.problem if math.isnan(tile.value) else None),
                "analysis": tile.call,
            }
            for (measure, tile), p in zip(self.tiles, self.p, strict=True)
        ]
        numbers = dict.fromkeys(("value", "low", "high", "before", "p"), NUMBER)
        texts = dict.fromkeys(("measure", "title", "currency", "base", "note", "analysis"), TEXT)
        kinds = {**numbers, **texts, "significant": FLAG}
        return pd.DataFrame(rows).astype({name: kind.dtype for name, kind in kinds.items()})

    @property
    def history(self) -> pd.DataFrame:
        """The numbers of twelve periods: one row per period, with its first day, and a column per tile."""
        columns = {measure.name: tile.history for measure, tile in self.tiles if tile.history}
        return pd.DataFrame({"since": pd.Series(self.starts), **columns})

    def __repr__(self) -> str:
        return text.page(self)

    def _repr_html_(self) -> str:
        return html.page(self)


def make_overview(
    loc: Client,
    *,
    period: str,
    compare: Earlier,
    as_of: str | pd.Timestamp | None,
    refresh: bool,
    confirm: bool,
    progress: Progress | None,
) -> Overview:
    """The overview that ``loc.overview()`` returns, which describes the options."""
    if compare not in get_args(Earlier):
        choices = ", ".join(map(repr, get_args(Earlier)))
        raise InvalidRequest(f"overview has no compare={short(compare)}", hint=f"compare is one of {choices}")
    check({"period": period})  # before any request
    progress = progress or current_progress()
    _check_cost(loc, refresh, confirm, progress)
    unreadable, read_at = _read_all(loc, refresh, progress)
    timezone = zone(loc.timezone)
    given = instant("as_of", as_of, lambda: timezone, loc.today)
    known = given if given is not None else loc.data_ends if loc.data_ends is not None else read_at
    end = pd.Timestamp(known)
    since, until = parse_period("period", period, lambda: timezone, end.tz_convert(timezone).date)
    window = Window.of(period, compare, Span(since, until, end), timezone)
    reading = Reading(loc, window)
    tiles = [(measure, _tile(measure, reading)) for measure in MEASURES]
    items = [item for find in WORTH_A_LOOK for item in _items(find, reading)]
    corrected = holm([tile.p for _, tile in tiles] + [item.p for item in items])
    shown = [item for item, p in zip(items, corrected[len(tiles) :], strict=True) if not p >= 0.05]
    return Overview(
        loc.name or loc.location_id,
        window.text,
        window.earlier_text,
        tiles,
        corrected[: len(tiles)].tolist(),
        shown,
        _notes(reading, unreadable, tiles),
        _source(reading),
        [span.since.tz_convert(timezone) for span in window.history],
    )


def _check_cost(loc: Client, refresh: bool, confirm: bool, progress: Progress) -> None:
    """Show what the reading costs before it starts. Raises ``InvalidRequest`` for more than 500 requests."""
    requests = access.requests_to_read(loc, RESOURCES, refresh=refresh, progress=progress)
    if not requests or loc.offline:
        return
    cost = f"{many(requests, 'request')}, about {duration(loc.session.rate_limiter.time_for(requests))}"
    if requests > CONFIRM_ABOVE and not confirm:
        raise InvalidRequest(f"the overview takes {cost}", hint="add confirm=True to read it")
    progress.on_note(f"overview · {cost}")


def _read_all(loc: Client, refresh: bool, progress: Progress) -> tuple[dict[str, str], pd.Timestamp]:
    """Read what the overview needs. Returns why some of it cannot be read, and when the first download began."""
    problems, starts = {}, []
    for name in RESOURCES:
        try:
            frame = loc.resources[name](refresh=refresh, progress=progress)
        except UNREADABLE as error:
            problems[name] = error.message
        else:
            starts.append(frame.attrs["hlkit"]["first_fetched_at"])
    return problems, min((pd.Timestamp(start) for start in starts if start), default=pd.Timestamp.now("UTC"))


def _tile(measure: Measure, reading: Reading) -> Tile:
    """The tile of a measure; without a number if the token may not read what it needs."""
    try:
        return measure.tile(reading)
    except UNREADABLE as error:
        return Tile(NUMBER, "loc.check()", problem="no access", note=_remedy(error))


def _items(find: Callable[[Reading], list[Item]], reading: Reading) -> list[Item]:
    try:
        return find(reading)
    except UNREADABLE:
        return []  # the tiles say so


def _remedy(error: HlkitError) -> str:
    scope = CATALOG[error.resource].scope if error.resource in CATALOG else ""
    return f"check the scope {scope} in Settings > Private Integrations" if scope else error.message


def _notes(reading: Reading, unreadable: dict[str, str], tiles: Sequence[tuple[Measure, Tile]]) -> list[str]:
    """What is not in the numbers, and why."""
    left_out = [f"{count:,} {why}" for why, count in reading.left_out.items()]
    notes = [f"Left out: {'; '.join(left_out)}."] if left_out else []
    notes += [f"No {name}: {problem}." for name, problem in (unreadable | reading.unavailable).items()]
    if any(tile.is_tested for _, tile in tiles):
        notes.append(
            "A change or a difference is called significant if p < .05 after a correction for all tests of this "
            "screen (Holm). Sums of money are not tested."
        )
    return notes


def _source(reading: Reading) -> str:
    """As of when, and from which rows."""
    as_of = reading.window.now.as_of.tz_convert(reading.window.zone)
    rows = ", ".join(f"{count:,} {name}" for name, count in reading.rows.items() if count)
    day = f"{format_date(as_of)}, {as_of:%I:%M %p}".replace(", 0", ", ")
    return f"As of {day} ({reading.window.zone.key}). Source: HighLevel, {rows}."
