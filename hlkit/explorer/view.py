"""What the views of the explorer share: the chosen location, and whether names are hidden."""

from __future__ import annotations

import contextlib
import datetime as dt
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as W
import pandas as pd
import traitlets

from hlkit.client.errors import HlkitError, InvalidToken, MissingScope
from hlkit.client.warning import collect_warnings
from hlkit.explorer import html
from hlkit.explorer.background_task import Work
from hlkit.explorer.redaction import hidden, hidden_name, hidden_result, hidden_words
from hlkit.files.summary import pseudonym

if TYPE_CHECKING:
    from hlkit.analysis.core.result import Result
    from hlkit.location import Location


NO_LOCATION = "Choose a location first, in the tab Location."


class Chosen(traitlets.HasTraits):
    """The location that all views look at. ``code`` is the line that connects to it."""

    loc: Any = traitlets.Any(None, allow_none=True)
    code = traitlets.Unicode("loc = hl.connect()")
    redact = traitlets.Bool(False)
    spent = traitlets.Int(0)  # counts up when something was read

    @property
    def zone(self) -> str:
        """The location's time zone, from what is kept."""
        return (None if self.loc is None else self.loc.zone) or "UTC"

    @property
    def today(self) -> dt.date:
        """The day that presets count from: the demo's data end on one of their own."""
        ends = None if self.loc is None else self.loc.data_ends
        now = pd.Timestamp.now("UTC") if ends is None else pd.Timestamp(ends)
        return now.tz_convert(self.zone).date()

    def quietly(self, read: Callable[[Location], Any]) -> Any:
        """What *read* gives, ``None`` without a location or where nothing is kept; no warning."""
        if self.loc is None:
            return None
        with collect_warnings(), contextlib.suppress(HlkitError):
            return read(self.loc)
        return None

    # ---- what may be seen of it

    def name_of(self, loc: Location) -> str:
        """What a location is called on the screen."""
        name = loc.name
        if name is None:
            return loc.location_id
        return pseudonym(name, "location") if self.redact else name

    def shown(self, frame: pd.DataFrame) -> pd.DataFrame:
        """*frame* as it may be seen."""
        return hidden(frame) if self.redact else frame

    def result(self, result: Result) -> Result:
        """*result* as it may be seen."""
        return hidden_result(result, self.words) if self.redact else result

    def column(self, name: str) -> str:
        """A column's name as it may be seen."""
        return hidden_name(name) if self.redact else name

    def field(self, name: Any) -> Any:
        """The custom field that a pseudonym stands for; what is none stays as it is."""
        return {hides: field for field, hides in self._fields().items()}.get(name, name) if self.redact else name

    def words(self, sentence: str) -> str:
        """A sentence of hlkit's as it may be seen."""
        return hidden_words(sentence, self._fields()) if self.redact else sentence

    def _fields(self) -> dict[str, str]:
        """The custom fields that are known of contacts and deals, and what stands for each."""
        if self.loc is None:
            return {}
        names = [name for one in (self.loc.contacts, self.loc.opportunities) for name in one.columns["name"]]
        return {name: hides for name in names if (hides := hidden_name(name)) != name}

    def failure(self, error: BaseException, trace: str = "") -> str:
        """What went wrong and what to do next; what may quote the location is its class alone."""
        if not self.redact:
            return html.failure(error, trace)
        if isinstance(error, HlkitError) and error.status is None:
            return html.failure(type(error)(self.words(error.message), hint=self.words(error.hint)))
        if isinstance(error, (MissingScope, InvalidToken)):  # the server's own words follow a colon
            return html.failure(type(error)(error.message.partition(": ")[0], hint=error.hint))
        what = f"{type(error).__name__}: what it says is hidden, since it may name somebody"
        return html.failure(HlkitError(what, hint="open the explorer without redact=True, where nobody looks on"))

    def progress(self, work: Work, name: str = "") -> str:
        """How the work goes, or how it failed and what to do; with what was left out on the way."""
        if work.status == "failed" and work.error is not None:
            return self.failure(work.error, work.trace)
        words = html.box(f'<span class="{name}">{html.plain(work.words, 300)}</span>') if work.words else ""
        return words + "".join(html.note(f"Mind: {self.words(one)}") for one in work.notes)


class Code(str):
    """Python; alone in a cell it shows as its lines."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class View:
    """A view: ``box`` is its widget, ``code`` what does the same, ``choices`` what it was left at.

    ``frame`` is the table it shows, which is what ``code`` gives.
    """

    title = ""

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen
        self.is_closed = False
        self.fault = W.HTML()  # of a click or a choice that failed
        self._failed: Callable[[], Any] | None = None
        inner = self.made()
        self.box = W.VBox([self.fault, inner])
        self.box.add_class(f"hlkit-{self.title.lower()}")
        chosen.observe(self.does(self.opened), "loc")

    def made(self) -> W.Box:
        """Its widgets, made once."""
        raise NotImplementedError

    def does(self, function: Callable[[], Any]) -> Callable[..., None]:
        """*function* as what a click or a change calls: how it fails is shown, and the rest goes on."""

        def call(_: Any = None) -> None:
            if self.is_closed:
                return
            try:
                function()
            except Exception as error:  # ipywidgets would write it where nobody looks
                self._failed = function
                self.fault.value = self.chosen.failure(error, traceback.format_exc())
            else:
                if self._failed is function:
                    self._failed, self.fault.value = None, ""

        return call

    def works(self) -> tuple[Work, ...]:
        """What it may do in the background."""
        return ()

    def close(self) -> None:
        """Stop what runs, close the widgets, and let go of the frames."""
        self.is_closed = True
        for work in self.works():
            work.close()
        close_all(self.box)

    def opened(self) -> None:
        """Another location was chosen: show what is kept of it. No request."""
        raise NotImplementedError

    @property
    def code(self) -> str:
        """Python that does what the view does."""
        raise NotImplementedError

    @property
    def frame(self) -> pd.DataFrame | None:
        """What the code gives."""
        raise NotImplementedError

    @property
    def choices(self) -> dict[str, Any]:
        """Keywords for ``hl.explore`` that open it as it is."""
        return {}

    def whole(self, *lines: str) -> Code:
        """Lines of code with what comes before them."""
        mind = ["# Names are hidden: for a pseudonym write what it stands for."] if self.chosen.redact else []
        return Code("\n".join([*mind, "import hlkit as hl", "", self.chosen.code, *lines]))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return shown_as(self.box, self.code, html.code(self.code))


def shown_as(box: W.Box, text: str, html: str) -> dict[str, Any]:
    """The live widget, unless it is closed, and beside it what stands for it where no widget can be."""
    live = box._repr_mimebundle_ if box.comm is not None else dict
    return dict(live() or {}) | {"text/plain": text, "text/html": html}


def close_all(widget: W.Widget) -> None:
    """Close *widget* and all within it: ipywidgets keeps each until it is closed."""
    for name in widget.keys:
        value = getattr(widget, name)
        for inner in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(inner, W.Widget):
                close_all(inner)
    widget.close()
