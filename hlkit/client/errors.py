"""What can go wrong, and what to do next.

    HlkitError
    ├── InvalidToken            (PermissionError)   no token, not a token, or one that HighLevel refuses
    │   └── WrongTokenKind                          a V1 key, an OAuth token, an agency's token
    ├── MissingScope            (PermissionError)   the token may not read this resource
    ├── NotEnabled              (PermissionError)   HighLevel has not opened this to the location; no scope does
    ├── WrongLocation           (PermissionError)   the token, or a row, belongs to another location
    ├── NotFound                (LookupError)       no such record or path
    ├── InvalidRequest          (ValueError)        what was asked is refused, by us or by the server
    ├── NotReadOnly             (PermissionError)   hlkit reads; this would write
    ├── RateLimited             (ConnectionError)   the burst limit: come back in seconds
    │   └── QuotaExhausted                          the day's limit: come back when it resets
    ├── ServerError             (ConnectionError)   HighLevel answered 5xx, again and again
    ├── ConnectionFailed        (ConnectionError)   no connection
    │   └── Timeout             (TimeoutError)      no answer in time
    ├── UnexpectedResponse      (ValueError)        an answer that is no answer: HTML, an empty body, no rows
    ├── IncompleteDownload      (EOFError)          the pages ended, and rows are missing
    ├── NotCached                 (LookupError)       offline, and never read before
    ├── CacheLocked             (TimeoutError)      another program holds the cache file
    ├── Canceled               (RuntimeError)      stopped by the person who started it
    ├── MissingColumn           (KeyError)          a frame lacks a column that is needed
    └── MissingExtra            (ImportError)       a package that only this needs is not installed

Catch ``HlkitError`` for all of it. ``str(error)`` is prose: what happened, then what to do. An error that
breaks the reading of many pages keeps its class and bears ``partial``, a frame of exactly the rows that
arrived, and ``resume()``, which goes on from there and pays no page twice.
"""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd


_HERE = os.path.dirname(__file__) + os.sep


class HlkitError(Exception):
    """Anything that hlkit raises on purpose.

    ``hint`` says what to do next, ``status`` is the HTTP status and ``trace_id`` HighLevel's own name for
    the answer (for its support), ``resource`` what was read, ``retry_after`` the seconds to wait before
    the same call can succeed. ``retryable`` tells whether it can, unchanged.
    """

    retryable: bool = False

    message = hint = ""
    status: int | None = None
    trace_id: str | None = None
    resource: str | None = None
    retry_after: float | None = None
    partial: pd.DataFrame | None = None
    _resume: Callable[[], pd.DataFrame] | None = None

    def __init__(
        self,
        message: str = "",
        *,
        hint: str = "",
        status: int | None = None,
        trace_id: str | None = None,
        resource: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message = message
        self.hint = hint
        self.status = status
        self.trace_id = trace_id
        self.resource = resource
        self.retry_after = retry_after
        Exception.__init__(self, message)

    def __str__(self) -> str:
        sentences = [self.message]
        if self.hint:
            sentences.append(advice(self.hint))
        if self.partial is not None and len(self.partial):
            way = "" if self._resume is None else "; .resume() goes on from there"
            sentences.append(f"{len(self.partial):,} rows arrived (.partial){way}.")
        return "\n".join(sentences)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the lines that led to hlkit, not those within; ``%debug`` goes on into them."""
        frames = traceback.extract_tb(self.__traceback__)
        entered = next((place for place, one in enumerate(frames) if one.filename.startswith(_HERE)), len(frames))
        own = [one for one in frames[:entered] if f"{os.sep}IPython{os.sep}" not in one.filename]
        return "".join([*traceback.format_list(own), f"{type(self).__name__}: {self}"]).splitlines()

    def __reduce__(self) -> tuple[Any, ...]:
        facts = {name: getattr(self, name) for name in _FACTS}
        return _rebuilt, (type(self), facts, self.retryable, self.partial)

    def resume(self) -> pd.DataFrame:
        """Go on from where the reading broke off; the pages that arrived are not asked for again.

        An error that came from another process, pickled, cannot: it has no location.
        """
        if self._resume is None:
            raise InvalidRequest(
                "there is nothing to go on with: this error broke no download, or comes from another process",
                hint="make the call again",
            )
        return self._resume()


def advice(hint: str) -> str:
    """A hint as a sentence."""
    return f"What to do: {hint}" + ("" if hint.endswith("?") else ".")


_FACTS = ("message", "hint", "status", "trace_id", "resource", "retry_after")


def _rebuilt(
    kind: type[HlkitError], facts: dict[str, Any], retryable: bool, partial: pd.DataFrame | None
) -> HlkitError:
    error = kind(**facts)
    error.retryable, error.partial = retryable, partial
    return error


class InvalidToken(HlkitError, PermissionError):
    """No token, text that is no token, or a token that HighLevel refuses (rotated, deleted)."""


class WrongTokenKind(InvalidToken):
    """A V1 API key, an OAuth token, or an agency's token where a sub-account's token is needed."""


class MissingScope(HlkitError, PermissionError):
    """The token is good, and may not read this resource."""


class NotEnabled(HlkitError, PermissionError):
    """HighLevel offers this to chosen sub-accounts only, and not to this one. No scope changes that."""


class WrongLocation(HlkitError, PermissionError):
    """The token belongs to another location, or the server sent a row that does."""


class NotFound(HlkitError, LookupError):
    """No such record or path."""


class InvalidRequest(HlkitError, ValueError):
    """What was asked is refused as it stands: a choice that there is not, or one that the server does not take."""


class NotReadOnly(HlkitError, PermissionError):
    """The call would write. It was not sent."""


class RateLimited(HlkitError, ConnectionError):
    """Too many requests in a few seconds, by this program and others together."""

    retryable = True


class QuotaExhausted(RateLimited):
    """The day's requests are used up; ``retry_after`` is the time until the quota is full again, in seconds."""

    retryable = False


class ServerError(HlkitError, ConnectionError):
    """HighLevel answered with an error of its own, and went on doing so."""

    retryable = True


class ConnectionFailed(HlkitError, ConnectionError):
    """No connection: the network, a proxy, a certificate or a wrong address."""

    retryable = True


class Timeout(ConnectionFailed, TimeoutError):
    """No answer within the deadline."""


class UnexpectedResponse(HlkitError, ValueError):
    """An answer that holds no answer: a web page, an empty body, an error inside a success, no rows."""

    retryable = True


class IncompleteDownload(HlkitError, EOFError):
    """The pages ended without an error and rows are missing all the same."""

    retryable = True


class NotCached(HlkitError, LookupError):
    """Offline, and this was never read completely."""


class CacheLocked(HlkitError, TimeoutError):
    """Another program holds the cache file, and what is in it cannot be read meanwhile."""

    retryable = True


class Canceled(HlkitError, RuntimeError):
    """Stopped by the person who started it."""

    retryable = True


class MissingColumn(HlkitError, KeyError):
    """A frame lacks a column that is needed."""


class MissingExtra(HlkitError, ImportError):
    """A package that only some of it needs is not installed; the hint names the extra that brings it."""
