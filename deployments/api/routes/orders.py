"""Draft orders: what would be ordered from whom, and why. Nothing here sends anything."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from blocks.vocabulary.messages import Name
from deployments.api.context import Ctx
from deployments.api.http.callers import Reader
from deployments.api.http.problems import documented
from flows.reports.last_orders import LastOrders, last_orders
from flows.reports.order_file import as_csv

router = APIRouter(tags=["orders"])

_ANSWERS: dict[int | str, dict[str, Any]] = {**documented(404, 422)}


@router.get("/orders/drafts", response_model=LastOrders, responses=_ANSWERS)
async def read_draft_orders(
    ctx: Ctx,
    caller: Reader,
    supplier: Annotated[
        Name | None, Query(description="Only the draft to it.", examples=["northwind-wholesale"])
    ] = None,
    format: Annotated[  # noqa: A002  (its name in the address)
        Literal["json", "csv"],
        Query(description="csv answers text/csv: a row per line of a draft.", examples=["json"]),
    ] = "json",
) -> Response | LastOrders:
    """The newest draft orders, one per supplier, with the items that are held and why.

    They are drafts: nothing has been sent to a supplier. With ``format=csv`` the answer is a file;
    no cell of it begins with a sign by which a spreadsheet knows a formula.
    """
    found = await last_orders(ctx.ledger, supplier or "")
    if format == "json":
        return found
    name = f"draft-orders-{supplier or 'all'}-{found.plan.as_of}.csv"
    return Response(
        as_csv(found.plan),
        media_type="text/csv; charset=utf-8; header=present",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
