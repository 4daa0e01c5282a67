"""Speed to lead: how long a new contact waits for a person's first answer, and whether a quick one pays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.drawing import BLUE, GREY, INK, ORANGE, SKY, dots, medians_beside, most, percents, rows_of_names
from hlkit.analysis.imports import Imports, without_imports
from hlkit.analysis.measures import (
    ALL,
    OFFICE,
    SMALL,
    Array,
    Floats,
    by_a_person,
    call_taken,
    kaplan_meier,
    lookup,
    minutes,
    need,
    office_hours,
    per_group,
    waiting,
    wilson,
    with_interval,
)
from hlkit.analysis.notes import drop, remark, truths
from hlkit.analysis.registry import analysis
from hlkit.analysis.saying import among, apart, comparable, of_clock, percent, waits
from hlkit.kinds import COUNT, FLAG, NUMBER, SHARE, TEXT, WHEN
from hlkit.tables.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WITHIN = (5, 15, 60)  # minutes
WAITS = ("up to 5 min", "5-15 min", "15-60 min", "1-4 h", "4-24 h", "over 24 h")
NEVER = "not answered"


@analysis(
    "How long does a new lead wait for a person?",
    columns={
        "wait": {
            "n": COUNT,
            "answered": COUNT,
            "contacted_before": COUNT,
            "p50_min": NUMBER,
            "p90_min": NUMBER,
            "answered_p50_min": NUMBER,
            "answered_p90_min": NUMBER,
            **{f"within_{at}_{end}": SHARE for at in WITHIN for end in ("share", "low", "high")},
            "never_share": SHARE,
            "never_low": SHARE,
            "never_high": SHARE,
            "any_p50_min": NUMBER,
            "small": FLAG,
        },
        "pays": {
            "wait": TEXT,
            "n": COUNT,
            "won": COUNT,
            "lost": COUNT,
            "win_share": SHARE,
            "win_low": SHARE,
            "win_high": SHARE,
            "small": FLAG,
        },
    },
    definition=(
        "From a contact's creation to the first message or call that a person sent: outbound, from the app, by a "
        "user, not failed; or an incoming call that a user took. Automations, campaigns and activity rows answer "
        "nobody. Minutes are counted on the {clock} clock. A lead whom nobody has answered still waits "
        "(Kaplan-Meier), so medians and shares count it; p90_min is blank where fewer than nine in ten are answered "
        "so far. Intervals are 95% Wilson, wider where leads still wait, since how long they will is not known yet. "
        "any_p50_min is the wall-clock median to any outbound message, automations too."
    ),
    only={"opportunities": "pays"},
)
def speed_to_lead(
    contacts: pd.DataFrame,
    messages: pd.DataFrame,
    opportunities: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    show: Literal["wait", "pays"] = "wait",
    by: str | None = "source",
    clock: Literal["office", "wall"] = "office",
    office: str = OFFICE,
    holidays: str | None = None,
    imports: Imports = "exclude",
) -> pd.DataFrame:
    """Wait from each contact's creation to the first message or call by a person.

    Takes one row per contact (contact_id, created_at, *by*), one per message (contact_id, sent_at, direction,
    origin, user_id, status, type; call_status and call_duration_s, if there, tell the calls that were taken),
    and for ``show="pays"`` one per opportunity (contact_id, created_at, status; status_changed_at if there).
    Contacts of an import are left out.

    The clock starts when the contact was made, also where it wrote later: a lead that asks again while it waits
    does not wait anew. ``responses`` measures the answers to those who write.

    Parameters
    ----------
    show
        "wait" gives how long leads wait, by group; "pays" the share of deals won by how long the lead waited.
    by
        A column of the contacts, for "wait".

    Returns
    -------
    For "wait" a row for each value of *by*, slowest first: ``n`` and ``answered`` (leads), ``contacted_before``
    (those a person had written to before they were made), ``p50_min`` and ``p90_min`` (minutes of *clock* until
    so many of all leads are answered; null where it never comes so far), ``answered_p50_min`` and
    ``answered_p90_min`` (the same of those who are ever answered), the shares answered within 5, 15 and 60
    minutes and ``never_share`` with their intervals, ``any_p50_min`` (wall-clock minutes) and ``small`` (fewer
    than 20 leads).
    For "pays" a row for each length of ``wait``: ``n`` (leads), ``won`` and ``lost`` (leads whose first deal
    was), ``win_share`` (won of won and lost) with its interval, and ``small`` (fewer than 20 of those). An
    answer after the deal had ended is none.

    Raises
    ------
    MissingColumn

    Source: Oldroyd, McElheran & Elkington, "The Short Life of Online Sales Leads", Harvard Business Review,
    March 2011. Intervals: Rothman, "Estimation of confidence limits for the cumulative probability of survival
    in life table analysis", J. Chronic Dis. 31, 1978.
    """
    need(contacts, "contact_id", "created_at", by)
    need(messages, "contact_id", "sent_at")
    hours = office_hours(office, holidays)
    leads = drop(contacts, contacts["created_at"].isna(), "contacts without a date")
    leads = without_imports(leads, imports, "contacts")

    human = by_a_person(messages) | call_taken(messages)
    whose = _rows_of(leads, messages["contact_id"])
    answered_at, before = _first(leads, messages["sent_at"], whose, human)
    any_at, _ = _first(leads, messages["sent_at"], whose, messages["direction"] == "outbound")

    if show == "pays":
        return _pays(
            leads, answered_at, opportunities, lambda at: minutes(leads["created_at"], at, clock, timezone, hours)
        )

    waits = pd.DataFrame(
        {
            "wait": minutes(leads["created_at"], answered_at.fillna(as_of), clock, timezone, hours),
            "answered": answered_at.notna(),
            "any_wait": minutes(leads["created_at"], any_at.fillna(as_of)),  # machines keep no office hours
            "any": any_at.notna(),
            "before": before,
        }
    )
    # Their own names: the contacts' column to group by may be called "wait" too.
    names = {name: f"\0{name}" for name in waits}
    waits = waits.rename(columns=names)
    if by is not None:
        waits[by] = leads[by]

    def summary(lead: pd.DataFrame) -> dict[str, Any]:
        one = {name: lead[own] for name, own in names.items()}
        return _summary(one["wait"], one["answered"]) | {
            "contacted_before": int(one["before"].sum()),
            "any_p50_min": waiting(one["any_wait"], one["any"])[0],
        }

    table = per_group(waits, by, speed_to_lead.columns, summary)
    return table.sort_values("p50_min", ascending=False, na_position="first", kind="stable")


def _rows_of(leads: pd.DataFrame, contact_id: pd.Series) -> Array:
    """The place among the *leads* of each of these ids, -1 for one that is none of them."""
    known = np.flatnonzero(leads["contact_id"].notna())
    found = pd.Index(leads["contact_id"].iloc[known]).get_indexer(pd.Index(contact_id))
    places: Array = np.append(known, -1)[found]
    return places


def _first(leads: pd.DataFrame, sent_at: pd.Series, whose: Array, mask: pd.Series) -> tuple[pd.Series, pd.Series]:
    """For each lead when the first message of *mask* came after it was made, and whether one was sent before."""
    counts = truths(mask) & (whose >= 0) & sent_at.notna().to_numpy()
    place, sent = whose[counts], sent_at.to_numpy("datetime64[ms]")[counts]
    # A message older than its contact was imported with it, or written to a person who was made a contact later;
    # it answered nobody.
    after = sent >= leads["created_at"].to_numpy("datetime64[ms]")[place]
    never = np.datetime64("9999-01-01", "ms")
    first, before = np.full(len(leads), never), np.zeros(len(leads), dtype=bool)
    np.minimum.at(first, place[after], sent[after])
    before[place[~after]] = True
    instants = pd.Series(first, index=leads.index).mask(first == never).dt.tz_localize("UTC").astype(WHEN.dtype)
    return instants, pd.Series(before, index=leads.index)


def _summary(wait: pd.Series, answered: pd.Series) -> dict[str, Any]:
    n = len(wait)
    times, still, worth = _curve(wait, answered)
    never = float(still[-1]) if len(still) else np.nan
    told: dict[str, Any] = {"n": n, "answered": int(answered.sum()), "small": n < SMALL}
    ever = 1 - never if len(still) else 0.0
    quantiles = (0.5, 0.9, 0.5 * ever, 0.9 * ever)
    names = ("p50_min", "p90_min", "answered_p50_min", "answered_p90_min")
    told |= dict(zip(names, waiting(wait, answered, quantiles), strict=True))
    if ever <= 0:
        told |= {"answered_p50_min": np.nan, "answered_p90_min": np.nan}
    for at in WITHIN:
        place = int(np.searchsorted(times, at, side="right")) - 1
        part, size = (1 - still[place], worth[place]) if place >= 0 else (0.0, float(n))
        if not len(times) or (at > times[-1] and never > 0):
            part = np.nan  # nobody was watched for so long
        told |= _interval(f"within_{at}", part, size)
    return told | _interval("never", never, worth[-1] if len(worth) else 0.0)


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


def _pays(leads: pd.DataFrame, answered_at: pd.Series, deals: pd.DataFrame | None, wait_until: Any) -> pd.DataFrame:
    if deals is None:
        remark("The opportunities could not be read: nobody knows here who won.")
        deals = pd.DataFrame({"contact_id": [], "created_at": [], "status": []}, dtype=TEXT.dtype)
    need(deals, "contact_id", "created_at", "status")
    deals = deals[deals["contact_id"].notna()].sort_values("created_at", kind="stable")
    first = deals.drop_duplicates("contact_id").set_index("contact_id")
    status = lookup(leads["contact_id"], first["status"]).fillna("").str.lower()
    if "status_changed_at" in first:
        over = lookup(leads["contact_id"], first["status_changed_at"])
        late = status.isin(("won", "lost")) & (answered_at > over)
        answered_at = answered_at.mask(late)
    wait = wait_until(answered_at)
    place = np.searchsorted([5, 15, 60, 240, 1440], wait.to_numpy("float64"), side="left")
    place = np.where(wait.isna(), len(WAITS), place)

    def counted(mask: Any) -> Any:
        return np.bincount(place[np.asarray(mask, dtype=bool)], minlength=len(WAITS) + 1)

    won, lost = counted(status == "won"), counted(status == "lost")
    remark(
        "A lead's deal is its first one; its win share is that of the deals which ended, won or lost. Leads that "
        "are answered sooner may differ in other ways too: it shows no cause."
    )
    return pd.DataFrame(
        {
            "wait": [*WAITS, NEVER],
            "n": counted(np.ones(len(place), dtype=bool)),
            "won": won,
            "lost": lost,
            **with_interval("win", won, won + lost),
            "small": won + lost < SMALL,
        }
    )


# ---- its answers


@speed_to_lead.answer(show="wait")
def who_waits(table: pd.DataFrame) -> str:
    """Which group waits least and which longest, or how long all do."""
    if len(table) == 1:
        return _one_waits(table, table.iloc[0])
    fit = comparable(table, "within_60")
    if not len(fit):
        return "There are too few leads in the groups to compare." if table["p50_min"].notna().any() else ""
    if len(fit) == 1:
        return f"{_one_waits(table, fit.iloc[0])} The other groups are too few to compare."
    order = fit.sort_values("p50_min", kind="stable", na_position="last")
    fast, slow = order.iloc[0], order.iloc[-1]
    times = waits(table, fast["p50_min"], slow["p50_min"])
    within = f"Within an hour: {percent(fast, 'within_60')} against {percent(slow, 'within_60')}"
    if not apart(fast, slow, "within_60"):
        two = ", ".join(_in_time(row, time) for row, time in zip((fast, slow), times, strict=True))
        verdict = "" if apart(slow, fast, "within_60") else ", which cannot be told apart"
        return (
            f"No group is clearly fastest: half of the leads are answered {two}{of_clock(table)}. {within}{verdict}."
        )
    fastest, slowest = among(fit, "within_60", "fastest", "slowest")
    fastest = fastest if fast.name == fit.index[0] else "among the fastest"
    slowest = slowest if slow.name == fit.index[-1] else "among the slowest"
    other = times[1] if pd.notna(slow["p50_min"]) else "fewer than half are answered so far"
    return (
        f"{fastest.capitalize()}: {fast.iloc[0]}, half of its leads are answered in {times[0]}; {slowest}: "
        f"{slow.iloc[0]}, {other}{of_clock(table)}. {within}, which can be told apart."
    )


def _in_time(row: pd.Series, time: str) -> str:
    return f"{f'in {time}' if pd.notna(row['p50_min']) else 'not so far'} for {row.iloc[0]}"


def _one_waits(table: pd.DataFrame, row: pd.Series) -> str:
    n, whose = float(row["n"]), "" if row.iloc[0] == ALL else f" of {row.iloc[0]}"
    few = f"; {many(n, 'lead')}: too few to say much" if n < SMALL else ""
    if pd.isna(row["p50_min"]):
        return f"Fewer than half of the leads{whose} are answered so far: {row['answered']:,} of {n:,.0f}."
    never = f"; {percent(row, 'never')} are not, so far" if row["never_share"] > 0 else ""
    return f"Half of the leads{whose} are answered in {waits(table, row['p50_min'])[0]}{of_clock(table)}{never}{few}."


@speed_to_lead.answer(show="pays")
def whether_it_pays(table: pd.DataFrame) -> str:
    """The quickest and the longest wait of which there are enough deals."""
    answered = table[table["wait"] != NEVER]
    if not (table["won"] + table["lost"]).sum():
        return ""
    fit = answered[~answered["small"].fillna(True).to_numpy(dtype=bool)]
    if len(fit) < 2:
        return "There are too few deals that were won or lost to compare."
    quick, slow = fit.iloc[0], fit.iloc[-1]
    one = f"{percent(quick, 'win')} were won where the lead waited {quick['wait']}"
    other = f"{percent(slow, 'win')} where it waited {slow['wait']}"
    differ = apart(quick, slow, "win") or apart(slow, quick, "win")
    verdict = "can be told apart, which shows no cause" if differ else "cannot be told apart"
    return f"Of the deals won or lost, {one}, and {other}; these {verdict}."


# ---- charts

_SHADES = ((5, "5 min", BLUE), (15, "15 min", SKY), (60, "1 h", ORANGE))


@speed_to_lead.chart("within_60_share", "never_share", show="wait")
def answered_within(table: pd.DataFrame, ax: Axes) -> None:
    """Of each group the shares answered within 5 min, 15 min and 1 h, and ever; beside it the median."""
    table = most(table, ax, "n")
    places = rows_of_names(ax, table.iloc[:, 0].tolist(), table["n"].tolist())
    small = table["small"].fillna(False).to_numpy(dtype=bool)
    # Each a little lower than the one before: intervals of few leads would lie on one another.
    for step, (at, name, colour) in enumerate(_SHADES):
        low, high = table[f"within_{at}_low"], table[f"within_{at}_high"]
        _marks(ax, places + 0.16 * step - 0.24, low, table[f"within_{at}_share"], high, colour, name)
    low, ever, high = (1 - table[f"never_{end}"] for end in ("high", "share", "low"))
    _marks(ax, places + 0.24, low, ever, high, GREY, "ever")
    medians_beside(ax, table["p50_min"].tolist(), small.tolist())
    for tick, few in zip(ax.get_yticklabels(), small.tolist(), strict=True):
        tick.set_color(GREY if few else INK)
    ax.set_xlim(-0.02, 1.02)
    percents(ax)
    ax.set_xlabel("leads answered within (bars: 95% interval)")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, handletextpad=0.2, columnspacing=1.2)


def _marks(ax: Axes, places: Array, low: pd.Series, at: pd.Series, high: pd.Series, colour: str, name: str) -> None:
    ax.hlines(places, low.to_numpy(), high.to_numpy(), color=colour, linewidth=2, alpha=0.5, zorder=2)
    ax.scatter(at.to_numpy(), places, color=colour, s=30, label=name, zorder=3)


@speed_to_lead.chart("win_share", show="pays")
def win_by_wait(table: pd.DataFrame, ax: Axes) -> None:
    decided = table["won"] + table["lost"]
    names = table["wait"].tolist()
    low, high = table["win_low"], table["win_high"]
    dots(ax, names, table["win_share"], low, high, counts=decided, small=table["small"])
    ax.set_xlim(left=0)
    ax.set_xlabel("won, of the n deals won or lost (95% interval)")
    ax.set_ylabel("the lead waited")
