"""A supplier's habits that take too long to wait for in a real process."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import httpx
import pytest

from blocks.formats.rows import Job, read
from deployments.sample.catalogues import CATALOGUES
from deployments.sample.ordering.books import SupplierBook
from deployments.sample.ordering.desk import OrderDesk
from deployments.sample.supplier_api import PATHS, build_app, render
from deployments.sample.suppliers import SUPPLIERS, Supplier, catalogue, supplier_named


async def test_an_unreliable_supplier_has_an_outage_every_so_many_requests(tmp_path) -> None:
    supplier = replace(supplier_named("northwind-wholesale"), outage_every=4, latency_ms=(0, 0))
    desk = OrderDesk(supplier, SupplierBook(tmp_path, supplier.name), date.today)
    transport = httpx.ASGITransport(build_app(desk, "key"))
    async with httpx.AsyncClient(transport=transport, base_url="http://supplier") as client:

        async def ask(key: str) -> httpx.Response:
            return await client.get(PATHS["json"], headers={"X-API-Key": key})

        codes = [(await ask("key")).status_code for _ in range(3)]
        assert codes == [200, 200, 200]
        assert (await ask("wrong")).status_code == 401  # a stranger's request does not count
        outage = await ask("key")
        assert (outage.status_code, outage.headers["retry-after"]) == (503, "1")
        assert (await ask("key")).status_code == 200


@pytest.mark.parametrize("supplier", SUPPLIERS, ids=lambda supplier: supplier.name)
def test_its_catalogue_is_read_as_its_connection_says(supplier: Supplier) -> None:
    reading = CATALOGUES[supplier.format]
    job = Job(
        format=supplier.format,
        records_path=reading.get("records_path", ""),
        charset="",
        columns=reading["columns"],
        max_rows=1_000,
        max_columns=50,
        max_cell=100,
        memory=1 << 29,
        seconds=10,
    )
    parts = list(read(job, render(supplier)[0]))
    assert parts[-1]["rows"] == len(catalogue(supplier))
    assert not {"error", "next_page", "undecodable"} & parts[-1]["said"].keys()
    columns = dict(zip(reading["columns"], parts[0]["cells"], strict=True))
    assert {float(pack) for pack in columns["pack_units"]} == {supplier.pack_units}
    assert {float(days) for days in columns["lead_time_days"]} == {supplier.lead_time_days}
    assert None not in columns["unit_cost"]
    told = [float(units) for units in columns["available_units"]]
    assert told == [offer.available_units for offer in catalogue(supplier)]
    assert sum(units > 0 for units in told) > 0.9 * len(told)


def test_terms_of_whole_orders_are_a_real_choice() -> None:
    terms = {supplier.name: supplier.terms for supplier in SUPPLIERS}
    assert sum(bool(each.min_order_value) for each in terms.values()) == 1
    assert sum(bool(each.freight and each.free_freight_from) for each in terms.values()) == 1
