"""Lead volume: how many leads arrived each day, and which days were unusual."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports, drop_imports
from hlkit.analysis.core.canvas import (
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
from hlkit.analysis.core.headlines import format_date, largest_group
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import as_mask, drop_rows, remark
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import COUNT, DAY, FLAG, NUMBER, TEXT
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

UNUSUAL = 3.3  # standard deviations: by chance, one day in a thousand
MIN_WEEKS = 8  # the shortest history that is tested
MIN_MEAN = 5  # leads a day: with fewer, an unusual day cannot be detected
MIN_MEAN_FOR_CHANGE = 1  # lead a day: with fewer, the dispersion is too uncertain to test a change
GAP = 28  # days in a row without a lead: they separate two periods
REFITS = 2
_MAX_ROWS = 2_000_000


@analysis(
    "How many leads do we get each day, and which days were unusual?",
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
        "Contacts by the day of their creation, in the location's time zone. Only complete days count; a day "
        "without leads is 0, and deleted contacts are not counted. Expected leads depend on the weekday and a steady "
        "trend (a Poisson regression, refitted without the unusual days); yearly seasons are not modeled. A day is "
        "unusual if its leads are outside the expected range (low to high): more than 3.3 standard deviations from "
        "the expected number, where the deviation is that of chance, or of the observed days if these vary more. The "
        "model is fitted to recent days, starting with the first month of regular leads; earlier days are only "
        "counted. Dispersion shows how much more days vary than by chance (1 is chance). By week, change compares a "
        "week with the same weekdays of the week before (0.1 is 10% more), with a 95% interval at that dispersion; a "
        "change is significant if the interval does not contain 0."
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
    """Leads per day, the expected range, and the unusual days.

    Takes one row per contact (contact_id, created_at, *by*). Each group starts on the day of its first lead; all end
    with the last complete day before *as_of*, or before *until* if that is earlier. The model is fitted to the recent
    period of each group in which leads arrive on most days, so a few early leads do not extend it. There is no
    expected range without 8 weeks of 5 leads a day, and no test of a change without 8 weeks of 1 lead a day; a remark
    reports this. Raises ``MissingColumn``, and ``InvalidRequest`` if *by* has too many groups for a row per day.

    Parameters
    ----------
    by
        A column of contacts to group by: source, owner, tags, a custom field.
    show
        ``days`` gives one row per day: ``date``, ``weekday``, ``leads``; the ``expected`` leads and the bounds
        ``low`` and ``high`` of the expected range; ``z``, the difference from the expected leads in standard
        deviations; ``anomaly``, whether the day was unusual. ``weeks`` gives one row per week, dated by its Monday:
        ``whole``, whether all its days are counted; ``leads``; ``before``, the leads of the same weekdays in the
        week before (null if not all of those were counted); and ``change`` (the ratio minus 1) with its interval.
        Both have ``dispersion``, how much more days vary than by chance (a ratio of variances; 1 is chance), null
        before the fitted period.

    Source: Farrington, Andrews, Beale & Catchpole, "A Statistical Algorithm for the Early Detection of Outbreaks
    of Infectious Disease", J. R. Statist. Soc. A 159(3), 1996; Anscombe, "The Transformation of Poisson, Binomial
    and Negative-Binomial Data", Biometrika 35, 1948; McCullagh & Nelder, "Generalized Linear Models", 2nd ed.,
    1989, ch. 6 (dispersion).
    """
    require_columns(contacts, "contact_id", "created_at", by)
    leads = drop_rows(contacts, contacts["created_at"].isna(), "contacts without a date")
    leads = drop_imports(leads, imports, "contacts")
    local = leads["created_at"].dt.tz_convert(timezone).dt.tz_localize(None)
    last_day = (as_of if until is None else min(as_of, until)).tz_convert(timezone).tz_localize(None).normalize()
    leads = leads.assign(**{_DAY: (local - _EPOCH) // pd.Timedelta(days=1)})
    end = (last_day - _EPOCH) // pd.Timedelta(days=1)  # the first day that is not counted
    leads = drop_rows(leads, leads[_DAY] >= end, "contacts of the last, incomplete day")
    table = _fit_groups(_count_days(leads[[_DAY]], group_keys(contacts, by), end))
    table = _by_week(table) if show == "weeks" else _by_day(table)
    return table.rename(columns={_GROUP: group_column_name(by, lead_volume.columns_of(show))})


_DAY = "(day)"
_EPOCH = pd.Timestamp("1970-01-01")  # a Thursday


# ---- counts


def _count_days(leads: pd.DataFrame, key: pd.Series | None, end: int) -> pd.DataFrame:
    """One row per day of each group since its first lead: group, day number, leads. The largest group is first."""
    leads, keys = assign_groups(leads, key)
    codes, names = rank_by_size(keys)
    day = leads[_DAY].to_numpy("int64")
    first = np.full(len(names), end, dtype="int64")
    np.minimum.at(first, codes, day)
    length = end - first
    if key is not None and length.sum() > _MAX_ROWS:
        raise InvalidRequest(
            f"by={key.name!r} has {len(names):,} groups, too many for a row per group and day",
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


# ---- the model


def _fit_groups(table: pd.DataFrame) -> pd.DataFrame:
    """Add the columns of the model, fitted to each group; null outside of the fitted period."""
    leads, weekday = table["leads"].to_numpy("float64"), _weekday(table)
    columns = {name: np.full(len(table), np.nan) for name in _MODEL_COLUMNS}
    ends = np.flatnonzero(np.diff(table[_CODE].to_numpy(), append=-1)) + 1
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=False):
        first, fitted = _fit(leads[start:end], weekday[start:end])
        for name, values in fitted.items():
            columns[name][start + first : end] = values
    return table.assign(**columns)


_MODEL_COLUMNS = ("expected", "low", "high", "z", "dispersion")


def _weekday(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    return np.asarray((table[_DAY].to_numpy("int64") + 3) % 7, dtype="int64")  # 0 is Monday


def _fit(leads: Floats, weekday: npt.NDArray[np.int64]) -> tuple[int, dict[str, Any]]:
    """The index at which the fit of a group starts, and its columns: with few leads only the dispersion, or none."""
    first = fit_start(leads, MIN_MEAN, at_start=MIN_MEAN)
    if first is not None:
        return first, _expected_range(leads[first:], weekday[first:])
    first = fit_start(leads, MIN_MEAN_FOR_CHANGE)
    if first is None:
        return 0, {}
    leads, weekday = leads[first:], weekday[first:]
    every_day = np.ones(len(leads), dtype=bool)  # with so few leads, unusual days cannot be detected
    expected = poisson_fit(leads, weekday, every_day)
    return first, {"dispersion": dispersion(leads, expected, weekday, every_day)}


def fit_start(leads: Floats, mean: float, at_start: float = 0) -> int | None:
    """The index of the first day to which a model can be fitted; None if there are too few.

    *leads* is the number of leads on each day. 28 or more days in a row without a lead separate one period from the
    next. The fit may start on a day after which leads are regular: most of the first 7 and of the first 28 days have
    leads, those 28 have at least *at_start* a day, and all days to the end have at least *mean* a day. It starts on
    the first such day of the latest period, if that period lasts 8 weeks, otherwise on the first such day of the
    period before it. The fit always runs to the last day, so a business that paused is fitted including its pause. A
    few leads long before a regular start do not matter.
    """
    busy = np.flatnonzero(leads > 0)
    period = np.cumsum(np.diff(busy, prepend=busy[:1]) > GAP)
    is_start = _may_start(leads, busy, mean, at_start)
    numbers, first = np.unique(period[is_start], return_index=True)
    starts = busy[is_start][first]
    if not len(starts):
        return None
    length = len(leads) - starts
    silence = len(leads) - 1 - int(busy[period == numbers[-1]][-1])  # days without leads after the latest period
    length[-1] -= silence if silence >= GAP else 0
    starts = starts[length >= MIN_WEEKS * 7]
    return int(starts[-1]) if len(starts) else None


def _may_start(leads: Floats, busy: npt.NDArray[np.int64], mean: float, at_start: float) -> Mask:
    """Whether the fit may start on each of the *busy* days, the indexes of days with leads."""
    days, total = (np.concatenate([[0], np.cumsum(values)]) for values in (leads > 0, leads))
    week, month = (np.minimum(busy + length, len(leads)) for length in (7, GAP))
    regular = days[month] - days[busy] > GAP / 2
    # A single lead a week before the business opens is followed by a regular month, but not by a regular week.
    regular &= days[week] - days[busy] > 7 / 2
    enough = total[month] - total[busy] >= at_start * GAP
    enough &= total[-1] - total[busy] >= mean * (len(leads) - busy)
    return np.asarray(regular & enough, dtype="bool")


def _expected_range(leads: Floats, weekday: npt.NDArray[np.int64]) -> dict[str, Any]:
    """The columns of the model for each day: expected leads and range, deviations, and the dispersion.

    The square root of a Poisson count has a standard deviation of nearly 1/2, whatever its mean (Anscombe).
    """
    used = np.ones(len(leads), dtype=bool)
    for _ in range(1 + REFITS):
        expected = poisson_fit(leads, weekday, used)
        deviation = 2 * (np.sqrt(leads + 3 / 8) - np.sqrt(expected + 3 / 8))
        middle = np.median(deviation[used])
        scale = max(1.0, 1.4826 * float(np.median(np.abs(deviation[used] - middle))))
        is_usual = np.abs(deviation / scale) <= UNUSUAL
        if (np.bincount(weekday[is_usual], minlength=7) < 2).any() or (is_usual == used).all():
            break
        used = is_usual
    root = np.sqrt(expected + 3 / 8)
    low, high = (np.maximum(root + sign * UNUSUAL * scale / 2, 0.0) ** 2 - 3 / 8 for sign in (-1, 1))
    return {
        "expected": expected,
        "low": np.maximum(low, 0.0),
        "high": high,
        "z": deviation / scale,
        "dispersion": dispersion(leads, expected, weekday, is_usual),
    }


def dispersion(leads: Floats, expected: Floats, weekday: npt.NDArray[np.int64], used: Mask) -> float:
    """The ratio of the variance of the days *used* to that of chance (Pearson's statistic); at least 1.

    The square of the robust scale would be too small for skewed counts: with a dispersion of 4 it gives 3.6 at 5
    leads a day, and 2.3 at 2 leads a day.
    """
    used = used & (expected > 0)
    squares = (leads[used] - expected[used]) ** 2 / expected[used]
    parameters = len(np.unique(weekday[used])) + 1  # the trend
    return max(1.0, float(squares.sum()) / max(1, len(squares) - parameters))


def poisson_fit(counts: Floats, weekday: npt.NDArray[np.int64], used: Mask) -> Floats:
    """The expected count of each day: a Poisson regression on weekday and trend, fitted to the days *used*.

    The likelihood is maximized by iteratively reweighted least squares; statsmodels gives the same means. A weekday
    that never has a count is fitted separately, with a mean of 0, since the logarithm of 0 is not finite.
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
    """The table by day, with dates, weekdays, and whether each day was unusual."""
    z = table["z"].to_numpy("float64")
    _remark_on_groups(table, "z", f"{many(MIN_MEAN, 'lead')} a day: too little history to detect unusual days")
    unusual = pd.array(np.abs(z) > UNUSUAL, dtype=FLAG.dtype)
    unusual[np.isnan(z)] = pd.NA
    return table.drop(columns=[_DAY, _CODE]).assign(
        date=_dates(table[_DAY].to_numpy("int64")),
        weekday=np.array([name[:3] for name in WEEKDAYS], dtype=object)[_weekday(table)],
        anomaly=unusual,
    )


def _remark_on_groups(table: pd.DataFrame, column: str, lacking: str) -> None:
    """Add a remark on the groups without any value in *column*, and on what they are *lacking*."""
    has_values = table[column].notna().groupby(table[_CODE]).any()
    count = int((~has_values).sum())
    if count:
        groups = f"{count:,} of {many(len(has_values), 'group')} have" if len(has_values) > 1 else "There are"
        remark(f"{groups} less than {MIN_WEEKS} weeks of at least {lacking}.")


def _dates(day: npt.NDArray[np.int64]) -> Any:
    return day.astype("datetime64[D]").astype("datetime64[us]")


# ---- weeks


def _by_week(table: pd.DataFrame) -> pd.DataFrame:
    """The table by week, each compared with the same weekdays of the week before."""
    _remark_on_groups(
        table, "dispersion", f"{many(MIN_MEAN_FOR_CHANGE, 'lead')} a day: too little history to test a change"
    )
    leads, code = table["leads"].to_numpy("int64"), table[_CODE].to_numpy()
    has_before = np.zeros(len(table), dtype=bool)  # whether the group has the same weekday of the week before
    has_before[7:] = code[7:] == code[:-7]
    is_fitted = table["dispersion"].notna().to_numpy()
    days: dict[str, Any] = {
        "before": np.where(has_before, np.roll(leads, 7), 0),
        _WEEK: (table[_DAY] + 3) // 7,
        _DAYS: 1,
        _HAS_BEFORE: has_before,
        _FITTED: is_fitted,
        _TESTED: has_before & is_fitted & np.roll(is_fitted, 7),
    }
    weeks = table.assign(**days).groupby([_CODE, _WEEK], sort=False)
    sums = weeks[["leads", "before", _DAYS, _HAS_BEFORE, _FITTED, _TESTED]].sum().reset_index()
    first = weeks[[table.columns[0], "dispersion"]].head(1).reset_index(drop=True)
    all_before, all_fitted, all_tested = (
        (sums[column] == sums[_DAYS]).to_numpy() for column in (_HAS_BEFORE, _FITTED, _TESTED)
    )
    table = first.assign(
        date=_dates(sums[_WEEK].to_numpy("int64") * 7 - 3),
        whole=sums[_DAYS] == 7,
        leads=sums["leads"],
        before=np.where(all_before, sums["before"].to_numpy("float64"), np.nan),
        dispersion=first["dispersion"].where(all_fitted),
    )
    return table.assign(**_change(table, all_tested))


_WEEK, _DAYS, _HAS_BEFORE, _FITTED, _TESTED = "(week)", "(days)", "(has before)", "(fitted)", "(tested)"


def _change(weeks: pd.DataFrame, is_tested: Mask) -> dict[str, Floats]:
    """The change of each week from the one before (the ratio minus 1), with an interval if it *is_tested*."""
    leads, before = weeks["leads"].to_numpy("float64"), weeks["before"].to_numpy("float64")
    low, high = _share_interval(leads, before, weeks["dispersion"].to_numpy("float64"))
    defined = before > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "change": np.where(defined, leads / before, np.nan) - 1,
            "change_low": np.where(defined & is_tested, low / (1 - low), np.nan) - 1,
            "change_high": np.where(defined & is_tested, high / (1 - high), np.nan) - 1,
        }


def _share_interval(leads: Any, before: Any, dispersion: Any) -> tuple[Any, Any]:
    """The 95% interval of the share of *leads* in *leads* + *before*, with counts divided by the dispersion."""
    return wilson(leads / dispersion, (leads + before) / dispersion)


# ---- headlines


@lead_volume.headline_for(show="days")
def headline_of_days(table: pd.DataFrame) -> str:
    """Leads a day in the last 28 days and in the 28 before, and the latest unusual day; by group, the largest one."""
    if _has_groups(table):
        parts = [_most_leads(table), _unusual_in_groups(table)]
    else:
        parts = [_recent_change(table), _latest_unusual(table)]
    return " ".join(f"{part}." for part in parts if part)


_RECENT = 28  # days: whole weeks


def _has_groups(table: pd.DataFrame) -> bool:
    return bool(table.iloc[:, 0].nunique() > 1)


def _most_leads(table: pd.DataFrame) -> str:
    recent = table[table["date"] > table["date"].max() - pd.Timedelta(days=_RECENT)]
    sums = recent.groupby(table.columns[0], sort=False, as_index=False)["leads"].sum()
    group = largest_group(sums.astype({table.columns[0]: TEXT.dtype}), "leads")
    return f"Most leads in the last {_RECENT} days: {group}" if group else ""


def _unusual_in_groups(table: pd.DataFrame) -> str:
    if not table["anomaly"].notna().any():
        return ""
    return f"{_count_unusual(table)} for {'its' if as_mask(table['anomaly']).sum() == 1 else 'their'} group"


def _count_unusual(table: pd.DataFrame) -> str:
    count = int(as_mask(table["anomaly"]).sum())
    return f"{many(count, 'day') if count else 'No days'} {'was' if count == 1 else 'were'} unusual"


def _latest_unusual(table: pd.DataFrame) -> str:
    """How many days were unusual, and the latest of them."""
    unusual = table[as_mask(table["anomaly"])]
    if not len(unusual):
        return _count_unusual(table) if table["anomaly"].notna().any() else ""
    day = unusual.sort_values("date").iloc[-1]
    latest = f"{format_date(day['date'])}, with {many(day['leads'], 'lead')} ({day['expected']:,.0f} expected)"
    return f"{_count_unusual(table)}{', the latest on' if len(unusual) > 1 else ':'} {latest}"


def _recent_change(table: pd.DataFrame) -> str:
    """Leads a day in the last 28 days and in the 28 before, and whether the change is significant."""
    age = (table["date"].max() - table["date"]).dt.days
    if age.max() < 2 * _RECENT - 1:
        return f"{many(table['leads'].sum(), 'lead')} in {many(len(table), 'day')}, {_TOO_LITTLE}"
    recent, earlier = table[age < _RECENT], table[(age >= _RECENT) & (age < 2 * _RECENT)]
    leads, before = int(recent["leads"].sum()), int(earlier["leads"].sum())
    dispersion = pd.concat([earlier["dispersion"], recent["dispersion"]]).min(skipna=False)
    return (
        f"{leads / _RECENT:,.1f} leads a day in the last {_RECENT} days, vs. {before / _RECENT:,.1f} in the "
        f"{_RECENT} days before, {_significance(leads, before, dispersion)}"
    )


_TOO_LITTLE = "too little history to test the change"


def _significance(leads: int, before: int, dispersion: float) -> str:
    """Whether the counts of two equally long periods differ significantly, given the *dispersion* of the days."""
    if np.isnan(dispersion):
        return _TOO_LITTLE
    low, high = _share_interval(leads, before, dispersion)
    return "a significant change" if low > 0.5 or high < 0.5 else "no significant change"


@lead_volume.headline_for(show="weeks")
def headline_of_weeks(table: pd.DataFrame) -> str:
    """Leads in the last full week and in the one before, and whether the change is significant; "" for groups."""
    whole = table[as_mask(table["whole"])]
    if _has_groups(table) or not len(whole):
        return ""
    last = whole.iloc[-1]
    leads = f"{many(last['leads'], 'lead')} in the week of {format_date(last['date'])}"
    if pd.isna(last["before"]):
        return f"{leads}."
    significance = _significance(int(last["leads"]), int(last["before"]), last["dispersion"])
    return f"{leads}, vs. {last['before']:,} the week before, {significance}."


# ---- charts


@lead_volume.chart("leads", show="days")
def chart_of_days(table: pd.DataFrame, ax: Axes) -> None:
    """Leads per day, the 7-day average, the expected range and the unusual days; for groups, a line for each."""
    table = _shown_period(table, ax)
    groups = table.iloc[:, 0]
    if groups.nunique() > 1:
        window = 28 if table["date"].nunique() > 200 else 7
        _draw_groups(table, groups, ax, window)
        ax.set_ylabel(f"leads per day ({window}-day average)")
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
    _draw_unusual_days(table, ax)
    ax.set_ylim(0, max(1.0, top) * 1.16)
    ax.set_ylabel("leads per day")
    _format_dates(ax)
    draw_legend(ax, y=-0.1)


_DENSE = 130  # days: with more, a daily line and the range of each weekday would be unreadable


def _shown_period(table: pd.DataFrame, ax: Axes) -> pd.DataFrame:
    """The rows of the fitted period, or else those after a few early leads; a note counts the earlier leads."""
    fitted = table["dispersion"].notna()
    start = _regular_start(table) if _has_groups(table) or not fitted.any() else table.loc[fitted, "date"].min()
    early = as_mask(table["date"] < start)
    count = int(table.loc[early, "leads"].sum())
    if count:
        note = f"not shown: {many(count, 'lead')} before {start:%Y-%m-%d}"
        ax.annotate(note, (0, 1), xycoords="axes fraction", ha="left", va="bottom", color=GRAY, fontsize=8)
    return table[~early]


def _regular_start(table: pd.DataFrame) -> pd.Timestamp:
    """The first date to show, so that a few early leads do not leave the chart mostly empty."""
    leads = table.groupby("date")["leads"].sum().astype("float64")
    time_share = (leads.index - leads.index[0]) / max(leads.index[-1] - leads.index[0], pd.Timedelta(days=1))
    lead_share = (leads.cumsum() - leads) / max(leads.sum(), 1)
    empty = time_share - lead_share
    return pd.Timestamp(empty.idxmax() if empty.max() > 0.5 else leads.index[0])


def _draw_unusual_days(table: pd.DataFrame, ax: Axes) -> None:
    """Draw a dot on each unusual day and its expected range; label the most extreme days where there is room."""
    unusual = table[as_mask(table["anomaly"])]
    if not len(unusual):
        return
    dates = unusual["date"].to_numpy()
    low, high = unusual["low"].to_numpy("float64"), unusual["high"].to_numpy("float64")
    if len(table) > _DENSE:
        ax.vlines(dates, low, high, color=ORANGE, linewidth=2, linestyles="-", zorder=3, label="expected range")
    draw_points(ax, dates, unusual["leads"].to_numpy("float64"), RED, 20, zorder=4, label="unusual day")
    first, last = table["date"].min(), table["date"].max()
    width, height = (last - first) / 5, 0.12 * float(table["leads"].max())  # of a label, roughly
    labeled: list[tuple[pd.Timestamp, float]] = []
    for index in np.argsort(-unusual["z"].abs().to_numpy("float64"), kind="stable").tolist():
        day, leads = pd.Timestamp(dates[index]), float(unusual["leads"].iloc[index])
        if len(labeled) == 6 or any(abs(day - x) < width and abs(leads - y) < height for x, y in labeled):
            continue
        labeled.append((day, leads))
        ax.annotate(
            f"{day:%b} {day.day}: {leads:,.0f}",
            (dates[index], leads),
            xytext=(0, 5),
            textcoords="offset points",
            ha="right" if day > last - width / 2 else "left" if day < first + width / 2 else "center",
            va="bottom",
            fontsize=8,
            color=RED,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
            zorder=5,
        )


@lead_volume.chart("leads", show="weeks")
def chart_of_weeks(table: pd.DataFrame, ax: Axes) -> None:
    """Leads per week, complete weeks only; for groups, a line for each."""
    table = _shown_period(table, ax)
    whole = as_mask(table["whole"])
    table = table[whole] if whole.any() else table
    groups = table.iloc[:, 0]
    ax.set_ylabel("leads per week")
    if groups.nunique() > 1:
        window = 4 if table["date"].nunique() > 26 else 1
        _draw_groups(table, groups, ax, window)
        ax.set_ylabel("leads per week" if window == 1 else "leads per week (4-week average)")
    else:
        leads = table["leads"].to_numpy("float64")
        ax.bar(table["date"].to_numpy(), leads, width=np.timedelta64(6, "D"), align="edge", color=BLUE, linewidth=0)
        _format_dates(ax)
    ax.set_ylim(0, None)


def _draw_groups(table: pd.DataFrame, groups: pd.Series, ax: Axes, window: int) -> None:
    """Draw a line for each of the largest groups; a note counts the others."""
    sizes = table.assign(group=groups).groupby("group", sort=False)[["leads"]].sum().reset_index()
    shown = top_groups(sizes, ax, "leads", len(PALETTE))
    for name, color in zip(shown["group"], PALETTE, strict=False):
        rows = table[groups == name]
        line: dict[str, Any] = {"linewidth": 1.5, "linestyle": "-", "marker": "o" if len(rows) == 1 else ""}
        leads = _smooth(rows["leads"].to_numpy("float64"), window)
        ax.plot(rows["date"].to_numpy(), leads, color=color, label=name, **line)
    ax.set_ylim(0, None)
    _format_dates(ax)
    longest = max(len(line) for name in shown["group"] for line in name.splitlines())
    draw_legend(ax, y=-0.1, ncols=3 if longest <= 16 else 2)


def _smooth(values: Floats, window: int) -> Floats:
    mean = pd.Series(values).rolling(window, center=True, min_periods=window // 2 + 1).mean()
    return values if len(values) < window else np.asarray(mean, dtype="float64")


def _format_dates(ax: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    locator = AutoDateLocator(tz=UTC, minticks=3, maxticks=8, interval_multiples=True)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC, usetex=False))  # type: ignore[no-untyped-call]
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=ax.get_ylim()[1] >= 3))
    draw_gridlines(ax, "y")
