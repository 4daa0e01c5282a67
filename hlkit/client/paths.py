"""The parameters for the location id, for every GET path in HighLevel's specification (version of 2026-06-19).

Paths that are not listed take no such parameter, or contain the location id.
"""

from __future__ import annotations

SPELLINGS = ("locationId", "location_id", "altId")

# First part of the path, then parameter: the remaining parts of each path. "*" is an id, "." is nothing.
_PATHS = {
    "ad-publishing": {
        "locationId": """
            facebook/ad-accounts facebook/ad-accounts/* facebook/campaign/* facebook/conversation-forms
            facebook/custom-audience facebook/custom-audience/* facebook/entity facebook/integration
            facebook/lead-form/* facebook/me facebook/page/*/forms facebook/page/*/instagram facebook/pages
            facebook/pixels facebook/reporting facebook/reporting/campaign/* facebook/reporting/list
            google/ad-accounts google/ad-accounts/* google/ads/* google/assets google/audiences google/audiences/*
            google/conversion-goals google/conversions google/conversions/* google/entity google/integration
            google/me google/reporting google/reporting/campaign/* google/reporting/list google/segments
            google/segments/* google/target-interests google/targeting/search
            linkedin/*/forms linkedin/ad-account linkedin/ad-accounts linkedin/ads/* linkedin/integration
            linkedin/me linkedin/reporting linkedin/reporting/campaign-group/* linkedin/reporting/list
            linkedin/targeting/search"""
    },
    "agent-studio": {"locationId": "agent agent/* public-api/agents public-api/agents/*"},
    "associations": {"locationId": ". key/* objectKey/* relations/*"},
    "blogs": {"locationId": "authors categories posts/all posts/url-slug-exists site/all"},
    "businesses": {"locationId": "."},
    "calendars": {
        "locationId": """
            . blocked-slots events groups resources/* schedules/search services/bookings services/catalog
            services/locations"""
    },
    "campaigns": {"locationId": "."},
    "chat-widget": {"locationId": "list"},
    "contacts": {"locationId": ". business/* search/duplicate"},
    "conversations": {
        "locationId": "messages/export preferences/custom-subtypes preferences/unsubscriptions/status search"
    },
    "custom-fields": {"locationId": "object-key/*"},
    "custom-menus": {"locationId": "."},
    "emails": {"locationId": "builder schedule"},
    "forms": {"locationId": ". submissions"},
    "funnels": {"locationId": "funnel/list lookup/redirect/list page page/count"},
    "invoices": {
        "altId": """
            . * estimate/list estimate/number/generate estimate/template estimate/template/preview
            generate-invoice-number schedule schedule/* settings template template/*"""
    },
    "knowledge-bases": {"locationId": ". crawler crawler/status faqs"},
    "links": {"locationId": ". id/* search"},
    "medias": {"altId": "files"},
    "objects": {"locationId": ". *"},
    "opportunities": {"locationId": "lost-reason pipelines", "location_id": "search"},
    "payments": {
        "locationId": "custom-provider/connect",
        "altId": """
            coupon coupon/list integrations/provider/whitelabel orders orders/* orders/*/fulfillments
            orders/*/notes subscriptions subscriptions/* transactions transactions/*""",
    },
    "phone-system": {"locationId": "number-pools"},
    "products": {
        "locationId": ". * */price */price/*",
        "altId": "collections collections/* inventory reviews reviews/count store/*/stats",
    },
    "proposals": {"locationId": "document templates"},
    "social-media-posting": {"locationId": "category/queues/* category/queues/available-categories oauth/*/start"},
    "store": {
        "altId": """
            shipping-carrier shipping-carrier/* shipping-zone shipping-zone/* shipping-zone/*/shipping-rate
            shipping-zone/*/shipping-rate/* store-setting"""
    },
    "surveys": {"locationId": ". submissions"},
    "users": {"locationId": ". search"},
    "voice-ai": {"locationId": "actions/* agents agents/* dashboard/call-logs dashboard/call-logs/*"},
    "workflows": {"locationId": "."},
}


def location_parameters(name: str | None, location_id: str) -> dict[str, str]:
    """The parameter *name* with the location id; with ``altId``, also its type. Nothing for ``None``."""
    alt_type = {"altType": "location"} if name == "altId" else {}
    return {name: location_id, **alt_type} if name else {}


def location_parameter(path: str, version: str) -> str | None:
    """The query parameter for the location id on *path*; ``None`` if the path is not known to take one.

    /opportunities/search takes ``location_id``, except in API v3.

    >>> location_parameter("/invoices/", "2021-07-28")
    'altId'
    """
    first, *rest = path.strip("/").split("/")
    matches: list[tuple[int, str]] = []  # number of wildcards, parameter
    for parameter, patterns in _PATHS.get(first, {}).items():
        for pattern in patterns.split():
            expected = pattern.split("/") if pattern != "." else []
            if len(expected) == len(rest) and all(
                name in ("*", part) for name, part in zip(expected, rest, strict=True)
            ):
                matches.append((pattern.count("*"), parameter))
    if not matches:
        return None
    parameter = min(matches)[1]  # /products/inventory is not the product with the id "inventory"
    return "locationId" if parameter == "location_id" and version == "v3" else parameter
