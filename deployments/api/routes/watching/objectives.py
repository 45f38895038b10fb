"""What was promised, and what is left of each error budget."""

from __future__ import annotations

from fastapi import APIRouter

from agents.sre_reliability.objectives.standing import ObjectiveStanding
from deployments.api.context import Ctx
from deployments.api.http.callers import Reader
from deployments.api.http.problems import documented

router = APIRouter(tags=["status"])


@router.get("/objectives", response_model=list[ObjectiveStanding], responses=documented())
async def read_objectives(ctx: Ctx, caller: Reader) -> list[ObjectiveStanding]:
    """Each objective: how it is kept, its error budget and how fast that burns, worst first.

    At most ten seconds old; with very many events older. Objectives are set in the policy.
    """
    return await ctx.objectives.get()
