"""Which group gets the credit for each contact, its deals and its payments, and the sums of each group."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports, find_imports
from hlkit.analysis.core.deals import AGES, days_to_win, win_columns, wins_and_losses, wins_at_ages
from hlkit.analysis.core.groups import (
    ALL,
    NONE,
    SMALL,
    assign_groups,
    column_or_nulls,
    group_keys,
    is_among,
    map_keys,
)
from hlkit.analysis.core.run_log import drop_rows, record_left_out, record_overlap, remark
from hlkit.analysis.core.shares import share, share_with_interval
from hlkit.analysis.leads.sources import TOUCHES, clean_text, touch_values
from hlkit.client.schema import INSTANT, MONEY, TEXT
from hlkit.client.text import many

OTHERS = "(other contacts)"
Model = Literal["first", "last", "split"]


def contact_credits(
    contacts: pd.DataFrame, by: str | None, model: Model, imports: Imports, website: str | None
) -> pd.DataFrame:
    """One row per contact and ``group``, with the ``credit`` of the group: 1, or half if *model* splits it.

    ``is_lead`` is whether the contact counts as a lead. ``changed_at`` is when a contact was last updated whose last
    touch differs from its first.
    """
    kind = by if by in TOUCHES else "source"
    touches = touch_values(contacts, kind, website)
    differs = touches["first"].fillna("").str.lower() != touches["last"].fillna("").str.lower()
    people = pd.DataFrame(
        {
            "contact_id": contacts["contact_id"],
            "created_at": column_or_nulls(contacts, "created_at", INSTANT),
            "is_lead": ~find_imports(contacts, imports, "contacts"),
            "changed_at": column_or_nulls(contacts, "updated_at", INSTANT).where(differs),
            "credit": 1.0,
        }
    )
    if by not in TOUCHES:
        if by is not None:
            remark(f"{by} is a column of the contact, not of a touch, so the model has no effect.")
        people, groups = assign_groups(people, group_keys(contacts, by))
        return people.assign(group=groups)
    credited = [people.assign(touch=touch) for end, touch in touches.items() if model in (end, "split")]
    people, groups = assign_groups(pd.concat(credited, ignore_index=True), "touch")
    if model == "split":
        record_overlap()
    return people.assign(group=groups, credit=people["credit"] / len(credited))


def with_credit(rows: pd.DataFrame, credits: pd.DataFrame, by: str | None) -> pd.DataFrame:
    """*rows* with the columns of *credits* of their contact, once for each group that gets credit.

    Rows of a contact that is not among *credits* are in the group "(other contacts)", those without a contact in
    "(none)".
    """
    known = credits[credits["contact_id"].notna()].drop(columns="created_at")
    rows = rows.merge(known, on="contact_id", how="left")
    missing = np.where(rows["contact_id"].isna(), NONE, OTHERS) if by is not None else ALL
    is_known = rows["group"].notna()
    return rows.assign(
        contact_id=rows["contact_id"].where(is_known),
        group=rows["group"].where(is_known, missing),
        credit=rows["credit"].fillna(1.0),
        is_lead=rows["is_lead"].eq(True),
    )


def surviving_ids(ids: pd.Series, contacts: pd.DataFrame, transactions: pd.DataFrame | None) -> pd.Series:
    """*ids* of contacts, in which those that were merged into another contact are replaced by that."""
    if transactions is None or "merged_from_contact_id" not in transactions:
        return ids
    pairs = transactions[["merged_from_contact_id", "contact_id"]].dropna()
    pairs = pairs[~is_among(pairs["merged_from_contact_id"], contacts["contact_id"])]
    merged = pairs.drop_duplicates("merged_from_contact_id", keep="last").set_index("merged_from_contact_id")
    for _ in range(3):  # a survivor of a merge may have been merged itself
        ids = map_keys(ids, merged["contact_id"]).fillna(ids)
    return ids


def sums_by_group(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The sums of *columns* by group, each row weighted by its credit."""
    return rows[columns].mul(rows["credit"], axis=0).groupby(rows["group"]).sum()


def deal_rows(deals: pd.DataFrame, imports: Imports) -> pd.DataFrame:
    """One row per deal of ``deals_as_of``, with its status as columns to sum and the value of open deals."""
    status = deals["status"].fillna("")
    return pd.DataFrame(
        {
            "contact_id": deals["contact_id"],
            "status": status,
            "opportunities": 1.0,
            "won": status == "won",
            "lost": status.isin(("lost", "abandoned")),
            "open": status == "open",
            "pipeline_value": column_or_nulls(deals, "value", MONEY).where(status == "open").fillna(0.0),
            "age": deals["age"],
            "followed": deals["followed"],
            "closed_at": deals["closed_at"],
            "is_import": find_imports(deals, imports, "opportunities"),
        }
    )


def payment_rows(transactions: pd.DataFrame | None, currency: str | None) -> tuple[pd.DataFrame, str | None]:
    """The ``contact_id`` and the net ``cash`` of each payment in one currency, and that currency.

    Without a *currency* it is that of most payments. Payments in other currencies are reported and left out.
    """
    cash_currency = currency.strip().upper() if currency else None
    if transactions is None:
        remark("Payments could not be read, so cash is unknown.")
        nothing: dict[str, Any] = {
            "contact_id": pd.Series([], dtype=TEXT.dtype),
            "cash": pd.Series([], dtype="float64"),
        }
        return pd.DataFrame(nothing), cash_currency
    paid = drop_rows(transactions, transactions["status"].str.lower() != "succeeded", "payments that did not succeed")
    if "is_live" in paid:
        paid = drop_rows(paid, ~paid["is_live"].fillna(False), "test payments")
    paid = drop_rows(paid, paid["amount"].isna(), "payments without an amount")
    net = paid["amount"] - column_or_nulls(paid, "amount_refunded", MONEY).fillna(0.0)
    codes = clean_text(paid, "currency").str.upper()
    if cash_currency is None:
        counts = codes.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        cash_currency = None if not len(counts) else str(counts.index[0])
    is_cash = (codes.isna() | (codes == cash_currency)).to_numpy(dtype=bool)
    for code, amount in net[~is_cash].groupby(codes[~is_cash]).sum().items():
        remark(f"Not in cash: {many(int((codes == code).sum()), 'payment')} of {amount:,.2f} {code} in total.")
    record_left_out(int((~is_cash).sum()), "payments in another currency")
    return pd.DataFrame({"contact_id": paid["contact_id"], "cash": net})[is_cash], cash_currency


def credited_payments(
    transactions: pd.DataFrame | None, contacts: pd.DataFrame, credits: pd.DataFrame, by: Any, currency: str | None
) -> tuple[pd.DataFrame, str | None]:
    """``payment_rows`` with the credit for each; ``lead_cash`` is the cash of those whose contact is a lead."""
    payments, cash_currency = payment_rows(transactions, currency)
    payments["contact_id"] = surviving_ids(payments["contact_id"], contacts, transactions)
    payments = with_credit(payments, credits, by)
    return payments.assign(lead_cash=payments["cash"].where(payments["is_lead"], 0.0)), cash_currency


def shares_by_group(table: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """The table of sums with the shares, and with the win rates of the *deals* of each group."""
    rates: dict[Any, Any] = {group: _win_rates(of_group) for group, of_group in deals.groupby("group")}
    wins = pd.DataFrame(rates, index=["median_days_to_win", *win_columns(*AGES)]).T
    return table.join(wins).assign(
        **share_with_interval("win_naive", table["won"], table["won"] + table["lost"]),
        open_share=share(table["open"], table["opportunities"]),
        cash_per_lead=share(table["lead_cash"], table["leads"]),
        small=table["opportunities"] < SMALL,
    )


def _win_rates(deals: pd.DataFrame) -> dict[str, float]:
    """The median days to win and the win rates of a group's deals, weighted by their credit."""
    wins, losses = wins_and_losses(deals, deals["credit"])
    return {"median_days_to_win": days_to_win(wins, losses)[0], **wins_at_ages(deals, wins, *AGES)}
