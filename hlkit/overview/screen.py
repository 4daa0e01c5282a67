"""What an overview shows, apart from how: the tiles, what is worth a look, and the headline made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from hlkit.overview.attention import Item
from hlkit.overview.measures import Measure
from hlkit.overview.tile import Tile


@dataclass(frozen=True)
class Screen:
    """The tiles and the items of one location and period.

    ``p`` are the corrected p-values of the tiles, in their order. ``notes`` say what was left out, and ``source``
    where the numbers come from.
    """

    location: str
    period: str
    earlier: str
    tiles: Sequence[tuple[Measure, Tile]]
    p: Sequence[float]
    items: Sequence[Item]
    notes: Sequence[str]
    source: str
    starts: Sequence[pd.Timestamp]

    @property
    def headline(self) -> str:
        """What is most worth a look, and which numbers changed significantly."""
        first = self.items[0] if self.items else None
        parts = [] if first is None else [f"{first.sentence}."]
        changed = [
            f"{measure.title.lower()} {'rose' if tile.value > tile.before else 'fell'}"
            for (measure, tile), p in zip(self.tiles, self.p, strict=True)
            if tile.is_significant(p)
        ]
        if changed:
            text = ", ".join(changed)
            parts.append(f"{text[:1].upper()}{text[1:]} significantly, compared with {self.earlier}.")
        elif any(math.isfinite(p) for p in self.p):
            parts.append(f"No number changed significantly from {self.earlier}.")
        return " ".join(parts)
