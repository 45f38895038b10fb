"""What a status report says, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import AwareDatetime, Field

from blocks.ledger.calls.history import Runs, Work
from blocks.ledger.work.tasks import TaskCounts
from blocks.models import Strict
from blocks.vocabulary.messages import Severity

Health = Literal["healthy", "degraded", "unhealthy"]


class AgentMetrics(Strict):
    """One agent over the window.

    Attributes:
        status: ``idle``, ``working`` or ``busy`` (no slot free).
        workload: Slots in use now.
        tasks_completed: Calls that ended with a result.
        success_rate: Of the calls that ended; None when none did. What was called off, or failed
            by a source or by what was asked, says nothing of the agent and counts not.
        response_ms: Mean time from message to result.
        p95_ms: The same, which 95% of the calls stay within.
        utilization: Busy time over capacity times window, 0 to 1.
        recent_tasks: The newest actions, newest first.
    """

    agent: str
    status: str
    workload: int
    capacity: int
    tasks_completed: int
    success_rate: float | None
    response_ms: float | None
    p95_ms: float | None
    utilization: float
    recent_tasks: list[str]


class WorkflowMetrics(Strict):
    """One workflow over the window; ``completion_rate`` counts partial success as completed."""

    workflow: str
    runs: int
    going_on: int
    completion_rate: float | None
    median_s: float | None
    p95_s: float | None


class Target(Strict):
    """An operating target: what is wanted, what is, over which window."""

    name: str
    wanted: str
    actual: float | None
    unit: str
    met: bool | None
    window_hours: float


class Hour(Strict):
    """What ended within one hour."""

    start: AwareDatetime
    completed: int
    failed: int
    response_ms: float | None


class SystemStatus(Strict):
    """The system status report.

    Attributes:
        system_health: ``unhealthy`` when work is lost, an agent fails most calls or a critical
            incident is open, ``degraded`` when a target is missed, a person is waited for or
            another incident is open.
        reasons: Why it is not healthy.
        ledger_fault: What is wrong with the ledger: it takes no writes, or is damaged; else empty.
        uptime_s: Seconds since the stack started; None when none runs.
        response_ms: Mean time from message to result, all agents.
        throughput_per_hour: Calls that ended with a result, per hour of the window.
        open_incidents: How many incidents are not over, by severity.
        hours: Start of each hour of the window, for charts, with calls and mean response.
    """

    timestamp: AwareDatetime
    window_hours: float
    system_health: Health
    reasons: list[str]
    ledger_fault: str = ""
    agents: list[AgentMetrics]
    workflows: list[WorkflowMetrics]
    active_workflows: list[str]
    pending_tasks: int
    awaiting_approval: int
    uptime_s: float | None
    response_ms: float | None
    throughput_per_hour: float
    targets: list[Target]
    open_incidents: dict[Severity, int] = Field(default_factory=dict)
    hours: list[Hour] = Field(default_factory=list)


@dataclass(frozen=True)
class Facts:
    """What the ledger knows of a window, as status is computed from it.

    Attributes:
        work: What the agents did, by instance and hour of the window.
        actions: What each agent was asked for, the newest first.
        runs: Of the workflows, by how they were started and how they ended.
        tasks: How many stand how.
        workload: Slots in use now, by instance.
        open_approvals: Questions that wait for a person.
        ledger_fault: What is wrong with the ledger itself; "" when nothing is.
        open_incidents: How many are open, by severity.
    """

    work: Sequence[Work] = ()
    actions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    runs: Sequence[Runs] = ()
    tasks: TaskCounts = field(default_factory=TaskCounts)
    workload: Mapping[str, int] = field(default_factory=dict)
    open_approvals: int = 0
    ledger_fault: str = ""
    open_incidents: Mapping[Severity, int] = field(default_factory=dict)
