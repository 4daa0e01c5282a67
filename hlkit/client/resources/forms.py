"""Forms and surveys, and what people answered in them."""

from hlkit.client.pagination import Offset, PageNumber
from hlkit.client.schema import ID, INSTANT, LIST, TEXT, Column, Days, Filter, Resource

# Without a start the server gives the last month only (June 2026): a constant before any account is sent.
_ALL_TIME = Days("startAt", "endAt", always_from="2010-01-01")
# What the page adds to the answers (seen in 2026).
_NO_ANSWERS = frozenset(
    {
        "eventData",
        "fieldsOriSequance",
        "formId",
        "surveyId",
        "submissionId",
        "location_id",
        "sessionId",
        "sessionFingerprint",
        "signatureHash",
        "ip",
        "Timezone",
    }
)
_SUBMISSIONS = PageNumber(size="limit", most=100, param="page", total="meta.total")

FORMS = Resource(
    name="forms",
    path="/forms/",
    rows="forms",
    doc="The forms of the location.",
    scope="forms.readonly",
    paging=Offset(size="limit", most=50, param="skip"),
    total="total",
    columns=(Column("form_id", "id", ID), Column("name", "name", TEXT)),
)

FORM_SUBMISSIONS = Resource(
    name="form_submissions",
    path="/forms/submissions",
    rows="submissions",
    doc="What people sent by a form, since ever. Leads of two-step order forms may be missing.",
    scope="forms.readonly",
    paging=_SUBMISSIONS,
    total="meta.total",
    when="created_at",
    span=_ALL_TIME,
    filters={"form_id": Filter(ID, "formId", operator=None, doc="the form that was sent")},
    columns=(
        Column("submission_id", "id", ID),
        Column("form_id", "formId", ID),
        Column("contact_id", "contactId", ID),
        Column("created_at", "createdAt", INSTANT),
        Column("name", "name", TEXT, private=True),
        Column("email", "email", TEXT, private=True),
        Column("page_url", "others.eventData.page.url", TEXT, private=True),
        Column("source", "others.eventData.source", TEXT),
        Column("medium", "others.eventData.medium", TEXT),
        Column("referrer", "others.eventData.referrer", TEXT, private=True),
        Column(
            "answers",
            "others.*",
            LIST,
            private=True,
            doc="field (an id or a key) and value of each answer",
            without=_NO_ANSWERS,
        ),
    ),
)

SURVEYS = Resource(
    name="surveys",
    path="/surveys/",
    rows="surveys",
    doc="The surveys of the location.",
    scope="surveys.readonly",
    paging=Offset(size="limit", most=50, param="skip"),
    total="total",
    columns=(Column("survey_id", "id", ID), Column("name", "name", TEXT)),
)

SURVEY_SUBMISSIONS = Resource(
    name="survey_submissions",
    path="/surveys/submissions",
    rows="submissions",
    doc="What people answered in surveys, since ever.",
    scope="surveys.readonly",
    paging=_SUBMISSIONS,
    total="meta.total",
    when="created_at",
    span=_ALL_TIME,
    filters={"survey_id": Filter(ID, "surveyId", operator=None, doc="the survey that was answered")},
    columns=(
        Column("submission_id", "id", ID),
        Column("survey_id", "surveyId", ID),
        *FORM_SUBMISSIONS.columns[2:],
    ),
)
