"""Write docs/modules.md: every module of hlkit with the first line of its docstring, in the order of the layers.

``python docs/modules.py`` after a module was added, moved or described anew.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "modules.md"
HEAD = """# The modules of hlkit

Generated from the docstrings by `python docs/modules.py`. A module imports only from rows above its own; the order is
`LAYERS` in `tests/test_layers.py`.

```text
"""


def first_line(path: Path) -> str:
    """The first line of a module's docstring."""
    lines = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()
    return lines[0].rstrip(".") if lines else ""


def rows(folder: Path, order: list[str], depth: int = 1) -> list[str]:
    """A row for each module and folder in *folder*, those of *order* as they stand there."""

    def position(path: Path) -> tuple[int, str]:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        layers = [index for index, layer in enumerate(order) if f"{layer}.".startswith(f"{name}.") or layer == name]
        return (layers[0] if layers else len(order), path.name)

    lines = []
    for path in sorted(folder.iterdir(), key=position):
        indent = "  " * depth
        if path.is_dir() and any(path.glob("*.py")):
            title = first_line(path / "__init__.py") if (path / "__init__.py").exists() else ""
            lines += [f"{indent}{path.name + '/':<{26 - len(indent)}}{title}", *rows(path, order, depth + 1)]
        elif path.suffix == ".py" and path.name not in ("__init__.py", "__main__.py"):
            lines.append(f"{indent}{path.name:<{26 - len(indent)}}{first_line(path)}")
    return lines


def page(order: list[str]) -> str:
    """The whole page."""
    return HEAD + "\n".join(["hlkit/", *rows(ROOT / "hlkit", order)]) + "\n```\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))
    from test_layers import LAYERS

    PAGE.write_text(page(LAYERS), encoding="utf-8")
