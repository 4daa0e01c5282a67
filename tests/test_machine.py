"""A state machine that mixes faults by seed: broken responses, rows that change, readers that stop or are abandoned.

For any resource and any order of faults: no unchanged row is lost or repeated, or an error has only rows that exist
and resuming it completes the download; a frame has its declared columns and dtypes; reading a complete download
again sends no request and gives the same frame. HLKIT_MACHINE_RUNS sets the number of runs.
"""

import contextlib
import os
import random
import time
import warnings
from itertools import islice
from unittest import mock

import pandas as pd
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run
from trial import Counting, Trial, arrived, question

from hlkit.client.download import MissingRowsWarning
from hlkit.client.errors import HlkitError
from hlkit.client.frames.builder import DataWarning
from hlkit.client.resources import CATALOG
from hlkit.sim.data import TABLES

RUNS = int(os.environ.get("HLKIT_MACHINE_RUNS", "12"))
BY_A_CURSOR = ("search_after", "cursor", "none")  # never requests the same page twice
STEPS = 25
SEEDS = st.integers(0, 2**32)


def evenly(choices):
    """Choose each value equally often, which hypothesis does not do."""
    return SEEDS.map(lambda seed: random.Random(seed).choice(choices))


NAMES = evenly(sorted(CATALOG))
AN_HOUR = 3600.0
PAUSE = 0.05  # seconds between two downloads, so that their ages differ


class StopsAfter(Counting):
    """Cancels after a number of pages, and counts the rows that arrived."""

    def __init__(self, pages=0):
        super().__init__()
        self._left = pages

    def on_page(self, update):
        super().on_page(update)
        self._left -= 1
        if self._left == 0:
            self.cancel()


class Machine(RuleBasedStateMachine):
    folder = None  # of the test

    @initialize(seed=SEEDS)
    def begin(self, seed):
        self.trial = Trial(self.folder / str(time.monotonic_ns()), seed=seed, size=90, page=10, deadline=1.2)
        self.sim, self.loc = self.trial.sim, self.trial.loc
        self.whole = {}  # by name, the cached frame of a complete download
        self.abandoned = []  # page generators that nobody closed
        self.sim.mishaps(rate=0.05, seed=seed)
        self.sim.edits(rate=1.0, seed=seed)

    def teardown(self):
        if hasattr(self, "trial"):
            self.trial.close()

    # ---- faults

    @rule(seed=SEEDS)
    def break_one_response_in_twenty(self, seed):
        self.sim.mishaps(rate=0.05, seed=seed)

    @rule(seed=SEEDS, rate=evenly([0.5, 2.0, 10.0]))
    def change_rows_between_pages(self, seed, rate):
        self.sim.edits(rate=rate, seed=seed)

    @rule(seed=SEEDS, name=evenly(TABLES), how=evenly(["insert", "update", "delete"]))
    def change_rows_between_downloads(self, seed, name, how):
        edits = self.sim.edits(rate=0, seed=seed)
        for _ in range(3):
            edits.change(name, how)

    @rule()
    def clear_all_faults(self):
        self.sim.clear_faults()

    # ---- what a user does

    @rule(name=NAMES)
    def read(self, name):
        self.check_read(name, refresh=True)

    @rule(name=NAMES, pages=st.integers(1, 4))
    def cancel_and_continue(self, name, pages):
        self.check_read(name, refresh=True, stop_after=pages)

    @rule(name=NAMES, pages=st.integers(0, 4))
    def abandon_and_continue(self, name, pages):
        self.parents(name)
        self.sim.mark()
        time.sleep(PAUSE)
        start, before = time.time(), len(self.sim.log)
        time.sleep(PAUSE)
        frames = getattr(self.loc, name).pages(refresh=True, **self.options(name))
        try:
            list(islice(frames, pages))
        except HlkitError:
            pages = 0  # it raised before it could be abandoned
        self.abandoned.append(frames)  # a reference keeps the generator open
        arrived_before = {question(logged) for logged in self.sim.log[before:] if arrived(logged)}
        before = len(self.sim.log)
        self.loc = self.trial.connect()

        now = time.time()  # fixed for the cache, however slow the machine is
        with mock.patch.object(self.loc.session.cache, "now", return_value=now):
            self.check_complete(name, lambda: self.call(name, expire_after=now - start))  # none older than start

        if CATALOG[name].paging.style in BY_A_CURSOR and pages:
            again = [key for key in map(question, self.sim.log[before:]) if key in arrived_before]
            assert again == [], f"{name}: a cached page was requested again"

    @rule(name=NAMES)
    def read_again_from_the_cache(self, name):
        if name not in self.whole:
            return
        before = len(self.sim.log)
        frame = self.call(name, expire_after=AN_HOUR)
        assert len(self.sim.log) == before, f"{name}: cached rows were requested"
        pd.testing.assert_frame_equal(frame, self.whole[name])

    @rule(name=NAMES, limit=st.integers(1, 25))
    def read_some(self, name, limit):
        self.parents(name)
        try:
            frame = self.call(name, refresh=True, limit=limit)
        except HlkitError as error:
            self.check_partial(name, error, limit=limit)
        else:
            self.check_types(name, frame)
            assert len(frame) <= limit

    @precondition(lambda self: self.whole)
    @rule(data=st.data())
    def read_a_date_range(self, data):
        dated = sorted(name for name in self.whole if CATALOG[name].when and len(self.whole[name]))
        if not dated:
            return
        name = data.draw(st.sampled_from(dated))
        resource, whole = CATALOG[name], self.whole[name]
        since = whole[resource.when].sort_values().iloc[len(whole) // 2]
        if pd.isna(since):
            return
        self.parents(name)
        self.sim.mark()
        expected = set(whole.loc[whole[resource.when] >= since, resource.key]) & self.sim.truth.undisturbed(name)
        frame = self.result_of(name, lambda: self.call(name, refresh=True, since=since))
        self.check_types(name, frame)
        expected &= self.sim.truth.undisturbed(name)
        assert expected - set(frame[resource.key]) == set(), f"{name}: rows of the date range are missing"
        assert (frame[resource.when] >= since).all()

    @rule(name=NAMES)
    def count(self, name):
        with contextlib.suppress(HlkitError):  # for example, if the server sends no total
            assert getattr(self.loc, name).count() >= 0

    # ---- what must hold

    @invariant()
    def no_request_exceeds_the_burst_limit(self):
        log = self.sim.log if hasattr(self, "sim") else ()
        assert [logged.number for logged in log if logged.status == 429] == []

    def check_read(self, name, **options):
        self.parents(name)
        self.sim.mark()
        self.check_complete(name, lambda: self.call(name, **options))

    def check_complete(self, name, call):
        self.whole.pop(name, None)
        frame = self.result_of(name, call)
        self.check_types(name, frame)
        ids = set(frame[CATALOG[name].key])
        lost = self.sim.truth.undisturbed(name) - ids
        by_number = CATALOG[name].paging.style == "page"  # a row that was added and deleted can hide a lost one
        hidden = len(ids - set(self.sim.data.ids(name))) if by_number else 0
        assert len(lost) <= hidden, f"{name}: {len(lost)} unchanged rows are missing"
        assert frame.attrs["hlkit"]["complete"]
        if CATALOG[name].parent is None:  # otherwise it is as old as its parents
            self.whole[name] = frame

    def result_of(self, name, call):
        """The result of the call, resumed after each error. Without faults it must end."""
        for turn in range(12):
            if turn == 8:
                self.sim.clear_faults()
            try:
                return call()
            except HlkitError as error:
                self.check_partial(name, error)
                if error._resume is not None:
                    call = error.resume
        raise AssertionError(f"{name}: does not end, even without faults")

    def check_partial(self, name, error, limit=None):
        """An error has exactly the rows that were reported to the progress."""
        if error.partial is None:  # it was raised before page 1
            return
        self.check_types(name, error.partial)
        rows = self.progress.rows.pop(name, 0)  # resuming reports every page again
        assert len(error.partial) == (rows if limit is None else min(rows, limit)), f"{name}: {error!r}"

    def check_types(self, name, frame):
        """The frame has the declared columns and dtypes, and each id once."""
        resource = CATALOG[name]
        assert list(frame.columns[: len(resource.columns)]) == [column.name for column in resource.columns]
        assert [frame[column.name].dtype for column in resource.columns] == [
            column.kind.dtype for column in resource.columns
        ]
        ids = frame[resource.key]
        assert ids.notna().all()
        assert ids.is_unique, f"{name}: rows are repeated"

    # ---- helpers

    def call(self, name, stop_after=0, **options):
        self.progress = StopsAfter(stop_after)
        return getattr(self.loc, name)(progress=self.progress, **self.options(name), **options)

    def options(self, name):
        return {"confirm": True} if CATALOG[name].parent else {}

    def parents(self, name):
        """Read the parents of a resource, as they are now."""
        if CATALOG[name].parent:
            parent = CATALOG[name].parent.resource
            self.result_of(parent, lambda: self.call(parent, refresh=True))


def test_no_unchanged_row_is_lost_or_repeated_by_faults_edits_and_abandoned_downloads(tmp_path):
    Machine.folder = tmp_path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingRowsWarning)  # rows added before the cursor, or a noticed cut
        warnings.simplefilter("ignore", DataWarning)
        run(
            Machine,
            settings=settings(
                max_examples=RUNS,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
