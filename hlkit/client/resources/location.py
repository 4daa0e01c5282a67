"""The location itself, its users, custom fields, custom values and tags."""

from hlkit.client.schema import CHOICE, COUNT, FLAG, ID, INSTANT, LIST, TEXT, Column, Resource

LOCATION = Resource(
    name="location",
    path="/locations/{locationId}",
    rows="location",
    single=True,
    doc="The location: its name, time zone, currency and company.",
    scope="locations.readonly",
    columns=(
        Column("location_id", "id", ID),
        Column("name", "name", TEXT),
        Column("timezone", ("timezone", "business.timezone"), TEXT, doc="an IANA name"),
        Column("currency", "currency", TEXT, doc="the currency of amounts without one"),
        Column("country", ("country", "business.country"), TEXT),
        Column("state", ("state", "business.state"), TEXT),
        Column("city", ("city", "business.city"), TEXT),
        Column("address", ("address", "business.address"), TEXT),
        Column("postal_code", ("postalCode", "business.postalCode"), TEXT),
        Column("website", ("website", "business.website"), TEXT),
        Column("email", ("email", "business.email"), TEXT, private=True),
        Column("phone", "phone", TEXT, private=True),
        Column("company_id", "companyId", ID, doc="the agency that owns the location"),
        Column("created_at", "dateAdded", INSTANT),
    ),
)

USERS = Resource(
    name="users",
    path="/users/",
    rows="users",
    doc="Current users. Deleted users are not listed, but other rows keep their ids.",
    scope="users.readonly",
    columns=(
        Column("user_id", "id", ID),
        Column("name", "name", TEXT, private=True, cased_as=("firstName", "lastName")),
        Column("first_name", "firstName", TEXT, private=True),
        Column("last_name", "lastName", TEXT, private=True),
        Column("email", "email", TEXT, private=True),
        Column("phone", "phone", TEXT, private=True),
        Column("extension", "extension", TEXT, private=True),
        Column("type", "roles.type", CHOICE("account", "agency")),
        Column("role", "roles.role", CHOICE("admin", "user")),
        Column("is_deleted", "deleted", FLAG),
    ),
)

CUSTOM_FIELDS = Resource(
    name="custom_fields",
    path="/locations/{locationId}/customFields",
    rows="customFields",
    constant_parameters={"model": "all"},  # the default is contact fields only
    doc="Definitions of the custom fields: their names and data types.",
    scope="locations/customFields.readonly",
    columns=(
        Column("custom_field_id", "id", ID),
        Column("name", "name", TEXT, doc="not unique: folders may repeat it"),
        Column("key", "fieldKey", TEXT, doc="unique"),
        Column("data_type", "dataType", CHOICE),
        Column(
            "document_type",
            "documentType",
            CHOICE("field", "folder"),
            doc="a folder groups fields and is not a field",
        ),
        Column("model", "model", CHOICE("contact", "opportunity")),
        Column("position", "position", COUNT),
        Column("options", "picklistOptions", LIST, item="label"),
        Column("folder_id", "parentId", ID, doc="joins custom_field_id of the folder"),
        Column("placeholder", "placeholder", TEXT),
        Column("created_at", "dateAdded", INSTANT),
    ),
)

CUSTOM_VALUES = Resource(
    name="custom_values",
    path="/locations/{locationId}/customValues",
    rows="customValues",
    doc="Custom values: constants that templates refer to by key.",
    scope="locations/customValues.readonly",
    columns=(
        Column("custom_value_id", "id", ID),
        Column("name", "name", TEXT),
        Column("key", "fieldKey", TEXT, doc="how templates refer to it"),
        Column("value", "value", TEXT, private=True),
    ),
)

TAGS = Resource(
    name="tags",
    path="/locations/{locationId}/tags",
    rows="tags",
    doc="Tags of the location. ``contacts.tags`` shows which contacts have which tag.",
    scope="locations/tags.readonly",
    columns=(Column("tag_id", "id", ID), Column("name", "name", TEXT)),
)
