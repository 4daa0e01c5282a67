"""What the headlines of all analyses share: names for ids, groups compared, times and dates in plain English."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts.canvas import Unit, format_minutes
from hlkit.analysis.core.charts.labels import map_texts, name_or_placeholder
from hlkit.analysis.core.comparison import compare, overlaps
from hlkit.analysis.core.date_text import format_date
from hlkit.analysis.core.deals import AGES, at_common_age
from hlkit.analysis.core.groups import NONE, SMALL, UNNAMED
from hlkit.analysis.core.run_log import with_shared_attrs
from hlkit.client.frames.names import NAMED_BY
from hlkit.client.resources import CATALOG
from hlkit.client.schema import ID
from hlkit.client.text import BREAKS, printable, shorten

Template = Callable[[pd.DataFrame], str]
_MAX_NAME, _MAX_HEADLINE = 40, 300  # characters


def write_headline(table: pd.DataFrame, template: Template | None, noun: str) -> str:
    """The headline that *template* makes of *table*, in one line; for a table of no rows, that there are no *noun*.

    The template gets the table with names in place of ids, and with texts cut to 40 characters.
    """
    metadata = table.attrs.get("hlkit", {})
    if not len(table) or next(iter(metadata.get("rows", {}).values()), 1) == 0:
        return no_rows_headline(noun, table)
    if template is None or table.isna().to_numpy().all():
        return ""
    table = with_shared_attrs(table)
    named = _without_ids(table)
    keys = [column for column in named if _is_key(table, column)]  # unchanged: templates only count them
    texts = map_texts(named, lambda text: _shorten(text, _MAX_NAME), but=keys)
    texts.attrs = dict(table.attrs)
    return str(_shorten(template(texts), _MAX_HEADLINE))


def no_rows_headline(noun: str, table: pd.DataFrame) -> str:
    """That there are no *noun* in the requested span of dates, and what was left out."""
    metadata = table.attrs.get("hlkit", {})
    since, until = (metadata.get("span", {}).get(end) for end in ("since", "until"))
    if since and until:
        when = f"between {format_date(since)} and {format_date(until)}"
    elif since or until:
        when = f"since {format_date(since)}" if since else f"before {format_date(until)}"
    else:
        when = f"as of {format_date(metadata['as_of'])}" if metadata.get("as_of") else "here"
    resource = next(iter(metadata.get("rows", {})), "")
    reasons = {why: count for why, count in metadata.get("left_out", {}).items() if resource}
    left_out = "; ".join(f"{count:,} {why}" for why, count in reasons.items() if why.startswith(resource))
    return f"No {noun} {when}{f' (left out: {left_out})' if left_out else ''}."


def _without_ids(table: pd.DataFrame) -> pd.DataFrame:
    """The table with names in place of the ids that it is grouped by; "unknown owner …x7Qp" for an id without one."""
    out = table.reset_index(drop=True)
    for column in table.columns:
        key = str(column).removesuffix(" (group)")
        if key not in _id_columns() or _is_key(table, column):
            continue
        name = NAMED_BY.get(key, ("",))[0]
        names = out[name] if name in out else pd.Series(None, out.index, out[column].dtype)
        names = names.mask(names == out[column])  # an id stands for its name where the name is unknown
        in_pipelines = key == "stage_id" and "pipeline_id" in table
        kind = key.removesuffix("_id").replace("_", " ")
        labels = name_or_placeholder(names, out[column], kind, distinct=not in_pipelines)
        out = out.assign(**{column: labels}).drop(columns=[name] if name in out else [])
    return out


def _is_key(table: pd.DataFrame, column: object) -> bool:
    """Whether *column* holds the ids of the rows themselves, rather than ids that rows are grouped by."""
    key = str(column).removesuffix(" (group)")
    return key in _id_columns() and key not in NAMED_BY and key != option_value(table, "by")


@functools.cache
def _id_columns() -> frozenset[str]:
    """HighLevel's own id columns. A custom field whose name ends in _id is not one: it holds what people wrote."""
    columns = (column for resource in CATALOG.values() for column in resource.columns)
    return frozenset(column.name for column in columns if column.kind is ID)


def _shorten(text: object, limit: int) -> object:
    """*text* in one line of at most *limit* characters."""
    if not isinstance(text, str):
        return text
    return shorten(" ".join(printable(BREAKS.sub(" ", text)).split()), limit)


def option_value(table: pd.DataFrame, name: str) -> Any:
    """The value of the option *name* with which the table was made; None if unknown."""
    return table.attrs.get("hlkit", {}).get("options", {}).get(name)


# ---- comparing groups


def percent_with_interval(row: pd.Series, share: str) -> str:
    """A share with its 95% interval: 78% (75 to 81)."""
    low, high = 100 * row[f"{share}_low"], 100 * row[f"{share}_high"]
    return f"{row[f'{share}_share']:.0%}" + (f" ({low:.0f} to {high:.0f})" if np.isfinite(low + high) else "")


@dataclass(frozen=True)
class Compare:
    """A headline of two sentences: the share of all rows, then whether the groups differ in it.

    ``first`` writes the first sentence, without its period, from the summary of all rows and the table. ``unknown``
    is the first sentence while the share is unknown.
    """

    share: str
    first: Callable[[pd.Series, pd.DataFrame], str]
    unknown: str = ""

    def __call__(self, table: pd.DataFrame) -> str:
        total = summary_of_all(table)
        if total is None or pd.isna(total[f"{self.share}_share"]):
            sentence = self.unknown
        else:
            few = f" (fewer than {SMALL} rows: too few to say much)" if total["small"] else ""
            sentence = f"{self.first(total, table)}{few}."
        return f"{sentence} {difference(table, self.share)}".strip()


def summary_of_all(table: pd.DataFrame) -> pd.Series | None:
    """The columns of *table* for all rows together; None if unknown."""
    total = table.attrs.get("hlkit", {}).get("total")
    if total:
        return pd.Series({name: np.nan if value is None else value for name, value in total.items()})
    return table.iloc[0] if len(table) == 1 else None


_PLURALS = {
    "source": "sources", "owner": "owners", "owner_id": "owners", "user": "users", "user_id": "users",
    "stage": "stages", "stage_id": "stages", "pipeline": "pipelines", "pipeline_id": "pipelines",
    "calendar": "calendars", "calendar_id": "calendars", "channel": "channels", "message_channel": "channels",
    "campaign": "campaigns", "hour": "hours", "weekday": "weekdays", "tags": "tags", "cohort": "months",
    "wait": "lengths of wait",
}  # fmt: skip


def difference(table: pd.DataFrame, share: str) -> str:
    """Whether the groups of *table* differ in a share, which stand out, and how significant that is; "" for one."""
    return _upper(_difference(table, share))


def _difference(table: pd.DataFrame, share: str) -> str:
    table = _with_one_group_column(table)
    measured = table.dropna(subset=[f"{share}_share"])
    if len(table) == 1 or not len(measured):
        return ""
    kind = _PLURALS.get(str(table.columns[0]).removesuffix(" (group)"), "groups")
    if overlaps(table):
        shown = measured[~measured["small"].fillna(True).astype(bool)]
        return f"{_spread(shown, share)} by group, not compared because groups overlap." if len(shown) else ""
    result = compare(table, share)
    groups = result.groups
    if len(groups) < 2:
        few = "no named group has" if not len(groups) else "only one named group has"
        return f"the {kind} are not compared, since {few} {SMALL} rows or more."
    spread = _spread(groups, share)
    if not np.isfinite(result.p):
        return f"{spread} by group, too few rows to test the difference."
    if not result.is_significant:
        return f"no significant difference between {len(groups):,} {kind} ({spread}, {format_p(result.p)})."
    significance = f"a significant difference ({format_p(result.p)})"
    if len(groups) == 2 and (result.higher | result.lower).any():
        first, second = (f"{row.iloc[0]} ({row[f'{share}_share']:.0%})" for _, row in groups.iterrows())
        return f"{first} is above {second}, {significance}."
    sides = ((groups[result.higher], "above"), (groups[result.lower].iloc[::-1], "below"))
    parts = [f"{_list(rows, share)} {side} the other {kind}" for rows, side in sides if len(rows)]
    if not parts:
        return f"the {kind} differ ({spread}, {format_p(result.p)}), but no single one stands out."
    return f"{'; '.join(parts)}, {significance}."


def _spread(groups: pd.DataFrame, share: str) -> str:
    """The lowest and the highest share: 40% to 52%."""
    low, high = (f"{end:.0%}" for end in (groups[f"{share}_share"].min(), groups[f"{share}_share"].max()))
    return low if low == high else f"{low} to {high}"


def _list(groups: pd.DataFrame, share: str) -> str:
    """The first two groups with their shares, and how many more there are, with the verb."""
    named = [f"{row.iloc[0]} ({row[f'{share}_share']:.0%})" for _, row in groups.iterrows()]
    return f"{_first_two(named)} {'is' if len(named) == 1 else 'are'}"


def _upper(text: str) -> str:
    """*text* as a sentence. The name of a group at its start stays as it is."""
    return text[:1].upper() + text[1:] if text.startswith(("the ", "no significant")) else text


def _with_one_group_column(table: pd.DataFrame) -> pd.DataFrame:
    """A table of two columns of groups with one, such as "google, Marcus Reed"; (none) if either is unnamed."""
    if not isinstance(option_value(table, "by"), list):
        return table
    first, second = (table.iloc[:, number].fillna(NONE) for number in (0, 1))
    names = (first + ", " + second).mask(first.isin(UNNAMED) | second.isin(UNNAMED), NONE)
    out = table.iloc[:, 2:].copy()
    out.insert(0, "group", names)
    return out


def compare_win_rates(table: pd.DataFrame) -> str:
    """The share of deals won by group, at the same age of the deals in all groups."""
    table = _with_one_group_column(table)
    if len(table) == 1:
        return _win_rate_of_all(table, None)
    if overlaps(table):
        return "Win rates are not compared: groups overlap."
    age, old, young = at_common_age(table)
    names = [str(name) for name in young.iloc[:, 0]]
    rest = f" Not followed for {AGES[0]} days yet: {_first_two(names)}." if names else ""
    if age is None or len(old) < 2:
        few = "only one group" if len(old) == 1 else "no group"
        return f"Win rates are not compared: {few} has {SMALL} deals or more, followed for {AGES[0]} days.{rest}"
    first = _win_rate_of_all(table, age)
    compared = _difference(old, f"win_{age}d")
    return (f"{first} {_upper(compared)}" if first else f"Deals won within {age} days: {compared}") + rest


def _win_rate_of_all(table: pd.DataFrame, age: int | None) -> str:
    """The share of all deals won within *age* days, or within the highest age that is known; "" if unknown."""
    total = summary_of_all(table)
    if total is None:
        return ""
    known = [days for days in (AGES if age is None else (age,)) if pd.notna(total.get(f"win_{days}d_share"))]
    if not known:
        return ""
    few = f" (fewer than {SMALL}: too few to say much)" if total["small"] else ""
    return f"{percent_with_interval(total, f'win_{max(known)}d')} of deals are won within {max(known)} days{few}."


def _first_two(names: list[str]) -> str:
    """The first two names, and how many more there are."""
    if len(names) > 2:
        return f"{', '.join(names[:2])} and {len(names) - 2:,} more"
    return " and ".join(names)


def format_p(p: float) -> str:
    """p = .042, or p < .001; with one more digit where rounding would hide on which side of .05 it is."""
    if not 0.001 <= p < 0.995:
        return "p < .001" if p < 0.001 else "p > .99"
    return f"p = {p:{'.3f' if 0.045 < p < 0.055 else '.2g'}}".replace("0.", ".", 1)


def largest_group(table: pd.DataFrame, column: str, text: Callable[[float], str] = "{:,.0f}".format) -> str:
    """The named group with the most of *column*, and how much: "google, 83". "" if no named group has any.

    An unnamed group that has more is added in parentheses: "google, 83 (none: 120)".
    """
    names = table.iloc[:, 0].fillna(NONE).astype(str).tolist()
    amounts = list(zip(names, table[column].fillna(0).astype("float64").tolist(), strict=True))
    named = [pair for pair in amounts if pair[0] not in UNNAMED]
    name, top = max(named, key=lambda pair: pair[1], default=("", 0.0))
    if top <= 0:
        return ""
    ties = sum(amount == top for _, amount in named) - 1
    most = f"{name} and {ties:,} more, {text(top)} each" if ties else f"{name}, {text(top)}"
    unnamed, amount = max(amounts, key=lambda pair: pair[1])
    return f"{most} ({unnamed.strip('()')}: {text(amount)})" if amount > top else most


# ---- times


def clock_note(table: pd.DataFrame) -> str:
    """What to add to a time that counts office hours only."""
    return " (office hours)" if option_value(table, "clock") == "office" else ""


def unit_of_waits(table: pd.DataFrame) -> Unit:
    """The unit of the waits of *table*, for an axis."""
    return "office minutes" if option_value(table, "clock") == "office" else "minutes"


def format_wait(table: pd.DataFrame, minutes: float) -> str:
    """A wait on the table's clock: 18 min, 3.5 h, 12 days."""
    # A day of office hours is shorter than 24 hours, so long waits stay in hours.
    if option_value(table, "clock") == "office" and minutes >= 48 * 60:
        return f"{minutes / 60:,.0f} h"
    return format_minutes(minutes)
