"""Saved locations: the file, the keyring, and systems without a keyring."""

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
from keyring.backends.null import Keyring as NullKeyring

import hlkit as hl
from hlkit.client import profiles
from hlkit.client.errors import HlkitError, InvalidRequest, InvalidToken, NotFound
from hlkit.client.http.token import read
from hlkit.client.profiles import Profile

TEXT = "pit-00000000-0000-0000-0000-0000000000f1"
TOKEN, OTHER = read(TEXT), read(TEXT[:-1] + "6")
ACME = Profile("acme", "LocAcme1", "America/Chicago")
ZEN = Profile("zen", "LocZen1", base_url="https://example.com")


class MemoryKeyring(KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self):
        self.passwords = {}

    def get_password(self, service, username):
        return self.passwords.get((service, username))

    def set_password(self, service, username, password):
        self.passwords[service, username] = password

    def delete_password(self, service, username):
        if (service, username) not in self.passwords:
            raise keyring.errors.PasswordDeleteError
        del self.passwords[service, username]


class FailingKeyring(MemoryKeyring):
    """A keyring whose errors quote the token."""

    priority = 1

    def __init__(self, error):
        super().__init__()
        self.error = error

    def get_password(self, *args):
        raise self.error

    set_password = delete_password = get_password


class WaitingKeyring(MemoryKeyring):
    """A keyring that waits for a person in some of its methods."""

    priority = 1

    def __init__(self, *methods):
        super().__init__()
        self.methods, self.is_answered = methods, threading.Event()

    def get_password(self, *args):
        return self.wait("get_password", *args)

    def set_password(self, *args):
        return self.wait("set_password", *args)

    def delete_password(self, *args):
        return self.wait("delete_password", *args)

    def wait(self, method, *args):
        if method in self.methods:
            assert self.is_answered.wait(60)
        return getattr(MemoryKeyring, method)(self, *args)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_config_path", lambda name: tmp_path / "config" / name)
    return tmp_path / "config" / "hlkit"


@pytest.fixture(autouse=True)
def memory_keyring():
    before = keyring.get_keyring()
    memory = MemoryKeyring()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


@pytest.fixture
def waiting(memory_keyring, monkeypatch):
    """Make the keyring wait from now on, until the test ends."""
    monkeypatch.setattr(profiles, "KEYRING_TIMEOUT", 0.05)
    backends = []

    def set_waiting(*methods):
        backend = WaitingKeyring(*methods)
        backend.passwords = memory_keyring.passwords
        backends.append(backend)
        keyring.set_keyring(backend)

    yield set_waiting
    for backend in backends:
        backend.is_answered.set()


def write_file(text):
    profiles.path().parent.mkdir(parents=True, exist_ok=True)
    profiles.path().write_text(text, encoding="utf-8")


def load(name):
    profile, token = profiles.load(name)
    texts = []
    token.hand_to(texts.append)
    return profile, *texts


# ---- saving and loading


def test_a_saved_profile_comes_back_with_its_token():
    profiles.save(ACME, TOKEN)
    profiles.save(ZEN, OTHER)

    assert load("acme") == (ACME, TEXT)
    assert load("zen") == (ZEN, TEXT[:-1] + "6")
    assert profiles.all_profiles() == [ACME, ZEN]
    assert profiles.names() == ["acme", "zen"]


def test_the_token_is_in_the_keyring_and_in_no_file(folder, memory_keyring):
    profiles.save(ACME, TOKEN)

    assert memory_keyring.passwords == {("hlkit", "acme"): TEXT}
    assert {file.name for file in folder.iterdir()} == {"profiles.toml", "profiles.lock"}
    assert (folder / "profiles.lock").read_bytes() == b""
    assert tomllib.loads(profiles.path().read_text()) == {
        "default": "acme",
        "profiles": {"acme": {"location_id": "LocAcme1", "timezone": "America/Chicago"}},
    }


def test_only_the_owner_may_read_the_file(folder):
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
    with pytest.raises(NotFound, match=r"no profile acme; none is saved yet\n.*hlkit login acme"):
        profiles.load("acme")


def test_an_unknown_profile_lists_the_saved_profiles():
    profiles.save(ZEN, TOKEN)
    profiles.save(ACME, TOKEN)

    with pytest.raises(NotFound, match="no profile acne; saved profiles: acme, zen"):
        profiles.load("acne")


def test_the_first_profile_is_the_default_unless_the_file_says_another():
    profiles.save(ZEN, TOKEN)
    profiles.save(ACME, TOKEN)
    assert profiles.default() == "zen"

    text = profiles.path().read_text(encoding="utf-8")
    write_file(text.replace('default = "zen"', 'default = "acme"'))
    assert profiles.default() == "acme"


def test_removing_deletes_profile_token_and_default(memory_keyring):
    profiles.save(ACME, TOKEN)
    profiles.save(ZEN, TOKEN)

    profiles.remove("acme")

    assert profiles.names() == ["zen"]
    assert profiles.default() is None
    assert list(memory_keyring.passwords) == [("hlkit", "zen")]
    with pytest.raises(NotFound):
        profiles.remove("acme")


@pytest.mark.parametrize("name", [TEXT, TEXT.upper(), "eyJ" + "a" * 50])
def test_a_token_is_refused_as_a_profile_name_and_not_repeated(name):
    save = lambda: profiles.save(Profile(name, "LocAcme1"), TOKEN)  # noqa: E731
    for call in (save, lambda: profiles.check_name(name), lambda: hl.connect(profile=name)):
        with pytest.raises(InvalidRequest, match="the profile name is a token") as caught:
            call()
        assert name not in str(caught.value)
    assert not profiles.path().exists()


def test_without_a_default_connecting_lists_the_saved_profiles(monkeypatch):
    monkeypatch.delenv("HIGHLEVEL_PIT", raising=False)
    monkeypatch.delenv("HIGHLEVEL_LOCATION_ID", raising=False)
    profiles.save(ACME, TOKEN)
    profiles.save(ZEN, TOKEN)
    profiles.remove("acme")

    with pytest.raises(InvalidToken, match=r'none of the saved profiles \(zen\) is the default\n.*profile="zen"'):
        hl.connect()


def test_a_profile_whose_token_is_gone_can_be_removed(memory_keyring):
    profiles.save(ACME, TOKEN)
    memory_keyring.passwords.clear()

    with pytest.raises(InvalidToken, match="the keyring has no token for acme"):
        profiles.load("acme")
    profiles.remove("acme")
    assert profiles.names() == []


@pytest.mark.parametrize("name", ["", "Acme", "-a", "a b", "a/b", "../a", "a.b", "é", "a" * 41, "a\n", "a]", None, 3])
def test_an_invalid_name_is_refused(name):
    for call in (lambda: profiles.check_name(name), lambda: profiles.save(Profile(name, "LocAcme1"), TOKEN)):
        with pytest.raises(InvalidRequest, match="is not a valid profile name"):
            call()
    assert not profiles.path().exists()


@pytest.mark.parametrize("name", ["a", "0", "acme-north_2", "a" * 40])
def test_a_short_plain_name_is_accepted(name):
    profiles.check_name(name)


# ---- a file edited by hand


def test_comments_stay():
    write_file(
        '# my note\n[profiles.acme] # old\nlocation_id = "A"\n\n# about zen\n[profiles.zen]\nlocation_id = "Z"\n'
    )

    profiles.save(Profile("new", "N"), TOKEN)
    text = profiles.path().read_text()
    assert "# my note" in text
    assert "[profiles.acme] # old" in text

    profiles.remove("acme")
    text = profiles.path().read_text()
    assert "# my note" in text
    assert "# about zen\n[profiles.zen]" in text
    assert profiles.names() == ["new", "zen"]
    assert profiles.default() == "new"


def test_comments_stay_when_a_profile_is_saved_again_and_when_the_last_is_removed():
    write_file(
        '# my note\n[profiles.acme] # old\n# the id\nlocation_id = "A"\ntimezone = "UTC"\ncolor = "red"\n\n# end\n'
    )

    profiles.save(ACME, TOKEN)
    text = profiles.path().read_text()
    assert '[profiles.acme] # old\nlocation_id = "LocAcme1"\ntimezone = "America/Chicago"\n# the id\n' in text
    assert tomllib.loads(text)["profiles"]["acme"]["color"] == "red"

    profiles.remove("acme")
    assert profiles.path().read_text() == "# my note\n\n# end\n"


def test_a_file_that_is_rewritten_keeps_every_value():
    values = 'n = [1, 1e400, true]\nday = 2026-01-01\nat = 2026-01-01T10:00:00Z\n"a b" = "\\u007f\\"é\\\\\\n"\n'
    write_file(values + "default = 'b'\n[profiles]\na = {location_id = 'A'}\nb = {location_id = 'B', '' = {x = 1}}\n")
    expected = tomllib.loads(profiles.path().read_text())
    del expected["profiles"]["a"]

    profiles.remove("a")
    assert tomllib.loads(profiles.path().read_text()) == expected

    profiles.save(ACME, TOKEN)
    expected["profiles"]["acme"] = {"location_id": "LocAcme1", "timezone": "America/Chicago"}
    assert tomllib.loads(profiles.path().read_text()) == expected


def test_lines_in_a_string_that_look_like_a_profile_stay():
    write_file(
        '[profiles.b]\nlocation_id = "B"\nnote = """\n[profiles.a]\n[x]\n"""\n[profiles.a]\nlocation_id = "A"\n'
    )

    profiles.remove("a")

    assert profiles.all_profiles() == [Profile("b", "B")]
    assert tomllib.loads(profiles.path().read_text())["profiles"]["b"]["note"] == "[profiles.a]\n[x]\n"


def test_a_profile_written_in_one_line_can_be_removed():
    write_file('default = "a"\n[profiles]\na = {location_id = "A"}\nb = {location_id = "B"}\n')

    profiles.remove("a")

    assert profiles.all_profiles() == [Profile("b", "B")]
    assert profiles.default() is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default = ", "is not valid TOML \\(at "),
        (f"{TEXT} = ?", "is not valid TOML"),
        ("profiles = 3", "profiles is not a table"),
        ("[profiles.acme]\ntimezone = 'UTC'", "the profile 'acme' has no location_id"),
        ("[profiles.acme]\nlocation_id = 3", "the profile 'acme' has no"),
        ("[profiles]\nacme = 3", "the profile 'acme' has no"),
    ],
)
def test_a_damaged_file_is_named_and_left_alone(text, message, memory_keyring):
    write_file(text)

    with pytest.raises(InvalidRequest, match=message) as caught:
        profiles.load("acme")
    assert str(profiles.path()) in str(caught.value)
    assert TEXT not in str(caught.value)
    assert caught.value.__context__ is None
    assert profiles.path().read_text() == text


def test_nothing_is_saved_over_a_damaged_file(memory_keyring):
    write_file("default = ")

    with pytest.raises(InvalidRequest, match="not valid TOML"):
        profiles.save(ACME, TOKEN)
    assert profiles.path().read_text() == "default = "
    assert memory_keyring.passwords == {}


@pytest.mark.parametrize(
    "text",
    [
        "profiles = {}",
        "[profiles]\nacme = 3",
        "[[profiles.acme]]\nlocation_id = 'L'",
        "[profiles.acme]\n[profiles.zen]",
    ],
)
def test_saving_replaces_an_invalid_profile(text):
    write_file(text)

    profiles.save(ACME, TOKEN)
    assert load("acme") == (ACME, TEXT)


def test_a_byte_order_mark_is_ignored():
    write_file("\ufeff[profiles.acme]\nlocation_id = 'LocAcme1'")

    assert profiles.names() == ["acme"]
    profiles.remove("acme")
    assert profiles.names() == []


def test_the_default_below_dotted_keys_stays_the_default():
    write_file("profiles.zen.location_id = 'LocZen1'\ndefault = 'zen'\n")

    profiles.save(ACME, TOKEN)

    assert profiles.default() == "zen"
    assert profiles.all_profiles() == [ACME, Profile("zen", "LocZen1")]


def test_a_file_that_is_not_utf_8_is_reported():
    write_file("")
    profiles.path().write_bytes(b"\xff\xfe")

    with pytest.raises(InvalidRequest, match="it is not UTF-8"):
        profiles.all_profiles()


def test_if_the_file_cannot_be_written_no_token_is_saved(memory_keyring, folder, monkeypatch):
    def refuse(source, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)

    with pytest.raises(InvalidRequest, match="cannot be written: Permission denied"):
        profiles.save(ACME, TOKEN)
    assert memory_keyring.passwords == {}
    assert [file.name for file in folder.iterdir()] == ["profiles.lock"]


def test_if_the_file_cannot_be_written_the_old_token_stays(memory_keyring, folder, monkeypatch):
    profiles.save(ACME, TOKEN)

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)

    with pytest.raises(InvalidRequest, match="cannot be written"):
        profiles.save(Profile("acme", "LocAcme2"), OTHER)
    assert load("acme") == (ACME, TEXT)


def test_a_profiles_file_that_is_a_link_stays_a_link(tmp_path, folder):
    folder.mkdir(parents=True)
    (tmp_path / "dotfiles.toml").write_text("# my note\n")
    profiles.path().symlink_to(tmp_path / "dotfiles.toml")

    profiles.save(ACME, TOKEN)

    assert profiles.path().is_symlink()
    assert (tmp_path / "dotfiles.toml").read_text().startswith("# my note\n")
    assert profiles.names() == ["acme"]


def test_profiles_saved_at_the_same_time_are_all_saved():
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


def test_nothing_is_saved_while_another_program_holds_the_lock(folder, monkeypatch):
    monkeypatch.setattr(profiles, "_LOCK_TIMEOUT", 0.05)
    folder.mkdir(parents=True)

    with FileLock(folder / "profiles.lock"), pytest.raises(InvalidRequest, match="another program is writing it"):
        profiles.save(ACME, TOKEN)


def test_a_folder_with_the_name_of_the_file_is_reported():
    profiles.path().mkdir(parents=True)

    with pytest.raises(InvalidRequest, match="cannot be read: Is a directory"):
        profiles.all_profiles()


# ---- without a keyring


def keyring_id(backend):
    return type(getattr(backend, "error", backend)).__module__[-12:]


FAILING_KEYRINGS = [
    NoKeyring(),
    NullKeyring(),
    FailingKeyring(keyring.errors.InitError(TEXT)),
    FailingKeyring(keyring.errors.KeyringLocked(TEXT)),
    FailingKeyring(keyring.errors.PasswordSetError(TEXT)),
    FailingKeyring(OSError(TEXT)),
    FailingKeyring(SystemExit(TEXT)),
]


@pytest.mark.parametrize("backend", FAILING_KEYRINGS, ids=keyring_id)
def test_without_a_keyring_the_error_names_the_environment(backend):
    keyring.set_keyring(backend)

    with pytest.raises(InvalidToken, match=r"HIGHLEVEL_PIT .* and HIGHLEVEL_LOCATION_ID"):
        profiles.save(ACME, TOKEN)
    assert not profiles.path().exists()


@pytest.mark.parametrize("backend", [NoKeyring(), NullKeyring()], ids=["none", "null"])
def test_without_a_keyring_nobody_is_asked_for_a_token(backend):
    keyring.set_keyring(backend)

    with pytest.raises(InvalidToken, match="the token cannot be saved: this system has no keyring"):
        profiles.check_keyring("acme")


def test_a_keyring_that_does_not_store_a_token_is_detected(memory_keyring, monkeypatch):
    monkeypatch.setattr(memory_keyring, "set_password", lambda *args: None)

    with pytest.raises(InvalidToken, match="the keyring did not store it"):
        profiles.save(ACME, TOKEN)
    assert profiles.names() == []


def test_if_the_keyring_refuses_a_new_token_the_old_profile_stays(memory_keyring, monkeypatch):
    write_file("# my note\n")
    profiles.save(ACME, TOKEN)
    before = profiles.path().read_text()
    monkeypatch.setattr(
        memory_keyring, "set_password", lambda *args: FailingKeyring(OSError(TEXT)).get_password("", "")
    )

    with pytest.raises(InvalidToken, match=r"the token cannot be saved: the keyring failed \(OSError\)"):
        profiles.save(Profile("acme", "LocAcme2"), OTHER)
    assert profiles.path().read_text() == before
    assert load("acme") == (ACME, TEXT)


@pytest.mark.parametrize("method", ["get_password", "set_password", "delete_password"])
def test_a_keyring_that_does_not_answer_times_out(method, waiting):
    calls = {
        "get_password": lambda: hl.connect(profile="acme"),
        "set_password": lambda: profiles.save(ZEN, TOKEN),
        "delete_password": lambda: profiles.remove("acme"),
    }
    profiles.save(ACME, TOKEN)
    waiting(method)

    with pytest.raises(InvalidToken, match="the keyring did not answer within") as caught:
        calls[method]()

    assert ("HIGHLEVEL_PIT" in str(caught.value)) == (method != "delete_password")
    assert profiles.names() == ([] if method == "delete_password" else ["acme"])


def test_ctrl_c_works_while_the_keyring_waits_and_nothing_is_saved(waiting, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    waiting("set_password")
    monkeypatch.setattr(profiles, "KEYRING_TIMEOUT", 60)
    monkeypatch.setattr(threading.Thread, "join", interrupt)

    with pytest.raises(KeyboardInterrupt) as caught:
        profiles.save(ACME, TOKEN)
    assert TEXT not in everything_in(caught.value)
    assert not profiles.path().exists()


def test_a_keyring_that_cannot_be_loaded_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)

    with pytest.raises(InvalidToken, match=r"the keyring cannot be loaded \(ModuleNotFoundError\)"):
        profiles.save(ACME, TOKEN)


def test_a_locked_keyring_is_reported():
    profiles.save(ACME, TOKEN)
    keyring.set_keyring(FailingKeyring(keyring.errors.KeyringLocked(TEXT)))

    with pytest.raises(InvalidToken, match=r"the keyring is locked[^\0]*HIGHLEVEL_PIT"):
        profiles.load("acme")


def test_a_profile_can_be_removed_without_a_keyring():
    write_file('[profiles.acme]\nlocation_id = "LocAcme1"\n')
    keyring.set_keyring(NoKeyring())

    profiles.remove("acme")

    assert profiles.names() == []


def test_a_token_that_may_be_left_is_reported_and_removed_the_next_time(memory_keyring):
    profiles.save(ACME, TOKEN)
    keyring.set_keyring(FailingKeyring(keyring.errors.KeyringLocked()))

    with pytest.raises(InvalidToken, match="acme was deleted, but its token may still be in the keyring"):
        profiles.remove("acme")
    assert profiles.names() == []

    keyring.set_keyring(memory_keyring)
    profiles.remove("acme")
    assert memory_keyring.passwords == {}
    with pytest.raises(NotFound):
        profiles.remove("acme")


# ---- the token is never shown


def everything_in(error):
    """Everything that a traceback with locals, a log or a pickle could show of an error."""
    formatted = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    return formatted + repr(error) + str(vars(error)) + repr(pickle.dumps(error))


@pytest.mark.parametrize("backend", FAILING_KEYRINGS, ids=keyring_id)
def test_no_error_contains_the_token(backend, caplog, capfd):
    caplog.set_level(0)
    keyring.set_keyring(backend)

    problems = [error_of(profiles.save, ACME, TOKEN), error_of(profiles.save, Profile("B", "x"), TOKEN)]
    write_file("[profiles.acme]\nlocation_id = 'x'")
    problems.append(error_of(profiles.load, "acme"))
    write_file("damaged")
    problems.append(error_of(profiles.save, ACME, TOKEN))

    assert [TEXT in everything_in(problem) for problem in problems] == [False] * 4
    assert TEXT not in caplog.text + "".join(capfd.readouterr())


def error_of(call, *args):
    with pytest.raises(HlkitError) as caught:
        call(*args)
    return caught.value


def test_a_profile_shows_no_token():
    profiles.save(ACME, TOKEN)
    profile, _ = profiles.load("acme")

    assert repr(profile) == (
        "Profile(name='acme', location_id='LocAcme1', timezone='America/Chicago', base_url=None)"
    )
