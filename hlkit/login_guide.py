"""``hlkit login``: save a location under a name, after checking its token."""

from __future__ import annotations

import getpass
import textwrap
from collections.abc import Callable

from hlkit.client import profiles
from hlkit.client.access import requests_for_all
from hlkit.client.errors import HlkitError, InvalidRequest, MissingScope
from hlkit.client.http.rate_limit import duration
from hlkit.client.http.token import MENU, location_id_problem
from hlkit.client.http.token import read as read_token
from hlkit.client.resources import CATALOG
from hlkit.client.warning import collect_warnings
from hlkit.connection import location_with, parse_location_id
from hlkit.location import Location

STEPS = (
    "A Private Integration Token lets hlkit read one sub-account (a location), and nothing else.",
    f"1. In HighLevel, open {MENU} and click Create new integration.",
    "2. Check the scopes that hlkit should read. It never writes, so it needs no .write scope. It can use all of "
    f"these: {', '.join(sorted({resource.scope for resource in CATALOG.values()}))}.",
    "3. Copy the token. HighLevel shows it only once.",
)


def login(
    name: str,
    *,
    location_id: str | None = None,
    base_url: str | None = None,
    ask: Callable[[str], str] = input,
    ask_secret: Callable[[str], str] = getpass.getpass,
) -> Location:
    """Save a location under *name*, with its token in the operating system's keyring.

    Prompts for the location's ID (or its address in the browser) and for the token, which is not shown. Checks the
    token with one request. Returns the connected location. Raises ``HlkitError``, and saves nothing, if the token is
    refused, a prompt gets no input, or there is no keyring.
    """
    profiles.check_name(name)
    profiles.default()  # raises if the file is damaged, before any prompt
    profiles.check_keyring(name)
    print(*(textwrap.fill(step, 96, subsequent_indent="   ") for step in STEPS), "", sep="\n")
    text = location_id or _prompt(ask, "Location ID, or the location's address in the browser: ")
    problem = location_id_problem(text)
    if problem is not None:
        del text, location_id  # it is a token, which no frame of a traceback may hold
        raise problem
    location_id = parse_location_id(text)
    token = read_token(_prompt(ask_secret, "Token (not shown as you paste it): "))
    if isinstance(token, HlkitError):
        raise token
    loc = location_with(token, location_id, base_url=base_url, connected_by=f"profile {name}")
    print(_check(loc))
    profiles.save(profiles.Profile(name, location_id, _timezone(loc), base_url), token)
    return loc


def _prompt(ask: Callable[[str], str], question: str) -> str:
    """The input of a person. Raises ``InvalidRequest`` if there is none.

    It is raised outside the handlers, since the original error may quote the input.
    """
    try:
        return ask(question)
    except (EOFError, RuntimeError):  # no terminal, or a notebook run by a program
        problem = InvalidRequest("no input, so nothing was saved", hint="run it in a terminal and answer the prompts")
    except UnicodeDecodeError:
        problem = InvalidRequest("the input is not text, so nothing was saved", hint="copy the whole text again")
    raise problem


def _check(loc: Location) -> str:
    """Make one cheap request, and describe the result."""
    try:
        count = loc.resources["contacts"].announced_total()
    except MissingScope as error:
        return f"works, but {error.message}: {error.hint}"
    requests = requests_for_all(loc, CATALOG["contacts"], count)
    if count is None or requests is None:
        return "works"
    time = duration(loc.session.rate_limiter.time_for(requests))
    return f"works: {count:,} contacts; a full read costs {requests:,} requests, {time}"


def _timezone(loc: Location) -> str | None:
    with collect_warnings():
        zone = loc.timezone.key
    return zone if zone != "UTC" else None
