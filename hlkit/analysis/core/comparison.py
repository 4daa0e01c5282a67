"""Which groups differ: one test for all analyses, corrected for the number of groups.

A difference is claimed in two steps. A chi-square test over all compared groups asks whether they differ at all;
without p < .05 no group is named. A group is named only where its interval, at 1 - .05 / groups, excludes the
pooled share of all the others, and where the difference from it is as sure (the others' share is an estimate too).
Shares count at their effective number of rows, which is what their 95% Wilson interval says. Groups of fewer than 20
rows, those without a name such as (none), and groups that overlap, such as tags, are never tested.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlkit.analysis.core.groups import NONE, UNNAMED, Z95, Floats
from hlkit.analysis.core.run_log import as_mask

LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """The tested groups, the highest share first, the p-value of the test, and the groups that stand out.

    ``higher`` and ``lower`` are True for each row of ``groups`` whose share is above or below that of all the others
    together. ``p`` is null where fewer than two groups can be compared.
    """

    groups: pd.DataFrame
    p: float
    higher: npt.NDArray[np.bool_]
    lower: npt.NDArray[np.bool_]

    @property
    def is_significant(self) -> bool:
        """Whether the groups differ, by the test over all of them."""
        return self.p < LEVEL


def compare(table: pd.DataFrame, share: str) -> Comparison:
    """Compare the groups of *table*, named in its first column, by ``{share}_share``, which has an interval.

    Source: chi-square over proportions, Fleiss, Levin & Paik, "Statistical Methods for Rates and Proportions",
    3rd ed., 2003, ch. 9; Bonferroni's correction for the intervals.
    """
    fit = comparable(table).dropna(subset=[f"{share}_share"])
    fit = fit.sort_values(f"{share}_share", ascending=False, kind="stable")
    part = fit[f"{share}_share"].to_numpy("float64")
    n = rows_from_interval(part, *(fit[f"{share}_{end}"].to_numpy("float64") for end in ("low", "high")))
    p, direction = compare_shares(part * n, n)
    return Comparison(fit, float(p), direction > 0, direction < 0)


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """The groups that may be tested: named, and not small; none where groups overlap."""
    if overlaps(table):
        return table.iloc[:0]
    named = ~table.iloc[:, 0].fillna(NONE).isin(UNNAMED)
    return table[as_mask(named & ~table["small"].fillna(True).astype(bool))]


def overlaps(table: pd.DataFrame) -> bool:
    """Whether a row of the data may count in several groups of *table*."""
    return bool(table.attrs.get("hlkit", {}).get("overlap", False))


def rows_from_interval(share: Any, low: Any, high: Any) -> Any:
    """The number of rows whose 95% Wilson interval of *share* is *low* to *high*; null where it is not known.

    A bound L of that interval solves (share - L)^2 = z^2 L (1 - L) / n. The one farther from the share is used.
    """
    share, low, high = (np.asarray(one, dtype="float64") for one in (share, low, high))
    bound = np.where(high - share > share - low, high, low)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Z95**2 * bound * (1 - bound) / (share - bound) ** 2


def compare_shares(k: Any, n: Any) -> tuple[Any, Any]:
    """Whether groups with *k* of *n* rows each have one share: the p-value, and which groups stand out.

    *k* and *n* need not be whole; the last axis is that of the groups, others are runs of their own. The second is
    1 for each group above all the others together, -1 for one below, 0 for the rest: all, if p is .05 or more.
    Groups in which less than one row would be expected to count, or not to, are not tested; p is null where fewer
    than two are left.
    """
    k, n = _testable(k, n)
    total_k, total_n = k.sum(axis=-1, keepdims=True), n.sum(axis=-1, keepdims=True)
    tested = n > 0
    groups = tested.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = total_k / total_n
        p = np.where(groups > 1, _homogeneity(k, n, pooled), np.nan)
        others = (total_k - k) / (total_n - n)
        z = np.vectorize(NormalDist().inv_cdf, otypes=["float64"])(1 - LEVEL / np.maximum(groups, 1) / 2)
        far = (k / n - others) ** 2 / z[..., None] ** 2
        excluded = far > others * (1 - others) / n
        # Two groups differ if the test says so: there is nothing more to be sure of.
        sure = (groups == 2)[..., None] | (far > pooled * (1 - pooled) * (1 / n + 1 / (total_n - n)))
        direction = np.where(tested & excluded & sure & (p < LEVEL)[..., None], np.sign(k / n - others), 0)
    return p, direction.astype("int64")


def _testable(k: Any, n: Any) -> tuple[Floats, Floats]:
    """The counts, 0 for each group in which too little is expected for a chi-square."""
    n = np.nan_to_num(np.asarray(n, dtype="float64"))
    k = np.where(n > 0, np.asarray(k, dtype="float64"), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = k.sum(axis=-1, keepdims=True) / n.sum(axis=-1, keepdims=True)
    enough = n * np.minimum(pooled, 1 - pooled) >= 1
    return np.where(enough, k, 0.0), np.where(enough, n, 0.0)


def _homogeneity(k: Floats, n: Floats, pooled: Floats) -> Floats:
    """The p-value of Pearson's statistic, whose distribution is fitted to its variance where counts are small.

    Where some group expects fewer than 5, the statistic varies more than a chi-square (Haldane, Biometrika 31, 1940):
    it is then compared with a multiple of one of fewer degrees of freedom that has its mean and variance.
    """
    of_one_row = (pooled * (1 - pooled))[..., 0]  # its variance
    inverse = np.divide(1, n, out=np.zeros_like(n), where=n > 0)
    statistic = ((k - n * pooled) ** 2 * inverse).sum(axis=-1) / of_one_row
    df = (n > 0).sum(axis=-1) - 1.0
    variance = 2 * df + (1 / of_one_row - 6) * (inverse.sum(axis=-1) - (2 * df + 1) / n.sum(axis=-1))
    fewest = np.where(n > 0, n * np.minimum(pooled, 1 - pooled), np.inf).min(axis=-1, initial=np.inf)
    fitted = np.where(fewest < 5, 2 * df**2 / np.maximum(variance, 2 * df), df)
    scaled, below = statistic * fitted / df, np.floor(fitted)
    weight = fitted - below  # the closed form knows whole degrees of freedom: in between, it is interpolated
    tail = (1 - weight) * chi_square_tail(scaled, below) + weight * chi_square_tail(scaled, below + 1)
    return np.asarray(tail, dtype="float64")


def chi_square_tail(x: Any, df: Any) -> Any:
    """The probability that a chi-square of *df* degrees of freedom, 0 or a whole number, is *x* or more.

    Its closed form is a sum of df / 2 terms (Abramowitz & Stegun 26.4.4 and 26.4.5).
    """
    return np.vectorize(_chi_square_tail, otypes=["float64"])(x, df)


def _chi_square_tail(x: float, df: float) -> float:
    half = x / 2
    if not half > 0 or df < 1:
        return 0.0 if half > 0 else 1.0
    start, tail = (1.0, 0.0) if df % 2 == 0 else (1.5, math.erfc(math.sqrt(half)))
    steps = (start + step for step in range(int(df) // 2))
    return min(1.0, tail + math.fsum(math.exp((a - 1) * math.log(half) - half - math.lgamma(a)) for a in steps))
