"""Prefect's own database: its size, and what its server's log says of locks."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from agents.sre_reliability.system_monitoring.prefect_itself.database import (
    growth_per_day,
    judge_database,
)
from blocks.prefect_api.database import LOCKED, PrefectDatabase, count_entries, read_database
from blocks.settings import Settings
from blocks.vocabulary.messages import Severity

HOUR = timedelta(hours=1)
NOW = datetime(2026, 3, 2, 0, 30).astimezone()

LOG = """\
23:10:00.100 | ERROR   | prefect.server - Too long ago
sqlite3.OperationalError: database is locked
23:50:00.100 | ERROR   | prefect.server - Of the day before
sqlite3.OperationalError: database is locked
The above exception was the direct cause of the following exception:
sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) database is locked
00:10:00.100 | WARNING | prefect.server - Something else
00:20:00.100 | ERROR   | prefect.server - database is locked
"""


def written(folder: Path, text: str) -> Path:
    log = folder / "prefect-server.log"
    log.write_text(text)
    os.utime(log, (NOW.timestamp(), NOW.timestamp()))
    return log


def test_an_entry_counts_once_and_its_day_is_found_without_a_date(tmp_path: Path):
    log = written(tmp_path, LOG)
    assert count_entries(log, LOCKED, NOW, HOUR) == 2
    assert count_entries(log, LOCKED, NOW, 2 * HOUR) == 3
    assert count_entries(log, LOCKED, NOW, HOUR / 4) == 1
    assert count_entries(written(tmp_path, ""), LOCKED, NOW, HOUR) == 0


@pytest.fixture
def embedded(tmp_path: Path) -> Settings:
    """The state folder of a stack whose server is down: this process would start its own."""
    (tmp_path / "prefect").mkdir()
    (tmp_path / "logs").mkdir()
    (tmp_path / "prefect" / "prefect.db").write_bytes(b"x" * 3_000_000)
    (tmp_path / "prefect" / "prefect.db-wal").write_bytes(b"x" * 500_000)
    written(tmp_path / "logs", LOG)
    return Settings(state_dir=tmp_path)


def test_the_size_of_a_file_counts_what_is_not_written_back_yet(embedded: Settings):
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert read_database(embedded, NOW, HOUR) == PrefectDatabase(True, 3.5, 2)


def test_of_a_server_somewhere_else_nothing_is_known(embedded: Settings):
    with temporary_settings({PREFECT_API_URL: "http://prefect.example/api"}):
        assert read_database(embedded, NOW, HOUR) is None
    assert judge_database(None, HOUR) == []


def test_locks_name_the_way_out():
    assert judge_database(PrefectDatabase(True, 3.5, 0), HOUR) == []
    (few,) = judge_database(PrefectDatabase(True, 3.5, 1), HOUR)
    assert (few.severity, few.title) == (
        Severity.INFO,
        "Prefect's database was locked once within the last hour",
    )
    (many,) = judge_database(PrefectDatabase(True, 3.5, 60), 24 * HOUR)
    assert many.severity is Severity.WARNING
    assert "60 times within the last 24 hours" in many.title
    assert "PostgreSQL" in many.advice


def test_growth_is_what_is_usual_and_a_clean_up_does_not_count():
    sizes = [(NOW + i * HOUR, 100 + 2.0 * i) for i in range(48)]
    assert growth_per_day(sizes) == pytest.approx(48)
    cleaned = [(at, size - (60 if i > 40 else 0)) for i, (at, size) in enumerate(sizes)]
    assert growth_per_day(cleaned) == pytest.approx(48, rel=0.05)
    assert growth_per_day(sizes[:5]) is None
    assert growth_per_day([]) is None
