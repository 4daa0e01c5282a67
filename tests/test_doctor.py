"""hlkit doctor: what is there, what is not, and what to do about it."""

import json
from pathlib import Path

import platformdirs
import pytest

from hlkit.cli import commands, doctor
from hlkit.client import profiles
from hlkit.client.errors import InvalidRequest, InvalidToken
from hlkit.client.http.sqlite_file import CacheWarning
from hlkit.connection import connect


@pytest.fixture(autouse=True)
def a_machine_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def output_of(capsys, *words):
    """What a command prints; it must succeed."""
    with pytest.raises(SystemExit) as end:
        commands.main(list(words))
    assert not end.value.code
    return capsys.readouterr().out


def found(name):
    return next(finding for finding in doctor.findings() if finding.name == name)


def test_it_shows_what_is_installed_and_what_to_do(capsys):
    said, rows = (output_of(capsys, *words) for words in (["doctor"], ["doctor", "--json"]))
    rows = json.loads(rows)

    names = {row["name"] for row in rows}
    assert {"Python", "hlkit", "pandas", "pyarrow", "requests", "requests-cache", "ipywidgets"} <= names
    assert {"jupyterlab", "voila", "holidays", "rapidfuzz"} <= names, "of every extra"
    assert {"browser", "keyring", "cache", "saved locations"} <= names
    assert all(row["name"] in said for row in rows)
    assert all(row["hint"] for row in rows if not row["ok"])


def test_it_runs_where_hlkit_is_not_installed(monkeypatch):
    def gone(name):
        raise doctor.PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "requires", gone)
    monkeypatch.setattr(doctor, "version", gone)

    assert found("hlkit").state == "not installed (runs from its source)"


def test_what_an_extra_brings_and_is_not_there_names_the_extra(monkeypatch):
    def gone(name):
        if name in ("voila", "holidays"):
            raise doctor.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", gone)

    assert found("voila") == doctor.Finding("voila", "not installed", hint='pip install "hlkit[app]"')
    assert found("holidays").hint == 'pip install "hlkit[holidays]"'


def test_a_missing_requirement_is_a_problem(monkeypatch):
    def gone(name):
        if name == "pandas":
            raise doctor.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", gone)

    assert not found("pandas").ok


@pytest.mark.parametrize(("version", "is_reported"), [("8.1.9", True), ("8.1.8", False), ("8.1.10", False)])
def test_the_ipywidgets_that_shows_nothing_in_vs_code_is_reported(monkeypatch, version, is_reported):
    monkeypatch.setattr(doctor, "version", lambda name: version)

    faults = [finding for finding in doctor.findings() if "vscode-jupyter#17504" in finding.state]

    assert bool(faults) == is_reported
    assert all("ipywidgets==8.1.8" in finding.hint and not finding.ok for finding in faults)


def test_without_a_browser_the_address_is_what_to_open(monkeypatch):
    def none():
        raise doctor.webbrowser.Error

    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.webbrowser, "get", none)

    assert not found("browser").ok
    assert "hlkit app" in found("browser").hint


def test_a_damaged_profiles_file_is_reported_without_its_content():
    assert found("saved locations").ok
    profiles.path().parent.mkdir(parents=True)
    profiles.path().write_text("pit-00000000-0000-0000-0000-000000000041 = [", encoding="utf-8")

    assert not found("saved locations").ok
    assert "pit-" not in doctor.report()


def no_home(name):
    raise RuntimeError("could not determine the home directory")


@pytest.mark.parametrize("find", [no_home, lambda name: Path("~/.cache") / name], ids=["new platformdirs", "old"])
def test_without_a_home_folder_nothing_is_stored_and_it_says_so(monkeypatch, find):
    monkeypatch.setattr(platformdirs, "user_cache_path", find)
    monkeypatch.setattr(platformdirs, "user_config_path", find)

    assert found("cache").state == "this user has no home folder"
    assert not found("cache").ok
    assert "no location can be saved" in found("saved locations").state
    assert profiles.names() == []
    with pytest.raises(InvalidRequest, match="no home folder"):
        profiles.path()
    with pytest.raises(InvalidToken, match="no token: tried"):
        connect()
    with pytest.warns(CacheWarning, match="no home folder: data is cached in memory only") as seen:
        loc = connect("pit-00000000-0000-0000-0000-000000000041", "loc1")
    assert seen[0].filename == __file__
    assert loc.session.cache.path is None


@pytest.mark.parametrize("kind", ["a file", "read-only"])
def test_an_unusable_cache_folder_is_reported(monkeypatch, tmp_path, kind):
    (tmp_path / "home").touch()
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "home" / name)
    if kind == "read-only":
        (tmp_path / "home").unlink()
        monkeypatch.setattr(doctor.os, "access", lambda *_: False)

    assert found("cache").state == f"cannot write to {tmp_path / 'home' / 'hlkit'}"
    assert "in memory only" in found("cache").hint


def test_unreadable_profiles_are_reported(monkeypatch):
    class Refused(type(Path())):
        def read_text(self, **_):
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(platformdirs, "user_config_path", lambda name: Refused("/somewhere/else"))

    assert found("saved locations").state.endswith("cannot be read: Permission denied")
    assert "HIGHLEVEL_PIT" in found("saved locations").hint


def test_a_home_that_is_no_folder_has_no_profiles(monkeypatch):
    monkeypatch.setattr(platformdirs, "user_config_path", lambda name: Path(__file__) / name)

    assert profiles.names() == []


def test_it_holds_no_token(monkeypatch):
    monkeypatch.setenv("HIGHLEVEL_PIT", "pit-00000000-0000-0000-0000-000000000041")

    assert "pit-" not in doctor.report()
