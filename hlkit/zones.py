"""Time zones by their names: IANA's, and the old ones such as US/Central."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

from hlkit.errors import InvalidRequest


def zone_named(name: object) -> ZoneInfo | None:
    """The time zone of that name, if there is one."""
    if not isinstance(name, str) or not name.strip():
        return None
    try:
        return ZoneInfo(name.strip())
    except (KeyError, ValueError, OSError):
        return None


def zone(given: object) -> ZoneInfo:
    """The time zone of that name, or the one that a tzinfo of any library is. Raises ``InvalidRequest``."""
    found = zone_named(_name_of(given) if isinstance(given, dt.tzinfo) else given)
    if found is None:
        raise InvalidRequest(f"there is no time zone {given!r}", hint='write it like "America/Chicago"')
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
    path = re.search(r"zoneinfo/(.+?)'", repr(zone))
    return path[1] if path else None
