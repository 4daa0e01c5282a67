"""What happened with one contact, newest first: messages, appointments, deals, tasks and notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from hlkit.errors import MissingScope, NotFound, NotKept
from hlkit.kinds import TEXT, WHEN
from hlkit.warning import told
from hlkit.wire.watch import Watch

if TYPE_CHECKING:
    from hlkit.location import Location

_COLUMNS = {"at": WHEN, "what": TEXT, "text": TEXT}
# Where the server gives one contact's rows alone; the others are shown once those of all contacts are kept.
_OF_ONE = ("messages", "notes")
_OF_ALL = ("appointments", "opportunities", "tasks")
# resource: when, and what to say of a row
_SAID: Mapping[str, tuple[str, Callable[[pd.Series], str]]] = {
    "messages": ("sent_at", lambda row: _said(row, "direction", "type", "status", "body")),
    "appointments": ("starts_at", lambda row: _said(row, "status", "title")),
    "opportunities": ("created_at", lambda row: _said(row, "status", "value", "name")),
    "tasks": ("due_at", lambda row: _said(row, "title", "body")),
    "notes": ("created_at", lambda row: _said(row, "title", "body")),
}


def _said(row: pd.Series, *columns: str) -> str:
    known = [str(row[name]).removeprefix("TYPE_") for name in columns if name in row and not pd.isna(row[name])]
    return " · ".join(known)


def events(contact_id: str, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row for each event of the contact in *frames*, newest first: ``at``, ``what`` (the resource), ``text``."""
    rows = []
    for name, frame in frames.items():
        when, say = _SAID[name]
        own = frame[frame["contact_id"].eq(contact_id).to_numpy(dtype=bool, na_value=False)]
        rows += [(row[when], name, say(row)) for _, row in own.iterrows()]
    table = pd.DataFrame(rows, columns=list(_COLUMNS)).astype({name: kind.dtype for name, kind in _COLUMNS.items()})
    return table.sort_values("at", ascending=False, ignore_index=True)


Read = tuple[dict[str, pd.DataFrame], dict[str, str], list[str]]


def read(loc: Location, contact_id: str, watch: Watch | None = None, *, everything: bool = False) -> Read:
    """The frames that hold the contact's events, why others are refused, and which were never read.

    Messages and notes cost a request or two, since the server gives one contact's alone; appointments,
    opportunities and tasks are taken from what is kept, or with *everything* read, those of all contacts.
    """
    frames: dict[str, pd.DataFrame] = {}
    refused: dict[str, str] = {}
    unread: list[str] = []
    with told():
        for name in (*_OF_ONE, *_OF_ALL):
            try:
                if name in _OF_ONE:
                    frames[name] = getattr(loc, name)(contact_id=contact_id, watch=watch)
                else:
                    frames[name] = getattr(loc if everything else loc.kept, name)(watch=watch)
            except (MissingScope, NotFound) as error:
                refused[name] = f"{error.message}: {error.hint}"
            except NotKept:
                unread.append(name)
    return frames, refused, unread
