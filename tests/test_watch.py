"""A walk tells its watch how far it is, and every wait can be ended by it."""

import io
import sys
import threading
import time

import pytest

from hlkit.errors import Cancelled
from hlkit.wire import watch as watch_module
from hlkit.wire.watch import Line, Progress, Watch, default


def test_progress_reads_as_a_person_would_say_it():
    told = Progress("contacts", pages=6, rows=2881, total=5012, spent=6, left=94, of=100)

    assert str(told) == "contacts · 6 pages · 2,881 rows of 5,012 · 94 of 100 requests left"


def test_progress_without_total_and_quota_says_what_is_known():
    assert str(Progress("users", pages=1, rows=8, spent=1)) == "users · 1 page · 8 rows"


def test_progress_over_what_is_kept_says_that_it_spent_nothing():
    told = Progress("contacts", pages=53, rows=26_500, saved=53, left=94, of=100)

    assert str(told) == "contacts · 53 pages · 26,500 rows · spent 0, saved 53"


def test_a_stop_ends_a_wait_at_once():
    watch = Watch()
    threading.Timer(0.05, watch.stop).start()
    began = time.monotonic()

    with pytest.raises(Cancelled):
        watch.wait(60)

    assert time.monotonic() - began < 3


def test_a_stopped_watch_goes_on_once_it_is_told_to():
    watch = Watch()
    watch.stop()
    with pytest.raises(Cancelled):
        watch.ask()

    watch.go_on()

    watch.ask()
    watch.wait(0)


def test_a_wait_in_the_past_is_none():
    Watch().wait(-5)


def test_a_line_shows_nothing_of_what_is_quicker_than_a_second(capsys):
    line = Line(shown_after=1.0)
    line.tell(Progress("users", 1, 8))
    line.close()

    assert capsys.readouterr() == ("", "")


def test_a_line_tells_pages_rows_and_seconds_and_why_it_waits(capsys):
    line = Line(shown_after=0.0)
    line.tell(Progress("contacts", 6, 2881, 5012, 6, 0, 94, 100))
    line.waiting(7, "for the burst limit")
    line.close()

    shown = capsys.readouterr().err
    assert "contacts · 6 pages · 2,881 rows of 5,012 · 94 of 100 requests left · 0 s" in shown
    assert "waiting 7 s for the burst limit" in shown


def test_a_line_tells_what_a_dear_read_will_cost_before_it_starts(capsys):
    line = Line()
    line.note("notes · 700 requests, about 4 min")
    line.close()

    assert "notes · 700 requests, about 4 min" in capsys.readouterr().err


def test_a_log_has_no_line_and_a_terminal_has_one(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(default()) is Watch
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(default()) is Line
    monkeypatch.setattr(sys, "stderr", None)
    assert type(default()) is Watch


def test_a_notebook_has_a_line(monkeypatch):
    monkeypatch.setattr(watch_module, "_somebody_looks_on", lambda: True)

    assert type(default()) is Line


def test_a_line_that_was_closed_opens_another_for_the_next_walk(capsys):
    line = Line(shown_after=0)
    for resource in ("custom_fields", "contacts"):
        line.tell(Progress(resource, pages=1, rows=14))
        line.close()

    said = capsys.readouterr().err
    assert "custom_fields · 1 page · 14 rows" in said
    assert "contacts · 1 page · 14 rows" in said
