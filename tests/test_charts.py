"""What all charts share: names that are drawn unchanged, and a note if there is no data."""

import itertools
import pickle
import threading

import matplotlib as mpl
import pandas as pd
import pytest
from made import AS_OF, frames_for
from matplotlib import cycler, pyplot
from matplotlib.figure import Figure

import hlkit as hl
from hlkit.analysis.core.charts.canvas import (
    checked_axes,
    draw,
    duration_axis,
    label_rows,
    new_axes,
    render,
    top_groups,
)
from hlkit.analysis.core.charts.labels import drawable, name_or_placeholder
from hlkit.client.errors import InvalidRequest

LONG = "https://example.com/" + "landing/" * 20


def axes():
    return Figure(figsize=(6, 4), layout="constrained").subplots()


def texts(ax):
    ax.figure.canvas.draw()
    return [text.get_text() for text in ax.texts]


def bars(table, ax):
    ax.bar(table["name"], table["n"], label=table["name"].iloc[0])
    ax.legend()


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (pd.DataFrame({"name": [], "n": []}), "the table has no rows"),
        (pd.DataFrame({"name": ["a", "b"], "n": [None, None]}), "none of the 2 rows has a value of n"),
    ],
)
def test_without_data_the_chart_says_so_and_why(table, why):
    ax = draw(table, axes(), bars, ["n"])

    assert texts(ax) == [f"no data yet\n({why})"]


def test_names_are_drawn_unchanged():
    names = ["$x^2$ and $5", "_hidden", "two\nlines", "emoji 🌻", "a" * 80, "\x1b[31mred", r"back\$lash"]
    ax = draw(pd.DataFrame({"name": names, "n": range(7)}), axes(), bars, ["n"])
    ax.figure.canvas.draw()  # a warning of a missing letter would be an error here

    drawn = [label.get_text() for label in ax.get_xticklabels()]
    assert drawn[0] == r"\$x^2\$ and \$5"  # matplotlib draws \$ as $
    assert ax.get_legend().get_texts()[0].get_text() == drawn[0]
    assert drawn[1] == " _hidden"
    assert drawn[2] == "two lines"
    assert drawn[3] == "emoji □"
    assert drawn[4] == "a" * 26 + "\n" + "a" * 25 + "…"
    assert drawn[5] == "red"


def test_a_name_that_begins_with_an_underscore_is_in_the_legend():
    ax = draw(pd.DataFrame({"name": ["_hidden"], "n": [1]}), axes(), bars, ["n"])

    assert [text.get_text() for text in ax.get_legend().get_texts()] == [" _hidden"]


def test_values_that_are_not_text_stay_unchanged():
    assert [drawable(value) for value in (1.5, None, "plain")] == [1.5, None, "plain"]


def test_names_replace_ids_where_they_are_known():
    table = pd.DataFrame({"owner_id": ["u1", "u2x7Qp", "(none)"], "owner": ["Ann", None, None], "n": [1, 2, 3]})
    seen = []

    draw(table, axes(), lambda shown, ax: seen.append(shown), ["n"])

    assert seen[0].columns.tolist() == ["owner_id", "n"]
    assert seen[0]["owner_id"].tolist() == ["Ann", "unknown owner …x7Qp", "(none)"]
    assert name_or_placeholder(table["owner"], table["owner_id"], "owner").tolist() == seen[0]["owner_id"].tolist()


def test_two_people_of_the_same_name_stay_distinct_in_charts_and_headlines():
    table = pd.DataFrame({"owner_id": ["u1x7Qp", "u2k3Lm", "u1x7Qp", "u4"], "owner": ["Ann", "Ann", "Ann", "Bo"]})

    names = name_or_placeholder(table["owner"], table["owner_id"], "owner").tolist()

    assert names == ["Ann …x7Qp", "Ann …k3Lm", "Ann …x7Qp", "Bo"]


def test_long_names_with_the_same_beginning_stay_distinct():
    table = pd.DataFrame({"url": [LONG + "a", LONG + "b", None, LONG + "a", "short"], "n": 1})
    seen = []

    draw(table, axes(), lambda shown, ax: seen.append(shown["url"]), ["n"])

    assert seen[0].nunique() == 3
    assert seen[0][0] == seen[0][3]
    assert seen[0].isna().tolist() == [False, False, True, False, False]


def test_groups_beyond_the_limit_of_a_chart_are_counted():
    ax = axes()

    shown = top_groups(pd.DataFrame({"name": list("abcdefghijklmnopq"), "n": range(17)}), ax, "n")

    assert shown["name"].tolist() == list("fghijklmnopq")
    assert texts(ax) == ["and 5 more in the table"]


def test_row_labels_start_at_the_top():
    ax = axes()

    places = label_rows(ax, ["first", "second"], [1000, 2])

    assert places.tolist() == [0, 1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first (n = 1,000)", "second (n = 2)"]
    assert ax.yaxis_inverted()


@pytest.mark.parametrize("count", [8, 12])
def test_row_labels_of_long_names_do_not_overlap(count):
    figure = Figure(figsize=(6, 4), layout="constrained")
    ax = figure.subplots()

    label_rows(ax, [str(drawable(f"a source with a name as long as this, {index}")) for index in range(count)])
    ax.set(title="A question\nof two lines?", xlabel="share of contacts")
    figure.draw_without_rendering()

    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]  # the first on top
    assert "\n" in ax.get_yticklabels()[0].get_text()
    assert all(above.y0 >= below.y1 for above, below in itertools.pairwise(boxes))


def test_an_axis_of_times_has_readable_ticks():
    ax = axes()
    ax.plot([1, 2000], [0, 1])
    duration_axis(ax)
    ax.set_xlim(0.9, 2000)
    ax.figure.canvas.draw()

    low, high = ax.get_xlim()
    labels = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
    shown = [label.get_text() for position, label in labels if low <= position <= high]
    assert shown == ["1 min", "5 min", "15 min", "1 h", "4 h", "1 day"]


# ---- the notebook's own settings

ODD = {
    "text": {"text.usetex": True, "font.family": "No Such Font", "font.size": 23.0, "font.style": "italic"},
    "math": {"text.parse_math": False, "axes.formatter.use_locale": True, "timezone": "Asia/Tokyo"},
    "dark": {"text.color": "white", "axes.labelcolor": "white", "xtick.color": "white", "axes.facecolor": "black"}
    | {"figure.facecolor": "black", "savefig.facecolor": "black", "savefig.transparent": True},
    "lines": {"axes.prop_cycle": cycler(linestyle=["-", "--"]), "lines.linestyle": "None", "lines.marker": "o"}
    | {"scatter.marker": "x", "scatter.edgecolors": "black", "markers.fillstyle": "none", "path.sketch": (1, 100, 2)},
    "areas": {"patch.force_edgecolor": True, "patch.linewidth": 5, "image.origin": "lower", "axes.linewidth": 4}
    | {"axes.grid": True, "xtick.top": True, "xtick.minor.visible": True, "ytick.left": False},
    "layout": {"figure.autolayout": True, "savefig.bbox": "tight", "figure.dpi": 10, "savefig.dpi": 10}
    | {"axes.titley": 0.5, "axes.titleweight": "bold", "axes.labelsize": 30, "legend.fontsize": 30},
}
CHARTS = ["lead_volume", "reachability", "inbox_heatmap", "speed_to_lead"]


@pytest.fixture(scope="module")
def tables():
    """A table of each of a few analyses, which draw lines, dots, bars and cells."""
    analyses = [hl.analyses[name] for name in CHARTS]
    return [(analysis, analysis(**frames_for(analysis, 40), as_of=AS_OF)) for analysis in analyses]


def pictures(tables):
    out = []
    for analysis, table in tables:
        figure = Figure(figsize=(6, 4), dpi=100)
        analysis.plot(table, new_axes(figure))
        out.append(render(figure, "png", 30))
    return out


@pytest.fixture(scope="module")
def plain(tables):
    return pictures(tables)


@pytest.mark.parametrize("odd", list(ODD))
def test_a_chart_is_the_same_picture_whatever_the_notebook_sets(odd, tables, plain):
    with mpl.rc_context(ODD[odd]):
        before = dict(mpl.rcParams)

        assert pictures(tables) == plain
        assert dict(mpl.rcParams) == before


def test_a_figure_shown_later_is_drawn_whatever_the_notebook_sets(tables):
    pyplot.close("all")
    with mpl.rc_context({"text.usetex": True, "figure.dpi": 10}):
        for analysis, table in tables:
            figure = analysis.plot(table).figure
            figure.canvas.draw()  # by LaTeX, it would fail here: the tests have none
            pyplot.close(figure)
    assert not pyplot.get_fignums()


def test_a_chart_that_fails_leaves_no_figure_open(tables, monkeypatch):
    pyplot.close("all")
    analysis, table = tables[0]
    monkeypatch.setattr("hlkit.analysis.core.charts.base.draw", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        analysis.plot(table)
    assert not pyplot.get_fignums()


def test_charts_of_other_threads_never_change_the_settings_of_this_one(tables, plain):
    before = dict(mpl.rcParams)
    seen, drawn, started = [], [], threading.Barrier(3)

    def draw_them():
        started.wait(60)
        drawn.append(pictures(tables[:1]))

    threads = [threading.Thread(target=draw_them) for _ in range(2)]
    for thread in threads:
        thread.start()
    started.wait(60)
    while any(thread.is_alive() for thread in threads):
        seen.append(dict(mpl.rcParams) == before)
        threads[0].join(0.005)
    for thread in threads:
        thread.join(60)

    assert all(seen)
    assert dict(mpl.rcParams) == before
    assert drawn == [plain[:1], plain[:1]]


def test_what_was_on_the_callers_axes_stays_unchanged():
    figure = Figure()
    ax, other = figure.subplots(1, 2)
    note = ax.text(0.5, 0.5, "mine", fontfamily="monospace", fontstyle="italic")
    other.set_title("mine too", fontsize=20)

    draw(pd.DataFrame({"name": ["a"], "n": [1]}), ax, bars, ["n"])
    figure.canvas.draw()

    assert (note.get_fontfamily(), note.get_fontstyle()) == (["monospace"], "italic")
    assert (other.get_title(), other.title.get_fontsize()) == ("mine too", 20)


def test_the_notebooks_fonts_are_used_if_they_are_installed():
    ax = axes()
    with mpl.rc_context({"font.family": ["DejaVu Serif", "No Such Font"]}):
        draw(pd.DataFrame({"n": [1]}), ax, lambda _, ax: label_rows(ax, ["a"]), ["n"])

    assert ax.get_yticklabels()[0].get_fontfamily() == ["DejaVu Serif", "DejaVu Sans"]


def of_several(figure):
    return figure.subplots(2, 2)


def removed(figure):
    ax = figure.subplots()
    ax.remove()
    return ax


@pytest.mark.parametrize(
    "made",
    [
        of_several,
        removed,
        lambda figure: figure,
        lambda figure: figure.add_subplot(projection="polar"),
        lambda figure: figure.add_subplot(projection="3d"),
    ],
    ids=["several", "removed", "figure", "polar", "3d"],
)
def test_axes_that_are_not_two_dimensional_are_refused(made):
    with pytest.raises(InvalidRequest, match="a chart needs two-dimensional axes, but ax is") as refused:
        checked_axes(made(Figure()))

    assert "leave ax out" in refused.value.hint


@pytest.mark.parametrize("made", [lambda ax: ax, lambda ax: ax.twinx(), lambda ax: ax.inset_axes([0, 0, 1, 1])])
def test_a_chart_is_drawn_on_two_dimensional_axes(made):
    ax = made(Figure().subfigures().subplots())

    assert checked_axes(ax) is ax


def test_a_chart_is_pickled_with_the_names_of_its_ticks():
    ax = axes()
    draw(pd.DataFrame({"n": [1]}), ax, lambda _, ax: (ax.set_ylim(0, 12_500), duration_axis(ax)), ["n"])

    again = pickle.loads(pickle.dumps(ax.figure)).axes[0]

    assert again.xaxis.get_major_formatter()(60) == "1 h"
    assert again.yaxis.get_major_formatter()(12_500) == "12,500"
