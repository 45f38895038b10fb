"""Rules: which events start which workflow, what that came to, and what would come of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from pydantic import ConfigDict, Field, JsonValue

from blocks.errors import ConfigurationError
from blocks.models import Strict
from blocks.vocabulary.messages import utc_now
from blocks.vocabulary.responses import read_event
from deployments.api.context import Ctx
from deployments.api.http.bodies import StrictRoute
from deployments.api.http.callers import Reader
from deployments.api.http.problems import Refused, documented
from flows.orchestrator.dispatch.policy import read_policy
from flows.orchestrator.rules.listing import RulesShown, rules_in_force
from flows.orchestrator.rules.rehearsal import MOST, Rehearsal, rehearse

router = APIRouter(tags=["events"], route_class=StrictRoute)


class Trial(Strict):
    """Which rules to try, and on what."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"event": {"type": "stock.low", "subject": "sku:85123A", "severity": "warning"}},
                {"hours": 168, "policy": {"rules": {"stock-low": {"share_seconds": 600}}}},
            ]
        }
    )

    event: dict[str, JsonValue] | None = Field(
        default=None, description="An event that somebody makes up; those that came if left out."
    )
    hours: float = Field(
        default=168.0, gt=0, le=8760, description="How far back to take those that came."
    )
    policy: dict[str, JsonValue] | None = Field(
        default=None, description="Changes of the policy, as its file has them; that in force else."
    )


@router.get("/rules", response_model=RulesShown, responses=documented())
async def read_rules(ctx: Ctx, caller: Reader) -> RulesShown:
    """The rules in force with what each did in seven days, and what nobody knew anything about."""
    return await rules_in_force(ctx.ledger, await ctx.policy(), utc_now())


@router.post("/rules/test", response_model=Rehearsal, responses=documented(400, 413, 415, 422))
async def try_rules(ctx: Ctx, caller: Reader, trial: Trial) -> Rehearsal:
    """What rules would have done with the events that came, or with one; nothing is started.

    With changes of the policy the answer says what would differ from the one in force.
    """
    in_force = await ctx.policy()
    changed: Any = trial.policy
    try:
        policy = in_force if changed is None else read_policy(changed, ctx.team)
    except ConfigurationError as error:
        raise Refused(422, "policy-unusable", error.what, hint=error.hint) from None
    if trial.event is not None:
        events = [read_event({"source": "api"} | trial.event)]
    else:
        since = utc_now() - timedelta(hours=trial.hours)
        events = await ctx.ledger.inbox.received(since, MOST)
    # Beside the loop: a year of events takes seconds, and others ask meanwhile.
    return await asyncio.to_thread(rehearse, policy, events, None if changed is None else in_force)
