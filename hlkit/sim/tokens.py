"""Tokens and their scopes, and the message of each refusal."""

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
    scopes: set[str] | None = None  # None: all scopes
    kind: str = "location"
    withdrawn: set[str] = field(default_factory=set)


class Tokens:
    """The tokens that the server accepts."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}

    def add(self, text: str, location_id: str, scopes: Iterable[str] | None, kind: str) -> None:
        """Accept a token; *scopes* None means all scopes."""
        if kind not in ("location", "agency", "company"):
            raise ValueError(f"no such kind of token: {kind}")
        self._tokens[text] = Token(text, location_id, None if scopes is None else set(scopes), kind)

    def revoke(self, text: str) -> None:
        """Reject a token from now on, as after a rotation."""
        self._tokens.pop(text, None)

    def withdraw(self, text: str, scope: str) -> None:
        """Remove a scope from a token."""
        self._tokens[text].withdrawn.add(scope)

    def reads(self, headers: Mapping[str, str]) -> Token:
        """The token of a request; raises Refusal if it is missing or not accepted."""
        kind, _, text = headers.get("authorization", "").partition(" ")
        if not text or kind.lower() != "bearer":
            raise Refusal(401, "Invalid token: access token is invalid", "Unauthorized")
        if text not in self._tokens:
            raise Refusal(401, "Invalid JWT", "Unauthorized")
        return self._tokens[text]


def check_version(headers: Mapping[str, str]) -> str:
    """The API version of a request; without one it is refused with 401, as without a token."""
    version = headers.get("version")
    if version is None:
        raise Refusal(401, "version header was not found.", "Unauthorized")
    if version not in VERSIONS:
        raise Refusal(400, f"Invalid API version segment '{version}' at position 0", "Bad Request")
    return version


def check_scope(token: Token, scope: str) -> None:
    """Refuse a token of another kind, or without the scope."""
    if token.kind == "agency":
        raise Refusal(401, WRONG_CLASS, "Unauthorized")
    if token.kind == "company":
        raise Refusal(401, WRONG_AUTH_CLASS, "Unauthorized")
    if scope in token.withdrawn or (token.scopes is not None and scope not in token.scopes):
        raise Refusal(401, NO_SCOPE, "Unauthorized")


def check_location(token: Token, location_id: object) -> None:
    """Refuse another location, and a request without a location."""
    if location_id != token.location_id:
        raise Refusal(403, OTHER_LOCATION, "Forbidden")
