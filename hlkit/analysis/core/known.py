"""The analyses by name: those that were imported, and all of the package once they are asked for."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

from hlkit.client.errors import InvalidRequest
from hlkit.client.text import did_you_mean

KNOWN: dict[str, Any] = {}


def register(analysis: Any) -> None:
    """Make an analysis known by its name."""
    KNOWN[analysis.name] = analysis


def all_analyses() -> dict[str, Any]:
    """All analyses by name, after importing the modules of the package."""
    _import_all()
    return dict(sorted(KNOWN.items()))


@functools.cache  # only when all could be imported
def _import_all() -> None:
    package = importlib.import_module("hlkit.analysis")
    for module in pkgutil.walk_packages(package.__path__, "hlkit.analysis."):
        importlib.import_module(module.name)


def named(name: str) -> Any:
    """The analysis of a pickle. Raises ``InvalidRequest`` if this process does not know it."""
    known = all_analyses()
    if name not in known:
        raise InvalidRequest(unknown(name, known), hint="import the module that defines it, then unpickle again")
    return known[name]


def unknown(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    """What to say of a name that no analysis has."""
    hint = did_you_mean(name, known, "{}") or f"there are {', '.join(known)}"
    return f"there is no analysis {name!r}; {hint}"
