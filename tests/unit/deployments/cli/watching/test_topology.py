"""``topology`` as a shell sees it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.forked import orchestrator

SERVICES = """
[[services]]
name = "web"
health_url = "http://10.0.0.5:8000/health"
[[services]]
name = "checkout"
health_url = "http://10.0.0.5:8001/health"
"""


def test_what_is_proposed_can_be_put_into_a_file_as_it_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "business.toml"
    file.write_text(SERVICES)
    told = orchestrator(
        "topology",
        ORCHESTRATOR_STATE_DIR=str(tmp_path / "state"),
        ORCHESTRATOR_BUSINESS_FILE=str(file),
        ORCHESTRATOR_INTERNAL_HOSTS="10.0.0.5",
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert "service:web answers at 10.0.0.5, as service:checkout does." in told.stdout
    _, heading, snippet = told.stdout.partition("[events.topology]")
    assert tomllib.loads(heading + snippet)["events"]["topology"] == {
        "service:checkout": ["host:10.0.0.5"],
        "service:web": ["host:10.0.0.5"],
    }
