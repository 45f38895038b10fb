"""``incidents``, ``incident`` and ``silences`` as a shell sees them."""

from __future__ import annotations

import asyncio
import getpass
import json
import subprocess
from pathlib import Path

from blocks.ledger import Ledger
from blocks.ledger.events.records import IncidentRecord
from blocks.vocabulary.messages import utc_now
from tests.forked import orchestrator
from tests.incidents import Desk

Ended = subprocess.CompletedProcess[str]


def call(state_dir: Path, *arguments: str) -> Ended:
    return orchestrator(*arguments, ORCHESTRATOR_STATE_DIR=str(state_dir))


def opened(state_dir: Path, *names: str) -> list[IncidentRecord]:
    async def fire() -> list[IncidentRecord]:
        with Ledger.open(f"sqlite:///{state_dir / 'ledger.db'}") as ledger:
            desk = Desk(ledger, now=utc_now())
            return [await desk.fires(name) for name in names]

    return asyncio.run(fire())


def test_before_anything_ran_nothing_is_open(tmp_path: Path) -> None:
    assert call(tmp_path, "incidents").stdout == "Nothing is open.\n"
    assert call(tmp_path, "silences").stdout == "Nothing is silenced.\n"
    missing = call(tmp_path, "incident", "3f0c9d")
    assert (missing.returncode, "nothing has run yet" in missing.stderr) == (2, True)
    assert not (tmp_path / "ledger.db").exists()


def test_an_incident_from_its_list_to_its_end(tmp_path: Path) -> None:
    me, (one, _) = getpass.getuser(), opened(tmp_path, "checkout", "search[red]")
    listed = call(tmp_path, "incidents").stdout
    assert one.id[:8] in listed
    assert "search[red]" in listed
    as_json = json.loads(call(tmp_path, "incidents", "--json", "--resource", "*:check*").stdout)
    assert [(each["incident"]["id"], each["state"]) for each in as_json] == [(one.id, "triggered")]

    said = call(tmp_path, "incidents", "ack", "service:checkout", "--note", "On it.")
    assert (said.returncode, said.stderr) == (0, "")
    assert f"{me} sees to it. On it. ({me})" in said.stdout
    call(tmp_path, "incidents", "assign", one.id[:8], "bob")
    call(tmp_path, "incidents", "note", one.id[:8], "The cache.")
    shown = call(tmp_path, "incident", one.id[:8]).stdout
    for part in ("acknowledged", "It is bob's.", "The cache.", "checkout is down."):
        assert part in shown
    ended = call(tmp_path, "incidents", "resolve", one.id[:8], "--json")
    assert json.loads(ended.stdout)["state"] == "resolved"
    late = call(tmp_path, "incidents", "ack", one.id[:8])
    assert (late.returncode, "is over since" in late.stderr) == (2, True)
    assert one.id[:8] in call(tmp_path, "incidents", "--all").stdout
    wrong = call(tmp_path, "incidents", "--severity", "crtical")
    assert (wrong.returncode, "Did you mean critical?" in wrong.stderr) == (2, True)


def test_a_silence_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    (one,) = opened(tmp_path, "checkout")
    window = ("silences", "add", "Deploy", "--until", "30m", "--maintenance")
    everything = call(tmp_path, *window)
    assert (everything.returncode, "silences everything" in everything.stderr) == (2, True)
    made = call(tmp_path, *window, "--label", "team=sh*")
    assert made.stdout.startswith("Maintenance ")
    assert "covers service checkout" in made.stdout
    assert "silenced" in call(tmp_path, "incidents").stdout
    (kept,) = json.loads(call(tmp_path, "silences", "--json").stdout)
    assert (kept["maintenance"], kept["labels"]) == (True, {"team": "sh*"})
    assert call(tmp_path, "silences", "end", kept["id"][:8]).returncode == 0
    assert call(tmp_path, "silences").stdout == "Nothing is silenced.\n"
    assert "ended by" in call(tmp_path, "silences", "--all").stdout
    assert "No silence covers it any more." in call(tmp_path, "incident", one.id[:8]).stdout

    weekly = ("--weekly", "sat,sun 02:00-04:00", "--timezone", "Europe/Berlin", "--until", "90d")
    made = call(tmp_path, "silences", "add", "Backup", "--type", "disk.*", *weekly)
    assert "sat, sun 02:00-04:00 (Europe/Berlin)" in made.stdout
    for wrong in (
        ("--weekly", "sat 02:00"),
        ("--weekly", "sonntag 02:00-04:00", "--timezone", "UTC"),
        ("--weekly", "sat 02:00-04:00", "--timezone", "Mars"),
        ("--label", "team"),
        ("--severity", "bad"),
    ):
        refused = call(tmp_path, "silences", "add", "x", "--until", "1h", *wrong)
        assert (refused.returncode, "Traceback" in refused.stderr) == (2, False), wrong
