"""The command line. Flags, values and help come from the signatures and docstrings.

Exit codes: 1 for an error (two lines: what happened, what to do), 2 for a wrong argument, 130 for Ctrl-C, and 141
for a closed pipe, as by ``| head``. The last two are what shells report for any command.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError

from hlkit.cli import console
from hlkit.client.errors import HlkitError, InvalidRequest
from hlkit.client.resources import CATALOG

if TYPE_CHECKING:
    import pandas as pd

    from hlkit.client.options import Option
    from hlkit.client.schema import Resource
    from hlkit.location import Location

app = App(
    name="hlkit",
    help="Load HighLevel sub-accounts into pandas DataFrames.\n\nTo try it without an account, run hlkit demo. "
    "To use your own, run hlkit login NAME, then hlkit check.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # cyclopts would exit without a message
)
fetch = App(
    name="fetch",
    usage="Usage: hlkit fetch RESOURCE --out FILE [OPTIONS]",
    group_commands="Resources",
    help="Download a resource to a file: Parquet, CSV, Excel or JSON Lines.",
)
run = App(
    name="run",
    usage="Usage: hlkit run ANALYSIS [OPTIONS]",
    group_commands="Analyses",
    help="Run an analysis of a location: prints its headline, table and definition.",
)
cache = App(name="cache", help="Show or clear the cache on this machine.")
app.command(fetch)
app.command(run)
app.command(cache)


def _flag(annotation: Any, doc: str, default: Any = None) -> Any:
    """The type of a flag with its help. A flag that is off by default has no ``--no-`` form and shows no default."""
    negative, show_default = None if default is True else "", False if default is False else None
    return Annotated[annotation, Parameter(help=doc, negative=negative, show_default=show_default)]


Profile = Annotated[
    str | None, Parameter(help="A location saved by hlkit login. Default: the environment, then the default profile.")
]
Demo = Annotated[bool, Parameter(help="Use the simulated location.", negative="", show_default=False)]
Json = Annotated[bool, Parameter(name="--json", help="Print JSON.", negative="", show_default=False)]
_TABLE_FILE = "a file ending in .parquet, .csv, .xlsx or .jsonl."


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

    rows = [
        {
            "name": profile.name,
            "location_id": profile.location_id,
            "timezone": profile.timezone,
            "base_url": profile.base_url,
        }
        for profile in profiles.all_profiles()
    ]
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
    loc = _location(profile, demo)
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

    _refuse_both(profile, demo)
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


def _refuse_both(profile: str | None, demo: bool) -> None:
    if demo and profile is not None:
        raise InvalidRequest("--demo and --profile cannot be used together", hint="use one of them")


def _location(profile: str | None, demo: bool) -> Location:
    import hlkit

    _refuse_both(profile, demo)
    return hlkit.demo() if demo else hlkit.connect(profile=profile)


# ---- hlkit fetch: one command per resource, made from its catalog entry


def _fetch_command(resource: Resource) -> Callable[..., None]:
    """The command that downloads *resource* to a file."""
    from hlkit.client.options import of_resource

    def command(
        *, out: Path, raw: bool = False, profile: str | None = None, demo: bool = False, **options: Any
    ) -> None:
        from hlkit.client.text import many
        from hlkit.files.export import FORMATS, checked_target, write

        checked_target(out, FORMATS)  # before any request
        loc = _location(profile, demo)
        frame = getattr(loc, resource.name)(**_without_none(options))
        path = write(frame, out, timezone=loc.timezone.key, raw=raw)
        stats = frame.attrs["hlkit"]
        print(
            f"{path}: {many(len(frame), 'row')}, {many(frame.shape[1], 'column')}; "
            f"{many(stats['requests'], 'request')}, {many(stats['from_cache'], 'page')} from the cache"
        )

    types = {
        "out": _flag(Path, f"Write to {_TABLE_FILE}"),
        "raw": _flag(bool, "Keep text unchanged, even if a spreadsheet would run it as a formula.", False),
        "profile": Profile,
        "demo": Demo,
    }
    doc = f"{resource.doc}\n\nRequires the scope {resource.scope}."
    return _with_flags(command, resource.name, doc, types, of_resource(resource))


def _with_flags(
    command: Callable[..., None], name: str, doc: str, types: Mapping[str, Any], options: Iterable[Option]
) -> Callable[..., None]:
    """Give *command* its name, its help, and a flag for each of its parameters (*types*) and each of *options*."""
    *fixed, _ = inspect.signature(command).parameters.values()
    parameters = [parameter.replace(annotation=types[parameter.name]) for parameter in fixed]
    parameters += [
        option.parameter.replace(annotation=_flag(option.flag_type, option.doc, option.default))
        for option in options
        if option.flag_type is not None
    ]
    command.__name__, command.__doc__ = name, doc
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _without_none(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


for _resource in CATALOG.values():
    fetch.command(_fetch_command(_resource), name=_resource.name.replace("_", "-"))


# ---- hlkit run: one command per analysis, made from its signature


@run.default
def list_analyses() -> None:
    """List the analyses."""
    from hlkit.analysis.core.registry import ANALYSES, listing

    print(listing(ANALYSES, "hlkit run "))
    print("\nnext: hlkit run speed_to_lead --by source --demo")


def _run_command(name: str) -> Callable[..., None]:
    """The command that runs the analysis *name*."""
    from hlkit.analysis.core.bound_analysis import of_analysis
    from hlkit.analysis.core.registry import ANALYSES
    from hlkit.analysis.core.result import CHART_FORMATS
    from hlkit.files.export import FORMATS, checked_target

    analysis = ANALYSES[name]
    options = {option.name: option for option in of_analysis(analysis)}
    mappings = {key for key, option in options.items() if _takes_a_mapping(option.type)}
    for key in mappings:
        doc = f"{options[key].doc} Write a number, or NAME=NUMBER,NAME=NUMBER."
        options[key] = replace(options[key], doc=doc, flag=str | None)

    def command(
        *,
        out: Path | None = None,
        chart: Path | None = None,
        profile: str | None = None,
        demo: bool = False,
        as_json: bool = False,
        **options: Any,
    ) -> None:
        for path, endings in ((out, FORMATS), (chart, CHART_FORMATS)):
            if path is not None:
                checked_target(path, endings)  # before any request
        values = _without_none(options)
        values |= {key: _numbers(key, values[key]) for key in mappings if key in values}
        loc = _location(profile, demo)
        result = loc.analyses[name](**values)
        print(result.table.to_json(orient="records", date_format="iso") if as_json else result)
        if out is not None:
            print(f"wrote {result.write(out)}", file=sys.stderr)
        if chart is not None:
            print(f"wrote {result.save(chart)}", file=sys.stderr)

    types = {
        "out": _flag(Path | None, f"Write the table to {_TABLE_FILE}"),
        "chart": _flag(Path | None, "Write the chart to a file ending in .png, .svg or .pdf."),
        "profile": Profile,
        "demo": Demo,
        "as_json": Json,
    }
    summary = (inspect.getdoc(analysis.function) or "").partition("\n\n")[0]
    return _with_flags(command, name, f"{analysis.question}\n\n{summary}", types, options.values())


def _takes_a_mapping(annotation: Any) -> bool:
    return any(get_origin(kind) is dict for kind in get_args(annotation))


def _numbers(name: str, text: Any) -> Any:
    """The number in *text*, or the mapping that ``SMS=3,Email=30`` spells. Raises ``InvalidRequest``."""
    try:
        if "=" not in str(text):
            return int(text)
        pairs = (part.split("=") for part in str(text).split(","))
        return {key.strip(): int(number) for key, number in pairs}
    except ValueError:
        pass
    flag = f"--{name.replace('_', '-')}"
    raise InvalidRequest(f"{flag} {text!r} is not a number", hint=f"write {flag} 60, or {flag} SMS=3,Email=30")


def _add_run_commands() -> None:
    """Add a command per analysis. Not done at import, because it loads pandas."""
    from hlkit.analysis.core.registry import ANALYSES

    for name in ANALYSES:
        if name not in run:
            run.command(_run_command(name), name=name)


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
            _add_run_commands()
            if arguments[1:] and not arguments[1].startswith("-") and arguments[1] not in run:
                from hlkit.analysis.core.registry import ANALYSES, unknown

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
