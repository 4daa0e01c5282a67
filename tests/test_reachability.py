"""Reachability: shares of reachable contacts and failed messages by channel, worked out by hand."""

import pytest
from contact_rows import contact, contacts, labels_drawn, long_named_sources
from made import typed

import hlkit as hl
from hlkit.analysis.core.rows_behind import RowsBehind
from hlkit.analysis.people import contact_validity
from hlkit.client.errors import InvalidRequest, MissingColumn, MissingExtra

reachability = hl.analyses.reachability


def message(contact_id, status="delivered", type="TYPE_SMS", direction="outbound", **more):
    return {"contact_id": contact_id, "status": status, "type": type, "direction": direction, **more}


def messages(*rows):
    return typed("messages", *({"message_id": str(number), **row} for number, row in enumerate(rows)))


def channel(table, name, *columns):
    return table.loc[table["channel"] == name, list(columns)].iloc[0].tolist()


def test_a_contact_is_reachable_if_the_address_is_valid_and_not_blocked():
    table = reachability(
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


def test_failed_share_is_of_messages_with_a_known_result():
    table = reachability(
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
    table = reachability(contacts(contact("a")))

    assert table["sent"].isna().all()
    assert table["failed_share"].isna().all()
    assert table["reachable_share"].tolist() == [1, 1, 1]
    assert "Without messages" in table.attrs["hlkit"]["definition"]


def test_each_group_has_its_contacts_and_their_messages():
    table = reachability(
        contacts(contact("a", tags=["x", "y"]), contact("b", tags=["x"], phone=None), contact("c", source="ads")),
        messages(message("a"), message("b", "failed")),
        by="tags",
    )

    sms = table[table["channel"] == "sms"].set_index("tags")
    assert sms.loc["x", ["n", "reachable_share", "sent", "failed_share"]].tolist() == [2, 0.5, 2, 0.5]
    assert sms.loc["y", ["n", "reachable_share", "sent", "failed_share"]].tolist() == [1, 1, 1, 0]
    assert sms.loc["(none)", "n"] == 1
    assert "several tags" in table.attrs["hlkit"]["definition"]


def test_the_rows_behind_a_group_are_its_contacts_once_for_each_channel():
    people = contacts(
        contact("a", source="ads", first_name="Ann"),
        contact("b", source="ads", phone=None),
        contact("c", source="web", email_do_not_disturb="active"),
    )
    table, log = reachability.run(people, messages(message("a", "failed"), message("a")), by="source")
    behind = RowsBehind(table, log, reachability.rows, lambda rows: rows)

    sms = behind.of(("ads", "sms")).set_index("contact_id")
    assert sms.loc["a", ["is_reachable", "has_address", "sent", "failed"]].tolist() == [True, True, 2, 1]
    assert sms.loc["b", ["is_reachable", "has_address", "sent", "failed"]].tolist() == [False, False, 0, 0]
    assert behind.of("web")[["channel", "is_blocked"]].values.tolist() == [
        ["email", True],
        ["sms", False],
        ["call", False],
    ]
    assert len(behind.of("email")) == 3
    with pytest.raises(InvalidRequest, match="no group"):
        behind.of("radio")


def test_a_column_of_contacts_may_be_called_channel():
    people = contacts(contact("a"), contact("b", email=None)).assign(channel=["x", "y"])

    table, log = reachability.run(people, by="channel")

    assert table.iloc[:, :2].values.tolist() == [[by, name] for by in "xy" for name in ("email", "sms", "call")]
    rows = RowsBehind(table, log, reachability.rows, lambda rows: rows).of(("y", "email"))
    assert rows[["contact_id", "is_reachable"]].values.tolist() == [["b", False]]


def test_groups_of_one_size_stay_in_order_of_their_first_contact():
    people = contacts(contact("a", tags=["y", "x"]), contact("b", tags=["z"]))

    table = reachability(people, by="tags")

    assert table["tags"].tolist() == ["y"] * 3 + ["x"] * 3 + ["z"] * 3
    assert table["channel"].tolist() == ["email", "sms", "call"] * 3


def test_the_headline_has_the_shares_and_the_main_reasons():
    people = contacts(contact("a"), contact("b", email=None), contact("c", email_do_not_disturb="active", phone="1"))

    assert reachability.headline(reachability(people)) == (
        "Of 3 contacts, you can reach 33% by email, 67% by SMS and 67% by phone. Main reasons for the rest: no email "
        "address (33%) and no valid phone number (33%)."
    )
    assert reachability.headline(reachability(contacts(contact("a")))) == (
        "Of 1 contact, you can reach 100% by email, 100% by SMS and 100% by phone."
    )


def test_the_headline_of_groups_compares_those_that_email_reaches():
    web = [contact(f"w{n}", source="web") for n in range(40)]
    ads = [contact(f"a{n}", source="ads", email=None if n % 2 else "ann@example.com") for n in range(40)]

    text = reachability.headline(reachability(contacts(*web, *ads), by="source"))

    assert text == (
        "You can reach 75% of 80 contacts by email. web (100%) is above ads (50%), a significant difference "
        "(p < .001)."
    )


def test_a_frame_with_only_ids_is_enough():
    ids = contacts(contact("a"), contact("b"))[["contact_id"]]

    assert reachability(ids)["reachable_share"].tolist() == [0, 0, 0]
    assert len(reachability(ids.iloc[:0])) == 0
    assert len(reachability(contacts(), messages())) == 0
    assert reachability(ids, messages())["sent"].tolist() == [0, 0, 0]
    with pytest.raises(MissingColumn):
        reachability(ids, by="source")


def test_contacts_without_an_id_are_counted():
    table = reachability(contacts(contact(None), contact(None), contact("a")), messages(message("a"), message(None)))

    assert channel(table, "sms", "n", "sent") == [3, 1]


def test_without_the_extra_the_shape_is_checked_with_a_remark(monkeypatch):
    def missing(*_):
        raise MissingExtra("it is not installed", hint='pip install "hlkit[dedupe]"')

    monkeypatch.setattr(contact_validity, "import_extra", missing)
    monkeypatch.setattr("hlkit.analysis.contacts.contact_checks.import_extra", missing)

    table = reachability(
        contacts(contact("a"), contact("b", email="no", phone="1", do_not_disturb=True)), country="US"
    )

    assert channel(table, "email", "valid_share", "blocked_share", "reachable_share") == [0.5, 0.5, 0.5]
    definition = table.attrs["hlkit"]["definition"]
    assert "Without hlkit[dedupe], only the shape of email addresses" in definition
    assert "Without hlkit[dedupe], only the shape of phone numbers" in definition


@pytest.mark.parametrize("by", [None, "source"])
def test_its_chart_is_drawn_for_few_and_many(by):
    for count in (1, 2, 60):
        table = reachability(long_named_sources(count), by=by)
        assert len(labels_drawn(reachability, table)) == (min(table[by].nunique(), 12) if by else 3)
