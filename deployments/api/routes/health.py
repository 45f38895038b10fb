"""Whether the API lives, and whether it can do its work. Open to all: they give nothing away."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from deployments.api.context import Ctx, Readiness

router = APIRouter(tags=["health"])

_ALIVE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"example": {"status": "ok"}}}}
}
_UNREADY: dict[int | str, dict[str, Any]] = {503: {"model": Readiness, "description": "Not ready."}}


@router.get("/livez", responses=_ALIVE)
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses=_UNREADY)
async def readyz(ctx: Ctx, response: Response) -> Readiness:
    """200 when the ledger takes a small write and Prefect's server answers, else 503 and why."""
    ready = await ctx.readiness.get()
    response.status_code = 200 if ready.everything else 503
    return ready
