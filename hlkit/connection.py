"""Connecting: find the token, and create a location that is ready to read. Makes no request."""

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
from hlkit.client.arguments import seconds, short, whole_number
from hlkit.client.dates import as_text, instant
from hlkit.client.disk import absolute_path, user_folder
from hlkit.client.errors import HlkitError, InvalidRequest, InvalidToken, advice
from hlkit.client.http.cache import Cache
from hlkit.client.http.rate_limit import RateLimiter
from hlkit.client.http.session import Session
from hlkit.client.http.sqlite_file import CacheWarning
from hlkit.client.http.token import MENU, Token, checked_base_url, location_id_problem
from hlkit.client.http.token import read as read_token
from hlkit.client.links import APP_URL, checked_app_url
from hlkit.client.resources import CATALOG
from hlkit.client.timezones import zone
from hlkit.client.warning import warn
from hlkit.location import Location

if TYPE_CHECKING:
    from hlkit.sim import Simulation

BASE_URL = "https://services.leadconnectorhq.com"
_READ_ONLY_POST_PATHS = frozenset(
    re.escape(resource.path).replace(r"\{locationId\}", "[^/]+")
    for resource in CATALOG.values()
    if resource.method == "POST"
)
_CACHE_FORMAT = "2"
_RATE_LIMITERS: weakref.WeakValueDictionary[tuple[str, str], RateLimiter] = weakref.WeakValueDictionary()


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
    app_url: str = APP_URL,
) -> Location:
    """Connect to a location. Makes no request.

    Parameters
    ----------
    token, location_id
        A Private Integration Token and the ID of its location, or the location's address in the browser. Pass
        both or neither. Default: the environment variables HIGHLEVEL_PIT and HIGHLEVEL_LOCATION_ID, then the
        default profile.
    profile
        The name of a location saved by ``hlkit login``.
    base_url
        A server other than HighLevel's own: https, or http to this machine.
    timezone
        An IANA name or a ZoneInfo, if the token may not read the location's time zone.
    cache
        ``True`` caches in your cache folder, a path in that folder, ``False`` not at all.
    expire_after
        How long cached data is used, in seconds or as a Timedelta, from the end of its download. An interrupted
        download can be resumed for 7 days after its last page, or for *expire_after* if that is longer. With
        ``cache=False``, only an error's ``.resume()`` can resume it.
    offline
        Make no requests: use cached data of any age, and report its age.
    deadline
        Seconds for one request, including retries. If the rate limit requires a longer wait, an error says when to
        try again.
    app_url
        The address of HighLevel's web app, for links to contacts, if your agency has a domain of its own.

    Raises
    ------
    InvalidToken, WrongTokenKind, InvalidRequest
    """
    credentials = _credentials(token, location_id, profile)
    token = location_id = None  # either may hold the token's text, which no frame of a traceback may show
    if isinstance(credentials.token, HlkitError):
        raise credentials.token
    if credentials.token.format_warning:
        warn(credentials.token.format_warning)
    timezone = None if timezone is None else zone(timezone).key
    expire_after, deadline = seconds("expire_after", expire_after), seconds("deadline", deadline)
    if deadline in (0, math.inf):
        raise InvalidRequest(f"a request cannot finish within {deadline} seconds", hint="leave deadline out")
    return location_with(
        credentials.token,
        parse_location_id(credentials.location_id),
        base_url=base_url if base_url is not None else credentials.base_url,
        timezone=timezone or credentials.timezone,
        cache=cache,
        expire_after=0.0 if cache is False else expire_after,
        offline=offline,
        deadline=deadline,
        connected_by=credentials.source,
        app_url=checked_app_url(app_url),
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
    app_url: str = APP_URL,
) -> Location:
    """A location for a parsed token. There is one cache file per server, location and token."""
    base_url = checked_base_url(BASE_URL if base_url is None else base_url)
    name = token.digest("cache", _CACHE_FORMAT, base_url, location_id, token.fingerprint, size=8)
    folder = _folder_for(cache)
    path = None if folder is None else folder / f"{location_id}-{name}.sqlite"
    store = Cache(path, token, keep_all=offline, supports_resume=path is not None)
    return Location(
        _session(base_url, location_id, token, store, deadline),
        location_id,
        timezone=timezone,
        expire_after=expire_after,
        offline=offline,
        connected_by=connected_by,
        app_url=app_url,
    )


def _folder_for(cache: object) -> Path | None:
    if cache is True:
        return _default_folder()
    if cache is False:
        return None
    if not isinstance(cache, (str, os.PathLike)):
        raise InvalidRequest(
            f"cache={cache!r} is neither True, False nor a folder", hint="cache=False stores nothing on this disk"
        )
    return absolute_path(cache)


def demo(as_of: str | int | dt.date | None = None, seed: int = 0, size: int = 5000) -> Location:
    """Connect to a simulated services business: made-up data on a real server on this machine.

    Works offline. *as_of* (a date, default today) is the end of its two years of data; *size* is the number of
    contacts. Demos with the same seed, size and as_of share a cache. Raises ``InvalidRequest``.
    """
    from hlkit.sim.account import NAME, ZONE

    seed, size = checked_count("seed", seed), checked_count("size", size)
    simulation = _simulation(checked_as_of(as_of), seed, size)
    token = read_token(simulation.token)
    assert isinstance(token, Token)
    folder = _default_folder()
    path = None if folder is None else folder / f"demo-{seed}-{size}-{simulation.as_of:%Y-%m-%d}.sqlite"
    store = Cache(path, token)
    return Location(
        _session(simulation.url, simulation.location_id, token, store, 30.0),
        simulation.location_id,
        name=NAME,
        timezone=ZONE,
        connected_by="demo: made-up data, a server on this machine",
        data_ends=simulation.as_of,
        keep_alive=simulation,
    )


def checked_as_of(as_of: str | int | dt.date | None) -> str | None:
    """The date on which a simulated location's data ends, in ISO form. Raises ``InvalidRequest``."""
    if as_of is None:
        return None
    from hlkit.sim.account import ZONE

    text, timezone = "", zone(ZONE)
    with contextlib.suppress(InvalidRequest):
        moment = instant("as_of", as_of, lambda: timezone)
        text = "" if moment is None else as_text(moment, timezone)
    if len(text) != len("2026-01-01") or not 1970 <= int(text[:4]) <= 2200:
        raise InvalidRequest(
            f"as_of={short(as_of)} is not a date from 1970 to 2200", hint='write it like "2026-01-01"'
        )
    return text


def checked_count(name: str, count: int) -> int:
    """*count*, a whole number of 0 or more. Raises ``InvalidRequest``."""
    return whole_number(name, count, 0, f"leave {name} out, or write {name}=1000")


@functools.cache
def _simulation(as_of: str | None, seed: int, size: int) -> Simulation:
    from hlkit.sim import Simulation

    return Simulation(seed=seed, size=size, as_of=as_of).start()


def _session(base_url: str, location_id: str, token: Token, store: Cache, deadline: float) -> Session:
    """A session. All sessions for the same location in this process share one rate limiter."""
    rate_limiter = _RATE_LIMITERS.setdefault((base_url, location_id), RateLimiter())
    return Session(
        base_url,
        token,
        store,
        deadline=deadline,
        read_only_post_paths=_READ_ONLY_POST_PATHS,
        rate_limiter=rate_limiter,
    )


def cache_folder() -> Path | None:
    """The default cache folder; ``None`` if the user has no home folder."""
    return user_folder(platformdirs.user_cache_path)


def _default_folder() -> Path | None:
    folder = cache_folder()
    if folder is None:
        hint = 'set HOME, or name a folder, as in connect(cache="folder")'
        warn(f"this user has no home folder: data is cached in memory only. {advice(hint)}", CacheWarning)
    return folder


def cache_files() -> list[Path]:
    """All files in the default cache folder, including SQLite's own and the copies of damaged ones."""
    folder = cache_folder()
    return [] if folder is None else sorted(path for path in folder.glob("*.sqlite*") if path.is_file())


# ---- finding the token


@dataclass(frozen=True)
class _Credentials:
    """A token, or the error that it causes, and what belongs to it."""

    token: Token | HlkitError
    location_id: object
    source: str
    timezone: str | None = None
    base_url: str | None = None


def _credentials(token: object, location_id: object, profile: str | None) -> _Credentials:
    """From the arguments, else the named profile, else the environment, else the default profile.

    A token without a location ID, or the reverse, is an error; the next source is not tried. While a frame here holds
    the token's text, which a traceback would show, errors are returned and not raised.
    """
    if token is not None or location_id is not None:
        if profile is not None:
            problem = InvalidToken("token and profile cannot be used together", hint="use one of them")
            return _Credentials(problem, None, "")
        return _pair("arguments", "the arguments token and location_id", token, location_id)
    if profile is not None:
        return _from_profile(profile)
    text, location_id = os.environ.get("HIGHLEVEL_PIT"), os.environ.get("HIGHLEVEL_LOCATION_ID")
    if text is not None or location_id is not None:
        variables = "HIGHLEVEL_PIT and HIGHLEVEL_LOCATION_ID"
        return _pair(variables, variables, text, location_id)
    default, saved = profiles.default(), profiles.names()
    if default is not None:
        return _from_profile(default)
    if saved:
        raise InvalidToken(
            f"no token: none of the saved profiles ({', '.join(saved)}) is the default",
            hint=f'name one: profile="{saved[0]}", or --profile {saved[0]}',
        )
    raise InvalidToken(
        "no token: tried the arguments token and location_id, the environment variables HIGHLEVEL_PIT and "
        "HIGHLEVEL_LOCATION_ID, and the saved profiles",
        hint=f"create a Private Integration Token in {MENU} and run hlkit login NAME; to try hlkit without one, use "
        "hlkit.demo() or --demo",
    )


def _pair(source: str, names: str, text: object, location_id: object) -> _Credentials:
    problem = location_id_problem(location_id)
    if text is None or location_id is None:
        missing = "token" if text is None else "location id"
        problem = InvalidToken(f"{names} must be set together; the {missing} is missing", hint="set both")
    if problem is not None:
        return _Credentials(problem, None, source)
    return _Credentials(read_token(text), location_id, source)


def _from_profile(name: str) -> _Credentials:
    profile, token = profiles.load(name)
    return _Credentials(token, profile.location_id, f"profile {name}", profile.timezone, profile.base_url)


def parse_location_id(value: object) -> str:
    """The location ID in *value*, which may be the location's address in a browser. Raises ``InvalidRequest``."""
    text = value.strip().strip("\"'") if isinstance(value, str) else ""
    in_address = re.search(r"/location/([\w-]+)", text)
    text = in_address.group(1) if in_address else text
    if not re.fullmatch(r"[\w-]{1,64}", text, re.ASCII):
        raise InvalidRequest(
            "location_id is not the ID of a location",
            hint="copy it from the browser's address bar, after /location/, or copy the whole address",
        )
    return text
