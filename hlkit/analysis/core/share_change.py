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
from hlkit.analysis.core.groups import ALL, SMALL
from hlkit.analysis.core.headlines import summary_of_all
from hlkit.analysis.core.period_change import Change, Span, change_text
from hlkit.client.schema import COUNT, FLAG, NUMBER, POINTS, SHARE, Kind

_PARTS = ("share", "low", "high")
_DEFINITION = (
    "Both periods are followed equally long. The change is tested by a chi-square of both shares, and the p-values "
    "of groups are corrected for their number (Holm)."
)


@dataclass(frozen=True)
class ShareChange(Change):
    """The change of ``{share}_share``, which is labeled as in "answered within an hour".

    ``n`` gives the number of rows that it is a share of, and ``noun`` names them, if it is not the analysis's own.
    """

    share: str  # the start of its columns' names
    label: str
    n: Callable[[pd.DataFrame], pd.Series] = lambda table: table["n"]
    noun: str | None = None
    definition: str = _DEFINITION

    @property
    def columns(self) -> dict[str, Kind]:
        shares = {f"{self.share}{when}_{part}": SHARE for when in ("", "_before") for part in _PARTS}
        tests = {"change": POINTS, "p": NUMBER, "significant": FLAG, "small": FLAG}
        return {"n": COUNT, "n_before": COUNT, **shares, **tests}

    def other_runs(self, before: Span) -> list[dict[str, Any]]:
        return [{"since": before.since, "until": before.until, "as_of": before.as_of}]

    def compared(self, tables: Sequence[pd.DataFrame], now: Span, before: Span, zone: ZoneInfo) -> pd.DataFrame:
        key = tables[0].columns[0]
        sides = [self._side(table, key, suffix) for table, suffix in zip(tables, ("", "_before"), strict=True)]
        table = sides[0].merge(sides[1], on=key, how="outer", sort=False)
        table[["n", "n_before"]] = table[["n", "n_before"]].fillna(0)
        shares, rows = [], []
        for suffix in ("", "_before"):
            values = [table[f"{self.share}{suffix}_{part}"].astype("float64") for part in _PARTS]
            shares.append(values[0].to_numpy())
            rows.append(rows_from_interval(*values))
        n, share = np.nan_to_num(np.column_stack(rows)), np.column_stack(shares)
        p = np.asarray(compare_shares(np.nan_to_num(share) * n, n)[0], dtype="float64")
        small = (table[["n", "n_before"]].astype("float64") < SMALL).any(axis=1).to_numpy()
        return table.assign(change=share[:, 0] - share[:, 1], p=np.where(small, np.nan, p), small=small)

    def _side(self, table: pd.DataFrame, key: str, suffix: str) -> pd.DataFrame:
        """The columns to compare, of all rows and of each group."""
        shares = [f"{self.share}_{part}" for part in _PARTS]
        names = ["n" + suffix, *(f"{self.share}{suffix}_{part}" for part in _PARTS)]
        total = summary_of_all(table)
        if total is not None and not (len(table) == 1 and table[key].iloc[0] == ALL):
            every = pd.DataFrame([total]).assign(**{key: ALL})
            table = pd.concat([every, table.astype({key: "object"})], ignore_index=True)
        side = table[[key, *shares]].assign(n=self.n(table))
        return side[[key, "n", *shares]].set_axis([key, *names], axis=1)

    def sentence(self, everything: pd.Series, noun: str, when: str) -> str:
        now, before = everything[f"{self.share}_share"], everything[f"{self.share}_before_share"]
        n, n_before, noun = everything["n"], everything["n_before"], self.noun or noun
        if pd.isna(now) or pd.isna(before):
            return f"Nothing to compare: {n:,} {noun} in this period, {n_before:,} {when}."
        return (
            f"{self.label.capitalize()}: {now:.0%} ({n:,} {noun}), vs. {before:.0%} ({n_before:,} {when}); "
            f"{change_text(everything)}."
        )

    def of_group(self, row: pd.Series) -> str:
        return (
            f"{row.iloc[0]} {'rose' if row['change'] > 0 else 'fell'} from {row[f'{self.share}_before_share']:.0%} "
            f"to {row[f'{self.share}_share']:.0%}"
        )

    def chart(self, noun: str) -> Dots:
        label = f"{self.noun or noun} {self.label}; diamond: the earlier period"
        return Dots(self.share, label, order="table", before=f"{self.share}_before")
