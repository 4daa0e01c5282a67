"""What analyses share: groups, intervals of shares, waiting times, office hours, what a person sent.

Everything here is an operation on arrays or frames. Shares are 0 to 1, instants UTC.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlkit.analysis.notes import name_of, remark, truths
from hlkit.errors import InvalidRequest, MissingColumn, MissingExtra
from hlkit.kinds import TEXT, Kind

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

NONE, ALL = "(none)", "(all)"
SMALL = 20  # a group with fewer rows is marked: its numbers say little
OFFICE = "Mon-Fri 8-18"
_Z95 = 1.959963984540054  # the normal quantile of a two-sided 95% interval


# ---- columns and groups


def need(frame: pd.DataFrame, *columns: str | None) -> None:
    """Raise ``MissingColumn`` where *frame* lacks one of *columns* (``None`` asks for nothing)."""
    for column in columns:
        if column is not None and column not in frame.columns:
            names = [str(name) for name in frame.columns]
            near = difflib.get_close_matches(str(column), names, n=1)
            raise MissingColumn(
                f"{name_of(frame)} has no column {column!r}",
                hint=f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names[:40])}",
            )


def lookup(keys: pd.Series, known: pd.Series) -> pd.Series:
    """For each of *keys* what *known* has under it in its index, in its dtype; null where it has nothing.

    ``Series.map`` fails on an empty series of instants, and merging copies both frames.
    """
    found = known.reindex(keys)
    return found.set_axis(keys.index)


def column(frame: pd.DataFrame, name: str, kind: Kind = TEXT) -> pd.Series:
    """A column of *frame*, or nulls of its kind where there is none of that name."""
    known: pd.Series = frame[name] if name in frame else pd.Series(None, index=frame.index, dtype=kind.dtype)
    return known


def of_contact(contacts: pd.DataFrame, by: str, ids: pd.Series) -> pd.Series:
    """What the contacts of *ids* have in the column *by*."""
    need(contacts, "contact_id")
    return lookup(ids, contacts[contacts["contact_id"].notna()].set_index("contact_id")[by])


def grouped(frame: pd.DataFrame, by: str | None) -> tuple[pd.DataFrame, pd.Series]:
    """*frame* and the group of each of its rows, as text.

    A null or blank key is the group ``(none)``, and without *by* all rows are ``(all)``. Spellings of a word
    that differ in case or in blanks around it are one group, called by the commonest of them; ids are kept
    apart. A list puts its row into the group of each of its items, so the frame that comes back is longer.
    """
    need(frame, by)
    if by is None:
        return frame, pd.Series(ALL, index=frame.index, dtype=TEXT.dtype)
    column, several = frame[by], None
    if column.dtype == object and column.map(_is_list).any():
        items = column.map(lambda value: list(dict.fromkeys(value)) if _is_list(value) else value)
        frame = frame.assign(**{by: items}).reset_index(drop=True).explode(by)
        several, frame = frame.index, frame.reset_index(drop=True)
        column = frame[by]
        remark(f"A row with several {by} counts in the group of each.")
    codes, values = pd.factorize(_hashable(column))
    names = [_label(value) for value in values]
    if not by.endswith("_id"):
        names = _one_spelling(names, np.bincount(codes[codes >= 0], minlength=len(names)))
    known = np.array([name or NONE for name in names] + [NONE], dtype=object)
    keys = pd.Series(known[codes], index=frame.index, dtype=TEXT.dtype)
    if several is not None:  # two spellings of one word on a row are one item
        once = ~pd.DataFrame({"row": several, "key": keys.to_numpy()}).duplicated().to_numpy()
        frame, keys = frame[once], keys[once]
    return frame, keys


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple, set, np.ndarray))


def _hashable(column: pd.Series) -> pd.Series:
    if column.dtype != object:
        return column
    return column.map(lambda value: str(value) if isinstance(value, dict) else value)


def _label(value: Any) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M}"
    return str(value).strip()


def _one_spelling(names: list[str], counts: Array) -> list[str]:
    best: dict[str, tuple[int, str]] = {}
    for name, count in zip(names, counts.tolist(), strict=True):
        folded = name.casefold()
        if folded not in best or count > best[folded][0]:
            best[folded] = count, name
    return [best[name.casefold()][1] for name in names]


def by_size(keys: pd.Series) -> tuple[Array, Array]:
    """The number of each row's group, and the groups' names: the largest first, then as they came."""
    codes, names = pd.factorize(keys)
    order = np.argsort(-np.bincount(codes, minlength=len(names)), kind="stable")
    rank = np.empty(len(names), dtype="int64")
    rank[order] = np.arange(len(names))
    return rank[codes], np.asarray(names, dtype=object)[order]


def per_group(
    frame: pd.DataFrame,
    by: str | None,
    columns: Mapping[str, Kind],
    summary: Callable[[pd.DataFrame], Mapping[str, Any]],
) -> pd.DataFrame:
    """A row for each group of *frame*, largest first: the group in the first column, then ``summary(rows)``.

    The first column is called as *by* is, or ``group`` where there is none.
    """
    frame, keys = grouped(frame, by)
    codes, names = by_size(keys)
    order = np.argsort(codes, kind="stable")
    ordered, sizes = frame.iloc[order], np.bincount(codes, minlength=len(names))
    ends = np.cumsum(sizes)
    spans = zip((ends - sizes).tolist(), ends.tolist(), strict=True)
    told = [summary(ordered.iloc[start:end]) for start, end in spans]
    first = group_column(by, columns)
    table = pd.DataFrame(told, columns=list(columns))
    table.insert(0, first, pd.array(list(names), dtype=TEXT.dtype))
    return table


def group_column(by: str | None, columns: Iterable[str]) -> str:
    """What the column of groups is called; never as one of *columns*."""
    name = by or "group"
    return f"{name} (group)" if name in columns else name


def extra(package: str, name: str, why: str) -> Any:
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
        share, z2 = k / n, _Z95**2
        middle = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z95 * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    low = np.where(k == 0, 0.0, np.clip(middle - half, 0, 1))
    high = np.where(k == n, 1.0, np.clip(middle + half, 0, 1))
    low, high = np.where(np.isnan(n), np.nan, low), np.where(np.isnan(n), np.nan, high)
    return (float(low), float(high)) if low.ndim == 0 else (low, high)


def share(k: Any, n: Any) -> Any:
    """*k* of *n*; null where n is 0."""
    k, n = np.asarray(k, dtype="float64"), np.asarray(n, dtype="float64")
    out = np.divide(k, n, out=np.full(np.broadcast(k, n).shape, np.nan), where=n > 0)
    return float(out) if out.ndim == 0 else out


def with_interval(name: str, k: Any, n: Any) -> dict[str, Any]:
    """The columns ``{name}_share``, ``{name}_low`` and ``{name}_high`` of *k* of *n*, arrays or numbers."""
    low, high = wilson(k, n)
    return {f"{name}_share": share(k, n), f"{name}_low": low, f"{name}_high": high}


# ---- waiting


def kaplan_meier(wait: Any, ended: Any) -> tuple[Floats, Floats]:
    """The times at which a wait ended or was last seen, and the share that still waits just after each.

    *wait* is how long each row waited, *ended* whether the wait was over then; one that was not is censored.

    Source: Kaplan & Meier, "Nonparametric Estimation from Incomplete Observations", JASA 53, 1958.
    """
    wait, ended = _known(wait, ended)
    order = np.argsort(wait, kind="stable")
    times, first = np.unique(wait[order], return_index=True)
    if not len(times):
        return times, times
    ends = np.add.reduceat(ended[order].astype("float64"), first)
    at_risk = len(wait) - first
    return times, np.asarray(np.cumprod(1 - ends / at_risk), dtype="float64")


def _known(wait: Any, ended: Any) -> tuple[Floats, Array]:
    wait = np.asarray(wait, dtype="float64")
    ended = truths(ended)
    known = ~np.isnan(wait)
    return (wait, ended) if known.all() else (wait[known], ended[known])


def waiting(wait: Any, ended: Any, quantiles: Sequence[float] = (0.5,)) -> tuple[float, ...]:
    """How long it takes until these shares of all have ended, by Kaplan-Meier; null where it never comes so far."""
    times, still = kaplan_meier(wait, ended)
    places = [np.flatnonzero(still <= 1 - quantile + 1e-12) for quantile in quantiles]
    return tuple(float(times[place[0]]) if len(place) else np.nan for place in places)


def ended_by(wait: Any, ended: Any, at: float) -> float:
    """The share whose wait is over at *at*, by Kaplan-Meier; null where nobody was watched so long."""
    times, still = kaplan_meier(wait, ended)
    if not len(times) or (at > times[-1] and still[-1] > 0):
        return np.nan
    before = np.searchsorted(times, at, side="right")
    return float(1 - still[before - 1]) if before else 0.0


@dataclass(frozen=True)
class Incidence:
    """Of all, the share that has ended in one way by each of *times*, and what is left that has ended in none.

    *low* and *high* are its 95% Wilson interval at the number of rows whose binomial variance would be that of
    the estimate: that is all rows where none is censored, and fewer the more are.
    """

    times: Floats
    share: Floats
    low: Floats
    high: Floats
    still: Floats

    def at(self, when: Any) -> tuple[Floats, Floats, Floats]:
        """Share, low and high at *when*; null where nobody was watched so long."""
        when = np.asarray(when, dtype="float64")
        if not len(self.times):
            return (np.full(when.shape, np.nan),) * 3
        place = np.searchsorted(self.times, when, side="right") - 1
        seen = (place >= 0) & ~np.isnan(when) & ((when <= self.times[-1]) | (self.still[-1] <= 1e-12))
        share, low, high = (np.where(seen, one[place], np.nan) for one in (self.share, self.low, self.high))
        return share, low, high


def cumulative_incidence(wait: Any, ended: Any, so: Any) -> Incidence:
    """How many have ended *so* by when, where others end otherwise and the rest has not ended (Aalen-Johansen).

    *wait* is how long each row waited, *ended* whether the wait was over then, *so* whether in the way asked
    about. Kaplan-Meier with other ends as censored would tell how many would end so if none could end
    otherwise: 1 in the long run, whatever the share.

    Source: Aalen & Johansen, Scand. J. Statist. 5, 1978; the variance by the delta method, as in Marubini &
    Valsecchi, "Analysing Survival Data from Clinical Trials and Observational Studies", 1995, ch. 10.
    """
    wait, so = np.asarray(wait, dtype="float64"), truths(so)
    so = so[~np.isnan(wait)]
    wait, ended = _known(wait, ended)
    order = np.argsort(wait, kind="stable")
    times, first = np.unique(wait[order], return_index=True)
    if not len(times):
        return Incidence(times, times, times, times, times)
    at_risk = (len(wait) - first).astype("float64")
    ends = np.add.reduceat(ended[order].astype("float64"), first)
    mine = np.add.reduceat((ended & so)[order].astype("float64"), first)
    still = np.cumprod(1 - ends / at_risk)
    before = np.concatenate([[1.0], still[:-1]])
    share = np.cumsum(before * mine / at_risk)
    # Sums over the times so far of (share now - share then) in squares, multiplied out.
    lost = np.divide(ends, at_risk * (at_risk - ends), out=np.zeros(len(times)), where=at_risk > ends)
    both = before * mine / at_risk**2
    variance = share**2 * np.cumsum(lost) - 2 * share * np.cumsum(lost * share) + np.cumsum(lost * share**2)
    variance += np.cumsum(before**2 * mine * (at_risk - mine) / at_risk**3)
    variance -= 2 * (share * np.cumsum(both) - np.cumsum(both * share))
    known = at_risk + np.concatenate([[0.0], np.cumsum(ends)[:-1]])  # all but those who were censored before
    binomial = share * (1 - share)
    worth = np.divide(binomial, variance, out=known.copy(), where=(binomial > 1e-12) & (variance > 1e-15))
    worth = np.minimum(worth, len(wait))
    low, high = wilson(share * worth, worth)
    if times[0] > 0:
        start = (0.0, 0.0, 0.0, float(wilson(0, len(wait))[1]), 1.0)
        times, share, low, high, still = (
            np.concatenate([[one], rest]) for one, rest in zip(start, (times, share, low, high, still), strict=True)
        )
    return Incidence(times, share, low, high, still)


# ---- time


@dataclass(frozen=True)
class Office:
    """When the office is open: by weekday (0 is Monday) the spans, in minutes after midnight, in their order."""

    hours: Mapping[int, tuple[tuple[int, int], ...]]
    closed: frozenset[Any] = frozenset()  # dates


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(
    r"([a-z]{3})[a-z]*(?:\s*-\s*([a-z]{3})[a-z]*)?\s+(\d{1,2})(?::([0-5]\d))?\s*-\s*(\d{1,2})(?::([0-5]\d))?"
)


@functools.lru_cache(maxsize=32)
def office_hours(text: str, holidays: str | None = None) -> Office:
    """``"Mon-Fri 8-18"`` or ``"Mon-Thu 8-12, Mon-Thu 13-17:30, Sat 10-14"``.

    *holidays* is a country, ``"US"`` or ``"US-IL"``. Raises ``InvalidRequest`` with how to write it, and
    ``MissingExtra`` for holidays without their package.
    """
    hours: dict[int, tuple[tuple[int, int], ...]] = {}
    for part in text.lower().split(","):
        found = _SPAN.fullmatch(part.strip())
        days = [_DAYS.index(day) if day in _DAYS else -1 for day in found.group(1, 2) if day] if found else [-1]
        if found is None or -1 in days:
            raise InvalidRequest(f"{text!r} are no office hours", hint='write them like "Mon-Fri 8-18, Sat 10-14"')
        opens, closes = (int(hour) * 60 + int(minute or 0) for hour, minute in (found.group(3, 4), found.group(5, 6)))
        if not 0 <= opens < closes <= 24 * 60:
            raise InvalidRequest(f"{part.strip()!r} opens after it closes", hint='write it like "Mon-Fri 8-18"')
        span = range(days[0], (days[-1] if days[-1] >= days[0] else days[-1] + 7) + 1)
        for day in span:
            spans = sorted((*hours.get(day % 7, ()), (opens, closes)))
            if any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans)):
                name = _DAYS[day % 7].capitalize()
                raise InvalidRequest(f"{text!r} says twice when the office is open on {name}", hint="say it once")
            hours[day % 7] = tuple(spans)
    return Office(hours, _holidays(holidays) if holidays else frozenset())


def _holidays(country: str) -> frozenset[Any]:
    country_holidays = extra("holidays", "stats", "to know a country's holidays").country_holidays
    name, _, part = country.partition("-")
    problem = None
    try:
        return frozenset(country_holidays(name.upper(), subdiv=part.upper() or None, years=range(2000, 2051)))
    except NotImplementedError as error:
        problem = str(error)
    raise InvalidRequest(f"no holidays are known for {country!r}: {problem}", hint='write it like "US" or "US-IL"')


def minutes(
    start: pd.Series,
    end: pd.Series | pd.Timestamp,
    clock: Literal["office", "wall"] = "wall",
    timezone: str = "UTC",
    office: Office | None = None,
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
        at = instants.dt.as_unit("ms").dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("int64")
        begun = np.searchsorted(opens, at, side="right")
        last_opening = np.maximum(begun - 1, 0)
        inside = np.clip(at - opens[last_opening], 0, (closes - opens)[last_opening]) if len(opens) else 0
        return np.asarray(np.where(begun > 0, open_so_far[last_opening] + inside, 0) / 60_000, dtype="float64")

    known = (start.notna() & end.notna()).to_numpy()
    return pd.Series(np.where(known, (until(end) - until(start)).clip(min=0), np.nan), index=start.index)


def _openings(first: pd.Timestamp, last: pd.Timestamp, timezone: str, office: Office) -> tuple[Array, Array]:
    """When the office opened and closed, in epoch milliseconds, on each working day of the span."""
    first, last = (instant.tz_convert(timezone).tz_localize(None).normalize() for instant in (first, last))
    days = pd.date_range(first, last, freq="D", unit="ms")
    weekday = days.day_of_week.to_numpy()
    works = np.isin(weekday, list(office.hours)) & ~np.isin(days.date, list(office.closed))
    days, weekday = days[works], weekday[works]
    counts = np.array([len(office.hours[day]) for day in weekday.tolist()], dtype="int64")
    spans = np.array([span for day in weekday.tolist() for span in office.hours[day]], dtype="int64").reshape(-1, 2)

    def instants(which: int) -> Array:
        local = days.repeat(counts) + pd.to_timedelta(spans[:, which], unit="m").as_unit("ms")
        zoned = local.tz_localize(timezone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward")
        return zoned.tz_convert("UTC").tz_localize(None).as_unit("ms").to_numpy().astype("int64")

    return instants(0), instants(1)


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = tuple(f"{hour}:00" for hour in range(24))


def on_the_wall(instants: pd.Series, timezone: str) -> tuple[Array, Array]:
    """The weekday (0 is Monday) and the hour of each instant on the location's wall."""
    local = instants.dt.tz_convert(timezone)
    return local.dt.day_of_week.to_numpy("int64"), local.dt.hour.to_numpy("int64")


def called(names: Sequence[str], places: Array) -> Any:
    """*names*, such as ``WEEKDAYS``, by their places, as text."""
    return pd.array(np.array(names, dtype=object)[places], dtype=TEXT.dtype)


def a_week() -> dict[str, Array]:
    """The columns ``weekday`` and ``hour`` of a week's 168 cells, Monday 0 o'clock first."""
    return {"weekday": np.repeat(WEEKDAYS, 24), "hour": np.tile(np.arange(24), 7)}


def days_between(start: pd.Series, end: pd.Series | pd.Timestamp) -> pd.Series:
    """Days from *start* to *end*, with their fractions; an end before its start is 0 days away."""
    return minutes(start, end) / (24 * 60)


# ---- messages

_NO_PERSON = ("TYPE_ACTIVITY", "TYPE_INTERNAL_COMMENT", "TYPE_CAMPAIGN")
_NOT_SENT = ("failed", "undelivered", "canceled", "cancelled")


def by_a_person(messages: pd.DataFrame) -> pd.Series:
    """Whether each message went out from a person: sent in the app, by a user, not failed.

    Activity rows come as outbound messages of the app too, some with a user: they answer nobody (seen in the
    live export, 2026). Comments among colleagues, campaigns, workflows and bulk actions are no person either.
    """
    need(messages, "direction", "origin", "user_id", "status", "type")
    kind, status = messages["type"].fillna(""), messages["status"].fillna("").str.lower()
    sent: pd.Series = (
        (messages["direction"] == "outbound")
        & (messages["origin"] == "app")
        & messages["user_id"].notna()
        & ~status.isin(_NOT_SENT)
        & ~kind.str.startswith(_NO_PERSON)
    )
    return sent.astype(bool)


def call_taken(messages: pd.DataFrame) -> pd.Series:
    """Whether each message is a call that came in and that a user took: it was completed, and lasted."""
    need(messages, "direction", "user_id", "type")
    here = messages.columns
    status = messages["call_status"] if "call_status" in here else pd.Series(None, messages.index, dtype=TEXT.dtype)
    lasted = messages["call_duration_s"].fillna(1) >= 1 if "call_duration_s" in here else True
    taken: pd.Series = (
        (messages["direction"] == "inbound")
        & messages["type"].fillna("").str.endswith("CALL")
        & messages["user_id"].notna()
        & status.fillna("").str.lower().isin(("completed", "answered"))
        & lasted
    )
    return taken.astype(bool)
