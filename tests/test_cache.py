"""The cache: complete, private, for one token. A problem with its file shows a warning and loses no result."""

import functools
import gc
import json
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import threading
import warnings
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from scripted import OTHER_TOKEN, TOKEN, cached_keys, overwrite_page

from hlkit.client.errors import CacheLocked
from hlkit.client.http import sqlite_file as module
from hlkit.client.http.cache import Cache
from hlkit.client.http.download_records import DAY, UNREAD_LIFETIME
from hlkit.client.http.sqlite_file import CacheWarning
from hlkit.client.http.token import Token

BODY = b'{"users": [' + b", ".join(b'{"name": "Ann Example %d"}' % number for number in range(500)) + b"]}"


class Clock:
    def __init__(self):
        self.now = 1_767_268_800.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "hlkit.sqlite"


@pytest.fixture
def open_cache(clock):
    """A function that opens caches, which are closed at the end."""
    caches: list[Cache] = []

    def open_cache(path: Path | None, token=TOKEN, **options) -> Cache:
        caches.append(Cache(path, Token(token), now=clock, **options))
        return caches[-1]

    def close() -> None:
        for cache in caches:
            cache.close()

    open_cache.close = close
    yield open_cache
    close()


def store(cache, key, body=BODY):
    cache.store_page(key, body)


def begin(cache, query_id="contacts?", choose=lambda records: None, **fields):
    return cache.begin(cache.new_record(query_id, "contacts", [{"limit": 500}], **fields), choose)


def download(cache, query_id="contacts?", pages=2, finished=True, body=BODY, **fields):
    record = begin(cache, query_id, **fields)
    for number in range(pages):
        store(cache, page_key(record, number), body)
    record = replace(record, pages=pages, rows=500 * pages, fetched_at=cache.now())
    cache.save(record)
    return cache.finish(record) if finished else record


def page_key(record, number):
    return f"{record.prefix}{number:032x}"


def bytes_of(path):
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


# ---- responses


def test_a_response_is_returned_unchanged_and_stored_compressed(open_cache, path):
    cache = open_cache(path)
    store(cache, "0" * 64)

    assert cache.load_page("0" * 64) == BODY
    with closing(sqlite3.connect(path)) as db:
        (stored_bytes,) = db.execute("SELECT length(value) FROM pages").fetchone()
    assert stored_bytes < len(BODY) / 4


def test_a_response_that_is_not_cached_is_none(open_cache):
    assert open_cache(None).load_page("0" * 64) is None


def test_only_the_owner_has_access_to_the_file_and_its_folder(open_cache, path):
    old_mask = os.umask(0)
    try:
        store(open_cache(path), "0" * 64)
    finally:
        os.umask(old_mask)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = list(path.parent.iterdir())
    assert {file.name for file in files} >= {path.name, f"{path.name}-wal"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_file_that_others_could_read_becomes_private(open_cache, path):
    open_cache(path).close()
    path.chmod(0o644)

    open_cache(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_cache_in_a_program_does_not_release_the_locks_of_the_first(open_cache, path):
    first, _ = open_cache(path), open_cache(path)
    program = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT * FROM pages').fetchall(); "
        "db.close()"
    )

    subprocess.run(
        [sys.executable, "-c", program, str(path)], check=True
    )  # the last connection to close deletes the log
    store(first, "key")

    assert path.with_name(f"{path.name}-wal").exists()
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute("SELECT count(*) FROM pages").fetchone() == (1,)


def test_the_file_contains_no_token_and_no_plain_text(open_cache, path):
    cache = open_cache(path)
    store(cache, "0" * 64)
    download(cache)

    content = bytes_of(path)
    for secret in (TOKEN.encode(), TOKEN.encode()[4:], b"Ann Example 7"):
        assert secret not in content


def test_two_tokens_never_share_a_response(open_cache, path):
    first, second = open_cache(path), open_cache(path, OTHER_TOKEN)
    store(first, "0" * 64)

    assert second.load_page("0" * 64) is None
    assert first.prefix("generation") != second.prefix("generation")


class Bomb:
    exploded = False

    def __reduce__(self):
        return (setattr, (Bomb, "exploded", True))


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: stored[:-1],
        lambda stored: stored[:40] + b"x" + stored[41:],
        lambda stored: b"",
        lambda stored: b"\x00" * 500,
        lambda stored: pickle.dumps(Bomb()),
        lambda stored: stored[:32] + pickle.dumps(Bomb()),
        lambda stored: json.dumps({"status": 200, "body": "{}"}).encode(),
    ],
    ids=["cut", "changed", "empty", "zeros", "pickle", "signed pickle", "json"],
)
def test_a_changed_row_counts_as_not_cached_and_runs_no_code(open_cache, path, change):
    cache = open_cache(path)
    store(cache, "0" * 64)
    with closing(sqlite3.connect(path)) as other, other:
        (stored,) = other.execute("SELECT value FROM pages").fetchone()
        other.execute("UPDATE pages SET value = ?", (change(stored),))

    assert cache.load_page("0" * 64) is None
    assert not Bomb.exploded


def test_a_row_moved_to_another_key_counts_as_not_cached(open_cache, path):
    cache = open_cache(path)
    store(cache, "0" * 64)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE pages SET key = ?", ("1" * 64,))

    assert cache.load_page("1" * 64) is None


def test_a_response_written_by_another_version_counts_as_not_cached(open_cache):
    cache = open_cache(None)
    packed = b"\x81\xa6status\xcc\xc8"  # signed, but a field is missing
    overwrite_page(cache, "0" * 64, cache._sign("0" * 64, packed) + packed)

    assert cache.load_page("0" * 64) is None


# ---- downloads


def test_a_record_is_written_before_the_first_page(open_cache, path):
    record = begin(open_cache(path))

    (stored,) = open_cache(path).downloads(query_id="contacts?")
    assert stored == record
    assert (stored.finished_at, stored.pages, stored.resource) == (None, 0, "contacts")
    assert json.loads(stored.parameters) == [{"limit": 500}]


def test_a_finished_download_replaces_older_ones_of_the_same_query_only(open_cache, clock):
    cache = open_cache(None)
    old = download(cache)
    other = download(cache, "users?")
    clock.now += 10
    unfinished = download(cache, finished=False)
    assert [record.generation for record in cache.downloads(query_id="contacts?")] == [
        unfinished.generation,
        old.generation,
    ]
    assert cache.has_all_pages(old)

    cache.finish(unfinished)

    assert [record.generation for record in cache.downloads(query_id="contacts?")] == [unfinished.generation]
    assert not cache.has_all_pages(old)
    assert cache.has_all_pages(other)


def test_a_download_finished_by_another_thread_stays_finished(open_cache):
    cache = open_cache(None)
    record = download(cache)

    cache.save(replace(record, finished_at=None, pages=1, rows=500))

    (stored,) = cache.downloads()
    assert (stored.finished_at, stored.pages) == (record.finished_at, 2)
    assert stored.finished_at is not None


def test_a_download_that_another_program_began_is_joined(open_cache, path):
    first, second = open_cache(path), open_cache(path)
    record = begin(first)

    assert begin(second, choose=lambda records: records[0]) == record
    assert len(second.downloads()) == 1


def test_a_download_with_a_missing_page_is_incomplete(open_cache):
    cache = open_cache(None)
    record = download(cache, pages=3)
    assert cache.has_all_pages(record)

    cache.delete_page(page_key(record, 1))

    assert not cache.has_all_pages(record)


def test_the_age_of_a_download_from_the_future_is_infinite(open_cache, clock):
    cache = open_cache(None)
    record = download(cache)
    clock.now += 5
    assert cache.age(record) == 5

    clock.now -= 365 * DAY

    assert cache.age(record) == float("inf")


def test_opening_deletes_downloads_unread_for_thirty_days_from_the_disk_too(open_cache, path, clock):
    cache = open_cache(path)
    begin(cache, "jane@example.com")
    download(cache, "read yesterday", pages=50)
    cache.close()
    size = path.stat().st_size
    clock.now += UNREAD_LIFETIME - DAY
    cache = open_cache(path)
    (record,) = cache.downloads(query_id="read yesterday")
    cache.mark_read(record)
    cache.close()

    clock.now += DAY + 1
    cache = open_cache(path)

    assert [record.query_id for record in cache.downloads()] == ["read yesterday"]
    assert cache.has_all_pages(record)
    assert b"jane@example.com" not in bytes_of(path)
    clock.now += UNREAD_LIFETIME + 1
    cache.close()
    assert open_cache(path).downloads() == []
    assert path.stat().st_size < size


def test_with_keep_all_nothing_is_deleted(open_cache, path, clock):
    cache = open_cache(path)
    record = download(cache)
    cache.close()
    clock.now += 10 * UNREAD_LIFETIME

    cache = open_cache(path, keep_all=True)
    cache.delete_download(record)

    assert [stored.generation for stored in cache.downloads()] == [record.generation]
    assert cache.has_all_pages(record)


def test_opening_deletes_a_page_stored_after_its_download_was_deleted(open_cache, path):
    cache = open_cache(path)
    record = download(cache)
    cache.delete_download(record)
    store(cache, page_key(record, 0))
    cache.close()

    cache = open_cache(path)

    assert len(cached_keys(cache)) == 0


def test_a_download_read_while_the_clock_was_far_ahead_is_still_deleted_in_time(open_cache, path, clock):
    cache = open_cache(path)
    clock.now += 3650 * DAY
    download(cache)
    clock.now -= 3650 * DAY
    open_cache(path).close()
    clock.now += UNREAD_LIFETIME + 1

    assert open_cache(path).downloads() == []


@pytest.mark.fault("leftovers")
def test_clear_leaves_nothing_on_the_disk(open_cache, path):
    cache = open_cache(path)
    download(cache, "jane@example.com")

    cache.clear()

    assert cache.downloads() == []
    assert len(cached_keys(cache)) == 0
    assert b"jane@example.com" not in bytes_of(path)


def test_clear_works_while_another_program_reads(open_cache, path):
    cache = open_cache(path)
    download(cache)
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM downloads").fetchall()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.clear()

    assert cache.path == path
    reader.close()


# ---- problems with the file


def warning_text(caught):
    (warning,) = [warning for warning in caught if issubclass(warning.category, CacheWarning)]
    return str(warning.message)


def works(cache):
    """Whether a download can be written and read."""
    record = download(cache)
    stored = cache.downloads(query_id="contacts?")[0]
    return (stored.generation, stored.finished_at) == (record.generation, record.finished_at) and cache.has_all_pages(
        record
    )


@pytest.fixture
def locked(path):
    """A function that lets another program lock the file. It returns a function that ends the lock."""
    Cache(path, Token(TOKEN)).close()
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute(sys.argv[2]); "
        "db.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()"
    )
    others: list[subprocess.Popen] = []

    def lock(how="PRAGMA user_version"):
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(path), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        others.append(other)
        assert other.stdout.readline() == "locked\n"
        return lambda: other.communicate("")

    yield lock
    for other in others:
        if other.returncode is None:
            other.communicate("")


def test_a_locked_file_shows_one_warning_and_is_used_again_later(open_cache, path, locked, monkeypatch):
    monkeypatch.setattr(module, "LOCK_TIMEOUT", 0.1)
    release = locked()
    cache = open_cache(path)  # opening writes nothing, so it needs no lock

    with pytest.warns(CacheWarning) as caught:
        download(cache, pages=5)

    assert "locked" in warning_text(caught)
    assert cache.downloads() == []
    release()
    assert works(cache)
    assert cache.path == path
    assert list(path.parent.glob("*.bad-*")) == []
    assert open_cache(path).downloads(query_id="contacts?")


def test_an_exclusively_locked_file_raises_and_does_not_seem_empty(open_cache, path, locked, monkeypatch):
    monkeypatch.setattr(module, "LOCK_TIMEOUT", 0.1)
    record = download(open_cache(path))
    open_cache.close()
    release = locked("PRAGMA locking_mode = EXCLUSIVE")
    cache = open_cache(path, keep_all=True)

    for read in (cache.downloads, lambda: cache.has_all_pages(record), lambda: cache.load_page("0" * 64)):
        with pytest.raises(CacheLocked):
            read()

    release()
    assert [stored.generation for stored in cache.downloads()] == [record.generation]


def test_a_download_that_could_not_cache_a_page_stays_unfinished(open_cache, path, monkeypatch):
    monkeypatch.setattr(module, "LOCK_TIMEOUT", 0.01)
    cache = open_cache(path)
    record = begin(cache)
    store(cache, page_key(record, 0))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.warns(CacheWarning):
            store(cache, page_key(record, 1))

    cache.finish(replace(record, pages=2, rows=1000))

    (stored,) = cache.downloads()
    assert (stored.finished_at, stored.pages) == (None, 2)
    assert not stored.is_interrupted, "all rows were returned, so it is not served longer than a complete one"


class Interrupted(sqlite3.Connection):
    """Raises ``KeyboardInterrupt`` right after the first statement that starts with ``after``."""

    after = ""

    def execute(self, statement, *parameters):
        cursor = super().execute(statement, *parameters)
        if self.after and statement.startswith(self.after):
            Interrupted.after = ""
            raise KeyboardInterrupt
        return cursor


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT", "COMMIT"])
def test_ctrl_c_during_a_write_leaves_no_transaction_open(open_cache, path, monkeypatch, statement):
    original_connect = sqlite3.connect
    monkeypatch.setattr(module.sqlite3, "connect", functools.partial(original_connect, factory=Interrupted))
    cache = open_cache(path)
    monkeypatch.setattr(Interrupted, "after", statement)

    with pytest.raises(KeyboardInterrupt):
        store(cache, "0" * 64)

    with closing(original_connect(path, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # fails if the file is locked
        other.execute("ROLLBACK")
    assert works(cache)


def test_a_write_waits_for_a_short_lock(open_cache, path):
    cache = open_cache(path)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    threading.Timer(0.3, lambda: other.execute("COMMIT")).start()

    assert works(cache)
    assert cache.path == path
    other.close()


def fill_disk(connection):
    """Let no further page fit in the file."""
    (used,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {used}")


def test_a_disk_that_fills_up_shows_one_warning(open_cache, path):
    cache = open_cache(path)
    cache._file.run(fill_disk)

    with pytest.warns(CacheWarning) as caught:
        store(cache, "0" * 64, body=os.urandom(50_000))

    assert "full" in warning_text(caught)
    assert cache.path is None
    assert cache.load_page("0" * 64) is not None
    assert works(cache)


def test_a_full_disk_on_opening_shows_one_warning(open_cache, path, monkeypatch):
    class Full(sqlite3.Connection):
        def executescript(self, script):
            self.execute("PRAGMA max_page_count = 1")
            return super().executescript(script)

    def connect(target, **options):
        return sqlite3.Connection(target, **options) if target == ":memory:" else Full(target, **options)

    monkeypatch.setattr(module.sqlite3, "connect", connect)

    with pytest.warns(CacheWarning) as caught:
        cache = open_cache(path)

    assert "full" in warning_text(caught)
    assert works(cache)


def test_a_file_that_becomes_read_only_shows_one_warning(open_cache, path):
    cache = open_cache(path)
    cache._file.run(lambda db: db.execute("PRAGMA query_only = ON"))

    with pytest.warns(CacheWarning) as caught:
        assert works(cache)

    assert "readonly" in warning_text(caught)


def test_a_read_only_file_shows_one_warning(open_cache, path, monkeypatch):
    open_cache(path).close()
    path.chmod(0o400)
    original_open = os.open

    def refuse(target, flags, *mode):  # needed since root may write read-only files
        if flags & os.O_RDWR and Path(target) == path:
            raise PermissionError(13, "Permission denied", str(target))
        return original_open(target, flags, *mode)

    monkeypatch.setattr(module.os, "open", refuse)

    with pytest.warns(CacheWarning) as caught:
        cache = open_cache(path)

    assert "Permission denied" in warning_text(caught)
    assert works(cache)


@pytest.mark.parametrize("blocked", ["the path is a folder", "a parent is a file"])
def test_a_path_that_cannot_be_a_file_shows_one_warning(open_cache, path, blocked):
    if blocked == "the path is a folder":
        path.mkdir(parents=True)
    else:
        path.parent.write_text("")

    with pytest.warns(CacheWarning) as caught:
        cache = open_cache(path)

    warning_text(caught)
    assert works(cache)


def write_other_tables(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE pages (something TEXT)")


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"this is not a database, it is a letter" * 100),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 7]),
        lambda path: path.write_bytes(b"\0" * 100 + path.read_bytes()[100:]),
        lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096)),
        write_other_tables,
    ],
    ids=["garbage", "half", "header", "pages", "foreign"],
)
@pytest.mark.fault("corrupt")
def test_a_damaged_file_is_renamed_with_one_warning(open_cache, path, damage):
    cache = open_cache(path)
    for number in range(20):
        download(cache, f"query_id {number}")
    cache.close()
    damage(path)

    with pytest.warns(CacheWarning) as caught:
        assert works(open_cache(path))

    (renamed,) = [file for file in path.parent.iterdir() if ".bad-" in file.name and file.suffix != ".sqlite"]
    assert renamed.name in warning_text(caught)
    assert open_cache(path).downloads(query_id="contacts?")


def test_a_deleted_file_is_created_again_and_shared(open_cache, path):
    cache = open_cache(path)
    download(cache)
    for file in list(path.parent.iterdir()):
        file.unlink()

    assert cache.downloads() == []
    assert works(cache)
    assert open_cache(path).downloads(query_id="contacts?")


def test_an_empty_file_is_used_as_a_new_one(open_cache, path):
    path.parent.mkdir()
    path.touch()

    assert works(open_cache(path))


def test_pages_that_are_damaged_in_use_are_moved_aside_with_one_warning(open_cache, path):
    cache = open_cache(path)
    for number in range(20):
        download(cache, f"query_id {number}")
    cache.close()
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    cache._file._use(sqlite3.connect(path, isolation_level=None))  # open, but nothing read yet

    with pytest.warns(CacheWarning) as caught:
        assert works(cache)

    assert "renamed" in warning_text(caught)
    assert cache.path == path


@pytest.mark.parametrize("state", ["file", "memory", "damaged", "full", "closed"])
def test_a_forgotten_file_closes_its_connection(path, state):
    file = module.File(None if state == "memory" else path, "CREATE TABLE IF NOT EXISTS pages (key TEXT)")
    if state == "damaged":
        file.close()
        path.write_bytes(b"this is not a database, it is a letter" * 100)
        with pytest.warns(CacheWarning, match="renamed"):
            file = module.File(path, "CREATE TABLE IF NOT EXISTS pages (key TEXT)")
    elif state == "full":
        file.run(fill_disk)
        with pytest.warns(CacheWarning, match="memory only"):
            file.write(lambda db: db.execute("INSERT INTO pages VALUES (zeroblob(100000))"))
    elif state == "closed":
        file.close()
        with pytest.warns(CacheWarning, match="memory only"):
            file.run(lambda db: db.execute("SELECT 1"))
    connection = file.run(lambda db: db)

    del file
    gc.collect()

    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        connection.execute("SELECT 1")


def test_a_closed_cache_continues_in_memory_and_leaves_its_file_alone(open_cache, path):
    cache = open_cache(path)
    cache.close()

    with pytest.warns(CacheWarning):
        assert works(cache)
    assert list(path.parent.glob("*.bad-*")) == []


def test_if_warnings_are_errors_the_next_call_works(open_cache, path):
    cache = open_cache(path)
    cache._file.run(fill_disk)

    with pytest.raises(CacheWarning):
        store(cache, "0" * 64, body=os.urandom(50_000))

    assert works(cache)


def test_three_programs_write_to_one_file_without_losing_anything(path):
    code = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from hlkit.client.http.cache import Cache
from hlkit.client.http.token import Token
from scripted import TOKEN
cache = Cache(Path(sys.argv[1]), Token(TOKEN))
record = cache.begin(cache.new_record(sys.argv[2], "contacts", []))
for number in range(30):
    cache.store_page(record.prefix + f"{number:032x}", b"{}")
    record = replace(record, pages=number + 1, rows=number + 1)
    cache.save(record)
cache.finish(record)
"""
    programs = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, str(path), f"query_id {number}", str(Path(__file__).parent)]
        )
        for number in range(3)
    ]
    assert [program.wait() for program in programs] == [0, 0, 0]

    cache = Cache(path, Token(TOKEN))
    assert sorted(record.query_id for record in cache.downloads()) == [f"query_id {number}" for number in range(3)]
    assert all(cache.has_all_pages(record) for record in cache.downloads())
    cache.close()


FORKING = """
import os, sys, threading
from pathlib import Path

from hlkit.client.http.cache import Cache
from hlkit.client.http.token import Token

token, *path = sys.argv[1:]
cache = Cache(Path(*path) if path else None, Token(token))
is_writing = threading.Event()


def write(db):
    is_writing.set()
    threading.Event().wait(0.1)


threading.Thread(target=cache._file.write, args=(write,)).start()
is_writing.wait()
child = os.fork()
name = "parent" if child else "child"
cache.store_page(name, b"{}")
assert cache.load_page(name) == b"{}"
assert child == 0 or os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("is_in_memory", [True, False])
def test_a_fork_while_a_thread_writes_leaves_both_able_to_write(path, is_in_memory):
    warnings = [
        "-W",
        "error",
        "-W",
        "ignore::DeprecationWarning",
    ]  # Python 3.12 warns if a program with threads forks
    program = [sys.executable, *warnings, "-c", FORKING, TOKEN, *([] if is_in_memory else [str(path)])]

    subprocess.run(program, check=True, timeout=20)

    if not is_in_memory:
        with closing(sqlite3.connect(path)) as db, db:
            assert sorted(db.execute("SELECT key FROM pages")) == [("child",), ("parent",)]
