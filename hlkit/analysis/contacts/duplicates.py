"""Duplicates: which contacts are the same person, on what evidence, and which record to keep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.canvas import BLUE, GRAY, INK, SKY, dot_plot, label_rows, top_groups
from hlkit.analysis.core.groups import (
    SMALL,
    assign_groups,
    column_or_nulls,
    effective_rows_of_group,
    group_column_name,
    group_keys,
    per_group,
    require_columns,
    share_with_interval,
)
from hlkit.analysis.core.headlines import compare_groups, largest_group
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import remark
from hlkit.analysis.people.matching import WEIGHTS, ContactIndex, Matches, connected_components, find_matches
from hlkit.analysis.people.normalize import Codes, jaro_winkler
from hlkit.client.schema import COUNT, FLAG, ID, INSTANT, SHARE, TEXT
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The fields that decide which record of a cluster to keep: the one with most of them filled in.
SURVIVOR_FIELDS = (
    "first_name",
    "last_name",
    "email",
    "phone",
    "company_name",
    "address",
    "city",
    "postal_code",
    "birthday",
    "owner_id",
)


@analysis(
    "Which contacts are duplicates?",
    columns={
        "contacts": {
            "cluster": COUNT,
            "cluster_size": COUNT,
            "contact_id": ID,
            "contact": TEXT,
            "email": TEXT,
            "phone": TEXT,
            "created_at": INSTANT,
            "owner_id": ID,
            "evidence": TEXT,
            "score": SHARE,
            "filled": COUNT,
            "suggested_survivor": FLAG,
        },
        "pairs": {
            "cluster": COUNT,
            "contact_id": ID,
            "contact": TEXT,
            "other_contact_id": ID,
            "other_contact": TEXT,
            "evidence": TEXT,
            "score": SHARE,
        },
        "evidence": {"evidence": TEXT, "pairs": COUNT, "contacts": COUNT, "clusters": COUNT, "score": SHARE},
        "summary": {
            "n": COUNT,
            "clusters": COUNT,
            "duplicates": COUNT,
            "duplicate_share": SHARE,
            "duplicate_low": SHARE,
            "duplicate_high": SHARE,
            "small": FLAG,
        },
    },
    definition=(
        "Two contacts count as one person if there is evidence for it: the same email or phone number and similar "
        "first names (spelling, or a nickname such as Bob); or the same full name with the same address, birthday "
        "or postcode, unless other fields contradict it. Emails and phone numbers are normalized first; nearly the "
        "same email is not evidence. Contacts linked by such pairs form a cluster. The suggested survivor of a "
        "cluster has the most fields filled in, then is the oldest; the others are duplicates. hlkit only reports "
        "them; it merges nothing."
    ),
    noun="duplicate contacts",
)
def duplicates(
    contacts: pd.DataFrame,
    *,
    country: str = "US",
    by: str | None = None,
    key_column: str | None = None,
    show: Literal["contacts", "pairs", "evidence", "summary"] = "contacts",
) -> pd.DataFrame:
    """Contacts that are the same person, in clusters, each with its evidence.

    People who share a phone or a mailbox are not duplicates if their first names differ. An email or phone number
    with more than 3 first names counts only if last names agree too; with more than 30 it is a placeholder and does
    not count. A name counts only if a second person with that name would be unlikely there. Without the extra
    ``dedupe``, first names are similar only if they are equal, nicknames, or start with the same two letters.

    Parameters
    ----------
    contacts
        One row per contact: contact_id; optional first_name, last_name, name, email, additional_emails, phone,
        additional_phones, address, postal_code, city, birthday and created_at.
    key_column
        A column that identifies a person, such as a custom field with a customer number. The same value is evidence.
    show
        ``contacts`` that are duplicates, ``pairs`` of them, pairs by ``evidence``, or a ``summary`` by group.

    Returns
    -------
    For "contacts" a row per contact of a cluster, the largest clusters first and the suggested survivor on top.
    For "pairs" a row per pair, and for "evidence" a row per combination of evidence. For "summary" a row per value of
    *by*: ``n`` (contacts), ``clusters`` (counted in the group of their survivor), ``duplicates`` (contacts of a
    cluster other than its survivor) and their share of ``n``. ``score``, 0 to 1, orders pairs by their evidence; it
    is not a probability: 1 minus the product of (1 - weight) over the evidence.

    Raises
    ------
    MissingColumn

    Source: Christen, "Data Matching", Springer 2012; Fellegi & Sunter, "A Theory for Record Linkage", JASA 64,
    1969.
    """
    require_columns(contacts, "contact_id", by, key_column)
    if jaro_winkler() is None:
        remark('Similar spellings of names were not compared: this needs pip install "hlkit[dedupe]".')
    index = ContactIndex(contacts, country, key_column)
    matches = find_matches(index)
    clusters = _Clusters(index, matches)
    if show == "summary":
        return _summary_table(contacts, clusters, by)
    if show == "contacts":
        return _contacts_table(contacts, matches, clusters, key_column, by)
    if by is not None:
        remark(f"The {show} are not grouped by {by}.")
    if show == "pairs":
        return _pairs_table(contacts, matches, clusters, key_column)
    return _evidence_table(matches, clusters, key_column)


# ---- its tables


class _Clusters:
    """The clusters, numbered from 1, the largest first.

    ``rows`` are the rows of contacts in a cluster, the survivor of each cluster first; ``number``, ``size``,
    ``is_survivor`` and ``filled`` belong to these rows. ``number_of_row`` has the cluster of every contact, or 0.
    """

    def __init__(self, index: ContactIndex, matches: Matches) -> None:
        root = connected_components(matches.a, matches.b, index.count)
        size = np.bincount(root, minlength=index.count)
        rows = np.flatnonzero(size[root] > 1)
        frame = index.frame
        filled = np.zeros(index.count, dtype="int64")
        for name in SURVIVOR_FIELDS:
            if name in frame:
                filled += (frame[name].notna() & (frame[name] != "")).to_numpy(dtype=bool)
        created = np.zeros(index.count)
        if "created_at" in frame and isinstance(frame["created_at"].dtype, pd.DatetimeTZDtype):
            dates = pd.to_numeric(frame["created_at"]).where(frame["created_at"].notna())
            created = dates.to_numpy("float64", na_value=np.inf)  # without a date, last
        rows = rows[np.lexsort((rows, created[rows], -filled[rows], root[rows], -size[root[rows]]))]
        is_first = np.r_[True, root[rows][1:] != root[rows][:-1]] if len(rows) else np.zeros(0, dtype=bool)
        self.rows, self.is_survivor, self.filled = rows, is_first, filled[rows]
        self.number, self.size = np.cumsum(is_first), size[root[rows]]
        self.number_of_row = np.zeros(index.count, dtype="int64")
        self.number_of_row[rows] = self.number


def _describe(evidence: Codes, key_column: str | None) -> tuple[Any, Any]:
    """The text and the score of each combination of *evidence* bits."""
    combinations, position = np.unique(evidence, return_inverse=True)
    texts, scores = [], []
    for bits in combinations.tolist():
        weights = {name: weight for bit, (name, weight) in enumerate(WEIGHTS.items()) if bits >> bit & 1}
        if "name and address" in weights:  # the same address implies the same postcode
            weights.pop("name and postcode", None)
        texts.append(" + ".join(str(key_column) if name == "key" else name for name in weights))
        scores.append(1 - math.prod(1 - weight for weight in weights.values()))
    return np.array(texts, dtype=object)[position], np.array(scores, dtype="float64")[position]


def _names(contacts: pd.DataFrame, rows: Codes) -> Any:
    """The names of *rows*: first and last name, else the full name, else the company."""

    def text(name: str) -> pd.Series:
        return column_or_nulls(contacts, name).iloc[rows].astype(TEXT.dtype).reset_index(drop=True)

    names = (text("first_name").fillna("") + " " + text("last_name").fillna("")).str.strip()
    return names.where(names != "", text("name")).fillna(text("company_name")).array


def _contacts_table(
    contacts: pd.DataFrame, matches: Matches, clusters: _Clusters, key_column: str | None, by: str | None
) -> pd.DataFrame:
    rows = clusters.rows
    # Of each contact, the evidence of all its pairs and their highest score.
    evidence, score = np.zeros(len(contacts), dtype="int64"), np.zeros(len(contacts))
    pair_score = _describe(matches.evidence, key_column)[1]
    for side in (matches.a, matches.b):
        np.bitwise_or.at(evidence, side, matches.evidence)
        np.maximum.at(score, side, pair_score)
    table = pd.DataFrame(
        {
            "cluster": clusters.number,
            "cluster_size": clusters.size,
            "contact_id": contacts["contact_id"].iloc[rows].array,
            "contact": _names(contacts, rows),
            **{name: column_or_nulls(contacts, name).iloc[rows].array for name in ("email", "phone", "owner_id")},
            "created_at": column_or_nulls(contacts, "created_at", INSTANT).iloc[rows].array,
            "evidence": _describe(evidence[rows], key_column)[0],
            "score": score[rows],
            "filled": clusters.filled,
            "suggested_survivor": clusters.is_survivor,
        }
    )
    groups = group_keys(contacts, by)
    if groups is None:
        return table
    table, groups = assign_groups(table, groups.iloc[rows].reset_index(drop=True), limit=None)
    table.insert(0, group_column_name(by, table.columns), groups)
    return table


def _pairs_table(
    contacts: pd.DataFrame, matches: Matches, clusters: _Clusters, key_column: str | None
) -> pd.DataFrame:
    evidence, score = _describe(matches.evidence, key_column)
    table = pd.DataFrame(
        {
            "cluster": clusters.number_of_row[matches.a],
            "contact_id": contacts["contact_id"].iloc[matches.a].array,
            "contact": _names(contacts, matches.a),
            "other_contact_id": contacts["contact_id"].iloc[matches.b].array,
            "other_contact": _names(contacts, matches.b),
            "evidence": evidence,
            "score": score,
        }
    )
    return table.sort_values(["cluster", "score"], ascending=[True, False], kind="stable")


def _evidence_table(matches: Matches, clusters: _Clusters, key_column: str | None) -> pd.DataFrame:
    evidence, score = _describe(matches.evidence, key_column)
    cluster = clusters.number_of_row[matches.a]
    pairs = pd.DataFrame({"evidence": evidence, "row": matches.a, "cluster": cluster, "score": score})
    both_sides = pd.concat([pairs, pairs.assign(row=matches.b)])
    table = pd.DataFrame(
        {
            "pairs": pairs.groupby("evidence").size(),
            "contacts": both_sides.groupby("evidence")["row"].nunique(),
            "clusters": pairs.groupby("evidence")["cluster"].nunique(),
            "score": pairs.groupby("evidence")["score"].first(),
        }
    )
    table = table.rename_axis("evidence").reset_index()
    return table.sort_values("pairs", ascending=False, kind="stable")


def _summary_table(contacts: pd.DataFrame, clusters: _Clusters, by: str | None) -> pd.DataFrame:
    is_survivor, is_duplicate = (np.zeros(len(contacts), dtype=bool) for _ in range(2))
    is_survivor[clusters.rows[clusters.is_survivor]] = True
    is_duplicate[clusters.rows[~clusters.is_survivor]] = True
    cluster = np.where(clusters.number_of_row > 0, clusters.number_of_row, np.nan)
    rows = pd.DataFrame(
        {"survivor": is_survivor, "duplicate": is_duplicate, "cluster": cluster}, index=contacts.index
    )

    def summarize(group: pd.DataFrame) -> dict[str, Any]:
        n, count = len(group), int(group["duplicate"].sum())
        # Rows of one cluster are not independent: one wrong pair changes all of them.
        effective = effective_rows_of_group(group["duplicate"], group["cluster"])[0]
        return {
            "n": n,
            "clusters": int(group["survivor"].sum()),
            "duplicates": count,
            **share_with_interval("duplicate", count, n, effective),
            "small": n < SMALL,
        }

    return per_group(rows, group_keys(contacts, by), duplicates.columns_of("summary"), summarize)


# ---- its headlines


@duplicates.headline_for(show="contacts")
def contacts_headline(table: pd.DataFrame) -> str:
    contacts = table.drop_duplicates("contact_id")  # a contact with several groups has a row in each
    people = contacts["cluster"].nunique()
    counts = contacts.groupby("evidence", as_index=False).agg(contacts=("contact_id", "size"))
    return (
        f"{many(len(contacts), 'contact')} appear to be {'one person' if people == 1 else f'{people:,} people'}. "
        f"Most common evidence: {largest_group(counts, 'contacts', ' contacts')}."
    )


@duplicates.headline_for(show="pairs")
def pairs_headline(table: pd.DataFrame) -> str:
    counts = table.groupby("evidence", as_index=False).agg(pairs=("score", "size"))
    verb = "appears" if len(table) == 1 else "each appear"
    return (
        f"{many(len(table), 'pair')} of contacts {verb} to be one person. "
        f"Most common evidence: {largest_group(counts, 'pairs', ' pairs')}."
    )


@duplicates.headline_for(show="evidence")
def evidence_headline(table: pd.DataFrame) -> str:
    return f"Most common evidence: {largest_group(table, 'pairs')} of {many(table['pairs'].sum(), 'pair')}."


@duplicates.headline_for(show="summary")
def summary_headline(table: pd.DataFrame) -> str:
    return compare_groups(table, "duplicate", "Duplicate contacts, not counting the one to keep")


# ---- its charts


@duplicates.chart("evidence", show="contacts")
def contacts_chart(table: pd.DataFrame, ax: Axes) -> None:
    contacts = table.drop_duplicates("contact_id")
    cluster_sizes = contacts.drop_duplicates("cluster")["cluster_size"].clip(upper=5).value_counts().sort_index()
    sizes = ", ".join(
        f"{count:,} with {size}{' or more' if size == 5 else ''}" for size, count in cluster_sizes.items()
    )
    counts = contacts.groupby("evidence").agg(contacts=("contact_id", "size"), clusters=("cluster", "nunique"))
    _bars(counts.sort_values("contacts", ascending=False, kind="stable").reset_index(), ax, "contacts")
    note = f"{len(contacts):,} contacts in {cluster_sizes.sum():,} clusters ({sizes} contacts)"
    ax.annotate(note, (0, -0.2), xycoords="axes fraction", color=GRAY, fontsize=8, va="top", annotation_clip=False)


@duplicates.chart("evidence", show="pairs")
def pairs_chart(table: pd.DataFrame, ax: Axes) -> None:
    counts = table.groupby("evidence").agg(pairs=("score", "size"), clusters=("cluster", "nunique"))
    _bars(counts.sort_values("pairs", ascending=False, kind="stable").reset_index(), ax, "pairs")


@duplicates.chart("pairs", show="evidence")
def evidence_chart(table: pd.DataFrame, ax: Axes) -> None:
    _bars(table, ax, "pairs")


@duplicates.chart("duplicate_share", show="summary")
def summary_chart(table: pd.DataFrame, ax: Axes) -> None:
    shown = top_groups(table, ax, "n")
    share, low, high = (shown[f"duplicate_{part}"] for part in ("share", "low", "high"))
    dot_plot(ax, shown.iloc[:, 0].tolist(), share, low, high, counts=shown["n"], small=shown["small"])
    ax.set_xlim(left=0)
    ax.set_xlabel("duplicate contacts, not counting the one to keep (95% interval)")


def _bars(table: pd.DataFrame, ax: Axes, column: str) -> None:
    """A bar of *column* for each evidence, labeled with its clusters; a single kind of evidence is lighter."""
    shown = top_groups(table, ax)
    positions = label_rows(ax, shown["evidence"].tolist())
    counts = shown[column].to_numpy("float64")
    is_single = ~shown["evidence"].str.contains(" + ", regex=False).to_numpy(dtype=bool)
    ax.barh(positions, counts, color=np.where(is_single, SKY, BLUE).tolist(), height=0.7, linewidth=0)
    for position, count, clusters in zip(positions, counts, shown["clusters"].tolist(), strict=True):
        ax.annotate(
            f"{int(count):,} in {many(clusters, 'cluster')}",
            (count, position),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=INK,
        )
    ax.set_xlim(0, counts.max() * 1.6)
    ax.set_xlabel(column)
