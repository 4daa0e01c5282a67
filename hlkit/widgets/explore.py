"""The explorer: choose a location, look for contacts, ask a question, mind the quota."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as W
import pandas as pd

from hlkit.analysis.registry import ANALYSES
from hlkit.analysis.result import Result
from hlkit.errors import InvalidRequest
from hlkit.location import Location
from hlkit.widgets import looks
from hlkit.widgets.contacts import ContactsView
from hlkit.widgets.locations import LocationView
from hlkit.widgets.questions import AnalysesView
from hlkit.widgets.quota import QuotaView
from hlkit.widgets.view import Chosen, View


class App:
    """The explorer. ``box`` is its widget; ``selected``, ``result`` and ``code`` are for the next cell."""

    def __init__(self, chosen: Chosen, views: tuple[LocationView, ContactsView, AnalysesView, QuotaView]) -> None:
        self.chosen = chosen
        self.location, self.contacts, self.analyses, self.quota = self.views = views
        self.box = W.Tab(children=[view.box for view in views], titles=[view.title for view in views])
        self.box.add_class("hlkit-app")
        self.box.observe(lambda change: self._turned(), "selected_index")

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

    # ---- how it shows

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The live widget, and beside it a card for whatever shows no widgets."""
        bundle = dict(self.box._repr_mimebundle_() or {})
        return bundle | {"text/plain": repr(self), "text/html": self._card()}

    def __repr__(self) -> str:
        return f"hlkit explorer of {self._named()}: {self.view.title}\n\n{self.code}"

    def _named(self) -> str:
        loc = self.chosen.loc
        return "no location yet" if loc is None else str(loc.name or loc.location_id)

    def _card(self) -> str:
        question = self.analyses.asked.question
        words = f"<p><b>{escape(question)}</b> asked of {looks.plain(self._named())}</p>"
        return looks.box(f"{words}{looks.code(self.code)}")


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
        Show pseudonyms in the place of names, e-mail addresses and phone numbers, for a shared screen.

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
    chosen = Chosen(loc=loc, redact=redact)
    if analysis is not None and analysis not in ANALYSES:
        raise InvalidRequest(f"there is no analysis {analysis!r}", hint=f"there are {', '.join(ANALYSES)}")
    place = LocationView(chosen)
    if loc is not None:
        chosen.code = _connects(loc)
        place.remember(chosen.code)
    views = (place, ContactsView(chosen, contacts), AnalysesView(chosen, analysis, options), QuotaView(chosen))
    app = App(chosen, views)
    titles = [one.title for one in views]
    if view is not None and view not in titles:
        raise InvalidRequest(f"there is no view {view!r}", hint=f"there are {', '.join(titles)}")
    if location is not None and loc is None:
        if location not in dict(place.picker.options).values():
            raise InvalidRequest(f"no location is saved as {location!r}", hint=f"run hlkit login {location}")
        place.picker.value = location
    if chosen.loc is loc:
        for one in views:
            one.opened()
    app.box.selected_index = titles.index(view) if view is not None else (0 if chosen.loc is None else 2)
    return app


def _connects(loc: Location) -> str:
    """The line that connects to *loc* again."""
    if loc.data_ends is not None:
        return f'loc = hl.demo(as_of="{loc.data_ends:%Y-%m-%d}")'
    saved = loc.connected_by.removeprefix("profile ")
    return "loc = hl.connect()" if saved == loc.connected_by else f"loc = hl.connect(profile={saved!r})"
