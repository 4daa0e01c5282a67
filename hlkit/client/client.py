"""The client of one location: its resources, an access check, costs, and any other GET path of the API."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import quote

import pandas as pd

from hlkit.client import access
from hlkit.client.cached_downloads import CachePolicy
from hlkit.client.context import Context
from hlkit.client.download import Download
from hlkit.client.endpoint import Endpoint
from hlkit.client.errors import InvalidRequest, MissingScope, NotCached, WrongLocation
from hlkit.client.frames.names import with_names
from hlkit.client.http.body import decode
from hlkit.client.http.progress import Progress, current_progress
from hlkit.client.http.session import Session
from hlkit.client.links import APP_URL, contact_url, conversation_url
from hlkit.client.paths import SPELLINGS, location_parameter, location_parameters
from hlkit.client.query import Query
from hlkit.client.resources import CATALOG
from hlkit.client.schema import Resource
from hlkit.client.text import did_you_mean

if TYPE_CHECKING:
    from hlkit.client.typed import Resources
else:
    Resources = object

# What tab completion shows besides the resources: what can be called or read, and facts about the location.
_READING = ("analyses", "overview", "check", "costs", "get", "cached", "with_names", "url_of")
_FACTS = ("timezone", "quota", "name", "location_id", "offline", "expire_after")


class Client(Context, Resources):
    """One location, read with its token. Every resource is an attribute: ``client.contacts()`` is a DataFrame.

    ``connected_by`` says where the token came from, for the card. ``keep_alive`` is an object that must live as
    long as the client: the server of a simulated location.
    """

    def __init__(
        self,
        session: Session,
        location_id: str,
        *,
        connected_by: str = "arguments",
        app_url: str = APP_URL,
        keep_alive: object = None,
        **context: Any,
    ) -> None:
        super().__init__(session, location_id, **context)
        self.app_url = app_url
        self.connected_by = connected_by
        self._keep_alive = keep_alive
        self._access: pd.DataFrame | None = None  # of the last check, for the card
        self.resources: dict[str, Endpoint] = {name: Endpoint(self, resource) for name, resource in CATALOG.items()}

    def _endpoint(self, name: str) -> Endpoint:
        """The resource with this name. Raises ``AttributeError`` with the closest attribute."""
        resources: dict[str, Endpoint] = self.__dict__.get("resources", {})
        if name in resources:
            return resources[name]
        if hasattr(type(self), name):  # a property raised AttributeError: call it again, to show its own error
            return object.__getattribute__(self, name)  # type: ignore[no-any-return]
        hint = did_you_mean(name, dir(self), "{}") or f"it has {', '.join(dir(self))}"
        # obj=None: Python would add a guess of its own
        raise AttributeError(f"a location has no {name!r}; {hint}", name=name, obj=None)

    if not TYPE_CHECKING:  # type checkers know the resources from the generated base class
        __getattr__ = _endpoint

    def __dir__(self) -> list[str]:
        return [*CATALOG, *_READING, *_FACTS]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a location cannot be pickled or copied, because it holds a token; connect again instead")

    @property
    def cached(self) -> Self:
        """The same location, from the cache only: ``loc.cached.contacts()`` sends no request, however old it is."""
        return self if self.offline else self._offline_copy

    @functools.cached_property
    def _offline_copy(self) -> Self:
        return type(self)(
            self.session,
            self.location_id,
            name=self._given_name,
            timezone=self._fallback_timezone,
            offline=True,
            connected_by=self.connected_by,
            app_url=self.app_url,
            data_ends=self.data_ends,
            keep_alive=self._keep_alive,
        )

    def url_of(self, contact_id: str | None = None, *, conversation_id: str | None = None) -> str:
        """The page of a contact, or of a conversation, in HighLevel's web app. Makes no request.

        Raises ``InvalidRequest`` unless exactly one id is given.
        """
        if isinstance(contact_id, str) and conversation_id is None:
            return contact_url(self.location_id, contact_id, self.app_url)
        if isinstance(conversation_id, str) and contact_id is None:
            return conversation_url(self.location_id, conversation_id, self.app_url)
        raise InvalidRequest(
            "url_of takes one id, as text",
            hint='write loc.url_of("…") for a contact, or loc.url_of(conversation_id="…"); a deal is on the page of '
            "its contact",
        )

    def get(self, path: str, *, version: str = "2021-07-28", refresh: bool = False, **params: Any) -> Any:
        """The JSON of any GET path, for what the catalog lacks. It uses the same token, cache and rate limit.

        Examples: ``loc.get("/contacts/", limit=10)``, ``loc.get("/contacts/{contactId}/notes", contactId="...")``.

        The location id is filled in: ``{locationId}`` in the path, and the query parameter that the path takes
        (``locationId``, ``location_id``, or ``altId`` with ``altType``). Your own value wins; ``locationId=None``
        sends none. Paths that are not in HighLevel's specification get only the parameters you give.

        Raises ``HlkitError``.
        """
        params = self._with_location(path, params, version)
        path = self._fill_path(path, params)
        parameters = {name: value for name, value in params.items() if value is not None}
        resource = Resource(
            name=f"GET {path}", path=path, rows="$", doc="", columns=(), location_parameter=None, version=version
        )
        download = Download(
            Query(resource, self.location_id, (parameters,), parse=decode),
            self.session,
            CachePolicy(self.expire_after, refresh, self.offline),
            progress=current_progress(),
        )
        try:
            (page,) = download
        except WrongLocation as error:
            if self.location_id not in (*params.values(), *path.split("/")):
                error.hint = 'give locationId=loc.location_id, or altId=loc.location_id with altType="location"'
            raise
        finally:
            download.progress.close()
        return page.envelope.get("$", page.envelope)  # "$" holds a response that is a list

    def _with_location(self, path: str, params: dict[str, Any], version: str) -> dict[str, Any]:
        """The parameters, with the location id if *path* takes it."""
        if not isinstance(path, str):
            raise InvalidRequest(f"a path is text, not {type(path).__name__}", hint='write it like "/contacts/"')
        parameter = location_parameter(path, version)
        location_id = next((params[name] for name in SPELLINGS if name in params), self.location_id)
        return params if location_id is None else location_parameters(parameter, location_id) | params

    def _fill_path(self, path: str, params: dict[str, Any]) -> str:
        """The path with its placeholders filled in. Removes their values from *params*."""

        def value_of(match: re.Match[str]) -> str:
            name = match[1]
            value = params.pop(name, None)
            if name == "locationId" and value is None:
                value = self.location_id
            if value is None or value == "":
                raise InvalidRequest(f"the path has {match[0]}, and {name} is not given", hint=f"add {name}=...")
            return quote(str(value), safe="")

        return re.sub(r"\{(\w+)\}", value_of, path)

    def check(self, *, progress: Progress | None = None) -> pd.DataFrame:
        """One cheap call per resource: can the token read it, and what would all of it cost?

        Returns one row per resource: ``readable`` (null if the server failed), ``rows`` (null if the server does not
        report them), ``requests`` and ``minutes`` to download all of it, the ``scope`` it needs (null if no scope
        helps) and the ``problem``, if any. Compare the cost with ``loc.quota``. A resource that cannot be read does
        not stop the check. A rejected token, a lost connection or an exhausted daily quota does.
        """
        self._access = access.check(self, progress)
        return self._access.copy()

    def costs(self, *names: str) -> pd.DataFrame:
        """What reading each of these resources (default: all) would cost now, according to the cache. No request.

        Returns one row per resource: ``rows`` and ``age_s`` (seconds) of the cached data, and ``requests``: 0 while
        it is fresh, what it cost last time if it has expired, null if it was never read completely. ``loc.check()``
        asks the server instead.
        """
        return access.costs(self, names or CATALOG)

    def with_names(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A copy of *frame* with names beside its ids: owner, user, pipeline, stage, calendar, form and others.

        The names are read once and cached. Those that the token cannot read are left out, with a warning. Raises
        ``InvalidRequest`` if the frame has an id column more than once, or columns with several levels.
        """
        return with_names(frame, self._names)

    def _names(self, resource: str) -> pd.Series | None:
        """The names of a resource by id; ``None``, with one warning, if they cannot be read."""
        key = CATALOG[resource].key
        try:
            frame = self.resources[resource]()
        except (MissingScope, NotCached) as error:
            self._warn_once(f"the names of {resource} are left out: {error.message}", error.hint)
            return None
        return frame.drop_duplicates(key).set_index(key)["name"]
