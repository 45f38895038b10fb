"""Proposals: what each is worth, computed by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from agents.data_intelligence import pattern_recognition
from agents.data_intelligence.business_intelligence.report import DailyMetrics
from agents.data_intelligence.predictive_analytics import stock_findings, stock_judgement
from agents.integration_specialist.api_management import report
from agents.sre_reliability.performance_optimization import (
    insights,
    own_runs,
    rank,
    services,
    stock,
)
from agents.sre_reliability.performance_optimization.insights import (
    Connection,
    Insights,
    Integrations,
    ItemAtRisk,
    StockRisk,
    SurplusItem,
)
from agents.sre_reliability.system_monitoring.assessment import ServiceHealth
from blocks.business.business import Business
from blocks.business.suppliers import SupplierConnection
from blocks.errors import InvalidMessage
from blocks.ledger.calls.records import CallRecord
from blocks.prefect_api.client import PoolInfo, RunInfo
from blocks.vocabulary.messages import Outcome

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def item(**change: object) -> ItemAtRisk:
    # 5 of 40 wanted units are lost over 8 days, at 2.00 each: 1.25 a day.
    values = {
        "sku": "85048",
        "name": "Glass ball",
        "on_hand": 35,
        "lead_time_days": 8,
        "demand_per_day": 5,
        "probability": 0.6,
        "lost_units": 5,
        "lost_revenue_per_day": 1.25,
    }
    return ItemAtRisk.model_validate(values | change)


def test_an_order_is_worth_the_loss_that_the_report_names_for_the_item():
    (proposal,) = stock.replenish(StockRisk(at_risk=[item()]), "GBP")
    assert proposal.expected_benefit == 1.25
    assert proposal.unit == "GBP/day"
    assert proposal.kind == "order-item"
    assert proposal.evidence["order_units"] == 5 * (8 + 28) - 35
    assert proposal.confidence == "medium"


def test_what_is_out_of_stock_is_certain_and_an_overdue_order_is_chased_first():
    out = item(on_hand=0, probability=1.0, overdue=24)
    (proposal,) = stock.replenish(StockRisk(out_of_stock=[out]), "GBP")
    assert proposal.kind == "chase-order"
    assert "24 units" in proposal.title
    assert proposal.confidence == "high"


def test_what_is_owed_or_reserved_is_ordered_on_top():
    # 36 days want 180; 3 are owed.
    oversold = item(on_hand=-3, probability=1.0)
    held = item(on_hand=35, reserved=38, probability=1.0)
    for each in (oversold, held):
        (proposal,) = stock.replenish(StockRisk(out_of_stock=[each]), "GBP")
        assert proposal.title == "Order 183 units of Glass ball now; 3 are owed to customers"
        assert proposal.how.endswith("Serve the 3 owed first.")
        assert proposal.confidence == "high"
        assert (proposal.evidence["owed"], proposal.evidence["order_units"]) == (3, 183)


def test_what_has_no_known_price_is_proposed_last_with_no_worth():
    unpriced = item(sku="x", on_hand=-3, lost_revenue_per_day=None)
    found = stock.replenish(StockRisk(out_of_stock=[unpriced, item()]), "GBP")
    assert [(p.resource, p.expected_benefit) for p in found] == [
        ("sku:85048", 1.25),
        ("sku:x", None),
    ]
    assert rank(found[::-1]) == found
    dead = SurplusItem(sku="1", name="Old", on_hand=9, value=None)
    assert stock.sell_off(StockRisk(dead=[dead], dead_value=0), "EUR") == []


def test_an_order_has_no_unit_more_for_the_rounding_of_a_computer():
    (proposal,) = stock.replenish(StockRisk(at_risk=[item(demand_per_day=5 + 1e-12)]), "GBP")
    assert proposal.evidence["order_units"] == 145


def test_items_that_lose_nothing_lead_to_no_order_and_only_the_ten_worst_are_named():
    harmless = item(lost_units=0, lost_revenue_per_day=0)
    many = [item(sku=str(i), lost_revenue_per_day=i) for i in range(1, 13)]
    found = stock.replenish(StockRisk(out_of_stock=[harmless], at_risk=many), "GBP")
    assert [p.resource for p in found] == [f"sku:{i}" for i in range(12, 2, -1)]


def test_what_arrives_in_time_and_suffices_is_not_ordered_again():
    enough = item(on_hand=0, arriving=5 * (8 + 28), probability=1.0)
    assert stock.replenish(StockRisk(out_of_stock=[enough]), "GBP") == []
    late = enough.model_copy(update={"overdue": 24})
    assert [p.kind for p in stock.replenish(StockRisk(out_of_stock=[late]), "GBP")] == [
        "chase-order"
    ]


def test_what_is_due_within_the_cover_is_expedited_or_subtracted_from_the_order():
    # 36 days want 180; 35 on hand and 20 arriving leave 125.
    due = item(arriving=20, due_later=125, next_due=date(2026, 3, 12))
    (proposal,) = stock.replenish(StockRisk(at_risk=[due]), "GBP")
    assert proposal.kind == "expedite-order"
    assert proposal.title == "Expedite the 125 units of Glass ball that are on order"
    assert "2026-03-12" in proposal.how
    assert (proposal.evidence["order_units"], proposal.evidence["next_due"]) == (0, "2026-03-12")
    short = due.model_copy(update={"due_later": 100})
    (proposal,) = stock.replenish(StockRisk(at_risk=[short]), "GBP")
    assert (proposal.kind, proposal.evidence["order_units"]) == ("order-item", 25)
    needless = due.model_copy(update={"arriving": 145})
    assert stock.replenish(StockRisk(at_risk=[needless]), "GBP") == []


def test_findings_and_proposals_agree_on_how_long_an_order_lasts():
    assert stock.COVER_DAYS == stock_findings.COVER_DAYS


def test_surplus_costs_a_fifth_of_its_value_a_year():
    dead = SurplusItem(sku="1", name="Old", on_hand=9, value=730)
    (proposal,) = stock.sell_off(StockRisk(dead=[dead], dead_value=730), "EUR")
    assert proposal.expected_benefit == pytest.approx(730 * 0.2 / 365)
    assert proposal.evidence["tied_up"] == 730
    assert proposal.evidence["largest"] == [{"sku": "1", "name": "Old", "on_hand": 9, "value": 730}]


def slow(latency_ms: float, share: float = 0.5) -> ServiceHealth:
    return ServiceHealth(
        name="checkout",
        healthy=False,
        status="slow",
        latency_ms=latency_ms,
        budget_ms=1000,
        revenue_share=share,
    )


def test_a_slow_service_is_worth_its_share_of_revenue_by_its_delay():
    (proposal,) = services.speed_up_services([slow(1300)], 10_000, "GBP")
    assert proposal.expected_benefit == pytest.approx(10_000 * 0.5 * 0.03)
    assert proposal.confidence == "low"
    (capped,) = services.speed_up_services([slow(9000)], 10_000, "GBP")
    assert capped.expected_benefit == pytest.approx(10_000 * 0.5 * 0.10)


def test_a_complaint_hides_no_slowness():
    yellow = slow(1300).model_copy(update={"status": "degraded"})
    (proposal,) = services.speed_up_services([yellow], 10_000, "GBP")
    assert proposal.resource == "service:checkout"
    in_time = slow(400).model_copy(update={"status": "degraded"})
    assert services.speed_up_services([in_time], 10_000, "GBP") == []


def test_without_revenue_a_slow_service_is_worth_time():
    (proposal,) = services.speed_up_services([slow(1300)], None, "GBP")
    assert (proposal.expected_benefit, proposal.unit) == (300, "ms/request")


def test_a_service_within_its_budget_needs_nothing():
    well = slow(400).model_copy(update={"healthy": True, "status": "ok"})
    assert services.speed_up_services([well], 10_000, "GBP") == []


def supplier(name: str, timeout: float) -> SupplierConnection:
    return SupplierConnection(
        name=name,
        base_url="http://127.0.0.1:1",
        format="json",
        auth="none",
        catalogue_path="/catalogue",
        columns={
            "sku": "sku",
            "unit_cost": "cost",
            "lead_time_days": "days",
            "min_order_units": "min",
        },
        timeout=timeout,
    )


def test_the_slowest_connection_is_worth_what_it_is_slower_than_the_next():
    measured = [("acme", "supplier", 3000), ("shop", "store", 200), ("slowest", "service", 9000)]
    checks = [Connection(name=n, kind=k, latency_ms=ms) for n, k, ms in measured]
    business = Business(store=None, suppliers=(supplier("acme", 5),))
    found = services.tune_connections(Integrations(checks=checks), business)
    assert [(p.kind, p.resource, p.expected_benefit) for p in found] == [
        ("slow-connection", "supplier:acme", 2800),
        ("timeout-margin", "supplier:acme", 0),  # 3 s of 5 s
    ]
    assert "12 s" in found[1].how


def call(ms: float, attempts: int = 1) -> CallRecord:
    return CallRecord(
        message_id="m",
        run_id=None,
        sender="system-orchestrator",
        agent="integration-specialist",
        action="fetch_data",
        priority=2,
        sent_at=NOW,
        payload={},
        outcome=Outcome.SUCCEEDED,
        reply=None,
        error=None,
        attempts=attempts,
        duration_ms=ms,
    )


def test_retries_are_worth_the_time_they_take():
    calls = [call(100) for _ in range(8)] + [call(2100, 2), call(4100, 3)]
    (proposal,) = own_runs.steady_calls(calls)
    # Two of ten calls take 3000 ms longer on average.
    assert proposal.expected_benefit == pytest.approx(600)
    assert own_runs.steady_calls(calls[:4]) == []
    assert own_runs.steady_calls([call(100) for _ in range(20)]) == []


def queued(start: float, wait: float, took: float, name: str = "") -> RunInfo:
    at = NOW + timedelta(seconds=start)
    return RunInfo(
        id=name or f"{start}",
        name="r",
        flow="f",
        state="Completed",
        pool="orchestrator",
        queue="default",
        expected_at=at - timedelta(seconds=wait),
        started_at=at,
        ended_at=at + timedelta(seconds=took),
    )


def pool(limit: int | None) -> PoolInfo:
    return PoolInfo(
        name="orchestrator", type="process", paused=False, concurrency_limit=limit, workers=[]
    )


def test_runs_that_wait_while_the_pool_is_full_call_for_a_higher_limit():
    # Six runs expected at once, one at a time, 60 s each: they wait 0, 60, … 300 s.
    runs = [queued(60 * i, 60 * i, 60) for i in range(6)]
    (proposal,) = own_runs.shorten_queues(runs, [pool(1)], worker_limit=4)
    assert proposal.kind == "raise-concurrency"
    assert proposal.expected_benefit == pytest.approx(150)
    assert proposal.evidence["waited_while_full"] == 5


def test_runs_that_wait_while_nothing_runs_call_for_a_worker():
    runs = [queued(3600 * i, 120, 5) for i in range(6)]
    (proposal,) = own_runs.shorten_queues(runs, [pool(None)], worker_limit=4)
    assert proposal.kind == "worker-presence"


def test_prompt_or_few_runs_call_for_nothing():
    prompt = [queued(60 * i, 1, 5) for i in range(20)]
    few = [queued(60 * i, 300, 5) for i in range(4)]
    assert own_runs.shorten_queues(prompt, [pool(1)], worker_limit=4) == []
    assert own_runs.shorten_queues(few, [pool(1)], worker_limit=4) == []


def test_money_is_ranked_before_time_and_time_before_space():
    (order,) = stock.replenish(StockRisk(at_risk=[item()]), "GBP")
    retries = own_runs.steady_calls([call(100)] * 8 + [call(2100, 2)] * 2)
    space = own_runs.contain_ledger(900.0, 10.0)
    waits = own_runs.shorten_queues([queued(60 * i, 60 * i, 60) for i in range(6)], [pool(1)], 4)
    ranked = rank([*space, *retries, *waits, order])
    assert [p.unit for p in ranked] == ["GBP/day", "s/run", "ms/run", "MB"]


def test_insights_take_models_and_dicts_and_ignore_what_they_do_not_use():
    known = Insights.read(
        {
            "stock_risk": {"at_risk": [item().model_dump()], "as_of": "2026-03-02"},
            "daily_metrics": {"typical_revenue_per_day": 12.5},
            "integrations": Integrations(),
            "else": 1,
        }
    )
    assert known.stock_risk == StockRisk(at_risk=[item()])
    assert known.revenue_per_day == 12.5
    assert known.absent == ["health"]


def test_revenue_per_day_comes_from_the_period_when_no_day_tells_it():
    patterns = {"first": "2026-01-01", "last": "2026-01-10", "revenue": 5000}
    assert Insights.read({"patterns": patterns}).revenue_per_day == 500
    assert Insights.read({}).revenue_per_day is None


def test_insights_of_another_shape_are_refused_by_name():
    with pytest.raises(InvalidMessage, match=r"insights.stock_risk.at_risk.0.sku"):
        Insights.read({"stock_risk": {"at_risk": [{"name": "x"}]}})


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (ItemAtRisk, stock_findings.ItemAtRisk),
        (SurplusItem, stock_findings.SurplusItem),
        (StockRisk, stock_judgement.StockRisk),
        (insights.Patterns, pattern_recognition.Patterns),
        (insights.DailyMetrics, DailyMetrics),
        (Integrations, report.IntegrationReport),
        (Connection, report.ConnectionCheck),
    ],
)
def test_the_other_agents_results_have_the_fields_that_are_read(ours, theirs):
    # Agents don't import one another; this holds the two sides together.
    assert set(ours.model_fields) <= set(theirs.model_fields)
