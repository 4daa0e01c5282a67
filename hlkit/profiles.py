"""Named locations. What may be seen of them is in a file of the user's config folder; their tokens are not.

A token is in the operating system's keyring, under the service ``hlkit`` and the profile's name, and in no file
of ours. As in ``wire/token.py``, a function that sees the text gives back what is wrong, so that no traceback
holds a frame with it; and it says nothing of a keyring's own error but its kind.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from hlkit.errors import HlkitError, InvalidRequest, InvalidToken, NotFound
from hlkit.wire.token import is_token

SERVICE = "hlkit"
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
    """The file of the profiles, whether it is there or not."""
    return platformdirs.user_config_path("hlkit") / "profiles.toml"


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


def everyone() -> list[Profile]:
    """All profiles, by name. Raises ``InvalidRequest`` where the file is damaged."""
    return [_profile(name, entry) for name, entry in sorted(_entries(_read()).items())]


def names() -> list[str]:
    """The names of all profiles."""
    return [profile.name for profile in everyone()]


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


def save(profile: Profile, token: str) -> HlkitError | None:
    """Keep *profile*, and its token in the keyring. The first one becomes the default.

    Gives back what is wrong; then nothing has changed.
    """
    try:
        check_name(profile.name)
        _entries(_read())
    except HlkitError as error:
        return error.with_traceback(None)
    _, before = _from_keyring("get_password", SERVICE, profile.name)
    problem = _keep(profile.name, token)
    if problem is not None:
        return problem
    try:
        _change(lambda document: _enter(document, profile))
    except HlkitError as error:
        if before is None:
            _forget(profile.name)
        else:
            _keep(profile.name, before)
        return error.with_traceback(None)
    return None


def load(name: str) -> tuple[Profile, str | HlkitError]:
    """The profile, and its token's text or why there is none. Raises ``NotFound``, ``InvalidRequest``."""
    profile = find(name)
    failed, text = _from_keyring("get_password", SERVICE, name)
    if failed:
        return profile, InvalidToken(f"the token of {name} cannot be read: {failed}", hint=_WITHOUT)
    if not text:
        return profile, InvalidToken(f"the keyring holds no token of {name}", hint=f"run hlkit login {name} again")
    return profile, str(text)


def remove(name: str) -> None:
    """Forget the profile and its token.

    Raises ``NotFound``, ``InvalidRequest``, and ``InvalidToken`` where the profile is forgotten and the
    keyring does not tell whether its token is.
    """
    find(name)
    _change(lambda document: _leave(document, name), cut=name)
    failed = _forget(name)
    if failed:
        raise InvalidToken(
            f"{name} is forgotten, and its token may still be in the keyring: {failed}",
            hint=f"delete {name} of {SERVICE} there, and the token in HighLevel's Settings > Private Integrations",
        )


# ---- the keyring


def vault_problem(name: str) -> InvalidToken | None:
    """Why no token can be kept here, before anybody is asked for one; ``None`` where one can."""
    failed, _ = _from_keyring("get_password", SERVICE, name)
    return InvalidToken(f"no token can be kept here: {failed}", hint=_WITHOUT) if failed else None


def _keep(name: str, token: str) -> InvalidToken | None:
    failed, _ = _from_keyring("set_password", SERVICE, name, token)
    if not failed:
        # A keyring may take a token and not keep it.
        failed, kept = _from_keyring("get_password", SERVICE, name)
        failed = failed or ("" if kept == token else "it does not keep what it is given")
    return InvalidToken(f"the token cannot be kept: {failed}", hint=_WITHOUT) if failed else None


def _forget(name: str) -> str:
    """Delete a token; what is wrong, or nothing. A token that was not there, and no keyring, are not wrong."""
    failed, kept = _from_keyring("get_password", SERVICE, name)
    if kept is None:
        return "" if failed in ("", _NO_KEYRING) else failed
    return _from_keyring("delete_password", SERVICE, name)[0]


_NO_KEYRING = "this system has no keyring that hlkit can use"


def _from_keyring(verb: str, *given: str) -> tuple[str, str | None]:
    """What is wrong in words, or nothing; and what the keyring answers. It may hold the token, so quotes none."""
    import keyring
    from keyring.backends.null import Keyring as Nothing  # takes everything and keeps nothing
    from keyring.errors import KeyringLocked, NoKeyringError

    try:
        if isinstance(keyring.get_keyring(), Nothing):
            return _NO_KEYRING, None
        return "", getattr(keyring, verb)(*given)
    except NoKeyringError:
        return _NO_KEYRING, None
    except KeyringLocked:
        return "the keyring is locked (unlock it, and try again)", None
    except Exception as error:  # each backend has its own
        return f"the keyring refused ({type(error).__name__})", None


# ---- the file


def _read() -> dict[str, Any]:
    return _parsed(_text())


def _text() -> str:
    try:
        return path().read_text(encoding="utf-8-sig")  # some editors put a mark before the text
    except FileNotFoundError:
        return ""
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
    del document["profiles"][name]
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
    try:
        _replace(path(), edited)
        return
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise InvalidRequest(f"{path()} cannot be written: {reason}", hint="see who may write there")


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


def _replace(target: Path, text: str) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".profiles-", dir=target.parent)  # for its owner alone
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
