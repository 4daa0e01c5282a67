"""What a read needs to know of its location: the session, the id, the time zone, how fresh, and what is cached."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pandas as pd

from hlkit.client.dates import short
from hlkit.client.download import CachePolicy, Download, Query
from hlkit.client.errors import HlkitError, MissingScope, NotCached, advice
from hlkit.client.frames.builder import CustomFields, column_values
from hlkit.client.http.cache import Cache
from hlkit.client.http.download_records import Record
from hlkit.client.http.progress import Progress
from hlkit.client.http.rate_limit import Quota
from hlkit.client.http.session import Session
from hlkit.client.options import seconds
from hlkit.client.resources import CATALOG
from hlkit.client.schema import Resource
from hlkit.client.timezones import lazy_zone, zone_named
from hlkit.client.warning import collect_warnings, warn


class Readable(Protocol):
    """What reading one resource may want of another: its rows, as a frame or untouched."""

    resource: Resource

    def __call__(self, **options: Any) -> pd.DataFrame: ...

    def raw(self, limit: int | None = 20, **options: Any) -> list[dict[str, Any]]: ...

    def announced(self, **options: Any) -> int | None: ...


@dataclass(frozen=True)
class CacheInfo:
    """What is cached of a resource: ``age`` in seconds."""

    rows: int
    age: float
    complete: bool


class Context:
    """One location as its reads see it. ``resources`` are its endpoints by name."""

    resources: Mapping[str, Readable]

    def __init__(
        self,
        session: Session,
        location_id: str,
        *,
        timezone: str | None = None,
        expire_after: float = 3600.0,
        offline: bool = False,
        data_ends: dt.datetime | None = None,
    ) -> None:
        self.session, self.location_id = session, location_id
        self._expire_after, self.offline = expire_after, offline
        self._given_timezone = timezone
        self._timezone: ZoneInfo | None = None
        self.data_ends = data_ends  # of a simulated location; a real one's data goes on
        self._warned: set[str] = set()

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
        return lazy_zone(self._read_timezone) if self._timezone is None else self._timezone

    def _read_timezone(self) -> ZoneInfo:
        if self._timezone is None:
            self._timezone = self._found_timezone()
        return self._timezone

    def _found_timezone(self) -> ZoneInfo:
        try:
            told, way = next(iter(self.resources["location"]()["timezone"].dropna()), None), ""
            why = "the location names no time zone" if told is None else f"there is no time zone {short(told)}"
        except MissingScope as refused:
            told, way = None, f"{refused.hint}; or "
            why = "the token may not read the location's time zone"
        except NotCached as missing:
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
    def quota(self) -> Quota:
        """The requests that are left, as the last answer told. No request."""
        return self.session.rate_limiter.quota

    def today(self) -> dt.date:
        """The day that it is there, on the calendar of its time zone; of a simulated location when its data ends."""
        ends = pd.Timestamp.now("UTC") if self.data_ends is None else pd.Timestamp(self.data_ends)
        return ends.tz_convert(self.timezone).date()

    @property
    def zone(self) -> str | None:
        """The name of its time zone as far as it is known without a request."""
        return self._told("timezone") or self._given_timezone

    # ---- custom fields

    def custom_fields_of(
        self, resource: Resource, *, refresh: bool = False, progress: Progress | None = None
    ) -> CustomFields | None:
        """The columns of the custom fields of *resource*; ``None``, with one warning, without their scope."""
        try:
            definitions = self.resources["custom_fields"].raw(None, refresh=refresh, progress=progress)
        except (MissingScope, NotCached) as refused:
            self._warn_once(
                f"the custom fields' names are not known ({refused.message}): they stand in one column, "
                "custom_fields, as a list of id and value",
                refused.hint,
            )
            return None
        return CustomFields.of(definitions, resource.model or "", resource.columns)

    def cached_custom_fields(self, resource: Resource) -> CustomFields | None:
        """The same from what is kept; no request."""
        definitions = self._cached_rows("custom_fields") if resource.model else None
        return definitions and CustomFields.of(definitions, resource.model or "", resource.columns)

    # ---- what is kept

    def cache_info(self, name: str) -> CacheInfo | None:
        """How much is kept of a resource, and how old it is; no request. Raises ``CacheLocked``."""
        resource = CATALOG[name]
        records = [one for one in self._records(resource) if one.resource == resource.name and one.pages]
        whole = [one for one in records if one.finished is not None]
        best = next(iter(whole or records), None)
        if best is None:
            return None
        complete = best.finished is not None and self._is_of_all(resource, best)
        return CacheInfo(best.rows, self.session.cache.age(best), complete)

    def _is_of_all(self, resource: Resource, record: Record) -> bool:
        """Whether each parent that is known was asked for, and not some that were chosen."""
        if resource.parent is None:
            return True
        parents = self.cache_info(resource.parent.resource)
        return parents is not None and len(json.loads(record.parameters)) >= parents.rows

    def _records(self, resource: Resource) -> list[Record]:
        """The walks over the whole resource, newest first; those over the most parents where each has its request."""
        cache: Cache = self.session.cache
        if resource.parent is not None:
            walks = [
                one for one in cache.downloads() if one.resource == resource.name and self._is_all_time(resource, one)
            ]
            return sorted(walks, key=lambda record: -len(json.loads(record.parameters)))
        question = Query(resource, self.location_id, resource.parameter_sets)
        return cache.downloads(
            self.session.query_id(resource.method, question.path, resource.version, question.first_requests)
        )

    def _is_all_time(self, resource: Resource, record: Record) -> bool:
        """Whether it was asked of its parents without a choice beside."""
        assert resource.parent is not None
        name, asked = resource.parent.param, json.loads(record.parameters)
        own = {} if resource.span is None else resource.span.parameters(None, None)
        whole = Query(resource, self.location_id, tuple({name: one.get(name), **own} for one in asked))
        return whole.first_requests == asked  # type: ignore[no-any-return]

    def _cached_rows(self, name: str) -> Any:
        resource = CATALOG[name]
        question = Query(resource, self.location_id, resource.parameter_sets)
        walk = Download(question, self.session, CachePolicy(offline=True), lock_timeout=0.0)
        with collect_warnings():
            try:
                return [row for page in walk for row in page.rows]
            except HlkitError:
                return None

    def are_cached(self, name: str, ids: Collection[str]) -> bool:
        """Whether all these ids are among the rows of a resource that are kept; no request."""
        rows = self._cached_rows(name)
        return bool(rows) and set(ids) <= set(column_values(rows, CATALOG[name].columns[0]))

    def _told(self, name: str) -> str | None:
        rows = self._cached_rows("location")
        value = column_values(rows, CATALOG["location"].column(name))[0] if rows else None
        return value if isinstance(value, str) and value else None

    def _warn_once(self, words: str, hint: str) -> None:
        if words not in self._warned:
            self._warned.add(words)
            warn(f"{words}. {advice(hint)}")
