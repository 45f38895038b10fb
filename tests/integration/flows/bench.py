"""A small team whose actions do on purpose what real ones do by misfortune."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.capability import ANYBODY, action, policy_of
from agents.registry import ActionSpec, AgentSpec, Registry
from blocks.errors import SourceRefused, SourceUnavailable
from tests.effects import ANY

ROLES = {
    "primary": ("worker", "work"),
    "secondary": ("helper", "estimate"),
    "monitor": ("helper", "watch"),
    "validate": ("helper", "check"),
    "support": ("helper", "prepare"),
    "analyze": ("helper", "explain"),
}


def plan(*roles: str, primary: str = "work") -> dict[str, Any]:
    """A plan in which the bench plays these roles."""
    plays = {role: ROLES[role] for role in ("primary", *roles)} | {"primary": ("worker", primary)}
    return {"roles": {r: {"agent": a, "action": b} for r, (a, b) in plays.items()}}


MATRIX = {
    "plain": plan(),
    "covered": plan("secondary"),
    "whole": plan("secondary", "support", "analyze"),
    "checked": plan("secondary", "validate"),
    "watched": plan("secondary", "monitor"),
    "paying": plan("secondary", primary="pay"),
}


class Bench:
    """The team, and what it was made to do.

    Everything it does leaves a line in ``folder``/done, so that other processes can count it too.

    Attributes:
        failing: Name of the action to the number of calls that fail; negative: all of them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failing: dict[str, int] = {}
        self.refusing = False
        self.stopping = False
        self.verdict = True

    @property
    def done(self) -> list[str]:
        """What was done, one word per call, in order."""
        file = self.folder / "done"
        return file.read_text().split() if file.exists() else []

    @property
    def registry(self) -> Registry:
        functions: dict[str, list[Callable[..., Any]]] = {
            "worker": [self.work, self.pay],
            "helper": [self.estimate, self.watch, self.check, self.prepare, self.explain],
        }
        return Registry(
            {name: AgentSpec(name, name.title(), "Tests.") for name in functions},
            [
                ActionSpec(agent, "tests", f.__name__, f, policy_of(f))
                for agent, found in functions.items()
                for f in found
            ],
        )

    def _do(self, what: str) -> None:
        with (self.folder / "done").open("a") as file:
            file.write(f"{what}\n")
        if left := self.failing.get(what, 0):
            self.failing[what] = left - 1
            error = SourceRefused if self.refusing else SourceUnavailable
            raise error(f"{what} is away.")

    @action(retries=0, askers=ANYBODY)
    async def work(self, size: int = 1, context: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do the task."""
        self._do("work")
        if self.stopping:
            await asyncio.Event().wait()
        return {"summary": f"worked on {size}", "context": context}

    @action(effect=ANY, askers=ANYBODY)
    async def pay(self) -> dict[str, Any]:
        """Change the world."""
        self._do("pay")
        return {"summary": "paid"}

    @action(retries=0, askers=ANYBODY)
    async def estimate(self) -> dict[str, Any]:
        """Do less, and say so."""
        self._do("estimate")
        return {"summary": "estimated"}

    @action(retries=0, askers=ANYBODY)
    async def watch(self, task_type: str, message_id: str) -> dict[str, Any]:
        """Watch the primary."""
        self._do("watch")
        if not self.stopping:
            await asyncio.Event().wait()
        while "work" not in self.done:  # noqa: ASYNC110 - a file knows no event
            await asyncio.sleep(0.01)
        return {"stop": True, "reason": "the disk is full"}

    @action(retries=0, askers=ANYBODY)
    async def check(self, result: dict[str, Any]) -> dict[str, Any]:
        """Check a result."""
        self._do("check")
        return {"valid": self.verdict, "reason": f"{result['summary']} is wrong"}

    @action(retries=0, askers=ANYBODY)
    async def prepare(self) -> dict[str, Any]:
        """Prepare."""
        self._do("prepare")
        return {"tools": ["hammer"]}

    @action(retries=0, askers=ANYBODY)
    async def explain(self) -> dict[str, Any]:
        """Explain."""
        self._do("explain")
        return {"cause": "rain"}
