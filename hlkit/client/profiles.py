"""Named locations. What may be seen of them is in a file of the user's config folder; their tokens are not.

A token is in the operating system's keyring, under the service ``hlkit`` and the profile's name, and in no file
of ours. Its text is seen by ``_called`` alone, whose tracebacks go nowhere: of a keyring's own error only the kind
is reported. Each call to the keyring has a thread of its own, since some wait for a person to unlock them, and
over SSH, in cron or on a server nobody comes.
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
PATIENCE = 20.0  # seconds for the keyring, in which a person can type a password
_BUSY = 60.0  # seconds for other programs that write the profiles
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_WITHOUT = (
    "set HIGHLEVEL_PIT and HIGHLEVEL_LOCATION_ID in the environment instead, which needs no keyring, before you "
    "start Python or Jupyter: the token, and what follows /location/ in the browser's address"
)


@dataclass(frozen=True)
class Profile:
    """A location under a name. ``timezone`` is an IANA name; ``base_url`` is ``None`` for HighLevel's own."""

    name: str
    location_id: str
    timezone: str | None = None
    base_url: str | None = None


def path() -> Path:
    """The file of the profiles, whether it is there or not. Raises ``InvalidRequest`` where it has no place."""
    folder = disk.user_folder(platformdirs.user_config_path)
    if folder is None:
        raise InvalidRequest(
            "no location can be saved: this user has no home folder", hint=f"set HOME to a folder, or {_WITHOUT}"
        )
    return folder / "profiles.toml"


def check_name(name: object) -> None:
    """Raise ``InvalidRequest`` for what is no name of a profile."""
    if is_token(name):
        raise InvalidRequest(
            "a token is no name for a profile, which is shown and kept in a file",
            hint="choose a name such as acme; hlkit login asks for the token then, and does not show it",
        )
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"a profile cannot be called {str(name)[:60]!r}",
            hint="use up to 40 small letters, digits, - and _, a letter or digit first, such as acme-north",
        )


# ---- what may be seen


def all_profiles() -> list[Profile]:
    """All profiles, by name. Raises ``InvalidRequest`` where the file is damaged."""
    return [_profile(name, entry) for name, entry in sorted(_entries(_read()).items())]


def names() -> list[str]:
    """The names of all profiles."""
    return [profile.name for profile in all_profiles()]


def default() -> str | None:
    """The name of the profile that serves where none is named: the first that was saved, or what the file says."""
    name = _read().get("default")
    return name if isinstance(name, str) else None


def find(name: str) -> Profile:
    """The profile of that name, without its token. Raises ``NotFound``, ``InvalidRequest``."""
    check_name(name)
    entries = _entries(_read())
    if name in entries:
        return _profile(name, entries[name])
    known = f"there are {', '.join(sorted(entries))}" if entries else "none is saved yet"
    raise NotFound(f"there is no profile {name}: {known}", hint=f"save it with hlkit login {name}")


# ---- with the token


def save(profile: Profile, token: Token) -> None:
    """Save *profile*, and its token in the keyring. The first one becomes the default.

    Raises ``InvalidRequest``, ``InvalidToken``; then nothing has changed.
    """
    check_name(profile.name)
    _entries(_read())
    with _locked():
        before = _text() if path().exists() else None
        _change(lambda document: _enter(document, profile))
        try:
            problem = _keep(profile.name, token)
        except BaseException:
            _put(before)
            raise
        if problem is not None:
            _put(before)
            raise problem


def load(name: str) -> tuple[Profile, Token]:
    """The profile and its token. Raises ``NotFound``, ``InvalidRequest``, ``InvalidToken``."""
    profile = find(name)
    failed, token = _from_keyring("get_password", name)
    if failed:
        raise InvalidToken(f"the token of {name} cannot be read: {failed}", hint=_WITHOUT)
    if token is None:
        raise InvalidToken(f"the keyring holds no token of {name}", hint=f"run hlkit login {name} again")
    if isinstance(token, HlkitError):
        raise token
    return profile, token


def remove(name: str) -> None:
    """Forget the profile and its token, also a token that has no profile any more.

    Raises ``NotFound``, ``InvalidRequest``, and ``InvalidToken`` where the profile is forgotten and the
    keyring does not tell whether its token is.
    """
    check_name(name)
    if name in _entries(_read()):
        with _locked():
            _change(lambda document: _leave(document, name), cut=name)
    elif _from_keyring("get_password", name)[1] is None:
        find(name)
    failed = _forget(name)
    if failed:
        raise InvalidToken(
            f"{name} is forgotten, and its token may still be in the keyring: {failed}",
            hint=f"run hlkit logout {name} again once the keyring answers, or delete the token in HighLevel's "
            "Settings > Private Integrations",
        )


# ---- the keyring


def keyring_problem(name: str) -> InvalidToken | None:
    """Why no token can be kept here, before anybody is asked for one; ``None`` where one can."""
    failed, _ = _from_keyring("get_password", name)
    return InvalidToken(f"no token can be kept here: {failed}", hint=_WITHOUT) if failed else None


def _keep(name: str, token: Token) -> InvalidToken | None:
    failed, _ = _from_keyring("set_password", name, token)
    if not failed:
        # A keyring may take a token and not keep it.
        failed, kept = _from_keyring("get_password", name)
        same = isinstance(kept, Token) and kept.fingerprint == token.fingerprint
        failed = failed or ("" if same else "it does not keep what it is given")
    return InvalidToken(f"the token cannot be kept: {failed}", hint=_WITHOUT) if failed else None


def _forget(name: str) -> str:
    """Delete a token; what is wrong, or nothing. A token that was not there, and no keyring, are not wrong."""
    failed, kept = _from_keyring("get_password", name)
    if kept is None:
        return "" if failed in ("", _NO_KEYRING) else failed
    return _from_keyring("delete_password", name)[0]


_NO_KEYRING = "this system has no keyring that hlkit can use"
_Answer = tuple[str, Token | HlkitError | None]


def _from_keyring(verb: str, name: str, token: Token | None = None) -> _Answer:
    """What is wrong in words, or nothing; and the token that the keyring holds, where it is asked for one."""
    answers: list[_Answer] = []
    thread = threading.Thread(target=lambda: answers.append(_called(verb, name, token)), daemon=True)
    thread.start()
    end = time.monotonic() + PATIENCE
    while thread.is_alive() and time.monotonic() < end:
        thread.join(0.1)  # Windows hears Ctrl-C only between two waits
    if answers:
        return answers[0]
    return f"the keyring has not answered for {PATIENCE:g} seconds; it may be waiting to be unlocked", None


def _called(verb: str, name: str, token: Token | None) -> _Answer:
    try:
        import keyring
        from keyring.backends.null import Keyring as Nothing  # takes everything and keeps nothing
        from keyring.errors import KeyringLocked, NoKeyringError
    except BaseException as error:  # a backend that the configuration names is imported here
        return f"the keyring cannot be loaded ({type(error).__name__})", None
    try:
        if isinstance(keyring.get_keyring(), Nothing):
            return _NO_KEYRING, None
        if token is not None:
            token.hand_to(lambda text: keyring.set_password(SERVICE, name, text))
            return "", None
        found = getattr(keyring, verb)(SERVICE, name)
        return "", read_token(found) if found else None
    except NoKeyringError:
        return _NO_KEYRING, None
    except KeyringLocked:
        return "the keyring is locked (unlock it, and try again)", None
    except BaseException as error:  # each backend has its own
        return f"the keyring refused ({type(error).__name__})", None


# ---- the file


def _read() -> dict[str, Any]:
    return _parsed(_text())


def _text() -> str:
    try:
        file = path()
    except InvalidRequest:  # then none could be saved
        return ""
    try:
        return file.read_text(encoding="utf-8-sig")  # some editors put a mark before the text
    except (FileNotFoundError, NotADirectoryError):  # HOME may be /dev/null
        return ""
    except PermissionError as error:
        problem = InvalidRequest(
            f"the profiles in {file} cannot be read: {error.strerror}",
            hint=f"see who may read there, set HOME to a folder of your own, or {_WITHOUT}",
        )
        raise problem from None
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
    raise _damaged(str(reason))


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at .*\)$", str(error))  # not the words, which may quote the file
    raise _damaged("it is not TOML" + (f" {place[0]}" if place else ""))


def _damaged(reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"the profiles in {path()} cannot be read: {reason}",
        hint="mend that file in an editor, or move it away and log in again; nothing in it was changed",
    )


def _entries(document: Mapping[str, Any]) -> dict[str, Any]:
    entries = document.get("profiles", {})
    if not isinstance(entries, dict):
        raise _damaged("profiles is not a table")
    return entries


def _profile(name: str, entry: Any) -> Profile:
    fields: dict[str, Any] = {field: entry.get(field) for field in _FIELDS} if isinstance(entry, dict) else {}
    if not fields.get("location_id") or not all(value is None or isinstance(value, str) for value in fields.values()):
        raise _damaged(f"the profile {name!r} lacks a location_id, or holds what is no text")
    return Profile(name, **fields)


_FIELDS = ("location_id", "timezone", "base_url")


def _enter(document: Any, profile: Profile) -> None:
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


def _leave(document: Any, name: str) -> None:
    document["profiles"].pop(name, None)
    if document.get("default") == name:
        del document["default"]


def _change(edit: Callable[[Any], None], *, cut: str | None = None) -> None:
    """Edit the file, comments and all, and put it in place at once: it is whole or as it was."""
    import tomlkit

    text = _text()
    _entries(_parsed(text))
    document = tomlkit.parse(text)
    edit(document)
    edited = tomlkit.dumps(document)
    if _parsed(edited) != document.unwrap():  # tomlkit can write lines below dotted keys into the wrong table
        edited = tomlkit.dumps(document.unwrap())
    if cut is not None:
        # tomlkit takes the comment above the next table to be the end of this one.
        with contextlib.suppress(InvalidRequest):
            by_lines = _without(text, cut)
            edited = by_lines if _parsed(by_lines) == _parsed(edited) else edited
    _put(edited)


def _put(text: str | None) -> None:
    """Write the file, whole or not at all; ``None`` removes it."""
    try:
        if text is None:
            path().resolve().unlink()
        else:
            disk.replace_file(path(), lambda part: str(part.write_text(text, encoding="utf-8", newline="")))
        return
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise _unwritable(reason)


def _unwritable(reason: str, hint: str = "see who may write there") -> InvalidRequest:
    return InvalidRequest(f"{path()} cannot be written: {reason}", hint=hint)


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """Among all programs of this user, one at a time: each writes what it read, and its own change."""
    from filelock import FileLock, Timeout

    lock, problem = FileLock(path().with_suffix(".lock"), timeout=_BUSY, mode=0o600), None
    try:
        path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        problem = _unwritable("another program is writing it", "try again when that has ended")
    except OSError as error:
        problem = _unwritable(error.strerror or type(error).__name__)
    except NotImplementedError:  # a drive without locks
        pass
    if problem is not None:
        raise problem
    try:
        yield
    finally:
        lock.release()


def _without(text: str, name: str) -> str:
    """The text without the lines of a profile and of its being the default; comments below it stay."""
    lines = [
        line for line in text.splitlines(keepends=True) if not re.match(rf"default\s*=\s*[\"']{name}[\"']", line)
    ]
    starts = [number for number, line in enumerate(lines) if line.lstrip().startswith("[")]
    first = next((number for number in starts if re.match(rf"\s*\[profiles\.{name}\]", lines[number])), len(lines))
    after = next((number for number in starts if number > first), len(lines))
    while after > first and lines[after - 1].lstrip()[:1] in ("", "#"):
        after -= 1
    return "".join(lines[:first] + lines[after:])
