"""The command line. Flags, values and help come from the signatures and docstrings.

Exit codes: 1 for an error (two lines: what happened, what to do), 2 for a wrong argument, 130 for Ctrl-C, and 141
for a closed pipe, as by ``| head``. The last two are what shells report for any command.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError

from hlkit.cli import console, reading
from hlkit.cli.reading import Demo, Json, Profile
from hlkit.client.errors import HlkitError, InvalidRequest

if TYPE_CHECKING:
    import pandas as pd


app = App(
    name="hlkit",
    help="Load HighLevel sub-accounts into pandas DataFrames.\n\nTo try it without an account, run hlkit demo. "
    "To use your own, run hlkit login NAME, then hlkit check.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # cyclopts would exit without a message
)
cache = App(name="cache", help="Show or clear the cache on this machine.")
app.command(reading.fetch)
app.command(reading.run)
app.command(cache)


@app.command
def demo(*, size: int = 5000, seed: int = 0) -> None:
    """Load a simulated location, draw a chart, and load it again from the cache.

    Parameters
    ----------
    size
        Number of made-up contacts.
    seed
        Random seed; each seed is a different location.
    """
    from hlkit.cli.demo import run_demo

    run_demo(size=size, seed=seed)


@app.command
def sim(*, port: int = 8000, size: int = 5000, seed: int = 0, as_of: str | None = None) -> None:
    """Serve the simulated location to curl or any other HTTP client, until Ctrl-C.

    Parameters
    ----------
    port
        Port on this machine; 0 picks a free one.
    size
        Number of made-up contacts.
    seed
        Random seed; each seed is a different location.
    as_of
        The date on which the data ends, such as 2026-01-01. Default: today.
    """
    from hlkit.connection import checked_as_of, checked_count
    from hlkit.sim.__main__ import serve

    size, seed = checked_count("size", size), checked_count("seed", seed)
    try:
        serve(port=port, size=size, seed=seed, as_of=checked_as_of(as_of))
    except (OSError, OverflowError) as error:
        problem = str(error)
    else:
        return
    raise InvalidRequest(f"cannot listen on port {port}: {problem}", hint="use --port 0 to pick a free port")


@app.command
def login(name: str, /, *, location_id: str | None = None, base_url: str | None = None) -> None:
    """Save a location under a name, after checking its token.

    Prompts for the token, without showing it, and stores it in the operating system's keyring. Prints where to
    create the token and what a full read costs.

    Parameters
    ----------
    name
        A name for the location, such as acme.
    location_id
        The location's ID, or its address in the browser. Default: prompt for it.
    base_url
        A server other than HighLevel's own.
    """
    from hlkit.login_guide import login as save

    save(name, location_id=location_id, base_url=base_url)
    print(f"\nnext: hlkit check --profile {name}, or in Python: hlkit.connect(profile={name!r})")


@app.command
def logout(name: str, /) -> None:
    """Remove a saved location, and its token from the keyring.

    Parameters
    ----------
    name
        The name given to hlkit login.
    """
    from hlkit.client import profiles

    profiles.remove(name)
    print(f"Removed {name}. Its token still works; to revoke it, delete it in Settings > Private Integrations.")


@app.command(name="profiles")
def list_profiles(*, as_json: Json = False) -> None:
    """List the saved locations."""
    from hlkit.client import profiles

    rows = [asdict(profile) for profile in profiles.all_profiles()]
    if as_json:
        print(json.dumps(rows))
    elif not rows:
        print("no saved locations\nnext: hlkit login NAME")
    else:
        default = profiles.default()
        for row in rows:
            mark = "  (default)" if row["name"] == default else ""
            print(f"{row['name']:<20} {row['location_id']:<24} {row['timezone'] or ''}{mark}")


@app.command
def check(*, profile: Profile = None, demo: Demo = False, as_json: Json = False) -> None:
    """Show what the token may read, how much data there is, and the cost of reading it."""
    loc = reading.open_location(profile, demo)
    table = loc.check()
    if as_json:
        print(table.to_json(orient="records"))
        return
    print(f"{loc.name or loc.location_id}, connected by {loc.connected_by}\n")
    print(_access_table(table))
    print(f"\nquota: {loc.quota}")
    if (table["readable"].eq(False) & table["scope"].notna()).any():
        print("\nto read the rest, check their scopes in Settings > Private Integrations of the sub-account")
    flags = " --demo" if demo else f" --profile {profile}" if profile else ""
    print(f"next: hlkit fetch contacts --out contacts.xlsx{flags}")


@app.command
def overview(
    *,
    period: str = "30d",
    compare: Literal["previous", "last year"] = "previous",
    profile: Profile = None,
    demo: Demo = False,
    confirm: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    out: Path | None = None,
    as_json: Json = False,
) -> None:
    """Show the business on one screen: nine numbers, what changed, and what is worth a look.

    Parameters
    ----------
    period
        30d, last month, 2025-07 and so on.
    compare
        Compare with the period before, or with the same a year ago.
    confirm
        Read what is not cached even if that takes over 500 requests.
    out
        Write the numbers to a file ending in .parquet, .csv, .xlsx or .jsonl.
    """
    from hlkit.files.export import FORMATS, checked_target, write

    if out is not None:
        checked_target(out, FORMATS)  # before any request
    loc = reading.open_location(profile, demo)
    result = loc.overview(period=period, compare=compare, confirm=confirm)
    print(result.table.to_json(orient="records") if as_json else result)
    if out is not None:
        print(f"wrote {write(result.table, out)}", file=sys.stderr)


@app.command(name="app")
def explorer(*, demo: Demo = False, profile: Profile = None, port: int = 0, browser: bool = True) -> None:
    """Serve the explorer as a web page on this machine, until Ctrl-C.

    Parameters
    ----------
    port
        Port on this machine; 0 picks a free one.
    browser
        Open the page in a browser; its address is printed either way.
    """
    from hlkit.app import serve

    reading.refuse_both(profile, demo)
    serve(demo=demo, profile=profile, port=port, browser=browser)


@app.command
def doctor(*, as_json: Json = False) -> None:
    """Show what is installed and any known problems."""
    from hlkit.cli.doctor import report, rows

    print(json.dumps(rows()) if as_json else report())


def _access_table(table: pd.DataFrame) -> str:
    lines = [f"{'resource':<20} {'may read':<9} {'rows':>9} {'requests':>9} {'minutes':>8}  scope"]
    for row in table.itertuples(index=False):
        minutes = "< 0.1" if row.minutes == 0 else _number(row.minutes)
        may_read = {"True": "yes", "False": "no"}.get(str(row.readable), "?")
        problem = "" if may_read == "yes" else f"  ({row.problem})"
        scope = row.scope if isinstance(row.scope, str) else ""
        numbers = f"{_number(row.rows):>9} {_number(row.requests):>9} {minutes:>8}"
        lines.append(f"{row.resource:<20} {may_read:<9} {numbers}  {scope}{problem}")
    return "\n".join(lines)


def _number(value: Any) -> str:
    import pandas as pd

    return "" if pd.isna(value) else f"{value:,}"


@cache.command(name="info")
def cache_info(*, as_json: Json = False) -> None:
    """Show the cache folder, its files and their sizes."""
    from hlkit.client.text import many
    from hlkit.connection import cache_files, cache_folder

    folder, sizes = cache_folder(), dict[str, int]()
    for path in cache_files():  # SQLite's -wal and -shm files count with the file they belong to
        name = path.name.removesuffix("-wal").removesuffix("-shm")
        sizes[name] = sizes.get(name, 0) + path.stat().st_size
    rows = [{"file": name, "mb": round(size / 1e6, 1)} for name, size in sizes.items()]
    if as_json:
        print(json.dumps({"folder": None if folder is None else str(folder), "files": rows}))
        return
    print(f"{folder or 'no cache folder (this user has no home folder)'}, {many(len(rows), 'file')}")
    for row in rows:
        print(f"  {row['mb']:>8,.1f} MB  {row['file']}")
    if rows:
        print("next: hlkit cache clear deletes these files")


@cache.command(name="clear")
def cache_clear() -> None:
    """Delete all cached data from this machine."""
    from hlkit.client.http.download_records import delete_all_records
    from hlkit.client.text import many
    from hlkit.connection import cache_files

    files = cache_files()
    size = sum(path.stat().st_size for path in files)
    for path in files:
        if path.suffix == ".sqlite":
            delete_all_records(path)
        try:
            path.unlink(missing_ok=True)
            continue
        except OSError as error:  # Windows does not delete an open file
            reason = error.strerror or type(error).__name__
        raise InvalidRequest(f"cannot delete {path}: {reason}", hint="close the notebooks that use it")
    print(f"deleted {many(len(files), 'file')}, {size / 1e6:,.1f} MB")


def main(arguments: list[str] | None = None) -> None:
    """Run a command. Raises ``SystemExit`` with the exit code if it is not 0."""
    console.prepare()
    warnings.showwarning = _show_warning
    try:
        try:
            _run(sys.argv[1:] if arguments is None else arguments)
        finally:
            console.flush()
    except OSError as error:
        problem = error
    else:
        return
    if problem.filename is not None:
        _exit_with(1, f"cannot use {problem.filename}: {problem.strerror}", "check its permissions")
    console.give_up()
    if console.is_closed_pipe(problem):
        raise SystemExit(console.CLOSED_PIPE)
    _exit_with(1, f"cannot write the output: {problem.strerror}", "free some space, or send the output elsewhere")


def _run(arguments: list[str]) -> None:
    try:
        if arguments[:1] == ["run"]:
            reading.add_run_commands()
            if arguments[1:] and not arguments[1].startswith("-") and arguments[1] not in reading.run:
                from hlkit.analysis.core.known import unknown
                from hlkit.analysis.core.registry import ANALYSES

                _exit_with(2, unknown(arguments[1], ANALYSES), "hlkit run lists all analyses")
        app(arguments, exit_on_error=False, print_error=False, console=console.help_console())
    except CycloptsError as error:
        _exit_with(2, str(error), "see hlkit --help, or hlkit COMMAND --help")
    except HlkitError as error:
        _exit_with(1, error.message, _with_flag_names(error.hint or "try again"))
    except KeyboardInterrupt:
        _exit_with(130, "stopped", "run the same command again; cached data is not downloaded twice")


def _with_flag_names(hint: str) -> str:
    """The library's *hint* for the command line: ``--confirm`` instead of ``confirm=True``."""
    hint = re.sub(r"\b(\w+)=\[\.\.\.\]", lambda match: f"--{match[1].replace('_', '-')} ID", hint)
    hint = hint.replace("the same call", "the same command")
    return re.sub(r"\b([a-z_]+)=(True\b|(?=[\s.,;]|$))", lambda match: f"--{match[1].replace('_', '-')}", hint)


def _exit_with(code: int, problem: str, hint: str) -> None:
    print(f"hlkit: {' '.join(problem.split())}\n  {hint}", file=sys.stderr)
    raise SystemExit(code)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"note: {message}", file=sys.stderr)
