"""requests-cache's store made safe: answers and the record of every walk, in one SQLite file.

requests-cache decides what to keep and when to serve it; this file holds it. Against the store that it
ships: opening and writing never hang and never fail a call. A write that another program's lock does not let
through is left out, and the next one is tried again; a damaged file is moved aside; on a full disk the work
goes on in memory. Each costs one warning. What is stored is signed with the token, so that a changed or a
foreign row is a miss, is no pickle, and holds no header but the rate limit's.

A *walk* is one reading of all pages of one question. Its record is written before page 1; its pages live and
go together, under keys that begin with its generation, since an old page 1 before a new page 2 would lose
rows in silence.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
from requests_cache.backends.base import BaseCache, BaseStorage, DictStorage
from requests_cache.models.response import CachedResponse

from hlkit.errors import CacheLocked
from hlkit.warning import warn
from hlkit.wire import fork
from hlkit.wire.token import Token

PATIENCE = 2.0  # seconds to wait for another program's lock
_IMPATIENCE = 0.05  # seconds, while that lock goes on: no page waits two seconds in turn
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
DAY = 86_400.0  # seconds
FORGOTTEN_AFTER = 30 * DAY  # walks that nobody read for so long are deleted
_TABLES = {
    "pages": "key, value",
    "walks": "generation, question, resource, parameters, started, finished, read, pages, rows, cursor",
}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS pages (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS walks (
    generation TEXT PRIMARY KEY, question TEXT NOT NULL, resource TEXT NOT NULL, parameters TEXT NOT NULL,
    started REAL NOT NULL, finished REAL, read REAL NOT NULL, pages INTEGER NOT NULL, rows INTEGER NOT NULL,
    cursor TEXT);
CREATE INDEX IF NOT EXISTS walks_by_question ON walks (question, started);
"""
_KEEP = "INSERT OR REPLACE INTO pages (key, value) VALUES (?, ?)"
_NOTE = f"""
INSERT INTO walks ({_TABLES["walks"]}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (generation) DO UPDATE SET
    finished = excluded.finished, read = excluded.read, pages = excluded.pages, rows = excluded.rows,
    cursor = excluded.cursor
WHERE finished IS NULL
"""
_ZSTD = pa.Codec("zstd", compression_level=1)
T = TypeVar("T")


class CacheWarning(UserWarning):
    """The answer is right; it could only not be kept."""


@dataclass(frozen=True)
class Record:
    """One walk: what was asked, when, how far it came. ``cursor`` is the position of the next page, as JSON."""

    generation: str
    question: str
    resource: str
    parameters: str
    started: float
    finished: float | None = None
    read: float = 0.0
    pages: int = 0
    rows: int = 0
    cursor: str | None = None


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    status: int
    length: int
    body: bytes


class _Handle:
    """The open connection of a ``File``, closed when the file is not used any more, and at exit."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None

    def close(self) -> None:
        with self.lock:
            if self.connection is not None:
                self.connection.close()


class File:
    """A SQLite file that cannot hang or fail a call: what goes wrong with it is one warning.

    That another program holds it for the moment is no fault of the file: then ``run`` and ``write`` raise
    ``CacheLocked``, and the next call tries again.
    """

    def __init__(self, path: Path | None) -> None:
        self._handle = _Handle()
        self._path = path
        self._mended = False
        self._is_held = False  # by another program, as far as the last call saw
        weakref.finalize(self, self._handle.close)
        with contextlib.suppress(CacheLocked):
            self.run(lambda db: None)
        fork.holds_still(self)

    def hold_still(self) -> None:
        """End the transaction at hand, and let go of the file; who wants it after the fork opens it again."""
        self._handle.lock.acquire()
        if self._path is not None:
            self._handle.close()
            self._handle.connection = None

    def go_on(self) -> None:
        self._handle.lock.release()

    @property
    def path(self) -> Path | None:
        """Where it is kept, or ``None`` for memory alone."""
        return self._path

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do *work*; where the file fails, go on without it and do it again. Raises ``CacheLocked``."""
        with self._handle.lock:
            while True:
                try:
                    done = work(self._open())
                except (sqlite3.Error, OSError) as error:
                    if self._path is None:
                        raise
                    problem = error
                else:
                    if self._is_held:
                        self._notice(is_held=False)
                    return done
                if _code(problem) in _BUSY:
                    self._notice(is_held=True)
                    raise CacheLocked(
                        "another program holds the cache file",
                        hint="wait until it is done, then make the call again",
                    )
                self._handle.close()
                warn(self._do_without(problem), CacheWarning)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do *work* in one transaction. Raises ``CacheLocked``."""

        def transaction(connection: sqlite3.Connection) -> T:
            _roll_back(connection)  # what Ctrl-C left open while it was rolled back
            try:
                connection.execute("BEGIN IMMEDIATE")  # here, since Ctrl-C may come just as it is done
                done = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
            return done

        return self.run(transaction)

    def sweep(self) -> None:
        """Give deleted bytes back to the disk now; while another program reads, SQLite has zeroed them at least."""

        def sweep(connection: sqlite3.Connection) -> None:
            connection.execute("PRAGMA busy_timeout = 0")
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000:.0f}")

        self.run(sweep)

    def close(self) -> None:
        self._handle.close()

    def _open(self) -> sqlite3.Connection:
        if self._handle.connection is None:
            self._handle.connection = _memory() if self._path is None else _connect(self._path, self._seconds)
        return self._handle.connection

    @property
    def _seconds(self) -> float:
        """How long to wait for another program's lock."""
        return _IMPATIENCE if self._is_held else PATIENCE

    def _notice(self, *, is_held: bool) -> None:
        """Wait for a lock only once; as soon as it is gone, for the next one again."""
        self._is_held = is_held
        if self._handle.connection is not None:
            self._handle.connection.execute(f"PRAGMA busy_timeout = {self._seconds * 1000:.0f}")

    def _do_without(self, problem: Exception) -> str:
        """Damaged: move the file aside, start anew. Full or read-only: leave it alone, use memory.

        Gives the words of the warning.
        """
        assert self._path is not None
        if _is_damage(problem) and not self._mended:
            self._mended = True
            try:
                aside = _move_aside(self._path)
                self._handle.connection = _connect(self._path, self._seconds)
                return f"the cache file was damaged ({problem}); it was moved aside to {aside}"
            except (sqlite3.Error, OSError) as another:
                problem = another
        self._path, self._handle.connection = None, _memory()
        return f"the cache file cannot be used ({problem}); the work goes on, and is kept in memory only"


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _code(problem: Exception) -> int:
    """SQLite's own number for it; 0 for other errors."""
    return (getattr(problem, "sqlite_errorcode", None) or 0) & 0xFF  # the rest of it are details


def _memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.executescript(_SCHEMA)
    return connection


def _connect(path: Path, seconds: float) -> sqlite3.Connection:
    """The file, open: readable by its owner alone, in a folder of its owner's. Waits so long for others' locks."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A file that is there is not opened: closing it again would end the locks of this program's other handles.
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            path.chmod(0o600)
    connection = sqlite3.connect(os.fspath(path), timeout=seconds, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA secure_delete=ON")
        connection.executescript(_SCHEMA)
        for table, columns in _TABLES.items():
            connection.execute(f"SELECT {columns} FROM {table} LIMIT 1").fetchone()  # tells a foreign file
    except BaseException:
        connection.close()
        raise
    return connection


def _is_damage(problem: Exception) -> bool:
    """Whether the file itself is at fault: not SQLite's, malformed, or with other tables than ours."""
    code = _code(problem)
    is_foreign = code == sqlite3.SQLITE_ERROR and ("no such" in str(problem) or "column" in str(problem))
    return is_foreign or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _move_aside(path: Path) -> str:
    """Rename the file and what SQLite keeps beside it; the new name."""
    aside = path.with_name(f"{path.name}.bad-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
    for ending in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{ending}", f"{aside}{ending}")
    return aside.name


class _Pages(BaseStorage[str, bytes]):
    """The pages, as requests-cache sees a store."""

    def __init__(self, file: File) -> None:
        super().__init__()
        self._file = file

    def __getitem__(self, key: str) -> bytes:
        found = self._file.run(lambda db: db.execute("SELECT value FROM pages WHERE key = ?", (key,)).fetchone())
        if found is None:
            raise KeyError(key)
        return bytes(found[0])

    def __setitem__(self, key: str, value: bytes) -> None:
        self._file.write(lambda db: db.execute(_KEEP, (key, value)))

    def __delitem__(self, key: str) -> None:
        self._file.write(lambda db: db.execute("DELETE FROM pages WHERE key = ?", (key,)))

    def __iter__(self) -> Iterator[str]:
        return iter([key for (key,) in self._file.run(lambda db: db.execute("SELECT key FROM pages").fetchall())])

    def __len__(self) -> int:
        return int(self._file.run(lambda db: db.execute("SELECT count(*) FROM pages").fetchone())[0])

    def clear(self) -> None:
        self._file.write(lambda db: db.execute("DELETE FROM pages"))


class Cache(BaseCache):
    """Answers and walks of one server, location and token. ``keep_all`` deletes nothing, however old."""

    def __init__(
        self,
        path: Path | None,
        token: Token,
        *,
        keep_all: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(cache_name="hlkit")
        self._file = File(path)
        self._token = token
        self._now = now
        self.keeps_all = keep_all
        self._has_warned = False  # that another program holds the file
        self._pages = _Pages(self._file)
        self.responses = self._pages  # type: ignore[assignment]
        self.redirects = DictStorage()  # type: ignore[no-untyped-call]
        if path is not None and not keep_all:
            with contextlib.suppress(CacheLocked):
                self._forget_old_walks()

    @property
    def path(self) -> Path | None:
        """The file, or ``None`` where memory has to do."""
        return self._file.path

    def __repr__(self) -> str:
        return f"<Cache in {self.path or 'memory'}>"

    __str__ = __repr__

    # ---- answers, as requests-cache asks for them

    def save_response(self, response: Any, cache_key: str | None = None, expires: Any = None) -> None:
        """Keep the status and the body, compressed and signed."""
        assert cache_key is not None
        body = response.content
        kept = _Kept(response.status_code, len(body), _ZSTD.compress(body, asbytes=True))
        packed = msgspec.msgpack.encode(kept)
        self._write_or_skip(lambda db: db.execute(_KEEP, (cache_key, self._sign(cache_key, packed) + packed)))

    def get_response(self, key: str, default: Any = None) -> CachedResponse | None:
        """The kept answer; one that was changed, or that others wrote, counts as not kept. Raises ``CacheLocked``."""
        stored = self._pages.get(key)
        if stored is None or stored[:32] != self._sign(key, stored[32:]):
            return None
        try:
            kept = msgspec.msgpack.decode(stored[32:], type=_Kept)
            body = _ZSTD.decompress(kept.body, kept.length, asbytes=True)
        except (msgspec.MsgspecError, pa.ArrowException, OSError):  # ours, of another version
            return None
        return CachedResponse(status_code=kept.status, content=body, url="")

    def _sign(self, key: str, packed: bytes) -> bytes:
        return self._token.digest("page", key, packed).encode()

    def close(self) -> None:
        self._file.close()

    def drop(self, key: str) -> None:
        """Keep an answer no longer."""
        self._write_or_skip(lambda db: db.execute("DELETE FROM pages WHERE key = ?", (key,)))

    def _write_or_skip(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Write, or leave it where another program holds the file: what is not cached is asked for again."""
        try:
            return self._file.write(work)
        except CacheLocked:
            pass
        if not self._has_warned:
            self._has_warned = True
            warn(
                "another program holds the cache file (it is locked): what it does not take now is not cached, and "
                "each further page is tried again",
                CacheWarning,
            )
        return None

    # ---- walks

    def begin(
        self,
        question: str,
        resource: str,
        parameters: object,
        choose: Callable[[list[Record]], Record | None] = lambda _: None,
    ) -> Record:
        """The record of a new walk, written before its first page; or one that others began, if *choose* picks it.

        Where it cannot be written, the next ``note`` writes it.
        """
        now = self._now()
        text = json.dumps(parameters, sort_keys=True, default=str)
        record = Record(uuid.uuid4().hex, question, resource, text, started=now, read=now)

        def begin(db: sqlite3.Connection) -> Record:
            begun = choose(_records(db, question))
            if begun is None:
                db.execute(_NOTE, _values(record))
            return begun or record

        return self._write_or_skip(begin) or record

    def note(self, record: Record, pages: int, rows: int, cursor: str | None) -> None:
        """How far a walk came. One that was finished meanwhile stays so."""
        noted = replace(record, pages=pages, rows=rows, cursor=cursor)
        self._write_or_skip(lambda db: db.execute(_NOTE, _values(noted)))

    def finish(self, record: Record, pages: int, rows: int) -> Record:
        """The walk is complete: from now on it serves, and what it replaces goes.

        Where a page was not cached it stays unfinished, and the next reading asks for that page alone.
        """
        now = self._now()
        finished = replace(record, finished=now, read=now, pages=pages, rows=rows, cursor=None)

        def finish(db: sqlite3.Connection) -> None:
            if self._count(db, record) < pages:
                db.execute(_NOTE, _values(replace(record, pages=pages, rows=rows)))
                return
            db.execute(_NOTE, _values(finished))
            for older in _records(db, record.question):
                if older.started < record.started:
                    self._delete(db, older)

        self._write_or_skip(finish)
        return finished

    def walks(self, question: str | None = None) -> list[Record]:
        """The records, newest first: all, or those of one question. Raises ``CacheLocked``."""
        return self._file.run(lambda db: _records(db, question))

    def touch(self, record: Record) -> None:
        """Somebody read it: it stays for another thirty days."""
        now = self._now()
        if now - record.read > DAY:
            with contextlib.suppress(CacheLocked):
                self._file.write(
                    lambda db: db.execute("UPDATE walks SET read = ? WHERE generation = ?", (now, record.generation))
                )

    def age(self, record: Record) -> float:
        """Seconds since the walk began; one from the future (a clock set back) counts as endlessly old."""
        age = self._now() - record.started
        return age if age > -60 else float("inf")

    def holds(self, record: Record) -> bool:
        """Whether every page of a complete walk is there. Raises ``CacheLocked``."""
        return self._file.run(lambda db: self._count(db, record)) >= record.pages

    def forget(self, record: Record) -> None:
        """Delete a walk and its pages; nothing where all is kept."""
        if not self.keeps_all:
            self._write_or_skip(lambda db: self._delete(db, record))

    def prefix(self, generation: str) -> str:
        """How the keys of a walk's pages begin."""
        return self._token.digest("walk", generation)

    def clear(self) -> None:
        """Delete everything that is kept, from the disk too. Raises ``CacheLocked``."""

        def clear(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM pages")
            db.execute("DELETE FROM walks")

        self._file.write(clear)
        self._file.sweep()

    def _keys(self, record: Record) -> tuple[str, str]:
        prefix = self.prefix(record.generation)
        return prefix, prefix + "g"  # after every hex digit

    def _count(self, db: sqlite3.Connection, record: Record) -> int:
        """How many pages of a walk are there."""
        found = db.execute("SELECT count(*) FROM pages WHERE key >= ? AND key < ?", self._keys(record)).fetchone()
        return int(found[0])

    def _delete(self, db: sqlite3.Connection, record: Record) -> None:
        db.execute("DELETE FROM pages WHERE key >= ? AND key < ?", self._keys(record))
        db.execute("DELETE FROM walks WHERE generation = ?", (record.generation,))

    def _forget_old_walks(self) -> None:
        """Delete the walks that nobody read for thirty days, and pages that landed after their walk was deleted."""
        now = self._now()

        def forget(db: sqlite3.Connection) -> int:
            before = db.total_changes
            for record in _records(db):
                if now - record.read > FORGOTTEN_AFTER:
                    self._delete(db, record)
            known = {self.prefix(record.generation) for record in _records(db)}
            for (prefix,) in db.execute("SELECT DISTINCT substr(key, 1, 32) FROM pages").fetchall():
                if prefix not in known:
                    db.execute("DELETE FROM pages WHERE key >= ? AND key < ?", (prefix, prefix + "g"))
            deleted = db.total_changes - before
            # A clock that was wrong for a while would keep its walks for good.
            db.execute("UPDATE walks SET read = ? WHERE read > ?", (now, now + DAY))
            return deleted

        if self._file.write(forget):
            self._file.sweep()


def _records(db: sqlite3.Connection, question: str | None = None) -> list[Record]:
    where, given = ("", ()) if question is None else ("WHERE question = ?", (question,))
    found = db.execute(f"SELECT {_TABLES['walks']} FROM walks {where} ORDER BY started DESC", given)
    return [Record(*row) for row in found]


def _values(record: Record) -> tuple[Any, ...]:
    return tuple(asdict(record).values())
