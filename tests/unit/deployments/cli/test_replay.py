"""Policy files, times and the answer of ``replay``, as a person gives and reads them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from agents.registry import registry
from blocks.errors import ConfigurationError
from deployments.cli.decisions import print_replay
from deployments.cli.policy import read_policy_file
from flows.orchestrator.decisions.replay import Difference, Question, Replay, Tally
from tests.forked import orchestrator

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_policy_is_read_from_toml_and_json(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[selection]\nlatency = 5\n")
    (tmp_path / "a.json").write_text('{"selection": {"latency": 5}}')
    read = [read_policy_file(tmp_path / name, registry()) for name in ("a.toml", "a.json")]
    assert [policy.selection.latency for policy in read] == [5, 5]
    assert read[0].version == read[1].version


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.toml", b"[selection]\nlatency = -1\n", "selection.latency: Input should be greater"),
        ("a.toml", b"[selektion]\nlatency = 1\n", "selektion: Extra inputs are not permitted"),
        ("a.toml", b"selection", "a.toml is not TOML"),
        ("a.toml", b"\xff", "a.toml is not TOML"),
        ("a.json", b"{", "a.json is not JSON"),
        ("a.json", b"[" * 100_000, "a.json is not JSON"),
        ("a.json", b"[1]", "no table of changes"),
        ("a.json", b'{"instances": [{"name": "x", "agent": "nobody"}]}', "no agent 'nobody'"),
    ],
)
def test_a_policy_file_that_cannot_be_used_is_said_with_its_key(
    tmp_path: Path, name: str, content: bytes, fault: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError) as told:
        read_policy_file(tmp_path / name, registry())
    assert fault in told.value.what
    assert name in told.value.what


def test_a_missing_file_is_a_line(tmp_path: Path) -> None:
    ended = orchestrator(
        "replay", "--policy", str(tmp_path / "none.toml"), ORCHESTRATOR_STATE_DIR=str(tmp_path)
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "none.toml cannot be read: No such file" in ended.stderr


def told(differences: int) -> Replay:
    one = Difference(
        question=Question.SELECTION,
        receipt="r",
        subject="m",
        at=NOON,
        about="fixer.mend",
        recorded="fixer/1",
        replayed="fixer/2\x1b[2J",
        why="[red]slower",
    )
    return Replay(
        policy_version="abc",
        tallies=[Tally(question=Question.SELECTION, same=2, different=differences)],
        differences=[one] * differences,
        skipped={"it is gone": 3},
    )


def test_the_differences_are_shown_and_what_was_skipped() -> None:
    out = StringIO()
    print_replay(told(52), Console(file=out, width=160))
    text = out.getvalue()
    for part in ("fixer/1", "[red]slower", "and 2 more", "3 not decided again: it is gone."):
        assert part in text
    assert "\x1b" not in text
    assert json.loads(told(1).model_dump_json())["differences"][0]["recorded"] == "fixer/1"
