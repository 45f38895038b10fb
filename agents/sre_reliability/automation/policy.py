"""When not to remedy: the named reasons, decided from the ledger's history alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from blocks.ledger.calls.records import RemediationRecord, RemediationStatus
from blocks.vocabulary.findings import Finding

IN_PROGRESS = timedelta(minutes=10)
"""An intent without an outcome is in progress until its deadline, or for so long if it has none;
after it, its process is taken to be dead and its outcome unknown, which counts as inconclusive."""

COOLDOWN = timedelta(minutes=5)
FAILURES, FAILURES_PAUSE = 3, timedelta(hours=1)
CHAIN, CHAIN_WINDOW = 2, timedelta(hours=24)
BACKOFF_BASE, BACKOFF_MAX = timedelta(seconds=60), timedelta(seconds=600)
BUDGET, BUDGET_WINDOW = 10, timedelta(hours=1)

HISTORY = CHAIN_WINDOW
"""How far back the history handed to reason_not_to_act must reach."""


class Reason(StrEnum):
    """Why a remedy is not applied; the value is the rule's name."""

    UNMANAGED_RESOURCE = "unmanaged-resource"
    DUPLICATE_IN_PROGRESS = "duplicate-in-progress"
    RESOURCE_BUSY = "resource-busy"
    CONSECUTIVE_FAILURES = "consecutive-failures"
    INEFFECTIVE_CHAIN = "ineffective-chain"
    RECENTLY_REMEDIATED = "recently-remediated"
    BACKOFF = "backoff"
    BUDGET_SPENT = "budget-spent"

    @property
    def explanation(self) -> str:
        """The rule in one sentence."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    Reason.UNMANAGED_RESOURCE: "Nothing safe is configured that could mend it.",
    Reason.DUPLICATE_IN_PROGRESS: "The same problem is being remedied right now.",
    Reason.RESOURCE_BUSY: "Another problem of the same resource is being remedied right now.",
    Reason.CONSECUTIVE_FAILURES: (
        "Three remediations of this problem in a row did not help; "
        "the next may be tried an hour after the last."
    ),
    Reason.INEFFECTIVE_CHAIN: (
        "Two remediations of this resource within 24 hours did not help; a person must look."
    ),
    Reason.RECENTLY_REMEDIATED: (
        "It was remedied less than 5 minutes ago; if it fails again so soon, that was no cure."
    ),
    Reason.BACKOFF: "The last remediation did not help; the next waits, longer each time.",
    Reason.BUDGET_SPENT: "Ten remediations were started within the last hour.",
}


def reason_not_to_act(
    finding: Finding,
    history: Sequence[RemediationRecord],
    now: datetime,
    *,
    approved: bool = False,
) -> Reason | None:
    """Why the finding's remedy must not be applied now.

    Rules that look at a resource count every action on it; ``consecutive-failures`` follows the
    finding itself. A remediation that did nothing counts as one that failed, one without
    evidence or of unknown outcome too. One that was found unnecessary counts as nothing. A wait
    ends at its last instant: exactly 5 minutes after a remediation the next is allowed.

    Args:
        finding: What is wrong.
        history: Remediations of at least the last 24 hours, of all resources, in any order.
        now: The instant to judge at.
        approved: Whether a person, who knows what was tried, said yes: then only what is going on
            right now stands in the way.

    Returns:
        The first rule that forbids it, in the order of Reason; None when it may be applied.
    """
    past = sorted((r for r in history if r.started_at <= now), key=lambda r: r.started_at)
    rules = _EVEN_IF_APPROVED if approved else _RULES
    return next((rule for rule in rules if _RULES[rule](finding, past, now)), None)


def presumed_end(record: RemediationRecord) -> datetime:
    """When who does it is taken to be dead."""
    return record.deadline or record.started_at + IN_PROGRESS


_Past = Sequence[RemediationRecord]  # oldest first


def _in_progress(record: RemediationRecord, now: datetime) -> bool:
    return (
        record.status is RemediationStatus.INTENDED
        and record.finished_at is None
        and now < presumed_end(record)
    )


def _unsuccessful(record: RemediationRecord, now: datetime) -> bool:
    if record.status is RemediationStatus.INTENDED:
        return not _in_progress(record, now)
    return record.status in {
        RemediationStatus.FAILED,
        RemediationStatus.INEFFECTIVE,
        RemediationStatus.INCONCLUSIVE,
        RemediationStatus.UNKNOWN,
    }


def _did_nothing(record: RemediationRecord) -> bool:
    """Whether it was found unnecessary, or could not even be begun: nothing was measured after."""
    could_not = record.status is RemediationStatus.FAILED and not record.after
    return could_not or record.status is RemediationStatus.NOT_NEEDED


def _ended_at(record: RemediationRecord) -> datetime:
    return record.finished_at or record.started_at


def _on(resource: str, past: _Past) -> list[RemediationRecord]:
    return [r for r in past if r.resource == resource]


def _last_failures(past: _Past, now: datetime) -> list[RemediationRecord]:
    """The unbroken run of unsuccessful remediations at the end, oldest first."""
    run: list[RemediationRecord] = []
    for record in reversed(past):
        if _unsuccessful(record, now):
            run.append(record)
        elif record.status is RemediationStatus.VERIFIED:
            break
    return run[::-1]


def _unmanaged(finding: Finding, past: _Past, now: datetime) -> bool:
    return finding.remedy is None


def _duplicate(finding: Finding, past: _Past, now: datetime) -> bool:
    return any(_in_progress(r, now) and r.finding == finding.fingerprint for r in past)


def _busy(finding: Finding, past: _Past, now: datetime) -> bool:
    return any(_in_progress(r, now) for r in _on(finding.resource, past))


def _consecutive_failures(finding: Finding, past: _Past, now: datetime) -> bool:
    failures = _last_failures([r for r in past if r.finding == finding.fingerprint], now)
    return len(failures) >= FAILURES and now - _ended_at(failures[-1]) < FAILURES_PAUSE


def _ineffective_chain(finding: Finding, past: _Past, now: datetime) -> bool:
    recent = [r for r in _on(finding.resource, past) if now - _ended_at(r) < CHAIN_WINDOW]
    return sum(_unsuccessful(r, now) for r in recent) >= CHAIN


def _recently_remediated(finding: Finding, past: _Past, now: datetime) -> bool:
    return any(
        r.status is RemediationStatus.VERIFIED and now - _ended_at(r) < COOLDOWN
        for r in _on(finding.resource, past)
    )


def _backoff(finding: Finding, past: _Past, now: datetime) -> bool:
    failures = _last_failures(_on(finding.resource, past), now)
    if not failures:
        return False
    wait = min(BACKOFF_BASE * (1 << min(len(failures) - 1, 10)), BACKOFF_MAX)
    return now - _ended_at(failures[-1]) < wait


def _budget_spent(finding: Finding, past: _Past, now: datetime) -> bool:
    acted = [r for r in past if not _did_nothing(r)]
    return sum(now - r.started_at < BUDGET_WINDOW for r in acted) >= BUDGET


_RULES: dict[Reason, Callable[[Finding, _Past, datetime], bool]] = {
    Reason.UNMANAGED_RESOURCE: _unmanaged,
    Reason.DUPLICATE_IN_PROGRESS: _duplicate,
    Reason.RESOURCE_BUSY: _busy,
    Reason.CONSECUTIVE_FAILURES: _consecutive_failures,
    Reason.INEFFECTIVE_CHAIN: _ineffective_chain,
    Reason.RECENTLY_REMEDIATED: _recently_remediated,
    Reason.BACKOFF: _backoff,
    Reason.BUDGET_SPENT: _budget_spent,
}

_EVEN_IF_APPROVED = (
    Reason.UNMANAGED_RESOURCE,
    Reason.DUPLICATE_IN_PROGRESS,
    Reason.RESOURCE_BUSY,
)
