"""The ladder as a part of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from blocks.ledger.purchasing.outcomes import OrderOutcome
from flows.orchestrator.purchasing.ladder import Standing
from flows.reports.model import Section, Table, count

TITLE = "How far orders go by themselves"

MOST_UNTOLD = 5
"""Reasons for which nothing could be told that are named."""


def ladder_section(ladder: Sequence[Standing], settled: Sequence[OrderOutcome]) -> Section:
    """Where each group stands, and what became known of order lines.

    Args:
        ladder: Of all groups.
        settled: Newly settled order lines.
    """
    moves = [move for standing in ladder for move in standing.moves]
    newest = sorted(moves, key=lambda move: (move.at, move.group), reverse=True)[:10]
    tables = [
        Table(
            columns=["Group", "Now", "Earned", "Ceiling", "Lines", "Orders", "Saved", "Why"],
            rows=[
                [
                    standing.group or "no group",
                    standing.level.value,
                    standing.earned.value,
                    standing.ceiling.value,
                    standing.evidence.lines,
                    standing.evidence.orders,
                    f"{standing.evidence.saved:,.2f}",
                    standing.why,
                ]
                for standing in ladder
            ],
            note="Lines, orders and what they saved against the simple rule count since a group's "
            "last step.",
        )
    ]
    if newest:
        tables.append(
            Table(
                title="Last steps",
                columns=["When", "Group", "From", "To", "Why"],
                rows=[
                    [
                        f"{move.at:%Y-%m-%d}",
                        move.group,
                        move.before.value,
                        move.after.value,
                        move.why,
                    ]
                    for move in newest
                ],
            )
        )
    return Section(title=TITLE, text=_told(settled), tables=tables)


def _told(settled: Sequence[OrderOutcome]) -> str:
    """What became known, in a few sentences."""
    known = [outcome.savings for outcome in settled if outcome.savings is not None]
    bad = [outcome.bad for outcome in settled if outcome.bad]
    untold = Counter(str(o.detail["untold"]) for o in settled if "untold" in o.detail)
    told = []
    if known:
        currency = next(o.currency for o in settled if o.savings is not None)
        told.append(
            f"{count(len(known), 'order line')} settled: they saved {sum(known):,.2f} {currency} "
            "against what the simple rule's quantities would have cost."
        )
    told += bad
    told += [
        f"Of {count(number, 'line')} nothing can be told: {reason}"
        for reason, number in untold.most_common(MOST_UNTOLD)
    ]
    return " ".join(told)
