"""All probes within one deadline: what fails, what only stumbles, and what nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from agents.sre_reliability.incident_response import respond_to_event
from agents.sre_reliability.system_monitoring.probe_watch import look_at_probes
from blocks.business.business import Business
from blocks.business.probes import Probe
from blocks.business.probing.web import HttpCheck
from blocks.ledger import Ledger
from blocks.vocabulary.looks import Look
from blocks.vocabulary.messages import Severity
from tests.loopback import HANG, Reply, Request, serve

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def probe(name: str, url: str, timeout: float = 5.0) -> Probe:
    return Probe(name=name, check=HttpCheck(url=url), timeout=timeout, runbook="Ring the bell.")


async def look(*probes: Probe, within: float = 20.0) -> Look:
    return await look_at_probes(probes, NOW, confirm_after=0.01, within=within)


def answers(*statuses: int) -> Iterator[Reply]:
    """One status after the other, the last one for ever."""
    yield from (Reply(status=status) for status in statuses[:-1])
    while True:
        yield Reply(status=statuses[-1])


def up(seen: Look, name: str) -> float | None:
    return next((s.value for s in seen.samples if s.series == f"probe:{name}/up"), None)


@pytest.mark.parametrize(
    ("statuses", "is_wrong", "asked"),
    [
        ((200,), False, 1),
        ((500, 200), False, 3),  # one bad answer is no outage
        ((500, 500, 200), True, 3),  # two of three are
        ((500,), True, 3),
    ],
)
async def test_most_of_three_looks_must_agree(
    statuses: tuple[int, ...], is_wrong: bool, asked: int
) -> None:
    replies = answers(*statuses)
    async with serve(lambda _: next(replies)) as server:
        seen = await look(probe("front", server.url))
        assert len(server.requests) == asked
    assert bool(seen.signals) is is_wrong
    assert up(seen, "front") == (0.0 if is_wrong else 1.0)
    assert seen.covered == {"probe:front"}


async def test_what_is_wrong_is_told_with_what_to_do() -> None:
    async with serve(Reply(status=500)) as server:
        (signal,) = (await look(probe("front", server.url))).signals
    assert (signal.kind, signal.subject) == ("probe.failed", "probe:front")
    assert signal.severity is Severity.ERROR
    assert signal.summary == "front: HTTP 500 instead of 2xx."
    assert signal.runbook == "Ring the bell."


async def test_of_what_is_not_known_in_time_nothing_is_said_and_the_others_are() -> None:
    async with serve(Reply()) as good, serve(HANG) as hangs:
        seen = await look(probe("good", good.url), probe("hangs", hangs.url, timeout=9), within=0.5)
    assert seen.covered == {"probe:good"}
    assert seen.missing == ("probe:hangs: no result within 0.5 s",)
    assert seen.signals == ()
    assert up(seen, "hangs") is None


async def test_one_that_may_not_be_called_is_missing_and_no_outage() -> None:
    async with serve(Reply()) as good:
        seen = await look(probe("good", good.url), probe("inside", "http://10.255.255.1/"))
    assert seen.covered == {"probe:good"}
    assert len(seen.missing) == 1
    assert "internal hosts must be named" in seen.missing[0]


async def test_many_that_hang_keep_none_waiting_that_answers() -> None:
    def answer(request: Request) -> Reply:
        return HANG if request.path == "/hangs" else Reply()

    async with serve(answer) as server:
        hanging = [probe(f"h-{i}", f"{server.url}/hangs", timeout=0.5) for i in range(100)]
        good = [probe(f"g-{i}", server.url, timeout=9) for i in range(100)]
        seen = await look(*hanging, *good)
    assert {s.subject for s in seen.signals} == {f"probe:h-{i}" for i in range(100)}
    assert all(up(seen, f"g-{i}") == 1.0 for i in range(100))


async def test_the_agent_asks_a_probe_again_when_it_is_told_of_it(ledger_url: str) -> None:
    def event(seen: Look) -> dict[str, object]:
        return seen.signals[0].as_event(seen.part, NOW).model_dump(mode="json")

    replies = answers(*[500] * 6, 200)
    async with serve(lambda _: next(replies)) as server:
        business = Business(store=None, probes=(probe("front", server.url),))
        told = event(await look(*business.probes))
        with Ledger.open(ledger_url) as ledger:
            ill = await respond_to_event(told, business, ledger, NOW)
            well = await respond_to_event(told, business, ledger, NOW)
            other = await respond_to_event(told, Business(store=None), ledger, NOW)
    assert (ill.well, ill.severity, ill.advice) == (False, Severity.ERROR, "Ring the bell.")
    assert (well.well, well.severity) == (True, Severity.INFO)
    assert not other.relevant


async def test_without_probes_nothing_is_looked_at() -> None:
    assert (await look()).covered == frozenset()
