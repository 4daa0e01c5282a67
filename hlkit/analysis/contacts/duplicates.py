"""Duplicates: who is in twice, by which evidence, and which of the rows to keep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts import BLUE, GRAY, INK, SKY, dot_plot, label_rows, top_groups
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
from hlkit.analysis.people.matching import WEIGHTS, Found, People, components, find
from hlkit.analysis.people.normalize import Codes, likeness
from hlkit.client.schema import COUNT, FLAG, ID, INSTANT, SHARE, TEXT
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILLED = (
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
    "Who is in twice, and why do we think so?",
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
        "Two contacts are taken for one person where a named evidence holds: the same email or the same phone and "
        "a first name that is close (letters, or a short form such as Bob); the full name and the address, the "
        "birthday, or the postcode with nothing that speaks against it. Emails and phones are compared after "
        "writing them alike; nearly the same email is no evidence. Rows that hang together by such pairs are a "
        "cluster; its suggested survivor has the most fields filled, then is the oldest; duplicates are the others. "
        "hlkit reports, and merges nothing."
    ),
    noun="duplicate contacts",
)
def duplicates(
    contacts: pd.DataFrame,
    *,
    country: str = "US",
    by: str | None = None,
    also: str | None = None,
    show: Literal["contacts", "pairs", "evidence", "summary"] = "contacts",
) -> pd.DataFrame:
    """Contacts that are one person, in clusters, each with the evidence for it.

    Takes one row per contact: contact_id, and as much as there is of first_name, last_name, name, email,
    additional_emails, phone, additional_phones, address, postal_code, city, birthday and created_at. Gives, by
    *show*: ``contacts``, a row per contact of a cluster, largest clusters first and the suggested survivor on
    top; ``pairs``, a row per pair with evidence; ``evidence``, a row per combination of evidences; ``summary``,
    a row per value of *by* with ``n`` contacts, ``clusters`` (counted where their survivor is), ``duplicates``
    (contacts of a cluster beside its survivor) and their share of ``n``. ``score`` is 0 to 1: one less the
    product of the doubts that each evidence leaves, for ordering, not a probability. Raises ``MissingColumn``.

    Couples on one phone and shared mailboxes stay apart: there the first names differ. An email or phone with
    more than 3 first names on it counts only where last names agree too, and with more than 30 it is taken for a
    placeholder and not at all. A name is evidence only where chance would hardly bring a namesake there.
    Without the extra ``dedupe`` names count as close where they are equal, a short form, or begin alike.

    Parameters
    ----------
    also
        A column that names a person, such as a custom field with a customer number: sharing it is an evidence.
    show
        ``contacts`` in twice, ``pairs`` of them, pairs by ``evidence``, or a ``summary`` by group.

    Source: Christen, "Data Matching", Springer 2012; Fellegi & Sunter, "A Theory for Record Linkage", JASA 64,
    1969.
    """
    require_columns(contacts, "contact_id", by, also)
    people = People(contacts, country, also)
    if likeness() is None:
        remark('Names nearly the same were not compared; pip install "hlkit[dedupe]" brings what does it.')
    found = find(people)
    clusters = _Clusters(people, found)
    if show == "summary":
        return _summary(contacts, clusters, by)
    if show == "contacts":
        return _contacts(contacts, found, clusters, also, by)
    if by is not None:
        remark(f"The {show} are those of all contacts, not by {by}.")
    if show == "pairs":
        return _pairs_table(contacts, found, clusters, also)
    return _evidence(found, clusters, also)


# ---- its tables


class _Clusters:
    """Which rows are in which cluster, numbered from 1 with the largest first, and the survivor of each."""

    def __init__(self, p: People, found: Found) -> None:
        root = components(found.a, found.b, p.count)
        size = np.bincount(root, minlength=p.count)
        rows = np.flatnonzero(size[root] > 1)
        frame = p.frame
        filled = np.zeros(p.count, dtype="int64")
        for name in FILLED:
            if name in frame:
                filled += (frame[name].notna() & (frame[name] != "")).to_numpy(dtype=bool)
        # One without a date may be of any age, and is taken for the youngest.
        created = pd.to_numeric(frame["created_at"]).where(frame["created_at"].notna()) if _has(frame) else None
        age = np.zeros(p.count) if created is None else created.to_numpy("float64", na_value=np.inf)
        # By cluster, the survivor first: the most fields, then the oldest, then the row that came first.
        rows = rows[np.lexsort((rows, age[rows], -filled[rows], root[rows], -size[root[rows]]))]
        is_first = np.r_[True, root[rows][1:] != root[rows][:-1]] if len(rows) else np.zeros(0, dtype=bool)
        self.rows, self.survives, self.filled = rows, is_first, filled[rows]
        self.number, self.size = np.cumsum(is_first), size[root[rows]]
        self.of_row = np.zeros(p.count, dtype="int64")
        self.of_row[rows] = self.number


def _has(frame: pd.DataFrame) -> bool:
    return "created_at" in frame and isinstance(frame["created_at"].dtype, pd.DatetimeTZDtype)


def _told(bits: Codes, also: str | None) -> tuple[Any, Any]:
    """The evidences of each of *bits* in words, and how sure they make together."""
    sets, at = np.unique(bits, return_inverse=True)
    words, sure = [], []
    for one in sets.tolist():
        held = {name: weight for place, (name, weight) in enumerate(WEIGHTS.items()) if one >> place & 1}
        if "name and address" in held:  # whose postcode is the same, too
            held.pop("name and postcode", None)
        words.append(" + ".join(str(also) if name == "also" else name for name in held))
        sure.append(1 - math.prod(1 - weight for weight in held.values()))
    return np.array(words, dtype=object)[at], np.array(sure, dtype="float64")[at]


def _names(contacts: pd.DataFrame, rows: Codes) -> Any:
    """A name to judge by: the whole name, else first and last, else the company."""

    def text(name: str) -> pd.Series:
        return column_or_nulls(contacts, name).iloc[rows].astype(TEXT.dtype).reset_index(drop=True)

    written = (text("first_name").fillna("") + " " + text("last_name").fillna("")).str.strip()
    return written.where(written != "", text("name")).fillna(text("company_name")).array


def _contacts(
    contacts: pd.DataFrame, found: Found, clusters: _Clusters, also: str | None, by: str | None
) -> pd.DataFrame:
    rows = clusters.rows
    bits, score = np.zeros(len(contacts), dtype="int64"), np.zeros(len(contacts))
    sure = _told(found.bits, also)[1]
    for side in (found.a, found.b):
        np.bitwise_or.at(bits, side, found.bits)
        np.maximum.at(score, side, sure)
    table = pd.DataFrame(
        {
            "cluster": clusters.number,
            "cluster_size": clusters.size,
            "contact_id": contacts["contact_id"].iloc[rows].array,
            "contact": _names(contacts, rows),
            **{name: column_or_nulls(contacts, name).iloc[rows].array for name in ("email", "phone", "owner_id")},
            "created_at": column_or_nulls(contacts, "created_at", INSTANT).iloc[rows].array,
            "evidence": _told(bits[rows], also)[0],
            "score": score[rows],
            "filled": clusters.filled,
            "suggested_survivor": clusters.survives,
        }
    )
    key = group_keys(contacts, by)
    if key is None:
        return table
    table, keys = assign_groups(table, key.iloc[rows].reset_index(drop=True), most=None)
    table.insert(0, group_column_name(by, table.columns), keys)
    return table


def _pairs_table(contacts: pd.DataFrame, found: Found, clusters: _Clusters, also: str | None) -> pd.DataFrame:
    evidence, score = _told(found.bits, also)
    table = pd.DataFrame(
        {
            "cluster": clusters.of_row[found.a],
            "contact_id": contacts["contact_id"].iloc[found.a].array,
            "contact": _names(contacts, found.a),
            "other_contact_id": contacts["contact_id"].iloc[found.b].array,
            "other_contact": _names(contacts, found.b),
            "evidence": evidence,
            "score": score,
        }
    )
    return table.sort_values(["cluster", "score"], ascending=[True, False], kind="stable")


def _evidence(found: Found, clusters: _Clusters, also: str | None) -> pd.DataFrame:
    evidence, score = _told(found.bits, also)
    one = pd.DataFrame({"evidence": evidence, "row": found.a, "cluster": clusters.of_row[found.a], "score": score})
    both = pd.concat([one, one.assign(row=found.b)])
    table = pd.DataFrame(
        {
            "pairs": one.groupby("evidence").size(),
            "contacts": both.groupby("evidence")["row"].nunique(),
            "clusters": one.groupby("evidence")["cluster"].nunique(),
            "score": one.groupby("evidence")["score"].first(),
        }
    )
    table = table.rename_axis("evidence").reset_index()
    return table.sort_values("pairs", ascending=False, kind="stable")


def _summary(contacts: pd.DataFrame, clusters: _Clusters, by: str | None) -> pd.DataFrame:
    survives, more = (np.zeros(len(contacts), dtype=bool) for _ in range(2))
    survives[clusters.rows[clusters.survives]] = True
    more[clusters.rows[~clusters.survives]] = True
    cluster = np.where(clusters.of_row > 0, clusters.of_row, np.nan)
    rows = pd.DataFrame({"survives": survives, "more": more, "cluster": cluster}, index=contacts.index)

    def summary(group: pd.DataFrame) -> dict[str, Any]:
        n, twice = len(group), int(group["more"].sum())
        told = {"n": n, "clusters": int(group["survives"].sum()), "duplicates": twice, "small": n < SMALL}
        # The rows of a cluster stand and fall together.
        effective = effective_rows_of_group(group["more"], group["cluster"])[0]
        return told | share_with_interval("duplicate", twice, n, effective)

    return per_group(rows, group_keys(contacts, by), duplicates.columns_of("summary"), summary)


# ---- its answers


@duplicates.headline_for(show="contacts")
def how_many_are_twice(table: pd.DataFrame) -> str:
    one = table.drop_duplicates("contact_id")
    people = one["cluster"].nunique()
    most_ = largest_group(
        one.groupby("evidence", as_index=False).agg(contacts=("contact_id", "size")), "contacts", " contacts"
    )
    return f"{many(len(one), 'contact')} seem to be {_people(people)}. The most common evidence: {most_}."


def _people(count: int) -> str:
    return "one person" if count == 1 else f"{count:,} people"


@duplicates.headline_for(show="pairs")
def why_they_pair(table: pd.DataFrame) -> str:
    most_ = largest_group(table.groupby("evidence", as_index=False).agg(pairs=("score", "size")), "pairs", " pairs")
    return f"{many(len(table), 'pair')} of contacts seem to be one person each. The most common evidence: {most_}."


@duplicates.headline_for(show="evidence")
def which_evidence(table: pd.DataFrame) -> str:
    return f"The most common evidence: {largest_group(table, 'pairs')} of {many(table['pairs'].sum(), 'pair')}."


@duplicates.headline_for(show="summary")
def share_that_is_twice(table: pd.DataFrame) -> str:
    return compare_groups(table, "duplicate", "Duplicate contacts, not counting the one to keep")


# ---- and charts


@duplicates.chart("evidence", show="contacts")
def bars_of_contacts(table: pd.DataFrame, ax: Axes) -> None:
    one = table.drop_duplicates("contact_id")
    by_size = one.drop_duplicates("cluster")["cluster_size"].clip(upper=5).value_counts().sort_index()
    sizes = ", ".join(f"{n:,} of {size}{' or more' if size == 5 else ''}" for size, n in by_size.items())
    told = one.groupby("evidence").agg(contacts=("contact_id", "size"), clusters=("cluster", "nunique"))
    _bars(told.sort_values("contacts", ascending=False, kind="stable").reset_index(), ax, "contacts")
    _below(ax, f"{len(one):,} contacts in {by_size.sum():,} clusters: {sizes}")


@duplicates.chart("evidence", show="pairs")
def bars_of_pairs(table: pd.DataFrame, ax: Axes) -> None:
    told = table.groupby("evidence").agg(pairs=("score", "size"), clusters=("cluster", "nunique"))
    _bars(told.sort_values("pairs", ascending=False, kind="stable").reset_index(), ax, "pairs")


@duplicates.chart("pairs", show="evidence")
def bars_of_evidence(table: pd.DataFrame, ax: Axes) -> None:
    _bars(table, ax, "pairs")


@duplicates.chart("duplicate_share", show="summary")
def shares(table: pd.DataFrame, ax: Axes) -> None:
    table = top_groups(table, ax, "n")
    name = table.columns[0]
    dot_plot(
        ax,
        table[name].tolist(),
        table["duplicate_share"],
        table["duplicate_low"],
        table["duplicate_high"],
        counts=table["n"],
        small=table["small"],
    )
    ax.set_xlim(left=0)
    ax.set_xlabel("contacts that are in a cluster beside its survivor (percent)")


def _bars(table: pd.DataFrame, ax: Axes, what: str) -> None:
    """How many *what* by evidence, the clusters they make up beside each bar."""
    table = top_groups(table, ax)
    places = label_rows(ax, table["evidence"].tolist())
    counts = table[what].to_numpy("float64")
    single = ~table["evidence"].str.contains(" + ", regex=False).to_numpy(dtype=bool)
    ax.barh(places, counts, color=np.where(single, SKY, BLUE).tolist(), height=0.7, linewidth=0)
    for place, count, clusters in zip(places, counts, table["clusters"].tolist(), strict=True):
        ax.annotate(
            f"{int(count):,} in {many(clusters, 'cluster')}",
            (count, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=INK,
        )
    ax.set_xlim(0, counts.max() * 1.6)
    ax.set_xlabel(what)


def _below(ax: Axes, text: str) -> None:
    ax.annotate(text, (0, -0.2), xycoords="axes fraction", color=GRAY, fontsize=8, va="top", annotation_clip=False)
