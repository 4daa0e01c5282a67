"""What an overview reads: frames and analyses of a location, with a record of what they used and left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from hlkit.analysis.core.bound_analysis import BoundAnalyses
from hlkit.analysis.core.registry import ANALYSES
from hlkit.client.client import Client
from hlkit.client.errors import MissingScope, NotCached, NotEnabled
from hlkit.client.schema import TEXT
from hlkit.overview.window import PERIODS, Window

UNREADABLE = (MissingScope, NotCached, NotEnabled)


class Reading:
    """A location and the periods to look at. Every analysis that is run is recorded."""

    def __init__(self, loc: Client, window: Window) -> None:
        self.loc, self.window = loc, window
        self.rows: dict[str, int] = {}
        self.left_out: dict[str, int] = {}
        self.unavailable: dict[str, str] = {}
        self._tables: dict[tuple[object, ...], pd.DataFrame] = {}

    def frame(self, resource: str) -> pd.DataFrame:
        """All rows of a resource."""
        frame = self.loc.resources[resource]()
        self.rows[resource] = len(frame)
        return frame

    def run(self, analysis: str, **options: Any) -> pd.DataFrame:
        """The table of an analysis, as of the end of the reading; made once for the same options."""
        key = (analysis, *sorted(options.items()))
        if key not in self._tables:
            self._tables[key] = self._run(analysis, options)
        return self._tables[key]

    def _run(self, analysis: str, options: dict[str, Any]) -> pd.DataFrame:
        result = BoundAnalyses(self.loc)[analysis](as_of=self.window.now.as_of, **options)
        self.unavailable |= result.provenance["unavailable"]
        if "since" not in options:  # the numbers of a period would not be those of all rows
            self.rows |= result.provenance["rows"]
            self.left_out |= result.provenance["left_out"]
        return result.table

    def compared(self, analysis: str, by: str | None = None) -> pd.DataFrame:
        """The table that compares both periods."""
        span = self.window.now
        return self.run(analysis, by=by, compare=self.window.compare, since=span.since, until=span.until)

    def history(self, analysis: str, date: str, column: str) -> tuple[float, ...]:
        """A column of an analysis for each period of the history; NaN where there is no row.

        *date* is the column of its first frame by which rows belong to a period.
        """
        question = ANALYSES[analysis]
        frames = {name: self.frame(name) for name in question.resources_for({"by": None})}
        main = frames[question.main_resource]
        number = self.window.number_of_period(main[date]).astype("Int64").astype(TEXT.dtype)
        frames[question.main_resource] = main.assign(period=number)[number.notna()]
        options = {"as_of": self.window.now.as_of, "timezone": self.window.zone.key}
        values = question(**frames, by="period", **options).set_index("period")[column]
        return as_floats(values.reindex([str(number) for number in range(PERIODS)]))

    def call(self, analysis: str, **options: Any) -> str:
        """The code that runs an analysis."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in options.items())
        return f"loc.analyses.{analysis}({arguments})".replace("'", '"')

    def compared_call(self, analysis: str, **options: Any) -> str:
        """The code that compares both periods."""
        return self.call(analysis, **options, period=self.window.period, compare=self.window.compare)

    @property
    def currency(self) -> str:
        """The location's currency; "" if it is unknown."""
        codes = self.loc.resources["location"]()["currency"].dropna()
        return str(codes.iloc[0]) if len(codes) else ""


def as_floats(values: Sequence[Any] | pd.Series) -> tuple[float, ...]:
    """The values as floats, NaN for null."""
    return tuple(pd.Series(values).astype("float64").tolist())
