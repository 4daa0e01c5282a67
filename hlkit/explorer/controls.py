"""Input widgets for the options of an analysis, built from its signature."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from hlkit.analysis.core.analysis import Analysis
from hlkit.client.options import Option

if TYPE_CHECKING:
    from hlkit.location import Location

NO_GROUPING = "(no grouping)"  # by=None
LABEL_STYLE = {"description_width": "110px"}  # fits the longest label, "End (exclusive)"
# An id column can also be grouped by the name that belongs to the id.
_NAME_COLUMNS = {"owner_id": "owner", "user_id": "user", "stage_id": "stage", "pipeline_id": "pipeline"}
_GROUPABLE_KINDS = frozenset(("ID", "TEXT", "CHOICE", "FLAG", "LIST", "COUNT"))
# Columns whose values differ from row to row, so that grouping by them is useless.
_NOT_GROUPABLE = (
    "contact_id", "opportunity_id", "message_id", "appointment_id", "name", "first_name", "last_name", "email",
    "phone", "address", "website", "body", "title", "notes", "additional_emails", "additional_phones",
    "attachments", "from", "to", "contact_name", "contact_email", "contact_phone", "first_url", "last_url",
)  # fmt: skip


def grid(children: Sequence[widgets.Widget]) -> widgets.GridBox:
    """*children* in columns of equal width, as many as fit."""
    for child in children:
        child.layout.width = "auto"
    layout = widgets.Layout(grid_template_columns="repeat(auto-fill, minmax(300px, 1fr))", grid_gap="0 8px")
    return widgets.GridBox(children, layout=layout)


def option_controls(
    analysis: Analysis, group_columns: list[str], options: Mapping[str, Any]
) -> dict[str, widgets.Widget]:
    """A labeled widget for each option that the location does not set itself, by the option's name.

    *group_columns* are suggested for ``by``. *options* are initial values; the others start at their defaults.
    """
    controls = {}
    for name, option in analysis.options.items():
        if name not in analysis.filled_by_location:
            value = options.get(name, option.default)
            control = _group_control(option, group_columns, value) if name == "by" else _control(option, value)
            control.add_class(f"hlkit-choice-{name}")
            controls[name] = control
    return controls


def option_values(analysis: Analysis, controls: Mapping[str, widgets.Widget]) -> dict[str, Any]:
    """The values of *controls* that differ from the defaults."""
    options = {}
    for name, control in controls.items():
        default, value = analysis.options[name].default, control.value
        if name == "by":
            value = default if value == "" else None if value == NO_GROUPING else _columns(value, control.options)
        elif value == "" and default is None:
            value = None
        if value != default:
            options[name] = value
    return options


def _columns(text: str, suggestions: Sequence[str]) -> str | list[str]:
    """The column that *text* names; or two of the *suggestions*, separated by a comma."""
    parts = [part.strip() for part in text.split(",")]
    return parts if text not in suggestions and len(parts) == 2 and set(parts) <= set(suggestions) else text


def _group_control(option: Option, group_columns: list[str], value: Any) -> widgets.Combobox:
    """A text box with suggestions, for a column or two. It is left blank for the default, since a browser suggests
    only what matches the text in the box.
    """
    value = ", ".join(value) if isinstance(value, list) else value
    text = "" if value == option.default else value or NO_GROUPING
    return widgets.Combobox(
        options=group_suggestions(option, group_columns),
        value=text,
        placeholder=option.default or NO_GROUPING,
        **_labeled("by"),
    )


def group_suggestions(option: Option, group_columns: list[str]) -> list[str]:
    """*group_columns*, preceded by "(no grouping)" if the option may be None."""
    return [NO_GROUPING, *group_columns] if type(None) in _types(option) else group_columns


def _control(option: Option, value: Any) -> widgets.Widget:
    """The widget that fits the type of an option."""
    label, types = _labeled(option.name), _types(option)
    if option.values:
        return widgets.Dropdown(options=list(option.values), value=value, **label)
    if bool in types:
        return widgets.Checkbox(value=bool(value), **label)
    if int in types and value is not None:
        return widgets.IntSlider(value=value, min=min(1, value), max=max(100, 10 * value), **label)
    if float in types and value is not None:
        return widgets.FloatText(value=value, **label)
    return widgets.Text(value="" if value is None else str(value), **label)


def _labeled(name: str) -> dict[str, Any]:
    label = name.replace("_", " ").capitalize()
    return {"description": label, "layout": widgets.Layout(width="auto"), "style": LABEL_STYLE}


def _types(option: Option) -> tuple[Any, ...]:
    """The types that an option accepts."""
    return typing.get_args(option.type) or (option.type,)


def groupable_columns(loc: Location | None, analysis: Analysis) -> list[str]:
    """The columns to group *analysis* by: those of its first resource, then those of contacts. No request."""
    if loc is None:
        return []
    columns: list[str] = []
    for resource in [name for name in analysis.frames if name in (analysis.main_resource, "contacts")]:
        declared = getattr(loc, resource).columns
        groupable = declared["kind"].isin(_GROUPABLE_KINDS) & ~declared["name"].isin(_NOT_GROUPABLE)
        for column in declared.loc[groupable, "name"]:
            if column in _NAME_COLUMNS:
                columns.append(_NAME_COLUMNS[column])
            columns.append(column)
    return list(dict.fromkeys(columns))
