"""What holds for every analysis: its table, its groups, its shares, its chart, whatever the account."""

import re
from functools import cache

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from made import AS_OF, drawn, frame, frames_for, typed

import hlkit as hl
from hlkit.analysis.core.groups import ALL, NONE, group_column_name
from hlkit.client.errors import HlkitError, InvalidRequest, MissingColumn
from hlkit.client.resources import CATALOG
from hlkit.client.schema import TEXT

EVERY = pytest.mark.parametrize("name", list(hl.analyses))


def ask(analysis, frames, **choices):
    return analysis(**frames, **{"as_of": AS_OF, **choices})


def told(table, analysis):
    """Asserts that the table is as declared; gives the names of the columns of its groups."""
    declared = analysis.columns
    assert list(table.columns)[-len(declared) :] == list(declared)
    for column, kind in declared.items():
        assert table[column].dtype == kind.dtype, column
    assert table.attrs["hlkit"]["analysis"] == analysis.name
    assert "{" not in table.attrs["hlkit"]["definition"]
    return list(table.columns)[: -len(declared)]


@EVERY
def test_it_says_what_it_answers_and_how(name):
    analysis = hl.analyses[name]

    assert analysis.question.endswith("?")
    assert len(analysis.definition) > 80
    assert "Source:" in analysis.__doc__
    assert all(option.doc for option in analysis.options.values()), "explain each option"
    assert all(needed in CATALOG for needed in analysis.frames)


@EVERY
@pytest.mark.parametrize(("rows", "nulls"), [(0, 0), (1, 0), (1, 1), (40, 0), (40, 0.3), (40, 1)])
def test_it_gives_its_declared_columns_and_a_chart_whatever_there_is(name, rows, nulls):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, rows, nulls=nulls)

    table = ask(analysis, frames, timezone="America/Chicago")
    told(table, analysis)
    axes = drawn(analysis, table)
    if not len(table):
        assert "no data yet" in axes.texts[0].get_text()


@EVERY
def test_it_does_without_what_it_can_do_without(name):
    analysis = hl.analyses[name]
    optional = [frame for frame, needed in analysis.frames.items() if not needed]

    told(ask(analysis, frames_for(analysis, 40, without=optional)), analysis)


@EVERY
def test_it_copes_with_frames_of_the_columns_that_it_needs_alone(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 30)
    needed = {key: [frame.columns[0]] for key, frame in frames.items()}

    for _ in range(40):  # each error names one column more
        missing = None
        try:
            table = ask(analysis, {key: frame[needed[key]] for key, frame in frames.items()})
        except MissingColumn as error:
            missing = error
        if missing is None:
            told(table, analysis)
            return
        resource, column = re.match(r"(\w+) has no column '(\w+)'", missing.message).groups()
        assert column not in needed[resource]
        needed[resource].append(column)
    pytest.fail("it goes on asking for columns")


GROUPED = pytest.mark.parametrize("name", [name for name in hl.analyses if "by" in hl.analyses[name].options])


@cache
def whole_of(name, rows, seed, nulls):
    analysis = hl.analyses[name]
    return ask(analysis, frames_for(analysis, rows, seed, nulls), by=None)


@GROUPED
@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 1),
    rows=st.sampled_from([0, 1, 9, 60]),
    nulls=st.sampled_from([0, 0.2, 0.9]),
    data=st.data(),
)
def test_groups_sum_to_the_whole(name, seed, rows, nulls, data):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, rows, seed, nulls)
    first = frames[next(iter(frames))]
    plain = [column for column in first.columns if first[column].dtype != object]
    by = data.draw(st.sampled_from(plain), label="by")

    whole = whole_of(name, rows, seed, nulls)
    parts = ask(analysis, frames, by=by)

    declared = analysis.columns
    column = group_column_name(by, declared)
    if column not in parts or "group" not in whole:
        return  # not a table of groups
    assert set(whole["group"]) <= {ALL}
    assert parts[column].notna().all()
    if first[by].isna().all() and by != first.columns[0]:
        assert set(parts[column]) <= {NONE, "(other contacts)"}
    for counted, kind in declared.items():
        if kind.name == "COUNT" and counted != "day" and parts[counted].notna().all():
            assert parts[counted].sum() == whole[counted].sum(), counted


@EVERY
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 9), rows=st.sampled_from([1, 20, 80]))
def test_every_share_lies_in_its_interval(name, seed, rows):
    analysis = hl.analyses[name]
    table = ask(analysis, frames_for(analysis, rows, seed))
    for column, kind in analysis.columns.items():
        if kind.name != "SHARE":
            continue
        values = table[column].dropna()
        assert values.between(0, 1).all(), column
        stem = column.removesuffix("_share")
        if column.endswith("_share") and f"{stem}_low" in table:
            known = table.dropna(subset=[column, f"{stem}_low", f"{stem}_high"])
            assert (known[f"{stem}_low"] <= known[column] + 1e-9).all(), column
            assert (known[column] <= known[f"{stem}_high"] + 1e-9).all(), column


@EVERY
def test_groups_by_a_list_a_custom_field_and_an_owner(name):
    analysis = hl.analyses[name]
    if "by" not in analysis.options:
        return
    frames = frames_for(analysis, 40)
    first = next(iter(frames))
    frames[first] = frames[first].assign(**{"Roof type": ["flat", "steep"] * 20, "Wants": [["a", "b"], []] * 20})

    for by in ("Roof type", "Wants"):
        table = ask(analysis, frames, by=by)
        told(table, analysis)
        drawn(analysis, table)
    if "Wants" in table:
        assert "several Wants" in table.attrs["hlkit"]["definition"]


# Names of columns that analyses and charts work with, beside those of their tables, and names that no CSV has.
ODD = ("(day)", "age", "group", "late", "over", "self", "", 5, ("a", "b"))


@GROUPED
def test_a_column_of_any_name_groups_as_any_other(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 24, seed=5)
    first = next(iter(frames))
    values = ["x", "y", None, "y"] * 6

    def by(label):
        given = {
            **frames,
            first: frames[first].assign(**{"": values}).set_axis([*frames[first].columns, label], axis=1),
        }
        return ask(analysis, given, by=label)

    plain = by("Plain name")
    for label in [*ODD, *list(analysis.columns)[:1]]:
        if label in [column.name for column in CATALOG[first].columns]:
            continue
        table = by(label)
        if label == "self":
            drawn(analysis, table)
        if label == 5:
            assert analysis.headline(table) is not None
        if "Plain name" in plain:
            assert table.columns[0] in (str(label), f"{label} (group)")
            table = table.rename(columns={table.columns[0]: "Plain name"})
        if name == "missing_fields":  # the column itself is one of its rows
            table, expected = (one[~one["field"].isin([str(label), "Plain name"])] for one in (table, plain))
        else:
            expected = plain
        pd.testing.assert_frame_equal(table.reset_index(drop=True), expected.reset_index(drop=True))


@GROUPED
def test_objects_group_as_texts_and_more_than_two_columns_are_refused(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 12, nulls=0)
    first = next(iter(frames))
    values = [{"u-1": {"url": "x"}}, None, [{"email": "ann@example.com"}], []] * 3
    frames[first]["Photos"] = pd.Series(values, dtype="object")

    told(ask(analysis, frames, by="Photos"), analysis)
    for several in (["Photos"], ["Photos", "Photos"], ["Photos", "source", "email"], [None, 3]):
        with pytest.raises(InvalidRequest, match="by"):
            ask(analysis, frames, by=several)


TWO_WAY = [
    name
    for name in hl.analyses
    if "by" in (options := hl.analyses[name].options) and "list" in str(options["by"].type)
]


@pytest.mark.parametrize("name", TWO_WAY)
def test_by_two_columns_is_a_heat_table_whose_rows_sum_to_those_of_one(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 60, nulls=0)
    first = next(iter(frames))
    frames[first] = frames[first].assign(Roof=["flat", "steep", None] * 20, Color=["red", "blue"] * 30)

    two, one = (ask(analysis, frames, by=by) for by in (["Roof", "Color"], "Roof"))

    assert told(two, analysis) == ["Roof", "Color"]
    drawn(analysis, two)
    assert analysis.headline(two)
    counts = [column for column, kind in analysis.columns.items() if kind.name == "COUNT"][:1]
    sums = two.groupby("Roof")[counts].sum()
    pd.testing.assert_frame_equal(sums, one.set_index("Roof")[counts].sort_index(), check_index_type=False)


def pages(frame):
    return pd.concat([frame[:9].reset_index(drop=True), frame[9:].reset_index(drop=True)])


def instants(frame, change):
    columns = [name for name in frame if isinstance(frame[name].dtype, pd.DatetimeTZDtype)]
    return frame.assign(**{name: change(frame[name]) for name in columns})


SHAPES = {
    "pages put together": pages,
    "indexed by its id": lambda frame: frame.set_index(frame.columns[0]),
    "indexed by its id, which stays": lambda frame: frame.set_index(frame.columns[0], drop=False),
    "indexed by two": lambda frame: frame.set_index(list(frame.columns[:2])),
    "an index with a name": lambda frame: frame.rename_axis("row"),
    "columns with a name": lambda frame: frame.rename_axis(columns="field"),
    "nanoseconds": lambda frame: instants(frame, lambda column: column.dt.as_unit("ns")),
    "no zone": lambda frame: instants(frame, lambda column: column.dt.tz_localize(None)),
    "objects": lambda frame: frame.astype("object").where(frame.notna(), None),
    "categories": lambda frame: frame.astype({name: "category" for name in frame if frame[name].dtype == TEXT.dtype}),
    "Arrow": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "a slice": lambda frame: pd.concat([frame, frame])[: len(frame)],
}


@EVERY
def test_frames_of_any_shape_give_the_same_table_and_stay_as_they_are(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 12, seed=5)
    expected = ask(analysis, frames)

    for shape, change in SHAPES.items():
        shaped = {key: change(one) for key, one in frames.items()}
        before = {key: one.copy() for key, one in shaped.items()}
        pd.testing.assert_frame_equal(ask(analysis, shaped), expected, obj=shape)
        for key, one in shaped.items():
            pd.testing.assert_frame_equal(one, before[key], obj=shape)


@EVERY
def test_a_column_that_is_there_twice_is_named(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 3)
    first = next(iter(frames))
    for twice in (frames[first].columns[0], frames[first].columns[-1]):
        odd = pd.concat([frames[first], frames[first][[twice]]], axis=1)
        with pytest.raises(InvalidRequest, match=f"{first} has the column '{twice}' more than once"):
            ask(analysis, {**frames, first: odd})
    levels = frames[first].set_axis(pd.MultiIndex.from_product([["x"], frames[first].columns]), axis=1)
    with pytest.raises(InvalidRequest, match=f"{first} has headings of 2 levels"):
        ask(analysis, {**frames, first: levels})


def test_an_instant_of_ones_own_is_not_compared_with_as_of():
    analysis = hl.analyses["reachability"]
    contacts = frames_for(analysis, 3)["contacts"].assign(sent_at=["yes", "no", "yes"])

    assert ask(analysis, {"contacts": contacts}, by="sent_at")["n"].max() == 2


@EVERY
def test_an_instant_without_a_zone_is_read_in_the_locations(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 20)

    zone = {"timezone": "America/Chicago"} if "timezone" in analysis.filled_by_location else {}
    naive = ask(analysis, frames, as_of=pd.Timestamp("2025-11-20 12:00"), **zone)
    zoned = ask(analysis, frames, as_of="2025-11-20T18:00Z" if zone else "2025-11-20T12:00Z", **zone)

    pd.testing.assert_frame_equal(naive, zoned)


@EVERY
def test_later_rows_and_repeated_ids_are_left_out_and_counted(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 40, nulls=0)
    first = next(iter(frames))
    doubled = {**frames, first: pd.concat([frames[first], frames[first].head(5)])}

    once, twice = ask(analysis, frames), ask(analysis, doubled)

    assert twice.attrs["hlkit"]["left_out"][f"{first} that repeat an id"] == 5
    key = [column for column in once.columns if once[column].dtype != object]
    pd.testing.assert_frame_equal(
        once[key].sort_values(key, ignore_index=True), twice[key].sort_values(key, ignore_index=True)
    )
    later = ask(analysis, frames, as_of="2025-06-01T00:00Z").attrs["hlkit"]
    assert any("later than as_of" in why for why in later["left_out"])


@EVERY
def test_frames_from_a_csv_are_typed_again(name, tmp_path):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 25)
    lists = {key: [c.name for c in CATALOG[key].columns if c.kind.name == "LIST"] for key in frames}
    plain = {key: frame.drop(columns=lists[key]) for key, frame in frames.items()}
    read = {}
    for key, one in plain.items():
        one.to_csv(tmp_path / f"{key}.csv", index=False)
        read[key] = pd.read_csv(tmp_path / f"{key}.csv", keep_default_na=True)

    assert len(ask(analysis, read)) == len(ask(analysis, plain))


@EVERY
def test_what_is_no_frame_or_no_choice_is_one_clear_error(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 3)
    first = next(iter(frames))

    for wrong in ({**frames, first: None}, {**frames, first: [1]}, {**frames, first: frames[first][[]]}):
        with pytest.raises(HlkitError):
            ask(analysis, wrong)
    with pytest.raises(InvalidRequest, match="has no option"):
        ask(analysis, frames, nonsense=1)
    for choice, option in analysis.options.items():
        if option.values:
            with pytest.raises(InvalidRequest):
                ask(analysis, frames, **{choice: "nonsense"})
    if "by" in analysis.options:
        with pytest.raises(MissingColumn):
            ask(analysis, frames, by="nonsense")
    broken = frames[first].astype(dict.fromkeys(frames[first].columns, "object"))
    if "created_at" in broken:
        broken["created_at"] = "no date"
        with pytest.raises(InvalidRequest, match="does not hold instants"):
            ask(analysis, {**frames, first: broken})


def test_flags_that_a_file_has_as_text_are_read():
    frames = frames_for(hl.analyses.appointments, 20)
    text = frames["appointments"].assign(is_deleted=["True", " FALSE", "", None] * 5)
    flags = frames["appointments"].assign(is_deleted=[True, False, None, None] * 5)

    tables = [ask(hl.analyses.appointments, {**frames, "appointments": given}) for given in (text, flags)]

    pd.testing.assert_frame_equal(*tables)


@EVERY
def test_it_leaves_its_frames_as_they_were(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 20)
    before = {key: frame.copy() for key, frame in frames.items()}

    ask(analysis, frames)

    for key, given_frame in frames.items():
        pd.testing.assert_frame_equal(given_frame, before[key])


@EVERY
def test_the_order_of_rows_does_not_matter(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 40)
    rng = np.random.default_rng(1)
    shuffled = {key: frame.iloc[rng.permutation(len(frame))] for key, frame in frames.items()}

    one, other = ask(analysis, frames), ask(analysis, shuffled)

    numbers = [c for c, kind in analysis.columns.items() if kind.name in ("COUNT", "MONEY")]
    assert one[numbers].sum().round(6).equals(other[numbers].sum().round(6))


def test_the_made_up_frames_hold_what_their_resources_declare():
    for name, resource in CATALOG.items():
        made = frame(name, 10)
        assert [made[column.name].dtype == column.kind.dtype for column in resource.columns] == [True] * len(
            resource.columns
        )


@pytest.mark.parametrize("name", [name for name in hl.analyses if "abandoned" in hl.analyses[name].options])
def test_a_deal_that_is_abandoned_later_than_as_of_is_open_and_never_left_out(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 0)
    made, later = AS_OF - pd.Timedelta(days=9), AS_OF + pd.Timedelta(days=1)
    deal = {"contact_id": "c", "status": "Abandoned", "created_at": made, "stage_id": "s", "pipeline_id": "p"}
    rows = [deal | {"opportunity_id": str(n), "status_changed_at": later} for n in range(2)]
    frames["opportunities"] = typed("opportunities", *rows[: 1 if name == "win_rate_by_wait" else 2])
    if "contacts" in frames:
        frames["contacts"] = typed("contacts", {"contact_id": "c", "created_at": made})
    if "stages" in frames:
        frames["stages"] = typed("stages", {"stage_id": "s", "pipeline_id": "p", "position": 0})

    for abandoned in ("lost", "exclude"):
        table = ask(analysis, frames, abandoned=abandoned)
        shares = table["open_share"].dropna()
        assert set(shares) == {1}, abandoned
        assert "abandoned opportunities" not in table.attrs["hlkit"]["left_out"]


@EVERY
@pytest.mark.parametrize("unit", ["s", "ns"])
def test_times_of_any_unit_give_the_same_table(name, unit):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 30)
    given = {
        key: rows.assign(**{column: rows[column].dt.as_unit(unit) for column in rows.select_dtypes(TIMES)})
        for key, rows in frames.items()
    }

    pd.testing.assert_frame_equal(ask(analysis, given), ask(analysis, frames))


TIMES = ["datetime", "datetimetz"]


@EVERY
def test_dates_that_stand_for_none_are_none_and_said_so(name):
    analysis = hl.analyses[name]
    frames = frames_for(analysis, 30)
    for rows in frames.values():
        for column in rows.select_dtypes(TIMES):
            zone = "UTC" if rows[column].dt.tz else None
            for first, day in ((4, "0001-01-01"), (2, "9999-12-31")):
                rows[column] = rows[column].mask(rows.index < first, pd.Timestamp(day, tz=zone).as_unit("us"))
    nulls = {
        key: rows.assign(**{column: rows[column].mask(rows.index < 4) for column in rows.select_dtypes(TIMES)})
        for key, rows in frames.items()
    }

    table = ask(analysis, frames)

    pd.testing.assert_frame_equal(table, ask(analysis, nulls))
    assert "before 1678 or after 2261 were treated as missing" in table.attrs["hlkit"]["definition"]
