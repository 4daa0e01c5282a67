"""hlkit doctor: what is there, what is not, and what to do about it."""

import json

import pytest

from hlkit import cli, doctor, profiles


@pytest.fixture(autouse=True)
def a_machine_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def told(capsys, *words):
    """What a command says; it ends well."""
    with pytest.raises(SystemExit) as end:
        cli.main(list(words))
    assert not end.value.code
    return capsys.readouterr().out


def found(name):
    return next(one for one in doctor.findings() if one.name == name)


def test_it_tells_what_is_there_and_what_to_do(capsys):
    said, rows = (told(capsys, *words) for words in (["doctor"], ["doctor", "--json"]))
    rows = json.loads(rows)

    names = {row["name"] for row in rows}
    assert {"Python", "hlkit", "pandas", "pyarrow", "requests", "requests-cache", "ipywidgets"} <= names
    assert {"jupyterlab", "voila", "scipy", "statsmodels", "rapidfuzz"} <= names, "of every extra"
    assert {"browser", "keyring", "cache", "saved locations"} <= names
    assert all(row["name"] in said for row in rows)
    assert all(row["advice"] for row in rows if not row["well"])


def test_what_an_extra_brings_and_is_not_there_names_the_extra(monkeypatch):
    def gone(name):
        if name in ("voila", "scipy"):
            raise doctor.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", gone)

    assert found("voila") == doctor.Finding("voila", "not installed", advice='pip install "hlkit[app]"')
    assert found("scipy").advice == 'pip install "hlkit[stats]"'


def test_what_hlkit_cannot_do_without_is_not_well(monkeypatch):
    def gone(name):
        if name == "pandas":
            raise doctor.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", gone)

    assert not found("pandas").well


@pytest.mark.parametrize(("version", "told"), [("8.1.9", True), ("8.1.8", False), ("8.1.10", False)])
def test_the_ipywidgets_that_shows_nothing_in_vs_code_is_told(monkeypatch, version, told):
    monkeypatch.setattr(doctor, "version", lambda name: version)

    faults = [one for one in doctor.findings() if "vscode-jupyter#17504" in one.found]

    assert bool(faults) == told
    assert all("ipywidgets==8.1.8" in one.advice and not one.well for one in faults)


def test_without_a_browser_the_address_is_what_to_open(monkeypatch):
    def none():
        raise doctor.webbrowser.Error

    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.webbrowser, "get", none)

    assert not found("browser").well
    assert "hlkit app" in found("browser").advice


def test_a_damaged_file_of_locations_is_told_and_nothing_of_what_is_in_it():
    assert found("saved locations").well
    profiles.path().parent.mkdir(parents=True)
    profiles.path().write_text("pit-00000000-0000-0000-0000-000000000041 = [", encoding="utf-8")

    assert not found("saved locations").well
    assert "pit-" not in doctor.report()


def test_it_holds_no_token(monkeypatch):
    monkeypatch.setenv("HIGHLEVEL_PIT", "pit-00000000-0000-0000-0000-000000000041")

    assert "pit-" not in doctor.report()
