"""Purchase orders and how they stand; drafts; and what a person says of an order."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import ConfigDict, Field

from blocks.ledger.purchasing.records import OrderRecord, OrderStage
from blocks.models import Strict
from blocks.vocabulary.messages import Name, utc_now
from blocks.vocabulary.purchasing import MOST_UNITS, SupplierSays
from deployments.api.context import Ctx
from deployments.api.http.bodies import StrictRoute
from deployments.api.http.callers import Approver, Reader
from deployments.api.http.problems import documented
from flows.orchestrator.approvals.answering import Answered
from flows.orchestrator.purchasing.by_hand import add_note, cancel, mark_received, pass_on
from flows.reports.last_orders import LastOrders, last_orders
from flows.reports.order_file import as_csv

router = APIRouter(tags=["orders"], route_class=StrictRoute)

_ANSWERS: dict[int | str, dict[str, Any]] = {**documented(404, 422)}
_CHANGES: dict[int | str, dict[str, Any]] = {**documented(400, 404, 413, 415, 422)}

Reference = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9-]{6,80}$",
        description="The order's reference, or at least six characters of its beginning.",
        examples=["PO-260301-3F0C9D5E"],
    ),
]
Pieces = Annotated[int, Field(strict=True, ge=0, le=MOST_UNITS)]
Text = Annotated[str, Field(max_length=2000)]


class Wanted(Strict):
    """Which orders to list."""

    stage: list[OrderStage] = Field(
        default=[], description="Only those that stand so; all when left out.", examples=[["sent"]]
    )
    limit: int = Field(default=100, ge=1, le=1000, description="How many at most.", examples=[20])


class Arrival(Strict):
    """Goods that came."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"units": {"85123A": 40}, "note": "One box was open."}]}
    )

    units: dict[str, Pieces] = Field(
        default={}, description="Pieces by SKU; all that was expected when left out."
    )
    note: Text = Field(default="", description="What else there is to say.")


class Word(Strict):
    """What a supplier said, passed on by a person."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"says": "partly", "units": {"85123A": 20}}]}
    )

    says: SupplierSays = Field(description="Its word.")
    units: dict[str, Pieces] = Field(
        default={}, description="Pieces that it delivers, by SKU; the others stay as they are."
    )
    number: str = Field(default="", max_length=200, description="Its own number of the order.")
    note: Text = Field(default="", description="What else it said.")


class Note(Strict):
    """What there is to remember."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "They called back."}]})

    text: Text = Field(min_length=1, description="The note.")


class No(Strict):
    """Why an order is not wanted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "Bought elsewhere."}]})

    note: Text = Field(default="", description="What there is to say.")


@router.get("/orders", responses=documented(422))
async def list_orders(
    ctx: Ctx, caller: Reader, wanted: Annotated[Wanted, Query()]
) -> list[OrderRecord]:
    """Purchase orders and how each stands, newest first."""
    return await ctx.ledger.orders.list(wanted.stage, limit=wanted.limit)


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


@router.get("/orders/{reference}", responses=_ANSWERS)
async def read_order(reference: Reference, ctx: Ctx, caller: Reader) -> OrderRecord:
    """One order, with all that became known of it."""
    return await ctx.ledger.orders.get(reference)


@router.post("/orders/{reference}/received", responses=_CHANGES)
async def receive_order(
    reference: Reference, arrival: Arrival, ctx: Ctx, caller: Approver
) -> OrderRecord:
    """Say that goods came; the order as it stands then."""
    return await mark_received(
        ctx.ledger,
        reference,
        arrival.units,
        by=caller.name,
        now=utc_now(),
        note=arrival.note,
    )


@router.post("/orders/{reference}/answers", responses=_CHANGES)
async def pass_on_word(reference: Reference, word: Word, ctx: Ctx, caller: Approver) -> OrderRecord:
    """Pass on what the supplier said, by mail or on the telephone; said twice, it counts once."""
    return await pass_on(
        ctx.ledger,
        reference,
        word.says,
        word.units,
        by=caller.name,
        now=utc_now(),
        number=word.number,
        note=word.note,
    )


@router.post("/orders/{reference}/notes", responses=_CHANGES)
async def note_order(reference: Reference, note: Note, ctx: Ctx, caller: Approver) -> OrderRecord:
    """Put a note to an order."""
    return await add_note(ctx.ledger, reference, note.text, by=caller.name, now=utc_now())


@router.post("/orders/{reference}/cancel", responses=_CHANGES)
async def cancel_order(reference: Reference, no: No, ctx: Ctx, caller: Approver) -> Answered:
    """Say no to an order that waits for a yes."""
    return await cancel(ctx.ledger, reference, by=caller.name, via="api", note=no.note)
