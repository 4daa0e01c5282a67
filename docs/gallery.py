"""All analyses of the demo on one sheet: docs/gallery.png, by `make gallery`."""

from pathlib import Path

from matplotlib.figure import Figure

import hlkit as hl

WIDE = 2  # charts in a row, each 6 x 4 inches


def sheet() -> Figure:
    """Every chart that there is, in the order of their names."""
    loc = hl.demo(as_of="2026-01-01")
    high = -(-len(hl.analyses) // WIDE)
    figure = Figure(figsize=(6 * WIDE, 4 * high), layout="constrained", facecolor="white")
    parts = figure.subfigures(high, WIDE).flatten()
    for part, name in zip(parts, hl.analyses, strict=False):
        part.set_facecolor("white")
        loc.analyses[name]().plot(part.subplots())
    return figure


if __name__ == "__main__":
    path = Path(__file__).with_suffix(".png")
    sheet().savefig(path, dpi=75)
    print(f"{path}: {len(hl.analyses)} charts")
