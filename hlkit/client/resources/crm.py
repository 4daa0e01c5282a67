"""Contacts, businesses, opportunities, and the pipelines and stages of opportunities."""

from hlkit.client.pagination import Offset, SearchAfter
from hlkit.client.schema import (
    CHOICE,
    COUNT,
    DAY,
    FLAG,
    ID,
    INSTANT,
    LIST,
    MONEY,
    NUMBER,
    TEXT,
    Column,
    Filter,
    FilterRange,
    Resource,
)


def _touch(prefix: str, touch: str, list_item: str) -> tuple[Column, ...]:
    """The columns of the first or last touch, read from the object at *touch*, else from *list_item*."""

    def column(name: str, *fields: str, private: bool = False) -> Column:
        paths = tuple(f"{root}.{wire}" for root in (touch, list_item) for wire in fields)
        return Column(f"{prefix}_{name}", paths, TEXT, private=private)

    return (
        column("channel", "sessionSource", "utmSessionSource"),
        column("medium", "medium"),
        column("campaign", "campaign", "utmCampaign"),
        column("utm_source", "utmSource"),
        column("utm_medium", "utmMedium"),
        column("utm_content", "utmContent"),
        column("referrer", "referrer", private=True),
        column("url", "url", "pageUrl", private=True),
    )


def _do_not_disturb(channel: str, wire: str) -> Column:
    """Whether the contact is blocked on one channel: active and permanent mean blocked."""
    status = CHOICE("active", "inactive", "permanent")
    return Column(f"{channel}_do_not_disturb", f"dndSettings.{wire}.status", status)


CONTACTS = Resource(
    name="contacts",
    method="POST",
    path="/contacts/search",
    rows="contacts",
    doc="Every contact (person or company), one row each.",
    when="created_at",
    span=FilterRange("dateAdded"),
    scope="contacts.readonly",
    paging=SearchAfter(size="pageLimit", most=500, order=("dateAdded", "asc")),
    total="total",
    model="contact",
    filters={
        "owner_id": Filter(ID, "assignedTo", doc="the user the contact belongs to"),
        "source": Filter(TEXT, "source", doc="where the contact came from"),
        "tag": Filter(TEXT, "tags", doc="a tag the contact has"),
    },
    columns=(
        Column("contact_id", "id", ID),
        # Searches return contactName in lower case, and the first and last name as entered (seen in 2026).
        Column("name", ("contactName", "name"), TEXT, private=True, cased_as=("firstName", "lastName")),
        Column("first_name", "firstName", TEXT, private=True),
        Column("last_name", "lastName", TEXT, private=True),
        Column("email", "email", TEXT, private=True),
        Column("phone", "phone", TEXT, private=True),
        Column("company_name", "companyName", TEXT, private=True),
        Column("source", "source", TEXT),
        Column("owner_id", "assignedTo", ID, doc="joins users.user_id"),
        Column("created_at", "dateAdded", INSTANT),
        Column("updated_at", "dateUpdated", INSTANT),
        Column("type", "type", CHOICE("lead", "customer")),
        Column("tags", "tags", LIST),
        Column("do_not_disturb", "dnd", FLAG, doc="on every channel"),
        _do_not_disturb("email", "Email"),
        _do_not_disturb("sms", "SMS"),
        _do_not_disturb("call", "Call"),
        _do_not_disturb("whatsapp", "WhatsApp"),
        _do_not_disturb("google", "GMB"),
        _do_not_disturb("facebook", "FB"),
        Column("is_valid_email", "validEmail", FLAG),
        Column("address", ("address", "address1"), TEXT, private=True),
        Column("city", "city", TEXT),
        Column("state", "state", TEXT),
        Column("postal_code", "postalCode", TEXT, private=True),
        Column("country", "country", TEXT),
        Column("timezone", "timezone", TEXT),
        Column("website", "website", TEXT, private=True),
        Column("birthday", "dateOfBirth", DAY, private=True, epoch_ms=True),
        Column("business_id", "businessId", ID),
        Column("business_name", "businessName", TEXT, private=True),
        Column("created_by", "createdBy.source", TEXT, doc="what created it: a person, a form, an import ..."),
        Column(
            "created_by_channel",
            "createdBy.channel",
            TEXT,
            doc="where it was created: in the app, through the API ...",
        ),
        Column("additional_emails", "additionalEmails", LIST, private=True, item="email"),
        Column("additional_phones", "additionalPhones", LIST, private=True, item="phone"),
        Column("follower_ids", "followers", LIST, doc="users who follow the contact"),
        *_touch("first", "attributionSource", "attributions[isFirst]"),
        *_touch("last", "lastAttributionSource", "attributions[isLast]"),
    ),
)

OPPORTUNITIES = Resource(
    name="opportunities",
    method="POST",
    path="/opportunities/search",
    rows="opportunities",
    doc="Every deal, in its current stage. HighLevel keeps no stage history.",
    when="created_at",
    span=FilterRange("date_added"),
    scope="opportunities.readonly",
    paging=SearchAfter(size="limit", most=500, order=("date_added", "asc"), start={"page": 1, "searchAfter": []}),
    total="total",
    constant_parameters={
        "query": "",  # the specification requires this and additionalDetails in full (June 2026)
        "additionalDetails": {
            "notes": False,
            "tasks": False,
            "calendarEvents": False,
            "unReadConversations": False,
        },
    },
    model="opportunity",
    filters={
        "status": Filter(CHOICE("open", "won", "lost", "abandoned"), "status", doc="the deal's status"),
        "owner_id": Filter(ID, "assigned_to", doc="the user the deal belongs to"),
        "pipeline_id": Filter(ID, "pipeline_id", doc="the pipeline the deal is in"),
        "stage_id": Filter(ID, "pipeline_stage_id", doc="the deal's current stage"),
    },
    columns=(
        Column("opportunity_id", "id", ID),
        Column("name", "name", TEXT, private=True),
        Column("status", "status", CHOICE("open", "won", "lost", "abandoned")),
        Column("value", "monetaryValue", MONEY, doc="in the location's currency"),
        Column("pipeline_id", "pipelineId", ID),
        Column("stage_id", ("pipelineStageId", "pipelineStageUId"), ID),
        Column("contact_id", ("contactId", "contact.id"), ID),
        Column("owner_id", "assignedTo", ID, doc="joins users.user_id"),
        Column("source", "source", TEXT),
        Column("created_at", "createdAt", INSTANT),
        Column("updated_at", "updatedAt", INSTANT),
        Column("stage_changed_at", "lastStageChangeAt", INSTANT),
        Column("status_changed_at", "lastStatusChangeAt", INSTANT),
        Column("acted_at", "lastActionDate", INSTANT, doc="the last action taken on it"),
        Column("lost_reason_id", "lostReasonId", ID),
        Column("win_probability", "effectiveProbability", NUMBER, doc="as HighLevel sends it"),
        Column("contact_name", "contact.name", TEXT, private=True, cased_as=("relations[primary].fullName",)),
        Column("contact_email", "contact.email", TEXT, private=True),
        Column("contact_phone", "contact.phone", TEXT, private=True),
        Column("contact_company_name", "contact.companyName", TEXT, private=True),
        Column("contact_tags", "contact.tags", LIST),
        Column("follower_ids", "followers", LIST, doc="users who follow the deal"),
        *_touch("first", "attributionSource", "attributions[isFirst]"),
        *_touch("last", "lastAttributionSource", "attributions[isLast]"),
    ),
)

PIPELINES = Resource(
    name="pipelines",
    path="/opportunities/pipelines",
    rows="pipelines",
    scope="opportunities.readonly",
    doc="Sales pipelines, one row each. Their stages are in ``stages``.",
    columns=(
        Column("pipeline_id", "id", ID),
        Column("name", "name", TEXT),
        Column("position", "position", COUNT),
        Column("in_funnel", "showInFunnel", FLAG, doc="shown in HighLevel's funnel chart"),
        Column("in_pie_chart", "showInPieChart", FLAG),
        Column("created_at", "dateAdded", INSTANT),
        Column("updated_at", "dateUpdated", INSTANT),
    ),
)

STAGES = Resource(
    name="stages",
    path="/opportunities/pipelines",
    rows="pipelines",
    scope="opportunities.readonly",
    explode="stages",
    doc="Stages of every pipeline, one row each, in order. Read in one request with ``pipelines``.",
    columns=(
        Column("stage_id", "id", ID),
        Column("name", "name", TEXT),
        Column("position", "position", COUNT, doc="from 0, within its pipeline"),
        Column("pipeline_id", "parent.id", ID),
        Column("pipeline", "parent.name", TEXT),
        Column("in_funnel", "showInFunnel", FLAG, doc="shown in HighLevel's funnel chart"),
        Column("in_pie_chart", "showInPieChart", FLAG),
        Column("win_probability", "stageWinProbability", NUMBER, doc="as HighLevel sends it"),
    ),
)

BUSINESSES = Resource(
    name="businesses",
    path="/businesses/",
    rows="businesses",
    doc="Companies that contacts belong to.",
    scope="businesses.readonly",
    paging=Offset(size="limit", most=100, param="skip"),
    columns=(
        Column("business_id", "id", ID),
        Column("name", "name", TEXT),
        Column("email", "email", TEXT, private=True),
        Column("phone", "phone", TEXT, private=True),
        Column("website", "website", TEXT),
        Column("address", "address", TEXT),
        Column("city", "city", TEXT),
        Column("state", "state", TEXT),
        Column("postal_code", "postalCode", TEXT),
        Column("country", "country", TEXT),
        Column("description", "description", TEXT),
        Column("created_at", "createdAt", INSTANT),
        Column("updated_at", "updatedAt", INSTANT),
    ),
)
