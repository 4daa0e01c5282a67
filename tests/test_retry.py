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
from hlkit.client.http.retry import ATTEMPTS, Budget, RetryState

DEADLINE = 30.0
INTERVAL = 10.0


def tries(**given) -> RetryState:
    """RetryState whose jitter always gives the longest wait."""
    return RetryState(**{"deadline": DEADLINE, "budget": Budget(), "jitter": lambda least, most: most, **given})


def after(one: RetryState, error: HlkitError) -> float:
    """The wait after an attempt that took no time."""
    one.took(0.0)
    return one.pause(error, None, INTERVAL)


def strayed() -> WrongLocation:
    return WrongLocation("a row of another location", status=200)


@pytest.mark.parametrize("error", [ServerError("x"), ConnectionFailed("x"), Timeout("x"), UnexpectedResponse("x")])
def test_what_may_pass_is_tried_six_times_ever_more_slowly(error):
    one = tries()
    waits = [after(one, error) for _ in range(5)]
    with pytest.raises(type(error)) as caught:
        after(one, error)

    assert caught.value is error
    assert one.made == ATTEMPTS == 6
    assert waits == [0.5, 1, 2, 4, 8]  # a sixtieth of the deadline, doubled


@pytest.mark.parametrize("kind", [InvalidToken, MissingScope, NotFound, InvalidRequest])
def test_what_cannot_pass_is_tried_once(kind):
    one = tries()
    one.took(0.1)

    with pytest.raises(kind):
        one.pause(kind("x"), None, INTERVAL)


def test_the_jitter_is_half_of_a_wait():
    asked = []
    one = tries(jitter=lambda least, most: asked.append((least, most)) or least)
    one.took(0.0)

    assert one.pause(ServerError("x"), None, INTERVAL) == 0.25
    assert asked == [(0.25, 0.5)]


def test_a_burst_limit_waits_one_interval_and_a_little_more():
    one = tries()
    one.took(0.0)

    assert one.pause(RateLimited("x"), None, INTERVAL) == 11


@pytest.mark.parametrize("kind", [RateLimited, ServerError, UnexpectedResponse])
def test_a_wait_that_the_server_asks_for_is_waited(kind):
    one = tries()
    one.took(0.0)

    assert one.pause(kind("x"), 7.0, INTERVAL) == 7


def test_to_wait_for_nothing_is_to_wait_a_little():
    one = tries()
    one.took(0.0)

    assert one.pause(RateLimited("x"), 0.0, INTERVAL) == 0.5


@pytest.mark.parametrize("kind", [RateLimited, ServerError])
def test_a_wait_past_the_deadline_is_told_and_not_waited(kind):
    one = tries()
    one.took(1.0)

    with pytest.raises(RateLimited, match="come back in 2 min") as caught:
        one.pause(kind("busy"), 120.0, INTERVAL)
    assert caught.value.retry_after == 120
    assert "busy" in caught.value.message


def test_the_third_interval_of_a_burst_limit_is_past_the_deadline():
    one = tries(jitter=lambda least, most: least)
    for _ in range(2):
        one.took(0.1)
        one.pause(RateLimited("x"), None, INTERVAL)
    one.took(0.1)

    with pytest.raises(RateLimited) as caught:
        one.pause(RateLimited("x"), None, INTERVAL)
    assert caught.value.retry_after == 10


def test_an_attempt_has_a_third_of_the_deadline_or_what_is_left_of_it():
    one = tries()
    assert one.seconds == 10
    one.took(10)
    one.took(12)
    assert one.seconds == 8
    one.took(20)
    assert one.seconds == 0.05


def test_no_attempt_begins_after_the_deadline():
    one = tries()
    for _ in range(2):
        one.took(10.0)
        one.pause(Timeout("x"), None, INTERVAL)
    one.took(9.0)

    with pytest.raises(Timeout):
        one.pause(Timeout("x"), None, INTERVAL)


@pytest.mark.parametrize(
    ("came", "raised"),
    [
        ([ServerError, Timeout], ServerError),
        ([Timeout, ServerError], ServerError),
        ([UnexpectedResponse, Timeout], UnexpectedResponse),
        ([ConnectionFailed, Timeout], ConnectionFailed),
        ([ServerError, UnexpectedResponse], UnexpectedResponse),
        ([Timeout, Timeout], Timeout),
    ],
)
def test_the_error_is_the_last_answers_and_timeout_only_where_none_came(came, raised):
    one = tries(budget=Budget(retries=len(came) - 1))
    *before, last = came
    for kind in before:
        after(one, kind("x"))
    with pytest.raises(HlkitError) as caught:
        after(one, last("x"))

    assert type(caught.value) is raised


def test_a_row_of_another_location_is_asked_for_once_more_whatever_came_before():
    one = tries()
    one.took(0.0)
    one.pause(ServerError("x"), None, INTERVAL)
    one.took(0.0)

    assert one.pause(strayed(), None, INTERVAL) == 0
    one.took(0.0)
    with pytest.raises(WrongLocation):
        one.pause(strayed(), None, INTERVAL)


def test_a_token_of_another_location_is_not_asked_again():
    one = tries()
    one.took(0.0)

    with pytest.raises(WrongLocation):
        one.pause(WrongLocation("x", status=403), None, INTERVAL)


def test_a_walk_has_ten_retries_and_earns_one_with_five_pages():
    budget = Budget()
    assert [budget.spend() for _ in range(11)] == [True] * 10 + [False]

    budget = Budget(retries=0)
    for _ in range(5):
        budget.give_back()
    assert budget.spend()
    assert not budget.spend()
