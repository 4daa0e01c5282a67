"""Analyses bound to a location: read the frames that an analysis needs, call it, and return a ``Result``."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from hlkit.analysis.core.analysis import Analysis
from hlkit.analysis.core.charts.labels import name_or_placeholder
from hlkit.analysis.core.contact_names import contact_links, names_by_contact
from hlkit.analysis.core.known import unknown
from hlkit.analysis.core.option_docs import DOCS, LINKS, TIMES
from hlkit.analysis.core.period_change import Earlier
from hlkit.analysis.core.period_comparison import compare_periods
from hlkit.analysis.core.registry import ANALYSES, listing, listing_html
from hlkit.analysis.core.result import Provenance, Result
from hlkit.analysis.core.rows_behind import RowsBehind
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
from hlkit.client.schema import MONEY
from hlkit.client.timezones import zone

if TYPE_CHECKING:
    from hlkit.analysis.core.typed import BoundMethods
    from hlkit.client.client import Client
else:
    BoundMethods = object

# Rows of these that belong to the rows in the date range can come later, such as a reply in July to a lead of June:
# they are read from ``since`` on, without an end. All other frames but the first are read in full.
_FOLLOW_UP = ("messages", "opportunities", "transactions", "form_submissions")
_UNREADABLE = (MissingScope, NotCached, NotFound)


class BoundAnalysis:
    """One analysis of one location. Call it for its ``Result``."""

    def __init__(self, location: Client, analysis: Analysis) -> None:
        self._location, self.analysis = location, analysis
        self.__doc__ = docstring(analysis)
        self.__name__ = analysis.name
        self.__signature__ = signature(of_analysis(analysis), Result)

    def __repr__(self) -> str:
        return f"loc.analyses.{self.analysis.name}{self.__signature__}\n{self.analysis.question}"

    def __call__(
        self,
        *args: Any,
        compare: Earlier | None = None,
        refresh: bool = False,
        progress: Progress | None = None,
        **options: Any,
    ) -> Result:
        if compare is not None:
            return self._compared(compare, {"refresh": refresh, "progress": progress, **options})
        refuse_positional(f"loc.analyses.{self.analysis.name}", args, list(self.__signature__.parameters))
        span = {name: options.pop(name) for name in SPAN if name in options}
        self._check(options)
        loc = self._location
        requests_before = loc.session.requests_sent
        timezone, as_of, since, until = self._times(span, options)
        dates = {name: date for name, date in (("since", since), ("until", until)) if date is not None}
        frames, unavailable = self._read_frames(options, dates, {"refresh": refresh, "progress": progress})
        options["as_of"] = self._read_at(frames) if as_of is None else as_of
        options = self._location_values(timezone.key) | options
        if "until" in self.analysis.filled_by_location and until is not None:
            options["until"] = until
        self._name_groups(frames, options)
        table, log = self.analysis.run(**frames, **options)
        table = loc.with_names(table)
        attrs = table.attrs["hlkit"]
        attrs["unavailable"] = unavailable
        if MONEY in self.analysis.columns.values():
            attrs["currency"] = self._of_location("currency").get("currency")
        attrs["span"] = {name: f"{date.tz_convert(loc.timezone):%Y-%m-%d}" for name, date in dates.items()}
        reads = {name: frame.attrs.get("hlkit", {}) for name, frame in frames.items() if frame is not None}
        provenance = Provenance(
            location=loc.name or loc.location_id,
            location_id=loc.location_id,
            as_of=attrs["as_of"],
            as_of_local=f"{pd.Timestamp(attrs['as_of']).tz_convert(timezone):%Y-%m-%d %H:%M}",
            timezone=timezone.key,
            options={name: as_text(date, loc.timezone) for name, date in dates.items()} | attrs["options"],
            rows=attrs["rows"],
            left_out=attrs["left_out"],
            unavailable=unavailable,
            missing_rows={name: rows for name, read in reads.items() if (rows := read.get("missing_rows"))},
            requests=loc.session.requests_sent - requests_before,
            from_cache=sum(read.get("from_cache", 0) for read in reads.values()),
        )
        attrs["provenance"] = dict(provenance)
        shown = functools.partial(self._name_and_link, contacts=frames.get("contacts"))
        return Result(table, self.analysis, provenance, RowsBehind(table, log, self.analysis.rows, shown))

    def _name_and_link(self, rows: pd.DataFrame, contacts: pd.DataFrame | None) -> pd.DataFrame:
        """The rows with the names of users and the like, and first the name of the contact and a link to it."""
        rows = self._location.with_names(rows)
        if "contact_id" not in rows:
            return rows
        if contacts is None and len(rows):
            contacts = self._location.resources["contacts"]()
        if "name" not in rows:
            rows.insert(0, "name", names_by_contact(contacts, rows["contact_id"]).to_numpy())
        rows.insert(1, "link", contact_links(rows["contact_id"], self._location.location_id, self._location.app_url))
        return rows

    def _compared(self, how: Any, options: dict[str, Any]) -> Result:
        """Two periods side by side."""
        refuse_unknown(self.analysis.name, {"compare": how}, list(self.__signature__.parameters))
        dates = {name: options.pop(name) for name in SPAN if name in options}
        timezone, _, since, until = self._times(dates, options)
        return compare_periods(self, how, options, since, until, timezone, self._location)

    def _times(
        self, span: Mapping[str, Any], options: Mapping[str, Any]
    ) -> tuple[ZoneInfo, pd.Timestamp | None, pd.Timestamp | None, pd.Timestamp | None]:
        """The time zone of a run, its *as_of*, and the instants at which its span of dates begins and ends."""
        check_dates(span)  # before any request
        loc = self._location
        timezone = zone(loc.timezone if options.get("timezone") is None else options["timezone"])
        as_of = instant("as_of", options.get("as_of"), lambda: timezone, loc.today)
        today = loc.today if as_of is None else as_of.tz_convert(loc.timezone).date
        return timezone, as_of, *bounds(span, lambda: loc.timezone, today)

    def _check(self, options: Mapping[str, Any]) -> None:
        """Refuse a wrong option before any request."""
        refuse_unknown(self.analysis.name, options, list(self.__signature__.parameters))
        as_of = "2000-01-01" if options.get("as_of") is None else options["as_of"]
        self.analysis.validate({**options, "as_of": as_of})

    def _read_frames(
        self, options: Mapping[str, Any], dates: Mapping[str, Any], reading: Mapping[str, Any]
    ) -> tuple[dict[str, pd.DataFrame | None], dict[str, str]]:
        """The frames that the analysis takes, and why each of those that it can do without is unavailable."""
        frames: dict[str, pd.DataFrame | None] = {}
        unavailable: dict[str, str] = {}
        wanted = self.analysis.resources_for(options)
        for position, (name, needed) in enumerate(self.analysis.frames.items()):
            if name not in wanted:
                frames[name] = None
                continue
            span = dict(dates) if position == 0 else {}
            if position > 0 and name in _FOLLOW_UP and "since" in dates:
                span["since"] = dates["since"]
            if span and CATALOG[name].when is None:
                raise InvalidRequest(f"{name} have no date to filter by", hint="leave since and until out")
            refusal: HlkitError | None = None
            try:
                frames[name] = self._location.resources[name](**span, **reading)
            except _UNREADABLE as error:
                refusal = error
            if refusal is not None:  # raised here, outside the except block, so that the first error is not chained
                if needed or self.analysis.needs_by_options(name):
                    raise _needed_by(self.analysis.name, name, refusal)
                frames[name] = None
                unavailable[name] = refusal.message
        return frames, unavailable

    def _read_at(self, frames: Mapping[str, pd.DataFrame | None]) -> pd.Timestamp:
        """When the demo's data ends, or when the first of the downloads began."""
        if self._location.data_ends is not None:
            return pd.Timestamp(self._location.data_ends)
        starts = [frame.attrs["hlkit"]["first_fetched_at"] for frame in frames.values() if frame is not None]
        return min((pd.Timestamp(start) for start in starts if start), default=pd.Timestamp.now("UTC"))

    def _location_values(self, timezone: str) -> dict[str, Any]:
        """The options that the location fills in. The time zone always: *as_of* is written in it."""
        values: dict[str, Any] = {"timezone": timezone}
        values |= {name: getattr(self._location, name) for name in LINKS if name in self.analysis.filled_by_location}
        return values | self._of_location(*(set(self.analysis.filled_by_location) - {*TIMES, *LINKS}))

    def _of_location(self, *columns: str) -> dict[str, Any]:
        """The values in these *columns* of the location's row; without those that are unknown."""
        with contextlib.suppress(MissingScope, NotCached):
            row = self._location.resources["location"]() if columns else pd.DataFrame()
            return {name: value for name in columns if (value := next(iter(row[name].dropna()), None))}
        return {}

    def _name_groups(self, frames: dict[str, pd.DataFrame | None], options: Mapping[str, Any]) -> None:
        """For ``by="owner"`` and the like, put the names beside the ids, which the frames alone have."""
        given = options.get("by")
        for by in given if isinstance(given, list) else [given]:
            id_column = next((column for column, (name, _) in NAMED_BY.items() if name == by), None)
            for resource, frame in frames.items():
                if frame is None or by in frame or id_column not in frame:
                    continue
                named = self._location.with_names(frame)
                if by in named:  # a deleted user has no name, but still is a group
                    named[by] = name_or_placeholder(named[by], named[id_column], str(by), distinct=by != "stage")
                frames[resource] = named


def _needed_by(analysis: str, resource: str, refusal: HlkitError) -> HlkitError:
    """The same error, naming the analysis that needs the resource."""
    return type(refusal)(
        f"{analysis} needs {resource}: {refusal.message}",
        hint=refusal.hint,
        status=refusal.status,
        trace_id=refusal.trace_id,
        resource=resource,
    )


def of_analysis(analysis: Analysis) -> list[Option]:
    """The options of an analysis of a location: its own, the dates it reads, and what the location knows."""
    span = [COMMON[name] for name in SPAN] if CATALOG[analysis.main_resource].when else []
    as_of = Option("as_of", DOCS["as_of"], Date, flag=str | None)
    timezone = Option("timezone", DOCS["timezone"], str | dt.tzinfo | None, flag=str | None)
    compare = Option(
        "compare", "Compare the period with the one before, or with the same a year ago.", Earlier | None
    )
    span += [compare] if analysis.compares else []
    filled = [as_of, timezone] if "timezone" in analysis.filled_by_location else [as_of]
    return [*analysis.options.values(), *span, *filled, COMMON["refresh"], COMMON["progress"]]


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
