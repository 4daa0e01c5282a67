"""How many leads to expect on each day: a Poisson regression on weekday and trend, and how much days vary.

Everything works on the days of one group in order: ``leads`` is the number of leads on each, ``weekday`` is 0 for
Monday.

Source: Farrington, Andrews, Beale & Catchpole, "A Statistical Algorithm for the Early Detection of Outbreaks of
Infectious Disease", J. R. Statist. Soc. A 159(3), 1996; Anscombe, "The Transformation of Poisson, Binomial and
Negative-Binomial Data", Biometrika 35, 1948; McCullagh & Nelder, "Generalized Linear Models", 2nd ed., 1989, ch. 6.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlkit.analysis.core.shares import Floats, wilson

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

UNUSUAL = 3.3  # standard deviations: by chance, one day in a thousand
MIN_WEEKS = 8  # the shortest history that is tested
MIN_MEAN = 5  # leads a day: with fewer, an unusual day cannot be detected
MIN_MEAN_FOR_CHANGE = 1  # lead a day: with fewer, the dispersion is too uncertain to test a change
GAP = 28  # days in a row without a lead: they separate two periods
REFITS = 2
MODEL = ("expected", "low", "high", "z", "dispersion")


def fit_days(leads: Floats, weekday: Ints) -> pd.DataFrame:
    """A row per day with the columns ``MODEL``, null before the fitted period.

    With few leads there is only the ``dispersion``, or nothing.
    """
    model = pd.DataFrame(np.nan, index=range(len(leads)), columns=list(MODEL))
    first = fit_start(leads, MIN_MEAN, at_start=MIN_MEAN)
    if first is not None:
        fitted = _expected_range(leads[first:], weekday[first:])
        return model.assign(**{name: np.append(np.full(first, np.nan), fitted[name]) for name in MODEL})
    first = fit_start(leads, MIN_MEAN_FOR_CHANGE)
    if first is not None:
        every_day = np.ones(len(leads) - first, dtype=bool)  # with so few leads, no day can be called unusual
        expected = poisson_fit(leads[first:], weekday[first:], every_day)
        model.loc[first:, "dispersion"] = dispersion(leads[first:], expected, weekday[first:], every_day)
    return model


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


def _may_start(leads: Floats, busy: Ints, mean: float, at_start: float) -> Mask:
    """Whether the fit may start on each of the *busy* days, the indexes of days with leads."""
    days, total = (np.concatenate([[0], np.cumsum(values)]) for values in (leads > 0, leads))
    week, month = (np.minimum(busy + length, len(leads)) for length in (7, GAP))
    regular = days[month] - days[busy] > GAP / 2
    # A single lead a week before the business opens is followed by a regular month, but not by a regular week.
    regular &= days[week] - days[busy] > 7 / 2
    enough = total[month] - total[busy] >= at_start * GAP
    enough &= total[-1] - total[busy] >= mean * (len(leads) - busy)
    return np.asarray(regular & enough, dtype="bool")


def _expected_range(leads: Floats, weekday: Ints) -> dict[str, Floats]:
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
        "dispersion": np.full(len(leads), dispersion(leads, expected, weekday, is_usual)),
    }


def dispersion(leads: Floats, expected: Floats, weekday: Ints, used: Mask) -> float:
    """The ratio of the variance of the days *used* to that of chance (Pearson's statistic); at least 1.

    The square of the robust scale would be too small for skewed counts: with a dispersion of 4 it gives 3.6 at 5
    leads a day, and 2.3 at 2 leads a day.
    """
    used = used & (expected > 0)
    squares = (leads[used] - expected[used]) ** 2 / expected[used]
    parameters = len(np.unique(weekday[used])) + 1  # the trend
    return max(1.0, float(squares.sum()) / max(1, len(squares) - parameters))


def poisson_fit(counts: Floats, weekday: Ints, used: Mask) -> Floats:
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


# ---- changes


def change_interval(leads: Any, before: Any, dispersion: Any, length: Any = 1.0) -> tuple[Any, Any]:
    """The 95% interval of the ratio of *leads* to *before*, when days vary by *dispersion*.

    *length* is how much longer the period of *leads* is than the one before. The counts are divided by the
    dispersion; then the share of *leads* in both together has a Wilson interval.
    """
    low, high = wilson(leads / dispersion, (leads + before) / dispersion)
    with np.errstate(divide="ignore", invalid="ignore"):
        return low / (1 - np.float64(low)) / length, high / (1 - np.float64(high)) / length


def change_p(leads: Any, before: Any, dispersion: Any, length: float = 1.0) -> Any:
    """The p-value of a change, the level at which the interval of ``change_interval`` begins to exclude 1.

    NaN if fewer than 5 leads, divided by the dispersion, would be expected in either period.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        n, expected = (leads + before) / dispersion, length / (1 + length)
        z = (leads / (leads + before) - expected) / np.sqrt(expected * (1 - expected) / n)
        p = np.array([math.erfc(abs(value) / math.sqrt(2)) for value in np.atleast_1d(z)])
        return np.where(n * min(expected, 1 - expected) >= 5, p, np.nan)


def significance(leads: float, before: float, dispersion: float, length: float = 1.0) -> str:
    """Whether the leads of two periods differ significantly, given the *dispersion* of the days."""
    if np.isnan(dispersion):
        return "too little history to test the change"
    low, high = change_interval(leads, before, dispersion, length)
    return "a significant change" if low > 1 or high < 1 else "no significant change"
