"""From a number to the people: the rows behind a group, with names and links."""

import pickle

import pandas as pd
import pytest

import hlkit as hl
from hlkit.analysis.core.groups import MAX_GROUPS, per_group
from hlkit.analysis.core.rows_behind import RowsBehind
from hlkit.analysis.core.run_log import CURRENT_RUN, RunLog
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import COUNT, NUMBER


@pytest.fixture(scope="module")
def loc():
    return hl.demo(as_of="2026-01-01", size=800)


@pytest.fixture(scope="module")
def result(loc):
    return loc.analyses.speed_to_lead(by="owner")


def test_a_group_lists_its_people_by_name_with_a_link(loc, result):
    group = result.table.iloc[0]

    rows = result.rows(group["owner"])

    assert len(rows) == group["n"]
    assert list(rows.columns[:2]) == ["name", "link"]
    assert rows.columns[-1] == "contact_id"
    assert rows["is_answered"].sum() == group["answered"]
    contact = loc.contacts().set_index("contact_id").loc[rows["contact_id"].iloc[0]]
    assert rows["name"].iloc[0] == f"{contact['first_name']} {contact['last_name']}"
    assert rows["link"].iloc[0] == loc.url_of(rows["contact_id"].iloc[0])


def test_all_groups_together_are_all_rows(result):
    assert len(result.rows()) == result.table["n"].sum()


def test_a_group_by_its_id_or_its_name_is_the_same(loc):
    by_id = loc.analyses.speed_to_lead(by="owner_id")
    named = by_id.table[by_id.table["owner"].notna()].iloc[0]

    pd.testing.assert_frame_equal(by_id.rows(named["owner_id"]), by_id.rows(named["owner"]))


def test_of_two_columns_a_pair_or_either_is_a_group(loc):
    two = loc.analyses.speed_to_lead(by=["source", "owner"])
    first = two.table[~two.table["source"].eq("(none)")].iloc[0]

    assert len(two.rows((first["source"], first["owner"]))) == first["n"]
    assert len(two.rows(first["source"])) == two.table.loc[two.table["source"] == first["source"], "n"].sum()


def test_an_unknown_group_names_the_nearest(result):
    name = result.table["owner"].iloc[0]
    with pytest.raises(InvalidRequest, match="the table has no group") as refused:
        result.rows(name + "x")
    assert name in refused.value.hint


def test_a_result_from_a_file_has_no_rows_behind_it(result):
    again = pickle.loads(pickle.dumps(result))

    with pytest.raises(InvalidRequest, match="run the analysis again, then call rows"):
        again.rows()


def test_a_list_of_people_has_no_groups(loc):
    with pytest.raises(InvalidRequest, match="no groups"):
        loc.analyses.lead_waits().rows()


def test_the_group_of_the_smallest_names_each_of_them():
    sizes = [2, *[1] * MAX_GROUPS]
    frame = pd.DataFrame({"source": [f"s{number:04}" for number, size in enumerate(sizes) for _ in range(size)]})
    frame["wait_min"] = range(len(frame))
    log = RunLog()
    token = CURRENT_RUN.set(log)
    try:
        table = per_group(frame, "source", {"n": COUNT}, lambda rows: {"n": len(rows)})
    finally:
        CURRENT_RUN.reset(token)

    rows = RowsBehind(table, log, {"wait_min": NUMBER}, lambda rows: rows).of("(other)")

    assert list(rows) == ["source", "wait_min"]
    assert len(rows) == table.set_index("source").loc["(other)", "n"] == 2
    assert rows["source"].tolist() == ["s0999", "s1000"]
