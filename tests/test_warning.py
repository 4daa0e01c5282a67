import functools
import inspect
import warnings
from pathlib import Path

import pytest

import hlkit as hl
from hlkit.client.warning import warn
from hlkit.sim import Simulation

CONTACTS_ONLY = "pit-00000000-0000-0000-0000-00000000000c"


@pytest.fixture(scope="module")
def sim():
    with Simulation(size=30, as_of="2026-01-01") as simulation:
        simulation.add_token(CONTACTS_ONLY, scopes={"contacts.readonly"})
        yield simulation


@pytest.fixture
def loc(sim, tmp_path):
    return hl.connect(CONTACTS_ONLY, sim.location_id, base_url=sim.url, cache=tmp_path)


def only_warning(work):
    """The single warning that *work* shows."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        work()
    assert len(caught) == 1
    return caught[0]


def names_without_scope(loc):
    return loc.with_names(loc.contacts(custom_fields=False)[["contact_id", "owner_id"]])


READS = {
    "custom fields": lambda loc: loc.contacts(),
    "custom fields, a page at a time": lambda loc: list(loc.contacts.pages()),
    "time zone": lambda loc: loc.timezone.key,
    "time zone, for a date": lambda loc: loc.contacts(since="2025-12-01", custom_fields=False),
    "names": names_without_scope,
}


@pytest.mark.parametrize("name", READS)
def test_a_warning_of_a_missing_scope_points_at_the_callers_own_line(loc, name):
    work = READS[name]
    lines, first = inspect.getsourcelines(work)

    warning = only_warning(lambda: work(loc))

    assert warning.filename == __file__
    assert first <= warning.lineno < first + len(lines)


@pytest.mark.parametrize("name", READS)
def test_a_warning_of_a_missing_scope_says_what_to_do_as_an_error_does(loc, name):
    message = str(only_warning(lambda: READS[name](loc)).message)

    assert ". What to do: check " in message
    assert message.endswith(".")


def test_an_unknown_value_offline_shows_what_to_do(sim, tmp_path):
    loc = hl.connect(CONTACTS_ONLY, sim.location_id, base_url=sim.url, cache=tmp_path, offline=True)

    assert "What to do: connect without offline=True and read it once; or set it with connect(" in str(
        only_warning(lambda: loc.timezone.key).message
    )


def test_warnings_of_cached_rows_and_of_an_unusual_token_point_at_the_callers_line(sim, loc, tmp_path):
    loc.contacts(custom_fields=False)
    offline = hl.connect(CONTACTS_ONLY, sim.location_id, base_url=sim.url, cache=tmp_path, offline=True)

    for work in (
        lambda: offline.contacts(custom_fields=False),
        lambda: hl.connect("pit-short", "abc"),
    ):
        assert only_warning(work).filename == __file__


def test_a_warning_of_every_module_points_at_the_callers_line():
    warning_modules = [
        path.name for path in Path(hl.__file__).parent.rglob("*.py") if "stacklevel=" in path.read_text()
    ]

    assert warning_modules == ["warning.py"]


def test_frames_of_other_packages_between_two_of_ours_are_skipped():
    ours = eval("lambda work: work()", {"__name__": "hlkit.somewhere"})
    theirs = functools.partial(lambda work: work(), warn_below)

    assert only_warning(lambda: ours(theirs)).lineno == inspect.currentframe().f_lineno


def warn_below():
    eval("warn('message')", {"__name__": "hlkit.elsewhere", "warn": warn})
