"""Around every chart: titles, names that are drawn as they are, and words where there is nothing to draw."""

import itertools

import pandas as pd
import pytest
from matplotlib.figure import Figure

from hlkit.analysis.drawing import draw, drawable, durations, most, named_or_not, rows_of_names


def axes():
    return Figure(figsize=(6, 4), layout="constrained").subplots()


def words(ax):
    ax.figure.canvas.draw()
    return [text.get_text() for text in ax.texts]


def bars(table, ax):
    ax.bar(table["name"], table["n"], label=table["name"].iloc[0])
    ax.legend()


def test_the_title_is_the_question_in_lines_that_fit():
    ax = draw(pd.DataFrame({"name": ["a"], "n": [1]}), axes(), bars, "Who " + "really " * 12 + "came?", ["n"])

    title = ax.get_title(loc="left")
    assert title.replace("\n", " ") == "Who " + "really " * 12 + "came?"
    assert max(map(len, title.split("\n"))) <= 48


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (pd.DataFrame({"name": [], "n": []}), "the table has no rows"),
        (pd.DataFrame({"name": ["a", "b"], "n": [None, None]}), "none of the 2 rows has a value of n"),
    ],
)
def test_where_there_is_nothing_to_draw_it_says_so_and_why(table, why):
    ax = draw(table, axes(), bars, "Who came?", ["n"])

    assert ax.get_title(loc="left") == "Who came?"
    assert words(ax) == [f"nothing to show yet\n({why})"]


def test_names_are_drawn_as_they_are():
    names = ["$x^2$ and $5", "_hidden", "two\nlines", "emoji 🌻", "a" * 80, "\x1b[31mred", r"back\$lash"]
    ax = draw(pd.DataFrame({"name": names, "n": range(7)}), axes(), bars, "Who?", ["n"])
    ax.figure.canvas.draw()  # a warning of a missing letter would be an error here

    drawn = [label.get_text() for label in ax.get_xticklabels()]
    assert drawn[0] == r"\$x^2\$ and \$5"  # matplotlib draws \$ as $
    assert ax.get_legend().get_texts()[0].get_text() == drawn[0]
    assert drawn[1] == " _hidden"
    assert drawn[2] == "two lines"
    assert drawn[3] == "emoji □"
    assert drawn[4] == "a" * 26 + "\n" + "a" * 25 + "…"
    assert drawn[5] == "red"


def test_what_begins_with_an_underscore_is_in_the_legend():
    ax = draw(pd.DataFrame({"name": ["_hidden"], "n": [1]}), axes(), bars, "Who?", ["n"])

    assert [text.get_text() for text in ax.get_legend().get_texts()] == [" _hidden"]


def test_what_is_no_text_stays_as_it_is():
    assert [drawable(value) for value in (1.5, None, "plain")] == [1.5, None, "plain"]


def test_names_stand_in_the_place_of_ids_where_they_are_known():
    table = pd.DataFrame({"owner_id": ["u1", "u2x7Qp", "(none)"], "owner": ["Ann", None, None], "n": [1, 2, 3]})
    seen = []

    draw(table, axes(), lambda shown, ax: seen.append(shown), "Who?", ["n"])

    assert seen[0].columns.tolist() == ["owner_id", "n"]
    assert seen[0]["owner_id"].tolist() == ["Ann", "unknown owner …x7Qp", "(none)"]
    assert named_or_not(table["owner"], table["owner_id"], "owner").tolist() == seen[0]["owner_id"].tolist()


def test_more_groups_than_a_chart_can_hold_are_told():
    ax = axes()

    shown = most(pd.DataFrame({"name": list("abcdefghijklmnopq"), "n": range(17)}), ax, "n")

    assert shown["name"].tolist() == list("fghijklmnopq")
    assert words(ax) == ["and 5 more in the table"]


def test_rows_of_names_are_read_from_the_top():
    ax = axes()

    places = rows_of_names(ax, ["first", "second"], [1000, 2])

    assert places.tolist() == [0, 1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first (n = 1,000)", "second (n = 2)"]
    assert ax.yaxis_inverted()


@pytest.mark.parametrize("count", [8, 12])
def test_rows_of_long_names_do_not_overlap(count):
    figure = Figure(figsize=(6, 4), layout="constrained")
    ax = figure.subplots()

    rows_of_names(ax, [str(drawable(f"a source with a name as long as this, {place}")) for place in range(count)])
    ax.set(title="A question\nof two lines?", xlabel="share of contacts")
    figure.draw_without_rendering()

    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]  # the first on top
    assert "\n" in ax.get_yticklabels()[0].get_text()
    assert all(above.y0 >= below.y1 for above, below in itertools.pairwise(boxes))


def test_an_axis_of_times_has_the_ticks_that_people_say():
    ax = axes()
    ax.plot([1, 2000], [0, 1])
    durations(ax)
    ax.set_xlim(0.9, 2000)
    ax.figure.canvas.draw()

    low, high = ax.get_xlim()
    labels = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
    shown = [label.get_text() for place, label in labels if low <= place <= high]
    assert shown == ["1 min", "5 min", "15 min", "1 h", "4 h", "1 day"]
