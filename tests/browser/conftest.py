"""What the tests on Prefect's own pages share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import CHROMIUM
from tests.conftest import service_missing
from tests.integration.loopback import own_prefect_server


@pytest.fixture
def ui(migrated_database: Path, tmp_path: Path) -> Iterator[str]:
    """A Prefect server of this test's own, with its pages."""
    if not CHROMIUM.exists():
        service_missing(f"{CHROMIUM} is not there")
    home = tmp_path / "prefect"
    home.mkdir()
    with own_prefect_server(home, migrated_database) as url:
        yield url.removesuffix("/api")
