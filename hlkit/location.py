"""Location: the client of one sub-account, with its analyses and its card."""

from __future__ import annotations

import pandas as pd

from hlkit.analysis.core.bound_analysis import BoundAnalyses
from hlkit.analysis.core.period_change import Earlier
from hlkit.client.client import Client
from hlkit.client.errors import CacheLocked
from hlkit.client.http.progress import Progress
from hlkit.client.http.rate_limit import duration
from hlkit.client.resources import CATALOG
from hlkit.client.text import many
from hlkit.display.card import Card, Fact
from hlkit.overview.overview import RESOURCES, Overview, make_overview


class Location(Client):
    """One HighLevel sub-account as DataFrames. In a notebook, ``loc`` alone in a cell shows its card.

    Every resource is an attribute: ``loc.contacts()`` is a DataFrame, and ``loc.contacts?`` shows its help.
    """

    @property
    def analyses(self) -> BoundAnalyses:
        """The analyses of this location, such as ``loc.analyses.speed_to_lead(by="source")``."""
        return BoundAnalyses(self)

    def overview(
        self,
        *,
        period: str = "30d",
        compare: Earlier = "previous",
        as_of: str | pd.Timestamp | None = None,
        refresh: bool = False,
        confirm: bool = False,
        progress: Progress | None = None,
    ) -> Overview:
        """The business on one screen: nine tiles, what is worth a look, and what was left out.

        Parameters
        ----------
        period
            What the tiles are about: 30d, last month, 2025-07 and so on. Open pipeline is as of its end; stuck deals
            and reachable contacts are as of today.
        compare
            "previous" compares it with the period before, "last year" with the same a year ago.
        as_of
            Use only what had happened before this instant; now, if omitted.
        refresh
            Ignore the cache.
        confirm
            Read what is not cached even if that takes over 500 requests.
        progress
            Receives every page, and can cancel the downloads.

        Returns
        -------
        An ``Overview``: alone in a cell a page, printed text; ``.table`` is a row per tile, ``.history`` a row per
        period. The cost of what is not cached is shown before it is read. What is cached is not read again, but for
        date ranges of downloads of over 1,000 pages.

        Raises
        ------
        InvalidRequest for a period that cannot be compared, or a cost of over 500 requests without *confirm*.
        """
        return make_overview(
            self,
            period=period,
            compare=compare,
            as_of=as_of,
            refresh=refresh,
            confirm=confirm,
            progress=progress,
        )

    # ---- the card

    def card(self, pseudonym: str | None = None) -> Card:
        """What is known of the location without a request, and what to do next.

        A *pseudonym* is shown instead of its name, and then not its city either.
        """
        address = () if pseudonym else (self._cached_value("city"), self._cached_value("state"))
        city_and_state = ", ".join(filter(None, address))
        made_up = "" if self.data_ends is None else "made-up data"
        parts = (city_and_state, self.zone or "time zone not read yet", self._cached_value("currency") or "", made_up)
        return Card(
            pseudonym or self.name or f"Location {self.location_id}",
            " · ".join(filter(None, parts)),
            [self._access_fact(), self._data_fact(), self._quota_fact(), self._connection_fact()],
            [
                ("loc.overview()", f"the business on one screen; {self._overview_cost()}"),
                ("loc.analyses", f"{len(self.analyses)} questions, each with a chart and a table"),
                ("loc.contacts()", "one row per contact, as a DataFrame; also opportunities, messages and others"),
                ("hl.explore(loc)", "the same with buttons"),
            ],
        )

    def _access_fact(self) -> Fact:
        if self._access is None:
            return Fact("Access", "not checked", "loc.check() shows what the token may read")
        refused = self._access[self._access["readable"].eq(False).fillna(False)]
        readable = f"{int(self._access['readable'].fillna(False).sum())} of {len(self._access)} resources"
        if not len(refused):
            return Fact("Access", readable)
        scopes = ", ".join(dict.fromkeys(refused["scope"].dropna()))
        remedy = f"to add them, check {scopes} in Settings > Private Integrations" if scopes else ""
        return Fact("Access", f"{readable}; no access to {', '.join(refused['resource'])}", remedy)

    def _data_fact(self) -> Fact:
        try:
            found = {name: info for name in CATALOG if (info := self.cache_info(name)) is not None and info.rows}
        except CacheLocked as error:
            return Fact("Data", error.message)
        if not found:
            return Fact("Data", "nothing read yet")
        largest = sorted(found, key=lambda name: -found[name].rows)[:6]
        counts = [f"{found[name].rows:,} {name}{'' if found[name].complete else ' (not all)'}" for name in largest]
        others = len(found) - len(largest)
        age = max(info.age for info in found.values())
        fresh = 0.0 if self.offline else self.expire_after - age
        until = f"good for {duration(fresh)} more" if fresh > 0 else "offline" if self.offline else "no longer fresh"
        rest = f" and {many(others, 'other resource')}" if others > 0 else ""
        return Fact("Data", f"{', '.join(counts)}{rest}", f"read {duration(age)} ago, {until}")

    def _quota_fact(self) -> Fact:
        quota, used = self.quota, f"{self.session.requests_sent:,} used in this session"
        if quota.day is None or not quota.day_limit:
            return Fact("Quota", str(quota), used)
        left = f"{quota.day:,} of {quota.day_limit:,} requests left today"
        return Fact("Quota", left, used, share=quota.day / quota.day_limit)

    def _connection_fact(self) -> Fact:
        path = self.session.cache.path
        return Fact("Connected by", self.connected_by, f"cache: {path or 'in memory'}")

    def _overview_cost(self) -> str:
        try:
            requests = self.costs(*RESOURCES)["requests"]
        except CacheLocked:
            return "shows its cost first"
        if requests.isna().any():
            return "shows its cost first"
        return "from cached data" if not requests.sum() else many(int(requests.sum()), "request")

    def __repr__(self) -> str:
        return self.card().text()

    def _repr_html_(self) -> str:
        return self.card().html()
