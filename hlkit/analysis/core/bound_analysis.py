"""Analyses bound to a location: the frames that each one needs are read, named, and handed to it."""

from __future__ import annotations

import contextlib
import datetime as dt
import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from hlkit.analysis.core.charts import name_or_placeholder
from hlkit.analysis.core.registry import ANALYSES, DOCS, Analysis, listing, listing_html, unknown
from hlkit.analysis.core.result import Provenance, Result
from hlkit.client.dates import as_text, bounds, instant
from hlkit.client.dates import check as check_dates
from hlkit.client.errors import HlkitError, InvalidRequest, MissingScope, NotCached, NotFound
from hlkit.client.frames.names import NAMED_BY
from hlkit.client.http.progress import Progress
from hlkit.client.options import (
    COMMON,
    SPAN,
    Date,
    Option,
    documented,
    refuse_positional,
    refuse_unknown,
    signature,
)
from hlkit.client.resources import CATALOG
from hlkit.client.timezones import zone

if TYPE_CHECKING:
    from hlkit.analysis.core.typed import BoundMethods
    from hlkit.client.client import Client
else:
    BoundMethods = object

# What follows from the rows that are asked about is read from since on, with no end: an answer to a lead of
# June may come in July. What is only looked up is read whole.
_FOLLOW = ("messages", "opportunities", "transactions", "form_submissions")


class BoundAnalysis:
    """One analysis of one location. Call it for its ``Result``."""

    def __init__(self, location: Client, analysis: Analysis) -> None:
        self._location, self.analysis = location, analysis
        self.__doc__ = docstring(analysis)
        self.__name__ = analysis.name
        self.__signature__ = signature(of_analysis(analysis), Result)

    def __repr__(self) -> str:
        return f"loc.analyses.{self.analysis.name}{self.__signature__}\n{self.analysis.question}"

    def __call__(self, *args: Any, refresh: bool = False, progress: Progress | None = None, **given: Any) -> Result:
        refuse_positional(f"loc.analyses.{self.analysis.name}", args, list(self.__signature__.parameters))
        span = {name: given.pop(name) for name in SPAN if name in given}
        self._check(span, given)
        loc = self._location
        before = loc.session.requests_sent
        place = zone(loc.timezone if given.get("timezone") is None else given["timezone"])
        as_of = instant("as_of", given.get("as_of"), lambda: place, loc.today)
        today = loc.today if as_of is None else as_of.tz_convert(loc.timezone).date
        since, until = bounds(span, lambda: loc.timezone, today)
        ends = {name: moment for name, moment in (("since", since), ("until", until)) if moment is not None}
        frames, without = self._frames(given.get("show"), ends, {"refresh": refresh, "progress": progress})
        given["as_of"] = self._as_of(frames) if as_of is None else as_of
        given = self._known(place.key) | given
        if "until" in self.analysis.fills and until is not None:
            given["until"] = until
        self._name_groups(frames, given)
        table = self.analysis(**frames, **given)
        table = loc.with_names(table)
        told = table.attrs["hlkit"]
        told["without"] = without
        told["span"] = {name: f"{moment.tz_convert(loc.timezone):%Y-%m-%d}" for name, moment in ends.items()}
        reads = [frame.attrs.get("hlkit", {}) for frame in frames.values() if frame is not None]
        provenance = Provenance(
            location=loc.name or loc.location_id,
            location_id=loc.location_id,
            as_of=told["as_of"],
            as_of_local=f"{pd.Timestamp(told['as_of']).tz_convert(place):%Y-%m-%d %H:%M}",
            timezone=place.key,
            choices={name: as_text(moment, loc.timezone) for name, moment in ends.items()} | told["choices"],
            rows=told["rows"],
            left_out=told["left_out"],
            without=without,
            missing_rows=_missing_rows(frames),
            requests=loc.session.requests_sent - before,
            from_cache=sum(read.get("from_cache", 0) for read in reads),
        )
        told["provenance"] = dict(provenance)
        return Result(table, self.analysis, provenance)

    # ---- how

    def _check(self, span: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        """Refuse a wrong choice before any request."""
        check_dates(span)
        refuse_unknown(self.analysis.name, given, list(self.__signature__.parameters))
        self.analysis.chosen({**given, "as_of": "2000-01-01" if given.get("as_of") is None else given["as_of"]})

    def _frames(
        self, show: str | None, span: Mapping[str, Any], reading: Mapping[str, Any]
    ) -> tuple[dict[str, pd.DataFrame | None], dict[str, str]]:
        frames: dict[str, pd.DataFrame | None] = {}
        without: dict[str, str] = {}
        wanted = self.analysis.wanted(show)
        for place, (name, needed) in enumerate(self.analysis.frames.items()):
            if name not in wanted:
                frames[name] = None
                continue
            chosen = dict(span) if place == 0 else {}
            if place > 0 and name in _FOLLOW and "since" in span:
                chosen["since"] = span["since"]
            if chosen and CATALOG[name].when is None:
                raise InvalidRequest(f"{name} have no date to choose by", hint="leave since and until out")
            refused: HlkitError | None = None
            try:
                frames[name] = self._location.resources[name](**chosen, **reading)
            except (MissingScope, NotCached, NotFound) as error:
                refused = error
            if refused is not None:
                if needed:
                    raise _needed(self.analysis.name, name, refused)
                frames[name] = None
                without[name] = refused.message
        return frames, without

    def _as_of(self, frames: Mapping[str, pd.DataFrame | None]) -> pd.Timestamp:
        """The demo's own, else when the earliest of the walks began."""
        if self._location.data_ends is not None:
            return pd.Timestamp(self._location.data_ends)
        read = [frame.attrs["hlkit"]["first_fetched_at"] for frame in frames.values() if frame is not None]
        began = [pd.Timestamp(at) for at in read if at]
        return min(began, default=pd.Timestamp.now("UTC"))

    def _known(self, zone: str) -> dict[str, Any]:
        """What the location knows of itself. The zone is read in any case: it is the one *as_of* is written in."""
        known: dict[str, Any] = {"timezone": zone}
        wanted = set(self.analysis.fills) - {"as_of", "timezone", "until"}
        with contextlib.suppress(MissingScope, NotCached):
            row = self._location.resources["location"]() if wanted else pd.DataFrame()
            told = {name: next(iter(row[name].dropna()), None) for name in wanted}
            known |= {name: value for name, value in told.items() if value}
        return known

    def _name_groups(self, frames: dict[str, pd.DataFrame | None], given: Mapping[str, Any]) -> None:
        """``by="owner"`` groups by a name that only the users know: put it beside the ids."""
        by = given.get("by")
        id_column = next((column for column, (name, _) in NAMED_BY.items() if name == by), None)
        for resource, frame in frames.items():
            if frame is None or by in frame or id_column not in frame:
                continue
            named = self._location.with_names(frame)
            if by in named:  # a user who was deleted has no name, and is somebody all the same
                named[by] = name_or_placeholder(named[by], named[id_column], str(by), distinct=by != "stage")
            frames[resource] = named


def _missing_rows(frames: Mapping[str, pd.DataFrame | None]) -> dict[str, int]:
    """How many rows fewer came than were announced, of each frame that is short."""
    told = {name: frame.attrs.get("hlkit", {}) for name, frame in frames.items() if frame is not None}
    return {name: read["missing_rows"] for name, read in told.items() if read.get("missing_rows")}


def _needed(analysis: str, resource: str, refused: HlkitError) -> HlkitError:
    """The same error, with what wanted the resource; raised outside the ``except`` block."""
    return type(refused)(
        f"{analysis} needs {resource}: {refused.message}",
        hint=refused.hint,
        status=refused.status,
        trace_id=refused.trace_id,
        resource=resource,
    )


def of_analysis(analysis: Analysis) -> list[Option]:
    """The options of an analysis of a location: its own, the dates it reads, and what the location knows."""
    own = [option for option in analysis.options.values() if option.name not in ("as_of", "timezone", "until")]
    first = next(iter(analysis.frames))
    span = [COMMON[name] for name in SPAN] if CATALOG[first].when else []
    filled = [Option("as_of", DOCS["as_of"], Date, flag=str | None)]
    filled += (
        [Option("timezone", DOCS["timezone"], str | dt.tzinfo | None, flag=str | None)]
        if ("timezone" in analysis.fills)
        else []
    )
    return [*own, *span, *filled, COMMON["refresh"], COMMON["progress"]]


def docstring(analysis: Analysis) -> str:
    """What ``loc.analyses.x?`` shows: the function's own docstring, and the options that a location adds."""
    added = [option for option in of_analysis(analysis) if option.name not in analysis.options]
    lines = [analysis.question, "", inspect.getdoc(analysis.function) or "", "", "Of a location", "-------------"]
    return "\n".join([*lines, *documented(added)])


class BoundAnalyses(Mapping[str, BoundAnalysis], BoundMethods):
    """``loc.analyses``: all analyses of one location by name. Alone in a cell: their questions."""

    def __init__(self, location: Client) -> None:
        self._location = location

    def __getitem__(self, name: str) -> BoundAnalysis:
        return BoundAnalysis(self._location, ANALYSES[name])

    def __iter__(self) -> Iterator[str]:
        return iter(ANALYSES)

    def __len__(self) -> int:
        return len(ANALYSES)

    if not TYPE_CHECKING:  # a type checker knows the analyses from the generated base class

        def __getattr__(self, name: str) -> BoundAnalysis:
            if not name.startswith("_") and name in ANALYSES:
                return self[name]
            raise AttributeError(unknown(name, ANALYSES), name=name, obj=None)

    def __dir__(self) -> list[str]:
        return list(ANALYSES)

    def __repr__(self) -> str:
        return listing(ANALYSES, "loc.analyses.")

    def _repr_html_(self) -> str:
        return listing_html(ANALYSES, "loc.analyses.")
