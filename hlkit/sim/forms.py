"""Forms, surveys and their submissions; two of the forms are an A/B test.

Everybody in the test submits one of the two forms, once. After form A 9% book an appointment, after
form B 12%; nobody in the test books for another reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hlkit.sim import ids, people, rows
from hlkit.sim.account import WEBSITE
from hlkit.sim.clock import DAY, MINUTE, Array, iso
from hlkit.sim.contacts import IMPORT
from hlkit.sim.kind import Kind, visible
from hlkit.sim.seeded import SeededData

Row = dict[str, Any]

IN_USE = {"forms": ("Quote request A", "Quote request B", "Contact us"), "surveys": ("How did we do?", "Your home")}
DRAFTS = {"forms": 57, "surveys": 9}
TESTED, BOOKS_A, BOOKS_B = 0.26, 0.09, 0.12
AGAIN, SURVEYED = 0.16, 0.06  # submissions of the third form, and of surveys, per contact
FIELDS = ("full_name", "email", "phone")


def seeded_submissions(data: SeededData) -> dict[str, Array]:
    """All seeded form submissions: contact, form, instant, and when an appointment was booked (-1 if never)."""
    return data.shared("form submissions", lambda: _submissions(data))


def _submissions(data: SeededData) -> dict[str, Array]:
    rng = ids.generator(data.seed, "form_submissions")
    created, source = data.contacts.history["created"], data.contacts.history["source"]
    leads = np.flatnonzero(source != IMPORT)
    tested = leads[rng.random(len(leads)) < TESTED]
    again = leads[rng.integers(0, max(1, len(leads)), round(AGAIN * len(created)) if len(leads) else 0)]
    at = created[again] + (rng.exponential(60, len(again)) * DAY).astype(np.int64)
    form = np.concatenate([rng.integers(0, 2, len(tested)), np.full(len(again), 2)])
    sent = np.concatenate([created[tested] + 400, at])
    booking = rng.random(len(form)) < np.array([BOOKS_A, BOOKS_B, 0])[form]
    after = sent + 5 * MINUTE + (rng.exponential(1.0, len(form)) * DAY).astype(np.int64)
    contact = np.concatenate([tested, again])
    order = np.argsort(sent, kind="stable")
    columns: dict[str, Array] = {"contact": contact.astype(np.int32), "form": form.astype(np.uint8), "sent": sent}
    columns["books"] = np.where(booking, after, -1)
    columns["draw"] = rng.integers(0, 2**31, len(form))
    return {name: column[order] for name, column in columns.items()}


def _survey_submissions(data: SeededData) -> dict[str, Array]:
    rng = ids.generator(data.seed, "survey_submissions")
    created = data.contacts.history["created"]
    leads = np.flatnonzero(data.contacts.history["source"] != IMPORT)
    who = leads[rng.integers(0, max(1, len(leads)), round(SURVEYED * len(created)) if len(leads) else 0)]
    sent = created[who] + DAY + (rng.exponential(70, len(who)) * DAY).astype(np.int64)
    form, draw = rng.integers(0, 2, len(who)).astype(np.uint8), rng.integers(0, 2**31, len(who))
    return {"contact": who.astype(np.int32), "form": form, "sent": sent, "draw": draw}


def _sent(seeded: Callable[[SeededData], dict[str, Array]]) -> Callable[[SeededData], dict[str, Array]]:
    def sent(data: SeededData) -> dict[str, Array]:
        columns = seeded(data)
        columns = columns | {"updated": columns["sent"]}
        seen = (columns["sent"] <= data.clock.as_of) & (columns["contact"] < data.contacts.count)
        return visible(columns, seen)

    return sent


def planted(data: SeededData) -> dict[str, Any]:
    """The booking rates of the A/B test, and the ids of its forms."""
    form_ids = ids.texts(ids.keys(data.seed, "forms", np.arange(2)))
    return {"form_ids": form_ids, "booking_share": [BOOKS_A, BOOKS_B], "until_booking": "Exp(1 day)"}


def _submission_rows(table_name: str, parent: str, key: str) -> Callable[[SeededData, Array], list[Row]]:
    def make(data: SeededData, numbers: Array) -> list[Row]:
        table, medium = data.table(table_name), parent[:-1]
        columns = {name: column[numbers] for name, column in table.columns.items()}
        whose = rows.persons(data, columns["contact"])
        forms = ids.texts(ids.keys(data.seed, parent, columns["form"]))
        lead = data.table("contacts").columns
        touch = zip(lead["source"][columns["contact"]].tolist(), columns["draw"].tolist(), strict=True)
        parts = zip(
            table.texts(numbers), whose, forms, columns["form"].tolist(), columns["sent"].tolist(), touch, strict=True
        )
        times = iso(columns["sent"])
        return [_submission(data, medium, key, values, time) for values, time in zip(parts, times, strict=True)]

    return make


def _submission(data: SeededData, medium: str, key: str, parts: tuple[Any, ...], time: str) -> Row:
    identifier, person, form, number, sent, (source, draw) = parts
    answers = {value["id"]: value["value"] for value in people.contact_values(data.account, draw)[:3]}
    row: Row = {
        "id": identifier,
        "contactId": person.contact_id,
        "createdAt": time,
        key: form,
        "name": person.name,
        "others": {
            "full_name": person.name,
            **({"phone": person.phone} if person.phone else {}),
            **answers,
            **_object_answers(draw),
            **(_page_fields(data, key, identifier, form, draw) if draw % 3 == 0 else {}),
            "eventData": _event(medium, form, IN_USE[f"{medium}s"][number], source, draw) | {"timestamp": sent},
            "fieldsOriSequance": list(FIELDS),
        },
    }
    if person.email:
        row |= {"email": person.email}
    return row


def _object_answers(draw: int) -> Row:
    """Answers that are objects (a signature and a country), in one of ten submissions."""
    if draw % 10:
        return {}
    country = {"code": "US", "name": "United States"}
    return {"signature": people.file(draw, "signature.png"), "country": country}


def _page_fields(data: SeededData, key: str, identifier: str, form: str, draw: int) -> Row:
    """What the web page adds to some submissions."""
    return {
        key: form,
        "submissionId": identifier,
        "location_id": data.account.location_id,
        "sessionId": f"session-{draw:08x}",
        "sessionFingerprint": f"{draw:08x}",
        "signatureHash": f"{draw:08x}" if draw % 10 == 0 else "",
        "ip": f"192.0.2.{draw % 250}",
        "Timezone": "America/Chicago (GMT-06:00)",
    }


def _event(medium: str, form: str, label: str, source: int, draw: int) -> Row:
    """Where the visitor came from, as reported by the web page."""
    touch = people.touch(source, draw % 3, draw % 101)
    page = f"{WEBSITE}/{('quote', 'roof', 'contact')[draw % 3]}"
    if touch.get("utmSource"):
        page += f"?utm_source={str(touch['utmSource']).strip()}&utm_medium={touch.get('utmMedium', '')}"
    event = {
        "type": "page-visit",
        "page": {"url": page, "title": label},
        "domain": WEBSITE.removeprefix("https://"),
        "medium": medium,
        "mediumId": form,
        "source": touch.get("sessionSource", "Direct traffic"),
        "referrer": touch.get("referrer") or "",
        "version": "v3",
        "parentId": form,
        "parentName": label,
        "pageVisitType": medium,
        "fingerprint": f"{draw:08x}",
        "contactSessionIds": {"ids": [f"session-{draw:08x}"]} if draw % 5 else {"ids": None},
    }
    if touch.get("campaign"):
        event["adSource"] = "adwords" if "google" in str(touch.get("referrer")) else "facebook"
    return event


def _seeded_list(name: str) -> Callable[[SeededData], dict[str, Array]]:
    def seeded(data: SeededData) -> dict[str, Array]:
        """The forms in use, and many drafts, as in real accounts."""
        drafts = min(DRAFTS[name], data.size // 35)
        count = (len(IN_USE[name]) + drafts) if data.size else 0
        created = data.clock.start - np.arange(count, 0, -1) * DAY
        columns: dict[str, Array] = {"number": np.arange(count), "created": created, "updated": created}
        return {**columns, "named": np.zeros(count, np.uint8)}

    return seeded


def _list_rows(name: str) -> Callable[[SeededData, Array], list[Row]]:
    def make(data: SeededData, numbers: Array) -> list[Row]:
        table = data.table(name)
        picked = (table.columns[column][numbers].tolist() for column in ("number", "named"))
        parts = zip(table.texts(numbers), *picked, strict=True)
        return [
            {"id": identifier, "name": _label(name, number, named), "locationId": data.account.location_id}
            for identifier, number, named in parts
        ]

    return make


def _label(name: str, number: int, named: int) -> str:
    used = IN_USE[name]
    label = used[number] if number < len(used) else f"Copy of {used[number % len(used)]} ({number})"
    return f"{label}, renamed" if named else label


def _kinds(name: str, key: str, seeded: Callable[[SeededData], dict[str, Array]]) -> tuple[Kind, Kind]:
    sent = f"{name[:-1]}_submissions"
    return (
        Kind(name, _seeded_list(name), _list_rows(name), "created", {"created": "created"}),
        Kind(
            sent,
            _sent(seeded),
            _submission_rows(sent, name, key),
            placed="sent",
            numeric={"createdAt": "sent"},
            style="uuid",
        ),
    )


KINDS = (*_kinds("forms", "formId", seeded_submissions), *_kinds("surveys", "surveyId", _survey_submissions))
