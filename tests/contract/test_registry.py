"""Every addition to what the agents can do shows up in review.

When a test fails because you added an action, add its line to ``registry.txt``.
"""

from __future__ import annotations

from pathlib import Path

from agents.registry import registry

SNAPSHOT = Path(__file__).with_name("registry.txt")


def test_the_registry_is_as_reviewed() -> None:
    found = [f"{a.agent}/{a.capability}/{a.name}" for a in registry().actions()]
    assert found == SNAPSHOT.read_text().split()


def test_every_action_says_what_it_does() -> None:
    assert [a.full_name for a in registry().actions() if not a.summary] == []
