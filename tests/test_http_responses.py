"""Errors from responses: the texts of 401 and 403, statuses, and waits."""

import json

import pytest

from hlkit.client.errors import (
    ConnectionFailed,
    InvalidRequest,
    InvalidToken,
    MissingScope,
    NotEnabled,
    NotFound,
    RateLimited,
    ServerError,
    Timeout,
    UnexpectedResponse,
    WrongLocation,
    WrongTokenKind,
)
from hlkit.client.http.responses import error_for, retry_after
from hlkit.client.http.transport import Failure, RawResponse


def error_of(status, body=b"", resource="contacts", scope="contacts.readonly"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_for(RawResponse(status, {}, body), resource, scope, "services.example.com")


@pytest.mark.parametrize(
    ("status", "message", "kind", "retryable"),
    [
        (401, "The token is not authorized for this scope.", MissingScope, False),
        (401, "Token's user type mismatch!", WrongTokenKind, False),
        (401, "This authClass type is not allowed to access this scope", WrongTokenKind, False),
        (401, "Invalid token: access token is invalid", InvalidToken, False),
        (401, "Invalid JWT", InvalidToken, False),
        (401, "Unauthorized", InvalidToken, False),
        (401, "version header was not found.", InvalidRequest, False),
        (401, "This route is not yet supported by the IAM Service.", NotFound, False),
        (401, "E01 - Unauthorized request", InvalidRequest, False),
        (401, "Command timed out", ServerError, True),
        (403, "Forbidden resource", MissingScope, False),
        (403, "The token does not have access to this location.", WrongLocation, False),
        (403, "no", MissingScope, False),
        (403, "WORKFLOW_API_NOT_ENABLED_FOR_LOCATION", NotEnabled, False),
        (403, ["WORKFLOW_API_NOT_ENABLED_FOR_LOCATION"], NotEnabled, False),
        (404, "Not Found", NotFound, False),
        (400, "Bad Request", InvalidRequest, False),
        (409, "Conflict", InvalidRequest, False),
        (413, "Too Large", InvalidRequest, False),
        (422, ["pageLimit must not be greater than 500", "sort must be an array"], InvalidRequest, False),
        (429, "Too Many Requests", RateLimited, True),
        (408, "x", ServerError, True),
        (425, "x", ServerError, True),
        *((status, "x", ServerError, True) for status in (500, 502, 503, 504, 520, 521, 522, 523, 524, 529, 599)),
        *((status, "x", UnexpectedResponse, False) for status in (300, 301, 302, 303, 307, 308)),
        (304, "x", UnexpectedResponse, True),
    ],
)
def test_status_and_text_determine_the_error_and_whether_it_is_retryable(status, message, kind, retryable):
    error = error_of(status, {"statusCode": status, "message": message, "traceId": "t-1"})

    assert type(error) is kind
    assert error.retryable is retryable
    assert (error.status, error.trace_id, error.resource) == (status, "t-1", "contacts")
    assert error.hint


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_every_2xx_status_is_a_success(status):
    assert error_of(status) is None


def test_a_missing_scope_says_which_to_check_and_where():
    error = error_of(401, {"message": "The token is not authorized for this scope."})

    assert "check contacts.readonly in Settings > Private Integrations" in error.hint


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "no such contact"}, "no such contact"),
        ({"message": ["one", "two"]}, "one; two"),
        ({"error": "Unprocessable"}, "Unprocessable"),
        ({"detail": "why"}, "why"),
        ({"error": {"message": "within", "code": 7}}, "within"),
        ({"message": "a\nb\x00\x1b[31mc"}, "a b [31mc"),
        (b"plain words", "plain words"),
        (b"", ""),
        (b"[]", ""),
        (b'"x"', ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 100_000, "[" * 100),
    ],
)
def test_the_servers_message_is_quoted_on_one_line_whatever_its_shape(body, message):
    error = error_of(422, body)

    assert message in error.message
    assert "\n" not in error.message
    assert len(error.message) < 400


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html>blocked</html>", b"error code: 1010"])
def test_a_403_from_the_firewall_is_not_a_missing_scope(body):
    error = error_of(403, body)

    assert type(error) is UnexpectedResponse
    assert not error.retryable
    assert "firewall" in error.message


@pytest.mark.parametrize(
    ("kind", "error", "retryable"),
    [
        ("timeout", Timeout, True),
        ("refused", ConnectionFailed, True),
        ("tls", ConnectionFailed, False),
        ("setting", ConnectionFailed, False),
        ("broken", UnexpectedResponse, True),
    ],
)
def test_a_failure_names_the_host_or_what_broke(kind, error, retryable):
    failed = error_for(Failure(kind, "why"), "users", "", "services.example.com")

    assert type(failed) is error
    assert failed.retryable is retryable
    assert "services.example.com" in failed.message or "why" in failed.message


NOON = 1_767_268_800.0  # Thu, 01 Jan 2026 12:00:00 GMT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("86400", 86_400),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("Thu, 01 Jan 2026 13:00:30 +0100", 30),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("²", None),
        ("9" * 400, None),
        ("Thu, 01 Jan 99999 12:00:00 GMT", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_anything_else_is_ignored(header, seconds):
    assert retry_after(RawResponse(429, {"retry-after": header}, b""), NOON) == seconds


def test_without_a_header_there_is_no_retry_after():
    assert retry_after(RawResponse(429, {}, b""), NOON) is None
    assert retry_after(Failure("timeout", ""), NOON) is None
