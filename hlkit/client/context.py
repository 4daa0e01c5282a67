"""What reading needs to know about a location: its session, id, time zone, cache and custom fields."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pandas as pd

from hlkit.client.arguments import seconds, short
from hlkit.client.cached_downloads import CachePolicy
from hlkit.client.download import Download
from hlkit.client.errors import HlkitError, MissingScope, NotCached, advice
from hlkit.client.frames.builder import RowReader
from hlkit.client.frames.custom_fields import CustomFields, CustomFieldsAsList
from hlkit.client.http.download_records import Record
from hlkit.client.http.progress import Progress
from hlkit.client.http.rate_limit import Quota
from hlkit.client.http.session import Session
from hlkit.client.query import Query, family_of
from hlkit.client.resources import CATALOG
from hlkit.client.schema import Resource
from hlkit.client.timezones import lazy_zone, zone_named
from hlkit.client.warning import collect_warnings, warn


class Readable(Protocol):
    """The part of an endpoint that other resources need: parents, names and definitions are read through it."""

    resource: Resource

    def __call__(self, **options: Any) -> pd.DataFrame: ...

    def raw(self, limit: int | None = 20, **options: Any) -> list[dict[str, Any]]: ...

    def announced_total(self, **options: Any) -> int | None: ...


@dataclass(frozen=True)
class CacheInfo:
    """What the cache has of a resource. ``age`` is in seconds; ``complete`` means all rows, without filters."""

    rows: int
    age: float
    complete: bool


class Context:
    """One location, as the endpoints see it. ``resources`` are the endpoints by name.

    ``name`` is shown until the location is read, and ``timezone`` is used if the token cannot read the location's
    own. ``data_ends`` is set for a simulated location only: the moment at which its data ends, which counts as now.
    """

    resources: Mapping[str, Readable]

    def __init__(
        self,
        session: Session,
        location_id: str,
        *,
        name: str | None = None,
        timezone: str | None = None,
        expire_after: float = 3600.0,
        offline: bool = False,
        data_ends: dt.datetime | None = None,
    ) -> None:
        self.session, self.location_id = session, location_id
        self._expire_after, self.offline = expire_after, offline
        self._given_name, self._fallback_timezone = name, timezone
        self._timezone: ZoneInfo | None = None
        self.data_ends = data_ends
        self._warned: set[str] = set()

    @property
    def name(self) -> str | None:
        """The location's name; the one given if it is not cached, or ``None``. No request."""
        return self._cached_value("name") or self._given_name

    @property
    def timezone(self) -> ZoneInfo:
        """The location's time zone. Without the scope for it: the one given to ``connect``, else UTC.

        Accessing the attribute makes no request, so completion and debuggers make none. The location is read once,
        when the zone is first used, as in ``loc.timezone.key`` or ``tz_convert(loc.timezone)``.
        """
        return lazy_zone(self._read_timezone) if self._timezone is None else self._timezone

    def _read_timezone(self) -> ZoneInfo:
        if self._timezone is None:
            self._timezone = self._look_up_timezone()
        return self._timezone

    def _look_up_timezone(self) -> ZoneInfo:
        zone_name, alternative = None, ""
        try:
            zone_name = next(iter(self.resources["location"]()["timezone"].dropna()), None)
            if zone_name is None:
                problem = "the location has no time zone"
            else:
                problem = f"the location's time zone {short(zone_name)} is unknown"
        except (MissingScope, NotCached) as error:
            alternative = f"{error.hint}; or "
            problem = f"the location's time zone cannot be read ({error.message})"
        for name in (zone_name, self._fallback_timezone):
            zone = zone_named(name)
            if zone is not None:
                return zone
        self._warn_once(f"{problem}: using UTC", f'{alternative}set it with connect(timezone="America/Chicago")')
        return ZoneInfo("UTC")

    @property
    def zone(self) -> str | None:
        """The name of the time zone, as far as it is known without a request."""
        return self._cached_value("timezone") or self._fallback_timezone

    def today(self) -> dt.date:
        """Today's date in the location's time zone; for a simulated location, the date on which its data ends."""
        now = pd.Timestamp.now("UTC") if self.data_ends is None else pd.Timestamp(self.data_ends)
        return now.tz_convert(self.timezone).date()

    @property
    def expire_after(self) -> float:
        """For how many seconds cached data is used. Set it to a number or a ``Timedelta``."""
        return self._expire_after

    @expire_after.setter
    def expire_after(self, value: object) -> None:
        self._expire_after = seconds("expire_after", value)

    @property
    def quota(self) -> Quota:
        """The remaining requests, as of the last response. No request."""
        return self.session.rate_limiter.quota

    # ---- custom fields

    def custom_fields_of(
        self, resource: Resource, *, refresh: bool = False, progress: Progress | None = None
    ) -> CustomFields:
        """The custom fields of *resource*; as one list, with one warning, if their definitions cannot be read."""
        try:
            definitions = self.resources["custom_fields"].raw(None, refresh=refresh, progress=progress)
        except (MissingScope, NotCached) as error:
            self._warn_once(
                f"the custom fields' names cannot be read ({error.message}): their values are in one column, "
                "custom_fields, as a list of id and value",
                error.hint,
            )
            return CustomFieldsAsList()
        return CustomFields.of(definitions, resource.model or "", resource.columns)

    def cached_custom_fields(self, resource: Resource) -> CustomFields | None:
        """The custom fields of *resource* if their definitions are cached. No request."""
        definitions = self._cached_rows("custom_fields") if resource.model else None
        return definitions and CustomFields.of(definitions, resource.model or "", resource.columns)

    # ---- the cache

    def cache_info(self, name: str) -> CacheInfo | None:
        """What the cache has of a resource; ``None`` if it has no rows. No request. Raises ``CacheLocked``."""
        resource = CATALOG[name]
        records = self._unfiltered_records(resource)
        best = next((record for record in records if record.finished_at is not None), next(iter(records), None))
        if best is None:
            return None
        complete = best.finished_at is not None and self._covers_all_parents(resource, best)
        return CacheInfo(best.rows, self.session.cache.age(best), complete)

    def _covers_all_parents(self, resource: Resource, record: Record) -> bool:
        """Whether the download read at least as many parents as are cached, and not only some."""
        if resource.parent is None:
            return True
        parents = self.cache_info(resource.parent.resource)
        return parents is not None and len(json.loads(record.parameters)) >= parents.rows

    def _unfiltered_records(self, resource: Resource) -> list[Record]:
        """The downloads with pages but without filters and dates: those of most parents first, then the newest."""
        families = [family_of({}, all_parents=all_parents) for all_parents in (True, False)]
        queries = [Query(resource, self.location_id, family=family) for family in families]
        family_ids = {query.family_id_in(self.session) for query in queries}
        records = [
            record
            for record in self.session.cache.downloads(resource=resource.name)
            if record.family in family_ids and record.pages
            if record.since is None and record.until is None
        ]
        return sorted(records, key=lambda record: -len(json.loads(record.parameters)))

    def _cached_rows(self, name: str) -> Any:
        """The cached JSON rows of a resource; ``None`` if they are not all cached."""
        resource = CATALOG[name]
        query = Query(resource, self.location_id, resource.parameter_sets)
        download = Download(query, self.session, CachePolicy(offline=True, skip_if_locked=True))
        with collect_warnings():
            try:
                return [row for page in download for row in page.rows]
            except HlkitError:
                return None

    def are_cached(self, name: str, ids: Collection[str]) -> bool:
        """Whether all *ids* are ids of cached rows of a resource. No request."""
        rows = self._cached_rows(name)
        return bool(rows) and set(ids) <= set(RowReader(rows).values(CATALOG[name].columns[0]))

    def _cached_value(self, column: str) -> str | None:
        """A text of the location, if it is cached."""
        rows = self._cached_rows("location")
        value = RowReader(rows).values(CATALOG["location"].column(column))[0] if rows else None
        return value if isinstance(value, str) and value else None

    def _warn_once(self, message: str, hint: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            warn(f"{message}. {advice(hint)}")
