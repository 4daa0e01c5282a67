"""How much code there is, and how it hangs together: lines by area, long functions, vague names, imports.

``python benchmarks/code_size.py [FOLDER]`` counts the package hlkit in FOLDER, by default this repository.
"""

from __future__ import annotations

import ast
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import test_words  # noqa: E402
from test_layers import imported, within  # noqa: E402

LONG = 30  # lines
NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENDMARKER, tokenize.ENCODING),
}


def code_lines(path: Path, tree: ast.Module) -> int:
    """Lines with code: no comment, docstring or blank line."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    with path.open("rb") as file:
        tokens = [
            token for token in tokenize.tokenize(file.readline) if token.type not in {*skipped, tokenize.ENCODING}
        ]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    return len(lines - set(docstring_lines(tree)))


def docstring_lines(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            yield from range(body[0].lineno, (body[0].end_lineno or 0) + 1)


def circles(graph: dict[str, set[str]]) -> set[str]:
    """The modules that import each other, directly or around."""
    left = {name: targets & set(graph) for name, targets in graph.items()}
    while True:
        imported_names = set().union(*left.values())
        in_circles = {name for name, targets in left.items() if targets & set(left) and name in imported_names}
        if len(in_circles) == len(left):
            return in_circles
        left = {name: left[name] & in_circles for name in in_circles}


def main(folder: Path) -> None:
    """Print the figures."""
    lines, code, long = Counter[str](), Counter[str](), Counter[str]()
    sources = {}
    for path in sorted((folder / "hlkit").rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        tree, sources[name] = ast.parse(text), text
        area = parts[1] if len(parts) > 2 else "(top)"
        lines[area] += len(text.splitlines())
        code[area] += code_lines(path, tree)
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        long[area] += sum((node.end_lineno or 0) - node.lineno + 1 > LONG for node in functions)
    graph = {name: within(imported(text, name), set(sources)) - {name} for name, text in sources.items()}
    for area in sorted(lines, key=lambda name: -lines[name]):
        print(
            f"{area:<12} {lines[area]:>7,} lines {code[area]:>7,} of code {long[area]:>4} functions over {LONG} lines"
        )
    print(f"{'together':<12} {lines.total():>7,} lines {code.total():>7,} of code {long.total():>4}")
    test_words.ROOT = folder
    print(f"{len(test_words.vague_names())} vague names of locals, {len(test_words.odd_phrases())} odd phrases")
    modules = circles(graph)
    print(f"{sum(map(len, graph.values()))} imports among {len(graph)} modules, {len(modules)} modules in circles")
    if modules:
        print("  " + ", ".join(sorted(modules)))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
