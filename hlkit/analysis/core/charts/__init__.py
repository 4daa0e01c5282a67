"""Charts as data: each kind names the columns that it draws.

The first column of a table names its rows. A chart has no title, since a result shows its headline above it. Names
stand on the left and values on the right; a 95% interval is a line; a group of fewer than 20 rows is hollow and last.
"""

from hlkit.analysis.core.charts.base import Chart, draw_chart
from hlkit.analysis.core.charts.count_bars import CountBars
from hlkit.analysis.core.charts.curves import Curves
from hlkit.analysis.core.charts.dots import Dots
from hlkit.analysis.core.charts.group_heatmap import GroupHeatmap
from hlkit.analysis.core.charts.heatmap import Heatmap, two_way
from hlkit.analysis.core.charts.stacked import Part, Stacked, first_number
from hlkit.analysis.core.charts.strip import Strip
from hlkit.analysis.core.charts.timeline import Timeline

__all__ = [
    "Chart",
    "CountBars",
    "Curves",
    "Dots",
    "GroupHeatmap",
    "Heatmap",
    "Part",
    "Stacked",
    "Strip",
    "Timeline",
    "draw_chart",
    "first_number",
    "two_way",
]
