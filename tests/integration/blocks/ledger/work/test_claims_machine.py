"""Any history of claims, requests and stale tokens, against a model of a few lines."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from blocks.ledger import EffectRecord, Ledger
from blocks.policy.claim_rules import ClaimRules
from blocks.vocabulary.messages import Priority, new_id
from flows.orchestrator.effects.arbitration import Request, decide, rank

T = TypeVar("T")
CHECKOUT = "service:checkout"
RULES = ClaimRules()
WHO = st.sampled_from("abc")
WORKFLOWS = st.sampled_from(["daily-health-check", "crisis-management"])
SECOND = timedelta(seconds=1)


class Claiming(RuleBasedStateMachine):
    """One resource. The model knows every token that was handed out, and which one is good."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.ledger = Ledger.open(f"sqlite:///{self.folder}/ledger.db")
        self.loop = asyncio.new_event_loop()
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.issued: list[int] = []
        self.good: int | None = None  # the token that has not been given back
        self.rank = 0
        self.acting = False
        self.expires = self.now
        self.wanted: tuple[str, datetime] | None = None
        self.intents = 0

    def teardown(self) -> None:
        self.ledger.close()
        self.loop.close()
        shutil.rmtree(self.folder)

    def done(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @property
    def is_held(self) -> bool:
        return self.good is not None and self.expires > self.now

    @property
    def is_wanted(self) -> bool:
        return self.wanted is not None and self.wanted[1] > self.now

    @initialize()
    def first(self) -> None:
        assert self.done(self.ledger.claims.get(CHECKOUT)) is None

    @rule(seconds=st.sampled_from([1, 14, 15, 59, 60, 600]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule(
        who=WHO,
        priority=st.sampled_from(Priority),
        workflow=WORKFLOWS,
        patience=st.sampled_from([0, 30]),
    )
    def request(self, who: str, priority: Priority, workflow: str, patience: int) -> None:
        asked = Request(CHECKOUT, who, workflow, priority, self.now + patience * SECOND)
        judge = partial(decide, request=asked, now=self.now, rules=RULES)
        decision = self.done(self.ledger.claims.request(CHECKOUT, self.now, judge))
        mine = rank(workflow, priority, RULES)
        if decision.granted and decision.reason != "own-claim":
            if self.is_held:
                assert mine > self.rank, "a lower priority never takes from a higher one"
                assert not self.acting, "nobody is replaced while acting"
            assert decision.claim.token > max(self.issued, default=0)
            self.issued.append(decision.claim.token)
            self.good, self.rank, self.acting = decision.claim.token, mine, False
            self.wanted = None
        if decision.granted:
            self.expires = decision.claim.expires_at
        elif not self.is_held:
            assert self.is_wanted, "nobody waits for who is dead, unless another is next"
        if decision.verdict == "ask-to-yield":
            assert mine > self.rank
            self.wanted = who, self.now + 15 * SECOND

    def some_token(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from([*self.issued, 999]), "token")

    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        token, until = self.some_token(data), self.now + 60 * SECOND
        done = self.done(self.ledger.claims.renew(CHECKOUT, token, self.now, until))
        assert done == (token == self.good and self.is_held and not self.is_wanted)
        self.expires = until if done else self.expires

    @rule(data=st.data())
    def act(self, data: st.DataObject) -> None:
        token, until = self.some_token(data), self.now + 300 * SECOND
        done = self.done(self.ledger.claims.act(CHECKOUT, token, self.now, until))
        assert done == (token == self.good and self.is_held and not self.is_wanted)
        if done:
            self.acting, self.expires = True, until

    @rule(data=st.data())
    def done_acting(self, data: st.DataObject) -> None:
        token, until = self.some_token(data), self.now + 60 * SECOND
        done = self.done(self.ledger.claims.done_acting(CHECKOUT, token, self.now, until))
        assert done == (token == self.good and self.is_held)
        if done:
            self.acting, self.expires = False, until

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        token = self.some_token(data)
        done = self.done(self.ledger.claims.release(CHECKOUT, token))
        assert done == (token == self.good)
        if done:
            self.good, self.acting = None, False

    @rule(who=WHO)
    def withdraw(self, who: str) -> None:
        done = self.done(self.ledger.claims.withdraw(CHECKOUT, who))
        assert done == (self.wanted is not None and self.wanted[0] == who)
        self.wanted = None if done else self.wanted

    @rule(data=st.data())
    def intend(self, data: st.DataObject) -> None:
        token = self.some_token(data)
        intent = EffectRecord(
            kind="a.b", target=CHECKOUT, need_key=new_id(), fence=token, intended_at=self.now
        )
        done = self.done(self.ledger.effects.intend(intent))
        assert done == (token == self.good and self.is_held)
        self.intents += done
        assert len(self.done(self.ledger.effects.acts())) == self.intents

    @invariant()
    def one_token_is_good(self) -> None:
        check = self.ledger.claims.check
        good = [t for t in self.issued if self.done(check(CHECKOUT, t, self.now))]
        assert good == ([self.good] if self.is_held else [])


TestClaiming = Claiming.TestCase
TestClaiming.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
