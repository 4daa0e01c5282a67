"""Forms and surveys, and their submissions."""

from hlkit.client.pagination import Offset, PageNumber
from hlkit.client.schema import ID, INSTANT, LIST, ONE_DAY, TEXT, Column, Filter, QueryRange, Resource, wire_day

# Without a start date the server returns only the last month (June 2026), so one before any account is sent.
_ALL_TIME = QueryRange("startAt", "endAt", wire_day, margin=ONE_DAY, default=("2010-01-01", None))
# Fields that the web page adds to the answers (seen in 2026).
_PAGE_FIELDS = frozenset(
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
_SUBMISSIONS = PageNumber(size="limit", most=100, param="page")

FORMS = Resource(
    name="forms",
    path="/forms/",
    rows="forms",
    doc="Forms, one row each.",
    scope="forms.readonly",
    paging=Offset(size="limit", most=50, param="skip"),
    total="total",
    columns=(Column("form_id", "id", ID), Column("name", "name", TEXT)),
)

FORM_SUBMISSIONS = Resource(
    name="form_submissions",
    path="/forms/submissions",
    rows="submissions",
    doc="Form submissions, all-time. Leads from two-step order forms may be missing.",
    scope="forms.readonly",
    paging=_SUBMISSIONS,
    total="meta.total",
    when="created_at",
    span=_ALL_TIME,
    filters={"form_id": Filter(ID, "formId", doc="the form that was submitted")},
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
            doc="field (id or key) and value of each answer",
            without=_PAGE_FIELDS,
        ),
    ),
)

SURVEYS = Resource(
    name="surveys",
    path="/surveys/",
    rows="surveys",
    doc="Surveys, one row each.",
    scope="surveys.readonly",
    paging=Offset(size="limit", most=50, param="skip"),
    total="total",
    columns=(Column("survey_id", "id", ID), Column("name", "name", TEXT)),
)

SURVEY_SUBMISSIONS = Resource(
    name="survey_submissions",
    path="/surveys/submissions",
    rows="submissions",
    doc="Survey submissions, all-time.",
    scope="surveys.readonly",
    paging=_SUBMISSIONS,
    total="meta.total",
    when="created_at",
    span=_ALL_TIME,
    filters={"survey_id": Filter(ID, "surveyId", doc="the survey that was submitted")},
    columns=(
        Column("submission_id", "id", ID),
        Column("survey_id", "surveyId", ID),
        *FORM_SUBMISSIONS.columns[2:],
    ),
)
