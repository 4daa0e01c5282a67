"""A program is killed during a download: the next one gets the right rows and requests no cached page again."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import pytest
from faultkit import FaultySimulation

import hlkit as hl

RESOURCES = ("contacts", "messages")
REQUESTS = 13  # without a kill: the definitions, three pages of contacts, nine of messages
SIZE = 700
CLIENT = f"""
import sys
import hlkit as hl
loc = hl.connect(base_url=sys.argv[1], cache=sys.argv[2])
for resource in {RESOURCES}:
    getattr(loc, resource)()
"""


@dataclass
class Killing:
    """A download that was killed, and the downloads after it."""

    request: int
    moment: str
    exit: int
    cached: int  # pages in the file after the kill
    second: int  # requests of the second program
    third: int  # requests of a third
    ids: dict[str, list[str]]
    truth: dict[str, set[str]]
    integrity: str


def killed(folder, request, moment):
    """Read, and be killed when the n-th request arrives or was answered; then read again."""
    with FaultySimulation(seed=0, size=SIZE, as_of="2026-01-01") as sim:
        environment = os.environ | {"HIGHLEVEL_PIT": sim.token, "HIGHLEVEL_LOCATION_ID": sim.location_id}
        client: list[subprocess.Popen] = []
        started = threading.Event()

        def kill(logged):
            started.wait()
            client[0].send_signal(signal.SIGKILL)

        sim.when(request, kill, moment)
        client.append(subprocess.Popen([sys.executable, "-c", CLIENT, sim.url, str(folder)], env=environment))
        started.set()
        exit_code = client[0].wait()

        (file,) = folder.glob("*.sqlite")
        with closing(sqlite3.connect(file)) as db:
            (cached,) = db.execute("SELECT count(*) FROM pages").fetchone()
            (integrity,) = db.execute("PRAGMA integrity_check").fetchone()
        before = len(sim.log)
        loc = hl.connect(sim.token, sim.location_id, base_url=sim.url, cache=folder)
        frames = {resource: getattr(loc, resource)() for resource in RESOURCES}
        second = len(sim.log) - before
        again = hl.connect(sim.token, sim.location_id, base_url=sim.url, cache=folder)
        assert all(getattr(again, resource)().equals(frames[resource]) for resource in RESOURCES)
        return Killing(
            request,
            moment,
            exit_code,
            cached,
            second,
            third=len(sim.log) - before - second,
            ids={resource: frame.iloc[:, 0].tolist() for resource, frame in frames.items()},
            truth={resource: sim.truth.undisturbed(resource) for resource in RESOURCES},
            integrity=integrity,
        )


@pytest.fixture(scope="module")
def killings(tmp_path_factory):
    """Ten kills: five when a request arrives, before its page is cached; five when its response was written."""
    numbers = random.Random(7).sample(range(1, REQUESTS + 1), 10)
    moments = ["arrives", "answered"] * 5
    folders = [tmp_path_factory.mktemp("cache") for _ in numbers]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(killed, folders, numbers, moments))


def test_all_of_them_were_killed(killings):
    assert [killing.exit for killing in killings] == [-signal.SIGKILL] * 10


def test_every_page_before_the_kill_was_cached(killings):
    for killing in killings:
        arrived = killing.request - 1
        assert killing.cached in ({arrived} if killing.moment == "arrives" else {arrived, arrived + 1}), (
            killing.request
        )


def test_the_file_is_intact(killings):
    assert {killing.integrity for killing in killings} == {"ok"}


@pytest.mark.fault("sigkill")
def test_the_next_program_gets_the_right_rows_each_once(killings):
    for killing in killings:
        for resource in RESOURCES:
            assert len(killing.ids[resource]) == len(killing.truth[resource])
            assert set(killing.ids[resource]) == killing.truth[resource]


@pytest.mark.fault("sigkill")
def test_the_next_program_requests_no_cached_page_and_a_third_requests_none(killings):
    assert [killing.second + killing.cached for killing in killings] == [REQUESTS] * 10
    assert [killing.third for killing in killings] == [0] * 10
