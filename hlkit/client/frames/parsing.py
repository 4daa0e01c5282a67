"""Dates and amounts as people and browsers write them, where they can mean one thing only."""

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
    """A day, with a time of day or without, in UTC where it names no zone: "Mar 15, 2025 3:30 PM", "2025/3/15".

    Raises ``ValueError`` for anything else, and for what could be two days: 03/04/2025.
    """
    plain = " ".join(text.casefold().split())
    found = next((found for spelling in _DATES if (found := spelling.fullmatch(plain))), None)
    if found is None:
        raise ValueError("no date")
    month, day = found["month"], int(found["day"])
    if not month.isdecimal():
        month = 1 + [name.startswith(month) for name in _MONTHS].index(True)
    elif found.start("year") > found.start("day"):  # 03/15/2025 or 15.03.2025
        month, day = _one_day(int(month), day)
    hour, zone = int(found["hour"] or 0), found["zone"]
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("no time of day")
        hour = hour % 12 + 12 * (found["half"] == "pm")
    of_day = dt.datetime(
        int(found["year"]), int(month), day, hour, int(found["minute"] or 0), int(found["second"] or 0)
    )
    return of_day.replace(tzinfo=dt.datetime.strptime(zone, "%z").tzinfo if zone else dt.UTC)


def _one_day(first: int, second: int) -> tuple[int, int]:
    """The month and the day of two numbers in an order that is not known."""
    if first != second and max(first, second) <= 12:
        raise ValueError("it could be two days")
    return (second, first) if first > 12 else (first, second)


def amount(text: str) -> float:
    """A number with its currency and its thousands: "$1,234.50", "1.234,50 €", "-USD 5". Raises ``ValueError``."""
    found = _AMOUNT.fullmatch(" ".join(text.split()))
    digits = found["digits"] if found else ""
    if _WITH_COMMAS.fullmatch(digits):
        number = float(digits.replace(",", ""))
    elif _WITH_DECIMAL_COMMA.fullmatch(digits):
        number = float(re.sub("[. ]", "", digits).replace(",", "."))
    else:
        raise ValueError("no amount")
    return -number if found and (found["minus"] or found["inner"]) else number
