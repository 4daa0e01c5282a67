"""A location: its resources, its analyses and its card. It joins the catalogue, the wire and the tables."""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import json
import re
import textwrap
from collections.abc import Collection
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pandas as pd

from hlkit.choices import seconds
from hlkit.dates import short
from hlkit.errors import CacheLocked, HlkitError, InvalidRequest, MissingScope, NotKept, WrongLocation, advice
from hlkit.paths import SPELLINGS, location_parameter
from hlkit.reader import Reader
from hlkit.resource import Resource
from hlkit.resources import CATALOGUE
from hlkit.tables.frames import CustomFields, column_values
from hlkit.tables.names import named
from hlkit.tables.text import INK, many, pairs_html, printable
from hlkit.warning import told, warn
from hlkit.wire.body import decode
from hlkit.wire.cache import Cache
from hlkit.wire.downloads import Record
from hlkit.wire.pacing import Quota, duration
from hlkit.wire.session import Session
from hlkit.wire.walk import Freshness, Question, Walk
from hlkit.wire.watch import Watch, default
from hlkit.zones import unread, zone_named

if TYPE_CHECKING:
    from hlkit.asking import Askers
    from hlkit.sim import Simulation


@dataclass(frozen=True)
class Kept:
    """What is kept of a resource, as the card tells it."""

    rows: int
    age: float
    complete: bool


def _has_rows(kept: Kept) -> bool:
    return kept.complete or kept.rows > 0


class Location:
    """One HighLevel sub-account, as pandas sees it. ``loc`` alone in a cell is its card.

    Every resource is an attribute: ``loc.contacts()`` is a DataFrame, ``loc.contacts?`` tells of it.
    """

    def __init__(
        self,
        session: Session,
        location_id: str,
        *,
        timezone: str | None = None,
        expire_after: float = 3600.0,
        offline: bool = False,
        connected_by: str = "arguments",
        simulation: Simulation | None = None,
    ) -> None:
        self.session, self.location_id = session, location_id
        self._expire_after, self.offline = expire_after, offline
        self.connected_by = connected_by
        self._given_timezone = timezone
        self._timezone: ZoneInfo | None = None
        self._simulation = simulation  # lives as long as its location
        self._readers = {name: Reader(self, resource) for name, resource in CATALOGUE.items()}
        self._warned: set[str] = set()

    def __getattr__(self, name: str) -> Reader:
        readers: dict[str, Reader] = self.__dict__.get("_readers", {})
        if name in readers:
            return readers[name]
        if hasattr(type(self), name):  # a property failed within: asked again, for its own error
            return object.__getattribute__(self, name)  # type: ignore[no-any-return]
        near = difflib.get_close_matches(name, dir(self), n=1)
        guess = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(dir(self))}"
        raise AttributeError(f"a location has no {name!r}{guess}", name=name, obj=None)  # else Python guesses too

    def __dir__(self) -> list[str]:
        own = (
            "analyses",
            "check",
            "costs",
            "get",
            "kept",
            "named",
            "timezone",
            "quota",
            "name",
            "location_id",
            "offline",
            "expire_after",
        )
        return [*CATALOGUE, *own]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a location is not pickled or copied, since it holds a token; connect again instead")

    # ---- what it knows of itself

    @property
    def name(self) -> str | None:
        """The location's name, once it was read. No request."""
        return self._told("name")

    @property
    def timezone(self) -> ZoneInfo:
        """The location's time zone; without the scope for it the one given to ``connect``, else UTC.

        To look at it (completion, a debugger, ``repr``) asks nobody: the location is read, once, when the zone is
        first used, as in ``loc.timezone.key`` and ``tz_convert(loc.timezone)``.
        """
        return unread(self._read_timezone) if self._timezone is None else self._timezone

    def _read_timezone(self) -> ZoneInfo:
        if self._timezone is None:
            self._timezone = self._found_timezone()
        return self._timezone

    def _found_timezone(self) -> ZoneInfo:
        try:
            told, way = next(iter(self.location()["timezone"].dropna()), None), ""
            why = "the location names no time zone" if told is None else f"there is no time zone {short(told)}"
        except MissingScope as refused:
            told, way = None, f"{refused.hint}; or "
            why = "the token may not read the location's time zone"
        except NotKept as missing:
            told, way = None, f"{missing.hint}; or "
            why = "the location was never read, and offline=True asks no server"
        for name in (told, self._given_timezone):
            zone = zone_named(name)
            if zone is not None:
                return zone
        self._warn_once(f"{why}: taking UTC", f'{way}say which it is, as in connect(timezone="America/Chicago")')
        return ZoneInfo("UTC")

    @property
    def expire_after(self) -> float:
        """For how many seconds what is cached serves; set it to a number or a ``Timedelta``."""
        return self._expire_after

    @expire_after.setter
    def expire_after(self, given: object) -> None:
        self._expire_after = seconds("expire_after", given)

    @property
    def analyses(self) -> Askers:
        """The questions that can be asked of it: ``loc.analyses.speed_to_lead(by="source")``."""
        from hlkit.asking import Askers

        return Askers(self)

    @property
    def kept(self) -> Location:
        """The same location, of what is kept alone: ``loc.kept.contacts()`` asks no server, whatever its age."""
        return self if self.offline else self._offline

    @functools.cached_property
    def _offline(self) -> Location:
        return Location(
            self.session,
            self.location_id,
            timezone=self._given_timezone,
            offline=True,
            connected_by=self.connected_by,
            simulation=self._simulation,
        )

    @property
    def data_ends(self) -> dt.datetime | None:
        """When the data of a simulated location ends; ``None`` for a real one, which goes on."""
        return None if self._simulation is None else self._simulation.as_of

    def today(self) -> dt.date:
        """The day that it is there, on the calendar of its time zone; of a simulated location when its data ends."""
        ends = pd.Timestamp.now("UTC") if self.data_ends is None else pd.Timestamp(self.data_ends)
        return ends.tz_convert(self.timezone).date()

    @property
    def zone(self) -> str | None:
        """The name of its time zone as far as it is known without a request."""
        return self._told("timezone") or self._given_timezone

    @property
    def quota(self) -> Quota:
        """The requests that are left, as the last answer told. No request."""
        return self.session.pacer.quota

    def get(self, path: str, *, version: str = "2021-07-28", refresh: bool = False, **params: Any) -> Any:
        """The JSON of any path that reads, for what the catalogue lacks: same token, cache and pacing.

        ``loc.get("/contacts/", limit=10)``, ``loc.get("/contacts/{contactId}/notes", contactId="...")``.

        The location is filled in as the path wants it: ``{locationId}`` in the path, and ``locationId``,
        ``location_id``, or ``altId`` with ``altType`` among the parameters. One that you give stays, and
        ``locationId=None`` sends none. A path that HighLevel's specification does not have gets what you give, and
        no more. Raises ``HlkitError``.
        """
        params = self._with_location(path, params, version)
        path = self._filled(path, params)
        passes = ({name: value for name, value in params.items() if value is not None},)
        resource = Resource(
            name=f"GET {path}", path=path, rows="$", doc="", columns=(), location=None, version=version
        )
        walk = Walk(
            Question(resource, self.location_id, passes),
            self.session,
            Freshness(self.expire_after, refresh, self.offline),
            watch=default(),
            read=decode,
        )
        try:
            (told,) = walk
        except WrongLocation as error:
            if self.location_id not in (*params.values(), *path.split("/")):
                error.hint = 'give locationId=loc.location_id, or altId=loc.location_id with altType="location"'
            raise
        finally:
            walk.watch.close()
        return told.envelope.get("$", told.envelope)

    def _with_location(self, path: str, params: dict[str, Any], version: str) -> dict[str, Any]:
        """The parameters, and the one among them that names the location, where *path* wants it."""
        if not isinstance(path, str):
            raise InvalidRequest(f"a path is text, not {type(path).__name__}", hint='write it like "/contacts/"')
        parameter = location_parameter(path, version)
        given = [params[name] for name in SPELLINGS if name in params]
        location = given[0] if given else self.location_id
        if parameter is None or location is None:
            return params
        alternative = {"altType": "location"} if parameter == "altId" else {}
        return {parameter: location} | alternative | params

    def _filled(self, path: str, params: dict[str, Any]) -> str:
        """The path with what stands in braces; those parameters are taken out."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            given = params.pop(name, None)
            given = self.location_id if name == "locationId" and given is None else given
            if given is None or given == "":
                raise InvalidRequest(f"the path holds {match[0]}, and {name} is not given", hint=f"add {name}=...")
            return quote(str(given), safe="")

        return re.sub(r"\{(\w+)\}", value, path)

    def check(self, *, watch: Watch | None = None) -> pd.DataFrame:
        """May the token read each resource, how much is there, what would it cost? One cheap call each.

        A row for each resource: ``readable`` (null where the server failed), ``rows``, ``requests`` and
        ``minutes`` to download all of it, the ``scope`` it wants and the ``problem`` where there is one. Look
        at ``loc.quota`` beside it.
        """
        from hlkit.check import check

        return check(self, watch)

    def costs(self, *names: str) -> pd.DataFrame:
        """What reading each of these resources (all, without names) would cost now. No request.

        A row each: ``rows`` and ``age_s`` (seconds) of what is kept, and ``requests``: 0 while that is fresh,
        null where it was never read to its end. ``loc.check()`` asks the server.
        """
        from hlkit.check import costs

        return costs(self, names or CATALOGUE)

    def named(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A copy of *frame* with names beside its ids: owner, user, pipeline, stage, calendar, form ...

        The names are read once and kept. Where the token may not read them, they are left out with a warning.
        Raises ``InvalidRequest`` where the frame has an id more than once, or headings of several levels.
        """
        return named(frame, self._names)

    def _names(self, name: str) -> pd.Series | None:
        key = CATALOGUE[name].key
        try:
            known = self._readers[name]()
        except (MissingScope, NotKept) as refused:
            self._warn_once(f"the names of {name} are left out: {refused.message}", refused.hint)
            return None
        return known.drop_duplicates(key).set_index(key)["name"]

    # ---- custom fields

    def custom_fields_of(
        self, resource: Resource, *, refresh: bool = False, watch: Watch | None = None
    ) -> CustomFields | None:
        """The columns of the custom fields of *resource*; ``None``, with one warning, without their scope."""
        try:
            definitions = self.custom_fields.raw(None, refresh=refresh, watch=watch)
        except (MissingScope, NotKept) as refused:
            self._warn_once(
                f"the custom fields' names are not known ({refused.message}): they stand in one column, "
                "custom_fields, as a list of id and value",
                refused.hint,
            )
            return None
        return CustomFields.of(definitions, resource.model or "", resource.columns)

    def kept_custom_fields(self, resource: Resource) -> CustomFields | None:
        """The same from what is kept; no request."""
        definitions = self._kept_rows("custom_fields") if resource.model else None
        return definitions and CustomFields.of(definitions, resource.model or "", resource.columns)

    # ---- what is kept

    def kept_of(self, name: str) -> Kept | None:
        """How much is kept of a resource, and how old it is; no request. Raises ``CacheLocked``."""
        resource = CATALOGUE[name]
        records = [one for one in self._records(resource) if one.resource == resource.name and one.pages]
        whole = [one for one in records if one.finished is not None]
        best = next(iter(whole or records), None)
        if best is None:
            return None
        complete = best.finished is not None and self._is_of_all(resource, best)
        return Kept(best.rows, self.session.cache.age(best), complete)

    def _is_of_all(self, resource: Resource, record: Record) -> bool:
        """Whether each parent that is known was asked for, and not some that were chosen."""
        if resource.parent is None:
            return True
        parents = self.kept_of(resource.parent.resource)
        return parents is not None and len(json.loads(record.parameters)) >= parents.rows

    def _records(self, resource: Resource) -> list[Record]:
        """The walks over the whole resource, newest first; those over the most parents where each has its request."""
        cache: Cache = self.session.cache
        if resource.parent is not None:
            walks = [
                one for one in cache.walks() if one.resource == resource.name and self._is_all_time(resource, one)
            ]
            return sorted(walks, key=lambda record: -len(json.loads(record.parameters)))
        question = Question(resource, self.location_id, resource.passes)
        return cache.walks(self.session.question(resource.method, question.path, resource.version, question.firsts))

    def _is_all_time(self, resource: Resource, record: Record) -> bool:
        """Whether it was asked of its parents without a choice beside."""
        assert resource.parent is not None
        name, asked = resource.parent.param, json.loads(record.parameters)
        own = {} if resource.span is None else resource.span.parameters(None, None)
        whole = Question(resource, self.location_id, tuple({name: one.get(name), **own} for one in asked))
        return whole.firsts == asked  # type: ignore[no-any-return]

    def _kept_rows(self, name: str) -> Any:
        resource = CATALOGUE[name]
        question = Question(resource, self.location_id, resource.passes)
        walk = Walk(question, self.session, Freshness(offline=True), lock_patience=0.0)
        with told():
            try:
                return [row for page in walk for row in page.rows]
            except HlkitError:
                return None

    def are_kept(self, name: str, ids: Collection[str]) -> bool:
        """Whether all these ids are among the rows of a resource that are kept; no request."""
        rows = self._kept_rows(name)
        return bool(rows) and set(ids) <= set(column_values(rows, CATALOGUE[name].columns[0]))

    def _told(self, name: str) -> str | None:
        rows = self._kept_rows("location")
        value = column_values(rows, CATALOGUE["location"].column(name))[0] if rows else None
        return value if isinstance(value, str) and value else None

    def _warn_once(self, words: str, hint: str) -> None:
        if words not in self._warned:
            self._warned.add(words)
            warn(f"{words}. {advice(hint)}")

    # ---- the card

    def _facts(self, name: str | None) -> list[tuple[str, str]]:
        cache: Cache = self.session.cache
        return [
            ("location", f"{name} ({self.location_id})" if name else self.location_id),
            ("time zone", self.zone or "not read yet"),
            ("connected by", self.connected_by + (", offline" if self.offline else "")),
            ("quota", str(self.quota)),
            ("kept in", str(cache.path) if cache.path else "memory"),
        ]

    def _read_so_far(self) -> list[tuple[str, str]]:
        """Each resource that is kept: how to get it, and how much and how old it is."""
        lines = []
        for resource in CATALOGUE.values():
            try:
                kept = self.kept_of(resource.name)
            except CacheLocked as locked:
                return [("the cache", locked.message)]
            if kept is not None and _has_rows(kept):
                rows = many(kept.rows, "row")
                told = rows if kept.complete else f"the first {rows}, not all"
                lines.append((f"loc.{resource.name}()", f"{told}, read {duration(kept.age)} ago"))
        return lines

    def _not_read(self) -> str:
        try:
            kept = {name: self.kept_of(name) for name in CATALOGUE}
        except CacheLocked:
            return "not known for the moment"
        names = [name for name, one in kept.items() if one is None or not _has_rows(one)]
        return ", ".join(names) or "nothing"

    def __repr__(self) -> str:
        lines = [*self._facts(self.name), *self._read_so_far()]
        told = "\n".join(f"  {name:<25} {printable(value)}" for name, value in lines)
        rest = textwrap.fill(self._not_read(), 96, initial_indent="  not read yet: ", subsequent_indent="    ")
        return f"Location\n{told}\n{rest}"

    def _repr_html_(self) -> str:
        return self.card_html(self.name)

    def card_html(self, called: str | None) -> str:
        """The card, with the location *called* so."""
        facts = [(escape(name), escape(value)) for name, value in self._facts(called)]
        kept = [(f"<code>{escape(name)}</code>", escape(value)) for name, value in self._read_so_far()]
        box = f"display:inline-block;max-width:60em;border:1px solid #bbb;padding:8px 12px;{INK}"
        rows = pairs_html([*facts, *kept, ("not read yet", escape(self._not_read()))])
        return f'<div style="{box}">{rows}</div>'
