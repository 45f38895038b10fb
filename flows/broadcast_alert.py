"""An alert to all agents at once: each hears what it needs to know, every answer is collected."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from agents.calls import Envelope, Reply
from agents.registry import AgentSpec
from blocks.crash_points import reach
from blocks.ledger.events.records import IncidentRecord, IncidentResponse, IncidentStatus
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import MessageType, Severity, SystemEvent, utc_now
from blocks.vocabulary.responses import EventResponse
from blocks.vocabulary.told import told_by
from flows.orchestrator.dispatch.resume import earlier_reply
from flows.orchestrator.events.standing import ask_about
from flows.orchestrator.messages.alert_formats import Alert, event_for
from flows.orchestrator.runs.endings import outlives_outages
from flows.orchestrator.runs.identity import accepted_as, id_from
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude
from flows.orchestrator.team.team import Orchestrator
from flows.reports.model import Report, Section, Table, count
from flows.reports.ranking import rank

_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"
_RESOURCE = r"^$|^[a-z][a-z0-9_-]*:[^\x00-\x1f\x7f-\x9f]+$"


TEST = "Test alert"
"""The title of an alert that says nothing: whoever runs the workflow as it comes tries it out."""


@flow(
    name="broadcast-alert",
    description=(
        "Tells every agent of an alert at once, each in the form that it needs, and reports what "
        "each makes of it. An agent that fails is named and stops nobody. What concerns no agent "
        "stays open, and a person is asked."
    ),
    timeout_seconds=300,
)
@outlives_outages
async def broadcast_alert(
    title: Annotated[str, Field(pattern=_LINE, min_length=1, max_length=200)] = TEST,
    severity: Severity = Severity.WARNING,
    detail: Annotated[str, Field(max_length=4000)] = "",
    resource: Annotated[str, Field(pattern=_RESOURCE, max_length=500)] = "",
    data: dict[str, Any] | None = None,
) -> Report:
    """Tell every agent of an alert and collect what each says.

    Args:
        title: What happened, in one line.
        severity: How bad it is; it decides how urgent the messages are.
        detail: What else is to say.
        resource: The thing concerned, as type:name, for instance service:checkout.
        data: Measured values, name to value.

    Raises:
        NoBusinessConfigured: There is nothing to look after yet.
        LedgerError: What was done could not be recorded.
        NothingAchieved: Every agent failed; the report is kept all the same.
    """
    async with workflow_run("broadcast-alert") as team:
        identity = await accepted_as()
        alert = Alert(title, severity, utc_now(), detail, resource, data or {})
        agents = list(team.toolbox.registry.agents.values())
        told = [agent for agent in agents if agent.event_action]
        replies = await asyncio.gather(*(_tell(team, agent, alert, identity) for agent in told))
        await team.ledger.flush()
        reach("alert.told")
        if left := title != TEST and severity is not Severity.INFO and not _concerned(replies):
            await _leave_open(team, alert, replies, f"broadcast {identity or team.run.id}")
        team.notes += [f"{a.title} takes no alerts." for a in agents if not a.event_action]
        report = await team.report(
            f"Alert: {title}",
            _headline(replies, stays_open=left),
            sections=[_section(alert, told, replies)],
            findings=rank(_findings(replies)),
            replies=replies,
        )
    return conclude(report)


async def _tell(team: Orchestrator, agent: AgentSpec, alert: Alert, identity: str | None) -> Reply:
    """Have an agent answer; in a restarted run, unless it did before."""
    message_id = None if identity is None else id_from(identity, agent.id)
    spec = team.toolbox.registry.action(agent.id, agent.event_action)
    if message_id and (reply := await earlier_reply(team.ledger, spec, message_id)):
        team.replies.append(reply)
        return reply
    return await team.ask(
        agent.id,
        agent.event_action,
        {"event": event_for(agent, alert)},
        Envelope(message_id, type=MessageType.ALERT, priority=alert.severity.priority),
    )


async def _leave_open(
    team: Orchestrator, alert: Alert, replies: Sequence[Reply], need_key: str
) -> None:
    """What concerns nobody is an incident until a person says that it is dealt with."""
    now = utc_now()
    said = {"summary": alert.detail, "labels": {k: str(v) for k, v in alert.data.items()}}
    event = SystemEvent(source=need_key, type="broadcast", data=alert.data | said)
    standing = await team.ledger.incidents.stand(
        IncidentRecord(
            need_key=need_key,
            resource=alert.resource or f"alert:{alert.title}",
            severity=alert.severity,
            title=alert.title,
            opened_at=now,
            updated_at=now,
            status=IncidentStatus.STANDING,
            run_id=team.run.id,
            responded_at=now,
            response=IncidentResponse(
                done="It concerns no agent: a person is asked.",
                assessments={},
                failed={r.message.recipient: r.error.what for r in replies if r.error},
                told=told_by(event),
            ),
            group_key=need_key,
        )
    )
    reach("alert.stands")
    if standing.approval_id is None and not standing.is_over:
        await ask_about(team, [standing], now)


def _concerned(replies: Sequence[Reply]) -> list[EventResponse]:
    return [answer for answer in _answers(replies) if answer.relevant]


def _answers(replies: Sequence[Reply]) -> list[EventResponse]:
    return [reply.result for reply in replies if isinstance(reply.result, EventResponse)]


def _headline(replies: Sequence[Reply], *, stays_open: bool) -> str:
    concerned = _concerned(replies)
    parts = [f"{count(len(replies), 'agent')} told, {len(concerned)} concerned."]
    if concerned:
        worst = max(concerned, key=lambda answer: answer.severity)
        parts.append(worst.assessment)
    if stays_open:
        parts.append("It stays open until a person answers.")
    if failed := [reply.message.recipient for reply in replies if not reply.ok]:
        parts.append(f"No answer from {', '.join(failed)}.")
    return " ".join(parts)


def _section(alert: Alert, told: Sequence[AgentSpec], replies: Sequence[Reply]) -> Section:
    about = f" About {alert.resource}." if alert.resource else ""
    return Section(
        title="What each agent says",
        text=f"Severity {alert.severity.value}.{about} {alert.detail}".strip(),
        tables=[
            Table(
                columns=["Agent", "Relevant", "Assessment", "Advice"],
                rows=[
                    [agent.title, *_row(reply)] for agent, reply in zip(told, replies, strict=True)
                ],
            )
        ],
    )


def _row(reply: Reply) -> list[str]:
    if reply.error:
        return ["—", f"failed: {reply.error.what}", reply.error.hint]
    answer = reply.result
    if not isinstance(answer, EventResponse):
        return ["—", str(getattr(answer, "summary", "") or "answered"), ""]
    return ["yes" if answer.relevant else "no", answer.assessment, answer.advice]


def _findings(replies: Sequence[Reply]) -> list[Finding]:
    """What the agents judge to be wrong; each one's view is a finding of its own."""
    return [
        Finding(
            kind=f"seen-by-{reply.message.recipient}",
            resource=answer.resource,
            severity=answer.severity,
            title=answer.assessment.rstrip("."),
            evidence=answer.evidence,
            impact_per_day=answer.impact_per_day,
            advice=answer.advice,
            remedy=next(iter(answer.proposals), None),
        )
        for reply in replies
        if isinstance(answer := reply.result, EventResponse)
        and answer.relevant
        and answer.severity is not Severity.INFO
    ]
