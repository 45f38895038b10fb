"""What happened, from all records as one list. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from blocks.ledger.calls.records import RunRecord
from blocks.ledger.events.records import Ending, IncidentRecord
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.ledger.work.effects import EffectRecord
from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.messages import Outcome, Severity
from flows.status.page_model import Moment

_TOLD_OTHERWISE = frozenset({"apply-approval", "approval-form", "agent-call"})
"""Runs that only serve something that the timeline tells itself."""


def timeline(
    runs: Iterable[RunRecord],
    headlines: Mapping[str, str],
    incidents: Iterable[IncidentRecord],
    acts: Iterable[EffectRecord],
    approvals: Iterable[ApprovalRecord],
    limit: int,
) -> list[Moment]:
    """What happened, newest first; the same thing several times in a row is one moment.

    Args:
        runs: Of workflows.
        headlines: What each run reports in short, by its id.
        incidents: Of the inbox.
        acts: What was done to things, or is to be.
        approvals: Questions and their answers.
        limit: How many moments at most.
    """
    moments = [
        *(_run(run, headlines.get(run.id, "")) for run in runs if _is_told(run)),
        *(moment for incident in incidents for moment in _incident(incident)),
        *(_act(record) for record in acts),
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


def _incident(incident: IncidentRecord) -> Iterator[Moment]:
    grave = incident.severity >= Severity.ERROR
    yield Moment(
        at=incident.opened_at,
        part="incidents",
        what="incident",
        mark="bad" if grave else "warning",
        title=incident.title,
        detail=incident.resource,
        run_id=incident.run_id,
    )
    if incident.settled_at is None or incident.summary:
        return
    word, mark = _how_it_ended(incident)
    yield Moment(
        at=incident.settled_at,
        part="incidents",
        what="incident",
        mark=mark,
        title=f"{word}: {incident.title}",
        detail=f"{f'By {incident.ended_by}. ' if incident.ended_by else ''}{incident.done}",
        run_id=incident.run_id,
    )


def _how_it_ended(incident: IncidentRecord) -> tuple[str, Literal["good", "neutral"]]:
    match incident.ending:
        case Ending.RESOLVED:
            return "Resolved by its source", "good"
        case Ending.ANSWERED:
            return "Closed by a person", "neutral"
        case Ending.WELL:
            return "Found well", "good"
    mended = incident.response and incident.response.mended
    return ("Mended", "good") if mended else ("Dealt with", "neutral")


def _act(effect: EffectRecord) -> Moment:
    words, mark = _went(effect)
    action = effect.kind.rpartition(".")[2].replace("_", " ")
    return Moment(
        at=effect.finished_at or effect.intended_at,
        part="incidents",
        what="remedy",
        mark=mark,
        title=f"Remedy for {effect.target} {words}: {action}",
        detail=effect.outcome.detail,
        run_id=effect.run_id,
    )


def _went(effect: EffectRecord) -> tuple[str, Literal["good", "warning", "bad", "neutral"]]:
    if effect.awaits_a_yes:
        return "waits for a yes", "warning"
    if effect.status.is_open:
        return "is being tried", "neutral"
    if effect.status is EffectStatus.UNDONE:
        if effect.helped:
            return "helped, and was put back as it was before", "good"
        return "did not help and was undone", "bad"
    match effect.outcome.verdict:
        case EffectVerdict.NOT_NEEDED:
            return "was not needed any more", "good"
        case EffectVerdict.VERIFIED:
            return "helped", "good"
        case EffectVerdict.INEFFECTIVE:
            return "did not help", "bad"
        case EffectVerdict.INCONCLUSIVE:
            return "may have helped", "warning"
        case EffectVerdict.UNKNOWN:
            return "was begun, and nobody knows how far it came", "bad"
        case EffectVerdict.FAILED:
            return "failed", "bad"
    return "was not done", "neutral"


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
