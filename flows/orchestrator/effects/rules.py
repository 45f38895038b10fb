"""When not to remedy: the named reasons, decided from the ledger's history alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from blocks.ledger.work.effects import EffectRecord
from blocks.policy.effect_rules import EffectRules
from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.findings import Finding


class Reason(StrEnum):
    """Why a remedy is not applied; the value is the rule's name."""

    UNMANAGED_RESOURCE = "unmanaged-resource"
    APPROVAL_REQUIRED = "approval-required"
    DUPLICATE_IN_PROGRESS = "duplicate-in-progress"
    RESOURCE_BUSY = "resource-busy"
    CONSECUTIVE_FAILURES = "consecutive-failures"
    INEFFECTIVE_CHAIN = "ineffective-chain"
    RECENTLY_REMEDIATED = "recently-remediated"
    BACKOFF = "backoff"
    BUDGET_SPENT = "budget-spent"

    def explanation(self, rules: EffectRules) -> str:
        """The rule in one sentence."""
        return _EXPLANATIONS[self].format(rules=rules)


_EXPLANATIONS = {
    Reason.UNMANAGED_RESOURCE: "Nothing safe is configured that could mend it.",
    Reason.APPROVAL_REQUIRED: "A person was asked whether it may be done, and has not answered.",
    Reason.DUPLICATE_IN_PROGRESS: "The same problem is being remedied right now.",
    Reason.RESOURCE_BUSY: "Another problem of the same resource is being remedied right now.",
    Reason.CONSECUTIVE_FAILURES: (
        "{rules.failures} remediations of this problem in a row did not help; the next may be "
        "tried {rules.failures_pause_minutes:g} minutes after the last."
    ),
    Reason.INEFFECTIVE_CHAIN: (
        "{rules.chain} remediations of this resource within {rules.chain_hours:g} hours did not "
        "help; a person must look."
    ),
    Reason.RECENTLY_REMEDIATED: (
        "It was remedied just now; if it fails again so soon, that was no cure."
    ),
    Reason.BACKOFF: "The last remediation did not help; the next waits, longer each time.",
    Reason.BUDGET_SPENT: (
        "{rules.budget} remediations were started within the last {rules.budget_minutes:g} minutes."
    ),
}


def reason_not_to_act(
    finding: Finding,
    history: Sequence[EffectRecord],
    now: datetime,
    rules: EffectRules,
    cooldown: timedelta,
    *,
    approved: bool = False,
) -> Reason | None:
    """Why the finding's remedy must not be applied now.

    Rules that look at a resource count every act on it; ``consecutive-failures`` follows the
    finding itself. A remediation that did nothing counts as one that failed, one without
    evidence or of unknown outcome too. One that was refused or found unnecessary counts as
    nothing. A wait ends at its last instant: exactly ``cooldown`` after a remediation the next is
    allowed.

    Args:
        finding: What is wrong.
        history: What was done to things, for at least as long as ``rules.history``, in any order.
        now: The instant to judge at.
        rules: The limits.
        cooldown: How long the resource is left alone after a remediation that helped.
        approved: Whether a person, who knows what was tried, said yes: then only what is going on
            right now stands in the way.

    Returns:
        The first rule that forbids it, in the order of Reason; None when it may be applied.
    """
    past = sorted((e for e in history if e.intended_at <= now), key=lambda e: e.intended_at)
    judge = _Judge(finding, past, now, rules, cooldown)
    judged = _EVEN_IF_APPROVED if approved else tuple(_RULES)
    return next((rule for rule in judged if _RULES[rule](judge)), None)


_DID_NOT_HELP = {EffectVerdict.INEFFECTIVE, EffectVerdict.INCONCLUSIVE}
_UNSUCCESSFUL = {EffectStatus.FAILED, EffectStatus.UNKNOWN}


class _Judge:
    """What each rule looks at; ``past`` is the history, oldest first."""

    def __init__(
        self,
        finding: Finding,
        past: Sequence[EffectRecord],
        now: datetime,
        rules: EffectRules,
        cooldown: timedelta,
    ) -> None:
        self.finding, self.now, self.past = finding, now, past
        self.rules, self.cooldown = rules, cooldown
        self.here = [effect for effect in past if effect.target == finding.resource]
        self.same = [effect for effect in past if effect.cause == finding.fingerprint]

    def goes_on(self, effect: EffectRecord) -> bool:
        """Whether somebody who is taken to be alive is at it."""
        end = effect.presumed_end
        return effect.status.is_open and end is not None and self.now < end

    def unsuccessful(self, effect: EffectRecord) -> bool:
        """Whether it is known not to have helped, or not known to have."""
        if effect.status in (EffectStatus.ACTING, EffectStatus.UNDOING):
            return not self.goes_on(effect)
        if effect.status is EffectStatus.UNDONE:
            return not effect.helped  # what helped was wanted for a while only
        return effect.status in _UNSUCCESSFUL or effect.outcome.verdict in _DID_NOT_HELP

    def since(self, effect: EffectRecord) -> timedelta:
        """For how long it has been over."""
        return self.now - (effect.finished_at or effect.intended_at)

    def last_failures(self, past: Sequence[EffectRecord]) -> list[EffectRecord]:
        """The unbroken row of unsuccessful ones at the end, oldest first."""
        row: list[EffectRecord] = []
        for effect in reversed(past):
            if self.unsuccessful(effect):
                row.append(effect)
            elif effect.outcome.verdict is EffectVerdict.VERIFIED:
                break
        return row[::-1]

    def consecutive_failures(self) -> bool:
        failures = self.last_failures(self.same)
        pause = timedelta(minutes=self.rules.failures_pause_minutes)
        return len(failures) >= self.rules.failures and self.since(failures[-1]) < pause

    def ineffective_chain(self) -> bool:
        window = timedelta(hours=self.rules.chain_hours)
        recent = [effect for effect in self.here if self.since(effect) < window]
        return sum(map(self.unsuccessful, recent)) >= self.rules.chain

    def recently_remediated(self) -> bool:
        return any(
            effect.outcome.verdict is EffectVerdict.VERIFIED and self.since(effect) < self.cooldown
            for effect in self.here
        )

    def backoff(self) -> bool:
        failures = self.last_failures(self.here)
        if not failures:
            return False
        wait = self.rules.backoff_seconds * (1 << min(len(failures) - 1, 10))
        wait = min(wait, self.rules.backoff_max_seconds)
        return self.since(failures[-1]) < timedelta(seconds=wait)

    def budget_spent(self) -> bool:
        window = timedelta(minutes=self.rules.budget_minutes)
        begun = [e for e in self.past if self.now - e.intended_at < window and not _did_nothing(e)]
        return len(begun) >= self.rules.budget


def _did_nothing(effect: EffectRecord) -> bool:
    """Whether it was refused, waits, or could not even be begun: nothing was measured after."""
    could_not = effect.status is EffectStatus.FAILED and not effect.outcome.after
    return could_not or effect.status is EffectStatus.REFUSED or effect.awaits_a_yes


_RULES: dict[Reason, Callable[[_Judge], bool]] = {
    Reason.UNMANAGED_RESOURCE: lambda judge: judge.finding.remedy is None,
    Reason.APPROVAL_REQUIRED: lambda judge: any(effect.awaits_a_yes for effect in judge.here),
    Reason.DUPLICATE_IN_PROGRESS: lambda judge: any(map(judge.goes_on, judge.same)),
    Reason.RESOURCE_BUSY: lambda judge: any(map(judge.goes_on, judge.here)),
    Reason.CONSECUTIVE_FAILURES: _Judge.consecutive_failures,
    Reason.INEFFECTIVE_CHAIN: _Judge.ineffective_chain,
    Reason.RECENTLY_REMEDIATED: _Judge.recently_remediated,
    Reason.BACKOFF: _Judge.backoff,
    Reason.BUDGET_SPENT: _Judge.budget_spent,
}

_EVEN_IF_APPROVED = (
    Reason.UNMANAGED_RESOURCE,
    Reason.DUPLICATE_IN_PROGRESS,
    Reason.RESOURCE_BUSY,
)
