"""Quality: which contacts can be reached, by channel, and which of their fields are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from hlkit.analysis.core.canvas import (
    BLUE,
    GRAY,
    INK,
    ORANGE,
    PALE,
    PALETTE,
    RED,
    SIZE,
    dot_plot,
    draw_gridlines,
    draw_intervals,
    draw_legend,
    draw_points,
    format_percent,
    label_rows,
    top_groups,
)
from hlkit.analysis.core.groups import (
    ALL,
    SMALL,
    Array,
    assign_groups,
    column_or_nulls,
    effective_n,
    group_column_name,
    group_keys,
    import_extra,
    map_keys,
    rank_by_size,
    require_columns,
    share_with_interval,
)
from hlkit.analysis.core.headlines import compare_groups
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import as_mask, record_left_out, remark
from hlkit.analysis.people.contact_validity import matches, valid_email, valid_phone
from hlkit.client.errors import MissingExtra
from hlkit.client.schema import COUNT, FLAG, ID, SHARE, TEXT, Kind
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Mask = npt.NDArray[np.bool_]

CHANNELS = ("email", "sms", "call")
# The checks of the score and the weight of each.
SCORE = {
    "valid_email": 1 / 6,
    "valid_phone": 1 / 6,
    "has_name": 1 / 6,
    "has_owner": 1 / 6,
    "has_source": 1 / 6,
    "has_country": 1 / 6,
}
_BLOCKED = ("active", "permanent")  # do-not-disturb statuses
_DELIVERED = ("delivered", "opened", "clicked", "read")
_RANG = ("completed", "answered", "voicemail", "no-answer", "no_answer", "busy")  # of calls: they reached the phone
_FAILED = ("failed", "undelivered")
_NOT_FIELDS = ("do_not_disturb", "is_valid_email")  # endings of columns that nobody fills in


def _share_columns(*names: str) -> dict[str, Kind]:
    return {f"{name}_{part}": SHARE for name in names for part in ("share", "low", "high")}


@analysis(
    "Who can we reach, by channel?",
    columns={
        "channels": {
            "channel": TEXT,
            "n": COUNT,
            **_share_columns("has", "valid", "blocked", "reachable"),
            "sent": COUNT,
            **_share_columns("failed"),
            "opted_out": COUNT,
            "small": FLAG,
        },
        "contacts": {
            "contact_id": ID,
            "owner_id": ID,
            "score": SHARE,
            "reachable": FLAG,
            "has_email": FLAG,
            "valid_email": FLAG,
            "email_blocked": FLAG,
            "has_phone": FLAG,
            "valid_phone": FLAG,
            "sms_blocked": FLAG,
            "call_blocked": FLAG,
            "has_name": FLAG,
            "has_owner": FLAG,
            "has_source": FLAG,
            "has_country": FLAG,
        },
        "fields": {
            "field": TEXT,
            "n": COUNT,
            "missing": COUNT,
            **_share_columns("missing"),
            "small": FLAG,
        },
    },
    definition=(
        "An email address or phone number is valid if it follows the rules of addresses and numbering plans. Whether "
        "it is in use is not checked, landlines are not distinguished from mobiles, and an address that HighLevel "
        "marked as invalid is not valid. A number without a country code is read as one of the contact's country, or "
        "else of the location's. A channel is blocked by do not disturb, on all channels or on this one, temporarily "
        "or permanently. A contact is reachable by a channel that is valid and not blocked. Shares are of all n "
        "contacts, with 95% Wilson intervals. failed_share is of the sent messages with a known result (delivered, "
        "opened, clicked or read, or a call that rang; failed or undelivered); its interval is at the effective "
        "number of messages if contacts got several. The score of a contact is the mean of six checks: valid email, "
        "valid phone, name, owner, source, country."
    ),
    only={"messages": "channels"},
)
def quality(
    contacts: pd.DataFrame,
    messages: pd.DataFrame | None = None,
    *,
    by: str | None = None,
    show: Literal["channels", "contacts", "fields"] = "channels",
    country: str | None = None,
) -> pd.DataFrame:
    """Valid, blocked and reachable contacts by channel, and the fields that are missing.

    Needs the extra ``dedupe``. Without it, only the shape of emails and phone numbers is checked, with a remark.

    Parameters
    ----------
    contacts
        One row per contact: contact_id; optional email, phone, do_not_disturb and its columns by channel, name,
        owner_id, source and country.
    messages
        One row per message: contact_id, type, direction, status; optional call_status. For the columns ``sent``,
        ``failed_share`` and ``opted_out``, which are null without it.
    by
        A column of contacts to group the channels and the fields by: source, owner, tags, a custom field.
    show
        Contacts by channel; one row per contact; or contacts by missing field.
    country
        The two-letter country of phone numbers without a country code, for contacts without a country.

    Returns
    -------
    For "channels" one row per group and channel (email, sms, call): ``n`` (contacts), ``has_share``, ``valid_share``,
    ``blocked_share`` and ``reachable_share`` (of n, with intervals), ``sent`` (messages with a known result),
    ``failed_share`` (of sent, with its interval), ``opted_out`` (messages refused because of an opt-out), and
    ``small`` (fewer than 20 contacts).
    For "contacts" one row per contact, the lowest ``score`` (0 to 1) first, with its checks.
    For "fields" one row per group and field: ``n``, ``missing`` (contacts without it) and ``missing_share``, the
    most often missing first.

    Raises
    ------
    MissingColumn

    Source: E.164 and its national plans as in Google's libphonenumber; RFC 5321 and 5322 as in email-validator;
    "Do not disturb" in HighLevel's help, article 48001215386.
    """
    require_columns(contacts, "contact_id", by)
    if show == "fields":
        return _fields_table(contacts, by)
    checks = _check_contacts(contacts, country)
    if show == "contacts":
        if by is not None:
            remark("The list of contacts is not grouped.")
        return checks.sort_values(["score", "contact_id"], kind="stable")
    return _channels_table(contacts, checks, messages, by)


# ---- contacts


def _check_contacts(contacts: pd.DataFrame, country: str | None) -> pd.DataFrame:
    """The columns of the list of contacts, in the order of *contacts*."""
    email, phone = column_or_nulls(contacts, "email"), column_or_nulls(contacts, "phone")
    names = [_is_filled(column_or_nulls(contacts, name)) for name in ("name", "first_name", "last_name")]
    # Null if HighLevel has not checked the address.
    not_marked_invalid = as_mask(column_or_nulls(contacts, "is_valid_email", FLAG).fillna(True))
    regions = column_or_nulls(contacts, "country").str.strip().str.upper()
    regions = regions.where(regions.str.len() == 2, _default_region(country))
    checks = pd.DataFrame(
        {
            "contact_id": contacts["contact_id"],
            "owner_id": column_or_nulls(contacts, "owner_id"),
            "has_email": _is_filled(email),
            "has_phone": _is_filled(phone),
            "has_name": names[0] | names[1] | names[2],
            "has_owner": _is_filled(column_or_nulls(contacts, "owner_id")),
            "has_source": _is_filled(column_or_nulls(contacts, "source")),
            "has_country": _is_filled(column_or_nulls(contacts, "country")),
            "valid_email": valid_email(email) & not_marked_invalid,
            "valid_phone": valid_phone(phone, regions),
        }
    )
    all_blocked = as_mask(column_or_nulls(contacts, "do_not_disturb", FLAG))
    for channel in CHANNELS:
        status = column_or_nulls(contacts, f"{channel}_do_not_disturb").str.lower()
        checks[f"{channel}_blocked"] = all_blocked | status.isin(_BLOCKED)
    checks["reachable"] = (
        _is_reachable(checks, "email") | _is_reachable(checks, "sms") | _is_reachable(checks, "call")
    )
    checks["score"] = sum(checks[name] * weight for name, weight in SCORE.items())
    checks["score"] = checks["score"].clip(0, 1)
    return checks


def _default_region(country: str | None) -> str | None:
    """*country* as a region of phonenumbers; None, with a remark, if it is not one."""
    code = (country or "").strip().upper()
    try:
        regions = import_extra("phonenumbers", "dedupe", "to check phone numbers").SUPPORTED_REGIONS
    except MissingExtra:
        return None
    if code in regions:
        return code
    reason = f"{country!r} is not a two-letter country code" if code else "the location's country is unknown"
    remark(f"Because {reason}, a number without a country code is valid only if its contact has a country.")
    return None


def _address(channel: str) -> str:
    return "email" if channel == "email" else "phone"


def _is_reachable(checks: pd.DataFrame, channel: str) -> pd.Series:
    return checks[f"valid_{_address(channel)}"] & ~checks[f"{channel}_blocked"]


def _is_filled(column: pd.Series) -> Mask:
    """Whether each value is not null, blank or an empty list."""
    if isinstance(column.dtype, pd.StringDtype):
        return matches(pa.array(column, from_pandas=True), r"\S")
    if column.dtype != object:
        return np.asarray(column.notna(), dtype=bool)
    return np.fromiter((_has_content(value) for value in column), dtype=bool, count=len(column))


def _has_content(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, (list, tuple, set, dict, np.ndarray)):
        return len(value) > 0
    return not pd.isna(value)


# ---- tables of groups


_GROUP, _ORDER = "(group)", "(order)"
_DELIVERY_COLUMNS = ("sent", "failed_share", "failed_low", "failed_high", "opted_out")


def _group_rows(contacts: pd.DataFrame, by: str | None) -> tuple[Array, Array, list[str]]:
    """Row numbers of *contacts*, the number of each row's group, and the groups' names, the largest first."""
    numbers = pd.DataFrame({"row": np.arange(len(contacts))}, index=contacts.index)
    rows, keys = assign_groups(numbers, group_keys(contacts, by))
    codes, names = rank_by_size(keys)
    return rows["row"].to_numpy(), codes, names.tolist()


def _channels_table(
    contacts: pd.DataFrame, checks: pd.DataFrame, messages: pd.DataFrame | None, by: str | None
) -> pd.DataFrame:
    rows, codes, names = _group_rows(contacts, by)
    n = np.bincount(codes, minlength=len(names))

    def count(values: Any) -> Any:
        """The sum of the contacts' *values* by group."""
        return np.bincount(codes, weights=np.asarray(values, dtype="float64")[rows], minlength=len(names))

    deliveries = None if messages is None else _count_deliveries(messages, contacts)
    if messages is None:
        remark("Without messages, failed messages are not counted.")
    parts = []
    for number, channel in enumerate(CHANNELS):
        address = _address(channel)
        columns: dict[str, Any] = {_GROUP: names, "channel": channel, "n": n}
        columns |= share_with_interval("has", count(checks[f"has_{address}"]), n)
        columns |= share_with_interval("valid", count(checks[f"valid_{address}"]), n)
        columns |= share_with_interval("blocked", count(checks[f"{channel}_blocked"]), n)
        columns |= share_with_interval("reachable", count(_is_reachable(checks, channel)), n)
        if deliveries is None:
            columns |= dict.fromkeys(_DELIVERY_COLUMNS, np.nan)
        else:
            delivered, failed, opted_out = deliveries[channel]
            sent = delivered + failed
            effective = effective_n(failed[rows], sent[rows], codes, len(names))
            columns |= {"sent": count(sent), **share_with_interval("failed", count(failed), count(sent), effective)}
            columns |= {"opted_out": count(opted_out)}
        order = np.arange(len(names)) * len(CHANNELS) + number
        parts.append(pd.DataFrame({**columns, "small": n < SMALL, _ORDER: order}))
    table = pd.concat(parts).sort_values(_ORDER).drop(columns=_ORDER)
    return table.rename(columns={_GROUP: group_column_name(by, quality.columns_of("channels"))})


def _count_deliveries(messages: pd.DataFrame, contacts: pd.DataFrame) -> dict[str, tuple[Array, Array, Array]]:
    """By channel, for each contact: how many messages were delivered, failed, and refused because of an opt-out."""
    require_columns(messages, "contact_id", "type", "direction", "status")
    codes, types = pd.factorize(messages["type"].fillna(""))
    channel = np.array([*map(_channel_of_type, types), None], dtype=object)[codes]
    is_sent = as_mask(messages["direction"] == "outbound") & pd.notna(channel)
    sent, channel = messages[is_sent], channel[is_sent]
    row_of_contact = pd.Series(np.arange(len(contacts), dtype="float64"), index=contacts["contact_id"])
    rows = map_keys(sent["contact_id"], row_of_contact[row_of_contact.index.notna()]).to_numpy("float64")
    has_contact = ~np.isnan(rows)
    record_left_out(int((~has_contact).sum()), "messages to people who are not among the contacts")
    status = sent["status"].str.lower()
    if "call_status" in sent:  # the result of a call is in its own column
        has_call_status = (channel == "call") & sent["call_status"].notna().to_numpy()
        status = status.where(~has_call_status, sent["call_status"].str.lower())
    rows, channel, status = rows[has_contact].astype("int64"), channel[has_contact], status[has_contact]

    def count(name: str, statuses: tuple[str, ...]) -> Array:
        mask = (channel == name) & status.isin(statuses).to_numpy()
        return np.bincount(rows[mask], minlength=len(contacts))

    delivered = {name: _DELIVERED + (_RANG if name == "call" else ()) for name in CHANNELS}
    return {
        name: (count(name, delivered[name]), count(name, _FAILED), count(name, ("opt_out",))) for name in CHANNELS
    }


def _channel_of_type(message_type: str) -> str | None:
    message_type = str(message_type).upper()
    if "ACTIVITY" in message_type or "COMMENT" in message_type:
        return None
    return next((channel for channel in CHANNELS if channel.upper() in message_type), None)


def _fields_table(contacts: pd.DataFrame, by: str | None) -> pd.DataFrame:
    rows, codes, names = _group_rows(contacts, by)
    n = np.bincount(codes, minlength=len(names))
    columns = quality.columns_of("fields")
    parts = []
    for field in contacts.columns:
        if field == "contact_id" or str(field).endswith(_NOT_FIELDS):
            continue
        missing = np.bincount(codes[~_is_filled(contacts[field])[rows]], minlength=len(names))
        part = {_GROUP: names, "field": str(field), "n": n, "missing": missing}
        part |= {**share_with_interval("missing", missing, n), "small": n < SMALL, _ORDER: np.arange(len(names))}
        parts.append(pd.DataFrame(part))
    if not parts:
        return pd.DataFrame({name: [] for name in (group_column_name(by, columns), *columns)})
    table = pd.concat(parts).sort_values([_ORDER, "missing_share"], ascending=[True, False], kind="stable")
    return table.drop(columns=_ORDER).rename(columns={_GROUP: group_column_name(by, columns)})


# ---- headlines


@quality.headline_for(show="channels")
def channels_headline(table: pd.DataFrame) -> str:
    """The share that each channel reaches and the main reasons why not more; for groups, the share email reaches."""
    if not table.iloc[:, 0].eq(ALL).all():
        return compare_groups(table[table["channel"] == "email"], "reachable", "Reachable by email")
    rows = {row["channel"]: row for _, row in table.iterrows() if pd.notna(row["reachable_share"])}
    if not rows:
        return ""
    shares = [f"{row['reachable_share']:.0%} by {_LABELS[channel]}" for channel, row in rows.items()]
    listed = f"{', '.join(shares[:-1])} and {shares[-1]}" if len(shares) > 1 else shares[0]
    headline = f"Of {many(table['n'].max(), 'contact')}, you can reach {listed}."
    reasons = [reason for channel in ("email", "sms") if channel in rows and (reason := _main_reason(rows[channel]))]
    return (
        f"{headline} Main reason{'s' * (len(reasons) > 1)} for the rest: {' and '.join(reasons)}."
        if reasons
        else headline
    )


def _main_reason(row: pd.Series) -> str:
    """The most common reason why the channel does not reach a contact, with its share; blank if it reaches all."""
    address = "email address" if row["channel"] == "email" else "phone number"
    reasons = {
        f"no {address}": 1 - row["has_share"],
        f"no valid {address}": row["has_share"] - row["valid_share"],
        f"do not disturb ({_LABELS[row['channel']]})": row["valid_share"] - row["reachable_share"],
    }
    reason = max(reasons, key=lambda name: reasons[name])
    return f"{reason} ({reasons[reason]:.0%})" if reasons[reason] > 0 else ""


@quality.headline_for(show="contacts")
def contacts_headline(table: pd.DataFrame) -> str:
    reachable, complete = int(as_mask(table["reachable"]).sum()), int((table["score"] > 1 - 1e-9).sum())
    return (
        f"{reachable:,} of {many(len(table), 'contact')} can be reached by email, SMS or phone; "
        f"{complete:,} {'passes' if complete == 1 else 'pass'} all six checks."
    )


@quality.headline_for(show="fields")
def fields_headline(table: pd.DataFrame) -> str:
    """The standard fields that are most often missing, and their share."""
    fields = table[table["field"].isin(_STANDARD_FIELDS)]
    if not table.iloc[:, 0].eq(ALL).all() or not fields["missing"].sum():
        return ""
    worst = fields[(fields["missing"] == fields["missing"].max()).to_numpy(dtype=bool)]
    names = worst["field"].astype(str).tolist()
    listed = " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more fields"
    row = worst.iloc[0]
    return f"Most often missing: {listed} ({row['missing_share']:.0%} of {many(row['n'], 'contact')})."


# ---- charts

# The fields of the chart and the headline, if present: what most teams fill in.
_STANDARD_FIELDS = (
    "email", "phone", "name", "last_name", "source", "owner_id", "country", "city", "address", "tags"
)  # fmt: skip
_COLORS = dict(zip(CHANNELS, PALETTE, strict=False))
_LABELS = {"email": "email", "sms": "SMS", "call": "phone"}


@quality.chart("reachable_share", show="channels")
def channels_chart(table: pd.DataFrame, ax: Axes) -> None:
    if table.iloc[:, 0].eq(ALL).all():
        _draw_channel_bars(table, ax)
    else:
        _draw_group_dots(table, table.iloc[:, 0], ax)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(format_percent)
    draw_legend(ax, y=-0.18)


def _draw_channel_bars(table: pd.DataFrame, ax: Axes) -> None:
    """For each channel, a bar of all contacts: reachable, blocked, not valid, missing."""
    positions = label_rows(ax, [_LABELS[channel] for channel in table["channel"]])
    reachable, valid, has = (table[f"{name}_share"].to_numpy("float64") for name in ("reachable", "valid", "has"))
    parts = {
        "reachable": (reachable, BLUE),
        "do not disturb": (valid - reachable, ORANGE),
        "not valid": (has - valid, RED),
        "missing": (1 - has, PALE),
    }
    start = np.zeros(len(table))
    for name, (width, color) in parts.items():
        ax.barh(positions, width, left=start, color=color, height=0.55, linewidth=0, label=name)
        start = start + width
    low, high = table["reachable_low"].to_numpy("float64"), table["reachable_high"].to_numpy("float64")
    draw_intervals(ax, positions, low, high, INK, 1.5, alpha=1)
    for y, share in zip(positions, reachable, strict=True):
        is_inside = share > 0.15
        ax.text(
            max(low[y] - 0.01, 0.02) if is_inside else high[y] + 0.02,
            y,
            f"{share:.0%}",
            ha="right" if is_inside else "left",
            va="center",
            color="white" if is_inside else INK,
            fontsize=SIZE,
            fontweight="bold",
        )
    ax.set_xlabel(f"share of {int(table['n'].max()):,} contacts (line: 95% interval)")


def _draw_group_dots(table: pd.DataFrame, groups: pd.Series, ax: Axes) -> None:
    """The reachable share of each group, one dot per channel."""
    shown = top_groups(table.assign(group=groups).drop_duplicates("group"), ax, "n")
    positions = label_rows(ax, shown["group"].tolist(), shown["n"].tolist())
    position_of_group = pd.Series(positions, index=shown["group"])
    for offset, (channel, color) in zip((-0.2, 0, 0.2), _COLORS.items(), strict=True):
        rows = table[(table["channel"] == channel) & groups.isin(shown["group"])]
        y = position_of_group.reindex(groups[rows.index]).to_numpy("float64") + offset
        colors = np.where(as_mask(rows["small"]), GRAY, color).tolist()
        low, high = rows["reachable_low"].to_numpy("float64"), rows["reachable_high"].to_numpy("float64")
        draw_intervals(ax, y, low, high, colors, 1.5, alpha=0.6)
        draw_points(ax, rows["reachable_share"].to_numpy("float64"), y, colors, 22)
        draw_points(ax, [], [], color, 22, label=_LABELS[channel])
    if as_mask(shown["small"]).any():
        draw_points(ax, [], [], GRAY, 22, label="fewer than 20")
    draw_gridlines(ax, "x")
    ax.set_xlabel("share of contacts that can be reached (line: 95% interval)")


@quality.chart("score", show="contacts")
def contacts_chart(table: pd.DataFrame, ax: Axes) -> None:
    """How many contacts pass 0, 1, ... 6 checks."""
    passed = np.rint(table["score"].to_numpy("float64") * len(SCORE)).astype(int)
    counts = np.bincount(passed, minlength=len(SCORE) + 1)
    bars = ax.bar(np.arange(len(counts)), counts, color=BLUE, width=0.7, linewidth=0)
    ax.bar_label(bars, labels=[f"{count:,}" if count else "" for count in counts], padding=2, fontsize=8, color=INK)
    ax.set(xlabel="checks passed, of six", ylabel="contacts", xticks=np.arange(len(counts)))
    ax.margins(y=0.12)


@quality.chart("missing_share", show="fields")
def fields_chart(table: pd.DataFrame, ax: Axes) -> None:
    """The missing share of the standard fields; for groups, as a matrix."""
    groups = table.iloc[:, 0]
    fields = [name for name in _STANDARD_FIELDS if table["field"].eq(name).any()]
    shown = table[table["field"].isin(fields or table["field"].unique().tolist()[:12])]
    if not groups.eq(ALL).all():
        _draw_matrix(shown, groups[shown.index], ax)
        return
    low, high = shown["missing_low"], shown["missing_high"]
    dot_plot(ax, shown["field"].tolist(), shown["missing_share"], low, high, small=shown["small"])
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("share of contacts without this field (line: 95% interval)")


def _draw_matrix(table: pd.DataFrame, groups: pd.Series, ax: Axes) -> None:
    """The missing share of each field in each group, as a number on its color."""
    sizes = top_groups(table.assign(group=groups).drop_duplicates("group"), ax, "n")
    names = sizes["group"].tolist()
    shares = table.assign(group=groups).pivot_table(
        index="group", columns="field", values="missing_share", sort=False, dropna=False
    )
    shares = shares.reindex(
        index=names, columns=[name for name in _STANDARD_FIELDS if name in shares] or list(shares)
    )
    label_rows(ax, names, sizes["n"].tolist())
    ax.imshow(
        shares.to_numpy("float64"),
        cmap="Blues",
        vmin=0,
        vmax=1,
        aspect="auto",
        origin="upper",
        interpolation="nearest",
    )
    ax.set_xticks(range(len(shares.columns)), list(shares.columns), rotation=40, ha="right", rotation_mode="anchor")
    ax.tick_params(axis="x", length=0)
    for row, values in enumerate(shares.to_numpy("float64")):
        for column, share in enumerate(values):
            color = "white" if share > 0.55 else "black"
            ax.text(column, row, f"{share:.0%}", ha="center", va="center", color=color, fontsize=7)
    ax.set_xlabel("share of contacts without this field")
