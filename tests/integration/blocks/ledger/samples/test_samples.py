"""Samples are kept once, and read back in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from blocks.ledger import Ledger
from blocks.vocabulary.looks import Sample

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def sample(minutes: int, value: float, series: str = "service:web/latency_ms") -> Sample:
    return Sample(series=series, at=NOON + timedelta(minutes=minutes), value=value)


async def test_series_are_read_back_in_order_and_each_instant_has_one_value(
    ledger_url: str,
) -> None:
    with Ledger.open(ledger_url) as ledger:
        await ledger.samples.keep([sample(1, 2.0), sample(0, 1.0), sample(5, 9.0)])
        await ledger.samples.keep([sample(0, 7.0), sample(0, 3.0, "host:local/disk_percent")])
        names = ["service:web/latency_ms", "host:none/disk_percent"]
        read = await ledger.samples.history(names, NOON, NOON + timedelta(minutes=5))
        assert read == {
            names[0]: [(NOON, 1.0), (NOON + timedelta(minutes=1), 2.0)],
            names[1]: [],
        }
        assert await ledger.samples.names("host:") == ["host:local/disk_percent"]
        assert await ledger.samples.names("%") == []
