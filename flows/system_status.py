"""The status of agents, workflows and operating targets as a report with charts."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated

from prefect import flow
from pydantic import Field

from agents.registry import Registry
from blocks.ledger import Ledger
from blocks.ledger.status import Facts, SystemStatus
from blocks.ledger.work.approvals import ApprovalStatus
from blocks.policy.policy import Policy
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.dispatch.routing import instances_of
from flows.orchestrator.runs.cut_off import outlives_outages
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude
from flows.reports.model import Report
from flows.status import section as status_section
from flows.status.metrics import system_status as judge


@flow(
    name="system-status",
    description=(
        "Reports how agents and workflows did over the last hours, from the ledger: workload, "
        "response times, success, utilization, and the operating targets."
    ),
    timeout_seconds=300,
)
@outlives_outages
async def system_status(hours: Annotated[int, Field(ge=1, le=168)] = 24) -> Report:
    """Report how agents and workflows did.

    Args:
        hours: How far back to look, 1 to 168.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    async with workflow_run("system-status", with_business=False) as team:
        now = utc_now()
        status = await read_system_status(
            team.ledger, team.policy, team.toolbox.registry, now, timedelta(hours=hours)
        )
        report = await team.report(
            "System status",
            status_section.status_headline(status),
            sections=status_section.system_status(status),
            findings=[],
            replies=[],
        )
    return conclude(report)


async def read_system_status(
    ledger: Ledger,
    policy: Policy,
    team: Registry,
    now: datetime,
    window: timedelta,
    uptime_s: float | None = None,
) -> SystemStatus:
    """The status as the ledger has it.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    since, history = now - window, ledger.history
    fault = await ledger.health.fault()
    facts = Facts(
        work=await history.work(since),
        actions={agent: await history.actions(agent, since) for agent in team.agents},
        runs=await history.runs(since),
        tasks=await ledger.tasks.counts(since, now),
        workload=await ledger.leases.workload(now),
        open_approvals=len(await ledger.approvals.list(ApprovalStatus.OPEN)),
        ledger_fault=fault and f"the ledger {fault}",
        open_incidents=await ledger.incidents.counts(),
    )
    capacity = {
        agent: {i.name: i.capacity or 1 for i in instances_of(policy, team, agent)}
        for agent in team.agents
    }
    return await asyncio.to_thread(judge, facts, capacity, policy.targets, now, window, uptime_s)
