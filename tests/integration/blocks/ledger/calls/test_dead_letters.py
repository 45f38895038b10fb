"""Dead letters on both databases, and the whole life of a message that came broken."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from blocks.dialects import read, standalone
from blocks.errors import InvalidMessage, RequestError
from blocks.ledger import Ledger
from blocks.ledger.calls.dead_letters import DeadLetter, LetterStatus
from blocks.vocabulary.messages import AgentMessage

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


def letter(**fields: Any) -> DeadLetter:
    given = {"received_at": NOON, "origin": "a test", "raw": "{", "reason": "no JSON"}
    return DeadLetter(**given | fields)


async def test_a_letter_reads_back_as_it_was_kept(ledger: Ledger) -> None:
    kept = letter(raw='{"é": "\\u0000"}', dialect="json", reason="A NUL.\nSend it without.")
    await ledger.dead_letters.keep(kept)
    await ledger.dead_letters.keep(kept.model_copy(update={"reason": "another"}))
    assert await ledger.dead_letters.list() == [kept]
    assert await ledger.dead_letters.get(kept.id) == kept


async def test_a_letter_is_found_by_the_beginning_of_its_id(ledger: Ledger) -> None:
    one, two = letter(id="abcdef01"), letter(id="abcdef02")
    for each in (one, two, letter(id="a%cdef03")):
        await ledger.dead_letters.keep(each)
    get = ledger.dead_letters.get
    assert await get("abcdef01") == one
    assert await get("abcdef02") == two
    with pytest.raises(RequestError, match="Several dead letters begin with 'abcdef'"):
        await get("abcdef")
    for unknown in ("abcde", "a", "", "%%%%%%", "a_cdef", "abcdef03"):
        with pytest.raises(RequestError, match="no dead letter"):
            await get(unknown)
    assert (await get("a%cdef")).id == "a%cdef03"


async def test_letters_are_listed_newest_first_by_status(ledger: Ledger) -> None:
    old, new = letter(), letter(received_at=LATER)
    for each in (old, new):
        await ledger.dead_letters.keep(each)
    assert await ledger.dead_letters.list() == [new, old]
    assert await ledger.dead_letters.list(limit=1) == [new]
    assert await ledger.dead_letters.discard(new.id, LATER)
    assert await ledger.dead_letters.list(LetterStatus.WAITING) == [old]
    (gone,) = await ledger.dead_letters.list(LetterStatus.DISCARDED)
    assert (gone.id, gone.settled_at, gone.message_id) == (new.id, LATER, None)


async def test_of_many_who_settle_a_letter_one_does(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as here, Ledger.open(ledger_url) as there:
        await here.dead_letters.keep(kept := letter())
        tries = [
            store.dead_letters.resent(kept.id, f"{store is here}-{i}", LATER)
            for store in (here, there)
            for i in range(5)
        ]
        tries.append(there.dead_letters.discard(kept.id, LATER))
        assert sum(await asyncio.gather(*tries)) == 1
        settled = await here.dead_letters.get(kept.id)
        assert settled.status is not LetterStatus.WAITING
        assert not await here.dead_letters.resent(kept.id, "again", LATER)
        assert not await here.dead_letters.discard(kept.id, LATER)
        assert await here.dead_letters.get(kept.id) == settled
        assert not await here.dead_letters.discard("unknown", LATER)


async def test_of_many_with_one_id_one_message_is_taken_in(ledger_url: str) -> None:
    message = AgentMessage(recipient="sre-reliability", action="assess_health", timestamp=NOON)
    with Ledger.open(ledger_url) as here, Ledger.open(ledger_url) as there:
        tries = [store.mailbox.take_in(message) for store in (here, there) for _ in range(5)]
        assert sum(await asyncio.gather(*tries)) == 1
        call = await there.call(message.id)
        assert call is not None
        assert (call.agent, call.outcome) == ("sre-reliability", None)
        here.record(message)  # as the call itself does
        await here.flush()
        assert len(await here.calls()) == 1


class LifeOfAMessage(RuleBasedStateMachine):
    """Broken messages come, are fixed and resent or discarded; several hands are at it at once.

    The model: what came, and how often each message reached its agent.
    """

    waiting = Bundle("waiting")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ledger = Ledger.open(f"sqlite:///{self.folder.name}/ledger.db")
        self.loop = asyncio.Runner()
        self.fate: dict[str, str] = {}
        self.delivered: Counter[str] = Counter()
        self.resent_as: dict[str, str] = {}

    def teardown(self) -> None:
        self.ledger.close()
        self.loop.close()
        self.folder.cleanup()

    @rule(target=waiting, wrong=st.sampled_from(["aktion", "approved"]))
    def comes_broken(self, wrong: str) -> str:
        raw = {"id": f"m{len(self.fate)}", "from": "billing", "to": "sre-reliability", wrong: "x"}
        try:
            read(raw)
        except InvalidMessage as error:
            kept = letter(raw=standalone(raw), reason=str(error))
        self.loop.run(self.ledger.dead_letters.keep(kept))
        self.fate[kept.id] = "waiting"
        return kept.id

    @rule(letter_id=waiting, hands=st.integers(1, 3), dies=st.booleans())
    def is_fixed_and_resent(self, letter_id: str, hands: int, dies: bool) -> None:
        """Every hand fixes it and resends it; who settles the letter may die before it delivers."""

        async def resend() -> bool:
            kept = await self.ledger.dead_letters.get(letter_id)
            raw = {k: v for k, v in json.loads(kept.raw).items() if k not in ("aktion", "approved")}
            (message,) = read(raw | {"action": "assess_health"}).messages
            mine = await self.ledger.dead_letters.resent(letter_id, message.id, LATER)
            if mine:
                self.resent_as[letter_id] = message.id
            if mine and dies:
                return mine
            # A letter that is resent already may be sent again: its message goes out once.
            kept = await self.ledger.dead_letters.get(letter_id)
            if kept.message_id == message.id and await self.ledger.mailbox.take_in(message):
                self.delivered[message.id] += 1
            return mine

        async def all_hands() -> list[bool]:
            return await asyncio.gather(*(resend() for _ in range(hands)))

        settled = sum(self.loop.run(all_hands()))
        assert settled == (self.fate[letter_id] == "waiting")
        if settled:
            self.fate[letter_id] = "resent"

    @rule(letter_id=waiting)
    def is_discarded(self, letter_id: str) -> None:
        discarded = self.loop.run(self.ledger.dead_letters.discard(letter_id, LATER))
        assert discarded == (self.fate[letter_id] == "waiting")
        if discarded:
            self.fate[letter_id] = "discarded"

    @rule(letter_id=waiting)
    def comes_again(self, letter_id: str) -> None:
        """A sender that heard no answer sends what was delivered once more."""
        if (message_id := self.resent_as.get(letter_id)) and self.delivered[message_id]:
            again = AgentMessage(id=message_id, recipient="sre-reliability", action="assess_health")
            assert not self.loop.run(self.ledger.mailbox.take_in(again))

    @invariant()
    def nothing_is_lost_and_nothing_is_delivered_twice(self) -> None:
        letters = self.loop.run(self.ledger.dead_letters.list())
        assert {kept.id: kept.status.value for kept in letters} == self.fate
        calls = {call.message_id for call in self.loop.run(self.ledger.calls())}
        assert calls == {message for message, times in self.delivered.items() if times}
        assert max(self.delivered.values(), default=0) <= 1
        for kept in letters:
            assert (kept.message_id is not None) == (kept.status is LetterStatus.RESENT)
            assert kept.message_id == self.resent_as.get(kept.id)


TestLifeOfAMessage = LifeOfAMessage.TestCase
TestLifeOfAMessage.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
