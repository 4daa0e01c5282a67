"""Text of contact rows from columns: names, emails, phones, sources, custom values."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Any

from hlkit.sim import words
from hlkit.sim.account import FIELDS, WEBSITE, Account
from hlkit.sim.clock import DAY, Array
from hlkit.sim.contacts import FORMATTED, LOWER, NICKNAME, SOURCES, TYPO, UPPER, WRONG

Columns = dict[str, Array]
Traps = dict[int, tuple[str, str]]
_EPOCH = date(1970, 1, 1).toordinal()


def names(columns: Columns, traps: Traps, rows: Array) -> list[tuple[str, str | None]]:
    """First and last name of each row, as typed."""
    out: list[tuple[str, str | None]] = []
    picked = (columns[name][rows].tolist() for name in ("given", "family", "name_written", "surnamed"))
    for row, given, family, written, surnamed in zip(rows.tolist(), *picked, strict=True):
        if row in traps:
            out.append(traps[row])
            continue
        first, last = words.GIVEN[given], words.FAMILY[family] if surnamed else None
        out.append((first, last) if not written else _written(first, last, written))
    return out


def _written(first: str, last: str | None, how: int) -> tuple[str, str | None]:
    if how == NICKNAME:
        return words.NICKNAMES.get(first, first), last
    if how == TYPO:
        return first[:2] + first[3:4] + first[2:3] + first[4:] if len(first) > 3 else first + first[-1], last
    if how == LOWER:
        return first.lower(), last and last.lower()
    assert how == UPPER
    return first.upper(), last and last.upper()


def emails(columns: Columns, rows: Array) -> list[str | None]:
    """The email of each row; the number of its mailbox makes it unique."""
    box = columns["mail"][rows]
    owner = box.clip(0)
    given, family = columns["given"][owner].tolist(), columns["family"][owner].tolist()
    written = columns["mail_written"][rows].tolist()
    out: list[str | None] = []
    for number, g, f, how in zip(box.tolist(), given, family, written, strict=True):
        first, last, domain = words.GIVEN[g].lower(), words.FAMILY[f].lower(), words.DOMAINS[number % 3]
        if number < 0:
            out.append(None)
        elif how == FORMATTED:
            out.append(f"{first.title()}.{last.title()}{number}+web@{domain.title()}")
        elif how == WRONG:
            out.append(
                (f"{first}.{last}@example", f"{first}{last}example.com", f"{first} {last}@{domain}")[number % 3]
            )
        else:
            out.append(f"{first}.{last}{number}@{domain}")
    return out


def phones(columns: Columns, rows: Array) -> list[str | None]:
    """The phone of each row: a number reserved for fiction, +1 and ten digits unless badly written."""
    out: list[str | None] = []
    picked = columns["phone"][rows].tolist(), columns["phone_written"][rows].tolist()
    for number, how in zip(*picked, strict=True):
        if number < 0:
            out.append(None)
            continue
        area, last = words.AREA_CODES[number // 100 % len(words.AREA_CODES)], number % 100
        if how == FORMATTED:
            out.append(f"({area}) 555-01{last:02d}")
        else:
            out.append(f"+1{area}5550{last % 100:02d}" if how == WRONG else f"+1{area}55501{last:02d}")
    return out


def spare_phone(draw: int) -> str:
    """A second phone number."""
    return f"+1{words.AREA_CODES[draw % 30]}55501{draw % 100:02d}"


def sources(columns: Columns, rows: Array) -> list[str | None]:
    """The source on each row: some are missing, some in another case."""
    picked = columns["source"][rows].tolist(), columns["source_written"][rows].tolist()
    return [_source(SOURCES[code], how) for code, how in zip(*picked, strict=True)]


def _source(name: str, how: int) -> str | None:
    return (name, name.title(), f" {name.upper()}", None)[how]


def touch(code: int, how: int, spread: int) -> dict[str, Any]:
    """An attribution object; *how* is the spelling: another case, missing, or the location's own site."""
    return dict(_touch(code, how, spread))  # a copy, as rows may be changed


@lru_cache(maxsize=4096)
def _touch(code: int, how: int, spread: int) -> dict[str, Any]:
    name = SOURCES[code]
    if how == 3:
        if name != "direct":
            return {}
        return {"url": f"{WEBSITE}/quote", "sessionSource": "Referral", "referrer": f"{WEBSITE}/", "medium": "form"}
    if name == "import":
        return {"url": "", "sessionSource": "CRM UI", "medium": "csv_import", "mediumId": None}
    page = {"url": f"{WEBSITE}/{('quote', 'roof', 'kitchen')[spread % 3]}", "medium": "form", "mediumId": None}
    utm = _source(name, how)
    if name == "google":
        paid = spread % 2 == 0
        page |= {"sessionSource": "Paid Search" if paid else "Organic Search", "referrer": "https://www.google.com/"}
        if paid:
            page |= {"utmSource": utm, "utmMedium": "cpc", "campaign": ("roof", "kitchen")[spread // 2 % 2]}
    elif name == "facebook":
        page |= {"sessionSource": "Paid Social", "referrer": "https://l.facebook.com/", "utmSource": utm}
        page |= {"utmMedium": "paid", "campaign": ("spring offer", "before after")[spread // 2 % 2]}
    elif name == "referral":
        page |= {"sessionSource": "Referral", "referrer": "https://partners.example.org/", "utmSource": utm}
    else:
        page |= {"sessionSource": "Direct traffic", "referrer": None}
    return page


def tags(bits: int) -> list[str]:
    """The tags of a contact."""
    return list(_tags(bits))


@lru_cache(maxsize=4096)
def _tags(bits: int) -> list[str]:
    return [tag for index, tag in enumerate(words.TAGS) if bits >> index & 1] if bits else []


def contact_values(account: Account, draw: int) -> list[dict[str, Any]]:
    """Custom values of a contact, ``{id, value}``: text, number, list, flag or object by the field's type.

    A minority has another shape, as in real accounts: one choice as a list, several options as one text,
    numbers as text, days as milliseconds.
    """
    field, out = account.field_ids, []

    def put(number: int, value: Any, rare: Any = None) -> None:
        is_rare = rare is not None and (draw >> 5) % 7 == number % 7
        out.append({"id": field[number], "value": rare if is_rare else value})

    if draw & 1:
        kind = FIELDS[0][4][draw >> 9 & 3]
        put(0, kind, [kind])
    if draw & 2:
        wanted = [option for index, option in enumerate(FIELDS[1][4]) if (draw >> 11 & 31 | 1) >> index & 1]
        put(1, wanted, ", ".join(wanted))
    if draw & 4:
        budget = 500 + (draw >> 16) % 400 * 50
        put(2, budget, str(budget))
    if draw & 8:
        put(3, ("under 5k", "5k-10k", "more")[draw % 3])
    if draw & 17 == 17:
        day = 19_700 + draw % 700
        put(4, _day(day), day * DAY if draw % 4 else str(day * DAY))
    if draw & 48 == 48:
        put(5, "Called twice; wants the work done before winter.\nHas a dog.")
    if draw & 192 == 192:
        put(6, spare_phone(draw))
    if draw & 320 == 320:
        put(7, {account.option_ids[0]: str(2 + draw % 4), account.option_ids[1]: str(draw % 3)})
    if draw >> 28 == 0:
        photo = file(draw, "roof.jpg")
        put(8, [photo[key] for key in photo], photo)
    if draw & 5 == 5:
        put(14, bool(draw & 1024), str(bool(draw & 1024)).lower())
    if draw % 6 == 0:
        put(15, 20 + draw % 1800 / 10, f"{20 + draw % 1800 / 10}")
    return out


def file(draw: int, name: str) -> dict[str, Any]:
    """A file or a signature as in rows: its metadata, keyed by its id."""
    meta = {"originalname": name, "size": draw % 4096}
    url = f"https://files.example.com/{draw:08x}/{name}"
    return {f"{draw:08x}-0000-4000-8000-000000000000": {"url": url, "meta": meta, "documentId": f"doc{draw:08x}"}}


def deal_values(account: Account, draw: int) -> list[dict[str, Any]]:
    """Custom values of a deal. The key of most values has their type, as in live rows; of a minority it is
    fieldValue, as documented, or value."""
    field, out = account.field_ids, list[dict[str, Any]]()

    def put(number: int, kind: str, value: Any) -> None:
        name = ("value", "fieldValue")[draw & 1] if (draw >> 6) % 6 == number % 6 else f"fieldValue{kind}"
        typed = {"type": kind.lower()} if name.endswith(kind) else {}
        out.append({"id": field[number], **typed, name: value})

    if draw & 1:
        put(9, "String", FIELDS[9][4][draw % 3])
    if draw & 2:
        put(10, "Number", 100 + draw % 3000)
    if draw & 4:
        put(11, "Array", list(FIELDS[11][4][: 1 + draw % 3]))
    if draw & 24 == 24:
        if draw & 64:
            put(12, "File", file(draw, "signature.png"))
        else:
            put(12, "String", f"https://files.example.com/signature-{draw:08x}.png")
    if draw & 32:
        put(13, "Date", (19_900 + draw % 700) * DAY)
    return out


def _day(number: int) -> str:
    return date.fromordinal(_EPOCH + number).isoformat()
