"""What is in a frame, and nobody in it."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.builder import FrameBuilder
from hlkit.client.frames.custom_fields import CustomFields
from hlkit.client.resources import CATALOG
from hlkit.client.schema import LIST
from hlkit.files.summary import pseudonym, summarize

PLANTED = [
    "Ann Example",
    "Ann",
    "Example",
    "ann@example.com",
    "+15550100",
    "+1 555 0100",
    "12 Elm Street",
    "1990-02-28",
    "sofa, in red",
    "https://example.com/ann",
    "Example Movers",
]
ANN = {
    "id": "c1",
    "contactName": "Ann Example",
    "firstName": "Ann",
    "lastName": "Example",
    "email": "ann@example.com",
    "phone": "+15550100",
    "companyName": "Example Movers",
    "address1": "12 Elm Street",
    "dateOfBirth": "1990-02-28",
    "additionalEmails": ["ann@example.com"],
    "attributionSource": {"url": "https://example.com/ann", "utmSource": "google"},
    "source": "ads",
    "city": "Waco",
    "tags": ["vip", "new"],
    "dnd": True,
    "dateAdded": "2025-07-01T05:00:00Z",
    "customFields": [{"id": "f1", "value": "sofa, in red"}, {"id": "f2", "value": 15550100}],
}
FIELDS = [
    {"id": "f1", "name": "Wants", "fieldKey": "contact.wants", "dataType": "TEXT", "model": "contact"},
    {"id": "f2", "name": "Budget", "fieldKey": "contact.budget", "dataType": "NUMERICAL", "model": "contact"},
]


def contacts(*rows, attrs=True):
    resource = CATALOG["contacts"]
    builder = FrameBuilder(resource.columns, resource.key, CustomFields.of(FIELDS, "contact", resource.columns))
    builder.add(rows)
    frame = builder.frame()
    if attrs:
        frame.attrs["hlkit"] = {"resource": "contacts"}
    return frame


def row(frame, column):
    table = summarize(frame).set_index("column")
    return table.loc[column]


def shown(frame):
    table = summarize(frame)
    return table.to_string() + table.to_html() + repr(table.to_dict())


# ---- nobody


@pytest.mark.parametrize("attrs", [True, False])
def test_no_private_value_is_shown(attrs):
    text = shown(contacts(ANN, attrs=attrs))

    assert [planted for planted in PLANTED if planted in text] == []
    assert "15550100" not in text
    assert "google" in text


def test_only_what_the_catalog_declares_and_does_not_mark_private_is_shown():
    table = summarize(contacts(ANN)).set_index("column")

    open_columns = {column.name for column in CATALOG["contacts"].columns if not column.private}
    assert set(table.index[~table["private"]]) == open_columns
    assert {"Wants", "Budget", "name", "birthday"} <= set(table.index[table["private"]])


def test_a_column_of_the_users_own_is_private():
    frame = contacts(ANN).assign(who=["Bo Planted"]).rename(columns={"name": "label"})

    assert "Bo Planted" not in shown(frame)
    assert "Ann Example" not in shown(frame)


def test_a_name_that_one_resource_marks_private_is_private_where_the_resource_is_not_known():
    frame = pd.DataFrame({"name": ["Sales"], "last_utm_source": ["google"]})
    assert "Sales" not in shown(frame)

    frame.attrs["hlkit"] = {"resource": "pipelines"}
    assert "Sales" in shown(frame)

    frame.attrs["hlkit"] = {"resource": ["pipelines"]}
    assert "Sales" not in shown(frame)

    frame.attrs["hlkit"] = {"resource": "from another version"}
    assert "Sales" not in shown(frame)
    assert "google" in shown(frame)


@pytest.mark.parametrize(
    "planted", ["ask ann@example.com", "+1 555 0100", "(555) 555-0100", "5555550100", "Ann Example", " ANN "]
)
def test_somebody_in_a_column_that_is_not_private_is_hidden(planted):
    text = shown(contacts(ANN | {"source": planted, "tags": [planted]}))

    assert planted.strip() not in text
    assert "google" in text


def test_the_ends_of_a_private_column_are_not_shown():
    ends = summarize(contacts(ANN)).set_index("column")[["min", "max"]]

    assert ends.loc["created_at"].tolist() == ["2025-07-01T05:00:00Z"] * 2
    assert ends.loc[["birthday", "Budget", "name"]].isna().all(axis=None)


def test_a_pseudonym_is_stable_and_tells_nothing():
    first, second = contacts(ANN), contacts(ANN | {"contactName": " ANN EXAMPLE "})

    assert row(first, "name")["examples"] == row(second, "name")["examples"] == pseudonym("Ann Example")
    assert pseudonym("Ann Example") != pseudonym("Bob Example")
    assert pd.Series(pseudonym("Ann Example")).str.fullmatch("text_[0-9a-f]{12}").all()
    assert row(first, "birthday")["examples"] == pseudonym(pd.Timestamp("1990-02-28"), "day")


def test_another_process_has_another_key():
    code = "from hlkit.files.summary import pseudonym; print(pseudonym('Ann Example'))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert other.stdout.strip() != pseudonym("Ann Example")


def test_a_name_that_a_terminal_or_a_page_would_run_does_nothing():
    frame = contacts(ANN | {"city": "\x1b[31mWaco\n<script>", "source": "x" * 200})

    text = summarize(frame).to_string() + summarize(frame).to_html()

    assert "\x1b" not in text
    assert "<script>" not in summarize(frame).to_html()
    assert "x" * 41 not in text


# ---- the numbers


def test_shares_and_counts_of_a_column_with_gaps():
    frame = contacts(
        *[{"id": name, "city": city} for name, city in zip("abcde", ["W", "W", "A", None, ""], strict=True)]
    )

    found = row(frame, "city")

    # Four of five hold a value (an empty text is one): W twice, A, and nothing written.
    assert found["rows"] == 5
    assert found["nulls"] == pytest.approx(0.2)
    assert found["uniques"] == 3
    assert found["most_common_share"] == 0.5
    assert found["examples"].startswith("W, ")


def test_a_list_counts_its_items_once_a_row():
    frame = contacts(
        {"id": "a", "tags": ["vip", "new", "vip"]}, {"id": "b", "tags": ["vip"]}, {"id": "c", "tags": []}, {"id": "d"}
    )

    found = row(frame, "tags")

    assert found["kind"] == "list"
    assert found["nulls"] == 0.5
    assert found["uniques"] == 2
    assert found["most_common_share"] == 1.0
    assert found["examples"] == "vip, new"


def test_every_kind_has_its_word_and_its_ends():
    frame = pd.DataFrame(
        {
            "created_at": pd.to_datetime(["2025-07-01T05:00:00.250Z", "2025-07-02T05:00:00.000Z"]),
            "value": [0.5, 1_200_000.0],
            "do_not_disturb": pd.array([True, None], dtype="boolean"),
            "source": ["ads", "web"],
            "tags": [["a"], []],
            "visits": pd.array([3, None], dtype="Int64"),
        }
    )

    frame.attrs["hlkit"] = {"resource": "opportunities"}

    table = summarize(frame)

    assert table["kind"].tolist() == ["instant", "number", "flag", "text", "list", "whole number"]
    ends = table.set_index("column")[["min", "max"]].fillna("")
    assert ends.loc["created_at"].tolist() == ["2025-07-01T05:00:00.250Z", "2025-07-02T05:00:00Z"]
    assert ends.loc["value"].tolist() == ["0.5", "1200000"]
    assert ends.loc["source"].tolist() == ["", ""]


@pytest.mark.parametrize("name", ["contacts", "opportunities", "messages"])
def test_an_empty_frame_has_a_row_for_each_column(name):
    resource = CATALOG[name]
    frame = FrameBuilder(resource.columns, resource.key).frame()

    table = summarize(frame)

    assert table["column"].tolist() == [column.name for column in resource.columns]
    assert table["rows"].eq(0).all()
    assert table[["nulls", "min", "max", "most_common_share", "examples"]].isna().all(axis=None)
    lists = [column.name for column in resource.columns if column.kind == LIST]
    assert table.loc[table["kind"] == "list", "column"].tolist() == lists


def test_a_time_beyond_what_python_knows_is_written_all_the_same():
    frame = pd.DataFrame({"created_at": pd.Series([10**15, None], dtype="datetime64[ms, UTC]")})
    frame.attrs["hlkit"] = {"resource": "contacts"}

    assert row(frame, "created_at")["max"] == "33658-09-27T01:46:40Z"


def test_the_table_has_the_same_types_whatever_the_frame():
    full, empty, none = summarize(contacts(ANN)), summarize(contacts()), summarize(pd.DataFrame())

    assert full.dtypes.equals(empty.dtypes)
    assert full.dtypes.equals(none.dtypes)
    assert len(none) == 0


def test_a_frame_that_a_person_changed_is_looked_at_too():
    columns = {
        ("two", "levels"): [1, "x"],
        3: ["a", None],
        "day": [dt.date(2025, 7, 1), None],
        "objects": [{"a": 1}, None],
        "wait": pd.to_timedelta(["1h", None]),
        "month": pd.PeriodIndex(["2025-07", None], freq="M"),
        "deep": [[["x"], {"y": 1}], "z"],
        "nothing": pd.Series([None, None], dtype=object),
    }
    frame = pd.concat([pd.Series(values) for values in columns.values()], axis=1)
    frame.columns = pd.Index([*list(columns)[:-1], "day"], dtype=object, tupleize_cols=False)
    frame["choice"] = pd.Categorical(["a", None], categories=["a", "b"])
    frame["arrow"] = pd.Series([1.5, None], dtype="double[pyarrow]")
    frame["stamp"] = pd.Series(pd.to_datetime(["2025-07-01 10:00", None]))
    frame["kinds"] = pd.Series([np.float64(1.5), None], dtype=object)

    table = summarize(frame)

    kinds = "mixed, text, day, mixed, duration, period[M], list, nothing, text, number, time, number"
    assert table["kind"].tolist() == kinds.split(", ")
    assert table["uniques"].tolist() == [2, 1, 1, 1, 1, 1, 3, 0, 1, 1, 1, 1]
    assert table["private"].all()


def test_a_frame_of_arrow_types_is_looked_at_alike():
    frame = pd.DataFrame({"name": ["Ann Example", None], "tags": [["vip", "ann example"], None], "value": [1.0, 2.0]})
    types = {"name": pa.string(), "tags": pa.list_(pa.string()), "value": pa.float64()}

    arrow = summarize(frame.astype({name: pd.ArrowDtype(kind) for name, kind in types.items()}))

    pd.testing.assert_frame_equal(arrow, summarize(frame))
    assert "ann" not in arrow.loc[1, "examples"]


@pytest.mark.parametrize("given", [None, "contacts.csv", [], {}, 5])
def test_what_is_no_frame_is_refused(given):
    with pytest.raises(InvalidRequest, match=f"a {type(given).__name__} is not a DataFrame"):
        summarize(given)


def test_a_column_alone_is_a_frame_of_one():
    assert summarize(pd.Series([1, 2], name="n"))["column"].tolist() == ["n"]
