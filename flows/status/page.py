"""The status page, computed from what the ledger knows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from blocks.ledger.calls.history import HourOfCalls
from blocks.ledger.calls.records import RunRecord
from blocks.ledger.status import Health
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.settings import PagePart
from blocks.vocabulary.messages import Severity
from flows.reports.model import Report, count, money
from flows.status.drafts import orders_in_short
from flows.status.metrics import incident_reasons, question_reasons
from flows.status.objectives import objective_line
from flows.status.open_orders import open_orders_in_short
from flows.status.page_model import (
    PARTS,
    Activity,
    Agent,
    Agents,
    Condition,
    Facts,
    Overview,
    Question,
    Reason,
    Stock,
    Trouble,
    Troubles,
    WorkflowLine,
)
from flows.status.timeline import timeline
from flows.status.troubles import is_about_stock, last_daily_check, troubles

MOST_INCIDENTS = 12
RECENT = 12
"""Runs of each workflow whose outcomes are told."""

MOST_MOMENTS = 40

STALE_EVENTS = timedelta(minutes=5)
"""Events that wait for longer are a sign that nothing deals with them."""

DAILY = timedelta(hours=26)
"""A daily check that is older was missed."""

WEEK_HOURS = 7 * 24

_HOUR = timedelta(hours=1)
_SERIOUS = Severity.ERROR


def overview(facts: Facts, now: datetime) -> Overview:
    """The whole page."""
    # Of a run that failed, the run itself tells more than the event that it led to.
    runs = {f"run:{run.id}" for run in facts.runs}
    told = [incident for incident in facts.incidents if incident.resource not in runs]
    facts = replace(facts, incidents=told)
    found = troubles(facts, now)
    return Overview(
        health=_condition(facts, found, now),
        incidents=Troubles(
            open=found[:MOST_INCIDENTS],
            left_out=max(0, len(found) - MOST_INCIDENTS),
            waiting_events=facts.depth.events,
            checked_at=daily.finished_at if (daily := last_daily_check(facts)) else None,
        ),
        approvals=_questions(facts.approvals),
        agents=Agents(
            agents=[
                Agent(title=facts.titles.get(agent.agent, agent.agent), **dict(agent))
                for agent in facts.status.agents
            ],
            targets=facts.status.targets,
        ),
        objectives=[objective_line(each) for each in facts.objectives],
        workflows=_workflows(facts),
        stock=next(filter(None, map(_stock, facts.reports)), None),
        orders=orders_in_short(facts.orders) if facts.orders else None,
        open_orders=open_orders_in_short(facts.open_orders),
        activity=activity(facts.calls, facts.events, now),
        timeline=timeline(
            facts.runs,
            facts.headlines,
            facts.incidents,
            facts.acts,
            facts.approvals,
            MOST_MOMENTS,
        ),
        parts=list(PARTS),
        currency=next((report.currency for report in facts.reports if report.currency), ""),
        prefect=facts.prefect,
        can_start=list(facts.can_start),
    )


def activity(
    calls: Sequence[HourOfCalls], events: Mapping[datetime, int], now: datetime
) -> Activity:
    """The last week, hour by hour; hours in which nothing happened are there, too."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    hours = [this_hour - _HOUR * back for back in range(WEEK_HOURS - 1, -1, -1)]
    ended = {hour.start: hour for hour in calls}
    times = [ended[hour].response_ms if hour in ended else None for hour in hours]
    return Activity(
        start=hours[0],
        completed=[ended[hour].completed if hour in ended else 0 for hour in hours],
        failed=[ended[hour].failed if hour in ended else 0 for hour in hours],
        response_ms=[None if ms is None else round(ms, 1) for ms in times],
        events=[events.get(hour, 0) for hour in hours],
    )


def _condition(facts: Facts, found: Sequence[Trouble], now: datetime) -> Condition:
    grave: list[Reason] = []
    lesser: list[Reason] = []
    if not facts.prefect_answers:
        text = "Prefect's server does not answer: no workflow starts or goes on."
        grave.append(Reason(text=text, part="health"))
    for incident in found:
        if incident.severity >= _SERIOUS:
            is_grave = incident.open and incident.severity is Severity.CRITICAL
            (grave if is_grave else lesser).append(Reason(text=incident.title, part=incident.part))
    if facts.depth.oldest_wait > STALE_EVENTS:
        waiting = count(facts.depth.events, "event")
        minutes = facts.depth.oldest_wait // timedelta(minutes=1)
        text = f"{waiting} waiting, the oldest for {minutes} minutes: nothing deals with them."
        grave.append(Reason(text=text, part="incidents"))
    daily = last_daily_check(facts)
    lesser += _stock_reason(daily) if daily else []
    if daily and now - daily.finished_at > DAILY:
        text = "The daily health check was missed."
        lesser.append(Reason(text=text, part="workflows"))
    own = grave if facts.status.system_health == "unhealthy" else lesser
    told = incident_reasons(facts.status.open_incidents)  # each has its own reason above
    parts: dict[str, PagePart] = dict.fromkeys(
        question_reasons(facts.status.awaiting_approval), "approvals"
    )
    if facts.status.ledger_fault:
        parts[facts.status.ledger_fault] = "health"
    own += [
        Reason(text=_sentence(text), part=parts.get(text, "agents"))
        for text in facts.status.reasons
        if text not in told
    ]
    state: Health = "unhealthy" if grave else "degraded" if lesser else "healthy"
    return Condition(state=state, headline=_HEADLINES[state], reasons=grave + lesser)


_HEADLINES: dict[Health, str] = {
    "healthy": "Everything works",
    "degraded": "Some things need attention",
    "unhealthy": "There is serious trouble",
}


def _stock_reason(daily: Report) -> list[Reason]:
    serious = [f for f in daily.findings if is_about_stock(f) and f.severity >= _SERIOUS]
    if not serious:
        return []
    lost = money(sum(f.impact_per_day or 0.0 for f in serious), daily.currency)
    text = f"{count(len(serious), 'serious stock shortage')}, at about {lost} per day."
    return [Reason(text=text, part="stock")]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _questions(approvals: Sequence[ApprovalRecord]) -> list[Question]:
    """The open ones, the most pressing first."""
    found = sorted(
        (record for record in approvals if record.status is ApprovalStatus.OPEN),
        key=lambda record: (record.expires_at, record.id),
    )
    return [
        Question(**{name: getattr(record, name) for name in Question.model_fields})
        for record in found
    ]


def _workflows(facts: Facts) -> list[WorkflowLine]:
    """Each workflow by its newest run; those that ran last come first."""
    runs: dict[str, list[RunRecord]] = {}
    for run in facts.runs:
        runs.setdefault(run.workflow, []).append(run)
    return [_workflow(those, facts.headlines) for those in runs.values()]


def _workflow(runs: Sequence[RunRecord], headlines: Mapping[str, str]) -> WorkflowLine:
    newest = runs[0]
    ended = [run.outcome for run in runs if run.outcome is not None]
    return WorkflowLine(
        id=newest.id,
        workflow=newest.workflow,
        trigger=newest.trigger,
        started_at=newest.started_at,
        finished_at=newest.finished_at,
        outcome=newest.outcome,
        headline=headlines.get(newest.id, ""),
        has_report=newest.id in headlines,
        flow_run_id=newest.flow_run_id,
        going_on=len(runs) - len(ended),
        recent=ended[:RECENT][::-1],
    )


def _stock(report: Report) -> Stock | None:
    section = next((s for s in report.sections if s.title == "Stock at risk"), None)
    if section is None:
        return None
    return Stock(
        workflow=report.workflow,
        run_id=report.run_id,
        as_of=report.finished_at,
        text=section.text,
        tables=section.tables,
    )
