"""``token`` as a shell sees it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from blocks.ledger import Ledger
from blocks.ledger.callers.tokens import TokenRecord
from blocks.vocabulary.messages import utc_now
from tests.forked import orchestrator

Ended = subprocess.CompletedProcess[str]


def token(state_dir: Path, *arguments: str) -> Ended:
    return orchestrator("token", *arguments, ORCHESTRATOR_STATE_DIR=str(state_dir))


def checked(state_dir: Path, text: str) -> TokenRecord | None:
    with Ledger.open(f"sqlite:///{state_dir / 'ledger.db'}") as ledger:
        return asyncio.run(ledger.tokens.check(text, utc_now()))


def test_a_token_is_made_shown_once_listed_and_revoked(tmp_path: Path) -> None:
    assert "There are no tokens." in token(tmp_path, "list").stdout
    assert not (tmp_path / "ledger.db").exists()

    scopes = ["--scope", "run", "--scope", "approve"]
    made = token(tmp_path, "create", "ci [red]", *scopes, "--expires", "30d")
    assert (made.returncode, made.stderr) == (0, "")
    [text] = [word for word in made.stdout.split() if word.startswith("orc_")]
    assert "it is not shown again" in made.stdout
    assert 'curl -H "Authorization: Bearer ' in made.stdout
    record = checked(tmp_path, text)
    assert record
    assert (record.name, [*record.scopes]) == ("ci [red]", ["run", "approve"])
    assert record.expires_at
    assert (record.expires_at - record.created_at).days == 30

    listed = token(tmp_path, "list")
    as_json = token(tmp_path, "list", "--json")
    assert record.id in listed.stdout
    assert "ci [red]" in listed.stdout
    assert "valid until" in listed.stdout
    assert json.loads(as_json.stdout) == [record.model_dump(mode="json")]
    for secret in (text.split("_", 2)[2], record.hash):
        assert secret not in listed.stdout + as_json.stdout

    revoked = token(tmp_path, "revoke", record.id)
    assert (revoked.returncode, revoked.stdout) == (0, f"Revoked {record.id} (ci [red]).\n")
    assert checked(tmp_path, text) is None
    again = token(tmp_path, "revoke", record.id)
    assert (again.returncode, "was revoked on" in again.stderr) == (2, True)
    assert "revoked " in token(tmp_path, "list").stdout


def test_a_script_makes_and_revokes_one(tmp_path: Path) -> None:
    made = json.loads(token(tmp_path, "create", "ci", "--scope", "READ", "--json").stdout)
    record = checked(tmp_path, made["token"])
    assert record
    assert made == {"token": made["token"], **record.model_dump(mode="json")}
    assert record.expires_at is None
    # Whoever finds a token where it should not be has its text, and not its id.
    revoked = json.loads(token(tmp_path, "revoke", made["token"], "--json").stdout)
    assert (revoked["id"], revoked["revoked_at"] is None) == (record.id, False)


@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        (["create", "ci", "--scope", "rnu"], "There is no scope 'rnu'.", "There are read, run, "),
        (["create", "ci"], "Token 'ci' has no scope.", "one or more of read, run, approve"),
        (["create", " ", "--scope", "run"], "no name for a token", "1 to 100 characters"),
        (["create", "ci", "--scope", "run", "--expires", "soon"], "'soon' is no time.", "7d"),
        (["create", "ci", "--scope", "run", "--expires", "0d"], "is past", "a later time"),
        (["create", "ci", "--scope", "run", "--expires", "2020-01-01"], "is past", "a later"),
        (["revoke", "0" * 12], f"There is no token '{'0' * 12}'.", "token list"),
        (["revoke", "orc_0_secret"], "There is no token '0'.", "token list"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_what_cannot_be_done_is_one_line_with_a_hint(
    tmp_path: Path, arguments: list[str], what: str, hint: str, as_json: bool
) -> None:
    ended = token(tmp_path, *arguments, *(["--json"] if as_json else []))
    assert ended.returncode == 2
    if as_json:
        error = json.loads(ended.stdout)["error"]
        assert what in error["what"]
        assert hint in error["hint"]
    else:
        said = ended.stderr.splitlines()
        assert len(said) == 2
        assert what in said[0]
        assert hint in said[1]
    assert "secret" not in ended.stdout + ended.stderr
