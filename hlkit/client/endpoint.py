"""A resource bound to a location: the five verbs.

``loc.contacts()`` is the whole frame, ``.pages()`` the same a page at a time, ``.count()`` the number of
rows, ``.columns`` what the frame will hold, ``.raw()`` the JSON rows untouched. Every resource has them.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd

from hlkit.client.download import CachePolicy, DamagedDownload, Download, Query
from hlkit.client.errors import CacheLocked, HlkitError, InvalidRequest, InvalidToken, UnexpectedResponse
from hlkit.client.frames.builder import DataWarning, FrameBuilder, skipped_message
from hlkit.client.http.progress import current_progress
from hlkit.client.http.rate_limit import duration
from hlkit.client.lookup import report_empty, with_ids
from hlkit.client.options import ReadOptions, docstring, of_resource, refuse_positional, signature, validate
from hlkit.client.pagination import NoPaging, PageNumber
from hlkit.client.schema import Resource
from hlkit.client.warning import warn

if TYPE_CHECKING:
    from hlkit.client.context import Context

ASKS_FROM = 500  # requests: a read that costs more wants confirm=True


class Endpoint:
    """One resource of one location. Call it for the frame."""

    def __init__(self, context: Context, resource: Resource) -> None:
        self._context, self.resource = context, resource
        self.__doc__ = docstring(resource)
        self.__signature__ = signature(of_resource(resource), pd.DataFrame)

    def __repr__(self) -> str:
        return f"<{self.resource.name}: {self.resource.doc.partition('.')[0]}. loc.{self.resource.name}() reads them>"

    def __getattr__(self, name: str) -> Any:
        """An attribute of the frame that nobody has read yet."""
        if "resource" not in self.__dict__:  # half made, as copy and pickle begin
            raise AttributeError(name)
        resource = self.resource
        in_frame = hasattr(pd.DataFrame, name) or any(column.name == name for column in resource.columns)
        what = f"call it first: loc.{resource.name}().{name}" if in_frame else "it has pages, count, columns, raw"
        raise AttributeError(f"loc.{resource.name} has no {name!r}; {what}", name=name, obj=None)

    def __getitem__(self, key: Any) -> Any:
        """A column of it, likewise."""
        name = self.resource.name
        raise TypeError(f"loc.{name} is not read yet; call it first: loc.{name}()[{key!r}]")

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"loc.{self.resource.name} is not pickled or copied, since its location holds a token; connect again "
            "where it is needed"
        )

    # ---- the five verbs

    def __call__(self, *args: Any, **given: Any) -> pd.DataFrame:
        self._refuse_positional(args)
        return self._frame(self._chosen(given))

    def pages(self, *args: Any, **given: Any) -> Iterator[pd.DataFrame]:
        """The same rows, a frame a page, for what does not fit in memory; one request a step.

        A row that changed or moved meanwhile may come again on a later page: keep the later. An error's
        ``.partial`` is empty here, since what arrived was given; its ``.resume()`` gives the frame of all rows,
        and asks for no page that is cached.
        """
        self._refuse_positional(args, ".pages")
        return self._pages(given)

    def _pages(self, given: dict[str, Any]) -> Iterator[pd.DataFrame]:
        choices = self._chosen(given)
        builder = self._builder(choices)
        left = choices.limit
        walk = self._walk(choices)
        try:
            for page in walk:
                builder = builder.empty_copy()
                builder.add(page.rows, page.skipped)
                frame = self._cut(builder.frame(), choices)
                frame = frame if left is None else frame.head(left)
                left = None if left is None else left - len(frame)
                builder.warn(self.resource.name)
                yield frame
        except HlkitError as error:
            self._broke(error, builder.empty_copy(), walk, choices)
            raise
        except GeneratorExit:
            walk.stop_early()
            raise
        finally:
            walk.progress.close()
        report_empty(self._context, self.resource, choices, walk)

    def count(self, *args: Any, **given: Any) -> int:
        """How many rows there are, as the server reports it: one request, or none while page 1 is kept.

        Raises ``UnexpectedResponse`` where the server reports no total.
        """
        self._refuse_positional(args, ".count")
        count = self.announced(**given)
        if count is None:
            raise UnexpectedResponse(
                f"the server does not say how many {self.resource.name} there are",
                hint="take len() of the frame",
                resource=self.resource.name,
            )
        return count

    @property
    def columns(self) -> pd.DataFrame:
        """What the frame will hold: name, kind, private (can name a person), doc. No request.

        The custom fields are there once their definitions are kept.
        """
        custom = self._context.cached_custom_fields(self.resource)
        columns = FrameBuilder(self.resource.columns, self.resource.key, custom).all_columns
        rows = [(column.name, column.kind.name, column.private, column.doc) for column in columns]
        return pd.DataFrame(rows, columns=["name", "kind", "private", "doc"])

    def raw(self, limit: int | None = 20, **given: Any) -> list[dict[str, Any]]:
        """The JSON rows as HighLevel sent them, in as few requests as *limit* needs (``None``: all)."""
        choices = self._chosen({**given, "limit": limit})
        walk = self._walk(choices)
        try:
            pages = list(walk)
            pages = pages[len(pages) - walk.pages :]  # those before it began again at page 1 do not count
            if skipped := sum(page.skipped for page in pages):
                warn(skipped_message(skipped, self.resource.name), DataWarning)
            rows = [dict(row) for page in pages for row in page.rows][: choices.limit]
        except DamagedDownload:
            if self._context.offline and not walk.is_replaced():
                raise
            return self.raw(limit, **given)
        except HlkitError as error:
            error.hint = self._way_on(error, walk, choices)
            raise
        finally:
            walk.progress.close()
        report_empty(self._context, self.resource, choices, walk)
        return rows

    # ---- how

    def _refuse_positional(self, args: tuple[Any, ...], verb: str = "") -> None:
        refuse_positional(f"loc.{self.resource.name}{verb}", args, list(self.__signature__.parameters))

    def announced(self, **given: Any) -> int | None:
        """How many rows the server says there are, from page 1; ``None`` where it does not say."""
        choices = self._chosen(given)
        if self._is_cut(choices):
            raise InvalidRequest(
                f"the server filters {self.resource.name} roughly, so it cannot count a span",
                hint="take len() of the frame",
            )
        if self.resource.parent is not None:
            return None
        total, walk = 0, self._walk(choices, first_page_only=True)
        for page in walk:
            told = page.total(self.resource.total)
            if told is None and not isinstance(self.resource.paging, NoPaging):
                return None
            total += len(page) if told is None else told
        report_empty(self._context, self.resource, choices, walk)
        return total

    def _chosen(self, given: dict[str, Any]) -> ReadOptions:
        choices = validate(self.resource, given, lambda: self._context.timezone, self._context.today)
        return with_ids(self._context, self.resource, choices)

    def _frame(
        self, choices: ReadOptions, generation: str | None = None, parents: Callable[[], pd.DataFrame] | None = None
    ) -> pd.DataFrame:
        """The frame; *parents* goes on with reading the rows that it is read for, where that broke off."""
        try:
            builder = self._builder(choices)
            if self.resource.parent is not None:  # once: to go on means to go on with the same
                everyone = choices.all_parents or choices.parents is None
                choices = replace(choices, parents=self._parents(choices, parents), all_parents=everyone)
            walk = self._walk(choices, generation=generation)
        except HlkitError as error:  # from what is read first: definitions, or the parents
            if error.status is not None or error.retryable or error._resume is not None:
                error.partial = FrameBuilder(self.resource.columns, self.resource.key).frame()
                error._resume = functools.partial(self._go_on, choices, None, error._resume or parents)
            raise
        try:
            restarts = 0
            for page in walk:
                if walk.restarts > restarts:  # from page 1: what came before does not count
                    restarts, builder = walk.restarts, builder.empty_copy()
                builder.add(page.rows, page.skipped)
                if self._has_enough(builder, choices):
                    break
        except DamagedDownload as error:
            if not self._context.offline or walk.is_replaced():
                return self._frame(choices)
            self._broke(error, builder, walk, choices)
            raise
        except HlkitError as error:
            self._broke(error, builder, walk, choices)
            raise
        finally:
            walk.progress.close()
        report_empty(self._context, self.resource, choices, walk)
        return self._finished(builder, walk, choices)

    def _broke(self, error: HlkitError, builder: FrameBuilder, walk: Download, choices: ReadOptions) -> None:
        """Give the error the rows that arrived, and the way to the others."""
        error.resource = error.resource or self.resource.name
        error.partial = self._finished(builder, walk, choices)
        error.hint = self._way_on(error, walk, choices)
        if walk.record is not None:
            error._resume = functools.partial(self._go_on, choices, walk.record.generation)

    def _way_on(self, error: HlkitError, walk: Download, choices: ReadOptions) -> str:
        """The error's hint, and what the same call asks for when it is made again."""
        pages = 0 if isinstance(error, InvalidToken) else walk.count_resumable_pages()  # another token, another cache
        if not pages:
            return error.hint
        call = "the same call with the same dates" if choices.has_span else "the same call"
        are = "page is" if pages == 1 else "pages are"
        promise = f"{pages:,} {are} cached, and {call}, made again within 7 days, asks only for the rest"
        if isinstance(self.resource.paging, PageNumber):  # the pages hold other rows then
            promise += ", unless rows were added or removed meanwhile"
        return f"{error.hint}; {promise}" if error.hint else promise

    def _go_on(
        self, choices: ReadOptions, generation: str | None, parents: Callable[[], pd.DataFrame] | None = None
    ) -> pd.DataFrame:
        if choices.progress is not None:
            choices.progress.reset()
        return self._frame(choices, generation, parents)

    def _finished(self, builder: FrameBuilder, walk: Download, choices: ReadOptions) -> pd.DataFrame:
        frame = self._cut(builder.frame(), choices)
        if choices.limit is not None:
            frame = frame.head(choices.limit)
        builder.warn(self.resource.name)
        frame.attrs["hlkit"] = {
            "resource": self.resource.name,
            "location_id": self._context.location_id,
            "first_fetched_at": None if walk.record is None else _iso(walk.record.started),
            "fetched_at": None if walk.record is None else _iso(walk.record.fetched),
            "complete": walk.complete,
            "pages": walk.pages,
            "requests": walk.requests,
            "from_cache": walk.from_cache,
            "expected_rows": walk.expected_rows,
            "missing_rows": walk.missing_rows if walk.complete else 0,
        }
        return frame

    def _walk(
        self,
        choices: ReadOptions,
        *,
        generation: str | None = None,
        first_page_only: bool = False,
        is_told: bool = True,
    ) -> Download:
        location = self._context
        age = location.expire_after if choices.expire_after is None else choices.expire_after
        walk = Download(
            self._question(choices),
            location.session,
            CachePolicy(age, choices.refresh, location.offline, generation),
            progress=choices.progress or current_progress(),
            limit=choices.limit,
            has_extra_rows=self._is_cut(choices),
            first_page_only=first_page_only,
        )
        if self.resource.parent is not None and is_told:
            self._tell_cost(walk, choices)
        return walk

    def _question(self, choices: ReadOptions) -> Query:
        everyone = choices.all_parents or choices.parents is None
        return Query(
            self.resource,
            self._context.location_id,
            self._passes(choices),
            family=json.dumps([everyone, dict(choices.filters)], sort_keys=True, default=str),
            since=None if choices.since is None else choices.since.timestamp(),
            until=None if choices.until is None else choices.until.timestamp(),
        )

    def _tell_cost(self, walk: Download, choices: ReadOptions) -> None:
        """A request for each parent adds up: told before it starts, and asked for where it is many."""
        requests = len(walk.query.parameter_sets) - walk.count_cached_pages()
        if choices.limit is not None or self._context.offline:
            return
        seconds = self._context.session.rate_limiter.time_for(requests)
        words = f"{requests:,} requests, about {duration(seconds)}"
        if requests > ASKS_FROM and not choices.confirm:
            parent = self.resource.parent
            assert parent is not None
            left = self._context.quota.day
            raise InvalidRequest(
                f"reading {self.resource.name} asks once for each of the {parent.resource}: {words}"
                + ("" if left is None else f", of {left:,} left today"),
                hint=f"add confirm=True if it is worth that, or choose some by {parent.key}=[...]",
                resource=self.resource.name,
            )
        walk.progress.on_note(f"{self.resource.name} · {words}")

    def _passes(self, choices: ReadOptions) -> tuple[dict[str, Any], ...]:
        """The parameters of one's own, once for each pass; a filter by what the parameter_sets differ in leaves
        one."""
        resource = self.resource
        own: dict[str, Any] = {}
        conditions: list[dict[str, Any]] = []
        for name, value in choices.filters.items():
            entry = resource.filters[name]
            if entry.operator is None:
                own[entry.wire] = value
            else:
                conditions.append({"field": entry.wire, "operator": entry.operator, "value": value})
        if resource.span is not None:
            spelled = resource.span.parameters(_python(choices.since), _python(choices.until))
            conditions += spelled.pop("filters", [])
            own |= spelled
        if conditions:
            own["filters"] = conditions
        parameter_sets = resource.parameter_sets
        if resource.parent is not None:
            parameter_sets = tuple({resource.parent.param: name} for name in self._parents(choices))
        elif any(name in own for one in parameter_sets for name in one):
            parameter_sets = ({},)
        return tuple({**one, **own} for one in parameter_sets)

    def _parents(self, choices: ReadOptions, read: Callable[[], pd.DataFrame] | None = None) -> tuple[str, ...]:
        """The ids that the resource is read for: those chosen, or all that there are, as fresh as is wanted."""
        parent = self.resource.parent
        assert parent is not None
        if choices.parents is not None:
            return choices.parents
        begun = None if read is not None else self._parents_begun(choices)
        if begun is not None:
            return begun
        reader = self._context.resources[parent.resource]
        given = {"progress": choices.progress, "refresh": choices.refresh, "expire_after": choices.expire_after}
        if reader.resource.model:
            given["custom_fields"] = False
        frame = reader(**given) if read is None else read()
        return tuple(frame[parent.key].dropna())

    def _parents_begun(self, choices: ReadOptions) -> tuple[str, ...] | None:
        """The ids of the download that this call resumes, or offline reads: they may be others by now."""
        parent = self.resource.parent
        assert parent is not None
        walk = self._walk(replace(choices, parents=(), all_parents=True), is_told=False)
        try:
            family = walk.related_records()
        except CacheLocked:
            return None
        newest = next((record for record in family if record.finished is not None), None)
        for record in family:
            if walk.can_use(record):
                return tuple(str(first[parent.param]) for first in json.loads(record.parameters))
            if record is newest:
                break
        return None

    def _is_cut(self, choices: ReadOptions) -> bool:
        """Whether rows outside the span come along, so that the walk cannot count the wanted ones."""
        return choices.has_span and not (self.resource.span is not None and self.resource.span.exact)

    def _has_enough(self, builder: FrameBuilder, choices: ReadOptions) -> bool:
        if choices.limit is None or not self._is_cut(choices):
            return False
        return len(self._cut(builder.frame(), choices)) >= choices.limit

    def _cut(self, frame: pd.DataFrame, choices: ReadOptions) -> pd.DataFrame:
        """The span once more: some servers filter by day, some ignore the filter."""
        if self.resource.when is None or not choices.has_span:
            return frame
        when = frame[self.resource.when]
        inside = when.notna()
        if choices.since is not None:
            inside &= when >= choices.since
        if choices.until is not None:
            inside &= when < choices.until
        return frame if inside.all() else frame[inside].reset_index(drop=True)

    def _builder(self, choices: ReadOptions) -> FrameBuilder:
        """For the resource's columns and, where they are wanted and their definitions may be read, custom ones."""
        wanted = self.resource.model is not None and choices.custom_fields
        custom = (
            self._context.custom_fields_of(self.resource, refresh=choices.refresh, progress=choices.progress)
            if wanted
            else None
        )
        return FrameBuilder(
            self.resource.columns, self.resource.key, custom, custom_as_list=wanted and custom is None
        )


def _python(instant: pd.Timestamp | None) -> dt.datetime | None:
    return None if instant is None else instant.to_pydatetime()


def _iso(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
