"""The ledger forgets what is over and old, and nothing that is open, needed or young."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Column, Connection, LargeBinary, Table, select

from blocks.crash_points import VARIABLE as CRASH_AT
from blocks.errors import LedgerError
from blocks.ledger import Ledger, ReceiptKind, ReceiptRecord
from blocks.ledger.callers.tables import API_REQUESTS
from blocks.ledger.calls.tables import (
    ATTEMPTS,
    DEAD_LETTERS,
    LEASES,
    MESSAGES,
    REPLIES,
    REPORTS,
    RUNS,
)
from blocks.ledger.engine.tables import METADATA, Instant
from blocks.ledger.events.tables import ALERTS, EVENTS, INCIDENTS
from blocks.ledger.purchasing.tables import ORDER_ENTRIES, ORDER_LINES, ORDERS
from blocks.ledger.receipts.signing import Seal
from blocks.ledger.receipts.tables import OUTCOMES, SETTLING
from blocks.ledger.retention.rules import RULES
from blocks.ledger.snapshots.tables import SNAPSHOT_ITEMS, SNAPSHOT_PARTS, SNAPSHOTS
from blocks.ledger.work.effects import ORDER
from blocks.ledger.work.tables import APPROVALS, EFFECTS, TASKS
from blocks.settings import PROJECT_ROOT, Retention
from blocks.vocabulary.effects import EffectStatus

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LONG_AGO, LATELY = NOW - 5000 * DAY, NOW - timedelta(hours=1)
DAYS = Retention()

Row = tuple[Table, dict[str, Any]]
_numbers = count()


def row(table: Table, **given: Any) -> Row:
    """A row of which all is long ago that is not given."""
    needed = (c for c in table.columns if not c.nullable and c.server_default is None)
    return table, {column.name: _of_old(column) for column in needed} | given


def _of_old(column: Column[Any]) -> Any:
    match column.type:
        case Instant():
            return LONG_AGO
        case JSON():
            return "{}"
        case Boolean():
            return False
        case BigInteger():
            return next(_numbers)
        case LargeBinary():
            return b""
    return f"{column.name}-{next(_numbers)}"


def alert(number: int, **given: Any) -> Row:
    named = {"fingerprint": f"alert-{number}", "source": "s", "event_id": f"began-{number}"}
    return row(ALERTS, **named | given)


def event(name: str, **given: Any) -> Row:
    return row(EVENTS, source="s", id=name, **{"settled_at": LONG_AGO} | given)


OVER = {"finished_at": LONG_AGO}

STAYS: dict[str, list[Row]] = {
    "what a task asked for that goes on": [
        row(TASKS, id="t1"),
        row(MESSAGES, id="m1", task_id="t1"),
        row(ATTEMPTS, message_id="m1", **OVER),
        row(REPLIES, message_id="m1"),
    ],
    "a task whose question is not answered": [
        row(TASKS, id="t2", **OVER),
        row(APPROVALS, task_id="t2"),
    ],
    "a run that goes on": [row(RUNS)],
    "what ended lately": [
        row(TASKS, finished_at=LATELY),
        row(RUNS, finished_at=LATELY),
        row(INCIDENTS, settled_at=LATELY),
        row(APPROVALS, applied_at=LATELY),
        row(EFFECTS, finished_at=LATELY),
        row(DEAD_LETTERS, settled_at=LATELY),
        row(LEASES, expires_at=LATELY),
        row(API_REQUESTS, finished_at=LATELY),
        row(OUTCOMES, decided_at=LATELY),
    ],
    "what came lately": [
        row(MESSAGES, id="m2", sent_at=LATELY),
        row(REPLIES, message_id="m2", replied_at=LATELY),
        row(ATTEMPTS, message_id="m2", started_at=LATELY),
        event("lately", received_at=LATELY, incident_id="i1"),
        row(INCIDENTS, id="i1", settled_at=LONG_AGO),
    ],
    "an event that waits": [event("waits", settled_at=None)],
    "an incident that is not over, and its events": [
        row(INCIDENTS, id="i2"),
        event("of-open", incident_id="i2"),
        event("began-1", incident_id="i2"),
        alert(1, resolved_at=LONG_AGO, resolved_by="ended-1"),
        event("ended-1", incident_id="i2"),
    ],
    "where an outage goes on": [
        alert(2),
        event("began-2", incident_id="i3"),
        row(INCIDENTS, id="i3", settled_at=LONG_AGO),
    ],
    "what ended an outage lately": [
        alert(3, resolved_at=LATELY, resolved_by="ended-3"),
        event("began-3"),
        event("ended-3"),
    ],
    "a question about an incident that is not over": [
        row(APPROVALS, id="a1", applied_at=LONG_AGO),
        row(INCIDENTS, approval_id="a1"),
    ],
    "what was begun and nobody knows how it ended": [row(EFFECTS)],
    "an order of which goods may come, and its effect": [
        row(EFFECTS, id="x1", kind=ORDER, status=EffectStatus.DONE, **OVER),
        row(ORDERS, id="o1", effect_id="x1"),
        row(ORDER_LINES, order_id="o1"),
        row(ORDER_ENTRIES, order_id="o1"),
    ],
    "an order that ended lately, and its effect": [
        row(EFFECTS, id="x2", kind=ORDER, status=EffectStatus.DONE, **OVER),
        row(ORDERS, id="o2", effect_id="x2", ended_at=LATELY),
        row(ORDER_LINES, order_id="o2"),
    ],
    "a dead letter that waits": [row(DEAD_LETTERS)],
    "a workflow's last report": [row(REPORTS, workflow="seldom")],
    "a store's last snapshot": [
        row(SNAPSHOTS, id="s1", store="shop", complete=True),
        row(SNAPSHOT_PARTS, snapshot_id="s1"),
        row(SNAPSHOT_ITEMS, snapshot_id="s1"),
    ],
}

GOES: dict[str, list[Row]] = {
    "calls": [
        row(RUNS, **OVER),
        row(TASKS, id="t3", **OVER),
        row(MESSAGES, id="m3", task_id="t3"),
        row(ATTEMPTS, message_id="m3"),
        row(ATTEMPTS, message_id="m3", attempt=10**6),
        row(REPLIES, message_id="m3"),
        row(LEASES),
    ],
    "what has no message": [row(ATTEMPTS), row(REPLIES)],
    "a question that was dealt with, of a task": [
        row(APPROVALS, task_id="t4", applied_at=LONG_AGO),
        row(TASKS, id="t4", **OVER),
    ],
    "an incident with its outages": [
        row(INCIDENTS, id="i4", settled_at=LONG_AGO),
        event("began-4", incident_id="i4"),
        alert(4, resolved_at=LONG_AGO, resolved_by="ended-4"),
        event("ended-4", incident_id="i4"),
    ],
    "effects": [row(EFFECTS, **OVER, status=EffectStatus.UNKNOWN)],
    "an order that came, and its effect": [
        row(EFFECTS, id="x3", kind=ORDER, status=EffectStatus.DONE, **OVER),
        row(ORDERS, id="o3", effect_id="x3", ended_at=LONG_AGO),
        row(ORDER_LINES, order_id="o3"),
        row(ORDER_ENTRIES, order_id="o3"),
    ],
    "an order that was declined": [
        row(EFFECTS, id="x4", kind=ORDER, status=EffectStatus.REFUSED, **OVER),
        row(ORDERS, id="o4", effect_id="x4"),
        row(ORDER_LINES, order_id="o4"),
    ],
    "dead letters": [row(DEAD_LETTERS, settled_at=LONG_AGO)],
    "reports": [row(REPORTS, workflow="seldom", created_at=LONG_AGO - DAY)],
    "snapshots": [
        row(SNAPSHOTS, id="s2", store="shop", complete=True, taken_at=LONG_AGO - DAY),
        row(SNAPSHOT_PARTS, snapshot_id="s2"),
        row(SNAPSHOT_ITEMS, snapshot_id="s2"),
        row(SNAPSHOTS, store="shop", complete=False, taken_at=NOW - 100 * DAY),
    ],
    "requests": [row(API_REQUESTS), row(API_REQUESTS, **OVER)],
}


async def write(ledger: Ledger, *rows: Row) -> None:
    def insert(connection: Connection) -> None:
        for table, values in rows:
            connection.execute(table.insert(), values)

    await ledger._access.write(insert)


async def there(ledger: Ledger, table: Table, values: dict[str, Any]) -> bool:
    this = (key == values[key.name] for key in table.primary_key)
    return bool(await ledger._access.rows(select(*table.primary_key).where(*this)))


async def number(ledger: Ledger, table: Table) -> int:
    return len(await ledger._access.rows(select(*table.primary_key)))


async def test_what_is_over_and_old_goes_and_what_is_needed_stays(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        for rows in (*STAYS.values(), *GOES.values()):
            await write(ledger, *sorted(rows, key=lambda r: r[0] is not SNAPSHOTS))
        due = {one.table: one.due for one in await ledger.retention.due(DAYS, NOW) if one.due}
        gone = await ledger.retention.cut(DAYS, NOW)
        wrong = {
            (why, table.name): stays
            for stays, cases in ((True, STAYS), (False, GOES))
            for why, rows in cases.items()
            for table, values in rows
            if await there(ledger, table, values) is not stays
        }
        assert wrong == {}
        assert gone == due, "what was shown beforehand is what goes"
        assert await ledger.retention.cut(DAYS, NOW) == {}


def test_every_table_that_grows_is_forgotten_one_day() -> None:
    ever = {"claims", "policies", "settling", "api_tokens", "endpoints"}
    by_number = {"receipts"}
    assert {rule.table.name for rule in RULES} == set(METADATA.tables) - ever - by_number
    assert {rule.kind for rule in RULES} == set(Retention.model_fields)


async def test_what_is_kept_for_ever_is(ledger_url: str) -> None:
    days = Retention.model_validate(dict.fromkeys(Retention.model_fields, "forever"))
    with Ledger.open(ledger_url) as ledger:
        await write(ledger, *GOES["calls"], *GOES["dead letters"])
        assert await ledger.retention.cut(days, NOW) == {}


async def test_calls_stay_while_it_is_not_known_what_came_of_them(ledger_url: str) -> None:
    """Without its reply a call would count as one that nobody knows the outcome of."""
    decision = ReceiptRecord(at=LONG_AGO, kind=ReceiptKind.SELECT, subject="m", body={})
    with Ledger.open(ledger_url) as ledger:
        ledger.record(decision)
        await write(ledger, row(MESSAGES, id="m"), row(REPLIES, message_id="m"))
        assert await ledger.retention.cut(DAYS, NOW) == {}
        await write(ledger, row(SETTLING, kind="select", read_to=1, held="[]"), row(OUTCOMES))
        gone = dict.fromkeys(("messages", "replies", "outcomes", "receipts"), 1)
        assert await ledger.retention.cut(DAYS, NOW) == gone


async def test_many_rows_go_page_by_page(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blocks.ledger.retention.retention.PAGE", 30)
    same = [event(f"e{n}") for n in range(100)]
    with Ledger.open(ledger_url) as ledger:
        await write(ledger, *same, event("waits", settled_at=None), *(row(RUNS) for _ in range(40)))
        assert await ledger.retention.cut(DAYS, NOW) == {"events": 100}
        assert await number(ledger, EVENTS) == 1


async def test_what_goes_is_told_in_a_receipt_beforehand(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        await write(ledger, *GOES["reports"], *STAYS["a workflow's last report"])
        assert await ledger.retention.cut(DAYS, NOW) == {"reports": 1}
        [receipt] = await ledger.receipts.of(kind=ReceiptKind.RETENTION)
        assert (receipt.subject, receipt.at) == ("ledger", NOW)
        assert receipt.body["decision"] == {"reports": 1}
        assert receipt.body["inputs"]["kept_since"]["reports"] == (NOW - 365 * DAY).isoformat()
        assert await ledger.retention.cut(DAYS, NOW) == {}
        assert len(await ledger.receipts.of(kind=ReceiptKind.RETENTION)) == 1


async def test_what_cannot_be_signed_is_not_done(ledger_url: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lost = Seal(tmp_path / "file" / "receipts.key", tmp_path / "a.head")
    with Ledger.open(ledger_url, seal=lost) as ledger:
        await write(ledger, *GOES["dead letters"])
        with pytest.raises(LedgerError, match="cannot be signed"):
            await ledger.retention.cut(DAYS, NOW)
        assert await number(ledger, DEAD_LETTERS) == 1
        assert await ledger.receipts.of() == []


@pytest.mark.parametrize("point", ["retention.told", "retention.step"])
async def test_a_crash_in_the_middle_is_made_up_for(
    ledger_url: str, tmp_path: Path, point: str
) -> None:
    Ledger.open(ledger_url).close()
    with Ledger.open(ledger_url) as ledger:
        await write(ledger, *(event(f"e{n}") for n in range(50)), *GOES["calls"])
    code = (
        "import asyncio, sys; from datetime import datetime; from blocks.ledger import Ledger;"
        "from blocks.settings import Retention; ledger = Ledger.open(sys.argv[1]);"
        "asyncio.run(ledger.retention.cut(Retention(), datetime.fromisoformat(sys.argv[2])))"
    )
    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code, ledger_url, NOW.isoformat()],
        cwd=PROJECT_ROOT,
        check=False,
        env=os.environ | {CRASH_AT: point},
    )
    assert died.returncode == -9
    with Ledger.open(ledger_url) as ledger:
        assert await number(ledger, EVENTS) == 50
        assert sum((await ledger.retention.cut(DAYS, NOW)).values()) > 50
        assert await number(ledger, EVENTS) == 0
        assert (await ledger.receipts.verify()).faults == []


async def test_the_file_shrinks_where_much_of_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        large = {"payload": f'"{"x" * 2000}"'}
        await write(ledger, *(row(MESSAGES, **large) for _ in range(2000)))
        await ledger._access.read(checkpoint_log)
        before = path.stat().st_size
        await ledger.retention.cut(DAYS, NOW)
        await ledger._access.read(checkpoint_log)
        assert path.stat().st_size < before / 3


def checkpoint_log(connection: Connection) -> None:
    connection.exec_driver_sql("COMMIT")
    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.exec_driver_sql("BEGIN")
