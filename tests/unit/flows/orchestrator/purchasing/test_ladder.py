"""How groups rise and fall: what it takes, what is lost at once, and the laws of it."""

from __future__ import annotations

from datetime import UTC, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.policy.autonomy_rules import AutonomyRules
from blocks.policy.policy import Policy
from blocks.vocabulary.effects import Approval
from flows.orchestrator.purchasing.ladder import STEPS, bad_reason, standing, standings
from tests.unit.flows.orchestrator.purchasing.histories import history, outcome

FREE = AutonomyRules(ceiling=Approval.AUTOMATIC, bad_share=0.25)
STRICT = FREE.model_copy(update={"floor": Approval.SHADOW})
GOOD = history([6.0] * 30)
"""30 orders, a line each, that save 6 where none can lose more than 25."""


def test_a_group_begins_where_the_policy_says_and_says_what_it_takes():
    found = standing("tea", [], FREE)
    assert (found.level, found.moves, found.evidence.at_least) == (Approval.ASK, (), None)
    assert found.why == (
        "Where every group begins. To rise it takes 20 settled lines of 5 orders: there are 0 of 0."
    )
    begun = FREE.model_copy(update={"start": Approval.SHADOW})
    assert standing("tea", [], begun).level is Approval.SHADOW


def test_it_rises_by_what_its_orders_saved_and_says_so():
    found = standing("tea", GOOD, FREE)
    assert (found.earned, found.level) == (Approval.AUTOMATIC, Approval.AUTOMATIC)
    (move,) = found.moves
    assert (move.before, move.after) == (Approval.ASK, Approval.AUTOMATIC)
    assert move.why.startswith("20 lines of 20 orders saved 120.00 EUR against the simple rule's")
    later = standing("tea", [*GOOD, *history([6.0] * 3, first=34)], FREE)
    assert later.evidence.orders == 3, "after a step only what was decided since counts"


@pytest.mark.parametrize(
    "outcomes",
    [
        pytest.param(GOOD[:19], id="19 lines"),
        pytest.param(
            [outcome(n % 4, 900, sku=f"tea-{n}", settled=20) for n in range(40)], id="4 orders"
        ),
        pytest.param(history([0.0] * 200), id="as much as the rule"),
        pytest.param(history([6.0, -6.0] * 100), id="as much on average"),
        pytest.param(history([-1.0] * 200), id="more than the rule"),
        pytest.param([outcome(n, None) for n in range(200)], id="nothing can be told"),
    ],
)
def test_it_does_not_rise_without_proof(outcomes):
    assert standing("tea", outcomes, FREE).earned is Approval.ASK


def test_with_a_margin_as_much_as_the_rule_is_enough():
    rules = FREE.model_copy(update={"margin": Decimal(3)})
    assert standing("tea", history([0.0] * 60), rules).earned is Approval.AUTOMATIC


def test_the_lines_of_an_order_count_as_one():
    by_line = standing("tea", history([6.0] * 6, lines=4), FREE)
    assert (by_line.evidence.lines, by_line.evidence.orders) == (24, 6)
    assert by_line.earned is Approval.ASK, "6 orders prove less than 24"


def test_the_same_need_proposed_each_day_counts_once_until_it_is_known():
    daily = [outcome(n, 6.0) for n in range(100)]
    found = standing("tea", daily, FREE)
    assert (found.earned, found.evidence.lines) == (Approval.ASK, 7), "one in 15 days"
    two = [*daily, *(outcome(n, 6.0, sku="rum") for n in range(100))]
    assert standing("tea", two, FREE).evidence.lines == 14


def test_no_level_is_above_the_ceiling_and_what_was_earned_is_kept():
    usual = standing("tea", GOOD, AutonomyRules(bad_share=0.25))
    assert (usual.earned, usual.level) == (Approval.AUTOMATIC, Approval.ASK)
    assert usual.why.startswith("It has earned automatic, and its ceiling is ask. 20 lines")
    own = AutonomyRules(ceilings={"tea": Approval.AUTOMATIC}, bad_share=0.25)
    assert standing("tea", GOOD, own).level is Approval.AUTOMATIC
    assert standing("coffee", GOOD, own).level is Approval.ASK
    shadow = FREE.model_copy(update={"ceilings": {"tea": Approval.SHADOW}})
    assert standing("tea", GOOD, shadow).level is Approval.SHADOW


@pytest.mark.parametrize(
    ("value", "saved", "is_bad"),
    [(100, -25.0, False), (100, -25.01, True), (10, -15.0, False), (10, -15.01, True)],
)
def test_a_line_is_bad_beyond_a_share_of_its_value_and_a_floor(value, saved, is_bad):
    line = outcome(0, saved, value=value)
    assert bool(bad_reason(line, FREE)) is is_bad


def test_a_bad_one_costs_a_step_at_once_and_only_what_is_decided_later_counts():
    bad = outcome(40, -26.0)
    found = standing("tea", [*GOOD, bad], FREE)
    assert found.earned is Approval.ASK
    _, down = found.moves
    assert (down.before, down.after, down.at) == (
        Approval.AUTOMATIC,
        Approval.ASK,
        bad.settled_at,
    )
    assert down.why == (
        "tea cost 26.00 EUR more than the simple rule's quantity would have, of a line worth "
        "100.00 EUR."
    )
    before = history([6.0] * 14, first=41)  # decided before the bad one was settled
    assert standing("tea", [*GOOD, bad, *before], FREE).evidence.lines == 0
    later = history([6.0] * 19, first=55)
    assert standing("tea", [*GOOD, bad, *later], FREE).earned is Approval.ASK
    again = history([6.0] * 20, first=55)
    assert standing("tea", [*GOOD, bad, *again], FREE).earned is Approval.AUTOMATIC


def test_what_a_person_or_a_supplier_made_of_it_is_bad_without_a_figure():
    found = standing("tea", [*GOOD, outcome(40, None, bad="Anna said no: wrong.")], FREE)
    assert (found.earned, found.moves[-1].why) == (Approval.ASK, "Anna said no: wrong.")


def test_one_that_was_decided_before_the_last_fall_costs_no_second_step():
    bad = [outcome(40, -26.0, settled=54), outcome(41, -26.0, settled=55)]
    assert standing("tea", [*GOOD, *bad], STRICT).earned is Approval.ASK
    after = outcome(55, -26.0, settled=69)
    assert standing("tea", [*GOOD, *bad, after], STRICT).earned is Approval.SHADOW
    assert standing("tea", [*GOOD, *bad, after], FREE).earned is Approval.ASK, "the floor"


def test_from_shadow_it_takes_two_proofs():
    rules = FREE.model_copy(update={"start": Approval.SHADOW})
    assert standing("tea", GOOD, rules).earned is Approval.ASK
    more = history([6.0] * 40, first=34)
    assert standing("tea", [*GOOD, *more], rules).earned is Approval.AUTOMATIC


def test_many_small_losses_are_a_large_one():
    assert standing("tea", [*GOOD, *history([-5.0] * 5, first=40)], FREE).earned is (
        Approval.AUTOMATIC
    ), "as much as they saved"
    losing = history([-5.0] * 20, first=40)
    found = standing("tea", [*GOOD, *losing], FREE)
    assert found.earned is Approval.ASK
    assert found.moves[-1].why.endswith("orders cost 30.00 EUR more than the rule's.")


def test_groups_stand_apart():
    found = standings([*GOOD, outcome(40, -90.0, group="rum")], FREE, ["oil"])
    assert {group: each.earned.value for group, each in found.items()} == {
        "oil": "ask",
        "rum": "ask",
        "tea": "automatic",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"ceiling": "free"},
        {"ceilings": {"tea": 3}},
        {"confidence": 1},
        {"bad_floor": 0},
        {"lines": 0},
        {"order_value": "NaN"},
        {"cieling": "ask"},
    ],
)
def test_the_policy_refuses_a_slip(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Policy.extended({"autonomy": wrong})


def test_the_ceiling_is_ask_unless_a_person_raises_it():
    assert Policy().autonomy.ceiling is Policy().autonomy.start is Approval.ASK
    raised = Policy.extended({"autonomy": {"ceilings": {"tea": "automatic"}}})
    assert raised.autonomy.ceiling_of("tea") is Approval.AUTOMATIC
    assert raised.autonomy.ceiling_of("rum") is Approval.ASK
    assert raised.version != Policy().version


DAYS = st.lists(st.floats(-24, 60).map(lambda x: round(x, 2)), min_size=1, max_size=60)
LINES = st.lists(
    st.builds(
        outcome,
        st.integers(0, 60),
        st.one_of(st.none(), st.floats(-60, 60).map(lambda x: round(x, 2))),
        order=st.sampled_from(["", "big"]),
        sku=st.sampled_from(["tea", "rum", "oil"]),
        bad=st.sampled_from(["", "", "", "", "It was wrong."]),
    ),
    max_size=60,
    unique_by=lambda line: (line.order_id, line.sku),
)
QUICK = STRICT.model_copy(update={"lines": 3, "orders": 2})


@given(DAYS, st.data())
def test_who_saves_more_rises_no_later(saved, data):
    which = data.draw(st.integers(0, len(saved) - 1))
    more = list(saved)
    more[which] += data.draw(st.floats(0, 500))
    usual, better = (standing("tea", history(s), QUICK).moves for s in (saved, more))
    if usual and usual[0].after is Approval.AUTOMATIC:
        assert better, "it rises, too"
        assert better[0].at <= usual[0].at


@given(LINES, st.randoms(use_true_random=False))
def test_the_order_in_which_outcomes_come_does_not_matter(lines, chance):
    shuffled = list(lines)
    chance.shuffle(shuffled)
    usual, other = (standing("tea", some, QUICK) for some in (lines, shuffled))
    assert (usual.earned, len(usual.moves)) == (other.earned, len(other.moves))
    assert [move.at for move in usual.moves] == [move.at for move in other.moves]


@given(LINES)
def test_a_bad_one_that_is_news_costs_a_step_at_once(lines):
    before = standing("tea", lines, QUICK)
    last = max((line.settled_at for line in lines), default=outcome(0, 0.0).settled_at)
    day = (last - outcome(0, 0.0).decided_at) // timedelta(days=1) + 1
    after = standing("tea", [*lines, outcome(day, None, bad="It was wrong.", order="new")], QUICK)
    below = STEPS[max(STEPS.index(before.earned) - 1, 0)]
    assert after.earned is below


@given(LINES, st.sampled_from(STEPS), st.sampled_from(STEPS))
def test_no_history_takes_a_group_above_its_ceiling(lines, ceiling, start):
    rules = QUICK.model_copy(update={"ceiling": ceiling, "start": start})
    found = standing("tea", lines, rules)
    assert STEPS.index(found.level) <= STEPS.index(ceiling)
    assert found.why
    assert all(move.at.tzinfo is UTC or move.at.utcoffset() is not None for move in found.moves)
