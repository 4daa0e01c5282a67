"""A share in two periods side by side, such as the leads that are answered within an hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts import Dots
from hlkit.analysis.core.comparison import compare_shares, rows_from_interval
from hlkit.analysis.core.groups import ALL
from hlkit.analysis.core.headlines import summary_of_all
from hlkit.analysis.core.period_change import Change, Span, change_text
from hlkit.client.schema import COUNT, FLAG, NUMBER, POINTS, SHARE, Kind

_PARTS = ("share", "low", "high")
_DEFINITION = (
    "Both periods have the same time after their end. The change is tested by a chi-square of both shares, and the "
    "p-values of groups are corrected for their number (Holm)."
)


@dataclass(frozen=True)
class ShareChange(Change):
    """The change of the column ``{share}_share``. ``label`` says what has that share: "answered within an hour".

    ``rows`` gives the number of rows that it is a share of, and ``noun`` is what they are called; by default the
    column ``n``, and what the analysis counts. ``also`` are further columns to show of both periods, such as medians.
    """

    share: str
    label: str
    rows: Callable[[pd.DataFrame], pd.Series] = lambda table: table["n"]
    noun: str | None = None
    also: tuple[str, ...] = ()
    definition: str = _DEFINITION
    size: str = "n"

    @property
    def columns(self) -> dict[str, Kind]:
        shares = {f"{self.share}{when}_{part}": SHARE for when in ("", "_before") for part in _PARTS}
        tests = {"change": POINTS, "p": NUMBER, "significant": FLAG, "small": FLAG}
        also = {f"{name}{when}": NUMBER for name in self.also for when in ("", "_before")}
        return {"n": COUNT, "n_before": COUNT, **shares, **tests, **also}

    def other_runs(self, before: Span) -> list[dict[str, Any]]:
        return [{"since": before.since, "until": before.until, "as_of": before.as_of}]

    def compared(self, tables: Sequence[pd.DataFrame], now: Span, before: Span, zone: ZoneInfo) -> pd.DataFrame:
        key = tables[0].columns[0]
        current, earlier = self._side(tables[0], ""), self._side(tables[1], "_before")
        table = current.merge(earlier, on=key, how="outer", sort=False)
        table[["n", "n_before"]] = table[["n", "n_before"]].fillna(0)
        # The test counts as many rows as the widths of the intervals stand for: fewer, if rows are alike.
        bounds = [
            [table[f"{self.share}{when}_{part}"].astype("float64") for part in _PARTS] for when in ("", "_before")
        ]
        effective = np.nan_to_num(np.column_stack([rows_from_interval(*columns) for columns in bounds]))
        shares = np.column_stack([columns[0] for columns in bounds])
        p = np.asarray(compare_shares(np.nan_to_num(shares) * effective, effective)[0], dtype="float64")
        p[np.isnan(p) & (shares[:, 0] == shares[:, 1])] = 1.0  # such as 100% and 100%: no difference
        small = table[["small", "small_before"]].astype("boolean").fillna(True).any(axis=1).to_numpy(dtype=bool)
        return table.assign(change=shares[:, 0] - shares[:, 1], p=np.where(small, np.nan, p), small=small)

    def _side(self, table: pd.DataFrame, when: str) -> pd.DataFrame:
        """The columns to compare, of all rows and of each group; *when* is "" or "_before"."""
        key, shares = table.columns[0], [f"{self.share}_{part}" for part in _PARTS]
        total = summary_of_all(table)
        is_total_alone = len(table) == 1 and table[key].iloc[0] == ALL
        if total is not None and not is_total_alone:
            total_row = pd.DataFrame([total]).assign(**{key: ALL})
            table = pd.concat([total_row, table.astype({key: "object"})], ignore_index=True)
        side = table[[key, *shares, "small", *self.also]].assign(n=self.rows(table))
        names = {name: f"{name}{when}" for name in ("n", "small", *self.also)}
        names |= {column: f"{self.share}{when}_{part}" for column, part in zip(shares, _PARTS, strict=True)}
        return side.rename(columns=names)

    def sentence(self, total: pd.Series, noun: str, earlier: str) -> str:
        now, before = total[f"{self.share}_share"], total[f"{self.share}_before_share"]
        n, n_before, noun = total["n"], total["n_before"], self.noun or noun
        if pd.isna(now) or pd.isna(before):
            period = "this period" if pd.isna(now) else "the earlier one"
            return (
                f"Nothing to compare: the share {self.label} is not known for {period}, "
                f"with {n:,} {noun} in this period and {n_before:,} {earlier}."
            )
        change = "no change" if now == before else change_text(total)
        before_text = f"{before:.0%} ({n_before:,} {earlier})"
        return f"{self.label.capitalize()}: {now:.0%} ({n:,} {noun}), vs. {before_text}; {change}."

    def of_group(self, row: pd.Series) -> str:
        return (
            f"{row.iloc[0]} {'rose' if row['change'] > 0 else 'fell'} from {row[f'{self.share}_before_share']:.0%} "
            f"to {row[f'{self.share}_share']:.0%}"
        )

    def chart(self, noun: str) -> Dots:
        label = f"{self.noun or noun} {self.label}; diamond: the earlier period"
        return Dots(self.share, label, order="table", before=f"{self.share}_before")
