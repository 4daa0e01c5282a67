"""Dates and amounts as people and browsers write them, if they have only one possible meaning."""

from __future__ import annotations

import datetime as dt
import re

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?"
_CLOCK = (
    r"(?:(?:,? (?:at )?|t)(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d+)?)?(?: ?(?P<half>am|pm))?"
    r" ?(?:z|utc|gmt)?(?P<zone>[+-]\d\d:?\d\d)?(?: \([a-z ]+\))?)?"
)
_DATES = tuple(
    re.compile(_WEEKDAY + day + _CLOCK, re.ASCII)
    for day in (
        r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})",
        r"(?P<month>\d{1,2})[-/.](?P<day>\d{1,2})[-/.](?P<year>\d{4})",
        r"(?P<month>[a-z]{3,9})\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4})",
        r"(?P<day>\d{1,2})(?:st|nd|rd|th)?[ -](?P<month>[a-z]{3,9})\.?,?[ -](?P<year>\d{4})",
    )
)
_CURRENCY = "(?:[A-Z]{0,3}[$€£¥₹]|[A-Z]{3})?"
_AMOUNT = re.compile(
    rf"(?P<minus>-)? ?{_CURRENCY} ?(?P<inner>(?(minus)|-?))(?P<digits>\d[\d,. ]*?) ?{_CURRENCY}", re.ASCII
)
_WITH_COMMAS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_WITH_DECIMAL_COMMA = re.compile(r"(?:\d+|[1-9]\d{0,2}(?:[. ]\d{3})+),\d{1,2}")


def date(text: str) -> dt.datetime:
    """Read a date with an optional time: "Mar 15, 2025 3:30 PM", "2025/3/15". Without a zone it is UTC.

    Raises ``ValueError`` for anything else, and for ambiguous dates such as 03/04/2025.
    """
    plain = " ".join(text.casefold().split())
    match = next((match for pattern in _DATES if (match := pattern.fullmatch(plain))), None)
    if match is None:
        raise ValueError("not a date")
    month, day = match["month"], int(match["day"])
    if not month.isdecimal():
        month = 1 + [name.startswith(month) for name in _MONTHS].index(True)
    elif match.start("year") > match.start("day"):  # 03/15/2025 or 15.03.2025
        month, day = _month_and_day(int(month), day)
    hour, zone = int(match["hour"] or 0), match["zone"]
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("not a time of day")
        hour = hour % 12 + 12 * (match["half"] == "pm")
    moment = dt.datetime(
        int(match["year"]), int(month), day, hour, int(match["minute"] or 0), int(match["second"] or 0)
    )
    return moment.replace(tzinfo=dt.datetime.strptime(zone, "%z").tzinfo if zone else dt.UTC)


def _month_and_day(first: int, second: int) -> tuple[int, int]:
    """Month and day from two numbers in unknown order. Raises ``ValueError`` if both orders are possible."""
    if first != second and max(first, second) <= 12:
        raise ValueError("an ambiguous date")
    return (second, first) if first > 12 else (first, second)


def amount(text: str) -> float:
    """Read an amount with currency and separators: "$1,234.50", "1.234,50 €", "-USD 5". Raises ``ValueError``."""
    match = _AMOUNT.fullmatch(" ".join(text.split()))
    digits = match["digits"] if match else ""
    if _WITH_COMMAS.fullmatch(digits):
        number = float(digits.replace(",", ""))
    elif _WITH_DECIMAL_COMMA.fullmatch(digits):
        number = float(re.sub("[. ]", "", digits).replace(",", "."))
    else:
        raise ValueError("not an amount")
    return -number if match and (match["minus"] or match["inner"]) else number
