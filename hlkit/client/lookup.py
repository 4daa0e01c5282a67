"""Filters by name: names become ids, and what matched nothing is reported.

Users, pipelines, stages, calendars, forms, surveys and tags are few and read whole. A name that is not among them
is wrong or newer than what is cached: they are read once more, then it is refused. An id may be that of something
deleted which rows still bear, so the server is asked; only where it has no row is the id looked up.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from hlkit.client.dates import short
from hlkit.client.errors import HlkitError, InvalidRequest, MissingScope, NotCached, NotEnabled, NotFound, advice
from hlkit.client.frames.names import NAMED_BY, id_named, near_names
from hlkit.client.options import ReadOptions
from hlkit.client.resources import CATALOG
from hlkit.client.schema import Resource
from hlkit.client.warning import warn

if TYPE_CHECKING:
    from hlkit.client.context import Context
    from hlkit.client.download import Download

_ID = re.compile(r"[A-Za-z0-9-]{16,40}")
_SHOWN = 5  # ids in a message
_UNREADABLE = (MissingScope, NotEnabled, NotCached)


def with_ids(context: Context, resource: Resource, choices: ReadOptions) -> ReadOptions:
    """The choices with the ids of what was named. Raises ``InvalidRequest`` for a name that nothing has."""
    filters, parents = dict(choices.filters), choices.parents
    for key, names in sorted(choices.names.items()):  # a pipeline before its stage
        known = _Known(context, key, filters.get("pipeline_id"))
        ids = tuple(dict.fromkeys(map(known.id_of, names)))
        if resource.parent is not None and key == resource.parent.key:
            parents = ids
        else:
            filters[key] = ids[0]
    return replace(choices, filters=filters, parents=parents, names={})


def report_empty(context: Context, resource: Resource, choices: ReadOptions, walk: Download) -> None:
    """Say which values matched nothing. Raises ``InvalidRequest`` or ``NotFound`` where none of them exists."""
    if resource.parent is not None:
        if choices.parents and not choices.all_parents:
            _report_parents(context, resource, choices.parents, walk)
        elif walk.not_found and len(walk.not_found) == len(walk.query.parameter_sets):
            raise NotFound(
                f"none of the {len(walk.not_found):,} {resource.parent.resource} is found any more",
                hint="read them anew, with refresh=True",
                resource=resource.name,
            )
        return
    doubtful = {}
    for name, value in choices.filters.items() if not walk.rows else ():
        if name == "tag" or name in NAMED_BY:
            known = _Known(context, name)
            unknown = known.unknown([value])
            if unknown is None:
                doubtful[name] = value
            elif unknown:
                raise known.refusal(value)
        elif not resource.filters[name].kind.choices and not _is_kept(context, name, value):
            doubtful[name] = value
    if doubtful:
        what = " and ".join(f"{name}={short(value)}" for name, value in doubtful.items())
        warn(f"no {resource.name} have {what}. {advice('check how it is spelled')}")


def _is_kept(context: Context, name: str, value: str) -> bool:
    """Whether this is the id of a row that is cached: then that it has none of these is no news."""
    return any(resource.key == name and context.are_cached(resource.name, [value]) for resource in CATALOG.values())


def _report_parents(context: Context, resource: Resource, given: Collection[str], walk: Download) -> None:
    assert resource.parent is not None
    key, param = resource.parent.key, resource.parent.param
    unknown, empty = [own[param] for own in walk.not_found], [own[param] for own in walk.without_rows]
    known = _Known(context, key)
    if key in NAMED_BY:
        unknown = (known.unknown(empty) or unknown) if empty else []
    if not unknown and len(empty) == len(given) and not context.are_cached(resource.parent.resource, empty):
        warn(f"no {resource.name} came for {key}={_listed(empty)}. {advice('check the ids, if there should be')}")
    if not unknown:
        return
    if len(unknown) < len(given):
        warn(f"{len(unknown)} of {len(given)} values of {key} are not found: {_listed(unknown)}")
    elif key in NAMED_BY:
        raise known.refusal(unknown[0])
    else:
        raise NotFound(
            f"{resource.parent.resource} with the {key} {_listed(unknown)} are not found",
            hint=f'the ids are loc.{resource.parent.resource}()["{key}"]',
            resource=resource.name,
        )


def _listed(ids: list[str]) -> str:
    more = len(ids) - _SHOWN
    return ", ".join(map(short, ids[:_SHOWN])) + (f" and {more:,} more" if more > 0 else "")


@dataclass
class _Known:
    """The names, by id, of what a filter selects by; tags by themselves."""

    context: Context
    key: str
    pipeline_id: str | None = None
    _names: pd.Series | None = None

    @property
    def option(self) -> str:
        return NAMED_BY[self.key][0] if self.key in NAMED_BY else self.key

    @property
    def resource(self) -> str:
        return NAMED_BY[self.key][1] if self.key in NAMED_BY else f"{self.key}s"

    @property
    def noun(self) -> str:
        return self.resource.removesuffix("s")

    def names(self, again: bool = False) -> pd.Series:
        if self._names is None or again:
            self._names = self._read(again)
        return self._names

    def _read(self, again: bool) -> pd.Series:
        frame: pd.DataFrame = self.context.resources[self.resource](refresh=again)
        if self.key == "stage_id" and self.pipeline_id is not None:
            frame = frame[frame["pipeline_id"] == self.pipeline_id]
        key = "name" if self.key == "tag" else CATALOG[self.resource].key
        return frame.dropna(subset=[key]).drop_duplicates(key).set_index(key, drop=False)["name"]

    def id_of(self, given: str) -> str:
        """The id of what is called so; an id as it is. Raises ``InvalidRequest``."""
        refused: HlkitError | None = None
        try:
            names = self.names()
        except _UNREADABLE as error:
            refused = error
        if refused is not None:
            if self.key == "tag" or _ID.fullmatch(given):
                return given
            raise type(refused)(
                f"{self.option}={short(given)} is looked up among the {self.resource}: {refused.message}",
                hint=f"{refused.hint}; or give {self.key}",
                status=refused.status,
                resource=self.resource,
            )
        anywhere = self.key == "stage_id" and self.pipeline_id is None
        way = "say which pipeline, with pipeline=, or " if anywhere else ""
        found = id_named(self.noun, given, names, way)
        if found is None and not self.context.offline:
            found = id_named(self.noun, given, self.names(again=True), way)
        if found is None and self.key != "tag" and _ID.fullmatch(given):
            return given
        if found is None:
            raise self.refusal(given)
        return found

    def unknown(self, ids: list[str]) -> list[str] | None:
        """Those of *ids* that do not exist; ``None`` where that cannot be told."""
        try:
            names = self.names()
            if not set(ids) <= set(names.index) and not self.context.offline:
                names = self.names(again=True)
        except _UNREADABLE:
            return None
        return [key for key in ids if key not in names.index]

    def refusal(self, given: str) -> InvalidRequest:
        """The error for what does not exist, with what is nearest to it."""
        names = self.names()
        what = "id" if _ID.fullmatch(given) else "name"
        where = " in that pipeline" if self.key == "stage_id" and self.pipeline_id is not None else ""
        where += ", as far as they are cached (offline)" if self.context.offline else ""
        return InvalidRequest(
            f"no {self.noun} has the {what} {short(given)}{where}",
            hint=near_names(given, names),
            resource=self.resource,
        )
