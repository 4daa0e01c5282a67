"""How long things take, with those that have not ended yet counted for as long as they have been watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hlkit.analysis.core.groups import Array, Floats, wilson
from hlkit.analysis.core.run_log import as_mask


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
    ended = as_mask(ended)
    known = ~np.isnan(wait)
    return (wait, ended) if known.all() else (wait[known], ended[known])


def survival_quantiles(wait: Any, ended: Any, quantiles: Sequence[float] = (0.5,)) -> tuple[float, ...]:
    """How long it takes until these shares of all have ended, by Kaplan-Meier; null where it never comes so far."""
    times, still = kaplan_meier(wait, ended)
    places = [np.flatnonzero(still <= 1 - quantile + 1e-12) for quantile in quantiles]
    return tuple(float(times[place[0]]) if len(place) else np.nan for place in places)


@dataclass(frozen=True)
class Incidence:
    """Of all, the share that has ended in one way by each of *times*, and the share that has ended in none.

    *low* and *high* are its 95% Wilson interval at the number of rows whose binomial variance would be that of
    the estimate: that is all rows where none is censored, and fewer the more are.
    """

    times: Floats
    share: Floats
    low: Floats
    high: Floats
    remaining: Floats

    def at(self, when: Any) -> tuple[Floats, Floats, Floats]:
        """Share, low and high at *when*; null where nobody was watched so long."""
        when = np.asarray(when, dtype="float64")
        if not len(self.times):
            return (np.full(when.shape, np.nan),) * 3
        place = np.searchsorted(self.times, when, side="right") - 1
        seen = (place >= 0) & ~np.isnan(when) & ((when <= self.times[-1]) | (self.remaining[-1] <= 1e-12))
        share, low, high = (np.where(seen, one[place], np.nan) for one in (self.share, self.low, self.high))
        return share, low, high


_UNSEEN = 0.5  # ends that may have been missed where only few rows were watched for so long: half of one


def cumulative_incidence(wait: Any, ended: Any, so: Any, weight: Any = None, worth: float = 1.0) -> Incidence:
    """How many have ended *so* by when, where others end otherwise and the rest has not ended (Aalen-Johansen).

    *wait* is how long each row waited, *ended* whether the wait was over then, *so* whether in the way asked
    about, *weight* how many rows each counts for (1 if left out), *worth* how many independent rows each is worth,
    for the interval. Kaplan-Meier with other ends as censored would give how many would end so if none could end
    otherwise: 1 in the long run, whatever the share.

    Source: Aalen & Johansen, Scand. J. Statist. 5, 1978; the variance by the delta method, as in Marubini &
    Valsecchi, "Analyzing Survival Data from Clinical Trials and Observational Studies", 1995, ch. 10.
    """
    wait, so = np.asarray(wait, dtype="float64"), as_mask(so)
    weight = np.ones(len(wait)) if weight is None else np.asarray(weight, dtype="float64")
    so, weight = so[~np.isnan(wait)], weight[~np.isnan(wait)]
    wait, ended = _known(wait, ended)
    order = np.argsort(wait, kind="stable")
    times, first = np.unique(wait[order], return_index=True)
    if not len(times):
        return Incidence(times, times, times, times, times)
    weight = weight[order]
    rows = float(weight.sum())
    at_risk = np.cumsum(weight[::-1])[::-1][first]
    ends = np.add.reduceat(weight * ended[order], first)
    these = np.add.reduceat(weight * (ended & so)[order], first)
    still = np.cumprod(1 - ends / at_risk)
    before = np.concatenate([[1.0], still[:-1]])
    share = np.cumsum(before * these / at_risk)
    # Sums over the times so far of (share now - share then) in squares, multiplied out.
    lost = np.divide(ends, at_risk * (at_risk - ends), out=np.zeros(len(times)), where=at_risk > ends + 1e-9)
    both = before * these / at_risk**2
    variance = share**2 * np.cumsum(lost) - 2 * share * np.cumsum(lost * share) + np.cumsum(lost * share**2)
    variance += np.cumsum(before**2 * these * (at_risk - these) / at_risk**3)
    variance -= 2 * (share * np.cumsum(both) - np.cumsum(both * share))
    watched_on = np.append(still[:-1] / at_risk[1:], before[-1] / at_risk[-1])  # until the next of *times*
    variance += _UNSEEN * (watched_on**2 - 1 / rows**2)
    known = at_risk + np.concatenate([[0.0], np.cumsum(ends)[:-1]])  # all but those who were censored before
    binomial = share * (1 - share)
    effective = np.divide(binomial, variance, out=known.copy(), where=(binomial > 1e-12) & (variance > 1e-15))
    effective = worth * np.minimum(effective, rows)
    low, high = wilson(share * effective, effective)
    if times[0] > 0:
        start = (0.0, 0.0, 0.0, float(wilson(0, worth * rows)[1]), 1.0)
        times, share, low, high, still = (
            np.concatenate([[one], rest]) for one, rest in zip(start, (times, share, low, high, still), strict=True)
        )
    return Incidence(times, share, low, high, still)
