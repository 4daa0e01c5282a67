"""Limits, and what a client may lose of its rights: 429, odd limits, a day that is over, a token revoked."""

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
        ("date", 0.0),  # whole seconds from now, less the fraction that has passed
        ("past", 0.0),
        ("soon", 0.2),  # what makes no sense is ignored: one interval of the burst limit
        ("negative", 0.2),
        ("fraction", 0.2),
        ("absent", 0.2),
    ],
)
def test_a_wait_that_the_server_asks_for_is_waited_and_an_odd_one_ignored(new_trial, variant, seconds):
    trial = new_trial(burst=(1000, 200))
    trial.fault("retry_after", variant=variant, after=2, times=1)

    trial.read()

    refused, again = trial.asked()[2:4]
    assert len(trial.asked()) == PAGES + 1
    assert seconds <= again.at - refused.at < seconds + 1.2


@pytest.mark.fault("retry_after")
def test_a_wait_of_a_day_is_told_and_not_waited(trial):
    trial.fault("retry_after", variant="day", after=2)

    error = trial.breaks(RateLimited)

    assert error.retry_after == A_DAY
    assert len(error.partial) == 40
    assert len(trial.asked()) == 3
    trial.sim.clear_faults()
    fresh = trial.connect(deadline=2.9)
    fresh.session.rate_limiter._free_at.clear()  # the day is over
    assert len(trial.read(loc=fresh)) == ROWS
    assert len(trial.asked()) == PAGES + 1


@pytest.mark.fault("other_client")
@pytest.mark.parametrize("window", ["fixed", "sliding"])
def test_beside_a_program_that_takes_half_of_the_budget_only_speed_falls(new_trial, window):
    trial = new_trial(burst=(100, 500), window=window, size=300, page=10)
    trial.may_be_refused = 0.01  # the other may take the last one that we were told was left
    trial.sim.fault("other_client", requests=1)

    trial.read("messages")

    assert len(trial.sim.log) > 160


@pytest.mark.fault("limits_odd")
@every_variant("limits_odd")
def test_odd_limits_cost_no_row(trial, variant):
    trial.sim.fault("limits_odd", variant=variant)

    trial.read()

    rate_limiter = trial.loc.session.rate_limiter
    assert (rate_limiter._size, rate_limiter.interval) == (25 if variant == "trial" else BURST, INTERVAL)


@pytest.mark.fault("limits_odd")
def test_a_trials_limit_is_obeyed_by_what_the_headers_say(new_trial):
    trial = new_trial(burst=(100, 400))
    trial.sim.fault("limits_odd", variant="trial")

    trial.read("messages")
    trial.read()

    times = [logged.at for logged in trial.sim.log]
    assert len(times) > 40
    assert max(sum(start <= at < start + 0.4 for at in times) for start in times) <= 25


@pytest.mark.fault("day_done")
@pytest.mark.parametrize("after", [1, 3])
def test_a_day_that_is_used_up_keeps_what_came_and_the_rest_is_paid_when_it_is_over(trial, after):
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
def test_while_the_day_is_over_nobody_is_asked(trial):
    trial.fault("day_done", times=1)
    trial.breaks(QuotaExhausted)
    spent = len(trial.sim.log)

    trial.breaks(QuotaExhausted, "users")

    assert len(trial.sim.log) == spent


@pytest.mark.fault("retry_storm")
@pytest.mark.parametrize("seed", range(2))
def test_in_a_storm_retries_end_at_half_of_what_is_needed(new_trial, seed):
    trial = new_trial(page=3, seed=seed)
    needed = -(-len(trial.sim.data.ids("contacts")) // 3) + 1
    trial.fault("retry_storm", seed=seed)

    outcome = trial.outcome()

    assert len(trial.asked()) <= 1.5 * needed
    assert isinstance(outcome, ServerError)
    assert len(outcome.partial)
    trial.resume(outcome)


LOST = {
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
@pytest.mark.parametrize(("variant", "kind"), LOST.items())
def test_rights_that_are_lost_within_a_walk_are_told_by_their_class_and_not_asked_for_again(trial, variant, kind):
    trial.fault("revoked_mid", variant=variant, after=2)

    error = trial.breaks(kind)

    assert len(error.partial) == 40
    assert len(trial.asked()) == 3
    assert error.trace_id
    assert error.hint
    trial.sim.add_token(trial.sim.token)
    trial.resume(error)


@pytest.mark.fault("revoked_mid")
def test_a_gateway_that_timed_out_is_no_lost_right(trial):
    trial.fault("revoked_mid", variant="timed_out", after=2, times=2)

    trial.read()

    assert len(trial.asked()) == PAGES + 2


@pytest.mark.fault("revoked_mid")
def test_without_one_scope_the_other_resources_go_on(trial):
    trial.fault("revoked_mid", variant="scope_withdrawn", times=1)

    error = trial.breaks(MissingScope)

    assert "contacts.readonly" in error.hint
    trial.read("opportunities")
    trial.breaks(MissingScope)


@pytest.mark.fault("revoked_mid")
def test_what_is_kept_is_not_given_as_fresh_when_the_token_is_revoked(trial):
    trial.read()
    trial.sim.revoke(trial.sim.token)

    trial.breaks(InvalidToken, refresh=True)
    trial.breaks(InvalidToken, expire_after=0)


def test_each_right_that_can_be_lost_has_its_class():
    assert {*LOST, "timed_out"} == set(faults.FAULTS["revoked_mid"].variants)
