"""Time zones by name (IANA names and older ones such as US/Central), and a time zone that loads when first used."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from hlkit.client.arguments import short
from hlkit.client.errors import InvalidRequest


def zone_named(name: object) -> ZoneInfo | None:
    """The time zone with that name, in any case; ``None`` if there is none."""
    if not isinstance(name, str) or not name.strip():
        return None
    try:
        return ZoneInfo(name.strip())
    except (KeyError, ValueError, OSError):
        exact_name = _names_by_lowercase().get(name.strip().casefold())
        return None if exact_name is None else ZoneInfo(exact_name)


@functools.cache
def _names_by_lowercase() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


def zone(value: object) -> ZoneInfo:
    """The time zone from its name, or from a tzinfo of any library. Raises ``InvalidRequest``."""
    result = zone_named(_name_of(value) if isinstance(value, dt.tzinfo) else value)
    if result is None:
        raise InvalidRequest(f"there is no time zone {short(value)}", hint='write it like "America/Chicago"')
    return result


def _name_of(zone: dt.tzinfo) -> str | None:
    """The IANA name: in ``key`` (zoneinfo), ``zone`` (pytz), or the path of the file (dateutil)."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if isinstance(name, str):
        return name
    offset = zone.utcoffset(None)
    if offset is not None:  # a fixed offset: IANA has names for whole hours, with the sign reversed
        hours = offset / dt.timedelta(hours=1)
        return f"Etc/GMT{-int(hours):+d}" if hours.is_integer() and hours else "UTC" if not hours else None
    path = re.search(r"tzfile\('(?:.*zoneinfo/)?(.+?)'\)", repr(zone))
    return path[1] if path else None


class LazyZone(ZoneInfo):
    """A time zone that is loaded when first used: by pandas, by datetime, or for its ``key``.

    ``repr``, ``dir``, copies and tab completion do not load it. Create one with ``lazy_zone``.
    """

    _load: Callable[[], ZoneInfo]
    _zone: ZoneInfo | None = None

    def _loaded(self) -> ZoneInfo:
        if self._zone is None:
            self._zone = self._load()
        return self._zone

    @property
    def key(self) -> str:
        """The IANA name."""
        return self._loaded().key

    def utcoffset(self, when: dt.datetime | None, /) -> dt.timedelta | None:
        return self._loaded().utcoffset(when)

    def dst(self, when: dt.datetime | None, /) -> dt.timedelta | None:
        return self._loaded().dst(when)

    def tzname(self, when: dt.datetime | None, /) -> str | None:
        return self._loaded().tzname(when)

    def fromutc(self, when: dt.datetime, /) -> dt.datetime:
        zone = self._loaded()
        return zone.fromutc(when.replace(tzinfo=zone)).replace(tzinfo=self)

    def __str__(self) -> str:
        return self.key

    def __repr__(self) -> str:
        return "<time zone, not loaded yet; .key loads it>" if self._zone is None else repr(self._zone)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """As the last line of a notebook cell: load it."""
        printer.text(repr(self._loaded()))

    def __eq__(self, other: object) -> bool:
        return self is other or self._loaded() == (other._loaded() if isinstance(other, LazyZone) else other)

    def __hash__(self) -> int:
        return hash(self._loaded())

    def __reduce__(self) -> tuple[Any, ...]:
        return ZoneInfo, (self.key,)

    def __copy__(self) -> LazyZone:
        return self

    def __deepcopy__(self, memo: object) -> LazyZone:
        return self


def lazy_zone(load: Callable[[], ZoneInfo]) -> ZoneInfo:
    """A time zone that calls *load* when it is first used."""
    zone = LazyZone.no_cache("UTC")
    zone._load = load
    return zone
