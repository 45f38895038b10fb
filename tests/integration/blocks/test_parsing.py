"""Answers made to hold up whoever reads them: they end soon, and everything else goes on."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest

from blocks.business.services import MonitoredService
from blocks.business.suppliers import SupplierConnection
from blocks.errors import SourceGarbled
from blocks.formats import parsing
from blocks.formats.parsing import UnreadableError, read_rows
from blocks.partners.answers import MAX_JSON
from tests.loopback import Reply, serve

NOW = datetime(2026, 11, 28, tzinfo=UTC)
OURS = {"sku": "sku", "unit_cost": "cost"}

WIDE_CSV = ",".join(f"{i:x}" for i in range(20_000)) + "\n" + "1\n" * 10_000
HOSTILE: dict[str, tuple[parsing.Format, str, str]] = {
    "a wide header over short rows": ("csv", "", WIDE_CSV),
    "rows without end": ("csv", "", "sku,cost\n" + "1\n" * 2_000_000),
    "objects without end": ("json", "", "[" + "{}," * 1_200_000 + "{}]"),
    "keys without end": ("json", "", "[{" + ",".join(f'"{i}":1' for i in range(350_000)) + "}]"),
    "nesting without end": ("json", "", "[" * 3_600_000),
    "a number without end": ("json", "", "[" + "9" * 3_600_000 + "]"),
    "elements without end": ("xml", "a", "<r>" + "<a/>" * 1_200_000 + "</r>"),
    "depth without end": ("xml", "a", "<a>" * 680_000 + "</a>" * 680_000),
    "attributes without end": (
        "xml",
        "a",
        "<r><a " + " ".join(f'x{i}="1"' for i in range(350_000)) + "/></r>",
    ),
}


@asynccontextmanager
async def heartbeat() -> AsyncIterator[Callable[[], int]]:
    """Something else that the process does meanwhile; how many turns it has had."""
    turns = 0

    async def beat() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.005)
            turns += 1

    task = asyncio.create_task(beat())
    try:
        yield lambda: turns
    finally:
        task.cancel()


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


async def started(before: set[int]) -> set[int]:
    while not (new := children() - before):  # noqa: ASYNC110  (nobody tells of it)
        await asyncio.sleep(0.001)
    return new


@pytest.mark.parametrize(("kind", "path", "body"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_everything_else_goes_on_meanwhile(
    kind: parsing.Format, path: str, body: str
) -> None:
    supplier = SupplierConnection(
        name="acme", base_url="http://127.0.0.1", format=kind, records_path=path
    )
    before = children()
    async with serve(Reply(body)) as server, heartbeat() as turns:
        supplier.base_url = server.url
        fetched = asyncio.create_task(supplier._get("/"))
        answer = await fetched
        began = turns()
        with pytest.raises(SourceGarbled):
            supplier._offers(await supplier._rows(answer))
        assert turns() - began >= 3  # it is read in another process: ours had its turns
    assert children() <= before


@pytest.mark.parametrize("wide", [1_900, 2_100])
async def test_only_the_wanted_columns_are_read(wide: int) -> None:
    header = ",".join([*map(str, range(wide)), "cost", "sku"])
    body = header + "\n" + "1\n" * 20_000 + "," * wide + "2.5,A1\n"
    if wide > parsing.MAX_COLUMNS:
        with pytest.raises(UnreadableError, match="2102 columns, and at most 2000 are read"):
            await read_rows(body.encode(), "csv", "", OURS)
        return
    columns = (await read_rows(body.encode(), "csv", "", OURS)).columns
    assert columns.keys() == {"sku", "unit_cost"}
    assert (len(columns["sku"]), columns["sku"][-1], columns["unit_cost"][-1]) == (
        20_001,
        "A1",
        "2.5",
    )
    assert set(columns["sku"][:-1]) == {None}


async def test_a_header_read_twice_means_the_last_column() -> None:
    columns = (await read_rows(b"sku,cost,cost\nA1,1,2\n", "csv", "", OURS)).columns
    assert columns == {"sku": ["A1"], "unit_cost": ["2"]}


async def test_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = json.dumps([{"sku": "A1"}] * 5_000).encode()
    monkeypatch.setattr(parsing, "MAX_ROWS", 5_000)
    assert len((await read_rows(rows, "json", "", OURS)).columns["sku"]) == 5_000
    monkeypatch.setattr(parsing, "MAX_ROWS", 4_999)
    with pytest.raises(UnreadableError, match="more than 4999 rows"):
        await read_rows(rows, "json", "", OURS)


async def test_a_cell_that_is_nested_or_endless_is_empty() -> None:
    cells: list[Any] = ["A1", "x" * 1_000, "x" * 1_001, "", [1], {"a": 1}, None, True, 7, 1e3]
    rows = json.dumps([{"sku": cell} for cell in cells]).encode()
    read = (await read_rows(rows, "json", "", OURS)).columns["sku"]
    assert read == ["A1", "x" * 1_000, None, None, None, None, None, True, 7, 1e3]


async def test_text_arrives_as_it_was_sent() -> None:
    names = ["MÜ-100", "日本", "a\u2028b", 'q"\\', "\ud800", "n\nl", "=1+1"]
    rows = json.dumps([{"sku": name} for name in names]).encode()
    assert (await read_rows(rows, "json", "", OURS)).columns["sku"] == names


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MEMORY", 64 * 1024 * 1024)
    body = HOSTILE["elements without end"][2].encode()
    with pytest.raises(UnreadableError, match="takes too much memory"):
        await read_rows(body, "xml", "a", OURS)


async def test_time_is_bounded_and_nothing_stays_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    before = children()
    monkeypatch.setattr(parsing, "SECONDS", 0.01)
    with pytest.raises(UnreadableError, match=r"takes more than 0\.01 s"):
        await read_rows(HOSTILE["elements without end"][2].encode(), "xml", "a", OURS)
    assert children() <= before


async def test_a_caller_that_gives_up_leaves_nothing_behind() -> None:
    before = children()
    body = HOSTILE["elements without end"][2].encode()
    reading = asyncio.create_task(read_rows(body, "xml", "a", OURS))
    await started(before)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert children() <= before


async def test_no_secret_of_ours_is_handed_to_what_reads() -> None:
    os.environ["ORCHESTRATOR_CANARY"] = "canary-77aa"
    try:
        reading = asyncio.create_task(
            read_rows(HOSTILE["elements without end"][2].encode(), "xml", "a", OURS)
        )
        before = children()
        new = await started(before)
        environ = [psutil.Process(pid).environ() for pid in new]
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    finally:
        del os.environ["ORCHESTRATOR_CANARY"]
    assert "canary-77aa" not in str(environ)


async def test_a_health_document_that_is_too_long_is_not_parsed() -> None:
    long = '{"status": "fail", "x": "' + "x" * MAX_JSON + '"}'
    for body, healthy in ((long, True), ('{"status": "fail"}', False)):
        async with serve(Reply(body)) as server:
            service = MonitoredService(name="till", health_url=server.url)
            assert (await service.probe(NOW)).healthy is healthy
