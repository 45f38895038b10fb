"""A look at everything that is watched, ad hoc, with its report."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import flow

from blocks.prefect_api.client import PrefectApi
from blocks.vocabulary.looks import Look, Signal
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.runs.endings import outlives_outages
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude
from flows.orchestrator.watching.parts import Watch
from flows.orchestrator.watching.watch import watch_once, watched_parts
from flows.reports.model import Report, Section, Table, count, money


@flow(
    name="watch",
    description=(
        "Looks once at everything that is watched, and reports what was looked at and what is "
        "wrong. Whatever is wrong becomes an alert, as it does while the stack watches."
    ),
    timeout_seconds=600,
)
@outlives_outages
async def watch() -> Report:
    """Look at everything that is watched.

    Raises:
        NoBusinessConfigured: There is nothing to look after yet.
        LedgerError: What was seen could not be kept.
    """
    async with workflow_run("watch") as team:
        watching = Watch(team.business, team.ledger, PrefectApi(), team.policy, utc_now())
        looks = await watch_once(watching, watched_parts(team.policy))
        team.notes += [why for look in looks for why in (*look.missing, *look.notes)]
        wrong = sorted(
            (signal for look in looks for signal in look.signals),
            key=lambda signal: (-signal.severity.rank, signal.subject, signal.kind),
        )
        report = await team.report(
            "Watching",
            _headline(looks, wrong),
            sections=[*_what_is_wrong(wrong, team.business.currency), _what_was_looked_at(looks)],
            findings=[],
            replies=[],
        )
    return conclude(report)


def _headline(looks: Sequence[Look], wrong: Sequence[Signal]) -> str:
    seen = count(sum(len(look.covered) for look in looks), "thing")
    if not wrong:
        return f"{seen} looked at, nothing is wrong."
    return f"{seen} looked at, {count(len(wrong), 'thing')} wrong. First: {wrong[0].summary}"


def _what_is_wrong(wrong: Sequence[Signal], currency: str) -> list[Section]:
    if not wrong:
        return []
    table = Table(
        columns=["Severity", "About", "What", "At risk per hour", "What to do"],
        rows=[
            [
                signal.severity.value,
                signal.subject,
                signal.summary,
                money(signal.impact_per_hour, currency),
                signal.runbook,
            ]
            for signal in wrong
        ],
    )
    return [Section(title="What is wrong", tables=[table])]


def _what_was_looked_at(looks: Sequence[Look]) -> Section:
    table = Table(
        columns=["Part", "Looked at", "Wrong", "Not looked at", "Samples"],
        rows=[
            [look.part, len(look.covered), len(look.signals), len(look.missing), len(look.samples)]
            for look in looks
        ],
    )
    return Section(title="What was looked at", tables=[table])
