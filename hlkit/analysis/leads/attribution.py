"""Attribution: which sources bring leads, deals and cash, by first touch, last touch, or half to each.

HighLevel stores two touches of a contact, the first and the last, without dates.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote_plus

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hlkit.analysis.core.bulk_imports import Imports, find_imports
from hlkit.analysis.core.canvas import (
    BLUE,
    GRAY,
    INK,
    ORANGE,
    PALE,
    draw_intervals,
    draw_points,
    label_rows,
    top_groups,
)
from hlkit.analysis.core.deals import (
    AGES,
    Abandoned,
    at_common_age,
    days_to_win,
    deals_as_of,
    win_columns,
    wins_and_losses,
    wins_at_ages,
    without_abandoned,
)
from hlkit.analysis.core.groups import (
    ALL,
    NONE,
    SMALL,
    Array,
    assign_groups,
    column_or_nulls,
    group_column_name,
    group_keys,
    map_keys,
    require_columns,
    share,
    share_with_interval,
)
from hlkit.analysis.core.headlines import compare_win_rates, largest_group
from hlkit.analysis.core.inputs import HALVES
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import drop_rows, record_left_out, record_overlap, remark
from hlkit.client.schema import COUNT, FLAG, MONEY, NUMBER, SHARE, TEXT
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OTHERS = "(other contacts)"
DIRECT = "direct"
TOUCHES = ("source", "channel", "campaign")
_NOT_FOUND, _NO_CONTACT = -1, -2  # instead of a contact's row number: its id has no row; it has no id


@analysis(
    "Which sources bring leads, deals and cash?",
    columns={
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
    },
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
)
def attribution(
    contacts: pd.DataFrame,
    opportunities: pd.DataFrame,
    transactions: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    by: str | None = "source",
    model: Literal["first", "last", "split"] = "first",
    abandoned: Abandoned = "lost",
    imports: Imports = "exclude",
    currency: str | None = None,
    website: str | None = None,
) -> pd.DataFrame:
    """Leads, deals, win rate and cash of each source, channel or campaign.

    Takes contacts (contact_id, source, the first_* and last_* columns, updated_at), opportunities (contact_id,
    status, value, created_at, status_changed_at) and optionally transactions (contact_id, status, amount,
    amount_refunded, currency, is_live, merged_from_contact_id). Returns one row per group, most wins first:
    ``leads``, ``opportunities``, ``won`` and ``lost`` (counts, with halves if credit is split), ``open_share`` (of
    ``opportunities``), ``followed_days`` (the age that at least 10 deals have reached), ``win_30d_share``,
    ``win_60d_share`` and ``win_90d_share`` with their intervals (the share of all deals won within 30, 60 and 90
    days), ``win_naive_share`` with its interval (won of won + lost), ``median_days_to_win`` (days),
    ``pipeline_value`` in the location's currency, ``cash`` and ``cash_per_lead`` in ``currency``,
    ``last_touch_after_sale`` (a count), and ``small`` (fewer than 20 deals). Deals and payments of a contact that
    is not in *contacts* are in the group "(other contacts)". Raises ``MissingColumn``.

    Parameters
    ----------
    by
        "source" is the utm_source of the touch, or else the referring site, or else the channel or the source of
        the contact; a referral from the location's website is "direct". "channel" is HighLevel's channel (Paid
        Search, Organic Search ...), "campaign" the campaign of the touch. Any other column of the contacts groups
        by its values.
    model
        Which touch gets the credit: the contact's first touch, its last touch, or half each. If only one touch is
        known, it counts as both.
    abandoned
        Whether abandoned deals count as lost or are left out.
    imports
        Whether to leave out imported contacts and imported deals, or to include them.
    currency
        The currency of the cash. Payments in other currencies are reported in the definition and never added.
        Default: the currency of the location, or else of most payments.

    Source: "Understanding Attribution Source", help.gohighlevel.com article 48001219997; "Understand Lead
    Sources", help.leadconnectorhq.com article 155000006180.
    """
    require_columns(contacts, "contact_id")
    require_columns(opportunities, "contact_id", "status")
    if transactions is not None:
        require_columns(transactions, "contact_id", "status", "amount")
    contacts = contacts.reset_index(drop=True)
    opportunities = without_abandoned(deals_as_of(opportunities, as_of), abandoned).reset_index(drop=True)
    credit = _credits(contacts, by, model, website)
    find_contacts = _contact_finder(contacts, transactions)
    deals = _deals(opportunities, find_contacts)
    deals["late"] = _has_late_touch(contacts, deals, by, website)
    open_deals = deals.loc[deals["status"] == "open", ["contact", "pipeline_value"]]
    value = _sum_by_group(open_deals, credit, "pipeline_value")
    deals = deals[~find_imports(opportunities, imports, "opportunities")].merge(credit, on="contact")
    weighted = deals[["opportunities", "won", "lost", "open", "late"]].mul(deals["credit"], axis=0)
    sums = weighted.groupby(deals["group"]).sum()
    # Row numbers -2 and -1 are no leads.
    is_lead = np.append(~find_imports(contacts, imports, "contacts"), [False, False])
    leads = credit[is_lead[credit["contact"]]].groupby("group")["credit"].sum()
    payments, cash_currency = _payments(transactions, find_contacts, currency)
    cash = _sum_by_group(payments, credit, "cash")
    lead_cash = _sum_by_group(payments[is_lead[payments["contact"]]], credit, "cash")

    names = leads.index.union(sums.index).union(value.index).union(cash.index)
    table = sums.reindex(names, fill_value=0).assign(leads=leads.reindex(names, fill_value=0.0))
    table = table.assign(**share_with_interval("win_naive", table["won"], table["won"] + table["lost"]))
    table["open_share"] = share(table["open"], table["opportunities"])
    table["pipeline_value"] = value.reindex(names, fill_value=0.0)
    wins = pd.DataFrame({name: _win_rates(group) for name, group in deals.groupby("group")}).T
    table = table.assign(**wins.reindex(index=names, columns=["median_days_to_win", *win_columns(*AGES)]))
    table["currency"] = cash_currency
    table["cash"] = table["cash_per_lead"] = np.nan
    if transactions is not None:
        table["cash"] = cash.reindex(names, fill_value=0.0)
        table["cash_per_lead"] = share(lead_cash.reindex(names, fill_value=0.0), table["leads"])
    table["last_touch_after_sale"] = table["late"] if "updated_at" in contacts else np.nan
    table["small"] = table["opportunities"] < SMALL
    if model == "split":
        counts = ("leads", "opportunities", "won", "lost", "last_touch_after_sale")
        table = table.astype(dict.fromkeys(counts, HALVES))
    table = table.sort_values(["won", "leads", "opportunities"], ascending=False, kind="stable")
    table = table.drop(columns=["late", "open"])
    table.insert(0, group_column_name(by, attribution.columns), table.index.to_numpy())
    if OTHERS in names:
        remark(f"{OTHERS} are not in the requested contacts: created outside since and until, or deleted.")
    return table


# ---- credit


def _credits(contacts: pd.DataFrame, by: str | None, model: str, website: str | None) -> pd.DataFrame:
    """One row per contact (by row number) and group, with the ``credit`` of the group; also for missing contacts."""
    rows = np.arange(len(contacts))
    if by in TOUCHES:
        touches = [_touch(contacts, touch, by, website) for touch in ("first", "last") if model in (touch, "split")]
        credit = pd.DataFrame(
            {
                "contact": np.tile(rows, len(touches)),
                "touch": pd.concat(touches, ignore_index=True),
                "credit": 1 / len(touches),
            }
        )
        credit, groups = assign_groups(credit, "touch")
        if model == "split":
            record_overlap()
    else:
        credit, groups = assign_groups(pd.DataFrame({"contact": rows, "credit": 1.0}), group_keys(contacts, by))
        if by is not None:
            remark(f"{by} is a column of the contact, not of a touch, so the model has no effect.")
    missing_groups = pd.array([ALL, ALL] if by is None else [OTHERS, NONE], dtype=TEXT.dtype)
    missing = pd.DataFrame({"contact": [_NOT_FOUND, _NO_CONTACT], "credit": 1.0, "group": missing_groups})
    return pd.concat([credit[["contact", "credit"]].assign(group=groups), missing], ignore_index=True)


_ContactFinder = Callable[[pd.Series], Array]


def _contact_finder(contacts: pd.DataFrame, transactions: pd.DataFrame | None) -> _ContactFinder:
    """A function from contact ids to row numbers in *contacts*; it also finds ids from before a merge."""
    ids = contacts["contact_id"]
    rows = pd.Series(np.arange(len(ids), dtype="float64"), index=pd.Index(ids))[ids.notna().to_numpy()]
    merged = pd.Series([], dtype=TEXT.dtype)
    if transactions is not None and "merged_from_contact_id" in transactions:
        pairs = transactions[["merged_from_contact_id", "contact_id"]].dropna()
        pairs = pairs.drop_duplicates("merged_from_contact_id", keep="last")
        merged = pairs.set_index("merged_from_contact_id")["contact_id"]

    def find_contacts(contact_ids: pd.Series) -> Array:
        numbers = map_keys(contact_ids, rows).fillna(_NOT_FOUND).to_numpy("int64")
        survivors = contact_ids
        for _ in range(3):  # a survivor of a merge may have been merged itself
            if not len(merged) or not (is_missing := numbers == _NOT_FOUND).any():
                break
            survivors = map_keys(survivors, merged)
            numbers = np.where(is_missing, map_keys(survivors, rows).fillna(_NOT_FOUND).to_numpy("int64"), numbers)
        return np.where(contact_ids.isna().to_numpy(), _NO_CONTACT, numbers)

    return find_contacts


# ---- touches

_PARTS = ("channel", "medium", "campaign", "utm_source", "utm_medium", "utm_content", "referrer", "url")
_DIRECT = {"direct", "direct traffic", "(direct)", "direct/none", "direct / none", "(direct) / (none)"}
_CHANNELS = {
    "paid search": "Paid Search",
    "paid social": "Paid Social",
    "organic search": "Organic Search",
    "social": "Social",
    "social media": "Social",
    "referral": "Referral",
    "crm ui": "CRM UI",
    "third party": "Third party",
    "third-party": "Third party",
} | dict.fromkeys(_DIRECT, "Direct")
# Channels that only show how the contact was created: the contact's source is used first.
_CREATION_CHANNELS = ("CRM UI", "Third party", "Other")
_MARKETING_CHANNELS = ("Paid Search", "Paid Social", "Organic Search", "Social")
# In the syntax of RE2, which pyarrow applies to a whole column at once.
_HOST = r"(?i)^(?:[a-z][a-z0-9+.-]*://)?(?:[^/?#@]*@)?(?:www\.)?(?P<host>[^/:?#\s]+)"
_SITE = re.compile(
    r"(?:^|\.)(google|bing|yahoo|duckduckgo|facebook|instagram|linkedin|tiktok|youtube|pinterest|reddit|twitter|yelp"
    r"|nextdoor)\.(?:com?\.)?[a-z]{2,3}$"
)
_SHORT_HOSTS = {
    "t.co": "twitter",
    "x.com": "twitter",
    "lnkd.in": "linkedin",
    "youtu.be": "youtube",
    "fb.com": "facebook",
}


def _touch(contacts: pd.DataFrame, touch: str, by: str | None, website: str | None) -> pd.Series:
    """The source, channel or campaign of each contact's "first" or "last" touch; null if unknown."""
    has_touch, key, channel = _read_touch(contacts, touch, by, website)
    if touch == "last" and not has_touch.all():  # a single touch is both the first and the last
        _, first_key, first_channel = _read_touch(contacts, "first", by, website)
        key, channel = key.where(has_touch, first_key), channel.where(has_touch, first_channel)
    if by != "source":
        return key
    key = key.fillna(_clean_text(contacts, "source")).fillna(channel)
    return key.mask(key.str.lower().isin(_DIRECT), DIRECT)


def _read_touch(
    contacts: pd.DataFrame, touch: str, by: str | None, website: str | None
) -> tuple[Array, pd.Series, pd.Series]:
    """Whether each contact has this touch, the source, channel or campaign of the touch, and its channel."""
    columns = [f"{touch}_{part}" for part in _PARTS if f"{touch}_{part}" in contacts]
    has_touch = contacts[columns].notna().any(axis=1).to_numpy(dtype=bool)
    url = _clean_text(contacts, f"{touch}_url")
    if by == "campaign":
        key = _clean_text(contacts, f"{touch}_campaign")
        return has_touch, key.fillna(_query_value(url.where(key.isna()), "utm_campaign")), key

    key = _clean_text(contacts, f"{touch}_utm_source")
    key = key.fillna(_query_value(url.where(key.isna()), "utm_source"))
    referrer = _clean_text(contacts, f"{touch}_referrer")
    site = _hosts(referrer if by == "channel" else referrer.where(key.isna()))
    is_internal = (site == _hosts(url.where(site.notna()))).fillna(False)
    host = next(iter(_hosts(pd.Series([website], dtype=TEXT.dtype)).dropna()), None)
    if host and not _SITE.search(host):  # the website of a business may be its page on a social site
        is_internal |= (site == host).fillna(False) | site.str.endswith(f".{host}").fillna(False)
    channel = _map_distinct(
        _clean_text(contacts, f"{touch}_channel"), lambda name: _CHANNELS.get(name.lower(), "Other")
    )
    channel = channel.mask(is_internal & ~channel.isin(_MARKETING_CHANNELS), "Direct")
    if by == "channel":
        return has_touch, channel, channel
    key = key.fillna(_map_distinct(site.mask(is_internal), _site_name))
    return has_touch, key.fillna(channel.mask(channel.isin(_CREATION_CHANNELS))), channel


def _clean_text(frame: pd.DataFrame, name: str) -> pd.Series:
    """The column *name* without surrounding spaces; null where it is blank or missing."""
    text = column_or_nulls(frame, name).str.strip()
    cleaned: pd.Series = text.mask(text == "")
    return cleaned


def _map_distinct(values: pd.Series, function: Callable[[str], str | None]) -> pd.Series:
    """*function* of each value, called once per distinct value."""
    codes, unique = pd.factorize(values)
    results = pd.array([*map(function, unique.tolist()), None], dtype=TEXT.dtype)
    return pd.Series(results[codes], index=values.index)


def _hosts(urls: pd.Series) -> pd.Series:
    """The host of each URL, in lower case and without www; null if there is none."""
    matches = pc.extract_regex(pa.array(urls, type=pa.large_string(), from_pandas=True), pattern=_HOST)
    hosts = pc.utf8_lower(pc.struct_field(matches, "host"))
    return pd.Series(TEXT.dtype.__from_arrow__(hosts), index=urls.index)


def _site_name(host: str) -> str:
    """The name of a search engine or social site, whatever its subdomain; any other host unchanged."""
    match = _SITE.search(host)
    return match.group(1) if match else _SHORT_HOSTS.get(host, host)


def _query_value(urls: pd.Series, name: str) -> pd.Series:
    """The value of the query parameter *name* of each URL; null if it has none."""
    pattern = rf"(?i)[?&]{name}=(?P<value>[^&#]+)"
    matches = pc.extract_regex(pa.array(urls, type=pa.large_string(), from_pandas=True), pattern=pattern)
    values = pd.Series(TEXT.dtype.__from_arrow__(pc.struct_field(matches, "value")), index=urls.index)
    return _map_distinct(values, lambda value: unquote_plus(value).strip() or None)


# ---- deals and payments


def _deals(deals: pd.DataFrame, find_contacts: _ContactFinder) -> pd.DataFrame:
    """One row per deal: the row number of its contact, its status as columns to sum, its value and its age."""
    contact = find_contacts(deals["contact_id"])
    status = deals["status"].fillna("")
    return pd.DataFrame(
        {
            "contact": contact,
            "contact_id": pd.Series(contact).where(contact >= 0),  # deals without a contact count as independent
            "status": status,
            "opportunities": 1.0,
            "won": status == "won",
            "lost": status.isin(("lost", "abandoned")),
            "open": status == "open",
            "pipeline_value": column_or_nulls(deals, "value", MONEY).fillna(0.0),
            "age": deals["age"],
            "followed": deals["followed"],
            "closed_at": deals["closed_at"],
        }
    )


def _sum_by_group(rows: pd.DataFrame, credit: pd.DataFrame, column: str) -> pd.Series:
    """The sum of a column of *rows* by group, according to the credit of each row's contact."""
    credited = rows.merge(credit, on="contact")
    sums: pd.Series = (credited[column] * credited["credit"]).groupby(credited["group"]).sum()
    return sums


def _win_rates(deals: pd.DataFrame) -> dict[str, float]:
    """The median days to win and the win rates of a group's deals, weighted by their credit."""
    wins, losses = wins_and_losses(deals, deals["credit"])
    return {"median_days_to_win": days_to_win(wins, losses)[0], **wins_at_ages(deals, wins, *AGES)}


def _has_late_touch(contacts: pd.DataFrame, deals: pd.DataFrame, by: str | None, website: str | None) -> Array:
    """Whether each deal is won, by a contact whose last touch differs from its first and may be after the sale."""
    contact, is_late = deals["contact"].to_numpy(), np.zeros(len(deals), dtype=bool)
    candidates = np.flatnonzero(deals["won"].to_numpy(dtype=bool) & (contact >= 0))
    if "updated_at" not in contacts or not len(candidates):
        return is_late
    rows, buyer = np.unique(contact[candidates], return_inverse=True)
    buyers = contacts.take(rows).reset_index(drop=True)
    kind = by if by in TOUCHES else "source"
    first, last = (_touch(buyers, touch, kind, website).fillna("").str.lower() for touch in ("first", "last"))
    differs = (first != last).to_numpy(dtype=bool)[buyer]
    updated_at = buyers["updated_at"].take(buyer).reset_index(drop=True)
    sold_at = deals["closed_at"].take(candidates).reset_index(drop=True)
    is_late[candidates] = differs & (updated_at > sold_at).to_numpy(dtype=bool)
    return is_late


def _payments(
    transactions: pd.DataFrame | None, find_contacts: _ContactFinder, currency: str | None
) -> tuple[pd.DataFrame, str | None]:
    """The net cash of each payment in one currency, and that currency; other payments are reported and left out."""
    none = pd.DataFrame({"contact": np.array([], dtype="int64"), "cash": np.array([], dtype="float64")})
    cash_currency = currency.strip().upper() if currency else None
    if transactions is None:
        remark("Payments could not be read, so cash is unknown.")
        return none, cash_currency
    paid = drop_rows(transactions, transactions["status"].str.lower() != "succeeded", "payments that did not succeed")
    if "is_live" in paid:
        paid = drop_rows(paid, ~paid["is_live"].fillna(False), "test payments")
    paid = drop_rows(paid, paid["amount"].isna(), "payments without an amount")
    net = paid["amount"] - (paid["amount_refunded"].fillna(0.0) if "amount_refunded" in paid else 0.0)
    codes = _clean_text(paid, "currency").str.upper()
    if cash_currency is None:
        counts = codes.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        cash_currency = None if not len(counts) else str(counts.index[0])
    is_cash = (codes.isna() | (codes == cash_currency)).to_numpy(dtype=bool)
    for code, amount in net[~is_cash].groupby(codes[~is_cash]).sum().items():
        remark(f"Not in cash: {many(int((codes == code).sum()), 'payment')} of {amount:,.2f} {code} in total.")
    record_left_out(int((~is_cash).sum()), "payments in another currency")
    return pd.DataFrame(
        {"contact": find_contacts(paid["contact_id"])[is_cash], "cash": net[is_cash].to_numpy()}
    ), cash_currency


# ---- headline


@attribution.headline_for()
def headline_of_sources(table: pd.DataFrame) -> str:
    """The groups with the most leads and the most cash, and the win rates by group; totals for one group."""
    currency = f" {_first(table['currency'])}" if _first(table["currency"]) else ""
    win_rates = compare_win_rates(table)
    if len(table) == 1:
        cash = table["cash"].iloc[0]
        paid = f", {cash:,.0f}{currency} in cash" if np.isfinite(cash) else ""
        return f"{many(table['leads'].iloc[0], 'lead')}, {many(table['won'].iloc[0], 'deal')} won{paid}. {win_rates}"
    leads, cash = largest_group(table, "leads"), largest_group(table, "cash", currency)
    parts = [f"most leads: {leads}" if leads else "", f"most cash: {cash}" if cash else ""]
    largest = "; ".join(part for part in parts if part)
    return f"{largest[:1].upper()}{largest[1:]}. {win_rates}" if largest else win_rates


# ---- chart

# Three panels share one x axis: counts from 0 to 1, shares from 1.15 to 1.95, cash as text that ends at 2.55.
_SHARES_START, _SHARES_WIDTH, _CASH_END = 1.15, 0.8, 2.55


@attribution.chart("leads")
def chart_of_sources(table: pd.DataFrame, ax: Axes) -> None:
    """Leads and won deals as bars, with the win rate and its interval and the cash of each row beside them."""
    age = at_common_age(table)[0] or AGES[0]
    table = top_groups(table, ax, "leads").reset_index(drop=True)
    rows = label_rows(ax, table.iloc[:, 0].tolist())
    leads, won = (table[name].fillna(0).to_numpy("float64") for name in ("leads", "won"))
    longest = max(1.0, leads.max(), won.max())
    ax.barh(rows, leads / longest, color=PALE, height=0.72, linewidth=0)
    ax.barh(rows, won / longest, color=BLUE, height=0.72, linewidth=0)
    for row, lead_count, won_count in zip(rows, leads, won, strict=True):
        end = max(lead_count, won_count) / longest
        inside = end > 0.6
        ax.text(
            end + (-0.02 if inside else 0.02),
            row,
            f"{lead_count:,.0f} / {won_count:,.0f}",
            ha="right" if inside else "left",
            va="center",
            fontsize=8,
            color=INK,
        )

    highest = float(np.nanmax(np.append(table[f"win_{age}d_high"].to_numpy("float64"), 0.0)))
    highest = max(0.1, np.ceil(highest * 10) / 10)
    small = table["small"].fillna(False).to_numpy(dtype=bool)
    colors = np.where(small, GRAY, ORANGE).tolist()
    low, middle, high = (
        _SHARES_START + _SHARES_WIDTH * table[f"win_{age}d_{part}"].to_numpy("float64") / highest
        for part in ("low", "share", "high")
    )
    ticks = np.array([0, 0.5, 1])
    ax.vlines(
        _SHARES_START + _SHARES_WIDTH * ticks,
        -0.5,
        len(table) - 0.5,
        color=PALE,
        linewidth=0.8,
        linestyles="-",
        zorder=0,
    )
    draw_intervals(ax, rows, low, high, colors, alpha=1)
    draw_points(ax, middle, rows, colors, 36)
    ax.set_xticks(_SHARES_START + _SHARES_WIDTH * ticks, [f"{share:.0%}" for share in highest * ticks])

    _draw_caption(ax, 0, "left", "leads (gray) / won (blue)")
    _draw_caption(ax, _SHARES_START, "left", f"deals won within\n{age} days (95% CI)")
    has_cash = table["cash"].notna().any()
    if has_cash:
        _draw_caption(ax, _CASH_END, "right", f"cash ({_first(table['currency']) or 'no currency'})")
        for row, cash in zip(rows, table["cash"].tolist(), strict=True):
            amount = f"{cash:,.0f}" if np.isfinite(cash) else "-"
            ax.text(_CASH_END, row, amount, ha="right", va="center", fontsize=8, color=INK)
    ax.set_xlim(0, _CASH_END if has_cash else _SHARES_START + _SHARES_WIDTH + 0.05)
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="x", length=0)
    if small.any():
        ax.annotate(
            "gray: fewer than 20 deals", (0, -0.22), xycoords="axes fraction", color=GRAY, fontsize=8, va="top"
        )


def _draw_caption(ax: Axes, x: float, side: Literal["left", "right"], text: str) -> None:
    """Write *text* below the chart, aligned at *x*."""
    ax.annotate(text, (x, -0.09), xycoords=("data", "axes fraction"), ha=side, va="top", fontsize=8, color=INK)


def _first(column: pd.Series) -> str | None:
    """The first value that is not null."""
    return next(iter(column.dropna().tolist()), None)
