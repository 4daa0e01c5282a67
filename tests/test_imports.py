"""What counts as an import, and that imports are always reported."""

import pandas as pd
import pytest

import hlkit as hl
from hlkit.analysis.core.bulk_imports import is_bulk_import
from hlkit.client.schema import INSTANT, TEXT

MINUTE = pd.Timestamp("2025-01-06T09:00Z")


def created(*seconds, **more):
    """Rows created so many seconds after nine o'clock."""
    ids = pd.Series([f"c{number}" for number in range(len(seconds))], dtype=TEXT.dtype)
    at = pd.Series([MINUTE + pd.Timedelta(seconds=second) for second in seconds], dtype=INSTANT.dtype)
    return pd.DataFrame({"contact_id": ids, "created_at": at, **more})


APART = [3600 * hour for hour in range(1, 40)]


@pytest.mark.parametrize(
    ("times", "imported"),
    [
        ([second * 1.2 for second in range(50)], 50),  # 50 in a minute, and across two of the clock's
        ([30 + second for second in range(50)], 50),
        ([second * 1.2 for second in range(49)], 0),
        ([number * 2.9 for number in range(200)], 200),  # 200 in ten minutes
        ([number * 2.9 for number in range(199)], 0),
        ([number * 3.1 for number in range(400)], 0),  # never 200 in ten minutes
        ([0] * 50, 50),
        ([], 0),
    ],
)
def test_fifty_rows_in_a_minute_or_two_hundred_in_ten_are_an_import(times, imported):
    flags = is_bulk_import(created(*APART[::-1], *times))

    assert flags.tolist() == [False] * len(APART) + [imported > 0] * len(times)


def test_a_row_whose_source_says_import_is_imported():
    sources = ["CSV Import", "imported", "csv_import", "BULK_IMPORT", "bulkimport", "google", "important", None]
    frame = created(*APART[: len(sources)])

    expected = [True] * 5 + [False] * 3
    for column in ("source", "created_by", "created_by_channel", "first_medium"):
        assert is_bulk_import(frame.assign(**{column: pd.Series(sources, dtype=TEXT.dtype)})).tolist() == expected
        assert is_bulk_import(frame.assign(**{column: sources})).tolist() == expected


def test_a_row_without_a_date_is_imported_only_if_its_source_says_so():
    frame = created(1, 2).assign(created_at=pd.Series([pd.NaT] * 2, dtype=INSTANT.dtype), source=["import", "ads"])

    assert is_bulk_import(frame).tolist() == [True, False]


@pytest.mark.parametrize("name", [name for name in hl.analyses if "imports" in hl.analyses[name].options])
def test_a_burst_of_sixty_is_left_out_and_reported_unless_imports_are_included(name):
    analysis = hl.analyses[name]
    days = [86_400 * day for day in range(40)]
    rows = created(*days, *(50 * 86_400 + second for second in range(60)))
    status = ["won", "open"] * 50
    more = {"opportunity_id": rows["contact_id"], "status": status, "stage_id": "s1", "pipeline_id": "p1"}
    rows = rows.assign(**more, source="webinar")
    rows["status_changed_at"] = rows["stage_changed_at"] = rows["created_at"] + pd.Timedelta(days=1)
    messages = {"message_id": "m", "contact_id": "c0", "sent_at": MINUTE + pd.Timedelta(minutes=5)}
    messages |= {"direction": "outbound", "origin": "app", "user_id": "u", "status": "sent", "type": "TYPE_SMS"}
    stages = {"stage_id": "s1", "pipeline_id": "p1", "position": 0, "name": "New", "pipeline": "Sales"}
    frames = {"contacts": rows, "opportunities": rows}
    frames |= {"messages": pd.DataFrame([messages]), "stages": pd.DataFrame([stages])}
    frames = {needed: frames.get(needed) for needed in analysis.frames}

    without = analysis(**frames, as_of="2025-06-01")
    included = analysis(**frames, as_of="2025-06-01", imports="include")

    metadata = without.attrs["hlkit"]
    assert 60 in [count for why, count in metadata["left_out"].items() if "of an import" in why]
    assert 'imports="include" counts them' in metadata["definition"]
    assert not any("import" in why for why in included.attrs["hlkit"]["left_out"])
    assert "imports=" not in included.attrs["hlkit"]["definition"]
    for column in {"n", "leads"} & set(included):
        per = included["day"].nunique() if "day" in included else 1  # a curve repeats n on each of its days
        assert (included[column].sum() - without[column].sum()) / per == 60
