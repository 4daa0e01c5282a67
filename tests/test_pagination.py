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
    PageNumber,
    SearchAfter,
    StartAfterDate,
    StartAfterPair,
)
from hlkit.client.seen_rows import Page, SeenRows, get_path

SEARCH = SearchAfter(size="limit", most=2, order=("date_added", "asc"))
EXPORT = Cursor(size="limit", most=2)
BY_DATE = StartAfterDate(size="limit", most=2)


def after(paging, position, page):
    return paging.next_position(position, page, SeenRows("rows"))


def rows(*ids, **same):
    return [{"id": row_id, "sort": [number, row_id], **same} for number, row_id in enumerate(ids)]


def page(*ids, **envelope):
    return Page(rows(*ids), envelope)


def test_without_paging_one_response_is_everything():
    assert NoPaging().first() == {}
    assert after(NoPaging(), {}, page("a")) is None


def test_a_search_continues_after_the_cursor_of_the_last_row_without_a_page_number():
    assert after(SEARCH, SEARCH.first(), page("a", "b")) == {
        "limit": 2,
        "sort": [{"field": "date_added", "direction": "asc"}],
        "searchAfter": [1, "b"],
    }


def test_a_search_prefers_the_field_search_after_to_sort():
    last = {"id": "a", "searchAfter": [9, "a"], "sort": [1, "a"]}

    assert after(SEARCH, SEARCH.first(), Page([last], {}))["searchAfter"] == [9, "a"]


def test_an_empty_page_ends_a_search_and_a_short_one_does_not():
    assert after(SEARCH, SEARCH.first(), page("a")) is not None
    assert after(SEARCH, SEARCH.first(), page()) is None


def test_rows_without_a_cursor_are_requested_by_page_number():
    bare = Page([{"id": "a"}, {"id": "b"}], {})

    second = after(SEARCH, SEARCH.first(), bare)
    assert second["page"] == 2
    assert "searchAfter" not in second
    assert after(SEARCH, second, bare)["page"] == 3
    assert after(SEARCH, second, Page([{"id": "a"}], {})) is None


def test_page_numbers_beyond_the_servers_limit_raise():
    full = Page([{"id": "a"}] * 500, {})
    search = SearchAfter(size="limit", most=500)

    assert after(search, {"page": 19}, full)["page"] == 20
    with pytest.raises(IncompleteDownload, match="page numbers end at 10,000"):
        after(search, {"page": 20}, full)


def test_an_export_ends_without_a_cursor_and_not_at_an_empty_page():
    assert after(EXPORT, {}, page(nextCursor="x")) == {"limit": 2, "cursor": "x"}
    for end in ({}, {"nextCursor": None}, {"nextCursor": ""}):
        assert after(EXPORT, {}, page("a", "b", **end)) is None


def test_a_date_cursor_starts_a_millisecond_early():
    assert after(BY_DATE, {}, page("a", "b")) == {"limit": 2, "startAfterDate": 0}


def test_a_full_page_without_a_date_is_not_the_last():
    undated = Page([{"id": "a", "sort": [1]}, {"id": "b"}], {})

    with pytest.raises(IncompleteDownload, match="has no time stamp"):
        after(BY_DATE, {}, undated)


def test_a_full_page_of_one_date_raises():
    tied = Page([{"id": "a", "sort": [7]}, {"id": "b", "sort": [7]}], {})

    with pytest.raises(IncompleteDownload, match="share one time stamp"):
        after(BY_DATE, {}, tied)


def test_ties_are_no_problem_for_a_cursor_with_the_id():
    tied = Page([{"id": "a", "sort": [7, "a"]}, {"id": "b", "sort": [7, "b"]}], {})

    assert after(SEARCH, {}, tied)["searchAfter"] == [7, "b"]


def test_a_full_page_without_a_new_row_is_a_loop():
    seen = SeenRows("contacts")
    following = SEARCH.next_position(SEARCH.first(), page("a", "b"), seen)

    with pytest.raises(IncompleteDownload, match="pagination loop in contacts"):
        SEARCH.next_position(following, page("a", "b"), seen)


def test_a_cursor_that_repeats_is_a_loop_even_if_rows_are_new():
    seen = SeenRows("messages")
    for cursor, ids in (("A", "ab"), ("B", "cd")):
        first = page(*ids, nextCursor="B" if cursor == "A" else "C")
        following = EXPORT.next_position({"cursor": cursor}, first, seen)

    with pytest.raises(IncompleteDownload, match="the cursor repeats"):
        EXPORT.next_position(following, page("e", "f", nextCursor="C"), seen)


def test_a_short_page_of_known_rows_is_the_last_for_a_cursor_by_rows():
    seen = SeenRows("contacts")
    following = SEARCH.next_position(SEARCH.first(), page("a", "b"), seen)

    assert SEARCH.next_position(following, page("b"), seen) is None


def test_an_empty_page_with_a_new_cursor_is_not_the_last():
    seen = SeenRows("messages")

    assert EXPORT.next_position({}, page(nextCursor="x"), seen) == {"limit": 2, "cursor": "x"}


def test_rows_are_counted_once_and_rows_without_an_id_each_time():
    seen = SeenRows("contacts")
    following = SEARCH.next_position(SEARCH.first(), page("a", "b"), seen)
    SEARCH.next_position(following, Page([{"id": "b", "sort": [2, "b"]}, {"id": None, "sort": [3, ""]}], {}), seen)

    assert seen.row_count == 3


@pytest.mark.parametrize("total", [None, "12", [{"total": 12}], {"total": 12}, -1, True, 1.5])
def test_a_total_that_is_not_a_count_is_missing(total):
    assert Page([], {"total": total}).total("total") is None


def test_a_total_is_read_at_its_path():
    assert Page([], {"total": 12}).total("total") == 12
    assert Page([], {"total": 12}).total(None) is None


# ---- offsets and page numbers over rows that move

SKIP = Offset(size="limit", most=10)
PAGED = PageNumber(size="limit", most=10)


def download(paging, serve, before_page=lambda number: None, max_pages=200):
    """The ids downloaded from *serve(position)*, and the number of pages."""
    seen, position, pages, ids = SeenRows("rows", total_path="meta.total"), paging.first(), 0, []
    while position is not None:
        assert pages < max_pages
        before_page(pages)
        page = serve(position)
        ids += [row["id"] for row in page.rows]
        position, pages = paging.next_position(position, page, seen), pages + 1
    return ids, pages


def by_offset(ids, most=10):
    return lambda at: Page(
        [{"id": row_id} for row_id in ids[at["skip"] : at["skip"] + most]], {"meta": {"total": len(ids)}}
    )


def by_number(ids):
    def serve(at):
        start = (at["page"] - 1) * at["limit"]
        return Page([{"id": row_id} for row_id in ids[start : start + at["limit"]]], {"meta": {"total": len(ids)}})

    return serve


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 19, 20, 100])
def test_by_offset_every_row_arrives_and_pages_overlap_by_one(count):
    ids = [str(number) for number in range(count)]

    downloaded, _ = download(SKIP, by_offset(ids))

    assert sorted(set(downloaded), key=int) == ids
    assert len(downloaded) - len(set(downloaded)) <= count / 9 + 1


@example(196, 1)
@given(st.integers(0, 10**6), st.integers(1, 20))
def test_by_offset_no_row_that_stays_is_lost_without_an_error(seed, deletions):
    random = Random(seed)
    ids = [str(number) for number in range(100)]
    stay = set(ids[::3])

    def delete(_):
        deletable = [row_id for row_id in ids if row_id not in stay]
        for row_id in random.sample(deletable, min(deletions, len(deletable))):
            ids.remove(row_id)

    try:
        downloaded, _ = download(SKIP, by_offset(ids), delete)
    except IncompleteDownload:
        assert deletions > 3  # only if rows are deleted faster than they can be read
    else:
        assert stay <= set(downloaded)


def test_pages_shorter_than_requested_are_followed_until_the_total():
    ids = [str(number) for number in range(35)]

    downloaded, _ = download(SKIP, by_offset(ids, most=4))

    assert set(downloaded) == set(ids)


def test_a_server_that_ignores_the_offset_is_a_loop():
    def serve(_):
        return Page([{"id": str(number)} for number in range(10)], {})

    with pytest.raises(IncompleteDownload, match="pagination loop"):
        download(SKIP, serve)


@pytest.mark.parametrize("count", [0, 1, 10, 11, 30])
def test_by_page_number_unchanged_rows_are_read_once(count):
    ids = [str(number) for number in range(count)]

    downloaded, pages = download(PAGED, by_number(ids))

    assert downloaded == ids
    assert pages == count // 10 + 1


@pytest.mark.parametrize("paging", [SKIP, PAGED], ids=["offset", "page number"])
@pytest.mark.parametrize("positions", [{0}, {9}, {8, 9}, {10}, {29}, {3, 4, 5, 18, 19, 20}], ids=str)
@pytest.mark.parametrize("entry", [None, {"id": None}], ids=["no row", "no id"])
def test_entries_that_are_not_rows_or_have_no_id_lose_no_other_row(paging, positions, entry):
    entries = [entry if number in positions else {"id": str(number)} for number in range(30)]

    def serve(at):
        start = at["skip"] if paging is SKIP else (at["page"] - 1) * 10
        page_entries = entries[start : start + 10]
        rows = [row for row in page_entries if row is not None]
        trailing = next((n for n, row in enumerate(reversed(page_entries)) if row is not None), 0)
        return Page(rows, {"meta": {"total": 30}}, len(page_entries) - len(rows), trailing)

    downloaded, pages = download(paging, serve)

    assert set(downloaded) - {None} == {row["id"] for row in entries if row and row["id"]}
    assert pages <= 5


def test_a_row_without_an_id_that_two_pages_share_is_returned_once():
    before, page = Page([{"id": "a"}, {"x": 1}], {}), Page([{"id": "a"}, {"x": 1}, {"x": 2}], {})

    assert SKIP.new_rows(before, page, SeenRows("rows")) == [{"x": 2}]
    assert EXPORT.new_rows(before, page, SeenRows("rows")) == [{"x": 1}, {"x": 2}]


@pytest.mark.parametrize(
    "change",
    [lambda ids: ids.pop(0), lambda ids: ids.insert(0, "new"), lambda ids: ids.insert(0, ids.pop())],
    ids=["deleted", "inserted", "moved"],
)
def test_by_page_number_rows_that_move_are_noticed_by_the_total(change):
    ids = [str(number) for number in range(30)]

    with pytest.raises(IncompleteDownload, match="rows moved while they were read"):
        download(PAGED, by_number(ids), lambda number: change(ids) if number == 1 else None)


@pytest.mark.parametrize("style", [Offset, PageNumber])
def test_an_id_can_be_a_number(style):
    paging = style(size="limit", most=10)
    serve = by_offset(range(25)) if style is Offset else by_number(range(25))

    downloaded, pages = download(paging, serve)

    assert set(downloaded) == set(range(25))
    assert pages == 3


def test_by_page_number_without_a_total_a_short_page_is_the_last():
    def serve(at):
        return Page([{"id": f"{at['page']}-{n}"} for n in range(10 if at["page"] < 3 else 4)], {})

    assert len(download(PAGED, serve)[0]) == 24


def test_a_pair_of_cursors_is_sent_together_or_not_at_all():
    pair = StartAfterPair(size="limit", most=2)
    meta = {"startAfter": 7, "startAfterId": "b"}

    assert after(pair, {}, page("a", "b", meta=meta)) == {"limit": 2, **meta}
    assert after(pair, {}, page("a", "b", meta={"startAfter": 7})) is None
    assert after(pair, {}, page(meta=meta)) is None


def test_the_last_id_is_in_the_envelope_or_on_the_row():
    in_envelope = LastId(param="lastMessageId", next="messages.lastMessageId", more="messages.nextPage")

    first = page("a", messages={"lastMessageId": "z", "nextPage": True})
    assert after(in_envelope, {}, first) == {"lastMessageId": "z"}
    assert after(in_envelope, {}, page("a", messages={"lastMessageId": "z", "nextPage": False})) is None
    assert after(LastId(param="after"), {}, page("a", "b")) == {"after": "b"}


@pytest.mark.parametrize(
    ("path", "value"), [("a.b", 1), ("l.0.t", 2), ("l.1.t", None), ("a", {"b": 1}), ("x.y", None), (None, None)]
)
def test_a_dotted_path_reads_objects_and_lists(path, value):
    assert get_path({"a": {"b": 1}, "l": [{"t": 2}]}, path) == value
