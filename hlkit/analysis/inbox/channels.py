"""The channels that contacts write in, and the target for a reply in each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hlkit.analysis.core.groups import NONE
from hlkit.analysis.core.messages import normalize_code
from hlkit.analysis.core.run_log import remark
from hlkit.client.arguments import short
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import TEXT
from hlkit.client.text import did_you_mean

CHANNEL = "message_channel"

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


def channels_of(types: pd.Series) -> pd.Series:
    """The channel of each message type; an unknown type is its own channel."""
    codes, names = pd.factorize(types)
    labels = [_CHANNELS.get(name, name.replace("_", " ").capitalize()) for name in map(normalize_code, names)]
    channels = np.array([*labels, None], dtype=object)[codes]  # the code of a null is -1: the last
    named: pd.Series = pd.Series(channels, index=types.index, dtype=TEXT.dtype)
    return named


def target_minutes(channels: pd.Series, target_min: int | dict[str, int]) -> pd.Series:
    """The target of each message in minutes; null for a channel without one. Raises ``InvalidRequest``."""
    if not isinstance(target_min, dict):
        return pd.Series(float(target_min), index=channels.index)
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
    by_channel = {str(name).strip().lower(): float(value) for name, value in target_min.items()}
    targets = channels.str.lower().map(by_channel).astype("float64")
    without_target = channels[targets.isna()].fillna(NONE).value_counts()
    if len(without_target):
        counts = ", ".join(f"{name} ({count:,})" for name, count in without_target.items())
        remark(f"Turns of channels without a target do not count in on_time_share: {counts}.")
    return targets
