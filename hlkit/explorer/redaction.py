"""Pseudonyms on the screen: for a shared screen, or a recording.

What the people of a location wrote can name somebody, wherever it stands: a source, a tag, a stage and the
name of a custom field too. So a text is shown only where it is hlkit's own or HighLevel's (an id, a known
choice, a group such as ``(none)``), and everything else is replaced.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from hlkit.analysis.calendar.appointments import LEAD_TIMES
from hlkit.analysis.core.groups import HOURS, UNNAMED, WEEKDAYS
from hlkit.analysis.core.result import Provenance, Result
from hlkit.analysis.inbox.responses import CHANNEL, CHANNEL_NAMES
from hlkit.analysis.leads.attribution import TOUCHES
from hlkit.analysis.people.matching import WEIGHTS
from hlkit.analysis.sales.close_curve import COHORT
from hlkit.client.frames.names import NAMED_BY
from hlkit.client.resources import CATALOG
from hlkit.client.schema import TEXT, Kind
from hlkit.files.summary import pseudonym

# Groups that hlkit makes, by their names.
_OWN_TEXTS = UNNAMED | {*WEEKDAYS, *(day[:3] for day in WEEKDAYS), *HOURS, *LEAD_TIMES, *CHANNEL_NAMES}
# Columns of analyses that hold hlkit's own words alone, and what else a table's column may be called.
_OWN_COLUMNS = frozenset(("weekday", "channel", "wait", "next_step"))
_OWN_NAMES = frozenset(("group", "hour", "weekday", "lead_time", COHORT, CHANNEL, *TOUCHES))
_GROUP = " (group)"
# What the texts of a kind look like. Groups by a number, a date or yes and no are texts, too.
_NUMBERS = r"-?\d+(\.\d+)?"
_FORMS = {
    "ID": r"[\w.:-]+",
    "FLAG": "True|False",
    "INSTANT": r"\d+-\d\d-\d\d( \d\d:\d\d)?",
    "DAY": r"\d+-\d\d-\d\d",
    **dict.fromkeys(("COUNT", "NUMBER", "MONEY", "SHARE"), _NUMBERS),
}
# HighLevel's own words, where the catalog has no list of them.
_STATES = (
    "new|booked|confirmed|showed|noshow|cancelled|invalid|pending|scheduled|queued|sent|delivered|opened|clicked|read|"
    "received|failed|undelivered|opt_out|completed|answered|busy|no-answer|canceled|voicemail|active|draft|published"
)
_FORMS_OF_NAMES = {
    **dict.fromkeys(("type", "last_message_type"), "TYPE_[A-Z_]+"),
    **dict.fromkeys(("status", "call_status"), _STATES),
    "currency": "[A-Z]{3}",
    COHORT: r"\d{4}-\d\d",
}
# ReadOptions of an analysis that the location's own words fill.
_FORMS_OF_CHOICES = {"pipeline": r"(?!)", "website": r"(?!)", "country": "[A-Z]{2}", "currency": "[A-Z]{3}"}
# In a sentence of hlkit's, what it quotes and what it lists came from the location.
_QUOTED = re.compile(r"(?<![\w=])(['\"])(?!hlkit\[)(?:\\.|(?!\1)[^\\])*\1(?!\w)", re.DOTALL)
_LISTED = re.compile(r"\b(there are|it has) .*", re.DOTALL)

Kinds = Mapping[str, Kind]


@functools.cache
def _private() -> frozenset[str]:
    """Columns that can name a person, in whichever resource: a user's name beside an id too."""
    declared = {column.name for one in CATALOG.values() for column in one.columns if column.private}
    people = {name for name, resource in NAMED_BY.values() if resource == "users"}
    return frozenset(declared | people | {"contact"})


@functools.cache
def _declared() -> Mapping[str, tuple[Kind, ...]]:
    """The kinds that the catalog declares under each name."""
    kinds: dict[str, tuple[Kind, ...]] = {}
    for resource in CATALOG.values():
        for column in resource.columns:
            kinds[column.name] = (*kinds.get(column.name, ()), column.kind)
    return kinds


def hidden_name(column: object) -> str:
    """The name of a column as it may be seen: that of a custom field is a pseudonym."""
    name = str(column)
    base = name.removesuffix(_GROUP)
    known = base in _declared() or base in _OWN_NAMES or base in _private()
    if known or base in {name for name, _ in NAMED_BY.values()} | {"custom_fields"}:
        return name
    return pseudonym(base, "field") + name[len(base) :]


def hidden(frame: pd.DataFrame, kinds: Kinds | None = None) -> pd.DataFrame:
    """*frame* with pseudonyms in the place of whatever can name a person.

    Shown are ids, numbers, instants, yes and no, and the known values of a choice, in columns that the catalog
    or *kinds* (the columns of an analysis) declares and that are not private; and the groups that hlkit makes.
    Every other text has a pseudonym, the same for the same value, in this process alone; other numbers and
    days become null. A custom field has a pseudonym for its name, too.
    """
    kinds = {} if kinds is None else kinds
    changed = {name: _hidden_column(frame[name], str(name), kinds) for name in frame.columns}
    names = {name: name if name in kinds else hidden_name(name) for name in frame.columns}
    return frame.assign(**changed).rename(columns=names)


def _hidden_column(column: pd.Series, name: str, kinds: Kinds) -> pd.Series:
    if name in kinds and name in _OWN_COLUMNS:
        return column
    base = name.removesuffix(_GROUP)
    private = base in _private()
    declared = () if private else (*((kinds[name],) if name in kinds else ()), *_declared().get(base, ()))
    if isinstance(column.dtype, pd.StringDtype) or column.dtype == object:
        special = _SPECIAL.get(name) if name in kinds else None
        stand_in = special or functools.partial(_stand_in, word=_word(base), shows=_shows(base, private, declared))
        if column.dtype == object:
            return column.map(stand_in, na_action="ignore")
        codes, values = pd.factorize(column)
        told = pd.array([*map(stand_in, values.tolist()), None], dtype=TEXT.dtype)
        return pd.Series(told[codes], index=column.index)
    if declared or pd.api.types.is_bool_dtype(column.dtype):
        return column
    return pd.Series(None, index=column.index, dtype=column.dtype if column.dtype != "int64" else "Int64")


def _word(name: str) -> str:
    """What a pseudonym begins with."""
    if hidden_name(name) != name:
        return "text"
    return name.removesuffix("s") if name.endswith("tags") else name


def _shows(name: str, private: bool, declared: tuple[Kind, ...]) -> Callable[[str], bool]:
    """Whether a text of a column may be seen."""
    texts = UNNAMED if private else _OWN_TEXTS | {choice for kind in declared for choice in kind.choices}
    forms = [_FORMS[kind.name] for kind in declared if kind.name in _FORMS]
    if not private and name in _FORMS_OF_NAMES:
        forms.append(_FORMS_OF_NAMES[name])
    fits = re.compile("|".join(forms) or r"(?!)")
    return lambda text: text in texts or fits.fullmatch(text) is not None


def _stand_in(value: object, *, word: str, shows: Callable[[str], bool]) -> object:
    if isinstance(value, (list, tuple, set)):
        return [_stand_in(one, word=word, shows=shows) for one in value]
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):  # type: ignore[call-overload]
        return value
    if isinstance(value, str) and (not value.strip() or shows(value)):
        return value
    return pseudonym(value, word)


# Of an analysis: a column's own name in a cell, and evidences, one of which may be a custom field.
_SPECIAL: Mapping[str, Callable[[object], object]] = {
    "field": hidden_name,
    "evidence": lambda value: " + ".join(
        part if part in WEIGHTS else hidden_name(part) for part in str(value).split(" + ")
    ),
}


def hidden_result(result: Result, tell: Callable[[str], str]) -> Result:
    """*result* of a hidden table, which its answer and chart are of, and of what *tell* makes of its sentences."""
    table = hidden(result.table, result.analysis.columns_of(result.shown))
    about = dict(table.attrs["hlkit"])
    choices = {name: _choice(name, value) for name, value in about["choices"].items()}
    provenance = Provenance(
        result.provenance
        | {name: _each_text(result.provenance[name], tell) for name in ("left_out", "without")}
        | {"choices": result.provenance["choices"] | choices}
    )
    if provenance["location"] != provenance["location_id"]:
        provenance["location"] = pseudonym(provenance["location"], "location")
    about |= {"choices": choices, "definition": tell(about["definition"]), "provenance": dict(provenance)}
    about |= {name: _each_text(about[name], tell) for name in ("left_out", "without") if name in about}
    table.attrs = {"hlkit": about}
    return Result(table, result.analysis, provenance)


def _choice(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name in ("by", "key_column"):
        return hidden_name(value)
    shown = re.fullmatch(_FORMS_OF_CHOICES[name], value) if name in _FORMS_OF_CHOICES else True
    return value if shown else pseudonym(value, name)


def _each_text(told: Any, tell: Callable[[str], str]) -> Any:
    if isinstance(told, dict):
        return {tell(str(name)): _each_text(value, tell) for name, value in told.items()}
    return tell(told) if isinstance(told, str) else told


def hidden_words(sentence: str, fields: Mapping[str, str]) -> str:
    """A sentence of hlkit's without what it quotes or lists; *fields* are pseudonyms by the names that they hide."""
    names = "|".join(re.escape(name) for name in sorted(fields, key=len, reverse=True) if name.strip())
    if names:
        sentence = re.sub(rf"(?<!\w)(?:{names})(?!\w)", lambda found: fields[found[0]], sentence)
    return _LISTED.sub(r"\1 …", _QUOTED.sub("…", sentence))
