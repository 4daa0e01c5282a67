"""Files as a person names them, written so that each is whole or as it was."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from hlkit.client.errors import InvalidRequest

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows deletes no file that is open, which serves as well
    fcntl = None

_PART = re.compile(r"\.hlkit-[a-z0-9_]{8}\.part")


def named(path: object) -> Path:
    """The path that a person wrote, where ``~`` is the home folder. Raises ``InvalidRequest``."""
    problem = "it is not a path"
    if isinstance(path, (str, os.PathLike)) and os.fspath(path):
        try:
            found = Path(path).expanduser()
            if b"\0" not in os.fsencode(found):
                return found
        except (TypeError, UnicodeEncodeError):  # a path of bytes; a half of a character
            pass
        except RuntimeError:
            problem = "there is no such home folder"
    raise InvalidRequest(f"{str(path)[:200]!r} cannot be used: {problem}", hint='write it like "folder/name"')


def working_folder() -> str:
    """The folder that Python runs in; "." where it was deleted meanwhile."""
    try:
        return os.getcwd()
    except OSError:
        return os.curdir


def whole(path: object) -> Path:
    """The path that a person wrote, from the root: ``os.chdir`` does not move it. Raises ``InvalidRequest``."""
    found = Path(working_folder(), named(path))
    if not found.is_absolute():
        gone = "the folder that Python runs in was deleted"
        raise InvalidRequest(f"{str(path)[:200]!r} cannot be used: {gone}", hint="write it from the root on")
    return found


def user_folder(find: Callable[[str], Path]) -> Path | None:
    """hlkit's own folder as *find* of platformdirs names it; ``None`` for a user without a home folder."""
    try:
        folder = find("hlkit")
    except (RuntimeError, KeyError, OSError):
        return None
    return folder if folder.is_absolute() else None  # an older platformdirs gives ~ as it is


def replaced(target: Path, fill: Callable[[Path], str]) -> str:
    """Let *fill* write a file beside *target*, then put it in its place; return what *fill* returns.

    The file is readable by its owner alone. A link stays, and what it points at is replaced. What writers that
    were killed left in the folder is removed. Raises ``OSError``.
    """
    target = Path(os.path.realpath(target))
    with _part(target.parent) as part:
        filled = fill(part)
        os.replace(part, target)
    return filled


@contextlib.contextmanager
def _part(folder: Path) -> Iterator[Path]:
    """A new file in *folder*, gone at the end; locked, so that others see that its writer is alive."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if _PART.fullmatch(name):
                _remove_unless_locked(folder / name)
    handle, part = _locked(folder)
    try:
        yield part
    finally:
        _remove(part)
        if handle is not None:
            os.close(handle)


def scratch(part: Path) -> Path:
    """The name of a folder for what is needed while *part* is written; it goes when *part* does."""
    return part.with_name(part.name + ".d")


def _locked(folder: Path) -> tuple[int | None, Path]:
    """A new file and the handle that holds its lock, where there are such locks."""
    while True:
        handle, name = tempfile.mkstemp(prefix=".hlkit-", suffix=".part", dir=folder)
        if fcntl is None:
            os.close(handle)
            return None, Path(name)
        with contextlib.suppress(OSError):  # a drive without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(name):  # else another process found it before it was locked
            return handle, Path(name)
        os.close(handle)


def _remove_unless_locked(part: Path) -> None:
    with contextlib.suppress(OSError):
        if fcntl is None:
            _remove(part)
            return
        handle = os.open(part, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(part)
        finally:
            os.close(handle)


def _remove(part: Path) -> None:
    shutil.rmtree(scratch(part), ignore_errors=True)
    part.unlink(missing_ok=True)
