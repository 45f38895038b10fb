"""How the whole is: status, agents, metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel, Field

from blocks.ledger.status import AgentMetrics, Health, SystemStatus, Target, WorkflowMetrics
from blocks.vocabulary.messages import utc_now
from deployments.api.context import Ctx
from deployments.api.http.callers import Reader
from deployments.api.http.problems import documented
from deployments.api.prometheus import exposition
from flows.status.agents import AgentStatus, describe_agents

router = APIRouter(tags=["status"])

_EXPOSED = """# HELP orchestrator_pending_tasks Tasks that are not finished.
# TYPE orchestrator_pending_tasks gauge
orchestrator_pending_tasks 2.0
"""


class SystemMetrics(BaseModel):
    """The whole in a few numbers, over the last 24 hours."""

    system_health: Health
    reasons: list[str] = Field(description="Why it is not healthy.")
    uptime_s: float | None = Field(description="Seconds since the stack started.")
    response_ms: float | None = Field(description="Mean time from message to result.")
    throughput_per_hour: float
    pending_tasks: int
    awaiting_approval: int
    targets: list[Target]


@router.get("/orchestrate/status", responses=documented())
async def status(ctx: Ctx, caller: Reader) -> SystemStatus:
    """Health, agents, workflows and targets over the last 24 hours; a second old at most."""
    return await ctx.status.get()


@router.get("/orchestrate/agents", responses=documented())
async def agents(ctx: Ctx, caller: Reader) -> list[AgentStatus]:
    """The agents: what each can do and what it is doing."""
    return describe_agents(ctx.team, await ctx.ledger.activity(utc_now()))


@router.get("/metrics/agents", responses=documented())
async def agent_metrics(ctx: Ctx, caller: Reader) -> list[AgentMetrics]:
    """Each agent's work over the last 24 hours."""
    return (await ctx.status.get()).agents


@router.get("/metrics/workflows", responses=documented())
async def workflow_metrics(ctx: Ctx, caller: Reader) -> list[WorkflowMetrics]:
    """Each workflow's runs over the last 24 hours."""
    return (await ctx.status.get()).workflows


@router.get("/metrics/system", responses=documented())
async def system_metrics(ctx: Ctx, caller: Reader) -> SystemMetrics:
    """The whole in a few numbers."""
    return SystemMetrics.model_validate((await ctx.status.get()).model_dump(), extra="ignore")


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": _EXPOSED}}},
        **documented(),
    },
)
async def prometheus_metrics(ctx: Ctx, caller: Reader) -> Response:
    """The same figures as Prometheus reads them."""
    figures = exposition(
        await ctx.status.get(),
        await ctx.depth.get(),
        await ctx.ledger.incidents.counts(),
        ctx.ledger.health.refused,
        await ctx.objective_figures.get(),
    )
    return Response(figures, media_type=CONTENT_TYPE_PLAIN_0_0_4)
