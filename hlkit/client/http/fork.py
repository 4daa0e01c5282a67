"""Fork safety: after ``os.fork``, the child shares no socket, SQLite connection or lock with its parent.

On a shared socket, each process would read the other's responses. SQLite forbids using a connection that was opened
before the fork. A lock that another thread held at that moment is never released in the child, which has one thread.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_FORK_LOCK = threading.RLock()  # one fork at a time
_HOLDERS: weakref.WeakKeyDictionary[Any, tuple[Callable[[Any], object], ...]] = weakref.WeakKeyDictionary()
_current: list[tuple[Any, tuple[Callable[[Any], object], ...]]] = []  # during a fork


def register(
    holder: T,
    *,
    in_child: Callable[[T], object] = lambda _: None,
    before: Callable[[T], object] = lambda _: None,
    after: Callable[[T], object] = lambda _: None,
) -> None:
    """For as long as *holder* lives, call *before* with it before each fork and *after* after it.

    In the child, every holder's *in_child* is called first, before anything else runs.
    """
    with _FORK_LOCK:
        _HOLDERS[holder] = before, in_child, after


def _before_fork() -> None:
    _FORK_LOCK.acquire()
    _current.extend(_HOLDERS.items())
    for holder, (before, _, _) in _current:
        before(holder)


def _after_fork_in_child() -> None:
    for holder, (_, in_child, _) in _current:
        in_child(holder)
    _after_fork()


def _after_fork() -> None:
    for holder, (_, _, after) in _current:
        after(holder)
    _current.clear()
    _FORK_LOCK.release()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
