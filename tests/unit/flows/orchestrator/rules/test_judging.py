"""What an event makes rules do: order, shares, cooldowns, limits, loops; and rehearsals of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from blocks.ledger.firings.firings import Firing, FiringOutcome, RunOfRule
from blocks.policy.policy import Policy
from blocks.policy.trigger_rules import Rule
from blocks.vocabulary.messages import SystemEvent
from flows.orchestrator.rules.judging import Past, judge, matches
from flows.orchestrator.rules.rehearsal import rehearse

NOW = datetime(2026, 11, 30, 12, 0, 10, tzinfo=UTC)


def event(number: int = 1, seconds: float = 0, **more: Any) -> SystemEvent:
    given = {"id": f"e{number}", "source": "till", "type": "x", "subject": f"sku:{number}"}
    return SystemEvent(time=NOW + timedelta(seconds=seconds), **{**given, **more})


def rule(**more: Any) -> Rule:
    return Rule.model_validate({"when": {"type": "x"}, "workflow": "system-status", **more})


def fired(
    rules: dict[str, Rule], *events: SystemEvent, runs: list[RunOfRule] | None = None, **more: Any
) -> list[Firing]:
    found = [match for each in events for match in matches(rules, each)]
    past = Past(runs or ())
    return judge(found, more.pop("known", ()), past, more.pop("causes", {}), NOW, **more)


def outcomes(firings: list[Firing]) -> list[str]:
    return [each.outcome.value for each in firings]


def test_rules_go_by_their_order_then_by_name_up_to_one_that_stops() -> None:
    rules = {
        "c": rule(),
        "b": rule(order=5),
        "a": rule(),
        "off": rule(order=1, enabled=False, stop=True),
        "z": rule(order=200),
        "d": rule(stop=True),
    }
    assert [each.rule for each in fired(rules, event())] == ["b", "a", "c", "d"]


def test_each_event_makes_each_rule_fire_once() -> None:
    rules = {"a": rule(), "b": rule()}
    (left,) = fired(rules, event(), known={("a", ("till", "e1"))})
    assert left.rule == "b"
    assert len(fired(rules, event(), event())) == 2


def test_what_asks_for_the_same_within_a_time_shares_a_run_and_what_asks_for_more_does_not() -> (
    None
):
    same = fired({"a": rule(share_seconds=60)}, event(1), event(2))
    assert len({each.run_key for each in same}) == 1
    assert same[0].due == NOW.replace(minute=1, second=0)
    own = fired({"a": rule(share_seconds=60, parameters={"hours": "{name}"})}, event(1), event(2))
    assert len({each.run_key for each in own}) == 2
    alone = fired({"a": rule()}, event(1), event(2))
    assert len({each.run_key for each in alone}) == 2


def test_after_a_run_comes_its_cooldown_for_what_asks_for_the_same() -> None:
    rules = {"a": rule(cooldown_seconds=600, parameters={"hours": "{kind}"})}
    first, second = fired(rules, event(1), event(2))
    assert outcomes([first, second]) == ["intended", "cooling-down"]
    assert second.detail == "One was started already; until 12:10:10 UTC."
    assert second.settled_at == NOW
    (other,) = fired(rules, event(3, subject="service:3"), runs=[_run(first, 0)])
    assert other.outcome is FiringOutcome.INTENDED
    (later,) = fired(rules, event(4), runs=[_run(first, 600)])
    assert later.outcome is FiringOutcome.INTENDED


def test_beyond_the_limit_of_an_hour_nothing_is_started_and_that_is_said() -> None:
    firings = fired({"a": rule(limit_per_hour=2)}, event(1), event(2), event(3))
    assert outcomes(firings) == ["intended", "intended", "limit-reached"]
    assert firings[2].detail == "2 runs in the last hour are the limit."
    runs = [_run(each, 3600) for each in firings[:2]]
    assert outcomes(fired({"a": rule(limit_per_hour=2)}, event(4), runs=runs)) == ["intended"]


def test_a_rule_that_led_to_an_event_does_not_fire_on_it_others_do() -> None:
    about = event(subject="run:0123-4567")
    causes = {"01234567": ["a", "b"]}
    firings = fired({"a": rule(), "c": rule()}, about, causes=causes)
    assert outcomes(firings) == ["loop", "intended"]
    assert firings[0].detail == "The rule led to this event itself (a → b → a)."
    assert firings[1].chain == ["a", "b"]


def test_a_rehearsal_counts_shares_and_limits_at_the_events_own_times() -> None:
    changes: dict[str, Any] = {"when": {"type": "x"}, "workflow": "system-status"}
    policy = Policy.extended({"rules": {"a": {**changes, "limit_per_hour": 2}}})
    events = [event(n, seconds=60 * n) for n in range(4)] + [event(9, seconds=7200)]
    told = rehearse(policy, [*reversed(events), event(7, type="y")], Policy())
    assert [each.outcome for each in told.fired] == [
        "started",
        "started",
        "limit-reached",
        "limit-reached",
        "started",
    ]
    assert (told.events, told.fitted, told.runs) == (6, 5, 3)
    assert len(told.only_now) == 5
    assert told.only_then == []
    shared = Policy.extended({"rules": {"a": {**changes, "share_seconds": 3600}}})
    assert [each.outcome for each in rehearse(shared, events).fired] == [
        "started",
        *["shared"] * 3,
        "started",
    ]


def _run(firing: Firing, seconds_ago: float) -> RunOfRule:
    at = NOW - timedelta(seconds=seconds_ago)
    return RunOfRule(firing.rule, str(firing.run_key), firing.asks_for, at, at)


def test_a_storm_is_judged_without_looking_at_every_run_for_every_event() -> None:
    """With a look at each run for each event this would take minutes."""
    events = [event(n, seconds=n) for n in range(8000)]
    told = rehearse(Policy(rules={"a": rule(limit_per_hour=1000)}), events)
    assert (told.fitted, told.runs) == (8000, 2800)  # 1,000 in each of two hours, 800 in the rest
    rules = {"a": rule(limit_per_hour=1000)}
    came = outcomes(fired(rules, *events))
    assert (came.count("intended"), came.count("limit-reached")) == (1000, 7000)
