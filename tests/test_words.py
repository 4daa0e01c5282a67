"""Plain American English: phrases that people do not read, and names that say nothing of what they hold."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")

# Names of locals and parameters: say what they hold (column, body, index, path, label, message).
LOCALS = {"one", "told", "place", "words", "own", "mine"}

# Phrases in docstrings, messages, charts, widgets, pages and notebooks; beside each, what to write.
PHRASES = {
    r"\b(is|are|was|were) kept\b|\bkept (alone|rows|pages|answers)\b": "cached",
    r"\bspen(d|ds|t) no requests?\b|\bspends? nothing\b": "uses no requests",
    r"\bdearest\b": "most expensive",
    r"\btells? (a|the|how|what|which|whether|of)\b|\bis told\b|\btold of\b": "shows, reports, returns",
    r"\btold apart\b": "significant difference",
    r"\bhalf in \d|\bhalf not yet\b": "median 25 min, no median yet",
    r"\bodd days?\b|\busual for it\b": "unusual days, expected range",
    r"\bwhom\b|\bnought\b|\bof old\b|\bsince ever\b|\bfor nothing\b": "who, zero, legacy, all-time, free",
    r"\bto choose by\b|\bmend\b|\bin silence\b": "has no option, fix, silently",
    r"\b(e-mail|grey|catalogue|colour|behaviour|licence|favour)s?\b|\b(analyse[d]?|spelt)\b": "the American spelling",
    r"\bin a circle\b|\bat a walk\b|\ba walk\b|\bthe walk\b": "loop, download",
}


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """Every module of hlkit."""
    for path in sorted((ROOT / "hlkit").rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def names_of_locals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Each name that is assigned to, and each parameter, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


def texts() -> Iterator[tuple[str, str]]:
    """What people read, with where it stands: strings and docstrings, pages, notebooks."""
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value
    for name in PAGES:
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
            yield f"{name}:{number}", line
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            yield str(path.relative_to(ROOT)), "".join(cell["source"])


def vague_names() -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path, tree in sources()
        for line, name in names_of_locals(tree)
        if name in LOCALS
    ]


def odd_phrases() -> list[str]:
    return [
        f"{where} {match[0]!r}: {better}"
        for where, text in texts()
        for phrase, better in PHRASES.items()
        if (match := re.search(phrase, text, re.IGNORECASE))
    ]


def test_a_name_says_what_it_holds():
    assert vague_names() == []


def test_what_people_read_is_plain_american_english():
    assert odd_phrases() == []


def test_the_phrases_would_be_found():
    found = [
        phrase for phrase in PHRASES if re.search(phrase, "Whom it may concern: rows are kept, told apart.", re.I)
    ]

    assert len(found) == 3
    assert ("place", 1) in [(name, line) for line, name in names_of_locals(ast.parse("place = 1"))]
