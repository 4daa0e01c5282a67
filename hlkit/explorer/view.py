"""What the tabs of the explorer share: the selected location, redaction, error handling and cleanup."""

from __future__ import annotations

import contextlib
import datetime as dt
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import pandas as pd
import traitlets

from hlkit.client.errors import HlkitError, InvalidToken, MissingScope
from hlkit.client.warning import collect_warnings
from hlkit.explorer import html
from hlkit.explorer.background_task import BackgroundTask
from hlkit.explorer.redaction import redact_column_name, redact_frame, redact_message, redact_result
from hlkit.files.summary import pseudonym

if TYPE_CHECKING:
    from hlkit.analysis.core.result import Result
    from hlkit.location import Location


NO_LOCATION = "Choose a location first, on the Location tab."
CONNECT_CODE = "loc = hl.connect()"


class ExplorerState(traitlets.HasTraits):
    """The state that all tabs share. They observe ``loc`` and ``read_count``.

    ``connect_code`` is the line of code that connects to ``loc``. ``redact`` is true if names are replaced by
    pseudonyms. ``read_count`` increases after each read, since a read changes the cost of the next ones.
    """

    loc: Any = traitlets.Any(None, allow_none=True)
    connect_code = traitlets.Unicode(CONNECT_CODE)
    redact = traitlets.Bool(False)
    read_count = traitlets.Int(0)

    @property
    def zone(self) -> str:
        """The location's time zone if it is cached, else UTC."""
        return (None if self.loc is None else self.loc.zone) or "UTC"

    @property
    def today(self) -> dt.date:
        """The day that date ranges count from: the current day, or the day that the demo's data end."""
        data_end = None if self.loc is None else self.loc.data_ends
        now = pd.Timestamp.now("UTC") if data_end is None else pd.Timestamp(data_end)
        return now.tz_convert(self.zone).date()

    def try_read(self, read: Callable[[Location], Any]) -> Any:
        """``read(loc)``, or ``None`` without a location or if hlkit raises an error. Warnings are dropped."""
        if self.loc is None:
            return None
        with collect_warnings(), contextlib.suppress(HlkitError):
            return read(self.loc)
        return None

    # ---- redaction: these return their argument unchanged unless ``redact`` is set

    def location_name(self, loc: Location) -> str:
        """The name of a location; its id if it has none."""
        if loc.name is None:
            return loc.location_id
        return pseudonym(loc.name, "location") if self.redact else loc.name

    def redact_frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        return redact_frame(frame) if self.redact else frame

    def redact_result(self, result: Result) -> Result:
        return redact_result(result, self.redact_message) if self.redact else result

    def redact_column_name(self, name: str) -> str:
        return redact_column_name(name) if self.redact else name

    def redact_message(self, message: str) -> str:
        return redact_message(message, self._field_pseudonyms()) if self.redact else message

    def original_value(self, value: Any) -> Any:
        """The custom field that *value* is the pseudonym of; any other value is returned unchanged."""
        if not self.redact:
            return value
        fields = {stand_in: field for field, stand_in in self._field_pseudonyms().items()}
        return fields.get(value, value)

    def _field_pseudonyms(self) -> dict[str, str]:
        """The pseudonym of each known custom field of contacts and opportunities."""
        if self.loc is None:
            return {}
        names = [*self.loc.contacts.columns["name"], *self.loc.opportunities.columns["name"]]
        return {name: stand_in for name in names if (stand_in := redact_column_name(name)) != name}

    # ---- messages as HTML

    def error_html(self, error: BaseException, trace: str = "") -> str:
        """What went wrong and what to do next. If redacted, texts that may contain names are left out."""
        if not self.redact:
            return html.error(error, trace)
        if isinstance(error, HlkitError) and error.status is None:  # raised by hlkit, not after an HTTP error
            return html.error(type(error)(self.redact_message(error.message), hint=self.redact_message(error.hint)))
        if isinstance(error, (MissingScope, InvalidToken)):  # the server's own message follows the colon
            return html.error(type(error)(error.message.partition(": ")[0], hint=error.hint))
        message = f"{type(error).__name__}: message hidden because it may contain names"
        return html.error(HlkitError(message, hint="to see it, open the explorer without redact=True"))

    def task_html(self, task: BackgroundTask, css_class: str = "") -> str:
        """The progress of *task*, or its error, followed by its warnings."""
        if task.status == "failed" and task.error is not None:
            return self.error_html(task.error, task.traceback)
        message = ""
        if task.message:
            message = html.box(f'<span class="{css_class}">{html.one_line(task.message, 300)}</span>')
        return message + "".join(html.note(f"Note: {self.redact_message(warning)}") for warning in task.warnings)


class Code(str):
    """Python code whose ``repr`` is the code itself, so that a notebook cell shows it line by line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class View:
    """A tab of the explorer. ``box`` is its widget.

    Subclasses implement ``build``, ``refresh``, ``code`` and ``frame``.
    """

    title = ""

    def __init__(self, state: ExplorerState) -> None:
        self.state = state
        self.is_closed = False
        self.error = widgets.HTML()  # shown if a click or a change of a control fails
        self._failed_function: Callable[[], Any] | None = None
        content = self.build()
        self.box = widgets.VBox([self.error, content])
        self.box.add_class(f"hlkit-{self.title.lower()}")
        state.observe(self.callback(self.refresh), "loc")

    def build(self) -> widgets.Box:
        """Create the widgets. Called once."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show what is cached of the location, after another one was chosen. No request."""
        raise NotImplementedError

    def callback(self, function: Callable[[], Any]) -> Callable[..., None]:
        """*function* as a callback of a widget: an exception is shown in the tab, until the function succeeds."""

        def call(_: Any = None) -> None:
            if self.is_closed:
                return
            try:
                function()
            except Exception as error:  # ipywidgets would only log it
                self._failed_function = function
                self.error.value = self.state.error_html(error, traceback.format_exc())
            else:
                if self._failed_function is function:
                    self._failed_function, self.error.value = None, ""

        return call

    def tasks(self) -> tuple[BackgroundTask, ...]:
        """The tasks that the tab can run."""
        return ()

    def close(self) -> None:
        """Stop the tasks, close the widgets, and release the DataFrames."""
        self.is_closed = True
        for task in self.tasks():
            task.close()
        close_all(self.box)

    @property
    def code(self) -> str:
        """Python code that does what the tab does."""
        raise NotImplementedError

    @property
    def frame(self) -> pd.DataFrame | None:
        """The DataFrame that the code returns; ``None`` if nothing was read yet."""
        raise NotImplementedError

    @property
    def choices(self) -> dict[str, Any]:
        """Arguments of ``hl.explore`` that restore the tab as it is."""
        return {}

    def full_code(self, *lines: str) -> Code:
        """*lines* after the lines that import hlkit and connect to the location."""
        comment = ["# Names are redacted: replace each pseudonym with the real name."] if self.state.redact else []
        return Code("\n".join([*comment, "import hlkit as hl", "", self.state.connect_code, *lines]))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return mimebundle(self.box, self.code, html.code(self.code))


def mimebundle(box: widgets.Box, text: str, html: str) -> dict[str, Any]:
    """The widget, unless it is closed, with text and HTML for frontends that cannot show widgets."""
    live = box._repr_mimebundle_() if box.comm is not None else None
    return dict(live or {}) | {"text/plain": text, "text/html": html}


def close_all(widget: widgets.Widget) -> None:
    """Close *widget* and every widget in it. ipywidgets keeps a reference to each widget until it is closed."""
    for name in widget.keys:
        value = getattr(widget, name)
        for child in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(child, widgets.Widget):
                close_all(child)
    widget.close()
