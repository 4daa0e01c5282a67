"""Paths that a person types, and files that are replaced atomically."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pandas as pd
import pytest

import hlkit as hl
from hlkit.client import disk
from hlkit.client.errors import InvalidRequest


def content(text):
    return lambda part: str(part.write_text(text))


@pytest.mark.parametrize("given", ["~/a.csv", Path("~/a.csv")])
def test_a_tilde_is_the_home_folder(given, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    assert disk.expand_path(given) == tmp_path / "a.csv"


def test_every_path_that_a_person_gives_may_start_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    token = "pit-00000000-0000-0000-0000-000000000000"
    table = hl.demo(as_of="2026-01-01", size=30).analyses.lead_volume()

    assert hl.write(pd.DataFrame({"a": [1]}), "~/a.csv") == tmp_path / "a.csv"
    assert table.to_csv("~/table") == tmp_path / "table.csv"
    assert table.save(Path("~/chart.png")) == tmp_path / "chart.png"
    for cache, folder in {"~/cached": "cached", Path("~/cached2"): "cached2", "relative": "relative"}.items():
        loc = hl.connect(token, "loc00000000000000000", cache=cache)
        assert loc.session.cache.path.parent == tmp_path / folder
    assert "~" not in os.listdir(tmp_path)


@pytest.mark.parametrize("given", [None, 3, "", b"a.csv", "a\0.csv", "\ud800.csv", "~nobody-of-that-name/a.csv"])
def test_a_value_that_is_not_a_path_is_refused(given):
    with pytest.raises(InvalidRequest, match=r"cannot be used: (it is not a path|there is no such home folder)"):
        disk.expand_path(given)


def test_an_absolute_path_works_after_the_working_folder_was_deleted(monkeypatch, tmp_path):
    def gone():
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "getcwd", gone)

    assert disk.working_folder() == "."
    assert disk.absolute_path(tmp_path / "cached") == tmp_path / "cached"
    with pytest.raises(InvalidRequest, match=r"'cached' cannot be used: the current working folder was deleted"):
        disk.absolute_path("cached")


@pytest.mark.parametrize("cache", [None, 1, "", "a\0"])
def test_a_cache_option_that_is_not_a_folder_is_refused(cache):
    with pytest.raises(InvalidRequest, match=r"neither True, False nor a folder|cannot be used"):
        hl.connect("pit-00000000-0000-0000-0000-000000000000", "loc00000000000000000", cache=cache)


def test_only_the_owner_may_read_a_file_and_no_temporary_file_is_left(tmp_path):
    disk.replace_file(tmp_path / "a", content("new"))

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["a"]


def test_a_link_stays_and_the_file_it_points_to_is_replaced(tmp_path):
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "dotfiles" / "a").write_text("old")
    (tmp_path / "a").symlink_to("dotfiles/a")

    disk.replace_file(tmp_path / "a", content("new"))

    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "dotfiles" / "a").read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == ["a", "dotfiles"]


def test_the_next_writer_deletes_the_files_of_a_killed_writer(tmp_path):
    leftover = tmp_path / ".hlkit-0a1b2c3d.part"
    leftover.write_text("half")
    disk.scratch_folder(leftover).mkdir()
    (disk.scratch_folder(leftover) / "rows").write_text("half")
    another = tmp_path / ".hlkit-notes.part"
    another.write_text("another program's")

    disk.replace_file(tmp_path / "a", content("new"))

    assert sorted(os.listdir(tmp_path)) == [another.name, "a"]


def test_the_temporary_file_of_a_running_writer_stays(tmp_path):
    def first(part):
        disk.scratch_folder(part).mkdir()
        (disk.scratch_folder(part) / "rows").write_text("rows")
        disk.replace_file(tmp_path / "second", content("second"))
        return (disk.scratch_folder(part) / "rows").read_text() + str(part.write_text("first"))

    assert disk.replace_file(tmp_path / "first", first) == "rows5"
    assert (tmp_path / "first").read_text() == "first"
    assert sorted(os.listdir(tmp_path)) == ["first", "second"]
