"""After a fork, two programs hold one socket, one SQLite handle and locks whose threads only one of them has.

On one socket each would read the other's answers, and SQLite forbids to carry an open file over. So what
holds such a thing names itself here: it begins anew in the child before the child does anything else, or it
holds still from just before the fork until just after it, where work that is half done cannot be left behind.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class BeginsAnew(Protocol):
    def after_fork(self) -> None:
        """Leave to the parent what is the parent's; called in the child, which has one thread."""


class HoldsStill(Protocol):
    def hold_still(self) -> None:
        """Finish what is at hand, in whichever thread, and begin nothing; called in the parent before the fork."""

    def go_on(self) -> None:
        """Work may begin again; called after the fork, in the parent and in the child."""


_LOCK = threading.RLock()  # a fork at a time
_ANEW: weakref.WeakSet[BeginsAnew] = weakref.WeakSet()
_STILL: weakref.WeakSet[HoldsStill] = weakref.WeakSet()
_held: list[HoldsStill] = []


def begins_anew(holder: BeginsAnew) -> None:
    """From now on ``holder.after_fork()`` is called in every child, for as long as the holder lives."""
    with _LOCK:
        _ANEW.add(holder)


def holds_still(holder: HoldsStill) -> None:
    """From now on the holder stands still while this program forks, for as long as it lives."""
    with _LOCK:
        _STILL.add(holder)


def _before() -> None:
    _LOCK.acquire()
    _held.extend(_STILL)
    for holder in _held:
        holder.hold_still()


def _after() -> None:
    for holder in _held:
        holder.go_on()
    _held.clear()
    _LOCK.release()


def _in_the_child() -> None:
    for holder in list(_ANEW):
        holder.after_fork()
    _after()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_in_the_child)
