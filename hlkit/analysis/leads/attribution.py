"""Attribution: which sources bring leads, deals and cash, by first touch, last touch, or half to each."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports
from hlkit.analysis.core.charts import Part, Stacked
from hlkit.analysis.core.deals import AGES, Abandoned, deals_as_of, win_columns, without_abandoned
from hlkit.analysis.core.groups import group_column_name, require_columns
from hlkit.analysis.core.headlines import compare_win_rates, largest_group
from hlkit.analysis.core.inputs import HALVES
from hlkit.analysis.core.money import currency_of, format_money
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import record_rows, remark
from hlkit.analysis.leads.credits import (
    OTHERS,
    Model,
    contact_credits,
    credited_payments,
    deal_rows,
    shares_by_group,
    sums_by_group,
    surviving_ids,
    with_credit,
)
from hlkit.analysis.leads.sources import TOUCHES
from hlkit.client.schema import COUNT, FLAG, INSTANT, MONEY, NUMBER, SHARE, TEXT
from hlkit.client.text import many


def most_leads_and_cash(table: pd.DataFrame) -> str:
    """The groups with the most leads and the most cash, and the win rates by group; totals for one group."""
    amount = partial(format_money, currency=currency_of(table), whole=True)
    win_rates = compare_win_rates(table)
    if len(table) == 1:
        cash = table["cash"].iloc[0]
        paid = f", {amount(cash)} in cash" if np.isfinite(cash) else ""
        return f"{many(table['leads'].iloc[0], 'lead')}, {many(table['won'].iloc[0], 'deal')} won{paid}. {win_rates}"
    leads, cash = largest_group(table, "leads"), largest_group(table, "cash", amount)
    parts = [f"most leads: {leads}" if leads else "", f"most cash: {cash}" if cash else ""]
    largest = "; ".join(part for part in parts if part)
    return f"{largest[:1].upper()}{largest[1:]}. {win_rates}" if largest else win_rates


def cash_and_leads(row: pd.Series) -> tuple[str, str]:
    """What stands beside the bar of a row: its cash, if known, and its leads."""
    leads = f"{row['leads']:,.10g} {'lead' if row['leads'] == 1 else 'leads'}"
    currency = "" if pd.isna(row["currency"]) else row["currency"]
    return (leads, "") if pd.isna(row["cash"]) else (format_money(row["cash"], currency, whole=True), leads)


def deals_and_cash_label(table: pd.DataFrame) -> str:
    """The name of the axis, and of the numbers at the right."""
    cash = "cash, " if table["cash"].notna().any() else ""
    small = "; gray: fewer than 20 deals" if table["small"].any() else ""
    return f"deals by outcome; at the right: {cash}leads{small}"


COLUMNS = {
    "leads": COUNT,
    "opportunities": COUNT,
    "won": COUNT,
    "lost": COUNT,
    "open_share": SHARE,
    "cash": MONEY,
    "currency": TEXT,
    "cash_per_lead": MONEY,
    "pipeline_value": MONEY,
    "median_days_to_win": NUMBER,
    **win_columns(*AGES),
    "win_naive_share": SHARE,
    "win_naive_low": SHARE,
    "win_naive_high": SHARE,
    "last_touch_after_sale": COUNT,
    "small": FLAG,
}


@analysis(
    "Which sources bring leads, deals and cash?",
    columns=COLUMNS,
    chart=Stacked(
        (
            Part("won", "won", "strong"),
            Part(lambda table: table["open_share"] * table["opportunities"], "open", "weak"),
            Part("lost", "lost", "context"),
        ),
        deals_and_cash_label,
        n="leads",
        value=cash_and_leads,
    ),
    headline=most_leads_and_cash,
    definition=(
        "Leads, with their deals and payments, by {by}. Credit goes to the current {model} touch of each contact "
        "(split: half to each touch). Groups are compared by the share of all their deals won within 30, 60 or 90 "
        "days of creation (Aalen-Johansen, 95% Wilson intervals), at the largest age that at least 10 deals of each "
        "group have reached. win_naive_share, won of won and lost, depends on the age of a group's deals and is not "
        "compared. Abandoned deals: {abandoned}. median_days_to_win is the time by which half of all expected wins "
        "have happened, if open deals are won as often as closed ones. Cash is the amount of successful live "
        "payments minus refunds; pipeline_value is the value of open deals; both include imported rows. "
        "cash_per_lead is the cash from the counted leads, per lead. HighLevel stores no date of a touch: "
        "last_touch_after_sale counts the wins whose last touch differs from the first and may be later than the "
        "sale."
    ),
    noun="leads",
    rows={"created_at": INSTANT},
)
def attribution(
    contacts: pd.DataFrame,
    opportunities: pd.DataFrame,
    transactions: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    by: str | None = "source",
    model: Model = "first",
    abandoned: Abandoned = "lost",
    imports: Imports = "exclude",
    currency: str | None = None,
    website: str | None = None,
) -> pd.DataFrame:
    """Leads, deals, win rate and cash of each source, channel or campaign.

    Parameters
    ----------
    contacts
        One row per contact: contact_id, source, the first_* and last_* columns, updated_at.
    opportunities
        One row per deal: contact_id, status, value, created_at, status_changed_at.
    transactions
        One row per payment: contact_id, status, amount, amount_refunded, currency, is_live, merged_from_contact_id.
    by
        "source" is the utm_source of the touch, or else the referring site, or else the channel or the source of
        the contact; a referral from the location's website is "direct". "channel" is HighLevel's channel (Paid
        Search, Organic Search ...), or else that of the touch's medium, click id and site. "campaign" is the campaign
        of the touch. Any other column of the contacts groups by its values.
    model
        Which touch gets the credit: the contact's first touch, its last touch, or half each. If only one touch is
        known, it counts as both.
    abandoned
        Count abandoned deals as lost, or exclude them.
    currency
        The currency of the cash: that of the location, or else of most payments. Other payments are never added.

    Returns
    -------
    One row per group, most wins first: ``leads``, ``opportunities``, ``won`` and ``lost`` (counts, with halves if
    credit is split), ``open_share`` (of ``opportunities``), ``cash`` and ``cash_per_lead`` in ``currency``,
    ``pipeline_value`` in the location's currency, ``median_days_to_win`` (days), ``win_30d_share``,
    ``win_60d_share`` and ``win_90d_share`` with their intervals (the share of all deals won within 30, 60 and 90
    days), ``followed_days`` (the age that at least 10 deals have reached), ``win_naive_share`` with its interval
    (won of won and lost), ``last_touch_after_sale`` (a count), and ``small`` (fewer than 20 deals). Deals and
    payments of a contact that is not in *contacts* are in the group "(other contacts)".

    Raises
    ------
    MissingColumn

    Source: "Understanding Attribution Source", help.gohighlevel.com article 48001219997.
    """
    require_columns(contacts, "contact_id")
    require_columns(opportunities, "contact_id", "status")
    if transactions is not None:
        require_columns(transactions, "contact_id", "status", "amount")
    credits = contact_credits(contacts, by, model, imports, website)
    leads = credits[credits["is_lead"]]
    if model != "split" or by not in TOUCHES:
        record_rows(leads, pd.DataFrame({"group" if by is None else by: leads["group"]}), {})

    deals = deal_rows(without_abandoned(deals_as_of(opportunities, as_of), abandoned), imports)
    deals["contact_id"] = surviving_ids(deals["contact_id"], contacts, transactions)
    deals = with_credit(deals, credits, by)
    deals["late"] = deals["won"] & (deals["changed_at"] > deals["closed_at"])
    payments, cash_currency = credited_payments(transactions, contacts, credits, by, currency)
    counted = deals[~deals["is_import"]]
    table = pd.concat(
        [
            leads.groupby("group")["credit"].sum().rename("leads"),
            sums_by_group(counted, ["opportunities", "won", "lost", "open", "late"]),
            sums_by_group(deals, ["pipeline_value"]),
            sums_by_group(payments, ["cash", "lead_cash"]),
        ],
        axis=1,
    )
    table = shares_by_group(table.fillna(0.0).sort_index(), counted)
    table["currency"] = cash_currency
    if transactions is None:
        table[["cash", "cash_per_lead"]] = np.nan
    table["last_touch_after_sale"] = table["late"] if "updated_at" in contacts else np.nan
    if model == "split":
        counts = ("leads", "opportunities", "won", "lost", "last_touch_after_sale")
        table = table.astype(dict.fromkeys(counts, HALVES))
    if OTHERS in table.index:
        remark(f"{OTHERS} are not in the requested contacts: created outside since and until, or deleted.")
    table = table.sort_values(["won", "leads", "opportunities"], ascending=False, kind="stable")[list(COLUMNS)]
    table.insert(0, group_column_name(by, COLUMNS), table.index.to_numpy())
    return table
