"""What is refused where events come in: it is counted, logged and kept, and a flood is bounded."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from blocks.business.webhooks.signatures import new_secret
from blocks.ledger import Ledger
from blocks.ledger.callers.tokens import Scope
from blocks.ledger.calls.dead_letters import DeadLetter
from blocks.vocabulary.messages import utc_now
from deployments.api.intake import refusals
from tests.integration.deployments.api.intake import Intake, open_intake

T = TypeVar("T")
JSON = {"content-type": "application/json"}
PENDING = {"alerts": [{"labels": {"alertname": "Down"}, "status": "pending"}]}


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    with open_intake(tmp_path) as intake:
        yield intake


def in_ledger(intake: Intake, ask: Callable[[Ledger], Awaitable[T]]) -> T:
    async def asked() -> T:
        with Ledger.open(intake.settings.effective_ledger_url) as ledger:
            return await ask(ledger)

    return asyncio.run(asked())


def letters(intake: Intake) -> list[DeadLetter]:
    return in_ledger(intake, lambda ledger: ledger.dead_letters.list())


def counted(intake: Intake, **headers: str) -> dict[tuple[str, str, str], float]:
    """How often what was refused, in the figures that Prometheus reads."""
    text = intake.client.get("/metrics", headers=headers).text
    found = {}
    for family in text_string_to_metric_families(text):
        if family.name == "orchestrator_intake_refused":
            for sample in family.samples:
                if sample.name.endswith("_total"):
                    said = sample.labels
                    found[said["door"], said["sender"], said["code"]] = sample.value
    return found


def post(intake: Intake, path: str, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return intake.client.post(path, content=content, headers=JSON | headers)


def test_a_refused_alert_leaves_a_letter_a_line_and_a_count(
    intake: Intake, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted(intake).get(("/alerts", "this machine", "invalid-message"), 0)
    with caplog.at_level(logging.WARNING, "orchestrator.api"):
        assert post(intake, "/alerts", PENDING).status_code == 422
    (letter,) = letters(intake)
    assert json.loads(letter.raw) == PENDING
    assert (letter.origin, letter.dialect) == ("/alerts, from this machine", "alertmanager")
    assert letter.reason == "alerts[0].status is 'pending'. It must be firing or resolved."
    (line,) = [m for m in caplog.messages if "refused" in m]
    assert line == f"/alerts refused what this machine sent, with 422: {letter.reason}"
    assert counted(intake)["/alerts", "this machine", "invalid-message"] == before + 1


def test_each_way_in_leaves_its_trace(intake: Intake) -> None:
    assert post(intake, "/alerts", b"{").status_code == 400
    assert post(intake, "/alerts", PENDING, **{"content-type": "text/plain"}).status_code == 415
    assert post(intake, "/events", {"specversion": "0.3"}).status_code == 422
    ce = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
    assert post(intake, "/events", b"<html>", **ce).status_code == 400
    assert intake.send("a=1", content_type="text/plain").status_code == 415
    assert intake.send('{"a": NaN}').status_code == 400
    kept = {(letter.origin, letter.raw) for letter in letters(intake)}
    assert {origin for origin, _ in kept} == {
        "/alerts, from this machine",
        "/events, from this machine",
        "/webhooks, from webhook shop",
    }
    assert len(kept) == 6
    (binary,) = (json.loads(raw) for _, raw in kept if "data_base64" in raw)
    assert (binary["id"], binary["source"]) == ("1", "/s"), "what its headers said is kept too"


def test_the_same_document_is_kept_once_however_often_it_comes(intake: Intake) -> None:
    for _ in range(5):
        assert post(intake, "/alerts", PENDING).status_code == 422
    assert len(letters(intake)) == 1


def test_of_whom_nothing_vouches_for_no_body_is_kept_and_one_letter_a_day(intake: Intake) -> None:
    before = counted(intake)
    for number in range(5):
        body = {"secret": f"of a stranger {number}"}
        assert intake.send(body, secret=new_secret()).status_code == 401
        assert intake.send(body, to="nobody", secret=new_secret()).status_code == 401
    (letter,) = letters(intake)
    assert (letter.origin, letter.raw) == ("/webhooks, from webhook shop", "")
    assert "No signature fits." in letter.reason
    assert "was not kept" in letter.reason
    after = counted(intake)
    for sender in ("webhook shop", "unknown"):
        key = "/webhooks", sender, "bad-signature"
        assert after[key] - before.get(key, 0) == 5


def test_without_a_token_nothing_is_kept(intake: Intake) -> None:
    text, _ = in_ledger(
        intake, lambda ledger: ledger.tokens.create("grafana", [Scope.RUN], by="t", now=utc_now())
    )
    text = f"Bearer {text}"
    assert post(intake, "/alerts", PENDING, authorization="Bearer wrong").status_code == 401
    assert letters(intake) == []
    assert post(intake, "/alerts", PENDING, authorization=text).status_code == 422
    (letter,) = letters(intake)
    assert letter.origin == "/alerts, from grafana"


def test_what_is_too_large_is_counted_and_told(
    intake: Intake, caplog: pytest.LogCaptureFixture
) -> None:
    # Too large to be read: who sent it was not asked yet.
    key = "/events", "unknown", "body-too-large"
    before = counted(intake).get(key, 0)
    assert post(intake, "/events", b" " * 300_000).status_code == 413
    assert counted(intake)[key] == before + 1
    assert any("more than 262,144 bytes" in message for message in caplog.messages)


def test_what_is_sent_again_anyway_is_no_dead_letter(tmp_path: Path) -> None:
    with open_intake(tmp_path, api_intake_rate=1) as own:
        answers = [post(own, "/alerts", PENDING | {"n": n}).status_code for n in range(20)]
        assert set(answers) == {422, 503}
        hooks = [own.send({"n": n}, name=f"m{n}").status_code for n in range(20)]
        assert set(hooks) == {202, 429}
        assert len(letters(own)) == answers.count(422)


def test_a_flood_is_bounded_in_letters_and_in_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(refusals, "MOST_WAITING", 3)
    with open_intake(tmp_path) as own:
        before = counted(own).get(("/alerts", "this machine", "invalid-message"), 0)
        for number in range(40):
            assert post(own, "/alerts", PENDING | {"n": number}).status_code == 422
        assert len(letters(own)) == 3
        assert counted(own)["/alerts", "this machine", "invalid-message"] == before + 40
        lines = [m for m in caplog.messages if m.startswith("/alerts refused")]
        assert 1 <= len(lines) < 10
        assert own.send('{"a": NaN}').status_code == 400
        assert len(letters(own)) == 4, "another sender has letters of its own"


def test_a_letter_that_a_person_settled_makes_room(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "MOST_WAITING", 1)
    post(intake, "/alerts", PENDING)
    post(intake, "/alerts", PENDING | {"n": 1})
    (letter,) = letters(intake)
    in_ledger(intake, lambda ledger: ledger.dead_letters.discard(letter.id, utc_now()))
    post(intake, "/alerts", PENDING | {"n": 2})
    assert len(letters(intake)) == 2


def test_a_ledger_that_takes_no_letter_keeps_no_answer_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(refusals, "_PATIENCE", 0.2)
    with open_intake(tmp_path) as own, closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert post(own, "/alerts", PENDING).status_code == 422
        assert any("could not be kept" in message for message in caplog.messages)
        other.rollback()
