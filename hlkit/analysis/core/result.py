"""The result of an analysis: headline, table, chart, definition and provenance.

A notebook cell shows all five; ``print`` shows text. Every string is escaped, since names come from the public.
"""

from __future__ import annotations

import base64
import os
import textwrap
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from hlkit.analysis.core.analysis import Analysis
from hlkit.analysis.core.charts.canvas import new_axes, render
from hlkit.analysis.core.money import currency_of
from hlkit.analysis.core.rows_behind import RowsBehind
from hlkit.analysis.core.table_text import formatted, in_blocks, terminal_width
from hlkit.client.disk import expand_path
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import LINK
from hlkit.client.text import BREAKS, many, printable
from hlkit.display.html import INK, link_html, pairs_html
from hlkit.files.export import checked_target, write, write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_ROWS = 20  # shown; the table has all rows
CHART_FORMATS = (".png", ".svg", ".pdf")


class Provenance(dict[str, Any]):
    """Where a result comes from: the rows used and left out, as_of, location, time zone, requests. JSON values."""

    def lines(self) -> list[tuple[str, str]]:
        """The provenance as pairs of a name and a text, for display."""
        used = ", ".join(f"{count:,} {name}" for name, count in self["rows"].items())
        options = ", ".join(f"{name}={value}" for name, value in self["options"].items() if value is not None)
        left_out = "; ".join(f"{count:,} {why}" for why, count in self["left_out"].items())
        lines = [
            ("location", str(self["location"])),
            ("as of", f"{self['as_of_local']} ({self['timezone']})"),
            ("options", options or "defaults"),
            ("rows used", used or "none"),
            ("left out", left_out or "nothing"),
        ]
        lines += [("unavailable", f"{name}: {reason}") for name, reason in self["unavailable"].items()]
        for name, count in self["missing_rows"].items():
            lines.append(("missing rows", f"{count:,} {name} fewer than expected"))
        responses = many(self["from_cache"], "response")
        lines.append(("requests", f"{many(self['requests'], 'request')}, {responses} from the cache"))
        return lines

    def __repr__(self) -> str:
        return "\n".join(f"{name:<13} {printable(BREAKS.sub(' ', text))}" for name, text in self.lines())

    def _repr_html_(self) -> str:
        return pairs_html((escape(name), escape(printable(text))) for name, text in self.lines())


class Result:
    """The ``headline``, ``table`` (a DataFrame), ``plot()``, ``definition`` and ``provenance`` of an analysis."""

    def __init__(
        self, table: pd.DataFrame, analysis: Analysis, provenance: Provenance, behind: RowsBehind | None = None
    ) -> None:
        self.table, self.analysis, self.provenance = table, analysis, provenance
        self.behind = behind

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "behind": None}  # it reads from the location, which holds the token

    @property
    def question(self) -> str:
        """The question that the analysis answers."""
        return self.analysis.question

    @property
    def headline(self) -> str:
        """The answer in a sentence or two, made from the table alone; "" if there is none."""
        return self.analysis.headline(self.table)

    @property
    def definition(self) -> str:
        """How the numbers are computed: a paragraph that can be printed below the chart."""
        return str(self.table.attrs["hlkit"]["definition"])

    def rows(self, group: str | tuple[str, str] | None = None) -> pd.DataFrame:
        """The leads, deals or messages behind *group*, a name in the table; those of all groups by default.

        They begin with a name and a link to the record in HighLevel. May read the contacts, for their names. Raises
        ``InvalidRequest`` if there is no such group, or if the table has no groups.
        """
        if self.behind is None:
            is_compared = "compared_with" in self.table.attrs["hlkit"]
            raise InvalidRequest(
                "this result has no rows behind it",
                hint=f"run the analysis again{', without compare' * is_compared}, then call rows()",
            )
        return self.behind.of(group)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the chart on *ax*, or on a new figure, 6 inches wide."""
        return self.analysis.plot(self.table, ax)

    # ---- files

    def to_excel(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as an Excel file, with instants in the location's time zone."""
        return self._write_as(path, ".xlsx")

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as CSV."""
        return self._write_as(path, ".csv")

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as Parquet, with its dtypes and metadata."""
        return self._write_as(path, ".parquet")

    def _write_as(self, path: str | os.PathLike[str], suffix: str) -> Path:
        target = expand_path(path)
        return self.write(target if target.suffix.lower() == suffix else target.with_name(target.name + suffix))

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the table in the format of the file extension: ``.csv``, ``.xlsx``, ``.parquet`` or ``.jsonl``."""
        return write(self.table, path, timezone=self.provenance["timezone"])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the chart as ``.png``, ``.svg`` or ``.pdf``. Raises ``InvalidRequest``."""
        target = checked_target(path, CHART_FORMATS)
        return write_bytes(self._render_chart(target.suffix.lower()[1:]), target)

    def _render_chart(self, extension: str, dpi: int = 150) -> bytes:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, self.analysis.chart_height(self.table)), dpi=100)
        self.plot(new_axes(figure))
        return render(figure, extension, dpi)

    # ---- display

    @property
    def links(self) -> list[str]:
        """The columns of the table that are links to records in HighLevel."""
        return [name for name, kind in self.analysis.columns.items() if kind is LINK]

    def __repr__(self) -> str:
        table, note = self._first_rows()
        table = table.drop(columns=self.links)  # too long for a line
        rows = in_blocks(table) if len(table) else "(no rows)  " + ", ".join(map(str, table.columns))
        heading = "\n".join([self.question, *textwrap.wrap(self.headline, terminal_width())])
        parts = [heading, rows + note, self.definition, repr(self.provenance)]
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
        """The headline in bold, escaped; "" if there is none."""
        headline = self.headline
        return f'<p style="max-width:50em"><b>{escape(headline)}</b></p>' if headline else ""

    def chart_html(self) -> str:
        """The chart as an embedded image, sharp on high-resolution screens."""
        image = base64.b64encode(self._render_chart("png", dpi=220)).decode()
        size = "width:660px;max-width:100%"
        return f'<img src="data:image/png;base64,{image}" alt="{escape(self.question)}" style="{size}">'

    def table_html(self) -> str:
        """The first rows of the table, escaped; its links open the record in HighLevel."""
        table, note = self._first_rows()
        cells = {name: table[name].map(link_html if name in self.links else escape) for name in table}
        escaped = pd.DataFrame(cells, columns=table.columns).rename(columns=lambda name: escape(str(name)))
        html = escaped.to_html(index=False, border=0, escape=False)
        html = html.replace("<td>", '<td style="white-space:nowrap">')  # Jupyter breaks ids at their hyphens
        return f'<div style="font-variant-numeric:tabular-nums">{html}{escape(note)}</div>'

    def _first_rows(self) -> tuple[pd.DataFrame, str]:
        """The first rows, formatted, and a note that counts the others."""
        more = len(self.table) - _MAX_ROWS
        return self.formatted(_MAX_ROWS), f"\n… and {more:,} more rows: .table" if more > 0 else ""

    def formatted(self, rows: int, *, intervals: bool = True) -> pd.DataFrame:
        """The first *rows* as texts, as people read them: percentages with intervals, minutes, money, local times."""
        head, kinds = self.table.head(rows), self.analysis.columns
        return formatted(head, kinds, self.provenance["timezone"], currency_of(self.table), intervals)
