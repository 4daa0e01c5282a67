"""The headline of each analysis: plain, true to its table, and safe to display."""

import re

import numpy as np
import pandas as pd
import pytest
from made import AS_OF, frames_for
from test_analyses import EVERY, ask

import hlkit as hl
from hlkit.analysis.core.headlines import difference, largest_group
from hlkit.analysis.core.result import Provenance, Result

NASTY = "<script>alert(1)</script> $x^2$ \x1b[31mred\r\n=1+1" + " and so on" * 30
START = pd.Timestamp("2025-06-02T10:00Z")


def sound(headline, table):
    """Asserts that a headline is one line of text, without an id of the table."""
    assert isinstance(headline, str)
    assert len(headline) <= 300
    assert headline.isprintable()
    assert not re.search(r"\bnan\b|<NA>|\bNone\b|\binf\b|\bNaT\b", headline), headline
    assert headline == "" or headline.endswith((".", "…"))
    for column in table.columns[table.columns.str.endswith(("_id", "_id (group)"))]:
        for key in table[column].dropna().unique():
            assert key.startswith("(") or key not in headline, (column, headline)


@pytest.fixture(scope="module")
def demo():
    return hl.demo(as_of="2026-01-01", size=400)


@EVERY
def test_every_analysis_has_a_headline_for_the_demo(name, demo):
    result = getattr(demo.analyses, name)()

    sound(result.headline, result.table)
    assert result.headline
    assert repr(result).startswith(f"{result.question}\n{result.headline[:40]}")


@EVERY
@pytest.mark.parametrize(("rows", "nulls"), [(0, 0), (1, 0), (40, 0.3), (40, 1)])
def test_a_headline_is_one_line_for_any_table(name, rows, nulls):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, rows, nulls=nulls)
    table = ask(analysis, frames)
    headline = analysis.headline(table)
    sound(headline, table)
    assert headline, "a table without rows says so"
    nothing = {column: pd.Series(None, table.index, table[column].dtype) for column in table}
    assert analysis.headline(table.assign(**nothing)) == ("" if len(table) and _rows(table) else headline)


def _rows(table):
    """How many rows of its first frame a table is made of."""
    return next(iter(table.attrs["hlkit"]["rows"].values()))


@EVERY
def test_a_headline_never_contains_an_id(name):
    analysis = hl.analyses[name]
    if "by" not in analysis.options:
        return
    frames = frames_for(analysis, 100)
    first = frames[next(iter(frames))]
    groups = [by for by in (None, "source", "owner_id", "stage_id", "contact_id") if by is None or by in first]
    for by in groups:
        table = ask(analysis, frames, by=by)
        headline = analysis.headline(table)
        sound(headline, table)
        assert headline


@EVERY
def test_names_from_outside_are_escaped_and_cut(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 100, nulls=0)
    table = ask(analysis, frames)
    texts = [column for column in table if isinstance(table[column].dtype, pd.StringDtype)]
    texts = [column for column in texts if column not in ("weekday", "channel", "wait")]
    table[texts] = table[texts].map(lambda text: f"{NASTY} {text}", na_action="ignore")
    provenance = Provenance(timezone="UTC", location="x", as_of_local="", options={}, rows={}, left_out={})
    provenance |= {"unavailable": {}, "missing_rows": {}, "requests": 0, "from_cache": 0}
    result = Result(table, analysis, provenance)

    headline, page = result.headline, result.headline_html()

    sound(headline, table)
    assert "and so on and so on" not in headline
    assert "<script" not in page
    assert page.startswith("<p") or not headline
    if name == "speed_to_lead":
        assert result._repr_html_().index(page) < result._repr_html_().index("<img")


# ---- by hand


def leads(waits_of):
    """Contacts, one a minute by source, and the messages that answered each after so many minutes."""
    contacts, messages = [], []
    for source, minutes in waits_of.items():
        for number, wait in enumerate(minutes):
            contact = {"contact_id": f"{source}-{number}", "created_at": START + pd.Timedelta(minutes=number)}
            contacts.append({**contact, "source": source})
            sent = {
                "contact_id": contact["contact_id"],
                "sent_at": contact["created_at"] + pd.Timedelta(minutes=wait),
            }
            messages.append(
                {**sent, "direction": "outbound", "origin": "app", "user_id": "u", "status": "", "type": "TYPE_SMS"}
            )
    return pd.DataFrame(contacts), pd.DataFrame(messages)


def waited(waits_of, clock="wall", **choices):
    contacts, messages = leads(waits_of)
    as_of = START + pd.Timedelta(days=1)
    return hl.analyses.speed_to_lead.headline(
        hl.analyses.speed_to_lead(contacts, messages, as_of=as_of, clock=clock, **choices)
    )


def test_groups_that_differ_significantly_are_named():
    headline = waited({"web": [10] * 30, "ads": [120] * 30, "few": [1] * 5})

    # of 65 leads, 35 wait up to 10 minutes, and are answered within an hour
    assert headline == (
        "Half of your leads wait 10 min or more; 54% of 65 leads are answered within an hour. web (100%) is above "
        "ads (0%), a significant difference (p < .001)."
    )


def test_a_group_stands_out_from_the_pooled_others():
    # 30, 28 and 10 of 30: the others together have 63% (of web), 67% (of fair) and 97% (of ads)
    headline = waited(
        {"web": [10] * 30, "fair": [11] * 28 + [90] * 2, "ads": [12] * 10 + [90] * 20, "few": [1] * 5}, clock="office"
    )

    # of 95 leads, 73 are answered within an hour; the 48th waits 11 minutes
    assert headline == (
        "Half of your leads wait 11 min (office hours) or more; 77% of 95 leads are answered within an hour. web "
        "(100%) and fair (93%) are above the other sources; ads (33%) is below the other sources, a significant "
        "difference (p < .001)."
    )


def test_no_group_is_named_without_a_significant_difference():
    # 20 and 14 of 30 within the hour: 67% and 47%; z = .2 / sqrt(.567 x .433 x 2 / 30) = 1.563, so p = .118
    headline = waited({"web": [10] * 20 + [100] * 10, "ads": [10] * 14 + [100] * 16})

    assert headline.endswith(" No significant difference between 2 sources (47% to 67%, p = .12).")


def test_all_leads_together_and_too_few_to_compare():
    everyone = "Half of your leads wait 10 min or more; 100% of 30 leads are answered within an hour."
    assert waited({"web": [10] * 30}, by=None) == everyone
    assert waited({"web": [10] * 30, "few": [5]}).endswith(
        " The sources are not compared, since only one named group has 20 rows or more."
    )
    assert waited({"one": [10], "two": [5]}).endswith(
        "(fewer than 20 rows: too few to say much). The sources are not compared, since no named group has 20 "
        "rows or more."
    )


def sources(deals, paid):
    """Contacts of each source, each with a deal, of which so many are won; and what they paid together."""
    contacts, opportunities, transactions = [], [], []
    for source, (won, lost) in deals.items():
        for number in range(won + lost):
            key = {"contact_id": f"{source}-{number}"}
            contacts.append({**key, "source": source})
            status = "won" if number < won else "lost"
            made = START + pd.Timedelta(hours=number)
            opportunities.append({**key, "status": status, "created_at": made, "status_changed_at": made})
        transactions.append({"contact_id": f"{source}-0", "status": "succeeded", "amount": paid[source]})
    frames = (pd.DataFrame(rows) for rows in (contacts, opportunities, transactions))
    return hl.analyses.attribution.headline(hl.analyses.attribution(*frames, as_of=AS_OF, currency="USD"))


def test_sources_are_named_by_leads_cash_and_deals_won():
    # 24 of 30 and 10 of 40: 80% and 25%, Wilson's intervals 63 to 90 and 14 to 40
    assert sources({"web": (24, 6), "ads": (10, 30)}, {"web": 2400.0, "ads": 100.0}) == (
        "Most leads: ads, 40; most cash: web, $2,400. Deals won within 90 days: web (80%) is above ads (25%), a "
        "significant difference (p < .001)."
    )


def test_no_source_is_named_as_best_without_a_significant_difference():
    # 20 and 14 of 30, as above
    assert sources({"web": (20, 10), "ads": (14, 16)}, {"web": 0.0, "ads": 0.0}) == (
        "Most leads: web and 1 more, 30 each. Deals won within 90 days: no significant difference between 2 sources "
        "(47% to 67%, p = .12)."
    )


def groups(*rows):
    table = pd.DataFrame(rows, columns=["group", "x_share", "x_low", "x_high", "small"])
    return table.assign(n=[row[1] for row in rows])


def test_an_unnamed_group_is_mentioned_but_never_the_largest():
    table = groups(("(none)", 0.9, 0.8, 1.0, False), ("a", 0.5, 0.4, 0.6, False), ("b", 0.2, 0.1, 0.3, False))

    assert difference(table, "x") == "a (50%) is above b (20%), a significant difference (p = .0023)."
    assert largest_group(table.assign(n=[9, 5, 2]), "n") == "a, 5 (none: 9)"
    small = difference(table.assign(small=True), "x")
    assert small == "The groups are not compared, since no named group has 20 rows or more."
    assert difference(table.assign(x_share=np.nan), "x") == ""


def test_values_of_a_custom_field_are_named_but_highlevel_ids_are_not():
    contacts, messages = leads({"web": [10] * 30, "ads": [120] * 30})
    contacts["store_id"] = contacts["source"]
    contacts["owner_id"] = contacts["source"].map({"web": "aX7q9", "ads": "bY8r0"})
    analysis, as_of = hl.analyses.speed_to_lead, START + pd.Timedelta(days=1)

    by_field, by_owner = (
        analysis.headline(analysis(contacts, messages, as_of=as_of, clock="wall", by=by))
        for by in ("store_id", "owner_id")
    )

    assert "web (100%) is above ads (0%)" in by_field
    assert "unknown owner …X7q9 (100%) is above unknown owner …Y8r0 (0%)" in by_owner
