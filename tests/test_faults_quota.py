"""Faults of limits and access: 429, odd limits, an exhausted daily quota, a revoked token."""

import time

import pytest
from faultkit import faults
from trial import PAGES, ROWS, every_variant

from hlkit.client.errors import (
    InvalidToken,
    MissingScope,
    NotFound,
    QuotaExhausted,
    RateLimited,
    ServerError,
    WrongLocation,
    WrongTokenKind,
)
from hlkit.client.http.rate_limit import BURST, INTERVAL

A_DAY = 86_400


@pytest.mark.fault("retry_after")
@pytest.mark.parametrize(
    ("variant", "seconds"),
    [
        ("seconds", 1.0),
        ("date", 0.0),  # whole seconds, minus the fraction that has passed
        ("past", 0.0),
        ("soon", 0.2),  # invalid values are ignored: wait one interval of the burst limit
        ("negative", 0.2),
        ("fraction", 0.2),
        ("absent", 0.2),
    ],
)
def test_retry_after_is_respected_and_invalid_values_are_ignored(new_trial, variant, seconds):
    trial = new_trial(burst=(1000, 200))
    trial.fault("retry_after", variant=variant, after=2, times=1)

    trial.read()

    refused, retry = trial.asked()[2:4]
    assert len(trial.asked()) == PAGES + 1
    assert seconds <= retry.at - refused.at < seconds + 1.2


@pytest.mark.fault("retry_after")
def test_a_retry_after_of_a_day_raises_instead_of_waiting(trial):
    trial.fault("retry_after", variant="day", after=2)

    error = trial.breaks(RateLimited)

    assert error.retry_after == A_DAY
    assert len(error.partial) == 40
    assert len(trial.asked()) == 3
    trial.sim.clear_faults()
    later = trial.connect(deadline=2.9)
    later.session.rate_limiter._free_at.clear()  # as on the next day
    assert len(trial.read(loc=later)) == ROWS
    assert len(trial.asked()) == PAGES + 1


@pytest.mark.fault("other_client")
@pytest.mark.parametrize("window", ["fixed", "sliding"])
def test_next_to_a_program_that_uses_half_of_the_quota_reading_is_only_slower(new_trial, window):
    trial = new_trial(burst=(100, 500), window=window, size=300, page=10)
    trial.may_be_refused = 0.01  # the other program may use the last request that the headers announced
    trial.sim.fault("other_client", requests=1)

    trial.read("messages")

    assert len(trial.sim.log) > 160


@pytest.mark.fault("limits_odd")
@every_variant("limits_odd")
def test_odd_limits_lose_no_row(trial, variant):
    trial.sim.fault("limits_odd", variant=variant)

    trial.read()

    rate_limiter = trial.loc.session.rate_limiter
    assert (rate_limiter._size, rate_limiter.interval) == (25 if variant == "trial" else BURST, INTERVAL)


@pytest.mark.fault("limits_odd")
def test_the_limit_in_the_headers_is_respected(new_trial):
    trial = new_trial(burst=(100, 400))
    trial.sim.fault("limits_odd", variant="trial")

    trial.read("messages")
    trial.read()

    times = [logged.at for logged in trial.sim.log]
    assert len(times) > 40
    assert max(sum(start <= at < start + 0.4 for at in times) for start in times) <= 25


@pytest.mark.fault("day_done")
@pytest.mark.parametrize("after", [1, 3])
def test_an_exhausted_daily_quota_keeps_the_rows_that_arrived_and_resumes_the_next_day(trial, after):
    trial.fault("day_done", after=after - 1, times=1)

    error = trial.breaks(QuotaExhausted)

    assert error.retry_after == pytest.approx(A_DAY, abs=5)
    assert "in 24 h" in str(error)
    assert len(error.partial) == 20 * after
    assert len(trial.asked()) == after
    trial.sim._budgets.clear()
    rate_limiter = trial.loc.session.rate_limiter
    rate_limiter._clock, rate_limiter._now = faults.shifted(time.monotonic, A_DAY), faults.shifted(time.time, A_DAY)
    assert len(trial.resume(error)) == ROWS
    assert len(trial.asked()) == PAGES


@pytest.mark.fault("day_done")
def test_while_the_daily_quota_is_exhausted_no_request_is_sent(trial):
    trial.fault("day_done", times=1)
    trial.breaks(QuotaExhausted)
    spent = len(trial.sim.log)

    trial.breaks(QuotaExhausted, "users")

    assert len(trial.sim.log) == spent


@pytest.mark.fault("retry_storm")
@pytest.mark.parametrize("seed", range(2))
def test_in_a_retry_storm_retries_are_at_most_half_of_the_needed_requests(new_trial, seed):
    trial = new_trial(page=3, seed=seed)
    needed = -(-len(trial.sim.data.ids("contacts")) // 3) + 1
    trial.fault("retry_storm", seed=seed)

    outcome = trial.outcome()

    assert len(trial.asked()) <= 1.5 * needed
    assert isinstance(outcome, ServerError)
    assert len(outcome.partial)
    trial.resume(outcome)


ACCESS_ERRORS = {
    "invalid_jwt": InvalidToken,
    "invalid_token": InvalidToken,
    "no_scope": MissingScope,
    "wrong_class": WrongTokenKind,
    "other_location": WrongLocation,
    "forbidden": MissingScope,
    "iam": NotFound,
    "scope_withdrawn": MissingScope,
    "revoked": InvalidToken,
}


@pytest.mark.fault("revoked_mid")
@pytest.mark.parametrize(("variant", "kind"), ACCESS_ERRORS.items())
def test_access_lost_during_a_download_raises_the_right_class_and_is_not_retried(trial, variant, kind):
    trial.fault("revoked_mid", variant=variant, after=2)

    error = trial.breaks(kind)

    assert len(error.partial) == 40
    assert len(trial.asked()) == 3
    assert error.trace_id
    assert error.hint
    trial.sim.add_token(trial.sim.token)
    trial.resume(error)


@pytest.mark.fault("revoked_mid")
def test_a_gateway_timeout_is_not_lost_access(trial):
    trial.fault("revoked_mid", variant="timed_out", after=2, times=2)

    trial.read()

    assert len(trial.asked()) == PAGES + 2


@pytest.mark.fault("revoked_mid")
def test_without_one_scope_other_resources_can_be_read(trial):
    trial.fault("revoked_mid", variant="scope_withdrawn", times=1)

    error = trial.breaks(MissingScope)

    assert "contacts.readonly" in error.hint
    trial.read("opportunities")
    trial.breaks(MissingScope)


@pytest.mark.fault("revoked_mid")
def test_with_a_revoked_token_cached_rows_are_not_returned_as_fresh(trial):
    trial.read()
    trial.sim.revoke(trial.sim.token)

    trial.breaks(InvalidToken, refresh=True)
    trial.breaks(InvalidToken, expire_after=0)


def test_each_way_to_lose_access_has_its_error_class():
    assert {*ACCESS_ERRORS, "timed_out"} == set(faults.FAULTS["revoked_mid"].variants)
