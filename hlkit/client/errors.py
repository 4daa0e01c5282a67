"""What can go wrong, and what to do next.

    HlkitError
    ├── InvalidToken            (PermissionError)   no token, not a token, or refused by HighLevel
    │   └── WrongTokenKind                          a V1 key, an OAuth token, or an agency token
    ├── MissingScope            (PermissionError)   the token may not read this resource
    ├── NotEnabled              (PermissionError)   HighLevel has not enabled this for the location
    ├── WrongLocation           (PermissionError)   the token, or a row, belongs to another location
    ├── NotFound                (LookupError)       no such record or path
    ├── InvalidRequest          (ValueError)        an invalid option or value
    ├── NotReadOnly             (PermissionError)   hlkit only reads; this would write
    ├── RateLimited             (ConnectionError)   the burst limit: wait seconds
    │   └── QuotaExhausted                          the daily limit: wait until it resets
    ├── ServerError             (ConnectionError)   HighLevel answered 5xx repeatedly
    ├── ConnectionFailed        (ConnectionError)   no connection
    │   └── Timeout             (TimeoutError)      no response in time
    ├── UnexpectedResponse      (ValueError)        HTML, an empty body, or no rows
    ├── IncompleteDownload      (EOFError)          the pages ended, but rows are missing
    ├── NotCached               (LookupError)       offline, and not in the cache
    ├── CacheLocked             (TimeoutError)      another program has locked the cache file
    ├── Canceled                (RuntimeError)      canceled by the user
    ├── MissingColumn           (KeyError)          a DataFrame lacks a required column
    └── MissingExtra            (ImportError)       an optional package is not installed

Catch ``HlkitError`` for all of them. ``str(error)`` says what happened, then what to do. An error in the middle of
a download keeps its class and has ``partial``, a DataFrame of exactly the rows that arrived, and ``resume()``,
which continues the download and requests no page twice.
"""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd


_FOLDER = os.path.dirname(os.path.dirname(__file__)) + os.sep  # of hlkit


class HlkitError(Exception):
    """The base class of all hlkit errors.

    ``hint`` says what to do next. ``status`` is the HTTP status, ``trace_id`` HighLevel's id of the response (for
    its support), ``resource`` the resource that was read. ``retryable`` is whether the same call can succeed later,
    and ``retry_after`` the seconds to wait before.
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
        retryable: bool | None = None,
    ) -> None:
        self.message, self.hint = message, hint
        if retryable is not None:
            self.retryable = retryable
        self.status, self.trace_id = status, trace_id
        self.resource, self.retry_after = resource, retry_after
        Exception.__init__(self, message)

    def __str__(self) -> str:
        sentences = [self.message]
        if self.hint:
            sentences.append(advice(self.hint))
        if self.partial is not None and len(self.partial):
            how_to_resume = "" if self._resume is None else "; .resume() continues from there"
            sentences.append(f"{len(self.partial):,} rows arrived (.partial){how_to_resume}.")
        return "\n".join(sentences)

    def _render_traceback_(self) -> list[str]:
        """The traceback in IPython: only the user's lines, not those inside hlkit. ``%debug`` still enters them."""
        frames = traceback.extract_tb(self.__traceback__)
        inside = (index for index, frame in enumerate(frames) if frame.filename.startswith(_FOLDER))
        user_frames = frames[: next(inside, len(frames))]
        user_frames = [frame for frame in user_frames if f"{os.sep}IPython{os.sep}" not in frame.filename]
        return "".join([*traceback.format_list(user_frames), f"{type(self).__name__}: {self}"]).splitlines()

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in vars(self).items() if name != "_resume"}
        return type(self), (self.message,), state

    def resume(self) -> pd.DataFrame:
        """Continue the download from where it was interrupted. Pages that arrived are not requested again.

        An error that was pickled in another process cannot be resumed: it has no location.
        """
        if self._resume is None:
            raise InvalidRequest(
                "there is no download to resume: this error interrupted none, or comes from another process",
                hint="make the call again",
            )
        return self._resume()


def advice(hint: str) -> str:
    """A hint as a sentence."""
    return f"What to do: {hint}" + ("" if hint.endswith("?") else ".")


class InvalidToken(HlkitError, PermissionError):
    """No token, text that is not a token, or a token that HighLevel refuses (rotated or deleted)."""


class WrongTokenKind(InvalidToken):
    """A V1 API key, an OAuth token, or an agency token where a sub-account token is needed."""


class MissingScope(HlkitError, PermissionError):
    """The token is valid but lacks the scope to read this resource."""


class NotEnabled(HlkitError, PermissionError):
    """HighLevel has not enabled this feature for the sub-account. No scope changes that."""


class WrongLocation(HlkitError, PermissionError):
    """The token belongs to another location, or the server sent a row that does."""


class NotFound(HlkitError, LookupError):
    """No such record or path."""


class InvalidRequest(HlkitError, ValueError):
    """An invalid option or value, refused by hlkit or by the server."""


class NotReadOnly(HlkitError, PermissionError):
    """The request would write data. It was not sent."""


class RateLimited(HlkitError, ConnectionError):
    """Too many requests in a few seconds, by this and other programs together."""

    retryable = True


class QuotaExhausted(RateLimited):
    """The daily quota is used up. ``retry_after`` is the seconds until it resets."""

    retryable = False


class ServerError(HlkitError, ConnectionError):
    """HighLevel answered with a server error (5xx), also when asked again."""

    retryable = True


class ConnectionFailed(HlkitError, ConnectionError):
    """No connection: the network, a proxy, a certificate or a wrong address."""

    retryable = True


class Timeout(ConnectionFailed, TimeoutError):
    """No response before the deadline."""


class UnexpectedResponse(HlkitError, ValueError):
    """A response without the expected data: a web page, an empty body, an error with status 200, no rows."""

    retryable = True


class IncompleteDownload(HlkitError, EOFError):
    """The pages ended without an error, but rows are missing."""

    retryable = True


class NotCached(HlkitError, LookupError):
    """Offline, and this was never downloaded completely."""


class CacheLocked(HlkitError, TimeoutError):
    """Another program has locked the cache file, so it cannot be read."""

    retryable = True


class Canceled(HlkitError, RuntimeError):
    """Canceled by the user."""

    retryable = True


class MissingColumn(HlkitError, KeyError):
    """A DataFrame lacks a required column."""


class MissingExtra(HlkitError, ImportError):
    """An optional package is not installed. The hint names the extra that installs it."""
