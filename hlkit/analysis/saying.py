"""Around every answer, and what several say: names for ids, groups compared, times in words.

Two groups whose 95% intervals overlap are said not to be told apart; small groups, and those without a name, are
not compared.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.drawing import each_text, how_long, named_or_not
from hlkit.analysis.measures import ALL, NONE, SMALL
from hlkit.kinds import ID
from hlkit.resources import CATALOGUE
from hlkit.tables.names import NAMED_BY
from hlkit.tables.text import BREAKS, printable

Answer = Callable[[pd.DataFrame], str]
_SAID, _ANSWER = 40, 300  # letters of a name in an answer; of an answer


def say(table: pd.DataFrame, answer: Answer) -> str:
    """What *answer* says of *table*, in one line; nothing of a table that is empty.

    It gets the table with names in the place of ids, and texts cut to 40 letters.
    """
    if not len(table) or table.isna().to_numpy().all():
        return ""
    told = _without_ids(table)
    keys = [column for column in told if _is_key(table, column)]  # not to be said: they count rows
    told = each_text(told.drop(columns=keys), lambda text: _short(text, _SAID)).join(told[keys])
    said = _short(answer(told[[column for column in table if column in told]]), _ANSWER)
    return str(said)


def _without_ids(table: pd.DataFrame) -> pd.DataFrame:
    """The table with names for the ids by which answers tell rows apart; "unknown owner …x7Qp" where one has none."""
    out = table.reset_index(drop=True)
    for column in table.columns:
        key = str(column).removesuffix(" (group)")
        if key not in _ids() or _is_key(table, column):
            continue
        name = NAMED_BY.get(key, ("",))[0]
        known = out[name] if name in out else pd.Series(None, out.index, out[column].dtype)
        names = known.mask(known == out[column])  # where nobody knew the name, the id may stand in its place
        told = named_or_not(names, out[column], key.removesuffix("_id").replace("_", " "))
        out = out.assign(**{column: told}).drop(columns=[name] if name in out else [])
    return out


def _is_key(table: pd.DataFrame, column: object) -> bool:
    """Whether a column has the ids of the rows themselves, and not of what they are grouped or told apart by."""
    key = str(column).removesuffix(" (group)")
    return key in _ids() and key not in NAMED_BY and key != choice(table, "by")


@functools.cache
def _ids() -> frozenset[str]:
    """HighLevel's own ids: a custom field that ends alike holds what somebody wrote."""
    return frozenset(column.name for one in CATALOGUE.values() for column in one.columns if column.kind is ID)


def _short(text: object, most: int) -> object:
    """*text* in one line of at most so many letters."""
    if not isinstance(text, str):
        return text
    plain = " ".join(printable(BREAKS.sub(" ", text)).split())
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def choice(table: pd.DataFrame, name: str) -> Any:
    """What was chosen for *name* when the table was made; None where nobody knows."""
    return table.attrs.get("hlkit", {}).get("choices", {}).get(name)


def named_groups(table: pd.DataFrame) -> pd.DataFrame:
    """The rows whose group, in the first column, has a name: not (none), (other contacts) or the like."""
    return table[[not _nameless(name) for name in table.iloc[:, 0].fillna(NONE)]]


def _nameless(group: object) -> bool:
    return str(group).startswith("(") and str(group).endswith(")")


def comparable(table: pd.DataFrame, share: str) -> pd.DataFrame:
    """The named groups that are not small and have the share, the highest first."""
    named = named_groups(table)
    fit = named[~named["small"].fillna(True).to_numpy(dtype=bool)].dropna(subset=[f"{share}_share"])
    return fit.sort_values(f"{share}_share", ascending=False, kind="stable")


def percent(row: pd.Series, share: str) -> str:
    """A share with its interval: 78% (75 to 81)."""
    low, high = 100 * row[f"{share}_low"], 100 * row[f"{share}_high"]
    return f"{row[f'{share}_share']:.0%}" + (f" ({low:.0f} to {high:.0f})" if np.isfinite(low + high) else "")


def apart(higher: pd.Series, lower: pd.Series, share: str) -> bool:
    """Whether two groups can be told apart: their 95% intervals do not overlap."""
    return bool(higher[f"{share}_low"] > lower[f"{share}_high"])


def compared(table: pd.DataFrame, share: str, what: str, also: Callable[[pd.Series], str] = lambda row: "") -> str:
    """The groups with the highest and the lowest share, and whether they can be told apart; or the share of one."""
    if len(table) == 1:
        row = table.iloc[0]
        if pd.isna(row[f"{share}_share"]):
            return ""
        whose = "" if row.iloc[0] == ALL else f"{row.iloc[0]} "
        few = f", of fewer than {SMALL}: too few to say much" if pd.notna(row["small"]) and row["small"] else ""
        return f"{what}: {whose}{percent(row, share)}{also(row)}{few}."
    if table[f"{share}_share"].isna().all():
        return ""
    fit = comparable(table, share)
    if not len(fit):
        return f"{what}: the groups are too few to compare."
    first, last = fit.iloc[0], fit.iloc[-1]
    one, other = (f"{row.iloc[0]}, {percent(row, share)}{also(row)}" for row in (first, last))
    if len(fit) == 1:
        return f"{what}: {one}; the other groups are too few to compare."
    if not apart(first, last, share):
        return f"{what}: highest for {one}; lowest for {other}; but these cannot be told apart."
    most_, least = among(fit, share, "highest", "lowest")
    return f"{what}: {most_} for {one}; {least} for {other}; these two can be told apart."


def among(fit: pd.DataFrame, share: str, highest: str, lowest: str) -> tuple[str, str]:
    """*highest* and *lowest*, each with "among the" where the next group cannot be told apart from it."""
    low, high = fit[f"{share}_low"], fit[f"{share}_high"]
    first, last = low.iloc[0] > high.iloc[1:].max(), high.iloc[-1] < low.iloc[:-1].min()
    return highest if first else f"among the {highest}", lowest if last else f"among the {lowest}"


def largest(table: pd.DataFrame, column: str, unit: str = "") -> str:
    """The named group with most of *column*, and how much; a group without a name is told if it has more."""
    names = table.iloc[:, 0].fillna(NONE).astype(str).tolist()
    pairs = list(zip(names, table[column].fillna(0).astype("float64").tolist(), strict=True))
    named = [pair for pair in pairs if not _nameless(pair[0])]
    name, most_ = max(named, key=lambda pair: pair[1], default=("", 0.0))
    if most_ <= 0:
        return ""
    alike = sum(value == most_ for _, value in named) - 1
    told = f"{name}{f' and {alike:,} more, each' if alike else ','} {most_:,.0f}{unit}"
    other, more = max(pairs, key=lambda pair: pair[1])
    return f"{told}, behind {other}, {more:,.0f}{unit}" if more > most_ else told


def of_clock(table: pd.DataFrame) -> str:
    """What to add to a time that is counted in office hours alone."""
    return " (office hours)" if choice(table, "clock") == "office" else ""


def waits(table: pd.DataFrame, *minutes: float) -> list[str]:
    """Times of the table's clock as people say them, with a decimal more where they would look alike."""
    # A day of office hours has no 24 of them: long waits stay in hours.
    in_hours = choice(table, "clock") == "office"
    told = [f"{one / 60:,.0f} h" if in_hours and one >= 48 * 60 else how_long(one) for one in minutes]
    if len(set(told)) < len(set(minutes)):
        return [f"{one:.1f} min" if 1 <= one < 60 else text for one, text in zip(minutes, told, strict=True)]
    return told
