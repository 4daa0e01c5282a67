"""The command line. Flags, choices and help come from the signatures and docstrings.

An error is two lines, what happened and what to do, and the exit code 1; wrong words on the command line are
the exit code 2; Ctrl-C is 130, and a pipe that is closed, as by ``| head``, 141: what a shell says of any command.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError

from hlkit.cli import console
from hlkit.client.errors import HlkitError, InvalidRequest
from hlkit.client.resources import CATALOG

if TYPE_CHECKING:
    import inspect

    import pandas as pd

    from hlkit.client.options import Option
    from hlkit.client.schema import Resource
    from hlkit.location import Location

app = App(
    name="hlkit",
    help="HighLevel sub-accounts as pandas DataFrames. To begin, without an account: hlkit demo. With yours: "
    "hlkit login NAME, then hlkit check.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # it would end without a word
)
fetch = App(name="fetch", help="Download one resource into a file: Parquet, CSV, Excel or JSON Lines.")
run = App(name="run", help="Ask a question of a location: prints a table, its definition and where it comes from.")
cache = App(name="cache", help="What is kept on this machine.")
app.command(fetch)
app.command(run)
app.command(cache)

Profile = Annotated[str | None, Parameter(help="A name that hlkit login saved; else the environment decides.")]
Demo = Annotated[bool, Parameter(help="The simulated location instead.", negative="")]
Json = Annotated[bool, Parameter(name="--json", help="For another program to read.", negative="")]


@app.command
def demo(*, size: int = 5000, seed: int = 0) -> None:
    """Read a simulated location over HTTP, draw a chart and a page, and read it again for nothing.

    Parameters
    ----------
    size
        How many made-up contacts.
    seed
        Another seed is another location.
    """
    from hlkit.cli.demo import tour

    tour(size=size, seed=seed)


@app.command
def sim(*, port: int = 8000, size: int = 5000, seed: int = 0, as_of: str | None = None) -> None:
    """Serve the simulated location for curl and any other client, until Ctrl-C.

    Parameters
    ----------
    port
        On this machine; 0 lets the system choose.
    size
        How many made-up contacts.
    seed
        Another seed is another location.
    as_of
        The date on which its data ends, such as 2026-01-01; today if left out.
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
    raise InvalidRequest(
        f"port {port} cannot be served ({problem})", hint="choose another: --port 0 takes a free one"
    )


@app.command
def login(name: str, /, *, location_id: str | None = None, base_url: str | None = None) -> None:
    """Save a location under a name: where to make its token, a check, and what reading it costs.

    The token goes into the operating system's keyring. It is asked for, and not shown.

    Parameters
    ----------
    name
        What to call the location, such as acme.
    location_id
        The location's id, or the address that the browser shows there; asked for if left out.
    base_url
        Another server than HighLevel's own.
    """
    from hlkit.login_guide import login as save

    save(name, location_id=location_id, base_url=base_url)
    print(f"\nnext: hlkit check --profile {name}, or in Python: hlkit.connect(profile={name!r})")


@app.command
def logout(name: str, /) -> None:
    """Forget a saved location, and take its token out of the keyring.

    Parameters
    ----------
    name
        What hlkit login called it.
    """
    from hlkit.client import profiles as saved

    saved.remove(name)
    print(f"{name} is forgotten here. The token still works: delete it in Settings > Private Integrations.")


@app.command
def profiles(*, as_json: Json = False) -> None:
    """List the saved locations."""
    from hlkit.client import profiles as saved

    rows = [
        {"name": one.name, "location_id": one.location_id, "timezone": one.timezone, "base_url": one.base_url}
        for one in saved.all_profiles()
    ]
    if as_json:
        print(json.dumps(rows))
    elif not rows:
        print("no location is saved yet\nnext: hlkit login NAME")
    else:
        default = saved.default()
        for row in rows:
            mark = "  (the default)" if row["name"] == default else ""
            print(f"{row['name']:<20} {row['location_id']:<24} {row['timezone'] or ''}{mark}")


@app.command
def check(*, profile: Profile = None, demo: Demo = False, as_json: Json = False) -> None:
    """Ask cheaply what the token may read, how much there is, and what reading it costs."""
    loc = _location(profile, demo)
    table = loc.check()
    if as_json:
        print(table.to_json(orient="records"))
        return
    print(f"{loc.name or loc.location_id}, connected by {loc.connected_by}\n")
    print(_readable(table))
    print(f"\nquota: {loc.quota}")
    if (table["readable"].eq(False) & table["scope"].notna()).any():
        print("\nto read the rest, check its scope in Settings > Private Integrations of the sub-account")
    same = " --demo" if demo else f" --profile {profile}" if profile else ""
    print(f"next: hlkit fetch contacts --out contacts.xlsx{same}")


@app.command(name="app")
def explorer(*, demo: Demo = False, profile: Profile = None, port: int = 0, browser: bool = True) -> None:
    """Serve the explorer as a page of its own on this machine, until Ctrl-C.

    Parameters
    ----------
    port
        On this machine; 0 lets the system choose.
    browser
        Open the page; else its address is only printed.
    """
    from hlkit.app import serve

    _one_of(profile, demo)
    serve(demo=demo, profile=profile, port=port, browser=browser)


@app.command
def doctor(*, as_json: Json = False) -> None:
    """Tell what is installed, what else is there, and what is known not to work."""
    from hlkit.cli.doctor import report, rows

    print(json.dumps(rows()) if as_json else report())


def _readable(table: pd.DataFrame) -> str:
    lines = [f"{'resource':<20} {'may read':<9} {'rows':>9} {'requests':>9} {'minutes':>8}  scope"]
    for row in table.itertuples(index=False):
        told = [_number(row.rows), _number(row.requests), "< 0.1" if row.minutes == 0 else _number(row.minutes)]
        numbers = f"{told[0]:>9} {told[1]:>9} {told[2]:>8}"
        may = {"True": "yes", "False": "no"}.get(str(row.readable), "?")
        problem = "" if may == "yes" else f"  ({row.problem})"
        scope = row.scope if isinstance(row.scope, str) else ""
        lines.append(f"{row.resource:<20} {may:<9} {numbers}  {scope}{problem}")
    return "\n".join(lines)


def _number(value: Any) -> str:
    import pandas as pd

    return "" if pd.isna(value) else f"{value:,}"


@cache.command(name="info")
def cache_info(*, as_json: Json = False) -> None:
    """Show where answers are kept, and how much they take."""
    from hlkit.client.text import many
    from hlkit.connection import cache_files, cache_folder

    folder, sizes = cache_folder(), dict[str, int]()
    for path in cache_files():  # what SQLite keeps beside a file counts with it
        name = path.name.removesuffix("-wal").removesuffix("-shm")
        sizes[name] = sizes.get(name, 0) + path.stat().st_size
    rows = [{"file": name, "mb": round(size / 1e6, 1)} for name, size in sizes.items()]
    if as_json:
        print(json.dumps({"folder": None if folder is None else str(folder), "files": rows}))
        return
    print(f"{folder or 'no folder, since this user has no home'}, {many(len(rows), 'file')}")
    for row in rows:
        print(f"  {row['mb']:>8,.1f} MB  {row['file']}")
    if rows:
        print("next: hlkit cache clear deletes them")


@cache.command(name="clear")
def cache_clear() -> None:
    """Delete all kept answers from this machine; the next read asks HighLevel again."""
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
        except OSError as error:  # Windows deletes no file that is open
            reason = error.strerror or type(error).__name__
        raise InvalidRequest(f"{path} cannot be deleted: {reason}", hint="close the notebooks that read from it")
    print(f"deleted {many(len(files), 'file')}, {size / 1e6:,.1f} MB")


def _one_of(profile: str | None, demo: bool) -> None:
    if demo and profile is not None:
        raise InvalidRequest("--demo and --profile were given", hint="give one of them")


def _location(profile: str | None, demo: bool) -> Location:
    import hlkit

    _one_of(profile, demo)
    return hlkit.demo() if demo else hlkit.connect(profile=profile)


# ---- hlkit fetch: a command for each resource, from its entry


def _fetches(resource: Resource) -> Callable[..., None]:
    """The command that downloads *resource*: its choices, and where to."""
    import inspect

    from hlkit.client.options import of_resource

    def command(
        *, out: Path, raw: bool = False, profile: str | None = None, demo: bool = False, **given: Any
    ) -> None:
        from hlkit.client.text import many
        from hlkit.files.export import FORMATS, place, write

        place(out, FORMATS)  # before any request is spent on it
        loc = _location(profile, demo)
        frame = getattr(loc, resource.name)(**{name: value for name, value in given.items() if value is not None})
        path = write(frame, out, timezone=loc.timezone.key, raw=raw)
        told = frame.attrs["hlkit"]
        print(
            f"{path}: {many(len(frame), 'row')}, {many(frame.shape[1], 'column')}; "
            f"{many(told['requests'], 'request')} spent, {many(told['from_cache'], 'answer')} from the cache"
        )

    own = [_flag(option) for option in of_resource(resource) if option.flag_type is not None]
    fixed = list(inspect.signature(command).parameters.values())[:-1]
    command.__name__ = resource.name
    command.__doc__ = f"{resource.doc}\n\nReads with the scope {resource.scope}."
    parameters = [_explained(parameter) for parameter in fixed] + own
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


_HELP = {
    "out": "Where to: a file ending in .parquet, .csv, .xlsx or .jsonl.",
    "raw": "Leave text as it is, also where a spreadsheet would run it as a formula.",
    "profile": "A name that hlkit login saved; else the environment decides.",
    "demo": "The simulated location instead.",
}


def _explained(parameter: inspect.Parameter) -> inspect.Parameter:
    annotation = {"out": Path, "raw": bool, "demo": bool}.get(parameter.name, str | None)
    return parameter.replace(annotation=_told(annotation, _HELP[parameter.name]))


def _flag(option: Option) -> inspect.Parameter:
    """An option as a flag; one that is on by default has its opposite too."""
    return option.parameter.replace(
        annotation=_told(option.flag_type, option.doc, None if option.default is True else "")
    )


def _told(annotation: Any, words: str, negative: str | None = "") -> Any:
    return Annotated[annotation, Parameter(help=words, negative=negative)]


for _resource in CATALOG.values():
    fetch.command(_fetches(_resource), name=_resource.name.replace("_", "-"))


# ---- hlkit run: a command for each analysis, from its signature


@run.default
def questions() -> None:
    """List the questions."""
    from hlkit.analysis.core.registry import ANALYSES, listing

    print(listing(ANALYSES, "hlkit run "))
    print("\nnext: hlkit run speed_to_lead --by source --demo")


def _runs(name: str) -> Callable[..., None]:
    """The command that runs the analysis *name*: its choices, and where to write."""
    import inspect

    from hlkit.analysis.core.bound_analysis import of_analysis
    from hlkit.analysis.core.registry import ANALYSES
    from hlkit.analysis.core.result import PICTURES
    from hlkit.files.export import FORMATS, place

    one = ANALYSES[name]

    def command(
        *,
        out: Path | None = None,
        chart: Path | None = None,
        profile: str | None = None,
        demo: bool = False,
        as_json: bool = False,
        **given: Any,
    ) -> None:
        for path, endings in ((out, FORMATS), (chart, PICTURES)):
            if path is not None:
                place(path, endings)  # before any request is spent on it
        chosen = {key: value for key, value in given.items() if value is not None}
        chosen |= {key: _numbers(key, chosen[key]) for key in mappings if key in chosen}
        loc = _location(profile, demo)
        result = loc.analyses[name](**chosen)
        print(result.table.to_json(orient="records", date_format="iso") if as_json else result)
        written = [] if out is None else [result.write(out)]
        written += [] if chart is None else [result.save(chart)]
        for path in written:
            print(f"written: {path}", file=sys.stderr)

    own: dict[str, Any] = {
        "out": _told(Path | None, "Write the table to a file ending in .parquet, .csv, .xlsx or .jsonl."),
        "chart": _told(Path | None, "Write the chart to a file ending in .png, .svg or .pdf."),
        "profile": _told(str | None, _HELP["profile"]),
        "demo": _told(bool, _HELP["demo"]),
        "as_json": Json,
    }
    options = [option for option in of_analysis(one) if option.flag_type is not None]
    mappings = [option.name for option in options if _takes_a_mapping(option.type)]
    for option in options:
        if option.name in mappings:
            doc = f"{option.doc} Here: a number, or NAME=NUMBER,NAME=NUMBER."
            option = replace(option, doc=doc, flag=str | None)
        own[option.name] = _flag(option).annotation
    fixed = list(inspect.signature(command).parameters.values())[:-1]
    every = [*fixed, *(option.parameter for option in options)]
    parameters = [parameter.replace(annotation=own[parameter.name]) for parameter in every]
    command.__name__ = name
    command.__doc__ = f"{one.question}\n\n{(inspect.getdoc(one.function) or '').partition(chr(10) + 'Parameters')[0]}"
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _takes_a_mapping(annotation: Any) -> bool:
    return any(get_origin(kind) is dict for kind in get_args(annotation))


def _numbers(name: str, text: Any) -> Any:
    """A number, or what ``SMS=3,Email=30`` says."""
    try:
        if "=" not in str(text):
            return int(text)
        pairs = (part.split("=") for part in str(text).split(","))
        return {key.strip(): int(number) for key, number in pairs}
    except ValueError:
        pass
    flag = f"--{name.replace('_', '-')}"
    raise InvalidRequest(f"{flag} {text!r} is no number", hint=f"write it like {flag} 60, or SMS=3,Email=30")


def _add_runs() -> None:
    """All analyses as commands; only where they are wanted, since they bring pandas."""
    from hlkit.analysis.core.registry import ANALYSES

    for name in ANALYSES:
        if name not in run:
            run.command(_runs(name), name=name)


def main(words: list[str] | None = None) -> None:
    """Run a command."""
    console.prepare()
    warnings.showwarning = _said_shortly
    try:
        try:
            _run(sys.argv[1:] if words is None else words)
        finally:
            console.flush()
    except OSError as error:
        problem = error
    else:
        return
    if problem.filename is not None:
        _end(1, f"{problem.filename} cannot be used: {problem.strerror}", "see who may read it and write there")
    console.give_up()
    if console.is_closed_pipe(problem):
        raise SystemExit(console.CLOSED_PIPE)
    _end(1, f"the output cannot be written: {problem.strerror}", "make room, or send it elsewhere")


def _run(words: list[str]) -> None:
    try:
        if words[:1] == ["run"]:
            _add_runs()
            if words[1:] and not words[1].startswith("-") and words[1] not in run:
                from hlkit.analysis.core.registry import unknown

                _end(
                    2,
                    unknown(words[1], [name for name in run if not name.startswith("-")]),
                    "hlkit run lists the questions",
                )
        app(words, exit_on_error=False, print_error=False, console=console.help_console())
    except CycloptsError as error:
        _end(2, str(error), "hlkit --help lists the commands, hlkit COMMAND --help what each takes")
    except HlkitError as error:
        _end(1, error.message, _in_flags(error.hint or "try again"))
    except KeyboardInterrupt:
        _end(130, "stopped", "run the same command again: what is cached is not asked for again")


def _in_flags(hint: str) -> str:
    """A hint of the library as the command line spells it: ``--confirm`` for ``confirm=True``."""
    hint = re.sub(r"\b(\w+)=\[\.\.\.\]", lambda found: f"--{found[1].replace('_', '-')} ID", hint)
    hint = hint.replace("the same call", "the same command")
    return re.sub(r"\b([a-z_]+)=(True\b|(?=[\s.,;]|$))", lambda found: f"--{found[1].replace('_', '-')}", hint)


def _end(code: int, what: str, next_step: str) -> None:
    print(f"hlkit: {' '.join(what.split())}\n  {next_step}", file=sys.stderr)
    raise SystemExit(code)


def _said_shortly(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"note: {message}", file=sys.stderr)
