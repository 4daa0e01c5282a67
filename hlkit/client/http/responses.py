"""Errors from responses: which error a status, a message or a failed request stands for, and what to do about it.

HighLevel distinguishes the causes of 401 and 403 only by the text of the message. The texts below were seen in 2026.
An unknown text falls back to the status.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import re
from typing import Any

from hlkit.client.errors import (
    ConnectionFailed,
    HlkitError,
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
from hlkit.client.http.token import MENU
from hlkit.client.http.transport import Failure, RawResponse

_MAX_MESSAGE = 300  # characters of the server's message that an error quotes
_WEB_PAGE = "a web page"
_NOT_ENABLED = re.compile(rb"[A-Z_]{0,80}NOT_ENABLED_FOR_LOCATION")  # of workflow statistics (seen in 2026)


def error_for(outcome: RawResponse | Failure, resource: str, scope: str, host: str) -> HlkitError | None:
    """The error for *outcome*, or ``None`` for a status of 2xx, whose body is still to be read.

    *resource* and *scope* are what was requested and the scope that it needs; the error names them.
    """
    if isinstance(outcome, Failure):
        error = _error_for_failure(outcome, host)
    elif 200 <= outcome.status < 300:
        return None
    else:
        error = _error_for_response(outcome, resource, scope)
    error.resource = resource
    return error


def _error_for_failure(failure: Failure, host: str) -> HlkitError:
    if failure.kind == "timeout":
        return Timeout(
            f"{host} sent no complete response in time",
            hint="try again; if this continues, raise deadline= in connect()",
        )
    if failure.kind == "refused":
        return ConnectionFailed(
            f"no connection to {host} ({failure.message})",
            hint="check the network, a VPN or a proxy (HTTPS_PROXY), or use the cache with offline=True",
        )
    if failure.kind == "tls":
        return ConnectionFailed(
            f"the certificate of {host} is not trusted; the token was not sent ({failure.message})",
            hint="a proxy that decrypts https needs its certificate in REQUESTS_CA_BUNDLE",
            retryable=False,
        )
    if failure.kind == "setting":
        return ConnectionFailed(f"{failure.message}; nothing was sent", hint=failure.hint, retryable=False)
    return UnexpectedResponse(failure.message, hint="try again in a minute")


def _error_for_response(response: RawResponse, resource: str, scope: str) -> HlkitError:
    message, trace_id = _server_message(response.body)
    if response.status in (401, 403) and (code := _NOT_ENABLED.search(response.body)):
        error: HlkitError = NotEnabled(
            f"HighLevel has not enabled {resource} for this location ({code[0].decode()})",
            hint="ask HighLevel's support to enable it for this sub-account; no scope does",
        )
    else:
        error = _error_for_status(response.status, message, resource, scope)
    error.status, error.trace_id = response.status, trace_id
    return error


def _error_for_status(status: int, message: str, resource: str, scope: str) -> HlkitError:
    quoted = f": {message}" if message else ""
    if status == 401:
        return _error_for_401(message, quoted, resource, scope)
    if status == 403:
        return _error_for_403(message, quoted, resource, scope)
    if status == 404 or (status == 400 and "not found" in message.lower()):
        return NotFound(f"HighLevel has no such record or path{quoted}", hint="check the id and the path")
    if status == 429:
        return RateLimited(
            "HighLevel's burst limit is reached, by this program and others together",
            hint="wait, then make the call again",
        )
    if status >= 500 or status in (408, 425):
        return ServerError(
            f"HighLevel responded with an error ({status}){quoted}",
            hint="try again in a few minutes; status.gohighlevel.com reports outages",
        )
    if status < 400:
        return UnexpectedResponse(
            f"HighLevel responded with {status}, without data; redirects are not followed, because the token goes to "
            "one host only",
            hint="check base_url, or try again in a minute",
            retryable=status == 304,
        )
    return InvalidRequest(f"HighLevel rejected the request ({status}){quoted}", hint="check filters and dates")


def _error_for_401(message: str, quoted: str, resource: str, scope: str) -> HlkitError:
    text = message.lower()
    if "command timed out" in text:  # a gateway's timeout, with a misleading status: the token is not the problem
        return ServerError("HighLevel's gateway timed out", hint="try again in a minute")
    if "not authorized for this scope" in text:
        return MissingScope(f"the token cannot read {resource}", hint=_scope_hint(scope))
    if "user type mismatch" in text or "authclass" in text:
        return WrongTokenKind(
            f"this is not a sub-account's token{quoted}",
            hint=f"create a Private Integration Token in {MENU}, not in the agency's settings",
        )
    if "not yet supported by the iam" in text:
        return NotFound(f"HighLevel has not opened this path to tokens{quoted}", hint="no scope changes that")
    if "version header" in text or text.startswith("e01"):
        return InvalidRequest(f"HighLevel rejected the request (401){quoted}", hint="check its parameters")
    return InvalidToken(
        f"HighLevel does not accept the token{quoted}",
        hint=f"it may have been rotated or deleted: check {MENU}, and create a new one if needed",
    )


def _error_for_403(message: str, quoted: str, resource: str, scope: str) -> HlkitError:
    text = message.lower()
    if "does not have access to this location" in text:
        return WrongLocation(
            "the token belongs to another location",
            hint="check location_id: it is in the browser's address, after /location/",
        )
    if "forbidden resource" in text:
        return MissingScope(f"a sub-account's token cannot read {resource}", hint="ask the agency: its token can")
    if message == _WEB_PAGE or "error code: 1" in text:  # Cloudflare's own codes are 1000 and up
        return UnexpectedResponse(
            "the firewall in front of HighLevel blocks this computer (403)",
            hint="try from another network, without a VPN",
            retryable=False,
        )
    return MissingScope(f"HighLevel refuses access to {resource}{quoted}", hint=_scope_hint(scope))


def _scope_hint(scope: str) -> str:
    return f"check {scope} in {MENU}, then connect again" if scope else f"check the scopes in {MENU}"


def _server_message(body: bytes) -> tuple[str, str | None]:
    """The server's message, short and on one line, and its trace id."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        text = body[:_MAX_MESSAGE].decode("utf-8", "replace")
        return (_WEB_PAGE if text.lstrip().startswith("<") else _on_one_line(text)), None
    if not isinstance(payload, dict):
        return "", None
    message: Any = next((payload[name] for name in ("message", "error", "detail") if payload.get(name)), "")
    if isinstance(message, dict):
        message = message.get("message", "")
    if isinstance(message, list):
        message = "; ".join(str(part) for part in message)
    trace_id = payload.get("traceId")
    return _on_one_line(str(message)), trace_id[:100] if isinstance(trace_id, str) else None


def _on_one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MAX_MESSAGE]


def retry_after(outcome: RawResponse | Failure, now: float) -> float | None:
    """The seconds that the server asks to wait, from a ``Retry-After`` of seconds or a date. Ignores anything else.

    *now* is in Unix seconds.
    """
    text = outcome.headers.get("retry-after", "").strip() if isinstance(outcome, RawResponse) else ""
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 10 else None
    try:
        date = email.utils.parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=dt.UTC)
        return max(0.0, date.timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None
