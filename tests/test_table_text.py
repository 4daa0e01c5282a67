"""A table as people read it."""

import pandas as pd

from hlkit.analysis.core.table_text import formatted
from hlkit.client.schema import COUNT, FLAG, ID, LINK, MONEY, NUMBER, POINTS, SHARE, TEXT

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


def test_amounts_in_other_currencies_name_theirs():
    assert formatted(table(), KINDS, "UTC", "CAD")["value"].tolist() == ["-1,430 CAD", "12.50 CAD"]
    assert formatted(table(), KINDS, "UTC")["value"].tolist() == ["-1,430", "12.50"]


def test_a_link_is_whole_however_long():
    address = "https://example.com/" + "a" * 200
    frame = pd.DataFrame({"link": [address], "name": [address]}).astype(TEXT.dtype)

    shown = formatted(frame, {"link": LINK, "name": TEXT}, "UTC")

    assert shown["link"].tolist() == [address]
    assert len(shown["name"][0]) == 40


def test_a_change_of_a_share_is_in_percentage_points():
    frame = pd.DataFrame({"change": [0.126, -0.01, -0.001, None]})

    assert formatted(frame, {"change": POINTS}, "UTC")["change"].tolist() == ["+13 pts", "-1 pt", "0 pts", ""]
