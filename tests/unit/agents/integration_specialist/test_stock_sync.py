"""What changed between two snapshots of a stock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from agents.integration_specialist.data_synchronization.stock import MOST_CHANGES, compare
from blocks.errors import ContractViolation, InvalidMessage
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import STOCK, Problem, Snapshot

THEN = datetime(2026, 3, 1, 9, tzinfo=UTC)
NOW = THEN + timedelta(hours=2)


def stock(at: datetime, *problems: Problem, **on_hand: float) -> Snapshot:
    rows = pd.DataFrame({"sku": list(on_hand), "on_hand": list(on_hand.values())})
    return Snapshot(at, {"stock": conform(rows, STOCK)[0]}, list(problems), store="shop")


def test_what_was_added_removed_and_changed_is_told_largest_first():
    before = stock(THEN, a=10, b=5, c=3, d=1)
    seen = compare(stock(NOW, a=9, b=5, c=13, e=4), before, None)
    assert seen.on_hand == {"a": 9, "b": 5, "c": 13, "e": 4}
    assert (seen.items, seen.units, seen.units_delta) == (4, 31, 12)
    assert (seen.added, seen.removed, seen.changed_items) == (["e"], ["d"], 2)
    assert [(c.sku, c.before, c.after, c.delta) for c in seen.changed] == [
        ("c", 3, 13, 10),
        ("a", 10, 9, -1),
    ]
    assert (seen.taken_at, seen.compared_with) == (NOW, THEN)
    assert (seen.stale, seen.degraded) == (False, False)
    assert "31 units are on hand, +12 units since 2026-03-01 09:00 UTC" in seen.summary
    assert "2 items changed, 1 new, 1 gone" in seen.summary


def test_what_is_owed_of_one_item_is_no_less_of_another():
    seen = compare(stock(NOW, a=-3, b=10), stock(THEN, a=2, b=10), None)
    assert seen.on_hand == {"a": -3, "b": 10}
    assert (seen.units, seen.owed, seen.units_delta) == (10, 3, -2)
    assert "2 items with 10 units are on hand, and 3 units are owed, -2 units" in seen.summary
    assert seen.changed[0].delta == -5
    assert compare(stock(NOW, a=1), stock(THEN, a=-3), None).units_delta == 1
    odd = Problem("stock", "", "odd, but kept", 1, kept=True)
    assert compare(stock(NOW, odd, a=1), None, None).findings == []


def test_without_an_earlier_stock_nothing_counts_as_changed():
    without_stock = Snapshot(THEN, {})
    for before in (None, without_stock):
        seen = compare(stock(NOW, a=1), before, None)
        assert (seen.compared_with, seen.units_delta, seen.added) == (None, None, [])
        assert "no earlier snapshot" in seen.summary


def test_only_the_skus_that_are_asked_for_count():
    seen = compare(stock(NOW, a=1, b=2), stock(THEN, b=3, c=4), ["b", "c"])
    assert (seen.on_hand, seen.added, seen.removed) == ({"b": 2}, [], ["c"])
    assert seen.units_delta == -5
    with pytest.raises(InvalidMessage, match=r"No such SKU: 'abx'\. Did you mean abc"):
        compare(stock(NOW, abc=1), None, ["abx"])


def test_the_list_of_changes_ends_but_their_count_does_not():
    many = {f"s{i}": float(i) for i in range(MOST_CHANGES + 10)}
    moved = {sku: units + 1 for sku, units in many.items()}
    seen = compare(stock(NOW, **moved), stock(THEN, **many), None)
    assert (len(seen.changed), seen.changed_items) == (MOST_CHANGES, MOST_CHANGES + 10)


@pytest.mark.parametrize(("gone", "kinds"), [(5, []), (6, ["stock-rows-gone"])])
def test_many_items_gone_at_once_are_a_finding(gone, kinds):
    items = {f"s{i}": 1.0 for i in range(100)}
    left = dict(list(items.items())[gone:])
    seen = compare(stock(NOW, **left), stock(THEN, **items), None)
    assert [f.kind for f in seen.findings] == kinds


def test_rows_that_were_set_aside_are_a_finding_and_a_missing_stock_an_error():
    bad = Problem("stock", "on_hand", "below 0", 3)
    (found,) = compare(stock(NOW, bad, a=1), None, None).findings
    assert (found.kind, found.title) == (
        "stock-rows-unreadable",
        "3 rows of the stock were set aside",
    )
    with pytest.raises(ContractViolation, match="no 'stock' frame"):
        compare(Snapshot(NOW, {}), None, None)
