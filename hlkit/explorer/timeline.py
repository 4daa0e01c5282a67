"""What happened with one contact, newest first: messages, appointments, deals, tasks and notes."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pandas as pd

from hlkit.client.errors import MissingScope, NotCached, NotFound
from hlkit.client.http.progress import Progress
from hlkit.client.schema import INSTANT, TEXT
from hlkit.client.warning import collect_warnings
from hlkit.explorer.html import text

if TYPE_CHECKING:
    from hlkit.location import Location

_COLUMNS = {"at": INSTANT, "what": TEXT, "text": TEXT}
# Where the server gives one contact's rows alone; the others are shown once those of all contacts are kept.
_OF_ONE = ("messages", "notes")
_OF_ALL = ("appointments", "opportunities", "tasks")
# resource: when, and which columns say what happened
_SAID: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "messages": ("sent_at", ("direction", "type", "status", "body")),
    "appointments": ("starts_at", ("status", "title")),
    "opportunities": ("created_at", ("status", "value", "name")),
    "tasks": ("due_at", ("title", "body")),
    "notes": ("created_at", ("title", "body")),
}
_BLOCKS = frozenset(
    (
        *("address", "article", "blockquote", "br", "center", "dd", "div", "dl", "dt", "figure", "footer", "form"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section", "table"),
        *("tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
    )
)
_PAGE = re.compile(r"<(?:!doctype|html|body|" + "|".join(sorted(_BLOCKS)) + r")(?:\s[^<>]*)?/?>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
_LONGEST = 200_000  # letters of a body that are read: a page shows the first few hundred


def _said(name: str, row: pd.Series) -> str:
    known = []
    for column in _SAID[name][1]:
        said = text(row.get(column))
        if column == "body":
            said = readable(said, is_email="EMAIL" in text(row.get("type")).upper())
        known.append(said.removeprefix("TYPE_"))
    return " · ".join(filter(None, known))


def readable(body: str, *, is_email: bool = False) -> str:
    """A body as text: of an email, and of what an editor wrote, without its markup; else the markup is text.

    It is shown escaped in any case. Characters such as ``&amp;`` are the characters that they mean.
    """
    if not (_PAGE.search(body) or (is_email and "<" in body)):
        return _ENTITY.sub(lambda found: html.unescape(found[0]), body)
    reader = _Reader()
    try:
        reader.feed(body[:_LONGEST])
        reader.close()
    except (AssertionError, ValueError):  # Python's own parser gives up on some declarations
        return body
    return " ".join("".join(reader.parts).split()) or body


class _Reader(HTMLParser):
    """The text of a page: blocks apart, no script and no style."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "title"):
            self._silent = tag
        elif tag in _BLOCKS:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._silent:
            self._silent = ""
        elif tag in _BLOCKS:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def events(contact_id: str, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row for each event of the contact in *frames*, newest first: ``at``, ``what`` (the resource), ``text``."""
    rows = []
    for name, frame in frames.items():
        when = _SAID[name][0]
        own = frame[frame["contact_id"].eq(contact_id).to_numpy(dtype=bool, na_value=False)]
        rows += [(row[when], name, _said(name, row)) for _, row in own.iterrows()]
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    table = pd.DataFrame(  # as objects first: of times that are all null pandas would make such without a zone
        {
            name: pd.Series(list(values), dtype="object").astype(kind.dtype)
            for (name, kind), values in zip(_COLUMNS.items(), columns, strict=True)
        }
    )
    return table.sort_values("at", ascending=False, ignore_index=True)


Read = tuple[dict[str, pd.DataFrame], dict[str, str], list[str]]


def read(loc: Location, contact_id: str, progress: Progress | None = None, *, everything: bool = False) -> Read:
    """The frames that hold the contact's events, why others are refused, and which were never read.

    Messages and notes cost a request or two, since the server gives one contact's alone; appointments,
    opportunities and tasks are taken from what is kept, or with *everything* read, those of all contacts.
    """
    frames: dict[str, pd.DataFrame] = {}
    refused: dict[str, str] = {}
    unread: list[str] = []
    with collect_warnings():
        for name in (*_OF_ONE, *_OF_ALL):
            try:
                if name in _OF_ONE:
                    frames[name] = getattr(loc, name)(contact_id=contact_id, progress=progress)
                else:
                    frames[name] = getattr(loc if everything else loc.cached, name)(progress=progress)
            except (MissingScope, NotFound) as error:
                refused[name] = f"{error.message}: {error.hint}"
            except NotCached:
                unread.append(name)
    return frames, refused, unread
