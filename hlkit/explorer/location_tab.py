"""Locations: which there are, what is kept of the chosen one, what its token may not read, how to add one."""

from __future__ import annotations

import traceback
from typing import Any

import ipywidgets as W
import pandas as pd

from hlkit.analysis.core.registry import ANALYSES
from hlkit.client import profiles
from hlkit.client.errors import HlkitError
from hlkit.client.http.token import MENU
from hlkit.connection import connect, demo
from hlkit.explorer import html
from hlkit.explorer.background_task import Work
from hlkit.explorer.controls import LABEL
from hlkit.explorer.view import Chosen, View

NOBODY, GIVEN, DEMO = "(choose)", "(given)", "(demo)"
ADD = (
    f"1. In HighLevel: {MENU}, then Create new integration.",
    "2. Check what hlkit may read (scopes that end in .readonly), and copy the token: it is shown once.",
    '3. In a terminal run hlkit login NAME, or in the next cell hl.login("NAME"). It asks for the token there, keeps '
    "it in your system's keyring, and tries it; then click Refresh. Without a keyring, set HIGHLEVEL_PIT and "
    "HIGHLEVEL_LOCATION_ID in the environment before you start this. Never type a token into a notebook's cell or "
    "widget: a saved notebook may keep what is typed.",
)


def lost(check: pd.DataFrame) -> pd.DataFrame:
    """What the token may not read: the scope it wants, and the analyses that cannot run, or do with less."""
    rows = []
    refused = check.loc[check["readable"].eq(False) & check["scope"].notna(), ["resource", "scope"]]
    for resource, scope in refused.astype(str).values.tolist():
        named = {name: one.frames[resource] for name, one in ANALYSES.items() if resource in one.frames}
        without = [name for name, needed in named.items() if needed]
        less = [name for name, needed in named.items() if not needed]
        rows.append((resource, scope, ", ".join(without), ", ".join(less)))
    return pd.DataFrame(rows, columns=["resource", "scope to check", "cannot run", "runs with less"])


def saved() -> pd.DataFrame:
    """Every saved location: name, location_id, timezone. No request, no token."""
    rows = [(one.name, one.location_id, one.timezone or "") for one in profiles.all_profiles()]
    return pd.DataFrame(rows, columns=["name", "location_id", "timezone"])


class LocationView(View):
    """The picker, and the card of the chosen location."""

    title = "Location"

    def __init__(self, chosen: Chosen) -> None:
        self.work = Work()
        self.check: pd.DataFrame | None = None
        self._given = chosen.loc
        super().__init__(chosen)

    def made(self) -> W.Box:
        wide = W.Layout(width="520px")
        value = GIVEN if self._given is not None else NOBODY
        self.picker = W.Dropdown(
            options=self._options(), value=value, description="Location", layout=wide, style=LABEL
        )
        self.again = W.Button(description="Refresh", tooltip="Look for locations that were saved meanwhile")
        self.words = W.HTML()
        self.card = W.HTML()
        self.checks = W.Button(
            description="Check", tooltip="What may the token read, and how much is there? About 30 requests"
        )
        self.status, self.checked, self.several = W.HTML(), W.HTML(), W.HTML()
        self.picker.add_class("hlkit-location-picker")
        self.checks.add_class("hlkit-check")
        self.picker.observe(self.does(self._pick), "value")
        self.again.on_click(self.does(self._look_again))
        self.checks.on_click(self.does(self.start))
        self.work.observe(self.does(self._show_progress), ["status", "words"])
        self.chosen.observe(self.does(self._show_card), "spent")
        add = W.Accordion(children=[W.HTML(html.paragraphs(*ADD))], titles=["Add a location"])
        return W.VBox(
            [
                W.HBox([self.picker, self.again]),
                self.words,
                self.card,
                W.HBox([self.checks, self.status]),
                self.checked,
                self.several,
                add,
            ]
        )

    def _options(self) -> list[tuple[str, str]]:
        options = [] if self._given is None else [(f"{self.chosen.name_of(self._given)} (given)", GIVEN)]
        if self._given is None:
            options.append(("choose a location", NOBODY))
        try:
            options += [(name, name) for name in profiles.names()]
        except HlkitError as error:
            options.append((f"saved locations cannot be read: {error.message}"[:80], NOBODY))
        return [*options, ("the demo: a made-up location", DEMO)]

    def _look_again(self) -> None:
        value = self.picker.value
        self.picker.options = self._options()
        if value in dict(self.picker.options).values():
            self.picker.value = value
        self._show_several()

    # ---- choosing: no request

    def _pick(self) -> None:
        """Connect to what is picked, which sends nothing."""
        name = self.picker.value
        self.words.value = ""
        try:
            if name == GIVEN:
                loc, code = self._given, self._code_of_given
            elif name == DEMO:
                self.words.value = html.note("starting the demo: a server on this machine …")
                loc, code = demo(), "loc = hl.demo()"
                self.words.value = ""
            elif name == NOBODY:
                loc, code = None, "loc = hl.connect()"
            else:
                loc, code = connect(profile=name), f"loc = hl.connect(profile={name!r})"
        except Exception as error:  # a keyring can fail in many ways
            self.words.value = self.chosen.failure(error, traceback.format_exc())
            loc, code = None, "loc = hl.connect()"  # not the one before, under this one's name
        self.check = None
        self.chosen.code = code
        self.chosen.loc = loc

    def works(self) -> tuple[Work, ...]:
        return (self.work,)

    def close(self) -> None:
        super().close()
        self.check = self._given = None

    def opened(self) -> None:
        self.work.stop()
        self.checked.value = self.status.value = ""
        self._show_card()
        self._show_several()

    _code_of_given = "loc = hl.connect()"

    def remember(self, code: str) -> None:
        """What connects to the location that was given."""
        self._code_of_given = code

    def _show_card(self) -> None:
        loc = self.chosen.loc
        self.checks.disabled = loc is None
        if loc is None:
            self.card.value = html.note("Choose a location, or the demo.")
        else:
            self.card.value = loc.card_html(self.chosen.name_of(loc) if loc.name else None)

    def _show_several(self) -> None:
        try:
            table = saved()
        except HlkitError as error:
            self.several.value = self.chosen.failure(error)
            return
        several = len(table) > 1
        self.several.value = html.table(table, "UTC", more="All saved locations") if several else ""

    # ---- checking

    def start(self) -> None:
        """Ask what the token may read, in a thread."""
        loc = self.chosen.loc
        if loc is not None:
            self.work.start(lambda progress: loc.check(progress=progress), self._show_check)

    def _show_check(self, check: pd.DataFrame) -> None:
        self.check = check
        gone = lost(check)
        zone = self.chosen.zone
        if self.chosen.redact:  # the server's own words follow a colon
            check = check.assign(problem=check["problem"].str.partition(":")[0])
        told = html.table(check, zone, more=f"quota: {self.chosen.loc.quota}", name="hlkit-checked")
        warning = html.table(gone, zone, more="What the token may not read. Check the scope to add it.")
        everything = html.note("The token may read everything.") if check["readable"].fillna(False).all() else ""
        self.checked.value = told + (warning if len(gone) else everything)
        self.chosen.spent += 1

    def _show_progress(self) -> None:
        work = self.work
        self.checks.disabled = work.status == "running"
        self.status.value = self.chosen.progress(work)

    @property
    def frame(self) -> pd.DataFrame | None:
        return self.check

    @property
    def code(self) -> str:
        return self.whole("loc.check()")

    @property
    def choices(self) -> dict[str, Any]:
        picked = self.picker.value
        return {} if picked in (GIVEN, NOBODY) else {"location": picked}
