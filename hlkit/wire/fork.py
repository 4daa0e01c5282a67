"""After a fork, two programs hold one socket, one SQLite handle and locks whose threads only one of them has.

On one socket each would read the other's answers, and SQLite forbids to carry a connection over. So what
holds such a thing names itself here, and begins anew in the child before the child does anything else.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    def after_fork(self) -> None:
        """Leave to the parent what is the parent's; called in the child, which has one thread."""


_HOLDERS: weakref.WeakSet[Forked] = weakref.WeakSet()


def begins_anew(holder: Forked) -> None:
    """From now on ``holder.after_fork()`` is called in every child, for as long as the holder lives."""
    _HOLDERS.add(holder)


def _in_the_child() -> None:
    for holder in list(_HOLDERS):
        holder.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_in_the_child)
