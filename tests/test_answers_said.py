"""The answer of each analysis in a sentence: plain, true to its table, and safe to show."""

import re

import numpy as np
import pandas as pd
import pytest
from made import AS_OF, frames_for
from test_analyses import EVERY, ask, shows

import hlkit as hl
from hlkit.analysis.result import Provenance, Result
from hlkit.analysis.saying import compared, largest, waits

MAIN = {name: shows(hl.analyses[name])[0] for name in hl.analyses}
NASTY = "<script>alert(1)</script> $x^2$ \x1b[31mred\r\n=1+1" + " and so on" * 30
START = pd.Timestamp("2025-06-02T10:00Z")


def sound(said, table):
    """Asserts that an answer is one line of words, without an id of the table."""
    assert isinstance(said, str)
    assert len(said) <= 300
    assert said.isprintable()
    assert not re.search(r"\bnan\b|<NA>|\bNone\b|\binf\b|\bNaT\b", said), said
    assert said == "" or said.endswith((".", "…"))
    for column in table.columns[table.columns.str.endswith(("_id", "_id (group)"))]:
        for one in table[column].dropna().unique():
            assert one.startswith("(") or one not in said, (column, said)


@pytest.fixture(scope="module")
def demo():
    return hl.demo(as_of="2026-01-01", size=400)


@EVERY
def test_the_demo_is_answered(name, demo):
    for show in shows(hl.analyses[name]):
        result = getattr(demo.analyses, name)(**({} if show is None else {"show": show}))

        sound(result.answer, result.table)
        assert result.answer or show != MAIN[name]
        assert repr(result).startswith(f"{result.question}\n{result.answer[:40]}")


@EVERY
@pytest.mark.parametrize(("rows", "nulls"), [(0, 0), (1, 0), (40, 0.3), (40, 1)])
def test_an_answer_is_a_line_whatever_there_is(name, rows, nulls):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, rows, nulls=nulls)
    for show in shows(analysis):
        table = ask(analysis, frames, show=show)
        sound(analysis.say(table), table)
        assert len(table) or analysis.say(table) == ""
        nothing = {column: pd.Series(None, table.index, table[column].dtype) for column in table}
        assert analysis.say(table.assign(**nothing)) == ""


@EVERY
def test_an_answer_by_any_group_names_no_id(name):
    analysis = hl.analyses[name]
    if "by" not in analysis.choices:
        return
    frames = frames_for(analysis, 100)
    first = frames[next(iter(frames))]
    groups = [by for by in (None, "source", "owner_id", "stage_id", "contact_id") if by is None or by in first]
    for show in shows(analysis):
        for by in groups:
            table = ask(analysis, frames, show=show, by=by)
            sound(analysis.say(table), table)


@EVERY
def test_names_from_outside_are_escaped_and_cut(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 100, nulls=0)
    for show in shows(analysis):
        table = ask(analysis, frames, show=show)
        texts = [column for column in table if isinstance(table[column].dtype, pd.StringDtype)]
        texts = [column for column in texts if column not in ("weekday", "channel", "wait")]
        table[texts] = table[texts].map(lambda one: f"{NASTY} {one}", na_action="ignore")
        told = Provenance(timezone="UTC", location="x", as_of_local="", choices={}, rows={}, left_out={})
        told |= {"without": {}, "short": {}, "spent": 0, "saved": 0}
        result = Result(table, analysis, told)

        said, page = result.answer, result.answer_html()

        sound(said, table)
        assert "and so on and so on" not in said
        assert "<script" not in page
        assert page.startswith("<p") or not said
        if name == "speed_to_lead":
            assert result._repr_html_().index(page) < result._repr_html_().index("<img")


def test_an_analysis_that_says_nothing_has_a_blank_answer(monkeypatch):
    analysis = hl.analyses.lead_volume
    monkeypatch.setattr(analysis, "_answers", {})
    table = ask(analysis, frames_for(analysis, 20))

    assert analysis.say(table) == ""
    assert Result(table, analysis, Provenance(timezone="UTC")).answer_html() == ""


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
    return hl.analyses.speed_to_lead.say(
        hl.analyses.speed_to_lead(contacts, messages, as_of=as_of, clock=clock, **choices)
    )


def test_the_fastest_is_named_where_it_can_be_told_apart():
    said = waited({"web": [10] * 30, "ads": [120] * 30, "few": [1] * 5})

    assert said == (
        "Fastest: web, half of its leads are answered in 10 min; slowest: ads, 2.0 h. "
        "Within an hour: 100% (89 to 100) against 0% (0 to 11), which can be told apart."
    )


def test_one_that_is_level_with_the_next_is_among_the_fastest():
    said = waited({"web": [10] * 30, "fair": [11] * 30, "ads": [120] * 30}, clock="office")

    assert said.startswith("Among the fastest: web, half of its leads are answered in 10 min; slowest: ads, 2.0 h")
    assert "2.0 h (office hours)." in said


def test_nobody_wins_where_intervals_overlap():
    # 20 and 14 of 30 within the hour: 67% and 47%, Wilson's intervals 49 to 81 and 30 to 64
    said = waited({"web": [10] * 20 + [100] * 10, "ads": [10] * 14 + [100] * 16})

    assert said == (
        "No group is clearly fastest: half of the leads are answered in 10 min for web, in 1.7 h for ads. "
        "Within an hour: 67% (49 to 81) against 47% (30 to 64), which cannot be told apart."
    )


def test_times_that_look_alike_have_a_decimal_more():
    said = waited({"web": [21.7] * 30, "ads": [22.3] * 30})

    assert "in 21.7 min for web, in 22.3 min for ads" in said
    assert waits(pd.DataFrame(), 21.7, 25.0) == ["22 min", "25 min"]


def test_all_leads_together_and_too_few_to_compare():
    assert waited({"web": [10] * 30}, by=None) == "Half of the leads are answered in 10 min."
    assert waited({"web": [10] * 30, "few": [5]}) == (
        "Half of the leads of web are answered in 10 min. The other groups are too few to compare."
    )
    assert waited({"one": [10], "two": [5]}) == "There are too few leads in the groups to compare."
    assert waited({"one": [10]}, by=None).endswith("in 10 min; 1 lead: too few to say much.")


def sources(deals, paid):
    """Contacts of each source, each with a deal, of which so many are won; and what they paid together."""
    contacts, opportunities, transactions = [], [], []
    for source, (won, lost) in deals.items():
        for number in range(won + lost):
            key = {"contact_id": f"{source}-{number}"}
            contacts.append({**key, "source": source})
            status = "won" if number < won else "lost"
            opportunities.append({**key, "status": status, "created_at": START, "status_changed_at": START})
        transactions.append({"contact_id": f"{source}-0", "status": "succeeded", "amount": paid[source]})
    frames = (pd.DataFrame(rows) for rows in (contacts, opportunities, transactions))
    return hl.analyses.attribution.say(hl.analyses.attribution(*frames, as_of=AS_OF, currency="USD"))


def test_sources_are_named_by_leads_cash_and_deals_won():
    # 24 of 30 and 10 of 40: 80% and 25%, Wilson's intervals 63 to 90 and 14 to 40
    assert sources({"web": (24, 6), "ads": (10, 30)}, {"web": 2400.0, "ads": 100.0}) == (
        "Most leads: ads, 40; most cash: web, 2,400 USD. Won, of the deals that ended: highest for web, "
        "80% (63 to 90); lowest for ads, 25% (14 to 40); these two can be told apart."
    )


def test_no_source_wins_where_intervals_overlap():
    # 20 and 14 of 30, as above
    assert sources({"web": (20, 10), "ads": (14, 16)}, {"web": 0.0, "ads": 0.0}) == (
        "Most leads: web and 1 more, each 30. Won, of the deals that ended: highest for web, 67% (49 to 81); "
        "lowest for ads, 47% (30 to 64); but these cannot be told apart."
    )


def groups(*rows):
    table = pd.DataFrame(rows, columns=["group", "x_share", "x_low", "x_high", "small"])
    return table.assign(n=[row[1] for row in rows])


def test_a_group_without_a_name_is_told_and_never_the_winner():
    table = groups(("(none)", 0.9, 0.8, 1.0, False), ("a", 0.5, 0.4, 0.6, False), ("b", 0.2, 0.1, 0.3, False))

    assert compared(table, "x", "Share") == (
        "Share: highest for a, 50% (40 to 60); lowest for b, 20% (10 to 30); these two can be told apart."
    )
    assert largest(table.assign(n=[9, 5, 2]), "n") == "a, 5, behind (none), 9"
    assert compared(table.assign(small=True), "x", "Share") == "Share: the groups are too few to compare."
    assert compared(table.assign(x_share=np.nan), "x", "Share") == ""


def test_a_custom_field_is_named_and_no_id_of_highlevel():
    contacts, messages = leads({"web": [10] * 30, "ads": [120] * 30})
    contacts["store_id"] = contacts["source"]
    contacts["owner_id"] = contacts["source"].map({"web": "aX7q9", "ads": "bY8r0"})
    analysis, as_of = hl.analyses.speed_to_lead, START + pd.Timedelta(days=1)

    by_field, by_owner = (
        analysis.say(analysis(contacts, messages, as_of=as_of, clock="wall", by=by))
        for by in ("store_id", "owner_id")
    )

    assert by_field.startswith("Fastest: web, half")
    assert by_owner.startswith("Fastest: unknown owner …X7q9, half")
