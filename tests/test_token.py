"""A token is recognized by its format, never shown, and sent to one host only."""

import copy
import pickle

import pytest
from scripted import OTHER_TOKEN, TOKEN

from hlkit.client.errors import InvalidRequest, InvalidToken, WrongTokenKind
from hlkit.client.http.token import Token, checked_base_url, read, same_host


def sent(token: Token) -> str:
    headers: dict[str, str] = {}
    token.sign(headers)
    return headers["Authorization"]


@pytest.mark.parametrize(
    "pasted",
    [
        TOKEN,
        f"  {TOKEN}\n",
        f'"{TOKEN}"',
        f"'{TOKEN}'\r\n",
        f"Bearer {TOKEN}",
        f"bearer  {TOKEN} ",
        f"\u200b{TOKEN}\ufeff",
        f"\u201c{TOKEN}\u201d",
        TOKEN.replace("pit-", "Pit-"),
        TOKEN.upper(),
    ],
)
def test_padding_around_a_pasted_token_is_stripped_and_capitals_are_lowered(pasted):
    token = read(pasted)

    assert isinstance(token, Token)
    assert sent(token) == f"Bearer {TOKEN}"
    assert not token.format_warning


@pytest.mark.parametrize("inside", [" ", "\n", "\r\n", "\u200b", "\u00a0", '"', "'", "é", "\x00"])
def test_an_invalid_character_in_a_token_is_refused_and_not_echoed(inside):
    error = read(TOKEN[:20] + inside + TOKEN[20:])

    assert type(error) is InvalidToken
    assert TOKEN[:20] not in f"{error!s}{error!r}{vars(error)}"


@pytest.mark.parametrize("pasted", ["", "  ", '""', "Bearer ", None, 42, b"pit-"])
def test_an_empty_value_is_not_a_token(pasted):
    assert type(read(pasted)) is InvalidToken


def test_a_v1_key_is_refused_with_where_to_create_a_token():
    error = read("eyJhbGciOiJIUzI1NiJ9.e30.c2ln")

    assert type(error) is WrongTokenKind
    assert "31 December 2025" in str(error)
    assert "Settings > Private Integrations" in str(error)
    assert "eyJ" not in str(error)


@pytest.mark.parametrize("text", ["abc", "sk_live_Ab3", "pit-123"])
def test_an_unknown_format_is_sent_unchanged_with_a_warning(text):
    token = read(text)

    assert sent(token) == f"Bearer {text}"
    assert "does not look like" in token.format_warning
    assert text not in token.format_warning


def test_a_token_is_never_shown():
    token = Token(TOKEN)

    assert TOKEN not in repr(token) + str(token) + f"{token}" + str(token.__slots__) + str(token.format_warning)
    with pytest.raises(TypeError):
        vars(token)
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            duplicate(token)


def test_a_digest_is_equal_for_equal_parts_under_the_same_token_only():
    token = Token(TOKEN)

    assert token.digest("a", "bc") == Token(TOKEN).digest("a", "bc")
    assert token.digest("a", "bc") != token.digest("ab", "c")
    assert token.digest("a", "bc") != Token(OTHER_TOKEN).digest("a", "bc")
    assert len(token.digest("a")) == 32
    assert set(token.digest("a") + token.fingerprint) <= set("0123456789abcdef")


@pytest.mark.parametrize("echo", [TOKEN, TOKEN.upper(), f"Bearer {TOKEN}.", OTHER_TOKEN])
def test_in_a_servers_message_this_and_any_other_token_are_masked(echo):
    assert echo not in Token(TOKEN).redact_text(f"bad header: {echo}!")
    assert Token(TOKEN).redact_text("bad header") == "bad header"


def test_in_a_response_body_only_this_token_is_masked():
    body = f'{{"a": "Bearer {TOKEN}", "b": "{TOKEN.upper()}", "c": "pit-stop", "d": "{OTHER_TOKEN}"}}'.encode()

    redacted = Token(TOKEN).redact(body).decode()

    assert redacted == f'{{"a": "Bearer •••", "b": "•••", "c": "pit-stop", "d": "{OTHER_TOKEN}"}}'


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://example.com/", "https://example.com"),
        (" https://example.com:8443/api/ ", "https://example.com:8443/api"),
        ("https://user:word@example.com", "https://example.com"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_a_base_url_is_https_or_this_machine(url, address):
    assert checked_base_url(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://127.example.com",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "http://[::2]",
        "ftp://127.0.0.1",
        "https://",
        "https://example.com:port",
        "https://[::1",
        "https://example.com/?a=b",
        "example.com",
        "",
    ],
)
def test_any_other_base_url_is_refused(url):
    with pytest.raises(InvalidRequest):
        checked_base_url(url)


@pytest.mark.parametrize(
    ("url", "is_same"),
    [
        ("https://example.com/x", True),
        ("https://example.com:444/x", False),
        ("http://example.com/x", False),
        ("https://example.org/x", False),
        ("https://example.com.example.org/x", False),
        ("https://example.com@example.org/x", False),
        ("https://[", False),
    ],
)
def test_the_same_host_means_scheme_name_and_port(url, is_same):
    assert same_host(url, "https://example.com") is is_same
