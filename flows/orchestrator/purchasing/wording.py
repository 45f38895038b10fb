"""A purchase order in words: what a buyer must know to say yes or no."""

from __future__ import annotations

from decimal import Decimal

from agents.data_intelligence.predictive_analytics.baskets.drafts import DraftLine, DraftOrder
from blocks.ledger.purchasing.records import OrderRecord
from blocks.text import printable
from flows.reports.model import count, unit_price

MOST_LINES = 25
"""Items that a question names; of the others it tells the number."""


def title_of(order: OrderRecord) -> str:
    """The question in a line, without money: titles are shown to whoever may see the page."""
    return f"Order {_goods(order)} from {order.supplier}?"


def detail_of(order: OrderRecord, draft: DraftOrder, currency: str, why_asked: str) -> str:
    """All that speaks for and against it: what is decided first, then why each item.

    Args:
        order: As it would be sent.
        draft: With the reasons.
        currency: ISO code of the store's money.
        why_asked: Why a person has to let it happen.
    """
    lines = [
        f"{order.supplier} is to deliver {_goods(order)} under our number {order.reference}, "
        f"about {order.expected_on:%d %B %Y}.",
        _price(order, currency),
        *filter(None, [_waiting(draft, currency)]),
        *draft.notes,
        "",
        f"Why you are asked: {why_asked}",
        "",
        "Yes sends the order. No leaves it: what is still needed then is proposed anew by the next "
        'run. A no with a note that begins with "wrong" counts against these items: less of them '
        "is ordered without asking.",
        "",
        *(f"- {_line(line, order.currency)}" for line in draft.lines[:MOST_LINES]),
    ]
    if rest := draft.lines[MOST_LINES:]:
        value = _money(sum((line.value for line in rest), Decimal(0)), order.currency)
        lines.append(f"- and {count(len(rest), 'more item')}, together {value}")
    return "\n".join(printable(line) for line in lines)


def _goods(order: OrderRecord) -> str:
    if len(order.lines) == 1:
        line = order.lines[0]
        return f"{line.units:,} of {line.name or line.sku}"
    return f"{count(len(order.lines), 'item')}"


def _price(order: OrderRecord, currency: str) -> str:
    goods = _money(order.goods, order.currency)
    freight = f" and {order.freight:,.2f} freight" if order.freight else ", no freight"
    own = order.total_in_store_currency
    told = f" ({_money(own, currency)})" if own is not None and currency != order.currency else ""
    total = _money(order.total, order.currency)
    return f"It costs {total}{told}: {goods} for the goods{freight}."


def _waiting(draft: DraftOrder, currency: str) -> str:
    known = [line.waiting_cost_per_day for line in draft.lines if line.waiting_cost_per_day]
    if not known:
        return ""
    return (
        f"Each day without it is expected to lose {_money(sum(known, Decimal(0)), currency)} of "
        "margin."
    )


def _line(line: DraftLine, currency: str) -> str:
    told = [line.why_item, line.why_units, line.why_supplier, *line.guards]
    return (
        f"{line.units:,} × {line.name} ({line.sku}) at {unit_price(line.unit_cost)} {currency}, "
        f"{line.value:,.2f}: {' '.join(filter(None, told))}"
    )


def _money(amount: Decimal, currency: str) -> str:
    return f"{amount:,.2f} {currency}"
