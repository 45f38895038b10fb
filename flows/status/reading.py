"""The status of the whole, read from the ledger: for reports, the API and the command line."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from agents.registry import Registry
from blocks.ledger import Ledger
from blocks.ledger.status import Facts, SystemStatus
from blocks.ledger.work.approvals import ApprovalStatus
from blocks.policy.policy import Policy
from flows.orchestrator.dispatch.routing import instances_of
from flows.status.metrics import system_status


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
    return await asyncio.to_thread(
        system_status, facts, capacity, policy.targets, now, window, uptime_s
    )
