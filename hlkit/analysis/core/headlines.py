"""Around every answer, and what several say: names for ids, groups compared, times in words."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts import format_minutes, map_texts, name_or_placeholder
from hlkit.analysis.core.comparison import compare, overlaps
from hlkit.analysis.core.deals import AGES, at_common_age
from hlkit.analysis.core.groups import ALL, NONE, SMALL, UNNAMED
from hlkit.client.frames.names import NAMED_BY
from hlkit.client.resources import CATALOG
from hlkit.client.schema import ID
from hlkit.client.text import BREAKS, many, printable

Answer = Callable[[pd.DataFrame], str]
_SAID, _ANSWER = 40, 300  # letters of a name in an answer; of an answer


def write_headline(table: pd.DataFrame, answer: Answer | None, noun: str) -> str:
    """What *answer* says of *table*, in one line; of a table without rows, that there are none of *noun*.

    It gets the table with names in the place of ids, and texts cut to 40 letters.
    """
    about = table.attrs.get("hlkit", {})
    if not len(table) or next(iter(about.get("rows", {}).values()), 1) == 0:
        return no_rows_headline(noun, table)
    if answer is None or table.isna().to_numpy().all():
        return ""
    named = _without_ids(table)
    keys = [column for column in named if _is_key(table, column)]  # not to be said: they count rows
    short = map_texts(named.drop(columns=keys), lambda text: _short(text, _SAID)).join(named[keys])
    short = short[[column for column in table if column in short]]
    short.attrs = dict(table.attrs)
    return str(_short(answer(short), _ANSWER))


def no_rows_headline(noun: str, table: pd.DataFrame) -> str:
    """That there are none of *noun* in the span of dates that was asked about; and what was left out."""
    about = table.attrs.get("hlkit", {})
    since, until = (_date(about.get("span", {}).get(end)) for end in ("since", "until"))
    if since and until:
        when = f"between {since} and {until}"
    elif since or until:
        when = f"since {since}" if since else f"before {until}"
    else:
        when = f"as of {_date(about['as_of'])}" if about.get("as_of") else "here"
    first = next(iter(about.get("rows", {})), "")
    gone = {why: count for why, count in about.get("left_out", {}).items() if first and why.startswith(first)}
    left_out = "; ".join(f"{count:,} {why}" for why, count in gone.items())
    return f"No {noun} {when}{f' (left out: {left_out})' if left_out else ''}."


def _date(day: str | None) -> str:
    """A date as Americans write it: July 1, 2025."""
    return f"{pd.Timestamp(day):%B} {pd.Timestamp(day).day}, {pd.Timestamp(day).year}" if day else ""


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
        in_pipelines = key == "stage_id" and "pipeline_id" in table
        told = name_or_placeholder(
            names, out[column], key.removesuffix("_id").replace("_", " "), apart=not in_pipelines
        )
        out = out.assign(**{column: told}).drop(columns=[name] if name in out else [])
    return out


def _is_key(table: pd.DataFrame, column: object) -> bool:
    """Whether a column has the ids of the rows themselves, and not of what they are grouped or told apart by."""
    key = str(column).removesuffix(" (group)")
    return key in _ids() and key not in NAMED_BY and key != option_value(table, "by")


@functools.cache
def _ids() -> frozenset[str]:
    """HighLevel's own ids: a custom field that ends alike holds what somebody wrote."""
    return frozenset(column.name for one in CATALOG.values() for column in one.columns if column.kind is ID)


def _short(text: object, most: int) -> object:
    """*text* in one line of at most so many letters."""
    if not isinstance(text, str):
        return text
    plain = " ".join(printable(BREAKS.sub(" ", text)).split())
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def option_value(table: pd.DataFrame, name: str) -> Any:
    """What was chosen for *name* when the table was made; None where nobody knows."""
    return table.attrs.get("hlkit", {}).get("choices", {}).get(name)


def percent_with_interval(row: pd.Series, share: str) -> str:
    """A share with its interval: 78% (75 to 81)."""
    low, high = 100 * row[f"{share}_low"], 100 * row[f"{share}_high"]
    return f"{row[f'{share}_share']:.0%}" + (f" ({low:.0f} to {high:.0f})" if np.isfinite(low + high) else "")


def compare_groups(
    table: pd.DataFrame, share: str, what: str, also: Callable[[pd.Series], str] = lambda row: ""
) -> str:
    """*what*, a share: of one group, or over several and the groups that differ from all the others together."""
    if len(table) == 1:
        return _one(table.iloc[0], share, what, also)
    known = table.dropna(subset=[f"{share}_share"])
    if not len(known):
        return ""
    if overlaps(table):
        shown = known[~known["small"].fillna(True).astype(bool)]
        return f"{what}: {_range(shown, share)}; groups overlap, so they are not compared." if len(shown) else ""
    result = compare(table, share)
    groups = result.groups
    if len(groups) < 2:
        if not len(groups):
            return f"{what}: no named group has {SMALL} rows or more, too few to compare."
        return f"{what}: {_named(groups.iloc[0], share, also)}; no other named group has {SMALL} rows or more."
    if not np.isfinite(result.p):
        return f"{what}: {_range(groups, share)}, too few rows to test the difference."
    if not result.is_significant:
        return f"{what}: {_range(groups, share)}; no significant difference ({format_p(result.p)})."
    higher = _several(groups[result.higher], share, also)
    lower = _several(groups[result.lower].iloc[::-1], share, also)
    parts = [f"{names} {where}" for names, where in ((higher, "above"), (lower, "below")) if names]
    if not parts:
        return f"{what}: {_range(groups, share)}; they differ ({format_p(result.p)}), but no single group stands out."
    if len(groups) == 2:
        first, second = (_named(row, share, also) for _, row in groups.iterrows())
        return f"{what}: {first}, against {second}, a significant difference ({format_p(result.p)})."
    return f"{what}: {' and '.join(parts)} the others, a significant difference ({format_p(result.p)})."


def _one(row: pd.Series, share: str, what: str, also: Callable[[pd.Series], str] = lambda row: "") -> str:
    if pd.isna(row[f"{share}_share"]):
        return ""
    whose = "" if row.iloc[0] == ALL else f"{row.iloc[0]} "
    few = f", from fewer than {SMALL} rows: too few to say much" if pd.notna(row["small"]) and row["small"] else ""
    return f"{what}: {whose}{percent_with_interval(row, share)}{also(row)}{few}."


def _range(groups: pd.DataFrame, share: str) -> str:
    """The lowest and the highest share, and of how many groups: 40% to 52% across 5 groups."""
    low, high = (f"{end:.0%}" for end in (groups[f"{share}_share"].min(), groups[f"{share}_share"].max()))
    return f"{low if low == high else f'{low} to {high}'} across {many(len(groups), 'group')}"


def _several(groups: pd.DataFrame, share: str, also: Callable[[pd.Series], str]) -> str:
    """The group that stands out most, and how many more do; nothing where none does."""
    if not len(groups):
        return ""
    first = _named(groups.iloc[0], share, also)
    return f"{first}, is" if len(groups) == 1 else f"{first}, and {many(len(groups) - 1, 'more group')} are"


def _named(row: pd.Series, share: str, also: Callable[[pd.Series], str]) -> str:
    return f"{row.iloc[0]}, {percent_with_interval(row, share)}{also(row)}"


def compare_win_rates(table: pd.DataFrame) -> str:
    """The shares of deals that groups have won at one age that all of them have reached."""
    if len(table) == 1:
        known = [age for age in AGES if pd.notna(table[f"win_{age}d_share"].iloc[0])]
        return _one(table.iloc[0], f"win_{max(known)}d", f"Won within {max(known)} days") if known else ""
    if overlaps(table):
        return "Win rates are not compared: groups overlap."
    age, old, young = at_common_age(table)
    names = [str(name) for name in young.iloc[:, 0]]
    rest = f" Not followed for {AGES[0]} days yet: {_listed(names)}." if names else ""
    if age is None or len(old) < 2:
        few = "only one group" if len(old) == 1 else "no group"
        return (
            f"Win rates are not compared: {few} of {SMALL} deals or more has been followed for {AGES[0]} days.{rest}"
        )
    return compare_groups(old, f"win_{age}d", f"Won within {age} days") + rest


def _listed(names: list[str]) -> str:
    """Names in a row: the first two, and how many more."""
    if len(names) > 2:
        return f"{', '.join(names[:2])} and {len(names) - 2:,} more"
    return " and ".join(names)


def format_p(p: float) -> str:
    """p = .042, or p < .001; with a digit more where rounding would hide on which side of .05 it is."""
    if not 0.001 <= p < 0.995:
        return "p < .001" if p < 0.001 else "p > .99"
    return f"p = {p:{'.3f' if 0.045 < p < 0.055 else '.2g'}}".replace("0.", ".", 1)


def largest_group(table: pd.DataFrame, column: str, unit: str = "") -> str:
    """The named group with most of *column*, and how much; a group without a name is told if it has more."""
    names = table.iloc[:, 0].fillna(NONE).astype(str).tolist()
    pairs = list(zip(names, table[column].fillna(0).astype("float64").tolist(), strict=True))
    named = [pair for pair in pairs if pair[0] not in UNNAMED]
    name, most_ = max(named, key=lambda pair: pair[1], default=("", 0.0))
    if most_ <= 0:
        return ""
    alike = sum(value == most_ for _, value in named) - 1
    told = f"{name}{f' and {alike:,} more, each' if alike else ','} {most_:,.0f}{unit}"
    other, more = max(pairs, key=lambda pair: pair[1])
    return f"{told}, behind {other}, {more:,.0f}{unit}" if more > most_ else told


def clock_note(table: pd.DataFrame) -> str:
    """What to add to a time that is counted in office hours alone."""
    return " (office hours)" if option_value(table, "clock") == "office" else ""


def format_wait(table: pd.DataFrame, minutes: float) -> str:
    """A time of the table's clock as people say it."""
    # A day of office hours has no 24 of them: long waits stay in hours.
    if option_value(table, "clock") == "office" and minutes >= 48 * 60:
        return f"{minutes / 60:,.0f} h"
    return format_minutes(minutes)
