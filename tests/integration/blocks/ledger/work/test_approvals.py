"""Questions in the ledger: whatever happens, an answer counts once and is applied once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from blocks.errors import LedgerError, RequestError
from blocks.ledger import Ledger
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.vocabulary.messages import Priority, new_id

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
T = TypeVar("T")


def question(**fields: Any) -> ApprovalRecord:
    given = {
        "need_key": new_id(),
        "task_id": "t1",
        "title": "inventory_sync failed: try it again?",
        "resource": "store:main",
        "proposal": {"kind": "retry-task", "task_id": "t1"},
        "asked_at": NOON,
        "expires_at": NOON + HOUR,
    }
    return ApprovalRecord.model_validate(given | fields)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


async def test_a_question_asked_twice_is_one(ledger: Ledger) -> None:
    asked = question(priority=Priority.CRITICAL, detail="Because.", run_id="r1")
    assert await ledger.approvals.ask(asked) == asked
    again = question(need_key=asked.need_key, title="Something else?")
    assert await ledger.approvals.ask(again) == asked
    assert await ledger.approvals.ask(asked) == asked
    assert await ledger.approvals.list() == [asked]


@pytest.mark.parametrize("approve", [True, False])
async def test_of_answers_at_once_one_counts(ledger_url: str, approve: bool) -> None:
    with Ledger.open(ledger_url) as one, Ledger.open(ledger_url) as other:
        asked = await one.approvals.ask(question())
        answers = await asyncio.gather(
            *(
                ledger.approvals.answer(asked.id, yes, by=f"{via} {yes}", via=via, now=NOON)
                for ledger, via in ((one, "cli"), (other, "prefect-ui"))
                for yes in (approve, not approve)
            )
        )
        [counted] = [record for record, counts in answers if counts]
        assert all(record == counted for record, _ in answers)
        assert counted.is_yes == (counted.status is ApprovalStatus.APPROVED)
        assert counted.answered_by == f"{counted.via} {counted.is_yes}"


async def test_an_answer_that_comes_too_late_expires_the_question(ledger: Ledger) -> None:
    asked = await ledger.approvals.ask(question())
    late, counted = await ledger.approvals.answer(
        asked.id, True, by="me", via="cli", now=asked.expires_at
    )
    assert (late.status, counted, late.answered_by) == (ApprovalStatus.EXPIRED, False, None)
    assert not late.is_yes
    assert list(await ledger.approvals.unapplied(asked.expires_at)) == [late]


async def test_silence_is_a_yes_only_where_that_is_the_safe_choice(ledger: Ledger) -> None:
    asked = [
        await ledger.approvals.ask(question(safe_choice=choice)) for choice in ("approve", "reject")
    ]
    open_still = await ledger.approvals.ask(question(expires_at=NOON + 2 * HOUR))
    now = NOON + HOUR
    assert len(await ledger.approvals.unsettled(now)) == 2
    expired = {record.id: record for record in await ledger.approvals.expire_due(now)}
    assert [expired[record.id].is_yes for record in asked] == [True, False]
    assert await ledger.approvals.expire_due(now) == []
    assert await ledger.approvals.list(ApprovalStatus.OPEN) == [open_still]


async def test_of_processes_that_apply_at_once_one_does(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as one, Ledger.open(ledger_url) as other:
        asked = await one.approvals.ask(question())
        until = NOON + timedelta(minutes=5)
        assert await one.approvals.claim_application(asked.id, "early", NOON, until) is None
        await one.approvals.answer(asked.id, True, by="me", via="cli", now=NOON)
        names = [f"p{i}" for i in range(6)]
        claims = await asyncio.gather(
            *(
                (one, other)[i % 2].approvals.claim_application(asked.id, name, NOON, until)
                for i, name in enumerate(names)
            )
        )
        [claim] = [claim for claim in claims if claim]
        assert claim.applying_by in names
        assert await one.approvals.unapplied(NOON) == []
        # It dies; its claim runs out; what it says from beyond does not count any more.
        [free] = await one.approvals.unapplied(until)
        assert free.id == asked.id
        assert await other.approvals.claim_application(asked.id, "heir", until, until + HOUR)
        dead = str(claim.applying_by)
        assert not await one.approvals.keep_claim(asked.id, dead, until + HOUR)
        assert not await one.approvals.applied(asked.id, dead, "from beyond", until)
        assert await one.approvals.applied(asked.id, "heir", "done", until)
        assert not await one.approvals.applied(asked.id, "heir", "done twice", until + HOUR)
        assert await one.approvals.unsettled(until + 2 * HOUR) == []
        assert (await one.approvals.get(asked.id)).outcome == "done"


async def test_an_id_may_be_shortened_while_it_is_the_only_one(ledger: Ledger) -> None:
    await ledger.approvals.ask(question(id="aaaaaa11"))
    only = await ledger.approvals.ask(question(id="aaaaaa22"))
    assert await ledger.approvals.get("aaaaaa2") == only
    for wrong, said in {
        "aaaaaa": "More than one",
        "aaaaa": "too short",
        "bbbbbbbb": "There is no",
        "aaaaaa%2": "There is no",
        "______": "There is no",
    }.items():
        with pytest.raises(RequestError, match=said):
            await ledger.approvals.get(wrong)
    with pytest.raises(LedgerError, match="There is no approval 'nobody'"):
        await ledger.approvals.answer("nobody", True, by="me", via="cli", now=NOON)


class LifeCycle(RuleBasedStateMachine):
    """Two processes with one ledger ask, answer, let expire, claim, die, and apply."""

    ledgers: tuple[Ledger, Ledger]
    questions = Bundle("questions")

    @initialize()
    def begin(self) -> None:
        self.now = NOON
        self.turn = 0
        self.asked: dict[str, ApprovalRecord] = {}
        self.answers: dict[str, list[tuple[bool, str]]] = {}
        self.claims: dict[str, list[str]] = {}
        self.applications: dict[str, list[str]] = {}
        self.final: dict[str, tuple[Any, ...]] = {}

    @property
    def approvals(self) -> Any:
        self.turn += 1
        return self.ledgers[self.turn % 2].approvals

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    @rule(
        target=questions,
        safe_choice=st.sampled_from(["approve", "reject"]),
        minutes=st.integers(0, 90),
    )
    def ask(self, safe_choice: str, minutes: int) -> str:
        record = question(
            safe_choice=safe_choice, expires_at=self.now + timedelta(minutes=minutes), id=new_id()
        )
        assert self.wait(self.approvals.ask(record)) == record
        self.asked[record.id] = record
        self.answers[record.id], self.claims[record.id] = [], []
        self.applications[record.id] = []
        return record.id

    @rule(which=questions)
    def ask_again(self, which: str) -> None:
        again = question(need_key=self.asked[which].need_key)
        assert self.wait(self.approvals.ask(again)).id == which

    @rule(which=questions, approve=st.booleans(), via=st.sampled_from(["cli", "prefect-ui"]))
    def answer(self, which: str, approve: bool, via: str) -> None:
        record, counted = self.wait(
            self.approvals.answer(which, approve, by=f"person {self.turn}", via=via, now=self.now)
        )
        if counted:
            assert self.now < self.asked[which].expires_at, "too late"
            self.answers[which].append((approve, record.answered_by))
        else:
            assert record.status is not ApprovalStatus.OPEN, "an answer in time was not taken"

    @rule()
    def expire(self) -> None:
        for record in self.wait(self.approvals.expire_due(self.now)):
            if record.id in self.asked:  # else it is one of an earlier example
                assert not self.answers[record.id]
                assert record.expires_at <= self.now
        due = {record.id for record in self.wait(self.approvals.unsettled(self.now))}
        assert due == {record.id for record in self.wait(self.approvals.unapplied(self.now))}

    @rule(which=questions, minutes=st.integers(1, 30))
    def claim(self, which: str, minutes: int) -> None:
        name = f"process {self.turn}"
        before = self.wait(self.approvals.get(which))
        until = self.now + timedelta(minutes=minutes)
        claimed = self.wait(self.approvals.claim_application(which, name, self.now, until))
        free = before.applying_until is None or before.applying_until <= self.now
        settled = before.status is not ApprovalStatus.OPEN
        assert bool(claimed) == (settled and free and before.applied_at is None)
        if claimed:
            self.claims[which].append(name)

    @rule(which=questions, data=st.data())
    def apply(self, which: str, data: st.DataObject) -> None:
        """By whoever claimed it last, or by one who was taken for dead and comes back."""
        if not self.claims[which]:
            return
        name = data.draw(st.sampled_from(self.claims[which]))
        outcome = f"by {name}"
        if self.wait(self.approvals.applied(which, name, outcome, self.now)):
            assert name == self.claims[which][-1], "somebody else has taken it on"
            if outcome not in self.applications[which]:  # to say the same again is no second time
                self.applications[which].append(outcome)

    @rule(minutes=st.integers(1, 60))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @invariant()
    def everything_counts_once(self) -> None:
        for which, asked in getattr(self, "asked", {}).items():
            record = self.wait(self.approvals.get(which))
            answers = self.answers[which]
            assert len(answers) <= 1
            assert len(self.applications[which]) <= 1
            assert (record.applied_at is not None) == bool(self.applications[which])
            match record.status:
                case ApprovalStatus.OPEN:
                    assert not answers
                    assert not self.claims[which]
                case ApprovalStatus.EXPIRED:
                    assert not answers
                    assert record.answered_by is None
                    assert record.is_yes == (asked.safe_choice == "approve")
                case answered:
                    assert answers == [(answered is ApprovalStatus.APPROVED, record.answered_by)]
                    assert record.is_yes == answers[0][0]
            if record.status is not ApprovalStatus.OPEN:
                state = (record.status, record.answered_by, record.answered_at, record.via)
                assert self.final.setdefault(which, state) == state


def test_whatever_happens_an_answer_counts_once_and_is_applied_once(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as one, Ledger.open(ledger_url) as other:
        machine = type("OfTwo", (LifeCycle,), {"ledgers": (one, other)})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            ),
        )
