"""One request, sent once: in time, and whole or not at all. Every server here is real, and most of them lie."""

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


def asking(url, seconds=2.0, adapter=None):
    return send_once(adapter or Adapter(), requests.Request("GET", f"{url}/users/").prepare(), Token(TOKEN), seconds)


def of(*script, seconds=2.0):
    with Scripted(*script) as server:
        return asking(server.url, seconds)


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
def test_an_honest_answer_comes_whole_however_it_is_sent(reply):
    came = of(reply)

    assert isinstance(came, RawResponse)
    assert came.body == BODY


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
def test_a_cut_goes_unnoticed_only_where_a_plain_body_ends_with_its_connection(reply, is_sure):
    assert of(reply).is_surely_complete is is_sure


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
def test_what_is_cut_or_broken_is_no_answer(reply, kind):
    came = of(reply)

    assert isinstance(came, Failure)
    assert came.kind == kind


def test_a_reset_in_the_midst_of_a_body_is_no_answer():
    def half(connection, asked):
        connection.sendall(answer(BODY)[:500])
        time.sleep(0.05)
        hang_up(connection, asked)

    assert isinstance(of(half), Failure)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_status_that_says_enough_needs_no_whole_body(status):
    came = of(answer(BODY[:9], status, length=len(BODY), headers={"X-RateLimit-Remaining": "0"}))

    assert isinstance(came, RawResponse)
    assert (came.status, came.body, came.headers["x-ratelimit-remaining"]) == (status, b"", "0")


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
        came = asking(server.url, seconds=0.3)

        assert isinstance(came, Failure)
        assert came.kind == "timeout"  # whichever progress ran out first: ours, or the socket's
        assert time.monotonic() - began < 3  # the server takes 14 at least
        assert no_attempt_is_left(before, within=3)


def no_attempt_is_left(before, within):
    until = time.monotonic() + within
    while any(thread.name == "hlkit-attempt" for thread in set(threading.enumerate()) - before):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_an_answer_that_is_whole_is_used_although_the_connection_closes_late():
    def lingering(connection, asked):
        connection.sendall(answer(BODY))
        time.sleep(20)

    began = time.monotonic()
    came = of(lingering, seconds=15)

    assert isinstance(came, RawResponse)
    assert time.monotonic() - began < 3


def test_a_connection_is_used_again():
    adapter = Adapter()
    with Scripted(answer(BODY, headers={"Connection": "keep-alive"})) as server:
        for _ in range(5):
            assert isinstance(asking(server.url, adapter=adapter), RawResponse)

        assert server.connections == 1
        assert len(server.asked) == 5


def test_an_address_where_nobody_listens_is_refused():
    with Scripted(b"") as server:
        url = server.url
    came = asking(url)

    assert isinstance(came, Failure)
    assert came.kind == "refused"
    assert "ConnectionRefusedError" in came.message


def test_a_name_that_nobody_knows_is_refused():
    came = asking("https://nowhere.invalid", seconds=5.0)

    assert isinstance(came, Failure)
    assert came.kind in ("refused", "timeout")


def test_a_bomb_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 1_000_000)

    came = of(answer(gzip.compress(b"0" * 5_000_000), headers={"Content-Encoding": "gzip"}))

    assert came == Failure("broken", "the response is too large for a page of rows")


def test_a_body_of_endless_empty_parts_is_no_answer():
    came = of(answer(gzip.compress(b"") * 5_000, headers={"Content-Encoding": "gzip"}))

    assert came == Failure("broken", "the compressed response has too many parts")


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
def test_a_proxy_that_is_no_address_is_told_without_its_password(monkeypatch, no_proxy, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)

    came = asking("https://nowhere.invalid")

    assert came.kind == "setting"
    assert came.message == "the proxy set for https is not a valid address"
    assert "HTTPS_PROXY" in came.hint
    assert SECRET not in repr(came)


def test_a_socks_proxy_without_its_package_is_told_with_what_to_install(monkeypatch, no_proxy):
    def without(*_, **__):
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setattr(requests.adapters, "SOCKSProxyManager", without)
    monkeypatch.setenv("ALL_PROXY", f"socks5://someone:{SECRET}@127.0.0.1:9")

    came = asking("https://nowhere.invalid")

    assert came.kind == "setting"
    assert "PySocks" in came.message
    assert 'pip install "requests[socks]"' in came.hint
    assert SECRET not in repr(came)


@pytest.mark.parametrize(
    ("text", "reason"), [(None, "No such file or directory"), ("no certificate", "it contains no certificate")]
)
def test_certificates_that_cannot_be_read_are_told_with_their_file(monkeypatch, no_proxy, tmp_path, text, reason):
    file = tmp_path / "bundle.pem"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))

    came = asking("https://nowhere.invalid")

    assert came.kind == "setting"
    assert came.message == f"the trusted certificates cannot be read ({file}: {reason})"
    assert "REQUESTS_CA_BUNDLE" in came.hint


def test_a_key_log_that_cannot_be_written_is_told_with_its_setting(monkeypatch):
    def opens_the_key_log(*_, **__):  # which of urllib3 and requests does, depends on their versions
        raise FileNotFoundError(2, "No such file or directory", "/nowhere/keys")

    monkeypatch.setattr(Adapter, "send", opens_the_key_log)

    came = asking("http://127.0.0.1:9")

    assert came.kind == "setting"
    assert "/nowhere/keys" in came.message
    assert "SSLKEYLOGFILE" in came.hint


def test_a_redirect_is_an_answer_and_is_not_followed():
    with Scripted(answer(b"")) as elsewhere:
        came = of(answer(b"", 302, headers={"Location": f"{elsewhere.url}/users/"}))

        assert isinstance(came, RawResponse)
        assert came.status == 302
        assert elsewhere.asked == []


def test_the_token_is_sent_and_no_other_credential_and_no_cookie(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    adapter = Adapter()
    with Scripted(answer(BODY, headers={"Set-Cookie": "a=b; Path=/"})) as server:
        for _ in range(2):
            assert isinstance(asking(server.url, adapter=adapter), RawResponse)

        for asked in server.asked:
            assert asked.headers["authorization"] == f"Bearer {TOKEN}"
            assert "cookie" not in asked.headers
            assert "proxy-authorization" not in asked.headers


def test_an_answer_that_echoes_the_token_comes_without_it():
    with Scripted(
        by=lambda asked: answer(asked.headers["authorization"].encode(), headers={"X-Echo": TOKEN})
    ) as server:
        came = asking(server.url)

    assert isinstance(came, RawResponse)
    assert came.body.decode() == "Bearer •••"
    assert TOKEN not in str(came.headers)


def test_http_that_prints_its_headers_prints_no_token(monkeypatch, capfd):
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)

    of(answer(BODY))

    assert TOKEN not in "".join(capfd.readouterr())


def test_the_request_that_was_handed_in_bears_no_token_afterwards():
    request = requests.Request("GET", "http://127.0.0.1:9/").prepare()

    send_once(Adapter(), request, Token(TOKEN), 1.0)

    assert "Authorization" not in request.headers
