"""Fork safety: after ``os.fork``, the child shares no socket, SQLite connection or lock with its parent.

On a shared socket, each process would read the other's responses. SQLite forbids using a connection that was opened
before the fork. A lock that another thread held at that moment is never released in the child, which has one thread.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def register(
    holder: T,
    *,
    in_child: Callable[[T], object] = lambda _: None,
    before: Callable[[T], object] = lambda _: None,
    after: Callable[[T], object] = lambda _: None,
) -> None:
    """For as long as *holder* lives, call *before* with it before each fork, and *after* or *in_child* after it.

    *after* is called in the parent. Python keeps the hooks forever; they do nothing once *holder* is gone.
    """
    reference = weakref.ref(holder)

    def call(hook: Callable[[T], object]) -> None:
        holder = reference()
        if holder is not None:
            hook(holder)

    if hasattr(os, "register_at_fork"):  # Windows has no fork
        os.register_at_fork(
            before=lambda: call(before), after_in_parent=lambda: call(after), after_in_child=lambda: call(in_child)
        )
