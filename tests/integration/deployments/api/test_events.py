"""Events and alerts over HTTP: the official library as the client, and what is refused."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from cloudevents.core.bindings import http as binding
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks import Webhook

from blocks.dialects.strict_json import MAX_BYTES
from blocks.ledger import Ledger
from blocks.ledger.callers.tokens import Scope
from blocks.policy.policy import Policy
from blocks.settings import Settings
from blocks.vocabulary.messages import utc_now
from deployments.api.intake import intake as intake_module
from deployments.api.routes.alerts import MOST_BYTES
from tests.integration.deployments.api.conftest import api_process, api_settings, until_live
from tests.integration.deployments.api.intake import SECRET, Intake, open_intake, write_business

ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    with open_intake(tmp_path_factory.mktemp("events")) as intake:
        yield intake


def post(intake: Intake, body, kind: str | None = ONE, path: str = "/events", **headers: str):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"content-type": kind} if kind else {}
    return intake.client.post(path, content=content, headers=given | headers)


def plain(name: str, source: str = "/plain", **fields):
    return {"specversion": "1.0", "id": name, "source": source, "type": "t"} | fields


def official(name: str, data=None, **attributes) -> CloudEvent:
    given = {"id": name, "source": "/official", "type": "price.changed", "specversion": "1.0"}
    given |= {"time": utc_now(), "subject": "sku:85123A", "severity": "warning"}
    return CloudEvent(given | attributes, {"pence": 255} if data is None else data)


@pytest.mark.parametrize("convert", [binding.to_structured_event, binding.to_binary_event])
def test_what_the_official_library_sends_is_kept(intake: Intake, convert) -> None:
    name = convert.__name__
    message = convert(official(name, subject="sku:85123A é%"))
    for new in (1, 0):
        answer = intake.client.post("/events", content=message.body, headers=message.headers)
        assert answer.status_code == 202
        assert answer.json() == {"new": new, "known": 1 - new, "ids": [name]}
    event = intake.kept("/official")[name]
    assert (event["type"], event["subject"], event["severity"], event["data"]) == (
        "price.changed",
        "sku:85123A é%",
        "warning",
        {"pence": 255},
    )


def test_a_batch_is_kept_as_a_whole_or_not_at_all(intake: Intake) -> None:
    bodies = [json.loads(binding.to_structured_event(official(f"b{i}")).body) for i in range(30)]
    answer = post(intake, [*bodies, bodies[3]], BATCH)
    assert (answer.status_code, answer.json()["new"], answer.json()["known"]) == (202, 30, 1)
    assert {f"b{i}" for i in range(30)} <= intake.kept("/official").keys()
    answer = post(intake, [plain("good", "/half"), plain("", "/half")], BATCH)
    assert (answer.status_code, answer.json()["detail"]) == (422, "[1].id is ''.")
    assert intake.kept("/half") == {}
    assert post(intake, [], BATCH).json() == {"new": 0, "known": 0, "ids": []}


def test_plain_json_is_an_event_too(intake: Intake) -> None:
    body = {"type": "delivery.late", "id": "p1", "source": "erp", "days": 3}
    assert post(intake, body, "application/json; charset=utf-8").status_code == 202
    assert intake.kept("erp")["p1"]["data"] == {"days": 3}


BAD = {
    "no JSON": (b"{", ONE, 400),
    "no UTF-8": (b'{"id": "\xff"}', ONE, 400),
    "a key twice": (b'{"specversion": "1.0", "id": "1", "id": "2"}', ONE, 400),
    "NaN": (b'{"specversion": "1.0", "id": "1", "data": NaN}', ONE, 400),
    "1e309": (b'{"specversion": "1.0", "id": "1", "data": 1e309}', ONE, 400),
    "too deep": (b"[" * 100_000, BATCH, 400),
    "NUL": (b'{"specversion": "1.0", "id": "\\u0000"}', ONE, 400),
    "a list as one event": ([plain("1", "/bad")], ONE, 400),
    "one event as a batch": (plain("1", "/bad"), BATCH, 400),
    "a number": (b"7", ONE, 400),
    "a list of plain JSON": ([{"type": "x"}], "application/json", 400),
    "no type": (plain("1", "/bad"), None, 415),
    "text": (plain("1", "/bad"), "text/plain", 415),
    "a form": (b"a=1", "application/x-www-form-urlencoded", 415),
    "no id": ({"specversion": "1.0", "source": "/bad", "type": "t"}, ONE, 422),
    "no source": ({"specversion": "1.0", "id": "1", "type": "t"}, ONE, 422),
    "an older version": (plain("1", "/bad", specversion="0.3"), ONE, 422),
    "a long id": (plain("x" * 201, "/bad"), ONE, 422),
    "a line break": (plain("a\r\nb", "/bad"), ONE, 422),
    "an hour without a zone": (plain("1", "/bad", time="2026-03-01T12:00:00"), ONE, 422),
    "no event at all": ({"hello": "world"}, "application/json", 422),
    "too large": (plain("1", "/bad", data="x" * 300_000), ONE, 413),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_event_is_refused_and_says_why(intake: Intake, bad: str) -> None:
    body, kind, status = BAD[bad]
    answer = post(intake, body, kind)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert problem["detail"]
    assert problem["hint"]
    assert intake.kept("/bad") == {}


def test_binary_mode_is_as_strict(intake: Intake) -> None:
    named = {f"ce-{n}": v for n, v in plain("1", "/bad").items()}
    assert post(intake, b"{", "application/json", **named).status_code == 400
    assert post(intake, b'{"a":1,"a":2}', "application/json", **named).status_code == 400
    assert post(intake, b"\xff", "text/plain", **named).status_code == 422
    assert post(intake, b"{}", "application/json", **named | {"ce-id": "%00"}).status_code == 400
    twice = [*named.items(), ("ce-id", "2"), ("content-type", "application/json")]
    answer = intake.client.post("/events", content=b"{}", headers=twice)
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated-header")
    assert intake.kept("/bad") == {}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (plain("1", "/bad", recipient="sre-reliability", action="restart_service"), ONE),
        ([plain("1", "/bad"), plain("2", "/bad", recipient="a", action="b")], BATCH),
        ({"to": "sre-reliability", "action": "restart_service"}, "application/json"),
        ({"from": "a", "to": "sre-reliability", "action": "x"}, "application/json"),
    ],
)
def test_an_event_may_not_have_an_action_carried_out(intake: Intake, body, kind: str) -> None:
    answer = post(intake, body, kind)
    assert (answer.status_code, answer.json()["code"]) == (422, "message-not-event")
    assert "POST /orchestrate/task" in answer.json()["hint"]
    assert intake.kept("/bad") == {}


def alert(name: str, status: str = "firing", **fields):
    labels = {"alertname": name, "service": "checkout", "severity": "critical"}
    given = {"labels": labels, "startsAt": "2026-03-01T12:00:00Z", "fingerprint": f"f-{name}"}
    return given | {"status": status, "generatorURL": "http://x", "unknown": {"a": 1}} | fields


def group(*alerts, **fields):
    given = {"version": "4", "groupKey": "{}:{}", "receiver": "us", "truncatedAlerts": 0}
    return given | {"alerts": list(alerts), "somethingNew": []} | fields


def test_alerts_are_events_when_it_changes_how_they_stand(intake: Intake) -> None:
    def new(*alerts, **fields) -> int:
        answer = post(intake, group(*alerts, **fields), "application/json", "/alerts")
        assert answer.status_code == 202
        return answer.json()["new"]

    assert new(alert("Down"), alert("Slow")) == 2
    assert new(alert("Slow"), alert("Down", annotations={"summary": "again"})) == 0
    assert new(alert("Down", "resolved", endsAt="2026-03-01T12:05:00Z")) == 1
    assert new(alert("Down")) == 1, "with the same start, but a new outage"
    assert new(alert("Down", startsAt="2026-03-01T13:00:00Z")) == 0
    assert new(alert("Down"), groupKey="{}:{another}") == 0
    told = [event for event in intake.kept("alertmanager").values() if "Down" in event["type"]]
    assert {event["subject"] for event in told} == {"service:checkout"}
    assert sorted(event["severity"] for event in told) == ["critical"] * 2 + ["info"]


def test_what_was_not_as_usual_is_told_to_the_sender(intake: Intake) -> None:
    odd = group(
        alert("Odd", labels={"alertname": "Odd", "severity": "purple"}),
        version="1",
        truncatedAlerts=3,
    )
    answer = post(intake, odd, "application/json", "/alerts")
    (kept,) = (e for e in intake.kept("alertmanager").values() if e["type"] == "alert.Odd")
    notes = kept["data"]["_notes"]
    assert answer.json() == {"new": 1, "known": 0, "ids": [kept["id"]], "notes": notes}
    assert ("3 more alerts" in notes[0], "'purple'" in notes[1]) == (True, True)
    assert kept["severity"] == "warning"
    traced = plain("traced", "/traced", traceparent="00-1", data='{"severity": "critical"}')
    (note,) = post(intake, traced).json()["notes"]
    assert "a text that holds JSON" in note
    assert intake.kept("/traced")["traced"]["data"]["_beside"] == {"traceparent": "00-1"}


def test_the_policy_says_what_labels_and_words_mean(tmp_path: Path) -> None:
    changed = Policy.extended(
        {
            "alerts": {
                "resources": [{"resource": "service:{container}", "when": {"namespace": "shop"}}],
                "severities": {"purple": "critical"},
            }
        }
    )

    async def use() -> None:
        with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
            await ledger.policies.keep(changed.version, changed.model_dump(mode="json"), utc_now())

    asyncio.run(use())
    labels = {"alertname": "Loop", "namespace": "shop", "pod": "web-1", "container": "web"}
    with open_intake(tmp_path) as own:
        body = group(alert("Loop", labels=labels | {"severity": "purple"}))
        assert post(own, body, "application/json", "/alerts").status_code == 202
        assert post(own, plain("1", "/own", severity="purple")).status_code == 202
        assert own.send({"severity": "purple"}).status_code == 202
        (event,) = own.kept("alertmanager").values()
        assert (event["subject"], event["severity"]) == ("service:web", "critical")
        for source in ("/own", "shop"):
            (event,) = own.kept(source).values()
            assert event["severity"] == "critical"


def test_a_large_group_is_one_notification(intake: Intake) -> None:
    alerts = [alert(f"Host {n} is down", annotations={"text": "x" * 1000}) for n in range(400)]
    body = json.dumps(group(*alerts)).encode()
    assert len(body) > MAX_BYTES
    answer = post(intake, body, "application/json", "/alerts")
    assert (answer.status_code, answer.json()["new"]) == (202, 400)

    answer = post(intake, body + b" " * MOST_BYTES, "application/json", "/alerts")
    assert answer.status_code == 413
    assert "2,097,152" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (group(alert("x")), "text/plain", 415),
        (group(alert("x", status="pending")), "application/json", 422),
        (group(alert("x", labels=[])), "application/json", 422),
        ({"version": "4", "alerts": {}}, "application/json", 422),
        ([], "application/json", 422),
    ],
)
def test_what_no_sender_of_alerts_would_send_is_refused(intake, body, kind, status) -> None:
    answer = post(intake, body, kind, "/alerts")
    assert (answer.status_code, answer.json()["status"]) == (status, status)


def test_a_token_with_the_scope_run_is_needed_once_there_is_one(tmp_path: Path) -> None:
    async def tokens() -> list[dict[str, str]]:
        with Ledger.open(url) as ledger:
            made = [
                await ledger.tokens.create(s.value, [s], by="test", now=utc_now())
                for s in (Scope.READ, Scope.RUN)
            ]
        return [{"authorization": f"Bearer {text}"} for text, _ in made]

    with open_intake(tmp_path) as own:
        url = own.settings.effective_ledger_url
        reader, runner = asyncio.run(tokens())
        for path, body, kind in (
            ("/events", plain("1"), ONE),
            ("/alerts", group(), "application/json"),
        ):
            assert post(own, body, kind, path, **reader).status_code == 403
            assert post(own, body, kind, path, **runner).status_code == 202
            basic = post(own, body, kind, path, authorization="Basic eDp5")
            wrong = post(own, b"{", kind, path, authorization="Bearer no")
            for answer in (basic, wrong):
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
        assert own.send({"type": "x", "data": {}}).status_code == 202, "its signature is enough"


def test_a_batch_larger_than_the_rate_passes_when_nothing_else_did(tmp_path: Path) -> None:
    with open_intake(tmp_path, api_intake_rate=10) as own:
        alerts = group(*(alert(f"{i}") for i in range(30)))
        answer = post(own, alerts, "application/json", "/alerts")
        assert (answer.status_code, answer.json()["new"]) == (202, 30)
        again = post(own, [plain(f"{i}") for i in range(30)], BATCH)
        assert again.status_code == 429, "it took all that there was"


def test_a_flood_is_told_when_to_come_back(tmp_path: Path) -> None:
    with open_intake(tmp_path, api_intake_rate=10) as own:
        batch = post(own, [plain(f"{i}") for i in range(9)], BATCH)
        assert batch.status_code == 202
        assert batch.headers["ratelimit-policy"] == '"events";q=10;w=1'
        refused = [a for a in (post(own, plain(f"a{i}")) for i in range(30)) if a.is_error]
        assert {answer.status_code for answer in refused} == {429}
        assert int(refused[0].headers["retry-after"]) >= 1
        assert refused[0].headers["ratelimit"].startswith('"events";r=0;')
        many = [post(own, group(alert("x")), "application/json", "/alerts") for _ in range(30)]
        assert {answer.status_code for answer in many} <= {202, 503}, "it would not try again"
        lost = next(answer for answer in many if answer.is_error)
        assert int(lost.headers["retry-after"]) >= 1
        hooks = [own.send({"a": 1}, name=f"m{i}") for i in range(30)]
        assert {answer.status_code for answer in hooks} == {202, 429}


@pytest.mark.slow
def test_while_the_ledger_cannot_be_written_nobody_is_told_that_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "DEADLINE", 2.0)
    monkeypatch.setattr(intake_module, "MOST_WAITING", 3)
    with open_intake(tmp_path) as own, closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        assert post(own, plain("before")).status_code == 202
        other.execute("BEGIN IMMEDIATE")

        async def all_at_once() -> list[httpx.Response]:
            async with httpx.AsyncClient(base_url=own.client.base_url, timeout=60) as client:
                json_type = {"content-type": "application/json"}
                body = json.dumps(group(alert("Down"))).encode()
                return await asyncio.gather(
                    *(client.post("/alerts", content=body, headers=json_type) for _ in range(8))
                )

        answers = asyncio.run(all_at_once())
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.json()["code"] for answer in answers} == {
            "intake-full",
            "ledger-unavailable",
        }
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
        assert own.send({"a": 1}).status_code == 503
        other.rollback()
        assert post(own, group(alert("Down")), "application/json", "/alerts").status_code == 202
        assert len(own.kept("alertmanager")) == 1


async def hand_in(settings: Settings, stopped: asyncio.Event) -> set[str]:
    """Webhooks from many senders at once until the server dies; those it acknowledged."""
    acknowledged: set[str] = set()
    url = f"http://127.0.0.1:{settings.api_port}"

    async def sender(number: int, client: httpx.AsyncClient) -> None:
        for count in range(100_000):
            name, now = f"m-{number}-{count}", utc_now()
            headers = {
                "content-type": "application/json",
                "webhook-id": name,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": Webhook(SECRET).sign(name, now, "{}"),
            }
            try:
                answer = await client.post("/webhooks/shop", content="{}", headers=headers)
            except httpx.TransportError:
                return
            if answer.status_code == 202:
                acknowledged.add(name)
                if len(acknowledged) > 200:
                    stopped.set()

    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        await asyncio.gather(*(sender(number, client) for number in range(16)))
    return acknowledged


@pytest.mark.slow
async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, ledger_url: str) -> None:
    business = tmp_path / "business.toml"
    write_business(business)
    settings = api_settings(tmp_path, business_file=business, ledger_url=ledger_url)
    with api_process(settings, PREFECT_API_URL="http://127.0.0.1:9/api") as process:
        await asyncio.to_thread(until_live, settings, process)
        stopped = asyncio.Event()
        sending = asyncio.create_task(hand_in(settings, stopped))
        await stopped.wait()
        process.kill()
        acknowledged = await sending
    with httpx.Client() as unused:
        kept = Intake(settings, unused, business).kept()
    assert len(acknowledged) > 200
    assert acknowledged <= kept.keys()
