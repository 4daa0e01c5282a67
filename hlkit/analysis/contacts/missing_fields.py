"""Missing fields: how many contacts lack each field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.contacts.contact_checks import is_filled
from hlkit.analysis.core.charts import Dots, GroupHeatmap
from hlkit.analysis.core.charts.group_heatmap import has_groups
from hlkit.analysis.core.groups import (
    SMALL,
    assign_groups,
    column_or_nulls,
    group_column_name,
    group_keys,
    rank_by_size,
    require_columns,
)
from hlkit.analysis.core.headlines import difference, summary_of_all
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import record_rows
from hlkit.analysis.core.shares import share_with_interval
from hlkit.client.schema import COUNT, FLAG, INSTANT, SHARE, TEXT
from hlkit.client.text import many

# The fields of the chart and the headline, if present: what most teams fill in.
STANDARD_FIELDS = ("email", "phone", "name", "last_name", "source", "owner_id", "country", "city", "address", "tags")
_NOT_FIELDS = ("do_not_disturb", "is_valid_email")  # endings of columns that nobody fills in


def standard_fields(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the standard fields; without any, of the first 12 fields."""
    is_standard = table["field"].isin(STANDARD_FIELDS)
    return table[is_standard] if is_standard.any() else table[table["field"].isin(table["field"].unique()[:12])]


def most_often_missing(table: pd.DataFrame) -> str:
    """The standard fields that are most often missing, with their share, and whether groups differ in the first."""
    if has_groups(table):
        return _compare_groups(table)
    fields = table[table["field"].isin(STANDARD_FIELDS)]
    if not fields["missing"].sum():
        return "No standard field is missing." if len(fields) else ""
    worst = fields[fields["missing"] == fields["missing"].max()]
    names = [field_label(field) for field in worst["field"]]
    listed = " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more fields"
    row = worst.iloc[0]
    return f"Most often missing: {listed} ({row['missing_share']:.0%} of {many(row['n'], 'contact')})."


def _compare_groups(table: pd.DataFrame) -> str:
    total = summary_of_all(table)
    if total is None or not total["missing"]:
        return "No standard field is missing." if total is not None else ""
    share = f"{total['missing_share']:.0%} of {many(total['n'], 'contact')}"
    groups = table[table["field"] == total["field"]]
    return f"Most often missing: {field_label(total['field'])} ({share}). {difference(groups, 'missing')}".strip()


def field_label(field: str) -> str:
    """A field as people call it: last name, owner."""
    return field.removesuffix("_id").replace("_", " ")


COLUMNS = {
    "field": TEXT,
    "n": COUNT,
    "missing": COUNT,
    "missing_share": SHARE,
    "missing_low": SHARE,
    "missing_high": SHARE,
    "small": FLAG,
}


@analysis(
    "Which fields are missing most often?",
    columns=COLUMNS,
    chart=GroupHeatmap(
        Dots("missing", "share of contacts without this field"),
        "field",
        "missing_share",
        "share of contacts without this field",
        labels={field: field_label(field) for field in STANDARD_FIELDS},
        shown=standard_fields,
    ),
    headline=most_often_missing,
    definition=(
        "A field is missing if it is null, blank or an empty list. Shares are of all n contacts, with 95% Wilson "
        f"intervals. The chart and the headline have the standard fields: {', '.join(STANDARD_FIELDS)}."
    ),
    noun="contacts",
    rows={"field": TEXT, "created_at": INSTANT},
)
def missing_fields(contacts: pd.DataFrame, *, by: str | None = None) -> pd.DataFrame:
    """How many contacts lack each field, custom fields included.

    Parameters
    ----------
    contacts
        One row per contact: contact_id, and its fields.
    by
        A column of the contacts: source, owner, tags, a custom field.

    Returns
    -------
    One row per group and field, the largest group first and in it the field that is most often missing: ``n``
    (contacts), ``missing`` (contacts without the field), ``missing_share`` with its interval, and ``small`` (fewer
    than 20 contacts). The rows behind a group are the contacts without the field.

    Raises
    ------
    MissingColumn

    Source: for the intervals, Brown, Cai & DasGupta, "Interval Estimation for a Binomial Proportion", Stat. Sci.
    16(2), 2001.
    """
    require_columns(contacts, "contact_id", by)
    fields = [name for name in contacts if name != "contact_id" and not str(name).endswith(_NOT_FIELDS)]
    names = np.array([str(name) for name in fields], dtype=object)
    is_missing = np.empty((len(contacts), len(fields)), dtype=bool)
    for number, name in enumerate(fields):
        is_missing[:, number] = ~is_filled(contacts[name])
    row_numbers = pd.DataFrame({"row": np.arange(len(contacts))}, index=contacts.index)
    row_numbers, groups = assign_groups(row_numbers, group_keys(contacts, by))
    row = row_numbers["row"].to_numpy()
    _record_rows(contacts, groups, names, is_missing, row, by)

    codes, group_names = rank_by_size(groups)
    missing = pd.DataFrame(is_missing[row]).groupby(codes).sum().to_numpy().ravel()
    n = np.bincount(codes, minlength=len(group_names)).repeat(len(fields))
    table = pd.DataFrame(
        {
            group_column_name(by, COLUMNS): group_names.repeat(len(fields)),
            "field": np.tile(names, len(group_names)),
            **_shares(missing, n),
        }
    )
    group = np.arange(len(group_names)).repeat(len(fields))
    return table.iloc[np.lexsort((-table["missing_share"].to_numpy(), group))]


def _shares(missing: Any, n: Any) -> dict[str, Any]:
    return {"n": n, "missing": missing, **share_with_interval("missing", missing, n), "small": n < SMALL}


def _record_rows(
    contacts: pd.DataFrame, groups: pd.Series, names: Any, is_missing: Any, row: Any, by: str | None
) -> None:
    """Record who lacks which field, and for all contacts the standard field that is most often missing."""
    ids = pd.DataFrame(
        {
            "created_at": column_or_nulls(contacts, "created_at", INSTANT),
            "owner_id": column_or_nulls(contacts, "owner_id"),
            "contact_id": contacts["contact_id"],
        }
    )
    at, field = np.nonzero(is_missing[row])
    behind = ids.iloc[row[at]].assign(field=names[field])
    group = group_column_name(by, COLUMNS)
    keys = pd.DataFrame({group: groups.iloc[at].to_numpy(), "field": names[field]})
    total: dict[str, Any] = {}
    standard = np.flatnonzero(np.isin(names, STANDARD_FIELDS) & (names != str(by)))
    if len(standard) and len(contacts):
        missing = is_missing.sum(axis=0)[standard]
        first = standard[missing.argmax()]
        total = {"field": names[first], **_shares(int(missing.max()), len(contacts))}
    record_rows(behind, keys, total)
