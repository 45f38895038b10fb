"""What the tests on Prefect's own pages share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.settings import get_settings
from tests.browser.chromium import CHROMIUM
from tests.conftest import service_missing
from tests.integration.loopback import own_prefect_server


@pytest.fixture(autouse=True)
def business_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A business that needs no Prefect to be read: to start one takes longer than most tests."""
    file = tmp_path / "business.toml"
    file.write_text('[[services]]\nname = "checkout"\nhealth_url = "http://127.0.0.1:1/health"\n')
    monkeypatch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(file))
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
def ui(migrated_database: Path, tmp_path: Path) -> Iterator[str]:
    """A Prefect server of this test's own, with its pages."""
    if not CHROMIUM.exists():
        service_missing(f"{CHROMIUM} is not there")
    home = tmp_path / "prefect"
    home.mkdir()
    with own_prefect_server(home, migrated_database) as url:
        yield url.removesuffix("/api")
