"""Parquet files that programs other than pandas read too: one type per column, and no column of type null."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from hlkit.client.errors import InvalidRequest
from hlkit.files.columns import distinct, label_texts, plain
from hlkit.files.text_files import json_text


def write_parquet(frame: pd.DataFrame, file: Path, timezone: dt.tzinfo, raw: bool) -> str:
    table = frame.copy(deep=False)
    labels = table.columns
    levels = [labels.get_level_values(level).inferred_type for level in range(labels.nlevels)]
    if not (labels.is_unique and (set(levels) == {"string"} or levels in (["integer"], ["empty"]))):
        table.columns = pd.Index(distinct(label_texts(labels)), dtype="object")
    table.attrs = {name: value for name, value in frame.attrs.items() if _is_json(name, value)}
    dropped = [str(name) for name in frame.attrs if name not in table.attrs]
    changed = []
    columns = [table.iloc[:, number] for number in range(table.shape[1])]
    if not all(map(_has_one_type, columns)) or not _try_parquet(table, file):
        for number, (text, column) in enumerate(zip(label_texts(labels), columns, strict=True)):
            if isinstance(column.dtype, pd.SparseDtype):
                table.isetitem(number, column.astype(column.dtype.subtype).array)
            elif not _is_parquet_column(column):
                table.isetitem(number, _with_one_type(column).array)
                changed.append(text)
        if not _try_parquet(table, file):
            raise InvalidRequest("Parquet cannot hold the frame's index", hint="write frame.reset_index()")
    warnings = {
        "values changed type, since Parquet holds one type per column": changed,
        "left out of attrs, since they are not JSON": dropped,
    }
    return "; ".join(f"{warning}: {', '.join(names)}" for warning, names in warnings.items() if names)


def _is_json(name: Any, value: Any) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode({name: value}))
    except (TypeError, ValueError, msgspec.MsgspecError):
        return False
    return isinstance(name, str)


def _try_parquet(table: pd.DataFrame, file: Any) -> bool:
    """Write *table* and return True, or return False if Parquet cannot hold it.

    pyarrow's messages quote values, so they are dropped.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        arrow = pa.Table.from_pandas(table)
        # An empty object column has no type. In a resource's frame it is a list column.
        default = pa.list_(pa.string()) if table.empty and "hlkit" in table.attrs else pa.string()
        fields = [field.with_type(_without_null(field.type, default)) for field in arrow.schema]
        metadata = {
            **arrow.schema.metadata,
            b"PANDAS_ATTRS": msgspec.json.encode(table.attrs),
        }  # as DataFrame.to_parquet does
        pq.write_table(arrow.cast(pa.schema(fields, metadata)), file, compression="zstd")
    except (ValueError, TypeError, NotImplementedError, OverflowError):  # pyarrow's errors are subclasses
        return False
    return True


def _without_null(arrow_type: Any, default: Any) -> Any:
    """*arrow_type* with *default* instead of the null type, which programs other than pandas read differently."""
    import pyarrow as pa

    types = pa.types
    if types.is_null(arrow_type) or (types.is_dictionary(arrow_type) and types.is_null(arrow_type.value_type)):
        return default
    if types.is_list(arrow_type):
        return pa.list_(_without_null(arrow_type.value_type, pa.string()))
    if types.is_struct(arrow_type):
        return pa.struct([field.with_type(_without_null(field.type, pa.string())) for field in arrow_type])
    return arrow_type


def _is_parquet_column(column: pd.Series[Any]) -> bool:
    return _has_one_type(column) and _try_parquet(column.reset_index(drop=True).to_frame("column"), io.BytesIO())


def _has_one_type(column: pd.Series[Any]) -> bool:
    """Whether all values have one type that programs without pandas can read. pyarrow checks only some values."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _has_one_type(pd.Series(dtype.categories))
    if isinstance(dtype, (pd.PeriodDtype, pd.IntervalDtype)):
        return False
    types = {_type(value) for value in column[column.notna()]} if dtype == "object" else set()
    return len(types) <= 1


def _type(value: Any) -> Any:
    """The type of *value* in Parquet: list, dict, float for any number, or its Python type."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return list
    if isinstance(value, Mapping):
        return dict
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return float
    if isinstance(value, dt.datetime):
        return dt.datetime, value.tzinfo is None
    return str if isinstance(value, str) else type(value)


def _with_one_type(column: pd.Series[Any]) -> pd.Series[Any]:
    """The values of one type, as text where they have several. Items of lists and fields of objects alike."""
    values = [plain(value) for value in column.tolist()]
    converted = pd.Series(_to_one_type(values), column.index, dtype="object")
    if _is_parquet_column(converted):
        return converted
    return pd.Series(map(_text, values), column.index, dtype="object")


def _to_one_type(values: list[Any]) -> list[Any]:
    types = {_type(value) for value in values if value is not None}
    if types == {list}:
        items = iter(_to_one_type([item for value in values for item in value or ()]))
        return [value and [next(items) for _ in value] for value in values]
    names = dict.fromkeys(name for value in values for name in value or ()) if types == {dict} else {}
    if names:
        fields = [_to_one_type([value.get(name) if value else None for value in values]) for name in names]
        rows = zip(values, zip(*fields, strict=True), strict=True)
        return [value if value is None else dict(zip(names, row, strict=True)) for value, row in rows]
    return values if len(types) <= 1 and types != {dict} else [_text(value) for value in values]


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json_text(value)
