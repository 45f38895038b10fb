"""Settings from the environment, as a shell gives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.errors import ConfigurationError
from blocks.settings import PROJECT_ROOT, get_settings


@pytest.fixture(autouse=True)
def read_anew() -> Iterator[None]:
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE_DIR", "BUSINESS_FILE", "PREFECT_PORT", "PREFECT_DATABASE_URL"):
        monkeypatch.setenv(f"ORCHESTRATOR_{name}", "")
    settings = get_settings()
    assert settings.state_dir == PROJECT_ROOT / ".orchestrator"
    assert (settings.business_file, settings.prefect_port) == (None, 4200)
    assert settings.prefect_database_url is None


def test_paths_start_at_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", "elsewhere")
    monkeypatch.setenv("ORCHESTRATOR_BUSINESS_FILE", "/etc/shop.toml")
    settings = get_settings()
    assert settings.state_dir == PROJECT_ROOT / "elsewhere"
    assert settings.business_file == Path("/etc/shop.toml")
    monkeypatch.setenv("ORCHESTRATOR_DATA_FOLDERS", "data, ~/data")
    get_settings.cache_clear()
    folders = [Path("/etc"), PROJECT_ROOT / "data", Path.home() / "data"]
    assert get_settings().readable_folders == folders


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIMEZONE", "Nowhere"),
        ("STATE_DIR", "~nobody-here/x"),
        ("DATA_FOLDERS", "/srv,~nobody-here/x"),
        ("INTERNAL_HOSTS", "db,http://db"),
        ("PREFECT_PORT", "99999"),
    ],
)
def test_a_bad_value_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"ORCHESTRATOR_{name}", value)
    with pytest.raises(ConfigurationError, match=f"ORCHESTRATOR_{name}=.*{value}"):
        get_settings()


def test_a_secret_that_is_refused_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_RECEIPT_KEY", "canary")
    with pytest.raises(ConfigurationError, match=r"ORCHESTRATOR_RECEIPT_KEY=\*\*\*.*32") as told:
        get_settings()
    assert "canary" not in str(told.value)


def test_how_long_records_are_kept_is_set_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_RETENTION_DEAD_LETTERS", "forever")
    monkeypatch.setenv("ORCHESTRATOR_RETENTION_RECEIPTS", "3650")
    kept = get_settings().retention
    assert (kept.dead_letters, kept.receipts, kept.approvals) == (None, 3650, 730)


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("RECEIPTS", "7", "greater than or equal to 30"),
        ("RECEIPTS", "40000", "less than or equal to 36500"),
        ("EVENTS", "-1", "a number of days, or forever"),
        ("EVENTS", "a week", "a number of days, or forever"),
        ("EVNTS", "30", "not permitted"),
    ],
)
def test_a_retention_that_cannot_be_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, kind: str, value: str, why: str
) -> None:
    monkeypatch.setenv(f"ORCHESTRATOR_RETENTION_{kind}", value)
    with pytest.raises(ConfigurationError, match=f"RETENTION_{kind}='{value}': .*{why}"):
        get_settings()
