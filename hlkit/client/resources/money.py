"""Invoices, orders, transactions, subscriptions and products.

One sale can appear as an order, an invoice and a transaction: never add their amounts.
"""

from typing import Any

from hlkit.client.pagination import Offset
from hlkit.client.schema import (
    CHOICE,
    COUNT,
    DAY,
    FLAG,
    ID,
    INSTANT,
    LIST,
    MONEY,
    ONE_DAY,
    TEXT,
    Column,
    Filter,
    QueryRange,
    Resource,
    wire_day,
)

_BY_100 = Offset(size="limit", most=100, param="offset")
_LISTED_BY_DATE: dict[str, Any] = {
    "location_parameter": "altId",
    "paging": _BY_100,
    "when": "created_at",
    "span": QueryRange("startAt", "endAt", wire_day, margin=ONE_DAY),
}
_CONTACT = {"contact_id": Filter(ID, "contactId", doc="the contact who pays")}
_PAYER = (
    Column("contact_id", "contactId", ID),
    Column("contact_name", "contactName", TEXT, private=True),
    Column("contact_email", "contactEmail", TEXT, private=True),
)
_SOURCE = (
    Column("source_type", ("entitySourceType", "sourceType"), TEXT, doc="funnel, invoice, calendar ..."),
    Column("source_subtype", ("entitySourceSubType", "sourceSubType"), TEXT),
    Column("source_name", ("entitySourceName", "sourceName"), TEXT),
    Column("source_id", ("entitySourceId", "sourceId"), ID),
)
_TIMES = (Column("created_at", "createdAt", INSTANT), Column("updated_at", "updatedAt", INSTANT))
_LIVE = Column("is_live", "liveMode", FLAG, doc="false for a test payment: no money moved")

INVOICES = Resource(
    name="invoices",
    path="/invoices/",
    rows="invoices",
    doc="Invoices, each in its own currency.",
    scope="invoices.readonly",
    total="total",
    **_LISTED_BY_DATE,
    filters={"status": Filter(TEXT, "status", doc="a status, such as paid"), **_CONTACT},
    columns=(
        Column("invoice_id", "_id", ID),
        Column("number", "invoiceNumber", TEXT),
        Column("name", "name", TEXT),
        Column("title", "title", TEXT),
        Column("status", "status", CHOICE("draft", "sent", "payment_processing", "paid", "void", "partially_paid")),
        Column("currency", "currency", TEXT),
        Column("total", "total", MONEY),
        Column("amount_paid", "amountPaid", MONEY),
        Column("amount_due", "amountDue", MONEY),
        Column("issued_on", "issueDate", DAY),
        Column("due_on", "dueDate", DAY),
        _LIVE,
        Column("contact_id", ("contactDetails.id", "contactId"), ID),
        Column("contact_name", "contactDetails.name", TEXT, private=True),
        Column("contact_email", "contactDetails.email", TEXT, private=True),
        Column("contact_phone", "contactDetails.phoneNo", TEXT, private=True),
        *_TIMES,
    ),
)

ORDERS = Resource(
    name="orders",
    path="/payments/orders",
    rows="data",
    doc="Orders. HighLevel lists the items of an order only one order at a time.",
    scope="payments/orders.readonly",
    total="totalCount",
    **_LISTED_BY_DATE,
    filters={"status": Filter(TEXT, "status", doc="a status, such as completed"), **_CONTACT},
    columns=(
        Column("order_id", "_id", ID),
        *_PAYER,
        Column("status", "status", TEXT),
        Column("fulfillment_status", "fulfillmentStatus", TEXT),
        Column("currency", "currency", TEXT),
        Column("amount", "amount", MONEY),
        Column("subtotal", "subtotal", MONEY),
        Column("discount", "discount", MONEY),
        Column("coupon", "couponCode", TEXT),
        Column("products", "totalProducts", COUNT),
        Column("onetime_products", "onetimeProducts", COUNT),
        Column("recurring_products", "recurringProducts", COUNT),
        _LIVE,
        *_SOURCE,
        *_TIMES,
    ),
)

TRANSACTIONS = Resource(
    name="transactions",
    path="/payments/transactions",
    rows="data",
    doc=(
        "Payments, including failed ones. Cash received is amount minus amount_refunded, where status is succeeded "
        "and is_live is true."
    ),
    scope="payments/transactions.readonly",
    total="totalCount",
    **_LISTED_BY_DATE,
    filters={
        "subscription_id": Filter(ID, "subscriptionId", doc="the subscription it pays"),
        **_CONTACT,
    },
    columns=(
        Column("transaction_id", "_id", ID),
        *_PAYER,
        Column("merged_from_contact_id", "mergedFromContactId", ID, doc="the contact that was merged into this one"),
        Column("status", "status", TEXT),
        Column("currency", "currency", TEXT),
        Column("amount", "amount", MONEY),
        Column("amount_refunded", "amountRefunded", MONEY),
        Column("entity_type", "entityType", TEXT),
        Column("entity_id", "entityId", ID, doc="the order or invoice it pays"),
        Column("subscription_id", "subscriptionId", ID),
        Column("provider", "paymentProviderType", TEXT),
        _LIVE,
        *_SOURCE,
        *_TIMES,
        Column("fulfilled_at", "fulfilledAt", INSTANT),
    ),
)

SUBSCRIPTIONS = Resource(
    name="subscriptions",
    path="/payments/subscriptions",
    rows="data",
    doc=(
        "Recurring subscriptions. The billing interval and the cancellation date are available only one "
        "subscription at a time."
    ),
    scope="payments/subscriptions.readonly",
    total="totalCount",
    **_LISTED_BY_DATE,
    filters=_CONTACT,
    columns=(
        Column("subscription_row_id", "_id", ID),
        Column("subscription_id", "subscriptionId", ID, doc="joins transactions.subscription_id"),
        *_PAYER,
        Column("status", "status", TEXT),
        Column("currency", "currency", TEXT),
        Column("amount", "amount", MONEY, doc="per payment"),
        Column("entity_type", "entityType", TEXT),
        Column("entity_id", "entityId", ID),
        Column("provider", "paymentProviderType", TEXT),
        _LIVE,
        *_SOURCE,
        *_TIMES,
    ),
)

PRODUCTS = Resource(
    name="products",
    path="/products/",
    rows="products",
    doc="Products for sale. Prices are not included.",
    scope="products.readonly",
    paging=_BY_100,
    total="total.0.total",
    columns=(
        Column("product_id", "_id", ID),
        Column("name", "name", TEXT),
        Column("description", "description", TEXT),
        Column("type", "productType", TEXT),
        Column("slug", "slug", TEXT),
        Column("in_store", "availableInStore", FLAG),
        Column("is_taxed", "isTaxesEnabled", FLAG),
        Column("collection_ids", "collectionIds", LIST),
        *_TIMES,
    ),
)
