import pandas as pd
import pytest

from hlkit.client.frames.builder import DataWarning, FrameBuilder
from hlkit.client.frames.custom_fields import CustomFields, CustomFieldsAsList
from hlkit.client.resources import CATALOG
from hlkit.client.schema import DAY, LIST, MONEY, NUMBER, TEXT, Column

CONTACTS = CATALOG["contacts"]


def definition(name, *, id="f1", key="contact.f1", kind="TEXT", model="contact"):
    return {"id": id, "name": name, "fieldKey": key, "dataType": kind, "model": model}


def frame_of(*pages, resource=CONTACTS, definitions=()):
    custom = CustomFields.of(definitions, resource.model, resource.columns)
    builder = FrameBuilder(resource.columns, resource.key, custom)
    for rows in pages:
        builder.add(rows)
    return builder.frame()


@pytest.mark.parametrize("resource", CATALOG.values(), ids=lambda resource: resource.name)
@pytest.mark.parametrize("rows", [[], [{}], [{"id": "a"}, {}]], ids=["no rows", "an empty row", "two rows"])
def test_every_column_and_dtype_is_there_whatever_the_rows_hold(resource, rows):
    builder = FrameBuilder(resource.columns, resource.key)
    builder.add(rows)

    frame = builder.frame()

    assert list(frame) == [column.name for column in resource.columns]
    assert [frame[column.name].dtype for column in resource.columns] == [
        column.kind.dtype for column in resource.columns
    ]
    assert len(frame) == len(rows)


@pytest.mark.parametrize("resource", CATALOG.values(), ids=lambda resource: resource.name)
def test_no_two_columns_of_a_resource_share_a_name(resource):
    names = [column.name for column in resource.columns]

    assert len(names) == len(set(names))


def test_of_a_row_that_arrives_twice_the_later_is_kept():
    frame = frame_of([{"id": "a", "city": "Waco"}, {"id": "b"}], [{"id": "a", "city": "Austin"}])

    assert frame["contact_id"].tolist() == ["b", "a"]
    assert frame["city"].tolist()[1] == "Austin"


def test_all_rows_without_an_id_stay():
    assert len(frame_of([{"city": "Waco"}, {"city": "Waco"}])) == 2


def test_a_builder_returns_a_frame_and_takes_more_rows():
    builder = FrameBuilder(CONTACTS.columns, CONTACTS.key)
    builder.add([{"id": "a"}])
    assert len(builder.frame()) == 1

    builder.add([{"id": "b"}])
    assert builder.frame()["contact_id"].tolist() == ["a", "b"]


def test_the_first_touch_is_flattened_from_the_object_or_from_the_list():
    as_object = {"id": "a", "attributionSource": {"sessionSource": "Paid Search", "utmSource": "google"}}
    as_list = {
        "id": "b",
        "attributions": [
            {"utmSessionSource": "Referral", "isLast": True},
            {"utmSessionSource": "Organic Search", "isFirst": True},
        ],
    }

    frame = frame_of([as_object, as_list])

    assert frame["first_channel"].tolist() == ["Paid Search", "Organic Search"]
    assert frame["first_utm_source"].tolist()[0] == "google"
    assert frame["last_channel"].tolist()[1] == "Referral"


def test_a_field_with_an_unexpected_shape_does_not_affect_the_others():
    frame = frame_of([{"id": "a", "attributionSource": "google", "attributions": 3, "city": "Waco", "tags": None}])

    assert frame["first_channel"].isna().all()
    assert frame["city"].tolist() == ["Waco"]
    assert frame["tags"].tolist() == [[]]


def test_a_value_in_place_of_an_object_is_a_misfit_unless_another_path_has_the_value():
    messages = CATALOG["messages"]
    builder = FrameBuilder(messages.columns, messages.key)
    builder.add(
        [
            {"id": "a", "meta": "completed"},
            {"id": "b", "meta": {"call": "completed", "callStatus": "busy"}},
            {"id": "c", "meta": {"call": [1], "callDuration": ""}},
            {"id": "d", "meta": []},
            {"id": "e", "meta": {"call": {"status": "completed"}}},
        ]
    )

    assert builder.misfits == {"call_status": 2, "call_duration_s": 3}


def test_a_value_at_another_path_replaces_an_empty_text():
    frame = frame_of([{"id": "a", "contactId": "", "contact": {"id": "c"}}], resource=CATALOG["opportunities"])

    assert frame["contact_id"].tolist() == ["c"]


@pytest.mark.parametrize(
    ("odd", "count"), [(3, 1), ({"id": "f1", "value": "x"}, 1), ([3, None, {"id": "f1"}], 2), ("", 0)]
)
def test_a_custom_field_that_is_not_an_object_is_a_misfit(odd, count):
    builder = FrameBuilder(CONTACTS.columns, CONTACTS.key, CustomFields({}, {}))
    builder.add([{"id": "a", "customFields": odd}])

    assert builder.misfits.total() == count


@pytest.mark.parametrize(
    ("meta", "status", "seconds"),
    [
        ({"call": {"duration": 3309, "status": "completed"}}, "completed", 3309),
        ({"call": {"duration": "37", "status": "completed"}}, "completed", 37),
        ({"call": {"duration": 0, "status": "no-answer"}}, "no-answer", 0),
        ({"call": {"duration": None, "status": "busy"}}, "busy", None),
        ({"call": {"status": "voicemail"}}, "voicemail", None),
        ({"callStatus": "completed", "callDuration": "120"}, "completed", 120),
        ({"callStatus": "canceled", "callDuration": 0}, "canceled", 0),
        ({"call": {"duration": 61, "status": "completed"}, "callStatus": "busy"}, "completed", 61),
        ({"call": {"duration": 61}, "callStatus": "answered"}, "answered", 61),
        ({"call": {}}, None, None),
        ({"call": None}, None, None),
        ({"call": "completed", "callStatus": "failed", "callDuration": "5"}, "failed", 5),
        ({"call": ["completed"]}, None, None),
        ({"email": {"messageIds": ["m1"]}}, None, None),
        ({}, None, None),
        ([], None, None),
        (None, None, None),
        ("completed", None, None),
    ],
)
def test_call_status_and_duration_are_read_nested_and_flat(meta, status, seconds):
    plain = {"id": "plain", "meta": {"callStatus": "busy", "callDuration": "7"}}
    live = {"id": "live", "meta": {"call": {"status": "completed", "duration": 8}}}
    messages = CATALOG["messages"]
    for others in ([], [plain], [live], [{"id": "none"}], [plain, live, {"id": "none"}]):
        frame = frame_of([{"id": "a", "meta": meta}, *others], resource=messages).set_index("message_id")

        read = frame[["call_status", "call_duration_s"]].astype(object)
        expected = {"a": [status, seconds], "plain": ["busy", 7], "live": ["completed", 8], "none": [None, None]}
        assert read.where(read.notna(), None).T.to_dict("list") == {key: expected[key] for key in read.index}


def test_a_call_without_meta_has_neither_status_nor_duration():
    frame = frame_of([{"id": "a", "messageType": "TYPE_CALL"}], resource=CATALOG["messages"])

    assert frame[["call_status", "call_duration_s"]].isna().all(axis=None)


@pytest.mark.parametrize("odd", [3, True, "x", {"id": "f1", "value": "x"}, [3, None, ["x"]]], ids=repr)
def test_custom_fields_with_an_unexpected_shape_do_not_affect_the_others(odd):
    rows = [{"id": "a", "customFields": odd}, {"id": "b", "customFields": [{"id": "f1", "value": "x"}]}]
    as_list = FrameBuilder(CONTACTS.columns, CONTACTS.key, CustomFieldsAsList())
    as_list.add(rows)

    assert frame_of(rows, definitions=[definition("Note")])["Note"].fillna("").tolist() == ["", "x"]
    assert as_list.frame()["custom_fields"].tolist() == [[], [{"id": "f1", "value": "x"}]]


def test_a_custom_field_is_a_column_with_its_name_and_the_kind_of_its_data_type():
    fields = [
        definition("Budget", id="f1", kind="MONETORY"),
        definition("Rooms", id="f2", kind="NUMERICAL"),
        definition("Moves in", id="f3", kind="DATE"),
        definition("Wants", id="f4", kind="MULTIPLE_OPTIONS"),
        definition("Note", id="f5", kind="LARGE_TEXT"),
    ]
    row = {
        "id": "a",
        "customFields": [
            {"id": "f1", "value": 1200},
            {"id": "f2", "value": "3"},
            {"id": "f3", "value": "2025-03-01"},
            {"id": "f4", "value": ["sofa", "bed"]},
            {"id": "f5", "value": "call first"},
        ],
    }

    frame = frame_of([row, {"id": "b"}], definitions=fields)

    assert frame.loc[0, ["Budget", "Rooms", "Wants", "Note"]].tolist() == [1200.0, 3.0, ["sofa", "bed"], "call first"]
    assert frame.loc[0, "Moves in"] == pd.Timestamp("2025-03-01")
    expected = {"Budget": MONEY, "Rooms": NUMBER, "Moves in": DAY, "Wants": LIST, "Note": TEXT}
    assert {name: frame[name].dtype for name in expected} == {name: kind.dtype for name, kind in expected.items()}
    assert frame_of(definitions=fields).dtypes.equals(frame.dtypes)


@pytest.mark.parametrize(
    "items",
    [
        [{"id": "f1", "value": "x"}],
        [{"id": "f1", "fieldValue": "x"}],
        [{"id": "f1", "field_value": "x"}],
        [{"id": "f1", "type": "string", "fieldValueString": "x"}],
        [{"id": "f1", "type": "array", "fieldValueArray": ["x"]}],
        [{"id": "f1", "value": ["x"]}],
        [{"id": "f1", "value": None, "fieldValueArray": [], "fieldValueString": "x"}],
        [{"id": "f1", "value": "", "fieldValue": "x"}],
        [{"id": "f1", "fieldValue": "y", "value": "x"}],
        [{"id": "f1", "value": None}, {"id": "f1", "fieldValue": "x"}, {"id": "f1", "value": None}],
    ],
)
def test_a_custom_value_is_found_under_each_of_its_wire_names(items):
    assert custom_values(items)[0].tolist() == ["x"]


def custom_values(*rows, kind="TEXT", **more):
    """The column of a custom field, from rows with these items, and how many values did not fit."""
    field = {**definition("Note", kind=kind), **more}
    builder = FrameBuilder(CONTACTS.columns, "contact_id", CustomFields.of([field], "contact", CONTACTS.columns))
    builder.add([{"id": str(number), "customFields": items} for number, items in enumerate(rows)])
    return builder.frame()["Note"], builder.misfits.total()


FILE = {"url": "https://files.example.com/a.pdf", "documentId": "d1", "meta": {"originalname": "a.pdf"}}


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("TEXT", True, "true"),
        ("RADIO", False, "false"),
        ("SINGLE_OPTIONS", [True], "true"),
        ("SINGLE_OPTIONS", ["Roof"], "Roof"),
        ("SINGLE_OPTIONS", ["Roof", "Gutter", None, 2], "Roof, Gutter, 2"),
        ("LARGE_TEXT", {"line": "Zoë", "n": 1}, '{"line":"Zoë","n":1}'),
        ("TEXT", [{"a": 1}, "b"], '[{"a":1},"b"]'),
        ("PHONE", 13125550101, "13125550101"),
        ("a type of next year", {"a": [1]}, '{"a":[1]}'),
        ("FLOAT", "2.5", 2.5),
        ("NUMERICAL", [3], 3.0),
        ("MONETORY", {"currency": "USD", "value": 1200}, 1200.0),
        ("DATE", [86400000], pd.Timestamp("1970-01-02")),
        ("CHECKBOX", True, ["true"]),
        ("CHECKBOX", ["Roof", 2, False], ["Roof", "2", "false"]),
        ("CHECKBOX", "Roof", ["Roof"]),
        ("TEXTBOX_LIST", {"o1": "first", "o2": "second"}, ["first", "second"]),
        ("FILE_UPLOAD", {"5f1c": FILE, "7a2e": FILE}, [FILE, FILE]),
        ("FILE_UPLOAD", FILE, [FILE]),
        ("SIGNATURE", {"5f1c": FILE}, [FILE]),
        ("SIGNATURE", "https://files.example.com/s.png", [{"url": "https://files.example.com/s.png"}]),
    ],
)
def test_a_custom_value_is_read_in_every_shape(kind, value, read):
    for name in ("value", "fieldValue", "fieldValueString", "fieldValueArray", "fieldValueFile"):
        series, misfits = custom_values([{"id": "f1", name: value}], [], kind=kind)

        assert series.tolist()[0] == read
        assert misfits == 0


def test_options_joined_in_one_text_are_split_if_the_definition_lists_them():
    options = ["Roof", " Gutter", "Doors, windows"]
    texts = {
        "Roof, Gutter": ["Roof", "Gutter"],
        "Roof,Doors, windows": ["Roof", "Doors, windows"],
        "Doors, windows": ["Doors, windows"],
        "Call me, please": ["Call me, please"],
        "Roof, chimney": ["Roof, chimney"],
        "Roof,": ["Roof,"],
        "": [],
    }
    rows = [[{"id": "f1", "value": text}] for text in texts]

    assert custom_values(*rows, kind="CHECKBOX", picklistOptions=options)[0].tolist() == list(texts.values())
    assert custom_values([{"id": "f1", "value": ["Roof, Gutter"]}], kind="CHECKBOX", picklistOptions=options)[
        0
    ].tolist() == [["Roof", "Gutter"]]
    assert custom_values(*rows[:1], kind="CHECKBOX")[0].tolist() == [["Roof, Gutter"]]
    assert custom_values(*rows[:1], kind="RADIO", picklistOptions=options)[0].tolist() == ["Roof, Gutter"]


def test_a_folder_is_not_a_column_and_takes_no_name():
    folder = {"id": "d1", "name": "Budget", "documentType": "folder"}
    fields = [folder, {**definition("Budget"), "documentType": "field"}, {**folder, "id": "d2", "name": "Other"}]

    assert list(frame_of(definitions=fields))[len(CONTACTS.columns) :] == ["Budget"]


@pytest.mark.parametrize("day", ["1955-03-01", "1969-11-05", "1969-12-31", "1970-01-01", "1970-02-26", "2001-09-09"])
def test_birthdays_and_custom_dates_are_milliseconds_even_if_small(day):
    milliseconds = pd.Timestamp(day).value // 10**6
    spelled = [
        milliseconds,
        str(milliseconds),
        float(milliseconds),
        f"{day}T00:00:00.000Z",
        day,
        day.replace("-", ""),
    ]
    rows = [
        {"id": str(number), "dateOfBirth": value, "customFields": [{"id": "f1", "fieldValueDate": value}]}
        for number, value in enumerate(spelled)
    ]

    frame = frame_of(rows, definitions=[definition("Since", kind="DATE")])

    assert frame["birthday"].dt.strftime("%Y-%m-%d").tolist() == [day] * 6
    assert frame["Since"].dt.strftime("%Y-%m-%d").tolist() == [day] * 6


@pytest.mark.parametrize("value", [1985, "1985", 1, -62135596800, "253402300799", True, "soon", [1, 2], 10**15])
def test_a_value_that_is_not_a_birthday_is_null_and_counted(value):
    builder = FrameBuilder(CONTACTS.columns, CONTACTS.key)
    builder.add([{"id": "a", "dateOfBirth": value}])

    assert builder.frame()["birthday"].isna().all()
    assert builder.misfits == {"birthday": 1}


@pytest.mark.parametrize(
    ("whole", "first", "last", "name"),
    [
        ("ada van der poe", "Ada", "van der Poe", "Ada van der Poe"),
        ("bo ray", "Bo Ray", None, "Bo Ray"),
        ("mcafee", "", "McAfee", "McAfee"),
        ("ada  poe ", " Ada", "Poe", "Ada Poe"),
        ("info@example.com", None, None, "info@example.com"),
        ("e.e. cummings", "e.e.", "cummings", "e.e. cummings"),
        ("Cy & Sons", "Cy", "Poe", "Cy & Sons"),
        ("cy & sons", "Cy", "Poe", "cy & sons"),
        ("Dee Lux", "dee", "LUX", "Dee Lux"),
        (None, "Dee", "Lux", "Dee Lux"),
        ("", None, "Lux", "Lux"),
        (5, "Dee", "Lux", "5"),
        ("dee", 5, ["Dee"], "dee"),
    ],
)
def test_a_contacts_name_has_the_capitals_of_first_and_last_name(whole, first, last, name):
    row = {"id": "a", "contactName": whole, "firstName": first, "lastName": last}

    assert frame_of([row])["name"].tolist() == [name]


def test_names_in_lower_case_get_their_capitals_back_in_deals_and_conversations():
    deal = {"id": "a", "contact": {"name": "ada poe"}, "relations": [{"primary": True, "fullName": "Ada Poe"}]}
    conversation = {"id": "a", "contactName": "ada poe", "fullName": "Ada Poe"}

    assert frame_of([deal], resource=CATALOG["opportunities"])["contact_name"].tolist() == ["Ada Poe"]
    assert frame_of([conversation], resource=CATALOG["conversations"])["contact_name"].tolist() == ["Ada Poe"]


@pytest.mark.parametrize(
    ("wire", "name", "column"),
    [("additionalEmails", "email", "additional_emails"), ("additionalPhones", "phone", "additional_phones")],
)
def test_additional_emails_and_phones_are_lists_of_texts_in_every_shape(wire, name, column, tmp_path):
    record = {name: "x", "phoneLabel": "Work", "extension": None}
    forms = [["x"], [record], record, "x", ["x", record], [record, {name: None}], None, []]
    frame = frame_of([{"id": str(number), wire: value} for number, value in enumerate(forms)])

    assert frame[column].tolist() == [["x"], ["x"], ["x"], ["x"], ["x", "x"], ["x", None], [], []]
    frame.to_parquet(tmp_path / "contacts.parquet")


@pytest.mark.parametrize("name", ["form_submissions", "survey_submissions"])
def test_answers_hold_every_answer_and_nothing_that_the_page_added(name):
    answers = {
        "full_name": "Ada Poe",
        "photo": {"5f1c": FILE},
        "signature": FILE,
        "rooms": {"o1": "bath", "o2": ""},
        "country": {"code": "US", "name": "United States"},
        "wants": ["Roof", "Gutter"],
        "agreed": True,
        "left_empty": None,
    }
    page = {
        "eventData": {"page": {"url": "https://example.com/quote"}, "source": "Direct traffic"},
        "fieldsOriSequance": ["full_name"],
        "formId": "q1",
        "location_id": "l1",
        "sessionId": "s-1",
        "sessionFingerprint": "fp",
        "submissionId": "s1",
        "signatureHash": "abc",
        "ip": "192.0.2.7",
        "Timezone": "Europe/Zurich",
    }

    frame = frame_of([{"id": "a", "others": {**page, **answers}}, {"id": "b"}], resource=CATALOG[name])

    assert frame["answers"].tolist() == [[{"field": key, "value": answers[key]} for key in answers], []]
    assert frame.loc[0, ["page_url", "source"]].tolist() == ["https://example.com/quote", "Direct traffic"]


def test_a_name_that_collides_or_shadows_a_column_becomes_the_fields_key():
    fields = [
        definition("Budget", id="f1", key="contact.budget"),
        definition("Budget", id="f2", key="contact.budget_2"),
        definition("email", id="f3", key="contact.email_2"),
        definition("", id="f4", key="contact.unnamed"),
        definition("twin", id="f5", key="contact.budget"),
    ]

    columns = list(frame_of(definitions=fields))[len(CONTACTS.columns) :]

    assert columns == ["contact.budget", "contact.budget_2", "contact.email_2", "contact.unnamed", "twin"]


def test_names_stay_unique_even_if_keys_collide_too():
    fields = [definition("A", id="f1", key="k"), definition("A", id="f2", key="k")]

    assert list(frame_of(definitions=fields))[-2:] == ["k", "k (f2)"]


def test_a_generated_name_is_not_that_of_another_field():
    fields = [
        definition("k (f2)", id="f0", key="z"),
        definition("A", id="f1", key="k"),
        definition("A", id="f2", key="k"),
    ]

    frame = frame_of([{"id": "a", "customFields": [{"id": "f2", "value": "x"}]}], definitions=fields)

    assert list(frame)[-3:] == ["k (f2)", "k", "k (f2) (f2)"]
    assert frame["k (f2) (f2)"].tolist() == ["x"]


def test_a_definition_that_arrives_twice_is_one_column():
    assert list(frame_of(definitions=[definition("Note"), definition("Note")]))[-2:] == [
        CONTACTS.columns[-1].name,
        "Note",
    ]


def test_only_the_fields_of_the_model_become_columns():
    fields = [definition("Budget"), definition("Margin", id="f2", model="opportunity")]

    assert "Margin" not in frame_of(definitions=fields)


def test_without_the_definitions_the_values_share_one_column():
    builder = FrameBuilder(CONTACTS.columns, CONTACTS.key, CustomFieldsAsList())
    builder.add([{"id": "a", "customFields": [{"id": "f1", "fieldValueString": "x"}]}, {"id": "b"}])

    assert builder.frame()["custom_fields"].tolist() == [[{"id": "f1", "value": "x"}], []]


def test_misfits_are_one_warning_with_their_columns_and_a_hint():
    builder = FrameBuilder(CONTACTS.columns, CONTACTS.key)
    builder.add([{"id": "a", "dateAdded": "soon", "dnd": "perhaps"}, {"id": "b", "dateAdded": "later"}])

    with pytest.warns(DataWarning, match=r"3 values of contacts .*2 in created_at, 1 in do_not_disturb.*raw\(\)"):
        builder.warn("contacts")


def test_values_of_fields_without_a_definition_are_counted_in_a_warning():
    builder = FrameBuilder(CONTACTS.columns, CONTACTS.key, CustomFields({}, {}))
    builder.add([{"id": "a", "customFields": [{"id": "gone", "value": 1}, "odd"]}])

    with pytest.warns(DataWarning, match="1 values belong to 1 custom fields without a definition"):
        builder.warn("contacts")


def test_a_path_can_select_a_list_item_by_its_flag():
    column = Column("x", "touches[isFirst].name", TEXT)
    builder = FrameBuilder([Column("id", "id", TEXT), column], "id")
    builder.add([{"id": "a", "touches": [{"name": "n"}, {"name": "y", "isFirst": True}]}])

    assert builder.frame()["x"].tolist() == ["y"]
