"""Each fault breaks an answer in the way it says, as often as it says, and no other."""

from __future__ import annotations

import http.client
import json
import os
import pickle
import socket
import sqlite3
import time
import zlib
from email.utils import parsedate_to_datetime
from time import perf_counter
from urllib.parse import urlsplit

import pytest
import requests
from faultkit import FaultySimulation, faults
from faultkit.edits import Edits, Truth

AS_OF = "2026-01-01"
WANTED = {1, 2, 3, 4, 5, 9, 10, 11, 13, 14, 15, 16, 18, 19, 20, 23, 25, 26, 28, 29, 30, 31, 32, 33, 42, 43}
SERVER = {name: fault for name, fault in faults.FAULTS.items() if fault.acts}


@pytest.fixture
def sim():
    with FaultySimulation(seed=1, size=300, as_of=AS_OF, burst=(100_000, 10_000)) as sim:
        yield sim


class Raw:
    """What a socket reads for a request: all bytes, and how the connection ended."""

    def __init__(self, sim, path="/contacts/search", seconds=5.0, gzip=False, **body):
        body = {"locationId": sim.location_id, "pageLimit": 50, **body}
        text = json.dumps(body).encode() if path.endswith("search") else b""
        head = f"{'POST' if text else 'GET'} {path}{'' if text else f'?locationId={sim.location_id}'} HTTP/1.1\r\n"
        head += f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {sim.token}\r\n"
        head += f"Version: 2021-07-28\r\nContent-Length: {len(text)}\r\n"
        head += "Accept-Encoding: gzip\r\n" if gzip else ""
        host, port = urlsplit(sim.url).netloc.split(":")
        self.data, self.end = b"", "closed"
        with socket.create_connection((host, int(port)), timeout=seconds) as sock:
            sock.sendall(head.encode() + b"\r\n" + text)
            try:
                while piece := sock.recv(65_536):
                    self.data += piece
            except ConnectionResetError:
                self.end = "reset"
            except TimeoutError:
                self.end = "waiting"
        self.head, _, self.body = self.data.partition(b"\r\n\r\n")

    @property
    def length(self):
        for line in self.head.decode().splitlines():
            if line.startswith("content-length:"):
                return int(line.split(":")[1])
        return None


def ask(sim, path="/contacts/search", **body):
    """One page, or the answer that came for it."""
    body = {
        "locationId": sim.location_id,
        "pageLimit": 50,
        "sort": [{"field": "dateAdded" if "contacts" in path else "date_added", "direction": "asc"}],
        **body,
    }
    headers = {"Authorization": f"Bearer {sim.token}", "Version": "2021-07-28"}
    return requests.post(sim.url + path, json=body, headers=headers, allow_redirects=False, timeout=5)


def export(sim, **query):
    headers = {"Authorization": f"Bearer {sim.token}", "Version": "2021-07-28"}
    query = {"locationId": sim.location_id, "limit": 50, **query}
    return requests.get(f"{sim.url}/conversations/messages/export", query, headers=headers, timeout=5).json()


def ids(answer):
    return [row["id"] for row in answer.json()["contacts"]]


def following(answer):
    return {"searchAfter": answer.json()["contacts"][-1]["searchAfter"]}


# The registry and the schedule


def test_every_fault_of_the_list_is_in_the_registry_with_its_number_and_a_line():
    assert {fault.number for fault in faults.FAULTS.values()} >= WANTED
    assert len({fault.number for fault in faults.FAULTS.values()}) == len(faults.FAULTS)
    assert all(name == fault.name and fault.doc for name, fault in faults.FAULTS.items())


@pytest.mark.parametrize(
    ("schedule", "struck"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"times": 2}, [1, 2]),
        ({"every": 3}, [3, 6]),
        ({"after": 4}, [5, 6]),
        ({"after": 1, "every": 2, "times": 2}, [3, 5]),
        ({"every": 3, "burst": 2}, [3, 4, 6]),
        ({"rate": 0.0}, []),
        ({"rate": 1.0}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_a_fault_strikes_as_scheduled(sim, schedule, struck):
    sim.fault("status_5xx", variant="503", **schedule)

    assert [n for n in range(1, 7) if ask(sim).status_code == 503] == struck
    assert [bool(logged.fault) for logged in sim.log] == [n in struck for n in range(1, 7)]


def test_a_rate_is_drawn_with_its_seed():
    def struck(seed):
        with FaultySimulation(size=0, as_of=AS_OF, burst=(1000, 1000)) as sim:
            sim.fault("status_5xx", rate=0.3, seed=seed)
            for _ in range(40):
                ask(sim)
            return [logged.status for logged in sim.log]

    assert struck(1) == struck(1) != struck(2)
    assert 4 <= sum(status >= 500 for status in struck(1)) <= 20


def test_a_fault_strikes_only_what_it_matches(sim):
    sim.fault("status_5xx", match="/opportunities")
    sim.fault("fake_200", variant="empty", match=lambda logged: logged.body.get("pageLimit") == 7)

    assert ask(sim).status_code == 200
    assert ask(sim, "/opportunities/search", limit=5).status_code >= 500
    assert ask(sim, pageLimit=7).content == b""
    sim.clear_faults()
    assert ask(sim, "/opportunities/search", limit=5).status_code == 201


def test_faults_can_strike_together(sim):
    sim.fault("total_lies", variant="zero")
    sim.fault("gzip_cut", variant="trailer")
    body = Raw(sim, gzip=True).body

    assert json.loads(zlib.decompressobj(31).decompress(body))["total"] == 0
    assert sim.log[0].fault == "total_lies+gzip_cut"


def test_a_replaced_answer_is_no_rows_served_but_costs_a_request():
    with FaultySimulation(size=300, as_of=AS_OF, burst=(2, 60_000)) as sim:
        sim.fault("status_5xx", times=1)
        answers = [ask(sim) for _ in range(3)]

    assert [answer.status_code == 200 for answer in answers] == [False, True, False]
    assert [logged.rows for logged in sim.log] == [0, 50, 0]
    assert answers[2].status_code == 429


def test_an_unknown_fault_variant_or_one_of_the_client_is_refused(sim):
    with pytest.raises(ValueError, match="no such fault"):
        sim.fault("gremlins")
    with pytest.raises(ValueError, match="rst"):
        sim.fault("reset_peer", variant="gently")
    with pytest.raises(ValueError, match="no fault of a server"):
        sim.fault("locked")


@pytest.mark.parametrize("name", SERVER)
def test_without_a_variant_a_seed_chooses_one(sim, name):
    sim.fault(name, times=1, seed=4)
    Raw(sim, seconds=0.05)
    until = time.monotonic() + 10
    while not sim.log and time.monotonic() < until:
        time.sleep(0.01)  # a busy server may hear of it when nobody listens any more

    assert sim.log[0].fault in (name, None)  # None: it strikes later pages only


# The wire


def test_a_reset_comes_within_the_body(sim):
    sim.fault("reset_peer", variant="rst", bytes=100)
    raw = Raw(sim)

    assert raw.end == "reset"
    assert len(raw.body) <= 100 < raw.length


def test_a_chunked_answer_misses_its_last_chunk_or_counts_in_words(sim):
    sim.fault("reset_peer", variant="last_chunk", times=1)
    sim.fault("reset_peer", variant="bad_chunk", after=1)
    last, bad = Raw(sim), Raw(sim)

    assert b"transfer-encoding: chunked" in last.head
    assert not last.body.endswith(b"0\r\n\r\n")
    assert b"\r\nzz\r\n" in bad.body


@pytest.mark.parametrize("variant", ["length", "length_valid_json"])
def test_a_short_body_is_less_than_its_length(sim, variant):
    sim.fault("short_body", variant=variant)
    raw = Raw(sim)

    assert 0 < len(raw.body) < raw.length
    if variant == "length_valid_json":
        assert len(json.loads(raw.body)["contacts"]) == 25


@pytest.mark.parametrize("variant", ["close", "close_valid_json"])
def test_a_body_without_a_length_ends_early(sim, variant):
    sim.fault("short_body", variant=variant)
    raw = Raw(sim)

    assert raw.length is None
    assert b"connection: close" in raw.head
    if variant == "close_valid_json":
        assert len(json.loads(raw.body)["contacts"]) == 25
    else:
        with pytest.raises(ValueError, match=r"char \d+"):
            json.loads(raw.body.decode(errors="replace"))


def test_a_gzip_body_is_broken_in_four_ways(sim):
    raws = []
    for variant in faults.FAULTS["gzip_cut"].variants:
        sim.clear_faults()
        sim.fault("gzip_cut", variant=variant)
        raws.append(Raw(sim, gzip=True))
    half, trailer, crc, plain = (raw.body for raw in raws)

    assert all(raw.length == len(raw.body) and b"content-encoding: gzip" in raw.head for raw in raws)
    stream = zlib.decompressobj(31)
    assert stream.decompress(half)
    assert not stream.eof
    stream = zlib.decompressobj(31)
    assert json.loads(stream.decompress(trailer))["contacts"]
    assert not stream.eof
    with pytest.raises(zlib.error, match="incorrect data check"):
        zlib.decompress(crc, 31)
    assert json.loads(plain)["contacts"]


def first_bytes(sim, wanted, timeout=5.0):
    """The first *wanted* bytes of an answer, and how long they took."""
    connection = http.client.HTTPConnection(*urlsplit(sim.url).netloc.split(":"), timeout=timeout)
    headers = {"Authorization": f"Bearer {sim.token}", "Version": "2021-07-28"}
    start = perf_counter()
    connection.request("GET", f"/users/?locationId={sim.location_id}", headers=headers)
    read = b""
    try:
        while len(read) < wanted:
            read += connection.sock.recv(1)
    finally:
        connection.close()
    return read, perf_counter() - start


def test_headers_trickle_a_byte_each_tenth_of_a_second(sim):
    sim.fault("trickle", variant="headers")
    read, seconds = first_bytes(sim, 4)

    assert read == b"HTTP"
    assert 0.25 < seconds < 5


def test_a_body_trickles_after_its_headers(sim):
    sim.fault("trickle", variant="body", bytes_per_second=1000)
    head, quick = first_bytes(sim, 400)
    _, slow = first_bytes(sim, len(head) + 2000)

    assert slow > max(1, quick)


def test_silence_accepts_and_says_nothing(sim):
    sim.fault("trickle", variant="silence")
    with pytest.raises(TimeoutError):
        first_bytes(sim, 1, timeout=0.3)
    assert sim.log[0].rows == 0


def test_a_late_close_brings_the_whole_body_at_once(sim):
    sim.fault("trickle", variant="late_close")
    start = perf_counter()

    assert len(ids(ask(sim))) == 50
    assert perf_counter() - start < 10  # the connection stays for a minute
    assert sim.log[0].rows == 50


def test_closing_is_quick_while_an_answer_crawls():
    sim = FaultySimulation(size=5, as_of=AS_OF).start()
    sim.fault("trickle", variant="silence")
    connection = http.client.HTTPConnection(*urlsplit(sim.url).netloc.split(":"))
    connection.request("GET", "/users/")
    start = perf_counter()
    sim.close()
    connection.close()

    assert perf_counter() - start < 10  # the silence lasts for a minute


def test_mishaps_break_one_answer_in_twenty(sim):
    sim.mishaps(rate=0.05, seed=1, names=[name for name in faults.MISHAPS if name != "trickle"])
    for _ in range(200):
        ask_quietly(sim)
    struck = [logged.fault for logged in sim.log if logged.fault]

    assert 3 <= len(struck) <= 20
    assert len(set(struck)) > 1
    assert set(struck) <= set(faults.MISHAPS)


def ask_quietly(sim):
    try:
        return ask(sim, pageLimit=1)
    except requests.RequestException:
        return None


# Answers


@pytest.mark.parametrize("variant", faults.FAULTS["status_5xx"].variants)
def test_a_5xx_has_its_status(sim, variant):
    sim.fault("status_5xx", variant=variant)

    assert ask(sim).status_code == int(variant)


def test_a_false_success_is_none_of_the_things_it_should_be(sim):
    answers = {}
    for variant in faults.FAULTS["fake_200"].variants:
        sim.clear_faults()
        sim.fault("fake_200", variant=variant)
        answers[variant] = ask(sim)

    assert {answer.status_code for answer in answers.values()} == {200}
    assert answers["html"].text.startswith("<!DOCTYPE html>")
    assert answers["empty"].content == b""
    assert answers["envelope"].json()["statusCode"] == 500
    assert "contacts" not in answers["no_rows"].json()
    assert answers["null_rows"].json()["contacts"] is None


def test_a_redirect_leads_to_another_server_or_name(sim):
    sim.fault("token_out", variant="redirect_port", to="http://127.0.0.1:1", status=307, times=1)
    sim.fault("token_out", variant="redirect_host", after=1)
    port, host = ask(sim), ask(sim)

    assert (port.status_code, port.headers["location"]) == (307, "http://127.0.0.1:1/contacts/search")
    assert host.status_code == 302
    assert urlsplit(host.headers["location"]).hostname == "localhost"


def test_a_next_page_url_leads_elsewhere(sim):
    sim.fault("token_out", variant="next_page_url", to="http://elsewhere.invalid")
    envelope = ask(sim).json()

    assert urlsplit(envelope["nextPageUrl"]).hostname == "elsewhere.invalid"
    assert envelope["meta"]["nextPageUrl"] == envelope["nextPageUrl"]
    assert len(envelope["contacts"]) == 50


@pytest.mark.parametrize("variant", faults.content_faults.ODD_BYTES)
def test_odd_json_is_odd_in_its_bytes(sim, variant):
    sim.fault("odd_json", variant=variant)
    marks = {"bom": b"\xef\xbb\xbf", "nan": b"NaN", "duplicate_key": b'"traceId":"first"', "latin1": b"\xe9"}

    assert marks.get(variant, b"\\ud83d") in Raw(sim).body[:30]


def test_odd_headers_change_what_may_be_kept(sim):
    answers = {}
    for variant in faults.FAULTS["headers_odd"].variants:
        sim.clear_faults()
        sim.fault("headers_odd", variant=variant)
        answers[variant] = ask(sim)

    assert answers["201"].status_code == 201
    assert (answers["304"].status_code, answers["304"].content) == (304, b"")
    assert answers["vary"].headers["vary"] == "Authorization"
    assert answers["set_cookie"].headers["set-cookie"].startswith("session=")


# Paging


def test_a_cursor_loop_gives_one_page_for_ever(sim):
    sim.fault("cursor_loop", variant="same_page", after=1)
    first = ask(sim)
    second = ask(sim, **following(first))
    third = ask(sim, **following(second))

    assert ids(first) != ids(second) == ids(third)


def test_two_cursors_take_turns(sim):
    sim.fault("cursor_loop", variant="two_cursors")
    pages = [ask(sim)]
    for _ in range(3):
        pages.append(ask(sim, **following(pages[-1])))

    assert ids(pages[0]) == ids(pages[2]) != ids(pages[1]) == ids(pages[3])


def test_an_overlap_repeats_the_rows_before_and_loses_none(sim):
    sim.fault("overlap", rows=5)
    answer, seen = ask(sim), []
    first = answer
    while ids(answer):
        seen += ids(answer)
        answer = ask(sim, **following(answer))
        if len(seen) == 50:
            assert ids(answer)[:5] == ids(first)[-5:]

    assert set(seen) == set(sim.data.ids("contacts"))
    assert len(seen) > len(set(seen))


def test_an_empty_page_in_the_middle_has_a_cursor_that_goes_on(sim):
    sim.fault("empty_middle", variant="empty", after=1, times=1)
    first = export(sim)
    empty = export(sim, cursor=first["nextCursor"])
    third = export(sim, cursor=empty["nextCursor"])

    assert empty["messages"] == []
    assert empty["nextCursor"] != first["nextCursor"]
    assert third["messages"] == export(sim, cursor=first["nextCursor"])["messages"]


def test_a_total_lies_in_six_ways(sim):
    true, told = ask(sim).json()["total"], {}
    for variant in faults.FAULTS["total_lies"].variants:
        sim.clear_faults()
        sim.fault("total_lies", variant=variant)
        told[variant] = [ask(sim).json().get("total") for _ in range(2)]

    assert told["missing"] == [None, None]
    assert told["zero"] == [0, 0]
    assert told["text"] == [str(true)] * 2
    assert told["list"][0] == [{"total": true}]
    assert true < told["grows"][0] < told["grows"][1]
    assert true > told["shrinks"][0] > told["shrinks"][1]


@pytest.mark.parametrize(("variant", "foreign"), [("all", 50), ("some", 25)])
def test_a_lost_location_brings_the_rows_of_another(sim, variant, foreign):
    sim.fault("lost_location", variant=variant)
    first = ask(sim)
    second = ask(sim, **following(first)).json()["contacts"]

    assert {row["locationId"] for row in first.json()["contacts"]} == {sim.location_id}
    assert sum(row["locationId"] != sim.location_id for row in second) == foreign


def test_an_old_cursor_expires(sim):
    sim.fault("expired_cursor")
    first = ask(sim)

    assert first.status_code == 200
    assert ask(sim, **following(first)).status_code == 400


def test_rows_drift(sim):
    rows = {}
    for variant in faults.FAULTS["drift"].variants:
        sim.clear_faults()
        sim.fault("drift", variant=variant)
        rows[variant] = ask(sim).json()["contacts"][0]

    assert "source" not in rows["gone"]
    assert rows["new"]["leadScoreBeta"]
    assert isinstance(rows["retyped"]["source"], dict)
    assert "sourceV2" in rows["renamed"]


def test_rows_that_share_an_instant(sim):
    sim.fault("same_key", rows=120)

    for resource, key in (("contacts", "dateAdded"), ("opportunities", "createdAt"), ("messages", "dateAdded")):
        dates = [row[key] for row in sim.data.rows(resource)]
        assert max(map(dates.count, set(dates))) >= min(120, len(dates))


# Quota and rights


def test_retry_after_is_spoken_in_many_ways(sim):
    spoken = {}
    for variant in faults.FAULTS["retry_after"].variants:
        sim.clear_faults()
        sim.fault("retry_after", variant=variant, seconds=3)
        answer = ask(sim)
        assert answer.status_code == 429
        spoken[variant] = answer.headers.get("retry-after")

    assert parsedate_to_datetime(spoken.pop("past")) < parsedate_to_datetime(spoken.pop("date"))
    assert spoken == {
        "seconds": "3",
        "soon": "soon",
        "negative": "-5",
        "fraction": "1.5",
        "day": "86400",
        "absent": None,
    }


def test_limit_headers_can_be_odd(sim):
    told = {}
    for variant in faults.FAULTS["limits_odd"].variants:
        sim.clear_faults()
        sim.fault("limits_odd", variant=variant)
        told[variant] = ask(sim).headers.get("x-ratelimit-remaining")

    assert told == {"trial": "25", "missing": None, "negative": "-1", "text": "many", "zero": "0"}


def test_another_client_spends_from_the_same_budget(sim):
    sim.fault("other_client", requests=3)
    left = [int(ask(sim).headers["x-ratelimit-remaining"]) for _ in range(2)]

    assert left[0] - left[1] == 4


def test_the_day_is_done_at_page_k_and_then_all_is_refused(sim):
    sim.fault("day_done", after=1, times=1)
    answers = [ask(sim) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert [answer.headers["x-ratelimit-daily-remaining"] for answer in answers] == ["199999", "0", "0", "0"]


@pytest.mark.parametrize(
    ("variant", "status", "message", "after"),
    [
        ("invalid_jwt", 401, "Invalid JWT", 200),
        ("invalid_token", 401, "Invalid token: access token is invalid", 200),
        ("no_scope", 401, "The token is not authorized for this scope.", 200),
        ("wrong_class", 401, "Token's user type mismatch!", 200),
        ("other_location", 403, "The token does not have access to this location.", 200),
        ("forbidden", 403, "Forbidden resource", 200),
        ("iam", 401, "This route is not yet supported by the IAM Service", 200),
        ("timed_out", 401, "Command timed out", 200),
        ("scope_withdrawn", 401, "The token is not authorized for this scope.", 401),
        ("revoked", 401, "Invalid JWT", 401),
    ],
)
def test_rights_are_lost_in_these_words(sim, variant, status, message, after):
    sim.fault("revoked_mid", variant=variant, times=1)
    answer = ask(sim)

    assert (answer.status_code, answer.json()["message"]) == (status, message)
    assert ask(sim).status_code == after
    assert ask(sim, "/opportunities/search", limit=1).status_code == (401 if variant == "revoked" else 201)


# Edits


def test_edits_change_rows_after_each_page_and_truth_knows_them(sim):
    before = {row["id"]: row for row in sim.data.rows("contacts")}
    sim.edits(rate=3, seed=2, resources=["contacts"])
    answer = ask(sim, pageLimit=20)
    while ids(answer):
        answer = ask(sim, pageLimit=20, **following(answer))
    now = {row["id"]: row for row in sim.data.rows("contacts")}
    truth = sim.truth

    assert truth.born("contacts")
    assert truth.touched("contacts")
    assert truth.gone("contacts")
    assert now.keys() == (before.keys() | truth.born("contacts")) - truth.gone("contacts")
    assert all(now[key] == before[key] for key in truth.undisturbed("contacts"))
    assert {key for key in now.keys() & before.keys() if now[key] != before[key]} <= truth.touched("contacts")
    assert truth.undisturbed("messages") == set(sim.data.ids("messages"))


def test_a_walk_by_id_and_date_loses_no_undisturbed_row(sim):
    sim.edits(rate=4, seed=3)
    seen, answer = [], ask(sim, pageLimit=10)
    while ids(answer):
        seen += ids(answer)
        answer = ask(sim, pageLimit=10, **following(answer))

    assert sim.truth.undisturbed("contacts") <= set(seen)
    assert len(seen) == len(set(seen))


def test_page_numbers_lose_rows_that_nobody_touched():
    lost = 0
    for seed in range(5):
        with FaultySimulation(size=600, as_of=AS_OF) as sim:
            sim.edits(rate=4, seed=seed)
            seen, page = [], 1
            while found := ids(ask(sim, pageLimit=20, page=page)):
                seen += found
                page += 1
            lost += len(sim.truth.undisturbed("contacts") - set(seen))

    assert lost > 0


def test_a_changed_row_moves_its_date_of_change(sim):
    edits = sim.edits(rate=0)
    key = edits.change("contacts", "update")
    again = edits.change("contacts", "update")
    rows = {row["id"]: row for row in sim.data.rows("contacts")}

    assert rows[key]["dateUpdated"] == "2026-01-01T06:00:01.000Z"
    assert rows[again]["dateUpdated"] == "2026-01-01T06:00:02.000Z"


def test_mark_begins_a_new_period(sim):
    edits = sim.edits(rate=0)
    born = edits.change("contacts", "insert")
    assert sim.truth.born("contacts") == {born}

    sim.mark()
    assert born in sim.truth.undisturbed("contacts")
    assert not sim.truth.born("contacts")


def test_edits_of_an_unknown_resource_are_refused(sim):
    with pytest.raises(ValueError, match="users"):
        Edits(sim.data, Truth(sim.data), 1, 0, ["users"])


# Conditions of the client's own


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "store.sqlite"
    with sqlite3.connect(path) as store:
        store.execute("CREATE TABLE kept (key TEXT, value BLOB)")
        store.executemany("INSERT INTO kept VALUES (?, ?)", [(str(n), b"row" * 500) for n in range(50)])
    store.close()
    return path


def values(path):
    store = sqlite3.connect(path)
    try:
        return [value for (value,) in store.execute("SELECT value FROM kept")]
    finally:
        store.close()


def test_nobody_listens_at_a_closed_port():
    with pytest.raises(requests.ConnectionError):
        requests.get(faults.closed_port(), timeout=5)
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo(urlsplit(faults.UNRESOLVABLE).hostname, 80)


def test_a_locked_file_can_be_written_again_afterwards(store):
    mine = sqlite3.connect(store, timeout=0)
    with faults.locked(store), pytest.raises(sqlite3.OperationalError, match="locked"):
        mine.execute("BEGIN IMMEDIATE")
    mine.execute("BEGIN IMMEDIATE")
    mine.close()


def test_a_readonly_file_gets_its_mode_back(store):
    before = os.stat(store).st_mode
    with faults.readonly(store):
        assert os.stat(store).st_mode & 0o222 == 0
    assert os.stat(store).st_mode == before


def test_a_full_disk_takes_no_more(tmp_path):
    try:
        with faults.full(tmp_path, kilobytes=64), pytest.raises(OSError, match="No space left"):
            (tmp_path / "big").write_bytes(bytes(200_000))
    except PermissionError as refused:
        pytest.skip(str(refused))
    assert not list(tmp_path.iterdir())


def is_whole(path):
    store = sqlite3.connect(path)
    try:
        return store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    except sqlite3.DatabaseError:
        return False
    finally:
        store.close()


@pytest.mark.parametrize("how", ["garbage", "half", "header", "middle"])
def test_a_corrupt_file_is_no_database(store, how):
    assert is_whole(store)
    faults.corrupt(store, how)

    assert not is_whole(store)


def test_a_row_of_noise_and_a_pickle_that_explodes(store):
    faults.corrupt(store, "row")
    assert set(values(store)) != {b"row" * 500}

    faults.corrupt(store, "pickle")
    mark = store.with_name("store.sqlite.exploded")
    assert not mark.exists()
    pickle.loads(values(store)[0])
    assert mark.exists()


def test_pasted_tokens_hold_the_token_or_nothing_like_it():
    assert all(isinstance(text, str) for text in faults.PASTED)
    assert len(set(faults.PASTED)) == len(faults.PASTED) > 12
