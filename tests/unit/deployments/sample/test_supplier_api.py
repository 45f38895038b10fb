"""A supplier's habits that take too long to wait for in a real process."""

from __future__ import annotations

from dataclasses import replace

import httpx

from deployments.sample.supplier_api import PATHS, build_app
from deployments.sample.suppliers import supplier_named


async def test_an_unreliable_supplier_has_an_outage_every_so_many_requests() -> None:
    supplier = replace(supplier_named("northwind-wholesale"), outage_every=4, latency_ms=(0, 0))
    transport = httpx.ASGITransport(build_app(supplier, "key"))
    async with httpx.AsyncClient(transport=transport, base_url="http://supplier") as client:

        async def ask(key: str) -> httpx.Response:
            return await client.get(PATHS["json"], headers={"X-API-Key": key})

        codes = [(await ask("key")).status_code for _ in range(3)]
        assert codes == [200, 200, 200]
        assert (await ask("wrong")).status_code == 401  # a stranger's request does not count
        outage = await ask("key")
        assert (outage.status_code, outage.headers["retry-after"]) == (503, "1")
        assert (await ask("key")).status_code == 200
