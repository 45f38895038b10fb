"""The one door to having an agent act on the world.

Remedies of findings pass it, and so does every effect that a message or a task asks for: the rules,
a free agent, the claim of the resource, and then the one way in which effects are performed.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from agents.calls import Envelope, Reply, attempt_id
from blocks.errors import PolicyError, ResourceBusy
from blocks.ledger.work.effects import EffectRecord
from blocks.vocabulary.effects import Approval, EffectStatus, EffectVerdict
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import new_id, utc_now
from flows.orchestrator.dispatch.context import RunContext
from flows.orchestrator.dispatch.dispatcher import Perform, dispatch
from flows.orchestrator.effects.actions import came_of, kind_of
from flows.orchestrator.effects.claims import claim, purpose_of
from flows.orchestrator.effects.kinds import Came
from flows.orchestrator.effects.perform import (
    UNDO_TIME,
    ask_a_person,
    decide,
    intend,
    perform,
    undo,
)
from flows.orchestrator.effects.rules import Reason, reason_not_to_act

PATIENCE = 240.0
"""Seconds that an act waits for a free agent; nothing is intended, and nothing held, meanwhile."""

SOON = timedelta(minutes=1)
"""When whoever sweeps asks a person, if who decided that one must be asked did not live to."""


@dataclass(frozen=True)
class Acted:
    """What came of wanting to act.

    Attributes:
        detail: What happened, or why nothing did, in words.
        status: How it went; None when nothing was done.
        reply: The agent's; None when a rule forbade to ask.
        refusal: The rule that forbade it.
    """

    detail: str
    status: EffectVerdict | None = None
    reply: Reply | None = None
    refusal: PolicyError | None = None


async def act(
    team: RunContext,
    finding: Finding,
    remedy: Remedy,
    envelope: Envelope,
    *,
    avoid: Collection[str] = (),
    approved: bool = False,
) -> Acted:
    """Act on a finding's resource, unless there is a reason not to.

    Args:
        team: The run that acts.
        finding: On behalf of what.
        remedy: What is to be done.
        envelope: What the message to the agent says beside its payload.
        avoid: Instances that are not asked.
        approved: Whether a person, who knows what was tried, said yes.

    Raises:
        NotAllowed, InvalidMessage, LedgerError: As ``dispatch``.
    """
    finding = finding.model_copy(update={"remedy": remedy})
    key = envelope.message_id or new_id()
    # What an earlier life of this run intended, and did not live to begin.
    intent = await team.ledger.effects.of_key(key)
    if intent is None or intent.status is not EffectStatus.INTENDED:
        now = utc_now()
        intent = EffectRecord(
            kind=f"{remedy.agent}.{remedy.action}",
            target=finding.resource,
            need_key="",
            idempotency_key=key,
            cause=finding.fingerprint,
            payload={
                "finding": finding.model_dump(mode="json", fallback=str),
                "sender": envelope.sender,
            },
            run_id=team.run.id,
            task_id=envelope.task_id,
            intended_at=now,
        )
    return await _pass(_Wanted(team, finding, remedy, intent, approved), envelope, avoid)


async def act_on(team: RunContext, effect: EffectRecord) -> Acted:
    """Do what a person said yes to.

    Args:
        team: The run that acts.
        effect: As it was intended.

    Raises:
        NotAllowed, InvalidMessage, LedgerError: As ``dispatch``.
    """
    return await _pass(_let(team, effect), Envelope(sender=str(effect.payload["sender"])), ())


async def take_back(team: RunContext, effect: EffectRecord) -> EffectRecord | None:
    """Take back what is done, as a person said.

    Returns:
        The effect as it stands afterwards; None when another one takes it back.

    Raises:
        ResourceBusy: Another one has its target.
        NotAllowed, InvalidMessage, LedgerError: As ``dispatch``.
    """
    return await _let(team, effect).take_back(effect)


def _let(team: RunContext, effect: EffectRecord) -> _Wanted:
    finding = Finding.model_validate(effect.payload["finding"])
    assert finding.remedy is not None, "it was intended"
    return _Wanted(team, finding, finding.remedy, effect, approved=True)


async def _pass(wanted: _Wanted, envelope: Envelope, avoid: Collection[str]) -> Acted:
    remedy, effect = wanted.remedy, wanted.effect
    try:
        await wanted.check(utc_now())  # who must not act need not wait for a free agent
        await wanted.have_let()
        reply = await dispatch(
            wanted.team,
            remedy.agent,
            remedy.action,
            remedy.params,
            replace(
                envelope,
                message_id=attempt_id(effect.idempotency_key, effect.attempts + 1),
                task_id=effect.task_id,
                priority=envelope.priority or wanted.finding.severity.priority,
            ),
            avoid=avoid,
            patience=PATIENCE,
            around=wanted.act,
        )
    except PolicyError as refusal:
        wanted.leave_receipt(refusal)
        return Acted(refusal.what, refusal=refusal)
    await wanted.take_back_if_in_vain()
    if (done := wanted.done) is None:
        assert reply.error is not None, "nobody was free"
        detail = f"Nobody was free to do it: {reply.error.what} {reply.error.hint}"
        return Acted(detail, reply=reply)
    return Acted(done.outcome.detail, done.outcome.verdict, reply)


class _Wanted:
    """An act on its way through the door.

    Attributes:
        effect: What is wanted; on record once it has a need key.
        done: The effect as it stands once it was tried.
    """

    def __init__(
        self,
        team: RunContext,
        finding: Finding,
        remedy: Remedy,
        effect: EffectRecord,
        approved: bool,
    ) -> None:
        self.team, self.finding, self.remedy, self.effect = team, finding, remedy, effect
        self._approved = approved
        self._spec = team.toolbox.registry.action(remedy.agent, remedy.action)
        self._kind = kind_of(self._spec)
        if self._kind.says.undo:
            self._kind = replace(self._kind, undo=self._call_undo)
        self._reply: Reply | None = None
        self.done: EffectRecord | None = None

    async def check(self, now: datetime) -> None:
        """See whether a rule forbids it.

        Raises:
            PolicyError: Which one, in ``reason``.
        """
        if reason := await self._reason(now):
            raise _forbidden(reason, reason.explanation(self.team.policy.effects))

    async def have_let(self) -> None:
        """See whether somebody has to let it happen; who has not been asked yet, is.

        Raises:
            PolicyError: It is not to happen, or not now.
        """
        approval = self.team.policy.effects.approval_of(self._kind.name, self._kind.says)
        if approval is Approval.SHADOW:
            raise _forbidden("shadow", "The policy has it looked at only: it would be done now.")
        if approval is Approval.AUTOMATIC or self._approved:
            return
        if self.effect.task_id is None and not self.effect.need_key:  # else the task asks
            waiting = {"approval_id": new_id(), "next_at": utc_now() + SOON}
            intent = await self._intend(waiting)
            await ask_a_person(self.team, self._kind, intent)
        raise _forbidden(Reason.APPROVAL_REQUIRED, "A person has to say yes first.")

    async def act(self, perform_call: Perform, deadline: datetime) -> Reply:
        """Act under the claim of the resource, with the intent on record before.

        Raises:
            PolicyError: A rule forbids it.
        """
        finding = self.finding
        priority, purpose = finding.severity.priority, finding.fingerprint

        async def call(effect: EffectRecord) -> Came:
            self._reply = await perform_call()
            return came_of(self._reply.result, self._reply.error)

        try:
            # Nobody waits here: what another has just done must show its effect first.
            async with (
                claim(self.team, finding.resource, priority=priority, purpose=purpose) as held,
                held.acting(deadline - utc_now()),
            ):
                await self.check(utc_now())
                intent = self.effect.model_copy(update={"fence": held.token})
                if not intent.need_key:
                    intent = await self._intend({"fence": held.token, "next_at": deadline})
                self.done = await perform(self.team, self._kind, intent, call, deadline)
        except ResourceBusy as busy:
            is_same = purpose_of(busy.holder) == finding.fingerprint
            reason = Reason.DUPLICATE_IN_PROGRESS if is_same else Reason.RESOURCE_BUSY
            raise _forbidden(reason, busy.what) from None
        if self._reply is None:
            raise await self._too_late()
        return self._reply

    async def _intend(self, more: dict[str, Any]) -> EffectRecord:
        earlier = await self.team.ledger.effects.acts(target=self.finding.resource, limit=1)
        # Runs that know the same latest act on the resource decide the same thing, whatever they
        # found wrong with it: one wins.
        need = f"{self.finding.resource} after {earlier[0].id if earlier else 'none'}"
        wanted = {"need_key": need, "intended_at": utc_now()} | more
        why = f"{self.finding.title} Nothing forbids {self._kind.name}."
        intent = await intend(self.team, self._kind, self.effect.model_copy(update=wanted), why)
        if intent is None:
            raise await self._too_late()
        return intent

    async def _too_late(self) -> PolicyError:
        reason = await self._reason(utc_now()) or Reason.RESOURCE_BUSY
        return _forbidden(reason, reason.explanation(self.team.policy.effects))

    async def take_back_if_in_vain(self) -> None:
        """Undo what was done in vain, if that can be, and nobody else has the resource by now."""
        done = self.done
        if done and done.outcome.verdict is EffectVerdict.INEFFECTIVE and self._kind.undo:
            with suppress(ResourceBusy):
                self.done = await self.take_back(done)

    async def take_back(self, done: EffectRecord) -> EffectRecord | None:
        """Undo an effect under the claim of its target.

        Raises:
            ResourceBusy: Another one has the target.
        """
        priority, purpose = self.finding.severity.priority, self.finding.fingerprint
        async with (
            claim(self.team, done.target, priority=priority, purpose=purpose) as held,
            held.acting(UNDO_TIME),
        ):
            return await undo(self.team, self._kind, done)

    async def _call_undo(self, effect: EffectRecord) -> Came:
        reply = await dispatch(
            self.team,
            self.remedy.agent,
            self._kind.says.undo,
            self.remedy.params,
            Envelope(
                message_id=attempt_id(f"{effect.idempotency_key}~undo", effect.attempts),
                task_id=effect.task_id,
                priority=self.finding.severity.priority,
            ),
            patience=PATIENCE,
        )
        return came_of(reply.result, reply.error)

    async def _reason(self, now: datetime) -> Reason | None:
        rules = self.team.policy.effects
        history = await self.team.ledger.effects.acts(since=now - rules.history)
        others = [effect for effect in history if effect.id != self.effect.id]
        cooldown = self._kind.says.cooldown
        return reason_not_to_act(
            self.finding, others, now, rules, cooldown, approved=self._approved
        )

    def leave_receipt(self, refusal: PolicyError) -> None:
        """Record that it is not done, and the rule that forbids it."""
        decide(self.team, self._kind, self.effect, refusal.reason, refusal.what)


def _forbidden(reason: str, why: str) -> PolicyError:
    return PolicyError(reason, f"{reason}: {why}")
