"""A table leaves as a file: where to, in which format, and where it went."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import ipywidgets as W

from hlkit.client.disk import expand_path, working_folder
from hlkit.client.warning import collect_warnings
from hlkit.explorer import html
from hlkit.explorer.controls import LABEL
from hlkit.explorer.view import Chosen


class Saving:
    """A folder, and a button for each format; *write* takes the folder and the ending, and says where it wrote.

    ``box`` is its widget. How it fails is shown as it may be seen of what is *chosen*.
    """

    def __init__(self, formats: Mapping[str, str], write: Callable[[Path, str], Path | None], chosen: Chosen) -> None:
        self._write, self._chosen = write, chosen
        self.folder = W.Text(
            value=working_folder(),
            description="Folder",
            style=LABEL,
            layout=W.Layout(width="auto", max_width="720px"),
        )
        self.buttons = {name: W.Button(description=name, tooltip=f"Write it as {name}") for name in formats}
        for name, button in self.buttons.items():
            button.add_class(f"hlkit-export-{name.lower()}")
            button.on_click(lambda _, ending=formats[name]: self._save(ending))
        self.written = W.HTML()
        self.box = W.VBox([self.folder, W.HBox(list(self.buttons.values())), self.written])

    def _save(self, ending: str) -> None:
        try:
            with collect_warnings() as notes:
                path = self._write(expand_path(self.folder.value), ending)
        except Exception as error:  # a disk can fail in many ways
            self.written.value = self._chosen.failure(error, traceback.format_exc())
        else:
            said = [] if path is None else [f"written: {path.resolve()}"]
            said += [f"Mind: {self._chosen.words(one)}" for one in notes]
            self.written.value = "".join(map(html.note, said))
