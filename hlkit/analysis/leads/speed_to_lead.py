"""Speed to lead: how long a new contact waits for a human reply, and how often deals are won by that wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports, drop_imports
from hlkit.analysis.core.charts import (
    BLUE,
    GRAY,
    INK,
    ORANGE,
    SKY,
    dot_plot,
    draw_intervals,
    draw_legend,
    draw_points,
    format_minutes,
    label_medians,
    label_rows,
    percent_axis,
    top_groups,
)
from hlkit.analysis.core.comparison import overlaps
from hlkit.analysis.core.deals import (
    AGES,
    Abandoned,
    at_common_age,
    deals_as_of,
    win_columns,
    wins_at_ages,
    wins_by_age,
    without_abandoned,
)
from hlkit.analysis.core.groups import (
    ALL,
    OFFICE,
    SMALL,
    Array,
    Floats,
    group_keys,
    minutes_between,
    office_hours,
    per_group,
    require_columns,
    share_with_interval,
    wilson,
)
from hlkit.analysis.core.headlines import (
    clock_note,
    compare_groups,
    compare_win_rates,
    format_wait,
    no_rows_headline,
    option_value,
    percent_with_interval,
)
from hlkit.analysis.core.messages import MessageKinds, Reply, classify_messages, remark_on_reply
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import drop_rows, remark
from hlkit.analysis.core.survival import cumulative_incidence, kaplan_meier, survival_quantiles
from hlkit.client.schema import COUNT, FLAG, INSTANT, NUMBER, SHARE, TEXT
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WITHIN = (5, 15, 60)  # minutes
WAITS = ("up to 5 min", "5-15 min", "15-60 min", "1-4 h", "4-24 h", "over 24 h or no reply")
LANDMARK = 24 * 60  # minutes after which every lead's wait is known to belong to one of WAITS


@analysis(
    "How fast do we answer new leads?",
    columns={
        "wait": {
            "n": COUNT,
            "answered": COUNT,
            "user_unknown": COUNT,
            "contacted_before": COUNT,
            "median_min": NUMBER,
            "all_hours_median_min": NUMBER,
            "p90_min": NUMBER,
            "answered_median_min": NUMBER,
            "answered_p90_min": NUMBER,
            **{f"within_{at}_{end}": SHARE for at in WITHIN for end in ("share", "low", "high")},
            "no_reply_share": SHARE,
            "no_reply_low": SHARE,
            "no_reply_high": SHARE,
            "any_message_median_min": NUMBER,
            "small": FLAG,
        },
        "win_rate_by_wait": {
            "wait": TEXT,
            "n": COUNT,
            "deals": COUNT,
            "won": COUNT,
            "lost": COUNT,
            "open_share": SHARE,
            **win_columns(*AGES),
            "win_naive_share": SHARE,
            "win_naive_low": SHARE,
            "win_naive_high": SHARE,
            "small": FLAG,
        },
    },
    definition=(
        "The time from a contact's creation to the first human reply, in minutes of the {clock} clock; "
        "all_hours_median_min counts all hours. A contact that was created by its own call, or by a message from a "
        "person, up to 10 minutes earlier counts as answered at once. A contact that a person wrote to earlier than "
        "that is contacted_before and waits for the next reply. Unanswered leads count as still waiting "
        "(Kaplan-Meier), so medians and shares include them; p90_min is blank until nine in ten are answered. "
        "user_unknown counts leads whose first reply is a call that names no user. Intervals are 95% Wilson, wider "
        "while leads are still waiting. any_message_median_min is the median in all hours to any outbound message or "
        "call, including automated ones."
    ),
    noun="leads",
    only={"opportunities": "win_rate_by_wait"},
)
def speed_to_lead(
    contacts: pd.DataFrame,
    messages: pd.DataFrame,
    opportunities: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    show: Literal["wait", "win_rate_by_wait"] = "wait",
    by: str | None = "source",
    clock: Literal["office", "wall"] = "office",
    office: str = OFFICE,
    holidays: str | None = None,
    reply: Reply = "attempt",
    abandoned: Abandoned = "lost",
    imports: Imports = "exclude",
) -> pd.DataFrame:
    """Time from a contact's creation to the first message or call from a person.

    Takes one row per contact (contact_id, created_at, *by*), one row per message (contact_id, sent_at, direction,
    origin, user_id, status, type; optionally call_status, call_duration_s), and for ``show="win_rate_by_wait"`` one
    row per opportunity (contact_id, created_at, status; optionally status_changed_at). The docstring of
    ``hlkit.analysis.core.messages`` lists which messages count as a reply.

    The wait starts when the contact is created. A lead that writes again while waiting does not start a new wait;
    ``responses`` measures the replies to each message.

    Parameters
    ----------
    show
        "wait" shows how long leads wait, by group; "win_rate_by_wait" shows the share of deals won, by how long the
        lead waited.
    by
        A column of the contacts, for "wait".
    reply
        "attempt" counts a person's message or call, even if the call was not answered; "connected" only messages and
        answered calls; "any" also automated ones.
    abandoned
        For "win_rate_by_wait": whether abandoned deals count as lost or are left out.

    Returns
    -------
    For "wait", one row per value of *by*, slowest first: ``n`` and ``answered`` (leads), ``user_unknown`` (answered
    by a call that names no user), ``contacted_before`` (a person had written to them more than 10 minutes before they
    were created), ``median_min`` and ``p90_min`` (minutes of *clock* until half and nine in ten of all leads are
    answered; null if that share is not reached), ``all_hours_median_min`` (the median, counting all hours),
    ``answered_median_min`` and ``answered_p90_min`` (of the leads that are ever answered), the shares answered within
    5, 15 and 60 minutes and ``no_reply_share`` with their intervals, ``any_message_median_min`` (minutes, counting
    all hours) and ``small`` (fewer than 20 leads).
    For "win_rate_by_wait", one row per length of ``wait``: ``n`` (leads), ``deals`` (leads with a deal, whose first
    deal counts), ``won`` and ``lost``, ``open_share``, ``followed_days`` (the age that at least 10 deals have
    reached), ``win_30d_share``, ``win_60d_share`` and ``win_90d_share`` with their intervals (the share of all deals
    won within 30, 60 and 90 days of creation), ``win_naive_share`` (won of won and lost) with its interval, and
    ``small`` (fewer than 20 deals). Deals that closed within 24 hours of their lead's creation, on the same clock,
    are left out, since the wait of a lead can be observed only while its deal is open.

    Raises
    ------
    MissingColumn

    Source: Oldroyd, McElheran & Elkington, "The Short Life of Online Sales Leads", Harvard Business Review,
    March 2011. Intervals: Rothman, "Estimation of confidence limits for the cumulative probability of survival
    in life table analysis", J. Chronic Dis. 31, 1978.
    """
    require_columns(contacts, "contact_id", "created_at", by if show == "wait" else None)
    require_columns(messages, "contact_id", "sent_at")
    hours = office_hours(office, holidays)
    leads = drop_rows(contacts, contacts["created_at"].isna(), "contacts without a date")
    leads = drop_imports(leads, imports, "contacts")

    kinds, lead_rows = classify_messages(messages), _row_numbers(leads, messages["contact_id"])
    remark_on_reply(reply)
    first = _first_replies(leads, messages["sent_at"], lead_rows, kinds, reply)
    answered_at = first["at"]
    if show == "win_rate_by_wait":
        return _win_rates_by_wait(
            leads,
            answered_at,
            opportunities,
            lambda at: minutes_between(leads["created_at"], at, clock, timezone, hours),
            as_of,
            abandoned,
        )

    any_at = _first_replies(leads, messages["sent_at"], lead_rows, kinds, "any")["at"]
    waits = pd.DataFrame(
        {
            "wait": minutes_between(leads["created_at"], answered_at.fillna(as_of), clock, timezone, hours),
            "all_hours": minutes_between(leads["created_at"], answered_at.fillna(as_of)),
            "answered": answered_at.notna(),
            "any_wait": minutes_between(leads["created_at"], any_at.fillna(as_of)),  # automations run at all hours
            "any": any_at.notna(),
            "contacted_before": first["contacted_before"],
            "user_unknown": first["user_unknown"],
        }
    )

    def summarize(group: pd.DataFrame) -> dict[str, Any]:
        return _summarize_waits(group["wait"], group["answered"]) | {
            "user_unknown": int(group["user_unknown"].sum()),
            "contacted_before": int(group["contacted_before"].sum()),
            "all_hours_median_min": survival_quantiles(group["all_hours"], group["answered"])[0],
            "any_message_median_min": survival_quantiles(group["any_wait"], group["any"])[0],
        }

    table = per_group(waits, group_keys(leads, by), speed_to_lead.columns, summarize)
    return table.sort_values("median_min", ascending=False, na_position="first", kind="stable")


def _row_numbers(leads: pd.DataFrame, contact_id: pd.Series) -> Array:
    """For each id, the number of its row in *leads*; -1 if it has none."""
    has_id = np.flatnonzero(leads["contact_id"].notna())
    indexes = pd.Index(leads["contact_id"].iloc[has_id]).get_indexer(pd.Index(contact_id))
    rows: Array = np.append(has_id, -1)[indexes]
    return rows


CREATION_DELAY = np.timedelta64(
    10, "m"
)  # at most, from a call or message to the contact that HighLevel creates for it
_ZERO = np.timedelta64(0, "us")


def _first_replies(
    leads: pd.DataFrame, sent_at: pd.Series, lead_rows: Array, kinds: MessageKinds, reply: Reply
) -> pd.DataFrame:
    """For each lead: when it got its first reply (``at``), ``user_unknown`` and ``contacted_before``.

    *lead_rows* is the row number in *leads* of each message.
    """
    usable = (lead_rows >= 0) & sent_at.notna().to_numpy()
    is_reply, is_human_reply = kinds.replies(reply) & usable, kinds.replies("attempt") & usable
    created = leads["created_at"].to_numpy("datetime64[us]")
    sent = sent_at.to_numpy("datetime64[us]")
    since = np.full(len(sent), np.timedelta64("NaT", "us"))
    since[usable] = sent[usable] - created[lead_rows[usable]]
    # A message older than its contact is no reply to it, unless HighLevel created the contact for that message.
    created_contact = (kinds.answered_calls | kinds.human_messages) & usable
    created_contact &= (since < _ZERO) & (since >= -CREATION_DELAY)
    counts = is_reply & ((since >= _ZERO) | created_contact)
    rows = lead_rows[counts]
    replied_at = np.where(created_contact[counts], created[rows], sent[counts])

    never = np.datetime64("9999-01-01", "us")
    first = np.full(len(leads), never)
    np.minimum.at(first, rows, replied_at)
    contacted_before, user_unknown = (np.zeros(len(leads), dtype=bool) for _ in range(2))
    contacted_before[lead_rows[is_human_reply & (since < _ZERO) & ~created_contact]] = True
    user_unknown[rows[kinds.unknown_user[counts] & (replied_at == first[rows])]] = True
    first_at = pd.Series(first, index=leads.index).mask(first == never).dt.tz_localize("UTC").astype(INSTANT.dtype)
    columns = {"at": first_at, "contacted_before": contacted_before, "user_unknown": user_unknown}
    return pd.DataFrame(columns, index=leads.index)


def _summarize_waits(wait: pd.Series, answered: pd.Series) -> dict[str, Any]:
    n = len(wait)
    _, waiting, effective_rows = _survival_curve(wait, answered)
    never = float(waiting[-1]) if n else np.nan
    ever = 1 - never if n else 0.0
    stats: dict[str, Any] = {"n": n, "answered": int(answered.sum()), "small": n < SMALL}
    quantiles = (0.5, 0.9, 0.5 * ever, 0.9 * ever)
    names = ("median_min", "p90_min", "answered_median_min", "answered_p90_min")
    stats |= dict(zip(names, survival_quantiles(wait, answered, quantiles), strict=True))
    if ever <= 0:
        stats |= {"answered_median_min": np.nan, "answered_p90_min": np.nan}
    answers = cumulative_incidence(wait, answered, answered)
    for limit in WITHIN:
        parts = zip(("share", "low", "high"), answers.at(float(limit)), strict=True)
        stats |= {f"within_{limit}_{part}": float(value) for part, value in parts}
    low, high = wilson(never * effective_rows[-1], effective_rows[-1]) if np.isfinite(never) else (np.nan, np.nan)
    return stats | {"no_reply_share": never, "no_reply_low": low, "no_reply_high": high}


def _survival_curve(wait: pd.Series, ended: pd.Series) -> tuple[Floats, Floats, Floats]:
    """The times, the share still waiting after each (Kaplan-Meier), and the effective number of rows of each share.

    That is the number of rows for which a simple share would have Greenwood's variance: all rows if none is censored.
    """
    times, waiting = kaplan_meier(wait, ended)
    at_risk = len(wait) - np.searchsorted(np.sort(wait.to_numpy("float64")), times, side="left")
    with np.errstate(invalid="ignore", divide="ignore"):
        stay = waiting / np.concatenate([[1.0], waiting[:-1]])  # the share of those at risk that keeps waiting
        greenwood = np.cumsum((1 - stay) / (at_risk * stay))
        effective = np.where(waiting < 1, (1 - waiting) / (waiting * greenwood), at_risk)
    defined = pd.Series(np.where(np.isfinite(effective) & (waiting > 0), effective, np.nan))
    return times, waiting, np.asarray(defined.ffill().fillna(len(wait)), dtype="float64")


# ---- win rate by wait


def _win_rates_by_wait(
    leads: pd.DataFrame,
    answered_at: pd.Series,
    deals: pd.DataFrame | None,
    wait_until: Callable[[pd.Series], pd.Series],
    as_of: pd.Timestamp,
    abandoned: Abandoned,
) -> pd.DataFrame:
    if deals is None:
        remark("The opportunities could not be read, so wins are unknown.")
        deals = pd.DataFrame({"contact_id": [], "created_at": [], "status": []}, dtype=TEXT.dtype)
        deals["created_at"] = deals["created_at"].astype(INSTANT.dtype)
    require_columns(deals, "contact_id", "created_at", "status")
    deals = without_abandoned(deals_as_of(deals, as_of), abandoned)
    deals = deals[deals["contact_id"].notna()].sort_values("created_at", kind="stable").drop_duplicates("contact_id")
    lead_rows = _row_numbers(leads, deals["contact_id"])
    deals, lead_rows = deals[lead_rows >= 0], lead_rows[lead_rows >= 0]
    closed_at = pd.Series(None, index=leads.index, dtype=INSTANT.dtype)
    closed_at.iloc[lead_rows] = deals["closed_at"].array
    too_early = (wait_until(closed_at).to_numpy("float64") < LANDMARK)[lead_rows]
    deals = drop_rows(deals, too_early, "opportunities that closed within 24 h of their lead")
    lead_rows = lead_rows[~too_early]
    waits: Floats = wait_until(answered_at).to_numpy("float64")
    group = np.searchsorted([5, 15, 60, 240, LANDMARK], waits, side="left")  # NaN (no reply) is in the last group
    remark(
        "A lead's first deal counts. Deals that closed within 24 hours of their lead, on the same clock, are left "
        "out, since the wait of a lead can be observed only while its deal is open. Lengths of wait are compared by "
        "the share of deals won within 30, 60 or 90 days of the deal's creation (Aalen-Johansen); win_naive_share, "
        "won of won and lost, depends on the age of the deals and is not compared. Leads that are answered sooner "
        "may differ in other ways too, so a difference does not prove a cause."
    )
    rows = []
    for index, label in enumerate(WAITS):
        in_group = deals[group[lead_rows] == index]
        won = int((in_group["status"] == "won").sum())
        lost = int(in_group["status"].isin(("lost", "abandoned")).sum())
        rows.append(
            {
                "wait": label,
                "n": int((group == index).sum()),
                "deals": len(in_group),
                "won": won,
                "lost": lost,
                "open_share": float((in_group["status"] == "open").mean()) if len(in_group) else np.nan,
                **wins_at_ages(in_group, wins_by_age(in_group), *AGES),
                **share_with_interval("win_naive", won, won + lost),
                "small": len(in_group) < SMALL,
            }
        )
    return pd.DataFrame(rows)


# ---- headlines


@speed_to_lead.headline_for(show="wait")
def headline_of_waits(table: pd.DataFrame) -> str:
    """The share answered within an hour by group, and how many leads have no reply yet; the median for one group."""
    if len(table) == 1:
        return _median_wait(table, table.iloc[0])

    def median(row: pd.Series) -> str:
        return f", median {format_wait(table, row['median_min'])}" if pd.notna(row["median_min"]) else ""

    comparison = compare_groups(table, "within_60", f"Answered within an hour{clock_note(table)}", median)
    n = int(table["n"].sum())
    waiting = n - int(table["answered"].sum())
    if not waiting or overlaps(table):
        return comparison
    return f"{comparison} {waiting:,} of {many(n, 'lead')} ({waiting / n:.0%}) have no reply yet."


def _median_wait(table: pd.DataFrame, row: pd.Series) -> str:
    n, group = float(row["n"]), "" if row.iloc[0] == ALL else f" for {row.iloc[0]}"
    few = f" From {many(n, 'lead')}: too few to say much." if n < SMALL else ""
    if pd.isna(row["median_min"]):
        return f"No median wait yet{group}: {row['answered']:,} of {many(n, 'lead')} have a reply.{few}"
    wait = format_wait(table, row["median_min"])
    if option_value(table, "clock") == "office" and pd.notna(row["all_hours_median_min"]):
        wait += f" in office hours ({format_minutes(row['all_hours_median_min'])} counting all hours)"
    no_reply = f"; {percent_with_interval(row, 'no_reply')} have no reply yet" if row["no_reply_share"] > 0 else ""
    return f"Median wait{group}: {wait}{no_reply}.{few}"


@speed_to_lead.headline_for(show="win_rate_by_wait")
def headline_of_win_rates(table: pd.DataFrame) -> str:
    """The share of deals won by length of wait, and that a link is not a cause."""
    if not table["deals"].sum():
        return no_rows_headline("leads with a deal", table)
    return f"{compare_win_rates(table)} A faster reply need not be the cause."


# ---- charts

_LIMITS = ((5, "5 min", BLUE), (15, "15 min", SKY), (60, "1 h", ORANGE))


@speed_to_lead.chart("within_60_share", "no_reply_share", show="wait")
def answered_within(table: pd.DataFrame, ax: Axes) -> None:
    """The shares of each group answered within 5 min, 15 min, 1 h and ever, with the median beside them."""
    table = top_groups(table, ax, "n")
    rows = label_rows(ax, table.iloc[:, 0].tolist(), table["n"].tolist())
    small = table["small"].fillna(False).to_numpy(dtype=bool)
    # Each series is a little lower than the one before, so that wide intervals do not overlap.
    for index, (limit, label, color) in enumerate(_LIMITS):
        share, low, high = (table[f"within_{limit}_{part}"] for part in ("share", "low", "high"))
        _draw_series(ax, rows + 0.16 * index - 0.24, share, low, high, color, label)
    ever, low, high = (1 - table[f"no_reply_{part}"] for part in ("share", "high", "low"))
    _draw_series(ax, rows + 0.24, ever, low, high, GRAY, "ever")
    all_hours = table["all_hours_median_min"].tolist() if option_value(table, "clock") == "office" else None
    label_medians(ax, table["median_min"].tolist(), small.tolist(), all_hours)
    for tick, is_small in zip(ax.get_yticklabels(), small.tolist(), strict=True):
        tick.set_color(GRAY if is_small else INK)
    ax.set_xlim(-0.02, 1.02)
    percent_axis(ax)
    ax.set_xlabel("leads answered within (bars: 95% interval)")
    draw_legend(ax, handletextpad=0.2, handlelength=2)


def _draw_series(
    ax: Axes, rows: Array, share: pd.Series, low: pd.Series, high: pd.Series, color: str, label: str
) -> None:
    draw_intervals(ax, rows, low, high, color)
    draw_points(ax, share.to_numpy("float64"), rows, color, 30, label=label)


@speed_to_lead.chart("win_30d_share", show="win_rate_by_wait")
def win_by_wait(table: pd.DataFrame, ax: Axes) -> None:
    """The share of deals won by length of wait, at the age at which the groups are compared."""
    age = at_common_age(table)[0] or AGES[0]
    share, low, high = (table[f"win_{age}d_{part}"] for part in ("share", "low", "high"))
    dot_plot(ax, table["wait"].tolist(), share, low, high, counts=table["deals"], small=table["small"])
    ax.set_xlim(left=0)
    ax.set_xlabel(f"deals won within {age} days (95% interval)")
    ax.set_ylabel("the lead waited")
