"""Whether the data can be trusted: complete, fresh, consistent, plausible."""

from __future__ import annotations

from datetime import datetime
from math import prod

from agents.capability import action
from agents.data_intelligence.data_validation import plausibility, presence
from agents.data_intelligence.data_validation.report import FrameSummary, ValidationReport, Verdict
from agents.data_intelligence.result import worst_first
from agents.data_intelligence.trading_calendar import local_day
from blocks.vocabulary.frames import Snapshot


@action()
def validate_data(snapshot: Snapshot, now: datetime) -> ValidationReport:
    """Check whether the data are complete, fresh, consistent and plausible.

    Never fails on bad data: a frame that is not there is a finding.

    Args:
        snapshot: As read from the store, with its problems.
        now: Freshness is judged at this instant.
    """
    today = local_day(now, snapshot.timezone)
    answers = [
        presence.completeness(snapshot),
        presence.soundness(snapshot),
        presence.currency(snapshot),
        presence.freshness(snapshot, now),
        presence.dates(snapshot, today),
        presence.stock_age(snapshot, now),
        plausibility.references(snapshot),
        plausibility.units(snapshot),
        plausibility.prices(snapshot),
        plausibility.returns(snapshot, today),
    ]
    checks = [each.check for each in answers]
    score = 100 * prod(check.score for check in checks if check.score is not None)
    verdict, meaning = _judge(score)
    return ValidationReport(
        taken_at=snapshot.taken_at,
        score=round(score, 1),
        verdict=verdict,
        meaning=meaning,
        checks=checks,
        frames=_summaries(snapshot),
        findings=worst_first([finding for each in answers for finding in each.findings]),
    )


def _judge(score: float) -> tuple[Verdict, str]:
    if score >= 95:
        return "good", "The numbers can be used as they are."
    if score >= 80:
        return "usable", "The numbers hold as a whole; read the findings before acting on one."
    return "doubtful", "Mend the findings first: conclusions from these data may be wrong."


def _summaries(snapshot: Snapshot) -> list[FrameSummary]:
    return [
        FrameSummary(
            name=name,
            rows=len(frame),
            problem_rows=sum(p.rows for p in snapshot.problems if p.frame == name),
            first=frame["date"].min().date() if "date" in frame and len(frame) else None,
            last=frame["date"].max().date() if "date" in frame and len(frame) else None,
        )
        for name, frame in snapshot.frames.items()
    ]
