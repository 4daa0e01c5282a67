"""Which downloads are not wanted any more, and how much of them there may be."""

import os
from dataclasses import replace

import pytest
from scripted import OTHER_TOKEN, TOKEN
from test_cache import Clock, begin, keep, page_of, walk

from hlkit.client.http import cache as module
from hlkit.client.http import download_records as downloads
from hlkit.client.http.cache import Cache
from hlkit.client.http.download_records import DAY, HOUR, UNREAD_LIFETIME, Record, find_obsolete
from hlkit.client.http.token import Token

NOW = 1_767_268_800.0


def record(name, question="contacts?", ago=0.0, **given):
    """A complete download, all of it *ago* seconds ago."""
    at = NOW - ago
    given = {"family": "contacts", "finished": at, "read": at, **given}
    return Record(name, name, question, resource="contacts", parameters="[]", started=at, fetched=at, **given)


def begun(name, ago=0.0, **given):
    return record(name, ago=ago, **{"finished": None, **given})


def gone(*records):
    return {one.generation for one in find_obsolete(records, NOW)}


def test_what_nobody_read_for_thirty_days_goes():
    old, read = record("old", "a?", UNREAD_LIFETIME + 1), record("read", "b?", UNREAD_LIFETIME + 1, reads=3)

    assert gone(old, replace(read, read=NOW - DAY)) == {"old"}


def test_first_pages_go_after_a_day_and_a_download_that_broke_off_stays_for_thirty():
    looks = [begun("new", HOUR, wanted=0), begun("old", DAY + 1, wanted=0)]
    some, every, older = (
        begun(name, ago * DAY, pages=1, rows=400) for name, ago in (("a", 29), ("b", 29), ("c", 31))
    )

    assert gone(*looks, replace(some, wanted=500), every, older, begun("no page", 2 * DAY)) == {"old", "c", "no page"}


def test_what_was_replaced_goes_and_the_last_one_that_was_read_within_the_hour_stays():
    new = record("new")
    read, before, unread = (record(name, ago=ago) for name, ago in (("read", 60), ("before", 120), ("unread", 60)))
    read, before = (replace(one, reads=1, read=NOW - 30) for one in (read, before))

    assert gone(new, read, before) == {"before"}
    assert gone(new, unread) == {"unread"}
    assert gone(new, record("read", ago=HOUR, reads=1)) == {"read"}
    assert gone(new, begun("begun", ago=60)) == {"begun"}
    assert gone(begun("going"), read) == set()


def test_one_of_the_future_replaces_nothing_and_is_replaced():
    assert gone(record("future", ago=-DAY), record("now")) == {"future"}


def a_month_from(second, **given):
    """What ``since=pd.Timestamp.now() - pd.Timedelta(days=30)`` asks at some second."""
    return record(f"{second}", f"since {second}?", NOW - second, since=second - 30 * DAY, **given)


def test_a_span_that_moves_with_the_clock_keeps_one_download_and_those_that_are_fresh():
    every_ten_minutes = [a_month_from(NOW - 600 * number) for number in range(24)]  # four hours

    assert len(gone(*every_ten_minutes)) == 24 - 7  # now, and up to an hour ago
    assert gone(*[replace(one, fresh_for=5 * HOUR) for one in every_ten_minutes]) == set()


@pytest.mark.parametrize(
    ("change", "goes"),
    [
        ({}, True),
        ({"reads": 1}, False),
        ({"since": NOW - 32 * DAY}, False),
        ({"since": None}, False),
        ({"until": NOW}, False),
        ({"family": "other filters"}, False),
        ({"finished": None, "pages": 1}, False),
        ({"finished": None, "pages": 1, "fetched": NOW - 8 * DAY, "read": NOW - 8 * DAY}, True),
        ({"finished": None, "wanted": 0}, True),
    ],
)
def test_only_what_was_asked_once_and_for_nearly_the_same_span_is_moved_on_from(change, goes):
    old = replace(a_month_from(NOW - 2 * HOUR), **change)

    assert gone(a_month_from(NOW), old) == ({old.generation} if goes else set())


# ---- how much


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def opened(clock, tmp_path):
    """Opens the cache of a location."""
    caches = []

    def opened(name, token=TOKEN, **given):
        caches.append(Cache(tmp_path / f"{name}.sqlite", Token(token), now=clock, **given))
        return caches[-1]

    yield opened
    for cache in caches:
        cache.close()


def left(cache):
    return [one.question for one in reversed(cache.downloads())]


def test_beyond_so_many_bytes_the_oldest_downloads_of_all_locations_go(opened, clock, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 350_000)
    first, second = opened("first"), opened("second", OTHER_TOKEN)
    big = {"pages": 2, "body": os.urandom(50_000)}  # 100 KB each
    begun = walk(first, "broke off", finished=False, **big)
    for number, cache in enumerate((first, second, first)):
        clock.now += 10
        walk(cache, f"question {number}", **big)
    assert left(first) == ["broke off", "question 0", "question 2"], "none was older than an hour"
    clock.now += HOUR
    first.mark_read(first.downloads("question 0")[0])

    clock.now += 10
    walk(first, "last", **big)

    assert left(second) == []
    assert left(first) == ["broke off", "question 0", "last"]
    assert first.has_all_pages(begun)
    assert len(second.responses) == 0


def test_a_download_that_took_hours_is_not_at_once_too_old_to_stay(opened, clock, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1)
    cache = opened("first")
    long = begin(cache)
    keep(cache, page_of(long, 0))
    clock.now += 3 * HOUR

    cache.finish(replace(long, pages=1, rows=500, fetched=clock.now))

    assert left(cache) == ["contacts?"]


def test_whoever_deletes_nothing_makes_no_room_either(opened, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1)
    walk(opened("first"))
    walk(opened("second", keep_all=True))

    assert [len(left(opened(name, keep_all=True))) for name in ("first", "second")] == [1, 1]


def test_pages_go_in_slices_that_each_let_others_write(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "BATCH", 3)
    cache, other = opened("first"), opened("first")
    walk(cache, pages=10)
    really_write, written = cache._file.write, []

    def write(work):
        keep(other, page_of(begun, len(written)))
        written.append(work)
        return really_write(work)

    begun = begin(other, "other")
    monkeypatch.setattr(cache._file, "write", write)
    cache.delete_download(cache.downloads("contacts?")[0])

    assert len(written) >= 5  # the record, and four slices
    assert len(cache.responses) == len(written)


def test_connecting_deletes_no_more_than_some_slices(opened, monkeypatch):
    monkeypatch.setattr(downloads, "BATCH", 3)
    monkeypatch.setattr(module, "_BATCHES_ON_OPEN", 2)
    cache = opened("first")
    walk(cache, pages=10)
    cache._file.write(lambda db: downloads.delete(db, cache.downloads()))

    assert [len(opened("first").responses) for _ in range(3)] == [4, 0, 0]


def test_a_file_becomes_smaller_without_being_written_anew(opened, tmp_path):
    cache = opened("first")
    walk(cache, "old", pages=20, body=os.urandom(50_000))
    walk(cache, "new", body=os.urandom(50_000))
    cache._file.shrink()  # out of the log, into the file
    size = (tmp_path / "first.sqlite").stat().st_size

    cache.delete_download(cache.downloads("old")[0])

    assert (tmp_path / "first.sqlite").stat().st_size < size / 4
    assert cache.has_all_pages(cache.downloads("new")[0])
