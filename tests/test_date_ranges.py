"""A date range of rows that are all cached is selected from them, without a request."""

import pandas as pd
import pytest

import hlkit as hl
from hlkit.client import endpoint
from hlkit.client.resources import CATALOG
from hlkit.sim import Simulation

DATED = [
    name for name, resource in CATALOG.items() if resource.when and not (resource.parent and resource.name == "notes")
]
SPAN = {"since": "2025-06-01T05:00Z", "until": "2025-12-01T06:00Z"}


@pytest.fixture(scope="module")
def simulation():
    with Simulation(size=150, as_of="2026-01-01", burst=(9000, 10_000)) as simulation:
        yield simulation


@pytest.fixture
def connect(simulation, tmp_path):
    def connected(cache="cache", **options):
        return hl.connect(
            simulation.token, simulation.location_id, base_url=simulation.url, cache=tmp_path / cache, **options
        )

    return connected


def requests_of(simulation, read):
    before = len(simulation.log)
    frame = read()
    return frame, len(simulation.log) - before


@pytest.mark.parametrize("name", DATED)
def test_a_range_of_cached_rows_costs_nothing_and_is_the_range_that_the_server_gives(simulation, connect, name):
    asked = connect("other").resources[name](**SPAN)
    loc = connect()
    loc.resources[name]()

    frame, requests = requests_of(simulation, lambda: loc.resources[name](**SPAN))

    assert requests == 0
    key = CATALOG[name].key
    frame, asked = (rows.sort_values(key, ignore_index=True) for rows in (frame, asked))
    pd.testing.assert_frame_equal(frame, asked)


def test_a_limit_counts_the_rows_of_the_range(simulation, connect):
    loc = connect()
    whole = loc.contacts()

    frame, requests = requests_of(simulation, lambda: loc.contacts(**SPAN, limit=3))

    in_range = whole[whole["created_at"].ge("2025-06-01T05:00Z") & whole["created_at"].lt("2025-12-01T06:00Z")]
    assert requests == 0
    assert frame["contact_id"].tolist() == in_range["contact_id"].tolist()[:3]


@pytest.mark.parametrize("options", [{"refresh": True}, {"expire_after": 0}, {"tag": "vip"}])
def test_the_server_is_asked_if_the_cached_rows_are_not_what_is_wanted(simulation, connect, options):
    loc = connect()
    loc.contacts()

    assert requests_of(simulation, lambda: loc.contacts(**SPAN, **options))[1] > 0


def test_the_server_is_asked_if_the_full_download_is_very_large(simulation, connect, monkeypatch):
    loc = connect()
    loc.contacts()
    monkeypatch.setattr(endpoint, "MAX_PAGES_TO_FILTER", 0)

    assert requests_of(simulation, lambda: loc.contacts(**SPAN))[1] > 0


def test_a_range_that_was_read_itself_is_used_first(connect):
    loc = connect()
    asked = loc.contacts(**SPAN)
    loc.contacts()

    assert loc.contacts(**SPAN).attrs["hlkit"]["first_fetched_at"] == asked.attrs["hlkit"]["first_fetched_at"]
    assert loc.contacts(**SPAN).attrs["hlkit"]["pages"] == asked.attrs["hlkit"]["pages"]


def test_offline_a_range_of_what_was_read_is_there(connect):
    connect().contacts()

    with pytest.warns(UserWarning, match="offline"):
        assert len(connect(offline=True).contacts(**SPAN))
