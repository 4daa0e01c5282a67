"""Attribution: which sources bring leads, deals and cash, by the first touch, the last, or half to each.

HighLevel keeps two touches of a contact, its first and its last, and no date of either.
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
from hlkit.analysis.core.charts import (
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
_GONE, _NOBODY = -1, -2  # in the place of a contact: one that no row has, and none at all


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
        "Leads, and their deals and payments, by {by}, with the credit to the {model} touch that the contact has now "
        "(split: half to each). Groups are compared by the share of all their deals that is won within 30, 60 or 90 "
        "days of creation (Aalen-Johansen, 95% Wilson intervals): the largest age that at least 10 deals of each "
        "have reached. win_naive_share, won of won and lost, depends on how old a group's deals are, and nothing is "
        "concluded from it. Abandoned deals: {abandoned}. median_days_to_win is when half of the wins to be expected "
        "have come, if open deals are won as often as closed ones. Cash is what succeeded, live payments brought "
        "less refunds; pipeline_value is what open deals are worth; both count imported rows too. cash_per_lead is "
        "the cash of the leads that are counted. HighLevel gives a touch no date: last_touch_after_sale are the wins "
        "whose last touch, other than the first, may be later than the sale."
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
    status, value, created_at, status_changed_at) and, where they may be read, transactions (contact_id, status,
    amount, amount_refunded, currency, is_live, merged_from_contact_id). Gives one row per group, most wins first:
    ``leads``, ``opportunities``, ``won`` and ``lost`` (counts, with halves where credit is split), ``open_share`` (of
    ``opportunities``), ``followed_days`` (the age that at least 10 deals have reached), ``win_30d_share``,
    ``win_60d_share`` and ``win_90d_share`` with their intervals (won within so many days, of all),
    ``win_naive_share`` with its interval (won of won + lost), ``median_days_to_win`` (days), ``pipeline_value``,
    in the location's currency, ``cash`` and ``cash_per_lead`` in ``currency``, ``last_touch_after_sale`` (a
    count), and ``small`` (fewer than 20 deals). Deals and payments of a contact that is not among the contacts
    are "(other contacts)". Raises ``MissingColumn``.

    Parameters
    ----------
    by
        "source" is the touch's utm_source, else the site it came from, else the channel or the source of the
        contact; a referral by the own website is "direct". "channel" are HighLevel's groups (Paid Search,
        Organic Search ...), "campaign" the touch's campaign. Any other column of the contacts groups by what
        it holds.
    model
        Whose the credit is: the contact's first touch, its last, or half to each. A contact with one known
        touch has it as both.
    abandoned
        Abandoned deals count as lost, or are left out.
    imports
        Leave imported contacts out of the leads and imported deals out of the deals, or include them.
    currency
        The currency whose payments are cash; others are told in the definition and never added. The
        location's own, or else that of most payments.

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
    places = _places(contacts, transactions)
    deals = _deals(opportunities, places)
    deals["late"] = _may_be_late(contacts, deals, by, website)
    value = _credited(deals.loc[deals["status"] == "open", ["contact", "pipeline_value"]], credit, "pipeline_value")
    deals = deals[~find_imports(opportunities, imports, "opportunities")].merge(credit, on="contact")
    counted = ("opportunities", "won", "lost", "open", "late")
    sums = deals[list(counted)].mul(deals["credit"], axis=0).groupby(deals["group"]).sum()
    is_lead = np.append(~find_imports(contacts, imports, "contacts"), [False, False])  # places -2 and -1 are nobody
    leads = credit[is_lead[credit["contact"]]].groupby("group")["credit"].sum()
    paid, money = _payments(transactions, places, currency)
    cash, of_leads = (_credited(rows, credit, "cash") for rows in (paid, paid[is_lead[paid["contact"]]]))

    names = leads.index.union(sums.index).union(value.index).union(cash.index)
    table = sums.reindex(names, fill_value=0).assign(leads=leads.reindex(names, fill_value=0.0))
    table = table.assign(**share_with_interval("win_naive", table["won"], table["won"] + table["lost"]))
    table["open_share"] = share(table["open"], table["opportunities"])
    table["pipeline_value"] = value.reindex(names, fill_value=0.0)
    of_deals = pd.DataFrame({name: _wins(group) for name, group in deals.groupby("group")}).T
    table = table.assign(**of_deals.reindex(index=names, columns=["median_days_to_win", *win_columns(*AGES)]))
    paid_known = transactions is not None
    table["cash"] = cash.reindex(names, fill_value=0.0) if paid_known else np.nan
    table["currency"] = money
    table["cash_per_lead"] = share(of_leads.reindex(names, fill_value=0.0), table["leads"]) if paid_known else np.nan
    table["last_touch_after_sale"] = table["late"] if "updated_at" in contacts else np.nan
    table["small"] = table["opportunities"] < SMALL
    if model == "split":
        table = table.astype(
            dict.fromkeys(("leads", "opportunities", "won", "lost", "last_touch_after_sale"), HALVES)
        )
    table = table.sort_values(["won", "leads", "opportunities"], ascending=False, kind="stable").drop(
        columns=["late", "open"]
    )
    table.insert(0, group_column_name(by, attribution.columns), table.index.to_numpy())
    if OTHERS in names:
        remark(f"{OTHERS} are not among those asked about: created outside since and until, or deleted.")
    return table


# ---- who gets the credit


def _credits(contacts: pd.DataFrame, by: str | None, model: str, website: str | None) -> pd.DataFrame:
    """For each contact (its place, from 0) its groups and the credit of each; also for those that are no contact."""
    place = np.arange(len(contacts))
    if by in TOUCHES:
        keys = [_touch(contacts, which, by, website) for which in ("first", "last") if model in (which, "split")]
        long = pd.DataFrame(
            {
                "contact": np.tile(place, len(keys)),
                "touch": pd.concat(keys, ignore_index=True),
                "credit": 1 / len(keys),
            }
        )
        long, groups = assign_groups(long, "touch")
        if model == "split":
            record_overlap()
    else:
        long, groups = assign_groups(pd.DataFrame({"contact": place, "credit": 1.0}), group_keys(contacts, by))
        if by is not None:
            remark(f"{by} is a column of the contact and no touch: the model makes no difference to it.")
    nobody = [ALL, ALL] if by is None else [OTHERS, NONE]
    return pd.concat(
        [
            pd.DataFrame({"contact": long["contact"], "credit": long["credit"], "group": groups}),
            pd.DataFrame({"contact": [_GONE, _NOBODY], "credit": 1.0, "group": pd.array(nobody, dtype=TEXT.dtype)}),
        ],
        ignore_index=True,
    )


_Places = Callable[[pd.Series], Array]


def _places(contacts: pd.DataFrame, transactions: pd.DataFrame | None) -> _Places:
    """What finds the place of a contact by its id, also by the id that it had before it was merged."""
    ids = contacts["contact_id"]
    known = pd.Series(np.arange(len(ids), dtype="float64"), index=pd.Index(ids))[ids.notna().to_numpy()]
    merged = pd.Series([], dtype=TEXT.dtype)
    if transactions is not None and "merged_from_contact_id" in transactions:
        pairs = transactions[["merged_from_contact_id", "contact_id"]].dropna()
        pairs = pairs.drop_duplicates("merged_from_contact_id", keep="last")
        merged = pairs.set_index("merged_from_contact_id")["contact_id"]

    def places(of: pd.Series) -> Array:
        found = map_keys(of, known).fillna(_GONE).to_numpy("int64")
        survivors = of
        for _ in range(3):  # a survivor may have been merged too
            if not len(merged) or not (gone := found == _GONE).any():
                break
            survivors = map_keys(survivors, merged)
            found = np.where(gone, map_keys(survivors, known).fillna(_GONE).to_numpy("int64"), found)
        return np.where(of.isna().to_numpy(), _NOBODY, found)

    return places


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
# Channels that say no more than how the contact was made: what its own source says comes first.
_MADE = ("CRM UI", "Third party", "Other")
_PAID_OR_FOUND = ("Paid Search", "Paid Social", "Organic Search", "Social")
# For RE2, which reads a million addresses at once.
_HOST = r"(?i)^(?:[a-z][a-z0-9+.-]*://)?(?:[^/?#@]*@)?(?:www\.)?(?P<host>[^/:?#\s]+)"
_SITE = re.compile(
    r"(?:^|\.)(google|bing|yahoo|duckduckgo|facebook|instagram|linkedin|tiktok|youtube|pinterest|reddit|twitter|yelp"
    r"|nextdoor)\.(?:com?\.)?[a-z]{2,3}$"
)
_SHORT = {"t.co": "twitter", "x.com": "twitter", "lnkd.in": "linkedin", "youtu.be": "youtube", "fb.com": "facebook"}


def _touch(contacts: pd.DataFrame, which: str, by: str | None, website: str | None) -> pd.Series:
    """The source, channel or campaign of each contact's first or last touch; null where nobody knows."""
    known, key, made = _read(contacts, which, by, website)
    if which == "last" and not known.all():  # a contact with one touch has it as both
        _, first, first_made = _read(contacts, "first", by, website)
        key, made = key.where(known, first), made.where(known, first_made)
    if by != "source":
        return key
    key = key.fillna(_text(contacts, "source")).fillna(made)
    return key.mask(key.str.lower().isin(_DIRECT), DIRECT)


def _read(
    contacts: pd.DataFrame, which: str, by: str | None, website: str | None
) -> tuple[Array, pd.Series, pd.Series]:
    """Whether a touch is known; its source, channel or campaign; and its channel where that says little."""
    columns = [f"{which}_{part}" for part in _PARTS if f"{which}_{part}" in contacts]
    known = contacts[columns].notna().any(axis=1).to_numpy(dtype=bool)
    url = _text(contacts, f"{which}_url")
    if by == "campaign":
        key = _text(contacts, f"{which}_campaign")
        return known, key.fillna(_in_query(url.where(key.isna()), "utm_campaign")), key

    key = _text(contacts, f"{which}_utm_source")
    key = key.fillna(_in_query(url.where(key.isna()), "utm_source"))
    referrer = _text(contacts, f"{which}_referrer")
    site = _hosts(referrer if by == "channel" else referrer.where(key.isna()))
    ours = next(iter(_hosts(pd.Series([website], dtype=TEXT.dtype)).dropna()), None)
    own = (site == _hosts(url.where(site.notna()))).fillna(False)
    if ours and not _SITE.search(ours):  # a business may name its page on a social site as its website
        own |= (site == ours).fillna(False) | site.str.endswith(f".{ours}").fillna(False)
    channel = _over(_text(contacts, f"{which}_channel"), lambda name: _CHANNELS.get(name.lower(), "Other"))
    channel = channel.mask(own & ~channel.isin(_PAID_OR_FOUND), "Direct")
    if by == "channel":
        return known, channel, channel
    key = key.fillna(_over(site.mask(own), _site)).fillna(channel.mask(channel.isin(_MADE)))
    return known, key, channel


def _text(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column without the blanks around its words; null where it is blank or not there."""
    text = column_or_nulls(frame, name).str.strip()
    words: pd.Series = text.mask(text == "")
    return words


def _over(values: pd.Series, function: Callable[[str], str | None]) -> pd.Series:
    """*function* of each value, called once for those that are alike."""
    codes, unique = pd.factorize(values)
    told = pd.array([*map(function, unique.tolist()), None], dtype=TEXT.dtype)
    return pd.Series(told[codes], index=values.index)


def _hosts(urls: pd.Series) -> pd.Series:
    """Of each address the host, in small letters, without www; null where there is none."""
    found = pc.extract_regex(pa.array(urls, type=pa.large_string(), from_pandas=True), pattern=_HOST)
    hosts = pc.utf8_lower(pc.struct_field(found, "host"))
    return pd.Series(TEXT.dtype.__from_arrow__(hosts), index=urls.index)


def _site(host: str) -> str:
    """A search engine or social site by its name, wherever it sends from; any other as it is."""
    found = _SITE.search(host)
    return found.group(1) if found else _SHORT.get(host, host)


def _in_query(urls: pd.Series, name: str) -> pd.Series:
    """What the address of a page says under *name* behind its question mark."""
    pattern = rf"(?i)[?&]{name}=(?P<value>[^&#]+)"
    found = pc.extract_regex(pa.array(urls, type=pa.large_string(), from_pandas=True), pattern=pattern)
    values = pd.Series(TEXT.dtype.__from_arrow__(pc.struct_field(found, "value")), index=urls.index)
    return _over(values, lambda value: unquote_plus(value).strip() or None)


# ---- deals and payments


def _deals(deals: pd.DataFrame, places: _Places) -> pd.DataFrame:
    """Each of the deals, as they were: whose, what became of it, what it is worth, and its days so far."""
    status = deals["status"].fillna("")
    return pd.DataFrame(
        {
            "contact": (place := places(deals["contact_id"])),
            "contact_id": pd.Series(place).where(place >= 0),  # of whom nothing is known, each deal is on its own
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


def _credited(rows: pd.DataFrame, credit: pd.DataFrame, amount: str) -> pd.Series:
    """By group, the sum of an amount of *rows*, each to the groups of its contact."""
    shared = rows.merge(credit, on="contact")
    sums: pd.Series = (shared[amount] * shared["credit"]).groupby(shared["group"]).sum()
    return sums


def _wins(deals: pd.DataFrame) -> dict[str, float]:
    """When deals of a group are won, each counted by its credit."""
    wins, losses = wins_and_losses(deals, deals["credit"])
    return {"median_days_to_win": days_to_win(wins, losses)[0], **wins_at_ages(deals, wins, *AGES)}


def _may_be_late(contacts: pd.DataFrame, deals: pd.DataFrame, by: str | None, website: str | None) -> Array:
    """Won deals whose contact has another last touch than its first, and was changed after the sale."""
    place, late = deals["contact"].to_numpy(), np.zeros(len(deals), dtype=bool)
    candidates = np.flatnonzero(deals["won"].to_numpy(dtype=bool) & (place >= 0))
    if "updated_at" not in contacts or not len(candidates):
        return late
    places, which = np.unique(place[candidates], return_inverse=True)
    buyers = contacts.take(places).reset_index(drop=True)
    touch = by if by in TOUCHES else "source"
    first, last = (_touch(buyers, one, touch, website).fillna("").str.lower() for one in ("first", "last"))
    other = (first != last).to_numpy(dtype=bool)[which]
    updated = buyers["updated_at"].take(which).reset_index(drop=True)
    sold = deals["closed_at"].take(candidates).reset_index(drop=True)
    late[candidates] = other & (updated > sold).to_numpy(dtype=bool)
    return late


def _payments(
    transactions: pd.DataFrame | None, places: _Places, currency: str | None
) -> tuple[pd.DataFrame, str | None]:
    """Net cash of each payment in one currency, and that currency; the others are told and left out."""
    nothing = pd.DataFrame({"contact": np.array([], dtype="int64"), "cash": np.array([], dtype="float64")})
    ours = currency.strip().upper() if currency else None
    if transactions is None:
        remark("Payments could not be read: what cash came is not known.")
        return nothing, ours
    paid = drop_rows(transactions, transactions["status"].str.lower() != "succeeded", "payments that did not succeed")
    if "is_live" in paid:
        paid = drop_rows(paid, ~paid["is_live"].fillna(False), "payments of a test, in which no money moved")
    paid = drop_rows(paid, paid["amount"].isna(), "payments without an amount")
    net = paid["amount"] - (paid["amount_refunded"].fillna(0.0) if "amount_refunded" in paid else 0.0)
    code = _text(paid, "currency").str.upper()
    if ours is None:
        counts = code.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        ours = None if not len(counts) else str(counts.index[0])
    mine = (code.isna() | (code == ours)).to_numpy(dtype=bool)
    for other, amount in net[~mine].groupby(code[~mine]).sum().items():
        of = many(int((code == other).sum()), "payment")
        remark(f"Not in cash: {amount:,.2f} {other} of {of}.")
    record_left_out(int((~mine).sum()), "payments in another currency")
    return pd.DataFrame({"contact": places(paid["contact_id"])[mine], "cash": net[mine].to_numpy()}), ours


# ---- its answers


@attribution.headline_for()
def who_brings(table: pd.DataFrame) -> str:
    """Who brings most leads and most cash, and whose deals are won most often."""
    money = f" {_first(table['currency'])}" if _first(table["currency"]) else ""
    won = compare_win_rates(table)
    if len(table) == 1:
        cash = table["cash"].iloc[0]
        paid = f", {cash:,.0f}{money} of cash" if np.isfinite(cash) else ""
        return f"{many(table['leads'].iloc[0], 'lead')}, {many(table['won'].iloc[0], 'deal')} won{paid}. {won}"
    leads, cash = largest_group(table, "leads"), largest_group(table, "cash", money)
    parts = [f"most leads: {leads}" if leads else "", f"most cash: {cash}" if cash else ""]
    said = "; ".join(part for part in parts if part)
    return f"{said[:1].upper()}{said[1:]}. {won}" if said else won


# ---- its chart

# Three panels on one axis: counts from 0 to 1, shares from 1.15 to 1.95, cash as words before 2.55.
_AT, _WIDE, _END = 1.15, 0.8, 2.55


@attribution.chart("leads")
def bars(table: pd.DataFrame, ax: Axes) -> None:
    """Leads and won deals as bars; beside them, row by row, the win rate in its interval, and the cash."""
    age = at_common_age(table)[0] or AGES[0]
    table = top_groups(table, ax, "leads").reset_index(drop=True)
    places = label_rows(ax, table.iloc[:, 0].tolist())
    leads, won = (table[name].fillna(0).to_numpy("float64") for name in ("leads", "won"))
    longest = max(1.0, leads.max(), won.max())
    ax.barh(places, leads / longest, color=PALE, height=0.72, linewidth=0)
    ax.barh(places, won / longest, color=BLUE, height=0.72, linewidth=0)
    for place, all_, some in zip(places, leads, won, strict=True):
        end = max(all_, some) / longest
        inside = end > 0.6
        ax.text(
            end + (-0.02 if inside else 0.02),
            place,
            f"{all_:,.0f} / {some:,.0f}",
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
        _AT + _WIDE * table[f"win_{age}d_{part}"].to_numpy("float64") / highest for part in ("low", "share", "high")
    )
    steps = np.array([0, 0.5, 1])
    ax.vlines(_AT + _WIDE * steps, -0.5, len(table) - 0.5, color=PALE, linewidth=0.8, linestyles="-", zorder=0)
    draw_intervals(ax, places, low, high, colors, alpha=1)
    draw_points(ax, middle, places, colors, 36)
    ax.set_xticks(_AT + _WIDE * steps, [f"{part:.0%}" for part in highest * steps])

    captions = [(0.0, "leads (gray) / won (blue)"), (_AT, f"deals won within\n{age} days (95% CI)")]
    if table["cash"].notna().any():
        captions.append((_AT + _WIDE + 0.1, f"cash ({_first(table['currency']) or 'no currency'})"))
        for place, cash in zip(places, table["cash"].tolist(), strict=True):
            told = f"{cash:,.0f}" if np.isfinite(cash) else "-"
            ax.text(_END, place, told, ha="right", va="center", fontsize=8, color=INK)
    ax.set_xlim(0, _END if len(captions) == 3 else _AT + _WIDE + 0.05)
    for at, words in captions:
        last = len(captions) == 3 and at > _AT
        ax.annotate(
            words,
            (_END if last else at, -0.09),
            xycoords=("data", "axes fraction"),
            ha="right" if last else "left",
            va="top",
            fontsize=8,
            color=INK,
        )
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="x", length=0)
    if small.any():
        ax.annotate(
            "gray: fewer than 20 deals", (0, -0.22), xycoords="axes fraction", color=GRAY, fontsize=8, va="top"
        )


def _first(column: pd.Series) -> str | None:
    return next(iter(column.dropna().tolist()), None)
