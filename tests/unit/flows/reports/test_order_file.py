"""Draft orders as CSV: every line, exact money, and nothing that a spreadsheet carries out."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest

from flows.reports.order_file import COLUMNS, as_csv
from tests.plans import TWO, line, order, plan


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_every_line_of_every_draft_is_a_row_with_exact_money():
    found = rows(as_csv(TWO))
    assert [(row["supplier"], row["sku"], row["units"], row["value"]) for row in found] == [
        ("acme", "a", "24", "30.00"),
        ("acme", "b", "12", "15.00"),
        ("globex", "c", "36", "45.00"),
    ]
    first = found[0]
    assert tuple(first) == COLUMNS
    assert (first["unit_cost"], first["currency"], first["pack_units"]) == ("1.25", "GBP", "12")
    assert first["arrives_on"] == "2026-03-11"
    assert first["erp_rules"] == "Tryton 20; Odoo 24; ERPNext 0"
    assert (first["why_item"], first["waiting_cost_per_day"]) == ("a is low.", "0.75")


def test_one_file_per_supplier():
    assert {row["supplier"] for row in rows(as_csv(TWO, "globex"))} == {"globex"}
    assert rows(as_csv(TWO, "nobody")) == []


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t=", "\r=", " =", "\n-", "＝"])
def test_no_cell_begins_as_a_formula_does(sign: str):
    bad = f"{sign}cmd|'/c calc'!A1"
    drafted = plan(
        order(
            bad,
            line(bad, name=bad, why_item=bad, why_units=bad, why_supplier=bad, guards=[bad]),
        )
    )
    text = as_csv(drafted)
    assert text.count("\r\n") == 2, "one line per row, whatever stands in the names"
    for row in rows(text):
        for cell in row.values():
            assert not cell.lstrip().startswith(tuple("=+-@＝"))
        assert row["sku"].startswith("'")


def test_what_is_owed_stands_in_a_column_of_its_own():
    (row,) = rows(as_csv(plan(order("acme", line("a", free=-4.0)))))
    assert (row["free"], row["owed"]) == ("0", "4")


def test_large_and_small_money_is_written_out():
    drafted = plan(order("acme", line("a", unit_cost=Decimal("1E-7"), value=Decimal("1E+9"))))
    (row,) = rows(as_csv(drafted))
    assert (row["unit_cost"], row["value"]) == ("0.0000001", "1000000000.00")


def test_what_nobody_knows_is_empty():
    drafted = plan(order("acme", line("a", days_of_cover=None, waiting_cost_per_day=None)))
    (row,) = rows(as_csv(drafted))
    assert (row["days_of_cover"], row["waiting_cost_per_day"]) == ("", "")
