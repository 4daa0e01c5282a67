"""A client on a small simulated location, and what must hold whatever goes wrong there.

Rows: none that stayed is missing and none comes twice, or an error bears exactly the rows that arrived and,
the fault gone, ``resume`` brings the rest and pays no page twice. Requests: none is one too many for the
burst limit. The token: in no file, error, log or output, and at no other server. Time: a call ends by its
deadline, and what a busy machine may add to it.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import re
import traceback
from collections import Counter
from dataclasses import replace
from time import monotonic

import pytest
from faultkit import FaultySimulation
from faultkit.faults import FAULTS
from scripted import Scripted

import hlkit as hl
from hlkit.client.errors import HlkitError
from hlkit.client.http.progress import Progress
from hlkit.client.resources import CATALOG

ROWS, PAGE = 119, 20  # contacts, and rows a page
PAGES = 7  # requests for the contacts: five full pages, one of nineteen rows, one that is empty


def every_variant(name):
    """The test runs once for each form of the fault."""
    return pytest.mark.parametrize("variant", FAULTS[name].variants)


@contextlib.contextmanager
def one_warning(kind, match=None):
    """Exactly one warning, of this kind."""
    with pytest.warns(kind, match=match) as seen:
        yield
    assert [str(one.message) for one in seen] == [str(seen[0].message)]


class Counting(Progress):
    """Knows how many rows of each resource have arrived."""

    def __init__(self):
        super().__init__()
        self.rows = Counter()

    def on_page(self, update):
        self.rows[update.resource] = update.rows


class Trial:
    """``trial.read("contacts")`` and ``trial.breaks(ServerError, "contacts")`` check what must hold."""

    def __init__(self, folder, *, deadline=12.0, size=120, page=PAGE, seed=1, **limits):
        limits = {"burst": (5000, 10_000), **limits}
        self.sim = FaultySimulation(seed=seed, size=size, as_of="2026-01-01", **limits).start()
        self.url, self.cache = self.sim.url, folder / "cache"
        self.deadline, self._page = deadline, page
        self.errors, self.may_be_refused = [], 0.0
        self.decoy = Scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        self.loc = self.connect()

    # Doing

    def connect(self, token=None, **given):
        """A location on the same cache folder, whose pages are small."""
        given = {"base_url": self.url, "cache": self.cache, "deadline": self.deadline, **given}
        loc = hl.connect(token or self.sim.token, self.sim.location_id, **given)
        for name, resource in CATALOG.items():
            if resource.paging.size:
                most = min(self._page, resource.paging.most)
                getattr(loc, name).resource = replace(resource, paging=replace(resource.paging, most=most))
        return loc

    def fault(self, name, on="contacts", **given):
        """Strike the requests for one resource."""
        self.sim.fault(name, match=lambda logged: bool(_path(on).fullmatch(logged.path)), **given)

    def read(self, name="contacts", loc=None, **given):
        """The whole resource."""
        return self.whole(name, lambda: getattr(loc or self.loc, name)(**given))

    def whole(self, name, call):
        """What the call gives: every row that stayed, none twice, no other, in time."""
        self.sim.truth.begin(name)
        with self.in_time():
            frame = call()
        ids = frame[CATALOG[name].key].tolist()
        assert self.sim.truth.undisturbed(name) - set(ids) == set(), "rows are missing"
        assert _several(ids) == [], "rows came twice"
        assert set(ids) - self.known(name) == set(), "rows are there that never were"
        return frame

    def breaks(self, kind, name="contacts", loc=None, **given):
        """The error that reading ends in: of this class, and bearing exactly the rows that arrived."""
        error = self.outcome(name, loc, **given)
        assert type(error) is kind, repr(error)
        return error

    def outcome(self, name="contacts", loc=None, progress=None, **given):
        """The whole resource, or the error that bears exactly the rows that arrived."""
        progress = progress or Counting()
        try:
            return self.whole(name, lambda: getattr(loc or self.loc, name)(progress=progress, **given))
        except HlkitError as error:
            broken = error
        self.errors.append(broken)
        ids = [] if broken.partial is None else broken.partial[CATALOG[name].key].tolist()
        assert len(ids) == progress.rows[name]
        assert _several(ids) == []
        assert set(ids) - self.known(name) == set()
        return broken

    def resume(self, error, name="contacts"):
        """The whole resource once the fault is gone; no page that had arrived is asked for again."""
        self.sim.clear_faults()
        before = len(self.sim.log)
        paid = {question(logged) for logged in self.sim.log if arrived(logged)}
        frame = self.whole(name, error.resume)
        assert [one for one in map(question, self.sim.log[before:]) if one in paid] == [], "pages are paid twice"
        return frame

    @contextlib.contextmanager
    def in_time(self):
        """The deadline, and what a busy machine may add to it."""
        began = monotonic()
        try:
            yield
        finally:
            assert monotonic() - began < self.deadline + 4

    # Knowing

    def asked(self, name="contacts"):
        """The requests for a resource, as they arrived."""
        return [logged for logged in self.sim.log if _path(name).fullmatch(logged.path)]

    def known(self, name):
        """Every row that ever was."""
        truth = self.sim.truth
        return set(self.sim.data.ids(name)).union(*(part(name) for part in (truth.touched, truth.born, truth.gone)))

    def files(self):
        """What is on the disk, as bytes."""
        return [path.read_bytes() for path in self.cache.rglob("*") if path.is_file()]

    # The end

    def close(self):
        """No further answer."""
        self.sim.close()
        self.decoy._listener.close()

    def check(self, told):
        """What must hold after every test; *told* is what was logged and printed."""
        refused = [logged.number for logged in self.sim.log if logged.status == 429 and not logged.fault]
        assert len(refused) <= self.may_be_refused * len(self.sim.log), "requests too many"
        assert [asked for asked in self.decoy.requests if "authorization" in asked.headers] == []
        words = told + "".join(_everything_in(error) for error in self.errors)
        assert self.sim.token not in words
        assert [1 for file in self.files() if self.sim.token.encode() in file] == []
        people = [row["email"] for row in self.sim.data.rows("contacts") if row.get("email")]
        told += "".join(str(error) for error in self.errors)
        assert [one for one in people if one in told] == [], "a person's address is told"


def _path(name):
    form = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(CATALOG[name].path))
    return re.compile(form)


def _several(ids):
    return [name for name, count in Counter(ids).items() if count > 1]


def question(logged):
    """What a request asks, as text."""
    return json.dumps([logged.method, logged.path, logged.query, logged.body], sort_keys=True)


def arrived(logged):
    """Whether an answer was sent whole."""
    return 200 <= logged.status < 300 and not logged.fault


def _everything_in(error):
    """Whatever a person, a log or a crash report could see of it."""
    crash = traceback.TracebackException.from_exception(error, capture_locals=True)
    picture = pickle.dumps(error).decode("latin-1")
    return "\n".join([str(error), repr(error), repr(vars(error)), picture, *crash.format()])
