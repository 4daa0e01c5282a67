"""Texts that are safe to draw, and names in place of ids.

Names come from the public. Matplotlib would treat a name with ``$`` as a formula, hide a name that begins with ``_``
from the legend, and warn about characters that its font lacks.
"""

from __future__ import annotations

import functools
import textwrap
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any

import pandas as pd

from hlkit.client.text import BREAKS, printable

_LINE = 26  # characters in a line of a name on an axis


def map_texts(
    table: pd.DataFrame, function: Callable[[object], object], but: Collection[object] = ()
) -> pd.DataFrame:
    """The table with *function* applied to its texts; different texts of a column stay different, by a number.

    The columns *but* stay as they are.
    """
    out = table.copy()
    for name, column in table.items():
        if name not in but and (isinstance(column.dtype, pd.StringDtype) or column.dtype == object):
            mapped = distinct_texts(column, function)
            texts = [mapped[value] if isinstance(value, str) else value for value in column]
            out[name] = pd.Series(texts, index=table.index, dtype=column.dtype)
    return out


def distinct_texts(values: Iterable[object], function: Callable[[str], object]) -> dict[str, object]:
    """Map each distinct text among *values* to *function* of it; equal results are numbered: "A", "A (2)"."""
    mapped: dict[str, object] = {}
    counts: Counter[object] = Counter()
    for text in dict.fromkeys(value for value in values if isinstance(value, str)):
        result = function(text)
        counts[result] += 1
        mapped[text] = result if counts[result] == 1 else f"{result} ({counts[result]})"
    return mapped


def name_or_placeholder(names: pd.Series, ids: pd.Series, kind: str, distinct: bool = True) -> pd.Series:
    """The name of each id; "unknown owner …x7Qp" for an id without a name. Placeholders such as (none) stay.

    With *distinct*, a name that several ids share gets the end of the id: "Ann Lee …x7Qp".
    """
    suffix = " …" + ids.str[-4:]
    labels = names.where(names.notna(), f"unknown {kind}" + suffix)
    if distinct:
        labels = labels.mask(ids.groupby(names).transform("nunique") > 1, names + suffix)
    return labels.where(~ids.fillna("(").str.startswith("("), ids)


def drawable(text: object) -> object:
    """*text* in a form that matplotlib can draw: at most two short lines, no formula, no missing characters."""
    if not isinstance(text, str):
        return text
    plain = BREAKS.sub(" ", printable(text))
    if len(plain) > _LINE:
        first, second, *more = [*textwrap.wrap(plain, _LINE), ""]
        plain = f"{first}\n{second[: _LINE - 1]}…" if "".join(more) else f"{first}\n{second}".rstrip()
    if not plain.isascii():
        fonts = installed_fonts()
        plain = "".join(char if char.isascii() or _has_glyph(ord(char), fonts) else "□" for char in plain)
    plain = plain.replace("$", r"\$")
    return f" {plain}" if plain.startswith("_") else plain


@functools.lru_cache(maxsize=4096)
def _has_glyph(code: int, fonts: tuple[str, ...]) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    paths = {findfont(FontProperties(family=[font])) for font in fonts}
    return any(get_font(path).get_char_index(code) for path in paths)


def installed_fonts() -> tuple[str, ...]:
    """The notebook's fonts that are installed, then the font that comes with matplotlib."""
    import matplotlib as mpl
    from matplotlib.font_manager import fontManager

    settings: Any = mpl.rcParams
    fonts = [name for family in settings["font.family"] for name in settings.get(f"font.{family.lower()}", [family])]
    installed = set(fontManager.get_font_names())
    return tuple(dict.fromkeys([name for name in fonts if name in installed] + ["DejaVu Sans"]))
