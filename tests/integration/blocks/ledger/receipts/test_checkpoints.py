"""Receipts that were cut by retention, and by nobody else, leave a chain that can be proved."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, select, update

from blocks.ledger import Ledger, ReceiptKind, TaskRecord
from blocks.ledger.receipts.checkpoints import SUBJECT
from blocks.ledger.receipts.faults import FaultKind
from blocks.ledger.receipts.signing import Seal, chained_hash, instant_text
from blocks.ledger.receipts.tables import RECEIPTS
from blocks.settings import Retention
from tests.integration.blocks.ledger.receipts.test_receipts import (
    NOON,
    commit,
    seal,
    sql,
    tamper,
    told,
    verified,
    work,
)

__all__ = ["seal"]

DAYS = Retention(receipts=30)
LATER = NOON + timedelta(days=40)
NEW = 50 * 24 * 60  # minutes after NOON

SETTLED = [
    f"INSERT INTO settling (kind, read_to, held) VALUES ('{kind}', 1000, '[]')"
    for kind in ("route", "select")
]


async def cut(url: str, seal: Seal, days: int = 40) -> int:
    """How many receipts go by then."""
    with Ledger.open(url, seal=seal) as ledger:
        gone = await ledger.retention.cut(DAYS, NOON + timedelta(days=days))
        return gone.get("receipts", 0)


async def old_and_new(url: str, seal: Seal) -> None:
    """Receipts 1 to 6 are old, 7 and 8 are not; the outcomes of all are known."""
    await commit(url, seal, 1, 3, 2)
    await commit(url, seal, 2, start=NEW)
    tamper(url, sql(*SETTLED))


async def test_what_is_left_is_proved(ledger_url: str, seal: Seal) -> None:
    await old_and_new(ledger_url, seal)
    assert await cut(ledger_url, seal) == 6
    found = await verified(ledger_url, seal)
    assert (found.faults, found.notes, found.count) == ([], [], 4)
    assert found.checkpoint
    assert found.checkpoint.cut_to == 6
    assert found.head == found.anchor
    with Ledger.open(ledger_url, seal=seal) as ledger:
        kinds = [one.subject for one in await ledger.receipts.of(kind=ReceiptKind.RETENTION)]
        assert kinds == [SUBJECT, "ledger"]
    # One day the checkpoint itself is old.
    assert await cut(ledger_url, seal, days=100) == 4
    await commit(ledger_url, seal, 2, start=2 * NEW)
    found = await verified(ledger_url, seal)
    assert (found.faults, found.notes, found.count) == ([], [], 4)
    assert await cut(ledger_url, seal, days=100) == 0


FORGERIES = {
    "more is cut by hand": (sql("DELETE FROM receipts WHERE seq = 7"), [(FaultKind.MISSING, 7)]),
    "the checkpoint is removed": (
        sql("DELETE FROM receipts WHERE seq = 10"),
        [(FaultKind.MISSING, 1), (FaultKind.MISSING, 10)],
    ),
    "more is cut, and the checkpoint is edited": (
        sql(
            "DELETE FROM receipts WHERE seq <= 7",
            """UPDATE receipts SET body = replace(body, '"cut_to": 6', '"cut_to": 7')""",
        ),
        [(FaultKind.OUT_OF_ORDER, 8), (FaultKind.CHANGED, 10)],
    ),
    "the checkpoint becomes unreadable": (
        sql("UPDATE receipts SET body = 'x' WHERE seq = 10"),
        [(FaultKind.MISSING, 1), (FaultKind.CHANGED, 10)],
    ),
    "more is cut, and all after it computed anew": (
        lambda c: go_on_from(c, 8),
        [(FaultKind.REWRITTEN, 10), (FaultKind.REWRITTEN, 12), (FaultKind.OTHER_CHAIN, 12)],
    ),
    "all but the checkpoint is cut": (
        sql("DELETE FROM receipts WHERE seq <> 10"),
        [(FaultKind.MISSING, 7), (FaultKind.CUT_OFF, 11)],
    ),
    "everything is cut": (sql("DELETE FROM receipts"), [(FaultKind.CUT_OFF, 1)]),
}


def go_on_from(connection: Connection, number: int) -> None:
    """What a forger without the key can do: cut more, and have all that is left agree with it."""
    every = select(RECEIPTS).order_by(RECEIPTS.c.seq)
    left = {row["seq"]: dict(row) for row in connection.execute(every).mappings()}
    body = json.loads(left[10]["body"])
    body["decision"] |= {"cut_to": number, "hash": left[number]["hash"]}
    left[10]["body"] = json.dumps(body)
    previous = left[number]["hash"]
    connection.execute(RECEIPTS.delete().where(RECEIPTS.c.seq <= number))
    for seq in range(number + 1, max(left) + 1):
        row = left[seq]
        digest = chained_hash(row | {"at": instant_text(row["at"])}, previous)
        changes = {"body": row["body"], "previous": previous, "hash": digest}
        connection.execute(update(RECEIPTS).where(RECEIPTS.c.seq == seq).values(changes))
        previous = digest


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forgery_is_found(ledger_url: str, seal: Seal, forgery: str) -> None:
    await old_and_new(ledger_url, seal)
    await cut(ledger_url, seal)
    await commit(ledger_url, seal, 2, start=2 * NEW)
    how, faults = FORGERIES[forgery]
    tamper(ledger_url, how)
    assert told(await verified(ledger_url, seal)) == faults


async def test_a_checkpoint_of_somebody_without_the_key_is_found(
    ledger_url: str, seal: Seal
) -> None:
    await old_and_new(ledger_url, seal)

    def forge(connection: Connection) -> None:
        last = connection.execute(select(RECEIPTS).where(RECEIPTS.c.seq == 8)).mappings().one()
        body = {"cut_to": 8, "hash": last["hash"], "before": NOON.isoformat()}
        body |= {"faults": [], "more_faults": 0}
        forged = {**last, "seq": 9, "id": "f", "kind": "retention", "subject": SUBJECT}
        forged |= {"previous": last["hash"], "mac": None, "body": json.dumps({"decision": body})}
        forged["hash"] = chained_hash(forged | {"at": instant_text(last["at"])}, last["hash"])
        connection.execute(RECEIPTS.insert(), forged)
        connection.execute(RECEIPTS.delete().where(RECEIPTS.c.seq <= 8))

    tamper(ledger_url, forge)
    assert told(await verified(ledger_url, seal)) == [(FaultKind.UNSIGNED, 9)]
    await commit(ledger_url, seal, 1, start=2 * NEW)
    assert told(await verified(ledger_url, seal)) == [(FaultKind.UNSIGNED, 9)]


async def test_what_was_wrong_with_those_that_are_cut_is_told_for_ever(
    ledger_url: str, seal: Seal
) -> None:
    await old_and_new(ledger_url, seal)
    tamper(ledger_url, sql("UPDATE receipts SET body = '{}' WHERE seq = 2"))
    for days in (40, 100):
        assert await cut(ledger_url, seal, days) > 0
        assert told(await verified(ledger_url, seal)) == [(FaultKind.CHANGED, 2)]


async def test_what_stands_where_receipts_were_cut_is_told(ledger_url: str, seal: Seal) -> None:
    await old_and_new(ledger_url, seal)
    await cut(ledger_url, seal)
    columns = "id, at, kind, subject, policy_version, body, previous, hash"
    planted = columns.replace("id", "'planted'", 1)
    tamper(
        ledger_url,
        sql(
            f"INSERT INTO receipts (seq, {columns}) SELECT 3, {planted} FROM receipts WHERE seq = 7"
        ),
    )
    found = await verified(ledger_url, seal)
    assert (found.faults, found.count) == ([], 4)
    assert "Of the receipts up to 6, which are cut, 1 are" in found.notes[0]
    assert await cut(ledger_url, seal) == 1
    assert (await verified(ledger_url, seal)).notes == []


async def test_a_crash_before_they_are_gone_leaves_them_to_the_next_time(
    ledger_url: str, seal: Seal
) -> None:
    await old_and_new(ledger_url, seal)
    with Ledger.open(ledger_url, seal=seal) as ledger:
        assert await ledger.receipts.cut(NOON + timedelta(days=10), LATER)
    assert (await verified(ledger_url, seal)).faults == []
    assert await cut(ledger_url, seal) == 6
    assert (await verified(ledger_url, seal)).notes == []


async def test_decisions_stay_while_their_outcome_is_not_known(ledger_url: str, seal: Seal) -> None:
    await commit(ledger_url, seal, 1, 1, 1)
    assert await cut(ledger_url, seal) == 0, "nothing was ever settled"
    tamper(ledger_url, sql("INSERT INTO settling (kind, read_to, held) VALUES ('route', 3, '[2]')"))
    assert await cut(ledger_url, seal) == 1


async def test_decisions_stay_while_what_they_are_about_is_open(
    ledger_url: str, seal: Seal
) -> None:
    await old_and_new(ledger_url, seal)
    task = TaskRecord(task_type="inventory_sync", requested_at=NOON, run_id="r")
    with Ledger.open(ledger_url, seal=seal) as ledger:
        await ledger.tasks.accept(task)
    assert await cut(ledger_url, seal) == 0
    tamper(ledger_url, sql("UPDATE tasks SET finished_at = requested_at"))
    assert await cut(ledger_url, seal) == 6


async def test_what_is_not_signed_yet_is_not_cut(
    ledger_url: str, seal: Seal, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    lost = Seal(tmp_path / "file" / "receipts.key", seal.anchor_path)
    await commit(ledger_url, seal, 2)
    await commit(ledger_url, lost, 2, start=10)
    tamper(ledger_url, sql(*SETTLED))
    assert await cut(ledger_url, seal) == 2
    assert told(await verified(ledger_url, seal)) == [(FaultKind.UNSIGNED, 3)]


async def test_of_calls_whose_receipts_were_cut_nothing_is_said(
    ledger_url: str, seal: Seal
) -> None:
    await work(ledger_url, seal, 0, 1)
    await work(ledger_url, seal, NEW)
    tamper(ledger_url, sql(*SETTLED))
    assert await cut(ledger_url, seal) == 2
    assert (await verified(ledger_url, seal)).faults == []
    tamper(ledger_url, sql("DELETE FROM receipts WHERE seq = 3"))
    assert told(await verified(ledger_url, seal)) == [
        (FaultKind.MISSING, 3),
        (FaultKind.GONE, None),
    ]


async def test_who_verifies_meanwhile_finds_nothing_missing(
    ledger_url: str, seal: Seal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blocks.ledger.receipts.verification.PAGE", 2)
    monkeypatch.setattr("blocks.ledger.receipts.receipts.PAGE", 2)
    await old_and_new(ledger_url, seal)
    went: list[int] = []

    def after_the_first_page(done: int, of: int) -> None:
        if not went:
            with ThreadPoolExecutor(1) as other:
                went.append(other.submit(lambda: asyncio.run(cut(ledger_url, seal))).result())

    with Ledger.open(ledger_url, seal=seal) as ledger:
        found = await ledger.receipts.verify(after_the_first_page)
    assert (went, found.faults, found.count) == ([6], [], 4)


async def test_the_anchor_of_a_machine_that_slept_moves_on(ledger_url: str, tmp_path: Path) -> None:
    key = SecretStr("k" * 32)
    here, there = (Seal(key, tmp_path / name / "a.head") for name in ("here", "there"))
    await commit(ledger_url, there, 2)
    await old_and_new(ledger_url, here)
    assert await cut(ledger_url, here) > 0
    await commit(ledger_url, there, 1, start=2 * NEW)
    assert (await verified(ledger_url, there)).notes == []
