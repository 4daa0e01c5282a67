from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hlkit.client.errors import IncompleteDownload
from hlkit.client.pagination import (
    Cursor,
    LastId,
    NoPaging,
    Offset,
    Page,
    PageNumber,
    SearchAfter,
    SeenRows,
    StartAfterDate,
    StartAfterPair,
    lookup,
)

SEARCH = SearchAfter(size="limit", most=2, order=("date_added", "asc"))
EXPORT = Cursor(size="limit", most=2)
BY_DATE = StartAfterDate(size="limit", most=2)


def after(paging, asked, page):
    return SeenRows("rows", paging).follow(asked, page)


def rows(*ids, **same):
    return [{"id": name, "sort": [number, name], **same} for number, name in enumerate(ids)]


def page(*ids, **envelope):
    return Page(rows(*ids), envelope)


def test_one_answer_without_paging_is_the_whole():
    assert NoPaging().first() == {}
    assert after(NoPaging(), {}, page("a")) is None


def test_a_search_goes_on_after_the_cursor_of_the_last_row_and_sends_no_page_number():
    assert after(SEARCH, SEARCH.first(), page("a", "b")) == {
        "limit": 2,
        "sort": [{"field": "date_added", "direction": "asc"}],
        "searchAfter": [1, "b"],
    }


def test_a_search_prefers_the_field_named_search_after_to_the_one_named_sort():
    last = {"id": "a", "searchAfter": [9, "a"], "sort": [1, "a"]}

    assert after(SEARCH, SEARCH.first(), Page([last], {}))["searchAfter"] == [9, "a"]


def test_a_short_page_does_not_end_a_search_and_an_empty_one_does():
    assert after(SEARCH, SEARCH.first(), page("a")) is not None
    assert after(SEARCH, SEARCH.first(), page()) is None


def test_rows_without_a_cursor_are_asked_for_by_page_number():
    bare = Page([{"id": "a"}, {"id": "b"}], {})

    second = after(SEARCH, SEARCH.first(), bare)
    assert second["page"] == 2
    assert "searchAfter" not in second
    assert after(SEARCH, second, bare)["page"] == 3
    assert after(SEARCH, second, Page([{"id": "a"}], {})) is None


def test_page_numbers_stop_at_the_servers_cap_with_an_error():
    full = Page([{"id": "a"}] * 500, {})
    search = SearchAfter(size="limit", most=500)

    assert after(search, {"page": 19}, full)["page"] == 20
    with pytest.raises(IncompleteDownload, match="page numbers end at 10,000"):
        after(search, {"page": 20}, full)


def test_an_export_ends_where_no_cursor_comes_and_not_at_an_empty_page():
    assert after(EXPORT, {}, page(nextCursor="x")) == {"limit": 2, "cursor": "x"}
    for end in ({}, {"nextCursor": None}, {"nextCursor": ""}):
        assert after(EXPORT, {}, page("a", "b", **end)) is None


def test_a_date_cursor_is_asked_a_millisecond_early():
    assert after(BY_DATE, {}, page("a", "b")) == {"limit": 2, "startAfterDate": 0}


def test_a_full_page_without_a_date_is_not_taken_for_the_last():
    undated = Page([{"id": "a", "sort": [1]}, {"id": "b"}], {})

    with pytest.raises(IncompleteDownload, match="bears no time stamp"):
        after(BY_DATE, {}, undated)


def test_a_full_page_of_one_date_cannot_be_read_on_by_the_date_alone():
    tied = Page([{"id": "a", "sort": [7]}, {"id": "b", "sort": [7]}], {})

    with pytest.raises(IncompleteDownload, match="share one time stamp"):
        after(BY_DATE, {}, tied)


def test_ties_are_no_trouble_to_a_cursor_that_bears_the_id():
    tied = Page([{"id": "a", "sort": [7, "a"]}, {"id": "b", "sort": [7, "b"]}], {})

    assert after(SEARCH, {}, tied)["searchAfter"] == [7, "b"]


def test_a_full_page_without_a_new_row_is_a_circle():
    trail = SeenRows("contacts", SEARCH)
    following = trail.follow(SEARCH.first(), page("a", "b"))

    with pytest.raises(IncompleteDownload, match="contacts go in a circle"):
        trail.follow(following, page("a", "b"))


def test_a_cursor_that_repeats_is_a_circle_also_when_rows_are_new():
    trail = SeenRows("messages", EXPORT)
    for cursor, ids in (("A", "ab"), ("B", "cd")):
        following = trail.follow({"cursor": cursor}, page(*ids, nextCursor="B" if cursor == "A" else "C"))

    with pytest.raises(IncompleteDownload, match="the cursor repeats"):
        trail.follow(following, page("e", "f", nextCursor="C"))


def test_a_short_page_that_only_overlaps_the_one_before_ends_a_walk_by_rows():
    trail = SeenRows("contacts", SEARCH)
    following = trail.follow(SEARCH.first(), page("a", "b"))

    assert trail.follow(following, page("b")) is None


def test_an_empty_page_with_a_new_cursor_goes_on():
    trail = SeenRows("messages", EXPORT)

    assert trail.follow({}, page(nextCursor="x")) == {"limit": 2, "cursor": "x"}


def test_rows_are_counted_once_and_rows_without_an_id_each():
    trail = SeenRows("contacts", SEARCH)
    following = trail.follow(SEARCH.first(), page("a", "b"))
    trail.follow(following, Page([{"id": "b", "sort": [2, "b"]}, {"id": None, "sort": [3, ""]}], {}))

    assert trail.rows == 3


@pytest.mark.parametrize("told", [None, "12", [{"total": 12}], {"total": 12}, -1, True, 1.5])
def test_a_total_of_an_odd_shape_counts_as_missing(told):
    assert Page([], {"total": told}).total("total") is None


def test_a_plain_total_is_taken_and_one_without_a_name_is_not():
    assert Page([], {"total": 12}).total("total") == 12
    assert Page([], {"total": 12}).total(None) is None


# ---- offsets and page numbers over rows that move

SKIP = Offset(size="limit", most=10)
PAGED = PageNumber(size="limit", most=10, total="meta.total")


def walked(paging, serve, before_page=lambda number: None, most_pages=200):
    """The ids that a walk brings from *serve(position)*, and how many pages that took."""
    trail, position, pages, came = SeenRows("rows", paging, total="meta.total"), paging.first(), 0, []
    while position is not None:
        assert pages < most_pages
        before_page(pages)
        one = serve(position)
        came += [row["id"] for row in one.rows]
        position, pages = trail.follow(position, one), pages + 1
    return came, pages


def by_offset(ids, most=10):
    return lambda at: Page(
        [{"id": name} for name in ids[at["skip"] : at["skip"] + most]], {"meta": {"total": len(ids)}}
    )


def by_number(ids):
    def serve(at):
        start = (at["page"] - 1) * at["limit"]
        return Page([{"id": name} for name in ids[start : start + at["limit"]]], {"meta": {"total": len(ids)}})

    return serve


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 19, 20, 100])
def test_an_offset_walk_over_still_rows_brings_each_and_overlaps_by_one(count):
    ids = [str(number) for number in range(count)]

    came, _ = walked(SKIP, by_offset(ids))

    assert sorted(set(came), key=int) == ids
    assert len(came) - len(set(came)) <= count / 9 + 1


@example(196, 1)
@given(st.integers(0, 10**6), st.integers(1, 20))
def test_an_offset_walk_loses_no_row_that_stays_or_says_so(seed, going):
    random = Random(seed)
    ids = [str(number) for number in range(100)]
    stay = set(ids[::3])

    def delete(_):
        can_go = [name for name in ids if name not in stay]
        for name in random.sample(can_go, min(going, len(can_go))):
            ids.remove(name)

    try:
        came, _ = walked(SKIP, by_offset(ids), delete)
    except IncompleteDownload:
        assert going > 3  # only where rows go faster than they can be read
    else:
        assert stay <= set(came)


def test_a_server_that_gives_fewer_rows_than_asked_is_read_on_while_its_total_says_more():
    ids = [str(number) for number in range(35)]

    came, _ = walked(SKIP, by_offset(ids, most=4))

    assert set(came) == set(ids)


def test_a_server_that_ignores_the_offset_is_a_circle():
    def serve(_):
        return Page([{"id": str(number)} for number in range(10)], {})

    with pytest.raises(IncompleteDownload, match="in a circle"):
        walked(SKIP, serve)


@pytest.mark.parametrize("count", [0, 1, 10, 11, 30])
def test_a_page_number_walk_over_still_rows_is_one_round(count):
    ids = [str(number) for number in range(count)]

    came, pages = walked(PAGED, by_number(ids))

    assert came == ids
    assert pages == count // 10 + 1


@pytest.mark.parametrize("paging", [SKIP, PAGED], ids=["offset", "page number"])
@pytest.mark.parametrize("odd", [{0}, {9}, {8, 9}, {10}, {29}, {3, 4, 5, 18, 19, 20}], ids=str)
@pytest.mark.parametrize("none", [None, {"id": None}], ids=["no row", "no id"])
def test_entries_that_are_no_rows_or_have_no_id_lose_none_of_the_others(paging, odd, none):
    entries = [none if number in odd else {"id": str(number)} for number in range(30)]

    def serve(at):
        start = at["skip"] if paging is SKIP else (at["page"] - 1) * 10
        found = entries[start : start + 10]
        rows = [row for row in found if row is not None]
        trailing = next((n for n, row in enumerate(reversed(found)) if row is not None), 0)
        return Page(rows, {"meta": {"total": 30}}, len(found) - len(rows), trailing)

    came, pages = walked(paging, serve)

    assert set(came) - {None} == {row["id"] for row in entries if row and row["id"]}
    assert pages <= 5


def test_a_row_without_an_id_that_two_pages_share_is_given_once():
    before, page = Page([{"id": "a"}, {"x": 1}], {}), Page([{"id": "a"}, {"x": 1}, {"x": 2}], {})

    assert SeenRows("rows", SKIP).beyond(before, page) == [{"x": 2}]
    assert SeenRows("rows", EXPORT).beyond(before, page) == [{"x": 1}, {"x": 2}]


def test_a_page_number_walk_that_does_not_add_up_is_walked_once_more():
    ids = [str(number) for number in range(30)]

    came, pages = walked(PAGED, by_number(ids), lambda number: ids.remove("0") if number == 1 else None)

    assert set(came) >= set(ids)
    assert pages == 6


def test_a_page_number_walk_that_never_adds_up_is_incomplete():
    ids = [str(number) for number in range(100)]

    with pytest.raises(IncompleteDownload, match="rows moved while they were read"):
        walked(PAGED, by_number(ids), lambda _: ids.pop(0))


@pytest.mark.parametrize("style", [Offset, PageNumber])
def test_a_number_is_an_id_too(style):
    paging = style(size="limit", most=10, **({"total": "meta.total"} if style is PageNumber else {}))
    serve = by_offset(range(25)) if style is Offset else by_number(range(25))

    came, pages = walked(paging, serve)

    assert set(came) == set(range(25))
    assert pages == 3


def test_a_page_number_walk_without_a_total_ends_at_a_short_page():
    def serve(at):
        return Page([{"id": f"{at['page']}-{n}"} for n in range(10 if at["page"] < 3 else 4)], {})

    assert len(walked(PAGED, serve)[0]) == 24


# ---- the other cursors


def test_a_pair_of_cursors_is_sent_together_or_not_at_all():
    pair = StartAfterPair(size="limit", most=2)
    meta = {"startAfter": 7, "startAfterId": "b"}

    assert after(pair, {}, page("a", "b", meta=meta)) == {"limit": 2, **meta}
    assert after(pair, {}, page("a", "b", meta={"startAfter": 7})) is None
    assert after(pair, {}, page(meta=meta)) is None


def test_the_last_id_is_told_in_the_envelope_or_stands_on_the_row():
    told = LastId(param="lastMessageId", next="messages.lastMessageId", more="messages.nextPage")

    assert after(told, {}, page("a", messages={"lastMessageId": "z", "nextPage": True})) == {"lastMessageId": "z"}
    assert after(told, {}, page("a", messages={"lastMessageId": "z", "nextPage": False})) is None
    assert after(LastId(param="after"), {}, page("a", "b")) == {"after": "b"}


@pytest.mark.parametrize(
    ("path", "found"), [("a.b", 1), ("l.0.t", 2), ("l.1.t", None), ("a", {"b": 1}), ("x.y", None), (None, None)]
)
def test_a_dotted_path_leads_into_objects_and_lists(path, found):
    assert lookup({"a": {"b": 1}, "l": [{"t": 2}]}, path) == found
