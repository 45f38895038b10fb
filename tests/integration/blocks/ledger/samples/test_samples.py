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


async def test_what_is_packed_is_read_back_exactly_beside_what_is_new(ledger_url: str) -> None:
    values = [0.1, -1e300, 5e-324, 0.0, 123.4]
    name = "service:web/latency_ms"
    # Over midnight: each day has its own row.
    kept = [
        Sample(series=name, at=NOON + timedelta(hours=5 * i, microseconds=i), value=value)
        for i, value in enumerate(values)
    ]
    with Ledger.open(ledger_url) as ledger:
        await ledger.samples.keep(kept)
        before = await ledger.samples.history([name], NOON, NOON + timedelta(days=2))
        assert await ledger.samples.pack(NOON + timedelta(hours=6)) == 2
        assert await ledger.samples.pack(NOON + timedelta(hours=18)) == 2  # joins a packed day
        assert await ledger.samples.history([name], NOON, NOON + timedelta(days=2)) == before
        assert [value for _, value in before[name]] == values

        later = NOON + timedelta(hours=1)  # a part of what is packed
        some = await ledger.samples.history([name], later, NOON + timedelta(hours=15))
        assert some == {name: [(s.at, s.value) for s in kept[1:3]]}
        assert await ledger.samples.names("service:") == [name]
        assert await ledger.samples.pack(NOON) == 0


async def test_a_value_that_comes_after_its_hour_was_packed_finds_its_place(
    ledger_url: str,
) -> None:
    with Ledger.open(ledger_url) as ledger:
        await ledger.samples.keep([sample(0, 1.0), sample(2, 3.0)])
        for late in (sample(1, 2.0), sample(2, 7.0)):
            assert await ledger.samples.pack(NOON + timedelta(hours=1))
            await ledger.samples.keep([late])
        found = await ledger.samples.history([late.series], NOON, NOON + timedelta(hours=1))
        assert [value for _, value in found[late.series]] == [1.0, 2.0, 3.0]


async def test_what_is_foreseen_is_what_was_said_last(ledger_url: str) -> None:
    name = "store:shop/usual_orders_per_hour"
    with Ledger.open(ledger_url) as ledger:
        await ledger.samples.revise([sample(0, 1.0, name), sample(60, 2.0, name)])
        await ledger.samples.revise([sample(60, 3.0, name)])
        read = await ledger.samples.history([name], NOON, NOON + timedelta(hours=2))
        assert [value for _, value in read[name]] == [1.0, 3.0]
