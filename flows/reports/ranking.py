"""What matters first: findings of all agents as one ranked list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity


def rank(findings: Iterable[Finding], revenue_per_day: float | None = None) -> list[Finding]:
    """Findings by severity, then by money at risk, each problem once.

    Args:
        findings: What the agents found; two with one fingerprint are one problem, of which the
            more severe report is kept.
        revenue_per_day: Typical revenue per calendar day in the store's currency; turns a
            finding's ``revenue_share`` into money where the agent gave none.

    Returns:
        The findings, worst first; equal ones in the order of their fingerprints, so that the
        same problems are always listed the same way.
    """
    worst: dict[str, Finding] = {}
    for finding in findings:
        priced = _priced(finding, revenue_per_day)
        known = worst.get(finding.fingerprint)
        if known is None or _weight(priced) > _weight(known):
            worst[finding.fingerprint] = priced
    return sorted(worst.values(), key=lambda f: (*(-w for w in _weight(f)), f.fingerprint))


def _priced(finding: Finding, revenue_per_day: float | None) -> Finding:
    if finding.impact_per_day is not None or not finding.revenue_share or revenue_per_day is None:
        return finding
    return finding.model_copy(update={"impact_per_day": finding.revenue_share * revenue_per_day})


def _weight(finding: Finding) -> tuple[float, float]:
    return finding.severity.rank, finding.impact_per_day or 0.0


def serious(findings: Iterable[Finding]) -> list[Finding]:
    """Those that somebody should act on today: errors and critical ones."""
    return [f for f in findings if f.severity >= Severity.ERROR]


def things_to_know(findings: Sequence[Finding]) -> str:
    """The findings in a sentence, the first serious one by its title."""
    if not findings:
        return "Nothing needs attention."
    grave = serious(findings)
    things = "1 thing" if len(findings) == 1 else f"{len(findings)} things"
    if not grave:
        return f"{things} to know, none serious."
    return f"{things} to know, {len(grave)} serious. First: {grave[0].title}."
