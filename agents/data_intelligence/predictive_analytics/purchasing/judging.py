"""What came of purchase orders, in money, against the simple rule's quantities."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median

import pandas as pd
from pydantic import ValidationError

from agents.capability import action
from agents.data_intelligence.predictive_analytics.baskets.drafts import DraftLine
from agents.data_intelligence.predictive_analytics.baskets.holding import CENT
from agents.data_intelligence.predictive_analytics.ordering.economics import REVIEW_DAYS
from agents.data_intelligence.predictive_analytics.purchasing.hindsight import (
    Costs,
    Delivery,
    Past,
)
from agents.data_intelligence.predictive_analytics.purchasing.seen_sales import SeenSales
from agents.data_intelligence.result import Result
from agents.data_intelligence.trading_calendar import local_day
from blocks.ledger.purchasing.outcomes import OrderOutcome
from blocks.ledger.purchasing.records import EntryKind, OrderedLine, OrderRecord, OrderStage
from blocks.vocabulary.frames import Snapshot

MOST_ASSUMED = 0.5
"""Where the item was out on more of the days, nobody can tell what would have been wanted."""

JUDGED = {OrderStage.RECEIVED, OrderStage.SHADOW, OrderStage.DECLINED}
"""Orders whose quantities can be judged. What a supplier refused or what never left us says nothing
of them."""


_BY_A_PERSON = {"rejected", "expired"}
"""Reasons for which an order is declined that nobody said yes to."""


class JudgedOrders(Result):
    """What came of order lines.

    Attributes:
        outcomes: One per line that can be settled, also where nothing can be told of it.
        too_early: Lines whose days are not over.
    """

    outcomes: list[OrderOutcome]
    too_early: int


@action(timeout=600)
def judge_orders(
    snapshot: Snapshot,
    orders: Sequence[OrderRecord],
    now: datetime,
    settled: Collection[tuple[str, str]] = (),
    known_out: pd.DataFrame | None = None,
) -> JudgedOrders:
    """Tell what order lines cost, and what the simple rule's quantities would have cost.

    The rule is the median of what Tryton, Odoo and ERPNext would have ordered on that day. Both
    live through the days from the decision until what is ordered next could arrive, and then go on
    by a rule with a minimum and a maximum: ``hindsight``. An order that was never sent is taken to
    have come on the day on which it was expected.

    What is wanted on a day is what was sold on it; on days on which the item is known to have been
    out, what it sells on the others of the last ``USUAL_DAYS`` days. Both are judged by the price
    of now.

    Args:
        snapshot: Needs ``stock`` and ``sales``; uses ``products``.
        orders: With all that became known of them.
        now: When it is settled. Days count up to when the snapshot was taken.
        settled: Order and SKU of lines that are settled.
        known_out: Spells without stock that were seen before.

    Raises:
        ContractViolation: The snapshot lacks a needed frame.
    """
    today = local_day(snapshot.taken_at, snapshot.timezone)
    lines = [
        (order, line, _Span.of(order, line, snapshot.timezone))
        for order in orders
        if _says_something(order)
        for line in order.lines
        if (order.id, line.sku) not in settled
    ]
    due = [(order, line, span) for order, line, span in lines if _is_over(span, today)]
    seen = SeenSales(snapshot, today, pd.Index(sorted({line.sku for _, line, _ in due})), known_out)
    outcomes = [_judge(order, line, span, seen, now) for order, line, span in due]
    return JudgedOrders(outcomes=outcomes, too_early=len(lines) - len(due))


def can_be_judged(order: OrderRecord, snapshot: Snapshot) -> bool:
    """Whether the days of some line of an order were over when a snapshot was taken.

    Args:
        order: With all that became known of it.
        snapshot: Its frames are not looked at.
    """
    today = local_day(snapshot.taken_at, snapshot.timezone)
    spans = (_Span.of(order, line, snapshot.timezone) for line in order.lines)
    return _says_something(order) and any(_is_over(span, today) for span in spans)


def _says_something(order: OrderRecord) -> bool:
    """Whether an order was for its quantities: what was ordered otherwise meanwhile was not."""
    by_a_person = order.effect_reason in _BY_A_PERSON
    return order.stage in JUDGED and (order.stage is not OrderStage.DECLINED or by_a_person)


@dataclass(frozen=True)
class _Span:
    """The days that an order line was for.

    Attributes:
        facts: What it was decided by.
        begin: The day that decided.
        end: The first day on which what is ordered next could be there.
    """

    facts: DraftLine
    begin: date
    end: date
    deliveries: tuple[Delivery, ...]

    @classmethod
    def of(cls, order: OrderRecord, line: OrderedLine, timezone: str) -> _Span | str:
        """The days; or why they cannot be told."""
        try:
            facts = DraftLine.model_validate(line.facts)
        except ValidationError:
            return "What it was decided by is not on record."
        begin = local_day(order.proposed_at, timezone)
        came = _deliveries(order, line, begin, timezone)
        last = max((delivery.day for delivery in came), default=0)
        days = max(facts.protection_days, last + REVIEW_DAYS)
        return cls(facts, begin, begin + timedelta(days=days), tuple(came))


def _is_over(span: _Span | str, today: date) -> bool:
    return isinstance(span, str) or span.end <= today


def _deliveries(
    order: OrderRecord, line: OrderedLine, begin: date, timezone: str
) -> list[Delivery]:
    """When what share of a line came; of an order that was never sent, when it would have."""
    if order.stage is not OrderStage.RECEIVED:
        return [Delivery(max((order.expected_on - begin).days, 0), 1.0)]
    came, left = [], line.units
    for entry in order.entries:
        if entry.kind is not EntryKind.RECEIVED:
            continue
        told = [part.units for part in entry.lines if part.sku == line.sku]
        units = sum(told) if entry.lines else left
        if units:
            day = max((local_day(entry.at, timezone) - begin).days, 0)
            came.append(Delivery(day, units / line.units))
        left = max(left - units, 0)
    return came


def _judge(
    order: OrderRecord, line: OrderedLine, span: _Span | str, seen: SeenSales, now: datetime
) -> OrderOutcome:
    rate = _rate(order, seen.currency)
    value = None if rate is None else (line.units * line.unit_cost * rate).quantize(CENT)
    outcome = OrderOutcome(
        order_id=order.id,
        sku=line.sku,
        group=line.group,
        level=order.level,
        decided_at=order.proposed_at,
        settled_at=now,
        value=value,
        currency=seen.currency,
    )
    untold = _untold(line, span, seen, known_rate=rate is not None)
    if untold or isinstance(span, str) or rate is None:
        return outcome.model_copy(update={"detail": {"untold": untold}})
    _, there = seen.sold(line.sku, span.begin, span.end)
    cost = float(line.unit_cost * rate)
    past = Past(
        position=span.facts.free + span.facts.on_order,
        demand=seen.wanted(line.sku, span.begin, span.end),
        deliveries=span.deliveries,
        costs=Costs(cost, float(seen.price[line.sku]) - cost),
        onward=seen.onward(line.sku, max(span.facts.protection_days - REVIEW_DAYS, 0)),
    )
    by_rule = float(median(line.rule_units.values()))
    detail = {
        "days": len(there),
        "wanted": round(float(past.demand.sum()), 2),
        "days_assumed": int((there == 0).sum()),
        "units": line.units,
        "rule_units": by_rule,
    }
    ours, rule = (Decimal(past.cost(n)).quantize(CENT) for n in (line.units, by_rule))
    return outcome.model_copy(update={"ours": ours, "rule": rule, "detail": detail})


def _untold(line: OrderedLine, span: _Span | str, seen: SeenSales, *, known_rate: bool) -> str:
    """Why nothing can be told of a line; "" where it can."""
    if isinstance(span, str):
        return span
    if not span.deliveries:
        return "Nothing of it came: that says nothing of how much was ordered."
    if not line.rule_units:
        return "What the simple rules would have ordered is not on record."
    if not known_rate:
        return "No rate of the order's currency is on record."
    if line.sku not in seen.known:
        return f"The store does not know {line.sku} any more."
    if pd.isna(seen.price[line.sku]):
        return "Nobody knows what a unit of it brings."
    if span.begin < seen.first:
        return f"Sales by day reach back to {seen.first} only."
    _, there = seen.sold(line.sku, span.begin, span.end)
    out = int((there == 0).sum())
    if out > MOST_ASSUMED * len(there):
        return f"It was out on {out} of the {len(there)} days: what was wanted cannot be told."
    return ""


def _rate(order: OrderRecord, currency: str) -> Decimal | None:
    """What a unit of the order's money was worth in the store's; None where nobody said."""
    if order.currency == currency:
        return Decimal(1)
    if order.total_in_store_currency is None or not order.total:
        return None
    return order.total_in_store_currency / order.total
