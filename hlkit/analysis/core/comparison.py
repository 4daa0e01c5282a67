"""Which groups differ: one test for all analyses, corrected for the number of groups.

A difference is claimed in two steps. A chi-square test over all compared groups tests whether they differ at all;
unless p < .05, no group is named. A group is then named only if its interval, at the level 1 - .05 / groups, excludes
the pooled share of all other groups, and if the difference from them is significant at that level too (the pooled
share is itself an estimate). Each share counts with its effective number of rows, which follows from its 95% Wilson
interval. Never tested are groups of fewer than 20 rows, unnamed groups such as (none), and overlapping groups such as
tags.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlkit.analysis.core.groups import NONE, UNNAMED
from hlkit.analysis.core.run_log import as_mask
from hlkit.analysis.core.shares import Z95, Floats

LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """The tested groups, highest share first, the p-value of the test, and which groups stand out.

    ``higher`` and ``lower`` mark the rows of ``groups`` whose share is above or below the pooled share of all other
    groups. ``p`` is NaN if fewer than two groups can be compared.
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
    """Compare the groups of *table*, named in its first column, by the column ``{share}_share`` and its interval.

    Source: chi-square over proportions, Fleiss, Levin & Paik, "Statistical Methods for Rates and Proportions",
    3rd ed., 2003, ch. 9; Bonferroni's correction for the intervals.
    """
    groups = comparable(table).dropna(subset=[f"{share}_share"])
    groups = groups.sort_values(f"{share}_share", ascending=False, kind="stable")
    shares, low, high = (groups[f"{share}_{part}"].to_numpy("float64") for part in ("share", "low", "high"))
    n = rows_from_interval(shares, low, high)
    p, direction = compare_shares(shares * n, n)
    return Comparison(groups, float(p), direction > 0, direction < 0)


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """The groups that may be tested: named and not small. None of them if groups overlap."""
    if overlaps(table):
        return table.iloc[:0]
    named = ~table.iloc[:, 0].fillna(NONE).isin(UNNAMED)
    return table[as_mask(named & ~table["small"].fillna(True).astype(bool))]


def overlaps(table: pd.DataFrame) -> bool:
    """Whether a row of the data may count in several groups of *table*."""
    return bool(table.attrs.get("hlkit", {}).get("overlap", False))


def rows_from_interval(share: Any, low: Any, high: Any) -> Any:
    """The number of rows for which the 95% Wilson interval of *share* is *low* to *high*; NaN if any is NaN.

    A bound L of that interval solves (share - L)^2 = z^2 L (1 - L) / n. The bound farther from the share is used.
    """
    share, low, high = (np.asarray(values, dtype="float64") for values in (share, low, high))
    bound = np.where(high - share > share - low, high, low)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Z95**2 * bound * (1 - bound) / (share - bound) ** 2


def compare_shares(k: Any, n: Any) -> tuple[Any, Any]:
    """Test whether groups with *k* of *n* rows each have the same share, and which groups stand out.

    *k* and *n* need not be whole numbers. Their last axis is that of the groups; other axes are independent tests.
    Groups in which fewer than one hit or fewer than one miss is expected are not tested.

    Returns
    -------
    The p-value, NaN if fewer than two groups are tested; and for each group its direction: 1 if its share is above
    the pooled share of all other groups, -1 if below, 0 if neither. All are 0 unless p < .05.
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
        difference = (k / n - others) ** 2 / z[..., None] ** 2
        excluded = difference > others * (1 - others) / n
        # Of two groups, the test over all of them has already shown this.
        significant = (groups == 2)[..., None] | (difference > pooled * (1 - pooled) * (1 / n + 1 / (total_n - n)))
        direction = np.where(tested & excluded & significant & (p < LEVEL)[..., None], np.sign(k / n - others), 0)
    return p, direction.astype("int64")


def _testable(k: Any, n: Any) -> tuple[Floats, Floats]:
    """*k* and *n*, set to 0 for groups whose expected counts are too small for a chi-square test."""
    n = np.nan_to_num(np.asarray(n, dtype="float64"))
    k = np.where(n > 0, np.asarray(k, dtype="float64"), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = k.sum(axis=-1, keepdims=True) / n.sum(axis=-1, keepdims=True)
    enough = n * np.minimum(pooled, 1 - pooled) >= 1
    return np.where(enough, k, 0.0), np.where(enough, n, 0.0)


def _homogeneity(k: Floats, n: Floats, pooled: Floats) -> Floats:
    """The p-value of Pearson's chi-square statistic, adjusted for small counts.

    If some group has an expected count below 5, the statistic varies more than a chi-square (Haldane, Biometrika 31,
    1940). It is then compared with a scaled chi-square of fewer degrees of freedom, with the same mean and variance.
    """
    row_variance = (pooled * (1 - pooled))[..., 0]
    inverse = np.divide(1, n, out=np.zeros_like(n), where=n > 0)
    statistic = ((k - n * pooled) ** 2 * inverse).sum(axis=-1) / row_variance
    df = (n > 0).sum(axis=-1) - 1.0
    variance = 2 * df + (1 / row_variance - 6) * (inverse.sum(axis=-1) - (2 * df + 1) / n.sum(axis=-1))
    fewest = np.where(n > 0, n * np.minimum(pooled, 1 - pooled), np.inf).min(axis=-1, initial=np.inf)
    fitted = np.where(fewest < 5, 2 * df**2 / np.maximum(variance, 2 * df), df)
    scaled, whole = statistic * fitted / df, np.floor(fitted)
    weight = fitted - whole  # the closed form needs whole degrees of freedom: interpolate between two
    tail = (1 - weight) * chi_square_tail(scaled, whole) + weight * chi_square_tail(scaled, whole + 1)
    return np.asarray(tail, dtype="float64")


def chi_square_tail(x: Any, df: Any) -> Any:
    """The probability that a chi-square with *df* degrees of freedom (0 or a whole number) is at least *x*.

    Computed by the closed form, a sum of df / 2 terms (Abramowitz & Stegun 26.4.4 and 26.4.5).
    """
    return np.vectorize(_chi_square_tail, otypes=["float64"])(x, df)


def _chi_square_tail(x: float, df: float) -> float:
    half = x / 2
    if not half > 0 or df < 1:
        return 0.0 if half > 0 else 1.0
    start, tail = (1.0, 0.0) if df % 2 == 0 else (1.5, math.erfc(math.sqrt(half)))
    terms = (start + index for index in range(int(df) // 2))
    return min(1.0, tail + math.fsum(math.exp((a - 1) * math.log(half) - half - math.lgamma(a)) for a in terms))
