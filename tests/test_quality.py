"""Reachable contacts: checks and shares by hand, and what is planted in the simulated location."""

import numpy as np
import pytest
import seeded
from made import typed
from matplotlib.figure import Figure

import hlkit as hl
from hlkit.analysis.people import contact_validity
from hlkit.client.errors import MissingColumn, MissingExtra

quality = hl.analyses.quality


def contact(key, email="ann@example.com", phone="+13125550101", **more):
    return {"contact_id": key, "email": email, "phone": phone, **more}


def contacts(*rows):
    return typed("contacts", *rows)


def message(contact_id, status="delivered", type="TYPE_SMS", direction="outbound", **more):
    return {"contact_id": contact_id, "status": status, "type": type, "direction": direction, **more}


def messages(*rows):
    return typed("messages", *({"message_id": str(number), **row} for number, row in enumerate(rows)))


def channel(table, name, *columns):
    return table.loc[table["channel"] == name, list(columns)].iloc[0].tolist()


def checks(*rows, **options):
    return quality(contacts(*rows), show="contacts", **options).set_index("contact_id")


def test_a_contact_is_reachable_if_the_address_is_valid_and_not_blocked():
    table = quality(
        contacts(
            contact("ann"),
            contact("bob", email="bob@example", phone=None),
            contact("cyd", email=" ", phone="12", do_not_disturb=True),
            contact("dot", do_not_disturb=True),
        )
    )

    shares = ["has_share", "valid_share", "blocked_share", "reachable_share"]
    assert channel(table, "email", "n", *shares) == [4, 0.75, 0.5, 0.5, 0.25]
    assert channel(table, "sms", "n", *shares) == [4, 0.75, 0.5, 0.5, 0.25]
    assert channel(table, "call", "n", *shares) == [4, 0.75, 0.5, 0.5, 0.25]
    assert table["small"].all()


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
    definition = quality(contacts(*rows), country="Narnia").attrs["hlkit"]["definition"]
    assert "'Narnia' is not a two-letter country code" in definition


def test_failed_share_is_of_messages_with_a_known_result():
    table = quality(
        contacts(contact("a"), contact("b")),
        messages(
            *(message("a", status) for status in ("delivered", "read", "Failed", "undelivered")),
            *(message("a", status) for status in ("queued", "pending", "scheduled", "sent", None, "opt_out")),
            message("a", direction="inbound"),
            message("a", type="TYPE_ACTIVITY_SMS"),
            message("b", "opened", type="TYPE_EMAIL"),
            message("b", "clicked", type="TYPE_CAMPAIGN_EMAIL"),
            message("b", "failed", type="TYPE_EMAIL"),
            message("b", "no-answer", type="TYPE_CALL"),
            message("b", "delivered", type="TYPE_CALL", call_status="failed"),
            message("gone"),
        ),
    )

    columns = ["sent", "failed_share", "opted_out"]
    assert channel(table, "sms", *columns) == [4, 0.5, 1]
    assert channel(table, "email", *columns) == [3, pytest.approx(1 / 3), 0]
    assert channel(table, "call", *columns) == [2, 0.5, 0]
    assert table.attrs["hlkit"]["left_out"] == {"messages to people who are not among the contacts": 1}


def test_without_messages_the_other_columns_are_filled():
    table = quality(contacts(contact("a")))

    assert table["sent"].isna().all()
    assert table["failed_share"].isna().all()
    assert table["reachable_share"].tolist() == [1, 1, 1]
    assert "Without messages" in table.attrs["hlkit"]["definition"]


def test_each_group_has_its_contacts_and_their_messages():
    table = quality(
        contacts(contact("a", tags=["x", "y"]), contact("b", tags=["x"], phone=None), contact("c", source="ads")),
        messages(message("a"), message("b", "failed")),
        by="tags",
    )

    sms = table[table["channel"] == "sms"].set_index("tags")
    assert sms.loc["x", ["n", "reachable_share", "sent", "failed_share"]].tolist() == [2, 0.5, 2, 0.5]
    assert sms.loc["y", ["n", "reachable_share", "sent", "failed_share"]].tolist() == [1, 1, 1, 0]
    assert sms.loc["(none)", "n"] == 1
    assert "several tags" in table.attrs["hlkit"]["definition"]


def test_a_field_is_missing_if_it_is_null_blank_or_an_empty_list():
    rows = contacts(
        contact("a", tags=["x"], city="Cicero"), contact("b", tags=[], city="  "), contact("c", tags=None, city=None)
    ).assign(**{"Roof type": ["flat", "", None]})

    table = quality(rows, show="fields").set_index("field")

    assert table.loc[["tags", "city", "Roof type", "email"], "missing"].tolist() == [2, 2, 2, 0]
    assert table.loc["city", "missing_share"] == pytest.approx(2 / 3)
    assert "do_not_disturb" not in table.index
    assert "contact_id" not in table.index
    by = quality(rows.assign(city=["x", "x", "y"]), show="fields", by="city").set_index(["city", "field"])
    assert by.loc[("x", "tags"), ["n", "missing"]].tolist() == [2, 1]
    assert by.loc[("y", "tags"), ["n", "missing"]].tolist() == [1, 1]


def test_a_frame_with_only_ids_is_enough():
    ids = contacts(contact("a"), contact("b"))[["contact_id"]]

    assert quality(ids)["reachable_share"].tolist() == [0, 0, 0]
    assert quality(ids, show="contacts")["score"].tolist() == [0, 0]
    assert len(quality(ids, show="fields")) == 0
    with pytest.raises(MissingColumn):
        quality(ids, by="source")


def test_contacts_without_an_id_are_counted():
    table = quality(contacts(contact(None), contact(None), contact("a")), messages(message("a"), message(None)))

    assert channel(table, "sms", "n", "sent") == [3, 1]


def test_without_the_extra_the_shape_is_checked_with_a_remark(monkeypatch):
    def missing(*_):
        raise MissingExtra("it is not installed", hint='pip install "hlkit[dedupe]"')

    monkeypatch.setattr(contact_validity, "import_extra", missing)
    monkeypatch.setattr("hlkit.analysis.contacts.quality.import_extra", missing)

    table = quality(contacts(contact("a"), contact("b", email="no", phone="1", do_not_disturb=True)), country="US")

    assert channel(table, "email", "valid_share", "blocked_share", "reachable_share") == [0.5, 0.5, 0.5]
    definition = table.attrs["hlkit"]["definition"]
    assert "Without hlkit[dedupe], only the shape of email addresses" in definition
    assert "Without hlkit[dedupe], only the shape of phone numbers" in definition


@pytest.mark.parametrize("seed", range(4))
def test_the_planted_defects_are_counted_exactly(seed):
    planted = seeded.data(seed, 1500).planted["quality"]
    people = seeded.frame(seed, 1500, "contacts")

    table = quality(people, show="contacts", country="US")

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


@pytest.mark.parametrize("by", [None, "source"])
@pytest.mark.parametrize("show", ["channels", "contacts", "fields"])
def test_its_charts_are_drawn_for_few_and_many(show, by):
    names = [f"a very long name of a source, number {number}" for number in range(20)]
    rng = np.random.default_rng(0)
    for count in (1, 2, 60):
        rows = contacts(*(contact(str(number), source=names[rng.integers(20)]) for number in range(count)))
        axes = quality.plot(quality(rows, show=show, by=by), Figure(figsize=(6, 4), layout="constrained").subplots())
        axes.figure.canvas.draw()
        assert axes.get_title(loc="left") == "Who can we reach, by channel?"
