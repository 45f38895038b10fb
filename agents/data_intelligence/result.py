"""What every result of this agent is: a frozen model of plain values, with its findings."""

from __future__ import annotations

from pydantic import Field

from blocks.models import Strict
from blocks.vocabulary.findings import Finding


class Result(Strict):
    """What an action of this agent returns.

    Attributes:
        findings: What is wrong or worth knowing, worst first.
    """

    findings: list[Finding] = Field(default_factory=list)


def worst_first(findings: list[Finding]) -> list[Finding]:
    """Each problem once, by severity, then money at risk, then fingerprint."""
    unique = {f.fingerprint: f for f in reversed(findings)}
    return sorted(
        unique.values(), key=lambda f: (-f.severity.rank, -(f.impact_per_day or 0), f.fingerprint)
    )


def count(n: int, what: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"
