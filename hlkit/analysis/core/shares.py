"""Shares and their intervals, also of rows that are not independent.

Everything works on arrays; shares are 0 to 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

Z95 = 1.959963984540054  # the quantile of the normal distribution for a two-sided 95% interval


def wilson(k: Any, n: Any) -> tuple[Any, Any]:
    """The 95% Wilson interval of the share *k* of *n*: low and high, as arrays or numbers; NaN where *n* is 0.

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
    """*k* of *n* as a share; NaN where *n* is 0."""
    k, n = np.asarray(k, dtype="float64"), np.asarray(n, dtype="float64")
    out = np.divide(k, n, out=np.full(np.broadcast(k, n).shape, np.nan), where=n > 0)
    return float(out) if out.ndim == 0 else out


def share_with_interval(name: str, k: Any, n: Any, effective: Any = None) -> dict[str, Any]:
    """The columns ``{name}_share``, ``{name}_low`` and ``{name}_high`` for *k* of *n*, arrays or numbers.

    *effective* is the effective number of rows, for the interval of rows that are not independent.
    """
    estimate = share(k, n)
    low, high = wilson(k, n) if effective is None else wilson(estimate * effective, effective)
    return {f"{name}_share": estimate, f"{name}_low": low, f"{name}_high": high}


def effective_n(hits: Any, trials: Any, group: Array, groups: int) -> Floats:
    """The effective sample size of each group's share, when rows of the same contact resemble each other.

    Each entry is one contact in one *group* (0 to *groups* - 1), with *hits* among its *trials* rows. The result is
    the number of rows if each belongs to a different contact, and about the number of contacts if the rows of each
    contact are all the same.

    Source: Korn & Graubard, "Confidence Intervals for Proportions with Small Expected Number of Positive Counts
    Estimated from Survey Data", Survey Methodology 24(2), 1998.
    """
    trials = np.asarray(trials, dtype="float64")
    hits, group = np.asarray(hits, dtype="float64")[trials > 0], group[trials > 0]
    trials = trials[trials > 0]

    def total(values: Any) -> Floats:
        return np.bincount(group, values, minlength=groups).astype("float64")

    rows, contacts = total(trials), total(np.ones(len(trials)))
    hit_share = share(total(hits), rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = total((hits - hit_share[group] * trials) ** 2) / rows**2 * contacts / (contacts - 1)
        effective = rows * hit_share * (1 - hit_share) / (rows - 1) / variance
        effective *= (_t95(rows - 1) / _t95(contacts - 1)) ** 2
    is_constant = hit_share * (1 - hit_share) == 0  # no variance to estimate: assume the worst, one row per contact
    return np.where(rows == contacts, rows, np.minimum(np.where(is_constant, contacts, effective), rows))


def effective_rows_by_group(hit: Any, contact: Any, group: Array, groups: int) -> tuple[Floats, Array]:
    """``effective_n`` from rows, each with a *hit* or not, a *contact* and a *group*; and the contacts per group.

    A row without a contact counts as a contact by itself.
    """
    codes = pd.factorize(contact)[0].astype("int64")
    has_no_contact = codes < 0
    codes[has_no_contact] = len(codes) + np.arange(has_no_contact.sum())
    pairs, pair_index = np.unique(group * (2 * len(codes) + 1) + codes, return_inverse=True)
    hits = np.bincount(pair_index, np.asarray(hit, "float64"), minlength=len(pairs))
    trials = np.bincount(pair_index, minlength=len(pairs))
    pair_group = pairs // (2 * len(codes) + 1)
    return effective_n(hits, trials, pair_group, groups), np.bincount(pair_group, minlength=groups)


def effective_rows_of_group(hit: Any, contact: Any) -> tuple[float, int]:
    """The effective number of rows, and the number of contacts, of a single group."""
    effective, contacts = effective_rows_by_group(hit, contact, np.zeros(len(hit), dtype="int64"), 1)
    return float(effective[0]), int(contacts[0])


def _t95(df: Floats) -> Floats:
    """The quantile of Student's t for a two-sided 95% interval (Abramowitz & Stegun 26.7.5); 2% too low at 2 df."""
    z = Z95
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return np.asarray(z + sum(term / df**power for power, term in enumerate(terms, 1)), dtype="float64")
