"""Draft orders over HTTP: as JSON and as a file, for who may read."""

from __future__ import annotations

import csv
import io

import pytest

from tests.integration.deployments.api.conftest import Api
from tests.orders import order as new_order
from tests.orders import sent
from tests.plans import TWO, report_of

pytestmark = pytest.mark.prefect


async def test_before_the_first_run_there_are_none_and_what_to_do_is_said(api: Api) -> None:
    answer = await api.client.get("/orders/drafts")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert "critical-inventory" in answer.json()["hint"]


async def test_the_drafts_as_json(api: Api) -> None:
    await api.ledger.save_report(report_of(TWO))
    told = (await api.client.get("/orders/drafts")).json()
    assert [order["supplier"] for order in told["plan"]["orders"]] == ["acme", "globex"]
    assert told["plan"]["orders"][0]["total"] == "52.50"
    assert told["run_id"] == "a" * 32
    one = (await api.client.get("/orders/drafts", params={"supplier": "globex"})).json()
    assert [order["supplier"] for order in one["plan"]["orders"]] == ["globex"]
    assert (await api.client.get("/orders/drafts", params={"supplier": "none"})).status_code == 404


async def test_the_drafts_as_a_file(api: Api) -> None:
    await api.ledger.save_report(report_of(TWO))
    answer = await api.client.get("/orders/drafts", params={"format": "csv", "supplier": "acme"})
    assert answer.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert answer.headers["content-disposition"] == (
        'attachment; filename="draft-orders-acme-2026-03-02.csv"'
    )
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["sku"] for row in rows] == ["a", "b"]


@pytest.mark.parametrize("query", [{"format": "xml"}, {"supplier": '"; x'}, {"supplier": ""}])
async def test_what_it_does_not_know_is_refused(api: Api, query: dict[str, str]) -> None:
    assert (await api.client.get("/orders/drafts", params=query)).status_code == 422


async def test_orders_are_listed_and_seen_and_what_a_person_says_is_entered_once(api: Api) -> None:
    order = await sent(api.ledger, new_order("a", "b"))
    listed = (await api.client.get("/orders", params={"stage": ["sent", "late"]})).json()
    assert [each["reference"] for each in listed] == [order.reference]
    assert (await api.client.get("/orders", params={"stage": "shadow"})).json() == []
    seen = (await api.client.get(f"/orders/{order.reference[:9]}")).json()
    assert (seen["total"], seen["stage"], len(seen["lines"])) == ("54.90", "sent", 2)

    path = f"/orders/{order.reference}"
    word = {"says": "partly", "units": {"a": 4}, "number": "S-7", "note": "Sold out."}
    for _ in range(2):
        told = (await api.client.post(f"{path}/answers", json=word)).json()
        assert (told["stage"], len(told["entries"])) == ("partly", 1)
    told = (await api.client.post(f"{path}/received", json={"units": {"a": 4}})).json()
    assert (told["stage"], told["entries"][-1]["by"]) == ("partly", "this machine")
    told = (await api.client.post(f"{path}/notes", json={"text": "They called."})).json()
    assert told["entries"][-1]["detail"] == "They called."
    told = (await api.client.post(f"{path}/received", json={})).json()
    assert told["stage"] == "received"
    assert (await api.client.post(f"{path}/cancel", json={})).status_code == 422


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("received", {"units": {"a": 10**18}}, 422),
        ("received", {"units": {"a": -1}}, 422),
        ("received", {"units": {"a": 1.5}}, 422),
        ("received", {"units": {"a": "4"}}, 422),
        ("received", {"units": {"x": 1}}, 422),
        ("received", {"approved": True}, 422),
        ("answers", {"says": "yes"}, 422),
        ("answers", {}, 422),
        ("notes", {"text": ""}, 422),
        ("notes", {"text": "  "}, 422),
        ("notes", {"text": "x" * 2001}, 422),
    ],
)
async def test_a_slip_changes_nothing(
    api: Api, what: str, body: dict[str, object], status: int
) -> None:
    order = await sent(api.ledger, new_order("a"))
    answer = await api.client.post(f"/orders/{order.reference}/{what}", json=body)
    assert answer.status_code == status
    assert answer.json()["code"]
    assert await api.ledger.orders.get(order.id) == order
    assert (await api.client.get("/orders/PO-999999")).status_code == 404
    assert (await api.client.get("/orders/..%2f..%2fetc")).status_code in (404, 422)
