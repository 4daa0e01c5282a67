"""Saved locations (profiles): a TOML file in the user's config folder, and tokens in the system keyring.

A token is stored in the operating system's keyring only, under the service ``hlkit`` and the profile's name. Only
``_call_keyring`` handles its text. It reports the type of a keyring's error but never its message or traceback,
which may contain the token. Each call runs in a thread with a timeout, because some keyrings wait for a person to
unlock them, and over SSH, in cron or on a server nobody can.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from hlkit.client import disk
from hlkit.client.errors import HlkitError, InvalidRequest, InvalidToken, NotFound
from hlkit.client.http.token import Token, is_token
from hlkit.client.http.token import read as read_token

SERVICE = "hlkit"
KEYRING_TIMEOUT = 20.0  # seconds; long enough for a person to type a password
_LOCK_TIMEOUT = 60.0  # seconds to wait for another program that writes the file
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_FIELDS = ("location_id", "timezone", "base_url")
_USE_ENVIRONMENT = (
    "set the environment variables HIGHLEVEL_PIT (the token) and HIGHLEVEL_LOCATION_ID (the part after /location/ in "
    "the browser's address) before you start Python or Jupyter; they need no keyring"
)


@dataclass(frozen=True)
class Profile:
    """A saved location. ``timezone`` is an IANA name; ``base_url`` is ``None`` for HighLevel's own server."""

    name: str
    location_id: str
    timezone: str | None = None
    base_url: str | None = None


def path() -> Path:
    """The path of the profiles file, which may not exist. Raises ``InvalidRequest`` if there is no home folder."""
    folder = disk.user_folder(platformdirs.user_config_path)
    if folder is None:
        raise InvalidRequest(
            "no location can be saved: this user has no home folder",
            hint=f"set HOME to a folder, or {_USE_ENVIRONMENT}",
        )
    return folder / "profiles.toml"


def check_name(name: object) -> None:
    """Raise ``InvalidRequest`` if *name* cannot be the name of a profile."""
    if is_token(name):
        raise InvalidRequest(
            "the profile name is a token; names are shown and saved in a file",
            hint="choose a name such as acme; hlkit login then asks for the token without showing it",
        )
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{str(name)[:60]!r} is not a valid profile name",
            hint="use up to 40 lowercase letters, digits, - and _, starting with a letter or digit, such as "
            "acme-north",
        )


# ---- without the token


def all_profiles() -> list[Profile]:
    """All profiles, sorted by name. Raises ``InvalidRequest`` if the file is damaged."""
    return [_profile(name, entry) for name, entry in sorted(_read()["profiles"].items())]


def names() -> list[str]:
    """The names of all profiles. Raises ``InvalidRequest`` if the file is damaged."""
    return [profile.name for profile in all_profiles()]


def default() -> str | None:
    """The name of the profile that is used when none is given: the first one saved, unless the file was edited."""
    name = _read().get("default")
    return name if isinstance(name, str) else None


def find(name: str) -> Profile:
    """The profile with that name, without its token. Raises ``NotFound``, ``InvalidRequest``."""
    check_name(name)
    entries = _read()["profiles"]
    if name in entries:
        return _profile(name, entries[name])
    saved = f"saved profiles: {', '.join(sorted(entries))}" if entries else "none is saved yet"
    raise NotFound(f"there is no profile {name}; {saved}", hint=f"save it with hlkit login {name}")


# ---- with the token


def save(profile: Profile, token: Token) -> None:
    """Save *profile* in the file, and its token in the keyring. The first profile becomes the default.

    Raises ``InvalidRequest`` or ``InvalidToken``; nothing has changed then.
    """
    check_name(profile.name)
    with _file_lock():
        old_text = _read_text() if path().exists() else None
        _edit_file(profile.name, profile)
        try:
            _save_token(profile.name, token)
        except BaseException:
            _write_text(old_text)
            raise


def load(name: str) -> tuple[Profile, Token]:
    """The profile and its token. Raises ``NotFound``, ``InvalidRequest``, ``InvalidToken``."""
    profile = find(name)
    problem, token = _ask_keyring("get_password", name)
    if problem:
        raise InvalidToken(f"the token of {name} cannot be read: {problem}", hint=_USE_ENVIRONMENT)
    if token is None:
        raise InvalidToken(f"the keyring has no token for {name}", hint=f"run hlkit login {name} again")
    if isinstance(token, HlkitError):
        raise token
    return profile, token


def remove(name: str) -> None:
    """Delete the profile and its token, or a token that was left without a profile.

    Raises ``NotFound``, ``InvalidRequest``. Raises ``InvalidToken`` if the profile was deleted but the keyring did
    not confirm that the token was.
    """
    check_name(name)
    if name in _read()["profiles"]:
        with _file_lock():
            _edit_file(name, None)
    elif _ask_keyring("get_password", name)[1] is None:
        find(name)  # raises NotFound
    problem = _delete_token(name)
    if problem:
        raise InvalidToken(
            f"{name} was deleted, but its token may still be in the keyring: {problem}",
            hint=f"run hlkit logout {name} again when the keyring is available, or delete the token in HighLevel's "
            "Settings > Private Integrations",
        )


# ---- the keyring

_NO_KEYRING = "this system has no keyring that hlkit can use"
_KeyringResult = tuple[str, Token | HlkitError | None]  # the problem, if any; the token, if one was requested


def check_keyring(name: str) -> None:
    """Raise ``InvalidToken`` if the keyring cannot store a token, so that nobody is asked for one in vain."""
    _refuse(_ask_keyring("get_password", name)[0])


def _save_token(name: str, token: Token) -> None:
    _refuse(_ask_keyring("set_password", name, token)[0])
    problem, saved = _ask_keyring("get_password", name)  # some keyrings accept a token without storing it
    is_same = isinstance(saved, Token) and saved.fingerprint == token.fingerprint
    _refuse(problem or ("" if is_same else "the keyring did not store it"))


def _refuse(problem: str) -> None:
    if problem:
        raise InvalidToken(f"the token cannot be saved: {problem}", hint=_USE_ENVIRONMENT)


def _delete_token(name: str) -> str:
    """Delete a token and return the problem, if any. A missing token or keyring is not a problem."""
    problem, saved = _ask_keyring("get_password", name)
    if saved is None:
        return "" if problem in ("", _NO_KEYRING) else problem
    return _ask_keyring("delete_password", name)[0]


def _ask_keyring(method: str, name: str, token: Token | None = None) -> _KeyringResult:
    """Call a method of the keyring in a thread, with a timeout."""
    results: list[_KeyringResult] = []
    thread = threading.Thread(target=lambda: results.append(_call_keyring(method, name, token)), daemon=True)
    thread.start()
    deadline = time.monotonic() + KEYRING_TIMEOUT
    while thread.is_alive() and time.monotonic() < deadline:
        thread.join(0.1)  # short, because Windows handles Ctrl-C only between two waits
    if results:
        return results[0]
    return f"the keyring did not answer within {KEYRING_TIMEOUT:g} seconds; it may be waiting to be unlocked", None


def _call_keyring(method: str, name: str, token: Token | None) -> _KeyringResult:
    try:
        import keyring
        from keyring.backends.null import Keyring as NullKeyring  # accepts everything and stores nothing
        from keyring.errors import KeyringLocked, NoKeyringError
    except BaseException as error:  # importing keyring also imports the configured backend
        return f"the keyring cannot be loaded ({type(error).__name__})", None
    try:
        if isinstance(keyring.get_keyring(), NullKeyring):
            return _NO_KEYRING, None
        if token is not None:
            token.hand_to(lambda text: keyring.set_password(SERVICE, name, text))
            return "", None
        text = getattr(keyring, method)(SERVICE, name)
        return "", read_token(text) if text else None
    except NoKeyringError:
        return _NO_KEYRING, None
    except KeyringLocked:
        return "the keyring is locked (unlock it, then try again)", None
    except BaseException as error:  # each backend raises its own errors
        return f"the keyring failed ({type(error).__name__})", None


# ---- the file. Errors that may quote it are not the context of those raised here.


def _read() -> dict[str, Any]:
    return _parse(_read_text())


def _read_text() -> str:
    try:
        file = path()
    except InvalidRequest:  # no home folder, so nothing is saved
        return ""
    try:
        return file.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
    except (FileNotFoundError, NotADirectoryError):  # HOME may be /dev/null
        return ""
    except PermissionError as error:
        raise InvalidRequest(
            f"the profiles in {file} cannot be read: {error.strerror}",
            hint=f"check the permissions of the file, set HOME to another folder, or {_USE_ENVIRONMENT}",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
    raise _damaged_file(str(reason))


def _parse(text: str) -> dict[str, Any]:
    """The file as a dictionary, with a dictionary of profiles."""
    try:
        document = {"profiles": {}} | tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        position = re.search(r"\(at .*\)$", str(error))  # not the whole message, which may quote the file
        reason = f"it is not valid TOML {position[0] if position else ''}".rstrip()
    else:
        if isinstance(document["profiles"], dict):
            return document
        reason = "profiles is not a table"
    raise _damaged_file(reason)


def _damaged_file(reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"the profiles in {path()} cannot be read: {reason}",
        hint="fix the file in an editor, or move it away and log in again; hlkit has not changed it",
    )


def _profile(name: str, entry: Any) -> Profile:
    fields: dict[str, Any] = {field: entry.get(field) for field in _FIELDS} if isinstance(entry, dict) else {}
    if not fields.get("location_id") or not all(value is None or isinstance(value, str) for value in fields.values()):
        raise _damaged_file(f"the profile {name!r} has no location_id, or a value that is not text")
    return Profile(name, **fields)


def _edit_file(name: str, profile: Profile | None) -> None:
    """Save a profile in the file, or remove it if *profile* is ``None``.

    Only the lines of the profile change, so comments stay. A file in which that goes wrong, such as one with all
    profiles in one line, is rewritten.
    """
    text = _read_text()
    document = _parse(text)
    entries = document["profiles"]
    fields: dict[str, str] = {}
    if profile is None:
        entries.pop(name, None)
        if document.get("default") == name:
            del document["default"]
    else:
        entry = entries.get(name)
        fields = {field: value for field in _FIELDS if (value := getattr(profile, field)) is not None}
        others = {key: value for key, value in entry.items() if key not in _FIELDS} if isinstance(entry, dict) else {}
        entries[name] = others | fields
        document.setdefault("default", name)
    edited = _edit_lines(text, name, fields)
    try:
        is_correct = _parse(edited) == document
    except InvalidRequest:
        is_correct = False
    _write_text(edited if is_correct else _as_toml(document))


def _edit_lines(text: str, name: str, fields: Mapping[str, str]) -> str:
    """The text with new lines for one profile, or without it if there are no fields. All other lines stay."""
    lines = [f"{line}\n" for line in text.splitlines()]
    headers = [index for index, line in enumerate(lines) if line.lstrip().startswith("[")]
    start = next((index for index in headers if re.match(rf"\s*\[profiles\.{name}\]", lines[index])), len(lines))
    end = next((index for index in headers if index > start), len(lines))
    while end > start and lines[end - 1].lstrip()[:1] in ("", "#"):
        end -= 1
    if not fields:
        del lines[start:end]
        return "".join(line for line in lines if not re.match(rf"default\s*=\s*[\"']{name}[\"']", line))
    header = lines[start : start + 1] or ["\n", f"[profiles.{name}]\n"]
    others = [line for line in lines[start + 1 : end] if not re.match(rf"\s*({'|'.join(_FIELDS)})\s*=", line)]
    lines[start:end] = [*header, *(f"{key} = {_toml(value)}\n" for key, value in fields.items()), *others]
    first = headers[0] if headers else start
    if not any(re.match(r"default\s*=", line) for line in lines[:first]):
        lines.insert(first, f'default = "{name}"\n')
    return "".join(lines)


def _as_toml(document: Mapping[str, Any]) -> str:
    """The document without comments, one line for each profile."""
    keys = {_toml(key): value for key, value in document.items() if key != "profiles"}
    keys |= {f"profiles.{_toml(name)}": entry for name, entry in document["profiles"].items()}
    return "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, (str, bool)):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)  # a number, a date or a time


def _write_text(text: str | None) -> None:
    """Replace the file atomically; ``None`` deletes it."""
    try:
        if text is None:
            path().resolve().unlink()
        else:
            disk.replace_file(path(), lambda part: str(part.write_text(text, encoding="utf-8", newline="")))
    except OSError as error:
        raise _write_error(error) from None


def _write_error(error: OSError) -> InvalidRequest:
    reason = error.strerror or type(error).__name__
    return InvalidRequest(f"{path()} cannot be written: {reason}", hint="check the permissions of the folder")


@contextlib.contextmanager
def _file_lock() -> Iterator[None]:
    """Let one program of this user at a time read, change and write the file."""
    from filelock import FileLock, Timeout

    lock = FileLock(path().with_suffix(".lock"), timeout=_LOCK_TIMEOUT, mode=0o600)
    try:
        path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise InvalidRequest(
            f"{path()} cannot be written: another program is writing it", hint="try again when that program is done"
        ) from None
    except OSError as error:
        raise _write_error(error) from None
    except NotImplementedError:  # a drive that does not support locks
        pass
    try:
        yield
    finally:
        lock.release()
