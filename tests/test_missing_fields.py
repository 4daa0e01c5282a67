"""Missing fields: contacts without a field, counted by hand."""

import pytest
from contact_rows import contact, contacts, labels_drawn, long_named_sources

import hlkit as hl
from hlkit.analysis.core.rows_behind import RowsBehind
from hlkit.client.errors import MissingColumn

missing_fields = hl.analyses.missing_fields


def test_a_field_is_missing_if_it_is_null_blank_or_an_empty_list():
    rows = contacts(
        contact("a", tags=["x"], city="Cicero"), contact("b", tags=[], city="  "), contact("c", tags=None, city=None)
    ).assign(**{"Roof type": ["flat", "", None]})

    table = missing_fields(rows).set_index("field")

    assert table.loc[["tags", "city", "Roof type", "email"], "missing"].tolist() == [2, 2, 2, 0]
    assert table.loc["city", "missing_share"] == pytest.approx(2 / 3)
    assert "do_not_disturb" not in table.index
    assert "contact_id" not in table.index
    by = missing_fields(rows.assign(city=["x", "x", "y"]), by="city").set_index(["city", "field"])
    assert by.loc[("x", "tags"), ["n", "missing"]].tolist() == [2, 1]
    assert by.loc[("y", "tags"), ["n", "missing"]].tolist() == [1, 1]


def test_the_rows_behind_a_field_are_the_contacts_without_it():
    people = contacts(
        contact("a", city="Cicero", source="ads"), contact("b", source="ads"), contact("c", source="web", email=" ")
    )
    table, log = missing_fields.run(people, by="source")
    behind = RowsBehind(table, log, missing_fields.rows, lambda rows: rows)

    assert behind.of("city")["contact_id"].tolist() == ["b", "c"]
    assert behind.of(("ads", "city"))["contact_id"].tolist() == ["b"]
    assert behind.of(("web", "email"))[["field", "contact_id"]].values.tolist() == [["email", "c"]]


def test_the_headline_has_the_standard_field_that_is_most_often_missing():
    people = contacts(
        contact("a", last_name="Berg", source="ads", city=None),
        contact("b", last_name="Dahl", source="ads", city=None),
        contact("c", last_name=None, source="web", city="Cicero"),
    )[["contact_id", "last_name", "source", "city"]]

    assert missing_fields.headline(missing_fields(people)) == "Most often missing: city (67% of 3 contacts)."
    both = people.assign(source=[None, None, "ads"])
    assert missing_fields.headline(missing_fields(both)) == (
        "Most often missing: source and city (67% of 3 contacts)."
    )
    full = people[["contact_id", "source"]]
    assert missing_fields.headline(missing_fields(full)) == "No standard field is missing."


def test_the_headline_of_groups_compares_them_by_that_field():
    web = [contact(f"w{n}", source="web", city="Cicero") for n in range(40)]
    ads = [contact(f"a{n}", source="ads", city="Cicero" if n % 2 else "") for n in range(40)]
    people = contacts(*web, *ads)[["contact_id", "source", "city"]]

    assert missing_fields.headline(missing_fields(people, by="source")) == (
        "Most often missing: city (25% of 80 contacts). ads (50%) is above web (0%), a significant difference "
        "(p < .001)."
    )
    unnamed = people.assign(source=None, city="Cicero")
    assert missing_fields.headline(missing_fields(unnamed, by="source")) == "No standard field is missing."


def test_two_columns_of_one_name_as_text_are_two_fields():
    people = contacts(contact("a"))[["contact_id"]].assign(**{"1": ["x"]})
    people[1] = [None]

    assert missing_fields(people)[["field", "missing"]].values.tolist() == [["1", 1], ["1", 0]]


def test_a_frame_with_only_ids_has_no_fields():
    ids = contacts(contact("a"), contact("b"))[["contact_id"]]

    assert len(missing_fields(ids)) == 0
    assert len(missing_fields(ids.iloc[:0].assign(city=None))) == 0
    with pytest.raises(MissingColumn):
        missing_fields(ids, by="source")


@pytest.mark.parametrize("by", [None, "source"])
def test_its_chart_is_drawn_for_few_and_many(by):
    for count in (1, 2, 60):
        table = missing_fields(long_named_sources(count), by=by)
        assert len(labels_drawn(missing_fields, table)) == (min(table[by].nunique(), 12) if by else 10)
