"""Sections of the status report: targets, agents, workflows."""

from __future__ import annotations

from blocks.ledger.status import SystemStatus, Target
from flows.reports.model import Cell, Chart, Section, Table, count


def status_headline(status: SystemStatus) -> str:
    """The status in two or three sentences."""
    met = sum(target.met is True for target in status.targets)
    known = sum(target.met is not None for target in status.targets)
    parts = [f"The system is {status.system_health}."]
    if status.reasons:
        parts.append(f"{'; '.join(status.reasons[:3])}.")
    parts.append(
        f"{met} of {known} measured targets are met; "
        f"{status.throughput_per_hour:,.1f} calls per hour, "
        f"{count(status.pending_tasks, 'task')} pending, "
        f"{count(status.awaiting_approval, 'question')} open."
    )
    return " ".join(parts)


def system_status(status: SystemStatus) -> list[Section]:
    """Targets, agents and workflows, with what went on over the hours."""
    window = f"Last {status.window_hours:g} hours."
    return [
        Section(
            title="Operating targets",
            text=window,
            tables=[
                Table(
                    columns=["Target", "Wanted", "Actual", "Met"],
                    rows=[[t.name, t.wanted, _actual(t), _met(t)] for t in status.targets],
                )
            ],
        ),
        Section(
            title="Agents",
            text=" ".join([window, *_recent(status)]),
            tables=[
                Table(
                    columns=[
                        "Agent",
                        "Status",
                        "Slots",
                        "Done",
                        "Success",
                        "Mean ms",
                        "p95 ms",
                        "Busy",
                    ],
                    rows=[
                        [
                            agent.agent,
                            agent.status,
                            f"{agent.workload}/{agent.capacity}",
                            agent.tasks_completed,
                            _share(agent.success_rate),
                            _rounded(agent.response_ms),
                            _rounded(agent.p95_ms),
                            _share(agent.utilization),
                        ]
                        for agent in status.agents
                    ],
                )
            ],
            charts=[
                Chart(
                    title="Calls per hour",
                    x=[f"{hour.start:%H:%M}" for hour in status.hours],
                    series={
                        "done": [float(hour.completed) for hour in status.hours],
                        "failed": [float(hour.failed) for hour in status.hours],
                    },
                ),
                Chart(
                    title="Mean response",
                    unit="ms",
                    x=[f"{hour.start:%H:%M}" for hour in status.hours],
                    series={"response": [hour.response_ms for hour in status.hours]},
                ),
            ],
        ),
        Section(
            title="Workflows",
            text=f"Going on: {', '.join(status.active_workflows) or 'none'}.",
            tables=[
                Table(
                    columns=["Workflow", "Runs", "Completed", "Median s", "p95 s"],
                    rows=[
                        [
                            workflow.workflow,
                            workflow.runs,
                            _share(workflow.completion_rate),
                            _rounded(workflow.median_s, 1),
                            _rounded(workflow.p95_s, 1),
                        ]
                        for workflow in status.workflows
                    ],
                )
            ],
        ),
    ]


def _recent(status: SystemStatus) -> list[str]:
    return [
        f"{agent.agent} did {', '.join(agent.recent_tasks[:3])}."
        for agent in status.agents
        if agent.recent_tasks
    ]


def _actual(target: Target) -> Cell:
    if target.actual is None:
        return "not measured"
    if target.unit == "share":
        return f"{target.actual:.1%}"
    return f"{target.actual:.3g}" + (" ms" if target.unit == "ms" else "")


def _met(target: Target) -> str:
    return {True: "yes", False: "NO", None: "—"}[target.met]


def _share(share: float | None) -> str:
    return "—" if share is None else f"{share:.1%}"


def _rounded(value: float | None, digits: int = 0) -> Cell:
    return None if value is None else round(value, digits) if digits else round(value)
