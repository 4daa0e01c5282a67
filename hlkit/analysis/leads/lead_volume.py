"""Lead volume: how many leads came in each day, and which days were unusual."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports, drop_imports
from hlkit.analysis.core.charts import (
    BLUE,
    GRAY,
    ORANGE,
    PALETTE,
    RED,
    SKY,
    draw_gridlines,
    draw_legend,
    draw_points,
    top_groups,
)
from hlkit.analysis.core.groups import (
    WEEKDAYS,
    assign_groups,
    group_column_name,
    group_keys,
    rank_by_size,
    require_columns,
    wilson,
)
from hlkit.analysis.core.headlines import largest_group
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import as_mask, drop_rows, remark
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import COUNT, DAY, FLAG, NUMBER, TEXT
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

UNUSUAL = 3.3  # deviations: by chance one day in a thousand
WEEKS = 8  # the shortest history in which anything is judged
MEAN = 5  # leads a day: with fewer, an unusual day looks like any other
MEAN_OF_CHANGE = 1  # lead a day: with fewer, the dispersion is too uncertain to judge a change
GAP = 28  # days without a lead: what was before is another stretch
REFITS = 2
_MOST_ROWS = 2_000_000


@analysis(
    "How many leads came in each day, and which days were unusual?",
    columns={
        "days": {
            "date": DAY,
            "weekday": TEXT,
            "leads": COUNT,
            "expected": NUMBER,
            "low": NUMBER,
            "high": NUMBER,
            "z": NUMBER,
            "anomaly": FLAG,
            "dispersion": NUMBER,
        },
        "weeks": {
            "date": DAY,
            "whole": FLAG,
            "leads": COUNT,
            "before": COUNT,
            "change": NUMBER,
            "change_low": NUMBER,
            "change_high": NUMBER,
            "dispersion": NUMBER,
        },
    },
    definition=(
        "Contacts by the day on which they were created, in the location's time zone: complete days only, and a day "
        "without a lead is 0. The expected leads of a day follow from its weekday and a steady growth or decline (a "
        "Poisson regression, fitted again without the unusual days); no yearly season is modeled. A day is unusual "
        "where its leads are outside the expected range (low to high), more than 3.3 deviations from the expected; "
        "the deviation is that of chance, or that of the days themselves where they vary more. The model is fitted "
        "to recent days, from the first month of regular leads on; earlier days are only counted. A contact that was "
        "deleted since is not counted. Dispersion is how much more days vary than chance alone (1 is chance). By "
        "week, change is against the same weekdays of the week before (0.1 is a tenth more), with its 95% interval "
        "at that dispersion; a change is significant where the interval does not contain 0."
    ),
    noun="leads",
)
def lead_volume(
    contacts: pd.DataFrame,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    until: pd.Timestamp | None = None,
    by: str | None = None,
    show: Literal["days", "weeks"] = "days",
    imports: Imports = "exclude",
) -> pd.DataFrame:
    """Leads of each day, the expected range, and the unusual days.

    Takes one row per contact (contact_id, created_at, *by*). A group begins with the day of its first lead; all
    end with the last day that was over at *as_of*, or at *until* if that is earlier. The model is fitted to the
    recent span of each group, in which leads come on most days: a few early leads do not stretch it. Without 8
    weeks of 5 leads a day there is no expected range, and without 8 weeks of 1 lead a day no change is judged:
    a remark says so.
    Raises ``MissingColumn``, and ``InvalidRequest`` where *by* has so many groups that nobody could read a row
    for each of their days.

    Parameters
    ----------
    by
        A column of contacts to group by: source, owner, tags, a custom field.
    show
        ``days``: a row for each day: ``date``, ``weekday``, ``leads``; the ``expected`` leads and the bounds
        ``low`` and ``high`` of the expected range; ``z``, the difference in deviations; ``anomaly``, whether the
        day was unusual. ``weeks``: a row for each week by its Monday: whether all its days are counted
        (``whole``), their ``leads``, the leads of the same weekdays a week ``before`` (null where not all of
        those were counted), and the ``change`` (a ratio less one) with its interval. Both: ``dispersion``, how
        much more days vary than chance alone (a ratio of variances, 1 is chance), null before the fitted span.

    Source: Farrington, Andrews, Beale & Catchpole, "A Statistical Algorithm for the Early Detection of Outbreaks
    of Infectious Disease", J. R. Statist. Soc. A 159(3), 1996; Anscombe, "The Transformation of Poisson, Binomial
    and Negative-Binomial Data", Biometrika 35, 1948; McCullagh & Nelder, "Generalized Linear Models", 2nd ed.,
    1989, ch. 6 (dispersion).
    """
    require_columns(contacts, "contact_id", "created_at", by)
    leads = drop_rows(contacts, contacts["created_at"].isna(), "contacts without a date")
    leads = drop_imports(leads, imports, "contacts")
    local = leads["created_at"].dt.tz_convert(timezone).dt.tz_localize(None)
    today = (as_of if until is None else min(as_of, until)).tz_convert(timezone).tz_localize(None).normalize()
    leads = leads.assign(**{_DAY: (local - _EPOCH) // pd.Timedelta(days=1)})
    end = (today - _EPOCH) // pd.Timedelta(days=1)  # the first day that is not counted
    leads = drop_rows(leads, leads[_DAY] >= end, "contacts of the day that is not over")
    table = _with_model(_counted(leads[[_DAY]], group_keys(contacts, by), end))
    table = _by_week(table) if show == "weeks" else _by_day(table)
    return table.rename(columns={_GROUP: group_column_name(by, lead_volume.columns_of(show))})


_DAY = "(day)"
_EPOCH = pd.Timestamp("1970-01-01")  # a Thursday


# ---- counting


def _counted(leads: pd.DataFrame, key: pd.Series | None, end: int) -> pd.DataFrame:
    """A row for each day of each group, from its first lead on: group, day number, leads. Largest group first."""
    leads, keys = assign_groups(leads, key)
    codes, names = rank_by_size(keys)
    day = leads[_DAY].to_numpy("int64")
    first = np.full(len(names), end, dtype="int64")
    np.minimum.at(first, codes, day)
    length = end - first
    if key is not None and length.sum() > _MOST_ROWS:
        raise InvalidRequest(
            f"by={key.name!r} has {len(names):,} groups, too many for a row on each of their days",
            hint="choose a column with fewer values, such as source",
        )
    start = np.cumsum(length) - length
    counts = np.bincount(start[codes] + day - first[codes], minlength=int(length.sum()))
    group = np.repeat(np.arange(len(names)), length)
    return pd.DataFrame(
        {
            _GROUP: names[group],
            _DAY: np.arange(len(group)) - np.repeat(start - first, length),
            "leads": counts,
            _CODE: group,
        }
    )


_GROUP, _CODE = "(group)", "(code)"


# ---- the model of the days


def _with_model(table: pd.DataFrame) -> pd.DataFrame:
    """*table* with what its model says of each day; null outside of the fitted span, and without one."""
    leads, weekday = table["leads"].to_numpy("float64"), _weekday(table)
    columns = {name: np.full(len(table), np.nan) for name in _OF_MODEL}
    ends = np.flatnonzero(np.diff(table[_CODE].to_numpy(), append=-1)) + 1
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=False):
        first, fit = _fitted(leads[start:end], weekday[start:end])
        for name, values in fit.items():
            columns[name][start + first : end] = values
    return table.assign(**columns)


_OF_MODEL = ("expected", "low", "high", "z", "dispersion")


def _weekday(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    return np.asarray((table[_DAY].to_numpy("int64") + 3) % 7, dtype="int64")  # 0 is Monday


def _fitted(leads: Floats, weekday: npt.NDArray[np.int64]) -> tuple[int, dict[str, Any]]:
    """Where the fitted span of a group begins, and its columns; with few leads the dispersion only, or none."""
    first = span_start(leads, MEAN, at_start=MEAN)
    if first is not None:
        return first, _expected_range(leads[first:], weekday[first:])
    first = span_start(leads, MEAN_OF_CHANGE)
    if first is None:
        return 0, {}
    leads, weekday = leads[first:], weekday[first:]
    every_day = np.ones(len(leads), dtype=bool)  # the deviations of so few leads do not show which are unusual
    expected = poisson_fit(leads, weekday, every_day)
    return first, {"dispersion": dispersion(leads, expected, weekday, every_day)}


def span_start(leads: Floats, mean: float, at_start: float = 0) -> int | None:
    """The index of the first of the recent days to which a model can be fitted; None if they are too few.

    *leads* are those of each day. They are cut into stretches by every 28 or more days in a row without a lead.
    A span begins densely: most of its first 7 and of its first 28 days bring leads, those 28 at least *at_start*
    a day, and all days from there to the end at least *mean* a day. The first such day of the latest stretch
    counts if the stretch goes on for 8 weeks, otherwise that of the stretch before it, up to the end of all days:
    a business that paused is judged with its pause. A few leads years before a dense start change nothing.
    """
    busy = np.flatnonzero(leads > 0)
    stretch = np.cumsum(np.diff(busy, prepend=busy[:1]) > GAP)
    dense = _begins_densely(leads, busy, mean, at_start)
    numbers, first = np.unique(stretch[dense], return_index=True)
    starts = busy[dense][first]
    if not len(starts):
        return None
    length = len(leads) - starts
    silence = len(leads) - 1 - int(busy[stretch == numbers[-1]][-1])  # after the latest stretch
    length[-1] -= silence if silence >= GAP else 0
    starts = starts[length >= WEEKS * 7]
    return int(starts[-1]) if len(starts) else None


def _begins_densely(leads: Floats, busy: npt.NDArray[np.int64], mean: float, at_start: float) -> Mask:
    """Whether a span may begin at each of the *busy* days, the indexes of days with leads."""
    days, total = (np.concatenate([[0], np.cumsum(values)]) for values in (leads > 0, leads))
    week, month = (np.minimum(busy + length, len(leads)) for length in (7, GAP))
    regular = days[month] - days[busy] > GAP / 2
    # A stray a week before business begins has a dense month ahead, and no dense week.
    regular &= days[week] - days[busy] > 7 / 2
    enough = total[month] - total[busy] >= at_start * GAP
    enough &= total[-1] - total[busy] >= mean * (len(leads) - busy)
    return np.asarray(regular & enough, dtype="bool")


def _expected_range(leads: Floats, weekday: npt.NDArray[np.int64]) -> dict[str, Any]:
    """The expected leads of each day, the bounds of the expected range, deviations, and the dispersion.

    The root of a Poisson count has nearly the same deviation whatever its mean (Anscombe): 1/2.
    """
    usual = np.ones(len(leads), dtype=bool)
    for _ in range(1 + REFITS):
        expected = poisson_fit(leads, weekday, usual)
        apart = 2 * (np.sqrt(leads + 3 / 8) - np.sqrt(expected + 3 / 8))
        middle = np.median(apart[usual])
        scale = max(1.0, 1.4826 * float(np.median(np.abs(apart[usual] - middle))))
        near = np.abs(apart / scale) <= UNUSUAL
        if (np.bincount(weekday[near], minlength=7) < 2).any() or (near == usual).all():
            break
        usual = near
    root = np.sqrt(expected + 3 / 8)
    low, high = (np.maximum(root + sign * UNUSUAL * scale / 2, 0.0) ** 2 - 3 / 8 for sign in (-1, 1))
    return {
        "expected": expected,
        "low": np.maximum(low, 0.0),
        "high": high,
        "z": apart / scale,
        "dispersion": dispersion(leads, expected, weekday, near),
    }


def dispersion(leads: Floats, expected: Floats, weekday: npt.NDArray[np.int64], used: Mask) -> float:
    """The variance of the days *used* over that of chance, by Pearson's statistic; at least 1.

    The square of the robust scale would be an alternative, but it is too small for skewed counts: with 5 leads a
    day and a dispersion of 4 it gives 3.6, with 2 a day 2.3.
    """
    used = used & (expected > 0)
    squares = (leads[used] - expected[used]) ** 2 / expected[used]
    parameters = len(np.unique(weekday[used])) + 1  # the trend
    return max(1.0, float(squares.sum()) / max(1, len(squares) - parameters))


def poisson_fit(counts: Floats, weekday: npt.NDArray[np.int64], used: Mask) -> Floats:
    """The mean of each day by a Poisson regression on its weekday and a trend, fitted to the days *used*.

    The likelihood is climbed by Newton's steps, which for this model are weighted least squares; statsmodels
    gives the same means. A weekday on which nothing ever came has a mean of 0, which no logarithm reaches.
    """
    empty = np.bincount(weekday[used], weights=counts[used], minlength=7) == 0
    active = np.flatnonzero(~empty)
    trend = np.linspace(-1, 1, len(counts))
    design = np.column_stack([(weekday[:, None] == active).astype("float64"), trend])
    fitted = used & ~empty[weekday]
    x, y = design[fitted], counts[fitted]
    mean = y + 0.5
    for _ in range(50):
        eta = np.log(mean)
        target = eta + (y - mean) / mean
        root = np.sqrt(mean)
        slopes = np.linalg.lstsq(x * root[:, None], target * root, rcond=None)[0]
        new = np.exp(np.clip(x @ slopes, -20, 20))
        done = np.max(np.abs(new - mean) / (mean + 1e-9)) < 1e-10
        mean = new
        if done:
            break
    return np.where(empty[weekday], 0.0, np.exp(np.clip(design @ slopes, -20, 20)))


# ---- days


def _by_day(table: pd.DataFrame) -> pd.DataFrame:
    """The days with their dates, weekdays and whether they were unusual."""
    z = table["z"].to_numpy("float64")
    _remark_on_groups(table, "z", f"{many(MEAN, 'lead')} a day: too little history to say which days were unusual")
    unusual = pd.array(np.abs(z) > UNUSUAL, dtype=FLAG.dtype)
    unusual[np.isnan(z)] = pd.NA
    return table.drop(columns=[_DAY, _CODE]).assign(
        date=_dates(table[_DAY].to_numpy("int64")),
        weekday=np.array([name[:3] for name in WEEKDAYS], dtype=object)[_weekday(table)],
        anomaly=unusual,
    )


def _remark_on_groups(table: pd.DataFrame, column: str, lacking: str) -> None:
    """Remark in how many groups *column* is null throughout, for what they are *lacking*."""
    known = table[column].notna().groupby(table[_CODE]).any()
    short = int((~known).sum())
    if short:
        who = f"{short:,} of {len(known):,} groups have" if len(known) > 1 else "There are"
        remark(f"{who} less than {WEEKS} weeks of at least {lacking}.")


def _dates(day: npt.NDArray[np.int64]) -> Any:
    return day.astype("datetime64[D]").astype("datetime64[us]")


# ---- weeks


def _by_week(table: pd.DataFrame) -> pd.DataFrame:
    """The weeks, each against the same weekdays of the week before."""
    _remark_on_groups(
        table, "dispersion", f"{many(MEAN_OF_CHANGE, 'lead')} a day: too little history to judge a change"
    )
    leads, code = table["leads"].to_numpy("int64"), table[_CODE].to_numpy()
    same = np.zeros(len(table), dtype=bool)  # whether there is the same weekday of the same group a week before
    same[7:] = code[7:] == code[:-7]
    fitted = table["dispersion"].notna().to_numpy()
    more: dict[str, Any] = {
        "before": np.where(same, np.roll(leads, 7), 0),
        _WEEK: (table[_DAY] + 3) // 7,
        _DAYS: 1,
        _SAME: same,
        _FITTED: fitted,
        _JUDGED: same & fitted & np.roll(fitted, 7),
    }
    weeks = table.assign(**more).groupby([_CODE, _WEEK], sort=False)
    sums = weeks[["leads", "before", _DAYS, _SAME, _FITTED, _JUDGED]].sum().reset_index()
    first = weeks[[table.columns[0], "dispersion"]].head(1).reset_index(drop=True)
    known, fitted, judged = ((sums[column] == sums[_DAYS]).to_numpy() for column in (_SAME, _FITTED, _JUDGED))
    table = first.assign(
        date=_dates(sums[_WEEK].to_numpy("int64") * 7 - 3),
        whole=sums[_DAYS] == 7,
        leads=sums["leads"],
        before=np.where(known, sums["before"].to_numpy("float64"), np.nan),
        dispersion=first["dispersion"].where(fitted),
    )
    return table.assign(**_change(table, judged))


_WEEK, _DAYS, _SAME, _FITTED, _JUDGED = "(week)", "(days)", "(same)", "(fitted)", "(judged)"


def _change(weeks: pd.DataFrame, judged: Mask) -> dict[str, Floats]:
    """The change of each week against the one before, a ratio less one, and its interval where it is *judged*."""
    now, then = weeks["leads"].to_numpy("float64"), weeks["before"].to_numpy("float64")
    low, high = _share_now(now, then, weeks["dispersion"].to_numpy("float64"))
    known = then > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "change": np.where(known, now / then, np.nan) - 1,
            "change_low": np.where(known & judged, low / (1 - low), np.nan) - 1,
            "change_high": np.where(known & judged, high / (1 - high), np.nan) - 1,
        }


def _share_now(now: Any, then: Any, dispersion: Any) -> tuple[Any, Any]:
    """The 95% interval of the share of *now* in both counts: that of as many leads as would vary alike by chance."""
    return wilson(now / dispersion, (now + then) / dispersion)


# ---- its headlines


@lead_volume.headline_for(show="days")
def headline_of_days(table: pd.DataFrame) -> str:
    """How many leads came in a day lately and before, and the latest of the unusual days."""
    if _has_groups(table):
        parts = [_most_leads(table), _unusual_of_groups(table)]
    else:
        parts = [_lately(table), _latest(table)]
    return " ".join(f"{part}." for part in parts if part)


_LATELY = 28  # days: whole weeks


def _has_groups(table: pd.DataFrame) -> bool:
    return bool(table.iloc[:, 0].nunique() > 1)


def _most_leads(table: pd.DataFrame) -> str:
    lately = table[table["date"] > table["date"].max() - pd.Timedelta(days=_LATELY)]
    sums = lately.groupby(table.columns[0], sort=False, as_index=False)["leads"].sum()
    group = largest_group(sums.astype({table.columns[0]: TEXT.dtype}), "leads")
    return f"Most leads in the last {_LATELY} days: {group}" if group else ""


def _unusual_of_groups(table: pd.DataFrame) -> str:
    if not table["anomaly"].notna().any():
        return ""
    whose = "its group" if as_mask(table["anomaly"]).sum() == 1 else "their group"
    return f"{_how_many(table)} for {whose}"


def _how_many(table: pd.DataFrame) -> str:
    count = int(as_mask(table["anomaly"]).sum())
    return f"{many(count, 'day') if count else 'No days'} {'was' if count == 1 else 'were'} unusual"


def _latest(table: pd.DataFrame) -> str:
    """How many days were unusual, and the latest of them."""
    unusual = table[as_mask(table["anomaly"])]
    if not len(unusual):
        return _how_many(table) if table["anomaly"].notna().any() else ""
    day = unusual.sort_values("date").iloc[-1]
    which = f"{day['date']:%Y-%m-%d} with {many(day['leads'], 'lead')} ({day['expected']:,.0f} expected)"
    return f"{_how_many(table)}{', the latest on' if len(unusual) > 1 else ':'} {which}"


def _lately(table: pd.DataFrame) -> str:
    """The leads a day in the last 28 days and in the 28 before, and whether that is a significant change."""
    back = (table["date"].max() - table["date"]).dt.days
    if back.max() < 2 * _LATELY - 1:
        return f"{many(table['leads'].sum(), 'lead')} in {many(len(table), 'day')}: {_TOO_LITTLE}"
    recent = table[back < 2 * _LATELY]
    lately = back[back < 2 * _LATELY] < _LATELY
    now, then = int(recent.loc[lately, "leads"].sum()), int(recent.loc[~lately, "leads"].sum())
    verdict = _verdict(now, then, recent["dispersion"].min(skipna=False))
    return (
        f"{now / _LATELY:,.1f} leads a day in the last {_LATELY} days, {then / _LATELY:,.1f} in the {_LATELY} days "
        f"before: {verdict}"
    )


_TOO_LITTLE = "too little history to judge the change"


def _verdict(now: int, then: int, dispersion: float) -> str:
    """Whether two counts of equally many days differ by more than days of this *dispersion* do anyway."""
    if np.isnan(dispersion):
        return _TOO_LITTLE
    low, high = _share_now(now, then, dispersion)
    return "a significant change" if low > 0.5 or high < 0.5 else "no significant change"


@lead_volume.headline_for(show="weeks")
def headline_of_weeks(table: pd.DataFrame) -> str:
    """The leads of the last full week and of the one before it, and whether that is a significant change."""
    whole = table[as_mask(table["whole"])]
    if _has_groups(table) or not len(whole):
        return ""
    last = whole.iloc[-1]
    leads = f"{many(last['leads'], 'lead')} in the last full week (from {last['date']:%Y-%m-%d})"
    if pd.isna(last["before"]):
        return f"{leads}."
    verdict = _verdict(int(last["leads"]), int(last["before"]), last["dispersion"])
    return f"{leads}, {last['before']:,} in the week before: {verdict}."


# ---- charts


@lead_volume.chart("leads", show="days")
def days(table: pd.DataFrame, ax: Axes) -> None:
    table = _recent(table, ax)
    groups = table.iloc[:, 0]
    if groups.nunique() > 1:
        window = 28 if table["date"].nunique() > 200 else 7
        _lines(table, groups, ax, window)
        ax.set_ylabel(f"leads a day ({window}-day average)")
        return
    date, leads = table["date"].to_numpy(), table["leads"].to_numpy("float64")
    top = leads.max()
    if len(table) > _DENSE:
        draw_points(ax, date, leads, GRAY, 3, linewidths=0, alpha=0.7, label="day", zorder=1)
    else:
        if table["expected"].notna().any():
            low, high = table["low"].to_numpy("float64"), table["high"].to_numpy("float64")
            top = max(top, np.nanmax(high))
            ax.fill_between(date, low, high, color=SKY, alpha=0.25, linewidth=0, step="mid", label="expected range")
        ax.plot(date, leads, color=GRAY, linewidth=0.8, linestyle="-", marker=".", markersize=4, label="day")
    if len(table) >= 14:
        ax.plot(date, _smooth(leads, 7), color=BLUE, linewidth=1.6, linestyle="-", marker="", label="7-day average")
    _unusual_days(table, ax)
    ax.set_ylim(0, max(1.0, top) * 1.16)
    ax.set_ylabel("leads a day")
    _dated(ax)
    draw_legend(ax, y=-0.1)


_DENSE = 130  # days: with more, lines from day to day and a band of weekdays are a thicket


def _recent(table: pd.DataFrame, ax: Axes) -> pd.DataFrame:
    """The rows of the fitted span, and without one those after the strays; a note counts the leads before them."""
    fitted = table["dispersion"].notna()
    start = _after_strays(table) if _has_groups(table) or not fitted.any() else table.loc[fitted, "date"].min()
    early = as_mask(table["date"] < start)
    count = int(table.loc[early, "leads"].sum())
    if count:
        note = f"not shown: {many(count, 'lead')} before {start:%Y-%m-%d}"
        ax.annotate(note, (0, 1), xycoords="axes fraction", ha="left", va="bottom", color=GRAY, fontsize=8)
    return table[~early]


def _after_strays(table: pd.DataFrame) -> pd.Timestamp:
    """The date from which the chart is not mostly empty: the first where few leads do not stretch it."""
    leads = table.groupby("date")["leads"].sum().astype("float64")
    time = (leads.index - leads.index[0]) / max(leads.index[-1] - leads.index[0], pd.Timedelta(days=1))
    ahead = time - (leads.cumsum() - leads) / max(leads.sum(), 1)  # share of the time before less that of the leads
    return pd.Timestamp(ahead.idxmax() if ahead.max() > 0.5 else leads.index[0])


def _unusual_days(table: pd.DataFrame, ax: Axes) -> None:
    """A dot on each unusual day over its expected range; the date at the most extreme, where there is room."""
    unusual = table[as_mask(table["anomaly"])]
    if not len(unusual):
        return
    dates = unusual["date"].to_numpy()
    low, high = unusual["low"].to_numpy("float64"), unusual["high"].to_numpy("float64")
    if len(table) > _DENSE:
        ax.vlines(dates, low, high, color=ORANGE, linewidth=2, linestyles="-", zorder=3, label="expected range")
    draw_points(ax, dates, unusual["leads"].to_numpy("float64"), RED, 20, zorder=4, label="unusual day")
    first, last = table["date"].min(), table["date"].max()
    wide, tall = (last - first) / 5, 0.12 * float(table["leads"].max())
    named: list[tuple[pd.Timestamp, float]] = []
    for place in np.argsort(-unusual["z"].abs().to_numpy("float64"), kind="stable").tolist():
        day, leads = pd.Timestamp(dates[place]), float(unusual["leads"].iloc[place])
        if len(named) == 6 or any(abs(day - other) < wide and abs(leads - at) < tall for other, at in named):
            continue
        named.append((day, leads))
        ax.annotate(
            f"{day:%b} {day.day}: {leads:,.0f}",
            (dates[place], leads),
            xytext=(0, 5),
            textcoords="offset points",
            ha="right" if day > last - wide / 2 else "left" if day < first + wide / 2 else "center",
            va="bottom",
            fontsize=8,
            color=RED,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
            zorder=5,
        )


@lead_volume.chart("leads", show="weeks")
def weeks(table: pd.DataFrame, ax: Axes) -> None:
    table = _recent(table, ax)
    whole = as_mask(table["whole"])
    table = table[whole] if whole.any() else table
    groups = table.iloc[:, 0]
    ax.set_ylabel("leads a week")
    if groups.nunique() > 1:
        window = 4 if table["date"].nunique() > 26 else 1
        _lines(table, groups, ax, window)
        ax.set_ylabel("leads a week" if window == 1 else "leads a week (4-week average)")
    else:
        leads = table["leads"].to_numpy("float64")
        ax.bar(table["date"].to_numpy(), leads, width=np.timedelta64(6, "D"), align="edge", color=BLUE, linewidth=0)
        _dated(ax)
    ax.set_ylim(0, None)


def _lines(table: pd.DataFrame, groups: pd.Series, ax: Axes, window: int) -> None:
    """A line for each of the largest groups; a note counts the others."""
    sizes = table.assign(group=groups).groupby("group", sort=False)[["leads"]].sum().reset_index()
    shown = top_groups(sizes, ax, "leads", len(PALETTE))
    for name, color in zip(shown["group"], PALETTE, strict=False):
        rows = table[groups == name]
        line: dict[str, Any] = {"linewidth": 1.5, "linestyle": "-", "marker": "o" if len(rows) == 1 else ""}
        leads = _smooth(rows["leads"].to_numpy("float64"), window)
        ax.plot(rows["date"].to_numpy(), leads, color=color, label=name, **line)
    ax.set_ylim(0, None)
    _dated(ax)
    longest = max(len(line) for name in shown["group"] for line in name.splitlines())
    draw_legend(ax, y=-0.1, ncols=3 if longest <= 16 else 2)


def _smooth(values: Floats, window: int) -> Floats:
    mean = pd.Series(values).rolling(window, center=True, min_periods=window // 2 + 1).mean()
    return values if len(values) < window else np.asarray(mean, dtype="float64")


def _dated(ax: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    locator = AutoDateLocator(tz=UTC, minticks=3, maxticks=8, interval_multiples=True)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC, usetex=False))  # type: ignore[no-untyped-call]
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=ax.get_ylim()[1] >= 3))
    draw_gridlines(ax, "y")
