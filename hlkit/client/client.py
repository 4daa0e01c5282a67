"""The client of one location: its resources, what the token may read, what reading costs, and any other path."""

from __future__ import annotations

import difflib
import functools
import re
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import quote

import pandas as pd

from hlkit.client import access
from hlkit.client.context import Context
from hlkit.client.download import CachePolicy, Download, Query
from hlkit.client.endpoint import Endpoint
from hlkit.client.errors import InvalidRequest, MissingScope, NotCached, WrongLocation
from hlkit.client.frames.names import with_names
from hlkit.client.http.body import decode
from hlkit.client.http.progress import Progress, current_progress
from hlkit.client.http.session import Session
from hlkit.client.paths import SPELLINGS, location_parameter
from hlkit.client.resources import CATALOG
from hlkit.client.schema import Resource

if TYPE_CHECKING:
    from hlkit.client.typed import Resources
else:
    Resources = object

# Beside the resources: what completes.
_PUBLIC = (
    *("analyses", "check", "costs", "get", "cached", "with_names", "timezone", "quota", "name", "location_id"),
    *("offline", "expire_after"),
)


class Client(Context, Resources):
    """One location through its token. Every resource is an attribute: ``client.contacts()`` is a DataFrame."""

    def __init__(
        self,
        session: Session,
        location_id: str,
        *,
        connected_by: str = "arguments",
        keeps: object = None,
        **context: Any,
    ) -> None:
        super().__init__(session, location_id, **context)
        self.connected_by = connected_by
        self._keeps = keeps  # what lives as long as the client: the simulated location that answers it
        self.resources: dict[str, Endpoint] = {name: Endpoint(self, resource) for name, resource in CATALOG.items()}

    def _endpoint(self, name: str) -> Endpoint:
        resources: dict[str, Endpoint] = self.__dict__.get("resources", {})
        if name in resources:
            return resources[name]
        if hasattr(type(self), name):  # a property failed within: asked again, for its own error
            return object.__getattribute__(self, name)  # type: ignore[no-any-return]
        near = difflib.get_close_matches(name, dir(self), n=1)
        guess = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(dir(self))}"
        raise AttributeError(f"a location has no {name!r}{guess}", name=name, obj=None)  # else Python guesses too

    if not TYPE_CHECKING:  # a type checker knows the resources from the generated base class
        __getattr__ = _endpoint

    def __dir__(self) -> list[str]:
        return [*CATALOG, *_PUBLIC]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a location is not pickled or copied, since it holds a token; connect again instead")

    @property
    def cached(self) -> Self:
        """The same location, of what is cached alone: ``loc.cached.contacts()`` asks no server, whatever its age."""
        return self if self.offline else self._offline

    @functools.cached_property
    def _offline(self) -> Self:
        return type(self)(
            self.session,
            self.location_id,
            timezone=self._given_timezone,
            offline=True,
            connected_by=self.connected_by,
            data_ends=self.data_ends,
            keeps=self._keeps,
        )

    def get(self, path: str, *, version: str = "2021-07-28", refresh: bool = False, **params: Any) -> Any:
        """The JSON of any path that reads, for what the catalog lacks: same token, cache and pacing.

        ``loc.get("/contacts/", limit=10)``, ``loc.get("/contacts/{contactId}/notes", contactId="...")``.

        The location is filled in as the path wants it: ``{locationId}`` in the path, and ``locationId``,
        ``location_id``, or ``altId`` with ``altType`` among the parameters. One that you give stays, and
        ``locationId=None`` sends none. A path that HighLevel's specification does not have gets what you give, and
        no more. Raises ``HlkitError``.
        """
        params = self._with_location(path, params, version)
        path = self._filled(path, params)
        passes = ({name: value for name, value in params.items() if value is not None},)
        resource = Resource(
            name=f"GET {path}", path=path, rows="$", doc="", columns=(), location=None, version=version
        )
        walk = Download(
            Query(resource, self.location_id, passes),
            self.session,
            CachePolicy(self.expire_after, refresh, self.offline),
            progress=current_progress(),
            parse=decode,
        )
        try:
            (told,) = walk
        except WrongLocation as error:
            if self.location_id not in (*params.values(), *path.split("/")):
                error.hint = 'give locationId=loc.location_id, or altId=loc.location_id with altType="location"'
            raise
        finally:
            walk.progress.close()
        return told.envelope.get("$", told.envelope)

    def _with_location(self, path: str, params: dict[str, Any], version: str) -> dict[str, Any]:
        """The parameters, and the one among them that names the location, where *path* wants it."""
        if not isinstance(path, str):
            raise InvalidRequest(f"a path is text, not {type(path).__name__}", hint='write it like "/contacts/"')
        parameter = location_parameter(path, version)
        given = [params[name] for name in SPELLINGS if name in params]
        location = given[0] if given else self.location_id
        if parameter is None or location is None:
            return params
        alternative = {"altType": "location"} if parameter == "altId" else {}
        return {parameter: location} | alternative | params

    def _filled(self, path: str, params: dict[str, Any]) -> str:
        """The path with what stands in braces; those parameters are taken out."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            given = params.pop(name, None)
            given = self.location_id if name == "locationId" and given is None else given
            if given is None or given == "":
                raise InvalidRequest(f"the path holds {match[0]}, and {name} is not given", hint=f"add {name}=...")
            return quote(str(given), safe="")

        return re.sub(r"\{(\w+)\}", value, path)

    def check(self, *, progress: Progress | None = None) -> pd.DataFrame:
        """May the token read each resource, how much is there, what would it cost? One cheap call each.

        A row for each resource: ``readable`` (null where the server failed), ``rows``, ``requests`` and
        ``minutes`` to download all of it, the ``scope`` it wants and the ``problem`` where there is one. Look
        at ``loc.quota`` beside it.
        """
        return access.check(self, progress)

    def costs(self, *names: str) -> pd.DataFrame:
        """What reading each of these resources (all, without names) would cost now. No request.

        A row each: ``rows`` and ``age_s`` (seconds) of what is kept, and ``requests``: 0 while that is fresh,
        null where it was never read to its end. ``loc.check()`` asks the server.
        """
        return access.costs(self, names or CATALOG)

    def with_names(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A copy of *frame* with names beside its ids: owner, user, pipeline, stage, calendar, form ...

        The names are read once and kept. Where the token may not read them, they are left out with a warning.
        Raises ``InvalidRequest`` where the frame has an id more than once, or headings of several levels.
        """
        return with_names(frame, self._names)

    def _names(self, name: str) -> pd.Series | None:
        key = CATALOG[name].key
        try:
            known = self.resources[name]()
        except (MissingScope, NotCached) as refused:
            self._warn_once(f"the names of {name} are left out: {refused.message}", refused.hint)
            return None
        return known.drop_duplicates(key).set_index(key)["name"]
