"""Idempotency keys: a request that is sent again is not done again, whatever happened meanwhile."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from prefect import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from blocks.crash_points import VARIABLE as CRASH_AT
from blocks.ledger import Ledger
from blocks.ledger.callers.tokens import Scope
from blocks.vocabulary.messages import utc_now
from tests.integration.deployments.api.conftest import (
    Api,
    api_process,
    api_settings,
    serving,
    until_live,
)

pytestmark = pytest.mark.prefect

WORK = {"workflow": "system-status", "parameters": {"hours": 5}}


async def runs_with(key: str) -> list[FlowRun]:
    """The runs that came of one idempotency key."""
    async with get_client() as client:
        newest = await client.read_flow_runs(limit=50, sort=FlowRunSort.EXPECTED_START_TIME_DESC)
    return [run for run in newest if f" {key} " in f"{run.idempotency_key} "]


async def test_sent_again_it_is_answered_the_same(api: Api) -> None:
    key = uuid4().hex
    first = await api.post("/orchestrate/workflow", WORK, key=key)
    again = await api.post("/orchestrate/workflow", dict(reversed(WORK.items())), key=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(await runs_with(key)) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/orchestrate/workflow", {"workflow": "system-status", "parameters": {"hours": 6}}),
        ("/orchestrate/broadcast", {"title": "Test"}),
    ],
)
async def test_a_key_is_that_of_one_request(api: Api, path: str, body: dict[str, object]) -> None:
    key = uuid4().hex
    assert (await api.post("/orchestrate/workflow", WORK, key=key)).status_code == 202
    answer = await api.post(path, body, key=key)
    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency-key-reused"
    assert len(await runs_with(key)) == 1


async def test_each_caller_has_keys_of_their_own(api: Api) -> None:
    key = uuid4().hex
    one, other = await api.token(Scope.RUN), await api.token(Scope.RUN)
    first = await api.post("/orchestrate/workflow", WORK, key=key, **one)
    second = await api.post("/orchestrate/workflow", WORK, key=key, **other)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] != second.json()["id"]
    assert len(await runs_with(key)) == 2


async def test_a_refused_request_leaves_its_key_free(api: Api) -> None:
    key = uuid4().hex
    wrong = {"workflow": "system-status", "parameters": {"hours": 0}}
    assert (await api.post("/orchestrate/workflow", wrong, key=key)).status_code == 422
    assert (await api.post("/orchestrate/workflow", WORK, key=key)).status_code == 202


async def test_of_many_at_once_one_is_done(api: Api) -> None:
    key = uuid4().hex
    sent = (api.post("/orchestrate/workflow", WORK, key=key) for _ in range(12))
    answers = await asyncio.gather(*sent)
    came = Counter(answer.status_code for answer in answers)
    assert set(came) <= {202, 409}
    assert len({a.json()["id"] for a in answers if a.status_code == 202}) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "request-in-flight"
            assert answer.headers["retry-after"] == "1"
    assert (await api.post("/orchestrate/workflow", WORK, key=key)).status_code == 202
    assert len(await runs_with(key)) == 1


@pytest.mark.parametrize("key", [None, "", "x" * 256, "käse".encode(), "a\tb"])
async def test_a_request_without_a_usable_key_is_refused(api: Api, key: str | bytes | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = await api.client.post("/orchestrate/workflow", json=WORK, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["code"] == "idempotency-key-missing"


@pytest.mark.slow
@pytest.mark.parametrize("point", ["api.run-created", "api.request-begun"])
async def test_after_a_kill_the_same_key_gives_the_same_run(
    registered: str, tmp_path: Path, point: str
) -> None:
    settings, key = api_settings(tmp_path), uuid4().hex
    headers = {"Idempotency-Key": key}
    with api_process(settings, **{CRASH_AT: point}) as process:
        url = await asyncio.to_thread(until_live, settings, process)
        async with httpx.AsyncClient(
            base_url=url, trust_env=False, verify=False, timeout=30
        ) as client:
            with pytest.raises(httpx.TransportError):
                await client.post("/orchestrate/workflow", json=WORK, headers=headers)
        assert process.wait(timeout=10) == -signal.SIGKILL
    before = await runs_with(key)
    assert len(before) == (1 if point == "api.run-created" else 0)
    with Ledger.open(settings.effective_ledger_url) as ledger, serving(settings) as url:
        async with httpx.AsyncClient(
            base_url=url, trust_env=False, verify=False, timeout=30
        ) as client:
            answer = await client.post("/orchestrate/workflow", json=WORK, headers=headers)
            assert answer.status_code == 409, "nobody knows yet that the process is dead"
            await ledger.requests.release(key, "local", utc_now())  # as time does
            answer = await client.post("/orchestrate/workflow", json=WORK, headers=headers)
            assert answer.status_code == 202, answer.text
    (run,) = await runs_with(key)
    assert UUID(answer.json()["id"]) == run.id
    assert [each.id for each in before] in ([run.id], [])


async def test_a_key_that_was_forgotten_is_free(registered: str, tmp_path: Path) -> None:
    """Prefect remembers a key for longer: a later request with it is a run of its own, whether or
    not it is the same one."""
    settings, answers = api_settings(tmp_path), []
    headers = {"Idempotency-Key": uuid4().hex}
    with Ledger.open(settings.effective_ledger_url) as ledger, serving(settings) as url:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
            for body in (WORK, WORK, {**WORK, "parameters": {"hours": 7}}):
                answers.append(
                    await client.post("/orchestrate/workflow", json=body, headers=headers)
                )
                await ledger.retention.cut(settings.retention, utc_now() + timedelta(days=3))
    assert [answer.status_code for answer in answers] == [202] * 3
    assert len({answer.json()["id"] for answer in answers}) == 3
