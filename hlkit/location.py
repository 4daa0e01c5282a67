"""Location: the client of one sub-account, with its analyses and its card."""

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


class Location(Client):
    """One HighLevel sub-account as DataFrames. In a notebook, ``loc`` alone in a cell shows its card.

    Every resource is an attribute: ``loc.contacts()`` is a DataFrame, and ``loc.contacts?`` shows its help.
    """

    @property
    def analyses(self) -> BoundAnalyses:
        """The analyses of this location, such as ``loc.analyses.speed_to_lead(by="source")``."""
        return BoundAnalyses(self)

    # ---- the card

    def _connection_rows(self, name: str | None) -> list[tuple[str, str]]:
        cache: Cache = self.session.cache
        return [
            ("location", f"{name} ({self.location_id})" if name else self.location_id),
            ("time zone", self.zone or "not read yet"),
            ("connected by", self.connected_by + (", offline" if self.offline else "")),
            ("quota", str(self.quota)),
            ("cache", str(cache.path) if cache.path else "in memory"),
        ]

    def _cached_rows_and_rest(self) -> tuple[list[tuple[str, str]], str]:
        """A row for each cached resource (the call, how many rows, how old), and the names of the others."""
        rows, others = [], []
        try:
            for name in CATALOG:
                info = self.cache_info(name)
                if info is None or not (info.complete or info.rows):
                    others.append(name)
                else:
                    rows.append((f"loc.{name}()", _describe(info)))
        except CacheLocked as error:
            return [("cached", error.message)], "unknown while the cache is locked"
        return rows, ", ".join(others) or "nothing"

    def __repr__(self) -> str:
        cached, others = self._cached_rows_and_rest()
        rows = [*self._connection_rows(self.name), *cached]
        lines = [f"  {name:<25} {printable(value)}" for name, value in rows]
        rest = textwrap.fill(others, 96, initial_indent="  not read yet: ", subsequent_indent="    ")
        return "\n".join(["Location", *lines, rest])

    def _repr_html_(self) -> str:
        return self.card_html(self.name)

    def card_html(self, name: str | None) -> str:
        """The card as HTML. *name* is shown as the location's name; ``None`` shows its id only."""
        cached, others = self._cached_rows_and_rest()
        rows = [(escape(label), escape(value)) for label, value in self._connection_rows(name)]
        rows += [(f"<code>{escape(call)}</code>", escape(value)) for call, value in cached]
        rows.append(("not read yet", escape(others)))
        box = f"display:inline-block;max-width:60em;border:1px solid #bbb;padding:8px 12px;{INK}"
        return f'<div style="{box}">{pairs_html(rows)}</div>'


def _describe(info: CacheInfo) -> str:
    rows = many(info.rows, "row")
    return f"{rows if info.complete else f'first {rows} only'}, read {duration(info.age)} ago"
