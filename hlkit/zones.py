"""Time zones by their names: IANA's, and the old ones such as US/Central."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hlkit.errors import InvalidRequest


def zone_named(name: object) -> ZoneInfo | None:
    """The time zone of that name, if there is one."""
    if not isinstance(name, str) or not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def zone(name: object) -> ZoneInfo:
    """The time zone of that name. Raises ``InvalidRequest`` where there is none."""
    found = zone_named(name)
    if found is None:
        raise InvalidRequest(f"there is no time zone {name!r}", hint='write it like "America/Chicago"')
    return found
