"""Pages that go in circles, overlap, lie about their number, move, drift, or belong to somebody else."""

import warnings

import pytest
from trial import PAGE, PAGES, Counting, every_variant, one_warning

from hlkit.client.download import MissingRowsWarning
from hlkit.client.errors import Canceled, IncompleteDownload, WrongLocation
from hlkit.client.frames.builder import DataWarning

EDITED = ("contacts", "opportunities", "messages")  # by a cursor that bears the id: nothing is ever lost
MOVING = ("conversations", "invoices", "transactions", "businesses", "form_submissions", "appointments", "tasks")


@pytest.mark.fault("cursor_loop")
@every_variant("cursor_loop")
@pytest.mark.parametrize("name", ["contacts", "opportunities", "messages", "conversations"])
def test_a_walk_in_a_circle_ends_within_two_requests_and_says_where(trial, name, variant):
    trial.fault("cursor_loop", name, variant=variant, after=1)

    error = trial.breaks(IncompleteDownload, name)

    first = 1 + {"same_page": 1, "two_cursors": 2}[variant]  # the pages that are new
    assert len(trial.asked(name)) <= first + 2
    assert name in str(error)
    assert "pagination loop" in str(error)
    assert "(at {" in str(error)
    trial.resume(error, name)


@pytest.mark.fault("cursor_loop")
@every_variant("cursor_loop")
@pytest.mark.parametrize("name", ["businesses", "transactions", "form_submissions"])
def test_numbered_pages_in_a_circle_end(trial, name, variant):
    trial.fault("cursor_loop", name, variant=variant)

    trial.breaks(IncompleteDownload, name)

    assert len(trial.asked(name)) <= 30


@pytest.mark.fault("edits")
@pytest.mark.parametrize("rate", [1, 10])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", EDITED)
def test_rows_that_stay_come_once_whatever_moves_around_them(trial, name, seed, rate):
    trial.sim.fault("edits", seed=seed, rate=rate, resources=[name])

    with warnings.catch_warnings(action="ignore", category=MissingRowsWarning):  # rows that came behind the cursor
        frame = trial.read(name)

    assert frame.attrs["hlkit"]["complete"]
    assert trial.sim.truth.gone(name)


@pytest.mark.fault("edits")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", MOVING)
def test_rows_that_stay_come_once_or_the_error_bears_those_that_came(trial, name, seed):
    trial.sim.fault("edits", seed=seed, rate=1, resources=[name])

    with warnings.catch_warnings(action="ignore", category=MissingRowsWarning):
        outcome = trial.outcome(name)

    if isinstance(outcome, IncompleteDownload):
        trial.sim.clear_faults()
        trial.whole(name, outcome.resume)  # pages that contradict each other are asked for again


@pytest.mark.fault("edits")
@pytest.mark.parametrize("change", ["insert", "update", "delete"])
def test_rows_that_move_between_a_kept_page_and_the_next_are_read_in_one_walk(trial, change):
    progress = Counting()
    trial.sim.when(3, lambda logged: progress.cancel())  # the definitions of the custom fields, and two pages
    broken = trial.breaks(Canceled, progress=progress)
    edits = trial.sim.edits(rate=0)
    for _ in range(10):
        edits.change("contacts", change)

    with warnings.catch_warnings(action="ignore", category=MissingRowsWarning):
        frame = trial.whole("contacts", broken.resume)

    assert trial.sim.truth.touched("contacts") - set(frame["contact_id"]) == set()
    assert len(trial.asked()) <= PAGES + 2


@pytest.mark.fault("overlap")
@pytest.mark.parametrize("name", ["contacts", "opportunities", "messages", "conversations", "invoices"])
@pytest.mark.parametrize("rows", [1, 10])
def test_rows_that_come_again_on_the_next_page_are_there_once(trial, name, rows):
    trial.fault("overlap", name, rows=rows)

    trial.read(name)


@pytest.mark.fault("overlap")
def test_of_a_row_that_comes_again_the_later_is_kept(trial):
    trial.fault("overlap", rows=1, after=1, times=1)  # the last row of page 1 again, as the first of page 2
    trial.fault("drift", variant="retyped", field="dateUpdated", times=1)

    with one_warning(DataWarning, "20 in updated_at"):
        frame = trial.read()

    assert frame["updated_at"].isna().sum() == PAGE - 1


@pytest.mark.fault("empty_middle")
@every_variant("empty_middle")
def test_a_page_of_no_or_few_rows_is_not_the_end_while_the_cursor_goes_on(trial, variant):
    trial.fault("empty_middle", "messages", variant=variant, after=2, times=3)

    trial.read("messages")


@pytest.mark.fault("total_lies")
@every_variant("total_lies")
@pytest.mark.parametrize("name", ["contacts", "messages", "conversations", "invoices"])
def test_a_total_is_a_hint_and_its_gap_is_told_with_both_numbers(trial, name, variant):
    trial.fault("total_lies", name, variant=variant)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        frame = trial.read(name)

    assert len(told) == (1 if variant == "grows" else 0)
    if told:
        assert told[0].category is MissingRowsWarning
        assert f"sent {len(frame):,}" in str(told[0].message)


@pytest.mark.fault("total_lies")
@every_variant("total_lies")
def test_numbered_pages_with_a_total_that_lies_are_read_or_told_to_be_short(trial, variant):
    trial.fault("total_lies", "form_submissions", variant=variant)

    outcome = trial.outcome("form_submissions")

    rows = outcome.partial if variant in ("zero", "grows", "shrinks") else outcome
    assert trial.sim.truth.undisturbed("form_submissions") == set(rows["submission_id"])


@pytest.mark.fault("same_key")
@pytest.mark.parametrize("name", EDITED)
def test_many_rows_of_one_instant_all_come(trial, name):
    trial.sim.fault("same_key", rows=100, resources=[name])

    trial.read(name)


@pytest.mark.fault("same_key")
def test_a_page_of_one_instant_is_incomplete_where_the_cursor_is_the_instant_alone(trial):
    trial.sim.fault("same_key", rows=60, resources=["conversations"])

    error = trial.breaks(IncompleteDownload, "conversations")

    assert "share one time stamp" in str(error)


@pytest.mark.fault("same_key")
def test_more_rows_than_page_numbers_reach_come_without_any(new_trial):
    trial = new_trial(size=10_600, page=500)
    trial.sim.fault("same_key", rows=10_001, resources=["contacts"])

    frame = trial.read(custom_fields=False)

    assert len(frame) > 10_001
    assert [logged for logged in trial.asked() if "page" in logged.body] == []
    assert {logged.status for logged in trial.asked()} == {200}


@pytest.mark.fault("lost_location")
@every_variant("lost_location")
@pytest.mark.parametrize("name", ["contacts", "opportunities", "messages", "conversations", "invoices"])
def test_rows_of_another_location_are_asked_for_once_more_and_then_refused(trial, name, variant):
    trial.fault("lost_location", name, variant=variant)

    error = trial.breaks(WrongLocation, name)

    assert len(trial.asked(name)) == 3
    assert len(error.partial) == PAGE
    trial.resume(error, name)


@pytest.mark.fault("lost_location")
@every_variant("lost_location")
def test_rows_of_another_location_that_were_a_slip_cost_one_request(trial, variant):
    trial.fault("lost_location", variant=variant, after=2, times=1)

    trial.read()

    assert len(trial.asked()) == PAGES + 1


@pytest.mark.fault("expired_cursor")
@pytest.mark.parametrize("name", ["contacts", "opportunities", "messages", "conversations"])
def test_a_walk_whose_cursor_has_expired_begins_again_and_keeps_each_row_once(trial, name):
    trial.fault("expired_cursor", name, pages=2)

    trial.read(name)


@pytest.mark.fault("drift")
@every_variant("drift")
@pytest.mark.parametrize("after", [0, 1], ids=["between runs", "between pages"])
@pytest.mark.parametrize(
    ("name", "field", "column"),
    [("contacts", "city", "city"), ("messages", "direction", "direction"), ("transactions", "amount", "amount")],
)
def test_a_field_that_drifts_costs_no_row_and_no_dtype(trial, name, field, column, variant, after):
    calm = trial.read(name)
    trial.fault("drift", name, variant=variant, field=field, after=after)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        frame = trial.read(name, refresh=True)

    assert frame.dtypes.equals(calm.dtypes)
    assert frame.drop(columns=column).equals(calm.drop(columns=column))
    assert frame[column].equals(calm[column]) == (variant == "new")
    assert [one.category for one in told] == ([DataWarning] if variant == "retyped" else [])


@pytest.mark.fault("drift")
def test_a_field_that_is_new_is_in_the_raw_rows(trial):
    trial.fault("drift", variant="new")

    assert all("leadScoreBeta" in row for row in trial.loc.contacts.raw())
