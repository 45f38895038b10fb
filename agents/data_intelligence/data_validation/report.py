"""What validation answers: checks, findings, a score and its meaning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal, NamedTuple

from agents.data_intelligence.result import Result
from blocks.models import Strict
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.gaps import NOTABLE
from blocks.vocabulary.messages import Severity

Verdict = Literal["good", "usable", "doubtful"]


class Check(Strict):
    """One question asked of the data.

    Attributes:
        name: Dashed name.
        question: What it asks.
        score: Share that passed (0 to 1); None when it does not count, or could not be asked.
        detail: The answer in words.
    """

    name: str
    question: str
    score: float | None
    detail: str


class FrameSummary(Strict):
    """One frame of the snapshot: its rows, those with problems, and its span of days."""

    name: str
    rows: int
    problem_rows: int
    first: date | None = None
    last: date | None = None


class ValidationReport(Result):
    """How far the data can be trusted.

    Attributes:
        taken_at: When the snapshot was read.
        score: 0 to 100: the product of the checks' scores, so that it is roughly the share of
            the data to which no objection applies.
        verdict: ``good`` (95 and more), ``usable`` (80 and more) or ``doubtful``.
        meaning: The verdict in a sentence.
        checks: The questions asked.
        frames: The frames there are.
    """

    taken_at: datetime
    score: float
    verdict: Verdict
    meaning: str
    checks: list[Check]
    frames: list[FrameSummary]


class Answer(NamedTuple):
    """A check, and what it found."""

    check: Check
    findings: Sequence[Finding] = ()


def answer(
    name: str,
    question: str,
    score: float | None,
    detail: str,
    findings: Sequence[Finding] = (),
) -> Answer:
    """An answer from its parts."""
    return Answer(Check(name=name, question=question, score=score, detail=detail), findings)


def by_share(rows: int, of: int) -> Severity:
    """How bad it is that ``rows`` of ``of`` rows have a fault."""
    share = rows / max(rows, of, 1)
    if share >= 0.2:
        return Severity.ERROR
    return Severity.WARNING if share >= 0.05 else Severity.INFO


def by_revenue(share: float | None) -> Severity:
    """How bad it is that rows which make so much of revenue (0 to 1) have a fault."""
    if share is None or share < NOTABLE:
        return Severity.INFO
    return Severity.ERROR if share >= 0.2 else Severity.WARNING
