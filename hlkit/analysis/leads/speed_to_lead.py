"""Speed to lead: how long a new contact waits for a person's first answer, and whether a quick one pays."""

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
LANDMARK = 24 * 60  # minutes: by then it is known how long each lead waited, as far as lengths are compared


@analysis(
    "How long does a new lead wait for a person?",
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
        "From a contact's creation to the first reply of a person, in minutes of the {clock} clock; "
        "all_hours_median_min counts all hours. A contact created by its own call, or by a message that a person "
        "sent, up to 10 minutes before is answered at once; one that a person wrote to earlier is contacted_before, "
        "and waits for its next reply. An unanswered lead counts as still waiting (Kaplan-Meier), so medians and "
        "shares include it; p90_min is blank where fewer than nine in ten are answered so far. user_unknown are the "
        "leads whose first reply is a call that names no user. Intervals are 95% Wilson, wider where leads still "
        "wait, since how long they will is not known yet. any_message_median_min is the median in all hours to any "
        "message or call that went out, automated ones too."
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
    """Wait from each contact's creation to the first message or call by a person.

    Takes one row per contact (contact_id, created_at, *by*), one per message (contact_id, sent_at, direction,
    origin, user_id, status, type; call_status and call_duration_s, if there), and for ``show="win_rate_by_wait"`` one
    per opportunity (contact_id, created_at, status; status_changed_at if there). Which rows are a reply is the table
    in ``hlkit.analysis.core.messages``.

    The clock starts when the contact was created, also where it wrote later: a lead that asks again while it waits
    does not wait anew. ``responses`` measures the answers to those who write.

    Parameters
    ----------
    show
        "wait" gives how long leads wait, by group; "win_rate_by_wait" the share of deals won by how long the lead
        waited.
    by
        A column of the contacts, for "wait".
    reply
        "attempt" counts a person's message or call, also a call that was not answered; "connected" only messages and
        calls in which somebody talked; "any" automations too.
    abandoned
        For "win_rate_by_wait": abandoned deals count as lost, or are left out.

    Returns
    -------
    For "wait" a row for each value of *by*, slowest first: ``n`` and ``answered`` (leads), ``user_unknown`` (answered
    by a call that names no user), ``contacted_before`` (those a person had written to over 10 minutes before they
    were created), ``median_min`` and ``p90_min`` (minutes of *clock* until so many of all leads are answered; null if
    that share is not reached), ``all_hours_median_min`` (the median in minutes of all hours),
    ``answered_median_min`` and ``answered_p90_min`` (the same of those who are ever answered), the shares answered
    within 5, 15 and 60 minutes and ``no_reply_share`` with their intervals, ``any_message_median_min`` (minutes of
    all hours) and ``small`` (fewer than 20 leads).
    For "win_rate_by_wait" a row for each length of ``wait``: ``n`` (leads), ``deals`` (leads with a deal: their first
    counts), ``won`` and ``lost``, ``open_share``, ``followed_days`` (the age that at least 10 deals have reached),
    ``win_30d_share``, ``win_60d_share`` and ``win_90d_share`` with their intervals (won within so many days of the
    deal's creation, of all), ``win_naive_share`` (won of won and lost) with its interval, and ``small`` (fewer than
    20 deals). Deals that closed within 24 hours of their lead's creation, on the same clock, are left out: a lead can
    only be seen to wait for as long as its deal is open.

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

    read, whose = classify_messages(messages), _rows_of(leads, messages["contact_id"])
    remark_on_reply(reply)
    first = _first_replies(leads, messages["sent_at"], whose, read, reply)
    answered_at = first["at"]
    if show == "win_rate_by_wait":
        return _pays(
            leads,
            answered_at,
            opportunities,
            lambda at: minutes_between(leads["created_at"], at, clock, timezone, hours),
            as_of,
            abandoned,
        )

    any_at = _first_replies(leads, messages["sent_at"], whose, read, "any")["at"]
    waits = pd.DataFrame(
        {
            "wait": minutes_between(leads["created_at"], answered_at.fillna(as_of), clock, timezone, hours),
            "all_hours": minutes_between(leads["created_at"], answered_at.fillna(as_of)),
            "answered": answered_at.notna(),
            "any_wait": minutes_between(leads["created_at"], any_at.fillna(as_of)),  # machines keep no office hours
            "any": any_at.notna(),
            "before": first["before"],
            "unknown": first["unknown"],
        }
    )

    def summary(one: pd.DataFrame) -> dict[str, Any]:
        return _summary(one["wait"], one["answered"]) | {
            "user_unknown": int(one["unknown"].sum()),
            "contacted_before": int(one["before"].sum()),
            "all_hours_median_min": survival_quantiles(one["all_hours"], one["answered"])[0],
            "any_message_median_min": survival_quantiles(one["any_wait"], one["any"])[0],
        }

    table = per_group(waits, group_keys(leads, by), speed_to_lead.columns, summary)
    return table.sort_values("median_min", ascending=False, na_position="first", kind="stable")


def _rows_of(leads: pd.DataFrame, contact_id: pd.Series) -> Array:
    """The place among the *leads* of each of these ids, -1 for one that is none of them."""
    known = np.flatnonzero(leads["contact_id"].notna())
    found = pd.Index(leads["contact_id"].iloc[known]).get_indexer(pd.Index(contact_id))
    places: Array = np.append(known, -1)[found]
    return places


CREATED_BY_IT = np.timedelta64(10, "m")  # a contact may be created so long after the call or message that made it
_ZERO = np.timedelta64(0, "us")


def _first_replies(
    leads: pd.DataFrame, sent_at: pd.Series, whose: Array, read: MessageKinds, reply: Reply
) -> pd.DataFrame:
    """For each lead: when it was replied to first, whether by nobody known, and whether a person wrote before."""
    known = (whose >= 0) & sent_at.notna().to_numpy()
    replies, by_a_person = read.replies(reply) & known, read.replies("attempt") & known
    created = leads["created_at"].to_numpy("datetime64[us]")
    sent = sent_at.to_numpy("datetime64[us]")
    since = np.full(len(sent), np.timedelta64("NaT", "us"))
    since[known] = sent[known] - created[whose[known]]
    # A message older than its contact answered nobody, unless the contact was created by it.
    made_it = (read.answered_calls | read.human_messages) & known & (since < _ZERO) & (since >= -CREATED_BY_IT)
    counts = (replies & (since >= _ZERO)) | (made_it & replies)
    at = np.where(made_it[counts], created[whose[counts]], sent[counts])

    never = np.datetime64("9999-01-01", "us")
    first = np.full(len(leads), never)
    before, unknown = (np.zeros(len(leads), dtype=bool) for _ in range(2))
    np.minimum.at(first, whose[counts], at)
    before[whose[by_a_person & (since < _ZERO) & ~made_it]] = True
    nobody = read.unknown_user[counts]
    is_first = at[nobody] == first[whose[counts][nobody]]
    unknown[whose[counts][nobody][is_first]] = True
    instants = pd.Series(first, index=leads.index).mask(first == never).dt.tz_localize("UTC").astype(INSTANT.dtype)
    return pd.DataFrame({"at": instants, "before": before, "unknown": unknown}, index=leads.index)


def _summary(wait: pd.Series, answered: pd.Series) -> dict[str, Any]:
    n = len(wait)
    _, still, worth = _curve(wait, answered)
    never = float(still[-1]) if len(still) else np.nan
    told: dict[str, Any] = {"n": n, "answered": int(answered.sum()), "small": n < SMALL}
    ever = 1 - never if len(still) else 0.0
    quantiles = (0.5, 0.9, 0.5 * ever, 0.9 * ever)
    names = ("median_min", "p90_min", "answered_median_min", "answered_p90_min")
    told |= dict(zip(names, survival_quantiles(wait, answered, quantiles), strict=True))
    if ever <= 0:
        told |= {"answered_median_min": np.nan, "answered_p90_min": np.nan}
    ends = cumulative_incidence(wait, answered, answered)
    for at in WITHIN:  # null where nobody was watched for so long
        parts = zip(("share", "low", "high"), ends.at(float(at)), strict=True)
        told |= {f"within_{at}_{part}": float(value) for part, value in parts}
    return told | _interval("no_reply", never, worth[-1] if len(worth) else 0.0)


def _interval(name: str, part: float, size: float) -> dict[str, float]:
    low, high = wilson(part * size, size) if np.isfinite(part) else (np.nan, np.nan)
    return {f"{name}_share": float(part), f"{name}_low": low, f"{name}_high": high}


def _curve(wait: pd.Series, ended: pd.Series) -> tuple[Floats, Floats, Floats]:
    """Kaplan-Meier's times and shares, and how many rows seen to the end each share is worth.

    That is the number with which a plain share would have Greenwood's variance: all rows, as long as none is
    censored.
    """
    times, still = kaplan_meier(wait, ended)
    at_risk = len(wait) - np.searchsorted(np.sort(wait.to_numpy("float64")), times, side="left")
    with np.errstate(invalid="ignore", divide="ignore"):
        left = still / np.concatenate([[1.0], still[:-1]])  # of those at risk, the share that waits on
        greenwood = np.cumsum((1 - left) / (at_risk * left))
        worth = np.where(still < 1, (1 - still) / (still * greenwood), at_risk)
    known = pd.Series(np.where(np.isfinite(worth) & (still > 0), worth, np.nan))
    return times, still, np.asarray(known.ffill().fillna(len(wait)), dtype="float64")


# ---- whether it pays


def _pays(
    leads: pd.DataFrame,
    answered_at: pd.Series,
    deals: pd.DataFrame | None,
    wait_until: Callable[[pd.Series], pd.Series],
    as_of: pd.Timestamp,
    abandoned: Abandoned,
) -> pd.DataFrame:
    if deals is None:
        remark("The opportunities could not be read, so nobody knows who won.")
        deals = pd.DataFrame({"contact_id": [], "created_at": [], "status": []}, dtype=TEXT.dtype)
        deals["created_at"] = deals["created_at"].astype(INSTANT.dtype)
    require_columns(deals, "contact_id", "created_at", "status")
    deals = without_abandoned(deals_as_of(deals, as_of), abandoned)
    deals = deals[deals["contact_id"].notna()].sort_values("created_at", kind="stable").drop_duplicates("contact_id")
    place = _rows_of(leads, deals["contact_id"])
    deals, place = deals[place >= 0], place[place >= 0]
    closed_at = pd.Series(None, index=leads.index, dtype=INSTANT.dtype)
    closed_at.iloc[place] = deals["closed_at"].array
    at_once = (wait_until(closed_at).to_numpy("float64") < LANDMARK)[place]
    deals, place = drop_rows(deals, at_once, "opportunities that closed within 24 h of their lead"), place[~at_once]
    waited: Floats = wait_until(answered_at).to_numpy("float64")
    group = np.searchsorted([5, 15, 60, 240, LANDMARK], waited, side="left")  # a null wait is the longest
    remark(
        "A lead's deal is its first one; those that closed within 24 hours of their lead, on the same clock, are "
        "left out, since a lead can only be seen to wait for as long as its deal is open. Lengths of wait are "
        "compared by the share of deals won within 30, 60 or 90 days of the deal's creation (Aalen-Johansen); "
        "win_naive_share, won of won and lost, depends on how old the deals are, and nothing is concluded from it. "
        "Leads that are answered sooner may differ in other ways too: it shows no cause."
    )
    rows = []
    for number, name in enumerate(WAITS):
        these = deals[group[place] == number]
        won, lost = (int(these["status"].isin(ends).sum()) for ends in (("won",), ("lost", "abandoned")))
        rows.append(
            {
                "wait": name,
                "n": int((group == number).sum()),
                "deals": len(these),
                "won": won,
                "lost": lost,
                "open_share": float((these["status"] == "open").mean()) if len(these) else np.nan,
                **wins_at_ages(these, wins_by_age(these), *AGES),
                **share_with_interval("win_naive", won, won + lost),
                "small": len(these) < SMALL,
            }
        )
    return pd.DataFrame(rows)


# ---- its answers


@speed_to_lead.headline_for(show="wait")
def who_waits(table: pd.DataFrame) -> str:
    """How many are answered within an hour, which groups differ in that, and how many have no reply yet."""
    if len(table) == 1:
        return _one_waits(table, table.iloc[0])

    def median(row: pd.Series) -> str:
        return f", median {format_wait(table, row['median_min'])}" if pd.notna(row["median_min"]) else ""

    said = compare_groups(table, "within_60", f"Answered within an hour{clock_note(table)}", median)
    n, answered = int(table["n"].sum()), int(table["answered"].sum())
    waiting_ = n > answered and not overlaps(table)
    return f"{said} {n - answered:,} of {many(n, 'lead')} have no reply yet." if waiting_ else said


def _one_waits(table: pd.DataFrame, row: pd.Series) -> str:
    n, whose = float(row["n"]), "" if row.iloc[0] == ALL else f" for {row.iloc[0]}"
    few = f" From {many(n, 'lead')}: too few to say much." if n < SMALL else ""
    if pd.isna(row["median_min"]):
        return f"No median wait yet{whose}: {row['answered']:,} of {many(n, 'lead')} have a reply.{few}"
    wait = format_wait(table, row["median_min"])
    if option_value(table, "clock") == "office" and pd.notna(row["all_hours_median_min"]):
        wait += f" in office hours, {format_minutes(row['all_hours_median_min'])} in all hours"
    never = f"; {percent_with_interval(row, 'no_reply')} have no reply yet" if row["no_reply_share"] > 0 else ""
    return f"Median wait{whose} {wait}{never}.{few}"


@speed_to_lead.headline_for(show="win_rate_by_wait")
def whether_it_pays(table: pd.DataFrame) -> str:
    """The lengths of wait at which more, or fewer, deals are won."""
    if not table["deals"].sum():
        return no_rows_headline("leads with a deal", table)
    return f"{compare_win_rates(table)} Wait time and win rate may be linked for other reasons."


# ---- charts

_SHADES = ((5, "5 min", BLUE), (15, "15 min", SKY), (60, "1 h", ORANGE))


@speed_to_lead.chart("within_60_share", "no_reply_share", show="wait")
def answered_within(table: pd.DataFrame, ax: Axes) -> None:
    """Of each group the shares answered within 5 min, 15 min and 1 h, and ever; beside it the median."""
    table = top_groups(table, ax, "n")
    places = label_rows(ax, table.iloc[:, 0].tolist(), table["n"].tolist())
    small = table["small"].fillna(False).to_numpy(dtype=bool)
    # Each a little lower than the one before: intervals of few leads would lie on one another.
    for step, (at, name, color) in enumerate(_SHADES):
        low, high = table[f"within_{at}_low"], table[f"within_{at}_high"]
        _marks(ax, places + 0.16 * step - 0.24, low, table[f"within_{at}_share"], high, color, name)
    low, ever, high = (1 - table[f"no_reply_{end}"] for end in ("high", "share", "low"))
    _marks(ax, places + 0.24, low, ever, high, GRAY, "ever")
    all_hours = table["all_hours_median_min"].tolist() if option_value(table, "clock") == "office" else None
    label_medians(ax, table["median_min"].tolist(), small.tolist(), all_hours)
    for tick, few in zip(ax.get_yticklabels(), small.tolist(), strict=True):
        tick.set_color(GRAY if few else INK)
    ax.set_xlim(-0.02, 1.02)
    percent_axis(ax)
    ax.set_xlabel("leads answered within (bars: 95% interval)")
    draw_legend(ax, handletextpad=0.2, handlelength=2)


def _marks(ax: Axes, places: Array, low: pd.Series, at: pd.Series, high: pd.Series, color: str, name: str) -> None:
    draw_intervals(ax, places, low, high, color)
    draw_points(ax, at.to_numpy("float64"), places, color, 30, label=name)


@speed_to_lead.chart("win_30d_share", show="win_rate_by_wait")
def win_by_wait(table: pd.DataFrame, ax: Axes) -> None:
    """The share of deals won by the age at which lengths of wait are compared."""
    age = at_common_age(table)[0] or AGES[0]
    share, low, high = (table[f"win_{age}d_{part}"] for part in ("share", "low", "high"))
    dot_plot(ax, table["wait"].tolist(), share, low, high, counts=table["deals"], small=table["small"])
    ax.set_xlim(left=0)
    ax.set_xlabel(f"deals won within {age} days (95% interval)")
    ax.set_ylabel("the lead waited")
