"""The catalog against the vendor's own specification: paths, methods, parameters, versions and scopes."""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from hlkit.client.pagination import SearchAfter
from hlkit.client.query import Query
from hlkit.client.resources import CATALOG

SPECS = Path(__file__).parent / "facts" / "openapi"
# What we send and the specification does not have, each with its reason.
DEVIATIONS = {
    ("contacts", "body"): "the specification leaves the body of this search empty",
    ("opportunities", "sort"): "missing there; the vendor's document on searches has it",
    ("opportunities", "filters"): "missing there; the vendor's document on searches has it",
    ("orders", "altType"): "not declared for orders alone; its sibling paths require it",
}


@cache
def operations():
    found = {}
    for file in sorted(SPECS.glob("*.json")):
        spec = json.loads(file.read_text())
        for path, methods in spec.get("paths", {}).items():
            for method, operation in methods.items():
                found[method.upper(), _shape(path)] = (operation, spec)
    return found


def _shape(path):
    return re.sub(r"\{\w+\}", "{}", path)


def _operation(resource):
    return operations()[resource.method, _shape(resource.path)]


def _sent(resource):
    """The parameters that a full read sends, beside those that stand in the path."""
    first_pages = Query(resource, "loc1", resource.parameter_sets).first_page_parameters
    names = {name for parameters in first_pages for name in parameters}
    names |= {entry.wire for entry in resource.filters.values() if resource.method == "GET"}
    for position in ("param", "params"):
        value = getattr(resource.paging, position, ())
        names |= {value} if isinstance(value, str) else set(value)
    if isinstance(resource.paging, SearchAfter):
        names.add("searchAfter")
    if resource.parent and f"{{{resource.parent.param}}}" not in resource.path:
        names.add(resource.parent.param)
    names |= {getattr(resource.span, end, None) for end in ("start", "end")} - {None}
    if resource.method == "POST" and resource.filters:
        names.add("filters")
    return names


def _declared(resource):
    operation, spec = _operation(resource)
    names = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    required = {
        one["name"] for one in operation.get("parameters", ()) if one["in"] == "query" and one.get("required")
    }
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in body:
        body = spec["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    return names | set(body.get("properties", ())), required | set(body.get("required", ()))


every_resource = pytest.mark.parametrize("resource", CATALOG.values(), ids=lambda resource: resource.name)


@every_resource
def test_the_path_and_method_exist(resource):
    assert (resource.method, _shape(resource.path)) in operations()


@every_resource
def test_each_parameter_exists_or_is_a_named_deviation(resource):
    declared, _ = _declared(resource)
    if (resource.name, "body") in DEVIATIONS:
        assert not declared
        return

    unknown = {name for name in _sent(resource) - declared if (resource.name, name) not in DEVIATIONS}

    assert unknown == set()


@every_resource
def test_each_required_parameter_is_sent(resource):
    _, required = _declared(resource)

    missing = required - _sent(resource)

    assert missing == set()


@every_resource
def test_the_scope_is_the_one_that_the_vendor_names(resource):
    operation, _ = _operation(resource)
    named = {scope for entry in operation.get("security", ()) for scopes in entry.values() for scope in scopes}

    assert resource.scope in named or not named


@every_resource
def test_the_version_is_the_one_that_the_vendor_names(resource):
    operation, _ = _operation(resource)
    versions = [one["schema"] for one in operation.get("parameters", ()) if one["name"] == "Version"]

    assert not versions or resource.version in versions[0].get("enum", [resource.version])


@every_resource
def test_a_page_is_no_larger_than_the_vendor_allows(resource):
    operation, _ = _operation(resource)
    for one in operation.get("parameters", ()):
        if one["name"] == resource.paging.size and "maximum" in one["schema"]:
            assert resource.paging.most <= one["schema"]["maximum"]


def test_each_deviation_still_is_one():
    for name, what in DEVIATIONS:
        resource = CATALOG[name]
        declared, _ = _declared(resource)
        if what == "body":
            assert not declared
        else:
            assert what in _sent(resource) - declared
