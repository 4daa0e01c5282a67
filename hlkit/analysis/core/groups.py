"""What all analyses share: groups of rows, intervals of shares, office hours.

Everything works on arrays or frames. Shares are 0 to 1, instants are in UTC.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlkit.analysis.core.run_log import CURRENT_RUN, frame_name, record_overlap, record_rows, remark
from hlkit.client.arguments import short
from hlkit.client.errors import InvalidRequest, MissingColumn, MissingExtra
from hlkit.client.schema import TEXT, Kind
from hlkit.client.text import did_you_mean

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

NONE, ALL, OTHER = "(none)", "(all)", "(other)"
UNKNOWN_USER = "(user unknown)"
# Placeholders for rows without a usable name: shown, but never compared.
UNNAMED = frozenset({NONE, ALL, OTHER, UNKNOWN_USER, "(other contacts)", "(deleted stage)", "(deleted pipeline)"})
MAX_GROUPS = 1000  # beyond this, the smallest groups are combined into (other)
SMALL = 20  # a group with fewer rows is marked as small: its numbers are uncertain
OFFICE = "Mon-Fri 8-18"
Z95 = 1.959963984540054  # the quantile of the normal distribution for a two-sided 95% interval


# ---- columns and groups


def require_columns(frame: pd.DataFrame, *columns: Any) -> None:
    """Raise ``MissingColumn`` if *frame* lacks one of *columns*. ``None`` is ignored; a list stands for its items."""
    for column in itertools.chain.from_iterable(name if isinstance(name, list) else [name] for name in columns):
        if column is not None and column not in frame.columns:
            names = [str(name) for name in frame.columns]
            raise MissingColumn(
                f"{frame_name(frame)} has no column {short(column)}",
                hint=did_you_mean(str(column), names) or f"it has {', '.join(names[:40])}",
            )


def map_keys(keys: pd.Series, values: pd.Series) -> pd.Series:
    """For each key, the entry of *values* with that index, in the dtype of *values*; null if there is none.

    Unlike ``Series.map`` it works on an empty series of instants; unlike a merge it copies neither frame.
    """
    return values.reindex(keys).set_axis(keys.index)


def column_or_nulls(frame: pd.DataFrame, name: str, kind: Kind = TEXT) -> pd.Series:
    """The column *name* of *frame*, or a column of nulls of that *kind* if there is none."""
    values: pd.Series = frame[name] if name in frame else pd.Series(None, index=frame.index, dtype=kind.dtype)
    return values


Key = Hashable | pd.Series  # what to group by: the name of a column, or the values
Keys = Key | list[Key] | None  # or two of them, for a table with two columns of groups


def contact_values(contacts: pd.DataFrame, by: Hashable, ids: pd.Series) -> pd.Series:
    """The value of the column *by* for the contact of each of *ids*."""
    require_columns(contacts, "contact_id")
    has_id = contacts["contact_id"].notna()
    values = column_values(contacts, by)[has_id].set_axis(pd.Index(contacts["contact_id"][has_id]))
    return map_keys(ids, values)


def group_keys(frame: pd.DataFrame, by: Any) -> Any:
    """The column *by*, to group rows by, or a list of two; None if *by* is None. Raises ``MissingColumn``.

    Take it before adding columns to *frame*: an added column may have the same name.
    """
    return keys_of(by, lambda name: column_values(frame, name))


def keys_of(by: Any, values: Callable[[Any], pd.Series]) -> Any:
    """The *values* of the column *by*, a list of them for a list of two, or None if *by* is None."""
    if isinstance(by, list):
        return [values(name) for name in by]
    return None if by is None else values(by)


def column_values(frame: pd.DataFrame, by: Hashable) -> pd.Series:
    """The column *by*; Arrow lists become Python lists. Raises ``MissingColumn``."""
    require_columns(frame, by)
    values = frame[by]
    if isinstance(values.dtype, pd.ArrowDtype) and values.dtype.kind == "O":
        values = values.astype("object")
    return values


def assign_groups(
    frame: pd.DataFrame, by: Key | None, limit: int | None = MAX_GROUPS
) -> tuple[pd.DataFrame, pd.Series]:
    """*frame*, and the name of the group of each of its rows.

    *by* is a column name, or a series of values that is aligned to *frame* by index. A null or blank value is in the
    group ``(none)``; without *by* all rows are in ``(all)``. Spellings that differ only in case or surrounding
    spaces are one group, named by the most common spelling, except in columns of ids. A row with a list is repeated
    for the group of each item, so the returned frame may be longer. Beyond *limit* groups, the smallest are
    ``(other)``.
    """
    if by is None:
        return frame, pd.Series(ALL, index=frame.index, dtype=TEXT.dtype)
    values = by if isinstance(by, pd.Series) else column_values(frame, by)
    column, rows = str(values.name), None
    if not values.index.equals(frame.index):
        values = values.loc[frame.index]
    if values.dtype == object and values.map(_is_list).any():
        items = values.map(lambda value: list(dict.fromkeys(map(_hashable, value))) if _is_list(value) else value)
        values = items.reset_index(drop=True).explode()
        rows = values.index
        values, frame = values.reset_index(drop=True), frame.iloc[rows].reset_index(drop=True)
        remark(f"A row with several {column} counts in the group of each, so groups overlap and are not tested.")
        record_overlap()
    if values.dtype == object:
        values = pd.Series([_hashable(value) for value in values], dtype=object)
    codes, unique = pd.factorize(values)
    labels = [_label(value) for value in unique]
    if not column.endswith("_id"):
        labels = _merge_spellings(labels, np.bincount(codes[codes >= 0], minlength=len(labels)))
    names = np.array([label or NONE for label in labels] + [NONE], dtype=object)  # a null has code -1: the last
    keys = pd.Series(names[codes], index=frame.index, dtype=TEXT.dtype)
    if rows is not None:  # two spellings in the list of a row are one item
        is_first = ~pd.DataFrame({"row": rows, "key": keys.to_numpy()}).duplicated().to_numpy()
        frame, keys = frame[is_first], keys[is_first]
    return frame, keys if limit is None else _combine_smallest(keys, column, limit)


def _combine_smallest(keys: pd.Series, column: str, limit: int) -> Any:
    """*keys*, in which the smallest groups are ``(other)`` if more than *limit* groups have a name."""
    codes, names = pd.factorize(keys)
    if len(names) - (NONE in names) <= limit:
        return keys
    sizes = np.bincount(codes, minlength=len(names))
    ranked = sorted((-size, name) for size, name in zip(sizes.tolist(), names, strict=True) if name != NONE)
    small = {name for _, name in ranked[limit - 1 :]}
    remark(f"{column} has {len(ranked):,} values: the {len(small):,} with the fewest rows are combined in {OTHER}.")
    run = CURRENT_RUN.get()
    if run is not None:
        run.uncombined = keys
    shown = np.array([OTHER if name in small else name for name in names], dtype=object)
    return pd.Series(shown[codes], index=keys.index, dtype=TEXT.dtype)


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple, set, frozenset, np.ndarray))


def _hashable(value: Any) -> Any:
    """A value that can be a group: dictionaries and nested lists become text."""
    return str(value) if isinstance(value, dict) or _is_list(value) else value


def _label(value: Any) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M}"
    return str(value).encode("utf-8", "replace").decode().strip()


def _merge_spellings(names: list[str], counts: Array) -> list[str]:
    """Each name in the most common of its spellings."""
    best: dict[str, tuple[int, str]] = {}
    for name, count in zip(names, counts.tolist(), strict=True):
        folded = name.casefold()
        if folded not in best or count > best[folded][0]:
            best[folded] = count, name
    return [best[name.casefold()][1] for name in names]


def rank_by_size(keys: pd.Series) -> tuple[Array, Array]:
    """The code of each row's group, and the names by code: the largest group first, ties in order of appearance."""
    codes, names = pd.factorize(keys)
    order = np.argsort(-np.bincount(codes, minlength=len(names)), kind="stable")
    rank = np.empty(len(names), dtype="int64")
    rank[order] = np.arange(len(names))
    return rank[codes], np.asarray(names, dtype=object)[order]


def per_group(
    frame: pd.DataFrame,
    by: Keys,
    columns: Mapping[str, Kind],
    summary: Callable[[pd.DataFrame], Mapping[str, Any]],
) -> pd.DataFrame:
    """One row per group of *frame*, largest first: the group in the first column, then ``summary(rows)``.

    The first column is named after *by*, or ``group`` without it. For two columns in *by*, the first two columns are
    the groups. The run also records the summary of all rows, and which rows are in each group.
    """
    total = summary(frame) if len(frame) else {}
    frame, keys = _assign_all(frame, by)
    record_rows(frame, keys, total)
    codes, names = _rank(keys)
    order = np.argsort(codes, kind="stable")
    ordered, sizes = frame.iloc[order], np.bincount(codes, minlength=len(names[0]))
    ends = np.cumsum(sizes)
    spans = zip((ends - sizes).tolist(), ends.tolist(), strict=True)
    summaries = [summary(ordered.iloc[start:end]) for start, end in spans]
    table = pd.DataFrame(summaries, columns=list(columns))
    for number, column in enumerate(keys):
        table.insert(number, group_column_name(column, columns), pd.array(list(names[number]), dtype=TEXT.dtype))
    return table


def _rank(keys: pd.DataFrame) -> tuple[Array, list[Array]]:
    """The code of each row's group, the largest group first, and by column the names of the groups."""
    if keys.shape[1] == 1:
        codes, names = rank_by_size(keys.iloc[:, 0])
        return codes, [names]
    parts = [pd.factorize(keys.iloc[:, number]) for number in range(keys.shape[1])]
    pairs = parts[0][0].astype("int64") * max(1, len(parts[1][1])) + parts[1][0]
    codes, ranked = rank_by_size(pd.Series(pairs))
    ranked = ranked.astype("int64")
    first, second = np.divmod(ranked, max(1, len(parts[1][1])))
    return codes, [np.asarray(parts[0][1])[first], np.asarray(parts[1][1])[second]]


def _assign_all(frame: pd.DataFrame, by: Keys) -> tuple[pd.DataFrame, pd.DataFrame]:
    """*frame*, and for each of its rows the names of its groups; as ``assign_groups``, for one column or two."""
    if not isinstance(by, list):
        name = "group" if by is None else by.name if isinstance(by, pd.Series) else by
        frame, keys = assign_groups(frame, by)
        return frame, pd.DataFrame({name: keys})
    rows = pd.DataFrame({"(row)": np.arange(len(frame))}, index=frame.index)
    pairs = rows.reset_index(drop=True)
    for key in by:
        values = key if isinstance(key, pd.Series) else column_values(frame, key)
        numbers, keys = assign_groups(rows, values)
        numbered_keys = pd.DataFrame({"(row)": numbers["(row)"].to_numpy(), values.name: keys.to_numpy()})
        pairs = pairs.merge(numbered_keys, on="(row)")
    frame = frame.iloc[pairs["(row)"].to_numpy()]
    return frame, pairs.drop(columns="(row)").set_axis(frame.index, axis=0)


def group_column_name(by: Hashable, columns: Iterable[str]) -> str:
    """The name of the column of groups; never one of *columns*."""
    name = "group" if by is None else str(by)
    return f"{name} (group)" if name in columns else name


def import_extra(package: str, extra: str, purpose: str) -> Any:
    """Import *package*, which the *extra* of hlkit installs. Raises ``MissingExtra``."""
    try:
        return importlib.import_module(package)
    except ImportError:
        pass
    raise MissingExtra(f"{purpose} hlkit needs {package.partition('.')[0]}", hint=f'pip install "hlkit[{extra}]"')


# ---- shares


def wilson(k: Any, n: Any) -> tuple[Any, Any]:
    """The 95% Wilson interval of the share *k* of *n*: low and high, as arrays or numbers; NaN where *n* is 0.

    Source: Brown, Cai & DasGupta, "Interval Estimation for a Binomial Proportion", Stat. Sci. 16(2), 2001.
    """
    k, n = np.asarray(k, dtype="float64"), np.asarray(n, dtype="float64")
    with np.errstate(invalid="ignore", divide="ignore"):
        n = np.where(n > 0, n, np.nan)
        share, z2 = k / n, Z95**2
        middle = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = Z95 * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    low = np.where(k == 0, 0.0, np.clip(middle - half, 0, 1))
    high = np.where(k == n, 1.0, np.clip(middle + half, 0, 1))
    low, high = np.where(np.isnan(n), np.nan, low), np.where(np.isnan(n), np.nan, high)
    return (float(low), float(high)) if low.ndim == 0 else (low, high)


def share(k: Any, n: Any) -> Any:
    """*k* of *n* as a share; NaN where *n* is 0."""
    k, n = np.asarray(k, dtype="float64"), np.asarray(n, dtype="float64")
    out = np.divide(k, n, out=np.full(np.broadcast(k, n).shape, np.nan), where=n > 0)
    return float(out) if out.ndim == 0 else out


def share_with_interval(name: str, k: Any, n: Any, effective: Any = None) -> dict[str, Any]:
    """The columns ``{name}_share``, ``{name}_low`` and ``{name}_high`` for *k* of *n*, arrays or numbers.

    *effective* is the effective number of rows, for the interval of rows that are not independent.
    """
    estimate = share(k, n)
    low, high = wilson(k, n) if effective is None else wilson(estimate * effective, effective)
    return {f"{name}_share": estimate, f"{name}_low": low, f"{name}_high": high}


def effective_n(hits: Any, trials: Any, group: Array, groups: int) -> Floats:
    """The effective sample size of each group's share, when rows of the same contact resemble each other.

    Each entry is one contact in one *group* (0 to *groups* - 1), with *hits* among its *trials* rows. The result is
    the number of rows if each belongs to a different contact, and about the number of contacts if the rows of each
    contact are all the same.

    Source: Korn & Graubard, "Confidence Intervals for Proportions with Small Expected Number of Positive Counts
    Estimated from Survey Data", Survey Methodology 24(2), 1998.
    """
    trials = np.asarray(trials, dtype="float64")
    hits, group = np.asarray(hits, dtype="float64")[trials > 0], group[trials > 0]
    trials = trials[trials > 0]

    def total(values: Any) -> Floats:
        return np.bincount(group, values, minlength=groups).astype("float64")

    rows, contacts = total(trials), total(np.ones(len(trials)))
    hit_share = share(total(hits), rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = total((hits - hit_share[group] * trials) ** 2) / rows**2 * contacts / (contacts - 1)
        effective = rows * hit_share * (1 - hit_share) / (rows - 1) / variance
        effective *= (_t95(rows - 1) / _t95(contacts - 1)) ** 2
    is_constant = hit_share * (1 - hit_share) == 0  # no variance to estimate: assume the worst, one row per contact
    return np.where(rows == contacts, rows, np.minimum(np.where(is_constant, contacts, effective), rows))


def effective_rows_by_group(hit: Any, contact: Any, group: Array, groups: int) -> tuple[Floats, Array]:
    """``effective_n`` from rows, each with a *hit* or not, a *contact* and a *group*; and the contacts per group.

    A row without a contact counts as a contact by itself.
    """
    codes = pd.factorize(contact)[0].astype("int64")
    has_no_contact = codes < 0
    codes[has_no_contact] = len(codes) + np.arange(has_no_contact.sum())
    pairs, pair_index = np.unique(group * (2 * len(codes) + 1) + codes, return_inverse=True)
    hits = np.bincount(pair_index, np.asarray(hit, "float64"), minlength=len(pairs))
    trials = np.bincount(pair_index, minlength=len(pairs))
    pair_group = pairs // (2 * len(codes) + 1)
    return effective_n(hits, trials, pair_group, groups), np.bincount(pair_group, minlength=groups)


def effective_rows_of_group(hit: Any, contact: Any) -> tuple[float, int]:
    """The effective number of rows, and the number of contacts, of a single group."""
    effective, contacts = effective_rows_by_group(hit, contact, np.zeros(len(hit), dtype="int64"), 1)
    return float(effective[0]), int(contacts[0])


def _t95(df: Floats) -> Floats:
    """The quantile of Student's t for a two-sided 95% interval (Abramowitz & Stegun 26.7.5); 2% too low at 2 df."""
    z = Z95
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return np.asarray(z + sum(term / df**power for power, term in enumerate(terms, 1)), dtype="float64")


# ---- time


@dataclass(frozen=True)
class OfficeHours:
    """Opening hours: for each weekday (0 is Monday) its spans in minutes after midnight, in ascending order."""

    hours: Mapping[int, tuple[tuple[int, int], ...]]
    closed: frozenset[Any] = frozenset()  # dates


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(
    r"([a-z]{3})[a-z]*(?:\s*-\s*([a-z]{3})[a-z]*)?\s+(\d{1,2})(?::([0-5]\d))?\s*-\s*(\d{1,2})(?::([0-5]\d))?"
)


@functools.lru_cache(maxsize=32)
def office_hours(text: str, holidays: str | None = None) -> OfficeHours:
    """Parse office hours, and add the public holidays of a country.

    *text* is like ``"Mon-Fri 8-18"``, ``"Mon-Thu 8-12, Mon-Thu 13-17:30, Sat 10-14"`` or, across midnight,
    ``"Mon-Fri 22-6"``. *holidays* is a country or one of its states: ``"US"``, ``"US-IL"``. Raises
    ``InvalidRequest``, and ``MissingExtra`` if the package of holidays is not installed.
    """
    hours: dict[int, tuple[tuple[int, int], ...]] = {}
    for part in text.lower().split(","):
        for day, span in _spans(part.strip(), text):
            spans = sorted((*hours.get(day, ()), span))
            if any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans)):
                name = _DAYS[day].capitalize()
                raise InvalidRequest(
                    f"the office hours on {name} overlap in {short(text)}", hint="give each span once"
                )
            hours[day] = tuple(spans)
    return OfficeHours(hours, _holidays(holidays) if holidays else frozenset())


def _spans(part: str, text: str) -> list[tuple[int, tuple[int, int]]]:
    """The weekdays of one part, each with a span in minutes. A span past midnight continues on the next weekday."""
    match = _SPAN.fullmatch(part)
    days = [_DAYS.index(day) if day in _DAYS else -1 for day in match.group(1, 2) if day] if match else [-1]
    if match is None or -1 in days:
        raise InvalidRequest(f"{short(text)} are not office hours", hint='write them like "Mon-Fri 8-18, Sat 10-14"')
    opens, closes = (int(hour) * 60 + int(minute or 0) for hour, minute in (match.group(3, 4), match.group(5, 6)))
    if opens >= 24 * 60 or closes > 24 * 60 or opens == closes:
        raise InvalidRequest(
            f"{short(part)} are not hours of a day", hint='write them like "Mon-Fri 8-18", or "0-24"'
        )
    last = days[-1] if days[-1] >= days[0] else days[-1] + 7
    weekdays = [day % 7 for day in range(days[0], last + 1)]
    if opens < closes:
        return [(day, (opens, closes)) for day in weekdays]
    before_midnight = [(day, (opens, 24 * 60)) for day in weekdays]
    return before_midnight + [((day + 1) % 7, (0, closes)) for day in weekdays if closes]


def _holidays(country: str) -> frozenset[Any]:
    country_holidays = import_extra("holidays", "holidays", "to look up public holidays").country_holidays
    name, _, state = country.partition("-")
    try:
        return frozenset(country_holidays(name.upper(), subdiv=state.upper() or None, years=range(2000, 2051)))
    except NotImplementedError as error:
        problem = short(str(error))
    raise InvalidRequest(f"no holidays for {short(country)}: {problem}", hint='write it like "US" or "US-IL"')


def minutes_between(
    start: pd.Series,
    end: pd.Series | pd.Timestamp,
    clock: Literal["office", "wall"] = "wall",
    timezone: str = "UTC",
    office: OfficeHours | None = None,
) -> pd.Series:
    """Minutes from *start* to *end*: all of them (``"wall"``), or those in which the office was open.

    The result is 0 if *end* is before *start*, and NaN if either is null. Office hours are in *timezone*; on a day on
    which the clocks change, the real minutes count.
    """
    end = end if isinstance(end, pd.Series) else pd.Series(end, index=start.index, dtype=start.dtype)
    if clock == "wall":
        return ((end - start).dt.total_seconds() / 60).clip(lower=0)
    first, last = start.min(), end.max()
    if pd.isna(first) or pd.isna(last):
        return pd.Series(np.nan, index=start.index, dtype="float64")
    opens, closes = _openings(min(first, last), max(first, last), timezone, office or office_hours(OFFICE))
    open_before = np.concatenate([[0], np.cumsum(closes - opens)])

    def open_minutes_until(instants: pd.Series) -> Floats:
        micros = instants.dt.as_unit("us").dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("int64")
        openings = np.searchsorted(opens, micros, side="right")  # how many there were by then
        last = np.maximum(openings - 1, 0)
        since_opening = np.clip(micros - opens[last], 0, (closes - opens)[last]) if len(opens) else 0
        return np.asarray(np.where(openings > 0, open_before[last] + since_opening, 0) / 60e6, dtype="float64")

    has_both = (start.notna() & end.notna()).to_numpy()
    minutes = (open_minutes_until(end) - open_minutes_until(start)).clip(min=0)
    return pd.Series(np.where(has_both, minutes, np.nan), index=start.index)


def _openings(first: pd.Timestamp, last: pd.Timestamp, timezone: str, office: OfficeHours) -> tuple[Array, Array]:
    """When the office opened and when it closed, in epoch microseconds, for each span of each working day."""
    first, last = (instant.tz_convert(timezone).tz_localize(None).normalize() for instant in (first, last))
    days = pd.date_range(first, last, freq="D", unit="us")
    weekday = days.day_of_week.to_numpy()
    works = np.isin(weekday, list(office.hours)) & ~np.isin(days.date, list(office.closed))
    days, weekday = days[works], weekday[works]
    counts = np.array([len(office.hours[day]) for day in weekday.tolist()], dtype="int64")
    spans = np.array([span for day in weekday.tolist() for span in office.hours[day]], dtype="int64").reshape(-1, 2)

    def in_utc(minutes: Array) -> Array:
        local = days.repeat(counts) + pd.to_timedelta(minutes, unit="m").as_unit("us")
        zoned = local.tz_localize(timezone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward")
        return zoned.tz_convert("UTC").tz_localize(None).as_unit("us").to_numpy().astype("int64")

    return in_utc(spans[:, 0]), in_utc(spans[:, 1])


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = tuple(f"{(hour - 1) % 12 + 1} {'AM' if hour < 12 else 'PM'}" for hour in range(24))


def weekday_and_hour(instants: pd.Series, timezone: str) -> pd.DataFrame:
    """The ``weekday``, such as Monday, and the ``hour`` (0 to 23) of each instant in *timezone*."""
    local = instants.dt.tz_convert(timezone)
    weekday = pd.Series(
        np.array(WEEKDAYS, dtype=object)[local.dt.day_of_week], index=instants.index, dtype=TEXT.dtype
    )
    return pd.DataFrame({"weekday": weekday, "hour": local.dt.hour.astype("int64")})


def hour_names(hours: pd.Series) -> pd.Series:
    """The name of each hour of the day: 8 AM for 8."""
    names: pd.Series = pd.Series(np.array(HOURS, dtype=object)[hours], index=hours.index, dtype=TEXT.dtype)
    return names


def week_grid() -> pd.MultiIndex:
    """Each ``weekday`` and ``hour`` (0 to 23) of a week, from Monday at midnight."""
    return pd.MultiIndex.from_product([WEEKDAYS, range(24)], names=["weekday", "hour"])


def in_order(table: pd.DataFrame, orders: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """*table* with its groups in the order of their names, for the columns of groups that have one in *orders*.

    Other names come last. Columns without an order leave the rows as they are.
    """
    columns = [name for name in table.columns[:2] if name in orders]
    positions = {name: {text: number for number, text in enumerate(orders[name])} for name in columns}
    ranks = pd.DataFrame({name: table[name].map(positions[name]) for name in columns}, index=table.index)
    return table.loc[ranks.sort_values(columns, kind="stable").index] if columns else table


def days_between(start: pd.Series, end: pd.Series | pd.Timestamp) -> pd.Series:
    """Days from *start* to *end*, with fractions; 0 if *end* is before *start*."""
    return minutes_between(start, end) / (24 * 60)
