"""The catalog of resources and columns as a DataFrame, searchable. It makes no request."""

from __future__ import annotations

import pandas as pd

from hlkit.client.arguments import short
from hlkit.client.errors import InvalidRequest
from hlkit.client.resources import AREAS, CATALOG
from hlkit.client.schema import Column, Resource


def catalog(word: str | None = None) -> pd.DataFrame:
    """All resources, or the resources and columns that match a word. No request.

    Without *word*: one row per resource, with ``resource, group, scope, version, paging, columns, doc``.
    With *word*: one row per resource or column with the word in its name, description or values, with
    ``resource, column, kind, private, scope, doc``. Raises ``InvalidRequest`` if *word* is not text.

    >>> catalog("lost")[["resource", "column"]].values.tolist()
    [['opportunities', 'status'], ['opportunities', 'lost_reason_id']]
    """
    if word is None:
        return pd.DataFrame([_summary(resource) for resource in CATALOG.values()])
    if not isinstance(word, str):
        raise InvalidRequest(f"catalog() takes a word, not {short(word)}", hint='write it like hl.catalog("lost")')
    needle = word.casefold().strip()
    matches = [
        _match(resource, column)
        for resource in CATALOG.values()
        for column in (None, *resource.columns)
        if needle in _searched_text(resource, column)
    ]
    return pd.DataFrame(matches, columns=["resource", "column", "kind", "private", "scope", "doc"])


def _summary(resource: Resource) -> dict[str, object]:
    return {
        "resource": resource.name,
        "group": AREAS[resource.name],
        "scope": resource.scope,
        "version": resource.version,
        "paging": f"one request per {resource.parent.key}" if resource.parent else resource.paging.style,
        "columns": len(resource.columns),
        "doc": resource.doc,
    }


def _match(resource: Resource, column: Column | None) -> dict[str, object]:
    row: dict[str, object] = {"resource": resource.name, "scope": resource.scope}
    if column is None:
        return row | {"column": "", "kind": "", "private": False, "doc": resource.doc}
    doc = column.doc or ", ".join(column.kind.choices)
    return row | {"column": column.name, "kind": column.kind.name, "private": column.private, "doc": doc}


def _searched_text(resource: Resource, column: Column | None) -> str:
    if column is None:
        return f"{resource.name} {resource.doc}".casefold()
    return " ".join((column.name, column.doc, *column.paths, *column.kind.choices)).casefold()
