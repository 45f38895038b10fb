"""Asking for work: workflows, tasks, alerts; and how a run stands."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Body, Header, Path, Response
from pydantic import AwareDatetime, BaseModel, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from blocks.ledger.work.tasks import TaskRecord
from blocks.models import Strict
from blocks.prefect_api.workflows import load_workflow, validated
from blocks.text.masking import without_passwords
from blocks.vocabulary.messages import Priority, utc_now
from deployments.api.context import Context, Ctx
from deployments.api.http.bodies import StrictRoute
from deployments.api.http.callers import Reader, Runner
from deployments.api.http.idempotency import Idempotent
from deployments.api.http.problems import documented
from deployments.api.routes.flow_bodies import (
    check_workflow_body,
    flow_body,
    given,
    strictly,
    workflow_bodies,
)
from flows.broadcast_alert import broadcast_alert
from flows.orchestrator.runs.queues import place_of
from flows.orchestrator.runs.starting import is_over
from flows.orchestrator.tasks.acceptance import judge_parameters
from flows.orchestrator.team.opening import ledger_id
from flows.reports.model import Report
from flows.route_task import route_task

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

router = APIRouter(prefix="/orchestrate", tags=["work"], route_class=StrictRoute)

LONGEST_WAIT = 60.0
"""Seconds that a request may wait for its run."""

EXAMPLE = {"workflow": "sequential-workflow", "parameters": {"top": 5}}


class WorkflowRequest(Strict):
    """Which workflow to run, and with what."""

    workflow: str = Field(
        min_length=1, max_length=100, description="For instance daily-health-check."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="The workflow's own, checked as its run checks them; the Prefect UI shows the "
        "same ones on its form.",
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """OpenAPI names each workflow with its parameters."""
        told = handler(workflow_bodies().core_schema)
        return {**told, "description": cls.__doc__, "examples": [EXAMPLE]}


if TYPE_CHECKING:
    TaskRequest: TypeAlias = BaseModel
    AlertRequest: TypeAlias = BaseModel
else:
    TaskRequest = strictly(
        flow_body(
            "TaskRequest",
            route_task,
            without={"task_id"},
            required={"task_type"},
            example={
                "task_type": "api_failure",
                "params": {"connection": "northwind-wholesale"},
                "severity": "error",
            },
        )
    )
    AlertRequest = strictly(
        flow_body(
            "AlertRequest",
            broadcast_alert,
            required={"title"},
            example={
                "title": "Payment provider announces maintenance",
                "severity": "warning",
                "resource": "service:checkout",
            },
        )
    )


class Links(BaseModel):
    """Where to look."""

    self: str = Field(description="This run in the API.")
    page: str = Field(description="This run in the Prefect UI.")


class Accepted(BaseModel):
    """A run that was accepted: it will be carried out, whatever dies meanwhile."""

    id: UUID = Field(description="The run's id, in the API and in Prefect.")
    workflow: str = Field(examples=["sequential-workflow"])
    links: Links


class RunState(BaseModel):
    """How a run stands, as Prefect has it."""

    type: str = Field(description="SCHEDULED, PENDING, RUNNING, COMPLETED, FAILED, CANCELLED, …")
    name: str = Field(description="The same in a finer way, for instance Partial.")
    message: str
    is_final: bool = Field(
        description="Whether it has ended. One that crashed may be restarted: it has not ended."
    )


class Run(Accepted):
    """A run, with its report once there is one."""

    state: RunState
    created_at: AwareDatetime | None
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    parameters: dict[str, Any]
    result: TaskRecord | None = Field(description="Of a task: the task as it stands.")
    report: Report | None = Field(description="What the run reports.")


Prefer = Annotated[
    str | None,
    Header(
        description="wait=N: answer with the result if the run ends within N seconds, at most 60.",
        examples=["wait=30"],
    ),
]

RunId = Annotated[
    UUID, Path(description="The run's id.", examples=["0192f3a1-7c5e-7d41-9b1a-5f0e3c2d1b00"])
]

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": Run, "description": "It ended while the request waited (Prefer: wait=N)."},
    202: {"model": Accepted, "description": "Accepted; the run begins at once."},
    **documented(400, 409, 413, 415, 422),
}


@router.post("/workflow", status_code=202, response_model=None, responses=_ANSWERS)
async def start_workflow(
    body: WorkflowRequest, ctx: Ctx, caller: Runner, once: Idempotent, prefer: Prefer = None
) -> Response:
    """Run a workflow."""
    flow = load_workflow(body.workflow)
    parameters = validated(flow, body.parameters)
    check_workflow_body(body)
    if flow.name == route_task.name and not parameters.get("task_id"):
        await _priority(ctx, parameters)
    start = partial(_start, ctx, f"{flow.name}/{body.workflow}", body.parameters)
    return await _answer(ctx, *await once.do(caller, start), prefer)


@router.post("/task", status_code=202, response_model=None, responses=_ANSWERS)
async def start_task(
    body: Annotated[TaskRequest, Body()],
    ctx: Ctx,
    caller: Runner,
    once: Idempotent,
    prefer: Prefer = None,
) -> Response:
    """Have the agents that the decision matrix names do a task."""
    params = given(body)
    place = place_of("route-task", await _priority(ctx, validated(route_task, params)))

    async def begin(key: str) -> dict[str, Any]:
        # A run that is begun again must find its task, not make a second one.
        needed = {"need_key": params.get("need_key") or f"api {sha256(key.encode()).hexdigest()}"}
        return await _start(ctx, place.deployment, params | needed, key, place.queue)

    return await _answer(ctx, *await once.do(caller, begin), prefer)


@router.post("/broadcast", status_code=202, response_model=None, responses=_ANSWERS)
async def broadcast(
    body: Annotated[AlertRequest, Body()],
    ctx: Ctx,
    caller: Runner,
    once: Idempotent,
    prefer: Prefer = None,
) -> Response:
    """Tell every agent of an alert, and collect what each makes of it."""
    params = given(body)
    validated(broadcast_alert, params)
    start = partial(_start, ctx, "broadcast-alert/broadcast-alert", params)
    return await _answer(ctx, *await once.do(caller, start), prefer)


@router.get("/runs/{run_id}", responses=documented(404, 422))
async def read_run(run_id: RunId, ctx: Ctx, caller: Reader) -> Run:
    """How a run stands, and what it came to."""
    return await _run(ctx, await ctx.runs.read(run_id))


async def _start(
    ctx: Context, deployment: str, parameters: dict[str, Any], key: str, queue: str | None = None
) -> dict[str, Any]:
    """Start a run of ``flow/deployment``; what is told of it."""
    run = await ctx.runs.start(deployment, parameters, key=f"api {key}", queue=queue, tags=["api"])
    workflow = deployment.partition("/")[0]
    accepted = Accepted(id=run.id, workflow=workflow, links=_links(ctx, run.id))
    return accepted.model_dump(mode="json")


def _links(ctx: Context, run_id: UUID) -> Links:
    return Links(
        self=f"/orchestrate/runs/{run_id}", page=f"{ctx.runs.pages}/runs/flow-run/{run_id}"
    )


async def _priority(ctx: Context, task: dict[str, Any]) -> Priority:
    """How urgent a task is; raises what its run would raise."""
    return judge_parameters(await ctx.policy(), ctx.team, utc_now(), task).priority


async def _answer(
    ctx: Context, accepted: dict[str, Any], again: bool, prefer: str | None
) -> Response:
    """202 at once; or, as long as the client prefers to wait, 200 with what the run came to."""
    headers = {"Location": accepted["links"]["self"]}
    if again:
        headers["Idempotency-Replayed"] = "true"
    seconds = wished_wait(prefer)
    if seconds:
        headers["Preference-Applied"] = f"wait={seconds:g}"
        ended = await ctx.runs.wait(UUID(accepted["id"]), seconds)
        if ended is not None:
            run = await _run(ctx, ended)
            return Response(run.model_dump_json(), 200, headers, "application/json")
    body = Accepted.model_validate(accepted).model_dump_json()
    return Response(body, 202, headers, "application/json")


def wished_wait(prefer: str | None) -> float:
    """Seconds that a client prefers to wait (RFC 7240); 0 when it does not, or what it says is odd.

    A preference is no command: one that makes no sense is passed over.
    """
    for wish in (prefer or "").split(","):
        name, _, value = wish.partition(";")[0].partition("=")
        if name.strip().lower() == "wait" and value.strip(' "').isdecimal():
            return min(float(value.strip(' "')), LONGEST_WAIT)
    return 0.0


async def _run(ctx: Context, run: FlowRun) -> Run:
    report = await ctx.ledger.report(ledger_id(run))
    state = run.state
    return Run(
        id=run.id,
        workflow=await ctx.runs.workflow_of(run),
        links=_links(ctx, run.id),
        state=RunState(
            type=state.type.value if state else "SCHEDULED",
            name=(state.name or "") if state else "Scheduled",
            message=(state.message or "") if state else "",
            is_final=is_over(run, utc_now()),
        ),
        created_at=run.created,
        started_at=run.start_time,
        finished_at=run.end_time,
        parameters=without_passwords(
            run.parameters
        ),  # as an earlier version, or Prefect's page, took them
        result=await _task(ctx, run),
        report=report and Report.model_validate(report.body),
    )


async def _task(ctx: Context, run: FlowRun) -> TaskRecord | None:
    if task_id := run.parameters.get("task_id"):
        return await ctx.ledger.tasks.get(task_id)
    if need_key := run.parameters.get("need_key"):
        return await ctx.ledger.tasks.of_need(need_key)
    return None
