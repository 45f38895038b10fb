"""What cannot be read of the store is told in the report, and by how a run ends if it matters."""

from __future__ import annotations

import pytest

from blocks.vocabulary.messages import Outcome
from deployments.cli.workflows import exit_code
from flows.daily_health_check import daily_health_check
from flows.sequential_workflow import sequential_workflow
from tests.integration.flows.seen import ran
from tests.integration.flows.shop import Shop

pytestmark = pytest.mark.prefect

ONE_IN = "UPDATE sale_lines SET units = 'many' WHERE line_id % {} = 0"


async def test_lines_that_make_much_of_revenue_stand_in_the_headline(shop: Shop) -> None:
    shop.sql(ONE_IN.format(20))
    state, report = await ran(daily_health_check)
    assert "of the sales left out, " in report.headline
    assert report.headline.endswith("% of revenue.")
    assert state.name == "Partial"
    assert exit_code(report.outcome) == 3
    assert any(line.startswith("sale_lines.units: ") for line in report.missing)


async def test_a_single_line_is_told_and_changes_nothing_else(shop: Shop) -> None:
    shop.sql(
        "UPDATE sale_lines SET units = 'many' WHERE line_id = (SELECT max(line_id) FROM sale_lines)"
    )
    _, report = await ran(sequential_workflow)
    assert "left out" not in report.headline
    assert report.outcome is Outcome.SUCCEEDED
    assert any(line.startswith("sale_lines.units: ") for line in report.missing)


async def test_a_table_that_cannot_be_read_costs_itself_and_its_figures_are_named(
    shop: Shop,
) -> None:
    shop.sql("ALTER TABLE stock RENAME TO gone")
    _, report = await ran(daily_health_check)
    assert exit_code(report.outcome) == 3
    titles = [section.title for section in report.sections]
    assert any(title.startswith("Trade on") for title in titles)
    assert "Stock at risk" not in titles
    (said,) = [line for line in report.missing if line.startswith("stock: ")]
    assert said.endswith(
        "Missing for it: what is out of stock or at risk, and what the stock is worth."
    )


async def test_the_report_says_once_what_its_money_is(shop: Shop) -> None:
    shop.description["store"]["amounts"] = {"tax": "included"}
    shop.configure()
    for workflow in (daily_health_check, sequential_workflow):
        _, report = await ran(workflow)
        assert report.model_dump_json().count("Revenue is with tax.") == 1
