"""The timeline of one contact, newest first: messages, appointments, opportunities, tasks and notes."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from hlkit.client.errors import MissingScope, NotCached, NotFound
from hlkit.client.http.progress import Progress
from hlkit.client.schema import INSTANT, TEXT
from hlkit.client.warning import collect_warnings
from hlkit.explorer.html import value_text

if TYPE_CHECKING:
    from hlkit.location import Location

_TIMELINE_COLUMNS = {"at": INSTANT, "resource": TEXT, "text": TEXT}
_PER_CONTACT = ("messages", "notes")  # the API returns those of one contact
_ALL_CONTACTS = ("appointments", "opportunities", "tasks")  # it returns only those of all contacts
# For each resource, the column with the time of the event, and the columns that describe it.
_EVENT_COLUMNS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "messages": ("sent_at", ("direction", "type", "status", "body")),
    "appointments": ("starts_at", ("status", "title")),
    "opportunities": ("created_at", ("status", "value", "name")),
    "tasks": ("due_at", ("title", "body")),
    "notes": ("created_at", ("title", "body")),
}
_BLOCK_TAGS = frozenset(
    (
        *("address", "article", "blockquote", "br", "center", "dd", "div", "dl", "dt", "figure", "footer", "form"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section", "table"),
        *("tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
    )
)
_HIDDEN_TAGS = frozenset(("script", "style", "title"))
_HTML_TAG = re.compile(
    r"<(?:!doctype|html|body|" + "|".join(sorted(_BLOCK_TAGS)) + r")(?:\s[^<>]*)?/?>", re.IGNORECASE
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
_MAX_BODY = 200_000  # characters of a message body to parse; the page shows only the first few hundred


class ContactRecords(NamedTuple):
    """What can be shown of one contact."""

    frames: dict[str, pd.DataFrame]  # by resource; those of _ALL_CONTACTS hold every contact's rows
    refused: dict[str, str]  # resource: why the token cannot read it
    not_cached: list[str]  # resources that were not downloaded yet


def read_records(
    loc: Location, contact_id: str, progress: Progress | None = None, *, download_all: bool = False
) -> ContactRecords:
    """Read the records of a contact.

    Messages and notes take a request or two. Appointments, opportunities and tasks come from the cache, unless
    *download_all* is true: then those of all contacts are downloaded.
    """
    records = ContactRecords({}, {}, [])
    with collect_warnings():
        for name in (*_PER_CONTACT, *_ALL_CONTACTS):
            try:
                if name in _PER_CONTACT:
                    records.frames[name] = getattr(loc, name)(contact_id=contact_id, progress=progress)
                else:
                    source = loc if download_all else loc.cached
                    records.frames[name] = getattr(source, name)(progress=progress)
            except (MissingScope, NotFound) as error:
                records.refused[name] = f"{error.message}: {error.hint}"
            except NotCached:
                records.not_cached.append(name)
    return records


def events(contact_id: str, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per event of the contact in *frames*, newest first, with the columns ``at``, ``resource``, ``text``."""
    rows = []
    for resource, frame in frames.items():
        time_column = _EVENT_COLUMNS[resource][0]
        is_of_contact = frame["contact_id"].eq(contact_id).to_numpy(dtype=bool, na_value=False)
        for _, row in frame[is_of_contact].iterrows():
            rows.append((row[time_column], resource, _event_text(resource, row)))
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    timeline = pd.DataFrame(
        {  # as objects first: pandas would infer a dtype without a time zone if all times are null
            name: pd.Series(list(values), dtype="object").astype(kind.dtype)
            for (name, kind), values in zip(_TIMELINE_COLUMNS.items(), columns, strict=True)
        }
    )
    return timeline.sort_values("at", ascending=False, ignore_index=True)


def _event_text(resource: str, row: pd.Series) -> str:
    parts = []
    for column in _EVENT_COLUMNS[resource][1]:
        text = value_text(row.get(column))
        if column == "body":
            text = plain_text(text, is_email="EMAIL" in value_text(row.get("type")).upper())
        parts.append(text.removeprefix("TYPE_"))
    return " · ".join(filter(None, parts))


def plain_text(body: str, *, is_email: bool = False) -> str:
    """*body* without HTML tags and with entities such as ``&amp;`` decoded.

    Tags are removed from emails and from anything that contains a block tag such as ``<p>``, as editors write it.
    In other messages ``<`` is text that a person typed.
    """
    if not (_HTML_TAG.search(body) or (is_email and "<" in body)):
        return _ENTITY.sub(lambda match: html.unescape(match[0]), body)
    parser = _TextParser()
    try:
        parser.feed(body[:_MAX_BODY])
        parser.close()
    except (AssertionError, ValueError):  # html.parser raises these for some malformed declarations
        return body
    return " ".join("".join(parser.parts).split()) or body


class _TextParser(HTMLParser):
    """Collects the visible text of HTML, with a space between blocks."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden_tag = ""  # the open tag whose text is skipped

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN_TAGS:
            self._hidden_tag = tag
        elif tag in _BLOCK_TAGS:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._hidden_tag:
            self._hidden_tag = ""
        elif tag in _BLOCK_TAGS:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden_tag:
            self.parts.append(data)
