"""The explorer: tabs to choose a location, search its contacts, run analyses and see the quota."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Mapping
from html import escape
from typing import Any

import ipywidgets as widgets
import pandas as pd

from hlkit.analysis.core.registry import ANALYSES
from hlkit.analysis.core.result import Result
from hlkit.client import profiles
from hlkit.client.arguments import truth
from hlkit.client.errors import InvalidRequest
from hlkit.explorer import html
from hlkit.explorer.analysis_tab import DEFAULT_ANALYSIS, AnalysesView, check_options
from hlkit.explorer.contacts_tab import ContactsView, check_filters
from hlkit.explorer.location_tab import DEMO, LocationView
from hlkit.explorer.quota_tab import QuotaView
from hlkit.explorer.view import CONNECT_CODE, ExplorerState, View, close_all, mimebundle
from hlkit.location import Location

_TITLES = tuple(view.title for view in (LocationView, ContactsView, AnalysesView, QuotaView))


class Explorer:
    """What ``hl.explore`` returns. ``box`` is its widget."""

    def __init__(
        self, state: ExplorerState, views: tuple[LocationView, ContactsView, AnalysesView, QuotaView]
    ) -> None:
        self.state = state
        self.location, self.contacts, self.analyses, self.quota = self.views = views
        self.box = widgets.Tab(children=[view.box for view in views], titles=_TITLES)
        self.box.add_class("hlkit-app")
        self.cell_id, self.run_id = _current_cell()
        self.initial_location = _server_and_id(state.loc)
        _OPEN.add(self)
        self.box.observe(self.quota.callback(self._on_tab_change), "selected_index")

    # ---- for the next cell

    @property
    def loc(self) -> Location | None:
        """The current location."""
        return self.state.loc  # type: ignore[no-any-return]

    @property
    def view(self) -> View:
        """The open tab."""
        return self.views[self.box.selected_index or 0]

    @property
    def code(self) -> str:
        """Python code that does what the open tab does."""
        return self.view.code

    @property
    def selected(self) -> pd.DataFrame:
        """The contacts that match the filters."""
        return self.contacts.selected

    @property
    def result(self) -> Result | None:
        """The latest result of an analysis."""
        return self.analyses.result

    @property
    def choices(self) -> dict[str, Any]:
        """Everything that is selected: ``hl.explore(loc, **app.choices)`` opens the explorer in the same state."""
        choices: dict[str, Any] = {"view": self.view.title}
        for view in self.views:
            choices |= view.choices
        if self.state.redact:
            choices["redact"] = True
        return choices

    def _on_tab_change(self) -> None:
        if self.view is self.quota:
            self.quota.refresh()

    # ---- closing

    @property
    def is_closed(self) -> bool:
        """Whether ``close`` was called."""
        return self.quota.is_closed

    def close(self) -> None:
        """Stop running tasks, close every widget, and release the DataFrames. Can be called again."""
        for view in self.views:
            view.close()
        close_all(self.box)
        self.state.loc = None
        _OPEN.discard(self)

    # ---- display

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The widget, with a summary for frontends that cannot show widgets."""
        return mimebundle(self.box, repr(self), self._summary_html())

    def __repr__(self) -> str:
        return f"hlkit explorer of {self._location_text()}: {self.view.title}\n\n{self.code}"

    def _location_text(self) -> str:
        if self.is_closed:
            return "nothing (closed)"
        return "no location yet" if self.loc is None else self.state.location_name(self.loc)

    def _summary_html(self) -> str:
        question = escape(self.analyses.analysis.question)
        location = html.one_line(self._location_text())
        return html.box(f"<p><b>{question}</b> ({location})</p>{html.code(self.code)}")


_OPEN: weakref.WeakSet[Explorer] = weakref.WeakSet()


def explore(
    loc: Location | None = None,
    *,
    view: str | None = None,
    analysis: str | None = None,
    options: dict[str, Any] | None = None,
    contacts: dict[str, Any] | None = None,
    location: str | None = None,
    redact: bool = False,
) -> Explorer:
    """Open the explorer in a notebook: tabs for the location, contacts, analyses and quota. No request.

    ``app = hl.explore(loc)`` shows it. In the next cell, ``app.selected`` are the contacts that match the filters,
    ``app.result`` is the latest result, ``app.code`` is Python code that does the same, and
    ``hl.explore(loc, **app.choices)`` opens the explorer in the same state.

    Running its cell again replaces it: the explorers that the cell showed before are closed, and their memory is
    freed. Explorers of other cells stay open. If the frontend does not report which cell is running, and in plain
    Python, a new explorer closes the previous ones of the same location. ``app.close()`` closes one at once.

    Parameters
    ----------
    loc
        A location. If left out, choose one from the saved locations (see ``hl.login``) or the demo.
    view
        The tab to open: Location, Contacts, Analyses or Quota.
    analysis, options
        The name of an analysis, and its options.
    contacts
        Filters for the contacts, such as ``{"source": "google"}``.
    location
        The name of a saved location to open.
    redact
        Show pseudonyms instead of anything that can name a person, for a shared screen. This replaces every text
        that people typed into the location: names, email addresses, phone numbers, messages, notes and titles;
        sources, tags, cities and custom statuses; the names of users, pipelines, stages, calendars, forms and the
        location itself; and custom fields, both their names and their values. Ids, counts, amounts, dates (except
        birthdays), true and false, HighLevel's own choices such as ``won``, and hlkit's groups such as ``(none)``
        stay visible. The same value has the same pseudonym until Python ends. Redaction applies to the tables,
        charts, headlines, lists, errors and exports of the explorer, and to ``app.selected``, ``app.result`` and
        ``app.code``, whose filters contain pseudonyms. It does not hide what you type yourself, the names under
        which you saved locations, or folders on your disk.

    Raises
    ------
    InvalidRequest
        If *loc* is not a location, or a view, analysis, option or saved location does not exist.
    """
    _check_arguments(loc, view, analysis, options, contacts, location)
    code = CONNECT_CODE if loc is None else _connect_code(loc)
    state = ExplorerState(loc=loc, connect_code=code, redact=truth("redact", redact))
    check_options(ANALYSES[analysis or DEFAULT_ANALYSIS], options, state)
    check_filters(contacts, state)
    _close_previous(loc)
    location_view = LocationView(state)
    views = (
        location_view,
        ContactsView(state, contacts),
        AnalysesView(state, analysis, options),
        QuotaView(state),
    )
    app = Explorer(state, views)
    if location is not None and loc is None:
        location_view.picker.value = location  # connects
        app.initial_location = _server_and_id(state.loc)
    if state.loc is loc:  # else the views refreshed when the location changed
        for tab in views:
            tab.callback(tab.refresh)()
    default_view = LocationView.title if state.loc is None else AnalysesView.title
    app.box.selected_index = _TITLES.index(view or default_view)
    return app


def _check_arguments(loc: Any, view: Any, analysis: Any, options: Any, contacts: Any, location: Any) -> None:
    """Raise ``InvalidRequest`` for an argument of the wrong type, or a name that does not exist."""
    if loc is not None and not isinstance(loc, Location):
        raise InvalidRequest(
            f"explore takes a location, not a {type(loc).__name__}",
            hint='pass loc = hl.connect() or hl.demo(); to open a saved location, pass its name: location="acme"',
        )
    if analysis is not None and analysis not in ANALYSES:
        raise InvalidRequest(f"there is no analysis {analysis!r}", hint=f"there are {', '.join(ANALYSES)}")
    if view is not None and view not in _TITLES:
        raise InvalidRequest(f"there is no view {view!r}", hint=f"there are {', '.join(_TITLES)}")
    if location is not None and loc is None and location not in (DEMO, *profiles.names()):
        raise InvalidRequest(f"no location is saved as {location!r}", hint=f"run hlkit login {location}")
    for name, value in (("options", options), ("contacts", contacts)):
        if value is not None and not isinstance(value, Mapping):
            raise InvalidRequest(
                f"{name} takes a dict, not a {type(value).__name__}",
                hint=f'pass values by name, such as {name}={{"since": "30d"}}',
            )


def _close_previous(loc: Location | None) -> None:
    """Close the explorers that a new explorer of *loc* replaces."""
    cell_id, run_id = _current_cell()
    for app in list(_OPEN):
        ran_again = cell_id is not None and app.run_id != run_id
        if app.cell_id == cell_id and (ran_again or app.initial_location == _server_and_id(loc)):
            app.close()


def _current_cell() -> tuple[str | None, str | None]:
    """The id of the notebook cell that is running, and the id of this run; None where they are unknown."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    parent = getattr(shell, "parent_header", None)
    if not isinstance(parent, dict):
        return None, None
    return parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")


def _server_and_id(loc: Location | None) -> tuple[str, str] | None:
    return None if loc is None else (loc.session.base_url, loc.location_id)


def _connect_code(loc: Location) -> str:
    """The line of code that connects to *loc*."""
    if loc.data_ends is not None:
        return f'loc = hl.demo(as_of="{loc.data_ends:%Y-%m-%d}")'
    profile = loc.connected_by.removeprefix("profile ")
    return CONNECT_CODE if profile == loc.connected_by else f"loc = hl.connect(profile={profile!r})"
