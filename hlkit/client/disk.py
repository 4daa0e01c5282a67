"""Paths that a person types, and files that are replaced atomically."""

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
except ImportError:  # Windows: an open file cannot be deleted, so no lock is needed
    fcntl = None

_PART = re.compile(r"\.hlkit-[a-z0-9_]{8}\.part")


def expand_path(path: object) -> Path:
    """The path that a person typed, with ``~`` expanded. Raises ``InvalidRequest``."""
    problem = "it is not a path"
    if isinstance(path, (str, os.PathLike)) and os.fspath(path):
        try:
            expanded = Path(path).expanduser()
            if b"\0" not in os.fsencode(expanded):
                return expanded
        except (TypeError, UnicodeEncodeError):  # bytes; an unpaired surrogate
            pass
        except RuntimeError:
            problem = "there is no such home folder"
    raise InvalidRequest(f"{str(path)[:200]!r} cannot be used: {problem}", hint='write it like "folder/name"')


def working_folder() -> str:
    """The current working folder, or "." if it was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return os.curdir


def absolute_path(path: object) -> Path:
    """The path that a person typed, made absolute so that ``os.chdir`` does not change it.

    Raises ``InvalidRequest``.
    """
    absolute = Path(working_folder(), expand_path(path))
    if not absolute.is_absolute():
        raise InvalidRequest(
            f"{str(path)[:200]!r} cannot be used: the current working folder was deleted", hint="use an absolute path"
        )
    return absolute


def user_folder(find: Callable[[str], Path]) -> Path | None:
    """The folder that *find*, a platformdirs function, gives for hlkit; ``None`` if the user has no home folder."""
    try:
        folder = find("hlkit")
    except (RuntimeError, KeyError, OSError):
        return None
    return folder if folder.is_absolute() else None  # older versions of platformdirs do not expand ~


def replace_file(target: Path, write: Callable[[Path], str]) -> str:
    """Replace *target* atomically: call *write* with a temporary file in the same folder, then rename it.

    Returns what *write* returns. Only the owner may read the file. If *target* is a link, the file it points to is
    replaced. Temporary files that killed programs left in the folder are deleted. Raises ``OSError``.
    """
    target = Path(os.path.realpath(target))
    with _temporary_file(target.parent) as part:
        result = write(part)
        os.replace(part, target)
    return result


@contextlib.contextmanager
def _temporary_file(folder: Path) -> Iterator[Path]:
    """A new file in *folder*, deleted at the end. It is locked, so other programs see that its writer is alive."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if _PART.fullmatch(name):
                _remove_unless_locked(folder / name)
    handle, part = _create_locked(folder)
    try:
        yield part
    finally:
        _remove(part)
        if handle is not None:
            os.close(handle)


def scratch_folder(part: Path) -> Path:
    """The path of a folder for intermediate files while *part* is written. It is deleted with *part*."""
    return part.with_name(part.name + ".d")


def _create_locked(folder: Path) -> tuple[int | None, Path]:
    """A new file, and the handle that holds its lock (``None`` on Windows)."""
    while True:
        handle, name = tempfile.mkstemp(prefix=".hlkit-", suffix=".part", dir=folder)
        if fcntl is None:
            os.close(handle)
            return None, Path(name)
        with contextlib.suppress(OSError):  # a drive that does not support locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(name):  # else another process deleted it before it was locked
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
    shutil.rmtree(scratch_folder(part), ignore_errors=True)
    part.unlink(missing_ok=True)
