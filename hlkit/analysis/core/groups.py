"""Columns and groups of rows, shared by all analyses."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.run_log import CURRENT_RUN, frame_name, record_overlap, record_rows, remark
from hlkit.analysis.core.shares import Array
from hlkit.client.arguments import short
from hlkit.client.errors import MissingColumn, MissingExtra
from hlkit.client.schema import TEXT, Kind
from hlkit.client.text import did_you_mean

NONE, ALL, OTHER = "(none)", "(all)", "(other)"
UNKNOWN_USER = "(user unknown)"
# Placeholders for rows without a usable name: shown, but never compared.
UNNAMED = frozenset({NONE, ALL, OTHER, UNKNOWN_USER, "(other contacts)", "(deleted stage)", "(deleted pipeline)"})
MAX_GROUPS = 1000  # beyond this, the smallest groups are combined into (other)
SMALL = 20  # a group with fewer rows is marked as small: its numbers are uncertain


# ---- columns and groups


def require_columns(frame: pd.DataFrame, *columns: Any) -> None:
    """Raise ``MissingColumn`` if *frame* lacks one of *columns*. ``None`` is ignored; a list stands for its items."""
    for column in itertools.chain.from_iterable(name if isinstance(name, list) else [name] for name in columns):
        if column is not None and column not in frame.columns:
            names = [str(name) for name in frame.columns]
            raise MissingColumn(
                f"{frame_name(frame)} has no column {short(column)}",
                hint=did_you_mean(str(column), names) or f"it has {', '.join(names[:40])}",
            )


def map_keys(keys: pd.Series, values: pd.Series) -> pd.Series:
    """For each key, the entry of *values* with that index, in the dtype of *values*; null if there is none.

    Unlike ``Series.map`` it works on an empty series of instants; unlike a merge it copies neither frame.
    """
    return values.reindex(keys).set_axis(keys.index)


def is_among(ids: pd.Series, known: pd.Series) -> pd.Series:
    """Whether each of *ids* is one of *known*; null is not.

    ``Series.isin`` reads each of *known* on its own if they are in Arrow's text, which takes 8 s for a million.
    """
    return ids.astype("object").isin(known.dropna().astype("object"))


def column_or_nulls(frame: pd.DataFrame, name: str, kind: Kind = TEXT) -> pd.Series:
    """The column *name* of *frame*, or a column of nulls of that *kind* if there is none."""
    values: pd.Series = frame[name] if name in frame else pd.Series(None, index=frame.index, dtype=kind.dtype)
    return values


Key = Hashable | pd.Series  # what to group by: the name of a column, or the values
Keys = Key | list[Key] | None  # or two of them, for a table with two columns of groups


def contact_values(contacts: pd.DataFrame, by: Hashable, ids: pd.Series) -> pd.Series:
    """The value of the column *by* for the contact of each of *ids*."""
    require_columns(contacts, "contact_id")
    has_id = contacts["contact_id"].notna()
    values = column_values(contacts, by)[has_id].set_axis(pd.Index(contacts["contact_id"][has_id]))
    return map_keys(ids, values)


def group_keys(frame: pd.DataFrame, by: Any) -> Any:
    """The column *by*, to group rows by, or a list of two; None if *by* is None. Raises ``MissingColumn``.

    Take it before adding columns to *frame*: an added column may have the same name.
    """
    return keys_of(by, lambda name: column_values(frame, name))


def keys_of(by: Any, values: Callable[[Any], pd.Series]) -> Any:
    """The *values* of the column *by*, a list of them for a list of two, or None if *by* is None."""
    if isinstance(by, list):
        return [values(name) for name in by]
    return None if by is None else values(by)


def column_values(frame: pd.DataFrame, by: Hashable) -> pd.Series:
    """The column *by*; Arrow lists become Python lists. Raises ``MissingColumn``."""
    require_columns(frame, by)
    values = frame[by]
    if isinstance(values.dtype, pd.ArrowDtype) and values.dtype.kind == "O":
        values = values.astype("object")
    return values


def assign_groups(
    frame: pd.DataFrame, by: Key | None, limit: int | None = MAX_GROUPS
) -> tuple[pd.DataFrame, pd.Series]:
    """*frame*, and the name of the group of each of its rows.

    *by* is a column name, or a series of values that is aligned to *frame* by index. A null or blank value is in the
    group ``(none)``; without *by* all rows are in ``(all)``. Spellings that differ only in case or surrounding
    spaces are one group, named by the most common spelling, except in columns of ids. A row with a list is repeated
    for the group of each item, so the returned frame may be longer. Beyond *limit* groups, the smallest are
    ``(other)``.
    """
    if by is None:
        return frame, pd.Series(ALL, index=frame.index, dtype=TEXT.dtype)
    values = by if isinstance(by, pd.Series) else column_values(frame, by)
    column, rows = str(values.name), None
    if not values.index.equals(frame.index):
        values = values.loc[frame.index]
    if values.dtype == object and values.map(_is_list).any():
        items = values.map(lambda value: list(dict.fromkeys(map(_hashable, value))) if _is_list(value) else value)
        values = items.reset_index(drop=True).explode()
        rows = values.index
        values, frame = values.reset_index(drop=True), frame.iloc[rows].reset_index(drop=True)
        remark(f"A row with several {column} counts in the group of each, so groups overlap and are not tested.")
        record_overlap()
    if values.dtype == object:
        values = pd.Series([_hashable(value) for value in values], dtype=object)
    codes, unique = pd.factorize(values)
    labels = [_label(value) for value in unique]
    if not column.endswith("_id"):
        labels = _merge_spellings(labels, np.bincount(codes[codes >= 0], minlength=len(labels)))
    names = np.array([label or NONE for label in labels] + [NONE], dtype=object)  # a null has code -1: the last
    keys = pd.Series(names[codes], index=frame.index, dtype=TEXT.dtype)
    if rows is not None:  # two spellings in the list of a row are one item
        is_first = ~pd.DataFrame({"row": rows, "key": keys.to_numpy()}).duplicated().to_numpy()
        frame, keys = frame[is_first], keys[is_first]
    return frame, keys if limit is None else _combine_smallest(keys, column, limit)


def _combine_smallest(keys: pd.Series, column: str, limit: int) -> Any:
    """*keys*, in which the smallest groups are ``(other)`` if more than *limit* groups have a name."""
    codes, names = pd.factorize(keys)
    if len(names) - (NONE in names) <= limit:
        return keys
    sizes = np.bincount(codes, minlength=len(names))
    ranked = sorted((-size, name) for size, name in zip(sizes.tolist(), names, strict=True) if name != NONE)
    small = {name for _, name in ranked[limit - 1 :]}
    remark(f"{column} has {len(ranked):,} values: the {len(small):,} with the fewest rows are combined in {OTHER}.")
    run = CURRENT_RUN.get()
    if run is not None:
        run.uncombined = keys
    shown = np.array([OTHER if name in small else name for name in names], dtype=object)
    return pd.Series(shown[codes], index=keys.index, dtype=TEXT.dtype)


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple, set, frozenset, np.ndarray))


def _hashable(value: Any) -> Any:
    """A value that can be a group: dictionaries and nested lists become text."""
    return str(value) if isinstance(value, dict) or _is_list(value) else value


def _label(value: Any) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M}"
    return str(value).encode("utf-8", "replace").decode().strip()


def _merge_spellings(names: list[str], counts: Array) -> list[str]:
    """Each name in the most common of its spellings."""
    best: dict[str, tuple[int, str]] = {}
    for name, count in zip(names, counts.tolist(), strict=True):
        folded = name.casefold()
        if folded not in best or count > best[folded][0]:
            best[folded] = count, name
    return [best[name.casefold()][1] for name in names]


def rank_by_size(keys: pd.Series) -> tuple[Array, Array]:
    """The code of each row's group, and the names by code: the largest group first, ties in order of appearance."""
    codes, names = pd.factorize(keys)
    order = np.argsort(-np.bincount(codes, minlength=len(names)), kind="stable")
    rank = np.empty(len(names), dtype="int64")
    rank[order] = np.arange(len(names))
    return rank[codes], np.asarray(names, dtype=object)[order]


def per_group(
    frame: pd.DataFrame,
    by: Keys,
    columns: Mapping[str, Kind],
    summary: Callable[[pd.DataFrame], Mapping[str, Any]],
) -> pd.DataFrame:
    """One row per group of *frame*, largest first: the group in the first column, then ``summary(rows)``.

    The first column is named after *by*, or ``group`` without it. For two columns in *by*, the first two columns are
    the groups. The run also records the summary of all rows, and which rows are in each group.
    """
    total = summary(frame) if len(frame) else {}
    frame, keys = _assign_all(frame, by)
    record_rows(frame, keys, total)
    codes, names = _rank(keys)
    order = np.argsort(codes, kind="stable")
    ordered, sizes = frame.iloc[order], np.bincount(codes, minlength=len(names[0]))
    ends = np.cumsum(sizes)
    spans = zip((ends - sizes).tolist(), ends.tolist(), strict=True)
    summaries = [summary(ordered.iloc[start:end]) for start, end in spans]
    table = pd.DataFrame(summaries, columns=list(columns))
    for number, column in enumerate(keys):
        table.insert(number, group_column_name(column, columns), pd.array(list(names[number]), dtype=TEXT.dtype))
    return table


def _rank(keys: pd.DataFrame) -> tuple[Array, list[Array]]:
    """The code of each row's group, the largest group first, and by column the names of the groups."""
    if keys.shape[1] == 1:
        codes, names = rank_by_size(keys.iloc[:, 0])
        return codes, [names]
    parts = [pd.factorize(keys.iloc[:, number]) for number in range(keys.shape[1])]
    pairs = parts[0][0].astype("int64") * max(1, len(parts[1][1])) + parts[1][0]
    codes, ranked = rank_by_size(pd.Series(pairs))
    ranked = ranked.astype("int64")
    first, second = np.divmod(ranked, max(1, len(parts[1][1])))
    return codes, [np.asarray(parts[0][1])[first], np.asarray(parts[1][1])[second]]


def _assign_all(frame: pd.DataFrame, by: Keys) -> tuple[pd.DataFrame, pd.DataFrame]:
    """*frame*, and for each of its rows the names of its groups; as ``assign_groups``, for one column or two."""
    if not isinstance(by, list):
        name = "group" if by is None else by.name if isinstance(by, pd.Series) else by
        frame, keys = assign_groups(frame, by)
        return frame, pd.DataFrame({name: keys})
    rows = pd.DataFrame({"(row)": np.arange(len(frame))}, index=frame.index)
    pairs = rows.reset_index(drop=True)
    for key in by:
        values = key if isinstance(key, pd.Series) else column_values(frame, key)
        numbers, keys = assign_groups(rows, values)
        numbered_keys = pd.DataFrame({"(row)": numbers["(row)"].to_numpy(), values.name: keys.to_numpy()})
        pairs = pairs.merge(numbered_keys, on="(row)")
    frame = frame.iloc[pairs["(row)"].to_numpy()]
    return frame, pairs.drop(columns="(row)").set_axis(frame.index, axis=0)


def group_column_name(by: Hashable, columns: Iterable[str]) -> str:
    """The name of the column of groups; never one of *columns*."""
    name = "group" if by is None else str(by)
    return f"{name} (group)" if name in columns else name


def import_extra(package: str, extra: str, purpose: str) -> Any:
    """Import *package*, which the *extra* of hlkit installs. Raises ``MissingExtra``."""
    try:
        return importlib.import_module(package)
    except ImportError:
        pass
    raise MissingExtra(f"{purpose} hlkit needs {package.partition('.')[0]}", hint=f'pip install "hlkit[{extra}]"')


def in_order(table: pd.DataFrame, orders: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """*table* with its groups in the order of their names, for the columns of groups that have one in *orders*.

    Other names come last. Columns without an order leave the rows as they are.
    """
    columns = [name for name in table.columns[:2] if name in orders]
    positions = {name: {text: number for number, text in enumerate(orders[name])} for name in columns}
    ranks = pd.DataFrame({name: table[name].map(positions[name]) for name in columns}, index=table.index)
    return table.loc[ranks.sort_values(columns, kind="stable").index] if columns else table
