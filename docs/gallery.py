"""All analyses of the demo on one sheet, each with its question and headline: docs/gallery.png, by `make gallery`."""

import io
import textwrap
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

import hlkit as hl
from hlkit.analysis.core.registry import by_topic

WIDE = 2  # charts in a row, each 6 inches wide
HEAD = 0.95  # inches for the question and the headline


def sheet() -> Figure:
    """Every chart that there is, by topic; a row is as high as its higher chart."""
    loc = hl.demo(as_of="2026-01-01")
    results = [loc.analyses[analysis.name]() for group in by_topic(hl.analyses).values() for analysis in group]
    rows = [results[start : start + WIDE] for start in range(0, len(results), WIDE)]
    heights = [HEAD + max(result.analysis.chart_height(result.table) for result in row) for row in rows]
    figure = Figure(figsize=(6 * WIDE, sum(heights)), layout="constrained", facecolor="white")
    parts = figure.subfigures(len(rows), WIDE, height_ratios=heights, squeeze=False)
    for row, subfigures in zip(rows, parts, strict=True):
        for result, part in zip(row, subfigures, strict=False):
            part.set_facecolor("white")
            headline = "\n".join(textwrap.wrap(result.headline, 78))
            part.suptitle(f"{result.question}\n{headline}", x=0.02, ha="left", fontsize=9)
            result.plot(part.subplots())
    return figure


if __name__ == "__main__":
    path = Path(__file__).with_suffix(".png")
    image = io.BytesIO()
    sheet().savefig(image, dpi=75)
    Image.open(image).convert("RGB").quantize(64).save(path, optimize=True)  # a third of the size
    print(f"{path}: {len(hl.analyses)} charts")
