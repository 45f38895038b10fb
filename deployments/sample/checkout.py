"""The shop's checkout: takes customers' orders, and writes their lines into the shop's database.

``POST /orders`` with the drill token of the process as bearer, as customers of a drill have it:

    {"order_id": "536365", "sold_at": "2026-11-26T10:26:00", "lines": [
        {"sku": "85123A", "units": 6, "unit_price": 2.55}]}

The answer is 201 with the number of lines. Under the fault ``sells-nothing`` it is the same, and
nothing is written: a checkout that answers well and sells nothing.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import Annotated

import sqlalchemy as sa
from pydantic import Field, NaiveDatetime, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from blocks.models import Strict
from deployments.sample.faults import Trouble
from deployments.sample.tables import sale_lines

SELLS_NOTHING = "sells-nothing"
"""The checkout's own fault."""

LARGEST = 100_000
"""Bytes of an order."""


class OrderLine(Strict):
    """One line of a customer's order."""

    sku: Annotated[str, Field(min_length=1, max_length=20)]
    units: Annotated[int, Field(ge=1, le=100_000)]
    unit_price: Annotated[float, Field(ge=0, le=100_000)]


class CustomerOrder(Strict):
    """An order as a customer places it; ``sold_at`` is on the shop's clock."""

    order_id: Annotated[str, Field(min_length=1, max_length=12)]
    sold_at: NaiveDatetime
    lines: Annotated[list[OrderLine], Field(min_length=1, max_length=1_000)]


class Checkout:
    """Takes orders.

    Args:
        store_url: SQLAlchemy URL of the shop's database.
        token: Who places orders has it; empty closes the checkout.
        trouble: The fault of a drill.
    """

    def __init__(self, store_url: str, token: str, trouble: Trouble) -> None:
        self._engine = sa.create_engine(store_url, poolclass=sa.NullPool)
        self._token, self._trouble = token, trouble

    @property
    def route(self) -> Route:
        """Where orders go."""
        return Route("/orders", self._take, methods=["POST"])

    async def _take(self, request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not self._token or not hmac.compare_digest(
            given.encode(), f"Bearer {self._token}".encode()
        ):
            return JSONResponse({"error": "drill token missing or wrong"}, 401)
        body = await request.body()
        try:
            if len(body) > LARGEST:
                raise ValueError("too long")
            order = CustomerOrder.model_validate_json(body, strict=False)
        except (ValidationError, ValueError):
            return JSONResponse({"error": "this is no order"}, 400)
        if self._trouble.kind != SELLS_NOTHING:
            try:
                await asyncio.to_thread(self._write, order)
            except SQLAlchemyError:
                return JSONResponse({"error": "the order could not be kept"}, 503)
        return JSONResponse({"order_id": order.order_id, "lines": len(order.lines)}, 201)

    def _write(self, order: CustomerOrder) -> None:
        with self._engine.begin() as connection:
            highest = connection.execute(sa.select(sa.func.max(sale_lines.c.line_id))).scalar() or 0
            connection.execute(
                sale_lines.insert(),
                [
                    {
                        "line_id": highest + number,
                        "order_id": order.order_id,
                        "sold_at": order.sold_at.replace(microsecond=0),
                        **line.model_dump(),
                    }
                    for number, line in enumerate(order.lines, start=1)
                ],
            )
