"""Silences and maintenance windows: what nobody is told of for a while."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, ConfigDict, Field, ValidationError

from blocks.business.file import faults
from blocks.errors import InvalidMessage
from blocks.ledger.incidents.silences import SilenceRecord, Weekly
from blocks.models import Strict
from blocks.vocabulary.messages import utc_now
from deployments.api.context import Ctx
from deployments.api.http.bodies import StrictRoute
from deployments.api.http.callers import Reader, Runner
from deployments.api.http.problems import documented
from flows.orchestrator.incidents.silencing import Silenced, end_silence, make_silence

router = APIRouter(prefix="/silences", tags=["incidents"], route_class=StrictRoute)

_CHANGES: dict[int | str, dict[str, Any]] = {**documented(400, 413, 415, 422)}

Id = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f-]{6,64}$",
        description="The silence's id, or at least six characters of its beginning.",
        examples=["3f0c9d5e2b7a4c1d8e6f"],
    ),
]
Pattern = Annotated[str, Field(min_length=1, max_length=500)]


class Wanted(Strict):
    """Which silences to list."""

    over: bool = Field(default=False, description="Also those that are over.", examples=[True])


class NewSilence(Strict):
    """Which incidents nobody is to be told of; patterns know ``*`` and ``?``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "resource": "service:checkout",
                    "reason": "We deploy.",
                    "ends_at": "2026-12-01T18:00:00Z",
                    "maintenance": True,
                }
            ]
        }
    )

    resource: Pattern = Field(default="*", description="What an incident is about.")
    type: Pattern = Field(default="*", description="Of the event that opened it.")
    severity: Pattern = Field(default="*", description="How bad it is.")
    labels: dict[str, Pattern] = Field(
        default={}, max_length=20, description="Label to what its value is like."
    )
    reason: str = Field(min_length=1, max_length=500, description="Why, for whoever wonders.")
    starts_at: AwareDatetime | None = Field(default=None, description="Now, if left out.")
    ends_at: AwareDatetime = Field(description="From then on it does nothing.")
    maintenance: bool = Field(default=False, description="Nothing is mended meanwhile, either.")
    weekly: Weekly | None = Field(default=None, description="The hours in which alone it counts.")
    everything: bool = Field(
        default=False, description="It is meant to cover whatever there is, and names nothing."
    )


@router.get("", responses=documented(422))
async def read_silences(
    ctx: Ctx, caller: Reader, wanted: Annotated[Wanted, Query()]
) -> list[SilenceRecord]:
    """Silences, the newest first; also those whose time is yet to come."""
    if wanted.over:
        return await ctx.ledger.silences.all()
    return await ctx.ledger.silences.current(utc_now())


@router.post("", status_code=201, responses=_CHANGES)
async def add_silence(new: NewSilence, ctx: Ctx, caller: Runner) -> Silenced:
    """Have nobody told of certain incidents for a while; answers which open ones it covers.

    They are on record and counted all the same, and what goes on when it ends is told.
    """
    now, given = utc_now(), new.model_dump(exclude={"everything", "starts_at", "weekly"})
    starts_at = new.starts_at or now
    try:
        silence = SilenceRecord(
            **given, weekly=new.weekly, by=caller.name, made_at=now, starts_at=starts_at
        )
    except ValidationError as error:
        raise InvalidMessage(
            f"That is no silence: {faults(error)}.", hint="See its form in /openapi.json."
        ) from None
    return await make_silence(ctx.ledger, silence, now, everything=new.everything)


@router.delete("/{silence_id}", responses=documented(404, 422))
async def remove_silence(silence_id: Id, ctx: Ctx, caller: Runner) -> SilenceRecord:
    """End a silence before its time; what it covered and goes on is told. It stays on record."""
    return await end_silence(ctx.ledger, silence_id, by=caller.name, now=utc_now())
