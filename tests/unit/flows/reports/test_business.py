"""What a report says of trade: once what the money is, and no change that is none."""

from __future__ import annotations

from datetime import timedelta

from agents.data_intelligence.business_intelligence.analysis import run_analysis
from blocks.vocabulary.amounts import Amounts
from flows.reports import business
from tests.unit.agents.data_intelligence.shops import (
    NOW,
    TODAY,
    days_before,
    sales_of,
    snapshot_of,
)

WORDS = "Revenue is without tax"


def sections(days: int, *, with_trade: bool) -> list[str]:
    """Their texts and tables, of a shop with so many days of history."""
    start = TODAY - timedelta(days=91)
    sales = sales_of(
        days_before(TODAY, days, closed=()),
        {"a": lambda d: 3.0, "b": lambda d: 1.0 if d >= start else 0.0},
    )
    snapshot = snapshot_of(sales)
    snapshot.amounts = Amounts(tax="excluded")
    done = run_analysis(snapshot, NOW)
    assert done.daily
    assert done.analysis
    parts = [business.trade(done.daily, "EUR")] if with_trade else []
    parts += business.analysis(done.analysis, "EUR", 5, beside_trade=with_trade)
    return [f"{part.text} {[table.rows for table in part.tables]}" for part in parts]


def test_what_the_money_is_stands_once_and_with_the_trade_if_there_is_any():
    with_trade, alone = sections(200, with_trade=True), sections(200, with_trade=False)
    assert [WORDS in text for text in with_trade] == [True] + [False] * (len(with_trade) - 1)
    assert [WORDS in text for text in alone] == [True] + [False] * (len(alone) - 1)


def test_new_is_what_first_sold_in_the_quarter_of_a_history_that_is_long_enough():
    old, new = sections(200, with_trade=False)[0].split("], [")
    assert "'+0%'" in old
    assert "'new'" in new
    short = sections(120, with_trade=False)[0]
    assert "new" not in short
    assert short.count("'—'") == 2
