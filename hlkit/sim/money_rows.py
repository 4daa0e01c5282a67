"""JSON rows of payments, orders and invoices. Some amounts are text, as some payment providers send them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hlkit.sim import ids, money, words
from hlkit.sim.account import NAME, WEBSITE
from hlkit.sim.clock import DAY, MINUTE, Array, iso
from hlkit.sim.kind import Kind
from hlkit.sim.rows import Person, persons
from hlkit.sim.seeded import SeededData
from hlkit.sim.table import Table

Row = dict[str, Any]

STATUSES = ("succeeded", "failed", "pending")
INVOICE_STATES = ("paid", "sent", "draft", "void", "partially_paid", "sent")
FUNNELS = ("Spring offer", "Maintenance plan", "Gift card")


def _payers(data: SeededData, columns: dict[str, Array]) -> list[Person]:
    """Who paid; a deleted contact has an id and a name that no contact row has."""
    out = persons(data, columns["contact"])
    for index, ghost in enumerate(columns.get("ghost", np.full(len(out), -1)).tolist()):
        if ghost >= 0:
            name = f"{words.GIVEN[ghost % len(words.GIVEN)]} {words.FAMILY[ghost % len(words.FAMILY)]}"
            mail = f"{name.lower().replace(' ', '.')}{ghost}@example.net"
            out[index] = Person(ids.text(data.seed, "deleted contacts", ghost), name.split()[0], name, mail, None)
    return out


def _shared(data: SeededData, identifier: str, person: Person, cad: bool, live: bool) -> Row:
    row: Row = {
        "_id": identifier,
        "altId": data.account.location_id,
        "altType": "location",
        "contactId": person.contact_id,
        "contactName": person.name,
        "currency": "CAD" if cad else "USD",
        "liveMode": live,
    }
    return {**row, "contactEmail": person.email} if person.email else row


def _source(draw: int, by_hand: bool, prefix: str) -> Row:
    name = FUNNELS[draw % len(FUNNELS)]
    if by_hand:
        return {f"{prefix}Type": "manual", f"{prefix}SubType": "contact_view", f"{prefix}Name": "Contact"}
    meta = {"domain": WEBSITE.removeprefix("https://"), "pageUrl": f"/{name.lower().replace(' ', '-')}"}
    return {
        f"{prefix}Type": "funnel",
        f"{prefix}SubType": "two_step_order_form" if draw % 2 else "one_step_order_form",
        f"{prefix}Name": name,
        f"{prefix}Id": ids.text(0, "funnels", draw % len(FUNNELS)),
        f"{prefix}Meta": meta,
    }


def _picked(table: Table, numbers: Array) -> dict[str, Array]:
    return {name: column[numbers] for name, column in table.columns.items()}


def _rowwise(columns: dict[str, Array], *names: str) -> zip[tuple[Any, ...]]:
    return zip(*(columns[name].tolist() for name in names), strict=True)


def transaction_rows(data: SeededData, numbers: Array) -> list[Row]:
    """Rows of ``GET /payments/transactions``."""
    columns = _picked(data.table("transactions"), numbers)
    written = zip(
        data.table("transactions").texts(numbers),
        _payers(data, columns),
        iso(columns["created"]),
        iso(columns["updated"]),
        iso(columns["created"] + 4 * MINUTE),
        strict=True,
    )
    names = ("amount", "refunded", "pays", "paper", "status", "cad", "live", "text", "merged", "draw")
    coded = _rowwise(columns, *names)
    return [_transaction(data, *parts) for parts in zip(written, coded, strict=True)]


def _transaction(data: SeededData, texts: tuple[Any, ...], numbers: tuple[Any, ...]) -> Row:
    identifier, person, created, updated, fulfilled = texts
    amount, refunded, pays, paper, status, cad, live, text, merged, draw = numbers
    row = _shared(data, identifier, person, cad, live) | {
        "amount": f"{amount:.2f}" if text else amount,
        "status": STATUSES[status],
        "paymentProviderType": "paypal" if text else "stripe",
        "paymentProviderConnectedAccount": ids.object_id(data.seed, "provider"),
        "chargeId": f"ch_{draw:010d}",
        "paymentMethod": {
            "card": {"brand": ("visa", "mastercard", "amex")[draw % 3], "last4": f"{draw % 10_000:04d}"}
        },
        "amountRefunded": refunded,
        "createdAt": created,
        "updatedAt": updated,
        "fulfilledAt": fulfilled if status == money.SUCCEEDED else created,
        **_source(draw, pays == money.HAND, "entitySource"),
    }
    if pays in (money.ORDER, money.INVOICE):
        name = "order" if pays == money.ORDER else "invoice"
        row |= {"entityType": name, "entityId": ids.object_id(data.seed, f"{name}s", paper)}
    if pays == money.SUBSCRIPTION:
        row |= {"entityType": "subscription", "entityId": ids.object_id(data.seed, "subscriptions", paper)}
        row["subscriptionId"] = provider_id(data, paper)
    if merged >= 0:
        row["mergedFromContactId"] = ids.text(data.seed, "merged contacts", merged)
    return row


def provider_id(data: SeededData, number: int) -> str:
    """The payment provider's id of a subscription."""
    return f"sub_{ids.text(data.seed, 'provider subscriptions', number)}"


def subscription_rows(data: SeededData, numbers: Array) -> list[Row]:
    """Rows of ``GET /payments/subscriptions``; they have neither the interval nor the end of a subscription."""
    columns = _picked(data.table("subscriptions"), numbers)
    written = zip(
        data.table("subscriptions").texts(numbers),
        _payers(data, columns),
        iso(columns["created"]),
        iso(columns["updated"]),
        strict=True,
    )
    coded = _rowwise(columns, "amount", "cad", "live", "draw", "ended", "number")
    return [_subscription(data, *parts) for parts in zip(written, coded, strict=True)]


def _subscription(data: SeededData, texts: tuple[Any, ...], numbers: tuple[Any, ...]) -> Row:
    identifier, person, created, updated = texts
    amount, cad, live, draw, ended, number = numbers
    return _shared(data, identifier, person, cad, live) | {
        "amount": amount,
        "status": "canceled" if ended >= 0 else "active",
        "entityType": "order",
        "entityId": ids.object_id(data.seed, "subscription orders", number),
        **_source(draw, False, "entitySource"),
        "subscriptionId": provider_id(data, number),
        "paymentProviderType": "stripe",
        "createdAt": created,
        "updatedAt": updated,
    }


def subscription_detail(data: SeededData, number: int) -> Row:
    """``GET /payments/subscriptions/{id}``: the row, its interval, and when it was canceled."""
    numbers = np.array([number])
    columns = _picked(data.table("subscriptions"), numbers)
    row = subscription_rows(data, numbers)[0]
    months, ended = int(columns["months"][0]), columns["ended"]
    every = ("yearly", 1) if months == 12 else ("monthly", months)
    start = iso(columns["created"])[0][:10]
    source = {"type": "funnel", "id": row.pop("entitySourceId"), "name": row.pop("entitySourceName")}
    row = {key: value for key, value in row.items() if not key.startswith("entitySource")}
    row["entitySource"] = source
    row["schedule"] = {"rrule": {"intervalType": every[0], "interval": every[1], "startDate": start}}
    return {**row, "canceledAt": iso(ended)[0]} if int(ended[0]) >= 0 else row


def order_rows(data: SeededData, numbers: Array) -> list[Row]:
    """Rows of ``GET /payments/orders``."""
    columns = _picked(data.table("orders"), numbers)
    written = zip(
        data.table("orders").texts(numbers),
        _payers(data, columns),
        iso(columns["created"]),
        iso(columns["updated"]),
        strict=True,
    )
    coded = _rowwise(columns, "amount", "cad", "live", "text", "state", "draw")
    return [_order(data, *parts) for parts in zip(written, coded, strict=True)]


def _order(data: SeededData, texts: tuple[Any, ...], numbers: tuple[Any, ...]) -> Row:
    identifier, person, created, updated = texts
    amount, cad, live, text, state, draw = numbers
    return _shared(data, identifier, person, cad, live) | {
        "amount": f"{amount:.2f}" if text else amount,
        "subtotal": amount,
        "discount": 0,
        "status": "completed" if state == money.PAID else "pending",
        "paymentStatus": {money.PAID: "paid", money.PARTLY: "partially_paid"}.get(state, "unpaid"),
        "totalProducts": 1 + draw % 3,
        "onetimeProducts": 1 + draw % 3,
        "recurringProducts": 0,
        "fulfillmentStatus": "fulfilled" if draw % 3 else "unfulfilled",
        **_source(draw, False, "source"),
        "createdAt": created,
        "updatedAt": updated,
    }


def invoice_rows(data: SeededData, numbers: Array) -> list[Row]:
    """Rows of ``GET /invoices/``; some invoice numbers are text with a prefix."""
    columns = _picked(data.table("invoices"), numbers)
    local = data.clock.to_local(columns["created"]) // DAY * DAY
    written = zip(
        data.table("invoices").texts(numbers),
        _payers(data, columns),
        iso(columns["created"]),
        iso(columns["updated"]),
        iso(local),
        iso(local + 14 * DAY),
        strict=True,
    )
    coded = _rowwise(columns, "amount", "cad", "live", "text", "state", "draw", "number")
    return [_invoice(data, *parts) for parts in zip(written, coded, strict=True)]


def _invoice(data: SeededData, texts: tuple[Any, ...], numbers: tuple[Any, ...]) -> Row:
    identifier, person, created, updated, issued, due = texts
    amount, cad, live, text, state, draw, number = numbers
    paid = {money.PAID: amount, money.PARTLY: round(amount / 2, 2)}.get(state, 0)
    job = words.JOBS[draw % len(words.JOBS)]
    shared = _shared(data, identifier, person, cad, live)
    for name in ("contactId", "contactName", "contactEmail"):
        shared.pop(name, None)
    return shared | {
        "status": INVOICE_STATES[state],
        "name": job,
        "title": "INVOICE",
        "invoiceNumber": f"INV-{number:06d}" if draw % 4 == 0 else number + 1,
        "businessDetails": {"name": NAME, "website": WEBSITE},
        "contactDetails": {
            "id": person.contact_id,
            "name": person.name,
            "email": person.email or "",
            "phoneNo": person.phone or "",
        },
        "issueDate": issued[:10],
        "dueDate": due[:10],
        "discount": {"type": "percentage", "value": 0},
        "invoiceItems": [{"name": job, "qty": 1, "amount": amount, "currency": shared["currency"], "taxes": []}],
        "total": amount,
        "amountPaid": f"{paid:.2f}" if text else paid,
        "amountDue": round(amount - paid, 2),
        "totalSummary": {"subTotal": amount, "discount": 0, "tax": 0},
        "createdAt": created,
        "updatedAt": updated,
    }


DATES = {"createdAt": "created"}
KINDS = (
    Kind("transactions", money.transactions, transaction_rows, "created", DATES, style="object"),
    Kind("subscriptions", money.subscriptions, subscription_rows, "created", DATES, style="object"),
    Kind("orders", money.orders, order_rows, "created", DATES, style="object"),
    Kind("invoices", money.invoices, invoice_rows, "created", DATES, style="object"),
)
