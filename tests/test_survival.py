"""How long things take, with what has not ended yet: by hand, and against other libraries."""

import numpy as np
import pandas as pd
import pytest

from hlkit.analysis.core.shares import wilson
from hlkit.analysis.core.survival import cumulative_incidence, kaplan_meier, survival_quantiles

ORACLES = "oracles run beside the lowest versions: uv pip install --group oracles"


def ended_by(wait, ended, at):
    """The share whose wait is over at *at*; with one way to end it is one less what Kaplan-Meier has left."""
    return cumulative_incidence(wait, ended, ended).at(float(at))[0]


def test_kaplan_meier_by_hand():
    # 5 wait: one is over at 2, one was last seen at 3, two are over at 4, one is still waiting at 6.
    times, still = kaplan_meier([4, 2, 3, 4, 6], [True, True, False, True, False])

    assert times.tolist() == [2, 3, 4, 6]
    assert still == pytest.approx([4 / 5, 4 / 5, 4 / 5 * 1 / 3, 4 / 5 * 1 / 3])
    assert survival_quantiles([4, 2, 3, 4, 6], [1, 1, 0, 1, 0], (0.2, 0.5, 0.9)) == pytest.approx(
        (2, 4, np.nan), nan_ok=True
    )
    assert [ended_by([4, 2, 3, 4, 6], [1, 1, 0, 1, 0], at) for at in (1, 2, 3.9, 4, 6)] == pytest.approx(
        [0, 0.2, 0.2, 1 - 4 / 15, 1 - 4 / 15]
    )
    assert np.isnan(ended_by([2, 4], [1, 0], 5))  # nobody was watched for 5
    assert ended_by([2, 4], [1, 1], 5) == 1


def test_without_rows_a_quantile_is_nan_and_null_waits_are_ignored():
    assert np.isnan(survival_quantiles([], [])[0])
    assert np.isnan(ended_by([], [], 1))
    assert survival_quantiles([np.nan, 3], [True, True]) == (3,)
    assert survival_quantiles(pd.Series([1.0, 2.0]), pd.Series([True, None], dtype="boolean")) == (1,)


def test_the_medians_of_waltons_flies_and_of_leukemia():
    datasets = pytest.importorskip("lifelines.datasets", reason=ORACLES)
    flies, patients = datasets.load_waltons(), datasets.load_leukemia()

    medians = {name: survival_quantiles(group["T"], group["E"])[0] for name, group in flies.groupby("group")}
    assert medians == {"miR-137": 26, "control": 58}
    medians = {
        treated: survival_quantiles(group["t"], group["status"])[0] for treated, group in patients.groupby("Rx")
    }
    assert medians == {0: 23, 1: 8}  # 6-MP, control: Freireich et al., 1963


def test_kaplan_meier_matches_lifelines_and_scipy():
    lifelines = pytest.importorskip("lifelines", reason=ORACLES)
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(7)
    wait, ended = rng.integers(1, 40, 300).astype(float), rng.random(300) < 0.6

    times, still = kaplan_meier(wait, ended)

    fitted = lifelines.KaplanMeierFitter().fit(wait, ended)
    assert still == pytest.approx(fitted.survival_function_at_times(times).to_numpy(), abs=1e-12)
    data = stats.CensoredData(uncensored=wait[ended], right=wait[~ended])
    assert still == pytest.approx(stats.ecdf(data).sf.evaluate(times), abs=1e-12)


def test_two_groups_differ_as_in_the_published_log_rank_test():
    datasets = pytest.importorskip("lifelines.datasets", reason=ORACLES)
    flies = datasets.load_waltons()
    is_mutant = (flies["group"] == "miR-137").to_numpy()
    wait, ended = flies["T"].to_numpy("float64"), flies["E"].to_numpy() == 1
    observed = expected = variance = 0.0
    for at in np.unique(wait[ended]):
        risk, mutants_at_risk = (wait >= at).sum(), ((wait >= at) & is_mutant).sum()
        ends = ((wait == at) & ended).sum()
        observed += ((wait == at) & ended & is_mutant).sum()
        expected += ends * mutants_at_risk / risk
        variance += ends * mutants_at_risk / risk * (1 - mutants_at_risk / risk) * (risk - ends) / max(risk - 1, 1)

    assert (observed - expected) ** 2 / variance == pytest.approx(122.249, abs=5e-4)
    # our curves differ at all times between the two medians
    for at in (26, 40, 58):
        assert (
            ended_by(wait[is_mutant], ended[is_mutant], at) > ended_by(wait[~is_mutant], ended[~is_mutant], at) + 0.3
        )


def test_cumulative_incidence_by_hand():
    # Won at 1 of 5; at 2 one was last seen; lost at 3 of 3; won at 4 of 2; one is open at 5.
    wait, ended = [1, 2, 3, 4, 5], [True, False, True, True, False]
    wins = cumulative_incidence(wait, ended, [True, False, False, True, False])
    losses = cumulative_incidence(wait, ended, [False, True, True, False, True])

    assert wins.times.tolist() == [0, 1, 2, 3, 4, 5]
    assert wins.share == pytest.approx([0, 1 / 5, 1 / 5, 1 / 5, 1 / 5 + 4 / 15, 7 / 15])
    assert losses.share == pytest.approx([0, 0, 0, 4 / 15, 4 / 15, 4 / 15])
    assert wins.share + losses.share + wins.remaining == pytest.approx(np.ones(6))
    assert wins.at([0.5, 4.2])[0] == pytest.approx([0, 7 / 15])
    assert np.isnan(wins.at([6, np.nan, -1])).all()
    assert np.isnan(cumulative_incidence([], [], []).at(3.0)).all()


def test_without_censoring_the_interval_is_wilsons():
    wait = np.arange(1, 41.0)
    so = np.arange(40) % 3 == 0

    wins = cumulative_incidence(wait, np.ones(40, dtype=bool), so)

    low, high = wilson(np.cumsum(so), np.full(40, 40))
    assert wins.low[1:] == pytest.approx(low, abs=1e-12)
    assert wins.high[1:] == pytest.approx(high, abs=1e-12)


def test_censoring_makes_the_interval_wider():
    rng = np.random.default_rng(3)
    wait, so = rng.exponential(20, 200), rng.random(200) < 0.4
    until = rng.uniform(0, 40, 200)

    whole = cumulative_incidence(wait, np.ones(200, dtype=bool), so)
    part = cumulative_incidence(np.minimum(wait, until), wait <= until, so)

    (_, low, high), (_, wide_low, wide_high) = whole.at(30.0), part.at(30.0)
    assert wide_high - wide_low > 1.2 * (high - low)


def test_the_interval_has_its_nominal_coverage():
    rng = np.random.default_rng(5)
    held = []
    for _ in range(300):
        wait, until, so = rng.exponential(24, 60), rng.uniform(0, 60, 60), rng.random(60) < 0.3
        _, low, high = cumulative_incidence(np.minimum(wait, until), wait <= until, so).at(30.0)
        held.append(low <= 0.3 * (1 - np.exp(-30 / 24)) <= high)

    assert 0.91 < np.mean(held) < 0.985


def test_cumulative_incidence_matches_lifelines_and_statsmodels():
    lifelines = pytest.importorskip("lifelines", reason=ORACLES)
    duration = pytest.importorskip("statsmodels.duration.survfunc")
    rng = np.random.default_rng(11)
    wait, until, so = rng.exponential(24, 400), rng.uniform(0, 60, 400), rng.random(400) < 0.6
    seen, ended = np.minimum(wait, until), wait <= until
    cause = np.where(ended, np.where(so, 1, 2), 0)

    wins = cumulative_incidence(seen, ended, so)

    fitted = lifelines.AalenJohansenFitter(calculate_variance=True).fit(seen, cause, event_of_interest=1)
    assert wins.share == pytest.approx(fitted.cumulative_density_.iloc[:, 0].to_numpy(), abs=1e-12)
    theirs = duration.CumIncidenceRight(seen, cause)
    assert wins.at(theirs.times)[0] == pytest.approx(theirs.cinc[0], abs=1e-12)
    # The variance is lifelines' too, and that of half an end more among those who were watched on, as far as
    # these are fewer than all: the interval is Wilson's at that many rows.
    watched_on = (np.sort(seen)[:, None] < np.sort(seen)[None, :]).sum(axis=1)[99:299]  # after each time; 0 leads
    middle = slice(100, 300)
    half = 0.5 * ((wins.remaining[middle] / watched_on) ** 2 - 1 / 400**2)
    variance = fitted.variance_.to_numpy()[middle] + half
    worth = wins.share[middle] * (1 - wins.share[middle]) / variance
    assert wins.low[middle] == pytest.approx(wilson(wins.share[middle] * worth, worth)[0], abs=1e-9)


def test_a_row_with_weight_two_counts_twice():
    wait, ended, so = [10, 20, 30, 40], [True, False, True, True], [True, False, False, True]

    weighted = cumulative_incidence(wait, ended, so, [2, 1, 0.5, 0.5])
    twice = cumulative_incidence(
        [10, 10, 20, 30, 40], [True, True, False, True, True], [True, True, False, False, True], [1, 1, 1, 0.5, 0.5]
    )

    for name in ("times", "share", "low", "high", "remaining"):
        assert vars(weighted)[name] == pytest.approx(vars(twice)[name]), name
    # 2 of 4 at 10; then 2/4 wait, of whom 1 of the last 1 half and half
    assert weighted.share[1:] == pytest.approx([0.5, 0.5, 0.5, 0.75])


def test_the_interval_is_wide_where_few_rows_were_observed_for_so_long():
    # 300 of which 5% ended at once; all but ten are lost from sight by day 5, and nothing ends after that
    wait = np.r_[np.full(15, 0.5), np.full(275, 5.0), np.full(10, 40.0)]
    wins = cumulative_incidence(wait, wait < 1, wait < 1)

    _, _, early = wins.at(4.0)
    _, _, late = wins.at(39.0)

    assert early < 0.09
    assert late > 0.15
