"""Saved locations (profiles): a TOML file in the user's config folder, and tokens in the system keyring.

A token is stored in the operating system's keyring only, under the service ``hlkit`` and the profile's name. Only
``_call_keyring`` handles its text. It reports the type of a keyring's error but never its message or traceback,
which may contain the token. Each call runs in a thread with a timeout, because some keyrings wait for a person to
unlock them, and over SSH, in cron or on a server nobody can.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
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
    return [_profile(name, entry) for name, entry in sorted(_entries(_read()).items())]


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
    entries = _entries(_read())
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
    _entries(_read())
    with _file_lock():
        old_text = _read_text() if path().exists() else None
        _edit_file(lambda document: _set_entry(document, profile))
        try:
            problem = _save_token(profile.name, token)
        except BaseException:
            _write_text(old_text)
            raise
        if problem is not None:
            _write_text(old_text)
            raise problem


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
    if name in _entries(_read()):
        with _file_lock():
            _edit_file(lambda document: _remove_entry(document, name), removed=name)
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


def keyring_problem(name: str) -> InvalidToken | None:
    """The error if the keyring cannot store a token, so that nobody is asked for one in vain; else ``None``."""
    problem, _ = _ask_keyring("get_password", name)
    return InvalidToken(f"the token cannot be saved: {problem}", hint=_USE_ENVIRONMENT) if problem else None


def _save_token(name: str, token: Token) -> InvalidToken | None:
    problem, _ = _ask_keyring("set_password", name, token)
    if not problem:
        problem, saved = _ask_keyring("get_password", name)  # some keyrings accept a token without storing it
        is_same = isinstance(saved, Token) and saved.fingerprint == token.fingerprint
        problem = problem or ("" if is_same else "the keyring did not store it")
    return InvalidToken(f"the token cannot be saved: {problem}", hint=_USE_ENVIRONMENT) if problem else None


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


# ---- the file. Errors are raised outside ``except``, since the original error may quote the file.


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
        problem = InvalidRequest(
            f"the profiles in {file} cannot be read: {error.strerror}",
            hint=f"check the permissions of the file, set HOME to another folder, or {_USE_ENVIRONMENT}",
        )
        raise problem from None
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
    raise _damaged_file(str(reason))


def _parse(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        position = re.search(r"\(at .*\)$", str(error))  # not the whole message, which may quote the file
    raise _damaged_file("it is not valid TOML" + (f" {position[0]}" if position else ""))


def _damaged_file(reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"the profiles in {path()} cannot be read: {reason}",
        hint="fix the file in an editor, or move it away and log in again; hlkit has not changed it",
    )


def _entries(document: Mapping[str, Any]) -> dict[str, Any]:
    entries = document.get("profiles", {})
    if not isinstance(entries, dict):
        raise _damaged_file("profiles is not a table")
    return entries


def _profile(name: str, entry: Any) -> Profile:
    fields: dict[str, Any] = {field: entry.get(field) for field in _FIELDS} if isinstance(entry, dict) else {}
    if not fields.get("location_id") or not all(value is None or isinstance(value, str) for value in fields.values()):
        raise _damaged_file(f"the profile {name!r} has no location_id, or a value that is not text")
    return Profile(name, **fields)


def _set_entry(document: Any, profile: Profile) -> None:
    import tomlkit

    entries = document.setdefault("profiles", tomlkit.table())
    if not isinstance(entries.get(profile.name), Mapping):
        entries[profile.name] = {}
    entry = entries[profile.name]
    for field in _FIELDS:
        value = getattr(profile, field)
        if value is not None:
            entry[field] = value
        else:
            entry.pop(field, None)
    if "default" not in document:
        document["default"] = profile.name


def _remove_entry(document: Any, name: str) -> None:
    document["profiles"].pop(name, None)
    if document.get("default") == name:
        del document["default"]


def _edit_file(edit: Callable[[Any], None], *, removed: str | None = None) -> None:
    """Apply *edit* to the parsed file, and replace the file atomically. Comments stay.

    tomlkit has two bugs that matter here, so its output is checked against what tomllib reads.
    """
    import tomlkit

    text = _read_text()
    _entries(_parse(text))
    document = tomlkit.parse(text)
    edit(document)
    edited = tomlkit.dumps(document)
    if _parse(edited) != document.unwrap():  # bug 1: lines below dotted keys can get into the wrong table
        edited = tomlkit.dumps(document.unwrap())
    if removed is not None:  # bug 2: a table takes the comment above the next table with it
        without_lines = _without_profile(text, removed)
        with contextlib.suppress(InvalidRequest):
            edited = without_lines if _parse(without_lines) == _parse(edited) else edited
    _write_text(edited)


def _without_profile(text: str, name: str) -> str:
    """The text without the lines of one profile. Comments above the next table stay."""
    lines = [
        line for line in text.splitlines(keepends=True) if not re.match(rf"default\s*=\s*[\"']{name}[\"']", line)
    ]
    headers = [index for index, line in enumerate(lines) if line.lstrip().startswith("[")]
    start = next((index for index in headers if re.match(rf"\s*\[profiles\.{name}\]", lines[index])), len(lines))
    end = next((index for index in headers if index > start), len(lines))
    while end > start and lines[end - 1].lstrip()[:1] in ("", "#"):
        end -= 1
    return "".join(lines[:start] + lines[end:])


def _write_text(text: str | None) -> None:
    """Replace the file atomically; ``None`` deletes it."""
    try:
        if text is None:
            path().resolve().unlink()
        else:
            disk.replace_file(path(), lambda part: str(part.write_text(text, encoding="utf-8", newline="")))
        return
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise _write_error(reason)


def _write_error(reason: str, hint: str = "check the permissions of the folder") -> InvalidRequest:
    return InvalidRequest(f"{path()} cannot be written: {reason}", hint=hint)


@contextlib.contextmanager
def _file_lock() -> Iterator[None]:
    """Let one program of this user at a time read, change and write the file."""
    from filelock import FileLock, Timeout

    lock, problem = FileLock(path().with_suffix(".lock"), timeout=_LOCK_TIMEOUT, mode=0o600), None
    try:
        path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        problem = _write_error("another program is writing it", "try again when that program is done")
    except OSError as error:
        problem = _write_error(error.strerror or type(error).__name__)
    except NotImplementedError:  # a drive that does not support locks
        pass
    if problem is not None:
        raise problem
    try:
        yield
    finally:
        lock.release()
