"""``hlkit doctor``: what is installed, and known problems. Makes no request and reads no token."""

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
_OTHERS = ("notebook",)  # can show the explorer, but is in no extra


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: its state in words, whether that is OK, and what to do about it."""

    name: str
    state: str
    ok: bool = True
    hint: str = ""


def findings() -> list[Finding]:
    """Check everything that can be a reason for a problem."""
    return [
        Finding("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        _hlkit(),
        *_packages(),
        *_known_problems(),
        _browser(),
        _keyring(),
        _cache(),
        _saved_locations(),
    ]


def _hlkit() -> Finding:
    try:
        return Finding("hlkit", version("hlkit"))
    except PackageNotFoundError:
        return Finding("hlkit", "not installed (runs from its source)", hint="pip install . in its folder")


def _packages() -> list[Finding]:
    """hlkit's requirements; for a missing one, the extra that installs it."""
    packages: dict[str, Finding] = {}
    lines: list[str] = []
    with contextlib.suppress(PackageNotFoundError):
        lines = requires("hlkit") or []
    for line in lines:
        name, extra = re.split(r"[\s\[<>=!;]", line)[0], re.search(r"extra == ['\"](\w+)['\"]", line)
        if name == "hlkit" or name in packages or (extra and extra.group(1) == "all"):
            continue
        try:
            packages[name] = Finding(name, version(name))
        except PackageNotFoundError:
            command = f'pip install "hlkit[{extra.group(1)}]"' if extra else "pip install --upgrade hlkit"
            packages[name] = Finding(name, "not installed", ok=extra is not None, hint=command)
    for name in _OTHERS:
        with contextlib.suppress(PackageNotFoundError):
            packages.setdefault(name, Finding(name, version(name)))
    return list(packages.values())


def _known_problems() -> list[Finding]:
    try:
        installed = version("ipywidgets")
    except PackageNotFoundError:
        return []
    if installed != "8.1.9":
        return []
    return [
        Finding(
            "ipywidgets 8.1.9",
            "shows nothing in VS Code (microsoft/vscode-jupyter#17504)",
            ok=False,
            hint="in VS Code: pip install ipywidgets==8.1.8; JupyterLab, Notebook and hlkit app are not affected",
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
    return Finding("browser", "none found", ok=False, hint="open the address that hlkit app prints in any browser")


def _cache() -> Finding:
    folder = cache_folder()
    hint = 'data is cached in memory only: set HOME to a folder of your own, or use connect(cache="folder")'
    if folder is None:
        return Finding("cache", "this user has no home folder", ok=False, hint=hint)
    nearest = next((parent for parent in (folder, *folder.parents) if os.path.exists(parent)), folder)
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        return Finding("cache", f"cannot write to {folder}", ok=False, hint=hint)
    return Finding("cache", str(folder))


def _keyring() -> Finding:
    try:
        profiles.check_keyring("doctor")
    except HlkitError as error:
        return Finding("keyring", error.message, ok=False, hint=error.hint)
    return Finding("keyring", "the system keyring can store tokens")


def _saved_locations() -> Finding:
    try:
        count, file = len(profiles.names()), profiles.path()
    except HlkitError as error:
        return Finding("saved locations", error.message, ok=False, hint=error.hint)
    hint = "" if count else "hlkit login NAME saves one; hl.demo() needs none"
    return Finding("saved locations", f"{count} in {file}", hint=hint)


def rows() -> list[dict[str, object]]:
    """The findings as dictionaries, for JSON."""
    return [asdict(finding) for finding in findings()]


def report() -> str:
    """The findings as text, one line each, with hints below. Problems are marked with "!"."""
    lines = []
    for finding in findings():
        lines.append(f"{' ' if finding.ok else '!'} {finding.name:<20} {finding.state}")
        if finding.hint:
            lines.append(f"{'':<23}{finding.hint}")
    return "\n".join(lines)
