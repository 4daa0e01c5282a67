"""Faults of the cache file and the clock: locked, full, read-only, damaged, another version, killed writers."""

import os
import sqlite3
import sys
import time
from contextlib import closing

import pytest
from faultkit import faults
from scripted import cached_keys, overwrite_page
from trial import PAGES, ROWS, Counting, every_variant, one_warning

from hlkit.client import cached_downloads
from hlkit.client.cached_downloads import StaleWarning
from hlkit.client.errors import CacheLocked
from hlkit.client.http import sqlite_file as file
from hlkit.client.http.sqlite_file import CacheWarning


def file_of(trial):
    """The path of the cache file, after closing it."""
    trial.loc.session.cache.close()
    (path,) = trial.cache.glob("*.sqlite")
    return path


@pytest.mark.fault("locked")
def test_a_locked_file_shows_one_warning_and_loses_no_row(trial, monkeypatch):
    monkeypatch.setattr(file, "LOCK_TIMEOUT", 0.1)
    trial.read("users")

    with faults.locked(file_of(trial)):
        loc = trial.connect()
        with one_warning(CacheWarning, "locked"):
            trial.read(loc=loc)
        spent = len(trial.sim.log)
        trial.read("users", loc)
        assert len(trial.sim.log) == spent, "cached pages are read while the file is locked"

    trial.read(loc=loc)
    spent = len(trial.sim.log)
    trial.read(loc=trial.connect())
    assert len(trial.sim.log) == spent, "the file is used again afterward"


@pytest.mark.fault("locked")
def test_offline_waits_for_a_locked_file(trial, monkeypatch):
    monkeypatch.setattr(file, "LOCK_TIMEOUT", 0.01)
    frame = trial.read("users")
    store = sqlite3.connect(file_of(trial), isolation_level=None, check_same_thread=False)
    store.execute("PRAGMA locking_mode = EXCLUSIVE")
    store.execute("BEGIN EXCLUSIVE")
    offline = trial.connect(offline=True)

    class ReleasesAfterThreeWaits(Counting):
        waits = 0

        def wait(self, seconds):
            self.waits += 1
            if self.waits == 3:
                store.close()

    with pytest.warns(StaleWarning):
        assert offline.users(progress=ReleasesAfterThreeWaits()).equals(frame)


@pytest.mark.fault("locked")
def test_a_file_that_stays_locked_raises_cache_locked(trial, monkeypatch):
    monkeypatch.setattr(file, "LOCK_TIMEOUT", 0.01)
    monkeypatch.setattr(cached_downloads, "LOCK_TIMEOUT", 0.01)
    trial.read("users")
    with closing(sqlite3.connect(file_of(trial), isolation_level=None)) as store:
        store.execute("PRAGMA locking_mode = EXCLUSIVE")
        store.execute("BEGIN EXCLUSIVE")
        offline = trial.connect(offline=True)

        with pytest.raises(CacheLocked, match="another program has locked the cache file"):
            offline.users()
        assert "another program has locked the cache file" in repr(offline)
        assert "nothing read yet" not in repr(offline)


@pytest.mark.fault("full_readonly")
def test_a_full_disk_shows_one_warning_and_loses_no_row(trial):
    def fill(connection):
        (used,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {used + 4}")

    trial.loc.session.cache._file.run(fill)

    with one_warning(CacheWarning, "full"):
        trial.read()

    trial.read()
    spent = len(trial.sim.log)
    trial.read()
    assert len(trial.sim.log) == spent, "pages are cached in memory from then on"


@pytest.mark.fault("full_readonly")
@pytest.mark.parametrize("read_only", ["file", "folder"])
def test_a_read_only_file_or_folder_shows_one_warning_and_loses_no_row(trial, monkeypatch, read_only):
    trial.read("users")
    path = file_of(trial)
    if read_only == "folder":
        path.unlink()
    original_open = os.open

    def refuse(target, flags, *mode):  # needed since root may write read-only files
        if flags & os.O_RDWR and str(target) == str(path):
            raise PermissionError(13, "Permission denied", str(target))
        return original_open(target, flags, *mode)

    monkeypatch.setattr(file.os, "open", refuse)
    with faults.readonly(path if read_only == "file" else path.parent):
        with one_warning(CacheWarning, "Permission denied"):
            loc = trial.connect()
        trial.read(loc=loc)


@pytest.mark.fault("corrupt")
@pytest.mark.parametrize("how", ["garbage", "half", "header", "middle"])
def test_a_damaged_file_is_renamed_with_one_warning_and_read_again(trial, how):
    frame = trial.read()
    path = file_of(trial)
    faults.corrupt(path, how)

    with one_warning(CacheWarning, "renamed"):
        again = trial.read(loc=trial.connect())

    assert again.equals(frame)
    assert list(trial.cache.glob("*.bad-*"))
    spent = len(trial.sim.log)
    trial.read(loc=trial.connect())
    assert len(trial.sim.log) == spent


@pytest.mark.fault("corrupt")
@pytest.mark.parametrize("how", ["row", "pickle"])
def test_overwritten_pages_are_requested_again_and_run_no_code(trial, how):
    frame = trial.read()
    path = file_of(trial)
    faults.corrupt(path, how)

    assert trial.read(loc=trial.connect()).equals(frame)
    assert not path.with_name(f"{path.name}.exploded").exists()


@pytest.mark.fault("corrupt")
def test_pages_copied_from_another_download_are_not_used(trial):
    trial.read("users")
    frame = trial.read()
    path = file_of(trial)
    with sqlite3.connect(path) as store:
        (value,) = store.execute("SELECT value FROM pages ORDER BY length(value) LIMIT 1").fetchone()
        store.execute("UPDATE pages SET value = ?", (value,))
    store.close()

    assert trial.read(loc=trial.connect()).equals(frame)


PROGRAM = """
import dataclasses, sys
import hlkit as hl
url, token, location, folder = sys.argv[1:]
loc = hl.connect(token, location, base_url=url, cache=folder)
resource = loc.contacts.resource
paging = dataclasses.replace(resource.paging, most=20)
loc.contacts.resource = dataclasses.replace(resource, paging=paging)
loc.contacts()
"""


@pytest.mark.fault("sigkill")
@pytest.mark.parametrize("request_number", [1, 4, 8])
def test_after_a_kill_the_next_run_requests_only_what_was_not_cached(trial, request_number):
    arguments = [sys.executable, "-c", PROGRAM, trial.url, trial.sim.token, trial.sim.location_id, str(trial.cache)]

    assert faults.killed(trial.sim, request_number, arguments) == -9
    before = len(trial.sim.log)
    trial.read(loc=trial.connect())

    second_run = [_path_and_body(logged) for logged in trial.sim.log[before:]]
    first_run = [_path_and_body(logged) for logged in trial.sim.log[: before - 1]]  # the last one got no answer
    assert [request for request in second_run if request in first_run] == []
    assert len(second_run) + len(first_run) == 1 + PAGES


def _path_and_body(logged):
    return logged.path, str(logged.body)


def change(path, *commands):
    with sqlite3.connect(path) as store:
        for command in commands:
            store.execute(command)
    store.close()


@pytest.mark.fault("old_file")
def test_a_file_of_an_earlier_version_is_renamed_and_the_warning_says_why(trial):
    frame = trial.read()
    change(file_of(trial), "ALTER TABLE downloads DROP COLUMN rows")

    with one_warning(CacheWarning, r"no such column.*renamed"):
        assert trial.read(loc=trial.connect()).equals(frame)


@pytest.mark.fault("old_file")
def test_a_file_of_a_later_version_with_more_columns_is_read_and_written(trial):
    frame = trial.read()
    path = file_of(trial)
    change(path, "ALTER TABLE downloads ADD COLUMN etag TEXT", "ALTER TABLE pages ADD COLUMN made REAL")
    spent = len(trial.sim.log)

    assert trial.read(loc=trial.connect()).equals(frame)
    assert len(trial.sim.log) == spent
    trial.read("users", trial.connect())
    trial.read("users", trial.connect())
    assert len(trial.sim.log) == spent + 1


@pytest.mark.fault("old_file")
def test_pages_in_the_format_of_another_version_are_requested_again(trial):
    frame = trial.read()
    cache, token = trial.loc.session.cache, trial.loc.session._token
    for key in cached_keys(cache):
        packed = b"\x93\x01\x02\x03"
        overwrite_page(cache, key, token.digest("page", key, packed).encode() + packed)

    assert trial.read(loc=trial.connect()).equals(frame)


@pytest.mark.fault("leftovers")
def test_after_a_clear_no_expired_row_is_on_the_disk(trial):
    trial.read()
    trial.read(refresh=True)
    (trial.cache / "old.sqlite.bad-20250101T000000").write_text("left over")
    trial.loc.session.cache.clear()

    rows = [row["id"].encode() for row in trial.sim.data.rows("contacts")]
    files = b"".join(trial.files())
    assert [row for row in rows if row in files] == []
    assert trial.loc.session.cache.downloads() == []


@pytest.mark.fault("leftovers")
def test_with_an_open_umask_only_the_owner_can_read_the_files(trial):
    with faults.umask(0):
        trial.cache = trial.cache.parent / "open" / "cache"
        trial.read(loc=trial.connect())

        assert trial.cache.stat().st_mode & 0o077 == 0
        assert [path for path in trial.cache.iterdir() if path.stat().st_mode & 0o077] == []


@pytest.mark.fault("clock")
@every_variant("clock")
def test_a_clock_that_jumps_makes_no_entry_that_never_expires(trial, variant):
    trial.read("users")
    store, spent = trial.loc.session.cache, len(trial.sim.log)
    store.now = faults.shifted(time.time, faults.SHIFTS[variant])

    trial.read("users")
    assert len(trial.sim.log) == spent + 1, "expired, or from the future: requested again"
    store.now = time.time
    trial.read("users")
    store.now = faults.shifted(time.time, 7200)
    trial.read("users")

    assert len(trial.sim.log) >= spent + 2


@pytest.mark.fault("clock")
@every_variant("clock")
def test_no_wait_is_negative_or_infinite_when_the_clock_is_wrong(new_trial, variant):
    trial = new_trial(burst=(50, 300))
    rate_limiter = trial.loc.session.rate_limiter
    rate_limiter._now = faults.shifted(time.time, faults.SHIFTS[variant])

    trial.read("messages")
    rate_limiter._now = time.time
    trial.read()

    assert trial.loc.quota.resets_in >= 0
    assert len(trial.read()) == ROWS
