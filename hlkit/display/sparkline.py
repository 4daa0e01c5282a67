"""Small charts without axes: twelve bars from zero, a line on its own scale, a part of a whole."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

WIDTH, HEIGHT = 124, 40
_GAP = 3


def bars(values: Sequence[float], label: str) -> str:
    """A bar from zero for each value; the last one is blue, the one before it dark gray."""
    top = max((value for value in values if isfinite(value)), default=0.0) or 1.0
    step = (WIDTH + _GAP) / len(values)
    parts = []
    for number, value in enumerate(values):
        height = max(HEIGHT * value / top, 1.0) if isfinite(value) else 0.0
        size = f'x="{number * step:.1f}" y="{HEIGHT - height:.1f}" width="{step - _GAP:.1f}" height="{height:.1f}"'
        parts.append(f'<rect {size} rx="1.5" style="fill:{_color(number, len(values), "var(--hl-line)")}"/>')
    return _svg("".join(parts), label)


def line(values: Sequence[float], label: str) -> str:
    """A line through the values, with a dot at the last one and a ring at the one before it."""
    known = [value for value in values if isfinite(value)]
    if not known:
        return ""
    low, high = min(known), max(known)
    step, margin = (WIDTH - 8) / max(len(values) - 1, 1), 5
    points = [
        (
            4 + number * step,
            HEIGHT - margin - (HEIGHT - 2 * margin) * ((value - low) / (high - low) if high > low else 0.5),
        )
        for number, value in enumerate(values)
        if isfinite(value)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    marks = f'<polyline points="{path}" style="fill:none;stroke:var(--hl-rest);stroke-width:1.6"/>'
    if isfinite(values[-1]):
        x, y = points[-1]
        marks += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" style="fill:var(--hl-c1)"/>'
    if len(points) > 1:
        x, y = points[-2]
        marks += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.8" style="fill:var(--hl-bg);stroke:var(--hl-rest)"/>'
    return _svg(marks, label)


def part(share: float, label: str, color: str) -> str:
    """A bar that is filled to a share of its length."""
    if not isfinite(share):
        return ""
    y, width = HEIGHT - 12, WIDTH * share
    return _svg(
        f'<rect x="0" y="{y}" width="{WIDTH}" height="8" rx="2" style="fill:var(--hl-line)"/>'
        f'<rect x="0" y="{y}" width="{width:.1f}" height="8" rx="2" style="fill:var(--hl-{color})"/>',
        label,
    )


def _color(number: int, count: int, other: str) -> str:
    return "var(--hl-c1)" if number == count - 1 else "var(--hl-rest)" if number == count - 2 else other


def _svg(body: str, label: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{body}</svg>'
