"""Replace whatever can name a person by a pseudonym, for a shared screen or a recording.

Any text that people typed into the location can name somebody: a source, a tag, a stage, even the name of a custom
field. So a text stays visible only if it is known to come from hlkit or HighLevel: an id, a known choice, or a group
such as ``(none)``. Every other text is replaced.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from hlkit.analysis.calendar.appointments import LEAD_TIMES
from hlkit.analysis.core.groups import UNNAMED
from hlkit.analysis.core.office_hours import HOURS, WEEKDAYS
from hlkit.analysis.core.result import Provenance, Result
from hlkit.analysis.inbox.channels import CHANNEL, CHANNEL_NAMES
from hlkit.analysis.leads.sources import TOUCHES
from hlkit.analysis.people.matching import WEIGHTS
from hlkit.analysis.sales.dated_deals import COHORT
from hlkit.analysis.sales.funnel_stages import WON_STEP
from hlkit.client.frames.names import NAMED_BY
from hlkit.client.resources import CATALOG
from hlkit.client.schema import TEXT, Kind
from hlkit.files.summary import pseudonym

# Groups that hlkit names itself.
_HLKIT_TEXTS = UNNAMED | {WON_STEP, *WEEKDAYS, *(day[:3] for day in WEEKDAYS), *HOURS, *LEAD_TIMES, *CHANNEL_NAMES}
# Columns of an analysis that hold only texts of hlkit, and column names that hlkit makes up.
_HLKIT_COLUMNS = frozenset(("weekday", "channel", "wait", "next_step"))
_HLKIT_COLUMN_NAMES = frozenset(("group", "hour", "weekday", "lead_time", COHORT, CHANNEL, *TOUCHES))
_GROUP_SUFFIX = " (group)"
# Patterns of harmless texts, by the kind of a column. Groups by a number, date or flag hold them as text.
_PATTERNS_BY_KIND = {
    "ID": r"[\w.:-]+",
    "FLAG": "True|False",
    "INSTANT": r"\d+-\d\d-\d\d( \d\d:\d\d)?",
    "DAY": r"\d+-\d\d-\d\d",
    **dict.fromkeys(("COUNT", "NUMBER", "MONEY", "SHARE"), r"-?\d+(\.\d+)?"),
}
# HighLevel's own statuses, for which the catalog has no list.
_STATUSES = (
    "new|booked|confirmed|showed|noshow|cancelled|invalid|pending|scheduled|queued|sent|delivered|opened|clicked|read|"
    "received|failed|undelivered|opt_out|completed|answered|busy|no-answer|canceled|voicemail|active|draft|published"
)
_PATTERNS_BY_COLUMN = {
    **dict.fromkeys(("type", "last_message_type"), "TYPE_[A-Z_]+"),
    **dict.fromkeys(("status", "call_status"), _STATUSES),
    "currency": "[A-Z]{3}",
    COHORT: r"\d{4}-\d\d",
}
# Options of an analysis whose values come from the location. The first two are always replaced.
_PATTERNS_BY_OPTION = {"pipeline": r"(?!)", "website": r"(?!)", "country": "[A-Z]{2}", "currency": "[A-Z]{3}"}
# In hlkit's own messages, whatever is quoted or listed comes from the location.
_QUOTED = re.compile(r"(?<![\w=])(['\"])(?!hlkit\[)(?:\\.|(?!\1)[^\\])*\1(?!\w)", re.DOTALL)
_LISTED = re.compile(r"\b(there are|it has|choose from) .*", re.DOTALL)

Kinds = Mapping[str, Kind]


def redact_frame(frame: pd.DataFrame, kinds: Kinds | None = None) -> pd.DataFrame:
    """*frame* with everything that can name a person replaced. *kinds* are the columns of an analysis, if it is one.

    Ids, numbers, instants, flags and known choices stay in columns that are not private and that the catalog or
    *kinds* declares; so do the groups that hlkit names. Every other text becomes a pseudonym, the same for the same
    value until Python ends; other numbers and days become null. The names of custom fields become pseudonyms too.
    """
    kinds = {} if kinds is None else kinds
    redacted = {name: _redact_column(frame[name], str(name), kinds) for name in frame.columns}
    new_names = {name: name if name in kinds else redact_column_name(name) for name in frame.columns}
    return frame.assign(**redacted).rename(columns=new_names)


def redact_column_name(column: object) -> str:
    """The name of *column*; a pseudonym if it is a custom field."""
    name = str(column)
    base = name.removesuffix(_GROUP_SUFFIX)
    names_beside_ids = {name for name, _ in NAMED_BY.values()}
    is_standard = (
        base in _declared_kinds()
        or base in _private_columns()
        or base in _HLKIT_COLUMN_NAMES
        or base in names_beside_ids
        or base == "custom_fields"
    )
    return name if is_standard else pseudonym(base, "field") + name[len(base) :]


@functools.cache
def _private_columns() -> frozenset[str]:
    """Columns that can name a person, in any resource, including the names of users beside their ids."""
    declared = {column.name for resource in CATALOG.values() for column in resource.columns if column.private}
    user_names = {name for name, resource in NAMED_BY.values() if resource == "users"}
    return frozenset(declared | user_names | {"contact"})


@functools.cache
def _declared_kinds() -> Mapping[str, tuple[Kind, ...]]:
    """The kinds that the catalog declares for each column name."""
    kinds: dict[str, tuple[Kind, ...]] = {}
    for resource in CATALOG.values():
        for column in resource.columns:
            kinds[column.name] = (*kinds.get(column.name, ()), column.kind)
    return kinds


def _redact_column(column: pd.Series, name: str, kinds: Kinds) -> pd.Series:
    if name in kinds and name in _HLKIT_COLUMNS:
        return column
    base = name.removesuffix(_GROUP_SUFFIX)
    is_private = base in _private_columns()
    declared = () if is_private else (*((kinds[name],) if name in kinds else ()), *_declared_kinds().get(base, ()))
    if isinstance(column.dtype, pd.StringDtype) or column.dtype == object:
        is_harmless = _harmless_texts(base, is_private, declared)
        replace: Callable[[object], object] = functools.partial(
            _redact_value, prefix=_pseudonym_prefix(base), is_harmless=is_harmless
        )
        if name in kinds and name in _CELL_FUNCTIONS:
            replace = _CELL_FUNCTIONS[name]
        if column.dtype == object:
            return column.map(replace, na_action="ignore")
        codes, values = pd.factorize(column)  # missing values have the code -1, the last item
        redacted = pd.array([*map(replace, values.tolist()), None], dtype=TEXT.dtype)
        return pd.Series(redacted[codes], index=column.index)
    if declared or pd.api.types.is_bool_dtype(column.dtype):
        return column
    return pd.Series(None, index=column.index, dtype=column.dtype if column.dtype != "int64" else "Int64")


def _pseudonym_prefix(column: str) -> str:
    """What the pseudonyms of a column begin with, such as ``source`` or ``tag``."""
    if redact_column_name(column) != column:
        return "text"
    return column.removesuffix("s") if column.endswith("tags") else column


def _harmless_texts(column: str, is_private: bool, declared: tuple[Kind, ...]) -> Callable[[str], bool]:
    """A function that returns whether a text of *column* may stay visible."""
    texts = UNNAMED if is_private else _HLKIT_TEXTS | {choice for kind in declared for choice in kind.choices}
    patterns = [_PATTERNS_BY_KIND[kind.name] for kind in declared if kind.name in _PATTERNS_BY_KIND]
    if not is_private and column in _PATTERNS_BY_COLUMN:
        patterns.append(_PATTERNS_BY_COLUMN[column])
    pattern = re.compile("|".join(patterns) or r"(?!)")  # (?!) never matches
    return lambda text: text in texts or pattern.fullmatch(text) is not None


def _redact_value(value: object, *, prefix: str, is_harmless: Callable[[str], bool]) -> object:
    if isinstance(value, (list, tuple, set)):
        return [_redact_value(item, prefix=prefix, is_harmless=is_harmless) for item in value]
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):  # type: ignore[call-overload]
        return value
    if isinstance(value, str) and (not value.strip() or is_harmless(value)):
        return value
    return pseudonym(value, prefix)


def _redact_evidence(value: object) -> str:
    """Evidence for duplicates, joined by " + ": hlkit's own words, or a custom field."""
    parts = str(value).split(" + ")
    return " + ".join(part if part in WEIGHTS else redact_column_name(part) for part in parts)


# Columns of an analysis whose cells are names of columns.
_CELL_FUNCTIONS: Mapping[str, Callable[[object], object]] = {
    "field": redact_column_name,
    "evidence": _redact_evidence,
}


def redact_result(result: Result, redact_text: Callable[[str], str]) -> Result:
    """*result* with a redacted table and provenance. Its headline and chart follow from the table.

    *redact_text* is applied to sentences: the definition, and what was left out or unavailable.
    """
    table = redact_frame(result.table, result.analysis.columns)
    attributes = dict(table.attrs["hlkit"])
    options = {name: _redact_option(name, value) for name, value in attributes["options"].items()}
    provenance = Provenance(
        result.provenance
        | {name: _redact_texts(result.provenance[name], redact_text) for name in ("left_out", "unavailable")}
        | {"options": result.provenance["options"] | options}
    )
    if provenance["location"] != provenance["location_id"]:
        provenance["location"] = pseudonym(provenance["location"], "location")
    attributes |= {
        "options": options,
        "definition": redact_text(attributes["definition"]),
        "provenance": dict(provenance),
    }
    for name in ("left_out", "unavailable"):
        if name in attributes:
            attributes[name] = _redact_texts(attributes[name], redact_text)
    table.attrs = {"hlkit": attributes}
    return Result(table, result.analysis, provenance)


def _redact_option(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name in ("by", "key_column"):
        return redact_column_name(value)
    is_harmless = name not in _PATTERNS_BY_OPTION or re.fullmatch(_PATTERNS_BY_OPTION[name], value)
    return value if is_harmless else pseudonym(value, name)


def _redact_texts(value: Any, redact_text: Callable[[str], str]) -> Any:
    """*value* with *redact_text* applied to a text, or to all keys and texts of a dict."""
    if isinstance(value, dict):
        return {redact_text(str(key)): _redact_texts(item, redact_text) for key, item in value.items()}
    return redact_text(value) if isinstance(value, str) else value


def redact_message(message: str, pseudonyms: Mapping[str, str]) -> str:
    """A message of hlkit without what it quotes or lists. *pseudonyms* replace the names of custom fields."""
    names = "|".join(re.escape(name) for name in sorted(pseudonyms, key=len, reverse=True) if name.strip())
    if names:
        message = re.sub(rf"(?<!\w)(?:{names})(?!\w)", lambda match: pseudonyms[match[0]], message)
    return _LISTED.sub(r"\1 …", _QUOTED.sub("…", message))
