"""The ids of a download: a set that only grows, in 8 bytes each."""

import random

from hlkit.client.seen_ids import SeenIds


def test_it_returns_the_new_ids():
    ids = SeenIds()

    assert ids.add({"a", "b"}) == {"a", "b"}
    assert ids.add({"b", "c"}) == {"c"}
    assert ids.add(set()) == set()


def test_it_behaves_like_a_set_over_many_pages():
    rng, ids, expected = random.Random(1), SeenIds(), set()
    for _ in range(100):
        page = {f"id{rng.randrange(2_000)}" for _ in range(rng.randrange(1, 100))}

        assert ids.add(page) == page - expected
        expected |= page


def test_an_id_takes_eight_bytes():
    ids = SeenIds()
    for page in range(100):
        ids.add({f"id{page}-{number}" for number in range(1_000)})

    assert ids._hashes.nbytes == 800_000
