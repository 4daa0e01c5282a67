"""Responses: how long people who write wait for a person's answer, and when they write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.drawing import BLUE, GREY, INK, dots, durations, how_long, medians_beside, most, percents, week_of
from hlkit.analysis.measures import (
    ALL,
    HOURS,
    OFFICE,
    SMALL,
    WEEKDAYS,
    a_week,
    by_a_person,
    call_taken,
    called,
    column,
    kaplan_meier,
    lookup,
    minutes,
    need,
    of_contact,
    office_hours,
    on_the_wall,
    per_group,
    waiting,
    with_interval,
)
from hlkit.analysis.notes import drop
from hlkit.analysis.registry import analysis
from hlkit.analysis.saying import choice, compared, of_clock, percent, waits
from hlkit.kinds import COUNT, FLAG, ID, NUMBER, SHARE, TEXT, WHEN
from hlkit.tables.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NOT_WRITTEN = ("TYPE_ACTIVITY", "TYPE_INTERNAL_COMMENT", "TYPE_CAMPAIGN", "TYPE_REVIEW", "TYPE_SYSTEM")


@analysis(
    "How fast are people who write to us answered?",
    columns={
        "groups": {
            "turns": COUNT,
            "answered": COUNT,
            "waiting": COUNT,
            "p50_min": NUMBER,
            "p90_min": NUMBER,
            "met_share": SHARE,
            "met_low": SHARE,
            "met_high": SHARE,
            "small": FLAG,
        },
        "heatmap": {"weekday": TEXT, "hour": COUNT, "inbound": COUNT, "turns": COUNT, "p50_min": NUMBER},
        "turns": {
            "contact_id": ID,
            "conversation_id": ID,
            "user_id": ID,
            "type": TEXT,
            "started_at": WHEN,
            "answered_at": WHEN,
            "wait_min": NUMBER,
            "messages": COUNT,
        },
    },
    definition=(
        "A turn is what one contact writes until a person answers: a message or call sent in the app by a user, or "
        "an incoming call that a user took; automations answer nobody. It waits from its {start} message, in "
        "minutes of the {clock} clock. A turn without an answer still waits (Kaplan-Meier), so medians count it. "
        "met_share is the share answered within {target_min} minutes; a turn that waits longer missed that, one "
        "that waits and still has time is in neither. A last word of thanks waits as a question does. Turns belong "
        "to the user who answered. Intervals are 95% Wilson."
    ),
)
def responses(
    messages: pd.DataFrame,
    contacts: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    show: Literal["groups", "heatmap", "turns"] = "groups",
    by: str | None = "user_id",
    start: Literal["first", "newest"] = "first",
    target_min: int = 60,
    clock: Literal["office", "wall"] = "office",
    office: str = OFFICE,
    holidays: str | None = None,
) -> pd.DataFrame:
    """Wait from what a contact wrote to the first message or call by a person.

    Takes one row per message (contact_id, sent_at, direction, origin, user_id, status, type; conversation_id,
    call_status and call_duration_s, if there), and one per contact where *by* is a column of contacts. Calls
    that came in are no writing; rows of activity, campaigns, reviews, the system and internal comments neither.
    HighLevel keeps no history of owners: its own report gives a turn to the owner at that time, this one to the
    user who answered, and one that nobody has answered to ``(none)``.

    Parameters
    ----------
    show
        "groups" gives waits by group; "heatmap" what came in by weekday and hour; "turns" a row for each turn.
    by
        For "groups": a column of the messages (``user_id`` is who answered; else that of a turn's first
        message), "channel", "hour" or "weekday" of its start in *timezone*, or a column of the contacts.
    start
        Count the wait from the first message that was not answered, or from the newest, as HighLevel's timer.
    target_min
        Minutes of *clock* within which an answer is in time.

    Returns
    -------
    For "groups" a row for each value of *by*: ``turns``, those ``answered`` and ``waiting``, ``p50_min`` and
    ``p90_min`` (minutes until so many of all turns are answered; null where it never comes so far),
    ``met_share`` with its interval, and ``small`` (fewer than 20 turns).
    For "heatmap" 168 rows, Monday 0 o'clock first: ``weekday`` and ``hour`` in *timezone*, ``inbound``
    (messages), ``turns`` that began then, and their ``p50_min``.
    For "turns" a row each, who still waits first and the longest on top: contact, conversation, the user who
    answered, the message type, ``started_at`` and ``answered_at`` (UTC), ``wait_min`` (until *as_of*, if nobody
    answered) and ``messages`` that the contact sent in it.

    Raises
    ------
    MissingColumn

    Source: HighLevel's help, "SLA reporting for conversations" (155000007658), June 2026.
    """
    need(messages, "contact_id", "sent_at")
    hours = office_hours(office, holidays)
    sent = _spoken(messages)
    turns = _turns(sent)
    begun = turns["started_at"] if start == "first" else turns["newest_at"]
    turns["wait_min"] = minutes(begun, turns["answered_at"].fillna(as_of), clock, timezone, hours)

    if show == "turns":
        waits = turns["answered_at"].isna()
        order = np.lexsort((-begun.to_numpy("int64"), np.where(waits, -turns["wait_min"], 0), ~waits))
        return turns.iloc[order][list(responses.columns_of("turns"))]
    if show == "heatmap":
        return _heatmap(sent.loc[sent["inbound"], "sent_at"], turns, timezone)

    keyed = pd.DataFrame({"\0wait": turns["wait_min"], "\0answered": turns["answered_at"].notna()}, index=turns.index)
    if by is not None:
        keyed[by] = _group_of(turns, messages, contacts, by, timezone)

    def summary(turn: pd.DataFrame) -> dict[str, Any]:
        wait, answered = turn["\0wait"], turn["\0answered"]
        p50, p90 = waiting(wait, answered, (0.5, 0.9))
        met, breached = int((answered & (wait <= target_min)).sum()), int((wait > target_min).sum())
        return {
            "turns": len(turn),
            "answered": int(answered.sum()),
            "waiting": int((~answered).sum()),
            "p50_min": p50,
            "p90_min": p90,
            **with_interval("met", met, met + breached),
            "small": len(turn) < SMALL,
        }

    table = per_group(keyed, by, responses.columns, summary)
    if by == "hour" and by not in messages:
        return table.iloc[np.argsort(table[by].str.rjust(5).to_numpy(), kind="stable")]
    if by == "weekday" and by not in messages:
        return table.set_index(by).reindex([day for day in WEEKDAYS if day in set(table[by])]).reset_index()
    return table


# ---- turns


def _spoken(messages: pd.DataFrame) -> pd.DataFrame:
    """What people wrote and what answered them, each contact's in order of time."""
    answers = by_a_person(messages) | call_taken(messages)
    kind = messages["type"].fillna("")
    calls = kind.str.endswith(("CALL", "VOICEMAIL"))
    inbound = (messages["direction"] == "inbound") & ~answers & ~kind.str.startswith(_NOT_WRITTEN)
    messages = drop(messages, inbound & calls, "calls that came in and that nobody took")
    keep = answers | (inbound & ~calls)
    keep = keep[messages.index]
    columns = [name for name in ("contact_id", "conversation_id", "user_id", "type", "sent_at") if name in messages]
    sent = messages.loc[keep, columns].assign(inbound=inbound[messages.index][keep])
    sent["conversation_id"] = column(sent, "conversation_id")
    lost = sent["sent_at"].isna() | (sent["contact_id"].isna() & sent["conversation_id"].isna())
    sent = drop(sent, lost, "messages without a contact or a date")
    who = pd.factorize(sent["contact_id"].fillna(sent["conversation_id"]))[0]
    # At the same instant the question comes before its answer.
    order = np.lexsort((~sent["inbound"].to_numpy(dtype=bool), sent["sent_at"].to_numpy("int64"), who))
    return sent.assign(who=who).iloc[order]


def _turns(sent: pd.DataFrame) -> pd.DataFrame:
    """A row for each run of inbound messages of a contact, with the answer that ended it."""
    inbound, who = sent["inbound"].to_numpy(dtype=bool), sent["who"].to_numpy()
    after_inbound = np.concatenate([[False], inbound[:-1] & (who[1:] == who[:-1])]) if len(sent) else inbound
    begins = np.flatnonzero(inbound & ~after_inbound)
    number = np.cumsum(inbound & ~after_inbound) - 1
    length = np.bincount(number[inbound], minlength=len(begins)) if len(begins) else begins
    ends = begins + length  # where its answer is, if it has one
    has = np.zeros(len(begins), dtype=bool)
    inside = ends < len(sent)
    has[inside] = who[ends[inside]] == who[begins[inside]]
    place = np.where(has, ends, 0)

    def answer(column: str) -> Any:
        return sent[column].iloc[place].mask(~has).array if len(sent) else sent[column].array

    first, last = sent.iloc[begins], sent.iloc[ends - 1]
    return pd.DataFrame(
        {
            "contact_id": first["contact_id"].array,
            "conversation_id": first["conversation_id"].array,
            "user_id": answer("user_id"),
            "type": first["type"].array,
            "started_at": first["sent_at"].array,
            "newest_at": last["sent_at"].array,
            "answered_at": answer("sent_at"),
            "messages": length,
            "row": first.index,
        }
    )


def _group_of(
    turns: pd.DataFrame, messages: pd.DataFrame, contacts: pd.DataFrame | None, by: str, timezone: str
) -> Any:
    """The value of *by* of each turn."""
    if by == "user_id":
        return turns["user_id"].array
    if by == "user" and "user" in messages:
        known = messages[["user_id", "user"]].dropna().drop_duplicates("user_id").set_index("user_id")["user"]
        return lookup(turns["user_id"], known).array
    if by in messages:
        return messages[by].loc[turns["row"]].array
    if by in ("hour", "weekday"):
        day, hour = on_the_wall(turns["started_at"], timezone)
        return called(HOURS, hour) if by == "hour" else called(WEEKDAYS, day)
    if by == "channel":
        return turns["type"].str.removeprefix("TYPE_").str.replace("_", " ").str.capitalize().replace(_CHANNELS).array
    if contacts is not None and by in contacts:
        return of_contact(contacts, by, turns["contact_id"]).array
    need(messages, by)
    raise AssertionError(by)


_CHANNELS = {"Sms": "SMS", "Whatsapp": "WhatsApp", "Rcs": "RCS", "Gmb": "Google Business"}


def _heatmap(inbound: pd.Series, turns: pd.DataFrame, timezone: str) -> pd.DataFrame:
    day, hour = on_the_wall(inbound, timezone)
    start_day, start_hour = on_the_wall(turns["started_at"], timezone)
    cell = start_day * 24 + start_hour
    wait, answered = turns["wait_min"].to_numpy(), turns["answered_at"].notna().to_numpy()
    order = np.argsort(cell, kind="stable")
    sizes = np.bincount(cell, minlength=168)
    ends = np.cumsum(sizes)
    spans = [order[end - size : end] for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)]
    return pd.DataFrame(
        {
            **a_week(),
            "inbound": np.bincount(day * 24 + hour, minlength=168),
            "turns": sizes,
            "p50_min": [waiting(wait[span], answered[span])[0] for span in spans],
        }
    )


# ---- its answers


@responses.answer(show="groups")
def who_is_answered(table: pd.DataFrame) -> str:
    """Who answers in time most often and least, or how fast all are answered."""
    target = choice(table, "target_min")
    within = f"within {how_long(target)}" if target else "in time"
    if len(table) == 1 and table.iloc[0, 0] == ALL:
        row = table.iloc[0]
        if pd.isna(row["p50_min"]):
            return (
                f"Fewer than half of what people write is answered so far: {row['answered']:,} of {row['turns']:,}."
            )
        met = f", {percent(row, 'met')} {within}" if pd.notna(row["met_share"]) else ""
        half = f"Half of what people write is answered in {waits(table, row['p50_min'])[0]}{of_clock(table)}"
        return f"{half}{met}; {_still_wait(int(row['waiting']))}."

    def half_in(row: pd.Series) -> str:
        p50 = row["p50_min"]
        if pd.isna(p50) or p50 == 0:
            return "" if pd.isna(p50) else ", half at once"
        return f", half in {p50:.1f} min" if 1 <= p50 < 10 else f", half in {waits(table, p50)[0]}"

    said = compared(table, "met", f"Answered {within}{of_clock(table)}", half_in)
    waiting_ = int(table["waiting"].sum()) if table.columns[0] in _EACH_ONCE else 0
    return f"{said} {_still_wait(waiting_).capitalize()}.".strip() if waiting_ else said


def _still_wait(count: int) -> str:
    """Somebody waits once at most: a turn goes on until it is answered."""
    return f"{count:,} people still wait" if count > 1 else f"{'one person' if count else 'nobody'} still waits"


_EACH_ONCE = ("user_id", "user", "channel", "hour", "weekday")  # groups of which each turn is in one


@responses.answer(show="heatmap")
def when_they_write(table: pd.DataFrame) -> str:
    came = table["inbound"].fillna(0)
    top = table[(came == came.max()).to_numpy(dtype=bool)]
    if not came.max() or len(top) > 3:
        return ""
    day, hour = top["weekday"].iloc[0], int(top["hour"].iloc[0])
    when = f"on {day}s between {hour}:00 and {hour + 1}:00"
    alike = f", as many as in {many(len(top) - 1, 'other hour')} of the week" if len(top) > 1 else ""
    return f"Most messages come in {when}: {came.max():,} of {came.sum():,}{alike}."


@responses.answer(show="turns")
def who_still_waits(table: pd.DataFrame) -> str:
    still = table[table["answered_at"].isna().to_numpy()]
    half = waiting(table["wait_min"], table["answered_at"].notna())[0]
    answered = f"; half of the {many(len(table), 'turn')} are answered in {waits(table, half)[0]}{of_clock(table)}"
    answered = answered if np.isfinite(half) else ""
    if not len(still):
        return f"Nobody still waits for an answer{answered}."
    zone = table.attrs.get("hlkit", {}).get("timezone", "UTC")
    since = f", the longest since {still['started_at'].min().tz_convert(zone):%Y-%m-%d}"
    return f"{_still_wait(len(still)).capitalize()} for an answer{since}{answered}."


# ---- charts


@responses.chart("met_share", show="groups")
def in_time(table: pd.DataFrame, ax: Axes) -> None:
    """The share of each group that was answered in time; beside it the median."""
    told = table.attrs.get("hlkit", {}).get("choices", {})
    table = most(table, ax, "turns")
    names = [str(name) for name in table.iloc[:, 0]]
    if table.columns[0] in ("user_id", "user"):
        names = ["nobody yet" if name == "(none)" else name for name in names]
    low, high = table["met_low"], table["met_high"]
    dots(ax, names, table["met_share"], low, high, counts=table["turns"], small=table["small"])
    medians_beside(ax, table["p50_min"].tolist())
    ax.set_xlim(-0.02, 1.02)
    target = f" within {how_long(told['target_min'])}" if "target_min" in told else " in time"
    ax.set_xlabel(f"turns answered{target} (95% interval)")


@responses.chart("inbound", show="heatmap")
def week(table: pd.DataFrame, ax: Axes) -> None:
    """What came in, by weekday and hour."""
    grid = np.nan_to_num(week_of(ax, table, "inbound"))
    image = ax.imshow(grid, cmap="Blues", aspect="auto", vmin=0, vmax=max(1.0, grid.max()))
    ax.set_xticks(range(0, 24, 3), HOURS[::3])
    ax.set_xlabel("hour of the day at the location")
    if ax.figure is not None:
        bar = ax.figure.colorbar(image, ax=ax, label="messages that came in", shrink=0.9)
        bar.outline.set_visible(False)


@responses.chart("wait_min", show="turns")
def curve(table: pd.DataFrame, ax: Axes) -> None:
    """How many of all turns are answered after how long."""
    answered = table["answered_at"].notna()
    times, still = kaplan_meier(table["wait_min"], answered)
    ax.step(np.maximum(times, 0.1), 1 - still, where="post", color=BLUE, linewidth=2)
    durations(ax)
    ax.tick_params(axis="x", labelsize=7)
    p50 = waiting(table["wait_min"], answered)[0]
    if np.isfinite(p50):
        ax.plot([max(p50, 0.1)] * 2, [0, 0.5], color=GREY, linewidth=1, linestyle=":")
        ax.annotate(
            f"half in {how_long(p50)}",
            (max(p50, 0.1), 0.5),
            (6, -12),
            textcoords="offset points",
            color=INK,
            fontsize=8,
        )
    ax.set_ylim(0, 1.02)
    percents(ax, "y")
    ax.set_xlabel(f"wait (log scale; {len(table):,} turns, {int((~answered).sum()):,} still wait)")
    ax.set_ylabel("turns answered")
