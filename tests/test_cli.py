import functools
import io
import json
import re
import subprocess
import sys
from html import escape

import pandas as pd
import pytest
from faultkit import FaultySimulation

import hlkit as hl
from hlkit.cli import commands, demo, reading
from hlkit.client.options import COMMON, of_resource
from hlkit.client.resources import CATALOG

SMALL = ("--size", "300")


@pytest.fixture(autouse=True)
def a_machine_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("HIGHLEVEL_PIT", raising=False)
    monkeypatch.delenv("HIGHLEVEL_LOCATION_ID", raising=False)
    monkeypatch.chdir(tmp_path)


def run(*words):
    """The exit code of a command."""
    try:
        commands.main(list(words))
    except SystemExit as end:
        return end.code
    return 0


def test_the_demo_reports_its_cost_and_loads_everything_again_from_the_cache(capsys, tmp_path):
    assert run("demo", *SMALL) == 0

    said = capsys.readouterr().out
    assert re.search(r"contacts +\d+ rows +2 pages +2 requests", said)
    assert "total: 6 requests" in said
    assert said.count("total: 0 requests") == 1
    assert (tmp_path / "hlkit-demo" / "win_rates.png").stat().st_size > 10_000
    assert "//" not in re.sub(r'"data:[^"]*"', "", (tmp_path / "hlkit-demo" / "win_rates.html").read_text())

    run("demo", *SMALL)
    assert capsys.readouterr().out.count("total: 0 requests") == 2


def test_the_demo_answers_a_question_about_made_up_data_in_the_terminal_and_on_a_page(tmp_path, capsys):
    run("demo", *SMALL)

    page = (tmp_path / "hlkit-demo" / "win_rates.html").read_text()
    answer = hl.demo(size=300).analyses.win_rates(by="source")
    assert "all data is made up" in page
    assert escape(answer.headline) in page
    assert answer.headline in capsys.readouterr().out
    assert set(answer.table["source"]) == {"google", "facebook", "direct", "referral", "(none)"}


def test_the_demos_import_is_a_source_of_its_own():
    leads = hl.demo(as_of="2026-01-01", size=300).analyses.lead_volume(by="source", imports="include")

    assert set(leads.table["source"]) == {"google", "facebook", "direct", "referral", "(none)", "import"}


@pytest.mark.parametrize(
    ("makefile", "has_notebooks", "step"),
    [
        (None, True, 'pip install "hlkit[notebook]"'),
        ("lab: .venv\n", False, 'pip install "hlkit[notebook]"'),
        ("label:\nlab := 1\n\techo lab:\n", True, 'pip install "hlkit[notebook]"'),
        ("test:\n\nlab: .venv ## the first notebook\n", True, "make lab"),
    ],
    ids=["no Makefile", "no notebooks", "no such target", "both"],
)
def test_the_demo_names_a_next_step_that_works_where_it_ran(
    makefile, has_notebooks, step, capsys, tmp_path, monkeypatch
):
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    if makefile is not None:
        (tmp_path / "Makefile").write_text(makefile)
    if has_notebooks:
        (tmp_path / "notebooks").mkdir()

    run("demo", "--size", "0")

    said = capsys.readouterr().out.partition("next:")[2]
    assert step in said
    assert ("make lab" in said) != ("jupyter lab" in said)
    assert "question: hlkit run speed_to_lead --by source --demo" in said


def test_the_demo_names_what_was_typed_and_no_make_where_there_is_none(capsys, tmp_path, monkeypatch):
    (tmp_path / "Makefile").write_text("lab:\n")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(demo, "which", lambda name: None)
    monkeypatch.setattr(sys, "argv", [".venv/bin/hlkit", "demo"])

    run("demo", "--size", "0")

    said = capsys.readouterr().out.partition("next:")[2]
    assert "make lab" not in said
    assert "question: .venv/bin/hlkit run speed_to_lead" in said


def test_the_demo_does_not_suggest_installing_a_jupyterlab_that_is_there(capsys, monkeypatch):
    monkeypatch.setattr(demo, "find_spec", lambda name: object())

    run("demo", "--size", "0")

    assert "pip install" not in capsys.readouterr().out.partition("next:")[2]


def test_the_demo_says_where_its_folder_cannot_be(capsys, tmp_path):
    (tmp_path / "hlkit-demo").write_text("a file")

    assert run("demo", "--size", "0") == 1
    assert "cannot create the folder hlkit-demo" in capsys.readouterr().err


def test_overview_prints_the_business_and_writes_its_numbers(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(hl, "demo", functools.partial(hl.demo, as_of="2026-01-01", size=300))

    assert run("overview", "--demo", "--period", "last month", "--out", "numbers.csv") == 0

    said = capsys.readouterr().out
    assert said.startswith("Lakeside Home Services · December 1 to December 31, 2025")
    assert "loc.analyses.stuck()" in said
    assert pd.read_csv(tmp_path / "numbers.csv")["measure"].nunique() == 9
    assert run("overview", "--demo", "--json") == 0
    assert {row["measure"] for row in json.loads(capsys.readouterr().out)} >= {"new_leads", "won_value"}
    assert run("overview", "--demo", "--period", "lastt month") == 1
    assert "lastt month" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet", "jsonl"])
def test_fetch_writes_a_file_of_every_kind(ending, capsys, tmp_path):
    assert run("fetch", "users", "--demo", "--out", f"users.{ending}") == 0

    assert "7 rows, 10 columns" in capsys.readouterr().out
    assert (tmp_path / f"users.{ending}").exists()


def test_fetch_takes_the_choices_of_the_resource(capsys):
    assert (
        run("fetch", "opportunities", "--demo", "--status", "won", "--since", "2026-01-01", "--out", "won.csv") == 0
    )

    won = pd.read_csv("won.csv")
    assert set(won["status"]) == {"won"}


def test_fetch_leaves_the_custom_fields_out_where_they_are_not_wanted(capsys):
    run("fetch", "contacts", "--demo", "--limit", "3", "--no-custom-fields", "--out", "three.csv")

    columns = [column.name for column in CATALOG["contacts"].columns]
    assert list(pd.read_csv("three.csv").columns) == columns


@pytest.mark.parametrize("resource", CATALOG.values(), ids=lambda resource: resource.name)
def test_every_resource_can_be_fetched_and_shows_its_options(resource, capsys):
    assert run("fetch", resource.name.replace("_", "-"), "--help") == 0

    said = capsys.readouterr().out
    words = " ".join(said.replace("│", " ").split())
    shown = [option for option in of_resource(resource) if option.name not in ("expire_after", "progress")]
    for option in shown:
        assert f"--{option.name.replace('_', '-')}" in said
        assert option.doc in words
    assert set(resource.filters) <= {option.name for option in shown}


def test_a_period_and_names_are_flags(small, capsys):
    chosen = ("--period", "last-month", "--owner", "marcus reed")
    assert run("fetch", "contacts", "--demo", *chosen, "--out", "december.csv") == 0

    loc = hl.demo(as_of="2026-01-01", size=200)
    owner = loc.users().set_index("name")["user_id"]["Marcus Reed"]
    december = loc.contacts(since="2025-12-01", until="2026-01-01", owner_id=owner)
    assert pd.read_csv("december.csv")["contact_id"].tolist() == december["contact_id"].tolist()


def test_every_command_is_in_the_help(capsys):
    assert run("--help") == 0

    said = capsys.readouterr().out
    for command in ("demo", "sim", "login", "profiles", "logout", "check", "fetch", "run", "cache"):
        assert command in said


def test_login_where_nobody_answers_says_so(capsys, monkeypatch):
    monkeypatch.setattr("hlkit.client.profiles.check_keyring", lambda name: None)
    monkeypatch.setattr("sys.stdin", io.StringIO())

    assert run("login", "acme") == 1
    assert capsys.readouterr().err == (
        "hlkit: no input, so nothing was saved\n  run it in a terminal and answer the prompts\n"
    )


def test_check_shows_what_each_resource_costs(capsys):
    assert run("check", "--demo") == 0

    said = capsys.readouterr().out
    assert all(resource.name in said for resource in CATALOG.values())
    assert "quota: " in said
    assert "next: hlkit fetch contacts" in said


def test_check_names_the_scope_that_is_missing_and_goes_on_with_the_same_profile(capsys, monkeypatch, tmp_path):
    with FaultySimulation(size=20, as_of="2026-01-01", burst=(5000, 10_000)) as sim:
        sim.fault("status_5xx", match=lambda logged: logged.path.startswith("/users"))
        loc = hl.connect(sim.token, sim.location_id, base_url=sim.url, cache=tmp_path, deadline=0.2)
        monkeypatch.setattr(reading, "open_location", lambda profile, demo: loc)

        run("check", "--profile", "acme")
        said = capsys.readouterr().out
        assert re.search(r"^users +\? .*\(HighLevel responded with an error \(5", said, re.MULTILINE)
        assert "check their scopes" not in said
        assert said.endswith("next: hlkit fetch contacts --out contacts.xlsx --profile acme\n")

        token = sim.add_token("pit-00000000-0000-0000-0000-0000000000a6", scopes={"contacts.readonly"})
        loc = hl.connect(token, sim.location_id, base_url=sim.url, cache=tmp_path, deadline=0.2)
        run("check")
        said = capsys.readouterr().out
        assert re.search(r"^tags +no .*\(the token cannot read tags", said, re.MULTILINE)
        assert "check their scopes" in said


def test_check_can_be_read_by_a_program(capsys):
    run("check", "--demo", "--json")

    rows = json.loads(capsys.readouterr().out)
    assert [row["resource"] for row in rows] == list(CATALOG)
    assert all(row["readable"] for row in rows)


def test_the_cache_is_shown_and_cleared(capsys, tmp_path):
    run("fetch", "users", "--demo", "--out", "users.csv")
    capsys.readouterr()

    assert run("cache", "info") == 0
    assert "1 file" in capsys.readouterr().out
    assert run("cache", "clear") == 0
    assert list((tmp_path / "cache").rglob("*.sqlite*")) == []


def test_a_cache_file_that_is_in_use_is_said_to_be(capsys, monkeypatch):
    def in_use(*_, **__):
        raise PermissionError(13, "in use")

    run("fetch", "users", "--demo", "--out", "users.csv")
    monkeypatch.setattr("pathlib.Path.unlink", in_use)

    assert run("cache", "clear") == 1
    assert ": in use" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["fetch", "contacts", "--out", "x.csv"], 1, "no token"),
        (["fetch", "contacts", "--demo", "--out", "x.doc"], 1, ".doc"),
        (["fetch", "contacts", "--demo", "--since", "soon", "--out", "x.csv"], 1, "not a date or time"),
        (["fetch", "contacts", "--demo", "--limit", "0", "--out", "x.csv"], 1, "limit=0 is not a whole number"),
        (["fetch", "notes", "--demo", "--out", "x.csv"], 1, "requests, about"),
        (["fetch", "users", "--demo", "--period", "30d", "--out", "x.csv"], 2, "--period"),
        (
            ["fetch", "contacts", "--demo", "--period", "30d", "--since", "2025", "--out", "x.csv"],
            1,
            "cannot be combined",
        ),
        (["fetch", "nothing"], 2, "nothing"),
        (["fetch", "opportunities", "--status", "gone", "--out", "x.csv"], 2, "gone"),
        (["check", "--profile", "nobody"], 1, "nobody"),
        (["check", "--demo", "--profile", "nobody"], 1, "--demo and --profile cannot be used together"),
        (["app", "--demo", "--profile", "nobody"], 1, "--demo and --profile cannot be used together"),
        (["run", "nothing"], 2, "there are appointment_heatmap, appointments"),
        (["logout", "nobody"], 1, "nobody"),
        (["demo", "--size", "-5"], 1, "size=-5"),
        (["demo", "--seed", "-1"], 1, "seed=-1"),
        (["sim", "--size", "-5"], 1, "size=-5"),
        (["sim", "--as-of", "nonsense"], 1, "as_of='nonsense'"),
        (["sim", "--size", "0", "--port", "99999"], 1, "port 99999"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_an_error_is_two_lines_and_an_exit_code(words, code, what, capsys):
    assert run(*words) == code

    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("hlkit: ")
    assert what in lines[0]


def test_a_hint_is_spelled_as_the_command_line_does(capsys):
    run("fetch", "notes", "--demo", "--out", "x.csv")

    hint = capsys.readouterr().err.strip().splitlines()[-1]
    assert hint == "  add --confirm to read all of them, or select some with --contact-id ID"


def test_one_of_a_thing_is_said_as_one(capsys):
    run("fetch", "location", "--demo", "--out", "one.csv")

    assert "one.csv: 1 row, " in (said := capsys.readouterr().out)
    assert "1 request, 0 pages from the cache" in said


def test_the_command_is_there_and_starts():
    said = subprocess.run([sys.executable, "-m", "hlkit", "--version"], capture_output=True, text=True, check=True)

    assert said.stdout.strip()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fetch", "users", "--out", "x.doc"], "'.doc'"),
        (["fetch", "users", "--out", "nowhere/x.csv"], "there is no folder nowhere"),
        (["run", "stuck", "--out", "x.doc"], "'.doc'"),
        (["run", "stuck", "--chart", "nowhere/x.png"], "there is no folder nowhere"),
    ],
)
def test_an_unusable_target_file_is_refused_before_anything_is_read(words, said, capsys, monkeypatch):
    monkeypatch.setattr(reading, "open_location", lambda profile, demo: pytest.fail("a location is opened"))

    assert run(*words, "--demo") == 1
    assert said in capsys.readouterr().err


# ---- hlkit run


def test_every_analysis_is_in_the_help_with_its_question(capsys):
    run("run", "--help")
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    run("run")
    listed = capsys.readouterr().out

    for name, analysis in hl.analyses.items():
        assert name in shown
        assert analysis.question in shown
        assert re.search(rf"^  hlkit run {name} +{re.escape(analysis.question)}$", listed, re.MULTILINE)
    assert "next: hlkit run speed_to_lead --by source --demo" in listed


@pytest.mark.parametrize("name", list(hl.analyses))
def test_the_help_of_an_analysis_explains_its_choices(capsys, name):
    run("run", name, "--help")

    shown = capsys.readouterr().out
    words = " ".join(shown.replace("│", " ").split())
    for choice in hl.analyses[name].options:
        assert f"--{choice.replace('_', '-')}" in shown
    assert "--as-of" in shown
    assert all(COMMON[option].doc in words for option in ("until", "period", "refresh"))


def test_run_prints_the_table_its_definition_and_its_provenance(small, capsys):
    assert run("run", "speed_to_lead", "--by", "source", "--demo") == 0

    said = capsys.readouterr().out
    assert "referral" in said
    assert hl.analyses.speed_to_lead.definition[:60] in said
    assert re.search(r"^rows used +\d+ contacts, [\d,]+ messages", said, re.MULTILINE)


def test_run_writes_the_table_and_the_chart_and_json(small, capsys, tmp_path):
    assert run("run", "speed_to_lead", "--demo", "--since", "2025-06-01", "--json", "--out", "t.csv") == 0
    rows = json.loads(capsys.readouterr().out)
    assert run("run", "speed_to_lead", "--demo", "--since", "2025-06-01", "--chart", "c.png") == 0

    assert [row["n"] for row in rows] == pd.read_csv("t.csv")["n"].tolist()
    assert (tmp_path / "c.png").stat().st_size > 2000


def test_run_takes_a_target_for_all_or_one_for_each_channel(small, capsys):
    assert run("run", "responses", "--demo", "--target-min", "30") == 0
    assert "within the target of 30 minutes" in capsys.readouterr().out
    assert run("run", "responses", "--demo", "--target-min", "SMS=3,Email=30") == 0
    assert "within the target of SMS 3, Email 30 minutes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "responses", "--demo", "--target-min", "soon"], 1, "--target-min 'soon' is not a number"),
        (["run", "responses", "--demo", "--target-min", "SSM=3"], 1, "no channel 'SSM'"),
        (["run", "sped_to_lead", "--demo"], 2, "did you mean speed_to_lead?"),
        (["run", "speed_to_lead", "--demo", "--clock", "sun"], 2, "clock"),
        (["run", "speed_to_lead", "--demo", "--by", "sorce"], 1, "sorce"),
        (["run", "speed_to_lead", "--demo", "--office", "always"], 1, "office hours"),
        (["run", "speed_to_lead", "--demo", "--as-of", "soon"], 1, "not a date or time"),
        (["run", "speed_to_lead", "--demo", "--chart", "c.bmp"], 1, "bmp"),
    ],
)
def test_a_wrong_word_of_run_is_said_in_two_lines(small, capsys, words, code, said):
    assert run(*words) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in lines if not line.startswith("note")]) == 2
    assert said in lines[-2]


@pytest.fixture
def small(monkeypatch):
    """A demo of few people."""
    loc = hl.demo(as_of="2026-01-01", size=200)
    monkeypatch.setattr(reading, "open_location", lambda profile, demo: loc)
