"""Comparing automatic decisions with what then happened; what is learnt feeds selection."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from functools import partial

from prefect import flow

from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReceiptKind, ReceiptRecord
from blocks.ledger.purchasing.outcomes import OrderOutcome
from blocks.ledger.receipts.outcomes import OutcomeRecord
from blocks.vocabulary.messages import utc_now
from flows.internal.take_back import have_taken_back
from flows.orchestrator.approvals.caretaker import settle_effects
from flows.orchestrator.decisions.outcomes import CALL_GRACE, judge_call, judge_task
from flows.orchestrator.dispatch.context import RunContext
from flows.orchestrator.effects.lanes import Lanes
from flows.orchestrator.purchasing.autonomy import ladder_of
from flows.orchestrator.purchasing.section import ladder_section
from flows.orchestrator.purchasing.settling import settle_orders
from flows.orchestrator.runs.endings import outlives_outages
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude
from flows.orchestrator.webhooks.sending import tell_endpoints
from flows.reports.model import Report, Section, Table, count

ENDPOINTS = 60.0
"""Seconds that partners' endpoints are waited for; what is left is sent another time."""

MOST = 5000
"""New decisions of one kind that one run looks at, oldest first."""


@flow(
    name="settle-outcomes",
    description=(
        "Compares each automatic decision with what then happened: did the chosen agent succeed, "
        "did the issue come back, how long did it take; what an order cost against a simple rule. "
        "Selection learns from it, and groups of items earn, or lose, orders without asking."
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
        settled = await settle(team.ledger, utc_now())
        orders = await settle_orders(team, utc_now())
        ladder = await ladder_of(team.ledger, team.policy.autonomy)
        # A stack does so every few seconds; where only workers run, nobody else does.
        swept = await settle_effects(team.ledger, utc_now(), have_taken_back)
        async with Lanes(ENDPOINTS) as lanes:
            swept += await tell_endpoints(team.ledger, partial(_itself, team), lanes)
        team.notes += [*swept, *orders.missing]
        report = await team.report(
            "Outcomes of decisions",
            f"{_headline(settled)}{_of_orders(orders.outcomes)}",
            sections=[
                *([_section(settled)] if settled else []),
                *([ladder_section(ladder, orders.outcomes)] if ladder else []),
            ],
            findings=[],
            replies=[],
        )
    return conclude(report)


async def _itself(team: RunContext) -> RunContext:
    return team


async def settle(ledger: Ledger, now: datetime) -> list[OutcomeRecord]:
    """Settle the decisions whose outcome can be told by now.

    What was settled before is not read again, however long the ledger grows.

    Returns:
        The outcomes that became known.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    selections = await ledger.outcomes.open_decisions(ReceiptKind.SELECT, MOST)
    routings = await ledger.outcomes.open_decisions(ReceiptKind.ROUTE, MOST)
    settled = [
        *await _of_calls(ledger, [*selections.receipts.values()], now),
        *await _of_tasks(ledger, [*routings.receipts.values()], now),
    ]
    await ledger.outcomes.keep(settled, selections, routings)
    return settled


async def _of_calls(
    ledger: Ledger, decisions: list[ReceiptRecord], now: datetime
) -> list[OutcomeRecord]:
    due = [decision for decision in decisions if decision.at < now - CALL_GRACE]
    calls = await ledger.calls_of({decision.subject for decision in due})
    judged = [judge_call(each, calls.get(each.subject), now) for each in due]
    return [outcome for outcome in judged if outcome is not None]


async def _of_tasks(
    ledger: Ledger, decisions: list[ReceiptRecord], now: datetime
) -> list[OutcomeRecord]:
    subjects = {decision.subject for decision in decisions}
    tasks = {task.id: task for task in await ledger.tasks.of_ids(subjects)}
    again = await ledger.tasks.asked_again(subjects)
    judged = [judge_task(each, tasks.get(each.subject), again, now) for each in decisions]
    return [outcome for outcome in judged if outcome is not None]


def _headline(settled: list[OutcomeRecord]) -> str:
    if not settled:
        return "No decision's outcome became known."
    verdicts = Counter(outcome.verdict.value for outcome in settled)
    parts = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
    return f"The outcome of {count(len(settled), 'decision')} is known: {parts}."


def _of_orders(outcomes: list[OrderOutcome]) -> str:
    if not outcomes:
        return ""
    return f" What came of {count(len(outcomes), 'order line')} is known."


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
