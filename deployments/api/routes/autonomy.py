"""How far the orders of each group of items go without a person."""

from __future__ import annotations

from fastapi import APIRouter

from deployments.api.context import Ctx
from deployments.api.http.callers import Reader
from deployments.api.http.problems import documented
from flows.orchestrator.purchasing.autonomy import ladder_of
from flows.orchestrator.purchasing.ladder import Standing

router = APIRouter(tags=["orders"])


@router.get("/autonomy", response_model=list[Standing], responses=documented())
async def read_autonomy(ctx: Ctx, caller: Reader) -> list[Standing]:
    """Each group of items with its level, its ceiling, and what its orders have shown.

    Groups of which nothing is settled yet are not among them: they stand where the policy has them
    start. Ceilings are set in the policy.
    """
    return await ladder_of(ctx.ledger, (await ctx.policy()).autonomy)
