"""A supplier's HTTP API as a process: ``python -m deployments.sample.supplier_api NAME --port N``.

Each of the three has its own paths, format, field names and way to authenticate, as suppliers do:

- northwind-wholesale: ``/api/v2/catalogue``, nested JSON, header ``X-API-Key``.
- midland-express: ``/feeds/pricelist.csv``, semicolons, ``Authorization: Bearer``.
- continental-import: ``/export/articles.xml``, attributes and elements, basic authentication.

How each takes orders stands in ``deployments.sample.ordering``.

``/health`` needs no credentials. The credential comes in ``SAMPLE_CREDENTIAL``.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import hmac
import io
import json
import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import count
from xml.etree import ElementTree

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deployments.sample.faults import KINDS, ORDER_KINDS, Trouble
from deployments.sample.ordering.api import order_routes
from deployments.sample.ordering.books import SupplierBook
from deployments.sample.ordering.desk import OrderDesk
from deployments.sample.ordering.mailbox import serving_mail
from deployments.sample.serving import CREDENTIAL, read_place, serve
from deployments.sample.store import shop_today
from deployments.sample.suppliers import SUPPLIERS, Offer, Supplier, catalogue, supplier_named

USERNAME = "sample-shop"
"""Our customer name at the supplier that uses basic authentication."""

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]

PATHS = {
    "json": "/api/v2/catalogue",
    "csv": "/feeds/pricelist.csv",
    "xml": "/export/articles.xml",
}


def build_app(desk: OrderDesk, credential: str, lifespan: Lifespan | None = None) -> Starlette:
    """A supplier's API.

    Args:
        desk: Where it takes orders.
        credential: The key, token or password that it accepts.
        lifespan: What else it does as long as it is there.
    """
    supplier = desk.supplier
    body, media_type = render(supplier)
    header, expected, challenge = _authentication(supplier, credential)
    requests = count(1)

    def known(request: Request) -> bool:
        return hmac.compare_digest(request.headers.get(header, "").encode(), expected.encode())

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "supplier": supplier.name})

    async def articles(request: Request) -> Response:
        if not known(request):
            return PlainTextResponse(
                "Credentials missing or wrong.", 401, headers={"WWW-Authenticate": challenge}
            )
        number = next(requests)
        usual_ms, worst_ms = supplier.latency_ms
        await asyncio.sleep((worst_ms if number % 8 == 0 else usual_ms) / 1000)
        if supplier.outage_every and number % supplier.outage_every == 0:
            return PlainTextResponse("Try again.", 503, headers={"Retry-After": "1"})
        return Response(body, media_type=media_type)

    return Starlette(
        routes=[
            Route("/health", health),
            Route(PATHS[supplier.format], articles),
            *order_routes(desk, known),
        ],
        lifespan=lifespan,
    )


def render(supplier: Supplier) -> tuple[bytes, str]:
    """The supplier's catalogue in its own format, and the media type."""
    offers = catalogue(supplier)
    match supplier.format:
        case "json":
            return _as_json(offers), "application/json"
        case "csv":
            return _as_csv(offers), "text/csv"
        case "xml":
            return _as_xml(offers), "application/xml"
    raise ValueError(f"no such format: {supplier.format!r}")


def _as_json(offers: list[Offer]) -> bytes:
    items = [
        {
            "product": {"code": offer.product.sku, "title": offer.product.name},
            "price": {"net": offer.unit_cost, "currency": "GBP"},
            "supply": {
                "lead_days": offer.supplier.lead_time_days,
                "available": offer.available_units,
                "minimum": offer.supplier.min_order_units,
                "pack": offer.supplier.pack_units,
            },
        }
        for offer in offers
    ]
    return json.dumps({"catalogue": {"items": items, "total": len(items)}}).encode()


def _as_csv(offers: list[Offer]) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, delimiter=";", lineterminator="\r\n")
    table.writerow(
        ["Article", "Description", "Net price GBP", "Delivery days", "MOQ", "Pack", "Stock"]
    )
    for offer in offers:
        supplier, product, unit_cost = offer
        row = [product.sku, product.name, f"{unit_cost:.2f}", supplier.lead_time_days]
        table.writerow([*row, supplier.min_order_units, supplier.pack_units, offer.available_units])
    return text.getvalue().encode()


def _as_xml(offers: list[Offer]) -> bytes:
    root = ElementTree.Element("articles", currency="GBP")
    for offer in offers:
        supplier, product, unit_cost = offer
        article = ElementTree.SubElement(root, "article", code=product.sku)
        ElementTree.SubElement(article, "title").text = product.name
        ElementTree.SubElement(article, "cost").text = f"{unit_cost:.2f}"
        ElementTree.SubElement(article, "delivery", days=str(supplier.lead_time_days))
        ElementTree.SubElement(article, "minimum").text = str(supplier.min_order_units)
        ElementTree.SubElement(article, "pack").text = str(supplier.pack_units)
        ElementTree.SubElement(article, "stock").text = str(offer.available_units)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _authentication(supplier: Supplier, credential: str) -> tuple[str, str, str]:
    """The header that authenticates a customer, its right value, and the 401's challenge."""
    match supplier.auth:
        case "api-key":
            return "X-API-Key", credential, 'ApiKey realm="catalogue"'
        case "bearer":
            return "Authorization", f"Bearer {credential}", 'Bearer realm="feeds"'
        case "basic":
            pair = base64.b64encode(f"{USERNAME}:{credential}".encode()).decode()
            return "Authorization", f"Basic {pair}", 'Basic realm="export"'
    raise ValueError(f"no such authentication: {supplier.auth!r}")


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the supplier that the arguments name."""
    place = read_place(argv, [supplier.name for supplier in SUPPLIERS])
    credential = os.environ.get(CREDENTIAL)
    if not credential:
        sys.exit(f"{CREDENTIAL} is not set: a supplier without credentials would let anyone in.")
    supplier = supplier_named(place.name)
    trouble = Trouble((*KINDS, *ORDER_KINDS))
    desk = OrderDesk(supplier, SupplierBook(place.folder, supplier.name), shop_today, trouble)

    def taking_mail(_: object) -> AbstractAsyncContextManager[None]:
        return serving_mail(desk, socket.create_server((place.host, place.mail_port)))

    serve(build_app(desk, credential, taking_mail if place.mail_port else None), place, trouble)


if __name__ == "__main__":
    main()
