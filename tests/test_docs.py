"""What we show people runs: notebooks, docstring examples, and the Python blocks of README and CONTRIBUTING.

Nothing is skipped. A new notebook, module or block is found by itself.
"""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

import notebook_files
import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

import hlkit
from hlkit.analysis.core import known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = ["README.md", "CONTRIBUTING.md"]
MODULES = ["hlkit", *(module.name for module in pkgutil.walk_packages(hlkit.__path__, "hlkit."))]
MODULES = [module for module in MODULES if not module.endswith("__main__")]  # to import one is to run it


@pytest.fixture(scope="module", autouse=True)
def _a_reader_with_a_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Caches and settings of its own, and a made-up token, with which nothing is sent."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("HIGHLEVEL_PIT", "pit-00000000-0000-0000-0000-000000000001")
        patch.setenv("HIGHLEVEL_LOCATION_ID", "madeUpLocation000001")
        patch.setenv("MPLBACKEND", "agg")
        yield


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.setattr(known, "KNOWN", known.all_analyses())  # an example may add one
    document = Sybil(parsers=[PythonCodeBlockParser()], path=str(ROOT)).parse(ROOT / page)
    monkeypatch.chdir(tmp_path)

    blocks = list(document.examples())
    assert blocks
    for block in blocks:
        block.evaluate()


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_docstring_give_what_they_say(module):
    failures = doctest.testmod(
        importlib.import_module(module), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    ).failed

    assert failures == 0


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path):
    notebook = run(path)

    said = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [output.text for output in said if output.get("name") == "stderr" and "Warning" in output.text]
    if path == NOTEBOOKS[0]:  # and once more, now that it is cached
        said = run(path).cells[-1].outputs[0].text
        assert said.startswith("contacts: 0 requests")
        assert "quota: not known until the first request" in said


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    notebook = notebook_files.read(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert notebook.cells[0].source.startswith("# ")
    assert [cell for cell in code if cell.outputs or cell.execution_count] == []
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


def run(path: Path) -> NotebookNode:
    return notebook_files.run(
        notebook_files.read(path), path.parent, store_widget_state=False
    )  # it may hold what was typed
