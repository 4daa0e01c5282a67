"""The explorer: choose a location, look for contacts, ask a question, mind the quota."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Mapping
from html import escape
from typing import Any

import ipywidgets as W
import pandas as pd

from hlkit.analysis.core.registry import ANALYSES
from hlkit.analysis.core.result import Result
from hlkit.client import profiles
from hlkit.client.errors import InvalidRequest
from hlkit.client.options import truth
from hlkit.explorer import analysis_tab, html
from hlkit.explorer import contacts_tab as find
from hlkit.explorer.analysis_tab import AnalysesView
from hlkit.explorer.contacts_tab import ContactsView
from hlkit.explorer.location_tab import DEMO, LocationView
from hlkit.explorer.quota_tab import QuotaView
from hlkit.explorer.view import Chosen, View, close_all, shown_as
from hlkit.location import Location

TITLES = tuple(view.title for view in (LocationView, ContactsView, AnalysesView, QuotaView))


class App:
    """The explorer. ``box`` is its widget; ``selected``, ``result`` and ``code`` are for the next cell."""

    def __init__(self, chosen: Chosen, views: tuple[LocationView, ContactsView, AnalysesView, QuotaView]) -> None:
        self.chosen = chosen
        self.location, self.contacts, self.analyses, self.quota = self.views = views
        self.box = W.Tab(children=[view.box for view in views], titles=[view.title for view in views])
        self.box.add_class("hlkit-app")
        self.cell, self.run = _cell()
        self.begun = _server_and_id(chosen.loc)
        _OPEN.add(self)
        self.box.observe(self.quota.does(self._turned), "selected_index")

    # ---- what the next cell takes

    @property
    def loc(self) -> Location | None:
        """The chosen location."""
        return self.chosen.loc  # type: ignore[no-any-return]

    @property
    def view(self) -> View:
        """The view that is open."""
        return self.views[self.box.selected_index or 0]

    @property
    def code(self) -> str:
        """Python that does what the open view does."""
        return self.view.code

    @property
    def selected(self) -> pd.DataFrame:
        """The contacts that are found."""
        return self.contacts.selected

    @property
    def result(self) -> Result | None:
        """The last answer."""
        return self.analyses.result

    @property
    def choices(self) -> dict[str, Any]:
        """``hl.explore(loc, **app.choices)`` opens it as it was left."""
        told: dict[str, Any] = {"view": self.view.title}
        for view in self.views:
            told |= view.choices
        return told | ({"redact": True} if self.chosen.redact else {})

    def _turned(self) -> None:
        if isinstance(self.view, QuotaView):
            self.view.opened()

    # ---- its end

    @property
    def is_closed(self) -> bool:
        """Whether it was closed: it shows nothing more, and holds no frame."""
        return self.quota.is_closed

    def close(self) -> None:
        """Stop what runs, close every widget, and let go of the frames. Closing it again does nothing."""
        for view in self.views:
            view.close()
        close_all(self.box)
        self.chosen.loc = None
        _OPEN.discard(self)

    # ---- how it shows

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The live widget, and beside it a card for whatever shows no widgets."""
        return shown_as(self.box, repr(self), self._card())

    def __repr__(self) -> str:
        return f"hlkit explorer of {self._named()}: {self.view.title}\n\n{self.code}"

    def _named(self) -> str:
        if self.is_closed:
            return "nothing: it is closed"
        loc = self.chosen.loc
        return "no location yet" if loc is None else self.chosen.name_of(loc)

    def _card(self) -> str:
        question = self.analyses.asked.question
        words = f"<p><b>{escape(question)}</b> asked of {html.plain(self._named())}</p>"
        return html.box(f"{words}{html.code(self.code)}")


_OPEN: weakref.WeakSet[App] = weakref.WeakSet()


def explore(
    loc: Location | None = None,
    *,
    view: str | None = None,
    analysis: str | None = None,
    options: dict[str, Any] | None = None,
    contacts: dict[str, Any] | None = None,
    location: str | None = None,
    redact: bool = False,
) -> App:
    """The explorer, for a notebook: locations, contacts, analyses and the quota, a tab each. No request.

    ``app = hl.explore(loc)`` shows it; in the next cell ``app.selected`` are the contacts that were found,
    ``app.result`` the last answer, ``app.code`` the Python that does the same, and ``app.choices`` what
    ``hl.explore(loc, **app.choices)`` opens it with.

    Running its cell again replaces it: the explorers that the cell showed before are closed, and their frames are
    free. Those of other cells stay. Where the notebook does not say which cell runs, and in plain Python, a new
    explorer of a location closes the former one of the same location. ``app.close()`` closes one at once.

    Parameters
    ----------
    loc
        A location; without one there is a list of those that ``hlkit login`` saved, and the demo.
    view
        The tab to open: Location, Contacts, Analyses or Quota.
    analysis, options
        An analysis by name, and what is chosen of it.
    contacts
        What is looked for in the contacts.
    location
        The name of a saved location to begin with.
    redact
        For a shared screen: show pseudonyms in the place of what can name a person. That is every text that
        people typed into the location: names, email addresses, phone numbers, messages, notes and titles, and
        also sources, tags, cities and statuses of your own, the names of users, pipelines, stages, calendars and
        forms, the location's own name, and custom fields with their names and values. What stays is what nobody
        typed: ids, counts, amounts, dates (no birthdays), yes and no, HighLevel's own choices such as ``won``, and
        hlkit's groups such as ``(none)``. The same value has the same pseudonym until Python ends. It holds for
        the tables, charts, answers, lists, errors and exports of the explorer, and for ``app.selected``,
        ``app.result`` and ``app.code``, whose filters name pseudonyms. It does not hide what you type yourself, the
        names under which you saved locations, or folders on your disk.

    Raises
    ------
    InvalidRequest
        No location, or no such view, analysis or choice.
    """
    if loc is not None and not isinstance(loc, Location):
        raise InvalidRequest(
            f"explore takes a location, and got a {type(loc).__name__}",
            hint='give it loc = hl.connect() or hl.demo(); a saved one by its name is location="acme"',
        )
    if analysis is not None and analysis not in ANALYSES:
        raise InvalidRequest(f"there is no analysis {analysis!r}", hint=f"there are {', '.join(ANALYSES)}")
    if view is not None and view not in TITLES:
        raise InvalidRequest(f"there is no view {view!r}", hint=f"there are {', '.join(TITLES)}")
    if location is not None and loc is None and location not in (DEMO, *profiles.names()):
        raise InvalidRequest(f"no location is saved as {location!r}", hint=f"run hlkit login {location}")
    chosen = Chosen(loc=loc, redact=truth("redact", redact))
    for name, given in (("options", options), ("contacts", contacts)):
        if given is not None and not isinstance(given, Mapping):
            raise InvalidRequest(
                f"{name} takes values by their names, and got a {type(given).__name__}",
                hint=f'write it like {name}={{"since": "30d"}}',
            )
    analysis_tab.checked(ANALYSES[analysis or analysis_tab.FIRST], options, chosen)
    find.checked(contacts, chosen)
    _close_former(loc)
    place = LocationView(chosen)
    if loc is not None:
        chosen.code = _connects(loc)
        place.remember(chosen.code)
    views = (place, ContactsView(chosen, contacts), AnalysesView(chosen, analysis, options), QuotaView(chosen))
    app = App(chosen, views)
    if location is not None and loc is None:
        place.picker.value = location
        app.begun = _server_and_id(chosen.loc)
    if chosen.loc is loc:
        for one in views:
            one.does(one.opened)()
    app.box.selected_index = TITLES.index(view) if view is not None else (0 if chosen.loc is None else 2)
    return app


def _close_former(loc: Location | None) -> None:
    """Close the explorers that the one of *loc* takes the place of."""
    cell, run = _cell()
    for app in list(_OPEN):
        ran_again = cell is not None and app.run != run
        if app.cell == cell and (ran_again or app.begun == _server_and_id(loc)):
            app.close()


def _cell() -> tuple[str | None, str | None]:
    """The notebook's cell that runs and this run of it, as far as the notebook says."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    parent = getattr(shell, "parent_header", None)
    if not isinstance(parent, dict):
        return None, None
    return parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")


def _server_and_id(loc: Location | None) -> tuple[str, str] | None:
    return None if loc is None else (loc.session.base_url, loc.location_id)


def _connects(loc: Location) -> str:
    """The line that connects to *loc* again."""
    if loc.data_ends is not None:
        return f'loc = hl.demo(as_of="{loc.data_ends:%Y-%m-%d}")'
    saved = loc.connected_by.removeprefix("profile ")
    return "loc = hl.connect()" if saved == loc.connected_by else f"loc = hl.connect(profile={saved!r})"
