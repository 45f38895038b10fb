"""``dead-letters`` as a shell sees it; ``send`` needs Prefect and is tested with the workflows."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from blocks.ledger import Ledger
from blocks.ledger.calls.dead_letters import DeadLetter
from tests.forked import orchestrator

LETTER = DeadLetter(
    id="abcdef0123",
    received_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    origin="a test",
    dialect="json",
    raw='{"to": "x"}\x1b[31m',
    reason="to is 'x'.",
)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        asyncio.run(ledger.dead_letters.keep(LETTER))
    return tmp_path


def told_by(state_dir: Path, *arguments: str) -> CompletedProcess[str]:
    return orchestrator(*arguments, ORCHESTRATOR_STATE_DIR=str(state_dir))


def test_letters_are_listed_shown_and_discarded(state_dir: Path) -> None:
    listed = told_by(state_dir, "dead-letters")
    assert "abcdef01" in listed.stdout
    assert "to is 'x'." in listed.stdout
    shown = told_by(state_dir, "dead-letters", "show", "abcdef")
    assert '{"to": "x"}' in shown.stdout
    assert "\x1b[31m" not in shown.stdout
    as_json = told_by(state_dir, "dead-letters", "show", "abcdef", "--json")
    assert DeadLetter.model_validate(json.loads(as_json.stdout)) == LETTER

    assert told_by(state_dir, "dead-letters", "discard", "abcdef").returncode == 0
    again = told_by(state_dir, "dead-letters", "discard", "abcdef")
    assert again.returncode == 2
    assert "it is discarded" in again.stderr
    assert "No dead letters wait." in told_by(state_dir, "dead-letters").stdout
    kept = json.loads(told_by(state_dir, "dead-letters", "--all", "--json").stdout)
    assert [letter["status"] for letter in kept] == ["discarded"]


def test_an_unknown_letter_or_file_is_one_line(state_dir: Path) -> None:
    unknown = told_by(state_dir, "dead-letters", "show", "ffffff")
    assert (unknown.returncode, "There is no dead letter 'ffffff'" in unknown.stderr) == (2, True)
    missing = told_by(state_dir, "send", str(state_dir / "nothing.json"))
    assert (missing.returncode, "cannot be read" in missing.stderr) == (2, True)
    assert "Traceback" not in unknown.stderr + missing.stderr
