"""The Private Integration Token: told by its looks, never shown, sent to one host.

The text lives in a closure: no ``repr``, ``vars``, pickle or traceback with locals shows it. Functions that
see the text say what is wrong with it and let their caller raise or warn, after it has let go of the text.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

from hlkit.client.errors import HlkitError, InvalidRequest, InvalidToken, WrongTokenKind

MENU = "Settings > Private Integrations in the sub-account"
_PIT = re.compile(r"pit-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_AROUND = " \t\r\n\v\f\u00a0\u200b\u200c\u200d\u2060\ufeff\"'`\u201c\u201d\u2018\u2019"
_HIDDEN = "•••"


class Token:
    """A token that can be sent and compared, and not be read. ``doubt`` says what is odd about its looks."""

    __slots__ = ("_fill", "_hand", "_keyed", "_scrub", "_wash", "doubt")

    def __init__(self, text: str, doubt: str = "") -> None:
        self.doubt = doubt
        secret = text.encode()
        key = hashlib.blake2b(secret).digest()  # from it nobody finds the text: frames may hold it
        anywhere = re.compile(f"{re.escape(text)}|{_PIT.pattern}", re.IGNORECASE)

        def fill(headers: Any) -> None:
            headers["Authorization"] = f"Bearer {text}"

        def hand(keep: Callable[[str], object]) -> None:
            keep(text)

        def keyed(data: bytes, size: int) -> str:
            return hashlib.blake2b(data, key=key, digest_size=size).hexdigest()

        def scrub(words: str) -> str:
            return anywhere.sub(_HIDDEN, words)

        def wash(body: bytes) -> bytes:
            return body.replace(secret, _HIDDEN.encode()).replace(secret.upper(), _HIDDEN.encode())

        self._fill, self._hand, self._keyed, self._scrub, self._wash = fill, hand, keyed, scrub, wash

    def sign(self, headers: Any) -> None:
        """Put the token into the headers of a request that is about to leave."""
        self._fill(headers)

    def hand_to(self, keep: Callable[[str], object]) -> None:
        """Call *keep*, such as a keyring, with the text. A traceback from within would show it: catch it there."""
        self._hand(keep)

    def scrub(self, words: str) -> str:
        """A server's words, without this or any other token that it may have echoed."""
        return self._scrub(words)

    def wash(self, body: bytes) -> bytes:
        """A server's answer, without the token that it may have echoed: an answer is kept and quoted."""
        return self._wash(body)

    def digest(self, *parts: str | bytes, size: int = 16) -> str:
        """A keyed hash in hex: equal for the same parts under the same token, and for no other token."""
        encoded = [part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass") for part in parts]
        return self._keyed(b"".join(b"%d:%s" % (len(part), part) for part in encoded), size)

    @property
    def fingerprint(self) -> str:
        """Names the token in a file name without telling it."""
        return self.digest("fingerprint", size=6)

    def __repr__(self) -> str:
        return f"Token({_HIDDEN})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not pickled or copied; connect again where it is needed")


def read(text: object) -> Token | HlkitError:
    """A token from what a person pasted, or what is wrong with it. Never echoes the text."""
    if not isinstance(text, str):
        return InvalidToken("the token is not text", hint=f"paste the token that {MENU} showed you")
    text = text.strip(_AROUND)
    if re.match(r"bearer(\s|$)", text, re.IGNORECASE):
        text = text[6:].strip(_AROUND)
    if not text:
        return InvalidToken("the token is empty", hint=f"paste the token that {MENU} showed you")
    if not text.isascii() or not text.isprintable() or any(mark in text for mark in " \"'`"):
        return InvalidToken(
            "the token holds a character that no token has (a blank, a quote, a line break or an invisible one)",
            hint="copy it again, in one piece",
        )
    if text.startswith("eyJ"):
        return WrongTokenKind(
            "this is a V1 API key or an OAuth token (a JWT), not a Private Integration Token; "
            "V1 is past support since 31 December 2025",
            hint=f"make a Private Integration Token in {MENU}",
        )
    if text[:4].lower() == "pit-":  # the server refuses any capital
        text = text.lower()
    if _PIT.fullmatch(text):
        return Token(text)
    return Token(
        text,
        doubt="the token does not look like a Private Integration Token (pit- and a UUID); trying it all the same. "
        f"If it is refused, copy it again from {MENU}.",
    )


def is_token(given: object) -> bool:
    """Whether it looks like a token, or the beginning of one."""
    text = given.strip(_AROUND) if isinstance(given, str) else ""
    return bool(_PIT.search(text)) or text[:4].lower() == "pit-" or (text.startswith("eyJ") and len(text) > 40)


def misplaced(place: object) -> InvalidToken | None:
    """What is wrong where a token stands in the place of a location's id, which is shown and kept."""
    if is_token(place):
        return InvalidToken(
            "the location id is a token",
            hint="give each in its place: the id stands in the browser's address, after /location/",
        )
    return None


def checked_base_url(url: str) -> str:
    """The server's address without a trailing slash: https, or http to this machine.

    Raises ``InvalidRequest`` for anything else: over plain http, everybody on the way reads the token.
    """
    parts = _split(url)
    if parts is None or not parts.hostname or parts.query or parts.fragment:
        raise InvalidRequest(
            "the token is sent over https only, and base_url is no such address",
            hint="write it like https://services.leadconnectorhq.com, or leave base_url out",
        )
    if not (parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname))):
        raise InvalidRequest(
            f"the token is sent over https only (http to this machine alone), not to {parts.scheme}://"
            f"{parts.hostname}",
            hint="use https://services.leadconnectorhq.com, or leave base_url out",
        )
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def same_host(url: str, base_url: str) -> bool:
    """Whether *url* goes to the very server of *base_url*: scheme, host and port."""
    ours, theirs = _split(base_url), _split(url)
    if ours is None or theirs is None:
        return False
    return (theirs.scheme, theirs.hostname, theirs.port) == (ours.scheme, ours.hostname, ours.port)


def _split(url: str) -> SplitResult | None:
    """An address in its parts, or ``None`` where it cannot be read."""
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except (ValueError, AttributeError):  # what is no text has nothing to strip
        return None
    return parts


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: 127.0.0.1.example.com is somebody else
        return False
