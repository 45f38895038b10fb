"""Events from the command line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from blocks.errors import InvalidMessage, RequestError
from blocks.ledger import Ledger
from blocks.ledger.events.records import IncidentRecord, IncidentStatus
from blocks.vocabulary.messages import Severity, alert_identity, utc_now
from deployments.cli.watching.events import one_event, read_file
from tests.forked import orchestrator

OURS = {"type": "down", "subject": "service:web", "severity": "error", "source": "s", "id": "1"}
CLOUD = {"specversion": "1.0", "id": "2", "source": "/s", "type": "com.acme.down", "data": {}}


def told_by(folder: Path, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    ended = orchestrator(*arguments, stdin=stdin, ORCHESTRATOR_STATE_DIR=str(folder))
    return ended.returncode, ended.stdout, ended.stderr


def test_an_event_is_handed_in_once_and_seen_in_the_inbox(tmp_path: Path) -> None:
    given = ("event", "latency.high", "--subject", "service:web", "--severity", "error")
    given += ("--id", "7", "--data", '{"ms": 900}')
    assert told_by(tmp_path, "inbox")[1] == "Nothing waits.\n"
    code, told, _ = told_by(tmp_path, *given)
    assert (code, told.splitlines()[0]) == (0, "1 accepted, 0 known already.")
    assert "./orchestrator run event-driven-workflow" in told
    code, told, _ = told_by(tmp_path, *given, "--json")
    assert json.loads(told) == {
        "new": 0,
        "duplicates": 1,
        "updates": 0,
        "repeated": 0,
        "run": None,
        "notes": [],
    }
    told = told_by(tmp_path, "inbox")[1]
    assert told.startswith("Waiting: 1 error; the oldest for")


def test_an_event_is_found_again_with_all_that_came_with_it(tmp_path: Path) -> None:
    traced = CLOUD | {"traceparent": "00-1", "severity": "purple", "data": {"order": "4711 [b]"}}
    alert = {"labels": {"alertname": "Down", "service": "web"}, "fingerprint": "f1"}
    lines = "\n".join(json.dumps(each) for each in (traced, {"alerts": [alert]}))
    assert told_by(tmp_path, "event", "--file", "-", stdin=lines)[0] == 0
    code, told, _ = told_by(tmp_path, "inbox", "2")
    assert code == 0
    for said in ('{"order": "4711 [b]"}', '{"traceparent": "00-1"}', "'purple'", "warning"):
        assert said in told
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        identity = alert_identity("alertmanager", "f1")
        (kept,) = asyncio.run(ledger.inbox.named(identity))
    code, told, _ = told_by(tmp_path, "inbox", kept.id, "--json")
    assert json.loads(told)[0]["data"]["labels"] == alert["labels"]
    code, _, told = told_by(tmp_path, "inbox", "nothing")
    assert (code, "neither an event nor an incident 'nothing'" in told) == (2, True)


def test_events_come_from_standard_input(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(OURS | {"id": f"{n}"}) for n in (1, 2, 2))
    code, told, _ = told_by(tmp_path, "event", "--file", "-", stdin=lines)
    assert (code, told.splitlines()[0]) == (
        0,
        ("2 accepted, 1 known already; of the new ones 0 say something else, 1 the same."),
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["event"], "Name the TYPE of one event"),
        (["event", "x", "--file", "y"], "Name the TYPE of one event"),
        (["event", "x", "--severity", "awful"], "event.severity"),
        (["event", "x", "--data", "[1]"], "--data [1] is no JSON object"),
        (["event", "--file", "/nowhere"], "/nowhere cannot be read"),
    ],
)
def test_what_cannot_be_asked_is_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    code, _, told = told_by(tmp_path, *arguments)
    assert code == 2
    assert said in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([OURS, CLOUD]),
        f"{json.dumps(OURS)}\n\n{json.dumps(CLOUD)}\n",
    ],
    ids=["array", "lines"],
)
def test_a_file_holds_an_array_or_lines_in_any_dialect(tmp_path: Path, text: str) -> None:
    file = tmp_path / "events"
    file.write_text(text)
    ours, cloud = read_file(str(file))
    assert (ours.source, ours.id, ours.subject) == ("s", "1", "service:web")
    assert cloud.id == "2"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{json.dumps(OURS)}\nnonsense", "line 2"),
        (json.dumps([OURS, 7]), "item 2"),
        (json.dumps({"to": "sre-reliability", "action": "collect_metrics"}), "document"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "events"
    file.write_text(text)
    with pytest.raises(InvalidMessage, match=place):
        read_file(str(file))


def test_an_event_of_options() -> None:
    made = one_event("down", "service:web", "critical", "me", None, None)
    assert (made.type, made.severity.value, made.data) == ("down", "critical", {})
    with pytest.raises(RequestError, match="is no JSON"):
        one_event("down", "", "info", "me", None, "{")


def test_what_is_open_is_in_the_inbox_and_in_the_status(tmp_path: Path) -> None:
    now = utc_now()
    told = {"summary": "It crashes.", "runbook": "https://rb.example/x", "labels": {}}
    record = IncidentRecord(
        need_key="k",
        resource="pod:shop/a",
        severity=Severity.CRITICAL,
        title="pod shop/a: crash looping",
        opened_at=now,
        updated_at=now,
        status=IncidentStatus.STANDING,
        response={"done": "No agent knows anything about it.", "told": told},
        approval_id="3f2a9c1e5f",
    )
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        asyncio.run(ledger.incidents.stand(record))
    (incident,) = json.loads(told_by(tmp_path, "inbox", "--json")[1])["open"]
    assert incident["standing"] == (
        "It crashes. No agent knows anything about it. Runbook: https://rb.example/x"
    )
    told_of = told_by(tmp_path, "inbox")[1]
    for part in ("critical", "crash looping", "https://rb.example/x", "3f2a9c1e"):
        assert part in told_of
    code, told_of, _ = told_by(tmp_path, "status")
    assert code == 0
    assert "1 critical incident is open" in told_of
