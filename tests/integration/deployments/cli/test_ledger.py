"""``./orchestrator ledger``: what it holds and may forget, and forgetting at once."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from blocks.ledger import Ledger, RunRecord
from blocks.vocabulary.messages import Outcome, utc_now
from tests.unit.deployments.cli.test_main import orchestrator


def held(folder: Path, *arguments: str, **variables: str) -> Any:
    ended = orchestrator(
        "ledger", *arguments, "--json", ORCHESTRATOR_STATE_DIR=str(folder), **variables
    )
    assert "Traceback" not in ended.stderr
    return json.loads(ended.stdout)


def test_what_is_due_is_shown_and_goes_when_asked(tmp_path: Path) -> None:
    assert held(tmp_path)["error"]["code"] == "request-error"
    at, over = utc_now() - timedelta(days=40), {"outcome": Outcome.SUCCEEDED}
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        ledger.record(RunRecord(id="r", workflow="w", started_at=at, finished_at=at, **over))
    assert runs(held(tmp_path)) == (90, 1, 0)
    shorter = {"ORCHESTRATOR_RETENTION_CALLS": "30"}
    assert runs(held(tmp_path, **shorter)) == (30, 1, 1)
    found = held(tmp_path, "--cut", **shorter)
    assert found["gone"] == {"runs": 1}
    assert runs(found) == (30, 0, 0)
    assert found["bytes"] > 0


def runs(found: Any) -> tuple[int, int, int]:
    [one] = [table for table in found["tables"] if table["table"] == "runs"]
    return one["days"], one["rows"], one["due"]
