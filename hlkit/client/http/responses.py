"""What an answer means: rows, a wait, or an error with what to do next.

HighLevel tells 401 and 403 apart by their text alone. The texts were seen in 2026; one that is not known
falls to its status.
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
from hlkit.client.http.transport import Answer, Failure

_LONGEST_TEXT = 300  # of a server's own words in an error
_WEB_PAGE = "a web page"
_NOT_ENABLED = re.compile(rb"[A-Z_]{0,80}NOT_ENABLED_FOR_LOCATION")  # of workflow statistics (seen in 2026)


def trouble(outcome: Answer | Failure, resource: str, scope: str, host: str) -> HlkitError | None:
    """The error that *outcome* stands for, or ``None`` for a success whose body is still to be read."""
    if isinstance(outcome, Failure):
        return _of_failure(outcome, resource, host)
    if 200 <= outcome.status < 300:
        return None
    said, trace_id = _said(outcome.body)
    if outcome.status in (401, 403) and (code := _NOT_ENABLED.search(outcome.body)):
        error: HlkitError = NotEnabled(
            f"HighLevel has not opened {resource} to this location ({code[0].decode()})",
            hint="ask HighLevel's support to enable it for this sub-account; no scope does",
        )
    else:
        error = _of_status(outcome.status, said, resource, scope)
    error.status, error.trace_id, error.resource = outcome.status, trace_id, resource
    return error


def _of_failure(failure: Failure, resource: str, host: str) -> HlkitError:
    if failure.kind == "late":
        return Timeout(
            f"{host} gave no whole answer in time",
            hint="try again; if it stays so, raise deadline= in connect()",
            resource=resource,
        )
    if failure.kind == "refused":
        return ConnectionFailed(
            f"no connection to {host} ({failure.words})",
            hint="check the network, a VPN or a proxy (HTTPS_PROXY), or read what is kept with offline=True",
            resource=resource,
        )
    if failure.kind == "untrusted":
        return _once(
            ConnectionFailed(
                f"the certificate of {host} is not trusted; the token was not sent ({failure.words})",
                hint="a proxy that opens https needs its certificate in REQUESTS_CA_BUNDLE",
                resource=resource,
            )
        )
    if failure.kind == "setting":
        return _once(ConnectionFailed(f"{failure.words}; nothing was sent", hint=failure.hint, resource=resource))
    return UnexpectedResponse(failure.words, hint="try again in a minute", resource=resource)


def _once(error: HlkitError) -> HlkitError:
    """The error, where asking again as it stands is of no use."""
    error.retryable = False
    return error


def _of_status(status: int, said: str, resource: str, scope: str) -> HlkitError:
    quoted = f": {said}" if said else ""
    if status == 401:
        return _of_401(said, quoted, resource, scope)
    if status == 403:
        return _of_403(said, quoted, resource, scope)
    if status == 404 or (status == 400 and "not found" in said.lower()):
        return NotFound(f"HighLevel has no such record or path{quoted}", hint="check the id and the path")
    if status == 429:
        return RateLimited(
            "HighLevel's burst limit is reached, by this program and others together", hint="wait, then go on"
        )
    if status >= 500 or status in (408, 425):
        return ServerError(
            f"HighLevel answered {status}{quoted}",
            hint="try again in some minutes; status.gohighlevel.com tells of outages",
        )
    if status < 400:
        odd = UnexpectedResponse(
            f"HighLevel answered {status}, which is no answer; a redirect is not followed, since a token goes to "
            "one host",
            hint="check base_url, or try again in a minute",
        )
        return odd if status == 304 else _once(odd)
    return InvalidRequest(f"HighLevel refuses the request ({status}){quoted}", hint="check filters and dates")


def _of_401(said: str, quoted: str, resource: str, scope: str) -> HlkitError:
    text = said.lower()
    if "command timed out" in text:  # a gateway's time-out: no word on the token
        return ServerError("HighLevel's gateway timed out", hint="try again in a minute")
    if "not authorized for this scope" in text:
        return MissingScope(f"the token may not read {resource}", hint=_add_scope_hint(scope))
    if "user type mismatch" in text or "authclass" in text:
        return WrongTokenKind(
            f"this is not a sub-account's token{quoted}",
            hint=f"make a Private Integration Token in {MENU}, not in the agency's settings",
        )
    if "not yet supported by the iam" in text:
        return NotFound(f"HighLevel has not opened this path to tokens{quoted}", hint="no scope changes that")
    if "version header" in text or text.startswith("e01"):
        return InvalidRequest(f"HighLevel refuses the request (401){quoted}", hint="check its parameters")
    return InvalidToken(
        f"HighLevel does not accept the token{quoted}",
        hint=f"it may have been rotated or deleted: look in {MENU}, and make a new one if need be",
    )


def _of_403(said: str, quoted: str, resource: str, scope: str) -> HlkitError:
    text = said.lower()
    if "does not have access to this location" in text:
        return WrongLocation(
            "the token belongs to another location",
            hint="check location_id: it stands in the browser's address, after /location/",
        )
    if "forbidden resource" in text:
        return MissingScope(f"a sub-account's token may not read {resource}", hint="ask the agency: its token may")
    if said == _WEB_PAGE or "error code: 1" in text:  # Cloudflare's own codes are 1000 and more
        return _once(
            UnexpectedResponse(
                "the firewall in front of HighLevel refuses this computer (403)",
                hint="try from another network, without a VPN",
            )
        )
    return MissingScope(f"HighLevel refuses to give {resource}{quoted}", hint=_add_scope_hint(scope))


def _add_scope_hint(scope: str) -> str:
    return f"check {scope} in {MENU}, then connect again" if scope else f"see the scopes in {MENU}"


def _said(body: bytes) -> tuple[str, str | None]:
    """The server's own words, short and on one line, and its trace id."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        text = body[:_LONGEST_TEXT].decode("utf-8", "replace")
        return (_WEB_PAGE if text.lstrip().startswith("<") else _line(text)), None
    if not isinstance(told, dict):
        return "", None
    words: Any = next((told[name] for name in ("message", "error", "detail") if told.get(name)), "")
    if isinstance(words, dict):
        words = words.get("message", "")
    if isinstance(words, list):
        words = "; ".join(str(word) for word in words)
    trace_id = told.get("traceId")
    return _line(str(words)), trace_id[:100] if isinstance(trace_id, str) else None


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST_TEXT]


def retry_after(answer: Answer | Failure, now: float) -> float | None:
    """The seconds that the server asks to wait, told as seconds or as a date; odd values are ignored.

    *now* is the time of day, in Unix seconds.
    """
    text = answer.headers.get("retry-after", "").strip() if isinstance(answer, Answer) else ""
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 10 else None
    try:
        when = email.utils.parsedate_to_datetime(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=dt.UTC)
        return max(0.0, when.timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None
