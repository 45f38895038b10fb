"""``explain`` and ``verify`` as a shell sees them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from blocks.ledger import Ledger, ReceiptKind, ReceiptRecord
from blocks.ledger.receipts.signing import Seal
from blocks.settings import Settings
from tests.forked import orchestrator

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def told_by(state: Path, *arguments: str) -> CompletedProcess[str]:
    return orchestrator(*arguments, ORCHESTRATOR_STATE_DIR=str(state), COLUMNS="160")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder whose ledger holds two decisions."""
    path = tmp_path / "ledger.db"
    seal = Seal.of(str(path), Settings(state_dir=tmp_path))
    scores = [
        {"name": "shop/1", "score": 0.75, "parts": {"success": 0.75}, "lost_because": ""},
        {"name": "shop/2\x1b[2J", "score": 0.5, "parts": {}, "lost_because": "[red]slower"},
    ]
    body = {"inputs": {"seed": "s"}, "decision": {"instance": "shop/1"}, "why": "shop/1 takes it."}
    with Ledger.open(f"sqlite:///{path}", seal=seal) as ledger:
        for number in (1, 2):
            ledger.record(
                ReceiptRecord(
                    id=f"decision-{number}",
                    at=NOON,
                    kind=ReceiptKind.SELECT,
                    subject=f"message-{number}",
                    policy_version="abc123",
                    body=body | {"candidates": scores},
                )
            )
    return tmp_path


def test_a_decision_is_told_with_its_scores(state: Path) -> None:
    ended = told_by(state, "explain", "decision-1")
    assert (ended.returncode, ended.stderr) == (0, "")
    for text in (
        "Which instance takes it",
        "policy abc123",
        "shop/1 takes it.",
        "seed: s",
        "0.750",
        "chosen",
        "[red]slower",
    ):
        assert text in ended.stdout
    assert "\x1b" not in ended.stdout


def test_a_decision_is_told_to_scripts(state: Path) -> None:
    told = json.loads(told_by(state, "explain", "message-2", "--json").stdout)
    assert told["decisions"][0]["receipt"] == "decision-2"
    assert told["decisions"][0]["candidates"][1]["came_of_it"] == "[red]slower"


@pytest.mark.parametrize("of", ["unknown-id", "decision-", "x"])
def test_an_id_that_names_nothing_is_a_line_and_a_hint(state: Path, of: str) -> None:
    ended = told_by(state, "explain", of)
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 2)


@pytest.mark.parametrize("command", [["explain", "decision-1"], ["verify"]])
def test_before_the_first_start_there_is_nothing_to_ask(tmp_path: Path, command: list[str]) -> None:
    ended = told_by(tmp_path / "new", *command)
    assert ended.returncode == 1
    assert "does not exist" in ended.stderr
    assert not list(tmp_path.glob("new/ledger*")) + list(tmp_path.glob("new/receipts*"))


def test_a_whole_record_is_said_to_be_whole(state: Path) -> None:
    ended = told_by(state, "verify")
    assert ended.returncode == 0
    assert "2 receipts; the last is number 2, hash " in ended.stdout
    assert "None was changed, removed or added." in ended.stdout


def test_a_fault_is_told_and_counts_as_failure(state: Path) -> None:
    with closing(sqlite3.connect(state / "ledger.db")) as database:
        database.execute("DELETE FROM receipts WHERE seq = 2")
        database.commit()
    ended = told_by(state, "verify")
    assert ended.returncode == 1
    assert "Receipt 2 is cut off: this machine has seen receipt 2" in ended.stdout
    assert "None was changed" not in ended.stdout
    ended = told_by(state, "verify", "--json")
    found = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert (found["sound"], found["faults"][-1]["kind"]) == (False, "cut-off")
