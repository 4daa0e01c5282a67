"""A frame leaves as a file: Parquet, CSV, Excel or JSON Lines. This is the one place where a file is made safe.

Names and form answers come from the public, and a spreadsheet runs text that starts like a formula. So CSV and
Excel files, which people open by a double click, get text that does nothing; Parquet and JSON Lines, which
programs read, get it whole. Every file is whole or not there, and only its owner may read it.
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
    """Write *frame*, of hlkit or your own, to *path* in the format that its ending names. Returns the path.

    An index without names is left out where it only counts rows; any other becomes columns (Parquet keeps
    it as it is). Headings of several levels are joined by `` / ``, the second of two equal ones is followed
    by `` (2)``, an empty one is called by its place. Durations become seconds, and their heading says so
    (Parquet keeps both as they are).

    Parameters
    ----------
    frame
        A DataFrame, or a Series, which is written as one column. Of a result it is ``result.table``.
    path
        ``.parquet``: whole, with types and ``attrs``, also for polars and DuckDB. Parquet holds one type a
        column: where values are of several types (lists and objects: their items), and where they are
        periods or intervals, they become text, with one warning.
        ``.jsonl``: one object per row in UTF-8; instants ``2025-07-01T05:00:00.000Z``, days ``2025-07-01``.
        ``.csv``: the same instants and days; lists joined by ``; ``. UTF-8 with a byte order mark: without
        it Excel garbles every accent, and ``pandas.read_csv`` skips it (Python's own ``csv`` module wants
        ``encoding="utf-8-sig"``). A CSV file has no types: ``pandas.read_csv(path)`` reads a phone number as
        a number, ``pandas.read_csv(path, dtype={"phone": str})`` as it was written.
        ``.xlsx``: real dates, instants in *timezone* with its name in the heading (the hour that a clock
        set back repeats is there twice); lists joined by ``; ``; text beyond 32,767 characters, and whole
        numbers beyond 15 digits, which Excel cannot hold, are cut and written as text.
    timezone
        The zone of instants in Excel: ``loc.timezone``, or an IANA name.
    raw
        Leave text as it is: for a CSV file that a program reads and nobody opens in a spreadsheet. Without
        it, in CSV and Excel, ``'`` is put before text that a spreadsheet would run as a formula (``=1+1``,
        ``@SUM(1)``, ``-5`` as text, ``+1-312-555-0101``, but not ``+13125550101``, a phone number in digits),
        control sequences are dropped, and a line break in CSV becomes a blank. An Excel file has no formula,
        link or control character either way; Parquet and JSON Lines always hold text as it is.

    Raises
    ------
    InvalidRequest
        No frame, an ending or zone that is not known, a folder that is not there, a file that cannot be
        written, a frame without columns or too large for Excel.
    """
    if isinstance(frame, pd.Series):
        frame = frame.to_frame("value" if frame.name is None else frame.name)
    if not isinstance(frame, pd.DataFrame):
        raise InvalidRequest(
            f"a {type(frame).__name__} is not a DataFrame", hint="give one, such as loc.contacts() or result.table"
        )
    if not (frame.shape[1] or any(name is not None for name in frame.index.names)):
        raise InvalidRequest("the frame has no columns, so there is nothing to write", hint="choose columns")
    target = checked_target(path, FORMATS)
    form = FORMATS[target.suffix.lower()]
    choices = _Choices(timezone if isinstance(timezone, dt.tzinfo) else zone(timezone), raw)
    try:
        notes = _replaced(target, lambda part: form(frame, part, choices))
    except RecursionError:
        notes = None
    if notes is None:
        raise InvalidRequest("a cell holds lists within lists, too deep to write", hint="leave that column out")
    if notes:
        warn(f"{target.name}: {notes}", DataWarning)
    return target


def write_bytes(data: bytes, target: Path) -> Path:
    """Write *data*, such as a picture, to a ``place``, and give it back. Raises ``InvalidRequest``."""
    _replaced(target, lambda part: str(part.write_bytes(data)))
    return target


def checked_target(path: str | os.PathLike[str], endings: Collection[str]) -> Path:
    """The file at *path*. Raises ``InvalidRequest`` where it can be told already that it will not do."""
    target = disk.expand_path(path)
    if target.suffix.lower() not in endings:
        raise InvalidRequest(
            f"no format is known by the ending {target.suffix!r}", hint=f"end the name in {', '.join(endings)}"
        )
    if not target.parent.is_dir():
        raise InvalidRequest(f"there is no folder {target.parent}", hint="make it first, or choose another")
    if os.path.isdir(target):  # unlike Path.is_dir it leaves what is wrong with a name to the writing
        raise InvalidRequest(f"{target} is a folder", hint="name a file in it")
    return target


@dataclass(frozen=True)
class _Choices:
    zone: dt.tzinfo
    raw: bool


def _replaced(target: Path, fill: Callable[[Path], str]) -> str:
    """Fill a file beside *target*, then put it in its place: a file is whole or as it was."""
    try:
        return disk.replace_file(target, fill)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise InvalidRequest(
        f"{target} cannot be written: {reason}", hint="close it where it is open, or choose another place"
    )


# ---- a frame as columns of plain values


@dataclass(frozen=True)
class _Column:
    """A heading and its values: ``times`` as datetime64 (of ``what``), or plain ``values`` and None."""

    heading: str
    what: str = "values"  # or instants (in UTC), days, moments (of no zone)
    times: Any = None
    values: Sequence[Any] = ()

    def cells(self, cell: Callable[[Any], Any]) -> Sequence[Any]:
        """The values, times as ISO text and what is neither text nor number as *cell* makes it."""
        return self.values_by(cell) if self.times is None else _iso(self.times, self.what)

    def values_by(self, cell: Callable[[Any], Any]) -> list[Any]:
        texts = {value: cell(value) for value in {value for value in self.values if type(value) is str}}
        return [
            texts[value] if type(value) is str else value if type(value) in _AS_THEY_ARE else cell(value)
            for value in self.values
        ]


_AS_THEY_ARE = frozenset([int, float, bool, type(None)])


def _columns(frame: pd.DataFrame) -> list[_Column]:
    flat = _with_index(frame)
    return [_column(label, flat.iloc[:, number]) for number, label in enumerate(_headings(flat.columns))]


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its index as columns, unless that only counts rows."""
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
    """One text for each label, no two alike."""
    texts = [_label(label) or f"column {place}" for place, label in enumerate(labels, 1)]
    return _distinct(texts)


def _label(label: Any) -> str:
    if isinstance(label, tuple):
        return " / ".join(part for part in map(_label, label) if part)
    if isinstance(label, dt.datetime) and label.tzinfo is None and label.time() == dt.time():
        label = label.date()
    return "" if label is None or label is pd.NA or label != label else str(label)


def _distinct(texts: Iterable[str]) -> list[str]:
    texts = [text or "column" for text in texts]
    wanted, taken, distinct = set(texts), set[str](), list[str]()
    for text in texts:
        name, number = text, 2
        while name in taken or (number > 2 and name in wanted):
            name, number = f"{text} ({number})", number + 1
        taken.add(name)
        distinct.append(name)
    return distinct


def _column(heading: str, series: pd.Series[Any]) -> _Column:
    if isinstance(series.dtype, pd.CategoricalDtype):
        kept = series.cat.categories.dtype
        series = series.astype(kept if getattr(kept, "kind", "O") in "mM" else object)
    if series.dtype == object and pd.api.types.infer_dtype(series, skipna=True) == "date":
        series = series.astype("datetime64[s]")
    dtype = series.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _Column(heading, "instants", series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    if isinstance(dtype, np.dtype) and dtype.kind == "M":
        times = series.to_numpy()
        whole = np.isnat(times) | (times.astype("datetime64[D]") == times)
        return _Column(heading, "days" if whole.all() else "moments", times)
    if isinstance(dtype, np.dtype) and dtype.kind == "m":
        heading, series = f"{heading} (seconds)", series.dt.total_seconds()
    if isinstance(series.dtype, pd.StringDtype):
        return _Column(heading, values=series.astype(object).where(series.notna(), None).tolist())
    return _Column(heading, values=[_plain(value) for value in series.tolist()])


def _plain(value: Any) -> Any:
    """A value as None, text, a number, a flag, or lists and objects of these; times as ISO text."""
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
    if isinstance(value, (dt.timedelta, np.timedelta64)):  # numpy's is an integer to isinstance
        return pd.Timedelta(value).total_seconds()
    if isinstance(value, (int, np.integer)):
        return _plain_number(int(value))
    if isinstance(value, (float, np.floating, decimal.Decimal)):
        return _plain_number(float(value))
    return _plain_text(value)


def _plain_number(value: float) -> Any:
    """The number; None for no number; text for more digits than any reader of JSON takes."""
    if isinstance(value, float):
        return None if value != value else value
    return value if -(2**63) <= value < 2**64 else str(value)


def _plain_text(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)  # of an Enum its value
    if isinstance(value, (dt.datetime, np.datetime64)):
        moment = pd.Timestamp(value)
        if moment.tzinfo is None:
            return moment.isoformat(timespec="milliseconds")
        return moment.tz_convert("UTC").isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _iso(times: Any, what: str) -> list[str | None]:
    """ISO text: days ``2025-07-01``, instants to the millisecond (finer where the times are) with ``Z``."""
    none = np.isnat(times)
    units = ("D",) if what == "days" else ("ms", "us", "ns")
    for unit in units:
        rounded = times.astype(f"datetime64[{unit}]")
        if (none | (rounded == times)).all():
            break
    texts: list[str] = np.datetime_as_string(rounded).tolist()
    mark = "Z" if what == "instants" else ""
    return [None if text == "NaT" else text + mark for text in texts]


# ---- the formats: each writes a frame to a file and gives what to warn of

_Format = Callable[[pd.DataFrame, Path, _Choices], str]


def _jsonl(frame: pd.DataFrame, file: Path, choices: _Choices) -> str:
    columns = _columns(frame)
    headings = _distinct(_whole(column.heading) for column in columns)
    rows = zip(*(column.cells(_whole) for column in columns), strict=True)
    encode = msgspec.json.Encoder().encode_lines
    with file.open("wb") as lines:
        for chunk in _chunks(rows, 10_000):
            lines.write(encode([dict(zip(headings, row, strict=True)) for row in chunk]))
    return ""


def _whole(value: Any) -> Any:
    """The value as JSON takes it: a lone half of a surrogate pair is no text."""
    if isinstance(value, str):
        return value if value.isprintable() else SURROGATES.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


def _chunks(rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    while chunk := [row for _, row in zip(range(size), rows, strict=False)]:
        yield chunk


def _csv(frame: pd.DataFrame, file: Path, choices: _Choices) -> str:
    clean = without_nul if choices.raw else one_line
    columns = _columns(frame)
    headings = _distinct(clean(column.heading) for column in columns)
    cells = [column.cells(lambda value: _joined(value, clean)) for column in columns]
    with file.open("w", newline="", encoding="utf-8-sig", errors="replace") as lines:
        # With "\r\n" the writer quotes a lone "\r" too; before Python 3.13 it would else break the row.
        # A line of one blank cell is no row to pandas, a quoted one is.
        writer = csv.writer(
            lines, lineterminator="\r\n", quoting=csv.QUOTE_ALL if len(cells) == 1 else csv.QUOTE_MINIMAL
        )
        writer.writerow(headings)
        writer.writerows(zip(*cells, strict=True))
    return ""


def _joined(value: Any, clean: Callable[[str], str]) -> str:
    """Text for one cell: a list's items by ``; ``, an object as compact JSON."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return clean(msgspec.json.encode(_whole(value)).decode())
    if not isinstance(value, list):
        return clean(str(value))
    items = (msgspec.json.encode(_whole(item)).decode() if isinstance(item, list) else item for item in value)
    return "; ".join(_joined(item, clean) for item in items if item is not None)


def _parquet(frame: pd.DataFrame, file: Path, choices: _Choices) -> str:
    table = frame.copy(deep=False)
    labels = table.columns
    levels = [labels.get_level_values(level).inferred_type for level in range(labels.nlevels)]
    if not (labels.is_unique and (set(levels) == {"string"} or levels in (["integer"], ["empty"]))):
        table.columns = pd.Index(_headings(labels), dtype="object")
    table.attrs = {name: value for name, value in frame.attrs.items() if _is_json(name, value)}
    lost = [str(name) for name in frame.attrs if name not in table.attrs]
    changed: list[str] = []
    if not (all(_has_one_type(table.iloc[:, number]) for number in range(table.shape[1])) and _fits(table, file)):
        table, changed = _of_one_type_each(table)
        if not _fits(table, file):
            raise InvalidRequest("Parquet cannot hold the frame's index", hint="write frame.reset_index()")
    reports = {
        "values changed their type, since Parquet holds one type a column": changed,
        "left out of attrs, since they are not JSON": lost,
    }
    return "; ".join(f"{report}: {', '.join(names)}" for report, names in reports.items() if names)


def _fits(table: pd.DataFrame, file: Any) -> bool:
    """Write the table, or report that Parquet cannot hold it. pyarrow's messages quote values, and go no further."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        arrow = pa.Table.from_pandas(table)
        # Of a resource's columns only those of lists are objects, and without rows they show no type.
        absent = pa.list_(pa.string()) if table.empty and "hlkit" in table.attrs else pa.string()
        fields = [field.with_type(_without_null(field.type, absent)) for field in arrow.schema]
        metadata = {**arrow.schema.metadata, b"PANDAS_ATTRS": msgspec.json.encode(table.attrs)}  # as to_parquet does
        pq.write_table(arrow.cast(pa.schema(fields, metadata)), file, compression="zstd")
    except (ValueError, TypeError, NotImplementedError, OverflowError):  # pyarrow's own are among them
        return False
    return True


def _without_null(kind: Any, absent: Any) -> Any:
    """The Arrow type, *absent* in place of the type of nulls, which other programs read in ways of their own."""
    import pyarrow as pa

    if pa.types.is_null(kind) or (pa.types.is_dictionary(kind) and pa.types.is_null(kind.value_type)):
        return absent
    if pa.types.is_list(kind):
        return pa.list_(_without_null(kind.value_type, pa.string()))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_without_null(field.type, pa.string())) for field in kind])
    return kind


def _is_json(name: Any, value: Any) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode({name: value}))
    except (TypeError, ValueError, msgspec.MsgspecError):
        return False
    return isinstance(name, str)


def _of_one_type_each(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table with columns that Parquet can hold, and the names of those whose values changed their type."""
    columns, changed = [], []
    for number, label in enumerate(table.columns):
        column = table.iloc[:, number]
        if isinstance(column.dtype, pd.SparseDtype):
            column = column.astype(column.dtype.subtype)
        if not _fits_alone(column):
            changed.append(_label(label))
            plain = [_whole(_plain(value)) for value in column.tolist()]
            mixed = pd.Series(_alike(plain), index=column.index, dtype="object")
            column = mixed if _fits_alone(mixed) else pd.Series(map(_text, plain), column.index, dtype="object")
        columns.append(column)
    mended = pd.concat(columns, axis=1)
    mended.columns, mended.attrs = table.columns, table.attrs
    return mended, changed


def _fits_alone(column: pd.Series[Any]) -> bool:
    return _has_one_type(column) and _fits(column.reset_index(drop=True).to_frame("column"), io.BytesIO())


def _has_one_type(column: pd.Series[Any]) -> bool:
    """Whether the values are of one type, also for a program without pandas. pyarrow looks at some of them only."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _has_one_type(pd.Series(dtype.categories))
    if isinstance(dtype, (pd.PeriodDtype, pd.IntervalDtype)):
        return False
    types = {_type(value) for value in column[column.notna()]} if dtype == "object" else set()
    return len(types) <= 1


def _type(value: Any) -> Any:
    """What a value is to Parquet: list, dict, number, or its own type."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return list
    if isinstance(value, Mapping):
        return dict
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return float
    if isinstance(value, dt.datetime):
        return dt.datetime, value.tzinfo is None
    return str if isinstance(value, str) else type(value)


def _alike(values: list[Any]) -> list[Any]:
    """Plain values, each of several types as its text; lists and objects stay, and their items become alike."""
    types = {_type(value) for value in values if value is not None}
    if types == {list}:
        items = iter(_alike([item for value in values for item in value or ()]))
        return [value and [next(items) for _ in value] for value in values]
    names = dict.fromkeys(name for value in values for name in value or ()) if types == {dict} else {}
    if names:
        fields = [_alike([value.get(name) if value else None for value in values]) for name in names]
        rows = zip(values, zip(*fields, strict=True), strict=True)
        return [value if value is None else dict(zip(names, row, strict=True)) for value, row in rows]
    return values if len(types) <= 1 and types != {dict} else [_text(value) for value in values]


def _text(plain: Any) -> str | None:
    return plain if plain is None or isinstance(plain, str) else msgspec.json.encode(plain).decode()


# ---- Excel


@dataclass
class _Cut:
    """How many cells were longer than Excel takes."""

    cells: int = 0

    def text(self, text: str) -> str:
        if len(text) <= _EXCEL_CELL // 2:
            return text
        units = text.encode("utf-16-le")  # Excel counts an emoji as two
        if len(units) <= 2 * _EXCEL_CELL:
            return text
        self.cells += 1
        return units[: 2 * _EXCEL_CELL].decode("utf-16-le", "ignore")


def _xlsx(frame: pd.DataFrame, file: Path, choices: _Choices) -> str:
    import xlsxwriter  # type: ignore[import-untyped]
    from xlsxwriter.exceptions import FileCreateError, FileSizeError  # type: ignore[import-untyped]

    flat = _with_index(frame)
    rows, width = flat.shape
    if rows >= _EXCEL_ROWS or width > _EXCEL_COLUMNS:
        raise InvalidRequest(
            f"Excel holds {_EXCEL_ROWS - 1:,} rows below the headings and {_EXCEL_COLUMNS:,} columns; "
            f"the frame has {rows:,} and {width:,}",
            hint="choose fewer, or write .parquet or .csv",
        )
    columns = _columns(flat)
    cut = _Cut()
    clean = _excel_raw if choices.raw else _excel_text
    headings = _distinct(_excel_heading(column, choices, clean) for column in columns)
    cells = [_excel_cells(column, choices, lambda value: _joined(value, clean), cut) for column in columns]
    scratch = disk.scratch_folder(file)  # rows wait there
    scratch.mkdir(mode=0o700)
    book = xlsxwriter.Workbook(
        str(file),
        {"constant_memory": True, "tmpdir": str(scratch), "strings_to_formulas": False, "strings_to_urls": False},
    )
    full = False
    try:
        _fill(book, columns, headings, cells)
        book.close()
    except FileCreateError as error:
        raise OSError(*error.args[0].args) from None
    except FileSizeError:
        full = True
    finally:
        for sheet in book.worksheets():  # else Windows keeps the folder
            sheet.row_data_fh.close()
    if full:
        raise InvalidRequest("the Excel file would be larger than 4 GB", hint="write .parquet or .csv")
    were = "cell was" if cut.cells == 1 else "cells were"
    return f"{cut.cells:,} {were} cut at the {_EXCEL_CELL:,} characters that Excel holds" if cut.cells else ""


_TIME_FORMATS = {"instants": "yyyy-mm-dd hh:mm:ss", "moments": "yyyy-mm-dd hh:mm:ss", "days": "yyyy-mm-dd"}


def _fill(book: Any, columns: list[_Column], headings: list[str], cells: list[Sequence[Any]]) -> None:
    sheet = book.add_worksheet("data")
    bold = book.add_format({"bold": True})
    formats = {what: book.add_format({"num_format": text}) for what, text in _TIME_FORMATS.items()}
    for place, (column, heading) in enumerate(zip(columns, headings, strict=True)):
        sheet.set_column(place, place, _width(column, heading, cells[place]))
        sheet.write_string(0, place, heading, bold)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(cells[0]), len(columns) - 1)
    styles = [formats.get(column.what) for column in columns]
    for number, row in enumerate(zip(*cells, strict=True), 1):
        if row[0] is None or row[0] == "":
            sheet.write_blank(number, 0, None, formats["days"])  # a row of nothing is a row, for who counts them
        for place, value in enumerate(row):
            if value is None or value == "":
                continue
            kind = type(value)
            if kind is str:
                sheet.write_string(number, place, value)
            elif kind is bool:
                sheet.write_boolean(number, place, value)
            else:
                sheet.write_number(number, place, value, styles[place])


def _width(column: _Column, heading: str, cells: Sequence[Any]) -> int:
    """In characters: the longest of the first rows, within reason, and room for the filter's button."""
    if column.what != "values":
        longest = len(_TIME_FORMATS[column.what])
    else:
        longest = max((len(str(value)) for value in cells[:200] if value is not None), default=0)
    return min(max(longest, len(heading) + 2, 6) + 2, 60)


def _excel_heading(column: _Column, choices: _Choices, clean: Callable[[str], str]) -> str:
    zone = f" ({choices.zone})" if column.what == "instants" else ""
    return BREAKS.sub(" ", clean(column.heading))[: _EXCEL_HEADING - len(zone) - 8] + zone  # room for a number


def _excel_text(text: str) -> str:
    return _excel_raw(harmless(text))


def _excel_raw(text: str) -> str:
    """Text that XML can hold; a line break is Excel's, and the writer takes none of it for markup of its own."""
    if not text.isprintable():
        text = NO_XML.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "'" + text if text.startswith("<r>") else text


def _excel_cells(column: _Column, choices: _Choices, cell: Callable[[Any], Any], cut: _Cut) -> Sequence[Any]:
    if column.times is None:
        values = column.values_by(cell)
        return [cut.text(value) if type(value) is str else _excel_number(value) for value in values]
    texts, times = _iso(column.times, column.what), column.times.astype("datetime64[ms]")
    # Excel's days are right from March 1900, and end with the year 9999.
    known = (times >= np.datetime64("1900-03-02")) & (times < np.datetime64("9999-12-31"))
    local = pd.Series(times[known])
    if column.what == "instants":
        local = local.dt.tz_localize("UTC").dt.tz_convert(choices.zone).dt.tz_localize(None)
    since = local.to_numpy() - np.datetime64("1899-12-30", "ms")
    cells: list[Any] = list(texts)
    for place, serial in zip(np.flatnonzero(known).tolist(), (since / np.timedelta64(1, "D")).tolist(), strict=True):
        cells[place] = serial
    return cells


def _excel_number(value: Any) -> Any:
    """A number as Excel holds it: to 15 digits, and finite; else its text."""
    if type(value) is int and abs(value) >= 10**15:
        return str(value)
    if type(value) is float and abs(value) == float("inf"):
        return str(value)
    return value


FORMATS: dict[str, _Format] = {".parquet": _parquet, ".csv": _csv, ".xlsx": _xlsx, ".jsonl": _jsonl}
