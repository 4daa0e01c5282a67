"""A table as people read it."""

import pandas as pd

from hlkit.analysis.core.table_text import formatted, in_blocks
from hlkit.client.schema import COUNT, FLAG, ID, MONEY, NUMBER, SHARE, TEXT

KINDS = {
    "source": TEXT,
    "n": COUNT,
    "won_share": SHARE,
    "won_low": SHARE,
    "won_high": SHARE,
    "open_share": SHARE,
    "value": MONEY,
    "median_min": NUMBER,
    "all_hours_median_min": NUMBER,
    "small": FLAG,
    "contact_id": ID,
}


def table(**options):
    frame = pd.DataFrame(
        {
            "contact_id": ["c1", "c2"],
            "source": ["ads", None],
            "n": [1234, 5],
            "won_share": [0.75, None],
            "won_low": [0.716, None],
            "won_high": [0.784, None],
            "open_share": [0.004, 0.0],
            "value": [-1430.4, 12.5],
            "median_min": [22.4, 60 * 60.0],
            "all_hours_median_min": [90.0, 60 * 60.0],
            "small": [False, True],
        }
    ).astype({name: kind.dtype for name, kind in KINDS.items()})
    frame.attrs["hlkit"] = {"options": options}
    return frame


def test_every_number_has_its_unit_and_every_share_its_interval():
    shown = formatted(table(clock="office"), KINDS, "UTC", "USD")

    assert list(shown) == [
        *("source", "n", "won_share", "open_share", "value", "median_min", "all_hours_median_min", "small"),
        "contact_id",
    ]
    first, second = shown.values.tolist()
    assert first == ["ads", "1,234", "75% 72–78", "0.4%", "-$1,430", "22 min", "1.5 h", "", "c1"]
    # 60 office hours are not 2.5 days
    assert second == ["", "5", "", "0%", "$12.50", "60 h", "2 days", "yes", "c2"]


def test_without_intervals_a_share_is_a_percentage_that_sorts():
    assert formatted(table(), KINDS, "UTC", intervals=False)["won_share"].tolist() == ["75%", ""]


def test_amounts_in_other_currencies_have_no_dollar_sign():
    assert formatted(table(), KINDS, "UTC", "CAD")["value"].tolist() == ["-1,430", "12.50"]


def test_a_link_is_too_long_for_a_line_of_text():
    shown = pd.DataFrame({"name": ["Ann"], "link": ["https://example.com"], "n": ["1"]})

    assert "example.com" not in in_blocks(shown)
    assert "Ann" in in_blocks(shown)
