"""A headline claims a difference where there is one, and seldom where there is none; intervals contain the truth.

Short versions of benchmarks/headlines.py, whose frames follow known laws. Seeds are fixed; a bound is what one
sample in a thousand would miss at the nominal level.
"""

import functools
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlkit as hl
from hlkit.analysis.core import comparison
from hlkit.analysis.core.groups import MAX_GROUPS, NONE, OTHER, UNKNOWN_USER
from hlkit.analysis.core.shares import wilson


def benchmark(name):
    """A file of benchmarks/ as a module: they are no package."""
    path = Path(__file__).parents[1] / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


laws = benchmark("headlines")
AS_OF, FEW, TWENTY = laws.AS_OF, laws.FEW, laws.TWENTY


def by_chance(runs, rate):
    """The fewest and the most of so many runs: outside of either is one sample in a thousand at this *rate*."""
    hits = np.arange(runs)
    steps = np.log((runs - hits) / (hits + 1) * rate / (1 - rate))
    below = np.cumsum(np.exp(runs * np.log1p(-rate) + np.concatenate([[0], np.cumsum(steps)])))
    return int(np.searchsorted(below, 0.001)), int(np.searchsorted(below, 0.999))


def test_the_bounds_are_those_of_the_binomial():
    stats = pytest.importorskip("scipy.stats")

    for runs, rate in ((25, 0.05), (60, 0.05), (200, 0.95), (2000, 0.95)):
        assert by_chance(runs, rate) == tuple(stats.binom.ppf([0.001, 0.999], runs, rate))


# ---- the shared test


@pytest.mark.parametrize("sizes", ["20", "100", "20 to 1,000"])
@pytest.mark.parametrize("groups", [2, 5, 10, 20, 50])
def test_groups_with_the_same_share_rarely_differ(groups, sizes):
    rng = np.random.default_rng([groups, len(sizes)])
    shape = 2000, groups
    n = {"20": np.full(shape, 20), "100": np.full(shape, 100)}.get(sizes, np.round(20 * 50 ** rng.random(shape)))

    for share in (0.02, 0.3, 0.9):
        p, direction = comparison.compare_shares(rng.binomial(n.astype("int64"), share), n)

        assert (p < 0.05).sum() <= by_chance(2000, 0.05)[1]
        assert not direction[~(p < 0.05)].any(), "a group is named only where they differ"


def test_30_and_45_percent_of_300_rows_differ_significantly():
    rng = np.random.default_rng(1)
    n = np.full((2000, 2), 300)

    p, direction = comparison.compare_shares(rng.binomial(n, [0.30, 0.45]), n)

    assert (p < 0.05).mean() >= 0.8
    assert (direction[:, 0] <= 0).all()
    assert (direction[:, 1] >= 0).all()


def test_of_ten_groups_one_is_named_at_a_tenth_of_the_level():
    """65 of 100 against 475 of 900 is 2.4 deviations: enough for one group of its own, not for one of ten (2.8)."""
    p, direction = comparison.compare_shares([75, 65] + [50] * 8, [100] * 10)

    # 21, 11 and eight times 4 from the expected 54, in squares, over 100 x .54 x .46, on 9 degrees of freedom
    assert p == pytest.approx(comparison.chi_square_tail(690 / 24.84, 9))
    assert p < 0.002
    assert direction.tolist() == [1] + [0] * 9


def test_a_large_group_is_not_named_where_small_ones_differ_on_either_side_of_it():
    rng = np.random.default_rng(8)
    n = np.broadcast_to([10_000, 100, 100], (2000, 3))

    p, direction = comparison.compare_shares(rng.binomial(n, [0.5, 0.3, 0.7]), n)

    assert (p < 0.05).mean() > 0.9
    assert (direction[:, 0] != 0).sum() <= by_chance(2000, 0.05)[1]


def test_the_p_value_matches_scipys_chi_square():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(2)
    compared = 0
    for groups in (2, 3, 8, 30, 200):
        for _ in range(20):
            n = rng.integers(20, 500, groups)
            k = rng.binomial(n, rng.uniform(0.2, 0.8) + rng.uniform(-0.1, 0.1, groups))
            pooled = k.sum() / n.sum()
            if (n * min(pooled, 1 - pooled)).min() < 5:
                continue
            expected = stats.chi2_contingency(np.array([k, n - k]), correction=False).pvalue
            assert comparison.compare_shares(k, n)[0] == pytest.approx(expected, rel=1e-9, abs=1e-300)
            compared += 1
    assert compared >= 50


def test_the_tail_matches_scipys_chi_square():
    stats = pytest.importorskip("scipy.stats")
    df = np.arange(1, 1001)

    for x in (0.5 * df, df, 1.5 * df, 0, 1e-300, 1500, 1e6, 1e300):
        tail = comparison.chi_square_tail(x, df)
        assert tail == pytest.approx(stats.chi2.sf(x, df), rel=1e-9, abs=1e-290)
        assert ((tail >= 0) & (tail <= 1)).all()


def test_the_number_of_rows_follows_from_an_interval():
    for n in (20, 21.5, 100, 12_345, 1e6):
        k = np.concatenate([[0, 0.3, 1], n * np.array([0.1, 0.5, 0.77]), [n - 1, n]])

        assert comparison.rows_from_interval(k / n, *wilson(k, np.full(len(k), n))) == pytest.approx(
            np.full(len(k), n), rel=1e-6
        )
    assert np.isnan(comparison.rows_from_interval(0.5, np.nan, np.nan))


# ---- all groups follow one law: a claim is false

RUNS, RUNS_OF_DEALS = 25, 20


def by_run(analysis, table, groups):
    """The headline of each run, whose groups are *groups* neighbors of one table: s0 to s3, s4 to s7, and so on."""
    run = table.iloc[:, 0].str.removeprefix("s").astype("int64").to_numpy() // groups
    return [laws.headline(analysis, table[run == number]) for number in range(run.max() + 1)]


def one_by_one(analysis, make, rng, runs):
    return [laws.headline(analysis, make(rng)) for _ in range(runs)]


def of_sizes(analysis, make, sizes=FEW, runs=RUNS, **law):
    return lambda rng: by_run(analysis, make(rng, sizes * runs, **law), len(sizes))


def of_deals(analysis, make, days):
    """Two groups of 300 deals, one up to 365 days old and one up to 45."""

    def headlines(rng):
        rows = laws.deals(rng, (300, 300) * RUNS_OF_DEALS, (365, 45) * RUNS_OF_DEALS, days=days)
        return by_run(analysis, make(rows), 2)

    return headlines


def of_leads(every, dispersion):
    def headlines(rng):
        leads = laws.leads(rng, dispersion, RUNS)
        table = hl.analyses.lead_volume(leads, by="source", every=every, imports="include", as_of=AS_OF)
        return by_run("lead_volume", table, 1)

    return headlines


ONE_LAW = {
    "reachability": of_sizes("reachability", laws.reachability),
    "reachability, 20 groups": of_sizes("reachability", laws.reachability, TWENTY),
    "duplicate_share": of_sizes("duplicate_share", laws.duplicate_share),
    "appointments": of_sizes("appointments", laws.appointments),
    "appointments by hour": lambda rng: one_by_one(
        "appointments", functools.partial(laws.appointments, by="hour"), rng, 15
    ),
    "responses": of_sizes("responses", laws.responses, (80, 40, 30, 30)),
    "speed_to_lead": of_sizes("speed_to_lead", laws.speed_to_lead),
    "win_rate_by_wait": lambda rng: one_by_one("win_rate_by_wait", laws.win_rate_by_wait, rng, 15),
    **{
        f"{name}, {days[0]} days to a win, {days[1]} to a loss": of_deals(analysis, make, days)
        for days in laws.LAWS
        for name, (analysis, make) in laws.OF_DEALS.items()
    },
    "stuck_stages by source": of_sizes("stuck_stages", laws.stuck_stages, by="source"),
    "stuck_stages": of_sizes("stuck_stages", laws.stuck_stages),
    **{f"lead_volume, every {every}": of_leads(every, 2) for every in ("day", "week")},
}


@functools.cache
def headlines_of(name):
    return ONE_LAW[name](np.random.default_rng(list(name.encode())))


@pytest.mark.parametrize("name", ONE_LAW)
def test_groups_of_one_law_rarely_differ_in_headlines(name):
    headlines = headlines_of(name)

    claims = sum(map(laws.is_claim, headlines))

    assert len(headlines) >= 15
    assert claims <= by_chance(len(headlines), 0.05)[1]


# The groups of the frames above: sources, stages, hours, lengths of wait.
NAMES = r"\b[sS]\d+|\b\d+ [AP]M|\b\d+-\d+ (?:min|h)|up to 5 min|over 24 h"


@pytest.mark.parametrize("name", [name for name in ONE_LAW if "lead_volume" not in name])
def test_without_a_significant_difference_no_group_is_named(name):
    for text in headlines_of(name):
        compared = text[text.index("Deals won") :] if "Deals won" in text else text  # not "Most leads: s0"
        is_named = re.search(NAMES, compared) is not None
        assert is_named == ("a significant difference" in text), text


SHARED_NOISE = {
    "stuck_stages, with limits of their own": functools.partial(laws.stuck_stages, wins=25),
    "duplicate_share, some in three times and more": functools.partial(laws.duplicate_share, twice=0.1, copies=2),
}


@pytest.mark.parametrize("name", SHARED_NOISE)
def test_noise_that_the_rows_of_a_group_share_is_not_a_difference(name):
    analysis = name.partition(",")[0]

    headlines = by_run(analysis, SHARED_NOISE[name](np.random.default_rng(3), FEW * RUNS), len(FEW))

    assert sum(map(laws.is_claim, headlines)) <= by_chance(RUNS, 0.05)[1]


# ---- a difference that is there


REAL_DIFFERENCE = {
    "reachability": lambda rng, sizes, shares: laws.reachability(rng, sizes, shares),
    "appointments": lambda rng, sizes, shares: laws.appointments(rng, sizes, shares, 0, several=1, unmarked=0),
    "attribution": lambda rng, sizes, shares: laws.attribution(
        laws.deals(rng, sizes, chance=shares, days=(20, 20), youngest=100)
    ),
}


@pytest.mark.parametrize("name", REAL_DIFFERENCE)
def test_30_and_45_percent_of_300_rows_differ_in_headlines(name):
    table = REAL_DIFFERENCE[name](np.random.default_rng(4), (300, 300) * RUNS, laws.REAL * RUNS)

    found = sum(map(laws.is_claim, by_run(name, table, 2)))

    assert found >= 0.8 * RUNS


def test_a_group_that_is_named_has_a_higher_or_lower_share_than_the_others():
    rng = np.random.default_rng(5)
    sizes = (40, 80, 150, 150, 300, 600)
    table = laws.reachability(rng, sizes * RUNS, np.clip(rng.normal(0.5, 0.08, len(sizes) * RUNS), 0, 1))
    table = table[table["channel"] == "email"].reset_index(drop=True)
    run = table["source"].str.removeprefix("s").astype("int64").to_numpy() // len(sizes)
    checked = {"above": 0, "below": 0}

    for number in range(RUNS):
        groups = table[run == number].set_index("source")
        text = hl.analyses.reachability.headline(groups.reset_index())
        named = r"((?:s\d+ \(\d+%\)(?:, | and | ))+)(?:and \d+ more )?(?:is|are) (above|below) the other"
        for names, where in re.findall(named, text.lower()):
            for name in re.findall(r"s\d+", names):
                others = groups.drop(name)
                pooled = (others["reachable_share"] * others["n"]).sum() / others["n"].sum()
                share = groups["reachable_share"][name]
                assert share > pooled if where == "above" else share < pooled, text
                checked[where] += 1

    assert min(checked.values()) >= 10


def test_two_groups_are_compared_with_each_other():
    text = hl.analyses.reachability.headline(reachable(web=(160, 200), ads=(80, 200)))

    # By Wilson 160 of 200 is .739 to .849, and 80 of 200 is .335 to .469.
    assert "web (80%) is above ads (40%), a significant difference (p < .001)." in text


# ---- groups that are never named


def reachable(**groups):
    """reachability of contacts by source: each has so many who can be reached by email, of so many."""
    rows = [(name, k > number) for name, (k, n) in groups.items() for number in range(n)]
    contacts = pd.DataFrame(
        {
            "contact_id": [f"c{number}" for number in range(len(rows))],
            "source": laws.texts([None if name == NONE else name for name, _ in rows]),
            "email": laws.texts(["ann@example.com" if has else None for _, has in rows]),
        }
    )
    return hl.analyses.reachability(contacts, by="source", as_of=AS_OF)


@pytest.mark.parametrize(("name", "rows"), [("radio", 19), (NONE, 200), (OTHER, 200), (UNKNOWN_USER, 200)])
def test_a_small_or_unnamed_group_is_never_compared(name, rows):
    text = hl.analyses.reachability.headline(reachable(web=(80, 200), ads=(80, 200), **{name: (rows, rows)}))

    assert "No significant difference between 2 sources (40%, p > .99)." in text


def test_a_group_of_20_rows_is_compared():
    text = hl.analyses.reachability.headline(reachable(web=(80, 200), ads=(80, 200), radio=(20, 20)))

    assert "radio (100%) is above the other sources, a significant difference (p < .001)." in text


def test_replies_of_an_unknown_user_are_never_compared():
    """Ann and Bob answer 40 of 100 in time; calls that name nobody answer all."""
    who = np.repeat(["ann", "bob", None], 100)
    met = np.concatenate([np.arange(200) % 5 < 2, np.ones(100, dtype=bool)])
    asked, contact = np.linspace(20, 10, 300), np.arange(300)
    sent = np.concatenate([asked, asked - np.where(met, 10, 90) / 1440])
    messages = laws.messages(np.concatenate([contact, contact]), sent, np.repeat([True, False], 300))
    calls = np.concatenate([np.zeros(500, dtype=bool), np.ones(100, dtype=bool)])
    messages = messages.assign(
        user_id=laws.texts(np.concatenate([np.full(300, None), who])),
        type=laws.texts(np.where(calls, "TYPE_CALL", "TYPE_SMS")),
        direction=laws.texts(np.where(calls, "inbound", messages["direction"])),
        status=laws.texts(np.where(calls, "completed", "delivered")),
        call_duration_s=np.where(calls, 60.0, np.nan),
    )

    table = hl.analyses.responses(messages, by="user_id", clock="wall", as_of=AS_OF)

    assert dict(zip(table["user_id"], table["on_time_share"], strict=True)) == {
        "ann": 0.4,
        "bob": 0.4,
        UNKNOWN_USER: 1,
    }
    assert "No significant difference between 2 users (40%, p > .99)" in hl.analyses.responses.headline(table)


def test_groups_that_overlap_are_never_compared():
    contacts = laws.contacts_of(laws.groups_of((100, 100, 100)))
    contacts["tags"] = [["red"]] * 100 + [["red", "blue"]] * 100 + [["blue"]] * 100
    contacts["email"] = laws.texts(["ann@example.com"] * 100 + [None] * 200)

    table = hl.analyses.reachability(contacts, by="tags", as_of=AS_OF)

    shares = table[table["channel"] == "email"].set_index("tags")["reachable_share"]
    assert shares.to_dict() == {"red": 0.5, "blue": 0}
    assert not len(comparison.compare(table, "reachable").groups)
    text = hl.analyses.reachability.headline(table)
    assert "0% to 50% by group, not compared because groups overlap." in text


def test_credit_that_is_split_is_never_compared():
    rng = np.random.default_rng(6)
    deals = laws.deals(rng, (300, 300), chance=(0.1, 0.9))
    contacts = deals[["contact_id", "created_at"]].assign(first_utm_source=deals["source"], last_utm_source="mail")

    texts = {
        model: hl.analyses.attribution.headline(hl.analyses.attribution(contacts, deals, model=model, as_of=AS_OF))
        for model in ("first", "split")
    }

    assert "a significant difference (p < .001)" in texts["first"]
    assert "Win rates are not compared: groups overlap." in texts["split"]


def test_of_over_1000_groups_the_smallest_are_combined_and_never_compared():
    sizes = {f"s{number}": (10, 25) for number in range(MAX_GROUPS - 1)}
    sizes |= {f"t{number}": (20, 20) for number in range(101)}

    table = reachable(**sizes)

    email = table[table["channel"] == "email"].set_index("source")
    assert len(email) == MAX_GROUPS
    assert email.loc[OTHER, ["n", "reachable_share"]].tolist() == [2020, 1]
    definition = table.attrs["hlkit"]["definition"]
    assert "source has 1,100 values: the 101 with the fewest rows are combined in (other)." in definition
    assert "No significant difference between 999 sources (40%, p > .99)." in hl.analyses.reachability.headline(table)


def test_1000_groups_are_all_shown():
    table = reachable(**{f"s{number}": (1, 2) for number in range(MAX_GROUPS)})

    assert table["source"].nunique() == MAX_GROUPS
    assert OTHER not in set(table["source"])


# A group may have 20 rows and more of which fewer are in its share.


def funnel_with_imports(rng):
    imported = laws.deals(rng, (90,), chance=0).assign(created_at=AS_OF - pd.Timedelta(days=100), status="open")
    return "funnel", laws.funnel(with_few(rng, imported))


def attribution_with_undated_losses(rng):
    undated = laws.deals(rng, (90,)).assign(status="lost", status_changed_at=pd.NaT, stage_changed_at=pd.NaT)
    return "attribution", laws.attribution(with_few(rng, undated))


def with_few(rng, uncounted):
    """Ten percent of 300 deals of web are won, and all of 12 of radio, which has many that are not in the share."""
    frames = {
        "web": laws.deals(rng, (300,), chance=0.1),
        "radio": laws.deals(rng, (12,), chance=1, days=(5, 5), youngest=200),
        "radio ": uncounted,
    }
    instants = ["created_at", "status_changed_at", "stage_changed_at"]
    deals = pd.concat([rows.assign(source=name) for name, rows in frames.items()], ignore_index=True)
    deals[instants] = deals[instants].astype(frames["web"]["created_at"].dtype)
    number = range(len(deals))
    return deals.assign(opportunity_id=laws.ids("d", number), contact_id=laws.ids("c", number))


def responses_without_a_target(rng):
    messages, contacts = laws.turns(rng, (100, 25), (0.2, 1), 0, several=1)
    contact = messages["contact_id"].str.removeprefix("c").astype("int64")
    messages["type"] = laws.texts(np.where(contact < 106, "TYPE_SMS", "TYPE_EMAIL"))  # 6 turns of s1 have a target
    choices = {"by": "source", "target_min": {"SMS": 60}, "clock": "wall", "as_of": AS_OF}
    return "responses", hl.analyses.responses(messages, contacts, **choices)


@pytest.mark.parametrize(
    "make",
    [funnel_with_imports, attribution_with_undated_losses, responses_without_a_target],
    ids=lambda make: make.__name__,
)
def test_a_share_of_fewer_than_20_rows_is_never_named(make):
    analysis, table = make(np.random.default_rng(7))

    assert "a significant difference" not in hl.analyses[analysis].headline(table)


# ---- intervals


def covers(line):
    least, most = by_chance(line.runs, 0.95)
    return least <= round(line.measured * line.runs) <= most


@pytest.mark.parametrize("n", [100, 300, 1000])
def test_wilsons_interval_contains_the_share(n):
    (line,) = laws.wilson_covers(n, 2000, f"Wilson {n}")

    assert covers(line), line


@pytest.mark.parametrize("oldest", [365, 45])
@pytest.mark.parametrize("days", laws.LAWS)
def test_the_interval_of_wins_contains_the_share_however_young_deals_are(days, oldest):
    lines = laws.wins_cover(days, oldest, 100, f"wins {days} {oldest}")

    assert [line.what[-3:] for line in lines] == (["30d", "60d", "90d"] if oldest == 365 else ["30d"])
    assert all(map(covers, lines)), lines


def test_the_interval_of_replies_within_an_hour_contains_the_share_while_leads_still_wait():
    (line,) = laws.replies_cover(180, 200, "within_60")

    assert covers(line), line


@pytest.mark.parametrize("alike", [1, 0.3])
def test_the_interval_of_turns_contains_the_share_where_those_of_a_contact_are_alike(alike):
    (line,) = laws.turns_cover(alike, 200, f"turns {alike}")

    assert covers(line), line


@pytest.mark.parametrize("dispersion", [1, 2, 4])
def test_the_interval_of_a_weeks_change_contains_none_however_much_days_vary(dispersion):
    (line,) = laws.weeks_cover(dispersion, 120, f"weeks {dispersion}")

    assert covers(line), line
