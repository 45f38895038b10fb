"""What the command line says of the whole: ``status`` and ``agents``."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from blocks.ledger import Ledger
from blocks.ledger.calls.records import AgentActivity, ReportRecord, RunRecord
from blocks.ledger.engine.health import DEADLINE
from blocks.ledger.status import SystemStatus
from blocks.prefect_api.env import RunningStack
from blocks.settings import Settings, get_settings
from deployments.console.markup import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agents.registry import Registry


WINDOW = timedelta(hours=24)


class StackStatus(BaseModel):
    """A running stack."""

    pid: int
    api_url: str
    processes: list[str]
    uptime_s: float


class LastReport(BaseModel):
    """The newest report in a few words."""

    workflow: str
    run_id: str
    created_at: datetime
    outcome: str
    headline: str
    findings: int


class Status(BaseModel):
    """Everything that ``status`` shows.

    ``stack`` is None when none runs, ``system`` before the first run.
    """

    state_dir: str
    stack: StackStatus | None
    last_report: LastReport | None
    runs: list[RunRecord]
    system: SystemStatus | None


class AgentStatus(BaseModel):
    """One agent: what it can do and what it is doing.

    Attributes:
        actions: Capability to its actions, each with what it does.
        askers: Action to who may ask for it: workflows, a person at the command line, messages
            (and tasks of the decision matrix).
    """

    id: str
    title: str
    specialization: str
    status: str
    capacity: int
    workload: int
    actions: dict[str, dict[str, str]]
    askers: dict[str, list[str]]


async def read_status() -> Status:
    """The state of stack and ledger; the ledger's part is empty before the first run.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    settings = get_settings()
    running = RunningStack.find(settings.state_dir)
    stack = running and StackStatus(
        pid=running.pid,
        api_url=running.api_url,
        processes=list(running.processes),
        uptime_s=_uptime(running),
    )
    runs: list[RunRecord] = []
    reports: list[ReportRecord] = []
    system = None
    if has_ledger(settings):
        # A person waits, and is to be told what is wrong.
        with Ledger.open(settings.effective_ledger_url, patience=DEADLINE) as ledger:
            runs = await ledger.runs(limit=10)
            reports = await ledger.latest_reports(limit=1)
            system = await _read_system(ledger, stack.uptime_s if stack else None)
    return Status(
        state_dir=str(settings.state_dir),
        stack=stack,
        last_report=_in_few_words(reports[0]) if reports else None,
        runs=runs,
        system=system,
    )


def stack_uptime(settings: Settings) -> float | None:
    """Seconds since the stack on a state folder started; None when none runs."""
    running = RunningStack.find(settings.state_dir)
    return _uptime(running) if running else None


def _uptime(running: RunningStack) -> float:
    return round(time.time() - psutil.Process(running.pid).create_time())


async def _read_system(ledger: Ledger, uptime_s: float | None) -> SystemStatus:
    from agents.registry import registry
    from flows.orchestrator.dispatch.policy import last_used_policy
    from flows.system_status import read_system_status

    team = registry()
    policy = await last_used_policy(ledger, team)
    return await read_system_status(ledger, policy, team, datetime.now(UTC), WINDOW, uptime_s)


async def read_agents() -> list[AgentStatus]:
    """The registry, with each agent's live workload from the ledger.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    from agents.registry import registry

    settings = get_settings()
    if not has_ledger(settings):
        return describe_agents(registry(), {})
    with Ledger.open(settings.effective_ledger_url) as ledger:
        return describe_agents(registry(), await ledger.activity(datetime.now(UTC)))


def describe_agents(team: Registry, activity: Mapping[str, AgentActivity]) -> list[AgentStatus]:
    """Each agent of a team, with what it is doing; one without activity is idle."""
    from agents.capability import Asker

    found = []
    for agent, spec in sorted(team.agents.items()):
        workload = activity[agent].workload if agent in activity else 0
        actions: dict[str, dict[str, str]] = {}
        for action in team.actions(agent):
            actions.setdefault(action.capability, {})[action.name] = action.summary
        found.append(
            AgentStatus(
                id=agent,
                title=spec.title,
                specialization=spec.specialization,
                status="busy" if workload >= spec.capacity else "working" if workload else "idle",
                capacity=spec.capacity,
                workload=workload,
                actions=actions,
                askers={
                    action.name: [asker for asker in Asker if asker in action.policy.askers]
                    for action in team.actions(agent)
                },
            )
        )
    return found


def print_status(status: Status, console: Console) -> None:
    """The status as a person reads it."""
    if status.stack:
        console.print(
            f"[green]The stack is up[/]: Prefect at {status.stack.api_url.removesuffix('/api')}, "
            f"process {status.stack.pid}, managing {', '.join(status.stack.processes)}.",
            highlight=False,
        )
    else:
        console.print(f"[yellow]No stack runs[/] on {status.state_dir}. Start: ./orchestrator up")
    if (last := status.last_report) is not None:
        console.print(
            f"\n[bold]{last.workflow}[/], {_ago(last.created_at)}: {escape(last.headline)} "
            f"({last.outcome}, {last.findings} findings)",
            highlight=False,
        )
    if status.runs:
        table = Table("Started", "Workflow", "Trigger", "Outcome", "Took", title="Last runs")
        for run in status.runs:
            end = run.finished_at
            table.add_row(
                _ago(run.started_at),
                run.workflow,
                run.trigger,
                run.outcome.value if run.outcome else "going on",
                f"{(end - run.started_at).total_seconds():.1f} s" if end else "",
            )
        console.print(table)
    if status.system is not None:
        from deployments.console.report import print_section
        from flows.status import section as status_section

        console.print(f"\n{escape(status_section.status_headline(status.system))}", highlight=False)
        for section in status_section.system_status(status.system):
            print_section(section, console)


def print_agents(found: list[AgentStatus], console: Console) -> None:
    """The agents as a person reads them."""
    for agent in found:
        console.print(
            f"\n[bold]{agent.title}[/] [dim]{agent.id}[/] · {agent.status}, "
            f"{agent.workload} of {agent.capacity} calls\n{escape(agent.specialization)}",
            highlight=False,
        )
        table = Table(box=None, padding=(0, 2), show_header=False)
        for _ in ("capability", "action"):
            table.add_column(no_wrap=True)
        for capability, actions in agent.actions.items():
            for number, (name, summary) in enumerate(actions.items()):
                shown = escape(summary) + _not_for_everybody(agent.askers[name])
                table.add_row("" if number else f"[cyan]{capability}[/]", name, shown)
        console.print(table)


def _not_for_everybody(askers: Sequence[str]) -> str:
    return "" if "message" in askers else f" [dim](for a {' or a '.join(askers)} only)[/]"


def has_ledger(settings: Settings) -> bool:
    """False when the ledger is a SQLite file that nobody made yet: looking must not make it."""
    try:
        url = make_url(settings.effective_ledger_url)
    except (ArgumentError, ValueError):
        return True  # what is wrong with it is said when it is opened
    return url.get_backend_name() != "sqlite" or Path(url.database or "").exists()


def _in_few_words(record: ReportRecord) -> LastReport:
    from flows.reports.model import Report

    report = Report.model_validate(record.body)
    return LastReport(
        workflow=report.workflow,
        run_id=report.run_id,
        created_at=record.created_at,
        outcome=report.outcome.value,
        headline=report.headline,
        findings=len(report.findings),
    )


def _ago(instant: datetime) -> str:
    seconds = int((datetime.now(UTC) - instant).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{max(seconds, 0)} s ago"
