"""Connecting: where a token comes from, and a location that is ready to read. No request is made here."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import math
import os
import re
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from hlkit.client import profiles
from hlkit.client.dates import as_text, instant, short
from hlkit.client.disk import absolute_path, user_folder
from hlkit.client.errors import HlkitError, InvalidRequest, InvalidToken, advice
from hlkit.client.http.cache import Cache
from hlkit.client.http.rate_limit import RateLimiter
from hlkit.client.http.session import Session
from hlkit.client.http.sqlite_file import CacheWarning
from hlkit.client.http.token import MENU, Token, checked_base_url, location_id_problem
from hlkit.client.http.token import read as read_token
from hlkit.client.options import seconds, whole_number
from hlkit.client.resources import CATALOG
from hlkit.client.timezones import zone
from hlkit.client.warning import warn
from hlkit.location import Location

if TYPE_CHECKING:
    from hlkit.sim import Simulation

BASE_URL = "https://services.leadconnectorhq.com"
_SEARCHES = frozenset(
    re.escape(resource.path).replace(r"\{locationId\}", "[^/]+")
    for resource in CATALOG.values()
    if resource.method == "POST"
)
_CACHE_FORMAT = "1"
_PACERS: weakref.WeakValueDictionary[tuple[str, str], RateLimiter] = weakref.WeakValueDictionary()


def connect(
    token: str | None = None,
    location_id: str | None = None,
    *,
    profile: str | None = None,
    base_url: str | None = None,
    timezone: str | dt.tzinfo | None = None,
    cache: bool | str | os.PathLike[str] = True,
    expire_after: float | dt.timedelta = 3600.0,
    offline: bool = False,
    deadline: float | dt.timedelta = 30.0,
) -> Location:
    """A location, ready to read. Makes no request.

    Parameters
    ----------
    token, location_id
        A Private Integration Token and the id of its location, or the address that the browser shows
        there. Both, or neither: then HIGHLEVEL_PIT and HIGHLEVEL_LOCATION_ID are taken, then the default
        profile.
    profile
        The name of a location that ``hlkit login`` saved.
    base_url
        Another server than HighLevel's own: https, or http to this machine.
    timezone
        An IANA name or a ZoneInfo, where the token may not read the location's own.
    cache
        Keep answers in your cache folder, in another folder (a path; ``~`` is your home), or not at all
        (``False``).
    expire_after
        Seconds, or a Timedelta, that what is cached serves, from when its download finished, before the server
        is asked again. A download that broke off is resumed for 7 days after its last page, or for so long if
        that is more; where nothing is cached (``cache=False``) only an error's ``.resume()`` goes on with it.
    offline
        Ask no server: what is kept serves at any age, and says how old it is.
    deadline
        Seconds for one request with all its attempts. A longer wait for the rate limit is an error that says when
        to come back.

    Raises
    ------
    InvalidToken, WrongTokenKind, InvalidRequest
    """
    found = _credentials(token, location_id, profile)
    token = location_id = None  # from here on no frame holds the text, if one took the place of the other
    if isinstance(found.token, HlkitError):
        raise found.token
    if found.token.format_warning:
        warn(found.token.format_warning)
    timezone = None if timezone is None else zone(timezone).key
    expire_after, deadline = seconds("expire_after", expire_after), seconds("deadline", deadline)
    if deadline in (0, math.inf):
        raise InvalidRequest(f"a request cannot be done within {deadline} seconds", hint="leave deadline out")
    return location_with(
        found.token,
        parse_location_id(found.location_id),
        base_url=base_url if base_url is not None else found.base_url,
        timezone=timezone or found.timezone,
        cache=cache,
        expire_after=0.0 if cache is False else expire_after,
        offline=offline,
        deadline=deadline,
        connected_by=found.source,
    )


def location_with(
    token: Token,
    location_id: str,
    *,
    base_url: str | None = None,
    timezone: str | None = None,
    cache: bool | str | os.PathLike[str] = True,
    expire_after: float = 3600.0,
    offline: bool = False,
    deadline: float = 30.0,
    connected_by: str = "arguments",
) -> Location:
    """A location for a token that was read already. One cache file per server, location and token."""
    base_url = checked_base_url(BASE_URL if base_url is None else base_url)
    name = token.digest("cache", _CACHE_FORMAT, base_url, location_id, token.fingerprint, size=8)
    folder = _chosen_folder(cache)
    path = None if folder is None else folder / f"{location_id}-{name}.sqlite"
    store = Cache(path, token, keep_all=offline, resumes=path is not None)
    return Location(
        _session(base_url, location_id, token, store, deadline),
        location_id,
        timezone=timezone,
        expire_after=expire_after,
        offline=offline,
        connected_by=connected_by,
    )


def _chosen_folder(cache: object) -> Path | None:
    if cache is True:
        return _usual_folder()
    if cache is False:
        return None
    if not isinstance(cache, (str, os.PathLike)):
        raise InvalidRequest(
            f"cache={cache!r} is neither True, False nor a folder", hint="cache=False keeps nothing on this disk"
        )
    return absolute_path(cache)


def demo(as_of: str | int | dt.date | None = None, seed: int = 0, size: int = 5000) -> Location:
    """A simulated location of a services business, offline: a real server on this machine, made-up people.

    ``as_of`` (a date, default today) is where its two years of data end; ``size`` is the number of contacts.
    What is kept serves every later demo of the same seed, size and as_of. Raises ``InvalidRequest``.
    """
    seed, size = checked_count("seed", seed), checked_count("size", size)
    simulation = _simulation(checked_as_of(as_of), seed, size)
    token = read_token(simulation.token)
    assert isinstance(token, Token)
    folder = _usual_folder()
    path = None if folder is None else folder / f"demo-{seed}-{size}-{simulation.as_of:%Y-%m-%d}.sqlite"
    store = Cache(path, token)
    return Location(
        _session(simulation.url, simulation.location_id, token, store, 30.0),
        simulation.location_id,
        connected_by="demo: made-up people, a server on this machine",
        data_ends=simulation.as_of,
        keeps=simulation,
    )


def checked_as_of(given: str | int | dt.date | None) -> str | None:
    """The date on which a simulated location's data ends, as ISO writes it. Raises ``InvalidRequest``."""
    if given is None:
        return None
    from hlkit.sim.account import ZONE

    text, there = "", zone(ZONE)
    with contextlib.suppress(InvalidRequest):
        moment = instant("as_of", given, lambda: there)
        text = "" if moment is None else as_text(moment, there)
    if len(text) != len("2026-01-01") or not 1970 <= int(text[:4]) <= 2200:
        raise InvalidRequest(f"as_of={short(given)} is no date from 1970 to 2200", hint='write it like "2026-01-01"')
    return text


def checked_count(name: str, given: int) -> int:
    """A whole number, 0 or more. Raises ``InvalidRequest``."""
    return whole_number(name, given, 0, f"leave {name} out, or choose one")


@functools.cache
def _simulation(as_of: str | None, seed: int, size: int) -> Simulation:
    from hlkit.sim import Simulation

    return Simulation(seed=seed, size=size, as_of=as_of).start()


def _session(base_url: str, location_id: str, token: Token, store: Cache, deadline: float) -> Session:
    """A session whose budget is shared by everything in this process that reads the same location."""
    pacer = _PACERS.setdefault((base_url, location_id), RateLimiter())
    return Session(base_url, token, store, deadline=deadline, searches=_SEARCHES, pacer=pacer)


def cache_folder() -> Path | None:
    """Where answers are kept, unless ``connect`` was told another folder; ``None`` for a user without a home."""
    return user_folder(platformdirs.user_cache_path)


def _usual_folder() -> Path | None:
    folder = cache_folder()
    if folder is None:
        way = 'set HOME, or give a folder, as in connect(cache="folder")'
        warn(f"this user has no home folder: answers are kept in memory only. {advice(way)}", CacheWarning)
    return folder


def cache_files() -> list[Path]:
    """What is kept there, with what SQLite and a mended file leave beside it."""
    folder = cache_folder()
    return [] if folder is None else sorted(path for path in folder.glob("*.sqlite*") if path.is_file())


# ---- where the token comes from


@dataclass(frozen=True)
class _Found:
    """A token, or what is wrong with it, and what came with it."""

    token: Token | HlkitError
    location_id: object
    source: str
    timezone: str | None = None
    base_url: str | None = None


def _credentials(token: object, location_id: object, profile: str | None) -> _Found:
    """Arguments, then a named profile, then the environment, then the default profile.

    A half of a pair is an error, not a reason to look on. Gives the error back instead of raising it: a frame
    here holds the token's text.
    """
    if token is not None or location_id is not None:
        if profile is not None:
            return _Found(_refused("a token and a profile were given", "give one of them"), None, "")
        return _pair("arguments", "the arguments token and location_id", token, location_id)
    if profile is not None:
        return _saved(profile)
    text, place = os.environ.get("HIGHLEVEL_PIT"), os.environ.get("HIGHLEVEL_LOCATION_ID")
    if text is not None or place is not None:
        both = "HIGHLEVEL_PIT and HIGHLEVEL_LOCATION_ID"
        return _pair(both, both, text, place)
    default, saved = profiles.default(), profiles.names()
    if default is not None:
        return _saved(default)
    if saved:
        which = f"none of the saved profiles ({', '.join(saved)}) is the default"
        return _Found(
            _refused(f"no token: {which}", f'name one: profile="{saved[0]}", or --profile {saved[0]}'), None, ""
        )
    tried = (
        "no token: tried the arguments token and location_id, the environment variables HIGHLEVEL_PIT and "
        "HIGHLEVEL_LOCATION_ID, and the saved profiles"
    )
    way = (
        f"make a Private Integration Token in {MENU} and run hlkit login NAME; without one, hlkit.demo() and --demo "
        "are made up"
    )
    return _Found(_refused(tried, way), None, "")


def _pair(source: str, names: str, text: object, place: object) -> _Found:
    if text is None or place is None:
        missing = "token" if text is None else "location id"
        return _Found(_refused(f"{names} come together, and the {missing} is missing", "give both"), None, source)
    wrong = location_id_problem(place)
    return _Found(read_token(text), place, source) if wrong is None else _Found(wrong, None, source)


def _refused(message: str, hint: str) -> InvalidToken:
    return InvalidToken(message, hint=hint)


def _saved(name: str) -> _Found:
    profile, token = profiles.load(name)
    return _Found(token, profile.location_id, f"profile {name}", profile.timezone, profile.base_url)


def parse_location_id(given: object) -> str:
    """The id in *given*: as it is, or out of the address that a browser shows. Raises ``InvalidRequest``."""
    text = given.strip().strip("\"'") if isinstance(given, str) else ""
    in_address = re.search(r"/location/([\w-]+)", text)
    text = in_address.group(1) if in_address else text
    if not re.fullmatch(r"[\w-]{1,64}", text, re.ASCII):
        raise InvalidRequest(
            "location_id is no id of a location",
            hint="copy it from the browser's address, where it stands after /location/, or the whole address",
        )
    return text
