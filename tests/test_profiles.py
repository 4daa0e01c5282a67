"""Named locations: what is in the file, what is in the keyring, and what happens without one."""

from __future__ import annotations

import pickle
import stat
import sys
import threading
import tomllib
import traceback

import keyring
import keyring.errors
import platformdirs
import pytest
from filelock import FileLock
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.backends.null import Keyring as Forgetful

import hlkit as hl
from hlkit.client import profiles
from hlkit.client.errors import HlkitError, InvalidRequest, InvalidToken, NotFound
from hlkit.client.http.token import read
from hlkit.client.profiles import Profile

TEXT = "pit-00000000-0000-0000-0000-0000000000f1"
TOKEN, OTHER = read(TEXT), read(TEXT[:-1] + "6")
ACME = Profile("acme", "LocAcme1", "America/Chicago")
ZEN = Profile("zen", "LocZen1", base_url="https://example.com")


class Memory(KeyringBackend):
    """A keyring that forgets when it goes."""

    priority = 1

    def __init__(self):
        self.kept = {}

    def get_password(self, service, username):
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        if (service, username) not in self.kept:
            raise keyring.errors.PasswordDeleteError
        del self.kept[service, username]


class Failing(Memory):
    """A keyring that fails with words that hold what it was given."""

    priority = 1

    def __init__(self, error):
        super().__init__()
        self.error = error

    def get_password(self, service, username):
        raise self.error

    set_password = delete_password = get_password


class Waiting(Memory):
    """A keyring that waits for a person, in some of its calls."""

    priority = 1

    def __init__(self, *verbs):
        super().__init__()
        self.verbs, self.answered = verbs, threading.Event()

    def get_password(self, *given):
        return self.wait("get_password", *given)

    def set_password(self, *given):
        return self.wait("set_password", *given)

    def delete_password(self, *given):
        return self.wait("delete_password", *given)

    def wait(self, verb, *given):
        if verb in self.verbs:
            assert self.answered.wait(60)
        return getattr(Memory, verb)(self, *given)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_config_path", lambda name: tmp_path / "config" / name)
    return tmp_path / "config" / "hlkit"


@pytest.fixture(autouse=True)
def vault():
    before = keyring.get_keyring()
    memory = Memory()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


@pytest.fixture
def waiting(vault, monkeypatch):
    """Makes the keyring wait from now on; in the end it is answered."""
    monkeypatch.setattr(profiles, "PATIENCE", 0.05)
    made = []

    def new(*verbs):
        made.append(Waiting(*verbs))
        made[-1].kept = vault.kept
        keyring.set_keyring(made[-1])
        return made[-1]

    yield new
    for one in made:
        one.answered.set()


def written(text):
    profiles.path().parent.mkdir(parents=True, exist_ok=True)
    profiles.path().write_text(text, encoding="utf-8")


def loaded(name):
    profile, token = profiles.load(name)
    texts = []
    token.hand_to(texts.append)
    return profile, *texts


# ---- saving and loading


def test_a_saved_profile_comes_back_with_its_token():
    profiles.save(ACME, TOKEN)
    profiles.save(ZEN, OTHER)

    assert loaded("acme") == (ACME, TEXT)
    assert loaded("zen") == (ZEN, TEXT[:-1] + "6")
    assert profiles.all_profiles() == [ACME, ZEN]
    assert profiles.names() == ["acme", "zen"]


def test_the_token_is_in_the_keyring_and_in_no_file(folder, vault):
    profiles.save(ACME, TOKEN)

    assert vault.kept == {("hlkit", "acme"): TEXT}
    assert {file.name for file in folder.iterdir()} == {"profiles.toml", "profiles.lock"}
    assert (folder / "profiles.lock").read_bytes() == b""
    assert tomllib.loads(profiles.path().read_text()) == {
        "default": "acme",
        "profiles": {"acme": {"location_id": "LocAcme1", "timezone": "America/Chicago"}},
    }


def test_only_its_owner_may_read_the_file(folder):
    profiles.save(ACME, TOKEN)

    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_saving_again_replaces_and_leaves_no_old_time_zone():
    profiles.save(ACME, TOKEN)

    profiles.save(Profile("acme", "LocAcme2"), TOKEN)

    assert profiles.load("acme")[0] == Profile("acme", "LocAcme2")


def test_without_a_file_there_are_no_profiles():
    assert profiles.all_profiles() == []
    assert profiles.default() is None
    with pytest.raises(NotFound, match=r"no profile acme: none is saved yet\n.*hlkit login acme"):
        profiles.load("acme")


def test_a_profile_that_is_not_there_names_those_that_are():
    profiles.save(ZEN, TOKEN)
    profiles.save(ACME, TOKEN)

    with pytest.raises(NotFound, match="no profile acne: there are acme, zen"):
        profiles.load("acne")


def test_the_first_profile_is_the_default_unless_the_file_says_another():
    profiles.save(ZEN, TOKEN)
    profiles.save(ACME, TOKEN)
    assert profiles.default() == "zen"

    text = profiles.path().read_text(encoding="utf-8")
    written(text.replace('default = "zen"', 'default = "acme"'))
    assert profiles.default() == "acme"


def test_removing_takes_profile_token_and_default_away(vault):
    profiles.save(ACME, TOKEN)
    profiles.save(ZEN, TOKEN)

    profiles.remove("acme")

    assert profiles.names() == ["zen"]
    assert profiles.default() is None
    assert list(vault.kept) == [("hlkit", "zen")]
    with pytest.raises(NotFound):
        profiles.remove("acme")


@pytest.mark.parametrize("name", [TEXT, TEXT.upper(), "eyJ" + "a" * 50])
def test_a_token_is_no_name_of_a_profile_and_is_not_repeated(name):
    save = lambda: profiles.save(Profile(name, "LocAcme1"), TOKEN)  # noqa: E731
    for given in (save, lambda: profiles.check_name(name), lambda: hl.connect(profile=name)):
        with pytest.raises(InvalidRequest, match="a token is no name") as refused:
            given()
        assert name not in str(refused.value)
    assert not profiles.path().exists()


def test_without_a_default_connecting_says_which_profiles_there_are(monkeypatch):
    monkeypatch.delenv("HIGHLEVEL_PIT", raising=False)
    monkeypatch.delenv("HIGHLEVEL_LOCATION_ID", raising=False)
    profiles.save(ACME, TOKEN)
    profiles.save(ZEN, TOKEN)
    profiles.remove("acme")

    with pytest.raises(InvalidToken, match=r'none of the saved profiles \(zen\) is the default\n.*profile="zen"'):
        hl.connect()


def test_a_profile_whose_token_is_gone_can_be_removed(vault):
    profiles.save(ACME, TOKEN)
    vault.kept.clear()

    with pytest.raises(InvalidToken, match="the keyring holds no token of acme"):
        profiles.load("acme")
    profiles.remove("acme")
    assert profiles.names() == []


@pytest.mark.parametrize("name", ["", "Acme", "-a", "a b", "a/b", "../a", "a.b", "é", "a" * 41, "a\n", "a]", None, 3])
def test_a_name_that_will_not_do_is_refused(name):
    for given in (lambda: profiles.check_name(name), lambda: profiles.save(Profile(name, "LocAcme1"), TOKEN)):
        with pytest.raises(InvalidRequest, match="cannot be called"):
            given()
    assert not profiles.path().exists()


@pytest.mark.parametrize("name", ["a", "0", "acme-north_2", "a" * 40])
def test_a_short_plain_name_will_do(name):
    profiles.check_name(name)


# ---- the file as a person edits it


def test_comments_of_a_person_stay():
    written(
        '# mine\n[profiles.acme] # the old one\nlocation_id = "A"\n\n# about zen\n[profiles.zen]\nlocation_id = "Z"\n'
    )

    profiles.save(Profile("new", "N"), TOKEN)
    text = profiles.path().read_text()
    assert "# mine" in text
    assert "[profiles.acme] # the old one" in text

    profiles.remove("acme")
    text = profiles.path().read_text()
    assert "# mine" in text
    assert "# about zen\n[profiles.zen]" in text
    assert profiles.names() == ["new", "zen"]
    assert profiles.default() == "new"


def test_lines_that_only_look_like_a_profile_do_not_mislead():
    written('[profiles.b]\nlocation_id = "B"\nnote = """\n[profiles.a]\n[x]\n"""\n[profiles.a]\nlocation_id = "A"\n')

    profiles.remove("a")

    assert profiles.all_profiles() == [Profile("b", "B")]
    assert tomllib.loads(profiles.path().read_text())["profiles"]["b"]["note"] == "[profiles.a]\n[x]\n"


def test_a_profile_written_in_one_line_can_be_removed():
    written('default = "a"\n[profiles]\na = {location_id = "A"}\nb = {location_id = "B"}\n')

    profiles.remove("a")

    assert profiles.all_profiles() == [Profile("b", "B")]
    assert profiles.default() is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("default = ", "is not TOML \\(at "),
        (f"{TEXT} = ?", "is not TOML"),
        ("profiles = 3", "profiles is not a table"),
        ("[profiles.acme]\ntimezone = 'UTC'", "the profile 'acme' lacks a location_id"),
        ("[profiles.acme]\nlocation_id = 3", "the profile 'acme' lacks"),
        ("[profiles]\nacme = 3", "the profile 'acme' lacks"),
    ],
)
def test_a_damaged_file_is_named_and_left_alone(text, words, vault):
    written(text)

    with pytest.raises(InvalidRequest, match=words) as caught:
        profiles.load("acme")
    assert str(profiles.path()) in str(caught.value)
    assert TEXT not in str(caught.value)
    assert caught.value.__context__ is None
    assert profiles.path().read_text() == text


def test_nothing_is_saved_over_a_damaged_file(vault):
    written("default = ")

    with pytest.raises(InvalidRequest, match="not TOML"):
        profiles.save(ACME, TOKEN)
    assert profiles.path().read_text() == "default = "
    assert vault.kept == {}


@pytest.mark.parametrize(
    "text",
    [
        "profiles = {}",
        "[profiles]\nacme = 3",
        "[[profiles.acme]]\nlocation_id = 'L'",
        "[profiles.acme]\n[profiles.zen]",
    ],
)
def test_a_profile_that_is_none_is_saved_anew(text):
    written(text)

    profiles.save(ACME, TOKEN)
    assert loaded("acme") == (ACME, TEXT)


def test_a_mark_that_an_editor_puts_before_the_text_is_read_over():
    written("\ufeff[profiles.acme]\nlocation_id = 'LocAcme1'")

    assert profiles.names() == ["acme"]
    profiles.remove("acme")
    assert profiles.names() == []


def test_the_default_below_dotted_keys_stays_the_default():
    written("profiles.zen.location_id = 'LocZen1'\ndefault = 'zen'\n")

    profiles.save(ACME, TOKEN)

    assert profiles.default() == "zen"
    assert profiles.all_profiles() == [ACME, Profile("zen", "LocZen1")]


def test_bytes_that_are_no_text_are_named():
    written("")
    profiles.path().write_bytes(b"\xff\xfe")

    with pytest.raises(InvalidRequest, match="it is not UTF-8"):
        profiles.all_profiles()


def test_a_file_that_cannot_be_written_leaves_no_token_behind(vault, folder, monkeypatch):
    def refuse(source, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)

    with pytest.raises(InvalidRequest, match="cannot be written: Permission denied"):
        profiles.save(ACME, TOKEN)
    assert vault.kept == {}
    assert [file.name for file in folder.iterdir()] == ["profiles.lock"]


def test_a_file_that_cannot_be_written_leaves_the_token_that_was_there(vault, folder, monkeypatch):
    profiles.save(ACME, TOKEN)

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)

    with pytest.raises(InvalidRequest, match="cannot be written"):
        profiles.save(Profile("acme", "LocAcme2"), OTHER)
    assert loaded("acme") == (ACME, TEXT)


def test_a_profiles_file_that_is_a_link_stays_a_link(tmp_path, folder):
    folder.mkdir(parents=True)
    (tmp_path / "dotfiles.toml").write_text("# mine\n")
    profiles.path().symlink_to(tmp_path / "dotfiles.toml")

    profiles.save(ACME, TOKEN)

    assert profiles.path().is_symlink()
    assert (tmp_path / "dotfiles.toml").read_text().startswith("# mine\n")
    assert profiles.names() == ["acme"]


def test_profiles_that_several_programs_save_at_once_are_all_saved():
    names = [f"acme{number}" for number in range(8)]
    threads = [threading.Thread(target=profiles.save, args=(Profile(name, "L"), TOKEN)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert profiles.names() == names


def test_a_profile_is_saved_on_a_drive_without_locks(monkeypatch):
    def unsupported(lock):
        raise NotImplementedError

    monkeypatch.setattr(FileLock, "acquire", unsupported)

    profiles.save(ACME, TOKEN)

    assert profiles.names() == ["acme"]


def test_nothing_is_saved_while_another_program_writes_for_long(folder, monkeypatch):
    monkeypatch.setattr(profiles, "_BUSY", 0.05)
    folder.mkdir(parents=True)

    with FileLock(folder / "profiles.lock"), pytest.raises(InvalidRequest, match="another program is writing it"):
        profiles.save(ACME, TOKEN)


def test_a_folder_in_the_files_place_is_named():
    profiles.path().mkdir(parents=True)

    with pytest.raises(InvalidRequest, match="cannot be read: Is a directory"):
        profiles.all_profiles()


# ---- without a keyring


FAILING = [
    NoKeyring(),
    Forgetful(),
    Failing(keyring.errors.InitError(TEXT)),
    Failing(keyring.errors.KeyringLocked(TEXT)),
    Failing(keyring.errors.PasswordSetError(TEXT)),
    Failing(OSError(TEXT)),
    Failing(SystemExit(TEXT)),
]


@pytest.mark.parametrize("backend", FAILING, ids=lambda one: type(getattr(one, "error", one)).__module__[-12:])
def test_without_a_keyring_the_error_names_the_environment(backend):
    keyring.set_keyring(backend)

    with pytest.raises(InvalidToken, match="HIGHLEVEL_PIT and HIGHLEVEL_LOCATION_ID"):
        profiles.save(ACME, TOKEN)
    assert not profiles.path().exists()


@pytest.mark.parametrize("backend", [NoKeyring(), Forgetful()], ids=["none", "null"])
def test_no_token_is_asked_for_where_none_can_be_kept(backend):
    keyring.set_keyring(backend)

    problem = profiles.keyring_problem("acme")

    assert isinstance(problem, InvalidToken)
    assert "no token can be kept here: this system has no keyring" in str(problem)


def test_a_keyring_that_does_not_keep_a_token_is_found_out(vault, monkeypatch):
    monkeypatch.setattr(vault, "set_password", lambda *given: None)

    with pytest.raises(InvalidToken, match="it does not keep what it is given"):
        profiles.save(ACME, TOKEN)
    assert profiles.names() == []


def test_where_the_keyring_refuses_a_new_token_the_profile_is_as_it_was(vault, monkeypatch):
    written("# mine\n")
    profiles.save(ACME, TOKEN)
    before = profiles.path().read_text()
    monkeypatch.setattr(vault, "set_password", lambda *given: Failing(OSError(TEXT)).get_password("", ""))

    with pytest.raises(InvalidToken, match=r"the token cannot be kept: the keyring refused \(OSError\)"):
        profiles.save(Profile("acme", "LocAcme2"), OTHER)
    assert profiles.path().read_text() == before
    assert loaded("acme") == (ACME, TEXT)


@pytest.mark.parametrize("verb", ["get_password", "set_password", "delete_password"])
def test_a_keyring_that_waits_for_nobody_is_not_waited_for(verb, waiting):
    calls = {
        "get_password": lambda: hl.connect(profile="acme"),
        "set_password": lambda: profiles.save(ZEN, TOKEN),
        "delete_password": lambda: profiles.remove("acme"),
    }
    profiles.save(ACME, TOKEN)
    waiting(verb)

    with pytest.raises(InvalidToken, match="the keyring has not answered for") as caught:
        calls[verb]()

    assert ("HIGHLEVEL_PIT" in str(caught.value)) == (verb != "delete_password")
    assert profiles.names() == ([] if verb == "delete_password" else ["acme"])


def test_ctrl_c_is_heard_while_the_keyring_waits_and_nothing_is_saved(waiting, monkeypatch):
    def stopped(*given):
        raise KeyboardInterrupt

    waiting("set_password")
    monkeypatch.setattr(profiles, "PATIENCE", 60)
    monkeypatch.setattr(threading.Thread, "join", stopped)

    with pytest.raises(KeyboardInterrupt) as caught:
        profiles.save(ACME, TOKEN)
    assert TEXT not in everything_in(caught.value)
    assert not profiles.path().exists()


def test_a_keyring_that_cannot_be_loaded_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)

    with pytest.raises(InvalidToken, match=r"the keyring cannot be loaded \(ModuleNotFoundError\)"):
        profiles.save(ACME, TOKEN)


def test_a_saved_profile_whose_keyring_is_locked_says_so():
    profiles.save(ACME, TOKEN)
    keyring.set_keyring(Failing(keyring.errors.KeyringLocked(TEXT)))

    with pytest.raises(InvalidToken, match=r"the keyring is locked[^\0]*HIGHLEVEL_PIT"):
        profiles.load("acme")


def test_a_profile_can_be_removed_where_there_is_no_keyring():
    written('[profiles.acme]\nlocation_id = "LocAcme1"\n')
    keyring.set_keyring(NoKeyring())

    profiles.remove("acme")

    assert profiles.names() == []


def test_a_token_that_may_be_left_behind_is_told_and_removed_the_next_time(vault):
    profiles.save(ACME, TOKEN)
    keyring.set_keyring(Failing(keyring.errors.KeyringLocked()))

    with pytest.raises(InvalidToken, match="acme is forgotten, and its token may still be in the keyring"):
        profiles.remove("acme")
    assert profiles.names() == []

    keyring.set_keyring(vault)
    profiles.remove("acme")
    assert vault.kept == {}
    with pytest.raises(NotFound):
        profiles.remove("acme")


# ---- the token shows nowhere


def everything_in(error):
    """All that a traceback with locals, a log or a pickle could show of an error."""
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    return shown + repr(error) + str(vars(error)) + repr(pickle.dumps(error))


@pytest.mark.parametrize("backend", FAILING, ids=lambda one: type(getattr(one, "error", one)).__module__[-12:])
def test_no_error_holds_the_token(backend, caplog, capfd):
    caplog.set_level(0)
    keyring.set_keyring(backend)

    problems = [problem_of(profiles.save, ACME, TOKEN), problem_of(profiles.save, Profile("B", "x"), TOKEN)]
    written("[profiles.acme]\nlocation_id = 'x'")
    problems.append(problem_of(profiles.load, "acme"))
    written("damaged")
    problems.append(problem_of(profiles.save, ACME, TOKEN))

    assert [TEXT in everything_in(problem) for problem in problems] == [False] * 4
    assert TEXT not in caplog.text + "".join(capfd.readouterr())


def problem_of(call, *given):
    with pytest.raises(HlkitError) as caught:
        call(*given)
    return caught.value


def test_a_profile_shows_no_token():
    profiles.save(ACME, TOKEN)
    profile, _ = profiles.load("acme")

    assert repr(profile) == (
        "Profile(name='acme', location_id='LocAcme1', timezone='America/Chicago', base_url=None)"
    )
