"""Prefect's own bad news as events: a run of ours that fails or crashes comes into the inbox.

An automation starts a run per event, so it is for rare ones. Prefect may forget to fire it, or
fire it twice: the event's source and id are Prefect's own, so that repeats are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.events.schemas.automations import AutomationCore

WORKFLOW = "event-driven-workflow"
FAILED_RUNS = "orchestrator: a failed run is an event"

EVENT_OF_A_RUN = """{
  "source": "prefect",
  "id": {{ event.id | string | tojson }},
  "type": {{ event.event | tojson }},
  "time": {{ event.occurred | string | tojson }},
  "severity": "error",
  "subject": {{ ("run:" ~ (event.resource.id | replace("prefect.flow-run.", "") |
    replace("-", ""))) | tojson }},
  "data": {
    "workflow": {{ flow.name | tojson }},
    "run": {{ event.resource["prefect.resource.name"] | tojson }},
    "message": {{ event.resource["prefect.state-message"] | string | tojson }}
  }
}"""
"""Prefect's event about a run as a SystemEvent in JSON, in Jinja; the ledger knows a run by its id
without dashes."""


async def save_automations(client: PrefectClient, deployments: Sequence[str]) -> list[str]:
    """Make our automations; one that a person has switched off stays off.

    Args:
        client: Speaks to the server.
        deployments: Names ``flow/deployment`` of all our deployments.

    Returns:
        The automations' names.
    """
    flows = sorted({name.partition("/")[0] for name in deployments})
    if WORKFLOW not in flows:
        return []
    wanted = await _failed_runs(client, [name for name in flows if name != WORKFLOW])
    known = await client.read_automations_by_name(FAILED_RUNS)
    if not known:
        await client.create_automation(wanted)
    for automation in known:
        kept = wanted.model_copy(update={"enabled": automation.enabled})
        await client.update_automation(automation.id, kept)
    return [FAILED_RUNS]


async def _failed_runs(client: PrefectClient, flows: list[str]) -> AutomationCore:
    from prefect.events.actions import RunDeployment
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    from flows.orchestrator.runs.deaths import CRASHED, GIVEN_UP

    deployment = await client.read_deployment_by_name(f"{WORKFLOW}/{WORKFLOW}")
    event: Any = {
        "__prefect_kind": "json",
        "value": {"__prefect_kind": "jinja", "template": EVENT_OF_A_RUN},
    }
    return AutomationCore(
        name=FAILED_RUNS,
        description="Written by ./orchestrator register. May be switched off.",
        trigger=EventTrigger(
            expect={f"prefect.flow-run.{name}" for name in ("Failed", CRASHED, GIVEN_UP)},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            # Never the workflow itself: its failure would start it again and again.
            match_related={"prefect.resource.role": "flow", "prefect.resource.name": flows},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[RunDeployment(deployment_id=deployment.id, parameters={"event": event})],
    )
