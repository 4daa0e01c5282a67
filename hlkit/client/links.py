"""Addresses of records in HighLevel's web app."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from hlkit.client.arguments import short
from hlkit.client.errors import InvalidRequest

APP_URL = "https://app.gohighlevel.com"  # agencies may use a domain of their own


def checked_app_url(app_url: object) -> str:
    """*app_url*, an https address without a path. Raises ``InvalidRequest``."""
    if isinstance(app_url, str):
        parts = urlsplit(app_url.strip())
        if parts.scheme == "https" and parts.hostname and not parts.username and parts.path in ("", "/"):
            return f"https://{parts.netloc}"
    raise InvalidRequest(
        f"app_url={short(app_url)} is not the address of a web app",
        hint='write it like "https://app.example.com", the address at which you open HighLevel',
    )


def contact_url(location_id: str, contact_id: str, app_url: str = APP_URL) -> str:
    """The page of a contact.

    Source: HighLevel's web app, November 2026.
    """
    return f"{_location_url(location_id, app_url)}/contacts/detail/{quote(contact_id, safe='')}"


def conversation_url(location_id: str, conversation_id: str, app_url: str = APP_URL) -> str:
    """The page of a conversation."""
    return f"{_location_url(location_id, app_url)}/conversations/conversations/{quote(conversation_id, safe='')}"


def _location_url(location_id: str, app_url: str) -> str:
    return f"{app_url.rstrip('/')}/v2/location/{quote(location_id, safe='')}"
