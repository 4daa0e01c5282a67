"""What is installed, what else is there, and what is known not to work. No request, no token."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import webbrowser
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from hlkit.client import profiles
from hlkit.client.errors import HlkitError
from hlkit.connection import cache_folder

_BROWSERS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "firefox", "firefox-esr",
    "msedge", "microsoft-edge", "safari",
)  # fmt: skip
_OTHERS = ("notebook",)  # shows the explorer too, and no extra brings it


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found, and what to do next where that is not well."""

    name: str
    found: str
    well: bool = True
    advice: str = ""


def findings() -> list[Finding]:
    """All that is worth knowing when something does not work."""
    return [
        Finding("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        _hlkit(),
        *_packages(),
        *_known_faults(),
        _browser(),
        _keyring(),
        _cache(),
        _saved(),
    ]


def _hlkit() -> Finding:
    try:
        return Finding("hlkit", version("hlkit"))
    except PackageNotFoundError:
        return Finding("hlkit", "not installed, runs from its source", advice="pip install . in its folder")


def _packages() -> list[Finding]:
    """hlkit's own requirements, and which extra brings what is not there."""
    told: dict[str, Finding] = {}
    lines: list[str] = []
    with contextlib.suppress(PackageNotFoundError):
        lines = requires("hlkit") or []
    for line in lines:
        name, extra = re.split(r"[\s\[<>=!;]", line)[0], re.search(r"extra == ['\"](\w+)['\"]", line)
        if name == "hlkit" or name in told or (extra and extra.group(1) == "all"):
            continue
        try:
            told[name] = Finding(name, version(name))
        except PackageNotFoundError:
            how = f'pip install "hlkit[{extra.group(1)}]"' if extra else "pip install --upgrade hlkit"
            told[name] = Finding(name, "not installed", well=extra is not None, advice=how)
    for name in _OTHERS:
        with contextlib.suppress(PackageNotFoundError):
            told.setdefault(name, Finding(name, version(name)))
    return list(told.values())


def _known_faults() -> list[Finding]:
    try:
        found = version("ipywidgets")
    except PackageNotFoundError:
        return []
    if found != "8.1.9":
        return []
    return [
        Finding(
            "ipywidgets 8.1.9",
            "shows nothing in VS Code (microsoft/vscode-jupyter#17504)",
            well=False,
            advice="in VS Code: pip install ipywidgets==8.1.8; JupyterLab, Notebook and hlkit app are not affected",
        )
    ]


def _browser() -> Finding:
    names = [name for name in _BROWSERS if shutil.which(name)]
    if not names:
        try:
            names = [webbrowser.get().name]
        except (webbrowser.Error, AttributeError):
            names = []
    if names:
        return Finding("browser", ", ".join(names))
    return Finding(
        "browser", "none found", well=False, advice="open the address that hlkit app prints in any browser"
    )


def _cache() -> Finding:
    folder = cache_folder()
    advice = 'answers are kept in memory only: set HOME to a folder of your own, or connect(cache="folder")'
    if folder is None:
        return Finding("cache", "this user has no home folder", well=False, advice=advice)
    there = next((place for place in (folder, *folder.parents) if os.path.exists(place)), folder)
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        return Finding("cache", f"{folder} cannot be written", well=False, advice=advice)
    return Finding("cache", str(folder))


def _keyring() -> Finding:
    problem = profiles.keyring_problem("doctor")
    if problem is None:
        return Finding("keyring", "the system's keyring can keep tokens")
    return Finding("keyring", problem.message, well=False, advice=problem.hint)


def _saved() -> Finding:
    try:
        number, file = len(profiles.names()), profiles.path()
    except HlkitError as error:
        return Finding("saved locations", error.message, well=False, advice=error.hint)
    advice = "" if number else "hlkit login NAME saves one; hl.demo() needs none"
    return Finding("saved locations", f"{number} in {file}", advice=advice)


def rows() -> list[dict[str, object]]:
    """The same for another program."""
    return [asdict(one) for one in findings()]


def report() -> str:
    """The same for reading: a line each, with what to do."""
    lines = []
    for one in findings():
        lines.append(f"{' ' if one.well else '!'} {one.name:<20} {one.found}")
        if one.advice:
            lines.append(f"{'':<23}{one.advice}")
    return "\n".join(lines)
