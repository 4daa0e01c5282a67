"""Concurrency: threads, programs, forks, and Ctrl-C."""

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from faultkit import faults
from scripted import LOCATION, TOKEN, Scripted, answer
from trial import PAGES, ROWS, Counting

from hlkit.client.errors import Canceled

CONNECTED = """
import json, os, sys, threading, time
import hlkit as hl
url, token, location, folder = sys.argv[1:]
loc = hl.connect(token, location, base_url=url, cache=folder)
"""
HERD = (
    """
import os
import hlkit as hl
children = []
for _ in range(4):
    children.append(os.fork())
    if children[-1] == 0:
        break
if children[-1] == 0:
"""
    + "\n".join(f"    {line}" for line in CONNECTED.splitlines())
    + """
    os.write(1, b"%d\\n" % len(loc.users()))  # one write; an unbuffered print makes two
    os._exit(0)
for child in children:
    os.waitpid(child, 0)
"""
)
FORKED = (
    CONNECTED
    + """
loc.users()
reading = threading.Thread(target=loc.contacts)
reading.start()
while not loc.session._in_flight_by_key:  # a request is in flight
    time.sleep(0.001)
child = os.fork()
names = ["contacts", "messages"]
frames = {name: getattr(loc, name)() for name in (names if child else names[::-1])}  # in different orders
rows = [sorted(frames["contacts"]["contact_id"]), sorted(frames["messages"]["message_id"])]
if child == 0:
    with open(folder + "/child.json", "w") as file:
        json.dump(rows, file)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
with open(folder + "/child.json") as file:
    child_rows = json.load(file)
os.remove(folder + "/child.json")
print(rows == child_rows, len(rows[0]))
"""
)


def program(trial, text):
    arguments = [trial.url, trial.sim.token, trial.sim.location_id, str(trial.cache)]
    warnings = ["-W", "ignore::DeprecationWarning"]  # Python 3.12 warns if a program with threads forks
    return subprocess.Popen([sys.executable, *warnings, "-c", text, *arguments], stdout=subprocess.PIPE, text=True)


@pytest.mark.fault("herd")
def test_many_threads_with_the_same_call_share_one_request(trial):
    trial.sim.latency = 0.1

    frames = faults.together(16, lambda number: trial.loc.users())

    assert all(frame.equals(frames[0]) for frame in frames)
    assert len(trial.sim.log) == 1


@pytest.mark.fault("herd")
def test_many_programs_with_the_same_call_send_at_most_one_request_each(trial):
    assert program(trial, HERD).communicate()[0] == "7\n" * 4
    assert 1 <= len(trial.sim.log) <= 4


@pytest.mark.fault("two_walks")
@pytest.mark.parametrize("refresh", [False, True])
def test_two_notebooks_with_one_cache_both_get_every_row_within_one_quota(new_trial, refresh):
    trial = new_trial(burst=(40, 200))
    locations = [trial.loc, trial.connect()]

    frames = faults.together(2, lambda number: locations[number].messages(refresh=refresh))

    everything = trial.sim.truth.undisturbed("messages")
    assert [set(frame["message_id"]) for frame in frames] == [everything] * 2
    assert [len(frame) for frame in frames] == [len(everything)] * 2


@pytest.mark.fault("two_walks")
def test_a_fork_after_connecting_shares_no_handle(trial):
    trial.sim.latency = 0.02  # while one waits for a response, the other sends

    forked = program(trial, FORKED)

    assert forked.communicate()[0] == f"True {ROWS}\n"
    assert forked.returncode == 0
    questions = Counter(json.dumps([logged.path, logged.query, logged.body]) for logged in trial.sim.log)
    assert max(questions.values()) <= 2  # one each: neither read a response to the other
    trial.read(loc=trial.connect())


@pytest.mark.fault("interrupt")
@pytest.mark.parametrize("request_number", range(1, PAGES + 2))
def test_ctrl_c_stops_at_once_and_every_page_is_cached(trial, request_number):
    trial.sim.latency = 0.05
    faults.interrupted(trial.sim, request_number)
    start = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        trial.loc.contacts()

    assert time.monotonic() - start < 4
    trial.sim.latency = 0
    trial.read()
    assert len(trial.sim.log) == 1 + PAGES


@pytest.mark.fault("interrupt")
def test_ctrl_c_stops_during_a_slow_response(trial):
    trial.fault("trickle", variant="silence", after=2, times=1)
    faults.interrupted(trial.sim, 4)
    start = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        trial.loc.contacts()

    assert time.monotonic() - start < 5
    assert len(trial.read()) == ROWS


@pytest.mark.fault("interrupt")
@pytest.mark.parametrize("request_number", range(1, PAGES + 1))
def test_cancel_even_twice_stops_at_once_and_resumes(trial, request_number):
    progress = Counting()

    def cancel(logged):
        for _ in range(2):
            threading.Thread(target=progress.cancel).start()

    trial.sim.when(request_number, cancel)
    start = time.monotonic()

    error = trial.breaks(Canceled, progress=progress)

    assert time.monotonic() - start < 3
    trial.resume(error)
    assert len(trial.sim.log) == 1 + PAGES


MEGABYTES = int(os.environ.get("HLKIT_CACHE_MEGABYTES", "5"))  # .ci/run says 50
READER_OR_REFRESHER = """
import sys
import hlkit as hl
url, token, location, folder, role = sys.argv[1:]
loc = hl.connect(token, location, base_url=url, cache=folder)
contacts = lambda **options: loc.contacts(custom_fields=False, **options)["contact_id"].tolist()
ids = [f"c{number:02}" for number in range(1, 26)]
if role == "refreshes":
    assert contacts() == ids
    print("ready", flush=True)
    sys.stdin.readline()
    assert contacts(refresh=True) == ids
    assert contacts(refresh=True) == ids
else:
    pages = loc.contacts.pages(custom_fields=False)
    read = next(pages)["contact_id"].tolist()
    print("ready", flush=True)
    try:
        for frame in pages:
            read += frame["contact_id"].tolist()
            assert len(loc.users(refresh=True)) == 1
    except hl.errors.HlkitError as error:  # two refreshes finished between two pages
        read = error.resume()["contact_id"].tolist()
    assert read == ids == contacts()
assert loc.session.cache.path is not None
print("right", flush=True)
"""


def test_two_programs_with_one_cache_are_both_right_while_one_refreshes_it(tmp_path):
    text = base64.b64encode(os.urandom(MEGABYTES * 1_000_000 // 25)).decode()  # random, so it cannot be compressed

    def reply(request):
        if request.path.startswith("/users"):
            return answer({"users": [{"id": "u1"}]})
        number = request.json.get("searchAfter", [0])[0] + 1
        row = {"id": f"c{number:02}", "locationId": LOCATION, "searchAfter": [number], "lastName": text}
        return answer({"contacts": [row][: number < 26], "total": 25})

    with Scripted(by=reply) as server:
        first, second = (
            subprocess.Popen(
                [
                    sys.executable,
                    "-W",
                    "error",
                    "-c",
                    READER_OR_REFRESHER,
                    server.url,
                    TOKEN,
                    LOCATION,
                    str(tmp_path),
                    role,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for role in ("refreshes", "reads")
        )
        assert [program.stdout.readline() for program in (first, second)] == ["ready\n"] * 2

        outputs = [program.communicate("\n")[0] for program in (first, second)]

    assert outputs == ["right\n"] * 2
    assert len([request for request in server.requests if request.method == "POST"]) <= 4 * 26
    (path,) = tmp_path.glob("*.sqlite")
    assert path.stat().st_size < 4 * MEGABYTES * 1_000_000
