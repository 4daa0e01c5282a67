"""Faults of the network: broken connections, incomplete or slow bodies, bad certificates, zip bombs."""

import shutil
import tracemalloc
from time import monotonic

import pytest
from faultkit import faults
from trial import PAGES, ROWS, every_variant, one_warning

from hlkit.client.cached_downloads import StaleWarning
from hlkit.client.errors import ConnectionFailed, Timeout, UnexpectedResponse

NOWHERE = {"port": faults.closed_port, "host": lambda: "https://nowhere.invalid"}
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the command openssl makes certificates")


@pytest.mark.fault("refuse_dns")
@every_variant("refuse_dns")
def test_a_failed_connection_names_the_host_and_suggests_the_proxy(new_trial, variant):
    trial = new_trial(deadline=0.6)
    url = NOWHERE[variant]()

    error = trial.breaks(ConnectionFailed, "users", trial.connect(base_url=url))

    assert url.partition("//")[2] in str(error)
    assert "proxy" in error.hint
    assert error.retryable


@pytest.mark.fault("refuse_dns")
def test_without_a_connection_cached_rows_are_returned_in_offline_mode_only(new_trial):
    trial = new_trial(deadline=0.6)
    users = trial.read("users")
    trial.sim.close()

    trial.breaks(ConnectionFailed, "users", trial.connect(expire_after=0))
    with one_warning(StaleWarning, "users as of .* ago"):
        cached = trial.connect(offline=True).users()
    assert cached.equals(users)


@pytest.mark.fault("reset_peer")
@every_variant("reset_peer")
def test_a_page_whose_connection_breaks_is_retried(trial, variant):
    trial.fault("reset_peer", variant=variant, after=2, times=2)

    trial.read()

    assert len(trial.asked()) == PAGES + 2


@pytest.mark.fault("short_body")
@every_variant("short_body")
def test_a_body_that_ends_early_loses_no_row(trial, variant):
    trial.fault("short_body", variant=variant, after=2, times=2)

    trial.read()

    assert len(trial.asked()) <= PAGES + 2


@pytest.mark.fault("short_body")
@pytest.mark.parametrize("name", ["messages", "conversations", "invoices", "form_submissions", "users", "tags"])
def test_a_truncated_body_that_is_valid_json_is_detected_by_its_rows(trial, name):
    trial.fault("short_body", name, variant="close_valid_json", every=3)
    trial.fault("short_body", name, variant="close_valid_json", times=1)

    trial.read(name)


@pytest.mark.fault("gzip_cut")
@every_variant("gzip_cut")
def test_an_incomplete_compressed_body_is_retried(trial, variant):
    trial.fault("gzip_cut", variant=variant, after=2, times=2)

    trial.read()

    assert len(trial.asked()) == PAGES + 2


@pytest.mark.fault("reset_peer")
@pytest.mark.fault("short_body")
@pytest.mark.fault("gzip_cut")
@pytest.mark.parametrize(
    ("fault", "variant"),
    [
        *(("reset_peer", variant) for variant in faults.FAULTS["reset_peer"].variants),
        *(("short_body", variant) for variant in ("length", "close", "length_valid_json")),
        *(("gzip_cut", variant) for variant in faults.FAULTS["gzip_cut"].variants),
    ],
)
def test_a_page_that_is_never_complete_raises_an_error_with_the_rows_before_it(new_trial, fault, variant):
    trial = new_trial(deadline=1.2)
    trial.fault(fault, variant=variant, after=2)

    error = trial.breaks(UnexpectedResponse)

    assert len(error.partial) == 40
    assert len(trial.asked()) == 2 + 6
    assert len(trial.resume(error)) == ROWS


@pytest.mark.fault("trickle")
@pytest.mark.parametrize("variant", ["body", "headers", "silence"])
def test_a_very_slow_response_is_abandoned_and_retried(new_trial, variant):
    trial = new_trial(deadline=1.5)
    trial.fault("trickle", variant=variant, after=2, times=1)

    trial.read()

    assert len(trial.asked()) == PAGES + 1


@pytest.mark.fault("trickle")
@pytest.mark.parametrize("variant", ["body", "headers", "silence"])
def test_repeated_slow_responses_raise_a_timeout_at_the_deadline(new_trial, variant):
    trial = new_trial(deadline=0.9)
    trial.fault("trickle", variant=variant, after=2)

    error = trial.breaks(Timeout)

    assert len(error.partial) == 40
    assert len(trial.asked()) <= 2 + 4
    trial.resume(error)


@pytest.mark.fault("trickle")
def test_a_complete_response_is_used_although_the_connection_stays_open(trial):
    trial.fault("trickle", variant="late_close")
    start = monotonic()

    trial.read()

    assert monotonic() - start < trial.deadline
    assert len(trial.asked()) == PAGES


@needs_openssl
@pytest.mark.fault("tls_bad")
@every_variant("tls_bad")
def test_the_token_is_not_sent_to_a_server_with_a_bad_certificate(trial, variant, monkeypatch):
    with faults.tls(trial.sim, variant) as secured:
        if variant != "self_signed":
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secured.certificate))
        error = trial.breaks(ConnectionFailed, "users", trial.connect(base_url=secured.url))

    assert "certificate" in str(error)
    assert not error.retryable
    assert trial.sim.log == []


@needs_openssl
@pytest.mark.fault("tls_bad")
def test_a_certificate_from_the_environment_settings_is_trusted(trial, monkeypatch):
    with faults.tls(trial.sim, "none") as secured:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secured.certificate))
        trial.read("users", trial.connect(base_url=secured.url))


@pytest.mark.fault("bomb")
@every_variant("bomb")
def test_a_response_larger_than_any_page_is_refused_without_filling_memory(new_trial, variant):
    trial = new_trial(deadline=60.0)  # seconds: while memory is traced, all is slow
    trial.fault("bomb", variant=variant, after=2, megabytes=100)
    tracemalloc.start()
    try:
        error = trial.breaks(UnexpectedResponse)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()  # else every later test is slow

    assert peak < 300e6
    assert len(error.partial) == 40
    trial.resume(error)


@pytest.mark.fault("jitter")
def test_responses_that_arrive_out_of_order_give_the_same_frames(trial):
    names = ("contacts", "opportunities", "conversations", "users", "tags", "invoices")
    calm = {name: trial.read(name) for name in names}
    trial.sim.fault("jitter", low=0.0, high=0.06)

    frames = faults.together(len(names), lambda number: trial.loc.__getattr__(names[number])(refresh=True))

    for name, frame in zip(names, frames, strict=True):
        assert frame.equals(calm[name]), name
