"""Whether a request that failed is sent again, and when: a table."""

import pytest

from hlkit.client.errors import (
    ConnectionFailed,
    HlkitError,
    InvalidRequest,
    InvalidToken,
    MissingScope,
    NotFound,
    RateLimited,
    ServerError,
    Timeout,
    UnexpectedResponse,
    WrongLocation,
)
from hlkit.client.http.retry import MAX_ATTEMPTS, RetryBudget, RetryState

DEADLINE = 30.0
INTERVAL = 10.0


def retry_state(**options) -> RetryState:
    """RetryState whose jitter always gives the longest wait."""
    return RetryState(
        **{"deadline": DEADLINE, "budget": RetryBudget(), "jitter": lambda least, most: most, **options}
    )


def after(retry: RetryState, error: HlkitError) -> float:
    """The wait after an attempt that took no time."""
    retry.record_attempt(0.0)
    return retry.next_delay(error, None, INTERVAL)


def wrong_location_row() -> WrongLocation:
    return WrongLocation("a row of another location", status=200)


@pytest.mark.parametrize("error", [ServerError("x"), ConnectionFailed("x"), Timeout("x"), UnexpectedResponse("x")])
def test_a_temporary_error_is_retried_with_growing_delays_for_six_attempts(error):
    retry = retry_state()
    waits = [after(retry, error) for _ in range(5)]
    with pytest.raises(type(error)) as caught:
        after(retry, error)

    assert caught.value is error
    assert retry.attempts == MAX_ATTEMPTS == 6
    assert waits == [0.5, 1, 2, 4, 8]  # a sixtieth of the deadline, doubled


@pytest.mark.parametrize("kind", [InvalidToken, MissingScope, NotFound, InvalidRequest])
def test_a_permanent_error_is_not_retried(kind):
    retry = retry_state()
    retry.record_attempt(0.1)

    with pytest.raises(kind):
        retry.next_delay(kind("x"), None, INTERVAL)


def test_the_jitter_is_half_of_the_delay():
    ranges = []
    retry = retry_state(jitter=lambda least, most: ranges.append((least, most)) or least)
    retry.record_attempt(0.0)

    assert retry.next_delay(ServerError("x"), None, INTERVAL) == 0.25
    assert ranges == [(0.25, 0.5)]


def test_after_a_burst_limit_it_waits_one_interval_and_a_little_more():
    retry = retry_state()
    retry.record_attempt(0.0)

    assert retry.next_delay(RateLimited("x"), None, INTERVAL) == 11


@pytest.mark.parametrize("kind", [RateLimited, ServerError, UnexpectedResponse])
def test_it_waits_for_as_long_as_the_server_asks(kind):
    retry = retry_state()
    retry.record_attempt(0.0)

    assert retry.next_delay(kind("x"), 7.0, INTERVAL) == 7


def test_a_retry_after_of_zero_is_a_short_delay():
    retry = retry_state()
    retry.record_attempt(0.0)

    assert retry.next_delay(RateLimited("x"), 0.0, INTERVAL) == 0.5


@pytest.mark.parametrize("kind", [RateLimited, ServerError])
def test_a_wait_past_the_deadline_is_an_error(kind):
    retry = retry_state()
    retry.record_attempt(1.0)

    with pytest.raises(RateLimited, match="come back in 2 min") as caught:
        retry.next_delay(kind("busy"), 120.0, INTERVAL)
    assert caught.value.retry_after == 120
    assert "busy" in caught.value.message


def test_the_third_interval_of_a_burst_limit_is_past_the_deadline():
    retry = retry_state(jitter=lambda least, most: least)
    for _ in range(2):
        retry.record_attempt(0.1)
        retry.next_delay(RateLimited("x"), None, INTERVAL)
    retry.record_attempt(0.1)

    with pytest.raises(RateLimited) as caught:
        retry.next_delay(RateLimited("x"), None, INTERVAL)
    assert caught.value.retry_after == 10


def test_an_attempt_has_a_third_of_the_deadline_or_what_is_left_of_it():
    retry = retry_state()
    assert retry.attempt_timeout == 10
    retry.record_attempt(10)
    retry.record_attempt(12)
    assert retry.attempt_timeout == 8
    retry.record_attempt(20)
    assert retry.attempt_timeout == 0.05


def test_no_attempt_starts_after_the_deadline():
    retry = retry_state()
    for _ in range(2):
        retry.record_attempt(10.0)
        retry.next_delay(Timeout("x"), None, INTERVAL)
    retry.record_attempt(9.0)

    with pytest.raises(Timeout):
        retry.next_delay(Timeout("x"), None, INTERVAL)


@pytest.mark.parametrize(
    ("errors", "raised"),
    [
        ([ServerError, Timeout], ServerError),
        ([Timeout, ServerError], ServerError),
        ([UnexpectedResponse, Timeout], UnexpectedResponse),
        ([ConnectionFailed, Timeout], ConnectionFailed),
        ([ServerError, UnexpectedResponse], UnexpectedResponse),
        ([Timeout, Timeout], Timeout),
    ],
)
def test_the_last_error_is_raised_and_a_timeout_only_if_there_is_no_other(errors, raised):
    retry = retry_state(budget=RetryBudget(retries=len(errors) - 1))
    *before, last = errors
    for kind in before:
        after(retry, kind("x"))
    with pytest.raises(HlkitError) as caught:
        after(retry, last("x"))

    assert type(caught.value) is raised


def test_a_row_of_another_location_is_retried_once_whatever_came_before():
    retry = retry_state()
    retry.record_attempt(0.0)
    retry.next_delay(ServerError("x"), None, INTERVAL)
    retry.record_attempt(0.0)

    assert retry.next_delay(wrong_location_row(), None, INTERVAL) == 0
    retry.record_attempt(0.0)
    with pytest.raises(WrongLocation):
        retry.next_delay(wrong_location_row(), None, INTERVAL)


def test_a_token_of_another_location_is_not_retried():
    retry = retry_state()
    retry.record_attempt(0.0)

    with pytest.raises(WrongLocation):
        retry.next_delay(WrongLocation("x", status=403), None, INTERVAL)


def test_a_download_has_ten_retries_and_earns_one_with_five_pages():
    budget = RetryBudget()
    assert [budget.try_withdraw() for _ in range(11)] == [True] * 10 + [False]

    budget = RetryBudget(retries=0)
    for _ in range(5):
        budget.deposit()
    assert budget.try_withdraw()
    assert not budget.try_withdraw()
