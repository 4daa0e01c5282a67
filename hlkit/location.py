"""A location: the client of one sub-account, with its analyses and its card."""

from __future__ import annotations

import textwrap
from html import escape

from hlkit.analysis.core.bound_analysis import BoundAnalyses
from hlkit.client.client import Client
from hlkit.client.context import CacheInfo
from hlkit.client.errors import CacheLocked
from hlkit.client.http.cache import Cache
from hlkit.client.http.rate_limit import duration
from hlkit.client.resources import CATALOG
from hlkit.client.text import many, printable
from hlkit.display.html import INK, pairs_html


def _has_rows(kept: CacheInfo) -> bool:
    return kept.complete or kept.rows > 0


class Location(Client):
    """One HighLevel sub-account, as pandas sees it. ``loc`` alone in a cell is its card.

    Every resource is an attribute: ``loc.contacts()`` is a DataFrame, ``loc.contacts?`` tells of it.
    """

    @property
    def analyses(self) -> BoundAnalyses:
        """The questions that can be asked of it: ``loc.analyses.speed_to_lead(by="source")``."""
        return BoundAnalyses(self)

    # ---- the card

    def _facts(self, name: str | None) -> list[tuple[str, str]]:
        cache: Cache = self.session.cache
        return [
            ("location", f"{name} ({self.location_id})" if name else self.location_id),
            ("time zone", self.zone or "not read yet"),
            ("connected by", self.connected_by + (", offline" if self.offline else "")),
            ("quota", str(self.quota)),
            ("kept in", str(cache.path) if cache.path else "memory"),
        ]

    def _read_so_far(self) -> list[tuple[str, str]]:
        """Each resource that is kept: how to get it, and how much and how old it is."""
        lines = []
        for resource in CATALOG.values():
            try:
                kept = self.cache_info(resource.name)
            except CacheLocked as locked:
                return [("the cache", locked.message)]
            if kept is not None and _has_rows(kept):
                rows = many(kept.rows, "row")
                told = rows if kept.complete else f"the first {rows}, not all"
                lines.append((f"loc.{resource.name}()", f"{told}, read {duration(kept.age)} ago"))
        return lines

    def _not_read(self) -> str:
        try:
            kept = {name: self.cache_info(name) for name in CATALOG}
        except CacheLocked:
            return "not known for the moment"
        names = [name for name, one in kept.items() if one is None or not _has_rows(one)]
        return ", ".join(names) or "nothing"

    def __repr__(self) -> str:
        lines = [*self._facts(self.name), *self._read_so_far()]
        told = "\n".join(f"  {name:<25} {printable(value)}" for name, value in lines)
        rest = textwrap.fill(self._not_read(), 96, initial_indent="  not read yet: ", subsequent_indent="    ")
        return f"Location\n{told}\n{rest}"

    def _repr_html_(self) -> str:
        return self.card_html(self.name)

    def card_html(self, called: str | None) -> str:
        """The card, with the location *called* so."""
        facts = [(escape(name), escape(value)) for name, value in self._facts(called)]
        kept = [(f"<code>{escape(name)}</code>", escape(value)) for name, value in self._read_so_far()]
        box = f"display:inline-block;max-width:60em;border:1px solid #bbb;padding:8px 12px;{INK}"
        rows = pairs_html([*facts, *kept, ("not read yet", escape(self._not_read()))])
        return f'<div style="{box}">{rows}</div>'
