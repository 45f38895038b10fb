"""Two runs, or two processes, that want one resource at once."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from agents.calls import Toolbox
from blocks.errors import PolicyError, ResourceBusy, Yielded
from blocks.ledger import Claim, Ledger, ReceiptKind, RunRecord
from blocks.policy.claim_rules import ClaimRules
from blocks.policy.policy import Policy
from blocks.settings import PROJECT_ROOT
from blocks.vocabulary.messages import Priority, utc_now
from flows.orchestrator.dispatch.policy import InForce
from flows.orchestrator.effects.claims import Held, claim, purpose_of
from flows.orchestrator.team.team import Orchestrator
from tests.waiting import until

CHECKOUT = "service:checkout"
PATIENT = timedelta(minutes=1)
LOW, NORMAL, HIGH, CRITICAL = Priority


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


def team(ledger: Ledger, workflow: str, rules: ClaimRules | None = None) -> Orchestrator:
    run = RunRecord(id=f"run-of-{workflow}", workflow=workflow, started_at=utc_now())
    return Orchestrator(run, Toolbox(ledger), InForce(Policy(claims=rules or ClaimRules())))


async def claim_once(ledger: Ledger, holds: Callable[[Claim], bool]) -> Claim:
    """The claim, as soon as it stands so."""

    async def look() -> Claim | None:
        kept = await ledger.claims.get(CHECKOUT)
        return kept if kept and holds(kept) else None

    kept = await until(look, "the claim")
    assert kept
    return kept


async def arbitrations(ledger: Ledger, workflow: str) -> list[str]:
    """What was decided about a run's requests, in order."""
    await ledger.flush()
    kept = await ledger.receipts.of(kind=ReceiptKind.ARBITRATE, run_id=f"run-of-{workflow}")
    return [f"{r.body['decision']['verdict']}: {r.body['why'].partition(':')[0]}" for r in kept][
        ::-1
    ]


async def until_said(ledger: Ledger, workflow: str, words: str) -> None:
    """Returns when that was decided about a run's request."""

    async def said() -> bool:
        return any(words in line for line in await arbitrations(ledger, workflow))

    await until(said, words)


async def test_a_free_resource_is_held_and_given_back(ledger: Ledger) -> None:
    async with claim(team(ledger, "optimize"), CHECKOUT, priority=LOW, purpose="tidying") as held:
        kept = await ledger.claims.get(CHECKOUT)
        assert kept
        assert (kept.token, kept.workflow) == (held.token, "optimize")
        assert str(kept.holder).startswith("optimize run-of-optimize#")
        assert purpose_of(kept.holder) == "tidying"
        await held.safe_point()
        assert await ledger.claims.check(CHECKOUT, held.token, utc_now())
    assert not await ledger.claims.check(CHECKOUT, held.token, utc_now())
    assert await arbitrations(ledger, "optimize") == ["grant: resource-free"]


async def test_a_resource_is_given_back_when_the_work_breaks_off(ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError):
        async with claim(team(ledger, "optimize"), CHECKOUT, priority=LOW) as held, held.acting():
            raise ZeroDivisionError
    kept = await ledger.claims.get(CHECKOUT)
    assert kept
    assert (kept.holder, kept.acting) == (None, False)


async def test_an_equal_that_does_not_wait_is_told_who_has_it(ledger: Ledger) -> None:
    async with claim(team(ledger, "one"), CHECKOUT, priority=NORMAL, purpose="an audit"):
        with pytest.raises(ResourceBusy, match=r"is not free: .* \(one run-of-one#.* for an audit"):
            async with claim(team(ledger, "two"), CHECKOUT, priority=NORMAL):
                pytest.fail("held by two")
    assert await arbitrations(ledger, "two") == ["refuse: resource-busy"]


async def test_an_equal_that_waits_gets_it_when_it_is_free(ledger: Ledger) -> None:
    one = claim(team(ledger, "one"), CHECKOUT, priority=NORMAL)
    first = await one.__aenter__()
    second = asyncio.create_task(held_by(team(ledger, "two"), NORMAL, PATIENT))
    await until_said(ledger, "two", "wait: resource-busy")
    await one.__aexit__(None, None, None)
    assert await second == first.token + 1
    said = await arbitrations(ledger, "two")
    assert said == ["wait: resource-busy", "grant: resource-free"], "one receipt, not one per look"


async def held_by(run: Orchestrator, priority: Priority, patience: timedelta) -> int:
    async with claim(run, CHECKOUT, priority=priority, patience=patience) as held, held.acting():
        return held.token


async def preempted(
    ledger: Ledger, patience: timedelta, then: Callable[[Held], Awaitable[None]]
) -> tuple[int, int]:
    """A low claim that a critical one takes over; the tokens of both."""
    low, high = team(ledger, "optimize"), team(ledger, "respond")
    async with claim(low, CHECKOUT, priority=LOW, patience=patience) as held:
        first = held.token
        async with claim(high, CHECKOUT, priority=CRITICAL, purpose="an outage") as taken:
            assert not await ledger.claims.check(CHECKOUT, first, utc_now())
            assert await ledger.claims.check(CHECKOUT, taken.token, utc_now())
            resumed = asyncio.create_task(then(held))
            await until_said(ledger, "optimize", "resource-busy")
        await resumed
        assert await ledger.claims.check(CHECKOUT, held.token, utc_now())
        return taken.token, held.token


async def test_a_higher_priority_takes_over_and_the_lower_resumes_with_a_new_token(
    ledger: Ledger,
) -> None:
    tokens = await preempted(ledger, PATIENT, lambda held: held.safe_point())
    assert tokens == (2, 3)
    assert await arbitrations(ledger, "respond") == ["take-over: outranked"]
    assert await arbitrations(ledger, "optimize") == [
        "grant: resource-free",
        "wait: resource-busy",
        "grant: resource-free",
    ]


async def test_who_was_replaced_before_it_acts_waits_before_it_acts(ledger: Ledger) -> None:
    async def act(held: Held) -> None:
        async with held.acting():
            assert await ledger.claims.check(CHECKOUT, held.token, utc_now())

    assert await preempted(ledger, PATIENT, act) == (2, 3)


async def test_who_has_no_patience_gives_up_and_says_who_took_it(ledger: Ledger) -> None:
    with pytest.raises(Yielded) as told:
        await preempted(ledger, timedelta(0), lambda held: held.safe_point())
    assert isinstance(told.value, PolicyError)
    assert told.value.reason == "yielded"
    assert told.value.what.startswith("service:checkout was yielded, and not free again within 0 s")
    assert "(respond run-of-respond#" in told.value.what
    assert purpose_of(told.value.holder) == "an outage"
    assert (await arbitrations(ledger, "optimize"))[-1] == "refuse: resource-busy"


async def test_who_acts_is_asked_finishes_and_then_yields(ledger: Ledger) -> None:
    low, high = team(ledger, "optimize"), team(ledger, "respond")
    async with claim(low, CHECKOUT, priority=LOW, patience=PATIENT) as held:
        async with held.acting():
            taking = asyncio.create_task(held_by(high, HIGH, PATIENT))
            asked = await claim_once(ledger, lambda c: c.wanted_by is not None)
            assert asked.token == held.token
            assert str(asked.wanted_by).startswith("respond ")
            await held.safe_point()  # in the middle of acting there is none
            kept = await ledger.claims.get(CHECKOUT)
            assert kept
            assert (kept.token, kept.acting) == (held.token, True)
        await held.safe_point()
        assert held.token == 3
        assert await taking == 2
    assert (await arbitrations(ledger, "respond"))[0] == "ask-to-yield: holder-acting"


async def test_after_acting_a_higher_priority_takes_over_at_once(ledger: Ledger) -> None:
    async with claim(team(ledger, "optimize"), CHECKOUT, priority=LOW) as held:
        async with held.acting():
            pass
        assert await held_by(team(ledger, "respond"), HIGH, timedelta(0)) == held.token + 1


async def test_a_crisis_outranks_what_is_critical(ledger: Ledger) -> None:
    async with claim(team(ledger, "respond"), CHECKOUT, priority=CRITICAL):
        crisis = team(ledger, "crisis-management")
        async with claim(crisis, CHECKOUT, priority=LOW) as taken:
            assert taken.token == 2
            with pytest.raises(ResourceBusy):
                await held_by(team(ledger, "other"), CRITICAL, timedelta(0))


async def test_who_gives_up_asking_is_in_nobodys_way(ledger: Ledger) -> None:
    async with claim(team(ledger, "optimize"), CHECKOUT, priority=LOW) as held:
        async with held.acting():
            with pytest.raises(ResourceBusy) as told:
                await held_by(team(ledger, "respond"), HIGH, timedelta(seconds=0.2))
            assert told.value.reason == "holder-acting"
            cancelled = asyncio.create_task(held_by(team(ledger, "respond"), HIGH, PATIENT))
            await claim_once(ledger, lambda c: c.wanted_by is not None)
            cancelled.cancel()
            await claim_once(ledger, lambda c: c.wanted_by is None)
        token = held.token
        await held.safe_point()
        assert held.token == token, "nobody wants it any more"


async def test_a_holder_that_slept_too_long_learns_it_at_its_safe_point(ledger: Ledger) -> None:
    slept = team(ledger, "optimize", ClaimRules(hold_seconds=0.05))
    async with claim(slept, CHECKOUT, priority=HIGH) as held:
        await asyncio.sleep(0.1)
        async with claim(team(ledger, "other"), CHECKOUT, priority=LOW) as other:
            assert other.token == 2
            assert not await ledger.claims.check(CHECKOUT, held.token, utc_now())
        await held.safe_point()
        assert held.token == 3


# Processes.

PROCESS = """
import asyncio, sys
from datetime import timedelta
from agents.calls import Toolbox
from blocks.ledger import Ledger, RunRecord
from blocks.vocabulary.messages import Priority, utc_now
from blocks.policy.policy import Policy
from flows.orchestrator.effects.claims import claim
from flows.orchestrator.team.team import Orchestrator
from flows.orchestrator.dispatch.policy import InForce

def team(ledger, workflow):
    run = RunRecord(id=f"run-of-{workflow}", workflow=workflow, started_at=utc_now())
    return Orchestrator(run, Toolbox(ledger), InForce(Policy()))

async def crash(ledger, seconds):
    async with claim(team(ledger, "victim"), "service:checkout", priority=Priority.CRITICAL) as h:
        async with h.acting(timedelta(seconds=float(seconds))):
            print(h.token, flush=True)
            await asyncio.sleep(600)

async def add(ledger, file, name):
    # Reads, waits, writes: whoever is let in between loses a count.
    for turn in range(15):
        urgent = Priority.HIGH if turn % 3 else Priority.LOW
        patience = timedelta(minutes=1)
        run = team(ledger, name)
        async with claim(run, "service:checkout", priority=urgent, patience=patience) as h:
            await h.safe_point()
            async with h.acting():
                with open(file) as f: count = int(f.read())
                await asyncio.sleep(0.01)
                with open(file, "w") as f: f.write(str(count + 1))
                print(h.token, flush=True)

url, what, *rest = sys.argv[1:]
with Ledger.open(url, patience=60) as ledger:
    asyncio.run({"crash": crash, "add": add}[what](ledger, *rest))
"""


def process(url: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, url, *arguments],
        cwd=PROJECT_ROOT,
        text=True,
        stdout=subprocess.PIPE,
    )


async def test_after_a_kill_in_the_middle_of_acting_the_resource_frees_itself(
    ledger: Ledger, ledger_url: str
) -> None:
    with process(ledger_url, "crash", "2") as victim:
        assert victim.stdout
        stale = int(await asyncio.to_thread(victim.stdout.readline))
        victim.send_signal(signal.SIGKILL)
    async with claim(team(ledger, "heir"), CHECKOUT, priority=LOW, patience=PATIENT) as held:
        assert held.token == stale + 1
        assert not await ledger.claims.act(CHECKOUT, stale, utc_now(), utc_now() + PATIENT)
    assert (await arbitrations(ledger, "heir"))[-1] == "grant: holder-expired"


async def test_two_processes_never_act_at_once(
    ledger: Ledger, ledger_url: str, tmp_path: Path
) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    both = [process(ledger_url, "add", str(counter), name) for name in ("one", "two")]
    outs = await asyncio.gather(*(asyncio.to_thread(p.communicate, timeout=100) for p in both))
    assert [p.returncode for p in both] == [0, 0]
    assert counter.read_text() == "30"
    tokens = [[int(line) for line in out.split()] for out, _ in outs]
    assert all(mine == sorted(mine) for mine in tokens), "tokens only grow"
    assert len(set(tokens[0] + tokens[1])) == 30, "no token is handed out twice"
    assert (await ledger.receipts.verify()).faults == []
