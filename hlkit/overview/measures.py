"""The nine tiles: what each number is, before and now, and over twelve periods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Any

import pandas as pd

from hlkit.analysis.core.deals import deals_as_of
from hlkit.analysis.core.groups import column_or_nulls
from hlkit.analysis.core.money import currency_of, format_money
from hlkit.analysis.core.run_log import as_mask
from hlkit.analysis.leads.credits import payment_rows
from hlkit.client.schema import COUNT, MONEY, NUMBER, SHARE
from hlkit.client.text import many
from hlkit.overview.reading import Reading
from hlkit.overview.tile import Tile
from hlkit.overview.window import PERIODS

# As in the analysis reachability: each channel, its columns of contact_quality for a valid address, and for a block.
_CHANNELS = (
    ("email", "valid_email", "email_blocked"),
    ("SMS", "valid_phone", "sms_blocked"),
    ("phone", "valid_phone", "call_blocked"),
)


def new_leads(reading: Reading) -> Tile:
    change = _total(reading.compared("lead_volume"))
    daily = reading.run("lead_volume", by=None)
    days = [span.whole_days(reading.window.zone) for span in reading.window.history]
    history = [
        float(daily.loc[daily["date"].ge(first) & daily["date"].lt(end), "leads"].sum()) for first, end in days
    ]
    return Tile(
        COUNT,
        reading.compared_call("lead_volume"),
        value=float(change["leads"]),
        base=f"in {many(change['days'], 'day')}",
        before=_number(change["leads_before"]),
        p=_number(change["p"]),
        is_tested=True,
        history=tuple(history),
        more_is="good",
    )


def speed_to_lead(reading: Reading) -> Tile:
    change = _total(reading.compared("speed_to_lead"))
    return Tile(
        NUMBER,
        reading.compared_call("speed_to_lead"),
        value=_number(change["median_min"]),
        base="median, office hours",
        before=_number(change["median_min_before"]),
        p=_number(change["p"]),
        is_tested=True,
        history=reading.history("speed_to_lead", "created_at", "median_min"),
        problem="no median yet" if change["n"] else "no leads",
        more_is="bad",
    )


def replies_on_time(reading: Reading) -> Tile:
    history = reading.history("responses", "sent_at", "on_time_share")
    return _share_tile(reading, "responses", "on_time", "messages", history)


def show_rate(reading: Reading) -> Tile:
    history = reading.history("appointments", "starts_at", "show_share")
    return _share_tile(reading, "appointments", "show", "marked", history)


def open_pipeline(reading: Reading) -> Tile:
    opportunities, window = reading.frame("opportunities"), reading.window
    totals = [_open_deals(opportunities, span.end) for span in (*window.history, window.before)]
    (value, count), (before, _) = totals[PERIODS - 1], totals[-1]
    return Tile(
        MONEY,
        reading.call("funnel"),
        value=value,
        base=many(count, "deal"),
        before=before,
        history=tuple(total for total, _ in totals[:PERIODS]),
        currency=reading.currency,
    )


def stuck_deals(reading: Reading) -> Tile:
    deals = reading.run("stuck")
    is_stuck = as_mask(deals["stuck"])
    share = float(is_stuck.mean()) if len(deals) else nan
    worth = format_money(deals.loc[is_stuck, "value"].sum(), currency_of(deals), whole=True)
    return Tile(
        COUNT,
        reading.call("stuck"),
        value=float(is_stuck.sum()),
        base=f"of {len(deals):,} open",
        part=share,
        note=f"{share:.0%} of open deals, worth {worth}" if is_stuck.any() else "no open deal is stuck",
    )


def won_value(reading: Reading) -> Tile:
    now = reading.window.now
    deals = deals_as_of(reading.frame("opportunities"), now.as_of)
    won = deals[as_mask(deals["status"] == "won")]
    values = column_or_nulls(won, "value", MONEY)
    first, end = (f"{instant.tz_convert(reading.window.zone):%Y-%m-%d}" for instant in (now.since, now.end))
    call = reading.call("funnel", match="highlevel", changed_since=first, changed_until=end)
    return _money_tile(reading, call, won["closed_at"], values, "deal", reading.currency)


def payments_received(reading: Reading) -> Tile:
    transactions = reading.frame("transactions")
    payments, currency = payment_rows(transactions, reading.currency or None)
    dates = transactions.loc[payments.index, "created_at"]
    call = reading.call("attribution", period=reading.window.period)
    return _money_tile(reading, call, dates, payments["cash"], "payment", currency or "")


def reachable_contacts(reading: Reading) -> Tile:
    contacts = reading.run("contact_quality")
    count, n = int(as_mask(contacts["reachable"]).sum()), len(contacts)
    by_channel = [
        f"{name} {(as_mask(contacts[valid]) & ~as_mask(contacts[blocked])).mean():.0%}"
        for name, valid, blocked in _CHANNELS
        if n
    ]
    return Tile(
        SHARE,
        reading.call("reachability"),
        value=count / n if n else nan,
        base=f"{count:,} of {n:,}",
        part=count / n if n else nan,
        note=", ".join(by_channel),
        problem="no contacts",
    )


@dataclass(frozen=True)
class Measure:
    """A tile to be made: its name in the table, its title, how its number is computed, and the function for it."""

    name: str
    title: str
    definition: str
    tile: Callable[[Reading], Tile]


MEASURES = (
    Measure(
        "new_leads",
        "New leads",
        "Contacts created on the complete days of the period, without imports. The change is that of leads a day, "
        "tested against how much days vary.",
        new_leads,
    ),
    Measure(
        "speed_to_lead",
        "Speed to lead",
        "The median office hours from a lead's creation to the first message or call by a person; leads without a "
        "reply count as still waiting. The change is tested by the share answered within an hour.",
        speed_to_lead,
    ),
    Measure(
        "replies_on_time",
        "Replies within 60 min",
        "The share of incoming messages that a person answered within 60 minutes of office hours.",
        replies_on_time,
    ),
    Measure(
        "show_rate",
        "Show rate",
        "Of past appointments that were marked, the share that showed up.",
        show_rate,
    ),
    Measure(
        "open_pipeline",
        "Open pipeline",
        "The value of the deals that were open at the end of the period, by their dates of creation and closing and "
        "at today's values.",
        open_pipeline,
    ),
    Measure(
        "stuck_deals",
        "Stuck deals",
        "Open deals with nothing planned that have been in their stage longer than 90% of the deals won from it. As "
        "of today: HighLevel keeps no history of stages.",
        stuck_deals,
    ),
    Measure(
        "won_value",
        "Won",
        "The value of the deals that were won in the period, by the date of their status change.",
        won_value,
    ),
    Measure(
        "payments_received",
        "Payments received",
        "Payments that succeeded, less what was refunded, in the location's currency only.",
        payments_received,
    ),
    Measure(
        "reachable_contacts",
        "Reachable contacts",
        "Contacts with a valid email address or phone number that is not set to do-not-disturb. As of today: "
        "HighLevel keeps no history of either.",
        reachable_contacts,
    ),
)


def _share_tile(reading: Reading, analysis: str, share: str, noun: str, history: tuple[float, ...]) -> Tile:
    change = _total(reading.compared(analysis))
    rows = int(change["n"])
    return Tile(
        SHARE,
        reading.compared_call(analysis),
        value=_number(change[f"{share}_share"]),
        base=f"of {rows:,} {noun}",
        low=_number(change[f"{share}_low"]),
        high=_number(change[f"{share}_high"]),
        before=_number(change[f"{share}_before_share"]),
        p=_number(change["p"]),
        is_tested=True,
        history=history,
        problem="none marked" if noun == "marked" else f"no {noun}",
        more_is="good",
    )


def _money_tile(reading: Reading, call: str, dates: pd.Series, amounts: pd.Series, noun: str, currency: str) -> Tile:
    """The sum of *amounts* by their *dates*. Sums of money are not tested."""
    window = reading.window
    sums = [float(amounts[window.is_in(span, dates)].sum()) for span in (*window.history, window.before)]
    return Tile(
        MONEY,
        call,
        value=sums[PERIODS - 1],
        base=many(int(window.is_in(window.now, dates).sum()), noun),
        before=sums[-1],
        history=tuple(sums[:PERIODS]),
        currency=currency,
    )


def _open_deals(opportunities: pd.DataFrame, instant: pd.Timestamp) -> tuple[float, int]:
    """The value and the number of the deals that were open at an instant."""
    deals = deals_as_of(opportunities, instant)
    is_open = as_mask(deals["status"] == "open") & as_mask(deals["created_at"] <= instant)
    return float(column_or_nulls(deals, "value", MONEY)[is_open].sum()), int(is_open.sum())


def _total(table: pd.DataFrame) -> pd.Series:
    """The row of all groups; counts of 0 and no other number if there is no row."""
    if len(table):
        return table.iloc[0]
    return pd.Series({name: 0 if dtype == COUNT.dtype else nan for name, dtype in table.dtypes.items()})


def _number(value: Any) -> float:
    return nan if pd.isna(value) else float(value)
