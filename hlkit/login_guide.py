"""Saving a location under a name: what HighLevel's guide says, a check, and what reading it costs."""

from __future__ import annotations

import getpass
import textwrap
import warnings
from collections.abc import Callable

from hlkit.client import profiles
from hlkit.client.access import cost
from hlkit.client.errors import HlkitError, InvalidRequest, MissingScope
from hlkit.client.http.rate_limit import duration
from hlkit.client.http.token import location_id_problem
from hlkit.client.http.token import read as read_token
from hlkit.client.resources import CATALOG
from hlkit.connection import location_with, parse_location_id
from hlkit.location import Location

_SCOPES = sorted({resource.scope for resource in CATALOG.values()})
GUIDE = f"""A Private Integration Token lets hlkit read one sub-account (a location), and nothing else.

1. Open that sub-account in HighLevel, then Settings > Private Integrations > Create new integration.
2. Check what hlkit may read. hlkit never writes, so none that ends in .write is needed. All it can use:
{textwrap.fill(", ".join(_SCOPES), 96, initial_indent="   ", subsequent_indent="   ")}
3. Copy the token: it is shown once.
"""


def login(
    name: str,
    *,
    location_id: str | None = None,
    base_url: str | None = None,
    ask: Callable[[str], str] = input,
    ask_secret: Callable[[str], str] = getpass.getpass,
) -> Location:
    """Save a location under *name*, after a check; its token goes into the operating system's keyring.

    Asks for the location's id (or the address that the browser shows there) and, without echo, for the
    token. Returns the location, connected. Raises ``HlkitError``, and saves nothing, where the token is refused,
    nobody answers or there is no keyring.
    """
    profiles.check_name(name)
    profiles.default()  # a damaged file, too, is told before anything is asked
    problem = profiles.keyring_problem(name)
    if problem is not None:
        raise problem
    print(GUIDE)
    place = location_id or _answer(ask, "Location id, or the address the browser shows there: ")
    wrong = location_id_problem(place)
    if wrong is not None:
        del place, location_id
        raise wrong
    place = parse_location_id(place)
    token = read_token(_answer(ask_secret, "Token (it is not shown while you paste it): "))
    if isinstance(token, HlkitError):
        raise token
    loc = location_with(token, place, base_url=base_url, connected_by=f"profile {name}")
    print(_works(loc))
    profiles.save(profiles.Profile(name, place, _timezone(loc), base_url), token)
    return loc


def _answer(ask: Callable[[str], str], question: str) -> str:
    """What a person answers. Raises ``InvalidRequest`` where nobody can, outside the handler: there it is quoted."""
    try:
        return ask(question)
    except (EOFError, RuntimeError):  # no terminal, or a notebook that a program runs
        problem = InvalidRequest("no answer came, so nothing is saved", hint="run it in a terminal, and answer there")
    except UnicodeDecodeError:
        problem = InvalidRequest("the answer is not text, so nothing is saved", hint="copy it again, in one piece")
    raise problem


def _works(loc: Location) -> str:
    """One cheap call, and what it tells."""
    try:
        count = loc.resources["contacts"].announced()
    except MissingScope as refused:
        return f"works, but {refused.message}: {refused.hint}"
    requests = cost(loc, CATALOG["contacts"], count)
    if count is None or requests is None:
        return "works"
    seconds = duration(loc.session.pacer.time_for(requests))
    return f"works: {count:,} contacts; a full read costs {requests:,} requests, {seconds}"


def _timezone(loc: Location) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zone = loc.timezone.key
    return zone if zone != "UTC" else None
