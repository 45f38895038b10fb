"""What the command line says of a ledger that takes no writes, or is damaged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blocks.errors import LedgerDamaged
from blocks.ledger import Ledger
from blocks.settings import get_settings
from deployments.cli.decisions import run_verification
from deployments.cli.doctor import _ledger as looked_at_by_doctor
from deployments.cli.status import read_status
from tests.forked import orchestrator
from tests.integration.blocks.ledger.engine.test_health import locked, overwrite


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """The ledger that the commands of this process use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path))
        get_settings.cache_clear()
        Ledger.open(get_settings().effective_ledger_url).close()
        yield tmp_path / "ledger.db"
    get_settings.cache_clear()


def told(*arguments: str, file: Path) -> tuple[int, Any]:
    ended = orchestrator(*arguments, "--json", ORCHESTRATOR_STATE_DIR=str(file.parent))
    assert "Traceback" not in ended.stderr
    return ended.returncode, json.loads(ended.stdout or ended.stderr)


async def test_doctor_tries_a_write(file: Path) -> None:
    assert "takes writes, sound" in await looked_at_by_doctor(get_settings())
    with locked(f"sqlite:///{file}"):
        code, checks = told("doctor", file=file)
    assert code == 1
    [check] = [check for check in checks if check["name"] == "ledger"]
    assert not check["ok"]
    assert "cannot be written" in check["detail"] or "no write" in check["detail"]
    assert str(file) in check["todo"]


async def test_status_and_verify_tell_of_a_ledger_that_takes_no_writes(file: Path) -> None:
    with locked(f"sqlite:///{file}"):
        status = await read_status()
        assert status.system is not None
        assert status.system.ledger_fault in status.system.reasons
        assert status.system.system_health == "unhealthy"
        found = await run_verification(None)
    assert any("leaves no receipt" in note for note in found.notes)
    status = await read_status()
    assert status.system is not None
    assert status.system.ledger_fault == ""


@pytest.mark.parametrize("table", ["reports", "receipts", "alembic_version"])
async def test_doctor_and_verify_find_damage_wherever_it_is(file: Path, table: str) -> None:
    overwrite(file, table)
    code, checks = told("doctor", file=file)
    assert code == 1
    [check] = [check for check in checks if check["name"] == "ledger"]
    assert "is damaged" in check["detail"]
    assert "put a backup in the place" in check["todo"]
    code, answer = told("verify", file=file)
    assert code == 1
    assert "is damaged" in answer["error"]["what"]
    with pytest.raises(LedgerDamaged):
        await run_verification(None)
