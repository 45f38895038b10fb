"""A drill breaks a real process, and tells how long the agents took to see and to mend it."""

from __future__ import annotations

import io
import os
import shutil
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import tomli_w
from rich.console import Console

from blocks.errors import PolicyError, RequestError, StackError
from blocks.prefect_api.env import RunningStack
from blocks.settings import Settings, get_settings
from deployments.cli.drill import print_scorecard
from deployments.processes.restart import serve_restarts
from deployments.processes.supervisor import Supervisor
from deployments.sample.business import prepare
from deployments.sample.drills import Scorecard, run_drill
from tests.integration.loopback import free_ports

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

BREAKABLE = ("checkout", "midland-express")


@pytest.fixture
async def stack(prefect_server, ledger, filled_store, tmp_path) -> AsyncIterator[Path]:
    """State folder of a stack that runs one service and one supplier of the sample business."""
    shutil.copy(filled_store, tmp_path / "shop.db")
    settings = Settings(sample_port=free_ports(7))
    sample = prepare(tmp_path, settings, store_url=f"sqlite:///{tmp_path / 'shop.db'}")
    assert not sample.refilled
    business = tomllib.loads(sample.business_file.read_text())
    for part in ("suppliers", "services"):
        business[part] = [one for one in business[part] if one["name"] in BREAKABLE]
        business[part][0]["latency_budget_ms"] = 9000.0  # the machine may be busy
    sample.business_file.write_text(tomli_w.dumps(business))

    supervisor = Supervisor(tmp_path, lambda _: None)
    control = await serve_restarts(supervisor, "token")
    try:
        for spec in sample.processes:
            if spec.name in BREAKABLE:
                await supervisor.start(spec, keep_alive=False)
        RunningStack(
            os.getpid(),
            supervisor.id,
            prefect_server,
            control.sockets[0].getsockname()[1],
            "token",
            supervisor.names,
        ).announce(tmp_path)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(sample.business_file))
            patch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path))
            get_settings.cache_clear()
            yield tmp_path
    finally:
        get_settings.cache_clear()
        control.close()
        await supervisor.stop()


async def test_a_killed_service_is_seen_restarted_and_verified(stack):
    heard: list[str] = []
    card = await run_drill("checkout-down", stack, say=heard.append)
    assert card.passed, card
    assert 0 < card.detected_s < card.fixed_s
    assert card.finding == "checkout does not answer"
    assert card.remedy.startswith("restart_service: verified. checkout was down; it was restarted")
    assert "checkout: down from now on." in heard
    assert not any("midland-express" in title for title in card.bystanders)

    # While a stack is there, so is help with names.
    with pytest.raises(RequestError, match=r"no drill 'chekout-down'") as told:
        await run_drill("chekout-down", stack, say=heard.append)
    assert "checkout-down" in told.value.hint

    with pytest.raises(PolicyError, match="recently-remediated"):  # and nothing is broken
        await run_drill("checkout-errors", stack, say=lambda _: None)


async def test_what_is_no_illness_is_seen_and_left_to_a_person(stack, ledger):
    card = await run_drill("checkout-garbage", stack, say=lambda _: None)
    assert card.passed, card
    assert card.finding.startswith("Metrics cannot be read: the metrics of checkout")
    assert card.remedy == "none without a person; well again once its trouble ended"
    assert await ledger.effects.acts(target="service:checkout") == []

    business = tomllib.loads((file := get_settings().business_file).read_text())
    business["services"][0]["latency_budget_ms"] = 2000.0  # the drill's latency is 2500
    file.write_text(tomli_w.dumps(business))
    card = await run_drill("checkout-slow", stack, say=lambda _: None)
    assert card.passed, card
    assert card.finding.startswith("checkout takes ")
    assert await ledger.effects.acts(target="service:checkout") == []


async def test_a_supplier_that_talks_nonsense_is_seen_and_well_once_that_has_ended(stack):
    card = await run_drill("midland-express-garbage", stack, say=lambda _: None)
    assert card.passed, card
    assert "midland-express answers something else" in card.finding
    assert card.remedy == "none is ours to apply; well again once its trouble ended"


async def test_without_a_stack_there_is_nothing_to_break(tmp_path):
    with pytest.raises(StackError, match="nothing to break"):
        await run_drill("checkout-down", tmp_path, say=lambda _: None)


@pytest.mark.parametrize(
    ("card", "says"),
    [
        (Scorecard(drill="d", detected_s=1.26, fixed_s=2.0, passed=True), ("passed", "1.3 s")),
        (Scorecard(drill="d", finding="[x]"), ("failed", "never", "[x]", "nothing serious")),
        (Scorecard(drill="d", bystanders=["a", "b"]), ("a; b",)),
    ],
)
def test_a_scorecard_reads_like_one(card, says):
    console = Console(file=io.StringIO(), width=80)
    print_scorecard(card, console)
    for words in says:
        assert words in console.file.getvalue()
