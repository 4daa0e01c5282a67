"""requests-cache's store made safe: answers and the record of every walk, in one SQLite file.

requests-cache decides what to keep and when to serve it; this file holds it. Against the store that it
ships: opening and writing never hang and never fail a call. A write that another program's lock does not let
through is left out, and the next one is tried again; a damaged file is moved aside; on a full disk the work
goes on in memory. Each costs one warning. What is stored is signed with the token, so that a changed or a
foreign row is a miss, is no pickle, and holds no header but the rate limit's.

A download that is replaced stays while it may be being read; ``downloads.py`` says which go, and when.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
from requests_cache.backends.base import BaseCache, BaseStorage, DictStorage
from requests_cache.models.response import CachedResponse

from hlkit.client.errors import CacheLocked
from hlkit.client.http import download_records as downloads
from hlkit.client.http.download_records import CHECKS, DAY, HOUR, SCHEMA, Record
from hlkit.client.http.sqlite_file import CacheWarning, File
from hlkit.client.http.token import Token
from hlkit.client.warning import warn

MOST_BYTES = 2_000_000_000  # of one user's answers, in all files of a folder: beyond, the oldest go
_SLICES = 20  # that are deleted at most while connecting
_KEEP = "INSERT OR REPLACE INTO pages (key, value) VALUES (?, ?)"
_ZSTD = pa.Codec("zstd", compression_level=1)
T = TypeVar("T")


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    status: int
    length: int
    body: bytes


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
    """Answers and downloads of one server, location and token.

    ``keep_all`` deletes nothing, however old. ``resumes`` says whether the next call for the same goes on with a
    download that broke off.
    """

    def __init__(
        self,
        path: Path | None,
        token: Token,
        *,
        keep_all: bool = False,
        resumes: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(cache_name="hlkit")
        self._file = File(path, SCHEMA, CHECKS)
        self._token = token
        self._now = now
        self.keeps_all, self.resumes = keep_all, resumes
        self._has_warned = False  # that another program holds the file
        self._pages = _Pages(self._file)
        self.responses = self._pages  # type: ignore[assignment]
        self.redirects = DictStorage()  # type: ignore[no-untyped-call]
        if path is not None:
            self._tidy(_SLICES)

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

    # ---- downloads

    def begin(self, record: Record, choose: Callable[[list[Record]], Record | None] = lambda _: None) -> Record:
        """The record of a new download, written before its first page; or the one of others that *choose* picks.

        Where it cannot be written, the next ``note`` writes it.
        """

        def begin(db: sqlite3.Connection) -> Record:
            begun = choose(downloads.records(db, record.question))
            if begun is None:
                downloads.note(db, record)
            return begun or record

        return self._write_or_skip(begin) or record

    def new(self, question: str, resource: str, parameters: object, **given: Any) -> Record:
        """The record of a download that begins now; *given* are further fields of ``Record``."""
        now, generation = self._now(), uuid.uuid4().hex
        text = json.dumps(parameters, sort_keys=True, default=str)
        given = {"family": question, "started": now, "fetched": now, "read": now, **given}
        return Record(generation, self.prefix(generation), question, resource=resource, parameters=text, **given)

    def prefix(self, generation: str) -> str:
        """How the keys of a download's pages begin."""
        return self._token.digest("download", generation)

    def note(self, record: Record) -> None:
        """How far a download came. One that was finished meanwhile stays so."""
        self._write_or_skip(lambda db: downloads.note(db, record))

    def settle(self, record: Record) -> None:
        """Its caller wants no more than has arrived: it did not break off."""
        if not self._file.is_closed:  # a loop that nobody ended is collected at any time
            with contextlib.suppress(CacheLocked):
                self._file.write(lambda db: downloads.settle(db, record))

    def finish(self, record: Record) -> Record:
        """The download is complete: from now on it serves, and what it replaces goes, unless it is being read.

        Where a page was not cached it stays unfinished; a call within ``expire_after`` asks for that page alone.
        """
        finished = replace(record, finished=record.fetched, read=self._now())

        def finish(db: sqlite3.Connection) -> None:
            if downloads.count(db, record) < record.pages:
                downloads.note(db, record)
                downloads.settle(db, record)
            else:
                downloads.note(db, replace(finished, size=downloads.size(db, record)))

        self._write_or_skip(finish)
        self._tidy()
        return finished

    def walks(self, question: str | None = None) -> list[Record]:
        """The records, newest first: all, or those of one question. Raises ``CacheLocked``."""
        return downloads.newest_first(self._file.run(lambda db: downloads.records(db, question)), self._now())

    def touch(self, record: Record) -> Record:
        """Somebody reads a download that is complete: it stays for another thirty days, and an hour at the least."""
        now = self._now()
        if record.reads and 0 <= now - record.read < HOUR / 6:
            return record
        touched = replace(record, read=now, reads=record.reads + 1)
        values = (touched.read, touched.reads, record.generation)
        with contextlib.suppress(CacheLocked):
            self._file.write(
                lambda db: db.execute("UPDATE downloads SET read = ?, reads = ? WHERE generation = ?", values)
            )
        return touched

    def now(self) -> float:
        """The time of day, in Unix seconds."""
        return self._now()

    def since(self, moment: float) -> float:
        """Seconds since a moment; one of the future (a clock set back) is endlessly long ago."""
        age = self._now() - moment
        return age if age > -60 else float("inf")

    def age(self, record: Record) -> float:
        """Seconds since the last page of a download arrived."""
        return self.since(record.fetched)

    def holds(self, record: Record) -> bool:
        """Whether every page of a complete download is there. Raises ``CacheLocked``."""
        return self.count(record) >= record.pages

    def count(self, record: Record) -> int:
        """How many pages of a download are there. Raises ``CacheLocked``."""
        return self._file.run(lambda db: downloads.count(db, record))

    def forget(self, record: Record) -> None:
        """Delete a download and its pages; nothing where all is kept."""
        if not self.keeps_all:
            with contextlib.suppress(CacheLocked):
                self._file.write(lambda db: downloads.delete(db, [record]))
                self._delete_pages()

    def clear(self) -> None:
        """Delete everything that is kept, from the disk too. Raises ``CacheLocked``."""
        self._file.write(lambda db: db.execute("DELETE FROM downloads"))
        while self._file.write(downloads.delete_slice):
            pass
        self._file.shrink(at_once=True)

    def _tidy(self, slices: int | None = None) -> None:
        """Delete what nobody will read again, and the oldest where there is too much."""
        if self.keeps_all:
            return
        now = self._now()
        with contextlib.suppress(CacheLocked):
            known = self.walks()
            if any(record.read > now + DAY for record in known):  # by a clock that was wrong for a while
                change = "UPDATE downloads SET read = ? WHERE read > ?"
                self._file.write(lambda db: db.execute(change, (now, now + DAY)))
                known = self.walks()
            unwanted = downloads.unwanted(known, now)
            if unwanted:
                self._file.write(lambda db: downloads.delete(db, unwanted))
            self._delete_pages(slices, has_deleted=bool(unwanted))
        if self.path is not None:
            self._make_room(self.path)

    def _delete_pages(self, slices: int | None = None, *, has_deleted: bool = True) -> None:
        """Delete the pages of no download, so many slices at most, and give their bytes back.

        Raises ``CacheLocked``.
        """
        deleted = 0
        while (slices is None or deleted < slices) and self._file.run(downloads.has_strays):
            self._file.write(downloads.delete_slice)
            deleted += 1
        if deleted or has_deleted:
            self._file.shrink()

    def _make_room(self, path: Path) -> None:
        """Delete the oldest downloads in the folder, of other locations too, until few enough bytes are left.

        None that is unfinished, or was read within the hour.
        """
        files = list(path.parent.glob("*.sqlite*"))
        if sum(map(_bytes, files)) <= MOST_BYTES:
            return
        found = [
            (size, record, file)
            for file in files
            if file.suffix == ".sqlite"
            for size, record in downloads.sizes(file)
        ]
        left, now = sum(size for size, _, _ in found), self._now()
        oldest: dict[Path, list[Record]] = {}
        for size, record, file in sorted(found, key=lambda one: one[1].fetched):
            if left <= MOST_BYTES:
                break
            if record.finished is not None and now - record.read > HOUR:
                oldest.setdefault(file, []).append(record)
                left -= size
        for file, unwanted in oldest.items():
            _delete_from(self._file if file == path else File(file, SCHEMA, CHECKS), unwanted)


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # it was deleted just now
        return 0


def _delete_from(file: File, unwanted: list[Record]) -> None:
    with contextlib.suppress(CacheLocked):
        file.write(lambda db: downloads.delete(db, unwanted))
        while file.write(downloads.delete_slice):
            pass
        file.shrink()
