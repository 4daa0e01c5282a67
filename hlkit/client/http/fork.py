"""Fork safety: after ``os.fork``, the child shares no socket, SQLite connection or lock with its parent.

On a shared socket, each process would read the other's responses. SQLite forbids using a connection that was opened
before the fork. A lock that another thread held at that moment is never released in the child, which has one thread.

An object that holds such a thing registers in one of two ways, for as long as it lives:

- ``reset_in_child``: its ``after_fork()`` runs in the child before anything else does.
- ``pause_for_fork``: its ``pause()`` runs before the fork and its ``resume()`` after it, in parent and child.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class ResetInChild(Protocol):
    def after_fork(self) -> None:
        """Replace what belongs to the parent. Runs in the child, which has one thread."""


class PauseForFork(Protocol):
    def pause(self) -> None:
        """Finish the current work of every thread and start no more. Runs in the parent, before the fork."""

    def resume(self) -> None:
        """Allow work again. Runs after the fork, in parent and child."""


_FORK_LOCK = threading.RLock()  # one fork at a time
_RESET: weakref.WeakSet[ResetInChild] = weakref.WeakSet()
_PAUSE: weakref.WeakSet[PauseForFork] = weakref.WeakSet()
_paused: list[PauseForFork] = []


def reset_in_child(holder: ResetInChild) -> None:
    """Call ``holder.after_fork()`` in every child process from now on."""
    with _FORK_LOCK:
        _RESET.add(holder)


def pause_for_fork(holder: PauseForFork) -> None:
    """Call ``holder.pause()`` before and ``holder.resume()`` after every fork from now on."""
    with _FORK_LOCK:
        _PAUSE.add(holder)


def _before_fork() -> None:
    _FORK_LOCK.acquire()
    _paused.extend(_PAUSE)
    for holder in _paused:
        holder.pause()


def _after_fork() -> None:
    for holder in _paused:
        holder.resume()
    _paused.clear()
    _FORK_LOCK.release()


def _after_fork_in_child() -> None:
    for holder in list(_RESET):
        holder.after_fork()
    _after_fork()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
