"""A walk is complete or an error; what it has read it does not pay for again."""

import json
import re
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from scripted import LOCATION, TOKEN, Scripted, answer, limits, session_to

from hlkit.client.download import (
    CachePolicy,
    DamagedDownload,
    Download,
    MissingRowsWarning,
    Query,
    StaleWarning,
)
from hlkit.client.errors import (
    Canceled,
    IncompleteDownload,
    InvalidToken,
    NotCached,
    QuotaExhausted,
    ServerError,
    UnexpectedResponse,
    WrongLocation,
)
from hlkit.client.http.body import decode, read_page
from hlkit.client.http.cache import Cache
from hlkit.client.http.progress import Progress
from hlkit.client.http.token import Token
from hlkit.client.pagination import Cursor, NoPaging, PageNumber, SearchAfter, StartAfterDate
from hlkit.client.schema import ID, Column, Resource

CONTACTS = Resource(
    name="contacts",
    method="POST",
    path="/contacts/search",
    rows="contacts",
    doc="People.",
    scope="contacts.readonly",
    columns=(Column("contact_id", "id", ID),),
    total="total",
    paging=SearchAfter(size="pageLimit", most=3),
)
USERS = Resource(
    name="users", path="/users/", rows="users", doc="", columns=(Column("user_id", "id", ID),), total="total"
)
MESSAGES = Resource(
    name="messages",
    path="/messages",
    rows="messages",
    doc="",
    columns=(Column("message_id", "id", ID),),
    total="total",
    paging=Cursor(size="limit", most=3),
)


class Clock:
    def __init__(self):
        self.now = 1_767_268_800.0

    def __call__(self):
        return self.now


class Contacts:
    """A server's contacts, by a cursor on the rows, three a page; each is a number."""

    def __init__(self, *numbers, total=True):
        self.numbers, self.total = list(numbers), total
        self.pages: dict[int, object] = {}  # what the n-th request gets instead
        self.count = 0

    def __call__(self, asked):
        self.count += 1
        if self.count in self.pages:
            return self.pages[self.count]
        after = asked.json.get("searchAfter", [0])[0]
        return answer(self.page([number for number in self.numbers if number > after][:3]))

    def page(self, numbers, **more):
        told = {"total": len(self.numbers)} if self.total else {}
        return {"contacts": [row(number, **more) for number in numbers], **told}


def row(number, **more):
    return {"id": f"c{number}", "searchAfter": [number], "locationId": LOCATION, **more}


def ids(pages):
    return [row["id"] for page in pages for row in page.rows]


def download_of(session, resource=CONTACTS, parameter_sets=({},), **options):
    policy = {
        name: options.pop(name) for name in ("expire_after", "refresh", "offline", "generation") if name in options
    }
    return Download(Query(resource, LOCATION, parameter_sets), session, CachePolicy(**policy), **options)


def broken(one, kind):
    """The ids of the pages that a walk gave before it broke, and the error."""
    pages = []
    with pytest.raises(kind) as caught:
        pages.extend(one)
    return ids(pages), caught.value


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def contacts():
    return Contacts(1, 2, 3, 4, 5, 6, 7)


@pytest.fixture
def server(contacts):
    with Scripted(by=contacts) as server:
        yield server


@pytest.fixture
def session(server, clock):
    return session_to(server, cache=Cache(None, Token(TOKEN), now=clock), deadline=3.0)


SEVEN = ["c1", "c2", "c3", "c4", "c5", "c6", "c7"]


# ---- complete


def test_every_page_bears_the_location_and_every_row_comes_once(server, session):
    one = download_of(session)

    assert ids(one) == SEVEN
    assert [asked.json["locationId"] for asked in server.asked] == [LOCATION] * 4
    assert (one.pages, one.rows, one.requests, one.from_cache, one.expected_rows) == (4, 7, 4, 0, 7)
    assert one.complete


def test_the_second_time_it_costs_nothing(server, session, clock):
    ids(download_of(session))
    clock.now += 3599
    one = download_of(session)

    assert ids(one) == SEVEN
    assert (one.requests, one.from_cache) == (0, 4)
    assert len(server.asked) == 4


def test_an_hour_later_all_pages_are_asked_for_anew_and_the_old_ones_go(server, session, contacts, clock):
    ids(download_of(session))
    contacts.numbers.remove(2)  # an old page 1 before new ones would lose c4
    clock.now += 3601

    assert ids(download_of(session)) == ["c1", "c3", "c4", "c5", "c6", "c7"]
    assert len(session.cache.downloads()) == 1
    assert len(session.cache.responses) == 3


def test_how_old_an_answer_may_be_is_the_callers_choice(server, session, clock):
    ids(download_of(session))
    clock.now += 100

    ids(download_of(session, expire_after=101))
    assert len(server.asked) == 4
    ids(download_of(session, expire_after=99))
    assert len(server.asked) == 8


def test_an_empty_location_is_an_empty_walk():
    with Scripted(answer({"contacts": [], "total": 0})) as server:
        one = download_of(session_to(server))

        assert ids(one) == []
        assert one.complete
        assert len(server.asked) == 1


@pytest.mark.parametrize("total", [None, "seven", -1, [7], True, 0, 3])
def test_a_missing_or_an_odd_total_is_normal(total):
    def reply(asked):
        return answer({"users": [{"id": "u1"}, {"id": "u2"}, {"id": "u3"}], "total": total})

    with Scripted(by=reply) as server:
        assert ids(download_of(session_to(server), USERS)) == ["u1", "u2", "u3"]
        assert len(server.asked) == 1


def test_two_passes_are_one_walk():
    def reply(asked):
        kind = "e" if "channel=Email" in asked.path else "m"
        return answer({"messages": [{"id": f"{kind}1"}, {"id": f"{kind}2"}], "total": 2})

    told = []

    class Told(Progress):
        def on_page(self, update):
            told.append((update.pages, update.rows, update.total))

    with Scripted(by=reply) as server:
        session = session_to(server)
        one = download_of(session, MESSAGES, ({}, {"channel": "Email"}), progress=Told())

        assert ids(one) == ["m1", "m2", "e1", "e2"]
        assert told == [(1, 2, 2), (2, 4, 4)]
        assert one.expected_rows == 4
        assert len(session.cache.downloads()) == 1


def test_a_limit_asks_for_as_few_pages_as_it_needs_and_is_not_complete(server, session):
    one = download_of(session, limit=4)

    assert ids(one) == SEVEN[:6]
    assert not one.complete
    assert len(server.asked) == 2


def test_what_a_limit_has_read_the_whole_does_not_pay_for_again(server, session):
    ids(download_of(session, limit=4))
    one = download_of(session)

    assert ids(one) == SEVEN
    assert (one.requests, one.from_cache) == (2, 2)


def test_a_limit_does_not_unfinish_a_complete_walk(server, session):
    ids(download_of(session))
    ids(download_of(session, limit=1))

    assert ids(download_of(session, offline=False)) == SEVEN
    assert session.cache.downloads()[0].finished is not None
    assert session.cache.downloads()[0].pages == 4


def test_the_heads_of_a_walk_are_its_first_pages(server, session):
    assert [page.total("total") for page in download_of(session, first_page_only=True)] == [7]
    assert len(server.asked) == 1


# ---- broken off


def test_a_page_that_fails_leaves_the_pages_before_it_and_they_are_not_paid_again(server, session, contacts):
    contacts.pages = {3: answer({"message": "Invalid JWT"}, 401)}
    one = download_of(session)

    came, _ = broken(one, InvalidToken)

    assert came == SEVEN[:6]
    again = download_of(session, generation=one.record.generation)
    assert ids(again) == SEVEN
    assert (again.requests, again.from_cache) == (2, 2)


DAYS = 86_400


@pytest.mark.parametrize(
    ("expire_after", "later", "saved"),
    [(3600, 6.9 * DAYS, 2), (3600, 7.1 * DAYS, 0), (9 * DAYS, 8.9 * DAYS, 2), (9 * DAYS, 9.1 * DAYS, 0)],
)
def test_a_download_that_broke_off_is_resumed_for_seven_days_or_expire_after(
    session, contacts, clock, expire_after, later, saved
):
    contacts.pages = {3: answer({"message": "Invalid JWT"}, 401)}
    broken(download_of(session, expire_after=expire_after), InvalidToken)
    clock.now += later

    one = download_of(session, expire_after=expire_after)

    assert ids(one) == SEVEN
    assert one.from_cache == saved


def test_the_seven_days_count_from_the_last_page(session, contacts, clock):
    for page in (2, 4, 6):  # a request that fails, and one page more, each time
        contacts.pages[page] = answer({"message": "Invalid JWT"}, 401)
        broken(download_of(session), InvalidToken)
        clock.now += 6 * DAYS

    one = download_of(session)

    assert ids(one) == SEVEN
    assert (one.requests, one.from_cache) == (1, 3)
    assert one.record.fetched - one.record.started == 18 * DAYS


def test_by_its_name_a_download_is_resumed_at_any_age(session, contacts, clock):
    contacts.pages = {3: answer({"message": "Invalid JWT"}, 401)}
    one = download_of(session)
    broken(one, InvalidToken)
    clock.now += 20 * DAYS

    resumed = download_of(session, generation=one.record.generation)

    assert ids(resumed) == SEVEN
    assert resumed.from_cache == 2


def test_it_is_fresh_from_when_its_last_page_arrived(server, session, contacts, clock):
    progress = Progress()
    progress.on_page = lambda update: setattr(clock, "now", clock.now + 3000)  # an hour and forty minutes in all
    ids(download_of(session, progress=progress))
    clock.now += 500

    again = download_of(session)

    assert ids(again) == SEVEN
    assert again.requests == 0
    clock.now += 3600
    assert download_of(session)._find_record(again._query_id())[1] is None


def test_what_a_clock_of_the_future_left_stands_in_nobodys_way(session, contacts, clock):
    clock.now += 365 * DAYS
    ids(download_of(session))
    clock.now -= 365 * DAYS
    contacts.pages = {7: answer({"message": "Invalid JWT"}, 401)}
    broken(download_of(session), InvalidToken)

    resumed, again = download_of(session), download_of(session)

    assert (ids(resumed), resumed.from_cache) == (SEVEN, 2)
    assert (ids(again), again.requests) == (SEVEN, 0)


def test_what_was_read_for_its_first_rows_is_no_download_that_broke_off(server, session, contacts, clock):
    ids(download_of(session, first_page_only=True))
    ids(download_of(session, limit=4))
    one = download_of(session)
    next(iter(one))
    one.stop_early()
    clock.now += 3601

    for given in ({"first_page_only": True}, {"limit": 4}, {}):
        one = download_of(session, **given)
        ids(one)
        assert one.record.started == clock.now


def test_a_limit_is_not_served_by_the_old_pages_of_a_download_that_broke_off(session, contacts, clock):
    contacts.pages = {3: answer({"message": "Invalid JWT"}, 401)}
    broken(download_of(session), InvalidToken)
    clock.now += DAYS

    few, many = download_of(session, limit=3), download_of(session, limit=7)

    assert (ids(few), few.requests) == (SEVEN[:3], 1)
    assert ids(many) == SEVEN
    assert many.from_cache == 2


def test_refresh_resumes_a_refresh_that_broke_off_and_nothing_else(session, contacts, clock):
    contacts.pages = {3: answer({"message": "Invalid JWT"}, 401), 6: answer({"message": "Invalid JWT"}, 401)}
    broken(download_of(session), InvalidToken)
    anew = download_of(session, refresh=True)
    broken(anew, InvalidToken)
    assert anew.from_cache == 0
    clock.now += DAYS

    resumed = download_of(session, refresh=True)

    assert ids(resumed) == SEVEN
    assert resumed.from_cache == 2
    again = download_of(session, refresh=True)
    ids(again)
    assert again.from_cache == 0


NUMBERED = Resource(
    name="submissions",
    path="/submissions",
    rows="submissions",
    doc="",
    columns=(Column("submission_id", "id", ID),),
    total="total",
    paging=PageNumber(size="limit", most=2, total="total"),
)


@pytest.mark.parametrize(("numbers", "requests"), [([1, 2, 3, 4, 5], 2), ([0, 1, 2, 3, 4, 5], 5), ([2, 3, 4, 5], 4)])
def test_pages_by_number_are_resumed_only_while_the_total_is_the_same(clock, numbers, requests):
    rows, fails = [1, 2, 3, 4, 5], [False, True]

    def reply(asked):
        if fails and fails.pop(0):
            return answer({"message": "Invalid JWT"}, 401)
        first = 2 * int(re.search(r"page=(\d+)", asked.path)[1]) - 2
        return answer({"submissions": [row(number) for number in rows[first : first + 2]], "total": len(rows)})

    with Scripted(by=reply) as server:
        session = session_to(server, cache=Cache(None, Token(TOKEN), now=clock))
        broken(download_of(session, NUMBERED), InvalidToken)
        before = len(server.asked)
        rows[:] = numbers
        clock.now += DAYS
        one = download_of(session, NUMBERED)
        pages = list(one)

        assert sorted(ids(pages[-one.pages :])) == [f"c{number}" for number in numbers]
        assert one.restarts == (len(numbers) != 5)
        assert len(server.asked) - before == requests


def test_a_day_without_requests_keeps_what_arrived_and_pays_the_rest_alone(server, session, contacts):
    told = limits(Daily_Remaining=0, Daily_Reset=500)
    contacts.pages = {2: answer(contacts.page([4, 5, 6]), headers=told)}
    came, error = broken(download_of(session), QuotaExhausted)
    assert came == SEVEN[:6]
    assert error.retry_after < 1
    assert len(server.asked) == 2

    time.sleep(0.55)

    one = download_of(session)
    assert ids(one) == SEVEN
    assert (one.requests, one.from_cache) == (2, 2)


def test_stop_between_two_pages_ends_the_walk_and_it_goes_on_where_it_stopped(server, session):
    progress = Progress()
    progress.on_page = lambda update: progress.cancel() if update.pages == 2 else None

    came, _ = broken(download_of(session, progress=progress), Canceled)

    assert came == SEVEN[:6]
    one = download_of(session)
    assert ids(one) == SEVEN
    assert (one.requests, one.from_cache) == (2, 2)


# ---- refresh


def test_the_old_walk_serves_until_the_new_is_complete(server, session, contacts, clock):
    ids(download_of(session))
    clock.now += 10
    contacts.numbers.append(8)
    contacts.pages = {7: answer({"message": "Invalid JWT"}, 401)}
    one = download_of(session, refresh=True)
    came, _ = broken(one, InvalidToken)
    assert came == SEVEN[:6]

    assert ids(download_of(session)) == SEVEN  # the old

    resumed = download_of(session, refresh=True, generation=one.record.generation)
    assert ids(resumed) == [*SEVEN, "c8"]
    assert resumed.from_cache == 2
    assert ids(download_of(session)) == [*SEVEN, "c8"]
    assert len(session.cache.downloads()) == 2  # and the one before, which may still be being read


# ---- offline


def test_offline_reads_the_last_complete_walk_of_any_age_and_says_how_old_it_is(server, session, clock):
    ids(download_of(session))
    clock.now += 29 * 86_400

    with pytest.warns(StaleWarning, match="contacts as of 29 days ago"):
        assert ids(download_of(session, offline=True)) == SEVEN
    assert len(server.asked) == 4


def test_offline_names_what_was_never_read_completely(server, session):
    ids(download_of(session, limit=1))

    with pytest.raises(NotCached, match="contacts was never downloaded completely"):
        ids(download_of(session, offline=True))
    assert len(server.asked) == 1


def test_offline_asks_nobody_and_deletes_nothing_though_a_page_is_gone(server, session):
    ids(download_of(session))
    keys = list(session.cache.responses)
    session.cache.delete(keys[0])

    with pytest.raises(NotCached):
        ids(download_of(session, offline=True))
    assert len(server.asked) == 4
    assert len(session.cache.responses) == 3
    assert len(session.cache.downloads()) == 1


def test_offline_asks_nobody_to_go_on_either(server, session, contacts):
    contacts.pages = {3: answer({"message": "Invalid JWT"}, 401)}
    one = download_of(session)
    broken(one, InvalidToken)

    with (
        pytest.raises(DamagedDownload),
        warnings.catch_warnings(action="ignore", category=StaleWarning),
    ):
        ids(download_of(session, offline=True, generation=one.record.generation))
    assert len(server.asked) == 3


# ---- what is kept is damaged


def test_a_walk_with_a_gap_is_read_anew(server, session):
    ids(download_of(session))
    session.cache.delete(list(session.cache.responses)[1])

    assert ids(download_of(session)) == SEVEN
    assert len(server.asked) == 8


def kept_keys(session):
    """The keys of the kept pages, in the order in which they came."""
    found = session.cache._file.run(lambda db: db.execute("SELECT key FROM pages ORDER BY rowid").fetchall())
    return [key for (key,) in found]


def test_a_page_that_was_changed_on_the_disk_ends_the_walk_or_begins_it_anew(server, session):
    def spoil(number):
        keys = [
            key for (key,) in session.cache._file.run(lambda db: db.execute("SELECT key FROM pages ORDER BY rowid"))
        ]
        session.cache.responses[keys[number]] = b"spoilt"

    ids(download_of(session))
    spoil(0)
    assert ids(download_of(session)) == SEVEN
    assert len(server.asked) == 8

    spoil(2)
    came, _ = broken(download_of(session), DamagedDownload)
    assert came == SEVEN[:6]
    assert ids(download_of(session)) == SEVEN


# ---- circles and short walks


def test_a_page_that_comes_for_ever_raises_after_one_request_and_tells_which(server, session, contacts):
    contacts.pages = dict.fromkeys(range(2, 99), answer(contacts.page([1, 2, 3])))

    came, error = broken(download_of(session), IncompleteDownload)

    assert came[:3] == SEVEN[:3]
    assert set(came) == set(SEVEN[:3])
    assert len(server.asked) == 2
    assert "contacts" in error.message
    assert "searchAfter" in error.message


def test_two_cursors_that_take_turns_raise_after_two_requests():
    pages = [{"messages": [{"id": f"m{n}"}], "nextCursor": "AB"[n % 2]} for n in range(50)]
    with Scripted(*map(answer, pages)) as server:
        _, error = broken(download_of(session_to(server), MESSAGES), IncompleteDownload)

        assert len(server.asked) <= 4
        assert "the cursor repeats" in error.message


def test_a_circle_that_was_a_slip_is_asked_for_again_by_a_resume(server, session, contacts):
    contacts.pages = {2: answer(contacts.page([1, 2, 3]))}
    one = download_of(session)
    broken(one, IncompleteDownload)

    resumed = download_of(session, generation=one.record.generation)

    assert ids(resumed) == SEVEN
    assert (resumed.requests, resumed.from_cache) == (3, 1)


def test_cached_pages_that_lead_into_a_circle_are_given_up_once(session, contacts):
    contacts.pages = {1: answer(contacts.page([1, 2, 2])), 2: answer({"message": "Invalid JWT"}, 401)}
    broken(download_of(session), InvalidToken)
    contacts.pages = {3: answer(contacts.page([1, 2, 2]))}

    one = download_of(session)
    pages = list(one)

    assert ids(pages[-one.pages :]) == SEVEN
    assert one.restarts == 1


def test_a_page_of_one_time_stamp_is_given_before_it_is_an_error():
    resource = Resource(
        name="x", path="/x", rows="x", doc="", columns=(Column("x_id", "id", ID),), paging=StartAfterDate(most=2)
    )
    page = answer({"x": [{"id": "a", "sort": [5]}, {"id": "b", "sort": [5]}]})
    with Scripted(page) as server:
        came, _ = broken(download_of(session_to(server), resource), IncompleteDownload)

    assert came == ["a", "b"]


def test_an_empty_page_ends_no_walk_while_a_new_cursor_comes():
    pages = [
        {"messages": [{"id": "m1"}], "nextCursor": "a"},
        {"messages": [], "nextCursor": "b"},
        {"messages": [{"id": "m2"}]},
    ]
    with Scripted(*map(answer, pages)) as server:
        assert ids(download_of(session_to(server), MESSAGES)) == ["m1", "m2"]


def test_a_page_cut_where_its_json_is_whole_is_told_by_the_total_and_asked_for_again(server, session, contacts):
    contacts.pages = {2: answer(contacts.page([]))}

    one = download_of(session)

    assert ids(one) == SEVEN
    assert len(server.asked) == 5
    again = download_of(session)
    assert ids(again) == SEVEN  # as it came the first time, from what is kept
    assert again.requests == 0


@pytest.mark.parametrize(("sure", "requests"), [(True, 2), (False, 4)])
def test_a_page_with_few_rows_that_nobody_can_tell_from_a_cut_is_asked_for_twice(sure, requests):
    pages = {
        "/messages?limit=3": {"messages": [{"id": "m1"}, {"id": "m2"}], "nextCursor": "a"},
        "next": {"messages": []},
    }

    def reply(asked):
        return answer(pages.get(asked.path.replace(f"locationId={LOCATION}&", ""), pages["next"]), length=sure)

    with Scripted(by=reply) as server:
        assert ids(download_of(session_to(server), MESSAGES)) == ["m1", "m2"]
        assert len(server.asked) == requests


def test_of_a_cut_that_nobody_can_notice_and_the_whole_the_whole_is_kept():
    cut, whole = ({"users": [{"id": f"u{number}"} for number in range(count)]} for count in (2, 4))
    users = replace(USERS, total=None)
    for script in ([cut, whole], [whole, cut]):
        with Scripted(*(answer(body, length=False) for body in script)) as server:
            session = session_to(server)

            assert ids(download_of(session, users)) == ["u0", "u1", "u2", "u3"]
            assert ids(download_of(session, users)) == ["u0", "u1", "u2", "u3"]
            assert len(server.asked) == 2


def test_a_server_that_told_where_its_answers_end_is_asked_until_it_does_again():
    cut, whole = ({"users": [{"id": f"u{number}"} for number in range(count)]} for count in (2, 4))
    users = replace(USERS, total=None)
    script = [answer(whole), answer(cut, length=False), answer(cut, length=False), answer(whole)]
    with Scripted(*script) as server:
        session = session_to(server)
        ids(download_of(session, users))

        assert ids(download_of(session, users, refresh=True)) == ["u0", "u1", "u2", "u3"]
        assert len(server.asked) == 4


def test_a_walk_that_stays_short_says_so_with_both_counts(session, contacts):
    contacts.page = lambda numbers: {"contacts": [row(number) for number in numbers], "total": 9}

    with pytest.warns(MissingRowsWarning, match="announced 9 rows and sent 7 .requested twice"):
        assert ids(download_of(session)) == SEVEN


def test_a_last_page_that_comes_for_ever_ends_the_walk_though_more_was_announced():
    page = {"contacts": [row(1), row(2)], "total": 9}
    with Scripted(answer(page)) as server:
        with pytest.warns(MissingRowsWarning, match="announced 9 rows and sent 2"):
            assert set(ids(download_of(session_to(server)))) == {"c1", "c2"}

        assert len(server.asked) <= 4


def test_where_rows_are_announced_and_none_comes_it_is_incomplete():
    with Scripted(answer({"contacts": [], "total": 5})) as server:
        one = download_of(session_to(server))
        came, error = broken(one, IncompleteDownload)
        assert came == []
        assert "announced 5 rows and sent 0" in error.message
        assert len(server.asked) == 2
        assert not one.complete
        broken(download_of(one.session), IncompleteDownload)
        assert len(server.asked) == 4, "nor is it cached"


# ---- answers that are none


@pytest.mark.parametrize(
    "body",
    [
        {"traceId": "t"},
        {"contacts": None, "total": 0},
        {"contacts": {"0": {}}},
        {"contacts": "none"},
        {"contacts": [1, 2]},
        {"contacts": [None]},
        {"statusCode": 500, "contacts": []},
        [],
    ],
)
def test_an_envelope_without_its_rows_is_unexpected_also_within_a_walk_and_is_never_kept(
    server, session, contacts, body
):
    contacts.pages = dict.fromkeys(range(2, 99), answer(body))
    came, error = broken(download_of(session), UnexpectedResponse)

    assert came == SEVEN[:3]
    assert error.status == 200
    assert len(session.cache.responses) == 1


@pytest.mark.parametrize("body", [b"<html></html>", b"", b'{"contacts": [{"id"'])
def test_one_bad_answer_in_a_walk_is_asked_for_again(server, session, contacts, body):
    contacts.pages = {2: answer(body, length=False)}

    assert ids(download_of(session)) == SEVEN
    assert len(server.asked) == 5


def test_a_server_that_fails_for_long_keeps_its_error_and_the_pages(server, session, contacts):
    contacts.pages = dict.fromkeys(range(2, 99), answer(b"", 502))
    came, error = broken(download_of(session), ServerError)

    assert came == SEVEN[:3]
    assert error.status == 502


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"contacts": null, "total": 0}', "the response has contacts, but no rows in it"),
        (b'{"contacts": {}}', "the response has contacts, but no rows in it"),
        (b'{"contacts": ["a", null]}', "the response has contacts, but no rows in it"),
        (b'{"people": []}', "the response has no contacts (it has: people)"),
    ],
)
def test_an_answer_without_rows_is_told_by_what_it_has(body, words):
    with pytest.raises(UnexpectedResponse) as caught:
        read_page(body, CONTACTS, LOCATION)
    assert caught.value.message == words


def test_entries_that_are_no_rows_are_left_out_and_counted():
    page = read_page(b'{"contacts": [null, "x", {"id": "c1"}, 3, {"id": "c2"}, []]}', CONTACTS, LOCATION)
    inner = read_page(
        b'{"contacts": [{"id": "p", "stages": [null, {"id": "s"}]}, 5, {"id": "q", "stages": [[]]}]}',
        replace(CONTACTS, explode="stages"),
        LOCATION,
    )

    assert ([row["id"] for row in page.rows], page.skipped, page.trailing) == (["c1", "c2"], 4, 1)
    assert ([row["id"] for row in inner.rows], inner.skipped, inner.trailing) == (["s"], 2, 1)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a": "x"}', "x"),
        (b'{"a": "caf\xe9"}', "caf\ufffd"),
        (b'{"a": "\\ud800x"}', "\ufffdx"),
        (b'{"a": "x\\udc00"}', "x\ufffd"),
        (b'{"a": "\\ud83d\\ude00", "b": NaN}', "\U0001f600"),
        (b'{"a": 1, "a": 2}', 2),
    ],
)
def test_odd_json_is_read_all_the_same(body, value):
    assert decode(body)["a"] == value


def test_a_status_of_a_row_is_no_error():
    assert decode(b'{"status": 404, "page": "not found"}')["status"] == 404


# ---- other locations


OTHER = "loc0000000000000000b"


@pytest.mark.parametrize(
    "names",
    [{"locationId": OTHER}, {"location_id": OTHER}, {"locationId": None, "altId": OTHER, "altType": "location"}],
)
def test_a_row_of_another_location_is_asked_for_once_more_then_ends_the_walk(server, session, contacts, names):
    contacts.pages = dict.fromkeys(range(2, 99), answer(contacts.page([4, 5, 6], **names)))
    came, _ = broken(download_of(session), WrongLocation)

    assert came == SEVEN[:3]
    assert len(server.asked) == 3
    assert len(session.cache.responses) == 1


def test_a_row_of_another_location_that_was_a_slip_is_no_error(session, contacts):
    contacts.pages = {2: answer(contacts.page([4, 5, 6], locationId=OTHER))}

    assert ids(download_of(session)) == SEVEN


@pytest.mark.parametrize(
    "names", [{}, {"locationId": None}, {"locationId": ""}, {"altId": OTHER, "altType": "company"}]
)
def test_a_row_that_names_no_location_is_ours(names):
    body = json.dumps({"contacts": [{"id": "c1", **names}]}).encode()

    assert len(read_page(body, CONTACTS, LOCATION)) == 1


# ---- several at once


def test_eight_threads_that_walk_the_same_share_every_page(server, session):
    with ThreadPoolExecutor(8) as pool:
        came = list(pool.map(lambda _: ids(download_of(session)), range(8)))

    assert came == [SEVEN] * 8
    assert len(server.asked) == 4


def test_two_resources_of_one_path_are_one_request_and_each_has_its_rows():
    pipelines = {"pipelines": [{"id": "p1", "stages": [{"id": "s1"}, {"id": "s2"}]}]}
    columns = (Column("x_id", "id", ID),)
    one = Resource(name="pipelines", path="/p", rows="pipelines", doc="", columns=columns, paging=NoPaging())
    two = Resource(name="stages", path="/p", rows="pipelines", doc="", columns=columns, explode="stages")

    def slow(connection, asked):
        time.sleep(0.1)
        connection.sendall(answer(pipelines))

    with Scripted(slow) as server, ThreadPoolExecutor(2) as pool:
        session = session_to(server)
        came = list(pool.map(lambda resource: ids(download_of(session, resource)), [one, two]))

        assert came == [["p1"], ["s1", "s2"]]
        assert len(server.asked) == 1


@pytest.mark.parametrize("offline", [False, True])
def test_a_download_that_is_being_read_outlives_the_one_that_replaces_it(session, contacts, clock, offline):
    ids(download_of(session))
    with warnings.catch_warnings(action="ignore", category=StaleWarning):
        reading = iter(download_of(session, offline=offline))
        next(reading)
        clock.now += 1
        contacts.numbers.append(8)
        thread = threading.Thread(target=lambda: ids(download_of(session, refresh=True)))
        thread.start()
        thread.join()

        assert ids(reading) == SEVEN[3:]
    assert ids(download_of(session)) == [*SEVEN, "c8"]


def test_one_that_was_replaced_and_is_not_read_goes_and_so_does_what_was_replaced_twice(session, clock):
    ids(download_of(session))
    for _ in range(3):
        clock.now += 60
        ids(download_of(session, refresh=True))
        ids(download_of(session))
    assert len(session.cache.downloads()) == 2
    assert len(session.cache.responses) == 8

    clock.now += 3601
    ids(download_of(session, refresh=True))

    assert len(session.cache.downloads()) == 1
    assert len(session.cache.responses) == 4


# ---- what is told


def test_a_walk_tells_its_watch_of_every_page(server, session):
    told = []
    progress = Progress()
    progress.on_page = lambda update: told.append(str(update))
    ids(download_of(session, progress=progress))
    ids(download_of(session, progress=progress))

    assert told[0] == "contacts · 1 page · 3 rows of 7"
    assert told[3] == "contacts · 4 pages · 7 rows of 7"
    assert told[7] == "contacts · 4 pages · 7 rows of 7 · 0 requests, 4 from cache"
