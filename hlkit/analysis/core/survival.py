"""Waiting times, including those of rows that are still waiting (censored)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hlkit.analysis.core.run_log import as_mask
from hlkit.analysis.core.shares import Array, Floats, wilson


def kaplan_meier(wait: Any, ended: Any) -> tuple[Floats, Floats]:
    """The observed times in ascending order, and the share still waiting just after each.

    *wait* is how long each row waited and *ended* whether its wait was over by then; a row that is still waiting is
    censored. Rows with a null *wait* are ignored.

    Source: Kaplan & Meier, "Nonparametric Estimation from Incomplete Observations", JASA 53, 1958.
    """
    wait, ended = _without_nulls(wait, ended)
    order = np.argsort(wait, kind="stable")
    times, first = np.unique(wait[order], return_index=True)
    if not len(times):
        return times, times
    ends = np.add.reduceat(ended[order].astype("float64"), first)
    at_risk = len(wait) - first
    return times, np.asarray(np.cumprod(1 - ends / at_risk), dtype="float64")


def _without_nulls(wait: Any, ended: Any) -> tuple[Floats, Array]:
    wait = np.asarray(wait, dtype="float64")
    ended = as_mask(ended)
    has_wait = ~np.isnan(wait)
    return (wait, ended) if has_wait.all() else (wait[has_wait], ended[has_wait])


def survival_quantiles(wait: Any, ended: Any, quantiles: Sequence[float] = (0.5,)) -> tuple[float, ...]:
    """The time by which each of these shares of all rows has ended (Kaplan-Meier); NaN if it is never reached."""
    times, waiting = kaplan_meier(wait, ended)
    reached = [np.flatnonzero(waiting <= 1 - quantile + 1e-12) for quantile in quantiles]
    return tuple(float(times[index[0]]) if len(index) else np.nan for index in reached)


def never_ended(wait: Any, ended: Any) -> tuple[float, float, float]:
    """The share of rows still waiting at the end (Kaplan-Meier), with its 95% interval; NaN without rows.

    It is the Wilson interval of the number of rows for which a simple share would have Greenwood's variance: all rows
    if none is censored.
    """
    times, waiting = kaplan_meier(wait, ended)
    if not len(times):
        return np.nan, np.nan, np.nan
    wait = _without_nulls(wait, ended)[0]
    at_risk = len(wait) - np.searchsorted(np.sort(wait), times, side="left")
    with np.errstate(invalid="ignore", divide="ignore"):
        stay = waiting / np.concatenate([[1.0], waiting[:-1]])  # the share of those at risk that keeps waiting
        greenwood = np.cumsum((1 - stay) / (at_risk * stay))
        effective = np.where(waiting < 1, (1 - waiting) / (waiting * greenwood), at_risk)
    known = effective[np.isfinite(effective) & (waiting > 0)]
    rows = float(known[-1]) if len(known) else float(len(wait))
    low, high = wilson(waiting[-1] * rows, rows)
    return float(waiting[-1]), low, high


@dataclass(frozen=True)
class Incidence:
    """The share of all rows that has ended in one way by each of *times*, with its 95% Wilson interval.

    ``remaining`` is the share that has not ended in any way. The interval is that of an effective number of rows:
    the number whose binomial variance equals the variance of the estimate. Without censoring that is all rows; the
    more rows are censored, the fewer it is.
    """

    times: Floats
    share: Floats
    low: Floats
    high: Floats
    remaining: Floats

    def at(self, when: Any) -> tuple[Floats, Floats, Floats]:
        """Share, low and high at *when*; NaN where no row was observed for so long."""
        when = np.asarray(when, dtype="float64")
        if not len(self.times):
            return (np.full(when.shape, np.nan),) * 3
        index = np.searchsorted(self.times, when, side="right") - 1
        in_range = (when <= self.times[-1]) | (self.remaining[-1] <= 1e-12)
        observed = (index >= 0) & ~np.isnan(when) & in_range
        share, low, high = (np.where(observed, curve[index], np.nan) for curve in (self.share, self.low, self.high))
        return share, low, high


_MISSED_ENDS = 0.5  # a continuity correction: ends that may have been missed where few rows were observed for long


def cumulative_incidence(wait: Any, ended: Any, so: Any, weight: Any = None, worth: float = 1.0) -> Incidence:
    """The share of rows that has ended in one particular way by each time (Aalen-Johansen).

    Other rows end in another way or have not ended yet. To treat the other ways as censored (Kaplan-Meier) would
    estimate how many would end this way if they could end in no other: 1 in the long run, whatever the share.

    Parameters
    ----------
    wait
        How long each row waited.
    ended
        Whether the wait was over by then, in any way.
    so
        Whether it ended in the way of interest.
    weight
        How many rows each row counts for; 1 if omitted.
    worth
        How many independent rows each row is worth, for the interval.

    Source: Aalen & Johansen, Scand. J. Statist. 5, 1978; the variance by the delta method, as in Marubini &
    Valsecchi, "Analyzing Survival Data from Clinical Trials and Observational Studies", 1995, ch. 10.
    """
    wait, so = np.asarray(wait, dtype="float64"), as_mask(so)
    weight = np.ones(len(wait)) if weight is None else np.asarray(weight, dtype="float64")
    so, weight = so[~np.isnan(wait)], weight[~np.isnan(wait)]
    wait, ended = _without_nulls(wait, ended)
    order = np.argsort(wait, kind="stable")
    times, first = np.unique(wait[order], return_index=True)
    if not len(times):
        return Incidence(times, times, times, times, times)
    weight = weight[order]
    rows = float(weight.sum())
    at_risk = np.cumsum(weight[::-1])[::-1][first]
    ends = np.add.reduceat(weight * ended[order], first)
    ends_so = np.add.reduceat(weight * (ended & so)[order], first)
    remaining = np.cumprod(1 - ends / at_risk)
    before = np.concatenate([[1.0], remaining[:-1]])
    share = np.cumsum(before * ends_so / at_risk)
    # Each term is a sum over the earlier times of (share now - share then) squared, multiplied out.
    greenwood = np.divide(ends, at_risk * (at_risk - ends), out=np.zeros(len(times)), where=at_risk > ends + 1e-9)
    covariance = before * ends_so / at_risk**2
    variance = (
        share**2 * np.cumsum(greenwood) - 2 * share * np.cumsum(greenwood * share) + np.cumsum(greenwood * share**2)
    )
    variance += np.cumsum(before**2 * ends_so * (at_risk - ends_so) / at_risk**3)
    variance -= 2 * (share * np.cumsum(covariance) - np.cumsum(covariance * share))
    share_per_row = np.append(remaining[:-1] / at_risk[1:], before[-1] / at_risk[-1])  # until the next of *times*
    variance += _MISSED_ENDS * (share_per_row**2 - 1 / rows**2)
    uncensored = at_risk + np.concatenate([[0.0], np.cumsum(ends)[:-1]])  # rows not censored before each time
    binomial = share * (1 - share)
    effective = np.divide(binomial, variance, out=uncensored.copy(), where=(binomial > 1e-12) & (variance > 1e-15))
    effective = worth * np.minimum(effective, rows)
    low, high = wilson(share * effective, effective)
    if times[0] > 0:
        at_zero = (0.0, 0.0, 0.0, float(wilson(0, worth * rows)[1]), 1.0)
        curves = zip(at_zero, (times, share, low, high, remaining), strict=True)
        times, share, low, high, remaining = (np.concatenate([[start], curve]) for start, curve in curves)
    return Incidence(times, share, low, high, remaining)
