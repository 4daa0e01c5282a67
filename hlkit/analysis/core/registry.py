"""``@analysis`` turns a function of DataFrames into a question that can be asked anywhere.

It is then ``hl.analyses.x``, ``loc.analyses.x``, ``hlkit run x`` with its flags, and a form in the explorer. The
modules of the folders beside this one are found and imported on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from hlkit.analysis.core.analysis import Analysis, Columns, When
from hlkit.analysis.core.charts import Chart
from hlkit.analysis.core.headlines import Template
from hlkit.analysis.core.known import all_analyses, unknown
from hlkit.analysis.core.known import register as register_known
from hlkit.analysis.core.period_change import Change
from hlkit.client.frames.names import NAMED_BY
from hlkit.client.resources import CATALOG
from hlkit.display.html import pairs_html


def analysis(
    question: str,
    *,
    columns: Columns,
    chart: Chart | None = None,
    headline: Template | None = None,
    definition: str = "",
    noun: str | None = None,
    rows: Columns = MappingProxyType({}),
    when: Mapping[str, When] = MappingProxyType({}),
    compares: Change | None = None,
) -> Callable[[Callable[..., pd.DataFrame]], Analysis]:
    """Make a function an analysis, known everywhere by its name.

    Parameters
    ----------
    question
        What it answers, as an analyst asks it.
    columns
        The columns of its table, after those of the groups.
    chart
        What is drawn of its table; bars of its first number, if left out.
    headline
        What writes the answer from its table, in one or two sentences. It gets the table with names instead of ids,
        and with texts cut to fit a line.
    definition
        How the numbers are computed: a short paragraph that can be printed below the chart. ``{by}`` and the names
        of other options are filled in.
    noun
        What it counts, in the plural: the headline of a span without any says so. The name of its first frame, if
        left out.
    rows
        The columns of the rows behind a group, as ``result.rows(group)`` shows them, without names and ids.
    when
        For a resource that only some options need: whether these options do. Otherwise it is not read.
    compares
        What ``compare="previous"`` compares between two periods: a share or a count; None if its rows have no
        history.
    """

    def register(function: Callable[..., pd.DataFrame]) -> Analysis:
        registered = Analysis(
            function,
            question,
            columns=columns,
            chart=chart,
            headline=headline,
            definition=definition,
            noun=noun,
            rows=rows,
            when=when,
            compares=compares,
        )
        register_known(registered)
        return registered

    return register


def when_by_contact(resource: str, *groups: str) -> Mapping[str, When]:
    """For ``when``: contacts are needed to group by a column that neither *resource* nor the analysis itself has.

    *groups* are those that the analysis makes up, such as "hour".
    """
    columns = {column.name for column in CATALOG[resource].columns}
    known = {None, *groups, *columns, *(name for column, (name, _) in NAMED_BY.items() if column in columns)}

    def is_needed(options: Mapping[str, Any]) -> bool:
        by = options["by"]
        return any(name not in known for name in (by if isinstance(by, list) else [by]))

    return {"contacts": is_needed}


class Analyses(Mapping[str, Analysis]):
    """All analyses by name. Alone in a cell: their questions."""

    def __getitem__(self, name: str) -> Analysis:
        analysis: Analysis = all_analyses()[name]
        return analysis

    def __iter__(self) -> Iterator[str]:
        return iter(all_analyses())

    def __len__(self) -> int:
        return len(all_analyses())

    if not TYPE_CHECKING:  # a type checker knows them from a generated class

        def __getattr__(self, name: str) -> Analysis:
            known = all_analyses() if not name.startswith("_") else {}
            if name in known:
                return known[name]
            raise AttributeError(unknown(name, known), name=name, obj=None)

    def __dir__(self) -> list[str]:
        return list(all_analyses())

    def __reduce__(self) -> str:
        return "ANALYSES"

    def __repr__(self) -> str:
        return listing(self, "hl.analyses.")

    def _repr_html_(self) -> str:
        return listing_html(self, "hl.analyses.")


ANALYSES = Analyses()


TOPICS = ("leads", "sales", "inbox", "calendar", "contacts")


def by_topic(analyses: Mapping[str, Analysis]) -> dict[str, list[Analysis]]:
    """The analyses of each topic, in the order of the topics; those defined elsewhere come last."""
    groups: dict[str, list[Analysis]] = {topic: [] for topic in TOPICS}
    for analysis in analyses.values():
        groups.setdefault(analysis.topic, []).append(analysis)
    return {topic: group for topic, group in groups.items() if group}


def listing(analyses: Mapping[str, Analysis], prefix: str) -> str:
    """Their names and questions, a line each, by topic."""
    wide = max((len(name) for name in analyses), default=0)
    blocks = [
        "\n".join([topic, *(f"  {prefix}{analysis.name:<{wide}}  {analysis.question}" for analysis in group)])
        for topic, group in by_topic(analyses).items()
    ]
    return "\n".join(blocks)


def listing_html(analyses: Mapping[str, Analysis], prefix: str) -> str:
    """The same as a table."""
    named = (
        (
            topic if index == 0 else "",
            f"<code>{escape(f'{prefix}{analysis.name}')}</code> {escape(analysis.question)}",
        )
        for topic, group in by_topic(analyses).items()
        for index, analysis in enumerate(group)
    )
    return pairs_html(named, "td")
