"""Where a contact came from: the source, channel or campaign of its first and its last touch.

HighLevel stores two touches of a contact, the first and the last, without dates. Each may have a channel (Paid
Search, Organic Search ...), UTM parameters, the URL of the page and the referring site.

Source: "Understanding Attribution Source" and "Attribution", help.gohighlevel.com articles 48001219997 and
48001142194; the paid media as in the default channel groups of Google Analytics, support.google.com/analytics
answer 9756891.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import unquote_plus

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hlkit.analysis.core.groups import column_or_nulls
from hlkit.client.schema import TEXT

Touch = Literal["first", "last"]
TOUCHES = ("source", "channel", "campaign")  # what a touch can be grouped by
DIRECT = "direct"

_PARTS = ("channel", "medium", "campaign", "utm_source", "utm_medium", "utm_content", "referrer", "url")
_READ = {  # which of them tell a touch's source, channel or campaign
    "source": ("channel", "utm_source", "referrer", "url"),
    "channel": ("channel", "utm_source", "utm_medium", "referrer", "url"),
    "campaign": ("campaign", "url"),
}
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
# Channels that only show how the contact was created: the contact's source is used first.
_CREATION_CHANNELS = ("CRM UI", "Third party", "Other")
_MARKETING_CHANNELS = ("Paid Search", "Paid Social", "Paid Other", "Organic Search", "Social")
# In the syntax of RE2, which pyarrow applies to a whole column at once.
_HOST = r"(?i)^(?:[a-z][a-z0-9+.-]*://)?(?:[^/?#@]*@)?(?:www\.)?(?P<host>[^/:?#\s]+)"
_SITE = re.compile(
    r"(?:^|\.)(google|bing|yahoo|duckduckgo|facebook|instagram|linkedin|tiktok|youtube|pinterest|reddit|twitter|yelp"
    r"|nextdoor)\.(?:com?\.)?[a-z]{2,3}$"
)
_SHORT_HOSTS = {
    "t.co": "twitter",
    "x.com": "twitter",
    "lnkd.in": "linkedin",
    "youtu.be": "youtube",
    "fb.com": "facebook",
}
_SEARCH_SITES = ("google", "bing", "yahoo", "duckduckgo")
_SOCIAL_SITES = (
    "facebook", "instagram", "linkedin", "tiktok", "youtube", "pinterest", "reddit", "twitter", "nextdoor"
)  # fmt: skip
_SHORT_NAMES = {"fb": "facebook", "ig": "instagram", "meta": "facebook", "adwords": "google"}  # of a utm_source
_PAID_MEDIUM = r"(?i)^(?:.*cp[acmv]|ppc|retargeting|paid.*)$"
_AD_CLICK_IDS = ("gclid", "dclid", "gbraid", "wbraid", "msclkid")  # only ads of search engines add them
_SOCIAL_CLICK_IDS = ("fbclid", "ttclid", "twclid", "li_fat_id")  # not of ads only: Facebook adds its own to posts


def touch_values(contacts: pd.DataFrame, by: str, website: str | None) -> dict[Touch, pd.Series]:
    """The source, channel or campaign of each contact's first and last touch; null if unknown.

    If a contact has only a first touch, it is the last one too. *website* is the location's own.
    """
    first, last = (_read_touch(contacts, touch, by, website) for touch in ("first", "last"))
    last = last.where(last["has_touch"], first)
    if by != "source":
        return {"first": first["key"], "last": last["key"]}
    source = clean_text(contacts, "source")
    return {"first": _source_of(first, source), "last": _source_of(last, source)}


def _source_of(values: pd.DataFrame, source: pd.Series) -> pd.Series:
    """What a touch says of its source, or else the contact's own *source*, or the channel."""
    key = values["key"].fillna(source).fillna(values["channel"])
    return key.mask(key.str.lower().isin(_DIRECT), DIRECT)


def _read_touch(contacts: pd.DataFrame, touch: Touch, by: str, website: str | None) -> pd.DataFrame:
    """Of each contact ``has_touch``, the ``key``, which is the source, channel or campaign, and the ``channel``."""
    parts = {part: clean_text(contacts, f"{touch}_{part}") for part in _READ[by]}
    columns = [f"{touch}_{part}" for part in _PARTS if f"{touch}_{part}" in contacts]
    values = pd.DataFrame({"has_touch": contacts[columns].notna().any(axis=1)})
    if by == "campaign":
        key = parts["campaign"].fillna(_query_value(parts["url"], "utm_campaign"))
        return values.assign(key=key, channel=key)
    source = parts["utm_source"].fillna(_query_value(parts["url"], "utm_source"))
    site = _hosts(parts["referrer"])
    is_internal = _is_internal(site, _hosts(parts["url"]), website)
    channel = _map_distinct(parts["channel"], lambda name: _CHANNELS.get(name.lower(), "Other"))
    if by == "channel":
        channel = channel.fillna(_channel_of_click(parts, source, site.mask(is_internal)))
    channel = channel.mask(is_internal & ~channel.isin(_MARKETING_CHANNELS), "Direct")
    if by == "channel":
        return values.assign(key=channel, channel=channel)
    key = source.fillna(_map_distinct(site.mask(is_internal), _site_name))
    return values.assign(key=key.fillna(channel.mask(channel.isin(_CREATION_CHANNELS))), channel=channel)


def _is_internal(site: pd.Series, page: pd.Series, website: str | None) -> pd.Series:
    """Whether the referring *site* is that of the *page* itself, or the location's *website*."""
    is_internal: pd.Series = (site == page).fillna(False)
    host = next(iter(_hosts(pd.Series([website], dtype=TEXT.dtype)).dropna()), None)
    if host and not _SITE.search(host):  # the website of a business may be its page on a social site
        is_internal |= (site == host).fillna(False) | site.str.endswith(f".{host}").fillna(False)
    return is_internal


def _channel_of_click(parts: Mapping[str, pd.Series], source: pd.Series, site: pd.Series) -> pd.Series:
    """The channel of a touch that HighLevel gave none: paid or not by its medium and click id, and by its site.

    A paid click of an unknown site is Paid Search if its medium is cpc or ppc, and Paid Other otherwise.
    """
    medium = parts["utm_medium"].fillna(_query_value(parts["url"], "utm_medium")).str.lower()
    name = _map_distinct(source.fillna(site), lambda text: _SHORT_NAMES.get(text.lower(), _site_name(text.lower())))
    is_ad_click, is_social_click = (_has_parameter(parts["url"], ids) for ids in (_AD_CLICK_IDS, _SOCIAL_CLICK_IDS))
    is_paid = medium.str.match(_PAID_MEDIUM).eq(True) | is_ad_click | source.str.lower().eq("adwords")
    is_social = name.isin(_SOCIAL_SITES) | is_social_click | medium.str.contains("social").eq(True)
    is_search = name.isin(_SEARCH_SITES) | is_ad_click | medium.str.contains("search|organic").eq(True)
    channel: pd.Series = pd.Series(None, index=site.index, dtype=TEXT.dtype)
    channel = channel.mask(is_search & ~is_paid, "Organic Search").mask(is_social & ~is_paid, "Social")
    channel = channel.mask(is_paid, "Paid Other").mask(is_paid & medium.isin(["cpc", "ppc"]), "Paid Search")
    channel = channel.mask(is_paid & is_social, "Paid Social")
    return channel.mask(is_paid & is_search & ~is_social, "Paid Search")


def clean_text(frame: pd.DataFrame, name: str) -> pd.Series:
    """The column *name* without surrounding spaces; null where it is blank or missing."""
    text = column_or_nulls(frame, name).str.strip()
    cleaned: pd.Series = text.mask(text == "")
    return cleaned


def _map_distinct(values: pd.Series, function: Callable[[str], str | None]) -> pd.Series:
    """*function* of each value, called once per distinct value."""
    codes, unique = pd.factorize(values)
    results = pd.array([*map(function, unique.tolist()), None], dtype=TEXT.dtype)
    return pd.Series(results[codes], index=values.index)


def _hosts(urls: pd.Series) -> pd.Series:
    """The host of each URL, in lower case and without www; null if there is none."""
    matches = pc.extract_regex(pa.array(urls, type=pa.large_string(), from_pandas=True), pattern=_HOST)
    hosts = pc.utf8_lower(pc.struct_field(matches, "host"))
    return pd.Series(TEXT.dtype.__from_arrow__(hosts), index=urls.index)


def _site_name(host: str) -> str:
    """The name of a search engine or social site, whatever its subdomain; any other host unchanged."""
    match = _SITE.search(host)
    return match.group(1) if match else _SHORT_HOSTS.get(host, host)


def _query_value(urls: pd.Series, name: str) -> pd.Series:
    """The value of the query parameter *name* of each URL; null if it has none."""
    pattern = rf"(?i)[?&]{name}=(?P<value>[^&#]+)"
    matches = pc.extract_regex(pa.array(urls, type=pa.large_string(), from_pandas=True), pattern=pattern)
    values = pd.Series(TEXT.dtype.__from_arrow__(pc.struct_field(matches, "value")), index=urls.index)
    return _map_distinct(values, lambda value: unquote_plus(value).strip() or None)


def _has_parameter(urls: pd.Series, names: tuple[str, ...]) -> pd.Series:
    """Whether each URL has one of the query parameters *names*."""
    has_parameter: pd.Series = urls.str.contains(rf"(?i)[?&](?:{'|'.join(names)})=[^&#]").eq(True)
    return has_parameter
