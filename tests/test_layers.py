"""The tree drawn in CONTRIBUTING.md is the tree on disk, and imports point up it."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
STARTS_THE_SIM = {"hlkit.connection", "hlkit.cli"}
HTTP = {"requests", "requests_cache", "urllib3", "http", "httpx", "aiohttp"}


def drawn() -> dict[str, str]:
    """Each module in CONTRIBUTING.md's tree and what its line says, from top to bottom."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = re.search(r"^hlkit/\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert tree, "CONTRIBUTING.md draws no tree that starts with hlkit/"
    modules, folders = {}, ["hlkit"]
    for line in tree[1].splitlines():
        if entry := re.fullmatch(r"((?:  )+)(\w+)(/|\.py)  +(\S.*)", line):
            indent, name, kind, words = entry.groups()
            folders = folders[: len(indent) // 2]
            if kind == "/":
                folders.append(name)
            else:
                modules[".".join(folders if name == "__init__" else [*folders, name])] = words
    return modules


def on_disk() -> dict[str, Path]:
    """Each module and its file. A folder's ``__init__.py`` counts once it does more than say what it is."""
    modules = {}
    for path in sorted((ROOT / "hlkit").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
            body = ast.parse(path.read_text(encoding="utf-8")).body
            if len(parts) > 1 and len(body) <= 1 and all(isinstance(node, ast.Expr) for node in body):
                continue
        modules[".".join(parts)] = path
    return modules


def imported(source: str, module: str) -> set[str]:
    """What *module* imports when it runs, at its top or within a function; not for a type checker alone."""

    def statements(node: ast.AST) -> Iterator[ast.AST]:
        for child in ast.iter_child_nodes(node):
            yield child
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                yield from statements(ast.Module(body=child.orelse, type_ignores=[]))
            else:
                yield from statements(child)

    found = set()
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports by dots: write the name whole"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def ours(names: set[str], modules: dict[str, Path]) -> set[str]:
    """Those of *names* that are modules of hlkit, each cut to the module it lies in."""
    found = set()
    for name in names:
        if name.split(".")[0] == "hlkit":
            while name not in modules and "." in name:
                name = name.rpartition(".")[0]
            found.add(name)
    return found


MODULES = on_disk()
IMPORTS = {module: imported(path.read_text(encoding="utf-8"), module) for module, path in MODULES.items()}


BOTH = [module for module in drawn() if module in MODULES]
SIM = [module for module in BOTH if module.startswith("hlkit.sim")]
CLIENT = [module for module in BOTH if module not in SIM]


def test_the_picture_and_the_disk_hold_the_same_modules():
    assert set(MODULES) - set(drawn()) == set(), "draw these in CONTRIBUTING.md"
    assert set(drawn()) - set(MODULES) == set(), "CONTRIBUTING.md draws these, and they are gone"


@pytest.mark.parametrize("module", CLIENT)
def test_a_module_imports_only_from_lines_above_its_own(module):
    order = list(drawn())
    above = {name for name in order[: order.index(module)] if not name.startswith("hlkit.sim")}
    if module in STARTS_THE_SIM:
        above |= {name for name in order if name.startswith("hlkit.sim")}

    assert ours(IMPORTS[module], MODULES) <= above


@pytest.mark.parametrize("module", SIM)
def test_the_simulated_location_shares_nothing_with_the_client(module):
    order = list(drawn())
    above = {name for name in order[: order.index(module)] if name.startswith("hlkit.sim")}

    assert ours(IMPORTS[module], MODULES) <= above
    assert {name.split(".")[0] for name in IMPORTS[module]} <= {*sys.stdlib_module_names, "numpy", "hlkit"}


def test_http_is_spoken_only_where_the_picture_says_so():
    client = {name: names for name, names in IMPORTS.items() if not name.startswith("hlkit.sim")}
    speak = {name for name, names in client.items() if HTTP & {name.split(".")[0] for name in names}}
    say = {name for name, words in drawn().items() if "(speaks HTTP)" in words}

    assert speak == say


def test_an_import_within_a_function_counts_and_one_for_the_type_checker_does_not():
    source = """
if TYPE_CHECKING:
    from hlkit.location import Location
else:
    import json
def late():
    from hlkit.wire import cache, walk
    import hlkit.errors
"""
    modules = dict.fromkeys(["hlkit.errors", "hlkit.location", "hlkit.wire.walk", "hlkit.wire.cache"], Path())

    assert ours(imported(source, "x"), modules) == {"hlkit.errors", "hlkit.wire.walk", "hlkit.wire.cache"}
    assert "json" in imported(source, "x")
