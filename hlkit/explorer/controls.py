"""A control for each choice of an analysis, made from its signature."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as W

from hlkit.analysis.core.registry import Analysis
from hlkit.client.options import Option

if TYPE_CHECKING:
    from hlkit.location import Location

TOGETHER = "(all together)"
LABEL = {"description_width": "105px"}  # "Changed since" is the longest
# What else one can group by, where the location can name it.
_NAMES = {"owner_id": "owner", "user_id": "user", "stage_id": "stage", "pipeline_id": "pipeline"}


def in_rows(children: Sequence[W.Widget]) -> W.GridBox:
    """Widgets side by side in even rows, as many as there is room for."""
    for one in children:
        one.layout.width = "auto"
    return W.GridBox(
        children, layout=W.Layout(grid_template_columns="repeat(auto-fill, minmax(300px, 1fr))", grid_gap="0 8px")
    )


def controls(analysis: Analysis, columns: list[str], given: Mapping[str, Any]) -> dict[str, W.Widget]:
    """A labeled widget for each choice that a person makes; *given* are values to begin with."""
    made = {}
    for name, option in analysis.options.items():
        if name not in analysis.fills:
            value = given.get(name, option.default)
            made[name] = _by(option, columns, value) if name == "by" else _control(option, value)
            made[name].add_class(f"hlkit-choice-{name}")
    return made


def _label(name: str) -> dict[str, Any]:
    return {"description": name.replace("_", " ").capitalize(), "layout": W.Layout(width="auto"), "style": LABEL}


def _by(option: Option, columns: list[str], value: str | None) -> W.Combobox:
    """A column, chosen or typed; blank is the default, since a browser offers what holds the text that is in."""
    options = offered(option, columns)
    text = "" if value == option.default else value or TOGETHER
    return W.Combobox(options=options, value=text, placeholder=option.default or TOGETHER, **_label("by"))


def offered(option: Option, columns: list[str]) -> list[str]:
    """What one can group by."""
    return [TOGETHER, *columns] if type(None) in _kinds(option) else columns


def _kinds(option: Option) -> tuple[Any, ...]:
    return typing.get_args(option.type) or (option.type,)


def _control(option: Option, value: Any) -> W.Widget:
    label, kinds = _label(option.name), _kinds(option)
    if option.values:
        return W.Dropdown(options=list(option.values), value=value, **label)
    if bool in kinds:
        return W.Checkbox(value=bool(value), **label)
    if int in kinds and value is not None:
        return W.IntSlider(value=value, min=min(1, value), max=max(100, 10 * value), **label)
    if float in kinds and value is not None:
        return W.FloatText(value=value, **label)
    return W.Text(value="" if value is None else str(value), **label)


def values(analysis: Analysis, made: Mapping[str, W.Widget]) -> dict[str, Any]:
    """What was chosen, where it is not what there would be without choosing."""
    chosen = {}
    for name, widget in made.items():
        option, value = analysis.options[name], widget.value
        if name == "by":
            value = option.default if value == "" else None if value == TOGETHER else value
        elif value == "" and option.default is None:
            value = None
        if value != option.default:
            chosen[name] = value
    return chosen


def columns_of(loc: Location | None, analysis: Analysis) -> list[str]:
    """The columns that an analysis can group by: its first frame's, then its contacts'. No request."""
    if loc is None:
        return []
    first = next(iter(analysis.frames))
    keys = {"ID", "TEXT", "CHOICE", "FLAG", "LIST", "COUNT"}
    fit: list[str] = []
    for resource in [name for name in analysis.frames if name in (first, "contacts")]:
        known = getattr(loc, resource).columns
        fit += known[known["kind"].isin(keys) & ~known["name"].isin(_OF_ONE_ROW)]["name"].tolist()
    names = (name for column in fit for name in ([_NAMES[column]] if column in _NAMES else []) + [column])
    return list(dict.fromkeys(names))


# What differs from row to row, or is no key.
_OF_ONE_ROW = (
    "contact_id", "opportunity_id", "message_id", "appointment_id", "name", "first_name", "last_name", "email",
    "phone", "address", "website", "body", "title", "notes", "additional_emails", "additional_phones",
    "attachments", "from", "to", "contact_name", "contact_email", "contact_phone", "first_url", "last_url",
)  # fmt: skip
