"""Faults of the server's responses: errors, false successes, wrong pages, odd limits, revoked access."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from faultkit.fault import Moment, also, copy_of, fault, rows_of
from hlkit.sim import ids, tokens
from hlkit.sim.endpoints import ROUTES
from hlkit.sim.exchange import Reply

CLOUDFLARE = "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1>{text}</body></html>"


def error(moment: Moment, status: int, message: str, error: str, **more: Any) -> bool:
    payload = {"statusCode": status, "message": message, "error": error, **more}
    moment.reply = Reply.of_json(
        status, json.dumps(payload | {"traceId": ids.uuid(0, "fault", moment.logged.number)})
    )
    return True


def web_page(status: int, page: str) -> Reply:
    """A web page, as the proxy in front of the API sends."""
    return Reply(status, page.encode(), {"content-type": "text/html; charset=UTF-8"})


# HTTP


@fault(
    9,
    "status_5xx",
    "http",
    "the server or the proxy in front fails",
    ("500", "502", "503", "504", "520", "521", "522", "523", "524"),
    "instead",
)
def status_5xx(moment: Moment) -> bool:
    """An error of the server as JSON (500, 503), or the proxy's page; ``burst=(1, 5)`` for several in a row."""
    status = int(moment.variant)
    if status in (500, 503):
        return error(moment, status, "Internal server error", "Server Error")
    page = CLOUDFLARE.format(title=f"Error {status}", text="services.leadconnectorhq.com | cf-ray 0")
    moment.reply = web_page(status, page)
    return True


@fault(
    10,
    "fake_200",
    "http",
    "a success that is no answer",
    ("html", "empty", "envelope", "no_rows", "null_rows"),
    "instead",
)
def fake_200(moment: Moment) -> bool:
    """In a 200: a page of the proxy, nothing, an error's envelope, no key for the rows, or null for them."""
    if moment.variant == "html":
        page = CLOUDFLARE.format(title="Just a moment...", text="Checking your browser")
        moment.reply = web_page(200, page)
    elif moment.variant == "empty":
        moment.reply = Reply(200, b"", {"content-type": "application/json; charset=utf-8"})
    elif moment.variant == "envelope":
        error(moment, 500, "Internal server error", "Server Error")
        moment.built_reply().status = 200
    else:
        return False
    return True


@also("fake_200", "payload")
def rows_missing(moment: Moment) -> bool:
    """Take the rows away, key and all, or leave null in their place."""
    assert moment.answer is not None
    if moment.variant not in ("no_rows", "null_rows"):
        return False
    if moment.answer.rows_key is None:
        moment.answer.envelope = {key: None for key in moment.answer.envelope if moment.variant == "null_rows"}
        return True
    left = {"total": 0} if moment.variant == "no_rows" else {moment.answer.rows_key: None, "total": 0}
    moment.answer.envelope, moment.answer.rows_key, moment.answer.rows = left, None, []
    return True


@fault(
    11,
    "token_out",
    "http",
    "the answer leads to another host or port, where the token must not go",
    ("redirect_host", "redirect_port", "next_page_url"),
    "instead",
)
def token_out(moment: Moment) -> bool:
    """A redirect (option ``status``, 302) or a ``nextPageUrl`` to the option ``to``, by default this server by
    another name (localhost), or a port where nobody is."""
    if moment.variant == "next_page_url":
        return False
    target = _elsewhere(moment, "localhost" if moment.variant == "redirect_host" else "127.0.0.1")
    moment.reply = Reply(int(moment.options.get("status", 302)), b"", {"location": target + moment.logged.path})
    return True


@also("token_out", "payload")
def next_page_url(moment: Moment) -> bool:
    """Put the foreign address where the live API puts its internal one."""
    if moment.variant != "next_page_url" or moment.answer is None:
        return False
    target = f"{_elsewhere(moment, 'localhost')}{moment.logged.path}?page=2"
    moment.answer.envelope["nextPageUrl"] = target
    meta = moment.answer.envelope.get("meta", {})
    moment.answer.envelope["meta"] = {**meta, "nextPageUrl": target, "nextPage": 2}
    return True


def _elsewhere(moment: Moment, host: str) -> str:
    port = moment.sim.url.rpartition(":")[2] if host == "localhost" else "9"
    return str(moment.options.get("to", f"http://{host}:{port}")).rstrip("/")


@fault(
    13,
    "headers_odd",
    "http",
    "a status or header that changes what a client may keep",
    ("201", "304", "vary", "set_cookie"),
    "reply",
)
def headers_odd(moment: Moment) -> bool:
    """201 for 200; a 304 nobody asked for; Vary: Authorization; a cookie with a made-up session."""
    reply = moment.built_reply()
    if reply.status >= 300:
        return False
    if moment.variant == "201":
        reply.status = 201
    elif moment.variant == "304":
        reply.status, reply.body, moment.logged.rows = 304, b"", 0
    elif moment.variant == "vary":
        reply.headers["vary"] = "Authorization"
    else:
        reply.headers["set-cookie"] = "session=simulated-cookie-0000; Path=/; HttpOnly"
    return True


# Paging


CURSORS = ("searchAfter", "cursor", "startAfterId", "startAfterDate", "lastMessageId")


def _parameters(moment: Moment) -> dict[str, Any]:
    """Query and body together."""
    return {**moment.logged.query, **(moment.logged.body if isinstance(moment.logged.body, dict) else {})}


def _cursor_of(moment: Moment) -> object:
    """The cursor of a request, or nothing: neither a page number nor an offset is one."""
    return next((value for name in CURSORS if (value := _parameters(moment).get(name))), None)


def later_page(moment: Moment) -> bool:
    """Whether a request asks for another page than the first."""
    parameters = _parameters(moment)
    position = parameters.get("skip") or parameters.get("offset") or 0
    return bool(_cursor_of(moment) or int(parameters.get("page") or 1) > 1 or int(position) > 0)


@fault(14, "cursor_loop", "paging", "a walk that never ends", ("same_page", "two_cursors"), "payload")
def cursor_loop(moment: Moment) -> bool:
    """The page at which it first strikes, for ever; or that page and the next in turns."""
    assert moment.answer is not None
    variant = moment.state.setdefault("variant", moment.variant)
    pages = moment.state.setdefault(moment.logged.path, [])
    turn = moment.state[f"turn {moment.logged.path}"] = moment.state.get(f"turn {moment.logged.path}", -1) + 1
    room = 1 if variant == "same_page" else 2
    if len(pages) < room:
        pages.append(moment.answer)
    moment.answer = copy_of(pages[turn % room])
    return True


@fault(16, "overlap", "paging", "a page that begins with the last rows of the page before", (), "payload")
def overlap(moment: Moment) -> bool:
    """The option ``rows`` (10) rows again. The page is no longer for it, save where the answer itself says what
    comes next; by offset it is as if so many rows had come in at the head."""
    assert moment.answer is not None
    if moment.previous is None or not later_page(moment):
        return False
    again = moment.previous.rows[-int(moment.options.get("rows", 10)) :]
    if not again or not (moment.answer.rows or _cursor_of(moment) is None):
        return False
    has_cursor = "nextCursor" in moment.answer.envelope or "meta" in moment.answer.envelope
    moment.answer.rows = (again + moment.answer.rows)[
        : None if has_cursor else max(len(moment.previous.rows), len(again) + 1)
    ]
    return True


@fault(
    18,
    "total_lies",
    "paging",
    "a total that is not the number of rows",
    ("missing", "zero", "text", "list", "grows", "shrinks"),
    "payload",
)
def total_lies(moment: Moment) -> bool:
    """No total, 0, a text, a list, one that grows with each page, one that shrinks."""
    assert moment.answer is not None
    turn = moment.state["turn"] = moment.state.get("turn", 0) + 1
    envelope = moment.answer.envelope
    meta = envelope.get("meta", {})
    for holder, key in ((envelope, "total"), (envelope, "totalCount"), (envelope, "count"), (meta, "total")):
        if key not in holder:
            continue
        true = holder[key][0]["total"] if isinstance(holder[key], list) else holder[key]
        lies: dict[str, Any] = {
            "zero": 0,
            "text": str(true),
            "list": [{"total": true}],
            "grows": true + 500 * turn,
            "shrinks": max(0, true - 7 * turn),
        }
        if moment.variant == "missing":
            del holder[key]
        else:
            holder[key] = lies[moment.variant]
    return True


@fault(20, "lost_location", "paging", "a later page brings rows of another location", ("all", "some"), "payload")
def lost_location(moment: Moment) -> bool:
    """The rows of a later page, all or half of them, with another locationId and other ids."""
    assert moment.answer is not None
    if not later_page(moment) or not moment.answer.rows_key:
        return False
    rows = rows_of(moment.answer)
    other = ids.text(moment.sim.data.seed, "other location")
    for index, row in enumerate(rows):
        if moment.variant == "all" or index % 2:
            row["altId" if "altId" in row else "locationId"] = other
            name = "id" if "id" in row else "_id"
            row[name] = row[name][::-1]
    moment.answer.rows = rows
    return True


@fault(21, "expired_cursor", "paging", "400 for a cursor that has grown old", (), "instead")
def expired_cursor(moment: Moment) -> bool:
    """The cursors of the first ``walks`` (1) walks over a path, after ``pages`` (0) later pages: a walk that
    begins again goes through."""
    walks, later = moment.state.setdefault(moment.logged.path, []), bool(_cursor_of(moment))
    if not later or not walks:
        walks.append(0)
    walks[-1] += later
    if len(walks) > int(moment.options.get("walks", 1)) or walks[-1] <= int(moment.options.get("pages", 0)):
        return False
    return error(moment, 400, "Search context expired", "Bad Request")


# Quota


@fault(
    23,
    "retry_after",
    "quota",
    "a 429 that says when to come again, or does not",
    ("seconds", "date", "past", "soon", "negative", "fraction", "day", "absent"),
    "instead",
)
def retry_after(moment: Moment) -> bool:
    """Retry-After in seconds (option ``seconds``, 1), as a date, a past date, "soon", -5, 1.5, a day, or none."""
    seconds = int(moment.options.get("seconds", 1))
    now = datetime.now(UTC)
    spoken = {
        "seconds": str(seconds),
        "date": format_datetime(now + timedelta(seconds=seconds), usegmt=True),
        "past": format_datetime(now - timedelta(days=1), usegmt=True),
        "soon": "soon",
        "negative": "-5",
        "fraction": "1.5",
        "day": "86400",
    }
    error(moment, 429, "Too Many Requests", "Too Many Requests")
    if moment.variant in spoken:
        moment.built_reply().headers["retry-after"] = spoken[moment.variant]
    return True


@fault(24, "other_client", "quota", "another program spends from the same budget", (), "instead")
def other_client(moment: Moment) -> bool:
    """The option ``requests`` (1) requests of somebody else before each of ours; the answer is as it would be."""
    for _ in range(int(moment.options.get("requests", 1))):
        moment.budget.take()
    return True


@fault(
    25,
    "limits_odd",
    "quota",
    "limit headers that are missing or make no sense",
    ("trial", "missing", "negative", "text", "zero"),
    "reply",
)
def limits_odd(moment: Moment) -> bool:
    """A trial's 25 per ten seconds; no headers; negative numbers; words; zeros."""
    headers = moment.built_reply().headers
    if moment.variant == "trial":
        headers |= {"x-ratelimit-max": "25", "x-ratelimit-limit-daily": "10000"}
        for name, most in (("x-ratelimit-remaining", 25), ("x-ratelimit-daily-remaining", 10_000)):
            headers[name] = str(min(most, int(headers[name])))
        return True
    odd = {"negative": "-1", "text": "many", "zero": "0"}
    for name in [name for name in headers if name.startswith("x-ratelimit")]:
        if moment.variant == "missing":
            del headers[name]
        else:
            headers[name] = odd[moment.variant]
    return True


@fault(26, "day_done", "quota", "the day's requests are used up with this answer", (), "reply")
def day_done(moment: Moment) -> bool:
    """Daily-Remaining is 0 here; whatever is asked afterwards is a 429. Use ``after=k, times=1``."""
    moment.budget.spend_day()
    moment.built_reply().headers.update(moment.budget.headers())
    return True


@fault(27, "retry_storm", "quota", "half of the answers fail for a minute", (), "instead")
def retry_storm(moment: Moment) -> bool:
    """503 for the option ``share`` (0.5) of the requests, for ``seconds`` (60) after the first."""
    started = moment.state.setdefault("begun", moment.logged.at)
    rng = moment.state.setdefault("rng", ids.generator(moment.injection.seed, "retry_storm"))
    over = moment.logged.at - started > float(moment.options.get("seconds", 60))
    if rng.random() >= float(moment.options.get("share", 0.5)) or over:
        return False
    return error(moment, 503, "Service Unavailable", "Server Error")


# Rights

REVOKED: dict[str, tuple[int, str, str]] = {
    "invalid_jwt": (401, "Invalid JWT", "Unauthorized"),
    "invalid_token": (401, "Invalid token: access token is invalid", "Unauthorized"),
    "no_scope": (401, tokens.NO_SCOPE, "Unauthorized"),
    "wrong_class": (401, tokens.WRONG_CLASS, "Unauthorized"),
    "other_location": (403, tokens.OTHER_LOCATION, "Forbidden"),
    "forbidden": (403, "Forbidden resource", "Forbidden"),
    "iam": (401, "This route is not yet supported by the IAM Service", "Unauthorized"),
    "timed_out": (401, "Command timed out", "Unauthorized"),
    "scope_withdrawn": (401, tokens.NO_SCOPE, "Unauthorized"),
    "revoked": (401, "Invalid JWT", "Unauthorized"),
}


@fault(28, "revoked_mid", "auth", "the token loses its rights within a walk", tuple(REVOKED), "instead")
def revoked_mid(moment: Moment) -> bool:
    """Each text that the live API has for it; "timed_out" alone is worth another try. "scope_withdrawn" and
    "revoked" last: the scope or the token is gone from then on."""
    text = moment.logged.headers.get("authorization", "").partition(" ")[2]
    if moment.variant == "revoked":
        moment.sim.revoke(text)
    if moment.variant == "scope_withdrawn":
        for route in ROUTES:
            if route.fits(moment.logged.method, moment.logged.path):
                moment.sim.withdraw(text, route.scope)
    return error(moment, *REVOKED[moment.variant])
