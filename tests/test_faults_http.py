"""Faults of the server: 5xx, errors with status 200, redirects, odd JSON, odd headers."""

import contextlib

import pandas as pd
import pytest
from faultkit import faults
from trial import PAGES, ROWS, every_variant, one_warning

from hlkit.client.errors import ServerError, UnexpectedResponse
from hlkit.client.frames.builder import DataWarning

SMALL = ("pipelines", "users", "location")  # not paginated


@pytest.mark.fault("status_5xx")
@every_variant("status_5xx")
def test_requests_are_retried_while_the_server_fails(trial, variant):
    trial.fault("status_5xx", variant=variant, after=2, times=2)

    trial.read()

    assert len(trial.asked()) == PAGES + 2


@pytest.mark.fault("status_5xx")
@pytest.mark.parametrize("seed", range(3))
def test_failures_in_bursts_of_one_to_five_lose_no_row(new_trial, seed):
    trial = new_trial(deadline=3)
    trial.fault("status_5xx", every=4, burst=(1, 5), times=5, seed=seed)

    trial.read()

    assert len(trial.asked()) <= PAGES + 10


@pytest.mark.fault("status_5xx")
@every_variant("status_5xx")
def test_a_server_that_keeps_failing_raises_a_server_error_with_the_rows_before_it(new_trial, variant):
    trial = new_trial(deadline=3)
    trial.fault("status_5xx", variant=variant, after=2)

    error = trial.breaks(ServerError)

    assert error.status == int(variant)
    assert len(error.partial) == 40
    assert len(trial.asked()) == 2 + 6
    assert len(trial.resume(error)) == ROWS


@pytest.mark.fault("fake_200")
@every_variant("fake_200")
def test_a_200_without_data_is_retried_and_not_cached(trial, variant):
    trial.fault("fake_200", variant=variant, after=2, times=2)

    frame = trial.read()

    assert len(trial.asked()) == PAGES + 2
    assert trial.read(loc=trial.connect()).equals(frame)
    assert len(trial.asked()) == PAGES + 2


@pytest.mark.fault("fake_200")
@every_variant("fake_200")
def test_repeated_200s_without_data_raise_unexpected_response_with_the_rows_before_them(new_trial, variant):
    trial = new_trial(deadline=3)
    trial.fault("fake_200", variant=variant, after=2)

    error = trial.breaks(UnexpectedResponse)

    assert len(error.partial) == 40
    assert len(trial.asked()) == 2 + 6
    assert len(trial.resume(error)) == ROWS


@pytest.mark.fault("fake_200")
@every_variant("fake_200")
@pytest.mark.parametrize("name", SMALL)
def test_a_200_without_data_never_becomes_an_empty_frame(new_trial, name, variant):
    trial = new_trial(deadline=0.3)
    trial.fault("fake_200", name, variant=variant)

    error = trial.breaks(UnexpectedResponse, name)

    assert len(trial.resume(error, name)) > 0


@pytest.mark.fault("token_out")
@pytest.mark.parametrize("variant", ["redirect_host", "redirect_port"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_not_retried(trial, variant, status):
    with trial.decoy as other_server:
        trial.fault("token_out", variant=variant, status=status, to=other_server.url, after=2)

        error = trial.breaks(UnexpectedResponse)

    assert trial.decoy.requests == []
    assert len(trial.asked()) == 3
    assert len(error.partial) == 40
    trial.resume(error)


@pytest.mark.fault("token_out")
@pytest.mark.parametrize("name", ["contacts", "messages", "invoices", "users"])
def test_a_url_in_a_response_is_not_followed(trial, name):
    with trial.decoy as other_server:
        trial.fault("token_out", name, variant="next_page_url", to=other_server.url)

        trial.read(name)

    assert trial.decoy.requests == []


@pytest.mark.fault("token_out")
def test_the_token_is_sent_despite_netrc_and_proxy_settings(trial, monkeypatch, tmp_path):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else")
    netrc.chmod(0o600)
    with trial.decoy as proxy:
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)

        trial.read("users")

    assert trial.decoy.requests == []
    assert [logged.headers["authorization"] for logged in trial.sim.log] == [f"Bearer {trial.sim.token}"]


@pytest.mark.fault("odd_json")
@pytest.mark.parametrize("name", ["contacts", "messages", "users"])
@pytest.mark.parametrize("variant", [*faults.content_faults.ODD_BYTES, "nan_in_row", "null_row"])
def test_json_that_parsers_read_differently_loses_no_row(trial, name, variant):
    calm = trial.read(name)
    trial.fault("odd_json", name, variant=variant)

    expected = one_warning(DataWarning, "not a row") if variant == "null_row" else contextlib.nullcontext()
    with expected:
        pd.testing.assert_frame_equal(trial.read(name, refresh=True), calm)


@pytest.mark.fault("odd_json")
@pytest.mark.parametrize("name", ["contacts", "conversations", "transactions", "opportunities"])
@pytest.mark.parametrize("variant", ["number_as_text", "epoch_as_text"])
def test_numbers_and_instants_sent_as_text_are_typed(trial, name, variant):
    calm = trial.read(name)
    trial.fault("odd_json", name, variant=variant)

    pd.testing.assert_frame_equal(trial.read(name, refresh=True), calm)


@pytest.mark.fault("odd_json")
def test_an_object_instead_of_a_list_of_rows_raises_unexpected_response(new_trial):
    trial = new_trial(deadline=3)
    trial.fault("odd_json", variant="rows_as_object", after=2)

    error = trial.breaks(UnexpectedResponse)

    assert len(error.partial) == 40
    trial.resume(error)


@pytest.mark.fault("headers_odd")
@pytest.mark.parametrize("variant", ["201", "vary", "set_cookie"])
@pytest.mark.parametrize("name", ["contacts", "users"])
def test_a_response_with_an_odd_header_is_read_and_cached(trial, name, variant):
    trial.sim.fault("headers_odd", variant=variant)

    frame = trial.read(name)

    spent = len(trial.sim.log)
    assert trial.read(name, trial.connect()).equals(frame)
    assert len(trial.sim.log) == spent
    assert [logged for logged in trial.sim.log if "cookie" in logged.headers] == []
    assert [1 for file in trial.files() if b"cookie" in file.lower() or b"__cf_bm" in file] == []


@pytest.mark.fault("headers_odd")
def test_an_unrequested_304_is_retried(trial):
    trial.fault("headers_odd", variant="304", after=2, times=2)

    trial.read()

    assert len(trial.asked()) == PAGES + 2
