"""What analyses share: groups, intervals of shares, office hours.

Everything here is an operation on arrays or frames. Shares are 0 to 1, instants UTC.
"""

from __future__ import annotations

import difflib
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

from hlkit.analysis.core.run_log import frame_name, record_overlap, remark
from hlkit.client.dates import short
from hlkit.client.errors import InvalidRequest, MissingColumn, MissingExtra
from hlkit.client.schema import TEXT, Kind

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

NONE, ALL, OTHER = "(none)", "(all)", "(other)"
UNKNOWN_USER = "(user unknown)"
# Groups that are no group of somebody's own: not compared.
UNNAMED = frozenset({NONE, ALL, OTHER, UNKNOWN_USER, "(other contacts)", "(deleted stage)", "(deleted pipeline)"})
MAX_GROUPS = 1000  # the smallest of more are put together
SMALL = 20  # a group with fewer rows is marked: its numbers say little
OFFICE = "Mon-Fri 8-18"
Z95 = 1.959963984540054  # the normal quantile of a two-sided 95% interval


# ---- columns and groups


def require_columns(frame: pd.DataFrame, *columns: Hashable) -> None:
    """Raise ``MissingColumn`` where *frame* lacks one of *columns* (``None`` asks for nothing)."""
    for column in columns:
        if column is not None and column not in frame.columns:
            names = [str(name) for name in frame.columns]
            near = difflib.get_close_matches(str(column), names, n=1)
            raise MissingColumn(
                f"{frame_name(frame)} has no column {short(column)}",
                hint=f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names[:40])}",
            )


def map_keys(keys: pd.Series, known: pd.Series) -> pd.Series:
    """For each of *keys* what *known* has under it in its index, in its dtype; null where it has nothing.

    ``Series.map`` fails on an empty series of instants, and merging copies both frames.
    """
    found = known.reindex(keys)
    return found.set_axis(keys.index)


def column_or_nulls(frame: pd.DataFrame, name: str, kind: Kind = TEXT) -> pd.Series:
    """A column of *frame*, or nulls of its kind where there is none of that name."""
    known: pd.Series = frame[name] if name in frame else pd.Series(None, index=frame.index, dtype=kind.dtype)
    return known


Key = Hashable | pd.Series  # to group by: the name of a column, or the values themselves


def contact_values(contacts: pd.DataFrame, by: Hashable, ids: pd.Series) -> pd.Series:
    """What the contacts of *ids* have in the column *by*."""
    require_columns(contacts, "contact_id")
    known = contacts["contact_id"].notna()
    values = column_values(contacts, by)[known].set_axis(pd.Index(contacts["contact_id"][known]))
    return map_keys(ids, values)


def group_keys(frame: pd.DataFrame, by: Hashable) -> pd.Series | None:
    """The column *by*, to group rows by; None for None.

    Take it before *frame* gets columns of the analysis's own, which may have the same name. Raises
    ``MissingColumn``.
    """
    return None if by is None else column_values(frame, by)


def column_values(frame: pd.DataFrame, by: Hashable) -> pd.Series:
    require_columns(frame, by)
    values = frame[by]
    if isinstance(values.dtype, pd.ArrowDtype) and values.dtype.kind == "O":
        values = values.astype("object")
    return values


def assign_groups(
    frame: pd.DataFrame, by: Key | None, most: int | None = MAX_GROUPS
) -> tuple[pd.DataFrame, pd.Series]:
    """*frame* and the group of each of its rows, as text.

    *by* is one of its columns, or the values of its rows by their index: of those alone, where it has more. A null
    or blank key is the group ``(none)``, and without *by* all rows are ``(all)``. Spellings of a word
    that differ in case or in blanks around it are one group, called by the commonest of them; ids are kept
    apart. A list puts its row into the group of each of its items, so the frame that comes back is longer.
    """
    if by is None:
        return frame, pd.Series(ALL, index=frame.index, dtype=TEXT.dtype)
    column = by if isinstance(by, pd.Series) else column_values(frame, by)
    name, rows = str(column.name), None
    if not column.index.equals(frame.index):
        column = column.loc[frame.index]
    if column.dtype == object and column.map(_is_list).any():
        items = column.map(lambda value: list(dict.fromkeys(map(_hashable, value))) if _is_list(value) else value)
        column = items.reset_index(drop=True).explode()
        rows = column.index
        column, frame = column.reset_index(drop=True), frame.iloc[rows].reset_index(drop=True)
        remark(f"A row with several {name} counts in the group of each, so groups overlap and are not tested.")
        record_overlap()
    if column.dtype == object:
        column = pd.Series([_hashable(value) for value in column], dtype=object)
    codes, values = pd.factorize(column)
    names = [_label(value) for value in values]
    if not name.endswith("_id"):
        names = _one_spelling(names, np.bincount(codes[codes >= 0], minlength=len(names)))
    known = np.array([name or NONE for name in names] + [NONE], dtype=object)
    keys = pd.Series(known[codes], index=frame.index, dtype=TEXT.dtype)
    if rows is not None:  # two spellings of one word on a row are one item
        once = ~pd.DataFrame({"row": rows, "key": keys.to_numpy()}).duplicated().to_numpy()
        frame, keys = frame[once], keys[once]
    return frame, keys if most is None else _largest(keys, name, most)


def _largest(keys: pd.Series, by: str, most: int) -> Any:
    """*keys* with ``(other)`` for the smallest groups, where there are more than *most* with a name."""
    codes, names = pd.factorize(keys)
    if len(names) - (NONE in names) <= most:
        return keys
    sizes = np.bincount(codes, minlength=len(names))
    ranked = sorted((-size, name) for size, name in zip(sizes.tolist(), names, strict=True) if name != NONE)
    small = {name for _, name in ranked[most - 1 :]}
    remark(f"{by} has {len(ranked):,} values: the {len(small):,} with the fewest rows are together in {OTHER}.")
    shown = np.array([OTHER if name in small else name for name in names], dtype=object)
    return pd.Series(shown[codes], index=keys.index, dtype=TEXT.dtype)


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple, set, frozenset, np.ndarray))


def _hashable(value: Any) -> Any:
    """A value that can name a group: objects, and lists within lists, as text."""
    return str(value) if isinstance(value, dict) or _is_list(value) else value


def _label(value: Any) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M}"
    return str(value).encode("utf-8", "replace").decode().strip()


def _one_spelling(names: list[str], counts: Array) -> list[str]:
    best: dict[str, tuple[int, str]] = {}
    for name, count in zip(names, counts.tolist(), strict=True):
        folded = name.casefold()
        if folded not in best or count > best[folded][0]:
            best[folded] = count, name
    return [best[name.casefold()][1] for name in names]


def rank_by_size(keys: pd.Series) -> tuple[Array, Array]:
    """The number of each row's group, and the groups' names: the largest first, then as they came."""
    codes, names = pd.factorize(keys)
    order = np.argsort(-np.bincount(codes, minlength=len(names)), kind="stable")
    rank = np.empty(len(names), dtype="int64")
    rank[order] = np.arange(len(names))
    return rank[codes], np.asarray(names, dtype=object)[order]


def per_group(
    frame: pd.DataFrame,
    by: Key | None,
    columns: Mapping[str, Kind],
    summary: Callable[[pd.DataFrame], Mapping[str, Any]],
) -> pd.DataFrame:
    """A row for each group of *frame*, largest first: the group in the first column, then ``summary(rows)``.

    The first column is called as *by* is, or ``group`` where there is none.
    """
    frame, keys = assign_groups(frame, by)
    codes, names = rank_by_size(keys)
    order = np.argsort(codes, kind="stable")
    ordered, sizes = frame.iloc[order], np.bincount(codes, minlength=len(names))
    ends = np.cumsum(sizes)
    spans = zip((ends - sizes).tolist(), ends.tolist(), strict=True)
    told = [summary(ordered.iloc[start:end]) for start, end in spans]
    first = group_column_name(by.name if isinstance(by, pd.Series) else by, columns)
    table = pd.DataFrame(told, columns=list(columns))
    table.insert(0, first, pd.array(list(names), dtype=TEXT.dtype))
    return table


def group_column_name(by: Hashable, columns: Iterable[str]) -> str:
    """What the column of groups is called; never as one of *columns*."""
    name = "group" if by is None else str(by)
    return f"{name} (group)" if name in columns else name


def import_extra(package: str, name: str, why: str) -> Any:
    """The module *package*, which the extra *name* of hlkit brings. Raises ``MissingExtra``."""
    try:
        return importlib.import_module(package)
    except ImportError:
        pass
    raise MissingExtra(f"{why} hlkit needs {package.partition('.')[0]}", hint=f'pip install "hlkit[{name}]"')


# ---- shares


def wilson(k: Any, n: Any) -> tuple[Any, Any]:
    """The 95% Wilson interval of the share *k* of *n*: low and high, arrays or numbers; null where n is 0.

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
    """*k* of *n*; null where n is 0."""
    k, n = np.asarray(k, dtype="float64"), np.asarray(n, dtype="float64")
    out = np.divide(k, n, out=np.full(np.broadcast(k, n).shape, np.nan), where=n > 0)
    return float(out) if out.ndim == 0 else out


def share_with_interval(name: str, k: Any, n: Any, effective: Any = None) -> dict[str, Any]:
    """The columns ``{name}_share``, ``{name}_low`` and ``{name}_high`` of *k* of *n*, arrays or numbers.

    *effective* is the number of rows that the interval is of, where these are not independent.
    """
    part = share(k, n)
    low, high = wilson(k, n) if effective is None else wilson(part * effective, effective)
    return {f"{name}_share": part, f"{name}_low": low, f"{name}_high": high}


def effective_n(hits: Any, trials: Any, group: Array, groups: int) -> Floats:
    """How many independent rows the share of each group is worth, if the rows of one contact are alike.

    Each entry is a contact in a *group* (0 to *groups* - 1): *hits* of its *trials* rows count. All rows, where each
    is of another contact; about as many as contacts, where theirs are the same.

    Source: Korn & Graubard, "Confidence Intervals for Proportions with Small Expected Number of Positive Counts
    Estimated from Survey Data", Survey Methodology 24(2), 1998.
    """
    trials = np.asarray(trials, dtype="float64")
    hits, group = np.asarray(hits, dtype="float64")[trials > 0], group[trials > 0]
    trials = trials[trials > 0]

    def total(values: Any) -> Floats:
        return np.bincount(group, values, minlength=groups).astype("float64")

    rows, contacts = total(trials), total(np.ones(len(trials)))
    part = share(total(hits), rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = total((hits - part[group] * trials) ** 2) / rows**2 * contacts / (contacts - 1)
        worth = rows * part * (1 - part) / (rows - 1) / variance
        worth *= (_t95(rows - 1) / _t95(contacts - 1)) ** 2
    alike = part * (1 - part) == 0  # all rows, so nobody knows: at worst, those of a contact are one
    return np.where(rows == contacts, rows, np.minimum(np.where(alike, contacts, worth), rows))


def effective_rows_by_group(hit: Any, contact: Any, group: Array, groups: int) -> tuple[Floats, Array]:
    """The same of rows, each a *hit* or not, of a *contact*; and how many contacts there are in each group.

    A row of nobody known is a contact of its own.
    """
    codes = pd.factorize(contact)[0].astype("int64")
    nobody = codes < 0
    codes[nobody] = len(codes) + np.arange(nobody.sum())
    pairs, place = np.unique(group * (2 * len(codes) + 1) + codes, return_inverse=True)
    hits, trials = (
        np.bincount(place, weights, minlength=len(pairs)) for weights in (np.asarray(hit, "float64"), None)
    )
    whose = pairs // (2 * len(codes) + 1)
    return effective_n(hits, trials, whose, groups), np.bincount(whose, minlength=groups)


def effective_rows_of_group(hit: Any, contact: Any) -> tuple[float, int]:
    """The same of the rows of one group."""
    effective, contacts = effective_rows_by_group(hit, contact, np.zeros(len(hit), dtype="int64"), 1)
    return float(effective[0]), int(contacts[0])


def _t95(df: Floats) -> Floats:
    """The quantile of Student's t of a two-sided 95% interval (Abramowitz & Stegun 26.7.5); 2% short at 2 df."""
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
    """When the office is open: by weekday (0 is Monday) the spans, in minutes after midnight, in their order."""

    hours: Mapping[int, tuple[tuple[int, int], ...]]
    closed: frozenset[Any] = frozenset()  # dates


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(
    r"([a-z]{3})[a-z]*(?:\s*-\s*([a-z]{3})[a-z]*)?\s+(\d{1,2})(?::([0-5]\d))?\s*-\s*(\d{1,2})(?::([0-5]\d))?"
)


@functools.lru_cache(maxsize=32)
def office_hours(text: str, holidays: str | None = None) -> OfficeHours:
    """``"Mon-Fri 8-18"``, ``"Mon-Thu 8-12, Mon-Thu 13-17:30, Sat 10-14"`` or, across midnight, ``"Mon-Fri 22-6"``.

    *holidays* is a country, ``"US"`` or ``"US-IL"``. Raises ``InvalidRequest`` with how to write it, and
    ``MissingExtra`` for holidays without their package.
    """
    hours: dict[int, tuple[tuple[int, int], ...]] = {}
    for part in text.lower().split(","):
        for day, span in _spans(part.strip(), text):
            spans = sorted((*hours.get(day, ()), span))
            if any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans)):
                name = _DAYS[day].capitalize()
                raise InvalidRequest(
                    f"{short(text)} says twice when the office is open on {name}", hint="say it once"
                )
            hours[day] = tuple(spans)
    return OfficeHours(hours, _holidays(holidays) if holidays else frozenset())


def _spans(part: str, text: str) -> list[tuple[int, tuple[int, int]]]:
    """The weekdays of one part, each with a span in minutes; what goes past midnight belongs to the next day."""
    found = _SPAN.fullmatch(part)
    days = [_DAYS.index(day) if day in _DAYS else -1 for day in found.group(1, 2) if day] if found else [-1]
    if found is None or -1 in days:
        raise InvalidRequest(f"{short(text)} are no office hours", hint='write them like "Mon-Fri 8-18, Sat 10-14"')
    opens, closes = (int(hour) * 60 + int(minute or 0) for hour, minute in (found.group(3, 4), found.group(5, 6)))
    if opens >= 24 * 60 or closes > 24 * 60 or opens == closes:
        raise InvalidRequest(f"{short(part)} are no hours of a day", hint='write them like "Mon-Fri 8-18", or "0-24"')
    last = days[-1] if days[-1] >= days[0] else days[-1] + 7
    each = [day % 7 for day in range(days[0], last + 1)]
    if opens < closes:
        return [(day, (opens, closes)) for day in each]
    tonight = [(day, (opens, 24 * 60)) for day in each]
    return tonight + [((day + 1) % 7, (0, closes)) for day in each if closes]


def _holidays(country: str) -> frozenset[Any]:
    country_holidays = import_extra("holidays", "holidays", "to know a country's holidays").country_holidays
    name, _, part = country.partition("-")
    problem = None
    try:
        return frozenset(country_holidays(name.upper(), subdiv=part.upper() or None, years=range(2000, 2051)))
    except NotImplementedError as error:
        problem = short(str(error))
    raise InvalidRequest(
        f"no holidays are known for {short(country)}: {problem}", hint='write it like "US" or "US-IL"'
    )


def minutes_between(
    start: pd.Series,
    end: pd.Series | pd.Timestamp,
    clock: Literal["office", "wall"] = "wall",
    timezone: str = "UTC",
    office: OfficeHours | None = None,
) -> pd.Series:
    """Minutes from *start* to *end*, on the wall's clock or those in which the office was open.

    An *end* before its *start* is 0 minutes away; null stays null. Office hours are in *timezone*: a day on
    which clocks change has as many minutes as its hours had.
    """
    end = end if isinstance(end, pd.Series) else pd.Series(end, index=start.index, dtype=start.dtype)
    if clock == "wall":
        return ((end - start).dt.total_seconds() / 60).clip(lower=0)
    first, last = start.min(), end.max()
    if pd.isna(first) or pd.isna(last):
        return pd.Series(np.nan, index=start.index, dtype="float64")
    opens, closes = _openings(min(first, last), max(first, last), timezone, office or office_hours(OFFICE))
    open_so_far = np.concatenate([[0], np.cumsum(closes - opens)])

    def until(instants: pd.Series) -> Floats:
        at = instants.dt.as_unit("us").dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("int64")
        begun = np.searchsorted(opens, at, side="right")
        last_opening = np.maximum(begun - 1, 0)
        inside = np.clip(at - opens[last_opening], 0, (closes - opens)[last_opening]) if len(opens) else 0
        return np.asarray(np.where(begun > 0, open_so_far[last_opening] + inside, 0) / 60e6, dtype="float64")

    known = (start.notna() & end.notna()).to_numpy()
    return pd.Series(np.where(known, (until(end) - until(start)).clip(min=0), np.nan), index=start.index)


def _openings(first: pd.Timestamp, last: pd.Timestamp, timezone: str, office: OfficeHours) -> tuple[Array, Array]:
    """When the office opened and closed, in epoch microseconds, on each working day of the span."""
    first, last = (instant.tz_convert(timezone).tz_localize(None).normalize() for instant in (first, last))
    days = pd.date_range(first, last, freq="D", unit="us")
    weekday = days.day_of_week.to_numpy()
    works = np.isin(weekday, list(office.hours)) & ~np.isin(days.date, list(office.closed))
    days, weekday = days[works], weekday[works]
    counts = np.array([len(office.hours[day]) for day in weekday.tolist()], dtype="int64")
    spans = np.array([span for day in weekday.tolist() for span in office.hours[day]], dtype="int64").reshape(-1, 2)

    def instants(which: int) -> Array:
        local = days.repeat(counts) + pd.to_timedelta(spans[:, which], unit="m").as_unit("us")
        zoned = local.tz_localize(timezone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward")
        return zoned.tz_convert("UTC").tz_localize(None).as_unit("us").to_numpy().astype("int64")

    return instants(0), instants(1)


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = tuple(f"{hour}:00" for hour in range(24))


def local_weekday_hour(instants: pd.Series, timezone: str) -> tuple[Array, Array]:
    """The weekday (0 is Monday) and the hour of each instant on the location's wall."""
    local = instants.dt.tz_convert(timezone)
    return local.dt.day_of_week.to_numpy("int64"), local.dt.hour.to_numpy("int64")


def labels_at(names: Sequence[str], places: Array) -> Any:
    """*names*, such as ``WEEKDAYS``, by their places, as text."""
    return pd.array(np.array(names, dtype=object)[places], dtype=TEXT.dtype)


def week_grid() -> dict[str, Array]:
    """The columns ``weekday`` and ``hour`` of a week's 168 cells, Monday 0 o'clock first."""
    return {"weekday": np.repeat(WEEKDAYS, 24), "hour": np.tile(np.arange(24), 7)}


def days_between(start: pd.Series, end: pd.Series | pd.Timestamp) -> pd.Series:
    """Days from *start* to *end*, with their fractions; an end before its start is 0 days away."""
    return minutes_between(start, end) / (24 * 60)
