"""Notebooks written, read and run. Only a test that does so imports Jupyter's packages, which takes a while."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode


def new(source: str) -> NotebookNode:
    """A notebook with one code cell."""
    from nbformat import v4

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=[v4.new_code_cell(source)], metadata={"kernelspec": kernel})


def read(path: Path) -> NotebookNode:
    import nbformat

    return nbformat.read(path, as_version=4)


def text(notebook: NotebookNode) -> str:
    """The notebook as its file has it."""
    import nbformat

    return nbformat.writes(notebook)


def run(notebook: NotebookNode, folder: Path, **options: object) -> NotebookNode:
    """Run all cells in a new kernel, from *folder*."""
    from nbclient import NotebookClient

    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources, **options).execute()
