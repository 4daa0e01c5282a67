"""A period beside an earlier one: which one, followed how long, and when a change is significant."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import hlkit as hl
from hlkit.analysis.core.period_change import Span
from hlkit.analysis.core.period_comparison import PeriodComparison, holm
from hlkit.client.errors import InvalidRequest

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
        # days of the local clock, also over the day on which it changes
        (("2025-11-01", "2025-11-11", "2025-11-11"), "previous", ["2025-10-22", "2025-11-01", "2025-11-01"]),
    ],
)
def test_the_earlier_period_is_as_long_and_followed_as_long(period, how, expected):
    assert earlier(*period, how) == [f"{day} 00:00" for day in expected]


def test_a_period_that_has_not_begun_is_refused():
    with pytest.raises(InvalidRequest, match="a period that has begun"):
        earlier("2026-02-01", None, "2026-01-01", "previous")


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


def test_groups_that_were_combined_are_not_tested():
    table = pd.DataFrame({"source": ["ads", "(other)"], "n": 100})
    for part, value in (("share", 0.5), ("low", 0.404), ("high", 0.596)):
        table[f"within_60_{part}"] = value
    before = table.assign(within_60_share=0.2, within_60_low=0.133, within_60_high=0.289)
    analysis = hl.analyses.speed_to_lead
    span = Span(local("2025-12-01"), local("2026-01-01"), local("2026-01-01"))

    compared = PeriodComparison(analysis, analysis.compares).table([table, before], span, span, CHICAGO)

    compared = compared.set_index("source")
    assert compared["change"].tolist() == pytest.approx([0.3, 0.3])
    assert compared.loc["ads", "significant"]
    assert pd.isna(compared.loc["(other)", "p"])
