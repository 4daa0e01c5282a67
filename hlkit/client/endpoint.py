"""A resource bound to a location: ``loc.contacts``. Every resource has the same five verbs.

``loc.contacts()`` returns all rows as one frame, ``.pages()`` one frame per page, ``.count()`` the number of rows,
``.columns`` the columns that the frame will have, and ``.raw()`` the unchanged JSON rows.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd

from hlkit.client.cached_downloads import CachedDownloads, CachePolicy
from hlkit.client.download import Download
from hlkit.client.errors import HlkitError, InvalidRequest, InvalidToken, UnexpectedResponse
from hlkit.client.frames.builder import DataWarning, FrameBuilder, skipped_message
from hlkit.client.http.download_records import Record
from hlkit.client.http.progress import Progress, current_progress
from hlkit.client.http.rate_limit import duration
from hlkit.client.lookup import report_empty, resolve_names
from hlkit.client.options import ReadOptions, docstring, of_resource, refuse_positional, signature, validate
from hlkit.client.pagination import NoPaging, PageNumber
from hlkit.client.query import Query, family_of
from hlkit.client.schema import Resource
from hlkit.client.warning import warn

if TYPE_CHECKING:
    from hlkit.client.context import Context

MAX_PAGES_TO_FILTER = 1000  # pages: a date range of a larger download is faster to ask for than to select
CONFIRM_ABOVE = 500  # requests: a resource with one request per parent needs confirm=True above this


class Endpoint:
    """One resource of one location. Call it to get its rows as a DataFrame."""

    def __init__(self, context: Context, resource: Resource) -> None:
        self._context, self.resource = context, resource
        self.__doc__ = docstring(resource)
        self.__signature__ = signature(of_resource(resource), pd.DataFrame)

    def __repr__(self) -> str:
        return f"<{self.resource.name}: {self.resource.doc.partition('.')[0]}. loc.{self.resource.name}() reads them>"

    def __getattr__(self, name: str) -> Any:
        """Raise, with a hint if *name* belongs to the frame that a call would return."""
        if "resource" not in self.__dict__:  # not initialized: copy and pickle look up attributes first
            raise AttributeError(name)
        resource = self.resource
        is_in_frame = hasattr(pd.DataFrame, name) or any(column.name == name for column in resource.columns)
        hint = f"call it first: loc.{resource.name}().{name}" if is_in_frame else "it has pages, count, columns, raw"
        raise AttributeError(f"loc.{resource.name} has no {name!r}; {hint}", name=name, obj=None)

    def __getitem__(self, key: Any) -> Any:
        name = self.resource.name
        raise TypeError(f"loc.{name} is not read yet; call it first: loc.{name}()[{key!r}]")

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"loc.{self.resource.name} cannot be pickled or copied, because its location holds a token; "
            "connect again instead"
        )

    # ---- the five verbs

    def __call__(self, *args: Any, **options: Any) -> pd.DataFrame:
        self._refuse_positional(args)
        return self._frame(self._validated(options))

    def pages(self, *args: Any, **options: Any) -> Iterator[pd.DataFrame]:
        """The rows as one frame per page, for data that does not fit in memory. One request per step.

        A row that changes during the download can appear again on a later page: use the later one. If an error is
        raised, its ``.partial`` is an empty frame, because the pages were already returned. Its ``.resume()``
        returns a frame with all rows, and requests only the pages that are not cached.
        """
        self._refuse_positional(args, ".pages")
        return self._pages(options)

    def _pages(self, keywords: dict[str, Any]) -> Iterator[pd.DataFrame]:
        options = self._validated(keywords)
        builder = self._builder(options)
        remaining = options.limit
        download = self._download(options, limit=self._limit_for_server(options))
        with self._reading(download, options, builder):
            for page in download:
                builder.add(page.rows, page.skipped)
                frame = self._select_span(builder.frame(), options)
                if remaining is not None:
                    frame = frame.head(remaining)
                    remaining -= len(frame)
                builder.warn(self.resource.name)
                builder.clear()
                yield frame
                if remaining == 0 and self._has_extra_rows(options):
                    download.stop_early()
                    break

    def count(self, *args: Any, **options: Any) -> int:
        """The number of rows, as reported by the server. One request; none if page 1 is cached.

        Raises ``UnexpectedResponse`` if the server does not report it.
        """
        self._refuse_positional(args, ".count")
        count = self.announced_total(**options)
        if count is None:
            raise UnexpectedResponse(
                f"the server does not report the number of {self.resource.name}",
                hint="use len() of the frame",
                resource=self.resource.name,
            )
        return count

    @property
    def columns(self) -> pd.DataFrame:
        """The columns of the frame: name, kind, private (can identify a person), doc. No request.

        Custom fields are included if their definitions are cached.
        """
        custom = self._context.cached_custom_fields(self.resource)
        columns = FrameBuilder(self.resource.columns, self.resource.key, custom).all_columns
        rows = [(column.name, column.kind.name, column.private, column.doc) for column in columns]
        return pd.DataFrame(rows, columns=["name", "kind", "private", "doc"])

    def raw(self, limit: int | None = 20, **options: Any) -> list[dict[str, Any]]:
        """The unchanged JSON rows, with as few requests as *limit* needs (``None``: all rows)."""
        read_options = self._validated({**options, "limit": limit})
        download = self._download(read_options, limit=read_options.limit, reread_if_damaged=True)
        with self._reading(download, read_options):
            pages = list(download)
        pages = pages[len(pages) - download.pages :]  # drops those from before it started over
        if skipped := sum(page.skipped for page in pages):
            warn(skipped_message(skipped, self.resource.name), DataWarning)
        return [dict(row) for page in pages for row in page.rows][: read_options.limit]

    # ---- options and frames

    def _refuse_positional(self, args: tuple[Any, ...], verb: str = "") -> None:
        refuse_positional(f"loc.{self.resource.name}{verb}", args, list(self.__signature__.parameters))

    def _validated(self, keywords: dict[str, Any]) -> ReadOptions:
        """The checked options, with names replaced by ids."""
        options = validate(self.resource, keywords, lambda: self._context.timezone, self._context.today)
        return resolve_names(self._context, self.resource, options)

    def announced_total(self, **keywords: Any) -> int | None:
        """The number of rows that the server announces on page 1; ``None`` if it announces none.

        Raises ``InvalidRequest`` for a date range that the server cannot filter exactly.
        """
        options = self._validated(keywords)
        if self._has_extra_rows(options):
            raise InvalidRequest(
                f"the server cannot count {self.resource.name} in a date range", hint="use len() of the frame"
            )
        if self.resource.parent is not None:
            return None
        count, download = 0, self._download(options, first_page_only=True)
        for page in download:
            total = page.total(self.resource.total)
            if total is None and not isinstance(self.resource.paging, NoPaging):
                return None
            count += len(page) if total is None else total
        report_empty(self._context, self.resource, options, download)
        return count

    def _frame(
        self,
        options: ReadOptions,
        generation: str | None = None,
        resume_parents: Callable[[], pd.DataFrame] | None = None,
    ) -> pd.DataFrame:
        """All rows as one frame.

        *generation* names the download to resume. *resume_parents* resumes reading the parents, if that was
        interrupted.
        """
        try:
            builder = self._builder(options)
            if self.resource.parent is not None:  # read once: .resume() must use the same parents
                options = replace(options, parents=self._parent_ids(options, resume_parents))
            if generation is None and self._is_in_full_download(options):
                options = replace(options, span_in_full=True)
            limit = self._limit_for_server(options)
            download = self._download(options, limit=limit, generation=generation, reread_if_damaged=True)
        except HlkitError as error:  # while reading the custom fields' definitions or the parents
            if error.status is not None or error.retryable or error._resume is not None:
                error.partial = FrameBuilder(self.resource.columns, self.resource.key).frame()
                error._resume = functools.partial(self._resume, options, None, error._resume or resume_parents)
            raise
        with self._reading(download, options, builder):
            for page in download:
                if download.pages == 1:  # it may start over: the rows before do not count
                    builder.clear()
                builder.add(page.rows, page.skipped)
                if self._has_reached_limit(builder, options):
                    download.stop_early()
                    break
        return self._finish_frame(builder, download, options)

    def _builder(self, options: ReadOptions) -> FrameBuilder:
        """A builder for the resource's columns, and its custom fields if they are wanted."""
        custom = None
        if self.resource.model is not None and options.custom_fields:
            custom = self._context.custom_fields_of(self.resource, refresh=options.refresh, progress=options.progress)
        return FrameBuilder(self.resource.columns, self.resource.key, custom)

    def _finish_frame(self, builder: FrameBuilder, download: Download, options: ReadOptions) -> pd.DataFrame:
        """The frame of the wanted rows, with its provenance in ``attrs``. Warns about values that did not fit."""
        frame = self._select_span(builder.frame(), options)
        if options.limit is not None:
            frame = frame.head(options.limit)
        builder.warn(self.resource.name)
        record = download.record
        frame.attrs["hlkit"] = {
            "resource": self.resource.name,
            "location_id": self._context.location_id,
            "first_fetched_at": None if record is None else _iso(record.started_at),
            "fetched_at": None if record is None else _iso(record.fetched_at),
            "complete": download.complete,
            "pages": download.pages,
            "requests": download.requests,
            "from_cache": download.from_cache,
            "expected_rows": download.expected_rows,
            "missing_rows": download.missing_rows if download.complete else 0,
        }
        return frame

    def _select_span(self, frame: pd.DataFrame, options: ReadOptions) -> pd.DataFrame:
        """The rows from ``since`` to ``until``: some servers filter by day, some ignore the filter."""
        if self.resource.when is None or not options.has_span:
            return frame
        when = frame[self.resource.when]
        is_inside = when.notna()
        if options.since is not None:
            is_inside &= when >= options.since
        if options.until is not None:
            is_inside &= when < options.until
        return frame if is_inside.all() else frame[is_inside].reset_index(drop=True)

    def _is_in_full_download(self, options: ReadOptions) -> bool:
        """Whether the rows of a date range can be selected from all rows, since only those are cached and fresh."""
        if not options.has_span or options.refresh or self.resource.when is None:
            return False
        record = self._cached_download(replace(options, span_in_full=True))
        return record is not None and record.pages <= MAX_PAGES_TO_FILTER and self._cached_download(options) is None

    def _cached_download(self, options: ReadOptions) -> Record | None:
        """The finished download of all rows of a query that this call would use; ``None`` if there is none."""
        policy, progress = self._cache_policy(options), options.progress or Progress()
        record = CachedDownloads(self._query(options), self._context.session, policy, progress).find()
        return record if record is not None and record.finished_at is not None else None

    def _has_extra_rows(self, options: ReadOptions) -> bool:
        """Whether the download also has rows outside the date range."""
        is_exact = self.resource.span is not None and self.resource.span.exact and not options.span_in_full
        return options.has_span and not is_exact

    def _limit_for_server(self, options: ReadOptions) -> int | None:
        """The limit, if every row that the server sends counts. Otherwise the frames are counted."""
        return None if self._has_extra_rows(options) else options.limit

    def _has_reached_limit(self, builder: FrameBuilder, options: ReadOptions) -> bool:
        """Whether the rows inside the date range reach the limit. Without extra rows, the download checks that."""
        if options.limit is None or not self._has_extra_rows(options):
            return False
        return len(self._select_span(builder.frame(), options)) >= options.limit

    # ---- errors

    @contextlib.contextmanager
    def _reading(
        self, download: Download, options: ReadOptions, builder: FrameBuilder | None = None
    ) -> Iterator[None]:
        """Read the pages inside this block. At its end, filter values that matched no rows are reported.

        An error gets ``.partial`` (the rows in *builder*) and ``.resume()``; without *builder* only a hint.
        """
        try:
            yield
        except HlkitError as error:
            error.resource = error.resource or self.resource.name
            error.hint = self._resume_hint(error, download, options)
            if builder is not None:
                error.partial = self._finish_frame(builder, download, options)
                if download.record is not None:
                    error._resume = functools.partial(self._resume, options, download.record.generation)
            raise
        except GeneratorExit:  # the caller left the loop over .pages()
            download.stop_early()
            raise
        finally:
            download.progress.close()
        report_empty(self._context, self.resource, options, download)

    def _resume_hint(self, error: HlkitError, download: Download, options: ReadOptions) -> str:
        """The error's hint, and which pages the same call would not request again."""
        # After InvalidToken the next call has another token, and with it another cache.
        pages = 0 if isinstance(error, InvalidToken) else download.count_resumable_pages()
        if not pages:
            return error.hint
        cached = "1 page is cached" if pages == 1 else f"{pages:,} pages are cached"
        call = "the same call with the same dates" if options.has_span else "the same call"
        promise = f"{cached}; within 7 days, {call} requests only the rest"
        if isinstance(self.resource.paging, PageNumber):  # their pages then hold other rows
            promise += ", unless rows were added or removed meanwhile"
        return f"{error.hint}; {promise}" if error.hint else promise

    def _resume(
        self,
        options: ReadOptions,
        generation: str | None,
        resume_parents: Callable[[], pd.DataFrame] | None = None,
    ) -> pd.DataFrame:
        if options.progress is not None:
            options.progress.reset()
        return self._frame(options, generation, resume_parents)

    # ---- the download

    def _download(
        self,
        options: ReadOptions,
        *,
        generation: str | None = None,
        limit: int | None = None,
        first_page_only: bool = False,
        reread_if_damaged: bool = False,
    ) -> Download:
        download = Download(
            self._query(options),
            self._context.session,
            self._cache_policy(options, generation),
            progress=options.progress or current_progress(),
            limit=limit,
            first_page_only=first_page_only,
            reread_if_damaged=reread_if_damaged,
        )
        if self.resource.parent is not None:
            self._check_cost(download, options)
        return download

    def _cache_policy(self, options: ReadOptions, generation: str | None = None) -> CachePolicy:
        age = self._context.expire_after if options.expire_after is None else options.expire_after
        return CachePolicy(age, options.refresh, self._context.offline, generation)

    def _check_cost(self, download: Download, options: ReadOptions) -> None:
        """Report the number of requests, one per parent, before the first. Raises above 500 without confirm=True."""
        if options.limit is not None or self._context.offline:
            return
        parent = self.resource.parent
        assert parent is not None
        record = download.cached_downloads.find()
        requests = len(download.query.parameter_sets) - (0 if record is None else record.pages)
        seconds = self._context.session.rate_limiter.time_for(requests)
        cost = f"{requests:,} requests, about {duration(seconds)}"
        if requests > CONFIRM_ABOVE and not options.confirm:
            left = self._context.quota.day
            of_quota = "" if left is None else f", of {left:,} left today"
            raise InvalidRequest(
                f"reading {self.resource.name} takes one request for each of the {parent.resource}: {cost}{of_quota}",
                hint=f"add confirm=True to read all of them, or select some with {parent.key}=[...]",
                resource=self.resource.name,
            )
        download.progress.on_note(f"{self.resource.name} · {cost}")

    def _query(self, options: ReadOptions) -> Query:
        since, until = _span_to_ask_for(options)
        return Query(
            self.resource,
            self._context.location_id,
            self._parameter_sets(options),
            family=family_of(options.filters, all_parents=options.all_parents),
            since=None if since is None else since.timestamp(),
            until=None if until is None else until.timestamp(),
        )

    def _parameter_sets(self, options: ReadOptions) -> tuple[dict[str, Any], ...]:
        """The request parameters for the filters and the date range, combined with each of the resource's own.

        A filter on a parameter in which the resource's own sets differ (``channel`` of messages) replaces them.
        """
        resource = self.resource
        common = {resource.filters[name].wire: value for name, value in options.filters.items()}
        conditions: list[dict[str, Any]] = []
        if resource.method == "POST":  # a search, which takes its filters as a list
            conditions = [{"field": wire, "operator": "eq", "value": value} for wire, value in common.items()]
            common = {}
        if resource.span is not None:
            span = resource.span.parameters(*_span_to_ask_for(options))
            conditions += span.pop("filters", [])
            common |= span
        if conditions:
            common["filters"] = conditions
        parameter_sets = resource.parameter_sets
        if resource.parent is not None:
            parameter_sets = tuple({resource.parent.param: parent_id} for parent_id in self._parent_ids(options))
        elif any(name in common for parameters in parameter_sets for name in parameters):
            parameter_sets = ({},)
        return tuple({**parameters, **common} for parameters in parameter_sets)

    def _parent_ids(
        self, options: ReadOptions, resume_parents: Callable[[], pd.DataFrame] | None = None
    ) -> tuple[str, ...]:
        """The ids of the parents to read for: those given, else those of an earlier download, else all."""
        parent = self.resource.parent
        assert parent is not None
        if options.parents is not None:
            return options.parents
        if resume_parents is not None:
            return tuple(resume_parents()[parent.key].dropna())
        earlier = self._parent_ids_of_earlier_download(options)
        if earlier is not None:
            return earlier
        endpoint = self._context.resources[parent.resource]
        keywords = {"progress": options.progress, "refresh": options.refresh, "expire_after": options.expire_after}
        if endpoint.resource.model:
            keywords["custom_fields"] = False
        return tuple(endpoint(**keywords)[parent.key].dropna())

    def _parent_ids_of_earlier_download(self, options: ReadOptions) -> tuple[str, ...] | None:
        """The parents of the download that this call will resume or, offline, read. They may have changed since."""
        parent = self.resource.parent
        assert parent is not None
        cached = CachedDownloads(
            self._query(replace(options, parents=())),
            self._context.session,
            self._cache_policy(options),
            options.progress or Progress(),
            self._limit_for_server(options),
        )
        record = cached.find_related()
        if record is None:
            return None
        return tuple(str(first_page[parent.param]) for first_page in json.loads(record.parameters))


def _span_to_ask_for(options: ReadOptions) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """The date range that the server filters by."""
    return (None, None) if options.span_in_full else (options.since, options.until)


def _iso(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
