"""Heat tables: their order, their cells, and shares of few rows."""

import pandas as pd
import pytest

from hlkit.analysis.core.charts import Dots, Heatmap, Part, Stacked, two_way
from hlkit.analysis.core.charts.canvas import HEAT
from hlkit.analysis.core.office_hours import HOURS
from hlkit.client.errors import InvalidRequest


@pytest.fixture
def ax():
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def shares(*cells):
    return pd.DataFrame(cells, columns=["weekday", "hour", "show_share", "small"])


def drawn(ax):
    """The numbers in the cells, the names of the rows and of the columns."""
    rows, columns = ([label.get_text() for label in axis.get_ticklabels()] for axis in (ax.yaxis, ax.xaxis))
    return [text.get_text() for text in ax.texts], rows, columns


def test_hours_are_in_order_and_one_without_a_value_leaves_a_gap(ax):
    table = shares(("Tuesday", 11, 0.9, False), ("Monday", 9, 0.5, False))
    chart = Heatmap("weekday", "hour", "show_share", "show rate", ("Monday", "Tuesday"), range(24), HOURS)

    chart.draw(table, ax)

    assert drawn(ax) == (["50%", "90%"], ["Monday", "Tuesday"], ["9 AM", "10 AM", "11 AM"])
    assert ax.get_xlabel() == "show rate: light 50%, dark 90%"


def test_a_share_of_few_rows_has_no_color_and_does_not_set_the_scale(ax):
    table = shares(("Monday", 9, 0.5, False), ("Monday", 10, 0.9, False), ("Monday", 11, 0.0, True))

    Heatmap("weekday", "hour", "show_share", "show rate").draw(table, ax)

    assert ax.images[0].get_array().tolist() == [[0.0, 5.0, None]]
    assert len(HEAT) == ax.images[0].get_cmap().N
    assert ax.get_xlabel() == "show rate: light 50%, dark 90%; white: fewer than 20 rows"


def test_of_many_cells_the_ends_without_a_color_are_cut_off(ax):
    table = shares(*((day, hour, 0.5, hour < 3) for day in ("Mo", "Tu", "We", "Th") for hour in range(24)))

    Heatmap("weekday", "hour", "show_share", "show rate", columns=range(24), column_names=HOURS).draw(table, ax)

    assert ax.images[0].get_array().shape == (4, 21)


def test_a_count_begins_at_zero(ax):
    table = pd.DataFrame({"weekday": ["Monday"] * 2, "hour": [9, 10], "inbound": [60, 120]})

    Heatmap("weekday", "hour", "inbound", "messages").draw(table, ax)

    assert ax.images[0].get_array().tolist() == [[3, 5]]
    assert ax.get_xlabel() == "messages: light 0, dark 120"


def test_a_table_of_two_groups_shows_the_share_of_its_chart_in_the_order_of_its_names():
    table = pd.DataFrame(columns=["source", "hour", "show_share"])
    orders = {"hour": HOURS}

    dots = two_way(Dots("show", "show rate, by start", orders=orders), table)
    bars = two_way(Stacked((Part("show_share", "showed", "strong"),), "", interval="show", share_label="rate"), table)

    assert (dots.row, dots.column, dots.value, dots.label) == ("source", "hour", "show_share", "show rate")
    assert (dots.rows, dots.columns) == ((), HOURS)
    assert (bars.value, bars.label) == ("show_share", "rate")


def test_a_chart_without_a_share_has_no_heat_table():
    table = pd.DataFrame(columns=["source", "hour", "n"])

    for chart in (Stacked((Part("n", "rows", "strong"),), "rows"), Heatmap("source", "hour", "n", "rows")):
        with pytest.raises(InvalidRequest, match="no two-way table"):
            two_way(chart, table)
