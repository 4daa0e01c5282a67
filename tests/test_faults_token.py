"""The token: pasted with other characters, two tokens in one cache, and objects that could show it."""

import copy
import pickle

import pytest
from faultkit import faults
from trial import ROWS

import hlkit as hl
from hlkit.client.errors import InvalidToken, MissingScope
from hlkit.sim.tokens import TOKEN

OTHER = "pit-00000000-0000-0000-0000-00000000000b"
REFUSED = {4, 5, 14, 15, 16}  # indexes in PASTED: an invalid character, a V1 key, nothing


@pytest.mark.fault("pasted")
@pytest.mark.parametrize("index", range(len(faults.PASTED)))
def test_a_pasted_token_is_cleaned_or_refused_before_any_request_and_never_shown(trial, index):
    pasted = faults.PASTED[index]
    if index in REFUSED:
        with pytest.raises(InvalidToken) as caught:
            hl.connect(pasted, trial.sim.location_id, base_url=trial.url, cache=trial.cache)
        trial.errors.append(caught.value)
        assert not pasted.strip() or pasted.strip() not in str(caught.value)
        assert trial.sim.log == []
    elif "pit-" in pasted.lower():
        trial.read("users", hl.connect(pasted, trial.sim.location_id, base_url=trial.url, cache=trial.cache))
    else:
        with pytest.warns(UserWarning, match="does not look like") as caught:
            hl.connect(pasted, trial.sim.location_id, base_url=trial.url, cache=trial.cache)
        assert pasted not in str(caught[0].message)


@pytest.mark.fault("two_tokens")
def test_two_tokens_in_one_folder_never_share_a_row(trial):
    trial.sim.add_token(OTHER, scopes=["users.readonly"])
    trial.read()
    other = trial.connect(OTHER)

    for _ in range(20):
        trial.breaks(MissingScope, loc=other, custom_fields=False)

    assert len(trial.read()) == ROWS
    other.users()
    spent = len(trial.sim.log)
    trial.read("users")
    assert len(trial.sim.log) == spent + 1, "rows that the other token had read were returned"


@pytest.mark.fault("two_tokens")
def test_two_tokens_in_many_threads_never_share_a_row(trial):
    trial.sim.add_token(OTHER, scopes=["users.readonly"])
    locations = [trial.loc, trial.connect(OTHER)]

    def read(number):
        return locations[number % 2].contacts(refresh=True, custom_fields=False)

    for _ in range(5):
        outcomes = faults.together(10, read)
        assert [len(frame) for frame in outcomes[0::2]] == [ROWS] * 5
        assert [type(error) for error in outcomes[1::2]] == [MissingScope] * 5


@pytest.mark.fault("two_tokens")
def test_a_rotated_token_starts_with_an_empty_cache(trial):
    trial.read("users")
    trial.sim.revoke(trial.sim.token)
    trial.sim.add_token(OTHER)

    trial.breaks(InvalidToken, "users", refresh=True)
    before = len(trial.sim.log)
    trial.read("users", trial.connect(OTHER))

    assert len(trial.sim.log) == before + 1


def reachable(loc):
    """The objects that a user can reach from a location."""
    return [
        loc,
        loc.contacts,
        loc.session,
        loc.session.cache,
        loc.session.rate_limiter,
        loc.session._token,
        loc.quota,
    ]


@pytest.mark.fault("introspect")
@pytest.mark.parametrize("show", [repr, str, vars, dir, lambda thing: thing.__dict__], ids=lambda show: show.__name__)
def test_no_object_that_a_user_can_reach_shows_the_token(trial, show):
    trial.read("users")

    for thing in reachable(trial.loc):
        try:
            text = show(thing)
        except (TypeError, AttributeError):
            continue
        assert TOKEN not in f"{text!r}", type(thing)


@pytest.mark.fault("introspect")
@pytest.mark.parametrize(
    "duplicate", [pickle.dumps, copy.copy, copy.deepcopy], ids=lambda duplicate: duplicate.__name__
)
def test_objects_with_the_token_cannot_be_copied(trial, duplicate):
    for thing in (trial.loc, trial.loc.session._token):
        with pytest.raises(TypeError, match="connect again"):
            duplicate(thing)


@pytest.mark.fault("introspect")
def test_the_card_of_a_location_shows_no_token(trial):
    trial.read("users")

    assert TOKEN not in trial.loc._repr_html_()


FAULTS_BY_ERROR = {
    "InvalidToken": lambda sim: sim.revoke(TOKEN),
    "MissingScope": lambda sim: sim.fault("revoked_mid", variant="no_scope"),
    "WrongTokenKind": lambda sim: sim.fault("revoked_mid", variant="wrong_class"),
    "WrongLocation": lambda sim: sim.fault("revoked_mid", variant="other_location"),
    "NotFound": lambda sim: sim.fault("revoked_mid", variant="iam"),
    "InvalidRequest": lambda sim: sim.fault("expired_cursor", match=lambda logged: True, walks=9),
    "RateLimited": lambda sim: sim.fault("retry_after", variant="day"),
    "QuotaExhausted": lambda sim: sim.fault("day_done"),
    "ServerError": lambda sim: sim.fault("status_5xx", variant="500"),
    "Timeout": lambda sim: sim.fault("trickle", variant="silence"),
    "UnexpectedResponse": lambda sim: sim.fault("fake_200", variant="html"),
    "ConnectionFailed": lambda sim: sim.close(),
    "IncompleteDownload": lambda sim: sim.fault("cursor_loop", variant="same_page"),
}


@pytest.mark.fault("traceback")
@pytest.mark.parametrize("kind", FAULTS_BY_ERROR)
def test_a_traceback_with_locals_shows_no_token(new_trial, kind):
    trial = new_trial(deadline=0.6)
    FAULTS_BY_ERROR[kind](trial.sim)

    trial.breaks(getattr(hl.errors, kind), custom_fields=False)  # its frames are searched when the test ends
