"""A program that is killed while it reads: the next one ends with the right rows and pays no kept page again."""

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
REQUESTS = 13  # of an undisturbed reading: the definitions, three pages of contacts, nine of messages
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
    """A reading that was killed, and the one after it."""

    request: int
    moment: str
    exit: int
    kept: int  # pages in the file after the kill
    paid: int  # requests of the second reading
    third: int  # and of a third
    ids: dict[str, list[str]]
    truth: dict[str, set[str]]
    integrity: str


def killed(folder, request, moment):
    """Read, and be killed when the server sees the n-th request, or has answered it; then read again."""
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
            (kept,) = db.execute("SELECT count(*) FROM pages").fetchone()
            (integrity,) = db.execute("PRAGMA integrity_check").fetchone()
        before = len(sim.log)
        loc = hl.connect(sim.token, sim.location_id, base_url=sim.url, cache=folder)
        frames = {resource: getattr(loc, resource)() for resource in RESOURCES}
        paid = len(sim.log) - before
        again = hl.connect(sim.token, sim.location_id, base_url=sim.url, cache=folder)
        assert all(getattr(again, resource)().equals(frames[resource]) for resource in RESOURCES)
        return Killing(
            request,
            moment,
            exit_code,
            kept,
            paid,
            third=len(sim.log) - before - paid,
            ids={resource: frame.iloc[:, 0].tolist() for resource, frame in frames.items()},
            truth={resource: sim.truth.undisturbed(resource) for resource in RESOURCES},
            integrity=integrity,
        )


@pytest.fixture(scope="module")
def killings(tmp_path_factory):
    """Ten of them: five as the request arrives, so before its page is kept; five as its answer was written."""
    numbers = random.Random(7).sample(range(1, REQUESTS + 1), 10)
    moments = ["arrives", "answered"] * 5
    folders = [tmp_path_factory.mktemp("kept") for _ in numbers]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(killed, folders, numbers, moments))


def test_all_of_them_were_killed(killings):
    assert [killing.exit for killing in killings] == [-signal.SIGKILL] * 10


def test_every_page_before_the_kill_was_kept(killings):
    for killing in killings:
        arrived = killing.request - 1
        assert killing.kept in ({arrived} if killing.moment == "arrives" else {arrived, arrived + 1}), killing.request


def test_the_file_is_whole(killings):
    assert {killing.integrity for killing in killings} == {"ok"}


@pytest.mark.fault("sigkill")
def test_the_next_reading_ends_with_the_right_rows_each_once(killings):
    for killing in killings:
        for resource in RESOURCES:
            assert len(killing.ids[resource]) == len(killing.truth[resource])
            assert set(killing.ids[resource]) == killing.truth[resource]


@pytest.mark.fault("sigkill")
def test_the_next_reading_pays_no_kept_page_again_and_a_third_pays_none(killings):
    assert [killing.paid + killing.kept for killing in killings] == [REQUESTS] * 10
    assert [killing.third for killing in killings] == [0] * 10
