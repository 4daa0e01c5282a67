"""The leads of two periods: counted over complete days, and tested by how much days vary."""

import math
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import hlkit as hl
from hlkit.analysis.core.period_change import Span
from hlkit.analysis.leads.expected_leads import change_interval, change_p
from hlkit.analysis.leads.volume_change import VolumeChange
from hlkit.client.errors import InvalidRequest

UTC = ZoneInfo("UTC")
START = pd.Timestamp("2025-06-01", tz="UTC")
AS_OF = START + pd.Timedelta(days=120)


def daily_leads(days, **columns):
    """A lead at noon on each of *days*, counted from the start."""
    created = [START + pd.Timedelta(days=day, hours=12) for day in days]
    return pd.DataFrame({"contact_id": [f"c{n}" for n in range(len(created))], "created_at": created, **columns})


def compared(frame, since, until=None, how="previous", by=None):
    """The comparison of the days [since, until), counted from the start."""
    now = Span(START + pd.Timedelta(days=since), None if until is None else START + pd.Timedelta(days=until), AS_OF)
    tables = [hl.analyses.lead_volume(frame, by=key, as_of=AS_OF) for key in (by, None)]
    return VolumeChange().compared(tables, now, now.earlier(how, UTC), UTC)


def test_both_periods_are_counted_over_their_complete_days():
    days = [day for day in range(120) for _ in range(2 if day < 100 else 3)]

    row = compared(daily_leads(days), 100).iloc[0]

    assert row[["leads", "leads_before", "days", "days_before"]].tolist() == [60, 40, 20, 20]
    assert row["change"] == pytest.approx(0.5)
    assert row["change_low"] < 0.5 < row["change_high"]


def test_a_period_that_began_before_the_first_lead_is_not_compared():
    row = compared(daily_leads([day for day in range(60, 120) for _ in range(2)]), 80, 110).iloc[0]

    assert row["leads"] == 60
    assert math.isnan(row["leads_before"])
    assert math.isnan(row["p"])


def test_a_group_that_is_new_is_compared_with_zero_and_not_tested():
    old, new = list(range(120)) * 2, list(range(110, 120))
    frame = daily_leads([*old, *new], source=["ads"] * len(old) + ["mail"] * len(new))

    table = compared(frame, 100, 120, by="source").set_index("source")

    assert table["leads"].to_dict() == {"(all)": 50, "ads": 40, "mail": 10}
    assert table["leads_before"].to_dict() == {"(all)": 40, "ads": 40, "mail": 0}
    assert math.isnan(table.loc["mail", "p"])


def test_a_group_without_a_lead_in_either_period_is_left_out():
    frame = daily_leads([*range(120), 3], source=["ads"] * 120 + ["mail"])

    assert compared(frame, 100, 120, by="source")["source"].tolist() == ["(all)", "ads"]


def test_a_period_without_a_complete_day_is_not_compared():
    change = VolumeChange()
    frame = daily_leads(range(120))
    now = Span(AS_OF, None, AS_OF + pd.Timedelta(hours=9))
    tables = [hl.analyses.lead_volume(frame, as_of=now.as_of)] * 2

    row = change.compared(tables, now, now.earlier("previous", UTC), UTC).iloc[0]

    assert change.sentence(row, "leads", "on June 1, 2025") == "Nothing to compare: no complete day in the period."


def test_the_p_value_is_that_of_two_poisson_counts_divided_by_the_dispersion():
    assert change_p(100, 150, 1.0)[0] == pytest.approx(math.erfc(0.1 / math.sqrt(0.25 / 250) / math.sqrt(2)))
    assert change_p(100, 150, 4.0)[0] == pytest.approx(math.erfc(0.1 / math.sqrt(0.25 / 62.5) / math.sqrt(2)))
    assert np.isnan(change_p(4, 5, 1.0)[0])  # 4.5 leads are expected in each
    assert np.isnan(change_p(100, 150, np.nan)[0])


@pytest.mark.parametrize(("leads", "before"), [(100, 150), (118, 150), (122, 150), (30, 31), (90, 40)])
@pytest.mark.parametrize("length", [1.0, 31 / 30, 2.0])
def test_the_p_value_is_below_5_percent_where_the_interval_excludes_no_change(leads, before, length):
    low, high = change_interval(leads, before, 1.3, length)

    assert (change_p(leads, before, 1.3, length)[0] < 0.05) == bool(low > 1 or high < 1)


@pytest.fixture(scope="module")
def loc():
    return hl.demo(as_of="2026-01-01", size=1500)


def test_a_month_is_compared_by_source_with_the_same_month_a_year_ago(loc):
    result = loc.analyses.lead_volume(period="2025-12", compare="last year", by="source")

    leads = loc.contacts()
    leads = leads.assign(source=leads["source"].str.strip().str.lower())
    leads = leads[leads["source"] != "import"]
    month = leads["created_at"].dt.tz_convert(loc.timezone).dt.strftime("%Y-%m")
    table = result.table.set_index("source")
    for column, when in (("leads", "2025-12"), ("leads_before", "2024-12")):
        assert table.loc["(all)", column] == (month == when).sum()
        by_source = leads.loc[month == when, "source"].fillna("(none)").value_counts()
        assert table[column].drop("(all)").to_dict() == {name: by_source.get(name, 0) for name in table.index[1:]}
    assert result.headline.startswith(
        f"{table['leads'].iloc[0]} leads in 31 days, vs. {table['leads_before'].iloc[0]} from December 1 to December "
        "31, 2024; "
    )
    assert result.provenance["options"]["compared with"] == "2024-12-01 to 2024-12-31"
    assert result.provenance["options"]["since"] == "2025-12-01"
    assert "The p-values of groups are corrected" in result.definition
    assert "+" in result.formatted(5).set_index("source").loc["(all)", "change"]


def test_one_day_is_compared_with_the_day_before(loc):
    headline = loc.analyses.lead_volume(period="yesterday", compare="previous").headline

    assert " in 1 day, vs. " in headline
    assert " on December 30, 2025; " in headline


def test_a_comparison_has_no_use_for_every_and_no_rows_behind_it(loc):
    with pytest.raises(InvalidRequest, match="leave every out"):
        loc.analyses.lead_volume(period="30d", compare="previous", every="week")
    with pytest.raises(InvalidRequest, match="without compare, then call rows"):
        loc.analyses.lead_volume(period="30d", compare="previous").rows("(all)")


def test_the_chart_draws_both_counts_and_writes_the_change(loc):
    result = loc.analyses.lead_volume(period="90d", compare="previous", by="source")
    axes = result.plot()

    shown = result.table.head(len(axes.patches))
    assert [bar.get_width() for bar in axes.patches] == shown["leads"].tolist()
    assert axes.collections[0].get_offsets()[:, 0].tolist() == shown["leads_before"].tolist()
    texts = [text.get_text() for text in axes.texts]
    assert f"vs. {shown['leads_before'].iloc[0]}, {shown['change'].iloc[0]:+.0%}" in texts
