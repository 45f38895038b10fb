"""The steps of a task: one call per role, each done once however often the task is taken up."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from agents.calls import Envelope, Reply, address
from agents.capability import Asker
from agents.descriptions import describe
from agents.registry import ActionSpec
from agents.sre_reliability.automation import RemediationResult
from blocks.ledger.work.tasks import StepTold, TaskRecord
from blocks.policy.policy import Plan, Role
from blocks.vocabulary.blame import Blame, blame
from blocks.vocabulary.effects import EffectVerdict
from blocks.vocabulary.messages import ErrorInfo
from flows.orchestrator.dispatch.resume import UNKNOWN, earlier_reply
from flows.orchestrator.dispatch.routing import instances_of, params_for
from flows.orchestrator.team.team import Orchestrator

MONITOR_GRACE = 3.0
"""Seconds that a monitor has to notice that what it watches is over."""

STOPPED = "stopped-by-monitor"
NO_HELP = "no-help"


@dataclass(frozen=True)
class Step:
    """One role's call, and what came of it.

    Attributes:
        role: The role.
        reply: Its reply.
        error: Why it does not hold: the reply's error, or that of who checked or stopped it.
        unknown_effect: It may have changed the world outside; nobody knows.
    """

    role: Role
    reply: Reply
    error: ErrorInfo | None
    unknown_effect: bool = False

    @property
    def stopped(self) -> bool:
        """Whether the monitor stopped it."""
        return self.error is not None and self.error.code == STOPPED


class Steps:
    """Plays the roles of one task.

    Args:
        team: The run that carries it out.
        task: The task.
        plan: Who plays which role.
        begun_before: An earlier run may have done some of it.
        round_: 1, and one more each time a person had it done again.

    Attributes:
        told: What each step came to, for people.
        doubts: Why the result should be taken with care.
    """

    def __init__(
        self, team: Orchestrator, task: TaskRecord, plan: Plan, begun_before: bool, round_: int
    ) -> None:
        self._team, self._task, self._plan = team, task, plan
        self._begun_before = begun_before
        self.round = round_
        self.told: list[StepTold] = []
        self.doubts: list[str] = []

    def others(self, tried: Collection[str]) -> list[str]:
        """The primary's instances that have not tried yet."""
        agent = self._plan.roles[Role.PRIMARY].agent
        everyone = instances_of(self._team.policy, self._team.toolbox.registry, agent)
        return [instance.name for instance in everyone if instance.name not in tried]

    async def support(self) -> Any:
        """What the primary is handed beside its parameters; None when nothing could be had."""
        if Role.SUPPORT not in self._plan.roles:
            return None
        step = await self._play(Role.SUPPORT, {})
        if step.error:
            self.doubts.append(f"Without the support of {step.reply.called}: {step.error.what}")
            return None
        return describe(step.reply.result)

    async def primary(self, context: Any, *, avoid: Collection[str] = ()) -> Step:
        """Have the primary do the task, watched by the monitor if there is one."""
        more = {} if context is None else {"context": context}
        step_id = self._id(Role.PRIMARY, len(avoid))
        if Role.MONITOR not in self._plan.roles:
            return await self._play(Role.PRIMARY, more, step_id, avoid)
        watched = {"task_type": self._task.task_type, "message_id": step_id}
        monitor_id = self._id(Role.MONITOR, len(avoid))
        primary = asyncio.create_task(self._play(Role.PRIMARY, more, step_id, avoid))
        monitor = asyncio.create_task(self._play(Role.MONITOR, watched, monitor_id))
        try:
            await asyncio.wait({primary, monitor}, return_when=asyncio.FIRST_COMPLETED)
            if not primary.done() and (reason := _stop_reason(monitor.result())):
                primary.cancel()
                await asyncio.gather(primary, return_exceptions=True)
                return self._stopped(Role.PRIMARY, more, step_id, reason)
            step = await primary
            await self._team.ledger.flush()  # what the monitor looks for
            await asyncio.wait({monitor}, timeout=MONITOR_GRACE)
            return step
        finally:
            for each in (primary, monitor):
                each.cancel()
            await asyncio.gather(primary, monitor, return_exceptions=True)

    async def validated(self, step: Step) -> Step:
        """The step, checked before its result is used; a result that is wrong is an error."""
        if Role.VALIDATE not in self._plan.roles:
            return step
        check = await self._play(Role.VALIDATE, {"result": describe(step.reply.result)})
        if check.error:
            self.doubts.append(f"The result was not checked: {check.error.what}")
            return step
        verdict = check.reply.result
        if _field(verdict, "valid"):
            return step
        reason = str(_field(verdict, "reason") or "it does not agree with its source")
        error = ErrorInfo(code="not-validated", what=f"The result was refused: {reason}")
        return Step(step.role, step.reply, error)

    async def secondary(self) -> Step:
        """Have the secondary do what it can."""
        return await self._play(Role.SECONDARY, {})

    async def analysis(self) -> Any:
        """An explanation of the cause; None when nobody is asked for one, or none was found."""
        if Role.ANALYZE not in self._plan.roles:
            return None
        return (await self._play(Role.ANALYZE, {})).reply.result

    def _id(self, role: Role, number: int = 0) -> str:
        """The id of a step's message, the same in whatever run it is done."""
        text = f"{self._task.id}/{self.round}/{role}/{number}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    async def _play(
        self,
        role: Role,
        more: dict[str, Any],
        step_id: str | None = None,
        avoid: Collection[str] = (),
    ) -> Step:
        spec, params, envelope = self._order(role, more, step_id)
        if (done := await self._done_before(role, spec, envelope)) is not None:
            step = done
        else:
            # A later round is one that a person asked for, knowing what was tried.
            approved = self.round > 1
            reply = await self._team.ask(
                spec.agent, spec.name, params, envelope, avoid=avoid, approved=approved
            )
            step = _judged(role, reply, spec)
        self._tell(step)
        return step

    def _order(
        self, role: Role, more: dict[str, Any], step_id: str | None
    ) -> tuple[ActionSpec, dict[str, Any], Envelope]:
        """What is asked of whom, and under which id."""
        play = self._plan.roles[role]
        spec = self._team.toolbox.registry.action(play.agent, play.action)
        params = params_for(spec, role, self._task.params) | params_for(spec, Role.SUPPORT, more)
        envelope = Envelope(
            message_id=step_id or self._id(role),
            run_id=self._team.run.id,
            task_id=self._task.id,
            priority=self._task.priority,
            asker=Asker.MESSAGE,  # whoever may route a task chooses the parameters
        )
        return spec, params, envelope

    async def _done_before(self, role: Role, spec: ActionSpec, envelope: Envelope) -> Step | None:
        """The step as an earlier run left it, if that must not be done again."""
        if not self._begun_before:
            return None
        reply = await earlier_reply(self._team.ledger, spec, str(envelope.message_id))
        if reply is None:
            return None
        self._team.replies.append(reply)
        return _judged(role, reply, spec)

    def _stopped(self, role: Role, more: dict[str, Any], step_id: str, reason: str) -> Step:
        spec, params, envelope = self._order(role, more, step_id)
        error = ErrorInfo(code=STOPPED, what=f"The monitor stopped it: {reason}")
        reply = Reply(address(spec, envelope, params), None, error, spec.agent)
        self._team.replies.append(reply)
        step = Step(role, reply, error, _unknown(reply, spec))
        self._tell(step)
        return step

    def _tell(self, step: Step) -> None:
        came = step.error.what if step.error else _summary(step.reply.result)
        who = f"{step.reply.called} by {step.reply.instance or 'nobody'}"
        self.told.append(StepTold(role=step.role.value, who=who, came=came))


def _judged(role: Role, reply: Reply, spec: ActionSpec) -> Step:
    """A reply as a step; an act that did not bring about what it should is an error."""
    result = reply.result
    if not isinstance(result, RemediationResult) or result.status.helped:
        return Step(role, reply, reply.error, _unknown(reply, spec))
    is_unknown = result.status is EffectVerdict.UNKNOWN
    code = UNKNOWN if is_unknown else NO_HELP
    return Step(role, reply, ErrorInfo(code=code, what=result.detail), is_unknown)


def _unknown(reply: Reply, spec: ActionSpec) -> bool:
    """Whether a failed call may have changed the world all the same."""
    if not spec.policy.effect or reply.error is None or not reply.instance:
        return False
    return blame(reply.error.code) is not Blame.ASKER  # who refuses it has not begun


def _stop_reason(monitor: Step) -> str:
    """Why the monitor wants the primary stopped; empty when it does not, or could not look."""
    if monitor.error or not _field(monitor.reply.result, "stop"):
        return ""
    return str(_field(monitor.reply.result, "reason") or "no reason given")


def _summary(result: Any) -> str:
    return str(_field(result, "summary") or "done")


def _field(result: Any, name: str) -> Any:
    """A field of a result that is a model, or the JSON of one."""
    return result.get(name) if isinstance(result, dict) else getattr(result, name, None)
