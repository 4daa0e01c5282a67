"""Time zones by their names: IANA's, and the old ones such as US/Central; and one that is not read yet."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from hlkit.client.dates import short
from hlkit.client.errors import InvalidRequest


def zone_named(name: object) -> ZoneInfo | None:
    """The time zone of that name, whatever its case, if there is one."""
    if not isinstance(name, str) or not name.strip():
        return None
    try:
        return ZoneInfo(name.strip())
    except (KeyError, ValueError, OSError):
        spelled = _spelled().get(name.strip().casefold())
        return None if spelled is None else ZoneInfo(spelled)


@functools.cache
def _spelled() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


def zone(given: object) -> ZoneInfo:
    """The time zone of that name, or the one that a tzinfo of any library is. Raises ``InvalidRequest``."""
    found = zone_named(_name_of(given) if isinstance(given, dt.tzinfo) else given)
    if found is None:
        raise InvalidRequest(f"there is no time zone {short(given)}", hint='write it like "America/Chicago"')
    return found


def _name_of(zone: dt.tzinfo) -> str | None:
    """What IANA calls it: zoneinfo says so in ``key``, pytz in ``zone``, dateutil in the path of its file."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if isinstance(name, str):
        return name
    offset = zone.utcoffset(None)
    if offset is not None:  # a fixed one has a name where it is whole hours; its sign is the other way round
        hours = offset / dt.timedelta(hours=1)
        return f"Etc/GMT{-int(hours):+d}" if hours.is_integer() and hours else "UTC" if not hours else None
    path = re.search(r"tzfile\('(?:.*zoneinfo/)?(.+?)'\)", repr(zone))
    return path[1] if path else None


class UnreadZone(ZoneInfo):
    """A time zone that is read when it is first used: by pandas, by datetime, or for its ``key``.

    To look at it (``repr``, ``dir``, a copy, completion) reads nothing. Make one with ``unread``: it stands on no
    data of its own.
    """

    _read: Callable[[], ZoneInfo]
    _zone: ZoneInfo | None = None

    def _now(self) -> ZoneInfo:
        if self._zone is None:
            self._zone = self._read()
        return self._zone

    @property
    def key(self) -> str:
        """The IANA name."""
        return self._now().key

    def utcoffset(self, when: dt.datetime | None, /) -> dt.timedelta | None:
        return self._now().utcoffset(when)

    def dst(self, when: dt.datetime | None, /) -> dt.timedelta | None:
        return self._now().dst(when)

    def tzname(self, when: dt.datetime | None, /) -> str | None:
        return self._now().tzname(when)

    def fromutc(self, when: dt.datetime, /) -> dt.datetime:
        zone = self._now()
        return zone.fromutc(when.replace(tzinfo=zone)).replace(tzinfo=self)

    def __str__(self) -> str:
        return self.key

    def __repr__(self) -> str:
        return "<time zone, not read yet: its key reads it>" if self._zone is None else repr(self._zone)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Alone in a cell of a notebook it is wanted: read."""
        printer.text(repr(self._now()))

    def __eq__(self, other: object) -> bool:
        return self is other or self._now() == (other._now() if isinstance(other, UnreadZone) else other)

    def __hash__(self) -> int:
        return hash(self._now())

    def __reduce__(self) -> tuple[Any, ...]:
        return ZoneInfo, (self.key,)

    def __copy__(self) -> UnreadZone:
        return self

    def __deepcopy__(self, memo: object) -> UnreadZone:
        return self


def unread(read: Callable[[], ZoneInfo]) -> ZoneInfo:
    """The time zone that *read* gives, when it is first used."""
    zone = UnreadZone.no_cache("UTC")
    zone._read = read
    return zone
