"""Who may read what: tokens with scopes, and the words of each refusal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hlkit.sim.refusal import Refusal

TOKEN = "pit-00000000-0000-0000-0000-000000000000"
VERSIONS = ("v3", "2023-02-21", "2021-07-28", "2021-04-15", "legacy")

NO_SCOPE = "The token is not authorized for this scope."
WRONG_CLASS = "Token's user type mismatch!"
WRONG_AUTH_CLASS = "This authClass type is not allowed to access this scope."
OTHER_LOCATION = "The token does not have access to this location."


@dataclass
class Token:
    """A token of a location (a PIT), of an agency, or an OAuth token of a company."""

    text: str
    location_id: str
    scopes: set[str] | None = None  # None: all there are
    kind: str = "location"
    withdrawn: set[str] = field(default_factory=set)


class Tokens:
    """The tokens a server knows."""

    def __init__(self) -> None:
        self._known: dict[str, Token] = {}

    def add(self, text: str, location_id: str, scopes: Iterable[str] | None, kind: str) -> None:
        """Know a token; *scopes* None is every scope."""
        if kind not in ("location", "agency", "company"):
            raise ValueError(f"no such kind of token: {kind}")
        self._known[text] = Token(text, location_id, None if scopes is None else set(scopes), kind)

    def revoke(self, text: str) -> None:
        """Forget a token, as a rotation does."""
        self._known.pop(text, None)

    def withdraw(self, text: str, scope: str) -> None:
        """Take one scope from a token."""
        self._known[text].withdrawn.add(scope)

    def reads(self, headers: Mapping[str, str]) -> Token:
        """The token of a request, or the refusal of one that has none, or none that is known."""
        kind, _, text = headers.get("authorization", "").partition(" ")
        if not text or kind.lower() != "bearer":
            raise Refusal(401, "Invalid token: access token is invalid", "Unauthorized")
        if text not in self._known:
            raise Refusal(401, "Invalid JWT", "Unauthorized")
        return self._known[text]


def check_version(headers: Mapping[str, str]) -> str:
    """The API version a request asks for; without one it is refused as if it had no token."""
    version = headers.get("version")
    if version is None:
        raise Refusal(401, "version header was not found.", "Unauthorized")
    if version not in VERSIONS:
        raise Refusal(400, f"Invalid API version segment '{version}' at position 0", "Bad Request")
    return version


def check_scope(token: Token, scope: str) -> None:
    """Refuse a token of another class, or one without the scope."""
    if token.kind == "agency":
        raise Refusal(401, WRONG_CLASS, "Unauthorized")
    if token.kind == "company":
        raise Refusal(401, WRONG_AUTH_CLASS, "Unauthorized")
    if scope in token.withdrawn or (token.scopes is not None and scope not in token.scopes):
        raise Refusal(401, NO_SCOPE, "Unauthorized")


def check_location(token: Token, location_id: object) -> None:
    """Refuse another location, and a request that names none."""
    if location_id != token.location_id:
        raise Refusal(403, OTHER_LOCATION, "Forbidden")
