"""A period beside an earlier one: which one, followed how long, and when a change is significant."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import hlkit as hl
from hlkit.analysis.core.period_change import Span
from hlkit.analysis.core.period_comparison import PeriodComparison, holm
from hlkit.analysis.core.shares import wilson
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import TEXT

CHICAGO = ZoneInfo("America/Chicago")


def local(text):
    return pd.Timestamp(text, tz=CHICAGO).tz_convert("UTC")


def earlier(since, until, as_of, how):
    span = Span(local(since), None if until is None else local(until), local(as_of)).earlier(how, CHICAGO)
    return [f"{instant.tz_convert(CHICAGO):%Y-%m-%d %H:%M}" for instant in (span.since, span.until, span.as_of)]


@pytest.mark.parametrize(
    ("period", "how", "expected"),
    [
        # 30 whole days, read on the day after: the 30 days before, as of the day after those
        (("2025-12-02", "2026-01-01", "2026-01-02"), "previous", ["2025-11-02", "2025-12-02", "2025-12-03"]),
        # a month has its own length, and is followed as long
        (("2025-03-01", "2025-04-01", "2025-04-11"), "previous", ["2025-02-01", "2025-03-01", "2025-03-11"]),
        (("2025-01-01", "2025-04-01", "2025-04-02"), "previous", ["2024-10-01", "2025-01-01", "2025-01-02"]),
        # a month that is not over is compared with as many days of the month before
        (("2025-12-01", "2026-01-01", "2025-12-11"), "previous", ["2025-11-01", "2025-12-01", "2025-11-11"]),
        (("2025-12-01", None, "2025-12-11"), "previous", ["2025-11-21", "2025-12-01", "2025-12-01"]),
        (("2025-12-01", "2026-01-01", "2026-01-05"), "last year", ["2024-12-01", "2025-01-01", "2025-01-05"]),
        (("2024-02-28", "2024-02-29", "2024-03-05"), "last year", ["2023-02-28", "2023-03-01", "2023-03-06"]),
        (("2024-02-01", "2024-03-01", "2024-03-05"), "last year", ["2023-02-01", "2023-03-01", "2023-03-05"]),
        # days of the local clock, also over the day on which it changes
        (("2025-11-01", "2025-11-11", "2025-11-11"), "previous", ["2025-10-22", "2025-11-01", "2025-11-01"]),
    ],
)
def test_the_earlier_period_is_as_long_and_followed_as_long(period, how, expected):
    assert earlier(*period, how) == [f"{day} 00:00" for day in expected]


def test_a_period_that_has_not_begun_is_refused():
    with pytest.raises(InvalidRequest, match="a period that has begun"):
        earlier("2026-02-01", None, "2026-01-01", "previous")


def test_more_than_a_year_is_not_compared_with_itself():
    with pytest.raises(InvalidRequest, match="longer than a year"):
        earlier("2023-01-01", "2025-01-01", "2025-01-01", "last year")


def test_holm_multiplies_the_smallest_by_all_and_never_reverses_the_order():
    assert holm([0.01, 0.04, 0.03, np.nan])[:3].tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert np.isnan(holm([0.01, np.nan])[1])


@pytest.fixture(scope="module")
def loc():
    return hl.demo(as_of="2026-01-01", size=1500)


def test_both_periods_stand_side_by_side(loc):
    result = loc.analyses.speed_to_lead(period="2025", compare="last year")
    now = loc.analyses.speed_to_lead(period="2025", by=None).table.iloc[0]
    before = loc.analyses.speed_to_lead(period="2024", as_of="2025-01-01", by=None).table.iloc[0]

    everyone = result.table.iloc[0]
    assert everyone["source"] == "(all)"
    assert (everyone["n"], everyone["n_before"]) == (now["n"], before["n"])
    assert everyone["within_60_before_share"] == before["within_60_share"]
    assert everyone["change"] == pytest.approx(now["within_60_share"] - before["within_60_share"])
    assert result.table["n"].iloc[1:].sum() == everyone["n"]
    assert result.provenance["options"]["compared with"] == "2024-01-01 to 2024-12-31"
    assert "from January 1 to December 31, 2024" in result.headline


def test_a_planted_fall_is_significant_and_named(loc):
    contacts, messages = loc.contacts(), loc.messages()
    slow = contacts.loc[(contacts["created_at"] >= "2025-07-01") & contacts["source"].eq("google"), "contact_id"]
    reading = {"contacts": contacts, "messages": messages[~messages["contact_id"].isin(slow)]}

    class Fixed:
        def __init__(self, name):
            self.name = name

        def __call__(self, *, since=None, until=None, **_):
            frame = reading[self.name]
            column = "created_at" if self.name == "contacts" else "sent_at"
            keep = pd.Series(True, index=frame.index)
            keep &= True if since is None else frame[column] >= since
            keep &= True if until is None else frame[column] < until
            return frame[keep]

    before = dict(loc.resources)
    loc.resources |= {name: Fixed(name) for name in reading}
    try:
        result = loc.analyses.speed_to_lead(since="2025-07-01", as_of="2026-01-01", compare="previous")
    finally:
        loc.resources = before

    table = result.table.set_index("source")
    assert table["significant"].to_dict()["google"]
    assert not table["significant"].drop(["google", "(all)"]).fillna(False).any()
    assert "google fell from" in result.headline
    assert result.headline.endswith("significant.")


def test_owners_are_compared_by_name(loc):
    result = loc.analyses.speed_to_lead(period="2025", compare="last year", by="owner_id")

    table = result.table
    assert list(table)[:2] == ["owner_id", "owner"]
    names = loc.users().set_index("user_id")["name"]
    known = table[table["owner_id"].isin(names.index)]
    assert len(known) > 3
    assert known["owner"].tolist() == names[known["owner_id"]].tolist()
    assert result.headline.startswith(
        f"Answered within an hour: {table['within_60_share'][0]:.0%} ({table['n'][0]:,} leads), vs. "
        f"{table['within_60_before_share'][0]:.0%} ({table['n_before'][0]:,} from January 1 to December 31, 2024); "
    )
    assert " pt" in repr(result)


def test_compare_needs_a_period_one_column_and_an_analysis_with_history(loc):
    analyses = loc.analyses
    with pytest.raises(InvalidRequest, match="compare needs a period"):
        analyses.speed_to_lead(compare="previous")
    with pytest.raises(InvalidRequest, match="compare='prior'"):
        analyses.speed_to_lead(compare="prior", period="30d")
    with pytest.raises(InvalidRequest, match="by one column"):
        analyses.speed_to_lead(compare="previous", period="30d", by=["source", "owner"])
    with pytest.raises(InvalidRequest, match="no option 'compare'"):
        analyses.funnel(compare="previous", period="30d")


def test_a_comparison_is_drawn_and_written(loc, tmp_path):
    result = loc.analyses.speed_to_lead(period="2025", compare="last year", by=None)

    assert result.save(tmp_path / "chart.png").stat().st_size > 5000
    assert result.write(tmp_path / "table.csv").exists()
    assert "(all)" in repr(result)


def test_shown_appointments_are_a_share_of_those_that_were_marked(loc):
    result = loc.analyses.appointments(period="2025", compare="last year", by="weekday")

    now = loc.analyses.appointments(period="2025", by="weekday").table.set_index("weekday")
    table = result.table.set_index("weekday")
    assert table["n"].drop("(all)").to_dict() == (now["showed"] + now["noshow"]).to_dict()
    assert table.loc["(all)", "n"] == (now["showed"] + now["noshow"]).sum()
    assert f"({table.loc['(all)', 'n']:,} marked appointments), vs. " in result.headline


def test_the_rows_behind_a_comparison_are_those_of_this_period(loc):
    result = loc.analyses.responses(period="2025", compare="last year")

    group = result.table["message_channel"].iloc[1]
    rows = result.rows(group)
    assert len(rows) == result.table["n"].iloc[1]
    assert rows["started_at"].min() >= pd.Timestamp("2025-01-01", tz=loc.timezone)


def compare_shares_of(sources, now, before, n=100, small=False, by="source"):
    """The comparison of two tables of speed_to_lead whose groups have the shares *now* and *before*."""
    analysis = hl.analyses.speed_to_lead
    tables = []
    for share in (now, before):
        low, high = wilson(share * n, n)
        columns = {"within_60_share": share, "within_60_low": low, "within_60_high": high}
        tables.append(
            pd.DataFrame(
                {by: pd.Series(sources, dtype=TEXT.dtype), "n": n, "small": small, "median_min": 5.0, **columns}
            )
        )
    span = Span(local("2025-12-01"), local("2026-01-01"), local("2026-01-01"))
    comparison = PeriodComparison(analysis, analysis.compares)
    table = comparison.table(tables, span, span, CHICAGO)
    table.attrs["hlkit"] = {"compared_with": {"since": "2025-11-01", "last_day": "2025-11-30"}}
    return table, comparison


def test_groups_without_a_name_and_combined_groups_are_not_tested():
    table, _ = compare_shares_of(["ads", "(other)", "(none)"], 0.5, 0.2)

    table = table.set_index("source")
    assert table["change"].tolist() == pytest.approx([0.3, 0.3, 0.3])
    assert table.loc["ads", "significant"]
    assert table["significant"].isna().to_dict() == {"ads": False, "(other)": True, "(none)": True}


def test_a_group_that_the_analysis_calls_small_is_not_tested():
    assert compare_shares_of(["ads"], 0.5, 0.2, small=True)[0]["p"].isna().all()


def test_a_group_column_named_as_a_column_of_the_comparison_keeps_its_values():
    table, _ = compare_shares_of(["ads", "mail"], 0.5, 0.2, by="p")

    assert table["p (group)"].tolist() == ["ads", "mail"]
    assert table["p (group)"].dtype == TEXT.dtype
    assert (table["p"] < 0.001).all()


def test_equal_shares_have_not_changed():
    table, comparison = compare_shares_of(["(all)"], 0.0, 0.0, n=200)

    assert comparison.headline(table) == (
        "Answered within an hour: 0% (200 leads), vs. 0% (200 from November 1 to November 30, 2025); no change."
    )


def test_a_share_that_is_not_known_yet_is_not_compared():
    table, comparison = compare_shares_of(["(all)"], float("nan"), 0.5)

    assert comparison.headline(table).startswith(
        "Nothing to compare: the share answered within an hour is not known for this period, with 100 leads in this "
    )


def test_months_begin_in_the_zone_of_the_location(loc):
    result = loc.analyses.speed_to_lead(period="2025-06", compare="previous", timezone="UTC")

    assert result.provenance["options"]["compared with"] == "2025-05-01 to 2025-05-31"
