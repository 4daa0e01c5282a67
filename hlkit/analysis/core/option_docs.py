"""The options that several analyses have: their help, and which of them a location fills in."""

from __future__ import annotations

import re

from hlkit.client.dates import DATES

# What a location fills in, if the signature has it.
FILLED = ("as_of", "timezone", "until", "currency", "country", "website", "location_id", "app_url")
LINKS = ("location_id", "app_url")  # filled in for links
TIMES = ("as_of", "timezone", "until")  # filled in for every analysis, so they are not among its own options
_DATES = ("_since", "_until")  # options whose names end so are dates
_LABELS = ("by", "key_column")  # options that are column labels, of any type
_CREATED = ("created_at", "sent_at")  # a row with a later one did not exist yet at as_of

# Help for the options that several analyses have.
DOCS = {
    "by": "A column to group by: a column of the first frame, a custom field, or tags.",
    "clock": "Count office hours only, or all hours.",
    "office": 'Office hours in the location\'s time zone, such as "Mon-Fri 8-18, Sat 10-14".',
    "holidays": 'The office is closed on the holidays of this country or state, such as "US" or "US-IL".',
    "imports": (
        "Exclude or include imported rows (at least 50 created within a minute or 200 within ten minutes, or a "
        "source that says import)."
    ),
    "since": f"Rows of the first frame from this date on. {DATES}",
    "as_of": "Analyze the data as of this date or time; when it was downloaded by default.",
    "timezone": "The time zone of days and office hours.",
    "country": "The country of phone numbers without a country code, as two letters.",
    "currency": "The currency of amounts without one.",
    "website": "The location's own website, which does not count as a referrer.",
    "location_id": "The location's id, for links to its contacts in HighLevel; without it there are no links.",
    "app_url": "The address of HighLevel's web app, for links; an agency may have a domain of its own.",
}


def parameter_docs(docstring: str) -> dict[str, str]:
    """What a numpydoc ``Parameters`` section says of each parameter, in one line."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", docstring, re.MULTILINE | re.DOTALL)
    docs: dict[str, str] = {}
    entry = re.compile(r"^(\S.*)\n((?:[ ]+.*\n?|\n(?=[ ]))+)", re.MULTILINE)
    for names, text in entry.findall(section[1] if section else ""):
        docs |= dict.fromkeys(re.findall(r"\w+", names.partition(":")[0]), " ".join(text.split()))
    return docs
