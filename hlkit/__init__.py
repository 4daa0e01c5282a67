"""HighLevel sub-accounts as pandas DataFrames.

import hlkit as hl

loc = hl.connect()          # HIGHLEVEL_PIT and HIGHLEVEL_LOCATION_ID; or hl.demo(), offline
contacts = loc.contacts()   # a plain DataFrame, typed, in UTC
loc.analyses                # marketing questions: loc.analyses.speed_to_lead(by="source")
hl.explore(loc)             # the same, with widgets
hl.write(contacts, "contacts.xlsx")  # or .csv, .parquet, .jsonl
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hlkit.analysis.core.typed import PureAnalyses
    from hlkit.client import errors as errors
    from hlkit.client.catalog import catalog as catalog
    from hlkit.connection import connect as connect
    from hlkit.connection import demo as demo
    from hlkit.explorer.explorer import explore as explore
    from hlkit.files.export import write as write
    from hlkit.files.summary import summarize as summarize
    from hlkit.login_guide import login as login

    __version__: str
    analyses: PureAnalyses

_MODULES = {
    "analyses": "hlkit.analysis.core.registry",
    "catalog": "hlkit.client.catalog",
    "connect": "hlkit.connection",
    "demo": "hlkit.connection",
    "errors": "hlkit",
    "explore": "hlkit.explorer.explorer",
    "login": "hlkit.login_guide",
    "summarize": "hlkit.files.summary",
    "write": "hlkit.files.export",
}

__all__ = ["analyses", "catalog", "connect", "demo", "errors", "explore", "login", "summarize", "write"]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a public name on first use."""
        if name == "__version__":
            from importlib.metadata import version

            return version("hlkit")
        if name not in _MODULES:
            raise AttributeError(f"module 'hlkit' has no {name!r}; it has {', '.join(__all__)}")
        if name == "errors":
            return importlib.import_module("hlkit.client.errors")
        if name == "analyses":
            return importlib.import_module(_MODULES[name]).ANALYSES
        return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
