"""Questions to a person over HTTP: listed, answered once, and put into effect."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from prefect import get_client
from prefect.client.schemas.sorting import FlowRunSort

from blocks.ledger.callers.tokens import Scope
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.vocabulary.messages import new_id, utc_now
from tests.integration.deployments.api.conftest import Api

pytestmark = pytest.mark.prefect


async def ask(api: Api, **fields: Any) -> ApprovalRecord:
    now = utc_now()
    record = ApprovalRecord(
        **{
            "need_key": new_id(),
            "title": "May we?",
            "proposal": {"kind": "nothing"},
            "asked_at": now - timedelta(hours=1),
            "expires_at": now + timedelta(days=1),
            **fields,
        }
    )
    return await api.ledger.approvals.ask(record)


async def say(api: Api, which: str, body: object, **headers: str) -> Any:
    return await api.client.post(f"/approvals/{which}/answer", json=body, headers=headers)


async def test_the_first_answer_counts_and_is_put_into_effect(api: Api) -> None:
    question = await ask(api)
    headers = await api.token(Scope.APPROVE, name="Ada's phone")
    answer = await say(api, question.id, {"approve": True, "note": "Agreed."}, **headers)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["counted"]
    assert told["faults"] == []
    again = (await say(api, question.id, {"approve": False}, **headers)).json()
    assert not again["counted"]
    kept = await api.ledger.approvals.get(question.id)
    assert kept.status is ApprovalStatus.APPROVED
    assert (kept.answered_by, kept.via, kept.note) == ("Ada's phone", "api", "Agreed.")
    async with get_client() as client:
        runs = await client.read_flow_runs(limit=50, sort=FlowRunSort.EXPECTED_START_TIME_DESC)
    assert question.id in [run.parameters.get("approval_id") for run in runs], "its effect began"


async def test_an_expired_question_takes_no_answer(api: Api) -> None:
    question = await ask(api, expires_at=utc_now() - timedelta(seconds=1))
    told = (await say(api, question.id, {"approve": True})).json()
    assert not told["counted"]
    assert told["approval"]["status"] == "expired"


async def test_a_question_is_named_by_enough_of_its_id(api: Api) -> None:
    for end in ("aaaa", "bbbb"):
        await ask(api, id=f"0123456789{end}")
    assert (await say(api, "01234567", {"approve": True})).status_code == 422, "ambiguous"
    assert (await say(api, "012", {"approve": True})).status_code == 422, "too short"
    assert (await say(api, "fedcba98", {"approve": True})).status_code == 404
    assert (await api.client.get("/approvals/fedcba98")).status_code == 404
    assert (await api.client.get("/approvals/0123456789a")).json()["id"] == "0123456789aaaa"
    told = (await say(api, "0123456789b", {"approve": False})).json()
    assert (told["counted"], told["approval"]["id"]) == (True, "0123456789bbbb")


@pytest.mark.parametrize(
    "body",
    [{}, {"approve": "yes"}, {"approve": 1}, {"approve": True, "by": "root"}, {"approve": None}],
)
async def test_what_is_no_answer_settles_nothing(api: Api, body: object) -> None:
    question = await ask(api)
    assert (await say(api, question.id, body)).status_code == 422
    assert (await api.ledger.approvals.get(question.id)).status is ApprovalStatus.OPEN


async def test_questions_are_listed_newest_first(api: Api) -> None:
    now = utc_now()
    old = await ask(api, asked_at=now - timedelta(hours=3))
    new = await ask(api, asked_at=now - timedelta(hours=1))
    late = await ask(api, asked_at=now - timedelta(hours=2), expires_at=now - timedelta(hours=1))
    await say(api, old.id, {"approve": True})

    async def listed(query: str) -> list[str]:
        return [record["id"] for record in (await api.client.get(f"/approvals{query}")).json()]

    assert await listed("") == [new.id, late.id, old.id]
    assert await listed("?status=open") == [new.id]
    assert await listed("?status=expired&status=approved") == [late.id, old.id]
    assert await listed("?limit=1") == [new.id]
