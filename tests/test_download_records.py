"""Which downloads are obsolete, and how large the cache may be."""

import os
from dataclasses import replace

import pytest
from scripted import OTHER_TOKEN, TOKEN, cached_keys
from test_cache import Clock, begin, download, page_key, store

from hlkit.client.http import cache as module
from hlkit.client.http import download_records as downloads
from hlkit.client.http.cache import Cache
from hlkit.client.http.download_records import DAY, HOUR, UNREAD_LIFETIME, Record, find_obsolete
from hlkit.client.http.token import Token

NOW = 1_767_268_800.0


def record(name, query_id="contacts?", ago=0.0, **fields):
    """A complete download, read *ago* seconds ago."""
    time = NOW - ago
    fields = {"family": "contacts", "finished_at": time, "read_at": time, **fields}
    return Record(
        name, name, query_id, resource="contacts", parameters="[]", started_at=time, fetched_at=time, **fields
    )


def unfinished(name, ago=0.0, **fields):
    return record(name, ago=ago, **{"finished_at": None, **fields})


def obsolete_names(*records):
    return {record.generation for record in find_obsolete(records, NOW)}


def test_a_download_unread_for_thirty_days_is_obsolete():
    old, read = record("old", "a?", UNREAD_LIFETIME + 1), record("read", "b?", UNREAD_LIFETIME + 1, read_count=3)

    assert obsolete_names(old, replace(read, read_at=NOW - DAY)) == {"old"}


def test_first_pages_stay_for_a_day_and_an_interrupted_download_for_thirty():
    previews = [unfinished("new", HOUR, wanted=0), unfinished("old", DAY + 1, wanted=0)]
    limited, full, older = (
        unfinished(name, ago * DAY, pages=1, rows=400) for name, ago in (("a", 29), ("b", 29), ("c", 31))
    )

    assert obsolete_names(*previews, replace(limited, wanted=500), full, older, unfinished("no page", 2 * DAY)) == {
        "old",
        "c",
        "no page",
    }


def test_a_replaced_download_is_obsolete_unless_it_is_the_last_one_and_was_read_within_the_hour():
    new = record("new")
    read, before, unread = (record(name, ago=ago) for name, ago in (("read", 60), ("before", 120), ("unread", 60)))
    read, before = (replace(old, read_count=1, read_at=NOW - 30) for old in (read, before))

    assert obsolete_names(new, read, before) == {"before"}
    assert obsolete_names(new, unread) == {"unread"}
    assert obsolete_names(new, record("read", ago=HOUR, read_count=1)) == {"read"}
    assert obsolete_names(new, unfinished("unfinished", ago=60)) == {"unfinished"}
    assert obsolete_names(unfinished("running"), read) == set()


def test_a_download_from_the_future_replaces_nothing_and_is_replaced():
    assert obsolete_names(record("future", ago=-DAY), record("now")) == {"future"}


def a_month_from(second, **fields):
    """The query of ``since=pd.Timestamp.now() - pd.Timedelta(days=30)`` at some second."""
    return record(f"{second}", f"since {second}?", NOW - second, since=second - 30 * DAY, **fields)


def test_of_a_date_range_that_moves_with_the_clock_only_fresh_downloads_stay():
    every_ten_minutes = [a_month_from(NOW - 600 * number) for number in range(24)]  # four hours

    assert len(obsolete_names(*every_ten_minutes)) == 24 - 7  # from now to an hour ago
    assert obsolete_names(*[replace(record, fresh_for=5 * HOUR) for record in every_ten_minutes]) == set()


@pytest.mark.parametrize(
    ("change", "is_obsolete"),
    [
        ({}, True),
        ({"read_count": 1}, False),
        ({"since": NOW - 32 * DAY}, False),
        ({"since": None}, False),
        ({"until": NOW}, False),
        ({"family": "other filters"}, False),
        ({"finished_at": None, "pages": 1}, False),
        ({"finished_at": None, "pages": 1, "fetched_at": NOW - 8 * DAY, "read_at": NOW - 8 * DAY}, True),
        ({"finished_at": None, "wanted": 0}, True),
    ],
)
def test_a_newer_query_replaces_one_read_once_for_almost_the_same_dates(change, is_obsolete):
    old = replace(a_month_from(NOW - 2 * HOUR), **change)

    assert obsolete_names(a_month_from(NOW), old) == ({old.generation} if is_obsolete else set())


# ---- size


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_cache(clock, tmp_path):
    """A function that opens the cache of a location."""
    caches = []

    def open_cache(name, token=TOKEN, **options):
        caches.append(Cache(tmp_path / f"{name}.sqlite", Token(token), now=clock, **options))
        return caches[-1]

    yield open_cache
    for cache in caches:
        cache.close()


def questions_in(cache):
    return [record.query_id for record in reversed(cache.downloads())]


def test_above_the_maximum_size_the_oldest_downloads_of_all_locations_are_deleted(open_cache, clock, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 350_000)
    first, second = open_cache("first"), open_cache("second", OTHER_TOKEN)
    big = {"pages": 2, "body": os.urandom(50_000)}  # 100 KB each
    interrupted = download(first, "interrupted", finished=False, **big)
    for number, cache in enumerate((first, second, first)):
        clock.now += 10
        download(cache, f"query_id {number}", **big)
    assert questions_in(first) == ["interrupted", "query_id 0", "query_id 2"], "none was older than an hour"
    clock.now += HOUR
    first.mark_read(first.downloads(query_id="query_id 0")[0])

    clock.now += 10
    download(first, "last", **big)

    assert questions_in(second) == []
    assert questions_in(first) == ["interrupted", "query_id 0", "last"]
    assert first.has_all_pages(interrupted)
    assert len(cached_keys(second)) == 0


def test_a_download_that_took_hours_is_not_deleted_right_after_it_finished(open_cache, clock, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1)
    cache = open_cache("first")
    record = begin(cache)
    store(cache, page_key(record, 0))
    clock.now += 3 * HOUR

    cache.finish(replace(record, pages=1, rows=500, fetched_at=clock.now))

    assert questions_in(cache) == ["contacts?"]


def test_with_keep_all_the_maximum_size_is_not_enforced(open_cache, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1)
    download(open_cache("first"))
    download(open_cache("second", keep_all=True))

    assert [len(questions_in(open_cache(name, keep_all=True))) for name in ("first", "second")] == [1, 1]


def test_pages_are_deleted_in_batches_and_others_can_write_in_between(open_cache, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "BATCH", 3)
    cache, other = open_cache("first"), open_cache("first")
    download(cache, pages=10)
    original_write, calls = cache._file.write, []

    def write(work):
        store(other, page_key(other_record, len(calls)))
        calls.append(work)
        return original_write(work)

    other_record = begin(other, "other")
    monkeypatch.setattr(cache._file, "write", write)
    cache.delete_download(cache.downloads(query_id="contacts?")[0])

    assert len(calls) >= 5  # the record, and four batches
    assert len(cached_keys(cache)) == len(calls)


def test_connecting_deletes_only_a_few_batches(open_cache, monkeypatch):
    monkeypatch.setattr(downloads, "BATCH", 3)
    monkeypatch.setattr(module, "_BATCHES_ON_OPEN", 2)
    cache = open_cache("first")
    download(cache, pages=10)
    cache._file.write(lambda db: downloads.delete(db, cache.downloads()))

    assert [len(cached_keys(open_cache("first"))) for _ in range(3)] == [4, 0, 0]


def test_the_file_shrinks_without_being_rewritten(open_cache, tmp_path):
    cache = open_cache("first")
    download(cache, "old", pages=20, body=os.urandom(50_000))
    download(cache, "new", body=os.urandom(50_000))
    cache._file.empty_log()
    size = (tmp_path / "first.sqlite").stat().st_size

    cache.delete_download(cache.downloads(query_id="old")[0])

    assert (tmp_path / "first.sqlite").stat().st_size < size / 4
    assert cache.has_all_pages(cache.downloads(query_id="new")[0])
