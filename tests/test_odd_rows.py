"""Whatever a field holds: no row is lost, no dtype changes, what fits is read, the rest is null and counted."""

import copy
import math

import pandas as pd
import pytest
from seeded import data

import hlkit as hl
from hlkit.client.errors import HlkitError
from hlkit.client.frames.builder import FrameBuilder
from hlkit.client.frames.custom_fields import CustomFields
from hlkit.client.frames.names import with_names
from hlkit.client.resources import CATALOG

AS_OF = pd.Timestamp("2026-01-01", tz="UTC")
NOTHING = object()  # null and not counted: the value is empty
DEEP: list = ["x"]
for _ in range(40):
    DEEP = [DEEP]
FILES = {"5f1c": {"url": "https://files.example.com/a.pdf", "meta": {"size": 1}}}
MARCH = "2025-03-01T12:00:00"

# A value, and what each kind reads; for a kind that is not listed it is a misfit. LIST reads everything: a list
# unchanged, anything else as a list of one item.
ODD: list[tuple[object, dict[str, object]]] = [
    (None, dict.fromkeys(["TEXT", "NUMBER", "COUNT", "FLAG", "INSTANT", "DAY"], NOTHING) | {"LIST": []}),
    ("", {"TEXT": ""} | dict.fromkeys(["NUMBER", "COUNT", "FLAG", "INSTANT", "DAY"], NOTHING) | {"LIST": []}),
    ("  ", {"TEXT": "  "} | dict.fromkeys(["NUMBER", "COUNT", "FLAG", "INSTANT", "DAY"], NOTHING)),
    ("text", {"TEXT": "text"}),
    ("NaN", {"TEXT": "NaN"}),
    ("Infinity", {"TEXT": "Infinity"}),
    ("null", {"TEXT": "null"}),
    ("b'x'", {"TEXT": "b'x'"}),
    ("=1+1", {"TEXT": "=1+1"}),
    ("a\0b", {"TEXT": "a\0b"}),
    ("\ud800", {"TEXT": "?", "LIST": ["?"]}),
    ("x" * 10_000, {"TEXT": "x" * 10_000}),
    (" TRUE", {"TEXT": " TRUE", "FLAG": True}),
    ("no", {"TEXT": "no"}),
    ("12", {"TEXT": "12", "NUMBER": 12.0, "COUNT": 12}),
    (" -2.50 ", {"TEXT": " -2.50 ", "NUMBER": -2.5}),
    ("1,234", {"TEXT": "1,234", "NUMBER": 1234.0, "COUNT": 1234}),
    ("$1,234.50", {"TEXT": "$1,234.50", "NUMBER": 1234.5}),
    ("1_000", {"TEXT": "1_000"}),
    ("9007199254740993", {"TEXT": "9007199254740993", "NUMBER": 2.0**53, "COUNT": 2**53 + 1}),
    ("03/15/2025", {"TEXT": "03/15/2025", "INSTANT": "2025-03-15T00:00:00Z", "DAY": "2025-03-15"}),
    ("03/04/2025", {"TEXT": "03/04/2025"}),
    ("N/A", {"TEXT": "N/A"}),
    ("1e400", {"TEXT": "1e400"}),
    (0, {"TEXT": "0", "NUMBER": 0.0, "COUNT": 0}),
    (-7, {"TEXT": "-7", "NUMBER": -7.0, "COUNT": -7}),
    (3.5, {"TEXT": "3.5", "NUMBER": 3.5}),
    (2**63, {"TEXT": str(2**63), "NUMBER": 2.0**63}),
    (10**400, {"TEXT": str(10**400)}),
    (math.nan, {"TEXT": "nan"}),
    (-math.inf, {"TEXT": "-inf"}),
    (True, {"FLAG": True}),
    (False, {"FLAG": False}),
    (f"{MARCH}.000Z", {"TEXT": f"{MARCH}.000Z", "INSTANT": f"{MARCH}Z", "DAY": "2025-03-01"}),
    (f"{MARCH}-06:00", {"TEXT": f"{MARCH}-06:00", "INSTANT": "2025-03-01T18:00:00Z", "DAY": "2025-03-01"}),
    ("0001-01-01T00:00:00Z", {"TEXT": "0001-01-01T00:00:00Z"}),
    ("9999-12-31", {"TEXT": "9999-12-31"}),
    (1740830400000, {"INSTANT": f"{MARCH}Z", "DAY": "2025-03-01", "COUNT": 1740830400000, "NUMBER": 1740830400000.0}),
    ([], {"LIST": []}),
    (["x"], {"LIST": ["x"]}),
    ([None, 1, {"a": [1]}], {"LIST": [None, 1, {"a": [1]}]}),
    (DEEP, {"LIST": DEEP}),
    ({}, {"LIST": []}),
    ({"a": 1}, {"LIST": [1]}),
    (FILES, {"LIST": [FILES["5f1c"]]}),
    ({"email": "ann@example.com"}, {"LIST": [{"email": "ann@example.com"}]}),
]
DATA_TYPES = (
    *("TEXT", "LARGE_TEXT", "NUMERICAL", "FLOAT", "MONETORY", "PHONE", "DATE", "CHECKBOX", "SINGLE_OPTIONS", "RADIO"),
    *("MULTIPLE_OPTIONS", "TEXTBOX_LIST", "FILE_UPLOAD", "SIGNATURE", "new"),
)


def put(row, path, value):
    """Set the value at a wire path, replacing whatever is in the way."""
    *parents, last = path.split(".")
    for parent in parents:
        name, _, flag = parent.partition("[")
        inner = {flag.rstrip("]"): True} if flag else row.get(name) if isinstance(row.get(name), dict) else {}
        row[name] = [inner] if flag else inner
        row = inner
    row["answer" if last == "*" else last] = value


def builder_of(name):
    resource = CATALOG[name]
    fields = [
        {"id": kind, "name": f"Field {kind}", "dataType": kind, "picklistOptions": ["x"]} for kind in DATA_TYPES
    ]
    custom = CustomFields.of(fields, resource.model, resource.columns) if resource.model else None
    return FrameBuilder(resource.columns, resource.key, custom)


def assert_declared_dtypes(frame, builder):
    assert [frame[column.name].dtype for column in builder.all_columns] == [
        column.kind.dtype for column in builder.all_columns
    ]


def expected(column, value, read):
    """What the column reads, and whether the value is counted as a misfit."""
    kind = {"ID": "TEXT", "CHOICE": "TEXT", "MONEY": "NUMBER", "SHARE": "NUMBER"}.get(
        column.kind.name, column.kind.name
    )
    if kind == "LIST" and column.item and isinstance(value, dict) and column.item in value:
        return [value[column.item]], False
    if kind == "LIST":
        return read.get(kind, [value]), False
    if column.epoch_ms and value == 0 and value is not False:
        return pd.Timestamp("1970-01-01"), False
    if kind == "TEXT" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value), False
    result = read.get(kind)
    if result == "" and column.kind.name != "TEXT":
        result = NOTHING
    if kind in ("INSTANT", "DAY") and isinstance(result, str):
        result = pd.Timestamp(result)
    return (None, False) if result is NOTHING else (result, result is None)


@pytest.mark.parametrize("name", CATALOG)
def test_every_column_reads_what_fits_and_counts_misfits(name):
    builder = builder_of(name)
    columns = [column for column in builder.columns[1:] if not column.paths[0].endswith("*")]
    rows = []
    for number, (value, _) in enumerate(ODD):
        row = {}
        for column in builder.columns:
            put(row, column.paths[0], str(number) if column.name == builder.key else value)
        rows.append(row)
    builder.add(rows)
    frame = builder.frame()

    assert_declared_dtypes(frame, builder)
    assert frame[builder.key].tolist() == [str(number) for number in range(len(ODD))]
    for column in columns:
        pairs = [expected(column, value, read) for value, read in ODD]
        series = frame[column.name].astype(object)
        read_values = series.where(series.notna(), None).tolist() if column.kind.name != "LIST" else series.tolist()
        assert read_values == [value for value, _ in pairs], column.name
        assert builder.misfits[column.name] == sum(is_misfit for _, is_misfit in pairs), column.name


def test_every_kind_of_custom_field_keeps_its_rows_and_counts_misfits():
    builder = builder_of("contacts")
    builder.add(
        [
            {"id": str(number), "customFields": [{"id": kind, "value": value} for kind in DATA_TYPES]}
            for number, (value, _) in enumerate(ODD)
        ]
    )
    frame = builder.frame()

    assert_declared_dtypes(frame, builder)
    assert len(frame) == len(ODD)
    assert not builder.unknown_fields
    for kind in DATA_TYPES:
        column = frame[f"Field {kind}"]
        if column.dtype != object:
            empty = [value in (None, "", [], {}) or value == "  " for value, _ in ODD]
            assert column[~pd.Series(empty)].isna().sum() == builder.misfits[f"Field {kind}"], kind
        if kind in ("TEXT", "RADIO", "new"):
            assert builder.misfits[f"Field {kind}"] == 0, "a text column loses no answer"


def test_definitions_of_custom_fields_can_hold_anything_too():
    keys = ("id", "name", "fieldKey", "dataType", "documentType", "model", "picklistOptions")
    plain = {"name": "Field", "dataType": "CHECKBOX", "model": "contact", "picklistOptions": [{"label": "x"}, "y"]}
    contacts = CATALOG["contacts"]
    rows = [{"id": f"{key} {n}", **plain, key: odd} for key in keys for n, (odd, _) in enumerate(ODD)]

    custom = CustomFields.of([*rows, {"id": "f1", **plain}], "contact", contacts.columns)
    builder = FrameBuilder(contacts.columns, contacts.key, custom)
    builder.add([{"id": "a", "customFields": [{"id": "f1", "value": "x, y"}]}])
    frame = builder.frame()

    assert_declared_dtypes(frame, builder)
    assert frame.columns.is_unique
    assert frame[custom.columns["f1"].name].tolist() == [["x", "y"]]


# ---- everything that takes frames


@pytest.fixture(scope="module")
def frames():
    """Frames in which a third of the fields, ids included, holds something odd."""
    frames = {}
    for name in CATALOG:
        builder = builder_of(name)
        rows = [] if name == "location" else list(data(0, 30).rows("pipelines" if name == "stages" else name))
        if name == "stages":
            rows = [{**stage, "parent": row} for row in rows for stage in row["stages"]]
        rows = (rows * 80)[: max(80, min(len(rows), 160))] or [{} for _ in ODD]
        rows = [spoiled(copy.deepcopy(row), number, builder) for number, row in enumerate(rows)]
        builder.add(rows)
        frames[name] = builder.frame()
        frames[name].attrs["hlkit"] = {"resource": name}
        assert_declared_dtypes(frames[name], builder)
    return frames


def spoiled(row, number, builder):
    for index, column in enumerate(builder.columns):
        value = ODD[(7 * number + index) % len(ODD)][0]
        if index == 0 and number % 9:
            put(row, column.paths[0], f"{row.get(column.paths[0])} {number // 40}" if number >= 40 else row.get("id"))
        elif (number + index) % 3 == 0:
            put(row, column.paths[0], value)
    if builder.custom and number % 2:
        items = [{"id": kind, "value": ODD[(number + index) % len(ODD)][0]} for index, kind in enumerate(DATA_TYPES)]
        row["customFields"] = items
    return row


@pytest.mark.parametrize("name", CATALOG)
def test_odd_frames_are_profiled_and_named(frames, name):
    names = {resource: frame.drop_duplicates(frame.columns[0]) for resource, frame in frames.items()}

    assert len(hl.summarize(frames[name])) == frames[name].shape[1]
    assert len(with_names(frames[name], lambda of: names[of].set_index(names[of].columns[0])["name"])) == len(
        frames[name]
    )


@pytest.mark.parametrize("name", hl.analyses)
def test_every_analysis_of_odd_frames_returns_a_headline_or_raises(frames, name):
    analysis = hl.analyses[name]
    inputs = {needed: frames[needed] for needed in analysis.frames}
    groups = ["tags", "additional_emails", "Field SIGNATURE", "Field CHECKBOX", "Field DATE", "source"]
    groups = [by for by in groups if by in next(iter(inputs.values()))] if "by" in analysis.options else []

    for by in groups or [None]:
        try:
            table = analysis(**inputs, as_of=AS_OF, **({"by": by} if groups else {}))
        except HlkitError:
            continue
        assert isinstance(analysis.headline(table), str)
