"""Names of stages, for charts and headlines: with the pipeline's name where a stage's own is ambiguous."""

from __future__ import annotations

import pandas as pd

from hlkit.analysis.core.charts.labels import distinct_texts
from hlkit.analysis.core.groups import NONE
from hlkit.client.text import shorten

PIPELINE_SEPARATOR = "\n·\n"  # between the names of a stage and its pipeline, until both are shortened


def stage_names(table: pd.DataFrame) -> pd.Series:
    """The names of the stages; if several pipelines have a stage of that name, with the pipeline's name."""
    stage, pipeline = (table[name].astype("object").fillna(NONE) for name in ("stage_id", "pipeline_id"))
    is_ambiguous = pipeline.groupby(stage).transform("nunique") > 1
    names = stage.where(~is_ambiguous, stage + PIPELINE_SEPARATOR + pipeline)
    return names.map(distinct_texts(names, _shorten_both))


def _shorten_both(name: str) -> str:
    """The stage and the pipeline of *name*, each shortened; without a pipeline, *name* itself."""
    return " · ".join(map(_shorten, name.split(PIPELINE_SEPARATOR))) if PIPELINE_SEPARATOR in name else name


def _shorten(name: str) -> str:
    return shorten(" ".join(name.split()), 20)
