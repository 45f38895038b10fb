"""``await daily_health_check()`` in a plain Python process, with no Prefect server anywhere."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from blocks.ledger import Ledger
from blocks.settings import PROJECT_ROOT
from tests.integration.flows.shop import open_shop

pytestmark = pytest.mark.slow

SCRIPT = """
import asyncio, sys
from flows.daily_health_check import daily_health_check
# What is slow to load is loaded before suppliers are timed.
assert "pandera.backends.pandas.container" in sys.modules
report = asyncio.run(daily_health_check())
print(report.outcome, report.run_id, report.headline, sep="\\n")
"""


@pytest.fixture
def state_dir(migrated_database: Path, tmp_path: Path) -> Path:
    """A state folder whose Prefect database is migrated already."""
    (tmp_path / "state" / "prefect").mkdir(parents=True)
    shutil.copy(migrated_database, tmp_path / "state" / "prefect" / "prefect.db")
    return tmp_path / "state"


def python(state_dir: Path, **settings: str) -> subprocess.Popen[str]:
    """A process with nothing of ours or Prefect's in its environment but these settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "ORCHESTRATOR_"))}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=PROJECT_ROOT,
        env={**kept, "ORCHESTRATOR_STATE_DIR": str(state_dir), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_without_a_business_it_ends_with_the_way_to_one(state_dir):
    with python(state_dir) as process:
        out, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert out == ""
    assert "NoBusinessConfigured: No business is configured." in err
    assert "./orchestrator up" in err


async def test_with_a_business_file_it_works_and_prints_its_headline(
    state_dir, filled_store, tmp_path
):
    shutil.copy(filled_store, tmp_path / "shop.db")
    async with open_shop(tmp_path) as shop:
        settings = {"ORCHESTRATOR_BUSINESS_FILE": str(shop.business_file)}
        with python(state_dir, **settings) as process:
            out, err = await asyncio.to_thread(process.communicate, timeout=100)
    assert process.returncode == 0, err
    outcome, run_id, headline = out.splitlines()
    assert outcome == "succeeded"
    assert "against a usual" in headline
    with Ledger.open(f"sqlite:///{state_dir / 'ledger.db'}") as ledger:
        assert (await ledger.report(run_id)).body["headline"] == headline
