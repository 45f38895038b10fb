"""A run that is cut off from the ledger does its work when that is back."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow_async
from prefect.states import Scheduled, State

from blocks.errors import LedgerUnavailable, RequestError, SourceUnavailable
from blocks.ledger import Ledger
from blocks.settings import get_settings
from blocks.vocabulary.messages import utc_now
from flows.deliver_message import deliver_message
from flows.insight.system_status import system_status
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.runs.deaths import CUT_OFF, RESTARTED, TAG
from flows.orchestrator.runs.endings import outlives_outages
from flows.orchestrator.runs.starting import is_over
from tests.integration.flows.shop import Shop

pytestmark = [pytest.mark.prefect, pytest.mark.slow]


@contextmanager
def no_ledger() -> Iterator[None]:
    """The ledger cannot be opened."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRATOR_LEDGER_URL", f"sqlite:///{Path(__file__).parent}")
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


async def accept(flow: Flow[..., Any], **parameters: Any) -> FlowRun:
    """A run of a deployment of the flow, as the API has it made."""
    async with get_client() as client:
        flow_id = await client.create_flow(flow)
        deployment = await client.create_deployment(flow_id, f"cut off {flow.name}", tags=[TAG])
        return await client.create_flow_run_from_deployment(deployment, parameters=parameters)


async def live(run: FlowRun, flow: Flow[..., Any]) -> State[Any]:
    async with get_client() as client:
        run = await client.read_flow_run(run.id)
    state: State[Any] = await run_flow_async(
        flow, flow_run=run, parameters=run.parameters, return_type="state"
    )
    return state


async def test_a_message_that_was_accepted_is_delivered_when_the_ledger_is_back(
    shop: Shop, ledger: Ledger
) -> None:
    document = {"from": "shop", "to": "sre-reliability", "action": "assess_health"}
    run = await accept(deliver_message, message=document)
    with no_ledger():
        state = await live(run, deliver_message)
    assert (state.type.value, state.name) == ("CRASHED", CUT_OFF)
    assert "cannot be opened: it is a folder" in str(state.message)
    async with get_client() as client:
        assert not is_over(await client.read_flow_run(run.id), utc_now())
        await client.set_flow_run_state(run.id, Scheduled(name=RESTARTED))
    state = await live(run, deliver_message)
    assert state.is_completed(), state.message
    [call] = await ledger.calls()
    assert call.attempts == 1


async def test_who_awaits_the_run_is_told(prefect_server: str) -> None:
    with no_ledger(), pytest.raises(LedgerUnavailable, match="it is a folder"):
        await system_status()


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (LedgerUnavailable("The ledger is gone."), CUT_OFF),
        (SourceUnavailable("Prefect is gone."), CUT_OFF),
        (RequestError("Nonsense."), None),
    ],
)
async def test_only_who_is_cut_off_is_run_again(error: Exception, name: str | None) -> None:
    @outlives_outages
    async def work(number: int = 1) -> int:
        if number == 2:
            raise error
        return number

    assert await work(1) == 1
    assert list(inspect.signature(work).parameters) == ["number"]
    if name is None:
        with pytest.raises(type(error)):
            await work(2)
        return
    state: Any = await work(2)
    assert (state.name, state.type.value, state.message) == (name, "CRASHED", str(error))


async def test_the_process_s_ledger_is_opened_by_the_next_run(
    prefect_server: str, ledger: Ledger
) -> None:
    with no_ledger(), pytest.raises(LedgerUnavailable):
        await system_status()
    await system_status()
    assert shared_ledger(get_settings().effective_ledger_url) is ledger
