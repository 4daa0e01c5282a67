"""The session caches, limits, retries and shares requests, only reads, and can be canceled."""

import _thread
import pickle
import socket
import ssl
import subprocess
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from scripted import (
    OTHER_TOKEN,
    TOKEN,
    Scripted,
    answer,
    cached_keys,
    hang_up,
    limits,
    session_to,
    silent,
    slowly,
    spec,
)

from hlkit.client.errors import (
    Canceled,
    ConnectionFailed,
    InvalidRequest,
    InvalidToken,
    NotCached,
    NotReadOnly,
    QuotaExhausted,
    RateLimited,
    ServerError,
    Timeout,
    UnexpectedResponse,
)
from hlkit.client.http.cache import Cache
from hlkit.client.http.progress import Progress
from hlkit.client.http.retry import RetryBudget
from hlkit.client.http.token import Token

ANSWER = answer({"users": [{"id": "u1"}]})
PAGE = {"users": [{"id": "u1"}]}


def fetched(*script, deadline=3.0, **options):
    """What a fetch returns from a server with this script, and the requests that arrived there."""
    with Scripted(*script) as server:
        return session_to(server, deadline=deadline).fetch(spec(**options)), server.requests


def refused(kind, *script, deadline=0.6, **options):
    """The error of a fetch from a server with this script, and the requests that arrived there."""
    with Scripted(*script) as server:
        with pytest.raises(kind) as caught:
            session_to(server, deadline=deadline).fetch(spec(**options))
        return caught.value, server.requests


# ---- what is sent


def test_a_request_has_token_version_and_user_agent_and_asks_for_json():
    _, (request,) = fetched(ANSWER, params={"active": True, "limit": 7, "none": None})

    assert request.method == "GET"
    assert request.path == "/users/?active=true&limit=7"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["version"] == "2021-07-28"
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"].startswith("hlkit/")


def test_a_search_is_a_post_of_canonical_json():
    _, (request,) = fetched(
        ANSWER, path="/contacts/search", method="POST", body={"b": "ü\ud800", "a": [1, True, None]}
    )

    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.body == b'{"a":[1,true,null],"b":"\\u00fc\\ud800"}'


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/contacts/"),
        ("POST", "/contacts/search/"),
        ("POST", "/contacts/searchX"),
        ("POST", "/x/contacts/search"),
        ("PUT", "/contacts/1"),
        ("PATCH", "/contacts/1"),
        ("DELETE", "/contacts/1"),
        ("DELETE", "/contacts/search"),
        ("HEAD", "/contacts/"),
    ],
)
def test_a_request_that_may_write_is_never_sent(method, path):
    error, requests = refused(NotReadOnly, ANSWER, method=method, path=path)

    assert requests == []
    assert "nothing was sent" in str(error)


@pytest.mark.parametrize(
    "path", ["users/", "https://example.com/", "//example.com/", "/a/../b", "/a?b", "/a#b", "/a\r\nb"]
)
def test_a_path_that_could_lead_elsewhere_is_never_sent(path):
    _, requests = refused(InvalidRequest, ANSWER, path=path)

    assert requests == []


def test_an_address_on_another_host_is_never_sent():
    with Scripted(ANSWER) as ours, Scripted(ANSWER) as theirs:
        session = session_to(ours)
        prepare = session._prepare

        def elsewhere(spec):
            request = prepare(spec)
            request.url = f"{theirs.url}/users/"
            return request

        session._prepare = elsewhere
        with pytest.raises(InvalidRequest, match="no other host"):
            session.fetch(spec())
        assert theirs.requests == ours.requests == []


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_a_bare_session_sends_nothing(verb):
    with Scripted(ANSWER) as server:
        with pytest.raises(NotReadOnly):
            getattr(session_to(server), verb)(f"{server.url}/users/")

        assert server.requests == []


def test_a_redirect_is_not_followed_and_not_repeated():
    with Scripted(ANSWER) as elsewhere:
        _, requests = refused(UnexpectedResponse, answer(b"", 307, headers={"Location": f"{elsewhere.url}/users/"}))

        assert elsewhere.requests == []
    assert len(requests) == 1


# ---- what is cached


def test_a_cached_response_uses_no_request_and_no_slot():
    with Scripted(ANSWER) as server:
        session = session_to(server)
        first, second = spec(), spec()

        assert session.fetch(first) == session.fetch(second) == PAGE
        assert (first.requests_sent, second.requests_sent) == (1, 0)
        assert len(server.requests) == 1
        assert len(session.rate_limiter._free_at) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/user/"},
        {"params": {"limit": 1}},
        {"version": "2021-04-15"},
        {"key_prefix": "another download"},
        {"occurrence": 2},
        {"method": "POST", "path": "/contacts/search", "body": {}},
    ],
)
def test_a_different_request_has_its_own_response(other):
    with Scripted(ANSWER) as server:
        session = session_to(server)
        session.fetch(spec())

        session.fetch(spec(**other))

        assert len(server.requests) == 2


def test_the_order_of_parameters_does_not_matter():
    with Scripted(ANSWER) as server:
        session = session_to(server)
        session.fetch(spec(params={"a": 1, "b": 2}))

        session.fetch(spec(params={"b": 2, "a": 1}))

        assert len(server.requests) == 1


def test_searches_and_every_success_are_cached():
    search = {"method": "POST", "path": "/contacts/search", "body": {"limit": 1}}
    with Scripted(answer(PAGE, 201, headers={"Vary": "Authorization", "Cache-Control": "no-store"})) as server:
        session = session_to(server)
        for _ in range(2):
            session.fetch(spec(**search))
        assert len(server.requests) == 1

        session.fetch(spec(**{**search, "body": {"limit": 2}}))
        assert len(server.requests) == 2


@pytest.mark.fault("two_tokens")
def test_two_tokens_never_share_a_response_in_a_thousand_calls(tmp_path):
    def name_the_token(request):
        return answer(
            {"whose": "ab"[request.headers["authorization"].endswith("b")]}, headers={"Connection": "keep-alive"}
        )

    caches = [Cache(tmp_path / "one.sqlite", Token(token)) for token in (TOKEN, OTHER_TOKEN)]
    with Scripted(by=name_the_token) as server:
        first, second = (
            session_to(server, token=Token(token), cache=cache)
            for token, cache in zip((TOKEN, OTHER_TOKEN), caches, strict=True)
        )
        for _ in range(500):
            assert first.fetch(spec()) == {"whose": "a"}
            assert second.fetch(spec()) == {"whose": "b"}
        assert len(server.requests) == 2
    for cache in caches:
        cache.close()


def test_no_header_of_a_request_or_a_response_is_cached(tmp_path):
    token = Token(TOKEN)
    cache = Cache(tmp_path / "one.sqlite", token)
    with Scripted(answer(PAGE, headers={"Set-Cookie": "secret"})) as server:
        session_to(server, token=token, cache=cache).fetch(spec())
    cache.close()

    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in (TOKEN.encode(), b"Authorization", b"Set-Cookie", b"secret"):
        assert secret not in content


def test_a_cache_key_is_hex_and_reveals_nothing():
    with Scripted(ANSWER) as server:
        session = session_to(server)
        session.fetch(spec(params={"query": "jane@example.com"}))

        (key,) = cached_keys(session.cache)
        assert len(key) == 32
        assert set(key) <= set("0123456789abcdef")


FAKES = {
    "a web page": b"<!DOCTYPE html><html>Checking your browser</html>",
    "nothing": b"",
    "blanks": b" \n",
    "an error": b'{"statusCode": 500, "message": "Internal"}',
    "an error of another shape": b'{"status": 503, "error": "x"}',
    "no object": b'"ok"',
    "a number": b"42",
    "null": b"null",
    "half of it": b'{"users": [{"id": "u1"}, {"id"',
    "too deep": b"[" * 100_000,
    "too many digits": b'{"n": ' + b"1" * 5000 + b"}",
}


@pytest.mark.parametrize("body", FAKES.values(), ids=FAKES)
def test_a_false_success_is_retried_and_never_cached(body):
    with Scripted(answer(body, length=False), answer(body, length=False), ANSWER) as server:
        session = session_to(server, deadline=0.5)

        assert session.fetch(spec()) == PAGE
        assert len(server.requests) == 3
        assert len(cached_keys(session.cache)) == 1


@pytest.mark.parametrize("body", FAKES.values(), ids=FAKES)
def test_a_lasting_false_success_is_unexpected_and_never_cached(body):
    with Scripted(answer(body)) as server:
        session = session_to(server, deadline=0.3)

        with pytest.raises(UnexpectedResponse) as caught:
            session.fetch(spec())
        assert caught.value.status == 200
        assert len(cached_keys(session.cache)) == 0


def test_a_cached_response_that_another_caller_cannot_parse_is_requested_again():
    def users_only(body):
        if b"users" not in body:
            raise UnexpectedResponse("no users")
        return "users"

    with Scripted(answer({"other": 1}), ANSWER) as server:
        session = session_to(server)
        session.fetch(spec())

        assert session.fetch(spec(parse=users_only)) == "users"
        assert len(server.requests) == 2


def test_a_cache_only_request_is_never_sent():
    error, requests = refused(NotCached, ANSWER, cache_only=True)

    assert requests == []
    assert "is not in the cache" in error.message


# ---- what is retried


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 408])
def test_a_temporary_status_is_retried(status):
    page, requests = fetched(answer(b"", status, headers=limits(interval_ms=20)), ANSWER, deadline=1.2)

    assert page == PAGE
    assert len(requests) == 2


def test_a_gateway_timeout_is_retried_although_its_status_is_401():
    page, requests = fetched(answer({"message": "Command timed out"}, 401), ANSWER, deadline=1.2)

    assert page == PAGE
    assert len(requests) == 2


@pytest.mark.parametrize("broken", [hang_up, b"", answer(b'{"users"', length=99), b"no http\r\n\r\n"])
def test_a_truncated_response_or_a_reset_is_retried_for_a_search_too(broken):
    page, requests = fetched(broken, ANSWER, deadline=1.2, method="POST", path="/contacts/search", body={})

    assert page == PAGE
    assert len(requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_not_retried(status):
    _, requests = refused(Exception, answer({"message": "no"}, status))

    assert len(requests) == 1


def test_six_attempts_are_the_maximum():
    error, requests = refused(ServerError, answer(b"", 503), deadline=1.0)

    assert error.status == 503
    assert len(requests) == 6


def test_an_empty_retry_budget_ends_the_retries():
    _, requests = refused(ServerError, answer(b"", 503), retry_budget=RetryBudget(retries=1))

    assert len(requests) == 2


def test_a_stuck_attempt_ends_after_a_third_of_the_deadline_and_is_retried():
    page, requests = fetched(silent(20), ANSWER, deadline=3.0)

    assert page == PAGE
    assert len(requests) == 2
    assert 0.5 < requests[1].at - requests[0].at < 2


@pytest.mark.parametrize(
    "reply",
    [silent(20), slowly(ANSWER, 0.1), slowly(answer(b"x" * 500, length=False), 0.02, start=60)],
    ids=["silence", "headers", "body"],
)
def test_without_a_response_it_is_a_timeout_within_the_deadline(reply):
    began = time.monotonic()
    _, requests = refused(Timeout, reply, deadline=0.6)

    assert time.monotonic() - began < 3
    assert 2 <= len(requests) <= 3


def test_an_error_response_before_a_timeout_is_the_error():
    error, _ = refused(ServerError, answer(b"", 502), silent(5), deadline=0.6)

    assert error.status == 502


def test_a_closed_port_is_a_failed_connection():
    with Scripted(b"") as server:
        pass
    with pytest.raises(ConnectionFailed) as caught:
        session_to(server, deadline=0.3).fetch(spec())

    assert type(caught.value) is ConnectionFailed
    assert "127.0.0.1" in caught.value.message


def test_an_untrusted_certificate_ends_it_at_once_and_the_token_is_not_sent(tls_server):
    url, received = tls_server
    session = session_to(type("Server", (), {"url": url}))
    with pytest.raises(ConnectionFailed, match="certificate") as caught:
        session.fetch(spec())

    assert not caught.value.retryable
    assert len(received) == 1
    assert not any(received[0])


@pytest.fixture
def tls_server(tmp_path):
    """A server whose certificate it signed itself; and what it could read."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
        "-keyout",
    ]
    subprocess.run([*make, key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    received: list[list[bytes]] = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            received.append([])
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    received[-1].append(secure.recv(9999))
            except OSError:
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield f"https://localhost:{listener.getsockname()[1]}", received
    listener.close()


# ---- how much, and how long to wait


def test_the_rate_limit_of_a_trial_account_is_never_exceeded():
    arrivals, limit, interval = [], 5, 0.25

    def strict(request):
        recent = [at for at in arrivals if request.at - at < interval]
        arrivals.append(request.at)
        headers = limits(limit, max(limit - 1 - len(recent), 0), int(interval * 1000), Daily_Remaining=99)
        return answer(PAGE if len(recent) < limit else b"", 200 if len(recent) < limit else 429, headers=headers)

    with Scripted(by=strict) as server:
        session = session_to(server)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: session.fetch(spec(params={"n": number})), range(23)))

        assert len(server.requests) == 23  # none was refused and sent again
        assert session.rate_limiter.quota.burst_limit == 5
        assert session.rate_limiter.quota.day == 99


@pytest.mark.parametrize("interval_ms", [600_000, 60_000])
def test_the_deadline_ends_the_wait_for_a_long_reported_interval_too(interval_ms):
    with Scripted(answer(PAGE, headers=limits(left=0, interval_ms=interval_ms))) as server:
        session = session_to(server, deadline=30)
        session.fetch(spec())

        with pytest.raises(RateLimited, match="the next is free in"):
            session.fetch(spec(params={"n": 2}))


@pytest.mark.parametrize("interval_ms", [-1, 0, "soon", "1e9", 10**30, "9" * 400, "²", "nan"])
def test_an_impossible_interval_is_ignored(interval_ms):
    with Scripted(answer(PAGE, headers=limits(interval_ms=interval_ms))) as server:
        session = session_to(server)
        for number in range(3):
            session.fetch(spec(params={"n": number}))

        assert session.rate_limiter.quota.interval is None
        assert len(server.requests) == 3


def test_it_waits_for_as_long_as_the_rate_limit_requires():
    page, requests = fetched(answer(b"", 429, headers=limits(interval_ms=300)), ANSWER)

    assert page == PAGE
    assert requests[1].at - requests[0].at >= 0.3


@pytest.mark.parametrize("odd", ["soon", "-5", "1.5", ""])
def test_an_invalid_retry_after_means_one_interval(odd):
    headers = limits(interval_ms=100) | {"Retry-After": odd}
    page, requests = fetched(answer(b"", 429, headers=headers), ANSWER)

    assert page == PAGE
    assert requests[1].at - requests[0].at >= 0.1


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_past_the_deadline_is_an_error_at_once(status):
    began = time.monotonic()
    error, requests = refused(RateLimited, answer(b"", status, headers={"Retry-After": "86400"}), deadline=30)

    assert time.monotonic() - began < 3
    assert len(requests) == 1
    assert error.retry_after == 86_400
    assert "24 h" in error.message


def test_an_exhausted_daily_quota_stops_at_once():
    headers = limits(Daily_Remaining=0, Limit_Daily=10_000, Daily_Reset=3_600_000)
    with Scripted(answer(b"", 429, headers=headers)) as server:
        session = session_to(server)
        for _ in range(2):
            with pytest.raises(QuotaExhausted, match=r"\(10,000\) .* in 60 min") as caught:
                session.fetch(spec())
            assert 3599 < caught.value.retry_after <= 3600

        assert len(server.requests) == 1


def test_a_wait_for_a_slot_does_not_count_against_the_deadline():
    with Scripted(answer(PAGE, headers=limits(1, 0, 500))) as server:
        session = session_to(server, deadline=0.3)
        for number in range(3):
            session.fetch(spec(params={"n": number}))

        assert server.requests[2].at - server.requests[0].at >= 1.0


# ---- shared requests


def slow_response(connection, request):
    time.sleep(0.2)
    connection.sendall(ANSWER)


def test_eight_identical_calls_share_one_request():
    specs = [spec() for _ in range(8)]
    with Scripted(slow_response) as server:
        session = session_to(server)
        with ThreadPoolExecutor(8) as pool:
            pages = list(pool.map(session.fetch, specs))

        assert pages == [PAGE] * 8
        assert len(server.requests) == 1
        assert sorted(spec.requests_sent for spec in specs) == [0] * 7 + [1]


def test_each_caller_parses_the_shared_response_in_its_own_way():
    checks = [lambda body: "first", lambda body: "second"]
    with Scripted(slow_response) as server:
        session = session_to(server)
        with ThreadPoolExecutor(2) as pool:
            pages = list(pool.map(lambda check: session.fetch(spec(parse=check)), checks))

        assert sorted(pages) == ["first", "second"]
        assert len(server.requests) == 1


def test_each_caller_gets_its_own_copy_of_the_error():
    def slow_refusal(connection, request):
        time.sleep(0.2)
        connection.sendall(answer({"message": "Invalid JWT"}, 401))

    def error_of(_):
        with pytest.raises(InvalidToken) as caught:
            session.fetch(spec())
        return caught.value

    with Scripted(slow_refusal) as server:
        session = session_to(server)
        with ThreadPoolExecutor(4) as pool:
            errors = list(pool.map(error_of, range(4)))

        assert len(server.requests) == 1
        assert len({id(error) for error in errors}) == 4


def test_a_caller_who_cancels_does_not_cancel_for_the_others():
    impatient = Progress()
    with Scripted(slow_response) as server, ThreadPoolExecutor(2) as pool:
        session = session_to(server)
        first = pool.submit(session.fetch, spec(progress=impatient))
        time.sleep(0.05)
        second = pool.submit(session.fetch, spec())
        time.sleep(0.05)
        impatient.cancel()

        with pytest.raises(Canceled):
            first.result()
        assert second.result() == PAGE
        assert len(server.requests) == 1


# ---- cancel


def test_cancel_ends_a_hanging_request_at_once():
    progress = Progress()
    with Scripted(silent(20)) as server:
        threading.Timer(0.2, progress.cancel).start()
        began = time.monotonic()
        with pytest.raises(Canceled):
            session_to(server, deadline=60).fetch(spec(progress=progress))

        assert time.monotonic() - began < 3


def test_ctrl_c_ends_a_hanging_request_at_once_twice_in_a_row():
    with Scripted(silent(20)) as server:
        session = session_to(server, deadline=60)
        for _ in range(2):
            threading.Timer(0.2, _thread.interrupt_main).start()
            began = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                session.fetch(spec())

            assert time.monotonic() - began < 3


def test_ctrl_c_does_not_cancel_the_progress_or_a_later_call():
    progress = Progress()
    with Scripted(silent(20), ANSWER) as server:
        session = session_to(server, deadline=60)
        threading.Timer(0.1, _thread.interrupt_main).start()
        with pytest.raises(KeyboardInterrupt):
            session.fetch(spec(progress=progress))

        assert session.fetch(spec(progress=progress)) == PAGE


def fetch_twice(session, progress):
    for number in range(2):
        session.fetch(spec(progress=progress, params={"n": number}))


def test_cancel_ends_a_wait_between_attempts_and_a_wait_for_a_slot():
    for reply in (answer(b"", 503, headers={"Retry-After": "50"}), answer(PAGE, headers=limits(1, 0, 50_000))):
        progress = Progress()
        with Scripted(reply) as server:
            threading.Timer(0.2, progress.cancel).start()
            began = time.monotonic()
            with pytest.raises(Canceled):
                fetch_twice(session_to(server, deadline=60), progress)

            assert time.monotonic() - began < 3
            assert len(server.requests) == 1


def test_a_page_in_flight_at_the_cancel_is_cached():
    progress = Progress()

    def canceled_meanwhile(connection, request):
        progress.cancel()
        time.sleep(0.3)
        connection.sendall(ANSWER)

    with Scripted(canceled_meanwhile) as server:
        session = session_to(server)
        with pytest.raises(Canceled):
            session.fetch(spec(progress=progress))

        assert session.fetch(spec()) == PAGE
        assert len(server.requests) == 1


def test_waits_are_reported_to_the_progress():
    waits = []

    class Recorder(Progress):
        def on_wait(self, seconds, why):
            waits.append((round(seconds), why))
            self.cancel()

    progress = Recorder()
    with Scripted(answer(b"", 503, headers={"Retry-After": "7"})) as server, pytest.raises(Canceled):
        session_to(server, deadline=60).fetch(spec(progress=progress))

    assert waits == [(7, "to try again")]


# ---- what it shows


def test_a_session_shows_its_host_and_cannot_be_pickled():
    with Scripted(ANSWER) as server:
        session = session_to(server)

        assert repr(session) == f"<Session with {server.url[7:]}>"
        with pytest.raises(Exception, match="pickled"):
            pickle.dumps(session)


def test_a_normal_fetch_raises_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetched(ANSWER)
