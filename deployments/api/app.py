"""The application: its parts put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

from blocks.settings import Settings
from deployments.api import prometheus
from deployments.api.context import open_context
from deployments.api.http import problems
from deployments.api.http.bodies import BoundedBodies
from deployments.api.http.callers import Callers
from deployments.api.http.limits import Limiter, RateHeaders
from deployments.api.http.openapi import describe
from deployments.api.intake.event_runs import EventRuns
from deployments.api.intake.intake import Intake
from deployments.api.intake.refusals import Refusals, RefusalsNoted
from deployments.api.intake.sender_rules import SenderRules
from deployments.api.intake.webhook_senders import Senders
from deployments.api.routes import (
    alerts,
    approvals,
    autonomy,
    events,
    health,
    orchestrate,
    orders,
    overview,
    page,
    system,
    webhooks,
)
from deployments.api.routes.watching import (
    deliveries,
    incidents,
    objectives,
    rules,
    silences,
    topology,
)
from deployments.processes.own_pages import OwnPagesOnly, is_loopback
from deployments.services.examining import keep_examining

log = logging.getLogger("orchestrator.api")

_ABOUT = """
An operations team for your online business, over HTTP.

Ask for work with `POST /orchestrate/workflow` and `POST /orchestrate/task`: they answer 202 at
once, with the run's id and where to look; with `Prefer: wait=30` they answer with the result, if
the run ends by then. Sent twice with the same `Idempotency-Key`, a request is carried out once.

Every error is `application/problem+json` (RFC 9457): `code` is stable, `detail` says what is wrong
and with which value, `hint` what to do.
"""


def create_app(settings: Settings) -> FastAPI:
    """The API on the ledger and the Prefect server of these settings."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            open_context(settings) as context,
            EventRuns.open(context.runs) as runs,
            Intake.open(context.ledger.inbox, runs) as intake,
            SenderRules.open(context) as rules,
        ):
            local = is_loopback(settings.effective_api_host)
            app.state.context = context
            app.state.callers = Callers(context.ledger, local=local)
            app.state.limiter = Limiter()
            app.state.intake = intake
            app.state.rules = rules
            app.state.senders = Senders()
            app.state.refusals = Refusals(context.ledger.dead_letters)
            app.state.watch = overview.Watch(context)
            looking = asyncio.create_task(keep_examining(context.ledger, log.error, at_once=True))
            try:
                yield
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)

    app = FastAPI(
        title="System Orchestrator",
        version="1.0.0",
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    problems.install(app)
    for part in (events, alerts, webhooks):
        # Not included: to find its way through a router costs a request as much as to be read.
        app.router.routes += part.router.routes
    resources = (
        *(orchestrate, orders, deliveries, autonomy, rules, topology, system, approvals),
        *(incidents, silences, objectives, health, overview, page),
    )
    for part in resources:
        app.include_router(part.router)
    describe(app)
    app.add_middleware(RateHeaders)
    app.add_middleware(BoundedBodies, larger={"/alerts": alerts.MOST_BYTES})
    app.add_middleware(RefusalsNoted)
    app.add_middleware(prometheus.Measured)
    return app


def served(app: FastAPI, settings: Settings) -> ASGIApp:
    """The application as it is served: closed to the pages of other sites."""
    names = [name.strip() for name in settings.api_names.split(",") if name.strip()]
    return OwnPagesOnly(app, settings.effective_api_host, settings.api_port, names)
