"""A download reports its progress, and canceling that ends every wait."""

import io
import sys
import threading
import time
import warnings

import pytest

from hlkit.client.errors import Canceled
from hlkit.client.http import progress as progress_module
from hlkit.client.http.progress import Progress, ProgressBar, ProgressUpdate, current_progress, use_progress
from hlkit.client.warning import warn


def test_progress_reads_naturally():
    update = ProgressUpdate("contacts", pages=6, rows=2881, total=5012, requests=6, requests_left=94, burst_limit=100)

    assert str(update) == "contacts · 6 pages · 2,881 rows of 5,012 · 94 of 100 requests left"


def test_progress_without_total_and_quota_shows_the_rest():
    assert str(ProgressUpdate("users", pages=1, rows=8, requests=1)) == "users · 1 page · 8 rows"


def test_progress_from_the_cache_shows_zero_requests():
    update = ProgressUpdate("contacts", pages=53, rows=26_500, from_cache=53, requests_left=94, burst_limit=100)

    assert str(update) == "contacts · 53 pages · 26,500 rows · 0 requests, 53 from cache"


def test_cancel_ends_a_wait_at_once():
    progress = Progress()
    threading.Timer(0.05, progress.cancel).start()
    began = time.monotonic()

    with pytest.raises(Canceled):
        progress.wait(60)

    assert time.monotonic() - began < 3


def test_a_canceled_progress_continues_after_reset():
    progress = Progress()
    progress.cancel()
    with pytest.raises(Canceled):
        progress.raise_if_canceled()

    progress.reset()

    progress.raise_if_canceled()
    progress.wait(0)


def test_use_progress_applies_to_this_thread_only():
    progress, elsewhere = Progress(), []

    with use_progress(progress):
        assert current_progress() is progress
        other = threading.Thread(target=lambda: elsewhere.append(current_progress()))
        other.start()
        other.join()

    assert current_progress() is not progress
    assert elsewhere[0] is not progress


def test_a_negative_wait_returns_at_once():
    Progress().wait(-5)


def test_a_bar_shows_nothing_for_less_than_a_second(capsys):
    bar = ProgressBar(shown_after=1.0)
    bar.on_page(ProgressUpdate("users", 1, 8))
    bar.close()

    assert capsys.readouterr() == ("", "")


def test_a_bar_shows_pages_rows_and_seconds_and_why_it_waits(capsys):
    bar = ProgressBar(shown_after=0.0)
    bar.on_page(ProgressUpdate("contacts", 6, 2881, 5012, 6, 0, 94, 100))
    bar.on_wait(7, "for the burst limit")
    bar.close()

    shown = capsys.readouterr().err
    assert "contacts · 6 pages · 2,881 rows of 5,012 · 94 of 100 requests left · 0 s" in shown
    assert "waiting 7 s for the burst limit" in shown


def test_a_bar_shows_the_cost_of_an_expensive_download_before_it_starts(capsys):
    bar = ProgressBar()
    bar.on_note("notes · 700 requests, about 4 min")
    bar.close()

    assert "notes · 700 requests, about 4 min" in capsys.readouterr().err


def test_a_log_has_no_bar_and_a_terminal_has_one(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(current_progress()) is Progress
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(current_progress()) is ProgressBar
    monkeypatch.setattr(sys, "stderr", None)
    assert type(current_progress()) is Progress


class Tee:
    """What people write to copy a script's output into a file."""

    def write(self, text):
        pass


class NoTerminal(Tee):
    def isatty(self):
        raise OSError("no terminal here")


class Gone(Tee):
    """A terminal that was closed after the reading had begun."""

    encoding = "no such encoding"

    def isatty(self):
        return True

    def write(self, text):
        raise ValueError("I/O operation on closed file.")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


STREAMS = {"none": lambda: None, "tee": Tee, "no terminal": NoTerminal, "closed": closed, "gone": Gone}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_cannot_show_progress_or_a_warning_breaks_nothing(monkeypatch, name):
    monkeypatch.setattr(sys, "stderr", STREAMS[name]())
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda message, *_: sys.stderr.write(f"{message}"))
        warn("message")

    assert type(current_progress()) is (ProgressBar if name == "gone" else Progress)
    bar = ProgressBar(shown_after=0)
    for _ in range(2):
        bar.on_page(ProgressUpdate("contacts", pages=1, rows=14))
    bar.close()


def test_a_warning_that_is_an_error_stays_one(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)

    with pytest.raises(UserWarning, match="message"):
        warn("message")


@pytest.mark.parametrize(("encoding", "shown"), [("cp1252", "users · 1 page · 8 rows"), ("ascii", "users - 1 page")])
def test_an_old_encoding_shows_what_it_can(monkeypatch, encoding, shown):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding=encoding, errors="strict"))
    bar = ProgressBar(shown_after=0)
    bar.on_page(ProgressUpdate("users", pages=1, rows=8))
    bar.close()
    sys.stderr.flush()

    assert shown in raw.getvalue().decode(encoding)


def test_a_wait_that_a_person_would_notice_is_shown_before_it_begins(capsys):
    bar = ProgressBar(shown_after=1.0)
    bar.on_wait(60, "for the burst limit")
    bar.close()

    assert "waiting 60 s for the burst limit · 0 s" in capsys.readouterr().err


def test_a_notebook_has_a_bar(monkeypatch):
    monkeypatch.setattr(progress_module, "_is_interactive", lambda: True)

    assert type(current_progress()) is ProgressBar


def test_a_closed_bar_opens_another_line_for_the_next_download(capsys):
    bar = ProgressBar(shown_after=0)
    for resource in ("custom_fields", "contacts"):
        bar.on_page(ProgressUpdate(resource, pages=1, rows=14))
        bar.close()

    output = capsys.readouterr().err
    assert "custom_fields · 1 page · 14 rows" in output
    assert "contacts · 1 page · 14 rows" in output
