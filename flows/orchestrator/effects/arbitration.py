"""Who may act on a resource that two workflows want: the judgement; ``claims`` uses it.

A higher priority takes a claim from its holder where that does no harm: whenever the holder is not
acting. A holder that acts is asked to yield, and does at its next safe point.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from blocks.ledger.work.claims import Claim
from blocks.policy.claim_rules import ClaimRules
from blocks.vocabulary.messages import Priority

CRISIS_RANK = max(Priority) + 1
"""The rank of a crisis workflow, above every priority."""


class Verdict(StrEnum):
    """What becomes of a request."""

    GRANT = "grant"
    TAKE_OVER = "take-over"
    ASK_TO_YIELD = "ask-to-yield"
    WAIT = "wait"
    REFUSE = "refuse"


class Reason(StrEnum):
    """Why; the value is the rule's name."""

    OWN_CLAIM = "own-claim"
    NEXT_IN_LINE = "next-in-line"
    RESOURCE_FREE = "resource-free"
    HOLDER_EXPIRED = "holder-expired"
    RESOURCE_BUSY = "resource-busy"
    OUTRANKED = "outranked"
    HOLDER_ACTING = "holder-acting"

    @property
    def explanation(self) -> str:
        """The rule in one sentence."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    Reason.OWN_CLAIM: "Who asks has it already.",
    Reason.NEXT_IN_LINE: "Somebody of equal or higher priority asked for it before.",
    Reason.RESOURCE_FREE: "Nobody has it.",
    Reason.HOLDER_EXPIRED: "Its holder was not heard of in time and is taken to be dead.",
    Reason.RESOURCE_BUSY: "Somebody of equal or higher priority has it.",
    Reason.OUTRANKED: "Its holder has a lower priority and is not acting.",
    Reason.HOLDER_ACTING: "Its holder has a lower priority, and must finish what it is doing.",
}


@dataclass(frozen=True)
class Request:
    """Who wants a resource.

    Attributes:
        holder: Unique to one claim of one run.
        patient_until: From then on it waits no more.
    """

    resource: str
    holder: str
    workflow: str
    priority: Priority
    patient_until: datetime


@dataclass(frozen=True)
class Decision:
    """What was decided about a request.

    Attributes:
        before: How the claim stood.
        claim: How it stands from now on.
    """

    verdict: Verdict
    reason: Reason
    before: Claim
    claim: Claim

    @property
    def granted(self) -> bool:
        """Whether who asked is the holder now."""
        return self.verdict in (Verdict.GRANT, Verdict.TAKE_OVER)

    @property
    def rival(self) -> str | None:
        """Who else has it, or is next in line."""
        is_queue = self.reason is Reason.NEXT_IN_LINE
        return self.before.wanted_by if is_queue else self.before.holder

    def repeats(self, earlier: Decision) -> bool:
        """Whether it says what an earlier one said."""
        return (self.verdict, self.reason, self.rival) == (
            earlier.verdict,
            earlier.reason,
            earlier.rival,
        )


def rank(workflow: str, priority: Priority, rules: ClaimRules) -> int:
    """What a request is ordered by: a crisis outranks all, then the priority counts."""
    return CRISIS_RANK if workflow in rules.crisis else int(priority)


def decide(claim: Claim, request: Request, now: datetime, rules: ClaimRules) -> Decision:
    """Who has the claim after a request.

    Among equals the earlier one keeps it. Who asks an acting holder to yield is next in line: no
    equal or lower request gets in between.

    Args:
        claim: How it stands.
        request: Who wants it.
        now: The instant to judge at.
        rules: Who outranks everybody, and how long silence may last.
    """
    mine = rank(request.workflow, request.priority, rules)
    until = now + timedelta(seconds=rules.hold_seconds)
    if claim.is_held(now) and claim.holder == request.holder:
        kept = claim.model_copy(update={"expires_at": max(claim.expires_at, until)})
        return Decision(Verdict.GRANT, Reason.OWN_CLAIM, claim, kept)
    if _best_in_line(claim, request.holder, now) >= mine:
        return _not_now(Reason.NEXT_IN_LINE, claim, request, now)

    taken = Claim(
        resource=request.resource,
        token=claim.token + 1,
        holder=request.holder,
        workflow=request.workflow,
        priority=mine,
        taken_at=now,
        expires_at=until,
    )
    if claim.holder is None:
        return Decision(Verdict.GRANT, Reason.RESOURCE_FREE, claim, taken)
    if not claim.is_held(now):
        return Decision(Verdict.GRANT, Reason.HOLDER_EXPIRED, claim, taken)
    if mine <= claim.priority:
        return _not_now(Reason.RESOURCE_BUSY, claim, request, now)
    if not claim.acting:
        return Decision(Verdict.TAKE_OVER, Reason.OUTRANKED, claim, taken)
    if now >= request.patient_until:
        return Decision(Verdict.REFUSE, Reason.HOLDER_ACTING, claim, claim)
    wanted = {
        "wanted_by": request.holder,
        "wanted_priority": mine,
        "wanted_until": now + timedelta(seconds=rules.wanted_seconds),
    }
    asked = claim.model_copy(update=wanted)
    return Decision(Verdict.ASK_TO_YIELD, Reason.HOLDER_ACTING, claim, asked)


def _best_in_line(claim: Claim, apart_from: str, now: datetime) -> int:
    """The rank of who is next in line; 0 when nobody is."""
    if claim.wanted_until is None or claim.wanted_until <= now or claim.wanted_by == apart_from:
        return 0
    return claim.wanted_priority or 0


def _not_now(reason: Reason, claim: Claim, request: Request, now: datetime) -> Decision:
    verdict = Verdict.WAIT if now < request.patient_until else Verdict.REFUSE
    return Decision(verdict, reason, claim, claim)


def account_of(decision: Decision, request: Request) -> dict[str, Any]:
    """What a receipt says of a decision: ``inputs``, ``decision``, ``why`` and ``candidates``."""
    asked = {
        "holder": request.holder,
        "workflow": request.workflow,
        "priority": int(request.priority),
        "patient_until": request.patient_until.isoformat(),
    }
    candidates: list[dict[str, Any]] = [{"name": request.holder, "won": decision.granted}]
    if decision.rival not in (None, request.holder):
        candidates.append({"name": decision.rival, "won": not decision.granted})
    return {
        "inputs": {"claim": decision.before.model_dump(mode="json"), "request": asked},
        "decision": {
            "verdict": decision.verdict.value,
            "claim": decision.claim.model_dump(mode="json"),
        },
        "why": f"{decision.reason}: {decision.reason.explanation}",
        "candidates": candidates,
    }
