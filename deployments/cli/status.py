"""``./orchestrator status`` and ``agents``: the whole, as the command line tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from deployments.cli.app import AsJson, command, existing_ledger, show
from deployments.console.markup import escape
from deployments.console.times import ago

if TYPE_CHECKING:
    from blocks.ledger import Ledger
    from blocks.ledger.calls.records import ReportRecord, RunRecord
    from blocks.ledger.status import SystemStatus
    from flows.status.agents import AgentStatus

WINDOW = timedelta(hours=24)


@command
async def status(as_json: AsJson = False) -> None:
    """Show whether the stack is up, the last runs, what the agents do, the last report."""
    show(await read_status(), as_json, _print_status)


@dataclass
class StackStatus:
    """A running stack."""

    pid: int
    api_url: str
    processes: list[str]
    uptime_s: float


@dataclass
class LastReport:
    """The newest report in a few words."""

    workflow: str
    run_id: str
    created_at: datetime
    outcome: str
    headline: str
    findings: int


@dataclass
class Status:
    """Everything that ``status`` shows.

    ``stack`` is None when none runs, ``system`` before the first run.
    """

    state_dir: str
    stack: StackStatus | None = None
    last_report: LastReport | None = None
    runs: list[RunRecord] = field(default_factory=list)
    system: SystemStatus | None = None


async def read_status() -> Status:
    """The state of stack and ledger; the ledger's part is empty before the first run.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    from blocks.ledger.engine.health import DEADLINE
    from blocks.prefect_api.env import RunningStack
    from blocks.settings import get_settings

    state_dir = get_settings().state_dir
    running = RunningStack.find(state_dir)
    found = Status(str(state_dir))
    if running is not None:
        found.stack = StackStatus(
            running.pid, running.api_url, list(running.processes), running.uptime_s
        )
    with existing_ledger(patience=DEADLINE) as ledger:  # a person waits, and is to be told
        if ledger is not None:
            reports = await ledger.latest_reports(limit=1)
            found.last_report = _in_few_words(reports[0]) if reports else None
            found.runs = await ledger.runs(limit=10)
            found.system = await _read_system(ledger, running.uptime_s if running else None)
    return found


async def _read_system(ledger: Ledger, uptime_s: float | None) -> SystemStatus:
    from agents.registry import registry
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.dispatch.policy import last_used_policy
    from flows.status.reading import read_system_status

    team = registry()
    policy = await last_used_policy(ledger, team)
    return await read_system_status(ledger, policy, team, utc_now(), WINDOW, uptime_s)


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


def _print_status(status: Status, console: Console) -> None:
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
            f"\n[bold]{last.workflow}[/], {ago(last.created_at)}: {escape(last.headline)} "
            f"({last.outcome}, {last.findings} findings)",
            highlight=False,
        )
    if status.runs:
        table = Table("Started", "Workflow", "Trigger", "Outcome", "Took", title="Last runs")
        for run in status.runs:
            end = run.finished_at
            table.add_row(
                ago(run.started_at),
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


@command
async def agents(as_json: AsJson = False) -> None:
    """Show the agents: capabilities, actions, capacity and live workload."""
    from agents.registry import registry
    from blocks.vocabulary.messages import utc_now
    from flows.status.agents import describe_agents

    with existing_ledger() as ledger:
        activity = await ledger.activity(utc_now()) if ledger is not None else {}
    show(describe_agents(registry(), activity), as_json, _print_agents)


def _print_agents(found: list[AgentStatus], console: Console) -> None:
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
