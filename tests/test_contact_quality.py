"""Contact quality: six checks of each contact, and what is planted in the simulated location."""

import pytest
import seeded
from contact_rows import contact, contacts
from matplotlib.figure import Figure

import hlkit as hl

contact_quality = hl.analyses.contact_quality


def checks(*rows, **options):
    return contact_quality(contacts(*rows), **options).set_index("contact_id")


def test_one_channel_can_be_blocked_temporarily_or_permanently():
    table = checks(
        contact("all", do_not_disturb=True, email_do_not_disturb="inactive"),
        contact("now", email_do_not_disturb="active"),
        contact("perm", sms_do_not_disturb="permanent"),
        contact("call", call_do_not_disturb="Active"),
        contact("free", do_not_disturb=False, email_do_not_disturb="inactive"),
    )

    assert table["email_blocked"].to_dict() == {"all": True, "now": True, "perm": False, "call": False, "free": False}
    assert table.index[table["sms_blocked"]].tolist() == ["all", "perm"]
    assert table.index[table["call_blocked"]].tolist() == ["all", "call"]
    assert table.index[~table["reachable"]].tolist() == ["all"]


def test_the_score_is_the_mean_of_six_checks():
    full = {"name": "Ann", "owner_id": "u", "source": "ads", "country": "US"}

    table = checks(
        contact("six", **full), contact("two"), contact("none", email="x", phone=None), contact("last", None)
    )

    assert table["score"].round(6).to_dict() == {"six": 1, "two": round(2 / 6, 6), "none": 0, "last": round(1 / 6, 6)}
    assert table.index.tolist() == ["none", "last", "two", "six"]


def test_any_name_column_counts_as_a_name():
    table = checks(
        contact("a", name="Ann"), contact("b", first_name="Bob"), contact("c", last_name=" "), contact("d")
    )

    assert table.loc[["a", "b", "c", "d"], "has_name"].tolist() == [True, True, False, False]


def test_an_address_that_highlevel_marked_invalid_is_not_valid():
    table = checks(contact("a", is_valid_email=False), contact("b", is_valid_email=True), contact("c"))

    assert table.loc[["a", "b", "c"], "valid_email"].tolist() == [False, True, True]


def test_a_number_without_a_country_code_has_the_contacts_country_or_else_the_locations():
    rows = [
        contact("us", phone="(312) 555-0101"),
        contact("gb", phone="020 7946 0018", country="GB"),
        contact("odd", phone="020 7946 0018", country="Narnia"),
        contact("plus", phone="+442079460018"),
    ]

    def valid(**options):
        table = checks(*rows, **options)
        return table.index[table["valid_phone"]].sort_values().tolist()

    assert valid(country="US") == ["gb", "plus", "us"]
    assert valid(country="gb") == ["gb", "odd", "plus"]
    assert valid() == ["gb", "plus"]
    definition = contact_quality(contacts(*rows), country="Narnia").attrs["hlkit"]["definition"]
    assert "'Narnia' is not a two-letter country code" in definition


def test_each_contact_has_its_name_and_a_link():
    rows = contacts(
        contact("a", first_name="Ann", last_name="Berg"),
        contact("b", name="Bob"),
        contact("c", email=None, company_name="Cyd Ltd."),
        contact("d"),
    )

    table = contact_quality(rows, location_id="L1", app_url="https://crm.example.com").set_index("contact_id")

    assert list(contact_quality.columns)[:2] == ["name", "link"]
    assert table["name"].to_dict() == {"a": "Ann Berg", "b": "Bob", "c": "Cyd Ltd.", "d": "ann@example.com"}
    assert table.loc["a", "link"] == "https://crm.example.com/v2/location/L1/contacts/detail/a"
    assert contact_quality(rows)["link"].isna().all()


def test_the_headline_counts_the_reachable_and_the_complete():
    full = {"name": "Ann", "owner_id": "u", "source": "ads", "country": "US"}

    table = contact_quality(contacts(contact("a", **full), contact("b"), contact("c", email=None, phone=None)))

    assert contact_quality.headline(table) == (
        "2 of 3 contacts can be reached by email, SMS or phone; 1 passes all six checks."
    )


def test_a_frame_with_only_ids_is_enough():
    ids = contacts(contact("a"), contact("b"))[["contact_id"]]

    assert contact_quality(ids)["score"].tolist() == [0, 0]


@pytest.mark.parametrize("seed", range(4))
def test_the_planted_defects_are_counted_exactly(seed):
    planted = seeded.data(seed, 1500).planted["quality"]
    people = seeded.frame(seed, 1500, "contacts")

    table = contact_quality(people, country="US")

    n = planted["contacts"]
    assert len(table) == n
    assert (~table["has_email"]).sum() == planted["no_email"]
    assert (~table["has_phone"]).sum() == planted["no_phone"]
    assert (table["has_email"] & ~table["valid_email"]).sum() == planted["invalid_email"]
    assert (table["has_phone"] & ~table["valid_phone"]).sum() == planted["invalid_phone"]
    assert table["email_blocked"].sum() == table["sms_blocked"].sum() == planted["dnd"]
    assert (people["email_do_not_disturb"] == "permanent").sum() == planted["dnd_permanent"]
    # The naive share, everyone with an address is reachable, is far too high.
    assert (people["email"].notna().mean() - (table["valid_email"] & ~table["email_blocked"]).mean()) > 0.07


def test_its_chart_counts_contacts_by_the_checks_they_pass():
    table = contact_quality(contacts(contact("a"), contact("b"), contact("c", email=None)))

    axes = contact_quality.plot(table, Figure(layout="constrained").subplots())

    assert [label.get_text() for label in axes.get_yticklabels()] == ["2 of 6", "1 of 6"]
    assert [bar.get_width() for bar in axes.patches] == [2, 1]
