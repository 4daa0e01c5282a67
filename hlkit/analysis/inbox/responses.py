"""Responses: how long people who write wait for a person's answer, and when they write."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts import (
    BLUE,
    GRAY,
    INK,
    dot_plot,
    draw_color_bar,
    duration_axis,
    format_minutes,
    label_medians,
    percent_axis,
    top_groups,
    week_matrix,
)
from hlkit.analysis.core.comparison import overlaps
from hlkit.analysis.core.groups import (
    ALL,
    HOURS,
    NONE,
    OFFICE,
    SMALL,
    UNKNOWN_USER,
    WEEKDAYS,
    column_or_nulls,
    column_values,
    contact_values,
    effective_rows_of_group,
    labels_at,
    local_weekday_hour,
    map_keys,
    minutes_between,
    office_hours,
    per_group,
    require_columns,
    share_with_interval,
    week_grid,
)
from hlkit.analysis.core.headlines import (
    clock_note,
    compare_groups,
    format_wait,
    no_rows_headline,
    option_value,
    percent_with_interval,
)
from hlkit.analysis.core.messages import Reply, classify_messages, normalize_code, remark_on_reply
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import as_mask, drop_rows, record_left_out, remark
from hlkit.analysis.core.survival import kaplan_meier, survival_quantiles
from hlkit.client.dates import short
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import COUNT, FLAG, ID, INSTANT, NUMBER, SHARE, TEXT
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHANNEL = "message_channel"


@analysis(
    "How fast are people who write to us answered?",
    columns={
        "groups": {
            "turns": COUNT,
            "answered": COUNT,
            "user_unknown": COUNT,
            "waiting": COUNT,
            "median_min": NUMBER,
            "p90_min": NUMBER,
            "on_time_share": SHARE,
            "on_time_low": SHARE,
            "on_time_high": SHARE,
            "small": FLAG,
        },
        "heatmap": {"weekday": TEXT, "hour": COUNT, "inbound": COUNT, "turns": COUNT, "median_min": NUMBER},
        "turns": {
            "contact_id": ID,
            "conversation_id": ID,
            "user_id": ID,
            "type": TEXT,
            "started_at": INSTANT,
            "answered_at": INSTANT,
            "wait_min": NUMBER,
            "messages": COUNT,
        },
    },
    definition=(
        "A turn is what one contact writes until a person replies. It waits from its {start} message, in minutes of "
        "the {clock} clock. A turn without a reply counts as still waiting (Kaplan-Meier), so medians count it. "
        "on_time_share is the share answered within the target of {target_min} minutes; a turn that waits longer "
        "missed it, one that waits and still has time is in neither. A last word of thanks waits as a question does. "
        "Intervals are 95% Wilson, at the effective number of turns where a contact has several."
    ),
    noun="incoming messages",
)
def responses(
    messages: pd.DataFrame,
    contacts: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    show: Literal["groups", "heatmap", "turns"] = "groups",
    by: str | None = CHANNEL,
    start: Literal["first", "newest"] = "first",
    reply: Reply = "attempt",
    target_min: int | dict[str, int] = 60,
    clock: Literal["office", "wall"] = "office",
    office: str = OFFICE,
    holidays: str | None = None,
) -> pd.DataFrame:
    """Wait from what a contact wrote to the first message or call by a person.

    Takes one row per message (contact_id, sent_at, direction, origin, user_id, status, type; conversation_id,
    call_status and call_duration_s, if there), and one per contact where *by* is a column of contacts. Which rows
    are a reply and which are something a contact wrote is the table in ``hlkit.analysis.core.messages``. HighLevel
    keeps no history of owners: its own report gives a turn to the owner at that time; ``by="owner"`` gives it to the
    contact's owner of now.

    Parameters
    ----------
    show
        "groups" gives waits by group; "heatmap" what came in by weekday and hour; "turns" a row for each turn.
    by
        For "groups": "message_channel", "hour" or "weekday" of a turn's start in *timezone*, a column of the contacts
        such as owner, or a column of the messages (that of a turn's first one; ``user`` and ``user_id`` are who
        replied, so that a turn without a reply belongs to nobody).
    start
        Count the wait from the first message that was not answered, or from the newest, as HighLevel's timer.
    reply
        "attempt" counts a person's message or call, also a call that was not answered; "connected" only messages and
        calls in which somebody talked; "any" automations too.
    target_min
        Minutes of *clock* within which a reply is in time; or a target per channel, such as {"SMS": 3, "Email": 30}:
        turns of other channels then have none.

    Returns
    -------
    For "groups" a row for each value of *by*: ``turns``, those ``answered`` (of them ``user_unknown`` by a call
    that names no user) and ``waiting``, ``median_min`` and ``p90_min`` (minutes until so many of all turns are
    answered; null where it never comes so far), ``on_time_share`` with its interval, and ``small`` (fewer than 20
    turns that met or missed the target, or of fewer than 20 contacts).
    For "heatmap" 168 rows, Monday 0 o'clock first: ``weekday`` and ``hour`` in *timezone*, ``inbound``
    (messages), ``turns`` that began then, and their ``median_min``.
    For "turns" a row each, who still waits first and the longest on top: contact, conversation, the user who
    answered, the message type, ``started_at`` and ``answered_at`` (UTC), ``wait_min`` (until *as_of*, if nobody
    answered) and ``messages`` that the contact sent in it.

    Raises
    ------
    MissingColumn, InvalidRequest

    Source: HighLevel's help, "SLA reporting for conversations" (155000007658), June 2026.
    """
    require_columns(messages, "contact_id", "sent_at")
    hours = office_hours(office, holidays)
    remark_on_reply(reply)
    targets = _targets(target_min)
    sent = _spoken(messages, reply)
    turns = _turns(sent)
    begun = turns["started_at"] if start == "first" else turns["newest_at"]
    turns["wait_min"] = minutes_between(begun, turns["answered_at"].fillna(as_of), clock, timezone, hours)

    if show == "turns":
        waits = turns["answered_at"].isna()
        order = np.lexsort((-begun.to_numpy("int64"), np.where(waits, -turns["wait_min"], 0), ~waits))
        return turns.iloc[order][list(responses.columns_of("turns"))]
    if show == "heatmap":
        return _heatmap(sent.loc[sent["inbound"], "sent_at"], turns, timezone)

    channel = _channel(turns["type"])
    keyed = pd.DataFrame(
        {
            "wait": turns["wait_min"],
            "answered": turns["answered_at"].notna(),
            "unknown": turns["answered_at"].notna() & turns["user_id"].isna(),
            "target": channel.str.lower().map(targets).astype("float64") if targets else float(target_min),  # type: ignore[arg-type]
            "contact": turns["contact_id"].fillna(turns["conversation_id"]),
        },
        index=turns.index,
    )
    if targets:
        _say_untargeted(channel, keyed["target"])
    key = None
    if by is not None:
        key = pd.Series(_group_of(turns, channel, messages, contacts, by, timezone), index=keyed.index, name=by)

    def summary(turn: pd.DataFrame) -> dict[str, Any]:
        wait, answered = turn["wait"], turn["answered"]
        p50, p90 = survival_quantiles(wait, answered, (0.5, 0.9))
        met, missed = answered & (wait <= turn["target"]), wait > turn["target"]
        known = (met | missed).to_numpy(dtype=bool)
        effective, contacts = effective_rows_of_group(met[known], turn["contact"][known])
        return {
            "turns": len(turn),
            "answered": int(answered.sum()),
            "user_unknown": int(turn["unknown"].sum()),
            "waiting": int((~answered).sum()),
            "median_min": p50,
            "p90_min": p90,
            **share_with_interval("on_time", int(met.sum()), int(known.sum()), effective),
            "small": min(int(known.sum()), contacts) < SMALL,
        }

    table = per_group(keyed, key, responses.columns, summary)
    if by == "hour" and by not in messages:
        return table.iloc[np.argsort(table[by].str.rjust(5).to_numpy(), kind="stable")]
    if by == "weekday" and by not in messages:
        return table.set_index(by).reindex([day for day in WEEKDAYS if day in set(table[by])]).reset_index()
    return table


# ---- targets


def _targets(target_min: int | dict[str, int]) -> dict[str, float]:
    """The target of each channel by its name in small letters, in minutes; empty where all have the same one."""
    if not isinstance(target_min, dict):
        return {}
    names = {name.lower(): name for name in CHANNEL_NAMES}
    for name, value in target_min.items():
        if str(name).strip().lower() not in names:
            near = difflib.get_close_matches(str(name).lower(), names, n=1)
            raise InvalidRequest(
                f"target_min has no channel {short(name)}",
                hint=f"did you mean {names[near[0]]!r}?" if near else f"there are {', '.join(CHANNEL_NAMES)}",
            )
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise InvalidRequest(
                f"target_min[{name!r}]={short(value)} is no number of minutes", hint="give one above 0"
            )
    return {str(name).strip().lower(): float(value) for name, value in target_min.items()}


def _say_untargeted(channel: pd.Series, target: pd.Series) -> None:
    without = channel[target.isna()].fillna(NONE).value_counts()
    if len(without):
        counts = ", ".join(f"{name} ({count:,})" for name, count in without.items())
        remark(f"Turns of channels without a target are in no on_time_share: {counts}.")


# ---- turns


def _spoken(messages: pd.DataFrame, reply: Reply) -> pd.DataFrame:
    """What people wrote and what answered them, each contact's in order of time."""
    read = classify_messages(messages)
    record_left_out(int(read.missed_calls.sum()), "calls that came in and that nobody took")
    answers = read.replies(reply)
    columns = [name for name in ("contact_id", "conversation_id", "user_id", "type", "sent_at") if name in messages]
    keep = answers | read.inbound_messages
    sent = messages.loc[keep, columns].assign(inbound=read.inbound_messages[keep])
    sent["user_id"] = sent["user_id"].mask(as_mask(sent["user_id"].str.strip() == ""))
    sent["conversation_id"] = column_or_nulls(sent, "conversation_id")
    lost = sent["sent_at"].isna() | (sent["contact_id"].isna() & sent["conversation_id"].isna())
    sent = drop_rows(sent, lost, "messages without a contact or a date")
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
    turns: pd.DataFrame,
    channel: pd.Series,
    messages: pd.DataFrame,
    contacts: pd.DataFrame | None,
    by: str,
    timezone: str,
) -> Any:
    """The value of *by* of each turn."""
    if by == "user_id" or (by == "user" and "user" in messages):
        remark(
            "A turn belongs to the user who replied, so turns without a reply belong to nobody and are in (none), "
            "and a user's numbers are of answered turns alone; by=\"owner\" gives each turn to its contact's owner."
        )
        users = turns["user_id"]
        if by == "user":
            known = messages[["user_id", "user"]].dropna().drop_duplicates("user_id").set_index("user_id")["user"]
            users = map_keys(users, known).fillna(users)
        return users.mask(turns["answered_at"].notna() & turns["user_id"].isna(), UNKNOWN_USER).array
    if by in messages:
        return column_values(messages, by).loc[turns["row"]].array
    if by in ("hour", "weekday"):
        day, hour = local_weekday_hour(turns["started_at"], timezone)
        return labels_at(HOURS, hour) if by == "hour" else labels_at(WEEKDAYS, day)
    if by == CHANNEL:
        return channel.array
    if contacts is not None and by in contacts:
        return contact_values(contacts, by, turns["contact_id"]).array
    require_columns(messages, by)
    raise AssertionError(by)


# The channels on which contacts write, by the types of their messages.
_CHANNELS = {
    "SMS": "SMS",
    "CUSTOM_SMS": "SMS",
    "CUSTOM_PROVIDER_SMS": "SMS",
    "RCS": "RCS",
    "EMAIL": "Email",
    "CUSTOM_EMAIL": "Email",
    "CUSTOM_PROVIDER_EMAIL": "Email",
    "WHATSAPP": "WhatsApp",
    "FACEBOOK": "Facebook",
    "FACEBOOK_COMMENT": "Facebook comment",
    "INSTAGRAM": "Instagram",
    "INSTAGRAM_COMMENT": "Instagram comment",
    "TIKTOK": "TikTok",
    "TIKTOK_COMMENT": "TikTok comment",
    "GMB": "Google Business",
    "LIVE_CHAT": "Live chat",
    "WEBCHAT": "Web chat",
    "FORM_SUBMISSION": "Form",
}
CHANNEL_NAMES = tuple(dict.fromkeys(_CHANNELS.values()))


def _channel(types: pd.Series) -> Any:
    """The channel of each type of message, in words; one that is not known by its own words."""
    codes, names = pd.factorize(types)
    words = [_CHANNELS.get(name, name.replace("_", " ").capitalize()) for name in map(normalize_code, names)]
    return pd.Series(np.array([*words, None], dtype=object)[codes], index=types.index, dtype=TEXT.dtype)


def _heatmap(inbound: pd.Series, turns: pd.DataFrame, timezone: str) -> pd.DataFrame:
    day, hour = local_weekday_hour(inbound, timezone)
    start_day, start_hour = local_weekday_hour(turns["started_at"], timezone)
    cell = start_day * 24 + start_hour
    wait, answered = turns["wait_min"].to_numpy(), turns["answered_at"].notna().to_numpy()
    order = np.argsort(cell, kind="stable")
    sizes = np.bincount(cell, minlength=168)
    ends = np.cumsum(sizes)
    spans = [order[end - size : end] for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)]
    return pd.DataFrame(
        {
            **week_grid(),
            "inbound": np.bincount(day * 24 + hour, minlength=168),
            "turns": sizes,
            "median_min": [survival_quantiles(wait[span], answered[span])[0] for span in spans],
        }
    )


# ---- its answers


@responses.headline_for(show="groups")
def who_is_answered(table: pd.DataFrame) -> str:
    """How fast all are answered and how many in time, or which groups are answered in time more and less often."""
    target = option_value(table, "target_min")
    within = f"within {format_minutes(target)}" if isinstance(target, (int, float)) else "within the target"

    def median(row: pd.Series) -> str:
        return f", median {format_wait(table, row['median_min'])}" if pd.notna(row["median_min"]) else ""

    waiting_ = int(table["waiting"].sum())
    if len(table) == 1 and table.iloc[0, 0] == ALL:
        row = table.iloc[0]
        met = f"{percent_with_interval(row, 'on_time')} answered {within}" if pd.notna(row["on_time_share"]) else ""
        wait = median(row).removeprefix(", ").replace("median", "median reply", 1) or "no median yet"
        first = f"{wait}{clock_note(table)}" if pd.notna(row["median_min"]) else wait
        return f"{first[:1].upper()}{first[1:]}; {f'{met}; ' if met else ''}{_still_wait(waiting_)}."
    said = compare_groups(table, "on_time", f"Answered {within}{clock_note(table)}", median)
    rest = f"{_still_wait(waiting_).capitalize()}." if waiting_ and not overlaps(table) else ""
    return f"{said} {rest}".strip()


def _still_wait(count: int) -> str:
    """Somebody waits once at most: a turn goes on until it is answered."""
    return f"{count:,} people are still waiting" if count != 1 else "one person is still waiting"


@responses.headline_for(show="heatmap")
def when_they_write(table: pd.DataFrame) -> str:
    """The busiest hours of the week."""
    came = table["inbound"].fillna(0)
    if not came.sum():
        return no_rows_headline("incoming messages", table)
    top = table[(came == came.max()).to_numpy(dtype=bool)]
    day, hour = top["weekday"].iloc[0], int(top["hour"].iloc[0])
    alike = f", as many as in {many(len(top) - 1, 'other hour')} of the week" if len(top) > 1 else ""
    return (
        f"{came.max():,} of {many(came.sum(), 'message')} came on {day}s between {hour}:00 and {hour + 1}:00, the "
        f"busiest hour{alike}."
    )


@responses.headline_for(show="turns")
def who_still_waits(table: pd.DataFrame) -> str:
    """How many still wait, since when, and how long a reply takes."""
    still = table[table["answered_at"].isna().to_numpy()]
    half = survival_quantiles(table["wait_min"], table["answered_at"].notna())[0]
    median = f"; median reply {format_wait(table, half)}{clock_note(table)} over {many(len(table), 'turn')}"
    median = median if np.isfinite(half) else ""
    if not len(still):
        return f"Nobody is waiting for a reply{median}."
    zone = table.attrs.get("hlkit", {}).get("timezone", "UTC")
    since = f", the longest since {still['started_at'].min().tz_convert(zone):%Y-%m-%d}"
    return f"{_still_wait(len(still)).capitalize()} for a reply{since}{median}."


# ---- charts


@responses.chart("on_time_share", show="groups")
def in_time(table: pd.DataFrame, ax: Axes) -> None:
    """The share of each group that was answered in time; beside it the median."""
    target = option_value(table, "target_min")
    table = top_groups(table, ax, "turns")
    names = [str(name) for name in table.iloc[:, 0]]
    if table.columns[0] in ("user_id", "user"):
        names = ["no reply yet" if name == NONE else name for name in names]
    low, high = table["on_time_low"], table["on_time_high"]
    dot_plot(ax, names, table["on_time_share"], low, high, counts=table["turns"], small=table["small"])
    label_medians(ax, table["median_min"].tolist())
    ax.set_xlim(-0.02, 1.02)
    within = f" within {format_minutes(target)}" if isinstance(target, (int, float)) else " within the target"
    ax.set_xlabel(f"turns answered{within} (95% interval)")


@responses.chart("inbound", show="heatmap")
def week(table: pd.DataFrame, ax: Axes) -> None:
    """What came in, by weekday and hour."""
    grid = np.nan_to_num(week_matrix(ax, table, "inbound"))
    image = ax.imshow(
        grid, cmap="Blues", aspect="auto", vmin=0, vmax=max(1.0, grid.max()), origin="upper", interpolation="nearest"
    )
    ax.set_xticks(range(0, 24, 3), HOURS[::3])
    ax.set_xlabel("hour of the day at the location")
    draw_color_bar(ax, image, "messages that came in")


@responses.chart("wait_min", show="turns")
def curve(table: pd.DataFrame, ax: Axes) -> None:
    """How many of all turns are answered after how long."""
    answered = table["answered_at"].notna()
    times, still = kaplan_meier(table["wait_min"], answered)
    ax.step(np.maximum(times, 0.1), 1 - still, where="post", color=BLUE, linewidth=2, linestyle="-", marker="")
    duration_axis(ax)
    ax.tick_params(axis="x", labelsize=7)
    p50 = survival_quantiles(table["wait_min"], answered)[0]
    if np.isfinite(p50):
        ax.plot([max(p50, 0.1)] * 2, [0, 0.5], color=GRAY, linewidth=1, linestyle=":", marker="")
        ax.annotate(
            f"median {format_minutes(p50)}",
            (max(p50, 0.1), 0.5),
            (6, -12),
            textcoords="offset points",
            color=INK,
            fontsize=8,
        )
    ax.set_ylim(0, 1.02)
    percent_axis(ax, "y")
    ax.set_xlabel(f"wait (log scale; {len(table):,} turns, {int((~answered).sum()):,} still waiting)")
    ax.set_ylabel("turns answered")
