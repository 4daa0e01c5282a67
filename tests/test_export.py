"""Files read again by pandas and openpyxl: the same rows, and nothing in them that runs."""

from __future__ import annotations

import datetime as dt
import enum
import json
import os
import re
import stat
import tempfile
import warnings
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xlsxwriter.workbook
from hypothesis import given, settings
from hypothesis import strategies as st

from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.builder import DataWarning, FrameBuilder
from hlkit.client.schema import COUNT, DAY, FLAG, INSTANT, LIST, MONEY, TEXT, Column
from hlkit.client.text import printable
from hlkit.files.export import write
from hlkit.files.spreadsheet import harmless

SUFFIXES = [".parquet", ".csv", ".xlsx", ".jsonl"]
SIGNS = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"]
HOSTILE = [
    '=HYPERLINK("http://x.example","a")',
    "+1",
    "Ann\rLee",
    "\r=1+1",
    "\u200fרות",
    "Zoë 🦊",
    "<r><t>x</t></r>",
    "http://x.example/",
    "_x0041_",
    "\x1b]8;;http://x.example\x1b\\click\x1b]8;;\x1b\\",
    "NUL\0here",
    'a "quoted", name',
    "{=1+1}",
]

COLUMNS = (
    Column("contact_id", "id", TEXT),
    Column("name", "name", TEXT, private=True),
    Column("created_at", "at", INSTANT),
    Column("birthday", "born", DAY),
    Column("value", "value", MONEY),
    Column("visits", "visits", COUNT),
    Column("is_valid", "valid", FLAG),
    Column("tags", "tags", LIST),
)
ANN = {
    "id": "a",
    "name": "Zoë Ångström",
    "at": "2025-07-01T05:00:00.250Z",
    "born": "1990-02-28",
    "value": 1200.5,
    "visits": 3,
    "valid": True,
    "tags": ["vip", "a;b"],
}


def frame(*rows):
    builder = FrameBuilder(COLUMNS, "contact_id")
    builder.add(rows)
    made = builder.frame()
    made.attrs["hlkit"] = {"resource": "contacts", "complete": True}
    return made


def names(*texts):
    return pd.DataFrame({"name": pd.Series(texts, dtype=TEXT.dtype)})


def sheet(path):
    return openpyxl.load_workbook(path)["data"]


def cells(path):
    return [[cell.value for cell in row] for row in sheet(path).iter_rows()]


def again(path):
    readers = {
        ".parquet": pd.read_parquet,
        ".csv": pd.read_csv,
        ".xlsx": pd.read_excel,
        ".jsonl": lambda file: pd.read_json(file, lines=True),
    }
    return readers[path.suffix](path)


# ---- the four formats


def test_parquet_keeps_every_value_type_and_attribute(tmp_path):
    sent = frame(ANN, {"id": "b"})

    got = pd.read_parquet(write(sent, tmp_path / "a.parquet"))

    assert got["tags"].map(list).tolist() == [["vip", "a;b"], []]
    texts, got_texts = sent[["contact_id", "name"]].fillna(""), got[["contact_id", "name"]].fillna("")
    assert got_texts.values.tolist() == texts.values.tolist()
    typed = ["created_at", "birthday", "value", "visits", "is_valid"]
    pd.testing.assert_frame_equal(got[typed], sent[typed])
    assert got.attrs == sent.attrs


LISTS = {
    "tags": ([["vip"], []], "list<string>"),
    "follower_ids": ([[], []], "list<string>"),
    "emails": ([[{"email": "ann@example.com"}], []], "list<struct<email: string>>"),
    "answers": ([[{"value": "x"}, {"value": ["y"]}], [{"value": 1}]], "list<struct<value: string>>"),
    "options": ([["a", {"label": "b"}], None], "list<string>"),
    "files": ([{"a": []}, {"b": None}], "struct<a: list<string>, b: string>"),
    "nothing": ([None, None], "string"),
}


def types(path):
    schema = pq.read_schema(path)
    return {field.name: re.sub("large_|element: |item: ", "", str(field.type)) for field in schema}


def test_lists_in_parquet_have_one_type_which_other_programs_read(tmp_path):
    made = pd.DataFrame({name: pd.Series(values, dtype=object) for name, (values, _) in LISTS.items()})

    with pytest.warns(DataWarning, match="one type per column: answers, options$"):
        path = write(made, tmp_path / "a.parquet")

    assert types(path) == {name: kind for name, (_, kind) in LISTS.items()}


def test_duckdb_reads_the_lists_of_parquet(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    made = pd.DataFrame({name: pd.Series(values, dtype=object) for name, (values, _) in LISTS.items()})

    with pytest.warns(DataWarning, match="one type per column"):
        path = write(made, tmp_path / "a.parquet")

    query = f"select tags, follower_ids, answers[2].value, options, nothing from '{path}'"
    assert duckdb.sql(query).fetchall() == [
        (["vip"], [], '["y"]', ["a", '{"label":"b"}'], None),
        ([], [], None, None, None),
    ]


def test_a_list_in_parquet_has_the_same_type_without_rows(tmp_path):
    kinds = types(write(frame(), tmp_path / "none.parquet")), types(write(frame(ANN), tmp_path / "one.parquet"))

    assert kinds[0] == kinds[1]
    assert kinds[0]["tags"] == "list<string>"


def test_json_lines_hold_an_object_a_row(tmp_path):
    path = write(frame(ANN, {"id": "b"}), tmp_path / "a.jsonl")

    first, second = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    assert first == {
        "contact_id": "a",
        "name": "Zoë Ångström",
        "created_at": "2025-07-01T05:00:00.250Z",
        "birthday": "1990-02-28",
        "value": 1200.5,
        "visits": 3,
        "is_valid": True,
        "tags": ["vip", "a;b"],
    }
    assert second == dict.fromkeys(first) | {"contact_id": "b", "tags": []}
    assert "Zoë Ångström" in path.read_text(encoding="utf-8")


def test_csv_opens_with_its_accents_in_excel_and_in_pandas(tmp_path):
    path = write(frame(ANN, {"id": "b"}), tmp_path / "a.csv")

    assert path.read_bytes().startswith(b"\xef\xbb\xbfcontact_id,")
    assert path.read_text(encoding="utf-8-sig").splitlines() == [
        "contact_id,name,created_at,birthday,value,visits,is_valid,tags",
        "a,Zoë Ångström,2025-07-01T05:00:00.250Z,1990-02-28,1200.5,3,True,vip; a;b",
        "b,,,,,,,",
    ]
    assert pd.read_csv(path).columns[0] == "contact_id"


def test_excel_has_real_dates_in_the_locations_zone(tmp_path):
    path = write(frame(ANN, {"id": "b"}), tmp_path / "a.xlsx", timezone="America/Chicago")

    headings, first, second = cells(path)

    assert headings[2] == "created_at (America/Chicago)"
    # 05:00 UTC in July is midnight in Chicago.
    assert first == [
        "a",
        "Zoë Ångström",
        dt.datetime(2025, 7, 1, 0, 0, 0, 250_000),
        dt.datetime(1990, 2, 28),
        1200.5,
        3,
        True,
        "vip; a;b",
    ]
    assert second == ["b", *[None] * 7]
    row = sheet(path)[2]
    assert [row[2].number_format, row[3].number_format] == ["yyyy-mm-dd hh:mm:ss", "yyyy-mm-dd"]


def test_excel_freezes_and_filters_the_headings(tmp_path):
    made = sheet(write(frame(ANN), tmp_path / "a.xlsx"))

    assert made.freeze_panes == "A2"
    assert made.auto_filter.ref == "A1:H2"
    assert 8 <= made.column_dimensions["B"].width <= 60


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_frame_without_rows_keeps_its_columns(tmp_path, suffix):
    path = write(frame(), tmp_path / f"a{suffix}")

    if suffix == ".jsonl":
        assert path.read_bytes() == b""
        return
    got = again(path)
    assert len(got) == 0
    assert [name.split(" ")[0] for name in got] == [column.name for column in COLUMNS]


# ---- what a spreadsheet would run


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_no_text_and_no_heading_starts_like_a_formula(tmp_path, suffix, sign):
    made = pd.DataFrame({f"{sign}head": [f"{sign}1+1"], "tags": [[f"{sign}a", f"{sign}b"]]})

    path = write(made, tmp_path / f"a{suffix}")

    rows = cells(path) if suffix == ".xlsx" else pd.read_csv(path, header=None).values.tolist()
    assert [[text[0] for text in row] for row in rows] == [["'", "t"], ["'", "'"]]
    assert "; '" in rows[1][1]


@pytest.mark.parametrize("text", [" =1", "\u200b=1", "\ufeff@a", "\x1b[31m=1", "\u202e+1"])
def test_a_sign_hidden_behind_what_nobody_sees_is_found(text):
    assert harmless(text).startswith("'")


@pytest.mark.parametrize("text", ["Ann", "a=b", "1-2", "ann@example.com", "", "'tis", "🦊", "\u200fרות"])
def test_ordinary_text_stays_as_it_is(text):
    assert harmless(text) == text


PHONES = ["+13125550101", "+1 312 555 0101", "+447700900123"]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_phone_number_in_digits_comes_back_as_it_was(tmp_path, suffix):
    made = pd.DataFrame({"phone": PHONES, "more": [PHONES, [], PHONES[:1]]})

    path = write(made, tmp_path / f"a{suffix}")

    got = pd.read_csv(path, dtype=str) if suffix == ".csv" else pd.read_excel(path)
    assert got["phone"].tolist() == PHONES
    assert got["more"].fillna("").tolist() == ["; ".join(PHONES), "", PHONES[0]]


@pytest.mark.parametrize(
    "text",
    ["+1-312-555-0101", "+1+1", "+1", "+1(312)", "+13125550101+A1", "+13125550101\n=1", " +13125550101", "+1e10"],
)
def test_what_a_spreadsheet_would_calculate_is_no_phone_number(text):
    assert harmless(text) == f"'{text}"


def test_a_formula_behind_a_phone_number_starts_no_cell(tmp_path):
    path = write(names("+13125550101;=1+1", "x;+13125550101=1"), tmp_path / "a.csv")

    assert pd.read_csv(path)["name"].tolist() == ["'+13125550101;'=1+1", "x;'+13125550101=1"]


def test_a_sign_after_a_semicolon_starts_no_cell_where_excel_splits_there(tmp_path):
    path = write(names("Ann;=1+1;Lee"), tmp_path / "a.csv")

    assert pd.read_csv(path)["name"].tolist() == ["Ann;'=1+1;Lee"]


def test_numbers_below_zero_stay_numbers(tmp_path):
    made = pd.DataFrame({"a": [-5, -0.5], "mixed": pd.Series([-5, "-5"], dtype=object)})

    assert pd.read_csv(write(made, tmp_path / "a.csv")).values.tolist() == [[-5, "-5"], [-0.5, "'-5"]]
    assert cells(write(made, tmp_path / "a.xlsx"))[1:] == [[-5, -5], [-0.5, "'-5"]]


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_hostile_names_come_back_row_for_row(tmp_path, suffix, raw):
    path = write(names(*HOSTILE), tmp_path / f"a{suffix}", raw=raw)

    assert len(again(path)) == len(HOSTILE)
    if suffix == ".xlsx":
        assert len(cells(path)) == len(HOSTILE) + 1


@pytest.mark.parametrize("raw", [False, True])
def test_an_excel_file_holds_no_formula_and_no_link(tmp_path, raw):
    path = write(names(*HOSTILE), tmp_path / "a.xlsx", raw=raw)

    with ZipFile(path) as parts:
        assert not [part for part in parts.namelist() if "sheet" in part and part.endswith(".rels")]
        text = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in text
    assert "hyperlink" not in text
    assert {cell.data_type for row in sheet(path).iter_rows() for cell in row} == {"s"}


def test_markup_in_a_name_is_text_in_excel(tmp_path):
    path = write(names("<r><t>x</t></r>", "<b>&amp;", "_x0041_"), tmp_path / "a.xlsx", raw=True)

    with ZipFile(path) as parts:
        assert b"<r><t>" not in parts.read("xl/worksheets/sheet1.xml")
    assert cells(path)[1:3] == [["'<r><t>x</t></r>"], ["<b>&amp;"]]


def test_raw_leaves_text_as_it_is(tmp_path):
    texts = ["=1+1", "Ann\rLee", "Ann\nLee", "a;=b", "\x1b[31mred"]

    assert pd.read_csv(write(names(*texts), tmp_path / "a.csv", raw=True))["name"].tolist() == texts
    assert cells(write(names("=1+1"), tmp_path / "a.xlsx", raw=True)) == [["name"], ["=1+1"]]


def test_a_lone_carriage_return_starts_no_row_even_raw(tmp_path):
    made = names("Ann\r=1+1").assign(city="Waco")

    assert pd.read_csv(write(made, tmp_path / "a.csv", raw=True)).values.tolist() == [["Ann\r=1+1", "Waco"]]


def test_line_breaks_become_blanks_in_csv_and_stay_in_excel(tmp_path):
    made = names("Ann\r\nLee", "Ann\rLee", "Ann\u2028Lee")

    assert pd.read_csv(write(made, tmp_path / "a.csv"))["name"].tolist() == ["Ann Lee"] * 3
    assert [row[0] for row in cells(write(made, tmp_path / "a.xlsx"))[1:3]] == ["Ann\nLee", "Ann\nLee"]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x.example\x1b\\click\x1b]8;;\x07", "click"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title", "0;title"),
        ("a\x00b\x08c\x7fd\x85e", "abcde"),
        ("\x1bPdevice\x1b\\x", "x"),
        ("two\tcells\nlines", "two\tcells\nlines"),
        ("\ud83d", "\ufffd"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
    ],
)
def test_control_sequences_are_dropped_and_the_words_stay(text, seen):
    assert printable(text) == seen


TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("=+-@\t\r\n;,\"'\x1b\x9b\0＝<r>")), max_size=12)


def test_a_lone_column_of_blanks_keeps_its_rows(tmp_path):
    assert len(pd.read_csv(write(names("", " ", None, "\t"), tmp_path / "a.csv"))) == 4


@settings(max_examples=25, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4), st.booleans())
def test_whatever_the_names_the_rows_are_as_many_and_none_runs(texts, raw):
    with tempfile.TemporaryDirectory() as folder:
        made = pd.DataFrame({"name": pd.Series(texts, dtype=object)})
        csv, xlsx = (write(made, Path(folder) / f"a{suffix}", raw=raw) for suffix in (".csv", ".xlsx"))
        as_csv = pd.read_csv(csv, dtype=object, keep_default_na=False)["name"].tolist()
        as_excel = [row[0] for row in cells(xlsx)[1:]]

    assert len(as_csv) == len(texts)
    assert len(as_excel) == len(texts)
    if not raw:
        assert not [text for text in [*as_csv, *filter(None, as_excel)] if text[:1] in SIGNS]


# ---- sizes


@pytest.mark.fault("text")
def test_cells_longer_than_excel_holds_are_cut_and_counted(tmp_path):
    made = names("x" * 40_000, "y" * 32_767, "🦊" * 20_000)

    with pytest.warns(DataWarning, match=r"a\.xlsx: 2 cells were cut at Excel's limit of 32,767 characters"):
        path = write(made, tmp_path / "a.xlsx")

    # An emoji is two of Excel's characters.
    assert [len(row[0]) for row in cells(path)[1:]] == [32_767, 32_767, 16_383]
    assert [len(text) for text in pd.read_csv(write(made, tmp_path / "a.csv"))["name"]] == [40_000, 32_767, 20_000]


@pytest.mark.parametrize(("rows", "columns"), [(1_048_576, 1), (1, 16_385)])
def test_more_than_excel_holds_is_refused_and_leaves_nothing(tmp_path, rows, columns):
    made = pd.DataFrame(np.zeros((rows, columns), dtype="int8"))

    with pytest.raises(InvalidRequest, match=r"1,048,575 rows.*\n.*\.parquet"):
        write(made, tmp_path / "a.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_excel_would_round_is_text(tmp_path):
    made = pd.DataFrame({"a": [123_456_789_012_345, 1_234_567_890_123_456]})

    assert cells(write(made, tmp_path / "a.xlsx"))[1:] == [[123_456_789_012_345], ["1234567890123456"]]


def test_a_time_that_excel_does_not_know_is_text(tmp_path):
    made = pd.DataFrame(
        {
            "at": pd.Series(["1850-01-01", None, "2025-01-01"], dtype="datetime64[ms, UTC]"),
            "far": pd.Series([10**15, None, 0], dtype="datetime64[ms, UTC]"),
        }
    )

    assert cells(write(made, tmp_path / "a.xlsx", timezone="Asia/Kolkata"))[1:] == [
        ["1850-01-01T00:00:00.000Z", "33658-09-27T01:46:40.000Z"],
        [None, None],
        [dt.datetime(2025, 1, 1, 5, 30), dt.datetime(1970, 1, 1, 5, 30)],
    ]


def test_finer_times_than_milliseconds_keep_their_digits(tmp_path):
    made = pd.DataFrame({"at": pd.Series(["2025-01-01T00:00:00.000001"], dtype="datetime64[ns, UTC]")})

    assert '"2025-01-01T00:00:00.000001Z"' in write(made, tmp_path / "a.jsonl").read_text()


# ---- headings and indexes


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_headings_that_are_alike_empty_or_long_stay_apart(tmp_path, suffix):
    long = "x" * 500
    made = pd.DataFrame([range(8)], columns=["a", "a", "a (2)", "", None, long, long, "../x"])

    got = list(again(write(made, tmp_path / f"a{suffix}")))

    assert got[:5] == ["a", "a (3)", "a (2)", "column 4", "column 5"]
    assert len(set(got)) == 8
    assert got[7] == "../x"
    if suffix == ".xlsx":
        assert max(len(name) for name in got) <= 255


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_headings_that_become_alike_stay_apart(tmp_path, suffix):
    made = pd.DataFrame([[1, 2, 3, 4]], columns=["a b", "a\r\nb", "\x1b[1ma b", "\x07"])

    assert list(again(write(made, tmp_path / f"a{suffix}"))) == ["a b", "a b (2)", "a b (3)", "column"]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".jsonl"])
def test_headings_of_two_levels_are_joined_and_named_indexes_are_columns(tmp_path, suffix):
    sales = pd.DataFrame({"source": ["ads", "ads", "web"], "value": [1, 3, 5]})
    table = sales.groupby("source").agg({"value": ["min", "max"]})

    got = again(write(table, tmp_path / f"a{suffix}"))

    assert list(got) == ["source", "value / min", "value / max"]
    assert got.values.tolist() == [["ads", 1, 3], ["web", 5, 5]]


def test_headings_of_several_types_become_text(tmp_path):
    labels = [dt.datetime(2025, 7, 1), 3, True, ("source", "n"), dt.datetime(2025, 7, 1, 5)]
    made = pd.DataFrame([range(5)], columns=pd.Index(labels, dtype=object))
    pairs = made.set_axis(pd.MultiIndex.from_product([["n"], [1, "a", 2, "b", 3]]), axis=1)

    for suffix in SUFFIXES:
        headings = ["2025-07-01", "3", "True", "source / n", "2025-07-01 05:00:00"]
        assert list(map(str, again(write(made, tmp_path / f"a{suffix}")))) == headings
        assert list(again(write(pairs, tmp_path / f"b{suffix}"))) == ["n / 1", "n / a", "n / 2", "n / b", "n / 3"]


def test_parquet_keeps_headings_of_two_levels_and_the_index(tmp_path):
    table = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_product([["a"], ["x", "y"]]), index=["row"])

    pd.testing.assert_frame_equal(pd.read_parquet(write(table, tmp_path / "a.parquet")), table)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".jsonl"])
def test_an_index_that_only_counts_rows_is_left_out(tmp_path, suffix):
    made = pd.DataFrame({"a": [1, 2, 3]})

    assert list(again(write(made[made["a"] > 1], tmp_path / f"a{suffix}"))) == ["a"]
    assert list(again(write(made.describe(), tmp_path / f"b{suffix}"))) == ["index", "a"]


def test_two_unnamed_levels_of_an_index_become_columns(tmp_path):
    made = pd.DataFrame({"index": [1]}, index=pd.MultiIndex.from_tuples([("x", 2)], names=[None, "n"]))

    assert cells(write(made, tmp_path / "a.xlsx")) == [["level 0", "n", "index"], ["x", 2, 1]]


# ---- frames that a person changed


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_series_is_written_as_one_column(tmp_path, suffix):
    sizes = pd.DataFrame({"source": ["ads", "ads", "web"]}).groupby("source").size()

    got = again(write(sizes, tmp_path / f"a{suffix}"))

    assert got.reset_index().iloc[:, -2:].values.tolist() == [["ads", 2], ["web", 1]]
    assert list(got)[-1] == "value"


@pytest.mark.parametrize("given", [None, [1], {"a": [1]}])
def test_what_is_no_frame_is_refused(tmp_path, given):
    with pytest.raises(InvalidRequest, match=r"is not a DataFrame\n.*result\.table"):
        write(given, tmp_path / "a.csv")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lists_too_deep_to_write_are_refused(tmp_path, suffix):
    deep: list = []
    for _ in range(3000):
        deep = [deep]

    with pytest.raises(InvalidRequest, match="nested too deeply"):
        write(pd.DataFrame({"a": pd.Series([deep, 1], dtype=object)}), tmp_path / f"a{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_dates_and_times_in_one_column_lose_nothing_in_parquet(tmp_path):
    made = pd.DataFrame({"at": pd.Series([dt.date(2025, 7, 1), dt.datetime(2025, 7, 1, 5)], dtype=object)})

    with pytest.warns(DataWarning, match="one type per column: at"):
        path = write(made, tmp_path / "a.parquet")

    assert pq.read_table(path)["at"].to_pylist() == ["2025-07-01", "2025-07-01T05:00:00.000"]


class Color(enum.StrEnum):
    RED = "red"


def changed():
    return pd.DataFrame(
        {
            "mixed": pd.Series([1, "x", None], dtype=object),
            "choice": pd.Categorical(["a", None, "b"]),
            "counts": pd.Categorical([1, None, 2]),
            "wait": pd.to_timedelta([90, None, 0.5], unit="s"),
            "month": pd.PeriodIndex(["2025-07", None, "2025-08"], freq="M"),
            "day": pd.Series([dt.date(2025, 7, 1), None, dt.date(2025, 7, 2)], dtype=object),
            "at": pd.Series(
                [pd.Timestamp("2025-07-01", tz="Asia/Kolkata"), None, dt.datetime(2025, 7, 2)], dtype=object
            ),
            "pairs": pd.Series([[{"id": "f", "value": 1}, {"id": "g", "value": "x"}], [], None], dtype=object),
            "object": pd.Series([{"a": float("nan")}, {3: b"y"}, None], dtype=object),
            "few": pd.arrays.SparseArray([0, 1, 0]),
            "arrow": pd.Series([1, None, 3], dtype="int64[pyarrow]"),
            "huge": pd.Series([float("inf"), 2**70, np.float32(1.5)], dtype=object),
            "complex": [1j, 2j, 3j],
            "kind": pd.Series([Color.RED, np.str_("x"), "\ud83d"], dtype=object),
            "set": pd.Series([frozenset(["a"]), np.array([1, 2]), ("x", ["y"])], dtype=object),
        }
    )


ROWS = {
    "mixed": [1, "x", None],
    "choice": ["a", None, "b"],
    "counts": [1, None, 2],
    "wait (seconds)": [90, None, 0.5],
    "month": ["2025-07", None, "2025-08"],
    "day": ["2025-07-01", None, "2025-07-02"],
    "at": ["2025-06-30T18:30:00.000Z", None, "2025-07-02T00:00:00.000"],
    "pairs": [[{"id": "f", "value": 1}, {"id": "g", "value": "x"}], [], None],
    "object": [{"a": None}, {"3": "y"}, None],
    "few": [0, 1, 0],
    "arrow": [1, None, 3],
    "huge": [None, "1180591620717411303424", 1.5],
    "complex": ["1j", "2j", "3j"],
    "kind": ["red", "x", "\ufffd"],
    "set": [["a"], [1, 2], ["x", ["y"]]],
}


def test_json_lines_take_any_column(tmp_path):
    lines = write(changed(), tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()

    rows = [json.loads(line) for line in lines]
    assert {name: [row[name] for row in rows] for name in rows[0]} == ROWS


def test_csv_and_excel_take_any_column(tmp_path):
    text = {
        "pairs": ['{"id":"f","value":1}; {"id":"g","value":"x"}', None, None],
        "object": ['{"a":null}', '{"3":"y"}', None],
        "huge": ["inf", "1180591620717411303424", 1.5],
        "set": ["a", "1; 2", 'x; ["y"]'],
    }
    expected = ROWS | text
    as_dates = {"day": [dt.datetime(2025, 7, 1), None, dt.datetime(2025, 7, 2)]}

    got = zip(*cells(write(changed(), tmp_path / "a.xlsx")), strict=True)
    assert {name: values for name, *values in got} == expected | as_dates

    got = pd.read_csv(write(changed(), tmp_path / "a.csv"), dtype=str, keep_default_na=False)
    assert got.to_dict("list") == {
        name: ["" if value is None else str(value) for value in values]
        for name, values in (expected | {"wait (seconds)": [90.0, None, 0.5]}).items()
    }


def test_parquet_says_which_columns_hold_values_of_another_type(tmp_path):
    names = "mixed, month, at, pairs, object, huge, complex, kind, set"
    with pytest.warns(DataWarning, match=f"one type per column: {names}$"):
        path = write(changed(), tmp_path / "a.parquet")

    got, arrow = pd.read_parquet(path), pq.read_table(path)
    assert arrow["mixed"].to_pylist() == ["1", "x", None]
    assert arrow["month"].to_pylist() == ["2025-07", None, "2025-08"]
    assert arrow["at"].to_pylist() == ROWS["at"]
    assert arrow["pairs"].to_pylist() == [[{"id": "f", "value": "1"}, {"id": "g", "value": "x"}], [], None]
    assert arrow["object"].to_pylist() == [{"a": None, "3": None}, {"a": None, "3": "y"}, None]
    assert arrow["set"].to_pylist() == [["a"], ["1", "2"], ["x", '["y"]']]
    assert got["few"].tolist() == [0, 1, 0]
    assert got["wait"].equals(changed()["wait"].astype(got["wait"].dtype))


def test_attributes_that_parquet_cannot_hold_are_told(tmp_path):
    made = frame(ANN)
    made.attrs["mine"] = pd.Timestamp("2025-07-01")

    with pytest.warns(DataWarning, match="left out of attrs, since they are not JSON: mine"):
        path = write(made, tmp_path / "a.parquet")

    assert list(pd.read_parquet(path).attrs) == ["hlkit"]
    assert list(made.attrs) == ["hlkit", "mine"]


def test_a_frame_is_not_changed_by_being_written(tmp_path):
    made, same = changed(), changed()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        for suffix in SUFFIXES:
            write(made, tmp_path / f"a{suffix}")

    pd.testing.assert_frame_equal(made.drop(columns="set"), same.drop(columns="set"))


# ---- the file itself


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_only_its_owner_may_read_a_file(tmp_path, suffix):
    path = tmp_path / f"a{suffix.upper()}"
    path.write_text("mine")
    path.chmod(0o644)

    assert write(frame(ANN), os.fspath(path)) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_write_that_fails_leaves_what_was_there(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"a{suffix}"
    path.write_text("mine")

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)

    with pytest.raises(InvalidRequest, match=": No space left on device") as caught:
        write(frame(ANN), path)
    assert caught.value.__context__ is None
    assert path.read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_disk_that_fills_while_excel_is_written_leaves_nothing(tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xlsxwriter.workbook, "ZipFile", full)

    with pytest.raises(InvalidRequest, match=": No space left on device"):
        write(frame(ANN), tmp_path / "a.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_is_stopped_leaves_nothing(tmp_path, monkeypatch):
    def stopped(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(xlsxwriter.workbook.Workbook, "add_worksheet", stopped)

    with pytest.raises(KeyboardInterrupt):
        write(frame(ANN), tmp_path / "a.xlsx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("a.txt", r"file type '.txt'\n.*\.parquet, \.csv, \.xlsx, \.jsonl"),
        ("a", "unsupported file type ''"),
        ("nowhere/a.csv", "there is no folder"),
        ("folder.csv", "is a folder"),
        (f"{'a' * 300}.csv", "cannot write"),
    ],
)
def test_a_path_that_will_not_do_says_why(tmp_path, path, words):
    (tmp_path / "folder.csv").mkdir()

    with pytest.raises(InvalidRequest, match=words):
        write(frame(ANN), tmp_path / path)


def test_a_zone_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(InvalidRequest, match="no time zone 'Mars/Base'"):
        write(frame(ANN), tmp_path / "a.xlsx", timezone="Mars/Base")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_frame_without_columns_is_refused(tmp_path, suffix):
    with pytest.raises(InvalidRequest, match="no columns"):
        write(pd.DataFrame(index=[0, 1]), tmp_path / f"a{suffix}")
    assert list(tmp_path.iterdir()) == []
