"""A table leaves as a file: where to, in which format, and where it went."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import ipywidgets as W

from hlkit.errors import HlkitError
from hlkit.files import named
from hlkit.widgets import looks
from hlkit.widgets.controls import LABEL


class Saving:
    """A folder, and a button for each format; *write* takes the folder and the ending, and says where it wrote.

    ``box`` is its widget.
    """

    def __init__(self, formats: Mapping[str, str], write: Callable[[Path, str], Path | None]) -> None:
        self._write = write
        self.folder = W.Text(
            value=str(Path.cwd()), description="Folder", style=LABEL, layout=W.Layout(width="auto", max_width="720px")
        )
        self.buttons = {name: W.Button(description=name, tooltip=f"Write it as {name}") for name in formats}
        for name, button in self.buttons.items():
            button.add_class(f"hlkit-export-{name.lower()}")
            button.on_click(lambda _, ending=formats[name]: self._save(ending))
        self.written = W.HTML()
        self.box = W.VBox([self.folder, W.HBox(list(self.buttons.values())), self.written])

    def _save(self, ending: str) -> None:
        try:
            path = self._write(named(self.folder.value), ending)
        except HlkitError as error:
            self.written.value = looks.failure(error)
        else:
            self.written.value = "" if path is None else looks.note(f"written: {path.resolve()}")
