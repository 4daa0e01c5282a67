"""Save a table as a file: a folder to type, a button per format, and the path of the saved file."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import ipywidgets as widgets

from hlkit.client.disk import expand_path, working_folder
from hlkit.client.warning import collect_warnings
from hlkit.explorer import html
from hlkit.explorer.controls import LABEL_STYLE
from hlkit.explorer.view import ExplorerState


class ExportPanel:
    """A folder and one button per format. ``box`` is the widget to show.

    *formats* maps button labels to file extensions. *write* takes a folder and an extension, and returns the path
    of the file, or None if there is nothing to save.
    """

    def __init__(
        self, formats: Mapping[str, str], write: Callable[[Path, str], Path | None], state: ExplorerState
    ) -> None:
        self._write, self._state = write, state
        self.folder = widgets.Text(
            value=working_folder(),
            description="Folder",
            style=LABEL_STYLE,
            layout=widgets.Layout(width="auto", max_width="720px"),
        )
        self.buttons = {label: widgets.Button(description=label, tooltip=f"Save as {label}") for label in formats}
        for label, button in self.buttons.items():
            button.add_class(f"hlkit-export-{label.lower()}")
            button.on_click(lambda _, extension=formats[label]: self._save(extension))
        self.message = widgets.HTML()
        self.box = widgets.VBox([self.folder, widgets.HBox(list(self.buttons.values())), self.message])

    def _save(self, extension: str) -> None:
        try:
            with collect_warnings() as warnings:
                path = self._write(expand_path(self.folder.value), extension)
        except Exception as error:  # a disk can fail in many ways
            self.message.value = self._state.error_html(error, traceback.format_exc())
            return
        messages = [] if path is None else [f"Saved to {path.resolve()}"]
        messages += [f"Note: {self._state.redact_message(warning)}" for warning in warnings]
        self.message.value = "".join(map(html.note, messages))
