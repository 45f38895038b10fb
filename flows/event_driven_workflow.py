"""The event-driven workflow: events that belong together get one coordinated response."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, cast

from prefect import flow
from prefect.context import FlowRunContext
from prefect.states import Completed
from pydantic import Field

from agents.registry import registry
from blocks.crash_points import reach
from blocks.settings import get_settings
from blocks.vocabulary.messages import utc_now
from blocks.vocabulary.responses import read_event
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.dispatch.policy import last_used_policy
from flows.orchestrator.events import section as sections
from flows.orchestrator.events.draining import Drained, drain
from flows.orchestrator.events.inhibition import is_due
from flows.orchestrator.events.open_incidents import open_incidents
from flows.orchestrator.incidents.costs import costs_of
from flows.orchestrator.runs.endings import outlives_outages, refusing
from flows.orchestrator.runs.identity import with_lasting_id
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude
from flows.orchestrator.team.team import Orchestrator
from flows.reports.model import Report
from flows.reports.ranking import rank

SHOWN = timedelta(hours=1)
"""How far back the chart of a report reaches."""


@flow(
    name="event-driven-workflow",
    description=(
        "Drains the inbox of events: what belongs together becomes one incident, all agents that "
        "take events are asked, and one response follows. In a storm critical events go first and "
        "milder ones are summarised; none is lost."
    ),
    timeout_seconds=2 * 3600,
)
@outlives_outages
@refusing
async def event_driven_workflow(
    event: dict[str, Any] | None = None,
    drain_seconds: Annotated[int, Field(ge=0, le=3600)] = 0,
    top: Annotated[int, Field(ge=1, le=100)] = 20,
) -> Report:
    """Drain the inbox.

    Args:
        event: An event to accept first, as JSON; for automations and for Python.
        drain_seconds: How long to go on, 0 to 3600; 0: until the inbox is empty.
        top: Rows of the longest table in the report, 1 to 100.

    Raises:
        InvalidMessage: ``event`` is no event.
        NoBusinessConfigured: There is nothing to look after yet; the events wait.
        LedgerError: The ledger cannot be read or written; the events wait.
        NothingAchieved: Every call failed; the report is kept all the same.
    """
    if event is not None:
        ledger = shared_ledger(get_settings().effective_ledger_url)
        await ledger.inbox.accept([await with_lasting_id(read_event(event))], utc_now())
        reach("events.accepted")
    by_hand = _is_by_hand()
    if not by_hand and not drain_seconds and not await _something_waits():
        return _nothing_came()
    async with workflow_run("event-driven-workflow") as team:
        drained = await drain(team, drain_seconds)
        reach("events.drained")
        if not by_hand and not drained.events and not drained.summaries:
            return _nothing_came()
        report = await _report(team, drained, top)
    return conclude(report)


def _is_by_hand() -> bool:
    """Whether somebody waits to read what came of it, were it only that nothing waits."""
    context = FlowRunContext.get()
    return context is None or context.flow_run is None or context.flow_run.deployment_id is None


async def _something_waits() -> bool:
    """Whether there are events to deal with, or a person is to be asked: a run may have died."""
    ledger, now = shared_ledger(get_settings().effective_ledger_url), utc_now()
    if (await ledger.inbox.depth(now)).events:
        return True
    if await ledger.incidents.unasked(now) or await ledger.incidents.pointless_questions():
        return True
    policy = await last_used_policy(ledger, registry())
    return bool(await ledger.firings.to_start(1)) or await is_due(ledger, policy.events, now)


def _nothing_came() -> Report:
    """A run of the deployment that had nothing to do leaves no trace but its state."""
    state: Any = Completed(message="No event waits.")
    return cast(Report, state)


async def _report(team: Orchestrator, drained: Drained, top: int) -> Report:
    now = utc_now()
    depth = await team.ledger.inbox.depth(now)
    arrivals = await team.ledger.inbox.arrivals(_since(team, now))
    told, found = drained.handled, await open_incidents(team.ledger, team.policy.events, now)
    costs = await costs_of((each.incident for each in found), team.business, team.ledger, now)
    return await team.report(
        "Events",
        sections.events_headline(drained, depth, found),
        sections=[
            *sections.standing(found, costs, team.business.timezone, team.business.currency, top),
            sections.incidents(drained, top),
            *sections.summaries(drained.summaries, top),
            sections.inbox(depth, arrivals, team.business.timezone),
        ],
        findings=rank(finding for handled in told for finding in handled.response.findings),
        replies=team.replies,
        remediations=[line for handled in told for line in handled.response.lines],
    )


def _since(team: Orchestrator, now: datetime) -> datetime:
    """From when on the chart shows arrivals: a little before the run, and no more than an hour."""
    return max(team.run.started_at - timedelta(minutes=10), now - SHOWN)
