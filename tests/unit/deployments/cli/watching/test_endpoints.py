"""``webhooks endpoints`` as a shell sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.forked import orchestrator


@pytest.mark.prefect
def test_where_there_is_no_endpoint_it_is_told_where_to_write_one(tmp_path: Path) -> None:
    file = tmp_path / "business.toml"
    file.write_text('[[services]]\nname = "web"\nhealth_url = "http://10.0.0.5/"\n')
    told = orchestrator(
        "webhooks",
        "endpoints",
        ORCHESTRATOR_STATE_DIR=str(tmp_path / "state"),
        ORCHESTRATOR_BUSINESS_FILE=str(file),
    )
    assert "or [[endpoints]] to your business file." in told.stdout
