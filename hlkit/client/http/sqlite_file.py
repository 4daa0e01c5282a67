"""A SQLite file that cannot hang or fail a call.

A write that another program's lock does not let through raises ``CacheLocked``, and the next call tries again;
a damaged file is moved aside; where the disk is full or read-only the work goes on in memory. The last two are
one warning each.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hlkit.client.errors import CacheLocked
from hlkit.client.http import fork
from hlkit.client.warning import warn

PATIENCE = 2.0  # seconds to wait for another program's lock
_IMPATIENCE = 0.05  # seconds, while that lock goes on: no page waits two seconds in turn
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_SLICE = 1000  # SQLite's own pages, of 4 KB
T = TypeVar("T")


class CacheWarning(UserWarning):
    """The answer is right; it could only not be kept."""


class _Handle:
    """The open connection of a ``File``, closed when the file is not used any more, and at exit."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None
        self.identity: tuple[int, int] | None = None  # of the file on the disk
        self.is_closed = False

    def close(self) -> None:
        with self.lock:
            self.is_closed = True
            if self.connection is not None:
                self.connection.close()

    def let_go(self) -> None:
        """Close it, so that the next who wants it opens it again."""
        self.close()
        self.connection, self.is_closed = None, False


class File:
    """A SQLite file with these tables, or memory where there is no *path*.

    ``schema`` is a script that makes the tables where they are missing; ``checks`` are queries that fail where
    a file holds other tables than ours.
    """

    def __init__(self, path: Path | None, schema: str, checks: tuple[str, ...] = ()) -> None:
        self._schema, self._checks = schema, checks
        self._handle = _Handle()
        self._path = path
        self._mended = False
        self._is_held = False  # by another program, as far as the last call saw
        self._is_writing = False
        weakref.finalize(self, self._handle.close)
        with contextlib.suppress(CacheLocked):
            self.run(lambda db: None)
        fork.holds_still(self)

    def hold_still(self) -> None:
        """End the transaction at hand, and let go of the file; who wants it after the fork opens it again."""
        self._handle.lock.acquire()
        if self._path is not None:
            self._handle.let_go()

    def go_on(self) -> None:
        self._handle.lock.release()

    @property
    def path(self) -> Path | None:
        """Where it is kept, or ``None`` for memory alone."""
        return self._path

    @property
    def is_closed(self) -> bool:
        return self._handle.is_closed

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
                    raise _locked()
                self._handle.let_go()
                warn(self._do_without(problem), CacheWarning)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do *work* in one transaction. Raises ``CacheLocked``."""

        def transaction(connection: sqlite3.Connection) -> T:
            if self._is_writing:  # this thread: what it collects as garbage in the midst of that has to wait
                raise _locked()
            self._is_writing = True
            try:
                _roll_back(connection)  # what Ctrl-C left open while it was rolled back
                connection.execute("BEGIN IMMEDIATE")  # here, since Ctrl-C may come just as it is done
                done = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
            finally:
                self._is_writing = False
            return done

        return self.run(transaction)

    def shrink(self, *, at_once: bool = False) -> None:
        """Give what was deleted back to the disk, as far as it is over half of the file; all of it *at once*.

        A few at a time, so that nobody waits for the file. While another program reads, SQLite has zeroed them
        at least. Raises ``CacheLocked``.
        """

        def shrink(connection: sqlite3.Connection) -> bool:
            (free,) = connection.execute("PRAGMA freelist_count").fetchone()
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
            if mode and (free * 2 > pages or (at_once and free)):
                connection.execute(f"PRAGMA incremental_vacuum({_SLICE})").fetchall()
                return True
            return False

        def checkpoint(connection: sqlite3.Connection) -> None:
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.execute(f"PRAGMA busy_timeout = {self._seconds * 1000:.0f}")

        while self.write(shrink):
            pass
        self.run(checkpoint)

    def close(self) -> None:
        self._handle.close()

    def _open(self) -> sqlite3.Connection:
        """The connection; a new one where another program deleted the file, or moved it aside."""
        handle, path = self._handle, self._path
        if path is not None and not handle.is_closed and _identity(path) != handle.identity:
            handle.let_go()
        if handle.connection is None:
            handle.connection = self._memory() if path is None else self._connect(path)
        return handle.connection

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
                self._handle.connection = self._connect(self._path)
                return f"the cache file was damaged ({problem}); it was moved aside to {aside}"
            except (sqlite3.Error, OSError) as another:
                problem = another
                if _code(another) in _BUSY:  # another program is making the new one: the next call opens it
                    self._handle.connection = None
                    return "the cache file was damaged; it was moved aside"
        self._path, self._handle.connection = None, self._memory()
        return f"the cache file cannot be used ({problem}); the work goes on, and is kept in memory only"

    def _memory(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.executescript(self._schema)
        return connection

    def _connect(self, path: Path) -> sqlite3.Connection:
        """The file, open: readable by its owner alone, in a folder of its owner's. Writes only what is new."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A file that is there is not opened: closing it again would end the locks of this program's other handles.
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            if os.name == "posix" and path.stat().st_mode & 0o077:
                path.chmod(0o600)
        connection = sqlite3.connect(
            os.fspath(path), timeout=self._seconds, isolation_level=None, check_same_thread=False
        )
        try:
            if connection.execute("PRAGMA page_count").fetchone() == (0,):
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # what is deleted goes a few pages at a time
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA secure_delete=ON")
            connection.executescript(self._schema)
            for query in self._checks:
                connection.execute(query).fetchone()
            self._handle.identity = _identity(path)
        except BaseException:
            connection.close()
            raise
        return connection


def _identity(path: Path) -> tuple[int, int] | None:
    """What a file is, whatever it is called; ``None`` where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _locked() -> CacheLocked:
    return CacheLocked("another program holds the cache file", hint="wait until it is done, then make the call again")


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _code(problem: Exception) -> int:
    """SQLite's own number for it; 0 for other errors."""
    return (getattr(problem, "sqlite_errorcode", None) or 0) & 0xFF  # the rest of it are details


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
