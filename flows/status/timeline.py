"""What happened, from all records as one list. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from blocks.ledger.calls.records import RemediationRecord, RemediationStatus, RunRecord
from blocks.ledger.events.records import Ending, SituationRecord
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.vocabulary.messages import Outcome, Severity
from flows.status.page_model import Moment

_TOLD_OTHERWISE = frozenset({"apply-approval", "approval-form", "agent-call"})
"""Runs that only serve something that the timeline tells itself."""


def timeline(
    runs: Iterable[RunRecord],
    headlines: Mapping[str, str],
    situations: Iterable[SituationRecord],
    remediations: Iterable[RemediationRecord],
    approvals: Iterable[ApprovalRecord],
    limit: int,
) -> list[Moment]:
    """What happened, newest first; the same thing several times in a row is one moment.

    Args:
        runs: Of workflows.
        headlines: What each run reports in short, by its id.
        situations: Of the inbox.
        remediations: What was tried.
        approvals: Questions and their answers.
        limit: How many moments at most.
    """
    moments = [
        *(_run(run, headlines.get(run.id, "")) for run in runs if _is_told(run)),
        *(moment for situation in situations for moment in _situation(situation)),
        *(_remediation(record) for record in remediations),
        *(moment for record in approvals for moment in _approval(record)),
    ]
    # Ties keep the order above.
    return _together(sorted(moments, key=lambda moment: moment.at, reverse=True))[:limit]


def _is_told(run: RunRecord) -> bool:
    return run.workflow not in _TOLD_OTHERWISE


def _run(run: RunRecord, headline: str) -> Moment:
    said = {
        Outcome.SUCCEEDED: ("ended well", "good"),
        Outcome.PARTIAL: ("achieved a part", "warning"),
        Outcome.FAILED: ("failed", "bad"),
        Outcome.REFUSED: ("was refused", "neutral"),
        None: ("began", "neutral"),
    }[run.outcome]
    return Moment(
        at=run.finished_at or run.started_at,
        part="workflows",
        what="run",
        mark=said[1],
        title=f"{run.workflow} {said[0]}",
        detail=headline,
        run_id=run.id,
    )


def _situation(situation: SituationRecord) -> Iterator[Moment]:
    grave = situation.severity >= Severity.ERROR
    yield Moment(
        at=situation.opened_at,
        part="incidents",
        what="incident",
        mark="bad" if grave else "warning",
        title=situation.title,
        detail=situation.resource,
        run_id=situation.run_id,
    )
    if situation.settled_at is None or situation.summary:
        return
    word, mark = _how_it_ended(situation)
    yield Moment(
        at=situation.settled_at,
        part="incidents",
        what="incident",
        mark=mark,
        title=f"{word}: {situation.title}",
        detail=f"{f'By {situation.ended_by}. ' if situation.ended_by else ''}{situation.done}",
        run_id=situation.run_id,
    )


def _how_it_ended(situation: SituationRecord) -> tuple[str, Literal["good", "neutral"]]:
    match situation.ending:
        case Ending.RESOLVED:
            return "Resolved by its source", "good"
        case Ending.ANSWERED:
            return "Closed by a person", "neutral"
        case Ending.WELL:
            return "Found well", "good"
    mended = situation.response and situation.response.mended
    return ("Mended", "good") if mended else ("Dealt with", "neutral")


def _remediation(record: RemediationRecord) -> Moment:
    said = {
        RemediationStatus.INTENDED: ("is being tried", "neutral"),
        RemediationStatus.NOT_NEEDED: ("was not needed any more", "good"),
        RemediationStatus.VERIFIED: ("helped", "good"),
        RemediationStatus.INEFFECTIVE: ("did not help", "bad"),
        RemediationStatus.INCONCLUSIVE: ("may have helped", "warning"),
        RemediationStatus.FAILED: ("failed", "bad"),
        RemediationStatus.UNKNOWN: ("was begun, and nobody knows how far it came", "bad"),
    }[record.status]
    action = record.action.rpartition(".")[2].replace("_", " ")
    return Moment(
        at=record.finished_at or record.started_at,
        part="incidents",
        what="remedy",
        mark=said[1],
        title=f"Remedy for {record.resource} {said[0]}: {action}",
        detail=record.detail,
        run_id=record.run_id,
    )


def _approval(record: ApprovalRecord) -> Iterator[Moment]:
    yield Moment(
        at=record.asked_at,
        part="approvals",
        what="approval",
        mark="warning" if record.status is ApprovalStatus.OPEN else "neutral",
        title=f"Asked: {record.title}",
        run_id=record.run_id,
    )
    if record.status is ApprovalStatus.EXPIRED:
        yield Moment(
            at=record.expires_at,
            part="approvals",
            what="approval",
            mark="warning",
            title=f"Nobody answered: {record.title}",
            detail=record.outcome or f"The safe choice counts: {record.safe_choice}.",
            run_id=record.run_id,
        )
    elif record.answered_at is not None:
        word = "Approved" if record.status is ApprovalStatus.APPROVED else "Rejected"
        by = f"By {record.answered_by}{f': {record.note}' if record.note else '.'}"
        yield Moment(
            at=record.answered_at,
            part="approvals",
            what="approval",
            mark="bad" if (record.outcome or "").startswith("Failed") else "neutral",
            title=f"{word}: {record.title}",
            detail=record.outcome or f"{by} Not in effect yet.",
            run_id=record.run_id,
        )


def _together(moments: Iterable[Moment]) -> list[Moment]:
    found: list[Moment] = []
    for moment in moments:
        last = found[-1] if found else None
        same = last and (last.title, last.part, last.what) == (
            moment.title,
            moment.part,
            moment.what,
        )
        if last and same:
            found[-1] = last.model_copy(update={"count": last.count + 1})
        else:
            found.append(moment)
    return found
