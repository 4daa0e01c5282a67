import io

import numpy as np
import pandas as pd
import pytest

from hlkit.client.frames import values
from hlkit.client.schema import CHOICE, COUNT, DAY, FLAG, ID, INSTANT, LIST, MONEY, NUMBER, SHARE, TEXT

KINDS = [ID, TEXT, CHOICE, INSTANT, DAY, NUMBER, MONEY, SHARE, COUNT, FLAG, LIST]
NOON = pd.Timestamp("2025-03-01T12:00:00Z")


def column(wire_values, kind):
    chunk, misfits = values.convert(wire_values, kind)
    return values.to_pandas(values.join([chunk], kind), kind), misfits


@pytest.mark.parametrize("kind", KINDS, ids=repr)
@pytest.mark.parametrize("chunks", [[], [[]], [[None]], [[None, None], [None]]], ids=str)
def test_an_empty_column_has_the_dtype_of_its_kind(kind, chunks):
    joined = values.join([values.convert(chunk, kind)[0] for chunk in chunks], kind)

    assert values.to_pandas(joined, kind).dtype == kind.dtype


@pytest.mark.parametrize(
    "spelled",
    [
        "2025-03-01T12:00:00.000Z",
        "2025-03-01T12:00:00Z",
        "2025-03-01T06:00:00-06:00",
        "2025-03-01 12:00:00",
        1740830400000,
        "1740830400000",
        1740830400,
    ],
)
def test_an_instant_is_read_in_every_format(spelled):
    series, misfits = column([spelled, "2025-03-01T12:00:00.000Z"], INSTANT)

    assert list(series) == [NOON, NOON]
    assert misfits == 0


@pytest.mark.parametrize("beside", ["2025-03-01T12:00:00Z", 1740830400000], ids=["text", "number"])
def test_an_instant_keeps_its_microseconds(beside):
    spelled = ["2025-03-01T12:00:00.123456Z", "2025-03-01T12:00:00.123456789Z"]

    assert list(column([*spelled, beside], INSTANT)[0]) == [NOON + pd.Timedelta("123456us")] * 2 + [NOON]


@pytest.mark.parametrize(
    "read", [pd.to_datetime, lambda texts, utc: pd.read_csv(csv(texts), parse_dates=["at"])["at"]]
)
def test_times_of_the_users_own_file_merge_with_ours(read):
    ours = pd.DataFrame({"at": column(["2025-03-01T12:00:00Z", "2025-03-01T13:00:00Z"], INSTANT)[0], "row": [1, 2]})
    theirs = pd.DataFrame({"at": read(["2025-03-01T12:30:00Z", "2025-03-01T12:59:59Z"], utc=True), "their": [1, 2]})
    if pd.__version__ < "3":
        theirs["at"] = theirs["at"].dt.as_unit("us")

    assert pd.merge_asof(ours, theirs, on="at")["their"].fillna(0).tolist() == [0, 2]


def csv(texts):
    return io.StringIO("at\n" + "\n".join(texts))


def test_a_value_that_is_not_an_instant_becomes_null_and_is_counted():
    series, misfits = column(["soon", True, {}, [], "2025-13-01", 10**30, None, ""], INSTANT)

    assert series.isna().all()
    assert misfits == 6


@pytest.mark.parametrize("spelled", [1740830400, "1740830400", 1740830400000, 1740787200, 20250301, "2025-03-01"])
def test_a_day_in_milliseconds_can_also_arrive_in_seconds(spelled):
    chunk, misfits = values.convert([spelled, None], DAY, epoch_ms=True)

    assert values.to_pandas(values.join([chunk], DAY), DAY)[0] == pd.Timestamp("2025-03-01")
    assert misfits == 0


@pytest.mark.parametrize("kind", [INSTANT, DAY], ids=repr)
@pytest.mark.parametrize("day", ["1960-01-01", "1968-06-30", "1972-01-01", "2025-03-01"])
def test_milliseconds_of_the_years_around_1970_are_not_read_as_seconds(kind, day):
    milliseconds = pd.Timestamp(day, tz="UTC").value // 10**6

    assert column([milliseconds, str(milliseconds)], kind)[0].dt.strftime("%Y-%m-%d").tolist() == [day, day]


@pytest.mark.parametrize("kind", [INSTANT, DAY], ids=repr)
def test_eight_digits_are_a_day_and_fewer_are_a_misfit(kind):
    series, misfits = column(["20250301", 20250301, "2025", "0", 0, -7, 2025, 12.5, "-1234567"], kind)

    assert series.dt.strftime("%Y-%m-%d").tolist()[:2] == ["2025-03-01"] * 2
    assert series[2:].isna().all()
    assert misfits == 7


@pytest.mark.parametrize("kind", [INSTANT, DAY], ids=repr)
@pytest.mark.parametrize("other", ["2025-03-01T12:00:00Z", 1740830400000], ids=["all at once", "one by one"])
@pytest.mark.parametrize(
    "spelled",
    [
        "0000-12-31T12:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "0001-01-01",
        "1677-12-31",
        "2262-01-01",
        "9999-12-31",
        "9999-12-31T23:59:59.999-06:00",
        -62135596800,  # 0001-01-01, in seconds
        253402300799,  # 9999-12-31, in seconds
        -62135596800000,
        9214646400000,  # 2262-01-01
        253402214400000,  # 9999-12-31
        "253402214400000",
        10**15,
        1e300,
    ],
)
def test_a_placeholder_year_is_null_in_either_conversion(kind, other, spelled):
    series, misfits = column([other, spelled], kind)

    assert series.isna().tolist() == [False, True]
    assert misfits == 1


@pytest.mark.parametrize("kind", [INSTANT, DAY], ids=repr)
@pytest.mark.parametrize("beside", ["2025-03-01", 1740787200000], ids=["all at once", "one by one"])
@pytest.mark.parametrize("day", ["1678-01-01", "2261-12-31"])
def test_the_first_and_last_supported_day_are_read(kind, beside, day):
    milliseconds = pd.Timestamp(day).value // 10**6

    for spelled in (day, milliseconds, str(milliseconds)):
        series, misfits = column([spelled, beside], kind)
        assert series.dt.strftime("%Y-%m-%d").tolist() == [day, "2025-03-01"]
        assert misfits == 0


@pytest.mark.parametrize(
    "spelled", ["1990-05-01", "1990-05-01T00:00:00.000Z", "1990-05-01T23:59:59+14:00", 641520000000, 641560000000]
)
def test_a_day_is_the_day_as_written(spelled):
    series, misfits = column([spelled, None], DAY)

    assert series[0] == pd.Timestamp("1990-05-01")
    assert misfits == 0


def test_numbers_are_read_from_numbers_and_text():
    series, misfits = column([1, 2.5, "3", " 4 ", "", None], NUMBER)

    assert series.tolist()[:4] == [1, 2.5, 3, 4]
    assert series.isna().tolist() == [False] * 4 + [True] * 2
    assert misfits == 0


@pytest.mark.parametrize("beside", [[], [1740830400000]], ids=["alone", "beside a number"])
@pytest.mark.parametrize("spelled", ["2025-03-01 or so", "2025-03-011", "2025-03-01T24:00:00Z", "2025-03-01T12:75"])
def test_a_day_followed_by_other_text_is_null_in_either_conversion(spelled, beside):
    series, misfits = column([spelled, *beside], DAY)

    assert series.isna()[0]
    assert misfits == 1


@pytest.mark.parametrize(
    ("spelled", "moment"),
    [
        ("2025-3-15", "2025-03-15"),
        ("2025/03/15", "2025-03-15"),
        ("3/15/2025", "2025-03-15"),
        ("15.03.2025", "2025-03-15"),
        ("05/05/2025", "2025-05-05"),
        ("Mar 15, 2025", "2025-03-15"),
        ("March 15th, 2025 at 3:30 PM", "2025-03-15 15:30"),
        ("15-Mar-2025", "2025-03-15"),
        ("2025-03-15 12:05 AM", "2025-03-15 00:05"),
        ("2025-03-15 22:15:00 UTC", "2025-03-15 22:15"),
        ("Sat, 15 Mar 2025 10:00:00 GMT", "2025-03-15 10:00"),
        ("Sat Mar 15 2025 10:00:00 GMT-0500 (Central Daylight Time)", "2025-03-15 15:00"),
    ],
)
def test_a_date_is_read_in_the_formats_of_people_and_browsers(spelled, moment):
    at = pd.Timestamp(moment, tz="UTC")

    assert column([spelled], INSTANT)[0].tolist() == [at]
    assert column([spelled], DAY)[0].tolist() == [at.tz_localize(None).normalize()]


@pytest.mark.parametrize(
    "spelled", ["03/04/2025", "3.4.2025", "3/15/25", "15 Mars 2025", "Feb 30, 2025", "13:00 PM", "31/31/2025"]
)
def test_an_ambiguous_or_invalid_date_is_not_guessed(spelled):
    series, misfits = column([spelled], INSTANT)

    assert series.isna().all()
    assert misfits == 1


@pytest.mark.parametrize(
    ("spelled", "number"),
    [
        ("1,234", 1234),
        ("1,234,567.89", 1234567.89),
        ("$1,234.50", 1234.5),
        ("-$5", -5),
        ("$-5.5", -5.5),
        ("US$ 5", 5),
        ("1,234.50 USD", 1234.5),
        ("1.234,50 €", 1234.5),
        ("1\u202f234,50\u00a0€", 1234.5),
        ("12,5", 12.5),
    ],
)
def test_an_amount_is_read_with_its_currency_and_thousands_separators(spelled, number):
    assert column([spelled], MONEY)[0].tolist() == [number]


@pytest.mark.parametrize(
    "spelled", ["1,23,456", "0,500", "12,345,6", "--5", "-$-5", "5%", "1_000", "USD", "1.2.3", "5 of 6"]
)
def test_an_ambiguous_or_invalid_amount_is_not_guessed(spelled):
    series, misfits = column([spelled], MONEY)

    assert series.isna().all()
    assert misfits == 1


def test_a_count_in_a_text_keeps_all_its_digits():
    assert column(["9007199254740993"], COUNT)[0].tolist() == [9007199254740993]


def test_a_value_that_is_not_a_number_becomes_null_and_is_counted():
    series, misfits = column(["x", True, "nan", "inf", [], {"value": 1}], MONEY)

    assert series.isna().all()
    assert misfits == 6


def test_counts_are_whole():
    series, misfits = column([1, "2", 3.0, 3.5, True, 2**70], COUNT)

    assert series.tolist()[:3] == [1, 2, 3]
    assert misfits == 3


def test_a_fractional_count_is_null_beside_whole_ones_too():
    series, misfits = column([1, 3.5, 2.0], COUNT)

    assert series.isna().tolist() == [False, True, False]
    assert misfits == 1


def test_a_number_in_a_text_column_is_text_and_an_object_is_not():
    series, misfits = column(["a", 1, None, {"b": 1}], TEXT)

    assert series[0] == "a"
    assert series[1] == "1"
    assert series.isna().tolist() == [False, False, True, True]
    assert misfits == 1


def test_a_whole_number_in_a_text_column_has_no_fraction():
    assert column([13125550100.0, 60601.0, 0.5], TEXT)[0].tolist() == ["13125550100", "60601", "0.5"]


def test_an_empty_text_stays_and_an_empty_id_is_null():
    assert column(["", "a"], TEXT)[0].tolist() == ["", "a"]
    assert column(["", "a"], ID)[0].isna().tolist() == [True, False]


def test_flags_are_read_from_flags_and_text():
    series, misfits = column([True, "false", None, "", "yes", 1], FLAG)

    assert series.tolist()[:2] == [True, False]
    assert series.isna().tolist() == [False, False, True, True, True, True]
    assert misfits == 2


def test_lists_stay_lists_and_an_empty_value_is_an_empty_list():
    series, misfits = column([["a", "b"], None, "", "one", {"x": "first", "y": "second"}, {"phone": "1"}], LIST)

    assert series.tolist() == [["a", "b"], [], [], ["one"], ["first", "second"], [{"phone": "1"}]]
    assert misfits == 0


def test_a_lone_surrogate_does_not_lose_the_row():
    series, _ = column(["\ud800", "a"], TEXT)

    assert series.tolist() == ["?", "a"]


@pytest.mark.parametrize("kind", KINDS, ids=repr)
@pytest.mark.parametrize("pages", [1, 2])
def test_setting_a_value_changes_no_other_frame(kind, pages):
    wire, new = {
        "INSTANT": ("2025-03-01T12:00:00Z", NOON + pd.Timedelta("1h")),
        "DAY": ("2025-03-01", pd.Timestamp("2025-03-02")),
        "COUNT": (1, 2),
        "FLAG": (True, False),
        "LIST": (["a"], ["b"]),
        **dict.fromkeys(["ID", "TEXT", "CHOICE"], ("a", "b")),
        **dict.fromkeys(["NUMBER", "MONEY", "SHARE"], (0.5, 1.0)),
    }[kind.name]
    joined = values.join([values.convert([wire], kind)[0]] * pages, kind)
    frame = pd.DataFrame({"a": values.to_pandas(joined, kind)}, copy=False)

    frame.at[0, "a"] = new

    assert frame.at[0, "a"] == new
    assert values.to_pandas(joined, kind)[0] != new


def test_null_in_a_number_is_nan_for_numpy():
    assert np.isnan(column([None, 1.0], NUMBER)[0].to_numpy()[0])
