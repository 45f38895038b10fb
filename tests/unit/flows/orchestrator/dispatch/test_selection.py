import json
from collections import Counter
from dataclasses import asdict, replace
from math import sqrt
from statistics import fmean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blocks.policy.selection_rules import SelectionRules
from flows.orchestrator.dispatch.selection import Candidate, _gamma, select

RULES = SelectionRules()
NEUTRAL = SelectionRules(expertise=1, success=1, latency=1, workload=1)
SEEDS = st.text(max_size=8)
WEIGHTS = st.floats(0, 10)
ANY_RULES = st.builds(
    SelectionRules,
    expertise=WEIGHTS,
    success=WEIGHTS,
    latency=WEIGHTS,
    workload=WEIGHTS,
    prior_successes=st.floats(0.5, 100),
    prior_failures=st.floats(0.5, 100),
)


def candidate(name="a", **kwargs):
    known = {
        "agent": "sre-reliability",
        "capacity": 8,
        "workload": 0,
        "expertise": 1.0,
        "successes": 18.0,
        "failures": 2.0,
        "mean_ms": 100.0,
        "timed": 18.0,
    }
    return Candidate(instance=name, **(known | kwargs))


@st.composite
def teams(draw, least=1):
    names = draw(st.lists(st.text("abc/12", min_size=1), min_size=least, max_size=7, unique=True))
    return [
        candidate(
            name,
            capacity=draw(st.integers(0, 9)),
            workload=draw(st.integers(0, 10)),
            expertise=draw(st.floats(0, 1)),
            successes=draw(st.floats(0, 1000)),
            failures=draw(st.floats(0, 1000)),
            mean_ms=draw(st.none() | st.floats(0, 1e6)),
            timed=draw(st.floats(0, 1000)),
        )
        for name in names
    ]


def chosen_by_seed(team, rules=RULES, seeds=2_000):
    return Counter(select(team, rules, seed=str(n)).chosen.instance for n in range(seeds))


def total_of(selection, name):
    return next(s.total for s in selection.scores if s.instance == name)


def reason_of(selection, name):
    return next(s.reason for s in selection.scores if s.instance == name)


# Laws


@given(teams(), ANY_RULES, SEEDS, st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(team, rules, seed, random):
    shuffled = list(team)
    random.shuffle(shuffled)
    assert select(team, rules, seed=seed) == select(shuffled, rules, seed=seed)


@given(teams(), ANY_RULES, SEEDS)
def test_nobody_gets_more_than_the_capacity_and_somebody_with_room_is_found(team, rules, seed):
    chosen = select(team, rules, seed=seed).chosen
    with_room = [c for c in team if c.workload < c.capacity]
    assert chosen in with_room if with_room else chosen is None


@given(teams(least=2), ANY_RULES, SEEDS)
def test_a_lease_never_makes_an_instance_more_attractive(team, rules, seed):
    first, *others = team
    before = select(team, rules, seed=seed)
    busier = replace(first, workload=first.workload + 1)
    after = select([busier, *others], rules, seed=seed)
    assert total_of(after, first.instance) <= total_of(before, first.instance)
    if after.chosen == busier:
        assert before.chosen == first


@given(teams(least=2), ANY_RULES, SEEDS, st.floats(0.001, 100))
def test_successes_never_make_an_instance_less_attractive(team, rules, seed, more):
    first, *others = team
    before = select(team, rules, seed=seed)
    better = replace(first, successes=first.successes + more)
    after = select([better, *others], rules, seed=seed)
    assert total_of(after, first.instance) >= total_of(before, first.instance) - 1e-12


@given(
    st.integers(1, 8),
    st.integers(1, 50),
    st.floats(0, 100),
    st.floats(0, 100),
    ANY_RULES,
    st.lists(SEEDS, max_size=25),
)
def test_equal_instances_fill_up_evenly(n, capacity, successes, failures, rules, seeds):
    team = [
        candidate(f"a/{i}", capacity=capacity, successes=successes, failures=failures, timed=0.0)
        for i in range(n)
    ]
    for seed in seeds:
        chosen = select(team, rules, seed=seed).chosen
        if chosen:
            team = [replace(c, workload=c.workload + (c == chosen)) for c in team]
        workloads = [c.workload for c in team]
        assert max(workloads) - min(workloads) <= 1


@given(teams(), ANY_RULES, SEEDS)
def test_a_score_is_the_sum_of_its_parts_and_best_comes_first_among_those_with_room(
    team, rules, seed
):
    selection = select(team, rules, seed=seed)
    for scored in selection.scores:
        assert scored.total == pytest.approx(sum(scored.parts.values()))
        assert 0 <= scored.total <= 1 + 1e-9
        assert (scored.reason == "") == (
            selection.chosen is not None and scored.instance == selection.chosen.instance
        )
    full = {c.instance for c in team if c.workload >= c.capacity}
    order = [(s.instance in full, -s.total) for s in selection.scores]
    assert order == sorted(order)
    assert json.loads(json.dumps(asdict(selection)))["scores"][0]["parts"].keys() == {
        "expertise",
        "success",
        "latency",
        "workload",
    }


# Nobody starves


def test_equal_instances_are_all_chosen_and_about_as_often():
    counts = chosen_by_seed([candidate(f"a/{i}") for i in range(5)])
    assert len(counts) == 5
    assert min(counts.values()) > 300  # 400 expected; the standard deviation is 18


def test_equal_instances_are_told_apart_by_the_seed_even_when_nothing_counts():
    nothing = SelectionRules(expertise=0, success=0, latency=0, workload=0)
    counts = chosen_by_seed([candidate("a"), candidate("b")], nothing)
    assert min(counts.values()) > 850


def test_an_instance_without_history_is_tried_beside_a_good_one():
    new = candidate("new", successes=0.0, failures=0.0, mean_ms=None, timed=0.0)
    good = candidate("good", successes=95.0, failures=5.0, timed=95.0)
    assert 20 < chosen_by_seed([new, good])["new"] < 1_500


def test_bad_luck_is_forgiven_as_it_fades():
    good = candidate("good", successes=95.0, failures=5.0, timed=95.0)
    fresh = chosen_by_seed([candidate("bad", successes=0.0, failures=20.0, timed=9.0), good])
    faded = chosen_by_seed([candidate("bad", successes=0.0, failures=0.5, timed=0.2), good])
    assert fresh["bad"] == 0
    assert faded["bad"] > 20


def test_an_instance_that_was_slow_a_few_times_is_tried_again():
    good = candidate("good", timed=1_000.0, successes=1_000.0, failures=50.0)
    often = replace(good, instance="slow", mean_ms=200.0)
    assert chosen_by_seed([often, good])["slow"] == 0
    assert chosen_by_seed([replace(often, timed=2.0), good])["slow"] > 20


def test_curiosity_does_not_send_calls_where_calls_already_are():
    new = candidate("new", workload=1, successes=0.0, failures=0.0, mean_ms=None, timed=0.0)
    assert chosen_by_seed([new, candidate("good")])["new"] == 0


# By hand


def test_the_score_of_an_instance_that_is_not_the_least_busy():
    team = [
        candidate("busy", workload=2, expertise=0.5, successes=2.0, failures=0.0, mean_ms=300.0),
        candidate("idle", mean_ms=100.0),
    ]
    (parts,) = [s.parts for s in select(team, NEUTRAL, seed="").scores if s.instance == "busy"]
    assert parts == {
        "expertise": pytest.approx(0.5 / 4),
        "success": pytest.approx(0.75 / 4),  # the mean of Beta(1 + 2, 1 + 0)
        "latency": pytest.approx(0.4 / 4),  # the median is 200 ms: 200 / (200 + 300)
        "workload": pytest.approx(0.75 / 4),  # 6 of 8 are free
    }


def test_the_least_busy_are_never_judged_below_their_means():
    for seed in range(200):
        (scored,) = select([candidate()], NEUTRAL, seed=str(seed)).scores
        assert scored.parts["success"] >= 19 / 22 / 4
        assert scored.parts["latency"] >= 0.5 / 4


def test_nobody_to_choose_from():
    selection = select([], RULES, seed="")
    assert selection.chosen is None
    assert selection.scores == ()


def test_everybody_at_or_over_capacity():
    team = [candidate("a", workload=8), candidate("b", workload=9), candidate("c", capacity=0)]
    selection = select(team, RULES, seed="")
    assert selection.chosen is None
    assert reason_of(selection, "a") == "at capacity (8 of 8)"
    assert reason_of(selection, "b") == "at capacity (9 of 8)"
    assert reason_of(selection, "c") == "at capacity (0 of 0)"


@pytest.mark.parametrize(
    ("difference", "reason"),
    [
        ({"workload": 8}, "at capacity (8 of 8)"),
        ({"workload": 5}, "busier: 5 of 8 against 1 of 8"),
        ({"expertise": 0.3}, "less expert: 0.30 against 1.00"),
        ({"successes": 4.0, "failures": 16.0}, "less reliable: 22.7% against 86.4%"),
        ({"mean_ms": 410.0}, "slower: 410 ms against 100 ms"),
        ({}, "equal: the lot fell to z"),
    ],
)
def test_the_reason_is_what_made_the_widest_gap(difference, reason):
    # An idle instance that knows nothing of the task takes the curiosity, so that means decide.
    idle = candidate("idle", expertise=0.0, capacity=100, successes=0.0, failures=90.0)
    team = [candidate("b", **({"workload": 1} | difference)), candidate("z", workload=1), idle]
    seed = next(str(n) for n in range(99) if select(team, RULES, seed=str(n)).chosen == team[1])
    assert reason_of(select(team, RULES, seed=seed), "b") == reason


def test_one_that_lost_to_curiosity_is_told_so():
    new = candidate("new", successes=0.0, failures=0.0, mean_ms=None, timed=0.0)
    team = [new, candidate("good")]
    seed = next(str(n) for n in range(999) if select(team, RULES, seed=str(n)).chosen == new)
    told = reason_of(select(team, RULES, seed=seed), "good")
    assert told == "no worse: new was tried to learn more about it"


def test_calls_that_take_no_time_at_all():
    assert (
        select([candidate("a", mean_ms=0.0)], NEUTRAL, seed="").scores[0].parts["latency"] == 1 / 4
    )


@pytest.mark.parametrize("shape", [1.0, 4.0, 40.0])
def test_draws_have_the_mean_and_spread_of_a_gamma_distribution(shape):
    lots = [(n * 16_777).to_bytes(3, "big") for n in range(1_000)]
    draws = [_gamma(shape, lot) for lot in lots]
    assert fmean(draws) == pytest.approx(shape, rel=0.02)
    assert sqrt(pvariance(draws)) == pytest.approx(sqrt(shape), rel=0.05)


@given(st.floats(0.5, 1e4), st.floats(0, 1e3), st.binary(min_size=3, max_size=3))
def test_a_draw_grows_with_its_shape(shape, more, lot):
    assert _gamma(shape + more, lot) >= _gamma(shape, lot) * (1 - 1e-12)


def test_rules_refuse_what_they_do_not_know_and_what_makes_no_sense():
    with pytest.raises(ValidationError):
        SelectionRules(speed=1)
    with pytest.raises(ValidationError):
        SelectionRules(latency=-1)
    with pytest.raises(ValidationError):
        SelectionRules(prior_failures=0)
    assert all(field.description for field in SelectionRules.model_fields.values())
