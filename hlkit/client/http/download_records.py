"""Download records: what was requested, when, how far it got, and which downloads are obsolete.

A *download* is all pages of one query. Its record is written before page 1. Its pages are stored
under keys that begin with its ``prefix`` and are deleted together: a page 1 from one download and a page 2 from
another would lose rows silently. Deleting a download deletes its record first. Its pages are then orphans, which
are deleted in batches so that other programs never wait long for the file.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

HOUR, DAY = 3_600.0, 86_400.0  # seconds
UNREAD_LIFETIME = 30 * DAY  # a download that was not read for this long is deleted
RESUMED_WITHIN = 7 * DAY  # an interrupted download is resumed if its last page is younger than this
BATCH = 100  # pages deleted in one transaction


@dataclass(frozen=True)
class Record:
    """One download. Times are Unix seconds.

    ``fetched_at`` is when the last page arrived. ``finished_at`` is the same time once no page is missing, else
    ``None``. ``read_at`` is when the cached pages were last read, ``read_count`` how many times. ``wanted`` is the
    number of rows requested, ``None`` for all. ``family`` is equal for queries that differ only in ``since`` and
    ``until``. ``fresh_for`` is how many seconds the download may be served from the cache.
    """

    generation: str
    prefix: str
    query_id: str
    family: str
    resource: str
    parameters: str
    started_at: float
    fetched_at: float
    since: float | None = None
    until: float | None = None
    fresh_for: float = HOUR
    is_refresh: bool = False
    wanted: int | None = None
    finished_at: float | None = None
    read_at: float = 0.0
    read_count: int = 0
    pages: int = 0
    rows: int = 0

    @property
    def is_interrupted(self) -> bool:
        """Whether some of the requested rows have not arrived."""
        return self.finished_at is None and (self.wanted is None or self.rows < self.wanted)

    @property
    def key_range(self) -> tuple[str, str]:
        """The range of its page keys: first (inclusive) and end (exclusive)."""
        return self.prefix, f"{self.prefix}g"  # "g" sorts after every hex digit


_COLUMNS = ", ".join(field.name for field in fields(Record))
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS pages (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS downloads ({_COLUMNS.replace("generation", "generation TEXT PRIMARY KEY")});
"""
CHECKS = ("SELECT key, value FROM pages LIMIT 1", f"SELECT {_COLUMNS} FROM downloads LIMIT 1")
_SAVE = f"""
INSERT INTO downloads ({_COLUMNS}) VALUES ({", ".join("?" * len(fields(Record)))})
ON CONFLICT (generation) DO UPDATE SET
    finished_at = excluded.finished_at,
    fetched_at = max(fetched_at, excluded.fetched_at), read_at = max(read_at, excluded.read_at),
    pages = max(pages, excluded.pages), rows = max(rows, excluded.rows),
    wanted = max(wanted, excluded.wanted)  -- null (all rows) if either is null
WHERE finished_at IS NULL
"""


def records(db: sqlite3.Connection, **values: str) -> list[Record]:
    """All records, or those with these values in some of their fields, newest first."""
    where = " AND ".join(f"{name} = ?" for name in values) or "TRUE"
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM downloads WHERE {where} ORDER BY started_at DESC", tuple(values.values())
    )
    return [Record(*row) for row in rows]


def save(db: sqlite3.Connection, record: Record) -> None:
    """Write the progress of a download. A finished download stays finished, and progress never goes backward."""
    db.execute(_SAVE, astuple(record))


def accept_partial(db: sqlite3.Connection, record: Record) -> None:
    """Mark that the caller wants no more rows than have arrived, so the download was not interrupted."""
    db.execute(
        "UPDATE downloads SET wanted = rows WHERE generation = ? AND finished_at IS NULL", (record.generation,)
    )


def count_pages(db: sqlite3.Connection, record: Record) -> int:
    """The number of its pages in the file."""
    (count,) = db.execute("SELECT count(*) FROM pages WHERE key >= ? AND key < ?", record.key_range).fetchone()
    return int(count)


def delete(db: sqlite3.Connection, obsolete: Iterable[Record]) -> None:
    """Delete records. ``delete_orphans`` deletes their pages."""
    db.executemany("DELETE FROM downloads WHERE generation = ?", [(record.generation,) for record in obsolete])


def delete_orphans(db: sqlite3.Connection) -> None:
    """Delete one batch of pages that belong to no download."""
    first = first_orphan(db)
    if first is not None:
        batch = "SELECT key FROM pages WHERE key >= ? AND key < ? LIMIT ?"
        db.execute(f"DELETE FROM pages WHERE key IN ({batch})", (first, f"{first[:32]}g", BATCH))


def first_orphan(db: sqlite3.Connection) -> str | None:
    """The first key of a page that belongs to no download."""
    prefixes = {prefix for (prefix,) in db.execute("SELECT prefix FROM downloads")}
    start = ""
    while row := db.execute("SELECT key FROM pages WHERE key >= ? ORDER BY key LIMIT 1", (start,)).fetchone():
        key = str(row[0])
        prefix = key[:32]
        if prefix not in prefixes:
            return key
        start = f"{prefix}g"
    return None


def newest_first(records: Iterable[Record], now: float) -> list[Record]:
    """Sorted by start, newest first. Records from the future (the clock was wrong) come last."""
    return sorted(
        records, key=lambda record: record.started_at if record.started_at <= now + 60 else 0.0, reverse=True
    )


def find_obsolete(records: Iterable[Record], now: float) -> list[Record]:
    """The downloads that will not be read again. *records* are all records of the file.

    A download is obsolete if it

    - was not read for 30 days, or for one day if it holds no page or only first pages (a count, a preview);
    - was replaced by a newer one. The newest of these stays for an hour after it was read, since a loop over its
      pages may still be running;
    - was read only once, is too old to serve or resume, and was replaced by a query for almost the same dates (less
      than a day apart), as with ``since=pd.Timestamp.now() - pd.Timedelta(days=30)``.
    """
    obsolete: list[Record] = []
    newest_complete: dict[str, Record] = {}  # by query_id
    questions_with_replaced: set[str] = set()  # one replaced download at most stays for each query_id
    retained: dict[str, list[Record]] = {}  # by family; not interrupted
    for record in newest_first(records, now):
        idle = now - max(record.read_at, record.fetched_at if record.fetched_at <= now else 0.0)
        if record.query_id in newest_complete:
            was_read_lately = record.finished_at is not None and record.read_count > 0 and idle < HOUR
            is_retained = was_read_lately and record.query_id not in questions_with_replaced
            questions_with_replaced.add(record.query_id)
        elif record.finished_at is not None or (record.is_interrupted and record.pages):
            is_retained = idle <= UNREAD_LIFETIME
        else:
            is_retained = idle <= DAY
        family = retained.setdefault(record.family, [])
        useful_for = max(record.fresh_for, RESUMED_WITHIN) if record.is_interrupted else record.fresh_for
        if not record.read_count and idle > useful_for:
            is_retained = is_retained and not any(_is_superseded(record, newer) for newer in family)
        if not is_retained:
            obsolete.append(record)
        elif not record.is_interrupted:
            family.append(record)
        if record.finished_at is not None:
            newest_complete.setdefault(record.query_id, record)
    return obsolete


def _is_superseded(record: Record, newer: Record) -> bool:
    """Whether *newer* holds the same query for almost the same dates, and is as complete as *record*."""
    if newer.query_id == record.query_id or (record.finished_at is not None and newer.finished_at is None):
        return False
    ends = ((record.since, newer.since), (record.until, newer.until))
    return all(a == b or (a is not None and b is not None and abs(a - b) < DAY) for a, b in ends)


def sizes_in_file(path: Path) -> list[tuple[int, Record]]:
    """The bytes and the record of each download in a cache file. Empty if the file cannot be read."""
    query = "SELECT coalesce(sum(length(value)), 0) FROM pages WHERE key >= ? AND key < ?"
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as db:
            return [(db.execute(query, record.key_range).fetchone()[0], record) for record in records(db)]
    except sqlite3.Error:
        return []


def delete_all_records(path: Path) -> None:
    """Delete all records of a file before the file is deleted, so that programs that have it open see no old data."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM downloads")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
