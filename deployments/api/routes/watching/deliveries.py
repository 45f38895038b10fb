"""What partners are told by webhooks: the log, sending again, and the partners' endpoints.

What comes in is at ``/webhooks``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field

from blocks.ledger.webhooks.deliveries import Search
from blocks.ledger.webhooks.records import DeliveryView, EndpointState
from blocks.models import Strict
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.messages import Name, utc_now
from blocks.vocabulary.partner_events import EventType
from deployments.api.context import Ctx
from deployments.api.http.bodies import StrictRoute
from deployments.api.http.callers import Approver, Reader
from deployments.api.http.problems import documented
from flows.orchestrator.approvals.caretaker import caretaker_at_hand
from flows.orchestrator.webhooks.tending import (
    EndpointView,
    disable,
    enable,
    list_endpoints,
    resend,
    resend_missed,
    send_test,
)

router = APIRouter(tags=["outgoing webhooks"], route_class=StrictRoute)

Id = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{6,64}$",
        description="The delivery's id, or at least six characters of its beginning.",
        examples=["3f0c9d5e2b7a4c1d8e6f"],
    ),
]
Endpoint = Annotated[Name, Path(description="The endpoint's name.", examples=["acme"])]


class Wanted(Strict):
    """Which deliveries to list."""

    endpoint: Name | None = Field(default=None, description="Only those to it.", examples=["acme"])
    type: list[EventType] = Field(
        default=[], description="Only events of these types.", examples=[["order.sent"]]
    )
    status: list[EffectStatus] = Field(
        default=[], description="Only those that stand so.", examples=[["failed"]]
    )
    key: str | None = Field(
        default=None,
        max_length=500,
        description="Only about this incident, order or report: type:id.",
        examples=["order:PO-260301-3F0C9D5E"],
    )
    since: datetime | None = Field(
        default=None,
        description="Only from this instant on; without a zone it is UTC.",
        examples=["2026-03-01T00:00:00Z"],
    )
    text: str = Field(
        default="",
        max_length=200,
        description="A part of the event's data, of a fault, or of an answer.",
        examples=["HTTP 500"],
    )
    limit: int = Field(default=100, ge=1, le=1000, description="How many at most.", examples=[20])


class Enabling(Strict):
    """How an endpoint is enabled."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"resend": True}]})

    resend: bool = Field(
        default=False,
        strict=True,
        description="Whether all that it missed is sent, in order, before anything new.",
    )


class Disabling(Strict):
    """Why an endpoint is disabled."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "They are moving."}]})

    note: str = Field(default="", max_length=2000, description="Why, for the record.")


class Missed(Strict):
    """Which of what an endpoint missed is sent again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"since": "2026-03-01T00:00:00Z"}]})

    since: datetime | None = Field(
        default=None, description="Only from this instant on; without a zone it is UTC."
    )


class Resent(Strict):
    """How many deliveries are sent again."""

    resent: int = Field(description="How many.")


@router.get("/deliveries", responses=documented(422))
async def list_deliveries(
    ctx: Ctx, caller: Reader, wanted: Annotated[Wanted, Query()]
) -> list[DeliveryView]:
    """What partners were told, or are to be, newest first, with how each attempt went."""
    search = Search(
        endpoint=wanted.endpoint,
        types=wanted.type,
        statuses=wanted.status,
        subject=wanted.key,
        since=_aware(wanted.since),
        text=wanted.text,
        limit=wanted.limit,
    )
    return [each.view for each in await ctx.ledger.deliveries.found(search)]


@router.get("/deliveries/{delivery_id}", responses=documented(404, 422))
async def read_delivery(delivery_id: Id, ctx: Ctx, caller: Reader) -> DeliveryView:
    """One delivery: what is sent, and how each attempt went."""
    return (await ctx.ledger.deliveries.get(delivery_id)).view


@router.post("/deliveries/{delivery_id}/resend", responses=documented(400, 404, 422))
async def resend_delivery(delivery_id: Id, ctx: Ctx, caller: Approver) -> DeliveryView:
    """Send what is over again, with the same ``webhook-id``; the stack does so in a moment."""
    return (await resend(ctx.ledger, delivery_id, utc_now())).view


@router.get("/endpoints", responses=documented(503))
async def read_endpoints(ctx: Ctx, caller: Reader) -> list[EndpointView]:
    """The partners' endpoints, and how each stands."""
    return await list_endpoints(ctx.ledger, utc_now())


@router.post("/endpoints/{name}/test", responses=documented(404, 422, 503))
async def test_endpoint(name: Endpoint, ctx: Ctx, caller: Approver) -> DeliveryView:
    """Send an endpoint ``endpoint.test``, once, and tell what came of it."""
    by = await caretaker_at_hand(ctx.ledger)
    return (await send_test(by, name, caller.name, utc_now())).view


@router.post("/endpoints/{name}/enable", responses=documented(400, 404, 413, 415, 422))
async def enable_endpoint(
    name: Endpoint, enabling: Enabling, ctx: Ctx, caller: Approver
) -> EndpointState:
    """Have an endpoint told again."""
    by = await caretaker_at_hand(ctx.ledger)
    return await enable(by, name, caller.name, utc_now(), resend=enabling.resend)


@router.post("/endpoints/{name}/disable", responses=documented(400, 404, 413, 415, 422))
async def disable_endpoint(
    name: Endpoint, disabling: Disabling, ctx: Ctx, caller: Approver
) -> EndpointState:
    """Have an endpoint told nothing; what it misses is kept."""
    by = await caretaker_at_hand(ctx.ledger)
    return await disable(by, name, caller.name, disabling.note, utc_now())


@router.post("/endpoints/{name}/resend", responses=documented(400, 404, 413, 415, 422))
async def resend_what_was_missed(
    name: Endpoint, missed: Missed, ctx: Ctx, caller: Approver
) -> Resent:
    """Send all again, in order, that an endpoint did not take."""
    since = _aware(missed.since)
    return Resent(resent=await resend_missed(ctx.ledger, name, utc_now(), since))


def _aware(instant: datetime | None) -> datetime | None:
    return instant.replace(tzinfo=UTC) if instant and instant.tzinfo is None else instant
