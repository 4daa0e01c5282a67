"""The Quota tab: requests remaining and used, and what reading each resource would cost now."""

from __future__ import annotations

from collections.abc import Iterable

import ipywidgets as widgets
import pandas as pd

from hlkit.client.http.rate_limit import duration
from hlkit.client.resources import CATALOG
from hlkit.client.text import many
from hlkit.explorer import html
from hlkit.explorer.view import NO_LOCATION, View

WARN_ABOVE = 1000  # requests to read all notes


def total_requests(costs: pd.DataFrame) -> tuple[int, list[str]]:
    """The total of the known costs in ``loc.costs(...)``, and the resources whose cost is unknown."""
    unknown = costs.loc[costs["requests"].isna(), "resource"].tolist()
    return int(costs["requests"].fillna(0).sum()), unknown


def cost_message(costs: pd.DataFrame) -> str:
    """What reading the resources in *costs* will cost, in a sentence."""
    requests, unknown = total_requests(costs)
    if not unknown and not requests:
        return "0 requests (cached)."
    if not unknown:
        return f"Uses about {many(requests, 'request')}."
    known = f" About {many(requests, 'request')} for the rest." if requests else ""
    return (
        f"Not fully downloaded yet: {html.join_names(unknown)}. "
        f"To see how many requests that takes, click Check on the Location tab.{known}"
    )


class QuotaView(View):
    """The requests remaining and used, and the cost of each resource."""

    title = "Quota"

    def build(self) -> widgets.Box:
        self.summary = widgets.HTML()
        self.table = widgets.HTML()
        self.refresh_button = widgets.Button(description="Refresh", tooltip="Update these numbers. 0 requests")
        self.refresh_button.on_click(self.callback(self.refresh))
        self.state.observe(self.callback(self.refresh), "read_count")
        return widgets.VBox([self.summary, self.refresh_button, self.table])

    def refresh(self) -> None:
        costs = self.frame
        if costs is None:
            self.summary.value, self.table.value = html.note(NO_LOCATION), ""
            return
        self.summary.value = html.key_values(self._summary())
        costs = costs.assign(age=["" if pd.isna(age) else f"{duration(age)} ago" for age in costs["age_s"]])
        costs = costs.drop(columns="age_s").rename(
            columns={"rows": "rows cached", "requests": "requests to read now"}
        )
        footer = "Blank: unknown until the first full download. To find out, click Check on the Location tab."
        self.table.value = html.table(costs, self.state.zone, footer=footer)

    def _summary(self) -> Iterable[tuple[str, object]]:
        loc = self.state.loc
        yield "Remaining", loc.quota
        yield "Used this session", many(loc.session.requests_sent, "request")
        yield "Served from cache", many(loc.session.pages_from_cache, "page")
        contacts = loc.cache_info("contacts")
        if contacts is not None and contacts.rows > WARN_ABOVE:
            time = duration(loc.session.rate_limiter.time_for(contacts.rows))
            yield "Note", f"Notes take one request per contact: {contacts.rows:,} requests, about {time}"

    @property
    def frame(self) -> pd.DataFrame | None:
        return None if self.state.loc is None else self.state.loc.costs(*CATALOG)

    @property
    def code(self) -> str:
        return self.full_code("loc.costs()  # 0 requests; loc.quota shows what remains")
