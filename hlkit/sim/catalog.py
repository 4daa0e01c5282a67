"""Products, businesses, tags, custom values, workflows, campaigns and trigger links."""

from __future__ import annotations

from typing import Any

import numpy as np

from hlkit.sim import ids, words
from hlkit.sim.account import WEBSITE, iso_one
from hlkit.sim.clock import DAY, Array, iso
from hlkit.sim.kind import Kind
from hlkit.sim.rows import company
from hlkit.sim.seeded import SeededData

Row = dict[str, Any]

PRODUCTS, SPARE_BUSINESSES = 0.026, 0.01  # per contact
NAMED_BUSINESSES = 80  # businesses that contacts belong to
PRODUCT_TYPES = ("PHYSICAL", "SERVICE", "DIGITAL", "PHYSICAL/DIGITAL")
WORKFLOWS = (
    "Answer a new lead",
    "Remind of a visit",
    "Missed call text back",
    "Ask for a review",
    "Spring offer",
    "Win back",
    "No show follow up",
)
CAMPAIGNS = (("Spring mailing", "published"), ("Old newsletter", "draft"))
VALUES = (
    ("Office phone", "+13125550100"),
    ("Opening hours", "Monday to Friday, 8 to 18"),
    ("Review link", f"{WEBSITE}/review"),
    ("Holiday note", ""),
)
LINKS = (("Review page", "review"), ("Quote form", "quote"), ("Spring offer", "spring"), ("Financing", "financing"))


def _seeded_products(data: SeededData) -> dict[str, Array]:
    count = max(4, round(PRODUCTS * data.size)) if data.size else 0
    rng = ids.generator(data.seed, "products")
    created = data.clock.start + np.sort(rng.integers(0, 500, count)) * DAY
    return {
        "number": np.arange(count),
        "created": created,
        "updated": np.minimum(created + rng.integers(0, 200, count) * DAY, data.clock.as_of),
        "stored": (rng.random(count) < 0.7).astype(np.uint8),
        "draw": rng.integers(0, 2**31, count),
    }


def product_rows(data: SeededData, numbers: Array) -> list[Row]:
    """Rows of ``GET /products/``."""
    table = data.table("products")
    columns = {name: column[numbers] for name, column in table.columns.items()}
    parts = zip(
        table.texts(numbers),
        iso(columns["created"]),
        iso(columns["updated"]),
        columns["number"].tolist(),
        columns["stored"].tolist(),
        columns["draw"].tolist(),
        strict=True,
    )
    out = []
    for identifier, created, updated, number, stored, draw in parts:
        job = words.JOBS[number % len(words.JOBS)]
        label = job if number < len(words.JOBS) else f"{job}, package {number // len(words.JOBS)}"
        row: Row = {
            "_id": identifier,
            "name": label,
            "locationId": data.account.location_id,
            "productType": PRODUCT_TYPES[draw % len(PRODUCT_TYPES)],
            "availableInStore": bool(stored),
            "description": f"<p>{label}</p>",
            "slug": label.lower().replace(" ", "-").replace(",", ""),
            "variants": [],
            "collectionIds": [ids.object_id(data.seed, "collections", draw % 3)],
            "isTaxesEnabled": False,
            "taxes": [],
            "createdAt": created,
            "updatedAt": updated,
        }
        if draw % 3:
            row |= {"image": f"https://files.example.com/product-{number}.png"}
        out.append(row)
    return out


def _seeded_businesses(data: SeededData) -> dict[str, Array]:
    count = NAMED_BUSINESSES + round(SPARE_BUSINESSES * data.size) if data.size else 0
    created = data.clock.start - np.arange(count, 0, -1) * DAY // 4
    draw = ids.generator(data.seed, "businesses").integers(0, 2**31, count)
    return {"number": np.arange(count), "created": created, "updated": created + draw % 90 * DAY, "draw": draw}


def business_rows(data: SeededData, numbers: Array) -> list[Row]:
    """Rows of ``GET /businesses/``; fields without a value are absent."""
    table = data.table("businesses")
    columns = {name: column[numbers] for name, column in table.columns.items()}
    parts = zip(
        table.texts(numbers),
        iso(columns["created"]),
        iso(columns["updated"]),
        columns["number"].tolist(),
        columns["draw"].tolist(),
        strict=True,
    )
    out = []
    for identifier, created, updated, number, draw in parts:
        town, postal = words.CITIES[draw % len(words.CITIES)]
        row: Row = {
            "id": identifier,
            "name": company(number),
            "locationId": data.account.location_id,
            "city": town,
            "state": "IL",
            "postalCode": postal,
            "country": "US",
            "createdAt": created,
            "updatedAt": updated,
            "createdBy": {"source": "WEB_USER", "channel": "APP", "sourceId": data.account.user_ids[0]},
        }
        if draw % 3:
            row |= {"email": f"office{number}@example.org", "website": f"https://company{number}.example.com"}
        if draw % 4:
            area = words.AREA_CODES[draw % len(words.AREA_CODES)]
            row["phone"] = f"+1{area}55501{draw % 100:02d}"
        out.append(row)
    return out


# Lists without pages


def tag_rows(data: SeededData) -> list[Row]:
    """Rows of ``GET /locations/{id}/tags``."""
    location = data.account.location_id
    return [
        {"id": ids.text(data.seed, "tags", number), "name": name, "locationId": location}
        for number, name in enumerate(words.TAGS)
    ]


def custom_value_rows(data: SeededData) -> list[Row]:
    """Rows of ``GET /locations/{id}/customValues``."""
    return [
        {
            "id": ids.text(data.seed, "customValues", number),
            "name": name,
            "fieldKey": f"{{{{ custom_values.{name.lower().replace(' ', '_')} }}}}",
            "value": value,
            "documentType": "field",
            "locationId": data.account.location_id,
        }
        for number, (name, value) in enumerate(VALUES)
    ]


def workflow_rows(data: SeededData) -> list[Row]:
    """Rows of ``GET /workflows/``: definitions only."""
    return [
        {
            "id": ids.uuid(data.seed, "workflows", number),
            "name": name,
            "status": "draft" if number % 4 == 3 else "published",
            "version": 1 + number * 3 % 8,
            "createdAt": iso_one(data.clock.start + number * DAY),
            "updatedAt": iso_one(data.clock.start + number * 9 * DAY),
            "locationId": data.account.location_id,
        }
        for number, name in enumerate(WORKFLOWS)
    ]


def campaign_rows(data: SeededData) -> list[Row]:
    """Rows of ``GET /campaigns/``: legacy campaigns, which few accounts have."""
    return [
        {
            "id": ids.text(data.seed, "campaigns", number),
            "name": name,
            "status": status,
            "locationId": data.account.location_id,
        }
        for number, (name, status) in enumerate(CAMPAIGNS)
    ]


def link_rows(data: SeededData) -> list[Row]:
    """Rows of ``GET /links/``."""
    out = []
    for number, (name, path) in enumerate(LINKS):
        identifier = ids.text(data.seed, "links", number)
        row = {"id": identifier, "name": name, "redirectTo": f"{WEBSITE}/{path}"}
        row |= {"fieldKey": f"{{{{trigger_link.{identifier}}}}}", "locationId": data.account.location_id}
        out.append(row)
    return out


KINDS = (
    Kind(
        "products",
        _seeded_products,
        product_rows,
        "created",
        {"createdAt": "created"},
        style="object",
    ),
    Kind(
        "businesses",
        _seeded_businesses,
        business_rows,
        "created",
        {"createdAt": "created"},
        style="object",
    ),
)
