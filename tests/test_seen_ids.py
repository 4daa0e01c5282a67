"""The ids of a download: a set that only grows, in 8 bytes each."""

import random

from hlkit.client import seen_ids
from hlkit.client.seen_ids import SeenIds


def count(ids):
    return sum(map(len, (*ids._long_runs, *ids._short_runs, ids._open_run)))


def test_it_returns_the_new_ids_and_counts_each_once():
    ids = SeenIds()

    assert ids.add({"a", "b"}) == {"a", "b"}
    assert ids.add({"b", "c"}) == {"c"}
    assert ids.add(set()) == set()
    assert count(ids) == 3


def test_it_behaves_like_a_set_over_many_pages(monkeypatch):
    monkeypatch.setattr(seen_ids, "_RUN_SIZE", 16)
    rng, ids, expected = random.Random(1), SeenIds(), set()
    for _ in range(100):
        page = {f"id{rng.randrange(2_000)}" for _ in range(rng.randrange(1, 100))}

        assert ids.add(page) == page - expected
        expected |= page
        assert count(ids) == len(expected)


def test_an_id_takes_eight_bytes():
    ids = SeenIds()
    for page in range(100):
        ids.add({f"id{page}-{number}" for number in range(1_000)})

    assert count(ids) == 100_000
    assert sum(run.nbytes for run in (*ids._long_runs, *ids._short_runs, ids._open_run)) == 800_000
    assert len(ids._long_runs) + len(ids._short_runs) < 30
