"""What makes an order a bad one besides what it cost: it is known at once. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from blocks.ledger.purchasing.records import EntryKind, OrderedLine, OrderRecord, OrderStage
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.policy.autonomy_rules import AutonomyRules

_WRONG = re.compile(r"\W*wrong\b", re.IGNORECASE)


def bad_lines(
    order: OrderRecord, asked: Sequence[ApprovalRecord], rules: AutonomyRules
) -> dict[str, str]:
    """Which lines of an order went wrong, and why in a sentence, by SKU.

    All of them where a person says so: a note to the order, or to a no, that begins with *wrong*.
    So a person also tells that an order of which nobody knew whether it was sent went wrong. One
    where its price rose beyond what the policy lets pass, and the goods were taken all the same.

    Args:
        order: With all that became known of it.
        asked: The questions about it.
        rules: How far a price may rise.
    """
    if said := _said_wrong(order, asked):
        return {line.sku: said for line in order.lines}
    if order.stage is not OrderStage.RECEIVED:
        return {}
    return {line.sku: why for line in order.lines if (why := _dearer(order, line, rules))}


def _said_wrong(order: OrderRecord, asked: Sequence[ApprovalRecord]) -> str:
    for each in asked:
        if each.status is ApprovalStatus.REJECTED and _WRONG.match(each.note):
            return f"{each.answered_by} said no to {order.reference}: {each.note}"
    for entry in order.entries:
        if entry.kind is EntryKind.NOTE and _WRONG.match(entry.detail):
            return f"{entry.by} said of {order.reference}: {entry.detail}"
    return ""


def _dearer(order: OrderRecord, line: OrderedLine, rules: AutonomyRules) -> str:
    """Why its price is a bad one; "" where it is as expected."""
    told = [
        part.unit_cost
        for entry in order.entries
        for part in entry.lines
        if entry.says and part.sku == line.sku and part.unit_cost is not None
    ]
    if not told or told[-1] <= line.unit_cost * (1 + Decimal(str(rules.price_rise))):
        return ""
    return (
        f"{line.sku} was paid {told[-1]:,.2f} {order.currency} in {order.reference}, where "
        f"{line.unit_cost:,.2f} was expected."
    )
