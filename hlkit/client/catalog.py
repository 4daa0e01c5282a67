"""What can be asked: the catalog as a frame, searched by word. No request."""

from __future__ import annotations

import pandas as pd

from hlkit.client.dates import short
from hlkit.client.errors import InvalidRequest
from hlkit.client.resources import AREAS, CATALOG
from hlkit.client.schema import Column, Resource


def catalog(word: str | None = None) -> pd.DataFrame:
    """Every resource, or the resources and columns that a word is found in. No request.

    Without a word: a row a resource, with ``resource, group, scope, version, paging, columns, doc``.
    With one: a row for each resource and column that has it in its name, its description or its choices, with
    ``resource, column, kind, private, scope, doc``.

    >>> catalog("lost")[["resource", "column"]].values.tolist()
    [['opportunities', 'status'], ['opportunities', 'lost_reason_id']]
    """
    if word is None:
        return pd.DataFrame([_row(resource) for resource in CATALOG.values()])
    if not isinstance(word, str):
        raise InvalidRequest(f"a word is searched for, not {short(word)}", hint='write it like hl.catalog("lost")')
    wanted = word.casefold().strip()
    found = [
        _found(resource, column)
        for resource in CATALOG.values()
        for column in (None, *resource.columns)
        if wanted in _text(resource, column)
    ]
    return pd.DataFrame(found, columns=["resource", "column", "kind", "private", "scope", "doc"])


def _row(resource: Resource) -> dict[str, object]:
    return {
        "resource": resource.name,
        "group": AREAS[resource.name],
        "scope": resource.scope,
        "version": resource.version,
        "paging": f"one request per {resource.parent.key}" if resource.parent else resource.paging.style,
        "columns": len(resource.columns),
        "doc": resource.doc,
    }


def _found(resource: Resource, column: Column | None) -> dict[str, object]:
    own = {"column": "", "kind": "", "private": False, "doc": resource.doc}
    if column is not None:
        doc = column.doc or ", ".join(column.kind.choices)
        own = {"column": column.name, "kind": column.kind.name, "private": column.private, "doc": doc}
    return {"resource": resource.name, "scope": resource.scope, **own}


def _text(resource: Resource, column: Column | None) -> str:
    if column is None:
        return f"{resource.name} {resource.doc}".casefold()
    return " ".join((column.name, column.doc, *column.paths, *column.kind.choices)).casefold()
