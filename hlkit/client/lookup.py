"""Filters by name: names are replaced by ids, and values that match nothing are reported.

Users, pipelines, stages, calendars, forms, surveys and tags are few, so they are read completely. If a name is not
among them, it is misspelled or newer than the cache: they are read once more, then an error is raised.

An id is different: it can belong to something deleted that rows still refer to. So it is sent to the server, and
looked up only if the server returns no rows.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from hlkit.client.arguments import short
from hlkit.client.errors import InvalidRequest, MissingScope, NotCached, NotEnabled, NotFound, advice
from hlkit.client.frames.names import NAMED_BY, id_named, near_names
from hlkit.client.options import ReadOptions
from hlkit.client.resources import CATALOG
from hlkit.client.schema import Resource
from hlkit.client.warning import warn

if TYPE_CHECKING:
    from hlkit.client.context import Context
    from hlkit.client.download import Download

_ID = re.compile(r"[A-Za-z0-9-]{16,40}")
_MAX_SHOWN = 5  # ids in a message
_UNREADABLE = (MissingScope, NotEnabled, NotCached)


def resolve_names(context: Context, resource: Resource, options: ReadOptions) -> ReadOptions:
    """The options with names replaced by ids. Raises ``InvalidRequest`` for a name that does not exist."""
    filters, parents = dict(options.filters), options.parents
    for key, names in sorted(options.names.items()):  # in this order a pipeline is resolved before its stage
        index = _NameIndex(context, key, filters.get("pipeline_id"))
        ids = tuple(dict.fromkeys(map(index.id_of, names)))
        if resource.parent is not None and key == resource.parent.key:
            parents = ids
        else:
            filters[key] = ids[0]
    return replace(options, filters=filters, parents=parents, all_parents=parents is None, names={})


def report_empty(context: Context, resource: Resource, options: ReadOptions, download: Download) -> None:
    """Warn about filter values that matched no rows. Raises ``InvalidRequest`` or ``NotFound`` if none exists."""
    if resource.parent is not None:
        if options.parents and not options.all_parents:
            _report_missing_parents(context, resource, options.parents, download)
        elif download.not_found and len(download.not_found) == len(download.query.parameter_sets):
            raise NotFound(
                f"none of the {len(download.not_found):,} {resource.parent.resource} exists any more",
                hint="read them again, with refresh=True",
                resource=resource.name,
            )
        return
    if download.rows:
        return
    unverified = {}
    for name, value in options.filters.items():
        if name == "tag" or name in NAMED_BY:
            index = _NameIndex(context, name)
            missing = index.missing([value])
            if missing is None:
                unverified[name] = value
            elif missing:
                raise index.not_found_error(value)
        elif not resource.filters[name].kind.choices and not _is_cached_id(context, name, value):
            unverified[name] = value
    if unverified:
        conditions = " and ".join(f"{name}={short(value)}" for name, value in unverified.items())
        warn(f"no {resource.name} have {conditions}. {advice('check the spelling')}")


def _is_cached_id(context: Context, name: str, value: str) -> bool:
    """Whether *value* is the id of a cached row, so that it certainly exists."""
    return any(resource.key == name and context.are_cached(resource.name, [value]) for resource in CATALOG.values())


def _report_missing_parents(
    context: Context, resource: Resource, parent_ids: Collection[str], download: Download
) -> None:
    assert resource.parent is not None
    key, param = resource.parent.key, resource.parent.param
    missing = [parameters[param] for parameters in download.not_found]
    without_rows = [parameters[param] for parameters in download.without_rows]
    index = _NameIndex(context, key)
    if key in NAMED_BY:
        missing = (index.missing(without_rows) or missing) if without_rows else []
    if not missing:
        if len(without_rows) == len(parent_ids) and not context.are_cached(resource.parent.resource, without_rows):
            warn(f"no {resource.name} for {key}={_join(without_rows)}. {advice('check the ids')}")
    elif len(missing) < len(parent_ids):
        warn(f"{len(missing)} of {len(parent_ids)} values of {key} are not found: {_join(missing)}")
    elif key in NAMED_BY:
        raise index.not_found_error(missing[0])
    else:
        raise NotFound(
            f"no {resource.parent.resource} with {key} {_join(missing)}",
            hint=f'loc.{resource.parent.resource}()["{key}"] has the ids',
            resource=resource.name,
        )


def _join(ids: list[str]) -> str:
    more = len(ids) - _MAX_SHOWN
    return ", ".join(map(short, ids[:_MAX_SHOWN])) + (f" and {more:,} more" if more > 0 else "")


class _NameIndex:
    """The names, by id, that a filter on *key* can take. Tags have no ids: theirs are the names themselves.

    ``pipeline_id`` limits stages to those of one pipeline.
    """

    def __init__(self, context: Context, key: str, pipeline_id: str | None = None) -> None:
        self.context, self.key, self.pipeline_id = context, key, pipeline_id
        self.option, self.resource = NAMED_BY.get(key, (key, f"{key}s"))
        self.noun = self.resource.removesuffix("s")
        self._names: pd.Series | None = None

    def names(self, refresh: bool = False) -> pd.Series:
        if self._names is None or refresh:
            self._names = self._read(refresh)
        return self._names

    def _read(self, refresh: bool) -> pd.Series:
        frame: pd.DataFrame = self.context.resources[self.resource](refresh=refresh)
        if self.key == "stage_id" and self.pipeline_id is not None:
            frame = frame[frame["pipeline_id"] == self.pipeline_id]
        key = "name" if self.key == "tag" else CATALOG[self.resource].key
        return frame.dropna(subset=[key]).drop_duplicates(key).set_index(key, drop=False)["name"]

    def id_of(self, name_or_id: str) -> str:
        """The id with this name; an id unchanged.

        Raises ``InvalidRequest`` if there is none, and the error of reading the names if a name cannot be looked up.
        """
        try:
            names = self.names()
        except _UNREADABLE as error:
            if self.key == "tag" or _ID.fullmatch(name_or_id):
                return name_or_id
            raise type(error)(
                f"cannot look up {self.option}={short(name_or_id)} in {self.resource}: {error.message}",
                hint=f"{error.hint}; or give {self.key}",
                status=error.status,
                resource=self.resource,
            ) from None
        is_any_pipeline = self.key == "stage_id" and self.pipeline_id is None
        alternative = "add pipeline=, or " if is_any_pipeline else ""
        matched_id = id_named(self.noun, name_or_id, names, alternative)
        if matched_id is None and not self.context.offline:
            matched_id = id_named(self.noun, name_or_id, self.names(refresh=True), alternative)
        if matched_id is None and self.key != "tag" and _ID.fullmatch(name_or_id):
            return name_or_id
        if matched_id is None:
            raise self.not_found_error(name_or_id)
        return matched_id

    def missing(self, ids: list[str]) -> list[str] | None:
        """The *ids* that do not exist; ``None`` if the names cannot be read."""
        try:
            names = self.names()
            if not set(ids) <= set(names.index) and not self.context.offline:
                names = self.names(refresh=True)
        except _UNREADABLE:
            return None
        return [row_id for row_id in ids if row_id not in names.index]

    def not_found_error(self, name_or_id: str) -> InvalidRequest:
        """The error for a name or id that does not exist. Its hint has the closest name."""
        attribute = "id" if _ID.fullmatch(name_or_id) else "name"
        where = " in that pipeline" if self.key == "stage_id" and self.pipeline_id is not None else ""
        where += " in the cache (offline)" if self.context.offline else ""
        return InvalidRequest(
            f"no {self.noun} has the {attribute} {short(name_or_id)}{where}",
            hint=near_names(name_or_id, self.names()),
            resource=self.resource,
        )
