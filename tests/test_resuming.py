"""A download that broke off goes on by the same call, on another day too, and says so only where that is true."""

import contextlib
import json
import time

import pandas as pd
import pytest
from faultkit import faults
from trial import PAGES, ROWS, arrived, question

from hlkit.client.download import StaleWarning
from hlkit.client.errors import QuotaExhausted

A_DAY = 86_400
AGAIN = "pages are cached, and the same call{}, made again within 7 days, asks only for the rest"


def connect(trial, day=0, **given):
    """The location on a later day, when the day's requests are there again."""
    loc = trial.connect(**given)
    trial.sim._budgets.clear()
    rate_limiter, cache = loc.session.rate_limiter, loc.session.cache
    rate_limiter._clock, rate_limiter._now = (
        faults.shifted(time.monotonic, day * A_DAY),
        faults.shifted(time.time, day * A_DAY),
    )
    cache._now = faults.shifted(time.time, day * A_DAY)
    return loc


def paid(trial, name="contacts"):
    """What was asked and answered, each as text."""
    return [question(logged) for logged in trial.asked(name) if arrived(logged)]


def test_a_read_larger_than_a_days_quota_finishes_by_the_same_script_on_three_days(new_trial):
    trial = new_trial(daily=3)

    for day, rows in enumerate((60, ROWS)):
        with pytest.raises(QuotaExhausted) as caught:
            connect(trial, day).contacts(custom_fields=False)
        assert len(caught.value.partial) == rows
        assert f"{3 * (day + 1)} {AGAIN.format('')}" in str(caught.value)
    frame = connect(trial, 2).contacts(custom_fields=False)

    assert len(frame) == ROWS
    assert len(set(paid(trial))) == len(paid(trial)) == PAGES
    told = json.loads(json.dumps(frame.attrs["hlkit"]))
    days = pd.Timestamp(told["fetched_at"]) - pd.Timestamp(told["first_fetched_at"])
    assert days.round("1h") == pd.Timedelta("2D")


def test_pages_by_number_are_promised_only_while_no_row_comes_or_goes(new_trial):
    trial = new_trial(daily=1, size=1500)

    with pytest.raises(QuotaExhausted) as caught:
        connect(trial).form_submissions()

    assert "asks only for the rest, unless rows were added or removed meanwhile" in str(caught.value)


def test_a_resource_that_is_read_for_each_contact_goes_on_with_the_same_contacts(new_trial):
    trial = new_trial(daily=20, size=30)
    with pytest.raises(QuotaExhausted):
        connect(trial).notes()
    asked = {logged.path for logged in trial.asked("notes")}
    trial.sim.edits(rate=0, seed=1).change("contacts", "insert")

    frame = connect(trial, 1).notes()

    assert len(trial.asked("contacts")) == 3
    assert len(trial.asked("notes")) == len({logged.path for logged in trial.asked("notes")}) > len(asked)
    assert frame.attrs["hlkit"]["complete"]
    with pytest.warns(StaleWarning):
        offline = connect(trial, 2, offline=True).notes()
    assert offline.equals(frame)


@pytest.mark.parametrize(
    ("given", "dates"),
    [
        ({}, ""),
        ({"refresh": True}, ""),
        ({"limit": 50}, ""),
        ({"since": "2020-01-01T00:00Z"}, " with the same dates"),
    ],
    ids=["all", "refresh", "limit", "since"],
)
def test_what_an_error_promises_of_the_same_call_is_so(new_trial, given, dates):
    trial = new_trial(daily=2)
    given = {"custom_fields": False, **given}
    with pytest.raises(QuotaExhausted, match=f"2 {AGAIN.format(dates)}"):
        connect(trial).contacts(**given)

    with contextlib.suppress(QuotaExhausted):
        connect(trial, 1).contacts(**given)

    assert len(set(paid(trial))) == len(paid(trial)) > 2


def test_without_a_cache_only_resume_is_promised(new_trial):
    trial = new_trial(daily=4)
    with pytest.raises(QuotaExhausted) as caught:
        connect(trial, cache=False).contacts(custom_fields=False)
    connect(trial, 1)

    assert "same call" not in str(caught.value)
    assert ".resume() continues from there" in str(caught.value)
    assert len(caught.value.resume()) == ROWS
    assert len(set(paid(trial))) == len(paid(trial)) == PAGES


def test_pages_that_broke_off_bear_the_way_to_all_rows(new_trial):
    trial = new_trial(daily=4)
    came = []
    with pytest.raises(QuotaExhausted, match="4 pages are cached") as caught:
        came.extend(connect(trial).contacts.pages(custom_fields=False))
    connect(trial, 1)

    assert [len(frame) for frame in came] == [20, 20, 20, 20]
    assert len(caught.value.partial) == 0
    assert len(caught.value.resume()) == ROWS
    assert len(set(paid(trial))) == len(paid(trial)) == PAGES


def test_a_loop_over_pages_that_ends_early_leaves_no_old_page_to_the_next_day(trial):
    for _ in connect(trial).contacts.pages(custom_fields=False):
        break

    frame = connect(trial, 1).contacts(custom_fields=False)

    assert len(paid(trial)) == 1 + PAGES
    assert frame.attrs["hlkit"]["from_cache"] == 0
