"""``policy`` and ``autonomy`` as a shell sees them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from subprocess import CompletedProcess

from blocks.ledger import Ledger
from blocks.policy.policy import Policy
from blocks.vocabulary.messages import utc_now
from tests.forked import orchestrator
from tests.unit.flows.orchestrator.purchasing.histories import history

RAISED = Policy.extended({"autonomy": {"ceilings": {"tea": "automatic"}}})


def told(state: Path, *arguments: str) -> CompletedProcess[str]:
    return orchestrator(*arguments, ORCHESTRATOR_STATE_DIR=str(state), COLUMNS="200")


def fill(state: Path, policy: Policy) -> None:
    """A ledger in which tea has earned that nobody is asked, and the policy that was used last."""

    async def kept(ledger: Ledger) -> None:
        await ledger.policies.keep(policy.version, policy.model_dump(mode="json"), utc_now())
        await ledger.order_outcomes.keep(history([6.0] * 30))

    with Ledger.open(f"sqlite:///{state / 'ledger.db'}") as ledger:
        asyncio.run(kept(ledger))


def test_before_anything_is_known_a_person_is_asked(tmp_path: Path) -> None:
    ended = told(tmp_path, "autonomy")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (
        "Ceilings: all groups: ask.\n"
        "Nothing is known yet of what orders came to: a person is asked.\n"
    )
    assert json.loads(told(tmp_path, "autonomy", "--json").stdout) == []


def test_each_group_is_told_with_its_steps_and_what_it_rests_on(tmp_path: Path) -> None:
    fill(tmp_path, RAISED)
    ended = told(tmp_path, "autonomy")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "0 lines of 0 orders, 0.00 saved" in ended.stdout
    assert "2026-04-04 tea: ask to automatic. 20 lines of 20 orders saved" in ended.stdout
    (tea,) = json.loads(told(tmp_path, "autonomy", "--json").stdout)
    assert (tea["group"], tea["level"], tea["ceiling"]) == ("tea", "automatic", "automatic")


def test_it_goes_no_further_than_the_ceiling(tmp_path: Path) -> None:
    fill(tmp_path, Policy())
    (tea,) = json.loads(told(tmp_path, "autonomy", "--json").stdout)
    assert (tea["earned"], tea["level"]) == ("automatic", "ask")


def test_a_ceiling_in_a_file_is_checked_before_it_is_put_in_force(tmp_path: Path) -> None:
    file = tmp_path / "changes.toml"
    file.write_text('[autonomy]\nceilings = { tea = "automatic" }\n')
    shown = json.loads(told(tmp_path, "policy", str(file), "--json").stdout)
    assert shown["policy"]["autonomy"]["ceilings"] == {"tea": "automatic"}
    assert shown["version"] == RAISED.version
    file.write_text('[autonomy]\nceilings = { tea = "always" }\n')
    ended = told(tmp_path, "policy", str(file))
    assert ended.returncode == 1
    assert "autonomy.ceilings.tea" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_a_file_changes_beside_the_matrix_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "changes.toml"
    file.write_text(
        '[autonomy]\nceilings = { tea = "shadow" }\n'
        '[notify.audiences.owner]\nchannels = ["mail/o"]\n'
    )
    ended = told(tmp_path, "policy", str(file))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert 'autonomy.ceilings = {"tea": "shadow"}' in ended.stdout
    assert 'notify.audiences = {"owner": {"channels": ["mail/o"]}}' in ended.stdout
    default = told(tmp_path / "other", "policy")
    assert "autonomy" not in default.stdout
