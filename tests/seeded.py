"""Frames of a simulated location, straight from its rows, and what was planted in it."""

import functools

from hlkit.client.frames.builder import FrameBuilder
from hlkit.client.resources import CATALOG
from hlkit.sim.data import Data

AS_OF = "2026-01-01"


@functools.lru_cache(maxsize=8)
def data(seed, size):
    return Data(seed, size, AS_OF)


def frame(seed, size, name):
    """The frame of a resource; of stages too, each with its pipeline."""
    resource = CATALOG[name]
    rows = list(data(seed, size).rows("pipelines" if name == "stages" else name))
    if name == "stages":
        rows = [{**stage, "parent": row} for row in rows for stage in row["stages"]]
    builder = FrameBuilder(resource.columns, resource.key)
    builder.add(rows)
    return builder.frame()
