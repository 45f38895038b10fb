"""Draft orders over HTTP: as JSON and as a file, for who may read."""

from __future__ import annotations

import csv
import io

import pytest

from tests.integration.deployments.api.conftest import Api
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
