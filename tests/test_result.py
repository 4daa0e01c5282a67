"""A result: its parts, how it shows, and how it leaves as a file."""

import base64
import copy
import json
import multiprocessing
import pickle
import stat

import numpy as np
import openpyxl
import pandas as pd
import pytest
from made import AS_OF, frames_for
from matplotlib.figure import Figure

import hlkit as hl
from hlkit.analysis.core import known
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.result import Provenance, Result
from hlkit.client.errors import InvalidRequest
from hlkit.client.links import contact_url
from hlkit.client.schema import COUNT, ID, INSTANT, LINK, MONEY, NUMBER, SHARE, TEXT

NASTY = "<script>alert(1)</script> $x^2$ \x1b[31mred\r\n=1+1"


@pytest.fixture
def result(monkeypatch):
    monkeypatch.setattr(known, "KNOWN", known.all_analyses())

    @analysis(
        "Who is <b>here</b>?",
        columns={"name": TEXT, "n": COUNT, "part": SHARE, "cash": MONEY, "at": INSTANT},
        definition="All <i>who</i> came, by {by}.",
    )
    def who(contacts: pd.DataFrame, *, by: str | None = None) -> pd.DataFrame:
        """Who."""
        rows = range(len(contacts))
        return pd.DataFrame(
            {
                "name": [NASTY] * len(contacts),
                "n": [1234] * len(contacts),
                "part": [0.5] * len(contacts),
                "cash": [1234567.891 for _ in rows],
                "at": pd.Series(["2025-07-01T05:30Z"] * len(contacts), dtype="datetime64[us, UTC]"),
            }
        )

    table = who(pd.DataFrame({"contact_id": [f"c{n}" for n in range(25)]}))
    provenance = Provenance(
        location=NASTY,
        location_id="x",
        as_of="2025-07-01T05:00:00+00:00",
        as_of_local="2025-07-01 00:00",
        timezone="America/Chicago",
        options={"by": None},
        rows={"contacts": 25},
        left_out={"contacts of an import": 3},
        unavailable={"tasks": "the token may not read tasks"},
        missing_rows={"contacts": 7},
        requests=2,
        from_cache=1,
    )
    return Result(table, who, provenance)


def test_a_printed_result_is_plain_text_without_terminal_codes(result):
    text = repr(result)

    assert "Who is <b>here</b>?" in text
    assert "All <i>who</i> came." in text
    assert "1,234" in text
    assert "1,234,568" in text
    assert "2025-07-01 00:30" in text  # in the location's zone
    assert "… and 5 more rows" in text
    assert "left out      3 contacts of an import" in text
    assert "unavailable   tasks: the token may not read tasks" in text
    assert "missing rows  7 contacts fewer than expected" in text
    assert "2 requests, 1 response from the cache" in text
    assert "\x1b" not in text


def test_in_a_notebook_every_string_is_escaped_and_the_chart_is_there(result):
    bundle = result._repr_mimebundle_()

    assert set(bundle) == {"text/plain", "text/html"}
    page = bundle["text/html"]
    assert "<script>alert" not in page
    assert "<b>here" not in page
    assert "<i>who" not in page
    assert "&lt;script&gt;" in page
    assert "data:image/png;base64," in page
    assert "color:var(--jp-ui-font-color1,#1a1a1a);background:var(--jp-layout-color1,#fff)" in page
    assert "<script>alert" not in result.provenance._repr_html_()


def test_only_records_are_links_and_other_addresses_are_text(result):
    @analysis("Whose?", columns={"name": TEXT, "link": LINK, "other_link": LINK}, definition="Theirs.")
    def whose(contacts: pd.DataFrame) -> pd.DataFrame:
        """Whose."""
        urls = [contact_url("L" * 20, key * 20) for key in "ab"]
        row = {"link": ["https://ads.example.com"], "name": ["https://spam.example.com/<b>"]}
        return pd.DataFrame({"https://<i>": row["link"], "name": row["name"], "link": urls[0], "other_link": urls[1]})

    shown = Result(whose(pd.DataFrame({"contact_id": ["a"]})), whose, result.provenance)
    page = shown.table_html()

    for key in "ab":
        assert f'<a href="{contact_url("L" * 20, key * 20)}" target="_blank" rel="noopener">open</a>' in page
    assert page.count("<a ") == 2
    assert ">https://ads.example.com</td>" in page
    assert ">https://spam.example.com/&lt;b&gt;</td>" in page
    assert "<th>https://&lt;i&gt;</th>" in page
    assert "contacts/detail" not in repr(shown)  # too long for a line
    assert "https://ads.example.com" in repr(shown)


def test_its_provenance_is_plain_json(result):
    assert json.loads(json.dumps(result.provenance))["rows"] == {"contacts": 25}


def test_exported_files_contain_no_formulas(result, tmp_path):
    excel = result.to_excel(tmp_path / "who")
    csv = result.to_csv(tmp_path / "who.csv")
    parquet = result.to_parquet(tmp_path / "who.parquet")

    assert [path.name for path in (excel, csv, parquet)] == ["who.xlsx", "who.csv", "who.parquet"]
    sheet = openpyxl.load_workbook(excel).active
    assert sheet.max_row == 26
    assert {cell.data_type for cell in sheet["A"]} == {"s"}
    assert "America/Chicago" in "".join(str(cell.value) for cell in sheet[1])
    assert len(pd.read_csv(csv)) == 25
    pd.testing.assert_frame_equal(pd.read_parquet(parquet).astype(result.table.dtypes), result.table)


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_chart_is_saved_for_its_owner_alone(result, tmp_path, ending):
    path = result.save(tmp_path / f"who.{ending}")

    assert path.stat().st_size > 2000
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_another_chart_format_or_a_missing_folder_is_refused(result, tmp_path):
    with pytest.raises(InvalidRequest, match="bmp"):
        result.save(tmp_path / "who.bmp")
    with pytest.raises(InvalidRequest, match="no folder"):
        result.save(tmp_path / "nowhere" / "who.png")


def test_plot_draws_on_the_callers_axes_or_on_a_new_figure(result):
    axes = Figure().subplots()

    assert result.plot(axes) is axes
    new = result.plot()
    assert new.figure.get_size_inches().tolist() == [6, result.analysis.chart_height(result.table)]

    from matplotlib import pyplot

    pyplot.close(new.figure)


def test_the_chart_in_a_page_has_twice_its_resolution(result):
    page = result.chart_html()

    image = base64.b64decode(page.partition("base64,")[2].partition('"')[0])

    assert int.from_bytes(image[16:20]) == 2 * int(page.partition("width:")[2].partition("px")[0])


COUNTS = tuple(f"count_{index}" for index in range(12))


@pytest.fixture
def by_owner(result):
    """A result by owner, wider than a terminal, with ids in it."""

    @analysis("Whose?", columns={"n": COUNT, "contact_id": ID, "note": TEXT, **dict.fromkeys(COUNTS, COUNT)})
    def whose(contacts: pd.DataFrame, *, by: str | None = "owner_id") -> pd.DataFrame:
        """Whose."""
        rows = {"owner_id": ["u-1", "u-2"], "owner": ["Ann", None], "n": [1, 2], "contact_id": ["c-1", "c-2"]}
        return pd.DataFrame({**rows, "note": ["a", "b"], **{name: [1, 2] for name in COUNTS}})

    def made(**choices):
        return Result(whose(pd.DataFrame({"contact_id": ["c-1"]}), **choices), whose, result.provenance)

    return made


def test_each_block_of_a_wide_table_repeats_the_name_of_its_rows(by_owner, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")

    text = repr(by_owner())

    assert text.count("owner_id  owner") == 2
    assert text.count("u-1       Ann") == 2
    assert repr(by_owner(by=None)).count("\nAnn ") == 2


def test_a_number_is_shown_with_the_digits_that_its_column_needs(result):
    @analysis("How much?", columns={"leads": NUMBER, "change": NUMBER, "wait_min": NUMBER})
    def much(contacts: pd.DataFrame) -> pd.DataFrame:
        """How much."""
        return pd.DataFrame({"leads": [676.0, None], "change": [-0.04, 1.5], "wait_min": [12.34, 2.0]})

    shown = Result(much(pd.DataFrame({"contact_id": ["c-1"]})), much, result.provenance).formatted(2)

    assert shown.values.tolist() == [["676", "-0.04", "12 min"], ["", "1.50", "2 min"]]


def test_ids_are_shown_last_unless_the_table_is_by_them(by_owner):
    by_id, by_none = by_owner(), by_owner(by=None)

    assert list(by_id.formatted(1))[:3] == ["owner_id", "owner", "n"]
    assert list(by_id.formatted(1))[-1] == "contact_id"
    assert list(by_none.formatted(1))[-2:] == ["owner_id", "contact_id"]
    assert by_none.formatted(1).iloc[0, 0] == "Ann"
    assert by_none.table.columns[0] == "owner_id"  # the table itself stays as it is
    page = by_none.table_html()
    assert page.index("<th>owner</th>") < page.index("<th>owner_id</th>")
    assert page.count("nowrap") == by_none.table.size


# ---- pickled, copied, and in a notebook with settings of its own


def lead_volume(loc):
    return loc.analyses.lead_volume()


@pytest.fixture(scope="module")
def run():
    loc = hl.demo(as_of="2026-01-01", size=30)
    return loc, lead_volume(loc)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, *(lambda value, p=p: pickle.loads(pickle.dumps(value, p)) for p in (2, 5))]
)
def test_a_result_and_an_analysis_are_pickled_and_copied(again, run):
    result = run[1]
    other = again(result)

    pd.testing.assert_frame_equal(other.table, result.table)
    assert other.table.attrs == result.table.attrs
    assert (other.headline, other.provenance, repr(other)) == (result.headline, result.provenance, repr(result))
    assert type(other.provenance) is Provenance
    assert other.analysis is again(hl.analyses.lead_volume) is hl.analyses.lead_volume
    assert again(hl.analyses) is hl.analyses


def test_a_pickled_result_has_no_token_and_no_location(run):
    loc, result = run
    pickled = pickle.dumps(result)

    assert b"pit-" not in pickled
    assert b"hlkit.location" not in pickled
    with pytest.raises(TypeError, match="holds a token"):
        pickle.dumps(loc.analyses.lead_volume)


def test_a_result_comes_back_from_another_process(run):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        answer, other = pool.apply(_answered, (run[1],))

    assert answer == run[1].headline
    pd.testing.assert_frame_equal(other.table, run[1].table)


def _answered(result):
    return result.headline, result


def test_a_pickle_of_an_unknown_analysis_says_what_to_do(result):
    pickled = pickle.dumps(result.analysis)
    del known.KNOWN["who"]

    with pytest.raises(InvalidRequest, match="import the module that defines it"):
        pickle.loads(pickled)


@pytest.mark.parametrize(("name", "choices"), [("funnel", {}), ("lead_volume", {"every": "week"})])
def test_strict_numpy_errors_break_nothing(name, choices):
    analysis, frames = hl.analyses[name], frames_for(hl.analyses[name], 40, seed=3)
    expected = analysis(**frames, as_of=AS_OF, **choices)

    with np.errstate(all="raise"):
        table = analysis(**frames, as_of=AS_OF, **choices)
        answer, axes = analysis.headline(table), analysis.plot(table, Figure().subplots())

    pd.testing.assert_frame_equal(table, expected)
    assert answer == analysis.headline(expected)
    assert axes.has_data()


@pytest.mark.parametrize(
    ("option", "value"),
    [("display.max_colwidth", 5), ("display.max_rows", 2), ("display.max_columns", 2), ("display.precision", 1)],
)
def test_how_pandas_shows_frames_changes_no_result(option, value, result):
    expected = repr(result), result.table_html()

    with pd.option_context(option, value):
        assert (repr(result), result.table_html()) == expected


def test_counts_are_exported_as_whole_numbers(tmp_path):
    analysis = hl.analyses["funnel"]
    table = analysis(**frames_for(analysis, 20), as_of=AS_OF)
    counts = [name for name, kind in analysis.columns.items() if kind is COUNT]
    provenance = Provenance(
        timezone="UTC",
        location="x",
        as_of_local="",
        options={},
        rows={},
        left_out={},
        unavailable={},
        missing_rows={},
    )
    result = Result(table, analysis, Provenance(provenance, requests=0, from_cache=0))

    sheet = openpyxl.load_workbook(result.to_excel(tmp_path / "funnel")).active
    shown = result.formatted(50)

    heads = [cell.value for cell in sheet[1]]
    for name in counts:
        cells = [row[heads.index(name)].value for row in sheet.iter_rows(min_row=2)]
        assert {type(value) for value in cells} <= {int, type(None)}, name
        assert not shown[name].str.contains(".", regex=False).any(), name
    assert table[counts].isna().any().any()  # some are blank, which would make them floats
