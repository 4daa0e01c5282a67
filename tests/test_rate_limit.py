"""No window of the server's ever holds more of our requests than it allows."""

import random
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlkit.client.errors import Canceled, QuotaExhausted, RateLimited
from hlkit.client.http.progress import Progress
from hlkit.client.http.rate_limit import Quota, RateLimiter, duration


class Clock(Progress):
    """A clock that a wait advances. It is the progress too."""

    def __init__(self):
        super().__init__()
        self.now = 1000.0
        self.waits: list[float] = []
        self.reported: list[tuple[float, str]] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds):
        self.raise_if_canceled()
        self.waits.append(seconds)
        self.now += seconds

    def on_wait(self, seconds, why):
        self.reported.append((seconds, why))


def headers_with(most=None, left=None, interval_ms=None, day=None, day_limit=None, resets_ms=None):
    headers = {
        "x-ratelimit-max": most,
        "x-ratelimit-remaining": left,
        "x-ratelimit-interval-milliseconds": interval_ms,
        "x-ratelimit-daily-remaining": day,
        "x-ratelimit-limit-daily": day_limit,
        "x-ratelimit-daily-reset": resets_ms,
    }
    return {name: str(value) for name, value in headers.items() if value is not None}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rate_limiter(clock):
    return RateLimiter(clock=clock, now=clock)


def test_a_wait_for_a_reported_interval_of_minutes_is_an_error_that_says_how_long(clock, rate_limiter):
    rate_limiter.acquire(Progress())
    rate_limiter.release(headers_with(most=100, left=0, interval_ms=600_000))
    began = clock()

    with pytest.raises(RateLimited, match=r"100 requests in 10 min, .* free in 10 min") as error:
        rate_limiter.acquire(Progress(), max_wait=30.0)

    assert clock() == began
    assert error.value.retry_after == 600
    assert "deadline=600" in error.value.hint


def test_a_slot_is_free_again_one_interval_after_its_response(clock, rate_limiter):
    headers = headers_with(most=2, left=1, interval_ms=10_000)
    rate_limiter.acquire(clock)
    rate_limiter.release(headers)  # at 1000: usable at 1010
    rate_limiter.acquire(clock)
    clock.now += 3
    rate_limiter.release(headers)  # at 1003: usable at 1013

    rate_limiter.acquire(clock)

    assert clock.now == 1010
    assert clock.reported == [(7.0, "for the burst limit")]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    most=st.integers(1, 30),
    interval_ms=st.integers(200, 20_000),
    slowest=st.floats(0.001, 3.0),
    window=st.sampled_from(["fixed", "sliding"]),
    reports_left=st.booleans(),
)
def test_no_window_holds_more_requests_than_are_allowed_whatever_the_jitter(
    seed, most, interval_ms, slowest, window, reports_left
):
    rng, interval = random.Random(seed), interval_ms / 1000
    clock = Clock()
    rate_limiter = RateLimiter(clock=clock, now=clock)
    arrivals: list[float] = []
    in_flight: list[tuple[float, dict[str, str]]] = []  # when each answer comes, and its headers

    def receive(until):
        for at, headers in sorted(in_flight, key=lambda response: response[0]):
            if at <= until:
                clock.now = max(clock.now, at)
                rate_limiter.release(headers)
                in_flight.remove((at, headers))

    rate_limiter.acquire(clock)  # the first response reports the limit
    rate_limiter.release(headers_with(most, most - 1, interval_ms))
    arrivals.append(clock.now)
    for _ in range(6 * most):
        while True:
            receive(clock.now)
            if len(in_flight) < 8 and rate_limiter._seconds_to_free_slot() <= 0:
                break
            moments = [at for at, _ in in_flight] + [
                clock.now + s for s in [rate_limiter._seconds_to_free_slot()] if 0 < s < 1e9
            ]
            clock.now = min(moment for moment in moments if moment > clock.now)
        rate_limiter.acquire(clock)
        arrived = clock.now + rng.uniform(0, slowest)
        arrivals.append(arrived)
        left = most - sum(arrived - interval < arrival <= arrived for arrival in arrivals)
        headers = headers_with(most, max(left, 0) if reports_left else None, interval_ms)
        in_flight.append((arrived + rng.uniform(0, slowest), headers))
    assert clock.waits == []  # acquire() never had to wait here: the loop did

    arrivals.sort()
    if window == "sliding":
        counts = [sum(at - interval < other <= at for other in arrivals) for at in arrivals]
    else:
        begin = arrivals[0] - rng.uniform(0, interval)
        counts = [sum(int((at - begin) / interval) == number for at in arrivals) for number in range(200)]
    assert max(counts) <= most


def test_more_than_nine_tenths_of_the_limit_is_used(clock, rate_limiter):
    headers = headers_with(most=25, interval_ms=10_000)
    for _ in range(250):
        rate_limiter.acquire(clock)
        clock.now += 0.15
        rate_limiter.release(headers)

    # 10 windows of 25 need at least 9 intervals; a slot costs one round trip of 0.15 s more.
    assert 90 / (clock.now - 1000) > 0.9


def test_the_servers_count_overrides_ours(clock, rate_limiter):
    rate_limiter.acquire(clock)
    rate_limiter.release(headers_with(most=10, left=2, interval_ms=10_000))  # others have used seven

    rate_limiter.acquire(clock)
    rate_limiter.acquire(clock)
    assert clock.now == 1000
    rate_limiter.acquire(clock)
    assert clock.now == 1010


def test_more_left_than_we_count_frees_no_slot(clock, rate_limiter):
    for _ in range(3):
        rate_limiter.acquire(clock)
    for _ in range(3):
        rate_limiter.release(headers_with(most=3, left=3, interval_ms=10_000))

    rate_limiter.acquire(clock)
    assert clock.now == 1010


@pytest.mark.parametrize("seconds", [0.0, 2.0])
def test_a_short_back_off_frees_no_slot_that_is_in_use(clock, rate_limiter, seconds):
    for _ in range(2):
        rate_limiter.acquire(clock)
        rate_limiter.release(headers_with(most=2, interval_ms=10_000))

    rate_limiter.back_off(seconds)
    rate_limiter.acquire(clock)

    assert clock.now == 1010


def test_a_back_off_blocks_every_slot(clock, rate_limiter):
    rate_limiter.acquire(clock)
    rate_limiter.release(headers_with(most=5, interval_ms=1000))

    rate_limiter.back_off(30)
    rate_limiter.acquire(clock)

    assert clock.now == 1030


@pytest.mark.parametrize(
    "odd",
    [
        {},
        headers_with(most="many", left="-5", interval_ms="soon"),
        headers_with(most="-1", interval_ms="0"),
        headers_with(most="0", interval_ms="1.5"),
        headers_with(most="9" * 5000, left="9" * 5000, interval_ms="9" * 5000),
        headers_with(most=10**9, left=0, interval_ms=10**12),
        headers_with(most="²", interval_ms=""),
    ],
)
@pytest.mark.fault("limits_odd")
def test_missing_or_invalid_headers_mean_a_hundred_in_ten_seconds(clock, rate_limiter, odd):
    for _ in range(100):
        rate_limiter.acquire(clock)
        rate_limiter.release({name: text for name, text in odd.items() if name != "x-ratelimit-remaining"})
    assert clock.now == 1000

    rate_limiter.acquire(clock)

    assert clock.now == 1010


def test_before_the_first_response_no_more_are_sent_than_the_smallest_limit_allows(clock, rate_limiter):
    for _ in range(25):
        rate_limiter.acquire(clock)
    threading.Timer(0.02, clock.cancel).start()

    with pytest.raises(Canceled):  # the twenty-sixth waits for an answer
        rate_limiter.acquire(clock)


def test_an_attempt_without_a_response_releases_its_slot(clock, rate_limiter):
    for _ in range(300):
        rate_limiter.acquire(clock)
        rate_limiter.release(None)
        clock.now += 0.5


def test_after_a_lower_limit_it_waits_until_enough_slots_are_free(clock, rate_limiter):
    for _ in range(10):
        rate_limiter.acquire(clock)
        rate_limiter.release(headers_with(most=10, interval_ms=10_000))
        clock.now += 1  # usable at 1010, 1011, ... 1019

    rate_limiter._free_at.append(5000.0)
    rate_limiter.acquire(clock)
    rate_limiter.release(headers_with(most=4, interval_ms=10_000))  # at 1010 or 1011
    rate_limiter.acquire(clock)

    assert clock.now == pytest.approx(1018, abs=1)


def test_a_canceled_progress_takes_no_slot(clock, rate_limiter):
    clock.cancel()

    with pytest.raises(Canceled):
        rate_limiter.acquire(clock)
    assert rate_limiter._free_at == []


def test_an_exhausted_daily_quota_raises_with_its_reset_time(clock, rate_limiter):
    rate_limiter.acquire(clock)
    rate_limiter.release(headers_with(day=0, day_limit=200_000, resets_ms=7_200_000))

    with pytest.raises(QuotaExhausted, match=r"\(200,000\) .* in 2 h") as caught:
        rate_limiter.acquire(clock)
    assert caught.value.retry_after == 7200
    assert not caught.value.retryable

    clock.now += 7201
    rate_limiter.acquire(clock)


def test_without_a_reset_time_one_request_a_minute_checks_the_daily_quota(clock, rate_limiter):
    rate_limiter.acquire(clock)
    rate_limiter.release(headers_with(day=0))
    with pytest.raises(QuotaExhausted, match="within 24 hours"):
        rate_limiter.acquire(clock)

    clock.now += 61
    rate_limiter.acquire(clock)


def test_the_daily_quota_resets_although_the_time_of_day_was_set_back():
    clock, wall = Clock(), Clock()
    rate_limiter = RateLimiter(clock=clock, now=wall)
    rate_limiter.acquire(clock)
    rate_limiter.release(headers_with(day=0, resets_ms=60_000))
    wall.now -= 365 * 86_400
    clock.now += 61

    rate_limiter.acquire(clock)


def test_a_response_without_headers_leaves_the_quota_as_it_was(clock, rate_limiter):
    for headers in (headers_with(100, 42, 10_000, day=1234, day_limit=200_000, resets_ms=3_600_000), {}, None):
        rate_limiter.acquire(clock)
        rate_limiter.release(headers)

    quota = rate_limiter.quota
    assert (quota.burst, quota.burst_limit, quota.interval) == (42, 100, 10)
    assert (quota.day, quota.day_limit, quota.day_resets_at) == (1234, 200_000, 1000 + 3600)


def test_the_time_for_many_requests_depends_on_their_duration_or_the_limit(clock, rate_limiter):
    rate_limiter.acquire(clock)
    rate_limiter.release(headers_with(most=25, interval_ms=10_000))

    assert rate_limiter.time_for(10) == 3
    assert rate_limiter.time_for(250) == 90  # ten windows of 25, the first at once


def test_a_quota_reads_as_prose():
    assert str(Quota()) == "not known until the first request"
    assert str(Quota(reported_at=1.0)) == "not reported by the server"
    quota = Quota(burst=94, burst_limit=100, interval=10, day=199_408, day_limit=200_000, reported_at=1.0)
    assert str(quota) == "94 of 100 requests left in 10 s, 199,408 of 200,000 left today"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599, "60 min"),
        (7200, "2 h"),
        (86_400, "24 h"),
        (172_800, "2 days"),
    ],
)
def test_a_duration_reads_naturally(seconds, text):
    assert duration(seconds) == text
