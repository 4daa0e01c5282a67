"""A SQLite file for the cache, which copes with locks, damage and full disks.

If another program has locked the file, a call raises ``CacheLocked`` after at most two seconds, and the next call
tries again. A damaged file is renamed, and a new one is created. If the disk is full or read-only, the data moves
to memory. The last two each show one warning.
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

LOCK_TIMEOUT = 2.0  # seconds to wait for another program's lock
_REPEATED_LOCK_TIMEOUT = 0.05  # seconds, while the same lock lasts: not every page waits two seconds
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
T = TypeVar("T")


class CacheWarning(UserWarning):
    """The result is correct, but it could not be cached."""


class File:
    """A SQLite database in the file ``path``, or in memory if that is ``None``.

    ``schema`` is a script that creates missing tables. ``checks`` are queries that fail if the file has other
    tables than these. The connection is closed when the object is garbage-collected, and at exit.
    """

    def __init__(self, path: Path | None, schema: str, checks: tuple[str, ...] = ()) -> None:
        self.path = path
        self._schema, self._checks = schema, checks
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None  # of the file on the disk
        self._lock_timeout = LOCK_TIMEOUT
        self._was_replaced = False  # after damage; once at most
        self._is_writing = False
        with contextlib.suppress(CacheLocked):
            self.run(lambda db: None)
        fork.register(self, before=File._pause, after=File._resume, in_child=File._resume)

    def _pause(self) -> None:
        """Wait for the current transaction, then close the file: SQLite connections must not cross a fork."""
        self._lock.acquire()
        if self.path is not None:
            self._disconnect()

    def _resume(self) -> None:
        self._lock.release()

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call *work* with the connection. If the file fails, replace it and call again. Raises ``CacheLocked``."""
        with self._lock:
            while True:
                try:
                    result = work(self._open())
                    self._set_lock_timeout(LOCK_TIMEOUT)
                    return result
                except (sqlite3.Error, OSError) as error:
                    if self.path is None:
                        raise
                    problem = error
                if _code(problem) in _BUSY:
                    self._set_lock_timeout(_REPEATED_LOCK_TIMEOUT)
                    raise _locked_error()
                self._disconnect()
                warn(self._replace(problem), CacheWarning)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call *work* with the connection in one transaction. Raises ``CacheLocked``."""

        def transaction(connection: sqlite3.Connection) -> T:
            if self._is_writing:  # called from a finalizer that ran in this thread during a transaction
                raise _locked_error()
            self._is_writing = True
            try:
                _roll_back(connection)  # if Ctrl-C interrupted the last rollback
                connection.execute("BEGIN IMMEDIATE")  # inside try: Ctrl-C may arrive right after it
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
            finally:
                self._is_writing = False
            return result

        return self.run(transaction)

    def empty_log(self) -> None:
        """Write SQLite's log into the file, so that deleted data leaves the disk. Raises ``CacheLocked``.

        If another program is reading, the log stays, but SQLite has overwritten the deleted data with zeros.
        """

        def checkpoint(connection: sqlite3.Connection) -> None:
            self._set_lock_timeout(0)  # do not wait for programs that are reading; ``run`` sets it back
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

        self.run(checkpoint)

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, by ``close`` or because this object is being garbage-collected."""
        return self._connection is not None and not self._close_connection.alive

    def close(self) -> None:
        if self._connection is not None:
            self._close_connection()

    def _disconnect(self) -> None:
        """Close the connection; the next call opens a new one."""
        self.close()
        self._connection = None

    def _open(self) -> sqlite3.Connection:
        """The connection. It is new if another program has deleted or renamed the file."""
        path = self.path
        if path is not None and not self.is_closed and _identity(path) != self._identity:
            self._disconnect()
        if self._connection is None:
            return self._use(self._memory() if path is None else self._connect(path))
        return self._connection

    def _use(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """Make *connection* the current one. It is closed with the object, whatever opened it."""
        self._connection = connection
        self._close_connection = weakref.finalize(self, _close, connection, self._lock)
        return connection

    def _set_lock_timeout(self, seconds: float) -> None:
        """Wait so long for another program's lock from now on."""
        if seconds != self._lock_timeout:
            self._lock_timeout = seconds
            if self._connection is not None:
                self._connection.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")

    def _replace(self, problem: Exception) -> str:
        """Start a new file if this one is damaged; use memory if the disk is full or read-only.

        Returns the text of the warning.
        """
        assert self.path is not None
        if _is_damage(problem) and not self._was_replaced:
            self._was_replaced = True
            try:
                new_name = _move_aside(self.path)
                self._use(self._connect(self.path))
                return f"the cache file was damaged ({problem}); it was renamed to {new_name}"
            except (sqlite3.Error, OSError) as second_problem:
                problem = second_problem
                if _code(second_problem) in _BUSY:  # another program is creating the new file
                    self._connection = None
                    return "the cache file was damaged; it was renamed"
        self.path = None
        self._use(self._memory())
        return f"the cache file cannot be used ({problem}); caching continues in memory only"

    def _memory(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.executescript(self._schema)
        return connection

    def _connect(self, path: Path) -> sqlite3.Connection:
        """Open the file, with access for its owner only. Creates the folder, the file and the tables if missing."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_EXCL: an existing file must not be opened and closed here. On POSIX, closing it would release the locks
        # that this process's other SQLite connections hold.
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            if os.name == "posix" and path.stat().st_mode & 0o077:
                path.chmod(0o600)
        connection = sqlite3.connect(
            os.fspath(path), timeout=self._lock_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            if connection.execute("PRAGMA page_count").fetchone() == (0,):
                connection.execute("PRAGMA auto_vacuum=FULL")  # each transaction returns deleted space to the disk
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA secure_delete=ON")
            connection.executescript(self._schema)
            for query in self._checks:
                connection.execute(query).fetchone()
            self._identity = _identity(path)
        except BaseException:
            connection.close()
            raise
        return connection


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode, which identify a file after a rename; ``None`` if there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _close(connection: sqlite3.Connection, lock: threading.RLock) -> None:
    """Close a connection when no other thread uses it."""
    with lock:
        connection.close()


def _locked_error() -> CacheLocked:
    return CacheLocked("another program has locked the cache file", hint="wait until it is done, then try again")


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _code(problem: Exception) -> int:
    """SQLite's primary result code; 0 for other errors."""
    return (getattr(problem, "sqlite_errorcode", None) or 0) & 0xFF  # the higher bits are the extended code


def _is_damage(problem: Exception) -> bool:
    """Whether the file is the problem: not a SQLite file, malformed, or with other tables than ours."""
    code = _code(problem)
    is_foreign = code == sqlite3.SQLITE_ERROR and ("no such" in str(problem) or "column" in str(problem))
    return is_foreign or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _move_aside(path: Path) -> str:
    """Rename the file, with SQLite's -wal and -shm files. Returns the new name."""
    renamed = path.with_name(f"{path.name}.bad-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{renamed}{suffix}")
    return renamed.name
