"""The one response to an incident: all agents asked, their answers settled, what is safe tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from blocks.crash_points import reach
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.events.records import Ending, IncidentRecord, IncidentResponse
from blocks.ledger.incidents.silences import SilenceRecord
from blocks.ledger.work.effects import EffectRecord
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.looks import WATCH
from blocks.vocabulary.messages import FIRING, Severity, SystemEvent, utc_now
from blocks.vocabulary.responses import EventResponse
from blocks.vocabulary.told import Told, in_words, told_by
from flows.orchestrator.events.asking import Answers
from flows.orchestrator.events.incident import Correlated
from flows.orchestrator.incidents.silencing import maintenance_of
from flows.orchestrator.remedies.remediation import remediate
from flows.orchestrator.team.team import Orchestrator
from flows.reports.model import RemediationLine

KIND = "reported-trouble"
"""The kind of the findings that events lead to."""

_NOT_ITS_KIND = "It knows nothing of this kind of thing, and was not asked."


@dataclass(frozen=True)
class Response:
    """What came of an incident.

    Attributes:
        severity: The worst that an agent whom it concerns judges it to be.
        assessments: Agent to what it said; those who had nothing to say are not there.
        findings: One per distinct proposal, or one that advises a person.
        lines: What was tried, or why not.
        failed: Agents that did not answer, with the reason.
        well: What our own look showed, if it showed the thing itself well.
        fires_elsewhere: Whether somebody else tells of it who says when it is over: that a thing
            answers well does not refute that it is slow, or sells nothing.
        impact_per_hour: Money at risk, the greatest that an agent sees; None when unknown.
        told: What its sender says of it.
        grave: Whether a person is asked about it where no agent knows anything.
    """

    severity: Severity
    assessments: dict[str, str]
    findings: tuple[Finding, ...]
    lines: tuple[RemediationLine, ...]
    failed: dict[str, str]
    well: str = ""
    fires_elsewhere: bool = False
    impact_per_hour: float | None = None
    told: Told = field(default_factory=Told)
    grave: bool = False

    @property
    def mended(self) -> bool:
        """Whether a remedy was verified to have helped."""
        return any(line.status is not None and line.status.helped for line in self.lines)

    @property
    def unknown(self) -> bool:
        """Whether no agent knows anything about it."""
        return not self.assessments

    @property
    def needs_a_person(self) -> bool:
        """Whether it would be nobody's, were no person told."""
        return self.unknown and self.grave

    @property
    def ending(self) -> Ending | None:
        """How it ended, if our own look says that it is well."""
        if self.mended:
            return Ending.MENDED
        return Ending.WELL if self.well and not self.lines and not self.fires_elsewhere else None

    @property
    def done(self) -> str:
        """What was done, or is to be done, in a sentence."""
        if self.lines:
            return " ".join(f"{in_short(line)} {line.detail}".strip() for line in self.lines)
        if self.well:
            waits = " Its source says when it is over." if self.fires_elsewhere else ""
            return f"Our own look shows it well: {self.well}{waits}"
        if self.unknown and self.severity is not Severity.INFO:
            return self._whose
        return next((f.advice for f in self.findings if f.advice), "Nothing to do.")

    @property
    def _whose(self) -> str:
        """Why nothing was done about what no agent knows, and who sees to it."""
        why = "No agent knows anything about it"
        if self.failed:
            why = f"No agent could say anything of it, and {' and '.join(self.failed)} failed"
        return f"{why}: a person is asked." if self.needs_a_person else f"{why}."

    @property
    def kept(self) -> IncidentResponse:
        """What the incident keeps of it."""
        return IncidentResponse(
            done=self.done,
            severity=self.severity,
            mended=self.mended,
            assessments=self.assessments,
            failed=self.failed,
            remediations=[line.model_dump(mode="json") for line in self.lines],
            advice=[finding.advice for finding in self.findings if finding.advice],
            impact_per_hour=self.impact_per_hour,
            told=self.told,
        )


def in_short(line: RemediationLine) -> str:
    """The action and how it ended, for instance ``restart_service: verified``."""
    return f"{line.action}: {line.status.value if line.status else 'not tried'}."


async def respond(
    team: Orchestrator, correlated: Correlated, incident: IncidentRecord, answers: Answers
) -> Response:
    """Settle what the agents say, and try what they propose.

    An agent that fails is no obstacle: the others' answers count, and it is named. A remedy that
    was tried since the present outage began is not tried again, whoever tried it: a run that died
    over the incident may have acted.

    Args:
        team: The run that responds.
        correlated: The incident's events.
        incident: The incident as the ledger has it.
        answers: What the agents say.

    Raises:
        LedgerError: What was decided could not be recorded.
    """
    well = seen_well(answers.said)
    severity, findings = settle_answers(correlated, answers.said)
    elsewhere = fires_elsewhere(correlated.events)
    if well:
        findings = []  # there is nothing to try
        severity = max(severity, correlated.severity) if elsewhere else severity
    fresh, earlier = await _not_tried_yet(team, findings, incident.began_at)
    window = await maintenance_of(team.ledger, incident, utc_now()) if fresh else None
    if window is None:
        lines = [*earlier, *await remediate(team, fresh)]
    else:
        lines = [*earlier, *left_alone(fresh, window)]
    reach("events.remedied")
    response = Response(
        severity=severity,
        assessments={a: said.assessment for a, said in answers.said.items() if said.relevant},
        findings=tuple(findings),
        lines=tuple(lines),
        failed=answers.failed,
        well=well,
        fires_elsewhere=elsewhere,
        impact_per_hour=_at_risk(answers.said),
        told=told_by(correlated.lead),
        grave=severity >= team.policy.events.worth_asking,
    )
    _leave_receipt(team, incident, correlated, answers, response)
    return response


def left_alone(findings: Sequence[Finding], window: SilenceRecord) -> list[RemediationLine]:
    """What is not tried because somebody works on it."""
    until = f"{window.ends_at:%Y-%m-%d %H:%M} UTC"
    detail = f"It is in maintenance until {until} ({window.by}: {window.reason})."
    return [
        RemediationLine(
            finding=each.fingerprint, action=each.remedy.action, status=None, detail=detail
        )
        for each in findings
        if each.remedy is not None
    ]


def settle_answers(
    correlated: Correlated, answers: dict[str, EventResponse]
) -> tuple[Severity, list[Finding]]:
    """What all answers together come to.

    The worst judgement of those whom it concerns holds; without one, the events' own. Equal
    proposals are one. Without a proposal the advice goes to a person. Money at risk is the
    greatest that an agent sees.

    Args:
        correlated: The incident's events.
        answers: Agent to what it said.

    Returns:
        The severity, and the findings in the order of the agents' names.
    """
    concerned = {agent: answers[agent] for agent in sorted(answers) if answers[agent].relevant}
    judged = [answer.severity for answer in concerned.values()] or [correlated.severity]
    severity = max(judged)
    per_day = _most(a.impact_per_day for a in concerned.values())
    advice = list(dict.fromkeys(a.advice for a in concerned.values() if a.advice))
    evidence = {agent: answer.assessment for agent, answer in concerned.items()}

    def finding(resource: str, remedy: Remedy | None) -> Finding:
        return Finding(
            kind=KIND,
            resource=resource,
            severity=severity,
            title=correlated.title,
            evidence=evidence,
            impact_per_day=per_day,
            advice=" ".join(advice),
            remedy=remedy,
        )

    proposed: dict[str, Finding] = {}
    for answer in concerned.values():
        for remedy in answer.proposals:
            proposed.setdefault(remedy.model_dump_json(), finding(answer.resource, remedy))
    if proposed:
        return severity, list(proposed.values())
    worth_telling = bool(advice) or severity >= Severity.ERROR
    return severity, [finding(correlated.resource, None)] if worth_telling else []


def seen_well(answers: Mapping[str, EventResponse]) -> str:
    """What whoever looked at the thing itself says, if all who did found it well; else empty."""
    looks = [a for _, a in sorted(answers.items()) if a.relevant and a.well is not None]
    return " ".join(a.assessment for a in looks) if all(a.well for a in looks) else ""


def fires_elsewhere(events: Iterable[SystemEvent]) -> bool:
    """Whether an alert of others is among some events: all but those of our own watching."""
    return any(event.status == FIRING and not event.source.startswith(WATCH) for event in events)


def _at_risk(answers: Mapping[str, EventResponse]) -> float | None:
    """The most money per hour that one of those whom it concerns sees at risk."""
    return _most(a.impact_per_hour for a in answers.values() if a.relevant)


def _most(amounts: Iterable[float | None]) -> float | None:
    return max((amount for amount in amounts if amount is not None), default=None)


async def _not_tried_yet(
    team: Orchestrator, findings: Sequence[Finding], opened_at: datetime
) -> tuple[list[Finding], list[RemediationLine]]:
    fresh, lines = [], []
    for finding in findings:
        tried = await _tried(team, finding, opened_at) if finding.remedy else None
        if tried is None:
            fresh.append(finding)
            continue
        detail = tried.outcome.detail or (
            "Begun by a run that died; nobody knows whether it was done."
        )
        lines.append(
            RemediationLine(
                finding=finding.fingerprint,
                action=tried.kind.partition(".")[2],
                status=tried.outcome.verdict,
                detail=detail,
            )
        )
    return fresh, lines


async def _tried(team: Orchestrator, finding: Finding, opened_at: datetime) -> EffectRecord | None:
    assert finding.remedy is not None
    wanted = f"{finding.remedy.agent}.{finding.remedy.action}"
    found = await team.ledger.effects.acts(since=opened_at, target=finding.resource)
    return next((e for e in found if e.kind == wanted and e.cause == finding.fingerprint), None)


def _leave_receipt(
    team: Orchestrator,
    incident: IncidentRecord,
    correlated: Correlated,
    answers: Answers,
    response: Response,
) -> None:
    team.receipt(
        ReceiptKind.RESPOND,
        incident.id,
        inputs={
            "resource": correlated.resource,
            "severity": correlated.severity.value,
            "urgency": list(correlated.urgency.reasons),
            "failed": response.failed,
        },
        decision=response.kept.model_dump(mode="json", exclude_unset=True),
        why=f"{in_words(correlated.resource)}: {response.done}",
        candidates=[
            {
                "name": agent,
                "severity": said.severity.value,
                "proposals": [proposal.action for proposal in said.proposals],
                "lost_because": "" if said.relevant else said.assessment,
            }
            for agent, said in sorted(answers.said.items())
        ]
        + [{"name": agent, "lost_because": _NOT_ITS_KIND} for agent in answers.unasked],
    )
