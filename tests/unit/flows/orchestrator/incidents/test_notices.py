"""Who is told what, and when: grouped, repeated, escalated, held back; each once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from blocks.ledger.events.records import Ending, IncidentRecord, IncidentStatus
from blocks.ledger.work.tellings import Telling
from blocks.policy.event_rules import EventRules
from blocks.policy.notify_rules import Audience, NotifyRules
from blocks.policy.policy import Policy
from blocks.policy.watching.incident_rules import EscalationStep, IncidentRules
from blocks.vocabulary.severity import Severity
from flows.orchestrator.incidents.notices import Facts, Notice, judge

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TWO = NotifyRules(audiences={"owner": Audience(), "boss": Audience(about=["nothing/*"])})
STEPS = IncidentRules(steps=[EscalationStep(after_minutes=15, audience="boss")])


def incident(name: str = "checkout", **fields: Any) -> IncidentRecord:
    given: dict[str, Any] = {
        "id": name,
        "need_key": name,
        "resource": f"service:{name}",
        "severity": Severity.CRITICAL,
        "title": f"{name} is down",
        "opened_at": NOON,
        "updated_at": NOON,
        "status": IncidentStatus.STANDING,
        "type": "alert.Down",
        "notice_group": "g",
    }
    return IncidentRecord(**given | fields)


@dataclass
class People:
    """One audience that is told again and again, and knows what it was told."""

    name: str = "owner"
    policy: Policy = field(default_factory=lambda: Policy(notify=TWO, incidents=STEPS))
    known: dict[str, Telling] = field(default_factory=dict)

    def are_told(self, minutes: float, *incidents: IncidentRecord, **more: Any) -> list[Notice]:
        now = NOON + timedelta(minutes=minutes)
        facts = Facts({one.id: one for one in incidents}, self.policy, now, **more)
        verdict = judge(self.name, self.known, facts)
        for telling in verdict.tellings:
            self.known[telling.fingerprint] = telling
        self.known = {n: t for n, t in self.known.items() if t.over_at is None}
        return verdict.notices


def test_it_is_told_once_after_the_groups_wait() -> None:
    people, one = People(), incident()
    assert people.are_told(0.4, one) == []
    (notice,) = people.are_told(0.5, one)
    assert notice.new == [one]
    assert people.are_told(0.6, one) == []


def test_what_ends_before_the_wait_tells_nobody() -> None:
    people, one = People(), incident()
    assert people.are_told(0.2, one) == []
    assert people.are_told(0.5) == []


def test_a_thousand_of_one_group_are_one_notice_and_their_end_another() -> None:
    people = People()
    many = [incident(f"s{n}") for n in range(1000)]
    (notice,) = people.are_told(0.5, *many)
    assert len(notice.new) == notice.open == 1000
    over = [ended(one, 10) for one in many]
    (last,) = people.are_told(10, *over)
    assert (len(last.over), last.open) == (1000, 0)
    assert people.are_told(11, *over) == []


def ended(one: IncidentRecord, minutes: float) -> IncidentRecord:
    at = NOON + timedelta(minutes=minutes)
    over = {"status": IncidentStatus.SETTLED, "settled_at": at, "ending": Ending.RESOLVED}
    return one.model_copy(update=over)


def test_what_joins_a_group_waits_for_its_interval_and_the_end_of_all_does_not() -> None:
    people, one = People(), incident()
    people.are_told(0.5, one)
    late = incident("late", opened_at=NOON + timedelta(minutes=1))
    assert people.are_told(2, one, late) == []
    (notice,) = people.are_told(5.5, one, late)
    assert (notice.new, notice.open) == ([late], 2)
    assert people.are_told(6, ended(one, 6), late) == [], "a part of it, so soon"
    (last,) = people.are_told(7, ended(one, 6), ended(late, 7))
    assert (len(last.over), last.open) == (2, 0)


def test_what_is_worse_is_told_at_once_and_once() -> None:
    people, one = People(), incident(severity=Severity.ERROR)
    people.are_told(0.5, one)
    worse = one.model_copy(update={"severity": Severity.CRITICAL})
    (notice,) = people.are_told(1, worse)
    assert notice.new == [worse]
    assert people.are_told(1.5, worse) == []
    assert people.are_told(2, one) == [], "milder is no news"
    assert people.are_told(3, worse) == [], "and back again is none, either"


def test_what_nobody_acknowledges_is_repeated() -> None:
    people, one = People(), incident()
    people.are_told(0.5, one)
    assert people.are_told(240, one) == []
    (notice,) = people.are_told(240.5, one)
    assert notice.again == [one]
    assert people.are_told(241, one) == []


def test_what_is_acknowledged_is_not_until_that_runs_out() -> None:
    people, one = People(), incident()
    people.are_told(0.5, one)
    until = NOON + timedelta(hours=24)
    seen = one.model_copy(update={"acknowledged_by": "ann", "acknowledged_until": until})
    assert people.are_told(300, seen) == []
    assert people.are_told(24 * 60 - 1, seen) == []
    (notice,) = people.are_told(24 * 60, seen)
    assert notice.again == [seen]
    assert people.are_told(24 * 60 + 5, seen) == []


def test_an_acknowledged_one_that_ends_is_told_as_over() -> None:
    people, one = People(), incident()
    people.are_told(0.5, one)
    until = NOON + timedelta(hours=24)
    seen = one.model_copy(update={"acknowledged_by": "ann", "acknowledged_until": until})
    people.are_told(1, seen)
    (notice,) = people.are_told(12, ended(seen, 12))
    assert [e.id for _, e in notice.over if e] == [one.id]


def test_it_is_taken_further_up_when_nobody_acknowledges_it() -> None:
    boss, one = People("boss"), incident()
    assert boss.are_told(14.9, one) == []
    (notice,) = boss.are_told(15, one)
    assert notice.new == [one]
    assert People("boss").are_told(15, incident(severity=Severity.ERROR)) == []
    worse = incident(worsened_at=NOON + timedelta(minutes=10))
    assert People("boss").are_told(20, worse) == [], "it counts from when it became worse"
    assert len(People("boss").are_told(25, worse)) == 1
    until = NOON + timedelta(minutes=60)
    seen = incident(acknowledged_by="ann", acknowledged_until=until)
    assert People("boss").are_told(30, seen) == []
    assert People("boss").are_told(70, seen) == []
    assert len(People("boss").are_told(75, seen)) == 1, "who saw to it is not heard of"


def test_an_audience_is_told_of_what_is_its_own() -> None:
    one = incident(severity=Severity.WARNING, assigned_to="boss")
    assert len(People("boss").are_told(1, one)) == 1
    assert People("owner").are_told(1, one) == []


def test_of_what_is_silenced_nobody_is_told_until_it_is_not() -> None:
    people, one = People(), incident(silence_id="s")
    assert people.are_told(60, one) == []
    (notice,) = people.are_told(61, one.model_copy(update={"silence_id": None}))
    assert len(notice.new) == 1


def test_what_flaps_is_told_so_once_until_it_is_steady() -> None:
    people, one = People(), incident()
    people.are_told(0.5, one)
    flaps = one.model_copy(update={"flapping_since": NOON + timedelta(minutes=10)})
    (notice,) = people.are_told(10, flaps)
    assert notice.flapping == [flaps]
    assert people.are_told(20, flaps) == []
    assert people.are_told(600, flaps) == [], "nor again and again"
    (over,) = people.are_told(610, ended(one, 610))
    assert len(over.over) == 1


def test_at_night_only_what_is_new_and_critical_wakes_anybody() -> None:
    people = People(policy=Policy(notify=TWO))
    error = incident("a", severity=Severity.ERROR, notice_group="a")
    assert people.are_told(1, error, quiet=True) == []
    (notice,) = people.are_told(2, error, incident(), quiet=True)
    assert notice.new == [incident()]
    assert people.are_told(3, error, ended(incident(), 3), quiet=True) == []
    told = people.are_told(4, error, ended(incident(), 3))
    assert sorted(each.group for each in told) == ["a", "g"], "in the morning"


def test_who_is_asked_about_it_is_not_told_beside_that() -> None:
    people, unasked = People(), incident(group_key="q")
    assert people.are_told(0.6, unasked, asked=True) == [], "the question comes"
    asked = unasked.model_copy(update={"approval_id": "a"})
    assert people.are_told(0.7, asked, asked=True) == []
    (over,) = people.are_told(5, ended(asked, 5), asked=True)
    assert len(over.over) == 1
    assert len(People().are_told(2, unasked, asked=True)) == 1, "nobody puts it"
    assert len(People().are_told(0.7, asked)) == 1, "it goes elsewhere"


def test_what_the_ledger_forgot_is_over_and_what_is_merely_not_seen_is_not() -> None:
    people = People()
    people.are_told(0.5, incident())
    assert people.are_told(1) == []
    (notice,) = people.are_told(2, forgotten=frozenset({"checkout"}))
    assert notice.over[0][1] is None


def test_other_things_that_an_audience_was_told_of_are_left_alone() -> None:
    people = People()
    finding = Telling(
        audience="owner",
        fingerprint="service-down/service:till",
        state="critical",
        title="till is down",
        source="sre-reliability.check_services",
        since=NOON,
        told_at=NOON,
    )
    people.known = {finding.fingerprint: finding}
    assert people.are_told(1) == []
    assert people.known == {finding.fingerprint: finding}


@pytest.mark.parametrize("wait", [0.0, 600.0])
def test_the_wait_is_the_policys(wait: float) -> None:
    policy = Policy(notify=TWO, events=EventRules(group_wait_seconds=wait))
    people = replace(People(), policy=policy)
    assert people.are_told(wait / 60 - 0.01, incident()) == []
    assert len(people.are_told(wait / 60, incident())) == 1
