"""``hlkit fetch`` and ``hlkit run``: one command for each resource and each analysis, made from its options."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from cyclopts import App, Parameter

from hlkit.client.errors import InvalidRequest
from hlkit.client.resources import CATALOG

if TYPE_CHECKING:
    from hlkit.client.options import Option
    from hlkit.client.schema import Resource
    from hlkit.location import Location

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


def refuse_both(profile: str | None, demo: bool) -> None:
    if demo and profile is not None:
        raise InvalidRequest("--demo and --profile cannot be used together", hint="use one of them")


def open_location(profile: str | None, demo: bool) -> Location:
    """The location that the flags name."""
    import hlkit

    refuse_both(profile, demo)
    return hlkit.demo() if demo else hlkit.connect(profile=profile)


# ---- hlkit fetch


def _fetch_command(resource: Resource) -> Callable[..., None]:
    """The command that downloads *resource* to a file."""
    from hlkit.client.options import of_resource

    def command(
        *, out: Path, raw: bool = False, profile: str | None = None, demo: bool = False, **options: Any
    ) -> None:
        from hlkit.client.text import many
        from hlkit.files.export import FORMATS, checked_target, write

        checked_target(out, FORMATS)  # before any request
        loc = open_location(profile, demo)
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


# ---- hlkit run


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
    mappings = {key for key, option in options.items() if _takes(dict, option.type)}
    for key in mappings:
        doc = f"{options[key].doc} Write a number, or NAME=NUMBER,NAME=NUMBER."
        options[key] = replace(options[key], doc=doc, flag=str | None)
    lists = {key for key, option in options.items() if _takes(list, option.type)}
    for key in lists:
        default = options[key].default
        doc = f"{options[key].doc} Give it twice for two columns. Default: {default or 'all rows together'}."
        options[key] = replace(options[key], doc=doc, flag=list[str] | None, default=None)

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
        values |= {key: values[key][0] for key in lists if len(values.get(key, ())) == 1}
        loc = open_location(profile, demo)
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


def _takes(container: type, annotation: Any) -> bool:
    """Whether an option may be a *container*: a list, a dict."""
    return any(get_origin(kind) is container for kind in get_args(annotation))


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


def add_run_commands() -> None:
    """Add a command per analysis. Not done at import, because it loads pandas."""
    from hlkit.analysis.core.registry import ANALYSES

    for name in ANALYSES:
        if name not in run:
            run.command(_run_command(name), name=name)
