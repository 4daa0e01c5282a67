"""One query: a resource of one location and its parameters, as requests to send and responses to read.

A query has one or more *parameter sets*. Each set is paged through to its end before the next: for example, all
non-email messages and then email, or the notes of one contact after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hlkit.client.http.body import read_page
from hlkit.client.http.request import RequestSpec
from hlkit.client.http.session import Session
from hlkit.client.paths import location_parameters
from hlkit.client.schema import Resource
from hlkit.client.seen_rows import Page, Position
from hlkit.client.text import canonical_json


def family_of(filters: Mapping[str, Any], *, all_parents: bool = True) -> str:
    """The family of the queries with these filters.

    A parent is what rows belong to, such as the contact of notes. Queries for all parents, or of a resource without
    parents, are one family; queries for selected parents are another.
    """
    return canonical_json([all_parents, dict(filters)])


@dataclass(frozen=True)
class Query:
    """What to download: a resource of one location, with one or more parameter sets.

    Queries that differ only in their dates, or in which parents are selected, share a ``family`` (see ``family_of``),
    by which related cached downloads are found. ``since`` and ``until`` are the dates, in Unix seconds. ``parse``
    reads the responses of an endpoint that does not return rows.
    """

    resource: Resource
    location_id: str
    parameter_sets: tuple[Mapping[str, Any], ...] = ({},)
    family: str | None = None
    since: float | None = None
    until: float | None = None
    parse: Callable[[bytes], Any] | None = None

    @property
    def path(self) -> str:
        return self.resource.path.replace("{locationId}", self.location_id)

    def request(self, parameters: Mapping[str, Any], position: Position, **handling: Any) -> RequestSpec:
        """The request for one page of a parameter set. *handling* are the other fields of ``RequestSpec``.

        A parameter can fill a placeholder in the path: ``/contacts/{contactId}/notes``.
        """
        resource = self.resource
        path = re.sub(r"\{(\w+)\}", lambda placeholder: quote(str(parameters[placeholder[1]]), safe=""), self.path)
        page_parameters = self._request_parameters(parameters, position)
        is_search = resource.method == "POST"
        return RequestSpec(
            method=resource.method,
            path=path,
            version=resource.version,
            params={} if is_search else page_parameters,
            body=page_parameters if is_search else None,
            parse=self._read,
            resource=resource.name,
            scope=resource.scope,
            may_be_truncated=self._may_be_truncated,
            **handling,
        )

    def total(self, page: Page) -> int | None:
        """The number of rows that a page announces for its parameter set."""
        return page.total(path=self.resource.total)

    def _read(self, body: bytes) -> Page:
        if self.parse:
            return Page(rows=(), envelope=self.parse(body))
        return read_page(body, self.resource, self.location_id)

    def _may_be_truncated(self, page: Page) -> bool:
        """Whether rows may be missing from this page, and nothing later would show it."""
        paging = self.resource.paging
        if self.parse is not None or paging.is_full(page):
            return False
        # With ends_on_overlap, each page starts at the last row received: rows missing from one page arrive with the
        # next, and rows missing at the end show up against the total.
        would_show_later = paging.ends_on_overlap and self.total(page) is not None
        return not would_show_later

    def _request_parameters(self, parameters: Mapping[str, Any], position: Position) -> dict[str, Any]:
        """The parameters of one request: the location, the resource's constants, the parameter set and the page."""
        resource = self.resource
        name = None if "{locationId}" in resource.path else resource.location_parameter
        location = location_parameters(name, self.location_id)
        not_in_path = {name: value for name, value in parameters.items() if f"{{{name}}}" not in resource.path}
        return {**location, **resource.constant_parameters, **not_in_path, **position}

    @property
    def first_page_parameters(self) -> list[dict[str, Any]]:
        """The parameters of page 1 of each parameter set, including those in the path."""
        first = self.resource.paging.first()
        return [{**parameters, **self._request_parameters(parameters, first)} for parameters in self.parameter_sets]

    def id_in(self, session: Session) -> str:
        """The id under which the session's cache has the records of this query."""
        resource = self.resource
        return session.query_id(resource.method, self.path, resource.version, self.first_page_parameters)

    def family_id_in(self, session: Session) -> str:
        """The id of the query's family, or the query's own id if it has no family."""
        if self.family is None:
            return self.id_in(session)
        return session.query_id(self.resource.method, self.path, "family", self.family)
