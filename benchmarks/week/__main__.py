"""A week of the sample business in fast motion: what is ordered, what comes of it, and when.

Told are the orders by day and stage, each order's life, what the suppliers' books say (an order is
on them once), what the median of the simple rules would have ordered of the same items on the same
days, and, of lines whose days are over, what that would have cost more (``judge_orders``).

    python -m benchmarks.week [--json] [--days N] [--from DATE]
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.output import show
from benchmarks.week.days import Day, Lived, live
from blocks.ledger.purchasing.records import EntryKind, OrderRecord, OrderStage
from deployments.sample.ordering.books import SupplierBook
from deployments.sample.store import shop_today


def by_day(days: Sequence[Day]) -> Table:
    """A row per day."""
    table = Table(title="Day by day", title_justify="left")
    stages = [stage for stage in OrderStage if any(day.stages[stage] for day in days)]
    for column in ("day", "trouble", "critical", "drafts", "worth", "asked", *stages):
        table.add_column(str(column))
    for day in days:
        orders = [placed for placed in day.placed if placed.reference]
        worth = sum((placed.total for placed in orders), Decimal(0))
        counted = [str(day.stages[stage] or "") for stage in stages]
        table.add_row(
            *(f"{day.day:%a %d %b}", _troubles(day), str(day.critical), str(len(orders))),
            *(f"{worth:,.2f}", str(day.answered), *counted),
        )
    return table


def _troubles(day: Day) -> str:
    return "\n".join(f"{name}: {fault}" for name, fault in day.troubles.items())


def by_order(orders: Sequence[OrderRecord]) -> Table:
    """A row per order, with what became known of it."""
    table = Table(title="Order by order", title_justify="left", show_lines=True)
    for column in ("order", "supplier", "lines", "worth", "stands", "what became of it"):
        table.add_column(column)
    for order in sorted(orders, key=lambda order: order.proposed_at):
        life = [f"{e.at:%d %b} {e.by}: {_words(e.kind, e.says, e.detail)}" for e in order.entries]
        table.add_row(
            *(order.reference, order.supplier, str(len(order.lines)), f"{order.total:,.2f}"),
            *(order.stage, "\n".join(life) or order.effect_reason),
        )
    return table


def _words(kind: EntryKind, says: str, detail: str) -> str:
    said = f"{kind} {says}".strip()
    return f"{said} ({detail[:160]})" if detail else said


def figures(folder: Path, lived: Lived) -> dict[str, float | str | None]:
    """What can be counted, the suppliers' books against our ledger, and money."""
    days, orders = lived.days, lived.orders
    books = Counter(
        booked.reference
        for supplier in {order.supplier for order in orders}
        for booked in SupplierBook(folder, supplier).orders()
    )
    lines = [line for order in orders for line in order.lines]
    stages = Counter(order.stage for order in orders)
    saved = [float(each.savings) for each in lived.outcomes if each.savings is not None]
    return {
        "days": len(days),
        "orders proposed": len(orders),
        "asked and let": sum(day.answered for day in days),
        **{f"orders {stage}": count for stage, count in sorted(stages.items())},
        "orders ever late": sum(
            any(e.kind is EntryKind.LATE for e in order.entries) for order in orders
        ),
        "orders on suppliers' books": len(books),
        "orders there more than once": sum(count > 1 for count in books.values()),
        "orders there that we do not know": len(set(books) - {o.reference for o in orders}),
        "goods ordered": float(sum(line.units * line.unit_cost for line in lines)),
        "goods of the median rule": sum(
            median(line.rule_units.values()) * float(line.unit_cost)
            for line in lines
            if line.rule_units
        ),
        "lines judged by what was sold": len(saved),
        "saved against the median rule": sum(saved) if saved else None,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Run it, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--from", dest="first", type=date.fromisoformat, default=None)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        lived = asyncio.run(live(folder, args.first or shop_today(), args.days))
        console = Console(width=200)
        console.print(by_day(lived.days))
        console.print(by_order(lived.orders))
        for fault in dict.fromkeys(fault for day in lived.days for fault in day.faults):
            console.print(f"- {fault}", markup=False)
        show("A week of the sample business", figures(folder, lived), as_json=args.json)


if __name__ == "__main__":
    main()
