"""The Private Integration Token: recognized by its format, never shown, sent to one host only.

The text lives in a closure, so no ``repr``, ``vars``, pickle or traceback with locals shows it. Functions that
handle the text return an error instead of raising it: the caller raises after the text has left the stack.
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
# Spaces, invisible characters and quotes that a paste may add around a token.
_PADDING = " \t\r\n\v\f\u00a0\u200b\u200c\u200d\u2060\ufeff\"'`\u201c\u201d\u2018\u2019"
_MASK = "•••"


class Token:
    """A token that can be sent and compared but not read.

    ``format_warning`` says how the text differs from the usual format. It is empty if it does not.
    """

    __slots__ = ("_hand_over", "_keyed_hash", "_redact", "_redact_text", "format_warning")

    def __init__(self, text: str, format_warning: str = "") -> None:
        self.format_warning = format_warning
        secret = text.encode()
        key = hashlib.blake2b(secret).digest()  # cannot be reversed, so stack frames may hold it
        pattern = re.compile(f"{re.escape(text)}|{_PIT.pattern}", re.IGNORECASE)

        def hand_over(receive: Callable[[str], object]) -> None:
            receive(text)

        def keyed_hash(data: bytes, size: int) -> str:
            return hashlib.blake2b(data, key=key, digest_size=size).hexdigest()

        def redact_text(message: str) -> str:
            return pattern.sub(_MASK, message)

        def redact(body: bytes) -> bytes:
            return body.replace(secret, _MASK.encode()).replace(secret.upper(), _MASK.encode())

        self._hand_over, self._keyed_hash = hand_over, keyed_hash
        self._redact_text, self._redact = redact_text, redact

    def sign(self, headers: Any) -> None:
        """Add the token to the headers of a request that is about to be sent."""
        self._hand_over(lambda text: headers.update({"Authorization": f"Bearer {text}"}))

    def hand_to(self, receive: Callable[[str], object]) -> None:
        """Call *receive* (such as a keyring's) with the text. Catch errors inside: their traceback would show it."""
        self._hand_over(receive)

    def redact_text(self, message: str) -> str:
        """A message from the server with this token, and anything in the format of a token, masked."""
        return self._redact_text(message)

    def redact(self, body: bytes) -> bytes:
        """A response body with this token masked, since bodies are cached and quoted in errors."""
        return self._redact(body)

    def digest(self, *parts: str | bytes, size: int = 16) -> str:
        """A keyed hash in hex: the same for the same parts under the same token, different under any other token."""
        encoded = [part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass") for part in parts]
        return self._keyed_hash(b"".join(b"%d:%s" % (len(part), part) for part in encoded), size)

    @property
    def fingerprint(self) -> str:
        """Identifies the token, for example in a file name, without revealing it."""
        return self.digest("fingerprint", size=6)

    def __repr__(self) -> str:
        return f"Token({_MASK})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token cannot be pickled or copied; connect again where it is needed")


def read(text: object) -> Token | HlkitError:
    """Parse a token that a person pasted. Returns an error if it is not one; the error never contains the text."""
    if not isinstance(text, str):
        return InvalidToken("the token is not text", hint=f"paste the token from {MENU}")
    text = text.strip(_PADDING)
    if re.match(r"bearer(\s|$)", text, re.IGNORECASE):
        text = text[6:].strip(_PADDING)
    if not text:
        return InvalidToken("the token is empty", hint=f"paste the token from {MENU}")
    if not text.isascii() or not text.isprintable() or any(mark in text for mark in " \"'`"):
        return InvalidToken(
            "the token contains an invalid character (a space, a quote, a line break or an invisible character)",
            hint="copy the whole token again",
        )
    if text.startswith("eyJ"):
        return WrongTokenKind(
            "this is a V1 API key or an OAuth token (a JWT), not a Private Integration Token; "
            "HighLevel ended support for V1 on 31 December 2025",
            hint=f"create a Private Integration Token in {MENU}",
        )
    if text[:4].lower() == "pit-":  # the server accepts lowercase only
        text = text.lower()
    if _PIT.fullmatch(text):
        return Token(text)
    warning = (
        "the token does not look like a Private Integration Token (pit- and a UUID); trying it anyway. "
        f"If it is refused, copy it again from {MENU}."
    )
    return Token(text, warning)


def is_token(value: object) -> bool:
    """Whether *value* looks like a token, or like the start of one."""
    text = value.strip(_PADDING) if isinstance(value, str) else ""
    return bool(_PIT.search(text)) or text[:4].lower() == "pit-" or (text.startswith("eyJ") and len(text) > 40)


def location_id_problem(location_id: object) -> InvalidToken | None:
    """The error if *location_id*, which is shown and stored, is really a token; else ``None``."""
    if is_token(location_id):
        return InvalidToken(
            "the location id is a token",
            hint="the location id is in the browser's address, after /location/; the token is a separate argument",
        )
    return None


def checked_base_url(url: str) -> str:
    """The server's address without a trailing slash: https, or http to this machine.

    Raises ``InvalidRequest`` for anything else: plain http would show the token to everyone on the network path.
    """
    parts = _split(url)
    if parts is None or not parts.hostname or parts.query or parts.fragment:
        raise InvalidRequest(
            "base_url is not a valid https address",
            hint="write it like https://services.leadconnectorhq.com, or leave base_url out",
        )
    if not (parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname))):
        raise InvalidRequest(
            f"the token is sent over https only (or http to this machine), not to {parts.scheme}://{parts.hostname}",
            hint="use https://services.leadconnectorhq.com, or leave base_url out",
        )
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def same_host(url: str, base_url: str) -> bool:
    """Whether *url* has the scheme, host and port of *base_url*."""
    ours, theirs = _split(base_url), _split(url)
    if ours is None or theirs is None:
        return False
    return (theirs.scheme, theirs.hostname, theirs.port) == (ours.scheme, ours.hostname, ours.port)


def _split(url: str) -> SplitResult | None:
    """The parts of a URL, or ``None`` if it is not valid."""
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # raises ValueError if it is not a number
    except (ValueError, AttributeError):  # AttributeError: not a string
        return None
    return parts


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a host name, such as 127.0.0.1.example.com
        return False
