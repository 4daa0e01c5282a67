"""Response times: how long contacts who write wait for a human reply, and when they write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.canvas import (
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
    format_date,
    format_wait,
    no_rows_headline,
    option_value,
    percent_with_interval,
)
from hlkit.analysis.core.messages import Reply, classify_messages, normalize_code, remark_on_reply
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import as_mask, drop_rows, record_left_out, remark
from hlkit.analysis.core.survival import kaplan_meier, survival_quantiles
from hlkit.client.arguments import short
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import COUNT, FLAG, ID, INSTANT, NUMBER, SHARE, TEXT
from hlkit.client.text import did_you_mean, many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHANNEL = "message_channel"


@analysis(
    "How fast do we reply?",
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
        "A turn is everything that a contact writes until a person replies. Its wait is counted from its {start} "
        "message, in minutes of the {clock} clock. A turn without a reply counts as still waiting (Kaplan-Meier), so "
        "the medians include it. on_time_share is the share of turns answered within the target of {target_min} "
        "minutes. A turn that has waited longer missed it; a turn that is waiting with time left counts in neither. "
        "A closing thank-you counts as a message that waits. Intervals are 95% Wilson, at the effective number of "
        "turns if contacts have several."
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
    """The wait from a contact's message to the first message or call by a person.

    Which rows are replies and which are messages by the contact is listed in ``hlkit.analysis.core.messages``.
    HighLevel keeps no history of owners: its own report assigns a turn to the owner at that time, and ``by="owner"``
    to the contact's current owner.

    Parameters
    ----------
    messages
        One row per message: contact_id, sent_at, direction, origin, user_id, status, type; optional
        conversation_id, call_status and call_duration_s.
    contacts
        One row per contact, if *by* is a column of contacts.
    show
        "groups" gives waits by group; "heatmap" inbound messages by weekday and hour; "turns" one row per turn.
    by
        For "groups": "message_channel", "hour" or "weekday" of a turn's start in *timezone*, a column of the contacts
        such as owner, or a column of the messages (the value of a turn's first message). ``user`` and ``user_id``
        are the user who replied, so turns without a reply belong to no user.
    start
        Count the wait from the first unanswered message, or from the newest one, as HighLevel's timer does.
    reply
        "attempt" counts a person's message or call, even if the call was not answered; "connected" only messages and
        calls that were answered; "any" also automated messages.
    target_min
        A reply is on time within this many minutes of *clock*. Or one target per channel, such as
        {"SMS": 3, "Email": 30}; turns of other channels then have no target.

    Returns
    -------
    For "groups" one row per value of *by*: ``turns``, ``answered`` (including ``user_unknown``, answered by a call
    without a user) and ``waiting`` (counts), ``median_min`` and ``p90_min`` (minutes until 50% and 90% of all turns
    are answered; null if that share is never reached), ``on_time_share`` with its interval, and ``small`` (fewer than
    20 turns that were on time or missed the target, or fewer than 20 contacts).
    For "heatmap" 168 rows, from Monday midnight: ``weekday`` and ``hour`` (0 to 23) in *timezone*, ``inbound``
    (messages), ``turns`` that started then, and their ``median_min``.
    For "turns" one row per turn, waiting ones first, then the newest: ``contact_id``, ``conversation_id``,
    ``user_id`` (who replied), ``type`` (of the first message), ``started_at`` and ``answered_at`` (UTC), ``wait_min``
    (until *as_of* if not answered) and ``messages`` (how many the contact sent).

    Raises
    ------
    MissingColumn, InvalidRequest

    Source: HighLevel's help, "SLA reporting for conversations" (155000007658), June 2026.
    """
    require_columns(messages, "contact_id", "sent_at")
    hours = office_hours(office, holidays)
    remark_on_reply(reply)
    targets = _targets(target_min)
    sent = _messages_and_replies(messages, reply)
    turns = _find_turns(sent)
    started_at = turns["started_at"] if start == "first" else turns["newest_at"]
    turns["wait_min"] = minutes_between(started_at, turns["answered_at"].fillna(as_of), clock, timezone, hours)

    if show == "turns":
        is_waiting = turns["answered_at"].isna()
        # Waiting turns by their wait, longest first; then answered ones, newest first.
        order = np.lexsort((-started_at.to_numpy("int64"), np.where(is_waiting, -turns["wait_min"], 0), ~is_waiting))
        return turns.iloc[order][list(responses.columns_of("turns"))]
    if show == "heatmap":
        return _heatmap_table(sent.loc[sent["inbound"], "sent_at"], turns, timezone)

    channel = _channels(turns["type"])
    is_answered = turns["answered_at"].notna()
    rows = pd.DataFrame(
        {
            "wait": turns["wait_min"],
            "answered": is_answered,
            "user_unknown": is_answered & turns["user_id"].isna(),
            "target": channel.str.lower().map(targets).astype("float64") if targets else float(target_min),  # type: ignore[arg-type]
            "contact": turns["contact_id"].fillna(turns["conversation_id"]),
        },
        index=turns.index,
    )
    if targets:
        _remark_on_missing_targets(channel, rows["target"])
    groups = None
    if by is not None:
        groups = pd.Series(_group_values(turns, channel, messages, contacts, by, timezone), index=rows.index, name=by)
    table = per_group(rows, groups, responses.columns, _summarize)
    if by in messages or by not in ("hour", "weekday"):
        return table
    names = HOURS if by == "hour" else WEEKDAYS
    return table.iloc[np.argsort([names.index(name) for name in table[by]], kind="stable")]


def _summarize(rows: pd.DataFrame) -> dict[str, Any]:
    wait, is_answered = rows["wait"], rows["answered"]
    median, p90 = survival_quantiles(wait, is_answered, (0.5, 0.9))
    is_on_time, is_missed = is_answered & (wait <= rows["target"]), wait > rows["target"]
    is_decided = (is_on_time | is_missed).to_numpy(dtype=bool)
    effective, contacts = effective_rows_of_group(is_on_time[is_decided], rows["contact"][is_decided])
    return {
        "turns": len(rows),
        "answered": int(is_answered.sum()),
        "user_unknown": int(rows["user_unknown"].sum()),
        "waiting": int((~is_answered).sum()),
        "median_min": median,
        "p90_min": p90,
        **share_with_interval("on_time", int(is_on_time.sum()), int(is_decided.sum()), effective),
        "small": min(int(is_decided.sum()), contacts) < SMALL,
    }


# ---- targets


def _targets(target_min: int | dict[str, int]) -> dict[str, float]:
    """The target in minutes by channel, in lowercase; empty if all channels have the same target."""
    if not isinstance(target_min, dict):
        return {}
    names = {name.lower() for name in CHANNEL_NAMES}
    for name, value in target_min.items():
        if str(name).strip().lower() not in names:
            raise InvalidRequest(
                f"target_min has no channel {short(name)}",
                hint=did_you_mean(name, CHANNEL_NAMES) or f"there are {', '.join(CHANNEL_NAMES)}",
            )
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise InvalidRequest(
                f"target_min[{name!r}]={short(value)} is not a number of minutes", hint="use a number above 0"
            )
    return {str(name).strip().lower(): float(value) for name, value in target_min.items()}


def _remark_on_missing_targets(channel: pd.Series, target: pd.Series) -> None:
    without_target = channel[target.isna()].fillna(NONE).value_counts()
    if len(without_target):
        counts = ", ".join(f"{name} ({count:,})" for name, count in without_target.items())
        remark(f"Turns of channels without a target do not count in on_time_share: {counts}.")


# ---- turns


def _messages_and_replies(messages: pd.DataFrame, reply: Reply) -> pd.DataFrame:
    """The contacts' messages and the replies to them, sorted by contact and time; ``inbound`` says which is which."""
    kinds = classify_messages(messages)
    record_left_out(int(kinds.missed_calls.sum()), "missed inbound calls")
    is_used = kinds.replies(reply) | kinds.inbound_messages
    columns = [name for name in ("contact_id", "conversation_id", "user_id", "type", "sent_at") if name in messages]
    sent = messages.loc[is_used, columns].assign(inbound=kinds.inbound_messages[is_used])
    sent["user_id"] = sent["user_id"].mask(as_mask(sent["user_id"].str.strip() == ""))
    sent["conversation_id"] = column_or_nulls(sent, "conversation_id")
    is_incomplete = sent["sent_at"].isna() | (sent["contact_id"].isna() & sent["conversation_id"].isna())
    sent = drop_rows(sent, is_incomplete, "messages without a contact or a date")
    person = pd.factorize(sent["contact_id"].fillna(sent["conversation_id"]))[0]
    # Of messages at the same instant, the inbound one comes first.
    order = np.lexsort((~sent["inbound"].to_numpy(dtype=bool), sent["sent_at"].to_numpy("int64"), person))
    return sent.assign(person=person).iloc[order]


def _find_turns(sent: pd.DataFrame) -> pd.DataFrame:
    """A row for each run of inbound messages by one person, with the reply that ended it.

    ``row`` is the index label of the first message, and ``newest_at`` the time of the last.
    """
    inbound, person = sent["inbound"].to_numpy(dtype=bool), sent["person"].to_numpy()
    continues = np.concatenate([[False], inbound[:-1] & (person[1:] == person[:-1])]) if len(sent) else inbound
    is_start = inbound & ~continues
    starts = np.flatnonzero(is_start)
    turn_of_row = np.cumsum(is_start) - 1
    lengths = np.bincount(turn_of_row[inbound], minlength=len(starts)) if len(starts) else starts
    # The row after the last message is the reply, if it is of the same person.
    ends = starts + lengths
    has_reply = np.zeros(len(starts), dtype=bool)
    is_inside = ends < len(sent)
    has_reply[is_inside] = person[ends[is_inside]] == person[starts[is_inside]]
    reply_rows = np.where(has_reply, ends, 0)

    def of_reply(column: str) -> Any:
        return sent[column].iloc[reply_rows].mask(~has_reply).array if len(sent) else sent[column].array

    first, last = sent.iloc[starts], sent.iloc[ends - 1]
    return pd.DataFrame(
        {
            "contact_id": first["contact_id"].array,
            "conversation_id": first["conversation_id"].array,
            "user_id": of_reply("user_id"),
            "type": first["type"].array,
            "started_at": first["sent_at"].array,
            "newest_at": last["sent_at"].array,
            "answered_at": of_reply("sent_at"),
            "messages": lengths,
            "row": first.index,
        }
    )


def _group_values(
    turns: pd.DataFrame,
    channel: pd.Series,
    messages: pd.DataFrame,
    contacts: pd.DataFrame | None,
    by: str,
    timezone: str,
) -> Any:
    """The value of *by* for each turn."""
    if by == "user_id" or (by == "user" and "user" in messages):
        remark(
            "A turn belongs to the user who replied. Turns without a reply belong to no user and are in (none), so "
            'the numbers of a user are of answered turns only; by="owner" assigns each turn to its contact\'s owner.'
        )
        users = turns["user_id"]
        if by == "user":
            names = messages[["user_id", "user"]].dropna().drop_duplicates("user_id").set_index("user_id")["user"]
            users = map_keys(users, names).fillna(users)
        return users.mask(turns["answered_at"].notna() & turns["user_id"].isna(), UNKNOWN_USER).array
    if by in messages:
        return column_values(messages, by).loc[turns["row"]].array
    if by in ("hour", "weekday"):
        weekday, hour = local_weekday_hour(turns["started_at"], timezone)
        return labels_at(HOURS, hour) if by == "hour" else labels_at(WEEKDAYS, weekday)
    if by == CHANNEL:
        return channel.array
    if contacts is not None and by in contacts:
        return contact_values(contacts, by, turns["contact_id"]).array
    require_columns(messages, by)
    raise AssertionError(by)


# The channels of the contacts' messages, by message type.
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


def _channels(types: pd.Series) -> Any:
    """The channel of each message type; an unknown type is its own channel."""
    codes, names = pd.factorize(types)
    labels = [_CHANNELS.get(name, name.replace("_", " ").capitalize()) for name in map(normalize_code, names)]
    return pd.Series(np.array([*labels, None], dtype=object)[codes], index=types.index, dtype=TEXT.dtype)


def _heatmap_table(inbound: pd.Series, turns: pd.DataFrame, timezone: str) -> pd.DataFrame:
    weekday, hour = local_weekday_hour(inbound, timezone)
    start_weekday, start_hour = local_weekday_hour(turns["started_at"], timezone)
    cell = start_weekday * 24 + start_hour
    wait, is_answered = turns["wait_min"].to_numpy(), turns["answered_at"].notna().to_numpy()
    order = np.argsort(cell, kind="stable")
    sizes = np.bincount(cell, minlength=168)
    rows_by_cell = np.split(order, np.cumsum(sizes)[:-1])
    return pd.DataFrame(
        {
            **week_grid(),
            "inbound": np.bincount(weekday * 24 + hour, minlength=168),
            "turns": sizes,
            "median_min": [survival_quantiles(wait[rows], is_answered[rows])[0] for rows in rows_by_cell],
        }
    )


# ---- headlines


@responses.headline_for(show="groups")
def groups_headline(table: pd.DataFrame) -> str:
    """The median and the share answered on time; for groups, which are answered on time more or less often."""
    within = f"within {_target_label(table)}"
    waiting = int(table["waiting"].sum())
    if len(table) > 1 or table.iloc[0, 0] != ALL:
        shares = compare_groups(
            table,
            "on_time",
            f"Answered {within}{clock_note(table)}",
            lambda row: f", median {format_wait(table, row['median_min'])}" if pd.notna(row["median_min"]) else "",
        )
        rest = f"{_still_waiting(waiting).capitalize()}." if waiting and not overlaps(table) else ""
        return f"{shares} {rest}".strip()
    row = table.iloc[0]
    median = "No median yet"
    if pd.notna(row["median_min"]):
        median = f"Median reply {format_wait(table, row['median_min'])}{clock_note(table)}"
    share = f"{percent_with_interval(row, 'on_time')} answered {within}; " if pd.notna(row["on_time_share"]) else ""
    return f"{median}; {share}{_still_waiting(waiting)}."


def _target_label(table: pd.DataFrame) -> str:
    """60 min; or "the target" if channels have different ones."""
    target = option_value(table, "target_min")
    return format_minutes(target) if isinstance(target, (int, float)) else "the target"


def _still_waiting(count: int) -> str:
    """How many people are waiting; each has one unanswered turn at most."""
    return f"{count:,} people are still waiting" if count != 1 else "one person is still waiting"


@responses.headline_for(show="heatmap")
def heatmap_headline(table: pd.DataFrame) -> str:
    """The busiest hour of the week."""
    inbound = table["inbound"].fillna(0)
    if not inbound.sum():
        return no_rows_headline("incoming messages", table)
    busiest = table[(inbound == inbound.max()).to_numpy(dtype=bool)]
    weekday, hour = busiest["weekday"].iloc[0], int(busiest["hour"].iloc[0])
    tied = f" (the same as {many(len(busiest) - 1, 'other hour')})" if len(busiest) > 1 else ""
    return (
        f"Busiest hour: {weekday}s, {HOURS[hour]} to {HOURS[(hour + 1) % 24]}, with {inbound.max():,} of "
        f"{many(inbound.sum(), 'message')}{tied}."
    )


@responses.headline_for(show="turns")
def turns_headline(table: pd.DataFrame) -> str:
    """How many people are still waiting, since when, and the median reply."""
    waiting = table[table["answered_at"].isna().to_numpy()]
    minutes = survival_quantiles(table["wait_min"], table["answered_at"].notna())[0]
    median = f"; median reply {format_wait(table, minutes)}{clock_note(table)} over {many(len(table), 'turn')}"
    median = median if np.isfinite(minutes) else ""
    if not len(waiting):
        return f"Nobody is waiting for a reply{median}."
    timezone = table.attrs.get("hlkit", {}).get("timezone", "UTC")
    since = f", the longest since {format_date(waiting['started_at'].min().tz_convert(timezone))}"
    return f"{_still_waiting(len(waiting)).capitalize()} for a reply{since}{median}."


# ---- charts


@responses.chart("on_time_share", show="groups")
def groups_chart(table: pd.DataFrame, ax: Axes) -> None:
    """The share of each group that was answered on time, and next to it the median."""
    shown = top_groups(table, ax, "turns")
    names = [str(name) for name in shown.iloc[:, 0]]
    if shown.columns[0] in ("user_id", "user"):
        names = ["no reply yet" if name == NONE else name for name in names]
    low, high = shown["on_time_low"], shown["on_time_high"]
    dot_plot(ax, names, shown["on_time_share"], low, high, counts=shown["turns"], small=shown["small"])
    label_medians(ax, shown["median_min"].tolist())
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel(f"turns answered within {_target_label(table)} (95% interval)")


@responses.chart("inbound", show="heatmap")
def heatmap_chart(table: pd.DataFrame, ax: Axes) -> None:
    """Inbound messages by weekday and hour."""
    grid = np.nan_to_num(week_matrix(ax, table, "inbound"))
    image = ax.imshow(
        grid, cmap="Blues", aspect="auto", vmin=0, vmax=max(1.0, grid.max()), origin="upper", interpolation="nearest"
    )
    ax.set_xticks(range(0, 24, 3), HOURS[::3])
    ax.set_xlabel("local time")
    draw_color_bar(ax, image, "inbound messages")


@responses.chart("wait_min", show="turns")
def turns_chart(table: pd.DataFrame, ax: Axes) -> None:
    """The share of all turns that is answered, by wait."""
    is_answered = table["answered_at"].notna()
    times, waiting = kaplan_meier(table["wait_min"], is_answered)
    ax.step(np.maximum(times, 0.1), 1 - waiting, where="post", color=BLUE, linewidth=2, linestyle="-", marker="")
    duration_axis(ax)
    ax.tick_params(axis="x", labelsize=7)
    median = survival_quantiles(table["wait_min"], is_answered)[0]
    if np.isfinite(median):
        ax.plot([max(median, 0.1)] * 2, [0, 0.5], color=GRAY, linewidth=1, linestyle=":", marker="")
        ax.annotate(
            f"median {format_minutes(median)}",
            (max(median, 0.1), 0.5),
            (6, -12),
            textcoords="offset points",
            color=INK,
            fontsize=8,
        )
    ax.set_ylim(0, 1.02)
    percent_axis(ax, "y")
    ax.set_xlabel(f"wait (log scale; {len(table):,} turns, {int((~is_answered).sum()):,} still waiting)")
    ax.set_ylabel("turns answered")
