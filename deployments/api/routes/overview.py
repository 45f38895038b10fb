"""What the status page shows, for its page and for programs; and the reports that it links to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from agents.sre_reliability.objectives.standing import ObjectiveStanding
from blocks.errors import NotFound, OrchestratorError
from blocks.ledger.calls.history import HourOfCalls
from blocks.ledger.events.records import IncidentRecord
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.prefect_api.workflows import entrypoints
from blocks.vocabulary.messages import utc_now
from deployments.api.context import Context, Ctx, Shared
from deployments.api.http.callers import Reader
from deployments.api.http.problems import documented
from flows.orchestrator.dispatch.policy import last_used_policy
from flows.reports.last_orders import LastOrders, last_orders
from flows.reports.model import Report
from flows.status.page import WEEK_HOURS, overview
from flows.status.page_model import Facts, Overview
from flows.status.public import for_everybody

router = APIRouter(tags=["status"])

BUSINESS = ("daily-health-check", "sequential-workflow", "parallel-workflow")
"""Workflows whose reports tell of the business."""

_NEED_PARAMETERS = frozenset({"route-task", "deliver-message", "broadcast-alert"})
_DAY = timedelta(hours=24)
_MOST_RUNS = 200  # so that a workflow that often runs does not hide the others
_PATIENCE = 2.0  # seconds that Prefect's server may take before it counts as away


@dataclass(frozen=True)
class Rendered:
    """A page's data as they are sent, with the tag that says whether they have changed."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, page: Overview) -> Rendered:
        """The data of a page."""
        body = page.model_dump_json().encode()
        return cls(body, f'"{sha256(body).hexdigest()[:32]}"')


class Watch:
    """Looks at the ledger once in a moment, for all who watch.

    Args:
        context: Whose ledger.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        # Charts need not be of this second, and reports seldom come: they cost most.
        self._week = Shared(self._read_week, 20.0)
        self._reports = Shared(self._read_reports, 5.0)
        self._orders = Shared(self._read_orders, 20.0)
        # Days of samples: and while the business cannot be read, nobody waits for it each time.
        self._objectives = Shared(self._read_objectives, 30.0)
        self._page = Shared(self._compute)
        self.page = Shared(self._render)
        self.public = Shared(self._render_public)

    async def _render(self) -> Rendered:
        return Rendered.of(await self._page.get())

    async def _render_public(self) -> Rendered:
        parts = self._context.settings.public_parts
        return Rendered.of(for_everybody(await self._page.get(), parts))

    async def _compute(self) -> Overview:
        ctx, now = self._context, utc_now()
        status = await ctx.status.get()
        if not status.ledger_fault:  # else what is wrong is told, rather than waited for
            await ctx.ledger.approvals.expire_due(now)
        runs = await ctx.ledger.runs(limit=_MOST_RUNS)
        calls, events = await self._week.get()
        facts = Facts(
            status=status,
            depth=await ctx.depth.get(),
            runs=runs,
            incidents=await self._incidents(),
            heard=await ctx.ledger.incidents.heard(),
            silence=await self._silence(),
            approvals=await self._approvals(),
            acts=await ctx.ledger.effects.acts(since=now - _DAY),
            headlines=await ctx.ledger.history.headlines([run.id for run in runs]),
            reports=await self._reports.get(),
            orders=await self._orders.get(),
            open_orders=await ctx.ledger.orders.under_way(),
            calls=calls,
            events=events,
            objectives=await self._objectives.get(),
            titles={agent: spec.title for agent, spec in ctx.team.agents.items()},
            prefect=ctx.runs.pages,
            prefect_answers=await self._prefect_answers(),
            can_start=[name for name in entrypoints() if name not in _NEED_PARAMETERS],
        )
        return overview(facts, now)

    async def _incidents(self) -> list[IncidentRecord]:
        inbox = self._context.ledger.inbox
        found = await inbox.incidents(limit=60)
        found += await self._context.ledger.incidents.open()
        return sorted({s.id: s for s in found}.values(), key=lambda s: s.opened_at, reverse=True)

    async def _read_objectives(self) -> Sequence[ObjectiveStanding]:
        """How they stand; none while business or policy cannot be read, which is told elsewhere."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._context.objectives.get()
        except (OrchestratorError, TimeoutError):
            return ()

    async def _silence(self) -> timedelta:
        policy = await last_used_policy(self._context.ledger, self._context.team)
        return timedelta(seconds=policy.events.silence_seconds)

    async def _approvals(self) -> list[ApprovalRecord]:
        approvals = self._context.ledger.approvals
        found = [*await approvals.list(limit=40), *await approvals.list(ApprovalStatus.OPEN)]
        return sorted({a.id: a for a in found}.values(), key=lambda a: a.asked_at, reverse=True)

    async def _prefect_answers(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._context.reachable.get()
        except TimeoutError:
            return False

    async def _read_week(self) -> tuple[list[HourOfCalls], dict[datetime, int]]:
        since = utc_now() - timedelta(hours=WEEK_HOURS)
        history = self._context.ledger.history
        return await history.calls(since), await history.events(since)

    async def _read_orders(self) -> LastOrders | None:
        with suppress(NotFound):
            return await last_orders(self._context.ledger)
        return None

    async def _read_reports(self) -> list[Report]:
        found = [
            record
            for workflow in BUSINESS
            for record in await self._context.ledger.latest_reports(workflow=workflow)
        ]
        found.sort(key=lambda record: record.created_at, reverse=True)
        return [Report.model_validate(record.body) for record in found]


def watch(request: Request) -> Watch:
    """The application's."""
    found: Watch = request.app.state.watch
    return found


def conditional(request: Request, rendered: Rendered) -> Response:
    """The data, or 304 when whoever asks has them."""
    headers = {"ETag": rendered.etag, "Cache-Control": "no-cache"}
    # A proxy that packs answers turns their tags into weak ones.
    known = [
        tag.strip().removeprefix("W/")
        for tag in request.headers.get("if-none-match", "").split(",")
    ]
    if rendered.etag in known:
        return Response(status_code=304, headers=headers)
    return Response(rendered.body, headers=headers, media_type="application/json")


_ANSWERS: dict[int | str, dict[str, Any]] = {
    304: {"description": "As it was when you asked last (If-None-Match)."},
    **documented(),
}


@router.get("/orchestrate/overview", response_model=Overview, responses=_ANSWERS)
async def read_overview(request: Request, ctx: Ctx, caller: Reader) -> Response:
    """Everything that the status page shows, a second old, charts 20; of a large ledger older.

    Ask again with the answer's ``ETag`` in ``If-None-Match``.
    """
    return conditional(request, await watch(request).page.get())


@router.get("/orchestrate/reports/{run_id}", responses=documented(404, 422))
async def read_report(
    run_id: Annotated[
        str,
        Path(
            pattern=r"^[0-9a-f-]{1,64}$",
            description="The run's id.",
            examples=["0192f3a17c5e7d419b1a5f0e3c2d1b00"],
        ),
    ],
    ctx: Ctx,
    caller: Reader,
) -> Report:
    """The report that a run left, whether or not Prefect still knows the run."""
    # Prefect and the API write ids with dashes, the ledger without.
    with suppress(ValueError):
        run_id = UUID(run_id).hex
    record = await ctx.ledger.report(run_id)
    if record is None:
        raise NotFound(
            f"Run {run_id} left no report.", hint="A run that goes on leaves one at its end."
        )
    return Report.model_validate(record.body)
