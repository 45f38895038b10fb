"""Incidents: what is wrong, its story, and what a person says of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field

from blocks.models import Strict
from blocks.vocabulary.messages import utc_now
from blocks.vocabulary.severity import Severity
from deployments.api.context import Ctx
from deployments.api.http.bodies import StrictRoute
from deployments.api.http.callers import Reader, Runner
from deployments.api.http.problems import documented
from flows.orchestrator.incidents.by_hand import acknowledge, add_note, assign, resolve
from flows.orchestrator.incidents.post_incident import business_or_none, post_incident_report
from flows.orchestrator.incidents.reading import (
    IncidentStory,
    ListedIncident,
    list_incidents,
    story_of,
)
from flows.reports.model import Report

router = APIRouter(prefix="/incidents", tags=["incidents"], route_class=StrictRoute)

_CHANGES: dict[int | str, dict[str, Any]] = {**documented(400, 404, 413, 415, 422)}

Id = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f-]{6,64}$",
        description="The incident's id, or at least six characters of its beginning.",
        examples=["3f0c9d5e2b7a4c1d8e6f"],
    ),
]
Text = Annotated[str, Field(max_length=2000)]


class Wanted(Strict):
    """Which incidents to list."""

    over: bool = Field(default=False, description="Also those that are over.", examples=[True])
    resource: str = Field(
        default="*",
        max_length=500,
        description="What they are about, with * and ?.",
        examples=["service:*"],
    )
    severity: Severity | None = Field(
        default=None, description="From this one on; news is never listed.", examples=["error"]
    )
    assigned_to: str | None = Field(
        default=None, max_length=100, description="Only whose they are.", examples=["ann"]
    )
    limit: int = Field(default=100, ge=1, le=1000, description="How many at most.", examples=[20])


class Said(Strict):
    """What somebody says with it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "I restart the cache."}]})

    note: Text = Field(default="", description="What else there is to say.")


class Whose(Strict):
    """Whose an incident is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"to": "ann", "note": "On call."}]})

    to: str = Field(max_length=100, description="A person, or an audience of the policy; '' none.")
    note: Text = Field(default="", description="What else there is to say.")


class Remark(Strict):
    """What there is to remember."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "The provider is told."}]})

    text: Text = Field(min_length=1, description="The note.")


@router.get("", responses=documented(422))
async def read_incidents(
    ctx: Ctx, caller: Reader, wanted: Annotated[Wanted, Query()]
) -> list[ListedIncident]:
    """Incidents: those that are not over first, the worst of them first; then the latest."""
    return await list_incidents(
        ctx.ledger,
        utc_now(),
        over=wanted.over,
        resource=wanted.resource,
        severity=wanted.severity,
        assigned_to=wanted.assigned_to,
        limit=wanted.limit,
    )


@router.get("/{incident_id}", responses=documented(404, 422))
async def read_incident(incident_id: Id, ctx: Ctx, caller: Reader) -> IncidentStory:
    """One incident with its timeline."""
    return await story_of(ctx.ledger, incident_id, utc_now())


@router.get("/{incident_id}/report", responses=documented(404, 422))
async def read_post_incident_report(incident_id: Id, ctx: Ctx, caller: Reader) -> Report:
    """What happened, what it cost, what was done, what worked, what is left: as it stands now.

    Without a business that can be read nothing is told of money.
    """
    business = await business_or_none()
    return await post_incident_report(ctx.ledger, business, incident_id, utc_now())


@router.post("/{incident_id}/acknowledge", responses=_CHANGES)
async def acknowledge_incident(
    incident_id: Id, said: Said, ctx: Ctx, caller: Runner
) -> IncidentStory:
    """Say that you see to it: nobody else is called, unless it becomes worse.

    Sent again it changes nothing.
    """
    now, rules = utc_now(), (await ctx.policy()).incidents
    one = await acknowledge(ctx.ledger, incident_id, rules, by=caller.name, now=now, note=said.note)
    return await story_of(ctx.ledger, one.id, now)


@router.post("/{incident_id}/assign", responses=_CHANGES)
async def assign_incident(incident_id: Id, whose: Whose, ctx: Ctx, caller: Runner) -> IncidentStory:
    """Say whose it is. An audience of the policy is told of what is its own."""
    now = utc_now()
    one = await assign(ctx.ledger, incident_id, whose.to, by=caller.name, now=now, note=whose.note)
    return await story_of(ctx.ledger, one.id, now)


@router.post("/{incident_id}/notes", responses=_CHANGES)
async def note_incident(incident_id: Id, remark: Remark, ctx: Ctx, caller: Runner) -> IncidentStory:
    """Put a note to an incident, also to one that is over."""
    now = utc_now()
    one = await add_note(ctx.ledger, incident_id, remark.text, by=caller.name, now=now)
    return await story_of(ctx.ledger, one.id, now)


@router.post("/{incident_id}/resolve", responses=_CHANGES)
async def resolve_incident(incident_id: Id, said: Said, ctx: Ctx, caller: Runner) -> IncidentStory:
    """Say that it is over. Sent again it changes nothing."""
    now = utc_now()
    one = await resolve(ctx.ledger, incident_id, by=caller.name, now=now, note=said.note)
    return await story_of(ctx.ledger, one.id, now)
