"""Reads the rows of a resource from a response, and refuses what cannot be a page."""

import pytest

from hlkit.client.errors import UnexpectedResponse
from hlkit.client.http import body as module
from hlkit.client.http.body import MAX_DEPTH, MAX_OBJECTS, MAX_VALUES, decode, read_page
from hlkit.client.resources import CATALOG


def nested(levels):
    """An object with that many levels, itself the first."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def refused(body):
    with pytest.raises(UnexpectedResponse) as error:
        decode(body)
    assert "a filter, since= or until=" in error.value.hint
    return error.value.message


def test_values_are_read_down_to_the_maximum_depth():
    assert decode(nested(MAX_DEPTH))["a"]


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 900, 5_000])
def test_a_value_too_deep_for_pythons_own_tools_is_refused(levels):
    assert refused(nested(levels)) == "the response is nested deeper than 200 levels"


def test_brackets_in_a_string_are_not_levels():
    assert decode(b'{"a": "' + b"[" * 5_000 + b"]" * 5_000 + b'"}')["a"].startswith("[[[")


@pytest.mark.parametrize(
    "body",
    [b'{"contacts": [' + b"{}," * MAX_OBJECTS + b"{}]}", b"[" + b"1," * (MAX_VALUES + 1) + b"1]"],
    ids=["empty rows", "values"],
)
def test_a_response_that_would_fill_the_memory_is_refused_before_it_is_parsed(body):
    assert refused(body) == "the response has more data than any page of rows"


def test_separators_in_a_string_are_not_values(monkeypatch):
    monkeypatch.setattr(module, "MAX_OBJECTS", 10)
    monkeypatch.setattr(module, "MAX_VALUES", 10)
    text = b"{,[" * 99 + b'\\"'

    assert decode(b'{"body": "' + text + b'"}')["body"].endswith('[{,["')


def test_a_page_of_far_more_rows_than_requested_is_refused():
    contacts, users = CATALOG["contacts"], CATALOG["users"]
    page = b'{"contacts": [' + b"{}," * 5_000 + b"{}]}"

    with pytest.raises(UnexpectedResponse, match="the response has 5,001 contacts, more than any page"):
        read_page(page, contacts, "loc1")
    assert len(read_page(page.replace(b"contacts", b"users"), users, "loc1")) == 5_001  # which has no pages
