"""Faults of size, of time, of certificates, of what rows hold, and of the machine that a client runs on."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import ssl
import sys
import threading
import urllib.request
import zlib
from time import monotonic, perf_counter
from urllib.parse import urlsplit

import pytest
import requests
from faultkit import FaultySimulation, faults, hostile

AS_OF = "2026-01-01"
NOT_YET = {41, 44, 45, 46}


@pytest.fixture
def sim():
    with FaultySimulation(seed=1, size=300, as_of=AS_OF, burst=(100_000, 10_000)) as sim:
        yield sim


def ask(sim, path="/contacts/search", url=None, verify=True, **more):
    headers = {"Authorization": f"Bearer {sim.token}", "Version": "2021-07-28"}
    shared = {"locationId": sim.location_id, "altId": sim.location_id, "altType": "location", **more}
    if path.endswith("/contacts/search"):
        body = {"pageLimit": 50, "sort": [{"field": "dateAdded", "direction": "asc"}], **shared}
        return requests.post((url or sim.url) + path, json=body, headers=headers, verify=verify, timeout=5)
    return requests.get((url or sim.url) + path, params=shared, headers=headers, verify=verify, timeout=5)


def rows(answer, key="contacts"):
    return answer.json()[key]


def raw(sim, accept=""):
    """The bytes of an answer, as a socket gives them."""
    host, port = urlsplit(sim.url).netloc.split(":")
    path = f"/users/?locationId={sim.location_id}"
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sim.token}\r\nVersion: 2021-07-28\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(f"{head}Accept-Encoding: {accept}\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while piece := sock.recv(1 << 20):
            data += piece
    return data.partition(b"\r\n\r\n")


# The list


def test_the_list_has_every_number_up_to_fifty_but_those_that_come_later():
    assert {one.number for one in faults.listed()} == set(range(1, 51)) - NOT_YET
    assert [one.number for one in faults.listed()] == sorted(one.number for one in faults.listed())


# Bombs and waits


def test_a_megabyte_of_gzip_becomes_a_gigabyte(sim):
    sim.fault("bomb", variant="gzip", megabytes=64)
    head, _, body = raw(sim, "gzip")
    inflate, size, begin = zlib.decompressobj(31), 0, b""
    while body:
        piece = inflate.decompress(body, 1 << 20)
        begin, size, body = begin or piece[:20], size + len(piece), inflate.unconsumed_tail
    size += len(inflate.flush())

    assert b"content-encoding: gzip" in head
    assert begin.startswith(b'{"pad":"   ')
    assert size > 64 << 20
    assert inflate.eof, "the checksum and the length are right"


def test_a_small_bomb_is_json_when_it_has_gone_off(sim):
    sim.fault("bomb", variant="gzip", megabytes=1)

    assert len(ask(sim, "/users/").json()["users"]) == 7


def test_bombs_of_headers_depth_and_digits(sim):
    seen = {}
    for variant in ("header", "nesting", "digits"):
        sim.clear_faults()
        sim.fault("bomb", variant=variant)
        seen[variant] = raw(sim)

    assert len(seen["header"][0]) > 100_000
    with pytest.raises(RecursionError):
        json.loads(seen["nesting"][2])
    with pytest.raises(ValueError, match="integer string conversion"):
        json.loads(seen["digits"][2])


def test_answers_with_jitter_overtake_each_other_and_are_whole(sim):
    sim.fault("jitter", low=0.0, high=0.2, seed=3)
    done = []
    begun = perf_counter()

    def one(number):
        answer = ask(sim, "/users/")
        done.append(number)
        return len(answer.json()["users"])

    assert faults.together(6, one) == [7] * 6
    assert sorted(done) == list(range(6))
    assert perf_counter() - begun < 10
    assert len({logged.fault for logged in sim.log}) == 1


# Certificates

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the command openssl makes certificates")


@needs_openssl
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("self_signed", "self-signed certificate"),
        ("expired", "certificate has expired"),
        ("wrong_host", "doesn't match|Hostname mismatch|not valid for"),
    ],
)
def test_a_bad_certificate_ends_the_handshake_before_the_token_is_sent(sim, how, words):
    with faults.tls(sim, how) as secured:
        trust = True if how == "self_signed" else str(secured.certificate)
        with pytest.raises(requests.exceptions.SSLError, match=words):
            ask(sim, "/users/", url=secured.url, verify=trust)
    assert sim.log == []


@needs_openssl
def test_a_certificate_that_one_is_told_to_trust_is_good(sim):
    with faults.tls(sim, "none") as secured:
        context = ssl.create_default_context(cafile=str(secured.certificate))
        address = f"{secured.url}/users/?locationId={sim.location_id}"
        headers = {"Authorization": f"Bearer {sim.token}", "Version": "2021-07-28"}
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), context=context) as answer:
            assert len(json.load(answer)["users"]) == 7


# Strange rows


def test_rows_are_odd_in_five_ways(sim):
    plain, odd = rows(ask(sim)), {}
    for variant in faults.content_faults.ODD_ROWS:
        sim.clear_faults()
        sim.fault("odd_json", variant=variant)
        odd[variant] = rows(ask(sim))

    assert str(odd["nan_in_row"][0]["ratio"]) == "nan"
    assert [row for row in odd["null_row"] if row] == plain
    assert list(odd["rows_as_object"].values()) == plain
    assert odd["epoch_as_text"][0]["dateAdded"].isdigit()


def test_numbers_come_as_text(sim):
    sim.fault("odd_json", variant="number_as_text")

    assert {type(row["amountRefunded"]) for row in rows(ask(sim, "/payments/transactions"), "data")} == {str}


def test_a_page_may_hold_few_rows_and_a_cursor_that_goes_on(sim):
    sim.fault("empty_middle", variant="few", after=1, times=2)
    seen, cursor = [], None
    while True:
        page = ask(sim, "/conversations/messages/export", limit=100, **({"cursor": cursor} if cursor else {})).json()
        seen.append([row["id"] for row in page["messages"]])
        cursor = page["nextCursor"]
        if cursor is None:
            break
    everything = [one for page in seen for one in page]

    assert [len(page) for page in seen[:4]] == [100, 3, 3, 100]
    assert len(everything) == len(set(everything))


def test_a_field_drifts_between_two_pages(sim):
    sim.fault("drift", variant="renamed", field="title", after=1)
    window = {"calendarId": sim.data.ids("calendars")[0], "startTime": "0", "endTime": "4102444800000"}
    before, after = (rows(ask(sim, "/calendars/events", **window), "events")[0] for _ in range(2))

    assert before.pop("title") == after.pop("titleV2")
    assert before == after


def test_drift_finds_a_field_where_there_is_no_source(sim):
    sim.fault("drift", variant="gone")

    assert rows(ask(sim, "/products/"), "products")[0].keys() < next(sim.data.rows("products")).keys()


def test_a_cursor_expires_and_a_walk_that_begins_again_goes_through(sim):
    sim.fault("expired_cursor", pages=1)

    def walk(pages):
        seen, cursor = [], {}
        for _ in range(pages):
            answer = ask(sim, **cursor)
            seen.append(answer.status_code)
            if answer.status_code == 200:
                cursor = {"searchAfter": rows(answer)[-1]["searchAfter"]}
        return seen

    assert walk(4) == [200, 200, 400, 400]
    assert walk(4) == [200, 200, 200, 200]


@pytest.mark.parametrize(
    ("path", "second", "key"),
    [
        ("/payments/orders", {"offset": "10"}, "data"),
        ("/conversations/search", {"startAfterDate": "1760000000000"}, "conversations"),
        ("/forms/submissions", {"page": "2", "startAt": "2020-01-01"}, "submissions"),
    ],
)
def test_a_second_page_of_another_location_is_so_for_every_kind_of_page(sim, path, second, key):
    sim.fault("lost_location", variant="all")
    other = rows(ask(sim, path, **second), key)

    assert other
    assert not {row.get("id") or row["_id"] for row in other} & set(sim.data.ids("orders"))
    assert {row.get("altId", row.get("locationId")) for row in other} != {sim.location_id}


def test_a_storm_fails_half_of_the_answers_and_passes(sim):
    sim.fault("retry_storm", seconds=1.5, seed=2)
    during = [ask(sim, "/users/").status_code for _ in range(30)]
    end = monotonic() + 1.6
    while monotonic() < end:
        ask(sim, "/users/")
    after = {ask(sim, "/users/").status_code for _ in range(10)}

    assert 5 <= during.count(503) <= 25
    assert after == {200}


# Hostile texts


def served(sim, name, field):
    return {row.get(field) for row in sim.data.rows(name)}


@pytest.mark.parametrize("name", ["formula", "text", "terminal"])
def test_hostile_texts_are_in_names_tags_notes_and_fields(sim, name):
    texts = set(hostile.SETS[name])
    sim.fault(name)

    assert texts <= served(sim, "contacts", "firstName")
    assert texts <= served(sim, "messages", "body")
    assert texts <= served(sim, "tags", "name")
    assert texts <= served(sim, "custom_fields", "name")
    assert texts & {tag for row in sim.data.rows("contacts") for tag in row["tags"]}
    assert served(sim, "notes", "bodyText") & texts


def test_hostile_texts_come_over_the_wire_and_no_row_is_lost(sim):
    before = rows(ask(sim))
    sim.fault("text")
    after = rows(ask(sim))

    assert [row["id"] for row in after] == [row["id"] for row in before]
    assert sum(row != old for row, old in zip(after, before, strict=True)) > 5
    assert any("\x00" in (row["firstName"] or "") for row in sim.data.rows("contacts"))
    assert max(len(row["body"]) for row in sim.data.rows("notes")) == 40_000


def test_hostile_keys_are_names_of_custom_fields_with_values(sim):
    sim.fault("keys")
    fields = {row["id"]: row["name"] for row in sim.data.rows("custom_fields")}
    values = [fields[one["id"]] for row in sim.data.rows("contacts") for one in row["customFields"]]

    assert {"id", "contact_id", "", "__class__", "../x", "k" * 500} <= set(values)
    assert list(fields.values()).count("Budget") == 4


# What a client's machine does


def test_a_program_is_killed_when_its_third_request_arrives(sim):
    ask(sim, "/users/")
    program = (
        "import sys, urllib.request as r\n"
        "for n in range(9):\n"
        "    q = r.Request(sys.argv[1], headers={'Authorization': 'Bearer ' + sys.argv[2], 'Version': 'v3'})\n"
        "    r.urlopen(q).read()\n"
    )
    url = f"{sim.url}/opportunities/pipelines?locationId={sim.location_id}"

    assert faults.killed(sim, 3, [sys.executable, "-c", program, url, sim.token]) == -signal.SIGKILL
    assert len(sim.log) == 4


def test_the_main_thread_is_interrupted_when_a_request_arrives(sim):
    faults.interrupted(sim, 2)
    with pytest.raises(KeyboardInterrupt):
        [ask(sim, "/users/") for _ in range(50)]
    assert 2 <= len(sim.log) < 50


def test_threads_start_together_and_tell_what_they_got():
    def one(number):
        if number == 2:
            raise ValueError("no")
        return number, threading.current_thread().name

    out = faults.together(4, one)

    assert isinstance(out[2], ValueError)
    assert len({name for _, name in out[:2] + out[3:]}) == 3


def test_a_clock_is_wrong_and_files_are_open_to_all(tmp_path):
    late = faults.shifted(lambda: 100.0, faults.SHIFTS["day_ahead"])
    with faults.umask(0):
        (tmp_path / "open").touch()
    (tmp_path / "shut").touch()

    assert late() == 86_500.0
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o666
    assert (tmp_path / "shut").stat().st_mode & 0o777 != 0o666


# Every fault at every kind of list

LISTS = {
    "/payments/transactions": {"limit": "10", "offset": "10"},
    "/forms/submissions": {"limit": "10", "page": "2", "startAt": "2020-01-01"},
    "/conversations/search": {"limit": "10", "startAfterDate": "1760000000000"},
    "/products/": {"limit": "4", "offset": "4"},
    "/users/": {},
}


@pytest.mark.parametrize("path", LISTS)
def test_no_fault_is_one_of_the_server_itself(sim, path):
    for fault in faults.listed():
        for variant in fault.variants or (None,):
            if fault.acts and fault.name not in ("trickle", "jitter", "bomb", "day_done"):
                sim.clear_faults()
                sim.add_token(sim.token)
                sim.fault(fault.name, variant=variant)
                with contextlib.suppress(requests.RequestException):
                    ask(sim, path, **LISTS[path])

    assert [logged.fault for logged in sim.log if not logged.status] == []


@pytest.mark.parametrize("rows_again", [3, 10])
def test_pages_by_offset_may_overlap_and_every_row_comes(sim, rows_again):
    sim.fault("overlap", rows=rows_again)
    seen, page = [], None
    while page is None or len(page) == 20:
        page = ask(sim, "/payments/transactions", limit="20", offset=str(len(seen))).json()["data"]
        seen += [row["_id"] for row in page]

    assert len(seen) > len(set(seen))
    assert set(seen) == set(sim.data.ids("transactions"))


def test_every_shape_of_total_lies(sim):
    sim.fault("total_lies", variant="zero")

    assert ask(sim, "/payments/orders").json()["totalCount"] == 0
    assert ask(sim, "/products/").json()["total"] == 0
    assert ask(sim, "/surveys/").json()["total"] == 0
    assert ask(sim, "/forms/submissions").json()["meta"]["total"] == 0
