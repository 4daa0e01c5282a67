"""The Location tab: choose a location, see what is cached of it, and check what its token can read."""

from __future__ import annotations

import traceback
from typing import Any

import ipywidgets as widgets
import pandas as pd

from hlkit.analysis.core.registry import ANALYSES
from hlkit.client import profiles
from hlkit.client.errors import HlkitError
from hlkit.connection import connect, demo
from hlkit.explorer import html
from hlkit.explorer.background_task import BackgroundTask
from hlkit.explorer.controls import LABEL_STYLE
from hlkit.explorer.view import CONNECT_CODE, ExplorerState, View
from hlkit.location import Location
from hlkit.login_guide import STEPS

# Values of the picker that are not the name of a saved location.
NO_CHOICE, INITIAL, DEMO = "(choose)", "(initial)", "(demo)"
LOGIN_STEP = (
    '4. Run hlkit login NAME in a terminal, or hl.login("NAME") in the next cell. It asks for the token, stores it '
    "in your system's keyring, and tests it. Then click Refresh. Without a keyring, set the environment variables "
    "HIGHLEVEL_PIT and HIGHLEVEL_LOCATION_ID before you start Jupyter. Never type a token into a notebook cell or a "
    "widget: the saved notebook can contain it."
)


class LocationView(View):
    """The location picker, the card of the selected location, and the check of its token."""

    title = "Location"

    def __init__(self, state: ExplorerState) -> None:
        self.task = BackgroundTask()
        self.check: pd.DataFrame | None = None  # the result of loc.check()
        self._initial: Location | None = state.loc  # the location that the explorer was opened with
        self._initial_code = state.connect_code
        super().__init__(state)

    def build(self) -> widgets.Box:
        self.picker = widgets.Dropdown(
            options=self._picker_options(),
            value=NO_CHOICE if self._initial is None else INITIAL,
            description="Location",
            layout=widgets.Layout(width="520px"),
            style=LABEL_STYLE,
        )
        self.refresh_button = widgets.Button(description="Refresh", tooltip="Update the list of saved locations")
        self.message = widgets.HTML()
        self.card = widgets.HTML()
        self.check_button = widgets.Button(
            description="Check", tooltip="See what the token can read and how much data there is. About 30 requests"
        )
        self.status, self.check_result, self.saved_locations = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.picker.add_class("hlkit-location-picker")
        self.check_button.add_class("hlkit-check")
        self.picker.observe(self.callback(self._connect), "value")
        self.refresh_button.on_click(self.callback(self._refresh_picker))
        self.check_button.on_click(self.callback(self.start))
        self.task.observe(self.callback(self._show_progress), ["status", "message"])
        self.state.observe(self.callback(self._show_card), "read_count")
        setup = widgets.HTML(html.paragraphs(*STEPS, LOGIN_STEP))
        return widgets.VBox(
            [
                widgets.HBox([self.picker, self.refresh_button]),
                self.message,
                self.card,
                widgets.HBox([self.check_button, self.status]),
                self.check_result,
                self.saved_locations,
                widgets.Accordion(children=[setup], titles=["Add a location"]),
            ]
        )

    def tasks(self) -> tuple[BackgroundTask, ...]:
        return (self.task,)

    def close(self) -> None:
        super().close()
        self.check = self._initial = None

    # ---- choosing a location: no request

    def _picker_options(self) -> list[tuple[str, str]]:
        if self._initial is None:
            options = [("Choose a location", NO_CHOICE)]
        else:
            options = [(self.state.location_name(self._initial), INITIAL)]
        try:
            options += [(name, name) for name in profiles.names()]
        except HlkitError as error:
            options.append((f"Cannot read saved locations: {error.message}"[:80], NO_CHOICE))
        return [*options, ("Demo (made-up data)", DEMO)]

    def _refresh_picker(self) -> None:
        value = self.picker.value
        self.picker.options = self._picker_options()
        if value in dict(self.picker.options).values():
            self.picker.value = value
        self._show_saved_locations()

    def _connect(self) -> None:
        """Make the picked location the current one. If it cannot be opened, no location is current."""
        loc, code = None, CONNECT_CODE
        self.message.value = ""
        try:
            loc, code = self._picked_location(self.picker.value)
        except Exception as error:  # a keyring can fail in many ways
            self.message.value = self.state.error_html(error, traceback.format_exc())
        self.check = None
        self.state.connect_code = code
        self.state.loc = loc

    def _picked_location(self, name: str) -> tuple[Location | None, str]:
        """The location, and the line of code that connects to it."""
        if name == NO_CHOICE:
            return None, CONNECT_CODE
        if name == INITIAL:
            return self._initial, self._initial_code
        if name == DEMO:
            self.message.value = html.note("Starting the demo server on this computer…")
            loc = demo()
            self.message.value = ""
            return loc, "loc = hl.demo()"
        return connect(profile=name), f"loc = hl.connect(profile={name!r})"

    def refresh(self) -> None:
        self.task.stop()
        self.check_result.value = self.status.value = ""
        self._show_card()
        self._show_saved_locations()

    def _show_card(self) -> None:
        loc = self.state.loc
        self.check_button.disabled = loc is None
        if loc is None:
            self.card.value = html.note("Choose a location, or the demo.")
        else:
            is_hidden = self.state.redact and loc.name is not None
            self.card.value = loc.card(self.state.location_name(loc) if is_hidden else None).html()

    def _show_saved_locations(self) -> None:
        """List the saved locations if there are several."""
        try:
            saved = profiles.all_profiles()
        except HlkitError as error:
            self.saved_locations.value = self.state.error_html(error)
            return
        rows = [(profile.name, profile.location_id, profile.timezone or "") for profile in saved]
        table = pd.DataFrame(rows, columns=["name", "location_id", "timezone"])
        self.saved_locations.value = html.table(table, "UTC", footer="Saved locations") if len(rows) > 1 else ""

    # ---- checking the token

    def start(self) -> None:
        """Check in the background what the token can read."""
        loc = self.state.loc
        if loc is not None:
            self.task.start(lambda progress: loc.check(progress=progress), self._show_check)

    def _show_check(self, check: pd.DataFrame) -> None:
        self.check = check
        zone = self.state.zone
        missing = missing_scopes(check)
        if self.state.redact:  # the server's own message follows the colon
            check = check.assign(problem=check["problem"].str.partition(":")[0])
        parts = [html.table(check, zone, footer=f"Quota: {self.state.loc.quota}", css_class="hlkit-checked")]
        if len(missing):
            footer = "The token cannot read these. To allow it, check their scopes in the integration in HighLevel."
            parts.append(html.table(missing, zone, footer=footer))
        elif check["readable"].fillna(False).all():
            parts.append(html.note("The token can read everything."))
        self.check_result.value = "".join(parts)
        self.state.read_count += 1

    def _show_progress(self) -> None:
        self.check_button.disabled = self.task.status == "running"
        self.status.value = self.state.task_html(self.task)

    # ---- the equivalent code

    @property
    def frame(self) -> pd.DataFrame | None:
        return self.check

    @property
    def code(self) -> str:
        return self.full_code("loc.check()")

    @property
    def choices(self) -> dict[str, Any]:
        name = self.picker.value
        return {} if name in (INITIAL, NO_CHOICE) else {"location": name}


def missing_scopes(check: pd.DataFrame) -> pd.DataFrame:
    """The resources that the token cannot read, from the result of ``loc.check()``.

    One row each: ``resource``, ``missing scope``, and the analyses that ``cannot run`` or that are ``limited``
    because they would use the resource.
    """
    rows = []
    refused = check.loc[check["readable"].eq(False) & check["scope"].notna(), ["resource", "scope"]]
    for resource, scope in refused.astype(str).values.tolist():
        is_required = {
            name: analysis.frames[resource] for name, analysis in ANALYSES.items() if resource in analysis.frames
        }
        cannot_run = [name for name, required in is_required.items() if required]
        limited = [name for name, required in is_required.items() if not required]
        rows.append((resource, scope, ", ".join(cannot_run), ", ".join(limited)))
    return pd.DataFrame(rows, columns=["resource", "missing scope", "cannot run", "limited"])
