"""A user's script, for the type checker alone: it is right, but for the lines that a checker must refuse.

``make lint`` runs mypy on it, which reports an error that is missing (an unused ignore) as well as one too many.
"""

import datetime as dt

import pandas as pd

import hlkit as hl

loc = hl.demo(as_of="2026-01-01")
contacts: pd.DataFrame = loc.contacts(since="2025-07-01", limit=5, owner="Marcus Reed")
deals = loc.opportunities(status="won", since=pd.Timestamp("2025-01-01"), until=dt.date(2025, 7, 1))
for page in loc.messages.pages(period="last month"):
    print(len(page))
print(loc.contacts.count(), loc.contacts.columns, loc.contacts.raw(limit=3), loc.quota, loc.timezone, loc.name)
loc.contacts.raw(3, source="web")
result = loc.analyses.speed_to_lead(by="source", period="2025")
print(result.headline, result.table)
result.plot()
loc.analyses.funnel(match="highlevel")
loc.analyses["funnel"]()
table = hl.analyses.speed_to_lead(contacts, loc.messages(), as_of="2026-01-01")
print(hl.analyses.speed_to_lead.headline(table))
print(hl.catalog("lost"), hl.summarize(contacts), hl.__version__)
hl.write(contacts, "contacts.csv")
loc.with_names(contacts)
loc.cached.contacts()
loc.check()
loc.get("/contacts/", limit=10)
try:
    loc.notes(confirm=True)
except hl.errors.HlkitError as error:
    print(error.hint, error.partial)
hl.explore(loc)

# Each of these is an error.
loc.opportunities(status="woon")  # type: ignore[arg-type]
loc.nonsense()  # type: ignore[attr-defined]
loc.contacts(limitt=5)  # type: ignore[call-arg]
loc.contacts.raw(limitt=5)  # type: ignore[call-arg]
loc.pipelines(since="2025")  # type: ignore[call-arg]
loc.analyses.funnel(periodd="2025")  # type: ignore[call-arg]
loc.analyses.speed_to_leed()  # type: ignore[attr-defined]
loc.analyses.funnel(match="highlevell")  # type: ignore[arg-type]
hl.analyses.speed_to_leed  # type: ignore[attr-defined]  # noqa: B018
