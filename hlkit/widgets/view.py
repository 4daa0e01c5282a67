"""What the views of the explorer share: the chosen location, and whether names are hidden."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd
import traitlets

from hlkit.errors import HlkitError
from hlkit.warning import told
from hlkit.widgets import looks
from hlkit.widgets.hidden import hidden
from hlkit.widgets.work import Work

if TYPE_CHECKING:
    import ipywidgets

    from hlkit.location import Location


NO_LOCATION = "Choose a location first, in the tab Location."


class Chosen(traitlets.HasTraits):
    """The location that all views look at. ``code`` is the line that connects to it."""

    loc: Any = traitlets.Any(None, allow_none=True)
    code = traitlets.Unicode("loc = hl.connect()")
    redact = traitlets.Bool(False)
    spent = traitlets.Int(0)  # counts up when something was read

    def shown(self, frame: pd.DataFrame, known: frozenset[str] = frozenset()) -> pd.DataFrame:
        """*frame* as it may be seen."""
        return hidden(frame, known) if self.redact else frame

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
        with told(), contextlib.suppress(HlkitError):
            return read(self.loc)
        return None


def progress(work: Work, name: str = "") -> str:
    """How the work goes, or how it failed and what to do; with what was left out on the way."""
    if work.status == "failed" and work.error is not None:
        return looks.failure(work.error, work.trace)
    words = looks.box(f'<span class="{name}">{looks.plain(work.words, 300)}</span>') if work.words else ""
    return words + "".join(looks.note(f"Mind: {one}") for one in work.notes)


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
        self.box: ipywidgets.Box = self.made()
        self.box.add_class(f"hlkit-{self.title.lower()}")
        chosen.observe(lambda change: self.opened(), "loc")

    def made(self) -> ipywidgets.Box:
        """Its widgets, made once."""
        raise NotImplementedError

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
        return Code("\n".join(["import hlkit as hl", "", self.chosen.code, *lines]))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return dict(self.box._repr_mimebundle_() or {}) | {
            "text/plain": self.code,
            "text/html": looks.code(self.code),
        }
