"""Tells recorded decisions in plain words. Pure, and knows nothing of the kinds of decisions.

It rests on what every receipt's body holds: ``inputs`` (what was known), ``decision``, ``why`` (a
sentence), and where there was a choice ``candidates``, each with a ``name``, perhaps a ``score``
made of ``parts``, and ``lost_because`` where it was not taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import AwareDatetime

from blocks.ledger.calls.records import ReceiptKind, ReceiptRecord
from blocks.ledger.receipts.traces import Standing, Trace
from blocks.models import Frozen

_LONGEST = 300  # characters of one value


class CandidateLine(Frozen):
    """One of those between whom was chosen.

    Attributes:
        score: None where it was not scored.
        parts: What the score is made of.
        came_of_it: ``chosen``, or why it lost.
    """

    name: str
    score: float | None
    parts: dict[str, float]
    came_of_it: str


class Decision(Frozen):
    """One decision.

    Attributes:
        receipt: Id of its receipt.
        title: What was to be decided.
        why: In a sentence.
        decided, inputs: Lines such as ``priority: high``.
        candidates: Empty where there was no choice.
        afterwards: What the ledger knows of what happened then, in sentences.
    """

    receipt: str
    at: AwareDatetime
    kind: ReceiptKind
    title: str
    subject: str
    why: str
    decided: list[str]
    inputs: list[str]
    policy_version: str
    candidates: list[CandidateLine]
    afterwards: list[str]


class Explanation(Frozen):
    """What was decided about one thing, in order of time, and how it stands."""

    kind: str
    id: str
    headline: str
    decisions: list[Decision]


_QUESTIONS = {
    ReceiptKind.ROUTE: "Who does it, and how urgent it is",
    ReceiptKind.SELECT: "Which instance takes it",
    ReceiptKind.RECOVER: "What is done after a failure",
    ReceiptKind.ESCALATE: "Whether a person is asked",
    ReceiptKind.APPROVE: "What comes of a person's answer",
    ReceiptKind.ARBITRATE: "Who may touch a resource",
    ReceiptKind.CORRELATE: "Which events belong together",
    ReceiptKind.RESPOND: "How an incident is answered",
    ReceiptKind.DECIDE: "Whether to act on it",
    ReceiptKind.ACT: "What came of acting",
    ReceiptKind.VERIFY: "Whether the predicted change came",
    ReceiptKind.UNDO: "What came of taking it back",
    ReceiptKind.ENTRUST: "How far a group of items may go without a person",
    ReceiptKind.REMEDIATE: "Whether and how it is mended",
    ReceiptKind.RETENTION: "What is forgotten",
}


def explain(trace: Trace) -> Explanation:
    """The decisions of a trace, each with what came of it."""
    standings = {standing.id: standing for standing in trace.standings}
    count = len(trace.receipts)
    said = f"{count} decision{'' if count == 1 else 's'}" if count else "no decision"
    subject = standings.get(trace.id)
    return Explanation(
        kind=trace.kind.value,
        id=trace.id,
        headline=f"{_stands(subject) if subject else f'{trace.kind.value} {trace.id}:'} {said}.",
        decisions=[_decision(receipt, trace, standings) for receipt in trace.receipts],
    )


def _decision(receipt: ReceiptRecord, trace: Trace, standings: Mapping[str, Standing]) -> Decision:
    body = receipt.body
    afterwards = []
    if receipt.subject in standings:
        afterwards.append(_stands(standings[receipt.subject]))
    if receipt.id in trace.verdicts:
        afterwards.append(f"Compared with what happened: {trace.verdicts[receipt.id]}.")
    return Decision(
        receipt=receipt.id,
        at=receipt.at,
        kind=receipt.kind,
        title=_QUESTIONS[receipt.kind],
        subject=receipt.subject,
        why=str(body.get("why", "")),
        decided=list(_lines(body.get("decision", {}))),
        inputs=list(_lines(body.get("inputs", {}))),
        policy_version=receipt.policy_version,
        candidates=[_candidate(c) for c in body.get("candidates") or () if isinstance(c, dict)],
        afterwards=afterwards,
    )


def _stands(standing: Standing) -> str:
    detail = f" ({standing.detail})" if standing.detail else ""
    return (
        f"{standing.kind.value.capitalize()} {standing.id[:12]}, {standing.title}: "
        f"{standing.status}{detail}."
    )


def _candidate(told: Mapping[str, Any]) -> CandidateLine:
    score, parts = told.get("score"), told.get("parts")
    lost = told.get("lost_because") or ("" if told.get("won", True) else "lost")
    return CandidateLine(
        name=str(told.get("name", "?")),
        score=score if isinstance(score, int | float) else None,
        parts={k: v for k, v in parts.items() if isinstance(v, int | float)}
        if isinstance(parts, dict)
        else {},
        came_of_it=str(lost or "chosen"),
    )


def _lines(value: Any, name: str = "") -> Iterator[str]:
    """Nested values as lines with dotted names; what was not known is left out."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _lines(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        yield f"{name}: {len(value)} of them, in the receipt"
    elif value is not None and value not in ({}, [], ""):
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield f"{name}: {text[:_LONGEST]}{'…' if len(text) > _LONGEST else ''}"
