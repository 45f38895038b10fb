"""``orders drafts`` as a shell sees it."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from blocks.ledger import Ledger
from tests.forked import orchestrator
from tests.plans import TWO, line, order, plan, report_of


def told_by(state: Path, *arguments: str) -> CompletedProcess[str]:
    return orchestrator(
        "orders", "drafts", *arguments, ORCHESTRATOR_STATE_DIR=str(state), COLUMNS="160"
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder whose ledger holds two drafts."""
    _save(tmp_path, TWO)
    return tmp_path


def _save(state: Path, drafted) -> None:
    with Ledger.open(f"sqlite:///{state / 'ledger.db'}") as ledger:
        asyncio.run(ledger.save_report(report_of(drafted)))


def test_the_last_drafts_are_shown_with_why(state: Path) -> None:
    ended = told_by(state)
    assert (ended.returncode, ended.stderr) == (0, "")
    for text in ("acme: 52.50 GBP, 7.50 of it freight", "globex: 45.00 GBP", "a is low.", "24"):
        assert text in ended.stdout
    assert "no offer: Nobody offers it." in ended.stdout


def test_as_json_and_of_one_supplier(state: Path) -> None:
    found = json.loads(told_by(state, "--json", "--supplier", "globex").stdout)
    assert [each["supplier"] for each in found["plan"]["orders"]] == ["globex"]
    assert found["plan"]["orders"][0]["total"] == "45.00"


def test_as_a_file_and_on_the_screen(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "drafts.csv"
    ended = told_by(state, "--csv", str(file))
    assert "3 lines of 2 drafts are in" in ended.stdout
    with file.open(newline="", encoding="utf-8") as text:
        assert [row["sku"] for row in csv.DictReader(text)] == ["a", "b", "c"]
    assert told_by(state, "--csv", "-", "--supplier", "acme").stdout.count("acme") == 2


def test_a_file_that_cannot_be_written_is_told(state: Path) -> None:
    ended = told_by(state, "--csv", str(state / "none" / "x.csv"))
    assert ended.returncode == 1
    assert "cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_before_the_first_run_and_for_a_supplier_without_a_draft(
    state: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ended = told_by(tmp_path_factory.mktemp("fresh"))
    assert ended.returncode == 2
    assert "No orders have been drafted yet." in ended.stderr
    assert "./orchestrator run critical-inventory" in ended.stderr
    ended = told_by(state, "--supplier", "globx")
    assert ended.returncode == 2
    assert "Did you mean globex?" in ended.stderr


def test_a_run_that_could_draft_nothing_leaves_those_of_the_run_before(state: Path) -> None:
    with Ledger.open(f"sqlite:///{state / 'ledger.db'}") as ledger:
        later = report_of(None, run_id="b" * 32)
        asyncio.run(ledger.save_report(later))
    assert "globex" in told_by(state).stdout


def test_names_steer_no_terminal(tmp_path: Path) -> None:
    _save(tmp_path, plan(order("acme", line("a", name="\x1b[2J[red]x"))))
    shown = told_by(tmp_path).stdout
    assert "\x1b" not in shown
    assert "[red]x" in shown
