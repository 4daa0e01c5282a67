"""The same call resumes an interrupted download, even on another day, and errors promise only what is true."""

import contextlib
import gc
import json
import sys
import time

import pandas as pd
import pytest
from faultkit import faults
from trial import PAGES, ROWS, arrived, question

from hlkit.client.cached_downloads import StaleWarning
from hlkit.client.errors import QuotaExhausted

A_DAY = 86_400
PROMISE = "pages are cached; within 7 days, the same call{} requests only the rest"


def connect(trial, day=0, **options):
    """The location on a later day, with a fresh daily quota."""
    loc = trial.connect(**options)
    trial.sim._budgets.clear()
    rate_limiter, cache = loc.session.rate_limiter, loc.session.cache
    rate_limiter._clock, rate_limiter._now = (
        faults.shifted(time.monotonic, day * A_DAY),
        faults.shifted(time.time, day * A_DAY),
    )
    cache.now = faults.shifted(time.time, day * A_DAY)
    return loc


def answered_requests(trial, name="contacts"):
    """The requests that were answered, each as text."""
    return [question(logged) for logged in trial.asked(name) if arrived(logged)]


def test_a_read_larger_than_the_daily_quota_finishes_with_the_same_script_on_three_days(new_trial):
    trial = new_trial(daily=3)

    for day, rows in enumerate((60, ROWS)):
        with pytest.raises(QuotaExhausted) as caught:
            connect(trial, day).contacts(custom_fields=False)
        assert len(caught.value.partial) == rows
        assert f"{3 * (day + 1)} {PROMISE.format('')}" in str(caught.value)
    frame = connect(trial, 2).contacts(custom_fields=False)

    assert len(frame) == ROWS
    assert len(set(answered_requests(trial))) == len(answered_requests(trial)) == PAGES
    provenance = json.loads(json.dumps(frame.attrs["hlkit"]))
    days = pd.Timestamp(provenance["fetched_at"]) - pd.Timestamp(provenance["first_fetched_at"])
    assert days.round("1h") == pd.Timedelta("2D")


def test_numbered_pages_are_promised_only_if_no_rows_are_added_or_removed(new_trial):
    trial = new_trial(daily=1, size=1500)

    with pytest.raises(QuotaExhausted) as caught:
        connect(trial).form_submissions()

    assert "requests only the rest, unless rows were added or removed meanwhile" in str(caught.value)


def test_a_resource_with_one_request_per_contact_resumes_with_the_same_contacts(new_trial):
    trial = new_trial(daily=20, size=30)
    with pytest.raises(QuotaExhausted):
        connect(trial).notes()
    first_paths = {logged.path for logged in trial.asked("notes")}
    trial.sim.edits(rate=0, seed=1).change("contacts", "insert")

    frame = connect(trial, 1).notes()

    assert len(trial.asked("contacts")) == 3
    assert len(trial.asked("notes")) == len({logged.path for logged in trial.asked("notes")}) > len(first_paths)
    assert frame.attrs["hlkit"]["complete"]
    with pytest.warns(StaleWarning):
        offline = connect(trial, 2, offline=True).notes()
    assert offline.equals(frame)


@pytest.mark.parametrize(
    ("options", "dates"),
    [
        ({}, ""),
        ({"refresh": True}, ""),
        ({"limit": 50}, ""),
        ({"since": "2020-01-01T00:00Z"}, " with the same dates"),
    ],
    ids=["all", "refresh", "limit", "since"],
)
def test_the_same_call_does_what_the_error_promised(new_trial, options, dates):
    trial = new_trial(daily=2)
    options = {"custom_fields": False, **options}
    with pytest.raises(QuotaExhausted, match=f"2 {PROMISE.format(dates)}"):
        connect(trial).contacts(**options)

    with contextlib.suppress(QuotaExhausted):
        connect(trial, 1).contacts(**options)

    assert len(set(answered_requests(trial))) == len(answered_requests(trial)) > 2


def test_without_a_cache_only_resume_is_promised(new_trial):
    trial = new_trial(daily=4)
    with pytest.raises(QuotaExhausted) as caught:
        connect(trial, cache=False).contacts(custom_fields=False)
    connect(trial, 1)

    assert "same call" not in str(caught.value)
    assert ".resume() continues from there" in str(caught.value)
    assert len(caught.value.resume()) == ROWS
    assert len(set(answered_requests(trial))) == len(answered_requests(trial)) == PAGES


def test_the_error_of_pages_can_resume_to_all_rows(new_trial):
    trial = new_trial(daily=4)
    frames = []
    with pytest.raises(QuotaExhausted, match="4 pages are cached") as caught:
        frames.extend(connect(trial).contacts.pages(custom_fields=False))
    connect(trial, 1)

    assert [len(frame) for frame in frames] == [20, 20, 20, 20]
    assert len(caught.value.partial) == 0
    assert len(caught.value.resume()) == ROWS
    assert len(set(answered_requests(trial))) == len(answered_requests(trial)) == PAGES


def test_pages_of_a_loop_that_ended_early_are_not_used_the_next_day(trial):
    for _ in connect(trial).contacts.pages(custom_fields=False):
        break

    frame = connect(trial, 1).contacts(custom_fields=False)

    assert len(answered_requests(trial)) == 1 + PAGES
    assert frame.attrs["hlkit"]["from_cache"] == 0


def test_a_loop_and_a_location_that_are_forgotten_together_end_without_a_warning(trial, monkeypatch):
    raised = []
    monkeypatch.setattr(sys, "unraisablehook", raised.append)
    loc = trial.connect()
    pages = loc.contacts.pages(custom_fields=False)
    next(pages)
    cycle = [loc, pages]
    cycle.append(cycle)

    del loc, pages, cycle
    gc.collect()

    assert raised == []
