"""The overview: its numbers against the frames and the analyses, its tests, its cost, and how it is shown."""

import math
import re

import numpy as np
import pandas as pd
import pytest

import hlkit as hl
from hlkit.client.errors import InvalidRequest
from hlkit.client.http.progress import Progress
from hlkit.client.resources import CATALOG
from hlkit.client.schema import COUNT, MONEY, NUMBER, SHARE
from hlkit.overview import overview as overview_module
from hlkit.overview.attention import Difference, Item
from hlkit.overview.measures import MEASURES
from hlkit.overview.tile import Tile
from hlkit.sim import Simulation

TOKEN = "pit-00000000-0000-0000-0000-0000000000aa"
DECEMBER = (pd.Timestamp("2025-12-01T06:00Z"), pd.Timestamp("2026-01-01T06:00Z"))
NOVEMBER = (pd.Timestamp("2025-11-01T05:00Z"), pd.Timestamp("2025-12-01T06:00Z"))


@pytest.fixture(scope="module")
def loc():
    return hl.demo(as_of="2026-01-01", size=1500)


@pytest.fixture(scope="module")
def december(loc):
    """The overview of December 2025, compared with November."""
    return loc.overview(period="2025-12")


def tile(overview, name):
    return next(tile for measure, tile in overview.tiles if measure.name == name)


def within(dates, period):
    return dates.ge(period[0]) & dates.lt(period[1])


# ---- its numbers


def test_there_are_nine_tiles_each_with_a_number_and_its_base(december):
    assert [measure.name for measure, _ in december.tiles] == [measure.name for measure in MEASURES]
    assert len(december.tiles) == 9
    assert all(math.isfinite(tile.value) and tile.base for _, tile in december.tiles)


@pytest.mark.parametrize(
    ("name", "analysis", "column", "before"),
    [
        ("new_leads", "lead_volume", "leads", "leads_before"),
        ("speed_to_lead", "speed_to_lead", "median_min", "median_min_before"),
        ("replies_on_time", "responses", "on_time_share", "on_time_before_share"),
        ("show_rate", "appointments", "show_share", "show_before_share"),
    ],
)
def test_a_tile_has_the_numbers_of_the_code_that_explains_it(loc, december, name, analysis, column, before):
    shown = tile(december, name)

    assert shown.call == f'loc.analyses.{analysis}(period="2025-12", compare="previous")'
    row = loc.analyses[analysis](period="2025-12", compare="previous", by=None).table.iloc[0]
    assert (shown.value, shown.before, shown.p) == (row[column], row[before], row["p"])


def test_won_deals_and_payments_are_summed_by_their_dates(loc, december):
    deals, payments = loc.opportunities(), loc.transactions()
    won = deals[deals["status"] == "won"]
    paid = payments[payments["status"].eq("succeeded") & payments["currency"].eq("USD") & payments["is_live"]]
    net = paid["amount"] - paid["amount_refunded"].fillna(0)

    for period, attribute in ((DECEMBER, "value"), (NOVEMBER, "before")):
        value = won.loc[within(won["status_changed_at"], period), "value"].sum()
        assert getattr(tile(december, "won_value"), attribute) == pytest.approx(value)
        cash = net[within(paid["created_at"], period)].sum()
        assert getattr(tile(december, "payments_received"), attribute) == pytest.approx(cash)
    assert tile(december, "won_value").base == f"{within(won['status_changed_at'], DECEMBER).sum()} deals"


def test_the_open_pipeline_is_what_was_open_at_the_end_of_each_period(loc, december):
    deals = loc.opportunities()
    for end, value in ((DECEMBER[1], "value"), (NOVEMBER[1], "before")):
        is_open = deals["created_at"].le(end) & (deals["status"].eq("open") | deals["status_changed_at"].gt(end))
        assert getattr(tile(december, "open_pipeline"), value) == deals.loc[is_open, "value"].sum()


def test_stuck_deals_and_reachable_contacts_are_those_of_today(loc, december):
    stuck = loc.analyses.stuck().table
    quality = loc.analyses.contact_quality().table
    email = loc.analyses.reachability().table.set_index("channel").loc["email", "reachable_share"]

    assert tile(december, "stuck_deals").value == stuck["stuck"].sum()
    assert tile(december, "reachable_contacts").value == pytest.approx(quality["reachable"].mean())
    assert f"email {email:.0%}" in tile(december, "reachable_contacts").note
    assert not tile(december, "stuck_deals").history


def test_the_history_is_twelve_months_that_end_with_the_period(loc, december):
    history = december.history

    assert len(history) == 12
    assert f"{history['since'].iloc[0]:%Y-%m-%d %Z}" == "2025-01-01 CST"
    assert f"{history['since'].iloc[-1]:%Y-%m-%d}" == "2025-12-01"
    for measure, shown in december.tiles:
        if shown.history and shown.kind in (COUNT, MONEY):
            assert history[measure.name].tolist()[-2:] == pytest.approx([shown.before, shown.value])
    month = loc.appointments(period="2025-07")
    counts = month[~month["is_deleted"]]["status"].value_counts()
    assert history["show_rate"].iloc[6] == pytest.approx(counts["showed"] / (counts["showed"] + counts["noshow"]))


# ---- changes and tests


def test_a_change_is_colored_and_marked_only_if_it_is_significant():
    rate = Tile(SHARE, "", value=0.83, before=0.72, is_tested=True, more_is="good")
    wait = Tile(NUMBER, "", value=40, before=20, is_tested=True, more_is="bad")

    assert (rate.change(0.2), rate.direction(0.2)) == ("72% before, no significant change", "")
    assert (rate.change(0.01), rate.direction(0.01)) == ("▲ 72% before, significant", "good")
    assert (wait.change(0.01), wait.direction(0.01)) == ("▲ 20 min before, significant", "bad")
    assert rate.change(math.nan) == "72% before, too few to test"


def test_money_is_compared_without_a_claim():
    money = Tile(MONEY, "", value=50.0, before=100.0, currency="USD")

    assert (money.number, money.change(math.nan), money.direction(math.nan)) == ("$50", "-50% from $100", "")


def test_tiles_and_items_are_corrected_together(loc, monkeypatch):
    """With ten tests, p = .02 is not significant; alone, it would be."""
    weak, counted = Item("9%", "differ", "", "", p=0.02), Item("3 people", "wait", "", "")
    monkeypatch.setattr(overview_module, "MEASURES", MEASURES[:1])
    monkeypatch.setattr(overview_module, "WORTH_A_LOOK", [lambda reading: [weak, counted]])
    assert loc.overview().items == [weak, counted]

    monkeypatch.setattr(
        overview_module, "WORTH_A_LOOK", [lambda reading: [weak, counted], lambda reading: [weak] * 8]
    )
    assert loc.overview().items == [counted]


def test_the_group_that_differs_most_is_worth_a_look():
    class Reading:
        def run(self, analysis, by):
            share = pd.Series([0.75, 0.77, 0.5])
            return pd.DataFrame(
                {
                    "weekday": pd.Series(["Tuesday", "Friday", "Monday"], dtype="str"),
                    "show_share": share,
                    "show_low": share - 0.03,
                    "show_high": share + 0.03,
                    "small": False,
                }
            )

        def call(self, analysis, by):
            return "code"

    (item,) = Difference("appointments", "weekday", "show", "show up on {}s", "{} on other days")(Reading())

    assert (item.number, item.what, item.more) == ("50%", "show up on Mondays", ", 75% to 77% on other days")
    assert item.p < 0.001


def test_the_code_of_an_item_shows_what_the_item_counts(loc, december):
    codes = {item.call: item.number for item in december.items}

    waiting = loc.analyses.unanswered(period="2025-12").table
    assert codes['loc.analyses.unanswered(period="2025-12")'] == f"{len(waiting)} people"
    stuck = loc.analyses.stuck().table
    assert codes["loc.analyses.stuck()"] == f"${stuck.loc[stuck['stuck'], 'value'].sum():,.0f}"
    people = loc.analyses.duplicates().table["cluster"].nunique()
    assert codes["loc.analyses.duplicates()"] == f"{people} people"


def test_a_year_ago_is_named_and_compared(loc):
    overview = loc.overview(compare="last year")

    leads = loc.analyses.lead_volume(period="30d", compare="last year").table.iloc[0]
    assert tile(overview, "new_leads").before == leads["leads_before"]
    assert "the same 30 days a year before" in overview.headline


# ---- what it costs, and what it cannot read


class Notes(Progress):
    def __init__(self):
        super().__init__()
        self.notes = []

    def on_note(self, message):
        self.notes.append(message)


@pytest.fixture
def connect(tmp_path):
    """Connects to a small simulated location with a token that lacks some scopes, and an empty cache."""
    with Simulation(size=60, as_of="2026-01-01") as simulation:

        def connected(*without):
            scopes = {resource.scope for resource in CATALOG.values()} - set(without)
            token = simulation.add_token(TOKEN, scopes)
            return hl.connect(token, simulation.location_id, base_url=simulation.url, cache=tmp_path)

        yield connected


def test_its_cost_is_shown_before_it_is_paid_and_it_is_free_from_the_cache(connect):
    loc, progress = connect(), Notes()

    loc.overview(as_of="2026-01-01", progress=progress)
    spent = loc.session.requests_sent
    loc.overview(as_of="2026-01-01", period="last month", compare="last year")

    (cost,) = [note for note in progress.notes if note.startswith("overview")]
    assert spent - 4 <= int(re.search("[0-9]+", cost)[0]) <= spent  # a last page is known only once it is read
    assert loc.session.requests_sent == spent


def test_a_large_cost_needs_to_be_confirmed(connect, monkeypatch):
    monkeypatch.setattr(overview_module, "CONFIRM_ABOVE", 5)
    loc = connect()

    with pytest.raises(InvalidRequest, match=r"the overview takes [0-9]+ requests.*\n.*confirm=True"):
        loc.overview(as_of="2026-01-01")
    asked = loc.session.requests_sent
    assert asked < 15
    assert math.isfinite(tile(loc.overview(as_of="2026-01-01", confirm=True), "new_leads").value)


def test_what_the_token_may_not_read_is_said_and_the_rest_is_shown(connect):
    overview = connect("payments/transactions.readonly").overview(as_of="2026-01-01")

    payments = tile(overview, "payments_received")
    assert (payments.number, payments.note) == (
        "no access",
        "check the scope payments/transactions.readonly in Settings > Private Integrations",
    )
    assert any(note.startswith("No transactions: ") for note in overview.notes)
    assert math.isfinite(tile(overview, "new_leads").value)
    assert overview.table.set_index("measure").loc["payments_received", "note"] == payments.note


def test_a_wrong_period_or_comparison_is_refused_before_any_request(connect):
    loc = connect()
    with pytest.raises(InvalidRequest, match="lastt month"):
        loc.overview(period="lastt month")
    with pytest.raises(InvalidRequest, match="compare is one of 'previous', 'last year'"):
        loc.overview(compare="prior")
    assert loc.session.requests_sent == 0


def test_a_location_without_rows_has_an_overview_too():
    overview = hl.demo(as_of="2026-01-01", size=0).overview()

    numbers = {measure.name: shown.number for measure, shown in overview.tiles}
    assert numbers["speed_to_lead"] == "no leads"
    assert numbers["show_rate"] == "none marked"
    assert overview.items == []
    assert "Speed to lead" in repr(overview)
    assert overview._repr_html_()


# ---- how it is shown


def test_its_table_has_a_row_per_tile_with_dtypes_and_code(december):
    table = december.table

    assert table["measure"].tolist() == [measure.name for measure in MEASURES]
    assert table[["value", "low", "high", "before", "p"]].dtypes.eq(np.dtype("float64")).all()
    assert table["significant"].dtype == "boolean"
    assert table["significant"].notna().tolist() == table["p"].notna().tolist()
    assert table["analysis"].str.startswith("loc.analyses.").all()


def test_as_text_it_has_a_line_per_tile_and_what_is_worth_a_look(december):
    lines = repr(december).splitlines()

    assert lines[0] == ("Lakeside Home Services · December 1 to December 31, 2025, compared with the 31 days before")
    assert lines[1] == december.headline
    assert [line for line in lines if line.startswith("New leads")]
    assert "Worth a look" in lines
    assert all(len(line) <= 120 for line in lines)


def test_as_html_every_text_is_escaped_and_nothing_is_loaded(loc, december, monkeypatch):
    evil = Item("1", "<script>alert(1)</script>", "", "", math.nan)
    shown = overview_module.Overview(**{**vars(december), "items": [evil], "location": "<b>Acme</b>"})

    page = shown._repr_html_()

    assert "<script>alert" not in page
    assert "<b>Acme" not in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_without_styles_and_pictures_no_label_is_left_as_loose_text(december):
    """An untrusted notebook drops <style> and <svg>, but keeps the text inside."""
    page = re.sub(r"<style>.*?</style>", "", december._repr_html_(), flags=re.DOTALL)

    for picture in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        assert re.sub(r"<[^>]*>", "", picture).strip() == ""
