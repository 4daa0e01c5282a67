"""The catalog: one entry of data per resource, one file per area. New entries are found automatically."""

from __future__ import annotations

from hlkit.client.resources import calendars, conversations, crm, forms, location, marketing, money, work
from hlkit.client.schema import Resource

_AREAS = (crm, conversations, calendars, work, forms, money, marketing, location)

CATALOG: dict[str, Resource] = {
    entry.name: entry for area in _AREAS for entry in vars(area).values() if isinstance(entry, Resource)
}
AREAS: dict[str, str] = {
    entry.name: area.__name__.rpartition(".")[2]
    for area in _AREAS
    for entry in vars(area).values()
    if isinstance(entry, Resource)
}
