"""Incidents and silences over HTTP: read, and what a person says, by the name of their token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from blocks.ledger.callers.tokens import Scope
from blocks.vocabulary.messages import utc_now
from tests.incidents import Desk
from tests.integration.deployments.api.conftest import Api

pytestmark = pytest.mark.prefect


@pytest.fixture
def desk(api: Api) -> Desk:
    return Desk(api.ledger, now=utc_now())


async def test_an_incident_is_read_and_seen_to_by_whose_token_it_is(api: Api, desk: Desk) -> None:
    one = await desk.fires()
    reader, ann = await api.token(Scope.READ), await api.token(Scope.RUN, name="ann")
    path = f"/incidents/{one.id[:8]}"

    (listed,) = (await api.client.get("/incidents", headers=reader)).json()
    assert (listed["state"], listed["incident"]["id"]) == ("triggered", one.id)
    refused = await api.client.post(f"{path}/acknowledge", json={}, headers=reader)
    assert refused.status_code == 403

    for _ in range(2):
        said = await api.client.post(f"{path}/acknowledge", json={"note": "On it."}, headers=ann)
        assert said.json()["state"] == "acknowledged"
    await api.client.post(f"{path}/assign", json={"to": "bob"}, headers=ann)
    await api.client.post(f"{path}/notes", json={"text": "The cache."}, headers=ann)
    for _ in range(2):
        said = await api.client.post(f"{path}/resolve", json={}, headers=ann)
        assert said.json()["state"] == "resolved"
    told = (await api.client.get(path, headers=reader)).json()
    by_ann = [step["kind"] for step in told["timeline"] if step["by"] == "ann"]
    assert by_ann == ["acknowledged", "assigned", "noted", "ended"]
    assert told["incident"]["ended_by"] == "ann"

    assert (await api.client.get("/incidents", headers=reader)).json() == []
    again = await api.client.get("/incidents", params={"over": True}, headers=reader)
    assert len(again.json()) == 1
    late = await api.client.post(f"{path}/acknowledge", json={}, headers=ann)
    assert (late.status_code, "is over since" in late.json()["detail"]) == (422, True)
    none = await api.client.get("/incidents/ffffff", headers=reader)
    assert none.status_code == 404


async def test_a_silence_is_made_listed_and_ended(api: Api, desk: Desk) -> None:
    one = await desk.fires()
    until = (utc_now() + timedelta(hours=1)).isoformat()
    body = {"resource": "service:*", "reason": "We deploy.", "ends_at": until}
    made = await api.client.post("/silences", json=body)
    assert made.status_code == 201
    assert [each["id"] for each in made.json()["open"]] == [one.id]
    silence = made.json()["silence"]
    assert silence["by"] == "this machine"
    assert (await api.client.get("/silences")).json() == [silence]
    told = (await api.client.get(f"/incidents/{one.id}")).json()
    assert (told["silenced"], told["silence"]["id"]) == (True, silence["id"])

    ended = await api.client.delete(f"/silences/{silence['id']}")
    assert ended.json()["ended_by"] == "this machine"
    assert (await api.client.get("/silences")).json() == []
    assert len((await api.client.get("/silences", params={"over": True})).json()) == 1
    assert not (await api.client.get(f"/incidents/{one.id}")).json()["silenced"]
    assert (await api.client.delete("/silences/ffffff")).status_code == 404


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"resource": "*"}, "silences everything"),
        ({"severity": "crtical"}, "no severity is like 'crtical'"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "over before it counts"),
        ({"ends_at": "2020-01-01T00:00:00"}, "ends_at"),
        ({"reason": ""}, "reason"),
        ({"labels": {"a": ""}}, "labels"),
        ({"approved": True}, "approved"),
        ({"weekly": {"days": ["mo"], "begins": "1:00", "ends": "02:00"}}, "weekly"),
    ],
)
async def test_what_is_no_silence_is_refused(api: Api, change: dict[str, Any], said: str) -> None:
    until = (utc_now() + timedelta(hours=1)).isoformat()
    body = {"resource": "service:*", "reason": "We deploy.", "ends_at": until} | change
    refused = await api.client.post("/silences", json=body)
    assert refused.status_code in (400, 422)
    assert said in refused.text
    assert (await api.client.get("/silences", params={"over": True})).json() == []
