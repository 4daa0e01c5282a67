"""Each guard holds, and each is needed: with it a fault is caught, and without it the fault gets through.

The only tests that change a part of the client: one guard at a time is switched off.
"""

import time
import traceback
import warnings

import pytest
import requests
from scripted import LOCATION, OTHER_TOKEN, TOKEN, Scripted, answer, cached_keys, limits, session_to, silent, spec
from test_download import CONTACTS, Contacts, download_of, ids

from hlkit.client.download import MissingRowsWarning
from hlkit.client.errors import HlkitError
from hlkit.client.http import body as bodies
from hlkit.client.http import session, token, transport
from hlkit.client.http.cache import Cache
from hlkit.client.http.progress import Progress
from hlkit.client.http.rate_limit import RateLimiter
from hlkit.client.http.retry import RetryState
from hlkit.client.http.token import Token
from hlkit.client.pagination import Paging

PAGE = answer({"users": [{"id": "u1"}]})


@pytest.fixture(params=["guarded", "unguarded"])
def is_guarded(request):
    return request.param == "guarded"


def test_validate_before_caching(is_guarded, monkeypatch):
    """A web page with status 200 is cached, and served for an hour."""
    if not is_guarded:
        monkeypatch.setattr(session._RateLimitedSession, "_parse", lambda self, outcome, spec: (None, None))
    with Scripted(answer(b"<html></html>"), PAGE) as server:
        client = session_to(server, deadline=0.6)
        client.fetch(spec())

        (key,) = cached_keys(client.cache)
        assert (b"<html>" not in client.cache.load_page(key)) is is_guarded


def test_key_by_token(is_guarded, monkeypatch, tmp_path):
    """One token is answered with another's rows."""
    unkeyed = Token(TOKEN)._keyed_hash
    if not is_guarded:
        monkeypatch.setattr(Token, "digest", lambda self, *parts, size=16: unkeyed(repr(parts).encode(), size))

    def name_the_token(request):
        return answer({"whose": request.headers["authorization"][-1]})

    caches = [Cache(tmp_path / "one.sqlite", Token(text)) for text in (TOKEN, OTHER_TOKEN)]
    with Scripted(by=name_the_token) as server:
        first, second = (
            session_to(server, token=Token(text), cache=cache).fetch(spec())
            for text, cache in zip((TOKEN, OTHER_TOKEN), caches, strict=True)
        )
    for cache in caches:
        cache.close()

    assert first == {"whose": "a"}
    assert (second == {"whose": "b"}) is is_guarded


def test_deadline_of_an_attempt(is_guarded, monkeypatch):
    """A server that crawls holds the call as long as it likes."""
    if not is_guarded:
        monkeypatch.setattr(RetryState, "attempt_timeout", 60.0)

    def crawl(connection, request):
        for byte in PAGE:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    with Scripted(crawl) as server:
        try:
            session_to(server, deadline=0.3).fetch(spec())
            responded = True
        except HlkitError:
            responded = False

    assert responded is not is_guarded  # the complete response takes over a second


def test_clean_cause_and_frames(is_guarded, monkeypatch):
    """What is raised holds the request, and with it the token."""
    if not is_guarded:

        def bare(adapter, request, token, seconds):
            token.sign(request.headers)
            return requests.adapters.HTTPAdapter().send(request, timeout=1)

        monkeypatch.setattr(session, "send_once", bare)
        monkeypatch.setattr(session, "_without_frames", lambda error: error)
    with Scripted(PAGE) as server:
        pass
    with pytest.raises((HlkitError, requests.ConnectionError)) as caught:
        session_to(server, deadline=0.3).fetch(spec())

    carried = getattr(caught.value, "request", None)
    seen = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert (TOKEN not in f"{vars(carried) if carried else ''}{seen}") is is_guarded


def test_cursor_check(is_guarded, monkeypatch):
    """Pages that go in a circle never end."""
    if not is_guarded:
        monkeypatch.setattr(
            Paging, "next_position", lambda self, position, page, seen: self.after(position, page, seen)
        )
    contacts = Contacts(1, 2, 3)
    with Scripted(answer(contacts.page([1, 2, 3]))) as server:
        pages = []
        try:
            for page in download_of(session_to(server)):
                pages.append(page)
                if len(pages) == 20:
                    break
        except HlkitError:
            assert is_guarded
    assert (len(pages) <= 2) is is_guarded


def test_generation_in_the_key(is_guarded, monkeypatch):
    """An old page 1 before a new page 2 loses a row that nobody touched."""
    if not is_guarded:
        monkeypatch.setattr(Cache, "prefix", lambda self, generation: "0" * 32)
    contacts = Contacts(1, 2, 3, 4, 5, 6, 7)
    with Scripted(by=contacts) as server:
        client = session_to(server)
        ids(download_of(client, limit=1))  # page 1 is cached
        contacts.numbers = sorted([*contacts.numbers, 0.5, 1.5, 2.5])  # three rows come before its end

        with warnings.catch_warnings(action="ignore", category=MissingRowsWarning):
            row_ids = ids(download_of(client, refresh=True))

    assert ({"c0.5", "c1.5", "c2.5"} <= set(row_ids)) is is_guarded


def test_quota_stop(is_guarded, monkeypatch):
    """After the daily quota is exhausted, requests go on."""
    if not is_guarded:
        monkeypatch.setattr(RateLimiter, "_require_daily_quota", lambda self: None)
        monkeypatch.setattr(RateLimiter, "daily_quota_error", lambda self: None)
    headers = limits(interval_ms=10, Daily_Remaining=0, Daily_Reset=3_600_000)
    with Scripted(answer(b"", 429, headers=headers)) as server:
        client = session_to(server, deadline=0.6)
        for _ in range(2):
            with pytest.raises(HlkitError):
                client.fetch(spec())

        assert (len(server.requests) == 1) is is_guarded


def test_read_only(is_guarded, monkeypatch):
    """A contact is deleted."""
    if not is_guarded:
        monkeypatch.setattr(session._RateLimitedSession, "_require_read_only", lambda self, request: None)
    with Scripted(PAGE) as server:
        try:
            session_to(server).fetch(spec("/contacts/1", "DELETE"))
        except HlkitError:
            assert is_guarded

        assert (server.requests == []) is is_guarded


def test_host_check(is_guarded, monkeypatch):
    """The token goes to another server."""
    if not is_guarded:
        monkeypatch.setattr(session, "same_host", lambda url, base_url: True)
    with Scripted(PAGE) as ours, Scripted(PAGE) as theirs:
        client = session_to(ours)
        prepare = client._prepare

        def elsewhere(spec):
            request = prepare(spec)
            request.url = f"{theirs.url}/users/"
            return request

        monkeypatch.setattr(client, "_prepare", elsewhere)
        try:
            client.fetch(spec())
        except HlkitError:
            assert is_guarded

        assert (theirs.requests == []) is is_guarded
        assert is_guarded or theirs.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_http_to_this_machine_alone(is_guarded, monkeypatch):
    """Everybody on the way reads the token."""
    if not is_guarded:
        monkeypatch.setattr(token, "_is_this_machine", lambda host: True)
    try:
        address = token.checked_base_url("http://127.0.0.1.example.com")
    except HlkitError:
        address = None

    assert (address is None) is is_guarded


def test_redact_what_a_server_echoes(is_guarded, monkeypatch):
    """The token is cached on disk, in a response that echoes it."""
    if not is_guarded:
        monkeypatch.setattr(Token, "redact", lambda self, body: body)
    with Scripted(by=lambda request: answer({"you": request.headers["authorization"]})) as server:
        client = session_to(server)
        client.fetch(spec())

        (key,) = cached_keys(client.cache)
        assert (TOKEN.encode() not in client.cache.load_page(key)) is is_guarded


def test_location_check(is_guarded, monkeypatch):
    """Another location's rows are in the frame."""
    if not is_guarded:
        monkeypatch.setattr(bodies, "_belongs_to", lambda row, location_id: True)
    contacts = Contacts(1, 2, 3, total=False)
    with Scripted(answer(contacts.page([1, 2], locationId=f"{LOCATION}x")), answer(contacts.page([3]))) as server:
        row_ids = ids(download_of(session_to(server)))

    assert ("c1" not in row_ids) is is_guarded


def test_cache_no_loop(is_guarded, monkeypatch):
    """A glitch of the server is cached, and no resume gets past it."""
    if not is_guarded:
        monkeypatch.setattr(session.Session, "forget", lambda self, spec: None)
    contacts = Contacts(1, 2, 3, 4)
    contacts.pages = {2: answer(contacts.page([1, 2, 3]))}
    with Scripted(by=contacts) as server:
        client = session_to(server)
        first = download_of(client)
        with pytest.raises(HlkitError):
            list(first)
        resumed = download_of(client, resource=CONTACTS, generation=first.record.generation)
        try:
            row_ids = ids(resumed)
        except HlkitError:
            row_ids = []

    assert (row_ids == ["c1", "c2", "c3", "c4"]) is is_guarded


def test_hang_up(is_guarded, monkeypatch):
    """A connection that nobody waits for stays open as long as the server likes."""
    if not is_guarded:
        monkeypatch.setattr(transport._Attempt, "abandon", lambda self: None)
    ends = []

    def crawl(connection, request):
        has_hung_up = False
        for _ in range(150):
            time.sleep(0.02)
            try:
                connection.sendall(b"X")
            except OSError:
                has_hung_up = True
                break
        ends.append(has_hung_up)

    with Scripted(crawl) as server:
        outcome = transport.send_once(
            transport.Adapter(), requests.Request("GET", server.url).prepare(), Token(TOKEN), seconds=0.2
        )
        assert isinstance(outcome, transport.Failure)
        while not ends:
            time.sleep(0.01)

    assert ends == [is_guarded]


def test_cancel_what_nobody_waits_for(is_guarded, monkeypatch):
    """A canceled download continues in the background."""
    if not is_guarded:
        monkeypatch.setattr(session.Session, "_detach", lambda self, in_flight, spec: None)
        monkeypatch.setattr(session.InFlightRequest, "is_canceled", False)
    progress = Progress()

    def stopped(connection, request):
        progress.cancel()
        connection.close()

    with Scripted(stopped, silent(0.05)) as server:
        with pytest.raises(HlkitError):
            session_to(server, deadline=1.2).fetch(spec(progress=progress))
        time.sleep(0.3)

        assert (len(server.requests) == 1) is is_guarded
