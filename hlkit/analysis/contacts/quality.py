"""Quality: whom a location can reach, by which channel, and what it does not know of its contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from hlkit.analysis.core.charts import (
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
from hlkit.analysis.core.headlines import compare_groups, largest_group
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
# The checks of the score and what each of them counts.
SCORE = {
    "valid_email": 1 / 6,
    "valid_phone": 1 / 6,
    "has_name": 1 / 6,
    "has_owner": 1 / 6,
    "has_source": 1 / 6,
    "has_country": 1 / 6,
}
_BLOCKED = ("active", "permanent")
_ARRIVED = ("delivered", "opened", "clicked", "read")
_RANG = ("completed", "answered", "voicemail", "no-answer", "no_answer", "busy")
_FAILED = ("failed", "undelivered")
_NO_FIELDS = ("do_not_disturb", "is_valid_email")


def _with_interval(*names: str) -> dict[str, Kind]:
    return {f"{name}_{end}": SHARE for name in names for end in ("share", "low", "high")}


@analysis(
    "Whom can we reach, and may we?",
    columns={
        "channels": {
            "channel": TEXT,
            "n": COUNT,
            **_with_interval("has", "valid", "blocked", "reachable"),
            "sent": COUNT,
            **_with_interval("failed"),
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
            **_with_interval("missing"),
            "small": FLAG,
        },
    },
    definition=(
        "An email address or a phone number is valid where it can be right by the rules of addresses and numbering "
        "plans: nobody is asked whether it is in use, landlines are not told from mobiles, and an address that "
        "HighLevel has found wrong is not valid. A number without a country code is read as one of the contact's "
        "country, else of the location's. A channel is blocked by do not disturb, on all channels or on that one, "
        "for now or for good. A contact can be reached by a channel that is valid and not blocked. Shares are of all "
        "n contacts, with 95% Wilson intervals; failed_share is of the sent messages whose fate is known (delivered, "
        "opened, clicked or read, or for a call rung through; against failed and undelivered), its interval at the "
        "effective number of messages where a contact got several. The score of a contact is the mean of six checks, "
        "each a sixth: valid email, valid phone, name, owner, source, country."
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
    """Valid, blocked and reachable contacts by channel, and what is missing in their rows.

    Takes one row per contact (contact_id; email, phone, do_not_disturb and its channels, name, owner_id, source,
    country as far as they are there) and, where they may be read, one per message (contact_id, type, direction,
    status). Needs the extra ``dedupe``; without it addresses are judged by their shape, and a remark says so.
    Raises ``MissingColumn``.

    Parameters
    ----------
    by
        A column of contacts to group the channels and the fields by: source, owner, tags, a custom field.
    show
        ``channels``: a row for each channel (email, sms, call) of each group: ``n`` contacts, the shares that
        have an address for it, a valid one, that are blocked and that can be reached; ``sent`` messages whose
        fate is known, the share that failed, and how many met an opt-out (counts); ``small`` (fewer than 20).
        ``contacts``: a row for each contact, the lowest score first. ``fields``: the share of contacts in which
        each field is missing, the emptiest first.
    country
        The country of phone numbers without a country code, as two letters, for contacts who have no country.

    Source: E.164 and its national plans as in Google's libphonenumber; RFC 5321 and 5322 as in email-validator;
    "Do not disturb" in HighLevel's help, article 48001215386.
    """
    require_columns(contacts, "contact_id", by)
    if show == "fields":
        return _fields(contacts, by)
    flags = _flags(contacts, country)
    if show == "contacts":
        if by is not None:
            remark("The list of contacts is not grouped.")
        return flags.sort_values(["score", "contact_id"], kind="stable")
    return _channels(contacts, flags, messages, by)


# ---- one contact


def _flags(contacts: pd.DataFrame, country: str | None) -> pd.DataFrame:
    """What is known of each contact, in the order of *contacts*."""
    email, phone = column_or_nulls(contacts, "email"), column_or_nulls(contacts, "phone")
    names = [_filled(column_or_nulls(contacts, name)) for name in ("name", "first_name", "last_name")]
    found_right = as_mask(column_or_nulls(contacts, "is_valid_email", FLAG).fillna(True))  # or never looked at
    regions = column_or_nulls(contacts, "country").str.strip().str.upper()
    out = pd.DataFrame(
        {
            "contact_id": contacts["contact_id"],
            "owner_id": column_or_nulls(contacts, "owner_id"),
            "has_email": _filled(email),
            "has_phone": _filled(phone),
            "has_name": names[0] | names[1] | names[2],
            "has_owner": _filled(column_or_nulls(contacts, "owner_id")),
            "has_source": _filled(column_or_nulls(contacts, "source")),
            "has_country": _filled(column_or_nulls(contacts, "country")),
            "valid_email": valid_email(email) & found_right,
            "valid_phone": valid_phone(phone, regions.where(regions.str.len() == 2, _known(country))),
        }
    )
    everywhere = as_mask(column_or_nulls(contacts, "do_not_disturb", FLAG))
    for channel in CHANNELS:
        status = column_or_nulls(contacts, f"{channel}_do_not_disturb").str.lower()
        out[f"{channel}_blocked"] = everywhere | status.isin(_BLOCKED)
    out["reachable"] = _reaches(out, "email") | _reaches(out, "sms") | _reaches(out, "call")
    out["score"] = sum(out[check] * weight for check, weight in SCORE.items())
    out["score"] = out["score"].clip(0, 1)
    return out


def _known(country: str | None) -> str | None:
    """The location's country, or none where no phone numbers are known by it."""
    code = (country or "").strip().upper()
    try:
        known = import_extra("phonenumbers", "dedupe", "to check phone numbers").SUPPORTED_REGIONS
    except MissingExtra:
        return None
    if code in known:
        return code
    told = (
        f"{country!r} is no country of two letters that phone numbers are known by" if code else "no country is known"
    )
    remark(f"As {told}, a number without a country code is not valid unless its contact has a country.")
    return None


def _address(channel: str) -> str:
    return "email" if channel == "email" else "phone"


def _reaches(flags: pd.DataFrame, channel: str) -> pd.Series:
    return flags[f"valid_{_address(channel)}"] & ~flags[f"{channel}_blocked"]


def _filled(column: pd.Series) -> Mask:
    """Whether each value is there: not null, not blank, not an empty list."""
    if isinstance(column.dtype, pd.StringDtype):
        return matches(pa.array(column, from_pandas=True), r"\S")
    if column.dtype != object:
        return np.asarray(column.notna(), dtype=bool)
    return np.fromiter((_holds(value) for value in column), dtype=bool, count=len(column))


def _holds(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, (list, tuple, set, dict, np.ndarray)):
        return len(value) > 0
    return not pd.isna(value)


# ---- groups


def _groups(contacts: pd.DataFrame, by: str | None) -> tuple[Array, Array, list[str]]:
    """The rows of all groups, the number of each group, and the groups' names, the largest first."""
    places, keys = assign_groups(
        pd.DataFrame({"row": np.arange(len(contacts))}, index=contacts.index), group_keys(contacts, by)
    )
    codes, names = rank_by_size(keys)
    return places["row"].to_numpy(), codes, names.tolist()


def _shares(counts: dict[str, Any], n: Any) -> dict[str, Any]:
    """The columns of some shares of *n* with their intervals."""
    told: dict[str, Any] = {}
    for name, count in counts.items():
        told |= share_with_interval(name, count, n)
    return told


def _channels(
    contacts: pd.DataFrame, flags: pd.DataFrame, messages: pd.DataFrame | None, by: str | None
) -> pd.DataFrame:
    rows, codes, names = _groups(contacts, by)
    n = np.bincount(codes, minlength=len(names))
    fates = _fates(messages, contacts) if messages is not None else {}
    if messages is None:
        remark("Without messages there is nothing to say of what failed.")
    parts = []
    for place, channel in enumerate(CHANNELS):

        def count(values: Any) -> Any:
            return np.bincount(codes, weights=np.asarray(values, dtype="float64")[rows], minlength=len(names))

        address = _address(channel)
        told = {
            "has": count(flags[f"has_{address}"]),
            "valid": count(flags[f"valid_{address}"]),
            "blocked": count(flags[f"{channel}_blocked"]),
            "reachable": count(_reaches(flags, channel)),
        }
        part: dict[str, Any] = {"channel": channel, "n": n, **_shares(told, n)}
        if fates:
            arrived, failed, opted_out = fates[channel]
            sent = arrived + failed
            effective = effective_n(failed[rows], sent[rows], codes, len(names))
            part |= {
                "sent": count(sent),
                **share_with_interval("failed", count(failed), count(sent), effective),
                "opted_out": count(opted_out),
            }
        else:
            part |= dict.fromkeys(("sent", "failed_share", "failed_low", "failed_high", "opted_out"), np.nan)
        order = np.arange(len(names)) * len(CHANNELS) + place
        parts.append(pd.DataFrame({_GROUP: names, **part, "small": n < SMALL, _ORDER: order}))
    table = pd.concat(parts).sort_values(_ORDER).drop(columns=_ORDER)
    return table.rename(columns={_GROUP: group_column_name(by, _columns("channels"))})


_GROUP, _ORDER = "(group)", "(order)"


def _fates(messages: pd.DataFrame, contacts: pd.DataFrame) -> dict[str, tuple[Any, Any, Any]]:
    """By channel, for each contact: how many messages arrived, how many failed, and how many met an opt-out."""
    require_columns(messages, "contact_id", "type", "direction", "status")
    kinds, values = pd.factorize(messages["type"].fillna(""))
    channel = np.array([*map(_channel, values), None], dtype=object)[kinds]
    out = as_mask(messages["direction"] == "outbound") & pd.notna(channel)
    sent, channel = messages[out], channel[out]
    known = pd.Series(np.arange(len(contacts), dtype="float64"), index=contacts["contact_id"])
    places = map_keys(sent["contact_id"], known[known.index.notna()]).to_numpy("float64")
    mine = ~np.isnan(places)
    record_left_out(int((~mine).sum()), "messages to people who are not among the contacts")
    status = sent["status"].str.lower()
    if "call_status" in sent:  # what became of a call stands in its own field, where there is one
        called = (channel == "call") & sent["call_status"].notna().to_numpy()
        status = status.where(~called, sent["call_status"].str.lower())
    at, fates = places[mine].astype("int64"), {}
    for name in CHANNELS:
        here = (channel == name)[mine]
        arrived = _ARRIVED + (_RANG if name == "call" else ())
        masks = (status.isin(which).to_numpy()[mine] & here for which in (arrived, _FAILED, ("opt_out",)))
        fates[name] = tuple(np.bincount(at[mask], minlength=len(contacts)) for mask in masks)
    return fates  # type: ignore[return-value]


def _channel(kind: str) -> str | None:
    kind = str(kind).upper()
    if "ACTIVITY" in kind or "COMMENT" in kind:
        return None
    return next((name for name in CHANNELS if name.upper() in kind), None)


def _fields(contacts: pd.DataFrame, by: str | None) -> pd.DataFrame:
    rows, codes, names = _groups(contacts, by)
    n = np.bincount(codes, minlength=len(names))
    fields = [name for name in contacts.columns if name != "contact_id" and not str(name).endswith(_NO_FIELDS)]
    parts = []
    for field in fields:
        missing = np.bincount(codes[~_filled(contacts[field])[rows]], minlength=len(names))
        part = {_GROUP: names, "field": str(field), "n": n, "missing": missing, **_shares({"missing": missing}, n)}
        parts.append(pd.DataFrame({**part, "small": n < SMALL, _ORDER: np.arange(len(names))}))
    if not parts:
        return pd.DataFrame({name: [] for name in (group_column_name(by, _columns("fields")), *_columns("fields"))})
    table = pd.concat(parts).sort_values([_ORDER, "missing_share"], ascending=[True, False], kind="stable")
    return table.drop(columns=_ORDER).rename(columns={_GROUP: group_column_name(by, _columns("fields"))})


def _columns(show: str) -> Any:
    return quality.columns_of(show)


# ---- its answers


@quality.headline_for(show="channels")
def whom_we_reach(table: pd.DataFrame) -> str:
    """The share that each channel reaches, and the main reason for the others; of groups, whom email reaches."""
    if not table.iloc[:, 0].eq(ALL).all():
        return compare_groups(table[table["channel"] == "email"], "reachable", "Can be reached by email")
    rows = {row["channel"]: row for _, row in table.iterrows() if pd.notna(row["reachable_share"])}
    if not rows:
        return ""
    by = {channel: f"{row['reachable_share']:.0%} by {_SPOKEN[channel]}" for channel, row in rows.items()}
    shares = ", ".join(by.values()) if len(by) < 3 else f"{by['email']}, {by['sms']} and {by['call']}"
    said = f"Of {many(table['n'].max(), 'contact')} these can be reached: {shares}."
    reasons = [_reason(rows[channel]) for channel in ("email", "sms") if channel in rows]
    reasons = [reason for reason in reasons if reason]
    why = " and ".join(reasons)
    return f"{said} The main reason{'s' * (len(reasons) - 1)} why others cannot: {why}." if why else said


def _reason(row: pd.Series) -> str:
    """The most common reason why a channel does not reach a contact."""
    address = "email address" if row["channel"] == "email" else "phone number"
    parts = {
        f"no {address}": 1 - row["has_share"],
        f"no valid {address}": row["has_share"] - row["valid_share"],
        f"do not disturb ({_SPOKEN[row['channel']]})": row["valid_share"] - row["reachable_share"],
    }
    reason = max(parts, key=lambda name: parts[name])
    return f"{reason} ({parts[reason]:.0%})" if parts[reason] > 0 else ""


@quality.headline_for(show="contacts")
def how_many_are_known(table: pd.DataFrame) -> str:
    reached, full = int(as_mask(table["reachable"]).sum()), int((table["score"] > 1 - 1e-9).sum())
    return (
        f"{reached:,} of {many(len(table), 'contact')} can be reached by email, SMS or calls; "
        f"{full:,} pass all six checks."
    )


@quality.headline_for(show="fields")
def what_is_missing(table: pd.DataFrame) -> str:
    usual = table[table["field"].isin(_USUAL)]
    if not table.iloc[:, 0].eq(ALL).all() or not usual["missing"].sum():
        return ""
    worst = largest_group(usual[["field", "missing"]], "missing")
    of = many(usual["n"].max(), "contact")
    return f"Of the fields that most teams fill in, most often missing: {worst} of {of}."


# ---- charts

# The fields that a chart shows, as far as they are there: what most teams fill in.
_USUAL = ("email", "phone", "name", "last_name", "source", "owner_id", "country", "city", "address", "tags")
_COLORS = dict(zip(CHANNELS, PALETTE, strict=False))
_SPOKEN = {"email": "email", "sms": "SMS", "call": "calls"}


@quality.chart("reachable_share", show="channels")
def channels(table: pd.DataFrame, ax: Axes) -> None:
    first = table.iloc[:, 0]
    if first.eq(ALL).all():
        _bars(table, ax)
    else:
        _dots(table, first, ax)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(format_percent)
    draw_legend(ax, y=-0.18)


def _bars(table: pd.DataFrame, ax: Axes) -> None:
    """What becomes of all contacts on each channel: reached, blocked, wrong, not there."""
    places = label_rows(ax, [_SPOKEN[channel] for channel in table["channel"]])
    reachable, valid, has = (table[f"{name}_share"].to_numpy("float64") for name in ("reachable", "valid", "has"))
    parts = {
        "can be reached": (reachable, BLUE),
        "do not disturb": (valid - reachable, ORANGE),
        "not valid": (has - valid, RED),
        "none given": (1 - has, PALE),
    }
    start = np.zeros(len(table))
    for name, (width, color) in parts.items():
        ax.barh(places, width, left=start, color=color, height=0.55, linewidth=0, label=name)
        start = start + width
    low, high = table["reachable_low"].to_numpy("float64"), table["reachable_high"].to_numpy("float64")
    draw_intervals(ax, places, low, high, INK, 1.5, alpha=1)
    for place, part in zip(places, reachable, strict=True):
        inside = part > 0.15
        ax.text(
            max(low[place] - 0.01, 0.02) if inside else high[place] + 0.02,
            place,
            f"{part:.0%}",
            ha="right" if inside else "left",
            va="center",
            color="white" if inside else INK,
            fontsize=SIZE,
            fontweight="bold",
        )
    ax.set_xlabel(f"share of {int(table['n'].max()):,} contacts (line: 95% interval)")


def _dots(table: pd.DataFrame, groups: pd.Series, ax: Axes) -> None:
    """The share that can be reached in each group, a dot for each channel."""
    sizes = table.assign(group=groups).drop_duplicates("group")
    shown = top_groups(sizes, ax, "n")
    places = label_rows(ax, shown["group"].tolist(), shown["n"].tolist())
    at = pd.Series(places, index=shown["group"])
    for offset, (channel, color) in zip((-0.2, 0, 0.2), _COLORS.items(), strict=True):
        rows = table[(table["channel"] == channel) & groups.isin(shown["group"])]
        place = at.reindex(groups[rows.index]).to_numpy("float64") + offset
        colors = np.where(as_mask(rows["small"]), GRAY, color).tolist()
        low, high = rows["reachable_low"].to_numpy("float64"), rows["reachable_high"].to_numpy("float64")
        draw_intervals(ax, place, low, high, colors, 1.5, alpha=0.6)
        draw_points(ax, rows["reachable_share"].to_numpy("float64"), place, colors, 22)
        draw_points(ax, [], [], color, 22, label=_SPOKEN[channel])
    if as_mask(shown["small"]).any():
        draw_points(ax, [], [], GRAY, 22, label="fewer than 20")
    draw_gridlines(ax, "x")
    ax.set_xlabel("share of contacts that can be reached (line: 95% interval)")


@quality.chart("score", show="contacts")
def scores(table: pd.DataFrame, ax: Axes) -> None:
    passed = np.rint(table["score"].to_numpy("float64") * len(SCORE)).astype(int)
    counts = np.bincount(passed, minlength=len(SCORE) + 1)
    bars = ax.bar(np.arange(len(counts)), counts, color=BLUE, width=0.7, linewidth=0)
    ax.bar_label(bars, labels=[f"{count:,}" if count else "" for count in counts], padding=2, fontsize=8, color=INK)
    ax.set(xlabel="checks that a contact passes, of six", ylabel="contacts", xticks=np.arange(len(counts)))
    ax.margins(y=0.12)


@quality.chart("missing_share", show="fields")
def fields(table: pd.DataFrame, ax: Axes) -> None:
    groups = table.iloc[:, 0]
    usual = [name for name in _USUAL if table["field"].eq(name).any()] or table["field"].unique().tolist()[:12]
    shown = table[table["field"].isin(usual)]
    if not groups.eq(ALL).all():
        _matrix(shown, groups[shown.index], ax)
        return
    low, high = shown["missing_low"], shown["missing_high"]
    dot_plot(ax, shown["field"].tolist(), shown["missing_share"], low, high, small=shown["small"])
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("share of contacts in which it is missing (line: 95% interval)")


def _matrix(table: pd.DataFrame, groups: pd.Series, ax: Axes) -> None:
    """The missing share of each field in each group, as a number on its color."""
    sizes = top_groups(table.assign(group=groups).drop_duplicates("group"), ax, "n")
    names = sizes["group"].tolist()
    shares = table.assign(group=groups).pivot_table(
        index="group", columns="field", values="missing_share", sort=False, dropna=False
    )
    shares = shares.reindex(index=names, columns=[name for name in _USUAL if name in shares] or list(shares))
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
        for place, part in enumerate(values):
            color = "white" if part > 0.55 else "black"
            ax.text(place, row, f"{part:.0%}", ha="center", va="center", color=color, fontsize=7)
    ax.set_xlabel("share of contacts in which it is missing")
