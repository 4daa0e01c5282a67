"""The quota: what is left, what the next run will spend, what the kept answers have saved."""

from __future__ import annotations

from collections.abc import Iterable

import ipywidgets as W
import pandas as pd

from hlkit.client.http.rate_limit import duration
from hlkit.client.resources import CATALOG
from hlkit.client.text import many
from hlkit.explorer import html
from hlkit.explorer.view import NO_LOCATION, View

MANY = 1000  # requests for one read: worth a warning


def estimate(costs: pd.DataFrame) -> tuple[int, list[str]]:
    """The requests that reading the resources of *costs* takes, as far as they are known, and the others."""
    unknown = costs.loc[costs["requests"].isna(), "resource"].tolist()
    return int(costs["requests"].fillna(0).sum()), unknown


def in_words(costs: pd.DataFrame) -> str:
    """What the next run will spend."""
    requests, unknown = estimate(costs)
    if not unknown:
        what = f"about {many(requests, 'request')}"
        return f"This will spend {what}." if requests else "This spends no request: all it needs is kept."
    rest = html.listed(unknown)
    known = f"{many(requests, 'request')}, and what those take" if requests else "what those take"
    return f"Not read in full yet: {rest}. This will spend {known}; Check, in the tab Location, tells how much."


class QuotaView(View):
    """What is left, and what each resource would cost now."""

    title = "Quota"

    def made(self) -> W.Box:
        self.words = W.HTML()
        self.table = W.HTML()
        self.refresh = W.Button(description="Refresh", tooltip="Show what is known now; no request")
        self.refresh.on_click(self.does(self.opened))
        self.chosen.observe(self.does(self.opened), "spent")
        return W.VBox([self.words, self.refresh, self.table])

    def opened(self) -> None:
        loc = self.chosen.loc
        if loc is None:
            self.words.value, self.table.value = html.note(NO_LOCATION), ""
            return
        self.words.value = html.facts(self._facts())
        told = self.frame
        assert told is not None
        told = told.assign(age=["" if pd.isna(age) else f"{duration(age)} ago" for age in told["age_s"]])
        told = told.drop(columns="age_s").rename(columns={"rows": "rows kept", "requests": "requests to read it now"})
        more = "blank: not known before it is read in full; Check, in the tab Location, tells"
        self.table.value = html.table(told, self.chosen.zone, more=more)

    def _facts(self) -> Iterable[tuple[str, object]]:
        loc = self.chosen.loc
        yield "left", loc.quota
        yield "spent here", f"{loc.session.sent:,} requests since this location was opened"
        yield "saved", f"{loc.session.saved:,} answers came from what is kept"
        contacts = loc.cache_info("contacts")
        if contacts is not None and contacts.rows > MANY:
            yield (
                "mind",
                (
                    f"notes are read contact by contact: {contacts.rows:,} requests, about "
                    f"{duration(loc.session.pacer.time_for(contacts.rows))}"
                ),
            )

    @property
    def frame(self) -> pd.DataFrame | None:
        return None if self.chosen.loc is None else self.chosen.loc.costs(*CATALOG)

    @property
    def code(self) -> str:
        return self.whole("loc.costs()  # no request; loc.quota tells what is left")
