"""Comparing automatic decisions with what then happened; what is learnt feeds selection."""

from __future__ import annotations

from collections import Counter

from prefect import flow

from blocks.ledger.outcomes import OutcomeRecord
from blocks.ledger.records import ReceiptKind
from blocks.messages import utc_now
from flows.cut_off import outlives_outages
from flows.orchestrator import Orchestrator, conclude, workflow_run
from flows.outcomes import CALL_GRACE, COMES_BACK, judge_call, judge_task
from flows.remediation import settle_orphans
from flows.reports import Report, Section, Table, count

MOST = 5000
"""Decisions of one kind that one run looks at, oldest first."""


@flow(
    name="settle-outcomes",
    description=(
        "Compares each automatic decision with what then happened: did the chosen agent succeed, "
        "did the issue come back, how long did it take. Selection learns from it."
    ),
    timeout_seconds=900,
)
@outlives_outages
async def settle_outcomes() -> Report:
    """Settle the decisions whose outcome can be told by now.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    async with workflow_run("settle-outcomes", with_business=False) as team:
        settled = [*await _calls(team), *await _tasks(team)]
        await team.ledger.outcomes.keep(settled)
        # A stack does so every few seconds; where only workers run, nobody else does.
        team.notes += await settle_orphans(team.ledger, utc_now())
        report = await team.report(
            "Outcomes of decisions",
            _headline(settled),
            sections=[_section(settled)] if settled else [],
            findings=[],
            replies=[],
        )
    return conclude(report)


async def _calls(team: Orchestrator) -> list[OutcomeRecord]:
    now = utc_now()
    decisions = await team.ledger.outcomes.open_decisions(
        ReceiptKind.SELECT, now - CALL_GRACE, MOST
    )
    judged = [judge_call(each, await team.ledger.call(each.subject), now) for each in decisions]
    return [outcome for outcome in judged if outcome is not None]


async def _tasks(team: Orchestrator) -> list[OutcomeRecord]:
    now = utc_now()
    decisions = await team.ledger.outcomes.open_decisions(ReceiptKind.ROUTE, now, MOST)
    if not decisions:
        return []
    since = min(decision.at for decision in decisions) - COMES_BACK
    tasks = await team.ledger.tasks.list(since=since, limit=2 * MOST)
    known = {task.id: task for task in tasks}
    judged = [judge_task(each, known.get(each.subject), tasks, now) for each in decisions]
    return [outcome for outcome in judged if outcome is not None]


def _headline(settled: list[OutcomeRecord]) -> str:
    if not settled:
        return "No decision's outcome became known."
    verdicts = Counter(outcome.verdict.value for outcome in settled)
    parts = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
    return f"The outcome of {count(len(settled), 'decision')} is known: {parts}."


def _section(settled: list[OutcomeRecord]) -> Section:
    groups: dict[tuple[str, str], list[OutcomeRecord]] = {}
    for outcome in settled:
        groups.setdefault((outcome.task_type or "call", outcome.instance or "nobody"), []).append(
            outcome
        )
    return Section(
        title="By task type and instance",
        tables=[
            Table(
                columns=["Task type", "Instance", "Decisions", "Outcomes", "Mean ms"],
                rows=[
                    [what, instance, len(group), _verdicts(group), _mean_ms(group)]
                    for (what, instance), group in sorted(groups.items())
                ],
            )
        ],
    )


def _verdicts(group: list[OutcomeRecord]) -> str:
    counted = Counter(outcome.verdict.value for outcome in group)
    return ", ".join(f"{number} {verdict}" for verdict, number in sorted(counted.items()))


def _mean_ms(group: list[OutcomeRecord]) -> int | None:
    known = [outcome.cost_ms for outcome in group if outcome.cost_ms is not None]
    return round(sum(known) / len(known)) if known else None
