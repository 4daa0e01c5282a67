"""Twelve simulated days: a low burst limit, rows that change during downloads, one response in twenty broken.

Each seed is another day. Frames are compared with the simulator's record of its rows.
"""

import functools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from faultkit import FaultySimulation
from faultkit.faults import MISHAPS

import hlkit as hl
from hlkit.client.download import MissingRowsWarning
from hlkit.client.frames.builder import DataWarning
from hlkit.client.http.progress import Progress

# A list cut where it is still valid JSON, without a total, shows only a warning.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{kind.__module__}.{kind.__name__}")
    for kind in (MissingRowsWarning, DataWarning)
]
SEEDS = range(12)
RESOURCES = ("contacts", "opportunities", "messages", "pipelines", "stages", "users")


@dataclass
class Reading:
    """How one resource was read on one day."""

    seed: int
    resource: str
    undisturbed: set[str]
    ids: list[str]
    arrived: list[int]  # rows that had arrived at each error
    partial: list[int]  # rows of each error

    def __str__(self):
        return f"{self.resource} of seed {self.seed}"


@dataclass
class Day:
    seed: int
    readings: list[Reading]
    statuses: Counter  # of requests without a fault
    requests: int
    pages: int


class Counting(Progress):
    def __init__(self, resource):
        super().__init__()
        self.resource, self.rows = resource, 0

    def on_page(self, update):
        if update.resource == self.resource:  # custom field definitions are reported too
            self.rows = update.rows


def read(sim, loc, seed, resource):
    """The whole resource, resumed after each error."""
    sim.mark()
    progress, arrived, partial = Counting(resource), [], []
    call = functools.partial(getattr(loc, resource), progress=progress)
    while len(arrived) < 30:
        try:
            frame = call()
        except hl.errors.HlkitError as error:
            if error.partial is None:
                continue  # reading the custom field definitions failed: no download was begun
            arrived.append(progress.rows)
            partial.append(len(error.partial))
            call = error.resume
        else:
            return Reading(
                seed, resource, sim.truth.undisturbed(resource), frame.iloc[:, 0].tolist(), arrived, partial
            )
    raise AssertionError(f"{resource} of seed {seed} does not end")


def day(seed, rate=0.05, deadline=4.0, names=MISHAPS):
    window = "sliding" if seed % 2 else "fixed"
    with FaultySimulation(seed=seed, size=1000, as_of="2026-01-01", burst=(25, 500), window=window) as sim:
        sim.edits(rate=1.0, seed=seed, resources=("contacts", "opportunities", "messages"))
        sim.mishaps(rate=rate, seed=seed, names=names)
        loc = hl.connect(sim.token, sim.location_id, base_url=sim.url, cache=False, deadline=deadline)
        readings = [read(sim, loc, seed, resource) for resource in RESOURCES]
        without_fault = [logged for logged in sim.log if logged.fault is None]
        return Day(
            seed,
            readings,
            statuses=Counter(logged.status for logged in without_fault),
            requests=len(sim.log),
            pages=sum(200 <= logged.status < 300 for logged in without_fault),
        )


@pytest.fixture(scope="module")
def days():
    return run_days(day, SEEDS)


@pytest.fixture(scope="module")
def hurricanes():
    """Days when two responses in three are broken, so that downloads are interrupted and resumed.

    Without ``short_body``: a page cut twice in a row where nobody can notice is short, and only a warning says so.
    """
    names = [name for name in MISHAPS if name != "short_body"]
    return run_days(functools.partial(day, rate=0.67, deadline=1.5, names=names), range(3))


def run_days(simulate, seeds):
    """Simulate days in parallel: most of the time is waiting."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(simulate, seeds))


def test_no_row_that_existed_all_day_is_missing(days, hurricanes):
    readings = [reading for day in days + hurricanes for reading in day.readings]
    lost = {str(reading): reading.undisturbed - set(reading.ids) for reading in readings}

    assert {name: ids for name, ids in lost.items() if ids} == {}


def test_no_row_is_repeated(days, hurricanes):
    readings = [reading for day in days + hurricanes for reading in day.readings]

    assert [str(reading) for reading in readings if len(reading.ids) != len(set(reading.ids))] == []


def test_an_error_has_exactly_the_rows_that_arrived(days, hurricanes):
    failed = [reading for day in days + hurricanes for reading in day.readings if reading.arrived]

    assert len(failed) >= 4
    assert any(rows > 0 for reading in failed for rows in reading.arrived)
    assert [str(reading) for reading in failed if reading.arrived != reading.partial] == []


def test_requests_exceed_the_pages_served_by_at_most_15_percent(days):
    requests, pages = sum(day.requests for day in days), sum(day.pages for day in days)

    assert pages > 210
    assert requests > pages  # some responses were broken
    assert requests <= 1.15 * pages


def test_resume_does_not_request_a_cached_page_again(hurricanes):
    # Without faults, a day of this size has 23 to 26 pages, including the custom field definitions.
    assert [day.seed for day in hurricanes if day.pages > 26] == []


def test_no_request_exceeds_the_burst_limit(days, hurricanes):
    assert [day.seed for day in days + hurricanes if day.statuses[429]] == []
