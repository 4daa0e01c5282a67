"""A machine that mixes what goes wrong: broken answers, rows that move, readers that stop or die, by seed.

Whatever it does to whichever resource: no row that stayed is lost or doubled, or an error bears exactly rows
that were there and resuming it completes; a frame has its declared columns and dtypes; a whole reading, read
again, asks nobody and is the same. HLKIT_MACHINE_RUNS sets the number of runs.
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
BY_A_CURSOR = ("search_after", "cursor", "none")  # never asks the same page twice
STEPS = 25
SEEDS = st.integers(0, 2**32)


def evenly(choices):
    """Each as often as any other, which hypothesis would not see to."""
    return SEEDS.map(lambda seed: random.Random(seed).choice(choices))


NAMES = evenly(sorted(CATALOG))
AN_HOUR = 3600.0
APART = 0.05  # seconds between two readings, so that an age tells one from the other


class StopsAfter(Counting):
    """Somebody presses Cancel after so many pages; counts what arrived."""

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
        self.whole = {}  # by name, what is kept of a complete reading
        self.dead = []  # walks that nobody ended
        self.sim.mishaps(rate=0.05, seed=seed)
        self.sim.edits(rate=1.0, seed=seed)

    def teardown(self):
        if hasattr(self, "trial"):
            self.trial.close()

    # ---- what goes wrong

    @rule(seed=SEEDS)
    def one_answer_in_twenty_breaks(self, seed):
        self.sim.mishaps(rate=0.05, seed=seed)

    @rule(seed=SEEDS, rate=evenly([0.5, 2.0, 10.0]))
    def rows_move_between_pages(self, seed, rate):
        self.sim.edits(rate=rate, seed=seed)

    @rule(seed=SEEDS, name=evenly(TABLES), how=evenly(["insert", "update", "delete"]))
    def rows_move_between_readings(self, seed, name, how):
        edits = self.sim.edits(rate=0, seed=seed)
        for _ in range(3):
            edits.change(name, how)

    @rule()
    def all_is_calm_for_a_while(self):
        self.sim.clear_faults()

    # ---- what a person does

    @rule(name=NAMES)
    def read(self, name):
        self.reads(name, refresh=True)

    @rule(name=NAMES, pages=st.integers(1, 4))
    def stop_midway_and_go_on(self, name, pages):
        self.reads(name, refresh=True, stop_after=pages)

    @rule(name=NAMES, pages=st.integers(0, 4))
    def die_midway_and_go_on(self, name, pages):
        self.parents(name)
        self.sim.mark()
        time.sleep(APART)
        began, before = time.time(), len(self.sim.log)
        time.sleep(APART)
        walk = getattr(self.loc, name).pages(refresh=True, **self.given(name))
        try:
            list(islice(walk, pages))
        except HlkitError:
            pages = 0  # it ended by itself
        self.dead.append(walk)  # no clean end: it stays where it is
        paid = {question(logged) for logged in self.sim.log[before:] if arrived(logged)}
        before = len(self.sim.log)
        self.loc = self.trial.connect()

        now = time.time()  # stands still for the cache, however long a busy machine takes to come to it
        with mock.patch.object(self.loc.session.cache, "_now", return_value=now):
            self.goes_on(name, lambda: self.call(name, expire_after=now - began))  # no older one

        if CATALOG[name].paging.style in BY_A_CURSOR and pages:
            again = [one for one in map(question, self.sim.log[before:]) if one in paid]
            assert again == [], f"{name}: a kept page is paid twice"

    @rule(name=NAMES)
    def read_again_for_nothing(self, name):
        if name not in self.whole:
            return
        before = len(self.sim.log)
        frame = self.call(name, expire_after=AN_HOUR)
        assert len(self.sim.log) == before, f"{name}: what is kept was asked for"
        pd.testing.assert_frame_equal(frame, self.whole[name])

    @rule(name=NAMES, limit=st.integers(1, 25))
    def read_some(self, name, limit):
        self.parents(name)
        try:
            frame = self.call(name, refresh=True, limit=limit)
        except HlkitError as error:
            self.bears_what_came(name, error, most=limit)
        else:
            self.is_typed(name, frame)
            assert len(frame) <= limit

    @precondition(lambda self: self.whole)
    @rule(data=st.data())
    def read_a_span(self, data):
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
        there = set(whole.loc[whole[resource.when] >= since, resource.key]) & self.sim.truth.undisturbed(name)
        frame = self.finished(name, lambda: self.call(name, refresh=True, since=since))
        self.is_typed(name, frame)
        there &= self.sim.truth.undisturbed(name)
        assert there - set(frame[resource.key]) == set(), f"{name}: rows of the span are missing"
        assert (frame[resource.when] >= since).all()

    @rule(name=NAMES)
    def count(self, name):
        with contextlib.suppress(HlkitError):  # where the server tells no total, among others
            assert getattr(self.loc, name).count() >= 0

    # ---- what must hold

    @invariant()
    def no_request_is_one_too_many(self):
        log = self.sim.log if hasattr(self, "sim") else ()
        assert [logged.number for logged in log if logged.status == 429] == []

    def reads(self, name, **given):
        self.parents(name)
        self.sim.mark()
        self.goes_on(name, lambda: self.call(name, **given))

    def goes_on(self, name, call):
        self.whole.pop(name, None)
        frame = self.finished(name, call)
        self.is_typed(name, frame)
        came = set(frame[CATALOG[name].key])
        lost = self.sim.truth.undisturbed(name) - came
        by_number = CATALOG[name].paging.style == "page"  # one that came and went hides one that slipped
        hidden = len(came - set(self.sim.data.ids(name))) if by_number else 0
        assert len(lost) <= hidden, f"{name}: {len(lost)} rows that stayed are missing"
        assert frame.attrs["hlkit"]["complete"]
        if CATALOG[name].parent is None:  # else it is as old as its parents
            self.whole[name] = frame

    def finished(self, name, call):
        """What the call gives, or what resuming it gives, however often it breaks; in a calm it must end."""
        for turn in range(12):
            if turn == 8:
                self.sim.clear_faults()
            try:
                return call()
            except HlkitError as error:
                self.bears_what_came(name, error)
                if error._resume is not None:
                    call = error.resume
        raise AssertionError(f"{name}: does not end, with nothing in its way")

    def bears_what_came(self, name, error, most=None):
        """The rows of an error are those that the progress was told of."""
        if error.partial is None:  # it broke before page 1
            return
        self.is_typed(name, error.partial)
        told = self.progress.rows.pop(name, 0)  # resuming tells of every page again
        assert len(error.partial) == (told if most is None else min(told, most)), f"{name}: {error!r}"

    def is_typed(self, name, frame):
        """Declared columns and dtypes, and each id once."""
        resource = CATALOG[name]
        assert list(frame.columns[: len(resource.columns)]) == [column.name for column in resource.columns]
        assert [frame[one.name].dtype for one in resource.columns] == [one.kind.dtype for one in resource.columns]
        ids = frame[resource.key]
        assert ids.notna().all()
        assert ids.is_unique, f"{name}: rows came twice"

    # ---- how

    def call(self, name, stop_after=0, **given):
        self.progress = StopsAfter(stop_after)
        return getattr(self.loc, name)(progress=self.progress, **self.given(name), **given)

    def given(self, name):
        return {"confirm": True} if CATALOG[name].parent else {}

    def parents(self, name):
        """The rows that a resource is read for, as they are now."""
        if CATALOG[name].parent:
            parent = CATALOG[name].parent.resource
            self.finished(parent, lambda: self.call(parent, refresh=True))


def test_no_row_that_stays_is_lost_or_doubled_by_faults_edits_and_deaths(tmp_path):
    Machine.folder = tmp_path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingRowsWarning)  # rows that came behind the cursor, or a cut that told
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
