"""Orders over HTTP: northwind's JSON with idempotency keys, midland's CSV that can be asked first.

- northwind-wholesale: ``POST /api/v2/orders`` with the header ``Idempotency-Key``, and
  ``GET /api/v2/orders?reference=``.
- midland-express: ``POST /feeds/orders`` and ``GET /feeds/orders?order=``, one row per article. It
  knows no keys: an order that comes twice is two orders.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deployments.sample.faults import PAGE, never_answer
from deployments.sample.ordering.books import BookedOrder, OtherOrderError
from deployments.sample.ordering.desk import OrderDesk, RefusedError, Wanted

PATHS = {"json": "/api/v2/orders", "csv": "/feeds/orders"}
"""Where orders go, by the supplier's format; who has another one takes none here."""

KEY = "Idempotency-Key"

COLUMNS = ("Order", "Customer order", "Status", "Article", "Quantity", "Net price GBP", "Delivery")
"""Of midland's answers."""

_WORDS = {"confirmed": "OK", "part": "PART", "shipped": "SENT", "delivered": "DONE"}
"""Midland's for how an order stands."""

_LARGEST = 1024 * 1024

Endpoint = Callable[[Request], Awaitable[Response]]


def order_routes(desk: OrderDesk, known: Callable[[Request], bool]) -> list[Route]:
    """The routes of a supplier that takes orders over HTTP; none for one that does not.

    Args:
        desk: Its desk.
        known: Whether a request comes from its customer.
    """
    path = PATHS.get(desk.supplier.format)
    if path is None:
        return []
    read, tell, parameter = (
        (_read_json, _tell_json, "reference")
        if desk.supplier.format == "json"
        else (_read_csv, _tell_csv, "order")
    )

    async def orders(request: Request) -> Response:
        if not known(request):
            return PlainTextResponse("Credentials missing or wrong.", 401)
        if request.method == "GET":
            return tell(desk, desk.book.of(request.query_params.get(parameter, "")), listed=True)
        try:
            order = desk.take(read(request, await _body(request)))
        except OtherOrderError as error:
            return _refusal(str(error), 409)
        except ValueError as error:
            return _refusal(str(error), 422)
        match desk.trouble.kind:
            case "accept-and-time-out":
                await never_answer(request.receive)
            case "html-200":
                return HTMLResponse(PAGE)
        return tell(desk, [order], listed=False)

    return [Route(path, orders, methods=["GET", "POST"])]


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            raise RefusedError("the order is too long")
    return body


def _read_json(request: Request, body: bytes) -> Wanted:
    key = request.headers.get(KEY, "")
    if not key:
        raise RefusedError(f"the header {KEY} is missing")
    try:
        document = json.loads(body)
        lines = tuple((line["code"], line["quantity"]) for line in document["positions"])
        reference = document["customer_reference"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise RefusedError("this is no order: customer_reference, positions") from None
    if not isinstance(reference, str) or not all(map(_is_line, lines)):
        raise RefusedError("a code is a text, a quantity a whole number")
    return Wanted(reference, lines, key)


def _is_line(line: tuple[Any, Any]) -> bool:
    return isinstance(line[0], str) and type(line[1]) is int


def _read_csv(_: Request, body: bytes) -> Wanted:
    try:
        rows = list(csv.DictReader(io.StringIO(body.decode(), newline=""), strict=True))
        lines = tuple((row["Article"], int(row["Quantity"])) for row in rows)
        references = {row["Customer order"] for row in rows}
    except (ValueError, LookupError, TypeError, csv.Error):
        raise RefusedError("this is no order: Customer order, Article, Quantity") from None
    if len(references) != 1:
        raise RefusedError("one file is one order")
    return Wanted(references.pop() or "", lines)


def _tell_json(desk: OrderDesk, orders: list[BookedOrder], *, listed: bool) -> Response:
    told = [
        {
            "number": f"NW-{order.number:05d}",
            "customer_reference": order.reference,
            "state": desk.state(order),
            "received_at": order.taken_at.isoformat(),
            "currency": "GBP",
            "positions": [
                {
                    "code": line.sku,
                    "quantity": line.units,
                    "net": float(line.unit_cost),
                    "delivery": line.promised_on.isoformat(),
                }
                for line in order.lines
            ]
            * _times(desk),
        }
        for order in orders
    ]
    return JSONResponse({"orders": told}) if listed else JSONResponse(told[0], 201)


def _tell_csv(desk: OrderDesk, orders: list[BookedOrder], *, listed: bool) -> Response:
    text = io.StringIO()
    table = csv.writer(text, delimiter=";", lineterminator="\r\n")
    table.writerow(COLUMNS)
    for order in orders:
        rows = [
            (
                *(f"M{order.number}", order.reference, _WORDS[desk.state(order)], line.sku),
                *(line.units, f"{line.unit_cost:.2f}", line.promised_on.isoformat()),
            )
            for line in order.lines
        ]
        table.writerows(rows * _times(desk))
    return Response(text.getvalue(), 200 if listed else 201, media_type="text/csv")


def _times(desk: OrderDesk) -> int:
    """How often each line is told."""
    return 2 if desk.trouble.kind == "confirm-twice" else 1


def _refusal(why: str, status: int) -> Response:
    return JSONResponse({"error": why}, status)
