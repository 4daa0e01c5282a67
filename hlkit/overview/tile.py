"""One number of the business, with what it was before, its history, and the analysis that explains it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan
from typing import Literal

from hlkit.analysis.core.charts.base import change_percent, interval_text
from hlkit.analysis.core.charts.canvas import format_minutes
from hlkit.analysis.core.money import format_money
from hlkit.client.schema import MONEY, NUMBER, SHARE, Kind

Direction = Literal["good", "bad", ""]


@dataclass(frozen=True)
class Tile:
    """A number of a period, or as of today.

    ``kind`` is COUNT, MONEY, SHARE, or NUMBER for minutes, and ``call`` the code of the analysis that explains it.
    ``base`` is what the number is made of: "208 of 252".
    ``low`` and ``high`` are the 95% interval of a share. ``before`` is the number of the earlier period, and ``p``
    the p-value of the change, NaN if it is not tested. ``history`` has the numbers of twelve periods, the oldest
    first, drawn as bars from zero for totals and as a line for rates. ``part`` is the share of a whole that a number
    without history is. ``note`` is written instead of the change, and ``problem`` instead of the number.
    ``more_is`` says whether a rise is good news.
    """

    kind: Kind
    call: str
    value: float = nan
    base: str = ""
    low: float = nan
    high: float = nan
    before: float = nan
    p: float = nan
    is_tested: bool = False
    history: tuple[float, ...] = ()
    part: float = nan
    note: str = ""
    problem: str = ""
    more_is: Direction = ""
    currency: str = ""

    @property
    def number(self) -> str:
        """The value as people read it: 83%, $65,080, 23 min; the problem if there is none."""
        return self.text_of(self.value) if isfinite(self.value) else self.problem or "none yet"

    @property
    def interval(self) -> str:
        """The 95% interval of a share: 77–87."""
        return interval_text(self.low, self.high)

    def text_of(self, value: float) -> str:
        """A value of this tile as people read it."""
        if self.kind is SHARE:
            return f"{value:.0%}"
        if self.kind is MONEY:
            return format_money(value, self.currency, whole=True)
        return format_minutes(value) if self.kind is NUMBER else f"{value:,.0f}"

    def is_significant(self, p: float) -> bool:
        """Whether the change is, with *p* corrected for all tests of the screen."""
        return self.is_tested and p < 0.05

    def direction(self, p: float) -> Direction:
        """Whether a significant change is good or bad news; "" if it is neither."""
        if not self.is_significant(p) or not self.more_is:
            return ""
        return "good" if (self.value > self.before) == (self.more_is == "good") else "bad"

    def change(self, p: float) -> str:
        """The change from the earlier period, and whether it is significant by the corrected *p*."""
        if self.note or not isfinite(self.before) or not isfinite(self.value):
            return self.note
        if self.kind is SHARE or self.kind is NUMBER:
            text = f"{self.text_of(self.before)} before"
        else:
            change = change_percent(self.value / self.before - 1) if self.before else ""
            text = f"{change} from {self.text_of(self.before)}".strip()
        if not self.is_tested:
            return text
        if not isfinite(p):
            return f"{text}, too few to test"
        arrow = ("▲ " if self.value > self.before else "▼ ") if self.is_significant(p) else ""
        return f"{arrow}{text}, {'significant' if self.is_significant(p) else 'no significant change'}"
