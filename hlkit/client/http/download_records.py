"""The record of every download: what was asked, when, how far it came; and which are not wanted any more.

A *download* is one reading of all pages of one question. Its record is written before page 1; its pages live and
go together, under keys that begin with its ``prefix``, since an old page 1 before a new page 2 would lose rows in
silence. To delete one is to delete its record: its pages are then nobody's, and go in slices, so that no other
program waits long for the file.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

HOUR, DAY = 3_600.0, 86_400.0  # seconds
FORGOTTEN_AFTER = 30 * DAY  # downloads that nobody read for so long are deleted
RESUMED_WITHIN = 7 * DAY  # of its last page a download that broke off is resumed
SLICE = 500  # pages that are deleted at once


@dataclass(frozen=True)
class Record:
    """One download. Times are Unix seconds.

    ``fetched`` is when its last page arrived, ``finished`` the same where nothing is missing. ``wanted`` is how
    many rows were asked for, ``None`` for all. ``family`` is equal for questions that differ only in the span from
    ``since`` to ``until``. ``reads`` counts the times that it was read again; ``fresh_for`` is how long, in
    seconds, it was to serve. ``size`` is the bytes of its pages once it is finished.
    """

    generation: str
    prefix: str
    question: str
    family: str
    resource: str
    parameters: str
    started: float
    fetched: float
    since: float | None = None
    until: float | None = None
    fresh_for: float = HOUR
    is_refresh: bool = False
    wanted: int | None = None
    finished: float | None = None
    read: float = 0.0
    reads: int = 0
    pages: int = 0
    rows: int = 0
    size: int = 0

    @property
    def broke_off(self) -> bool:
        """Whether rows that were asked for have not arrived."""
        return self.finished is None and (self.wanted is None or self.rows < self.wanted)

    @property
    def keys(self) -> tuple[str, str]:
        """Its pages' keys: from the first up to, and without, the second."""
        return self.prefix, f"{self.prefix}g"  # after every hex digit


_NAMES = ", ".join(field.name for field in fields(Record))
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS pages (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS downloads ({_NAMES.replace("generation", "generation TEXT PRIMARY KEY")});
DROP TABLE IF EXISTS walks;
"""
CHECKS = ("SELECT key, value FROM pages LIMIT 1", f"SELECT {_NAMES} FROM downloads LIMIT 1")
_NOTE = f"""
INSERT INTO downloads ({_NAMES}) VALUES ({", ".join("?" * len(fields(Record)))})
ON CONFLICT (generation) DO UPDATE SET
    finished = excluded.finished, fetched = max(fetched, excluded.fetched), read = max(read, excluded.read),
    pages = max(pages, excluded.pages), rows = max(rows, excluded.rows), size = excluded.size,
    wanted = max(wanted, excluded.wanted)  -- null, which is all of them, where either is
WHERE finished IS NULL
"""


def records(db: sqlite3.Connection, question: str | None = None) -> list[Record]:
    """The records, newest first: all, or those of one question."""
    where, given = ("", ()) if question is None else ("WHERE question = ?", (question,))
    found = db.execute(f"SELECT {_NAMES} FROM downloads {where} ORDER BY started DESC", given)
    return [Record(*row) for row in found]


def note(db: sqlite3.Connection, record: Record) -> None:
    """Write how far it came. What was finished meanwhile stays so, and what came further stays further."""
    db.execute(_NOTE, astuple(record))


def settle(db: sqlite3.Connection, record: Record) -> None:
    """Its caller wants no more than has arrived: it did not break off."""
    db.execute("UPDATE downloads SET wanted = rows WHERE generation = ? AND finished IS NULL", (record.generation,))


def count(db: sqlite3.Connection, record: Record) -> int:
    """How many of its pages are there."""
    found = db.execute("SELECT count(*) FROM pages WHERE key >= ? AND key < ?", record.keys).fetchone()
    return int(found[0])


def size(db: sqlite3.Connection, record: Record) -> int:
    """The bytes of its pages."""
    query = "SELECT coalesce(sum(length(value)), 0) FROM pages WHERE key >= ? AND key < ?"
    return int(db.execute(query, record.keys).fetchone()[0])


def delete(db: sqlite3.Connection, unwanted: Iterable[Record]) -> None:
    """Delete records; ``delete_slice`` deletes their pages."""
    db.executemany("DELETE FROM downloads WHERE generation = ?", [(record.generation,) for record in unwanted])


def delete_slice(db: sqlite3.Connection) -> bool:
    """Delete some pages that belong to no download; whether there were any."""
    first = _stray(db)
    if first is None:
        return False
    chosen = "SELECT key FROM pages WHERE key >= ? AND key < ? LIMIT ?"
    db.execute(f"DELETE FROM pages WHERE key IN ({chosen})", (first, f"{first[:32]}g", SLICE))
    return True


def has_strays(db: sqlite3.Connection) -> bool:
    """Whether there are pages that belong to no download."""
    return _stray(db) is not None


def _stray(db: sqlite3.Connection) -> str | None:
    """The first key of a page that belongs to no download."""
    known = {prefix for (prefix,) in db.execute("SELECT prefix FROM downloads")}
    key = ""
    while found := db.execute("SELECT key FROM pages WHERE key >= ? ORDER BY key LIMIT 1", (key,)).fetchone():
        prefix = found[0][:32]
        if prefix not in known:
            return str(found[0])
        key = f"{prefix}g"
    return None


def newest_first(found: Iterable[Record], now: float) -> list[Record]:
    """In the order of their beginnings; those of the future, by a clock that was wrong, come last."""
    return sorted(found, key=lambda record: record.started if record.started <= now + 60 else 0.0, reverse=True)


def unwanted(everything: Iterable[Record], now: float) -> list[Record]:
    """The downloads that nobody will read again, of all that there are.

    That is what nobody read for thirty days, what a newer one replaced (though one that was read within the hour
    may be being read still), a first page alone after a day, and what was asked once, is too old to serve or be
    resumed, and was asked since for a span that moved by less than a day: ``since=`` a month ago from now, again and
    again.
    """
    found: list[Record] = []
    complete: dict[str, Record] = {}  # by question, the newest
    replaced: set[str] = set()  # questions of which an older one stays
    settled: dict[str, list[Record]] = {}  # by family
    for record in newest_first(everything, now):
        idle = now - max(record.read, record.fetched if record.fetched <= now else 0.0)
        newer = complete.get(record.question)
        if newer is not None:
            was_read = record.finished is not None and record.reads > 0 and idle < HOUR
            stays = was_read and record.question not in replaced
            replaced.add(record.question)
        elif record.finished is not None or (record.broke_off and record.pages):
            stays = idle <= FORGOTTEN_AFTER
        else:
            stays = idle <= DAY
        relatives = settled.setdefault(record.family, [])
        serves = max(record.fresh_for, RESUMED_WITHIN) if record.broke_off else record.fresh_for
        if not record.reads and idle > serves:
            stays = stays and not any(_moved_on(record, relative) for relative in relatives)
        if not stays:
            found.append(record)
        elif not record.broke_off:
            relatives.append(record)
        if record.finished is not None:
            complete.setdefault(record.question, record)
    return found


def _moved_on(record: Record, newer: Record) -> bool:
    """Whether *newer* answers in place of *record*: the same question over nearly the same span."""
    if newer.question == record.question or (record.finished is not None and newer.finished is None):
        return False
    ends = ((record.since, newer.since), (record.until, newer.until))
    return all(a == b or (a is not None and b is not None and abs(a - b) < DAY) for a, b in ends)


def sizes(path: Path) -> list[tuple[int, Record]]:
    """The bytes and the record of each download in another file; nothing where it cannot be read just now."""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)
    except sqlite3.Error:
        return []
    try:
        return [(record.size or size(db, record), record) for record in records(db)]
    except sqlite3.Error:
        return []
    finally:
        db.close()


def forget_all(path: Path) -> None:
    """Take the records out of a file that is to be deleted, so that whoever has it open reads nothing old."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM downloads")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
