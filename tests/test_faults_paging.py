"""Faults of pagination: loops, overlaps, wrong totals, rows that move, changed fields, rows of another location."""

import warnings

import pytest
from trial import PAGE, PAGES, Counting, every_variant, one_warning

from hlkit.client.download import MissingRowsWarning
from hlkit.client.errors import Canceled, IncompleteDownload, WrongLocation
from hlkit.client.frames.builder import DataWarning

EDITED = ("contacts", "opportunities", "messages")  # the cursor contains the id, so no row is ever lost
MOVING = ("conversations", "invoices", "transactions", "businesses", "form_submissions", "appointments", "tasks")


@pytest.mark.fault("cursor_loop")
@every_variant("cursor_loop")
@pytest.mark.parametrize("name", ["contacts", "opportunities", "messages", "conversations"])
def test_a_pagination_loop_ends_within_two_requests_and_the_error_says_where(trial, name, variant):
    trial.fault("cursor_loop", name, variant=variant, after=1)

    error = trial.breaks(IncompleteDownload, name)

    new_pages = 1 + {"same_page": 1, "two_cursors": 2}[variant]
    assert len(trial.asked(name)) <= new_pages + 2
    assert name in str(error)
    assert "pagination loop" in str(error)
    assert "(at {" in str(error)
    trial.resume(error, name)


@pytest.mark.fault("cursor_loop")
@every_variant("cursor_loop")
@pytest.mark.parametrize("name", ["businesses", "transactions", "form_submissions"])
def test_a_loop_of_numbered_pages_ends(trial, name, variant):
    trial.fault("cursor_loop", name, variant=variant)

    trial.breaks(IncompleteDownload, name)

    assert len(trial.asked(name)) <= 30


@pytest.mark.fault("edits")
@pytest.mark.parametrize("rate", [1, 10])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", EDITED)
def test_unchanged_rows_arrive_once_while_others_change(trial, name, seed, rate):
    trial.sim.fault("edits", seed=seed, rate=rate, resources=[name])

    with warnings.catch_warnings(
        action="ignore", category=MissingRowsWarning
    ):  # rows that were added before the cursor
        frame = trial.read(name)

    assert frame.attrs["hlkit"]["complete"]
    assert trial.sim.truth.gone(name)


@pytest.mark.fault("edits")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", MOVING)
def test_unchanged_rows_arrive_once_or_the_error_has_the_rows_that_arrived(trial, name, seed):
    trial.sim.fault("edits", seed=seed, rate=1, resources=[name])

    with warnings.catch_warnings(action="ignore", category=MissingRowsWarning):
        outcome = trial.outcome(name)

    if isinstance(outcome, IncompleteDownload):
        trial.sim.clear_faults()
        trial.whole(name, outcome.resume)  # contradictory pages are requested again


@pytest.mark.fault("edits")
@pytest.mark.parametrize("change", ["insert", "update", "delete"])
def test_rows_that_move_between_a_cached_page_and_the_next_are_read_by_resume(trial, change):
    progress = Counting()
    trial.sim.when(3, lambda logged: progress.cancel())  # the custom field definitions, and two pages
    error = trial.breaks(Canceled, progress=progress)
    edits = trial.sim.edits(rate=0)
    for _ in range(10):
        edits.change("contacts", change)

    with warnings.catch_warnings(action="ignore", category=MissingRowsWarning):
        frame = trial.whole("contacts", error.resume)

    assert trial.sim.truth.touched("contacts") - set(frame["contact_id"]) == set()
    assert len(trial.asked()) <= PAGES + 2


@pytest.mark.fault("overlap")
@pytest.mark.parametrize("name", ["contacts", "opportunities", "messages", "conversations", "invoices"])
@pytest.mark.parametrize("rows", [1, 10])
def test_rows_repeated_on_the_next_page_appear_once(trial, name, rows):
    trial.fault("overlap", name, rows=rows)

    trial.read(name)


@pytest.mark.fault("overlap")
def test_of_a_repeated_row_the_later_version_wins(trial):
    trial.fault("overlap", rows=1, after=1, times=1)  # the last row of page 1 again, as the first of page 2
    trial.fault("drift", variant="retyped", field="dateUpdated", times=1)

    with one_warning(DataWarning, "20 in updated_at"):
        frame = trial.read()

    assert frame["updated_at"].isna().sum() == PAGE - 1


@pytest.mark.fault("empty_middle")
@every_variant("empty_middle")
def test_an_empty_or_short_page_is_not_the_end_if_there_is_a_next_cursor(trial, variant):
    trial.fault("empty_middle", "messages", variant=variant, after=2, times=3)

    trial.read("messages")


@pytest.mark.fault("total_lies")
@every_variant("total_lies")
@pytest.mark.parametrize("name", ["contacts", "messages", "conversations", "invoices"])
def test_a_wrong_total_loses_no_row_and_a_gap_is_reported_with_both_numbers(trial, name, variant):
    trial.fault("total_lies", name, variant=variant)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = trial.read(name)

    assert len(caught) == (1 if variant == "grows" else 0)
    if caught:
        assert caught[0].category is MissingRowsWarning
        assert f"sent {len(frame):,}" in str(caught[0].message)


@pytest.mark.fault("total_lies")
@every_variant("total_lies")
def test_numbered_pages_with_a_wrong_total_are_complete_or_reported_as_short(trial, variant):
    trial.fault("total_lies", "form_submissions", variant=variant)

    outcome = trial.outcome("form_submissions")

    rows = outcome.partial if variant in ("zero", "grows", "shrinks") else outcome
    assert trial.sim.truth.undisturbed("form_submissions") == set(rows["submission_id"])


@pytest.mark.fault("same_key")
@pytest.mark.parametrize("name", EDITED)
def test_many_rows_with_the_same_time_all_arrive(trial, name):
    trial.sim.fault("same_key", rows=100, resources=[name])

    trial.read(name)


@pytest.mark.fault("same_key")
def test_a_page_of_rows_with_the_same_time_is_incomplete_if_the_cursor_is_the_time_only(trial):
    trial.sim.fault("same_key", rows=60, resources=["conversations"])

    error = trial.breaks(IncompleteDownload, "conversations")

    assert "share one time stamp" in str(error)


@pytest.mark.fault("same_key")
def test_more_rows_than_page_numbers_allow_are_read_by_cursor(new_trial):
    trial = new_trial(size=10_600, page=500)
    trial.sim.fault("same_key", rows=10_001, resources=["contacts"])

    frame = trial.read(custom_fields=False)

    assert len(frame) > 10_001
    assert [logged for logged in trial.asked() if "page" in logged.body] == []
    assert {logged.status for logged in trial.asked()} == {200}


@pytest.mark.fault("lost_location")
@every_variant("lost_location")
@pytest.mark.parametrize("name", ["contacts", "opportunities", "messages", "conversations", "invoices"])
def test_rows_of_another_location_are_retried_once_and_then_refused(trial, name, variant):
    trial.fault("lost_location", name, variant=variant)

    error = trial.breaks(WrongLocation, name)

    assert len(trial.asked(name)) == 3
    assert len(error.partial) == PAGE
    trial.resume(error, name)


@pytest.mark.fault("lost_location")
@every_variant("lost_location")
def test_rows_of_another_location_sent_once_cost_one_request(trial, variant):
    trial.fault("lost_location", variant=variant, after=2, times=1)

    trial.read()

    assert len(trial.asked()) == PAGES + 1


@pytest.mark.fault("expired_cursor")
@pytest.mark.parametrize("name", ["contacts", "opportunities", "messages", "conversations"])
def test_a_download_with_an_expired_cursor_restarts_and_returns_each_row_once(trial, name):
    trial.fault("expired_cursor", name, pages=2)

    trial.read(name)


@pytest.mark.fault("drift")
@every_variant("drift")
@pytest.mark.parametrize("after", [0, 1], ids=["between runs", "between pages"])
@pytest.mark.parametrize(
    ("name", "field", "column"),
    [("contacts", "city", "city"), ("messages", "direction", "direction"), ("transactions", "amount", "amount")],
)
def test_a_field_that_changes_loses_no_row_and_changes_no_dtype(trial, name, field, column, variant, after):
    calm = trial.read(name)
    trial.fault("drift", name, variant=variant, field=field, after=after)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = trial.read(name, refresh=True)

    assert frame.dtypes.equals(calm.dtypes)
    assert frame.drop(columns=column).equals(calm.drop(columns=column))
    assert frame[column].equals(calm[column]) == (variant == "new")
    assert [warning.category for warning in caught] == ([DataWarning] if variant == "retyped" else [])


@pytest.mark.fault("drift")
def test_a_new_field_is_in_the_raw_rows(trial):
    trial.fault("drift", variant="new")

    assert all("leadScoreBeta" in row for row in trial.loc.contacts.raw())
