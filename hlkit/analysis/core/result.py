"""The answer of an analysis in a sentence, its table and chart, how the numbers are made, and what of.

Alone in a cell a result is all five; printed it is text. Every string is escaped: names come from the public.
"""

from __future__ import annotations

import base64
import os
import shutil
import textwrap
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from hlkit.analysis.core.charts import new_axes, picture
from hlkit.analysis.core.registry import Analysis
from hlkit.client.disk import expand_path
from hlkit.client.frames.names import NAMED_BY
from hlkit.client.schema import COUNT, NUMBER, Kind
from hlkit.client.text import BREAKS, many, printable
from hlkit.display.html import INK, pairs_html
from hlkit.files.export import checked_target, write, write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 20  # rows; the table has all
_LONGEST = 40  # letters of a text in a shown table
PICTURES = (".png", ".svg", ".pdf")


class Provenance(dict[str, Any]):
    """What a result is made of: rows used and left out and why, as_of, location, zone, requests. JSON values."""

    def lines(self) -> list[tuple[str, str]]:
        """The same for reading: a name and a text each."""
        used = ", ".join(f"{count:,} {name}" for name, count in self["rows"].items())
        choices = ", ".join(f"{name}={value}" for name, value in self["choices"].items() if value is not None)
        left_out = "; ".join(f"{count:,} {why}" for why, count in self["left_out"].items())
        lines = [
            ("location", str(self["location"])),
            ("as of", f"{self['as_of_local']} ({self['timezone']})"),
            ("choices", choices or "none"),
            ("rows used", used or "none"),
            ("left out", left_out or "nothing"),
        ]
        lines += [("done without", f"{name}: {why}") for name, why in self["without"].items()]
        for name, count in self["missing_rows"].items():
            lines.append(("missing rows", f"{count:,} {name} fewer than expected"))
        cached = many(self["from_cache"], "response")
        lines.append(("requests", f"{many(self['requests'], 'request')}, {cached} from the cache"))
        return lines

    def __repr__(self) -> str:
        return "\n".join(f"{name:<13} {printable(BREAKS.sub(' ', text))}" for name, text in self.lines())

    def _repr_html_(self) -> str:
        return pairs_html((escape(name), escape(printable(text))) for name, text in self.lines())


class Result:
    """``answer``, ``table`` (a DataFrame), ``plot()``, ``definition``, ``provenance``; and it leaves as a file."""

    def __init__(self, table: pd.DataFrame, analysis: Analysis, provenance: Provenance) -> None:
        self.table, self.analysis, self.provenance = table, analysis, provenance

    @property
    def question(self) -> str:
        """What was asked."""
        return self.analysis.question

    @property
    def headline(self) -> str:
        """The answer in a sentence or two, from the table alone; blank where there is none."""
        return self.analysis.headline(self.table)

    @property
    def shown(self) -> str | None:
        """Which of the analysis's tables this is, where it has several."""
        show = self.table.attrs["hlkit"]["choices"].get("show")
        return None if show is None else str(show)

    @property
    def definition(self) -> str:
        """How the numbers are made: a short paragraph that can stand under the figure."""
        return str(self.table.attrs["hlkit"]["definition"])

    def plot(self, ax: Axes | None = None) -> Axes:
        """The chart, on *ax* or on a new figure of 6 x 4 inches."""
        return self.analysis.plot(self.table, ax)

    # ---- files

    def to_excel(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as an Excel file, instants in the location's zone."""
        return self._written(path, ".xlsx")

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as CSV."""
        return self._written(path, ".csv")

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as Parquet, with its types and what it tells of itself."""
        return self._written(path, ".parquet")

    def _written(self, path: str | os.PathLike[str], ending: str) -> Path:
        target = expand_path(path)
        return self.write(target if target.suffix.lower() == ending else target.with_name(target.name + ending))

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the table in the format that the ending names: ``.csv``, ``.xlsx``, ``.parquet`` or ``.jsonl``."""
        return write(self.table, path, timezone=self.provenance["timezone"])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the chart as ``.png``, ``.svg`` or ``.pdf``. Raises ``InvalidRequest``."""
        target = checked_target(path, PICTURES)
        return write_bytes(self._picture(target.suffix.lower()[1:]), target)

    def _picture(self, form: str, dpi: int = 150) -> bytes:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 4), dpi=100)
        self.plot(new_axes(figure))
        return picture(figure, form, dpi)

    # ---- how it shows

    def __repr__(self) -> str:
        table, more = self._shown()
        rows = _in_blocks(table) if len(table) else "(no rows)  " + ", ".join(map(str, table.columns))
        question = "\n".join([self.question, *textwrap.wrap(self.headline, _width())])
        parts = [question, rows + more, self.definition, repr(self.provenance)]
        return "\n\n".join(parts)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def _repr_html_(self) -> str:
        return (
            f'<div style="{INK};padding:8px 12px;max-width:70em;overflow-x:auto">'
            f"{self.headline_html()}{self.chart_html()}{self.table_html()}"
            f'<p style="max-width:50em">{escape(self.definition)}</p>'
            f"<details><summary>Where this comes from</summary>{self.provenance._repr_html_()}</details></div>"
        )

    def headline_html(self) -> str:
        """The answer as a bold line, escaped; nothing where there is none."""
        said = self.headline
        return f'<p style="max-width:50em"><b>{escape(said)}</b></p>' if said else ""

    def chart_html(self) -> str:
        """The chart as a picture in a page, sharp on screens with two pixels for one."""
        image = base64.b64encode(self._picture("png", dpi=220)).decode()
        size = "width:660px;max-width:100%"
        return f'<img src="data:image/png;base64,{image}" alt="{escape(self.question)}" style="{size}">'

    def table_html(self) -> str:
        """The first rows of the table, escaped."""
        table, more = self._shown()
        shown = table.to_html(index=False, border=0, escape=True)
        shown = shown.replace("<td>", '<td style="white-space:nowrap">')  # Jupyter breaks ids at their hyphens
        return f'<div style="font-variant-numeric:tabular-nums">{shown}{escape(more)}</div>'

    def _shown(self) -> tuple[pd.DataFrame, str]:
        more = len(self.table) - _SHOWN
        return self.formatted(_SHOWN), f"\n… and {more:,} more rows: .table" if more > 0 else ""

    def formatted(self, rows: int) -> pd.DataFrame:
        """The first *rows* as people read them, all texts: an instant in the zone, a number with few digits.

        Ids come last, unless the table is grouped by them.
        """
        head, kinds = self.table.head(rows), self.analysis.columns_of(self.shown)
        by = self.table.attrs["hlkit"]["choices"].get("by")
        ids = [name for place, name in enumerate(head.columns) if _is_id(name) and (place > 0 or name != by)]
        order = [name for name in head.columns if name not in ids] + ids
        told = {name: _texts(head[name], kinds.get(name), self.provenance["timezone"]) for name in order}
        return pd.DataFrame(told, columns=order)


def _is_id(column: object) -> bool:
    return str(column).endswith("_id")


def _in_blocks(table: pd.DataFrame) -> str:
    """The table as wide as the terminal, in blocks if need be, each with the first column: the name of its rows."""
    first, *rest = (str(name) for name in table.columns)
    names = table.iloc[:, 0].tolist()
    if _is_id(first) and rest and rest[0] == NAMED_BY.get(first, ("",))[0]:  # an id says little without its name
        wide = max(len(name) for name in [first, *names])
        names = [f"{one:<{wide}}  {name}" for one, name in zip(names, table.iloc[:, 1].tolist(), strict=True)]
        first, table = f"{first:<{wide}}  {rest[0]}", table.iloc[:, 1:]
    shown = table.iloc[:, 1:].set_axis(names, axis=0).rename_axis(columns=first)
    return shown.to_string(line_width=_width())


def _width() -> int:
    return max(100, shutil.get_terminal_size((180, 24)).columns)


def _texts(column: pd.Series, kind: Kind | None, zone: str) -> pd.Series:
    form = "%Y-%m-%d"
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column, form = column.dt.tz_convert(zone), "%Y-%m-%d %H:%M"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        told: pd.Series = column.dt.strftime(form).astype("object")
        return told.where(column.notna(), "")
    name = kind.name if kind is not None else ""
    digits = _digits(column) if kind is NUMBER else 1
    return pd.Series([_text(value, name, digits) for value in column.tolist()], index=column.index, dtype="object")


def _digits(column: pd.Series) -> int:
    """Digits after the point that a column of numbers needs: none where all are whole, more where all are small."""
    sizes = column.dropna().abs()
    return 0 if (sizes % 1 == 0).all() else 2 if sizes.max() < 10 else 1


def _text(value: Any, kind: str, digits: int) -> str:
    if isinstance(value, (list, tuple)):
        value = "; ".join(map(str, value))
    elif pd.isna(value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if kind == COUNT.name:
        return f"{value:,.10g}" if isinstance(value, float) else f"{value:,}"
    if isinstance(value, float):
        form = ".3f" if kind == "SHARE" else ",.2f" if kind == "MONEY" else f",.{digits}f"
        shown = f"{value:{',.0f' if abs(value) >= 1000 else form}}"
        return shown.removeprefix("-") if float(shown.replace(",", "")) == 0 else shown
    text = printable(BREAKS.sub(" ", str(value)))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
