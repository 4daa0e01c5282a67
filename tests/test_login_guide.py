import keyring
import keyring.backend
import keyring.backends.fail
import pytest

import hlkit as hl
from hlkit.client import profiles
from hlkit.login_guide import login
from hlkit.sim import Simulation

TOKEN = "pit-00000000-0000-0000-0000-000000000000"
ELSEWHERE = "pit-00000000-0000-0000-0000-00000000000e"
USERS_ONLY = "pit-00000000-0000-0000-0000-0000000000a5"


class InMemory(keyring.backend.KeyringBackend):
    priority = 1

    def __init__(self):
        self.kept = {}

    def get_password(self, service, username):
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        del self.kept[service, username]


@pytest.fixture(scope="module")
def sim():
    with Simulation(size=700, as_of="2026-01-01") as simulation:
        simulation.add_token(ELSEWHERE, location_id="another0000000000000")
        simulation.add_token(USERS_ONLY, scopes={"users.readonly"})
        yield simulation


@pytest.fixture(autouse=True)
def ring(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("HIGHLEVEL_PIT", raising=False)
    monkeypatch.delenv("HIGHLEVEL_LOCATION_ID", raising=False)
    before, ours = keyring.get_keyring(), InMemory()
    keyring.set_keyring(ours)
    yield ours
    keyring.set_keyring(before)


def log_in(sim, token=TOKEN, name="acme", **given):
    return login(name, base_url=sim.url, ask=lambda _: sim.location_id, ask_secret=lambda _: token, **given)


def test_login_says_what_reading_costs_and_saves_the_location(sim, ring, capsys):
    count = len(list(sim.data.ids("contacts")))

    log_in(sim)

    assert f"works: {count} contacts; a full read costs 3 requests, 1 s" in capsys.readouterr().out
    assert ring.kept == {("hlkit", "acme"): TOKEN}
    assert profiles.find("acme") == profiles.Profile("acme", sim.location_id, "America/Chicago", sim.url)


def test_a_saved_location_is_connected_to_by_name_or_because_it_is_the_default(sim):
    log_in(sim)

    assert len(hl.connect(profile="acme").users()) == 7
    assert "Connected by profile acme" in repr(hl.connect())


def test_the_environment_goes_before_the_default_profile(sim, monkeypatch):
    log_in(sim)
    monkeypatch.setenv("HIGHLEVEL_PIT", TOKEN)
    monkeypatch.setenv("HIGHLEVEL_LOCATION_ID", "abc")

    assert "Connected by HIGHLEVEL_PIT" in repr(hl.connect())


@pytest.mark.parametrize(
    ("token", "error", "words"),
    [
        ("pit-00000000-0000-0000-0000-0000000000ff", hl.errors.InvalidToken, "does not accept the token"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.c2ln", hl.errors.WrongTokenKind, "V1"),
        ("", hl.errors.InvalidToken, "empty"),
        (ELSEWHERE, hl.errors.WrongLocation, "another location"),
    ],
    ids=["unknown", "V1", "empty", "another location's"],
)
def test_a_token_that_does_not_work_is_not_saved(sim, ring, token, error, words):
    with pytest.raises(error, match=words):
        log_in(sim, token)

    assert ring.kept == {}
    assert profiles.all_profiles() == []


def test_a_token_given_as_the_location_is_refused_and_not_saved(sim):
    with pytest.raises(hl.errors.InvalidToken, match="the location id is a token") as refused:
        login("acme", base_url=sim.url, ask=lambda _: TOKEN, ask_secret=lambda _: TOKEN)

    assert TOKEN not in "".join(repr(frame.frame.f_locals) for frame in refused.traceback[1:])
    assert profiles.all_profiles() == []


def test_a_token_without_the_scope_for_contacts_is_saved_and_shows_what_to_check(sim, capsys):
    log_in(sim, USERS_ONLY)

    assert "works, but the token cannot read contacts: check contacts.readonly" in capsys.readouterr().out
    assert len(profiles.all_profiles()) == 1


def test_without_a_keyring_the_error_names_the_environment_variables(sim):
    keyring.set_keyring(keyring.backends.fail.Keyring())

    with pytest.raises(hl.errors.InvalidToken, match=r"HIGHLEVEL_PIT .* and HIGHLEVEL_LOCATION_ID"):
        log_in(sim)
    assert profiles.all_profiles() == []


def test_no_frame_of_a_login_that_fails_holds_the_token(sim, ring, monkeypatch):
    def full(service, username, password):
        raise OSError(password)

    monkeypatch.setattr(ring, "set_password", full)

    with pytest.raises(hl.errors.InvalidToken, match="cannot be saved") as failed:
        log_in(sim)

    frames = [entry.frame for entry in failed.traceback if "hlkit" in entry.path.parts]
    assert len(frames) >= 2
    assert TOKEN not in repr([frame.f_locals for frame in frames])
    assert profiles.all_profiles() == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (EOFError(), "no input"),
        (RuntimeError("input(): lost sys.stdin"), "no input"),
        (UnicodeDecodeError("utf-8", TOKEN.encode(), 0, 1, ""), "the input is not text"),
    ],
)
def test_where_nobody_can_answer_a_login_says_so_and_quotes_nothing(sim, ring, error, words):
    def fails(question):
        raise error

    with pytest.raises(hl.errors.InvalidRequest, match=words) as refused:
        login("acme", location_id=sim.location_id, base_url=sim.url, ask_secret=fails)

    assert refused.value.__context__ is None
    assert profiles.all_profiles() == []
    assert ring.kept == {}


def test_the_token_is_in_no_file(sim, tmp_path):
    log_in(sim).contacts()

    assert [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()] == []


def test_a_damaged_file_is_told_before_anything_is_asked():
    def ask(_):
        raise AssertionError

    profiles.path().parent.mkdir(parents=True)
    profiles.path().write_text("x")

    with pytest.raises(hl.errors.InvalidRequest, match="not valid TOML"):
        login("acme", ask=ask, ask_secret=ask)


def test_a_name_that_cannot_be_a_profile_is_refused_before_anything_is_asked(sim):
    def ask(_):
        raise AssertionError

    with pytest.raises(hl.errors.InvalidRequest):
        login("../acme", ask=ask, ask_secret=ask)
