"""What depends on what, and what may."""

from __future__ import annotations

from fastapi import APIRouter

from blocks.business.business import current_business
from blocks.errors import OrchestratorError
from blocks.vocabulary.messages import utc_now
from deployments.api.context import Ctx
from deployments.api.http.callers import Reader
from deployments.api.http.problems import documented
from flows.orchestrator.events.topology import TopologyShown, read_topology

router = APIRouter(tags=["events"])


@router.get("/topology", response_model=TopologyShown, responses=documented())
async def get_topology(ctx: Ctx, caller: Reader) -> TopologyShown:
    """What depends on what as it is configured, and what may, with the evidence.

    What is proposed counts once it stands in the policy. Without a business that can be read, its
    parts are no evidence.
    """
    try:
        business = await current_business()
    except OrchestratorError:
        business = None
    return await read_topology(ctx.ledger, await ctx.policy(), business, utc_now())
