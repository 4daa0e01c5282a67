"""What is kept: whole, private, of one token; and a file in trouble costs a warning, never an answer."""

import functools
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
from types import SimpleNamespace

import pytest
from scripted import OTHER_TOKEN, TOKEN

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
    return tmp_path / "kept" / "hlkit.sqlite"


@pytest.fixture
def opened(clock):
    """Opens caches, and closes them at the end."""
    caches: list[Cache] = []

    def opened(path: Path | None, token=TOKEN, **given) -> Cache:
        caches.append(Cache(path, Token(token), now=clock, **given))
        return caches[-1]

    def close() -> None:
        for cache in caches:
            cache.close()

    opened.close = close
    yield opened
    close()


def keep(cache, key, body=BODY, status=200):
    cache.save_response(SimpleNamespace(status_code=status, content=body, headers={"Set-Cookie": "secret"}), key)


def begin(cache, question="contacts?", choose=lambda records: None, **given):
    return cache.begin(cache.new_record(question, "contacts", [{"limit": 500}], **given), choose)


def walk(cache, question="contacts?", pages=2, finished=True, body=BODY, **given):
    record = begin(cache, question, **given)
    for number in range(pages):
        keep(cache, page_of(record, number), body)
    record = replace(record, pages=pages, rows=500 * pages, fetched=cache.now())
    cache.save(record)
    return cache.finish(record) if finished else record


def page_of(record, number):
    return f"{record.prefix}{number:032x}"


def bytes_of(path):
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


# ---- answers


def test_an_answer_comes_back_as_it_came_and_is_small(opened, path):
    cache = opened(path)
    keep(cache, "0" * 64, status=201)

    kept = cache.get_response("0" * 64)

    assert (kept.status_code, kept.content) == (201, BODY)
    with closing(sqlite3.connect(path)) as db:
        (stored,) = db.execute("SELECT length(value) FROM pages").fetchone()
    assert stored < len(BODY) / 4


def test_what_is_not_kept_is_none(opened):
    assert opened(None).get_response("0" * 64) is None


def test_the_file_is_its_owners_alone_in_a_folder_of_its_owners(opened, path):
    old = os.umask(0)
    try:
        keep(opened(path), "0" * 64)
    finally:
        os.umask(old)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = list(path.parent.iterdir())
    assert {file.name for file in files} >= {path.name, f"{path.name}-wal"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_file_that_others_could_read_is_closed_to_them(opened, path):
    opened(path).close()
    path.chmod(0o644)

    opened(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_cache_of_a_program_does_not_end_the_locks_of_the_first(opened, path):
    first, _ = opened(path), opened(path)
    program = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT * FROM pages').fetchall(); "
        "db.close()"
    )

    subprocess.run([sys.executable, "-c", program, str(path)], check=True)  # the last to close deletes the log
    keep(first, "key")

    assert path.with_name(f"{path.name}-wal").exists()
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute("SELECT count(*) FROM pages").fetchone() == (1,)


def test_no_header_no_token_and_no_plain_text_is_in_the_bytes(opened, path):
    cache = opened(path)
    keep(cache, "0" * 64)
    walk(cache)

    kept = bytes_of(path)
    for secret in (TOKEN.encode(), TOKEN.encode()[4:], b"Set-Cookie", b"secret", b"Ann Example 7", b"Authorization"):
        assert secret not in kept


def test_two_tokens_never_share_an_answer(opened, path):
    mine, theirs = opened(path), opened(path, OTHER_TOKEN)
    keep(mine, "0" * 64)

    assert theirs.get_response("0" * 64) is None
    assert mine.prefix("generation") != theirs.prefix("generation")


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
def test_a_row_that_was_changed_is_not_kept_and_runs_no_code(opened, path, change):
    cache = opened(path)
    keep(cache, "0" * 64)
    with closing(sqlite3.connect(path)) as other, other:
        (stored,) = other.execute("SELECT value FROM pages").fetchone()
        other.execute("UPDATE pages SET value = ?", (change(stored),))

    assert cache.get_response("0" * 64) is None
    assert not Bomb.exploded


def test_a_row_moved_to_another_key_is_not_kept(opened, path):
    cache = opened(path)
    keep(cache, "0" * 64)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE pages SET key = ?", ("1" * 64,))

    assert cache.get_response("1" * 64) is None


def test_an_answer_that_another_version_wrote_is_not_kept(opened):
    cache = opened(None)
    packed = b"\x81\xa6status\xcc\xc8"  # signed, and with a field missing
    cache.responses["0" * 64] = cache._sign("0" * 64, packed) + packed

    assert cache.get_response("0" * 64) is None


# ---- walks


def test_a_walks_record_is_written_before_its_first_page(opened, path):
    record = begin(opened(path))

    (found,) = opened(path).downloads("contacts?")
    assert found == record
    assert (found.finished, found.pages, found.resource) == (None, 0, "contacts")
    assert json.loads(found.parameters) == [{"limit": 500}]


def test_a_finished_walk_replaces_those_before_it_and_no_other(opened, clock):
    cache = opened(None)
    old = walk(cache)
    other = walk(cache, "users?")
    clock.now += 10
    begun = walk(cache, finished=False)
    assert [record.generation for record in cache.downloads("contacts?")] == [begun.generation, old.generation]
    assert cache.has_all_pages(old)

    cache.finish(begun)

    assert [record.generation for record in cache.downloads("contacts?")] == [begun.generation]
    assert not cache.has_all_pages(old)
    assert cache.has_all_pages(other)


def test_a_walk_that_was_finished_by_another_thread_stays_finished(opened):
    cache = opened(None)
    record = walk(cache)

    cache.save(replace(record, finished=None, pages=1, rows=500))

    (found,) = cache.downloads()
    assert (found.finished, found.pages) == (record.finished, 2)
    assert found.finished is not None


def test_a_walk_that_another_began_is_taken_up_and_not_begun_again(opened, path):
    first, second = opened(path), opened(path)
    begun = begin(first)

    assert begin(second, choose=lambda records: records[0]) == begun
    assert len(second.downloads()) == 1


def test_a_walk_with_a_gap_is_not_held(opened):
    cache = opened(None)
    record = walk(cache, pages=3)
    assert cache.has_all_pages(record)

    cache.delete_page(page_of(record, 1))

    assert not cache.has_all_pages(record)


def test_a_walk_from_the_future_is_endlessly_old(opened, clock):
    cache = opened(None)
    record = walk(cache)
    clock.now += 5
    assert cache.age(record) == 5

    clock.now -= 365 * DAY

    assert cache.age(record) == float("inf")


def test_a_walk_that_nobody_read_for_thirty_days_goes_on_opening_from_the_disk_too(opened, path, clock):
    cache = opened(path)
    begin(cache, "jane@example.com")
    walk(cache, "read yesterday", pages=50)
    cache.close()
    size = path.stat().st_size
    clock.now += UNREAD_LIFETIME - DAY
    cache = opened(path)
    (fresh,) = cache.downloads("read yesterday")
    cache.mark_read(fresh)
    cache.close()

    clock.now += DAY + 1
    cache = opened(path)

    assert [record.question for record in cache.downloads()] == ["read yesterday"]
    assert cache.has_all_pages(fresh)
    assert b"jane@example.com" not in bytes_of(path)
    clock.now += UNREAD_LIFETIME + 1
    cache.close()
    assert opened(path).downloads() == []
    assert path.stat().st_size < size


def test_who_keeps_all_deletes_nothing(opened, path, clock):
    cache = opened(path)
    record = walk(cache)
    cache.close()
    clock.now += 10 * UNREAD_LIFETIME

    cache = opened(path, keep_all=True)
    cache.delete_download(record)

    assert [found.generation for found in cache.downloads()] == [record.generation]
    assert cache.has_all_pages(record)


def test_a_page_that_landed_after_its_walk_was_deleted_goes_on_opening(opened, path):
    cache = opened(path)
    record = walk(cache)
    cache.delete_download(record)
    keep(cache, page_of(record, 0))
    cache.close()

    cache = opened(path)

    assert len(cache.responses) == 0


def test_a_walk_that_was_read_by_a_clock_far_ahead_is_forgotten_in_time(opened, path, clock):
    cache = opened(path)
    clock.now += 3650 * DAY
    walk(cache)
    clock.now -= 3650 * DAY
    opened(path).close()
    clock.now += UNREAD_LIFETIME + 1

    assert opened(path).downloads() == []


@pytest.mark.fault("leftovers")
def test_clear_leaves_nothing_on_the_disk(opened, path):
    cache = opened(path)
    walk(cache, "jane@example.com")

    cache.clear()

    assert cache.downloads() == []
    assert len(cache.responses) == 0
    assert b"jane@example.com" not in bytes_of(path)


def test_a_sweep_while_another_program_reads_is_no_trouble(opened, path):
    cache = opened(path)
    walk(cache)
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM downloads").fetchall()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.clear()

    assert cache.path == path
    reader.close()


# ---- trouble with the file


def one_warning(caught):
    (warning,) = [warning for warning in caught if issubclass(warning.category, CacheWarning)]
    return str(warning.message)


def works(cache):
    """Whether a walk can be written and read."""
    record = walk(cache)
    found = cache.downloads("contacts?")[0]
    return (found.generation, found.finished) == (record.generation, record.finished) and cache.has_all_pages(record)


@pytest.fixture
def locked(path):
    """Another program holds the file, until the function that this gives is called."""
    Cache(path, Token(TOKEN)).close()
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute(sys.argv[2]); "
        "db.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()"
    )
    others: list[subprocess.Popen] = []

    def lock(how="PRAGMA user_version"):
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(path), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        others.append(other)
        assert other.stdout.readline() == "held\n"
        return lambda: other.communicate("")

    yield lock
    for other in others:
        if other.returncode is None:
            other.communicate("")


def test_a_file_that_another_program_holds_costs_one_warning_and_is_used_again(opened, path, locked, monkeypatch):
    monkeypatch.setattr(module, "LOCK_TIMEOUT", 0.1)
    release = locked()
    cache = opened(path)  # opening it writes nothing, so it needs no lock

    with pytest.warns(CacheWarning) as caught:
        walk(cache, pages=5)

    assert "locked" in one_warning(caught)
    assert cache.downloads() == []
    release()
    assert works(cache)
    assert cache.path == path
    assert list(path.parent.glob("*.bad-*")) == []
    assert opened(path).downloads("contacts?")


def test_a_file_that_another_program_has_alone_is_locked_and_not_empty(opened, path, locked, monkeypatch):
    monkeypatch.setattr(module, "LOCK_TIMEOUT", 0.1)
    record = walk(opened(path))
    opened.close()
    release = locked("PRAGMA locking_mode = EXCLUSIVE")
    cache = opened(path, keep_all=True)

    for read in (cache.downloads, lambda: cache.has_all_pages(record), lambda: cache.get_response("0" * 64)):
        with pytest.raises(CacheLocked):
            read()

    release()
    assert [found.generation for found in cache.downloads()] == [record.generation]


def test_a_download_that_could_not_cache_a_page_stays_unfinished(opened, path, monkeypatch):
    monkeypatch.setattr(module, "LOCK_TIMEOUT", 0.01)
    cache = opened(path)
    record = begin(cache)
    keep(cache, page_of(record, 0))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.warns(CacheWarning):
            keep(cache, page_of(record, 1))

    cache.finish(replace(record, pages=2, rows=1000))

    (found,) = cache.downloads()
    assert (found.finished, found.pages) == (None, 2)
    assert not found.is_interrupted, "its rows were given: it serves no longer than a complete one"


class Interrupted(sqlite3.Connection):
    """Ctrl-C is heard as soon as a statement is done that begins so."""

    at = ""

    def execute(self, statement, *given):
        done = super().execute(statement, *given)
        if self.at and statement.startswith(self.at):
            Interrupted.at = ""
            raise KeyboardInterrupt
        return done


@pytest.mark.parametrize("at", ["BEGIN", "INSERT", "COMMIT"])
def test_ctrl_c_while_a_write_waits_leaves_no_transaction_open(opened, path, monkeypatch, at):
    really_connect = sqlite3.connect
    monkeypatch.setattr(module.sqlite3, "connect", functools.partial(really_connect, factory=Interrupted))
    cache = opened(path)
    monkeypatch.setattr(Interrupted, "at", at)

    with pytest.raises(KeyboardInterrupt):
        keep(cache, "0" * 64)

    with closing(really_connect(path, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # nobody holds it
        other.execute("ROLLBACK")
    assert works(cache)


def test_a_lock_that_is_short_is_waited_for(opened, path):
    cache = opened(path)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    threading.Timer(0.3, lambda: other.execute("COMMIT")).start()

    assert works(cache)
    assert cache.path == path
    other.close()


def full(connection, pages=0):
    """No further page fits on the disk."""
    (used,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {used + pages}")


def test_a_disk_that_is_full_in_use_costs_one_warning(opened, path):
    cache = opened(path)
    cache._file.run(full)

    with pytest.warns(CacheWarning) as caught:
        keep(cache, "0" * 64, body=os.urandom(50_000))

    assert "full" in one_warning(caught)
    assert cache.path is None
    assert cache.get_response("0" * 64) is not None
    assert works(cache)


def test_a_disk_that_is_full_on_opening_costs_one_warning(opened, path, monkeypatch):
    class Full(sqlite3.Connection):
        def executescript(self, script):
            self.execute("PRAGMA max_page_count = 1")
            return super().executescript(script)

    def connect(target, **given):
        return sqlite3.Connection(target, **given) if target == ":memory:" else Full(target, **given)

    monkeypatch.setattr(module.sqlite3, "connect", connect)

    with pytest.warns(CacheWarning) as caught:
        cache = opened(path)

    assert "full" in one_warning(caught)
    assert works(cache)


def test_a_file_that_becomes_read_only_costs_one_warning(opened, path):
    cache = opened(path)
    cache._file.run(lambda db: db.execute("PRAGMA query_only = ON"))

    with pytest.warns(CacheWarning) as caught:
        assert works(cache)

    assert "readonly" in one_warning(caught)


def test_a_read_only_file_costs_one_warning(opened, path, monkeypatch):
    opened(path).close()
    path.chmod(0o400)
    really_open = os.open

    def refused(target, flags, *mode):  # root may write whatever it likes
        if flags & os.O_RDWR and Path(target) == path:
            raise PermissionError(13, "Permission denied", str(target))
        return really_open(target, flags, *mode)

    monkeypatch.setattr(module.os, "open", refused)

    with pytest.warns(CacheWarning) as caught:
        cache = opened(path)

    assert "Permission denied" in one_warning(caught)
    assert works(cache)


@pytest.mark.parametrize("blocked", ["the path is a folder", "a parent is a file"])
def test_a_path_where_no_file_can_be_costs_one_warning(opened, path, blocked):
    if blocked == "the path is a folder":
        path.mkdir(parents=True)
    else:
        path.parent.write_text("")

    with pytest.warns(CacheWarning) as caught:
        cache = opened(path)

    one_warning(caught)
    assert works(cache)


def other_tables(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE pages (something TEXT)")


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"this is no database, it is a letter" * 100),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 7]),
        lambda path: path.write_bytes(b"\0" * 100 + path.read_bytes()[100:]),
        lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096)),
        other_tables,
    ],
    ids=["garbage", "half", "header", "pages", "foreign"],
)
@pytest.mark.fault("corrupt")
def test_a_damaged_file_is_moved_aside_with_one_warning_on_opening_or_in_use(opened, path, damage):
    cache = opened(path)
    for number in range(20):
        walk(cache, f"question {number}")
    cache.close()
    damage(path)

    with pytest.warns(CacheWarning) as caught:
        assert works(opened(path))

    (aside,) = [file for file in path.parent.iterdir() if ".bad-" in file.name and file.suffix != ".sqlite"]
    assert aside.name in one_warning(caught)
    assert opened(path).downloads("contacts?")


def test_a_file_that_was_deleted_is_made_anew_and_shared_again(opened, path):
    cache = opened(path)
    walk(cache)
    for file in list(path.parent.iterdir()):
        file.unlink()

    assert cache.downloads() == []
    assert works(cache)
    assert opened(path).downloads("contacts?")


def test_an_empty_file_is_a_new_one(opened, path):
    path.parent.mkdir()
    path.touch()

    assert works(opened(path))


def test_pages_that_are_damaged_in_use_are_moved_aside_with_one_warning(opened, path):
    cache = opened(path)
    for number in range(20):
        walk(cache, f"question {number}")
    cache.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    cache._file._handle.connection = sqlite3.connect(path, isolation_level=None)  # open, and not looked at yet

    with pytest.warns(CacheWarning) as caught:
        assert works(cache)

    assert "renamed" in one_warning(caught)
    assert cache.path == path


def test_a_cache_that_was_closed_goes_on_in_memory_and_leaves_its_file(opened, path):
    cache = opened(path)
    cache.close()

    with pytest.warns(CacheWarning):
        assert works(cache)
    assert list(path.parent.glob("*.bad-*")) == []


def test_where_warnings_are_errors_the_next_call_works(opened, path):
    cache = opened(path)
    cache._file.run(full)

    with pytest.raises(CacheWarning):
        keep(cache, "0" * 64, body=os.urandom(50_000))

    assert works(cache)


def test_three_programs_write_into_one_file_and_lose_nothing(path):
    code = """
import sys
from dataclasses import replace
from types import SimpleNamespace as Response
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from hlkit.client.http.cache import Cache
from hlkit.client.http.token import Token
from scripted import TOKEN
cache = Cache(Path(sys.argv[1]), Token(TOKEN))
record = cache.begin(cache.new_record(sys.argv[2], "contacts", []))
for number in range(30):
    cache.save_response(Response(status_code=200, content=b"{}"), record.prefix + f"{number:032x}")
    record = replace(record, pages=number + 1, rows=number + 1)
    cache.save(record)
cache.finish(record)
"""
    programs = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, str(path), f"question {number}", str(Path(__file__).parent)]
        )
        for number in range(3)
    ]
    assert [program.wait() for program in programs] == [0, 0, 0]

    cache = Cache(path, Token(TOKEN))
    assert sorted(record.question for record in cache.downloads()) == [f"question {number}" for number in range(3)]
    assert all(cache.has_all_pages(record) for record in cache.downloads())
    cache.close()


FORKING = """
import os, sys, threading
from pathlib import Path
from types import SimpleNamespace as Response

from hlkit.client.http.cache import Cache
from hlkit.client.http.token import Token

token, *path = sys.argv[1:]
cache = Cache(Path(*path) if path else None, Token(token))
begun = threading.Event()


def write(db):
    begun.set()
    threading.Event().wait(0.1)


threading.Thread(target=cache._file.write, args=(write,)).start()
begun.wait()
child = os.fork()
name = "parent" if child else "child"
cache.save_response(Response(status_code=200, content=b"{}"), name)
assert cache.get_response(name).content == b"{}"
assert child == 0 or os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("is_in_memory", [True, False])
def test_a_fork_while_a_thread_writes_leaves_both_able_to_write(path, is_in_memory):
    warnings = ["-W", "error", "-W", "ignore::DeprecationWarning"]  # Python 3.12 warns of a fork beside a thread
    program = [sys.executable, *warnings, "-c", FORKING, TOKEN, *([] if is_in_memory else [str(path)])]

    subprocess.run(program, check=True, timeout=20)

    if not is_in_memory:
        with closing(sqlite3.connect(path)) as db, db:
            assert sorted(db.execute("SELECT key FROM pages")) == [("child",), ("parent",)]
