"""A download is complete or an error, and requests no page twice."""

import json
import re
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from scripted import LOCATION, TOKEN, Scripted, answer, cached_keys, limits, overwrite_page, session_to

from hlkit.client.cached_downloads import CachePolicy, StaleWarning
from hlkit.client.download import DamagedDownload, Download, MissingRowsWarning
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
from hlkit.client.query import Query
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

    def __call__(self, request):
        self.count += 1
        if self.count in self.pages:
            return self.pages[self.count]
        after = request.json.get("searchAfter", [0])[0]
        return answer(self.page([number for number in self.numbers if number > after][:3]))

    def page(self, numbers, **more):
        total = {"total": len(self.numbers)} if self.total else {}
        return {"contacts": [row(number, **more) for number in numbers], **total}


def row(number, **more):
    return {"id": f"c{number}", "searchAfter": [number], "locationId": LOCATION, **more}


def ids(pages):
    return [row["id"] for page in pages for row in page.rows]


def download_of(session, resource=CONTACTS, parameter_sets=({},), **options):
    policy = {
        name: options.pop(name) for name in ("expire_after", "refresh", "offline", "generation") if name in options
    }
    return Download(Query(resource, LOCATION, parameter_sets), session, CachePolicy(**policy), **options)


def broken(download, kind):
    """The ids of the rows that a download returned before it failed, and the error."""
    pages = []
    with pytest.raises(kind) as caught:
        pages.extend(download)
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


def test_every_request_names_the_location_and_every_row_is_returned_once(server, session):
    download = download_of(session)

    assert ids(download) == SEVEN
    assert [request.json["locationId"] for request in server.requests] == [LOCATION] * 4
    assert (download.pages, download.rows, download.requests, download.from_cache, download.expected_rows) == (
        4,
        7,
        4,
        0,
        7,
    )
    assert download.complete


def test_the_second_time_it_is_free(server, session, clock):
    ids(download_of(session))
    clock.now += 3599
    download = download_of(session)

    assert ids(download) == SEVEN
    assert (download.requests, download.from_cache) == (0, 4)
    assert len(server.requests) == 4


def test_an_hour_later_all_pages_are_requested_again_and_the_old_ones_deleted(server, session, contacts, clock):
    ids(download_of(session))
    contacts.numbers.remove(2)  # an old page 1 before new ones would lose c4
    clock.now += 3601

    assert ids(download_of(session)) == ["c1", "c3", "c4", "c5", "c6", "c7"]
    assert len(session.cache.downloads()) == 1
    assert len(cached_keys(session.cache)) == 3


def test_the_caller_chooses_how_old_the_pages_may_be(server, session, clock):
    ids(download_of(session))
    clock.now += 100

    ids(download_of(session, expire_after=101))
    assert len(server.requests) == 4
    ids(download_of(session, expire_after=99))
    assert len(server.requests) == 8


def test_an_empty_location_is_an_empty_download():
    with Scripted(answer({"contacts": [], "total": 0})) as server:
        download = download_of(session_to(server))

        assert ids(download) == []
        assert download.complete
        assert len(server.requests) == 1


@pytest.mark.parametrize("total", [None, "seven", -1, [7], True, 0, 3])
def test_a_missing_or_invalid_total_is_normal(total):
    def reply(request):
        return answer({"users": [{"id": "u1"}, {"id": "u2"}, {"id": "u3"}], "total": total})

    with Scripted(by=reply) as server:
        assert ids(download_of(session_to(server), USERS)) == ["u1", "u2", "u3"]
        assert len(server.requests) == 1


def test_two_parameter_sets_are_one_download():
    def reply(request):
        kind = "e" if "channel=Email" in request.path else "m"
        return answer({"messages": [{"id": f"{kind}1"}, {"id": f"{kind}2"}], "total": 2})

    updates = []

    class Recorder(Progress):
        def on_page(self, update):
            updates.append((update.pages, update.rows, update.total))

    with Scripted(by=reply) as server:
        session = session_to(server)
        download = download_of(session, MESSAGES, ({}, {"channel": "Email"}), progress=Recorder())

        assert ids(download) == ["m1", "m2", "e1", "e2"]
        assert updates == [(1, 2, 2), (2, 4, 4)]
        assert download.expected_rows == 4
        assert len(session.cache.downloads()) == 1


def test_a_limit_requests_as_few_pages_as_it_needs_and_is_not_complete(server, session):
    download = download_of(session, limit=4)

    assert ids(download) == SEVEN[:6]
    assert not download.complete
    assert len(server.requests) == 2


def test_a_full_download_reuses_the_pages_of_a_limited_one(server, session):
    ids(download_of(session, limit=4))
    download = download_of(session)

    assert ids(download) == SEVEN
    assert (download.requests, download.from_cache) == (2, 2)


def test_a_limit_does_not_unfinish_a_complete_download(server, session):
    ids(download_of(session))
    ids(download_of(session, limit=1))

    assert ids(download_of(session, offline=False)) == SEVEN
    assert session.cache.downloads()[0].finished_at is not None
    assert session.cache.downloads()[0].pages == 4


def test_first_page_only_stops_after_page_one(server, session):
    assert [page.total("total") for page in download_of(session, first_page_only=True)] == [7]
    assert len(server.requests) == 1


# ---- interrupted


def test_after_a_failed_page_the_earlier_pages_are_not_requested_again(server, session, contacts):
    contacts.pages = {3: answer({"message": "Invalid JWT"}, 401)}
    download = download_of(session)

    row_ids, _ = broken(download, InvalidToken)

    assert row_ids == SEVEN[:6]
    again = download_of(session, generation=download.record.generation)
    assert ids(again) == SEVEN
    assert (again.requests, again.from_cache) == (2, 2)


DAYS = 86_400


@pytest.mark.parametrize(
    ("expire_after", "later", "saved"),
    [(3600, 6.9 * DAYS, 2), (3600, 7.1 * DAYS, 0), (9 * DAYS, 8.9 * DAYS, 2), (9 * DAYS, 9.1 * DAYS, 0)],
)
def test_an_interrupted_download_is_resumed_for_seven_days_or_expire_after(
    session, contacts, clock, expire_after, later, saved
):
    contacts.pages = {3: answer({"message": "Invalid JWT"}, 401)}
    broken(download_of(session, expire_after=expire_after), InvalidToken)
    clock.now += later

    download = download_of(session, expire_after=expire_after)

    assert ids(download) == SEVEN
    assert download.from_cache == saved


def test_the_seven_days_count_from_the_last_page(session, contacts, clock):
    for page in (2, 4, 6):  # a request that fails, and one page more, each time
        contacts.pages[page] = answer({"message": "Invalid JWT"}, 401)
        broken(download_of(session), InvalidToken)
        clock.now += 6 * DAYS

    download = download_of(session)

    assert ids(download) == SEVEN
    assert (download.requests, download.from_cache) == (1, 3)
    assert download.record.fetched_at - download.record.started_at == 18 * DAYS


def test_a_download_is_resumed_by_its_id_at_any_age(session, contacts, clock):
    contacts.pages = {3: answer({"message": "Invalid JWT"}, 401)}
    download = download_of(session)
    broken(download, InvalidToken)
    clock.now += 20 * DAYS

    resumed = download_of(session, generation=download.record.generation)

    assert ids(resumed) == SEVEN
    assert resumed.from_cache == 2


def test_its_age_counts_from_its_last_page(server, session, contacts, clock):
    progress = Progress()
    progress.on_page = lambda update: setattr(clock, "now", clock.now + 3000)  # an hour and forty minutes in all
    ids(download_of(session, progress=progress))
    clock.now += 500

    again = download_of(session)

    assert ids(again) == SEVEN
    assert again.requests == 0
    clock.now += 3600
    assert download_of(session).cached_downloads.find() is None


def test_a_download_dated_in_the_future_does_not_block_others(session, contacts, clock):
    clock.now += 365 * DAYS
    ids(download_of(session))
    clock.now -= 365 * DAYS
    contacts.pages = {7: answer({"message": "Invalid JWT"}, 401)}
    broken(download_of(session), InvalidToken)

    resumed, again = download_of(session), download_of(session)

    assert (ids(resumed), resumed.from_cache) == (SEVEN, 2)
    assert (ids(again), again.requests) == (SEVEN, 0)


def test_a_download_for_its_first_rows_does_not_count_as_interrupted(server, session, contacts, clock):
    ids(download_of(session, first_page_only=True))
    ids(download_of(session, limit=4))
    download = download_of(session)
    next(iter(download))
    download.stop_early()
    clock.now += 3601

    for options in ({"first_page_only": True}, {"limit": 4}, {}):
        download = download_of(session, **options)
        ids(download)
        assert download.record.started_at == clock.now


def test_a_limit_does_not_use_the_old_pages_of_an_interrupted_download(session, contacts, clock):
    contacts.pages = {3: answer({"message": "Invalid JWT"}, 401)}
    broken(download_of(session), InvalidToken)
    clock.now += DAYS

    few, many = download_of(session, limit=3), download_of(session, limit=7)

    assert (ids(few), few.requests) == (SEVEN[:3], 1)
    assert ids(many) == SEVEN
    assert many.from_cache == 2


def test_refresh_resumes_an_interrupted_refresh_and_nothing_else(session, contacts, clock):
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
    paging=PageNumber(size="limit", most=2),
)


def numbered(rows, fails=(), move=lambda request: None):
    """A server of *rows* by page number, two a page. Its next requests fail where *fails* says so; *move* is called
    after each."""
    fails = list(fails)

    def reply(request):
        if fails and fails.pop(0):
            return answer({"message": "Invalid JWT"}, 401)
        first = 2 * int(re.search(r"page=(\d+)", request.path)[1]) - 2
        page = answer({"submissions": [row(number) for number in rows[first : first + 2]], "total": len(rows)})
        move(request)
        return page

    return Scripted(by=reply)


@pytest.mark.parametrize(("numbers", "requests"), [([1, 2, 3, 4, 5], 2), ([0, 1, 2, 3, 4, 5], 5), ([2, 3, 4, 5], 4)])
def test_pages_by_number_are_resumed_only_while_the_total_is_the_same(clock, numbers, requests):
    rows = [1, 2, 3, 4, 5]
    with numbered(rows, [False, True]) as server:
        session = session_to(server, cache=Cache(None, Token(TOKEN), now=clock))
        broken(download_of(session, NUMBERED), InvalidToken)
        before = len(server.requests)
        rows[:] = numbers
        clock.now += DAYS
        download = download_of(session, NUMBERED)
        pages = list(download)

        assert sorted(ids(pages[-download.pages :])) == [f"c{number}" for number in numbers]
        assert download.restarts == (len(numbers) != 5)
        assert len(server.requests) - before == requests


@pytest.mark.parametrize(
    ("change", "requests"),
    [
        (lambda rows: rows.pop(0), 2 + 3),  # page 2 has another total; then two full pages and an empty one
        (lambda rows: rows.insert(0, rows.pop()), 4 + 3),  # only page 4, which is empty, shows that a row is missing
    ],
    ids=["deleted", "moved"],
)
def test_by_page_number_all_pages_are_read_once_more_if_rows_move(change, requests):
    rows, changes = [1, 2, 3, 4, 5], [change]
    with numbered(rows, move=lambda request: changes and changes.pop()(rows)) as server:
        download = download_of(session_to(server), NUMBERED)
        pages = list(download)

        assert ids(pages[-download.pages :]) == [f"c{number}" for number in rows]
        assert download.complete
        assert len(server.requests) == requests


def test_by_page_number_rows_that_move_both_times_are_an_error_and_none_of_the_pages_is_used_again():
    rows, calm = [1, 2, 3, 4, 5], []
    with numbered(rows, move=lambda request: calm or rows.insert(0, rows.pop())) as server:
        session = session_to(server)
        broken(download_of(session, NUMBERED), IncompleteDownload)
        assert len(server.requests) == 3 + 3
        calm.append(True)

        download = download_of(session, NUMBERED)

        assert ids(download) == [f"c{number}" for number in rows]
        assert download.from_cache == 0


def test_a_restart_uses_no_page_of_an_earlier_refresh(clock):
    rows, fails = [1, 2, 3, 4, 5], [False, False, True, False, True]
    with numbered(rows, fails) as server:
        session = session_to(server, cache=Cache(None, Token(TOKEN), now=clock))
        broken(download_of(session, NUMBERED), InvalidToken)  # has two pages
        broken(download_of(session, NUMBERED, refresh=True), InvalidToken)  # has one
        rows.remove(1)
        clock.now += DAYS
        download = download_of(session, NUMBERED)
        pages = list(download)

        assert ids(pages[-download.pages :]) == ["c2", "c3", "c4", "c5"]
        assert download.from_cache == 2
        assert download.restarts == 1


def test_after_an_exhausted_daily_quota_only_the_missing_pages_are_requested(server, session, contacts):
    headers = limits(Daily_Remaining=0, Daily_Reset=500)
    contacts.pages = {2: answer(contacts.page([4, 5, 6]), headers=headers)}
    row_ids, error = broken(download_of(session), QuotaExhausted)
    assert row_ids == SEVEN[:6]
    assert error.retry_after < 1
    assert len(server.requests) == 2

    time.sleep(0.55)

    download = download_of(session)
    assert ids(download) == SEVEN
    assert (download.requests, download.from_cache) == (2, 2)


def test_a_download_canceled_between_pages_resumes_where_it_stopped(server, session):
    progress = Progress()
    progress.on_page = lambda update: progress.cancel() if update.pages == 2 else None

    row_ids, _ = broken(download_of(session, progress=progress), Canceled)

    assert row_ids == SEVEN[:6]
    download = download_of(session)
    assert ids(download) == SEVEN
    assert (download.requests, download.from_cache) == (2, 2)


# ---- refresh


def test_the_old_download_is_used_until_the_new_one_is_complete(server, session, contacts, clock):
    ids(download_of(session))
    clock.now += 10
    contacts.numbers.append(8)
    contacts.pages = {7: answer({"message": "Invalid JWT"}, 401)}
    download = download_of(session, refresh=True)
    row_ids, _ = broken(download, InvalidToken)
    assert row_ids == SEVEN[:6]

    assert ids(download_of(session)) == SEVEN  # the old

    resumed = download_of(session, refresh=True, generation=download.record.generation)
    assert ids(resumed) == [*SEVEN, "c8"]
    assert resumed.from_cache == 2
    assert ids(download_of(session)) == [*SEVEN, "c8"]
    assert len(session.cache.downloads()) == 2  # and the one before, which may still be being read


# ---- offline


def test_offline_uses_the_last_complete_download_and_warns_how_old_it_is(server, session, clock):
    ids(download_of(session))
    clock.now += 29 * 86_400

    with pytest.warns(StaleWarning, match="contacts as of 29 days ago"):
        assert ids(download_of(session, offline=True)) == SEVEN
    assert len(server.requests) == 4


def test_offline_names_what_was_never_downloaded_completely(server, session):
    ids(download_of(session, limit=1))

    with pytest.raises(NotCached, match="contacts was never downloaded completely"):
        ids(download_of(session, offline=True))
    assert len(server.requests) == 1


def test_offline_sends_and_deletes_nothing_if_a_page_is_missing(server, session):
    ids(download_of(session))
    session.cache.delete_page(min(cached_keys(session.cache)))

    with pytest.raises(NotCached):
        ids(download_of(session, offline=True))
    assert len(server.requests) == 4
    assert len(cached_keys(session.cache)) == 3
    assert len(session.cache.downloads()) == 1


def test_offline_sends_nothing_to_resume_either(server, session, contacts):
    contacts.pages = {3: answer({"message": "Invalid JWT"}, 401)}
    download = download_of(session)
    broken(download, InvalidToken)

    with (
        pytest.raises(DamagedDownload),
        warnings.catch_warnings(action="ignore", category=StaleWarning),
    ):
        ids(download_of(session, offline=True, generation=download.record.generation))
    assert len(server.requests) == 3


# ---- damaged cache entries


def test_a_download_with_a_missing_page_is_read_again(server, session):
    ids(download_of(session))
    session.cache.delete_page(cached_keys(session.cache)[1])

    assert ids(download_of(session)) == SEVEN
    assert len(server.requests) == 8


def test_after_a_finished_download_lost_a_page_no_older_one_is_resumed(server, session, contacts, clock):
    older = iter(download_of(session))
    next(older)
    clock.now += 1
    ids(download_of(session, refresh=True))
    contacts.numbers.remove(2)
    next(older)  # its record is written again, beside the newer download
    older.close()
    (finished,) = [record for record in session.cache.downloads() if record.finished_at is not None]
    assert len(session.cache.downloads()) == 2
    session.cache.delete_page(next(key for key in cached_keys(session.cache) if key.startswith(finished.prefix)))

    assert ids(download_of(session)) == ["c1", "c3", "c4", "c5", "c6", "c7"]


def test_a_page_changed_on_disk_ends_the_download_or_restarts_it(server, session):
    def spoil(number):
        overwrite_page(session.cache, cached_keys(session.cache)[number], b"spoilt")

    ids(download_of(session))
    spoil(0)
    assert ids(download_of(session)) == SEVEN
    assert len(server.requests) == 8

    spoil(2)
    row_ids, _ = broken(download_of(session), DamagedDownload)
    assert row_ids == SEVEN[:6]
    assert ids(download_of(session)) == SEVEN


def test_a_caller_that_reread_if_damaged_gets_all_pages_again_if_one_was_changed_on_disk(server, session):
    ids(download_of(session))
    overwrite_page(session.cache, cached_keys(session.cache)[2], b"spoilt")
    download = download_of(session, reread_if_damaged=True)
    pages = list(download)

    assert ids(pages[: -download.pages]) == SEVEN[:6]
    assert ids(pages[-download.pages :]) == SEVEN
    assert len(server.requests) == 8


# ---- loops and missing rows


def test_a_page_that_repeats_raises_after_one_request_and_names_its_position(server, session, contacts):
    contacts.pages = dict.fromkeys(range(2, 99), answer(contacts.page([1, 2, 3])))

    row_ids, error = broken(download_of(session), IncompleteDownload)

    assert row_ids[:3] == SEVEN[:3]
    assert set(row_ids) == set(SEVEN[:3])
    assert len(server.requests) == 2
    assert "contacts" in error.message
    assert "searchAfter" in error.message


def test_two_alternating_cursors_raise_after_two_requests():
    pages = [{"messages": [{"id": f"m{n}"}], "nextCursor": "AB"[n % 2]} for n in range(50)]
    with Scripted(*map(answer, pages)) as server:
        _, error = broken(download_of(session_to(server), MESSAGES), IncompleteDownload)

        assert len(server.requests) <= 4
        assert "the cursor repeats" in error.message


def test_resume_requests_the_page_that_looped_again(server, session, contacts):
    contacts.pages = {2: answer(contacts.page([1, 2, 3]))}
    download = download_of(session)
    broken(download, IncompleteDownload)

    resumed = download_of(session, generation=download.record.generation)

    assert ids(resumed) == SEVEN
    assert (resumed.requests, resumed.from_cache) == (3, 1)


def test_cached_pages_that_lead_into_a_loop_are_dropped_once(session, contacts):
    contacts.pages = {1: answer(contacts.page([1, 2, 2])), 2: answer({"message": "Invalid JWT"}, 401)}
    broken(download_of(session), InvalidToken)
    contacts.pages = {3: answer(contacts.page([1, 2, 2]))}

    download = download_of(session)
    pages = list(download)

    assert ids(pages[-download.pages :]) == SEVEN
    assert download.restarts == 1


def test_a_page_of_one_time_stamp_is_returned_before_the_error():
    resource = Resource(
        name="x", path="/x", rows="x", doc="", columns=(Column("x_id", "id", ID),), paging=StartAfterDate(most=2)
    )
    page = answer({"x": [{"id": "a", "sort": [5]}, {"id": "b", "sort": [5]}]})
    with Scripted(page) as server:
        row_ids, _ = broken(download_of(session_to(server), resource), IncompleteDownload)

    assert row_ids == ["a", "b"]


def test_an_empty_page_with_a_new_cursor_is_not_the_last():
    pages = [
        {"messages": [{"id": "m1"}], "nextCursor": "a"},
        {"messages": [], "nextCursor": "b"},
        {"messages": [{"id": "m2"}]},
    ]
    with Scripted(*map(answer, pages)) as server:
        assert ids(download_of(session_to(server), MESSAGES)) == ["m1", "m2"]


def test_a_truncated_page_with_valid_json_is_noticed_by_the_total(server, session, contacts):
    contacts.pages = {2: answer(contacts.page([]))}

    download = download_of(session)

    assert ids(download) == SEVEN
    assert len(server.requests) == 5
    again = download_of(session)
    assert ids(again) == SEVEN  # as it row_ids the first time, from the cache
    assert again.requests == 0


@pytest.mark.parametrize(("sure", "requests"), [(True, 2), (False, 4)])
def test_a_short_page_that_may_be_truncated_is_requested_twice(sure, requests):
    pages = {
        "/messages?limit=3": {"messages": [{"id": "m1"}, {"id": "m2"}], "nextCursor": "a"},
        "next": {"messages": []},
    }

    def reply(request):
        return answer(pages.get(request.path.replace(f"locationId={LOCATION}&", ""), pages["next"]), length=sure)

    with Scripted(by=reply) as server:
        assert ids(download_of(session_to(server), MESSAGES)) == ["m1", "m2"]
        assert len(server.requests) == requests


def test_of_a_truncated_and_a_complete_response_the_complete_one_is_used():
    cut, whole = ({"users": [{"id": f"u{number}"} for number in range(count)]} for count in (2, 4))
    users = replace(USERS, total=None)
    for script in ([cut, whole], [whole, cut]):
        with Scripted(*(answer(body, length=False) for body in script)) as server:
            session = session_to(server)

            assert ids(download_of(session, users)) == ["u0", "u1", "u2", "u3"]
            assert ids(download_of(session, users)) == ["u0", "u1", "u2", "u3"]
            assert len(server.requests) == 2


def test_a_server_that_announced_lengths_is_asked_until_it_does_again():
    cut, whole = ({"users": [{"id": f"u{number}"} for number in range(count)]} for count in (2, 4))
    users = replace(USERS, total=None)
    script = [answer(whole), answer(cut, length=False), answer(cut, length=False), answer(whole)]
    with Scripted(*script) as server:
        session = session_to(server)
        ids(download_of(session, users))

        assert ids(download_of(session, users, refresh=True)) == ["u0", "u1", "u2", "u3"]
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(answer({"message": "Invalid JWT"}, 401), InvalidToken), (answer(b"", 503), ServerError)],
)
def test_a_response_that_cannot_be_compared_is_neither_returned_nor_cached(failure, kind):
    whole = {"users": [{"id": f"u{number}"} for number in range(4)]}
    users = replace(USERS, total=None)
    with Scripted(answer(whole, length=False), failure) as server:
        session = session_to(server, deadline=0.6)
        assert broken(download_of(session, users), kind)[0] == []
        assert cached_keys(session.cache) == []

        server.then(answer(whole, length=False))
        assert ids(download_of(session, users)) == ["u0", "u1", "u2", "u3"]


def test_missing_rows_are_reported_with_both_counts(session, contacts):
    contacts.page = lambda numbers: {"contacts": [row(number) for number in numbers], "total": 9}

    with pytest.warns(MissingRowsWarning, match="announced 9 rows and sent 7 .each last page was requested twice"):
        assert ids(download_of(session)) == SEVEN


def test_a_repeated_last_page_ends_the_download_although_more_was_announced():
    page = {"contacts": [row(1), row(2)], "total": 9}
    with Scripted(answer(page)) as server:
        with pytest.warns(MissingRowsWarning, match="announced 9 rows and sent 2"):
            assert set(ids(download_of(session_to(server)))) == {"c1", "c2"}

        assert len(server.requests) <= 4


def test_a_repeated_last_page_with_other_rows_loses_none_of_the_first():
    first, second = ({"users": [{"id": name} for name in names], "count": 3} for names in (["a", "b"], ["b", "c"]))
    with Scripted(answer(first), answer(second)) as server:
        assert ids(download_of(session_to(server), replace(USERS, total="count"))) == ["a", "b", "c"]
        assert len(server.requests) == 2


def test_announced_rows_of_which_none_arrive_are_an_incomplete_download():
    with Scripted(answer({"contacts": [], "total": 5})) as server:
        download = download_of(session_to(server))
        row_ids, error = broken(download, IncompleteDownload)
        assert row_ids == []
        assert "announced 5 rows and sent 0" in error.message
        assert len(server.requests) == 2
        assert not download.complete
        broken(download_of(download.session), IncompleteDownload)
        assert len(server.requests) == 4, "nor is it cached"


# ---- unusable responses


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
def test_a_response_without_rows_is_unexpected_and_never_cached(server, session, contacts, body):
    contacts.pages = dict.fromkeys(range(2, 99), answer(body))
    row_ids, error = broken(download_of(session), UnexpectedResponse)

    assert row_ids == SEVEN[:3]
    assert error.status == 200
    assert len(cached_keys(session.cache)) == 1


@pytest.mark.parametrize("body", [b"<html></html>", b"", b'{"contacts": [{"id"'])
def test_one_bad_response_is_retried(server, session, contacts, body):
    contacts.pages = {2: answer(body, length=False)}

    assert ids(download_of(session)) == SEVEN
    assert len(server.requests) == 5


def test_a_server_that_keeps_failing_raises_its_own_error(server, session, contacts):
    contacts.pages = dict.fromkeys(range(2, 99), answer(b"", 502))
    row_ids, error = broken(download_of(session), ServerError)

    assert row_ids == SEVEN[:3]
    assert error.status == 502


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"contacts": null, "total": 0}', "the response has contacts, but no rows in it"),
        (b'{"contacts": {}}', "the response has contacts, but no rows in it"),
        (b'{"contacts": ["a", null]}', "the response has contacts, but no rows in it"),
        (b'{"people": []}', "the response has no contacts (it has: people)"),
    ],
)
def test_the_error_for_a_response_without_rows_names_what_it_has(body, message):
    with pytest.raises(UnexpectedResponse) as caught:
        read_page(body, CONTACTS, LOCATION)
    assert caught.value.message == message


def test_entries_that_are_not_objects_are_left_out_and_counted():
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
def test_unusual_json_is_read(body, value):
    assert decode(body)["a"] == value


def test_a_status_without_a_message_is_not_an_error():
    assert decode(b'{"status": 404, "page": "not found"}')["status"] == 404


# ---- other locations


OTHER = "loc0000000000000000b"


@pytest.mark.parametrize(
    "names",
    [{"locationId": OTHER}, {"location_id": OTHER}, {"locationId": None, "altId": OTHER, "altType": "location"}],
)
def test_a_row_of_another_location_is_retried_once_then_ends_the_download(server, session, contacts, names):
    contacts.pages = dict.fromkeys(range(2, 99), answer(contacts.page([4, 5, 6], **names)))
    row_ids, _ = broken(download_of(session), WrongLocation)

    assert row_ids == SEVEN[:3]
    assert len(server.requests) == 3
    assert len(cached_keys(session.cache)) == 1


def test_a_row_of_another_location_that_was_a_glitch_is_no_error(session, contacts):
    contacts.pages = {2: answer(contacts.page([4, 5, 6], locationId=OTHER))}

    assert ids(download_of(session)) == SEVEN


@pytest.mark.parametrize(
    "names", [{}, {"locationId": None}, {"locationId": ""}, {"altId": OTHER, "altType": "company"}]
)
def test_a_row_without_a_location_is_accepted(names):
    body = json.dumps({"contacts": [{"id": "c1", **names}]}).encode()

    assert len(read_page(body, CONTACTS, LOCATION)) == 1


# ---- several at once


def test_eight_identical_downloads_share_every_page(server, session):
    with ThreadPoolExecutor(8) as pool:
        row_ids = list(pool.map(lambda _: ids(download_of(session)), range(8)))

    assert row_ids == [SEVEN] * 8
    assert len(server.requests) == 4


def test_two_resources_on_one_path_share_a_request_and_each_has_its_rows():
    pipelines = {"pipelines": [{"id": "p1", "stages": [{"id": "s1"}, {"id": "s2"}]}]}
    columns = (Column("x_id", "id", ID),)
    pipelines_resource = Resource(
        name="pipelines", path="/p", rows="pipelines", doc="", columns=columns, paging=NoPaging()
    )
    stages_resource = Resource(name="stages", path="/p", rows="pipelines", doc="", columns=columns, explode="stages")

    def slow(connection, request):
        time.sleep(0.1)
        connection.sendall(answer(pipelines))

    with Scripted(slow) as server, ThreadPoolExecutor(2) as pool:
        session = session_to(server)
        row_ids = list(
            pool.map(lambda resource: ids(download_of(session, resource)), [pipelines_resource, stages_resource])
        )

        assert row_ids == [["p1"], ["s1", "s2"]]
        assert len(server.requests) == 1


@pytest.mark.parametrize("offline", [False, True])
def test_a_download_that_is_being_read_survives_its_replacement(session, contacts, clock, offline):
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


def test_a_replaced_download_is_deleted_when_unread_or_replaced_twice(session, clock):
    ids(download_of(session))
    for _ in range(3):
        clock.now += 60
        ids(download_of(session, refresh=True))
        ids(download_of(session))
    assert len(session.cache.downloads()) == 2
    assert len(cached_keys(session.cache)) == 8

    clock.now += 3601
    ids(download_of(session, refresh=True))

    assert len(session.cache.downloads()) == 1
    assert len(cached_keys(session.cache)) == 4


# ---- progress


def test_a_download_reports_every_page(server, session):
    updates = []
    progress = Progress()
    progress.on_page = lambda update: updates.append(str(update))
    ids(download_of(session, progress=progress))
    ids(download_of(session, progress=progress))

    assert updates[0] == "contacts · 1 page · 3 rows of 7"
    assert updates[3] == "contacts · 4 pages · 7 rows of 7"
    assert updates[7] == "contacts · 4 pages · 7 rows of 7 · 0 requests, 4 from cache"
