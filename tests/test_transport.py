"""One request, sent once: in time, and complete or a failure. The servers are real, and most of them misbehave."""

import gzip
import http.client
import threading
import time

import pytest
import requests
from scripted import TOKEN, Scripted, answer, hang_up, silent, slowly

from hlkit.client.http import transport as module
from hlkit.client.http.token import Token
from hlkit.client.http.transport import Adapter, Failure, RawResponse, send_once

BODY = b'{"users": [' + b", ".join(b'{"id": "u%04d"}' % number for number in range(200)) + b"]}"
ZIPPED = gzip.compress(BODY)


def send_to(url, seconds=2.0, adapter=None):
    return send_once(adapter or Adapter(), requests.Request("GET", f"{url}/users/").prepare(), Token(TOKEN), seconds)


def send(*script, seconds=2.0):
    with Scripted(*script) as server:
        return send_to(server.url, seconds)


def chunked(*chunks, last=b"0\r\n\r\n"):
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + last
    return answer(body, headers={"Transfer-Encoding": "chunked"}, length=False)


@pytest.mark.parametrize(
    "reply",
    [
        answer(BODY),
        answer(BODY, zipped=True),
        answer(BODY, length=False),
        answer(BODY, length=False, zipped=True),
        answer(BODY, version="1.0", length=False),
        answer(BODY, version="1.0"),
        answer(BODY, status=201),
        answer(BODY, headers={"Content-Encoding": "identity"}),
        answer(gzip.compress(BODY[:99]) + gzip.compress(BODY[99:]), headers={"content-encoding": "GZIP"}),
        answer(BODY, headers={"Connection": "keep-alive"}),
        chunked(BODY[:100], BODY[100:]),
    ],
    ids=lambda reply: reply.partition(b"\r\n\r\n")[0].decode().replace("\r\n", " "),
)
def test_a_correct_response_is_complete_however_it_is_sent(reply):
    outcome = send(reply)

    assert isinstance(outcome, RawResponse)
    assert outcome.body == BODY


@pytest.mark.parametrize(
    ("reply", "is_sure"),
    [
        (answer(BODY), True),
        (answer(BODY, length=False, zipped=True), True),
        (chunked(BODY), True),
        (answer(BODY, length=False), False),
        (answer(BODY, length=False, version="1.0"), False),
    ],
    ids=["length", "zipped", "chunked", "none", "http/1.0"],
)
def test_a_truncation_goes_unnoticed_only_if_a_plain_body_ends_with_its_connection(reply, is_sure):
    assert send(reply).is_known_complete is is_sure


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(BODY[:-50], length=len(BODY)), "broken"),
        (answer(ZIPPED[: len(ZIPPED) // 2], headers={"Content-Encoding": "gzip"}), "broken"),
        (answer(ZIPPED[:-8], headers={"Content-Encoding": "gzip"}), "broken"),
        (answer(ZIPPED[:-8] + b"\0" * 8, headers={"Content-Encoding": "gzip"}), "broken"),
        (answer(ZIPPED + b"\x1f\x8b", headers={"Content-Encoding": "gzip"}), "broken"),
        (answer(BODY, headers={"Content-Encoding": "gzip"}), "broken"),
        (answer(BODY, headers={"Content-Encoding": "br"}), "broken"),
        (chunked(BODY[:100], last=b""), "broken"),
        (chunked(BODY[:100], last=b"zz\r\nmore"), "broken"),
        (answer(b"x", headers={"X-Long": "y" * 100_000}), "broken"),
        (b"what?\r\n\r\n", "broken"),
        (hang_up, "refused"),
        (b"", "refused"),
    ],
    ids=["short", "half", "no trailer", "wrong crc", "cut twin", "says gzip", "br", "no last chunk", "bad chunk",
         "long header", "no http", "reset", "closed"],
)  # fmt: skip
def test_a_truncated_or_broken_response_is_a_failure(reply, kind):
    outcome = send(reply)

    assert isinstance(outcome, Failure)
    assert outcome.kind == kind


def test_a_reset_in_the_middle_of_a_body_is_a_failure():
    def half(connection, request):
        connection.sendall(answer(BODY)[:500])
        time.sleep(0.05)
        hang_up(connection, request)

    assert isinstance(send(half), Failure)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_error_status_needs_no_complete_body(status):
    outcome = send(answer(BODY[:9], status, length=len(BODY), headers={"X-RateLimit-Remaining": "0"}))

    assert isinstance(outcome, RawResponse)
    assert (outcome.status, outcome.body, outcome.headers["x-ratelimit-remaining"]) == (status, b"", "0")


@pytest.mark.parametrize(
    "reply",
    [
        silent(20),
        slowly(answer(BODY), pause=0.05, start=100),
        slowly(answer(BODY, length=False), pause=0.05, start=100),
        slowly(answer(BODY), pause=0.05),
        slowly(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 90, pause=0.02),
    ],
    ids=["silence", "body", "body without length", "status line", "headers"],
)
def test_an_attempt_ends_in_time_and_its_connection_with_it(reply):
    before = set(threading.enumerate())
    with Scripted(reply) as server:
        began = time.monotonic()
        outcome = send_to(server.url, seconds=0.3)

        assert isinstance(outcome, Failure)
        assert outcome.kind == "timeout"  # whichever limit ran out first: ours, or the socket's
        assert time.monotonic() - began < 3  # the server takes 14 at least
        assert no_attempt_is_left(before, within=3)


def no_attempt_is_left(before, within):
    until = time.monotonic() + within
    while any(thread.name == "hlkit-attempt" for thread in set(threading.enumerate()) - before):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_a_complete_response_is_used_although_the_connection_closes_late():
    def lingering(connection, request):
        connection.sendall(answer(BODY))
        time.sleep(20)

    began = time.monotonic()
    outcome = send(lingering, seconds=15)

    assert isinstance(outcome, RawResponse)
    assert time.monotonic() - began < 3


def test_a_connection_is_used_again():
    adapter = Adapter()
    with Scripted(answer(BODY, headers={"Connection": "keep-alive"})) as server:
        for _ in range(5):
            assert isinstance(send_to(server.url, adapter=adapter), RawResponse)

        assert server.connections == 1
        assert len(server.requests) == 5


def test_a_closed_port_is_refused():
    with Scripted(b"") as server:
        url = server.url
    outcome = send_to(url)

    assert isinstance(outcome, Failure)
    assert outcome.kind == "refused"
    assert "ConnectionRefusedError" in outcome.message


def test_an_unknown_host_is_refused():
    outcome = send_to("https://nowhere.invalid", seconds=5.0)

    assert isinstance(outcome, Failure)
    assert outcome.kind in ("refused", "timeout")


def test_a_zip_bomb_is_not_decompressed(monkeypatch):
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 1_000_000)

    outcome = send(answer(gzip.compress(b"0" * 5_000_000), headers={"Content-Encoding": "gzip"}))

    assert outcome == Failure("broken", "the response is too large for a page of rows")


def test_a_body_of_too_many_empty_parts_is_a_failure():
    outcome = send(answer(gzip.compress(b"") * 5_000, headers={"Content-Encoding": "gzip"}))

    assert outcome == Failure("broken", "the compressed response has too many parts")


SECRET = "made-up-password"
PROXIES = [
    "http://:bad",
    f"http://someone:{SECRET}@:bad",
    f"http://someone:{SECRET}@127.0.0.1:99999",
    f"carrier-pigeon://someone:{SECRET}@127.0.0.1:9",
    f"someone:{SECRET}@127.0.0.1:9",
    f"http://someone:{SECRET}@[::1:9",
    f"http://someone:{SECRET}@",
    f"http://someone:{SECRET}/#@127.0.0.1:9",
    f"http://someone:{SECRET}\u0142@a..b:80",
]


@pytest.fixture
def no_proxy(monkeypatch):
    for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("proxy", PROXIES)
def test_an_invalid_proxy_is_reported_without_its_password(monkeypatch, no_proxy, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)

    outcome = send_to("https://nowhere.invalid")

    assert outcome.kind == "setting"
    assert outcome.message == "the proxy set for https is not a valid address"
    assert "HTTPS_PROXY" in outcome.hint
    assert SECRET not in repr(outcome)


def test_a_socks_proxy_without_its_package_is_reported_with_what_to_install(monkeypatch, no_proxy):
    def without(*_, **__):
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setattr(requests.adapters, "SOCKSProxyManager", without)
    monkeypatch.setenv("ALL_PROXY", f"socks5://someone:{SECRET}@127.0.0.1:9")

    outcome = send_to("https://nowhere.invalid")

    assert outcome.kind == "setting"
    assert "PySocks" in outcome.message
    assert 'pip install "requests[socks]"' in outcome.hint
    assert SECRET not in repr(outcome)


@pytest.mark.parametrize(
    ("text", "reason"), [(None, "No such file or directory"), ("no certificate", "it contains no certificate")]
)
def test_unreadable_certificates_are_reported_with_their_file(monkeypatch, no_proxy, tmp_path, text, reason):
    file = tmp_path / "bundle.pem"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))

    outcome = send_to("https://nowhere.invalid")

    assert outcome.kind == "setting"
    assert outcome.message == f"the trusted certificates cannot be read ({file}: {reason})"
    assert "REQUESTS_CA_BUNDLE" in outcome.hint


def test_a_key_log_that_cannot_be_written_is_reported_with_its_setting(monkeypatch):
    def opens_the_key_log(*_, **__):  # which of urllib3 and requests does, depends on their versions
        raise FileNotFoundError(2, "No such file or directory", "/nowhere/keys")

    monkeypatch.setattr(Adapter, "send", opens_the_key_log)

    outcome = send_to("http://127.0.0.1:9")

    assert outcome.kind == "setting"
    assert "/nowhere/keys" in outcome.message
    assert "SSLKEYLOGFILE" in outcome.hint


def test_a_redirect_is_returned_and_not_followed():
    with Scripted(answer(b"")) as elsewhere:
        outcome = send(answer(b"", 302, headers={"Location": f"{elsewhere.url}/users/"}))

        assert isinstance(outcome, RawResponse)
        assert outcome.status == 302
        assert elsewhere.requests == []


def test_the_token_is_sent_but_no_other_credential_and_no_cookie(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    adapter = Adapter()
    with Scripted(answer(BODY, headers={"Set-Cookie": "a=b; Path=/"})) as server:
        for _ in range(2):
            assert isinstance(send_to(server.url, adapter=adapter), RawResponse)

        for request in server.requests:
            assert request.headers["authorization"] == f"Bearer {TOKEN}"
            assert "cookie" not in request.headers
            assert "proxy-authorization" not in request.headers


def test_an_echoed_token_is_redacted():
    with Scripted(
        by=lambda request: answer(request.headers["authorization"].encode(), headers={"X-Echo": TOKEN})
    ) as server:
        outcome = send_to(server.url)

    assert isinstance(outcome, RawResponse)
    assert outcome.body.decode() == "Bearer •••"
    assert TOKEN not in str(outcome.headers)


def test_http_debug_output_does_not_show_the_token(monkeypatch, capfd):
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)

    send(answer(BODY))

    assert TOKEN not in "".join(capfd.readouterr())


def test_the_given_request_has_no_token_afterwards():
    request = requests.Request("GET", "http://127.0.0.1:9/").prepare()

    send_once(Adapter(), request, Token(TOKEN), 1.0)

    assert "Authorization" not in request.headers
