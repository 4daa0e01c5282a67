"""Lead volume: how many leads come each day, and which days are odd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlkit.analysis.drawing import BLUE, GREY, ORANGE, PALE, PALETTE, RED, SKY, most
from hlkit.analysis.imports import Imports, without_imports
from hlkit.analysis.measures import WEEKDAYS, by_size, group_column, grouped, need, wilson
from hlkit.analysis.notes import drop, remark, truths
from hlkit.analysis.registry import analysis
from hlkit.analysis.saying import largest
from hlkit.errors import InvalidRequest
from hlkit.kinds import COUNT, DAY, FLAG, NUMBER, TEXT
from hlkit.tables.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ODD = 3.3  # deviations: by chance one day in a thousand
WEEKS, MEAN = 8, 5  # what it takes to say what is usual: whole weeks, and leads a day
REFITS = 2
_MOST_ROWS = 2_000_000


@analysis(
    "How many leads came each day, and which days were odd?",
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
        },
        "weeks": {
            "date": DAY,
            "whole": FLAG,
            "leads": COUNT,
            "before": COUNT,
            "change": NUMBER,
            "change_low": NUMBER,
            "change_high": NUMBER,
        },
    },
    definition=(
        "Contacts by the day on which they were created, in the location's zone: whole days only, a day without a "
        "lead is 0, and contacts of an import are left out. What is expected of a day follows from its weekday and "
        "a steady growth or decline (a Poisson regression, fitted again without the odd days). A day is odd where "
        "its count is more than 3.3 deviations away from that, outside of low to high; the deviation is that of "
        "chance, or of the days themselves where they vary more. A contact that was deleted since is not counted. "
        "By week, change is against the same weekdays of the week before (0.1 is a tenth more), with the 95% "
        "interval that chance alone gives it."
    ),
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
    """Leads of each day, what was to be expected, and the days on which something happened.

    Takes one row per contact (contact_id, created_at, *by*). A group begins with the day of its first lead; all
    end with the last day that was over at *as_of*, or at *until* if that is earlier. Where a group has less than
    8 weeks or fewer than 5 leads a day, its days are counted and nothing is expected of them: a remark says so.
    Raises ``MissingColumn``, and ``InvalidRequest`` where *by* has so many groups that nobody could read a row
    for each of their days.

    Parameters
    ----------
    by
        A column of contacts to count apart: source, owner, tags, a custom field.
    show
        ``days``: a row for each day: ``date``, ``weekday``, ``leads``; ``expected`` leads and the bounds ``low``
        and ``high`` of what is usual; ``z``, by how many deviations it differs; ``anomaly``. ``weeks``: a row for
        each week by its Monday: whether all its days are counted (``whole``), their ``leads``, the leads of the
        same weekdays a week ``before``, and the ``change`` (a ratio less one) with its interval.

    Source: Farrington, Andrews, Beale & Catchpole, "A Statistical Algorithm for the Early Detection of Outbreaks
    of Infectious Disease", J. R. Statist. Soc. A 159(3), 1996; Anscombe, "The Transformation of Poisson, Binomial
    and Negative-Binomial Data", Biometrika 35, 1948.
    """
    need(contacts, "contact_id", "created_at", by)
    leads = drop(contacts, contacts["created_at"].isna(), "contacts without a date")
    leads = without_imports(leads, imports, "contacts")
    local = leads["created_at"].dt.tz_convert(timezone).dt.tz_localize(None)
    today = (as_of if until is None else min(as_of, until)).tz_convert(timezone).tz_localize(None).normalize()
    leads = leads.assign(**{_DAY: (local - _EPOCH) // pd.Timedelta(days=1)})
    end = (today - _EPOCH) // pd.Timedelta(days=1)  # the first day that is not counted
    leads = drop(leads, leads[_DAY] >= end, "contacts of the day that is not over")
    table = _counted(leads, by, end)
    return _by_week(table) if show == "weeks" else _judged(table)


_DAY = "(day)"
_EPOCH = pd.Timestamp("1970-01-01")  # a Thursday


# ---- counting


def _counted(leads: pd.DataFrame, by: str | None, end: int) -> pd.DataFrame:
    """A row for each day of each group, from its first lead on: group, day number, leads. Largest group first."""
    leads, keys = grouped(leads[[_DAY] if by is None else [by, _DAY]], by)
    codes, names = by_size(keys)
    day = leads[_DAY].to_numpy("int64")
    first = np.full(len(names), end, dtype="int64")
    np.minimum.at(first, codes, day)
    length = end - first
    if length.sum() > _MOST_ROWS:
        raise InvalidRequest(
            f"by={by!r} has {len(names):,} groups, too many for a row on each of their days",
            hint="choose a column with fewer values, such as source",
        )
    start = np.cumsum(length) - length
    counts = np.bincount(start[codes] + day - first[codes], minlength=int(length.sum()))
    group = np.repeat(np.arange(len(names)), length)
    name = group_column(by, {**lead_volume.columns_of("days"), **lead_volume.columns_of("weeks")})
    return pd.DataFrame(
        {
            name: names[group],
            _DAY: np.arange(len(group)) - np.repeat(start - first, length),
            "leads": counts,
            _CODE: group,
        }
    )


_CODE = "(code)"


# ---- days


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """The days with what was expected of them."""
    day, leads = table[_DAY].to_numpy("int64"), table["leads"].to_numpy("float64")
    weekday = (day + 3) % 7
    told = {name: np.full(len(table), np.nan) for name in ("expected", "low", "high", "z")}
    ends = np.flatnonzero(np.diff(table[_CODE].to_numpy(), append=-1)) + 1
    short = 0
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=False):
        if end - start < WEEKS * 7 or leads[start:end].mean() < MEAN:
            short += 1
            continue
        for name, values in _usual(leads[start:end], weekday[start:end]).items():
            told[name][start:end] = values
    if short:
        whom = f"{short:,} of {len(ends):,} groups have" if len(ends) > 1 else "There are"
        remark(
            f"{whom} less than {WEEKS} weeks or fewer than {MEAN} leads a day: too few to say which days are odd, so "
            "they are counted alone."
        )
    odd = pd.array(np.abs(told["z"]) > ODD, dtype=FLAG.dtype)
    odd[np.isnan(told["z"])] = pd.NA
    return table.drop(columns=[_DAY, _CODE]).assign(
        date=_dates(day),
        weekday=np.array([name[:3] for name in WEEKDAYS], dtype=object)[weekday],
        **told,
        anomaly=odd,
    )


def _dates(day: npt.NDArray[np.int64]) -> Any:
    return day.astype("datetime64[D]").astype("datetime64[ms]")


def _usual(leads: Floats, weekday: npt.NDArray[np.int64]) -> dict[str, Floats]:
    """What is expected of each day, the bounds of what is usual, and by how many deviations it differs.

    The root of a Poisson count has nearly the same deviation whatever its mean (Anscombe): 1/2.
    """
    usual = np.ones(len(leads), dtype=bool)
    for _ in range(1 + REFITS):
        expected = poisson_fit(leads, weekday, usual)
        apart = 2 * (np.sqrt(leads + 3 / 8) - np.sqrt(expected + 3 / 8))
        middle = np.median(apart[usual])
        scale = max(1.0, 1.4826 * float(np.median(np.abs(apart[usual] - middle))))
        kept = np.abs(apart / scale) <= ODD
        if (np.bincount(weekday[kept], minlength=7) < 2).any() or (kept == usual).all():
            break
        usual = kept
    root = np.sqrt(expected + 3 / 8)
    low, high = (np.maximum(root + sign * ODD * scale / 2, 0.0) ** 2 - 3 / 8 for sign in (-1, 1))
    return {"expected": expected, "low": np.maximum(low, 0.0), "high": high, "z": apart / scale}


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


# ---- weeks


def _by_week(table: pd.DataFrame) -> pd.DataFrame:
    """The weeks, each against the same weekdays of the week before."""
    week = (table[_DAY] + 3) // 7
    leads, code = table["leads"].to_numpy("int64"), table[_CODE].to_numpy()
    same = np.zeros(len(table), dtype=bool)  # as a day of the same group a week before
    same[7:] = code[7:] == code[:-7]
    before = np.where(same, np.roll(leads, 7), 0)
    more: dict[str, Any] = {_WEEK: week, "before": before, _DAYS: 1, _SAME: same}
    told = table.assign(**more)
    sums = told.groupby([table.columns[0], _CODE, _WEEK], sort=False)[["leads", "before", _DAYS, _SAME]].sum()
    sums = sums.reset_index()
    now, then = sums["leads"].to_numpy("float64"), sums["before"].to_numpy("float64")
    known = (sums[_SAME] == sums[_DAYS]).to_numpy() & (then > 0)  # a group's first week has no week before
    low, high = wilson(now, now + then)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = {"change": now / then, "change_low": low / (1 - low), "change_high": high / (1 - high)}
    sums = sums.assign(**{name: np.where(known, ratio - 1, np.nan) for name, ratio in ratios.items()})
    sums = sums.assign(whole=sums[_DAYS] == 7, date=_dates(sums[_WEEK].to_numpy("int64") * 7 - 3))
    return sums.drop(columns=[_CODE, _WEEK, _DAYS, _SAME])


_WEEK, _DAYS, _SAME = "(week)", "(days)", "(same)"


# ---- its answers


@lead_volume.answer(show="days")
def how_many_come(table: pd.DataFrame) -> str:
    """How many leads came a day lately and before, and the last of the odd days."""
    lately = table["date"] > table["date"].max() - pd.Timedelta(days=_LATELY)
    odd = table[truths(table["anomaly"])].sort_values("date", kind="stable")
    known = table["anomaly"].notna().any()
    days_ = f"{many(len(odd), 'day')} {'was' if len(odd) == 1 else 'were'} odd" if known else ""
    if table.iloc[:, 0].nunique() > 1:
        sums = table[lately].groupby(table.columns[0], sort=False, as_index=False)["leads"].sum()
        came = largest(sums.astype({table.columns[0]: TEXT.dtype}), "leads")
        said = f"Most leads in the last {_LATELY} days: {came}" if came else ""
        return " ".join(f"{part}." for part in (said, days_ and f"{days_} for their group") if part)
    said = _lately(table, lately)
    if len(odd):
        last = odd.iloc[-1]
        which = f"{'the last on ' if len(odd) > 1 else ''}{last['date']:%Y-%m-%d}"
        days_ += f", {which}, with {many(last['leads'], 'lead')} where {last['expected']:,.0f} were expected"
    return f"{said} {days_}.".strip() if days_ else said


_LATELY = 28  # days: whole weeks


def _lately(table: pd.DataFrame, lately: pd.Series) -> str:
    now = int(table.loc[lately, "leads"].sum())
    start = table["date"].max() - pd.Timedelta(days=2 * _LATELY)
    if table["date"].min() > start + pd.Timedelta(days=1):
        return f"{many(table['leads'].sum(), 'lead')} came in {many(len(table), 'day')}."
    then = int(table.loc[~lately & (table["date"] > start), "leads"].sum())
    low, high = wilson(now, now + then)
    verdict = (
        "no more change than chance may bring" if not now + then or low <= 0.5 <= high else "a change beyond chance"
    )
    return (
        f"In the last {_LATELY} days {now / _LATELY:,.1f} leads came a day, {then / _LATELY:,.1f} in the {_LATELY} "
        f"days before: {verdict}."
    )


@lead_volume.answer(show="weeks")
def how_the_week_was(table: pd.DataFrame) -> str:
    whole = table[truths(table["whole"])]
    if table.iloc[:, 0].nunique() > 1 or not len(whole):
        return ""
    last = whole.iloc[-1]
    said = f"In the last whole week, from {last['date']:%Y-%m-%d}, {many(last['leads'], 'lead')} came"
    if pd.isna(last["change"]):
        return f"{said}."
    beyond = last["change_low"] > 0 or last["change_high"] < 0
    verdict = "a change beyond chance" if beyond else "no more change than chance may bring"
    return f"{said}, {last['before']:,} in the week before: {verdict}."


# ---- charts


@lead_volume.chart("leads", show="days")
def days(table: pd.DataFrame, ax: Axes) -> None:
    groups = table.iloc[:, 0]
    if groups.nunique() > 1:
        window = 28 if table["date"].nunique() > 200 else 7
        _lines(table, groups, ax, window)
        ax.set_ylabel(f"leads a day (mean of {window} days)")
        return
    date, leads = table["date"].to_numpy(), table["leads"].to_numpy("float64")
    top = leads.max()
    if len(table) > _DENSE:
        ax.scatter(date, leads, color=GREY, s=3, linewidths=0, alpha=0.7, label="a day")
    else:
        if table["expected"].notna().any():
            low, high = table["low"].to_numpy("float64"), table["high"].to_numpy("float64")
            top = max(top, np.nanmax(high))
            ax.fill_between(date, low, high, color=SKY, alpha=0.25, linewidth=0, step="mid", label="usual")
        ax.plot(date, leads, color=GREY, linewidth=0.8, marker=".", markersize=4, label="a day")
    if len(table) >= 14:
        ax.plot(date, _smooth(leads, 7), color=BLUE, linewidth=1.6, label="mean of 7 days")
    _odd_days(table, ax)
    ax.set_ylim(0, max(1.0, top) * 1.16)
    ax.set_ylabel("leads a day")
    _dated(ax)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=4, columnspacing=1.2, handlelength=1.4)


_DENSE = 130  # days: with more, lines from day to day and a band of weekdays are a thicket


def _odd_days(table: pd.DataFrame, ax: Axes) -> None:
    """A dot on each odd day over what was usual for it; the date at the most extreme, where there is room."""
    odd = table[truths(table["anomaly"])]
    if not len(odd):
        return
    dates, low, high = odd["date"].to_numpy(), odd["low"].to_numpy("float64"), odd["high"].to_numpy("float64")
    if len(table) > _DENSE:
        ax.vlines(dates, low, high, color=ORANGE, linewidth=2, zorder=3, label="usual for it")
    ax.scatter(dates, odd["leads"].to_numpy("float64"), color=RED, s=20, zorder=4, label="odd day")
    first, last = table["date"].min(), table["date"].max()
    wide, tall = (last - first) / 5, 0.12 * float(table["leads"].max())
    named: list[tuple[pd.Timestamp, float]] = []
    for place in np.argsort(-odd["z"].abs().to_numpy("float64"), kind="stable").tolist():
        day, leads = pd.Timestamp(dates[place]), float(odd["leads"].iloc[place])
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
    whole = truths(table["whole"])
    table = table[whole] if whole.any() else table
    groups = table.iloc[:, 0]
    ax.set_ylabel("leads a week")
    if groups.nunique() > 1:
        window = 4 if table["date"].nunique() > 26 else 1
        _lines(table, groups, ax, window)
        ax.set_ylabel("leads a week" if window == 1 else "leads a week (mean of 4 weeks)")
    else:
        leads = table["leads"].to_numpy("float64")
        ax.bar(table["date"].to_numpy(), leads, width=np.timedelta64(6, "D"), align="edge", color=BLUE)
        _dated(ax)
    ax.set_ylim(0, None)


def _lines(table: pd.DataFrame, groups: pd.Series, ax: Axes, window: int) -> None:
    """A line for each of the largest groups; the rest is told."""
    sizes = table.assign(group=groups).groupby("group", sort=False)[["leads"]].sum().reset_index()
    shown = most(sizes, ax, "leads", len(PALETTE))
    for name, colour in zip(shown["group"], PALETTE, strict=False):
        rows = table[groups == name]
        marker = "o" if len(rows) == 1 else None
        leads = _smooth(rows["leads"].to_numpy("float64"), window)
        ax.plot(rows["date"].to_numpy(), leads, color=colour, linewidth=1.5, marker=marker, label=name)
    ax.set_ylim(0, None)
    _dated(ax)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3)


def _smooth(values: Floats, window: int) -> Floats:
    mean = pd.Series(values).rolling(window, center=True, min_periods=window // 2 + 1).mean()
    return values if len(values) < window else np.asarray(mean, dtype="float64")


def _dated(ax: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=ax.get_ylim()[1] >= 3))
    ax.grid(axis="y", color=PALE, linewidth=0.6)
    ax.set_axisbelow(True)
