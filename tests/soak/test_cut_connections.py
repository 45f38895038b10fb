"""PostgreSQL cuts off every connection to the ledger, three times a second, while work comes in.

What was accepted is done, once; and a ledger that is away for a minute costs nobody their work.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from blocks.ledger import Ledger
from flows.orchestrator.runs.deaths import life_of
from tests.integration.blocks.ledger.engine.test_faults import gone
from tests.integration.cutting import cut_off_again_and_again
from tests.soak.test_kills import Kills, stack

pytestmark = [pytest.mark.soak, pytest.mark.services, pytest.mark.timeout(900)]

MESSAGES, TASKS = 18, 12
PACE = 1.5  # seconds between two requests


async def ask_for_all(kills: Kills, client: httpx.AsyncClient) -> list[str]:
    """Ask for messages to be delivered and tasks to be done; the ids of the messages."""
    ids = [uuid4().hex for _ in range(MESSAGES)]
    messages: list[tuple[str, dict[str, Any]]] = [
        (
            "workflow",
            {
                "workflow": "deliver-message",
                "parameters": {
                    "message": {
                        "id": each,
                        "from": "shop",
                        "to": "sre-reliability",
                        "action": "assess_health",
                    }
                },
            },
        )
        for each in ids
    ]
    tasks = [("task", {"task_type": "inventory_sync"})] * TASKS
    async with asyncio.TaskGroup() as group:
        for path, body in [*messages, *tasks]:
            group.create_task(kills.ask(client, path, body))
            await asyncio.sleep(PACE)
    return ids


async def check(kills: Kills, url: str, states: dict[str, Any], ids: list[str]) -> None:
    names = Counter(each["name"] for each in states.values())
    print(f"{len(kills.accepted)} accepted, states {dict(names)}, answers {dict(kills.said)}")
    assert len(set(kills.accepted.values())) == MESSAGES + TASKS
    assert set(names) <= {"Completed", "Partial"}, states
    with Ledger.open(url, migrate=False) as ledger:
        calls = {each: await ledger.call(each) for each in ids}
        assert all(call is not None and call.outcome is not None for call in calls.values())
        assert {call.attempts for call in calls.values() if call} == {1}
        tasks = [task for task in await ledger.tasks.list(limit=500) if task.need_key]
        assert {task.status.value for task in tasks} <= {"done", "degraded"}
        assert len(tasks) == TASKS
        reports = await ledger.latest_reports(limit=500)
        runs = Counter(life_of(report.run_id)[0] for report in reports)
        accepted = {run.replace("-", "") for run in kills.accepted.values()}
        assert {runs[run] for run in accepted} == {1}


async def test_what_was_accepted_is_done_while_connections_are_cut_off(
    tmp_path: Path, postgres_url: str
) -> None:
    with stack(tmp_path, ORCHESTRATOR_LEDGER_URL=postgres_url) as kills:
        async with httpx.AsyncClient(timeout=40, trust_env=False) as client:
            with cut_off_again_and_again(postgres_url, 0.3) as cut:
                ids = await ask_for_all(kills, client)
            states = await kills.until_over(client)
            print(f"{len(cut)} connections cut off, {await kills.restarts(client)} restarts")
            assert len(cut) > 50
    await check(kills, postgres_url, states, ids)


async def test_what_was_accepted_is_done_when_the_ledger_was_away_for_long(
    tmp_path: Path, postgres_url: str
) -> None:
    with stack(tmp_path, ORCHESTRATOR_LEDGER_URL=postgres_url) as kills:
        async with httpx.AsyncClient(timeout=40, trust_env=False) as client:
            asking = asyncio.create_task(ask_for_all(kills, client))
            for _ in range(2):
                await asyncio.sleep(5)
                with gone(postgres_url):
                    await asyncio.sleep(25)
            ids = await asking
            states = await kills.until_over(client)
            print(f"{await kills.restarts(client)} restarts")
    await check(kills, postgres_url, states, ids)
