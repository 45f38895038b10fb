"""Many events in one call: each has its answer, and none waits for another one's."""

from __future__ import annotations

import asyncio

from agents import events
from agents.registry import registry
from blocks.errors import SourceUnavailable
from blocks.vocabulary.responses import EventResponse, read_event


async def test_what_fails_or_takes_long_is_left_to_be_asked_for_alone(monkeypatch):
    monkeypatch.setattr(events, "MOMENT", 0.05)

    async def answer(document):
        happened = read_event(document)
        if happened.subject == "service:slow":
            await asyncio.Event().wait()
        if happened.subject == "service:down":
            raise SourceUnavailable("It does not answer.")
        return EventResponse.not_concerned(happened, "It is nothing.")

    names = ("a", "slow", "b", "down", "c")
    told = [{"source": "monitor", "type": "down", "subject": f"service:{name}"} for name in names]
    found = (await events.answer_each([*told, {"no": "event"}], answer)).responses
    assert [said and said.resource for said in found] == [
        "service:a",
        None,
        "service:b",
        None,
        "service:c",
        None,
    ]


def test_agents_are_asked_about_what_they_may_know() -> None:
    def asked(kind: str) -> set[str]:
        return {name for name, agent in registry().agents.items() if agent.may_know(kind)}

    assert asked("service") == {"data-intelligence", "sre-reliability"}
    assert asked("supplier") == {"data-intelligence", "integration-specialist"}
    assert asked("") == {"sre-reliability"}, "Prefect's own events name no subject"
    assert asked("order") == set()
