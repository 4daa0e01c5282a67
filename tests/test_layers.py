"""A module imports only from the layers above its own, and the map of the modules is the one on disk."""

from __future__ import annotations

import ast
import runpy
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]

# From top to bottom. A name stands for a module, or for a folder whose modules may import each other.
LAYERS = [
    f"hlkit.{name}"
    for name in (
        *("client.errors", "client.warning", "client.memory", "client.text", "client.arguments"),
        *("client.dates", "client.timezones", "client.links", "client.disk", "client.paths", "client.seen_ids"),
        *("client.seen_rows", "client.pagination", "client.schema"),
        *("client.resources", "client.catalog", "client.http", "client.query", "client.cached_downloads"),
        *("client.download", "client.frames", "client.options", "client.profiles", "client.context"),
        *("client.lookup", "client.endpoint"),
        *("client.typed", "client.access", "client.client"),
        *("display", "files", "analysis.core", "analysis.people", "analysis"),
        *("overview", "location", "connection", "login_guide", "explorer", "app", "cli"),
    )
]
STARTS_THE_SIMULATION = {"hlkit.connection", "hlkit.cli.commands"}
HTTP = {"requests", "requests_cache", "urllib3", "http", "httpx", "aiohttp"}
SPEAKS_HTTP = {f"hlkit.client.http.{name}" for name in ("cache", "request", "session", "transport")}


def modules(folder: Path = ROOT / "hlkit") -> dict[str, Path]:
    """Each module by its dotted name; a package under the package's own."""
    names = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imported(source: str, module: str = "") -> set[str]:
    """All that *source* imports: at its top, within a function, and for a type checker alone."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports by dots: write the name in full"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(names: set[str], known: set[str]) -> set[str]:
    """Those of *names* that are modules of hlkit, each cut to the module that it lies in."""
    found = set()
    for name in names:
        if name.split(".")[0] == "hlkit":
            while name not in known and "." in name:
                name = name.rpartition(".")[0]
            found.add(name)
    return found


@cache
def imports() -> dict[str, set[str]]:
    """What each module imports, by its full name."""
    return {name: imported(path.read_text(encoding="utf-8"), name) for name, path in modules().items()}


@cache
def arrows() -> dict[str, set[str]]:
    """The modules of hlkit that each one imports. The public names in ``hlkit`` itself are imported on first use."""
    known = set(modules())
    return {name: within(names, known) - {name} for name, names in imports().items() if name != "hlkit"}


def layer(module: str) -> int:
    return max(
        (index for index, name in enumerate(LAYERS) if f"{module}.".startswith(f"{name}.")),
        key=lambda index: len(LAYERS[index]),
        default=len(LAYERS),
    )


def is_simulation(module: str) -> bool:
    return f"{module}.".startswith("hlkit.sim.")


def test_every_module_lies_in_a_layer():
    outside = {name for name in arrows() if layer(name) == len(LAYERS) and not is_simulation(name)}

    assert outside == {"hlkit.__main__", "hlkit.client"}


def test_a_module_imports_only_from_layers_above_its_own():
    upward = [
        f"{module} imports {target}"
        for module, targets in arrows().items()
        for target in targets
        if not is_simulation(target) and target != "hlkit" and layer(target) > layer(module)
    ]

    assert upward == []


def test_no_module_imports_its_caller():
    graph = {name: set(targets) for name, targets in arrows().items()}
    free: set[str] = set()
    while leaves := {name for name, targets in graph.items() if targets <= free | {"hlkit"}} - free:
        free |= leaves

    assert set(graph) - free == set(), "these import each other"


def test_the_client_imports_nothing_else_of_hlkit():
    outside = {
        f"{module} imports {target}"
        for module, targets in arrows().items()
        for target in targets
        if f"{module}.".startswith("hlkit.client.") and not f"{target}.".startswith("hlkit.client.")
    }

    assert outside == set()


def test_the_simulated_location_shares_nothing_with_the_client():
    for module, names in imports().items():
        if is_simulation(module):
            assert {name.split(".")[0] for name in names} <= {*sys.stdlib_module_names, "numpy", "hlkit"}
            assert all(is_simulation(target) for target in arrows()[module]), module
    starts = {
        name for name, targets in arrows().items() if any(map(is_simulation, targets)) and not is_simulation(name)
    }

    assert starts == STARTS_THE_SIMULATION


def test_http_is_spoken_in_few_modules():
    speak = {
        name
        for name, names in imports().items()
        if HTTP & {imported.split(".")[0] for imported in names} and not is_simulation(name)
    }

    assert speak == SPEAKS_HTTP


def test_the_map_of_the_modules_is_the_one_on_disk():
    generator = runpy.run_path(str(ROOT / "docs" / "modules.py"))

    assert generator["PAGE"].read_text(encoding="utf-8") == generator["page"](LAYERS), "run python docs/modules.py"
    assert all(map(generator["first_line"], modules().values())), "every module says in one line what it is"


def test_every_import_counts_wherever_it_stands():
    source = """
import json
if TYPE_CHECKING:
    from hlkit.location import Location
def late():
    from hlkit.client.http import cache, session
    import hlkit.client.errors
"""
    known = {"hlkit.client.errors", "hlkit.location", "hlkit.client.http.session", "hlkit.client.http.cache"}

    assert within(imported(source), known) == known
    assert "json" in imported(source)
