"""``hl.write``: write a frame as Parquet, CSV, Excel or JSON Lines. Files are made safe only here.

Anyone can type a name or a form answer, and a spreadsheet runs text that starts like a formula. So text is made
harmless in CSV and Excel files, which people open with a double click. Parquet and JSON Lines files, which programs
read, keep it unchanged. A file is written completely or not at all, and only its owner may read it.
"""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import io
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from hlkit.client import disk
from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.builder import DataWarning
from hlkit.client.text import BREAKS, SURROGATES
from hlkit.client.timezones import zone
from hlkit.client.warning import warn
from hlkit.files.spreadsheet import NO_XML, harmless, one_line, without_nul

_EXCEL_ROWS, _EXCEL_COLUMNS, _EXCEL_CELL, _EXCEL_HEADING = 1_048_576, 16_384, 32_767, 255


def write(
    frame: pd.DataFrame | pd.Series[Any],
    path: str | os.PathLike[str],
    *,
    timezone: str | dt.tzinfo = "UTC",
    raw: bool = False,
) -> Path:
    """Write any DataFrame to *path*, in the format of its ending. Returns the path.

    An unnamed integer index is left out; any other index becomes columns. MultiIndex headings are joined by `` / ``,
    duplicate headings are numbered (`` (2)``), and an empty heading becomes ``column`` and its number. Durations
    become seconds, with `` (seconds)`` in the heading. Parquet keeps the index and durations unchanged.

    Parameters
    ----------
    frame
        A DataFrame, or a Series, which is written as one column. For a result, pass ``result.table``.
    path
        ``.parquet``: with all types and ``attrs``; polars and DuckDB can read it. Parquet holds one type per column:
        values of mixed types, periods and intervals become text, with a warning.
        ``.jsonl``: one object per row, in UTF-8. Instants are ``2025-07-01T05:00:00.000Z``, days ``2025-07-01``.
        ``.csv``: instants and days as in JSON Lines; lists joined by ``; ``. UTF-8 with a byte order mark, which
        Excel needs for accents and ``pandas.read_csv`` skips (Python's ``csv`` module needs
        ``encoding="utf-8-sig"``). CSV has no types: ``pandas.read_csv(path)`` reads a phone number as a number;
        use ``pandas.read_csv(path, dtype={"phone": str})``.
        ``.xlsx``: real dates, with instants in *timezone* and its name in the heading; lists joined by ``; ``. Text
        is cut at 32,767 characters, and whole numbers of more than 15 digits become text: Excel holds no more.
    timezone
        The time zone of instants in Excel: ``loc.timezone``, or an IANA name.
    raw
        Keep text unchanged, for a CSV file that only programs read. By default, CSV and Excel files have ``'`` before
        text that a spreadsheet would run as a formula (``=1+1``, ``@SUM(1)``, ``-5`` as text, ``+1-312-555-0101``,
        but not ``+13125550101``), control sequences are removed, and a line break in CSV becomes a blank. Excel files
        never contain a formula, link or control character; Parquet and JSON Lines always keep text unchanged.

    Raises
    ------
    InvalidRequest
        *frame* is not a DataFrame, has no columns or is too large for Excel; the ending or the time zone is unknown;
        the folder does not exist; or the file cannot be written.
    """
    if isinstance(frame, pd.Series):
        frame = frame.to_frame("value" if frame.name is None else frame.name)
    if not isinstance(frame, pd.DataFrame):
        raise InvalidRequest(
            f"a {type(frame).__name__} is not a DataFrame", hint="pass one, such as loc.contacts() or result.table"
        )
    if not (frame.shape[1] or any(name is not None for name in frame.index.names)):
        raise InvalidRequest("the frame has no columns to write", hint="pass a frame with columns")
    target = checked_target(path, FORMATS)
    write_format = FORMATS[target.suffix.lower()]
    options = _Options(timezone if isinstance(timezone, dt.tzinfo) else zone(timezone), raw)
    try:
        warning = _replace(target, lambda file: write_format(frame, file, options))
    except RecursionError:
        warning = None
    if warning is None:
        raise InvalidRequest("a cell holds lists that are nested too deeply", hint="leave that column out")
    if warning:
        warn(f"{target.name}: {warning}", DataWarning)
    return target


def write_bytes(data: bytes, target: Path) -> Path:
    """Write *data*, such as a picture, to *target*, and return *target*. Raises ``InvalidRequest``."""
    _replace(target, lambda file: str(file.write_bytes(data)))
    return target


def checked_target(path: str | os.PathLike[str], endings: Collection[str]) -> Path:
    """The file to write at *path*. Raises ``InvalidRequest`` if its ending, its folder or its name rule that out."""
    target = disk.expand_path(path)
    if target.suffix.lower() not in endings:
        raise InvalidRequest(
            f"unsupported file type {target.suffix!r}", hint=f"use a name that ends in {', '.join(endings)}"
        )
    if not target.parent.is_dir():
        raise InvalidRequest(f"there is no folder {target.parent}", hint="create it first, or use another folder")
    if os.path.isdir(target):  # unlike Path.is_dir, raises nothing for an invalid name
        raise InvalidRequest(f"{target} is a folder", hint="name a file in that folder")
    return target


@dataclass(frozen=True)
class _Options:
    zone: dt.tzinfo
    raw: bool


def _replace(target: Path, write_file: Callable[[Path], str]) -> str:
    """Replace *target* atomically by what *write_file* writes; return its result. Raises ``InvalidRequest``."""
    try:
        return disk.replace_file(target, write_file)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise InvalidRequest(
        f"cannot write {target}: {reason}", hint="close the file if it is open, or use another folder"
    )


# ---- a frame as columns of plain values


@dataclass(frozen=True)
class _Column:
    """A heading, and either ``times`` (datetime64) or plain ``values``."""

    heading: str
    content: str = "values"  # or "instants" (in UTC), "days", "local times" (without a time zone)
    times: Any = None
    values: Sequence[Any] = ()

    def cells(self, convert: Callable[[Any], Any]) -> Sequence[Any]:
        """Times as ISO text; numbers, flags and None unchanged; text, lists and objects by *convert*."""
        return self.converted_values(convert) if self.times is None else _iso(self.times, self.content)

    def converted_values(self, convert: Callable[[Any], Any]) -> list[Any]:
        texts = {value: convert(value) for value in {value for value in self.values if type(value) is str}}
        return [
            texts[value] if type(value) is str else value if type(value) in _UNCHANGED else convert(value)
            for value in self.values
        ]


_UNCHANGED = frozenset([int, float, bool, type(None)])


def _columns(frame: pd.DataFrame) -> list[_Column]:
    flat = _with_index(frame)
    return [_column(label, flat.iloc[:, number]) for number, label in enumerate(_headings(flat.columns))]


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its index as columns, unless it is an unnamed integer index."""
    index = frame.index
    names = [name for name in index.names if name is not None]
    if not names and index.nlevels == 1 and (len(index) == 0 or pd.api.types.is_integer_dtype(index.dtype)):
        return frame
    labels = [f"level {level}" if name is None else name for level, name in enumerate(index.names)]
    if index.nlevels == 1 and not names:
        labels = ["index"]
    levels = [pd.Series(index.get_level_values(level)) for level in range(index.nlevels)]
    left = pd.concat(levels, axis=1).set_axis(pd.Index(labels, dtype="object"), axis=1)
    right = frame.reset_index(drop=True).set_axis(pd.Index(_headings(frame.columns), dtype="object"), axis=1)
    return pd.concat([left, right], axis=1)


def _headings(labels: pd.Index) -> list[str]:
    """A distinct heading for each label."""
    texts = [_label(label) or f"column {number}" for number, label in enumerate(labels, 1)]
    return _distinct(texts)


def _label(label: Any) -> str:
    if isinstance(label, tuple):
        return " / ".join(part for part in map(_label, label) if part)
    if isinstance(label, dt.datetime) and label.tzinfo is None and label.time() == dt.time():
        label = label.date()
    return "" if label is None or label is pd.NA or label != label else str(label)


def _distinct(texts: Iterable[str]) -> list[str]:
    texts = [text or "column" for text in texts]
    originals, used, headings = set(texts), set[str](), list[str]()
    for text in texts:
        heading, number = text, 2
        while heading in used or (number > 2 and heading in originals):
            heading, number = f"{text} ({number})", number + 1
        used.add(heading)
        headings.append(heading)
    return headings


def _column(heading: str, series: pd.Series[Any]) -> _Column:
    if isinstance(series.dtype, pd.CategoricalDtype):
        categories = series.cat.categories.dtype
        series = series.astype(categories if getattr(categories, "kind", "O") in "mM" else object)
    if series.dtype == object and pd.api.types.infer_dtype(series, skipna=True) == "date":
        series = series.astype("datetime64[s]")
    dtype = series.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _Column(heading, "instants", series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    if isinstance(dtype, np.dtype) and dtype.kind == "M":
        times = series.to_numpy()
        is_day = np.isnat(times) | (times.astype("datetime64[D]") == times)
        return _Column(heading, "days" if is_day.all() else "local times", times)
    if isinstance(dtype, np.dtype) and dtype.kind == "m":
        heading, series = f"{heading} (seconds)", series.dt.total_seconds()
    if isinstance(series.dtype, pd.StringDtype):
        return _Column(heading, values=series.astype(object).where(series.notna(), None).tolist())
    return _Column(heading, values=[_plain(value) for value in series.tolist()])


def _plain(value: Any) -> Any:
    """*value* as JSON has it: None, text, a number, a flag, or lists and objects of these; times as ISO text."""
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value] if value.ndim else _plain(value[()])
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if kind is float or kind is int:
        return _plain_number(value)
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (dt.timedelta, np.timedelta64)):  # before int: np.timedelta64 is an np.integer
        return pd.Timedelta(value).total_seconds()
    if isinstance(value, (int, np.integer)):
        return _plain_number(int(value))
    if isinstance(value, (float, np.floating, decimal.Decimal)):
        return _plain_number(float(value))
    return _plain_text(value)


def _plain_number(value: float) -> Any:
    """The number; None for NaN; text for an integer beyond 64 bits, which JSON readers do not take."""
    if isinstance(value, float):
        return None if value != value else value
    return value if -(2**63) <= value < 2**64 else str(value)


def _plain_text(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)  # an Enum member gives its value
    if isinstance(value, (dt.datetime, np.datetime64)):
        moment = pd.Timestamp(value)
        if moment.tzinfo is None:
            return moment.isoformat(timespec="milliseconds")
        return moment.tz_convert("UTC").isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _iso(times: Any, content: str) -> list[str | None]:
    """ISO text: days as ``2025-07-01``; times in milliseconds, or finer if needed, instants with ``Z``."""
    is_null = np.isnat(times)
    units = ("D",) if content == "days" else ("ms", "us", "ns")
    for unit in units:
        rounded = times.astype(f"datetime64[{unit}]")
        if (is_null | (rounded == times)).all():
            break
    texts: list[str] = np.datetime_as_string(rounded).tolist()
    suffix = "Z" if content == "instants" else ""
    return [None if text == "NaT" else text + suffix for text in texts]


# ---- the formats: each writes a frame to a file and returns the text of a warning, or ""

_Format = Callable[[pd.DataFrame, Path, _Options], str]


def _write_jsonl(frame: pd.DataFrame, file: Path, options: _Options) -> str:
    columns = _columns(frame)
    headings = _distinct(_valid_json(column.heading) for column in columns)
    rows = zip(*(column.cells(_valid_json) for column in columns), strict=True)
    encode = msgspec.json.Encoder().encode_lines
    with file.open("wb") as lines:
        for chunk in _chunks(rows, 10_000):
            lines.write(encode([dict(zip(headings, row, strict=True)) for row in chunk]))
    return ""


def _valid_json(value: Any) -> Any:
    """*value* with unpaired surrogates replaced, which JSON cannot hold."""
    if isinstance(value, str):
        return value if value.isprintable() else SURROGATES.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_valid_json(key): _valid_json(item) for key, item in value.items()}
    return [_valid_json(item) for item in value] if isinstance(value, list) else value


def _chunks(rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    while chunk := [row for _, row in zip(range(size), rows, strict=False)]:
        yield chunk


def _write_csv(frame: pd.DataFrame, file: Path, options: _Options) -> str:
    clean = without_nul if options.raw else one_line
    columns = _columns(frame)
    headings = _distinct(clean(column.heading) for column in columns)
    cells = [column.cells(lambda value: _cell_text(value, clean)) for column in columns]
    with file.open("w", newline="", encoding="utf-8-sig", errors="replace") as lines:
        # With lineterminator="\r\n" the writer quotes a lone "\r", which would break the row before Python 3.13.
        # With a single column, all cells are quoted: pandas skips a line that is empty but not one that is "".
        writer = csv.writer(
            lines, lineterminator="\r\n", quoting=csv.QUOTE_ALL if len(cells) == 1 else csv.QUOTE_MINIMAL
        )
        writer.writerow(headings)
        writer.writerows(zip(*cells, strict=True))
    return ""


def _cell_text(value: Any, clean: Callable[[str], str]) -> str:
    """Text for one cell: a list joined by ``; ``, an object as JSON."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return clean(msgspec.json.encode(_valid_json(value)).decode())
    if not isinstance(value, list):
        return clean(str(value))
    items = (msgspec.json.encode(_valid_json(item)).decode() if isinstance(item, list) else item for item in value)
    return "; ".join(_cell_text(item, clean) for item in items if item is not None)


def _write_parquet(frame: pd.DataFrame, file: Path, options: _Options) -> str:
    table = frame.copy(deep=False)
    labels = table.columns
    levels = [labels.get_level_values(level).inferred_type for level in range(labels.nlevels)]
    if not (labels.is_unique and (set(levels) == {"string"} or levels in (["integer"], ["empty"]))):
        table.columns = pd.Index(_headings(labels), dtype="object")
    table.attrs = {name: value for name, value in frame.attrs.items() if _is_json(name, value)}
    dropped = [str(name) for name in frame.attrs if name not in table.attrs]
    changed: list[str] = []
    if not (
        all(_has_one_type(table.iloc[:, number]) for number in range(table.shape[1])) and _try_parquet(table, file)
    ):
        table, changed = _with_one_type_per_column(table)
        if not _try_parquet(table, file):
            raise InvalidRequest("Parquet cannot hold the frame's index", hint="write frame.reset_index()")
    warnings = {
        "values changed type, since Parquet holds one type per column": changed,
        "left out of attrs, since they are not JSON": dropped,
    }
    return "; ".join(f"{warning}: {', '.join(names)}" for warning, names in warnings.items() if names)


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


def _is_json(name: Any, value: Any) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode({name: value}))
    except (TypeError, ValueError, msgspec.MsgspecError):
        return False
    return isinstance(name, str)


def _with_one_type_per_column(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table with columns that Parquet can hold, and the names of the columns that were converted."""
    columns, changed = [], []
    for number, label in enumerate(table.columns):
        column = table.iloc[:, number]
        if isinstance(column.dtype, pd.SparseDtype):
            column = column.astype(column.dtype.subtype)
        if not _is_parquet_column(column):
            changed.append(_label(label))
            plain = [_valid_json(_plain(value)) for value in column.tolist()]
            column = pd.Series(_to_one_type(plain), index=column.index, dtype="object")
            if not _is_parquet_column(column):
                column = pd.Series(map(_text, plain), column.index, dtype="object")
        columns.append(column)
    converted = pd.concat(columns, axis=1)
    converted.columns, converted.attrs = table.columns, table.attrs
    return converted, changed


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


def _to_one_type(values: list[Any]) -> list[Any]:
    """Plain values, as text if they have several types. Items of lists and fields of objects are converted alike."""
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


def _text(plain: Any) -> str | None:
    return plain if plain is None or isinstance(plain, str) else msgspec.json.encode(plain).decode()


# ---- Excel


@dataclass
class _TextLimit:
    """Cuts text at the length that Excel can hold, and counts the cells it cut."""

    cells: int = 0

    def cut(self, text: str) -> str:
        if len(text) <= _EXCEL_CELL // 2:
            return text
        units = text.encode("utf-16-le")  # Excel counts UTF-16 units: an emoji is two
        if len(units) <= 2 * _EXCEL_CELL:
            return text
        self.cells += 1
        return units[: 2 * _EXCEL_CELL].decode("utf-16-le", "ignore")


def _write_xlsx(frame: pd.DataFrame, file: Path, options: _Options) -> str:
    import xlsxwriter  # type: ignore[import-untyped]
    from xlsxwriter.exceptions import FileCreateError, FileSizeError  # type: ignore[import-untyped]

    flat = _with_index(frame)
    rows, width = flat.shape
    if rows >= _EXCEL_ROWS or width > _EXCEL_COLUMNS:
        raise InvalidRequest(
            f"Excel holds {_EXCEL_ROWS - 1:,} rows below the headings and {_EXCEL_COLUMNS:,} columns; "
            f"the frame has {rows:,} and {width:,}",
            hint="select fewer, or write .parquet or .csv",
        )
    columns = _columns(flat)
    limit = _TextLimit()
    clean = _excel_raw if options.raw else _excel_text
    headings = _distinct(_excel_heading(column, options, clean) for column in columns)
    cells = [_excel_cells(column, options, lambda value: _cell_text(value, clean), limit) for column in columns]
    scratch = disk.scratch_folder(file)  # for the temporary files of xlsxwriter
    scratch.mkdir(mode=0o700)
    book = xlsxwriter.Workbook(
        str(file),
        {"constant_memory": True, "tmpdir": str(scratch), "strings_to_formulas": False, "strings_to_urls": False},
    )
    is_too_large = False
    try:
        _fill(book, columns, headings, cells)
        book.close()
    except FileCreateError as error:
        raise OSError(*error.args[0].args) from None
    except FileSizeError:
        is_too_large = True
    finally:
        for sheet in book.worksheets():  # otherwise Windows cannot delete the folder
            sheet.row_data_fh.close()
    if is_too_large:
        raise InvalidRequest("the Excel file would be larger than 4 GB", hint="write .parquet or .csv")
    subject = "1 cell was" if limit.cells == 1 else f"{limit.cells:,} cells were"
    return f"{subject} cut at Excel's limit of {_EXCEL_CELL:,} characters" if limit.cells else ""


_TIME_FORMATS = {"instants": "yyyy-mm-dd hh:mm:ss", "local times": "yyyy-mm-dd hh:mm:ss", "days": "yyyy-mm-dd"}


def _fill(book: Any, columns: list[_Column], headings: list[str], cells: list[Sequence[Any]]) -> None:
    sheet = book.add_worksheet("data")
    bold = book.add_format({"bold": True})
    formats = {content: book.add_format({"num_format": text}) for content, text in _TIME_FORMATS.items()}
    for index, (column, heading) in enumerate(zip(columns, headings, strict=True)):
        sheet.set_column(index, index, _width(column, heading, cells[index]))
        sheet.write_string(0, index, heading, bold)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(cells[0]), len(columns) - 1)
    styles = [formats.get(column.content) for column in columns]
    for number, row in enumerate(zip(*cells, strict=True), 1):
        if row[0] is None or row[0] == "":
            sheet.write_blank(number, 0, None, formats["days"])  # so that an empty row still counts as a row
        for index, value in enumerate(row):
            if value is None or value == "":
                continue
            kind = type(value)
            if kind is str:
                sheet.write_string(number, index, value)
            elif kind is bool:
                sheet.write_boolean(number, index, value)
            else:
                sheet.write_number(number, index, value, styles[index])


def _width(column: _Column, heading: str, cells: Sequence[Any]) -> int:
    """Width in characters: the longest of the first 200 cells, at most 60, with room for the filter button."""
    if column.content != "values":
        longest = len(_TIME_FORMATS[column.content])
    else:
        longest = max((len(str(value)) for value in cells[:200] if value is not None), default=0)
    return min(max(longest, len(heading) + 2, 6) + 2, 60)


def _excel_heading(column: _Column, options: _Options, clean: Callable[[str], str]) -> str:
    suffix = f" ({options.zone})" if column.content == "instants" else ""
    return BREAKS.sub(" ", clean(column.heading))[: _EXCEL_HEADING - len(suffix) - 8] + suffix  # 8: room for " (2)"


def _excel_text(text: str) -> str:
    return _excel_raw(harmless(text))


def _excel_raw(text: str) -> str:
    """Text that XML can hold, with Excel's line breaks. Text that xlsxwriter would take for markup gets a ``'``."""
    if not text.isprintable():
        text = NO_XML.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "'" + text if text.startswith("<r>") else text


def _excel_cells(
    column: _Column, options: _Options, convert: Callable[[Any], Any], limit: _TextLimit
) -> Sequence[Any]:
    if column.times is None:
        values = column.converted_values(convert)
        return [limit.cut(value) if type(value) is str else _excel_number(value) for value in values]
    texts, times = _iso(column.times, column.content), column.times.astype("datetime64[ms]")
    # Excel dates are right from March 1900 (its 1900 has a February 29) through the year 9999.
    is_excel_date = (times >= np.datetime64("1900-03-02")) & (times < np.datetime64("9999-12-31"))
    local = pd.Series(times[is_excel_date])
    if column.content == "instants":
        local = local.dt.tz_localize("UTC").dt.tz_convert(options.zone).dt.tz_localize(None)
    since = local.to_numpy() - np.datetime64("1899-12-30", "ms")
    cells: list[Any] = list(texts)
    serials = (since / np.timedelta64(1, "D")).tolist()
    for index, serial in zip(np.flatnonzero(is_excel_date).tolist(), serials, strict=True):
        cells[index] = serial
    return cells


def _excel_number(value: Any) -> Any:
    """The number, or its text if it has more than 15 digits or is infinite, which Excel cannot hold."""
    if type(value) is int and abs(value) >= 10**15:
        return str(value)
    if type(value) is float and abs(value) == float("inf"):
        return str(value)
    return value


FORMATS: dict[str, _Format] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".xlsx": _write_xlsx,
    ".jsonl": _write_jsonl,
}
