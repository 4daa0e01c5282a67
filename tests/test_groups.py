"""What analyses share: groups, intervals, office hours. By hand, and against other libraries."""

import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hlkit.analysis.core import groups as module
from hlkit.analysis.core.groups import (
    ALL,
    NONE,
    assign_groups,
    group_column_name,
    import_extra,
    is_among,
    map_keys,
    per_group,
    require_columns,
)
from hlkit.analysis.core.office_hours import days_between, minutes_between, office_hours
from hlkit.analysis.core.run_log import CURRENT_RUN, RunLog
from hlkit.analysis.core.shares import share, wilson
from hlkit.client.errors import InvalidRequest, MissingColumn, MissingExtra
from hlkit.client.schema import COUNT, INSTANT, TEXT

ORACLES = "oracles run beside the lowest versions: uv pip install --group oracles"
CHICAGO = "America/Chicago"


def instants(*texts):
    """Instants of Chicago's clock."""
    return pd.Series(pd.to_datetime(list(texts))).dt.tz_localize(CHICAGO).dt.tz_convert("UTC").astype(INSTANT.dtype)


def texts(*values):
    return pd.Series(list(values), dtype=TEXT.dtype)


# ---- columns


def test_a_missing_column_is_named_with_the_closest_match():
    frame = pd.DataFrame({"created_at": [1], "source": ["a"]})

    require_columns(frame, "created_at", None)
    with pytest.raises(MissingColumn, match="has no column 'creatd_at'") as error:
        require_columns(frame, "creatd_at")
    assert "did you mean 'created_at'?" in error.value.hint
    with pytest.raises(MissingColumn) as error:
        require_columns(frame, "zzz")
    assert "created_at, source" in error.value.hint


def test_an_id_is_among_those_known_and_a_null_never_is():
    ids = texts("a", None, "b").set_axis([5, 3, 4])

    assert is_among(ids, texts("b", "c", "b", None)).to_dict() == {5: False, 3: False, 4: True}
    assert not is_among(ids, texts()).any()


def test_map_keys_keeps_the_index_and_the_dtype_even_without_rows():
    known = instants("2025-01-06 09:00", "2025-01-07 09:00").set_axis(["a", "b"])
    keys = texts("b", "x", None, "a").set_axis([5, 5, 6, 7])

    found = map_keys(keys, known)

    assert found.index.tolist() == [5, 5, 6, 7]
    assert found.isna().tolist() == [False, True, True, False]
    assert found.iloc[0] == known["b"]
    assert map_keys(texts(), known).dtype == INSTANT.dtype
    assert map_keys(texts("a"), known.head(0)).dtype == INSTANT.dtype


# ---- groups


def groups(values, by="source", dtype=None):
    frame = pd.DataFrame({by: pd.Series(values, dtype=dtype or (TEXT.dtype if len(values) == 0 else None))})
    return assign_groups(frame, by)[1].tolist()


def test_without_a_column_all_rows_are_one_group():
    frame, keys = assign_groups(pd.DataFrame({"x": [1, 2]}), None)

    assert keys.tolist() == [ALL, ALL]
    assert len(frame) == 2


def test_null_and_blank_values_are_the_group_none():
    assert groups(["a", None, "", "  ", np.nan], dtype=TEXT.dtype) == ["a", NONE, NONE, NONE, NONE]
    assert groups([None, None], dtype=TEXT.dtype) == [NONE, NONE]
    assert groups([]) == []


def test_spellings_are_one_group_with_the_most_common_name():
    assert groups(["ads", "Ads", "Ads ", " ADS", "Ads"]) == ["Ads"] * 5
    assert groups(["Straße", "STRASSE", "Straße"]) == ["Straße"] * 3


def test_half_a_surrogate_pair_is_a_group_too():
    assert groups(["\ud800", "a", None], dtype=object) == ["?", "a", NONE]


def test_ids_that_differ_in_case_are_two_groups():
    assert groups(["aB1", "Ab1"], by="owner_id") == ["aB1", "Ab1"]


def test_a_list_counts_once_in_the_group_of_each_item():
    notes = RunLog()
    token = CURRENT_RUN.set(notes)
    frame = pd.DataFrame({"tags": [["a", "b", "a"], [], None, ["B", "b "]], "n": [1, 2, 3, 4]})
    try:
        longer, keys = assign_groups(frame, "tags")
    finally:
        CURRENT_RUN.reset(token)

    assert list(zip(longer["n"], keys, strict=True)) == [(1, "a"), (1, "b"), (2, NONE), (3, NONE), (4, "b")]
    assert notes.remarks == [
        "A row with several tags counts in the group of each, so groups overlap and are not tested."
    ]
    assert frame["tags"].tolist() == [["a", "b", "a"], [], None, ["B", "b "]]


def test_numbers_dates_and_booleans_have_readable_group_names():
    assert groups([3.0, 2.5, np.nan]) == ["3", "2.5", NONE]
    assert groups(pd.array([3, None], dtype=COUNT.dtype)) == ["3", NONE]
    assert groups(pd.array([True, False, None], dtype="boolean")) == ["True", "False", NONE]
    assert groups([pd.Timestamp("2025-01-06"), pd.Timestamp("2025-01-06 14:30"), pd.NaT]) == [
        "2025-01-06",
        "2025-01-06 14:30",
        NONE,
    ]
    assert groups(pd.Categorical(["x", None, "x"])) == ["x", NONE, "x"]
    assert groups([{"a": 1}, {"a": 1}, None], dtype="object") == ["{'a': 1}", "{'a': 1}", NONE]
    assert groups([[{"a": 1}, ["x"]], [{"a": 1}, {"a": 1}]], dtype="object") == ["{'a': 1}", "['x']", "{'a': 1}"]


@pytest.mark.parametrize(
    "value", [["a", "b"], ("a", "b"), {"a", "b"}, np.array(["a", "b"])], ids=lambda value: type(value).__name__
)
def test_a_list_of_any_type_counts_in_the_group_of_each_item(value):
    column = pd.Series([value, None], dtype="object")

    assert sorted(assign_groups(pd.DataFrame({"x": [1, 2]}), column.rename("tags"))[1]) == [NONE, "a", "b"]


def test_an_arrow_list_counts_in_the_group_of_each_item():
    column = pd.Series([["a", "b"], None], dtype=pd.ArrowDtype(pa.list_(pa.string())))

    assert assign_groups(pd.DataFrame({"tags": column}), "tags")[1].tolist() == ["a", "b", NONE]


def test_values_to_group_by_are_aligned_to_the_remaining_rows():
    key = pd.Series(["a", "b", "a"], name="n")
    frame = pd.DataFrame({"n": [1, 2, 3]})[[False, True, True]]

    table = per_group(frame, key, {"n": COUNT}, lambda rows: {"n": rows["n"].sum()})

    assert table.columns.tolist() == ["n (group)", "n"]
    assert table.values.tolist() == [["b", 2], ["a", 3]]


def test_per_group_returns_the_largest_first_and_adds_up():
    frame = pd.DataFrame({"source": texts("b", "a", "a", None, "a"), "x": [1, 2, 3, 4, 5]}).set_axis([9] * 5)

    table = per_group(frame, "source", {"n": COUNT, "x": COUNT}, lambda rows: {"n": len(rows), "x": rows["x"].sum()})

    assert table.values.tolist() == [["a", 3, 10], ["b", 1, 1], [NONE, 1, 4]]


def test_per_group_without_rows_has_its_columns():
    table = per_group(pd.DataFrame({"source": texts()}), "source", {"n": COUNT}, lambda rows: {"n": len(rows)})

    assert table.columns.tolist() == ["source", "n"]
    assert len(table) == 0


def test_the_column_of_groups_never_has_the_name_of_another_column():
    assert group_column_name(None, ["n"]) == "group"
    assert group_column_name("source", ["n"]) == "source"
    assert group_column_name("value", ["n", "value"]) == "value (group)"
    table = per_group(pd.DataFrame({"n": [7, 7]}), "n", {"n": COUNT}, lambda rows: {"n": len(rows)})
    assert table.to_dict("list") == {"n (group)": ["7"], "n": [2]}


def test_a_missing_package_is_named_with_the_extra_that_installs_it(monkeypatch):
    assert import_extra("math", "dedupe", "to count") is sys.modules["math"]
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)
    with pytest.raises(MissingExtra, match="to compare names hlkit needs rapidfuzz") as error:
        import_extra("rapidfuzz.distance", "dedupe", "to compare names")
    assert error.value.hint == 'pip install "hlkit[dedupe]"'

    monkeypatch.setitem(sys.modules, "holidays", None)
    office_hours.cache_clear()
    with pytest.raises(MissingExtra, match="holidays") as error:
        office_hours("Mon-Fri 8-18", "US")
    assert error.value.hint == 'pip install "hlkit[holidays]"'


# ---- shares


def test_wilson_matches_published_intervals():
    # Brown, Cai & DasGupta's interval; 7 of 9 and 0 of 10 worked out in two other libraries
    assert wilson(7, 9) == pytest.approx((0.4526, 0.9368), abs=5e-5)
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=5e-5)
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == 1
    assert np.isnan(wilson(0, 0)).all()
    low, high = wilson([0, 3, 0], [0, 3, 10])
    assert np.isnan([low[0], high[0]]).all()
    assert [high[1], low[2]] == [1, 0]


def test_wilson_matches_statsmodels_and_scipy():
    confint = pytest.importorskip("statsmodels.stats.proportion").proportion_confint
    binomtest = pytest.importorskip("scipy.stats").binomtest
    k, n = np.meshgrid(np.arange(0, 31), np.array([1, 5, 9, 30, 1000]))
    k = np.minimum(k, n).ravel()
    n = n.ravel()

    low, high = wilson(k, n)

    theirs = confint(k, n, method="wilson")
    assert low == pytest.approx(np.clip(theirs[0], 0, 1), abs=1e-12)
    assert high == pytest.approx(np.clip(theirs[1], 0, 1), abs=1e-12)
    for k, n in ((7, 9), (0, 10), (10, 10), (1, 3), (411, 1000)):
        other = binomtest(k, n).proportion_ci(method="wilson")
        assert wilson(k, n) == pytest.approx((other.low, other.high), abs=1e-12)


def test_the_share_of_no_rows_is_nan():
    assert share(1, 4) == 0.25
    assert np.isnan(share(0, 0))
    assert share([1, 0], [2, 0])[0] == 0.5


# ---- time


def office_minutes(start, end, office="Mon-Fri 8-18", zone=CHICAGO, **options):
    return minutes_between(instants(start), instants(end), "office", zone, office_hours(office, **options)).tolist()[
        0
    ]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2025-01-06 09:00", "2025-01-06 09:20", 20),  # a Monday
        ("2025-01-06 07:00", "2025-01-06 08:10", 10),  # before it opens
        ("2025-01-06 17:50", "2025-01-07 08:10", 20),  # over night
        ("2025-01-03 17:00", "2025-01-06 09:00", 120),  # over a weekend
        ("2025-01-04 10:00", "2025-01-05 10:00", 0),  # within one
        ("2025-01-06 09:00", "2025-01-13 09:00", 5 * 600),  # a week
        ("2025-01-06 09:20", "2025-01-06 09:00", 0),  # an end before its start
    ],
)
def test_minutes_in_office_hours(start, end, expected):
    assert office_minutes(start, end) == expected


def test_the_wall_clock_counts_all_minutes_and_days():
    start, end = instants("2025-03-08 12:00", "2025-01-06 09:20"), instants("2025-03-09 12:00", "2025-01-06 09:00")

    assert minutes_between(start, end).tolist() == [23 * 60, 0]  # clocks went forward that night
    assert days_between(start, end).tolist() == [23 / 24, 0]
    assert minutes_between(start, pd.Timestamp("2025-03-08T19:00Z")).tolist()[0] == 60


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2025-03-09 00:00", "2025-03-10 00:00", 23),  # forward: a day of 23 hours
        ("2025-11-02 00:00", "2025-11-03 00:00", 25),  # back: one of 25
        ("2025-03-08 00:00", "2025-03-09 00:00", 24),
    ],
)
def test_a_day_on_which_clocks_change_has_its_real_minutes(start, end, hours):
    assert office_minutes(start, end, "Mon-Sun 0-24") == hours * 60


def test_office_hours_stay_on_the_local_clock_when_clocks_change():
    assert office_minutes("2025-03-07 17:00", "2025-03-10 09:00") == 120
    assert office_minutes("2025-10-31 17:00", "2025-11-03 09:00") == 120
    # 2 to 3 did not exist on March 9; 1 to 2 came twice on November 2
    assert office_minutes("2025-03-09 00:00", "2025-03-09 12:00", "Sun 1-4") == 120
    assert office_minutes("2025-11-02 00:00", "2025-11-02 12:00", "Sun 1-4") == 240


def test_null_stays_null_and_no_rows_give_no_rows():
    start, end = instants("2025-01-06 09:00", None, "2025-01-06 09:00"), instants("2025-01-06 10:00", None, None)

    for clock in ("office", "wall"):
        assert minutes_between(start, end, clock, CHICAGO).tolist() == pytest.approx(
            [60, np.nan, np.nan], nan_ok=True
        )
        assert minutes_between(start.head(0), end.head(0), clock, CHICAGO).dtype == "float64"
        assert minutes_between(start.iloc[1:2], end.iloc[1:2], clock, CHICAGO).isna().all()


def test_an_office_that_is_always_closed_has_no_minutes():
    assert office_minutes("2025-01-06 09:00", "2025-01-07 09:00", "Sun 8-12") == 0


def test_a_holiday_is_closed():
    pytest.importorskip("holidays")

    assert office_minutes("2025-07-03 17:00", "2025-07-07 09:00", holidays="US") == 120  # the Fourth, a Friday
    assert office_minutes("2025-07-03 17:00", "2025-07-07 09:00") == 120 + 600
    with pytest.raises(InvalidRequest, match="no holidays for 'Nowhere'"):
        office_hours("Mon-Fri 8-18", "Nowhere")
    with pytest.raises(InvalidRequest, match="no holidays for 'US-ZZ'"):
        office_hours("Mon-Fri 8-18", "US-ZZ")


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("Mon-Fri 8-18", dict.fromkeys(range(5), ((480, 1080),))),
        ("mon - wed 9:00 - 17:30", dict.fromkeys(range(3), ((540, 1050),))),
        ("Monday 8-12, Monday 13-18", {0: ((480, 720), (780, 1080))}),
        ("Fri-Mon 10-14", dict.fromkeys((0, 4, 5, 6), ((600, 840),))),
        ("Mon-Fri 8-18, Sat 10-14", {**dict.fromkeys(range(5), ((480, 1080),)), 5: ((600, 840),)}),
        ("Sun 0-24", {6: ((0, 1440),)}),
    ],
)
def test_office_hours_are_parsed(text, hours):
    assert office_hours(text).hours == hours


def test_a_lunch_break_is_not_office_time():
    office = "Mon-Fri 13-17, Mon-Fri 8-12"

    assert office_minutes("2025-01-06 11:30", "2025-01-06 13:30", office) == 60
    assert office_minutes("2025-01-06 12:10", "2025-01-06 12:50", office) == 0
    assert office_minutes("2025-01-06 00:00", "2025-01-08 00:00", office) == 2 * 480


@pytest.mark.parametrize(
    "text",
    ["", "8-18", "Mon-Fri", "Foo 8-18", "Mon-Bar 8-18", "Mon 8-8", "Mon 24-0", "Mon 8-25", "Mon 8:75-18", "x" * 99],
)
def test_invalid_hours_are_refused_with_an_example(text):
    with pytest.raises(InvalidRequest) as error:
        office_hours(text)
    assert "Mon-Fri 8-18" in error.value.hint


def test_hours_that_overlap_are_refused():
    with pytest.raises(InvalidRequest, match="the office hours on Fri overlap"):
        office_hours("Mon-Fri 8-18, Fri 8-14")


def test_an_office_may_be_open_across_midnight():
    night = {0: ((1320, 1440),), **dict.fromkeys((1, 2, 3, 4), ((0, 360), (1320, 1440))), 5: ((0, 360),)}

    assert office_hours("Mon-Fri 22-6").hours == night
    assert office_hours("Sun 20-0").hours == {6: ((1200, 1440),)}
    assert office_hours("Sun 23:30-1").hours == {6: ((1410, 1440),), 0: ((0, 60),)}
    # Friday 21:00 to Saturday 7:00 has eight open hours; Sunday night is closed until Monday at 22
    assert office_minutes("2025-06-06 21:00", "2025-06-07 07:00", "Mon-Fri 22-6") == 480
    assert office_minutes("2025-06-08 02:00", "2025-06-09 22:30", "Mon-Fri 22-6") == 30
    with pytest.raises(InvalidRequest, match="the office hours on Tue overlap"):
        office_hours("Mon 22-6, Tue 5-8")


def test_groups_smaller_than_twenty_are_small():
    assert module.SMALL == 20
