"""What is wrong with a connection, as findings."""

from __future__ import annotations

from agents.integration_specialist.api_management.report import ConnectionCheck
from blocks.business.catalogues.answers import SupplierAnswer
from blocks.business.connections import Kind
from blocks.business.suppliers import SupplierConnection
from blocks.errors import (
    ConfigurationError,
    OrchestratorError,
    SourceGarbled,
    SourceRefused,
    SourceTimeout,
)
from blocks.store.rows import FrameSample
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import Severity

CLOCK_SKEW_LIMIT_S = 60.0
"""Clocks further apart than this are reported: signatures and tokens fail at about 300 s."""


def unreadable_frames(name: str, samples: list[FrameSample]) -> list[Finding]:
    """Frames of the store that cannot be read as they are mapped."""
    unreadable = {sample.name: sample.error for sample in samples if sample.error}
    if not unreadable:
        return []
    return [
        Finding(
            kind="store-incomplete",
            resource=f"store:{name}",
            severity=Severity.ERROR,
            title=f"The store's {' and '.join(unreadable)} cannot be read",
            evidence=unreadable,
            advice="Correct the mapping of the store, or the table it names.",
        )
    ]


def unusable_offers(answer: SupplierAnswer) -> list[Finding]:
    """Offers that had to be set aside."""
    if not answer.problems:
        return []
    usable = len(answer.frame)
    title = f"Of {answer.rows} offers of {answer.supplier}, {usable} are usable"
    if not answer.whole:
        title = f"{answer.supplier} sent a part of its catalogue: {answer.rows} rows"
    return [
        Finding(
            kind="supplier-incomplete",
            resource=f"supplier:{answer.supplier}",
            severity=Severity.WARNING if usable else Severity.ERROR,
            title=title,
            evidence={"problems": [str(problem) for problem in answer.problems]},
            advice="Tell the supplier; until then its other offers are used.",
        )
    ]


def slow(supplier: SupplierConnection, latency_ms: float) -> list[Finding]:
    """A supplier over its latency budget."""
    if latency_ms <= supplier.latency_budget_ms:
        return []
    return [
        Finding(
            kind="supplier-slow",
            resource=f"supplier:{supplier.name}",
            severity=Severity.WARNING,
            title=f"{supplier.name} took {latency_ms:.0f} ms to answer",
            evidence={
                "latency_ms": round(latency_ms, 1),
                "budget_ms": supplier.latency_budget_ms,
            },
            advice="Orders to it may time out; prefer another supplier while it lasts.",
        )
    ]


def clock(check: ConnectionCheck) -> list[Finding]:
    """A clock too far from ours."""
    skew = check.clock_skew_s
    if skew is None or abs(skew) <= CLOCK_SKEW_LIMIT_S:
        return []
    return [
        Finding(
            kind="clock-skew",
            resource=f"{check.kind}:{check.name}",
            severity=Severity.WARNING,
            title=f"The clock of {check.name} is {abs(skew):.0f} s "
            f"{'ahead of' if skew > 0 else 'behind'} ours",
            evidence={"clock_skew_s": round(skew, 1), "limit_s": CLOCK_SKEW_LIMIT_S},
            advice="Check time synchronisation on both sides, ours first.",
        )
    ]


def failure(kind: Kind, name: str, error: OrchestratorError) -> Finding:
    """A connection that gave an error instead of an answer."""
    what = _manner(error)
    unreachable_store = kind == "store" and what == "unreachable"
    return Finding(
        kind=f"{kind}-{what}",
        resource=f"{kind}:{name}",
        severity=Severity.CRITICAL if kind == "store" else Severity.ERROR,
        title=_TITLES[what].format(name=name),
        evidence={
            "error": error.code,
            "detail": error.what,
            "timed_out": isinstance(error, SourceTimeout),
        },
        advice=error.hint,
        remedy=Remedy(agent="sre-reliability", action="refetch_snapshot")
        if unreachable_store
        else None,
    )


_TITLES = {
    "refused": "{name} refuses us",
    "garbled": "{name} answers something else than it promises",
    "misconfigured": "The connection to {name} is not configured as it must be",
    "unreachable": "{name} does not answer",
}


def _manner(error: OrchestratorError) -> str:
    match error:
        case SourceRefused():
            return "refused"
        case SourceGarbled():
            return "garbled"
        case ConfigurationError():
            return "misconfigured"
    return "unreachable"
