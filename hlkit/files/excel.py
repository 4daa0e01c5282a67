"""Excel files: real dates, and no formula, link or text that Excel would refuse."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hlkit.client import disk
from hlkit.client.errors import InvalidRequest
from hlkit.client.text import BREAKS
from hlkit.files.columns import are_days, distinct, index_to_columns, iso_text, plain_columns
from hlkit.files.spreadsheet import NO_XML, harmless
from hlkit.files.text_files import cell_texts

_ROWS, _COLUMNS, _CELL, _HEADING = 1_048_576, 16_384, 32_767, 255
_TIME, _DAY, _NO_TIME = "yyyy-mm-dd hh:mm:ss", "yyyy-mm-dd", "General"  # number formats


@dataclass(frozen=True)
class _ExcelColumn:
    heading: str
    number_format: str
    cells: list[Any]


def write_excel(frame: pd.DataFrame, file: Path, timezone: dt.tzinfo, raw: bool) -> str:
    flat = index_to_columns(frame)
    rows, width = flat.shape
    if rows >= _ROWS or width > _COLUMNS:
        raise InvalidRequest(
            f"Excel holds {_ROWS - 1:,} rows below the headings and {_COLUMNS:,} columns; "
            f"the frame has {rows:,} and {width:,}",
            hint="select fewer, or write .parquet or .csv",
        )
    clean = _without_markup if raw else _safe_text
    columns = [_excel_column(label, values, timezone, clean) for label, values in plain_columns(flat)]
    number_cut = sum(_cut_long_texts(column.cells) for column in columns)
    _write_workbook(file, columns)
    subject = "1 cell was" if number_cut == 1 else f"{number_cut:,} cells were"
    return f"{subject} cut at Excel's limit of {_CELL:,} characters" if number_cut else ""


# ---- a column as Excel holds it


def _excel_column(
    label: str, values: pd.Series[Any], timezone: dt.tzinfo, clean: Callable[[str], str]
) -> _ExcelColumn:
    suffix, number_format = "", _NO_TIME
    if values.dtype.kind == "M":
        suffix = "" if values.dt.tz is None else f" ({timezone})"
        number_format = _DAY if are_days(values) else _TIME
        cells = _date_numbers(values, timezone)
    else:
        cells = [_text_if_not_exact(value) for value in cell_texts(values, clean)]
    heading = BREAKS.sub(" ", clean(label))[: _HEADING - len(suffix) - 8] + suffix  # 8: room for " (2)"
    return _ExcelColumn(heading, number_format, cells)


def _date_numbers(times: pd.Series[Any], timezone: dt.tzinfo) -> list[Any]:
    """Times as Excel holds them, in days since 1899-12-30; ISO text for years that Excel does not know."""
    is_excel_date = times.dt.year.between(1901, 9998)
    local = times.where(is_excel_date).dt.as_unit("ms")
    if local.dt.tz is not None:
        local = local.dt.tz_convert(timezone).dt.tz_localize(None)
    days = (local - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1)
    numbers: list[Any] = days.astype(object).where(is_excel_date, iso_text(times)).tolist()
    return numbers


def _text_if_not_exact(value: Any) -> Any:
    """The text of an infinite number, or of a whole number of more than 15 digits; any other value unchanged."""
    is_too_long = isinstance(value, int) and abs(value) >= 10**15
    is_infinite = isinstance(value, float) and math.isinf(value)
    return str(value) if is_too_long or is_infinite else value


def _safe_text(text: str) -> str:
    return _without_markup(harmless(text))


def _without_markup(text: str) -> str:
    """Text that XML can hold, with Excel's line breaks. Text that xlsxwriter would take for markup gets a ``'``."""
    if not text.isprintable():
        text = NO_XML.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "'" + text if text.startswith("<r>") else text


def _cut_long_texts(cells: list[Any]) -> int:
    """Cut texts at the length that Excel can hold, and return how many were cut."""
    number_cut = 0
    for index, value in enumerate(cells):
        if isinstance(value, str) and len(value) > _CELL // 2:
            units = value.encode("utf-16-le")  # Excel counts UTF-16 units: an emoji is two
            if len(units) > 2 * _CELL:
                cells[index] = units[: 2 * _CELL].decode("utf-16-le", "ignore")
                number_cut += 1
    return number_cut


# ---- the file


def _write_workbook(file: Path, columns: list[_ExcelColumn]) -> None:
    import xlsxwriter  # type: ignore[import-untyped]
    from xlsxwriter.exceptions import FileCreateError, FileSizeError  # type: ignore[import-untyped]

    scratch = disk.scratch_folder(file)  # for the temporary files of xlsxwriter
    scratch.mkdir(mode=0o700)
    book = xlsxwriter.Workbook(str(file), {"constant_memory": True, "tmpdir": str(scratch)})
    try:
        _fill(book, columns)
        book.close()
    except FileCreateError as error:
        raise OSError(*error.args[0].args) from None
    except FileSizeError:
        raise InvalidRequest("the Excel file would be larger than 4 GB", hint="write .parquet or .csv") from None
    finally:
        for sheet in book.worksheets():  # otherwise Windows cannot delete the folder
            sheet.row_data_fh.close()


def _fill(book: Any, columns: list[_ExcelColumn]) -> None:
    sheet = book.add_worksheet("data")
    sheet.add_write_handler(str, _write_text)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(columns[0].cells), len(columns) - 1)
    headings = distinct(column.heading for column in columns)
    formats = {number_format: book.add_format({"num_format": number_format}) for number_format in (_TIME, _DAY)}
    for index, (heading, column) in enumerate(zip(headings, columns, strict=True)):
        # Wide enough for the first cells, and for the filter button beside the heading.
        width = max(len(str(text)) for text in (f"{heading}  ", column.number_format, *column.cells[:200]))
        sheet.set_column(index, index, min(width + 2, 60), formats.get(column.number_format))
    sheet.write_row(0, 0, headings, book.add_format({"bold": True}))
    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True), 1):
        sheet.write_blank(number, 0, None, formats[_DAY])  # so that an empty row still counts as a row
        sheet.write_row(number, 0, row)


def _write_text(sheet: Any, row: int, column: int, text: str, *style: Any) -> Any:
    """Write text as text. By default, xlsxwriter looks for formulas and links in it."""
    return sheet.write_string(row, column, text, *style) if text else None  # None: xlsxwriter writes a blank cell
