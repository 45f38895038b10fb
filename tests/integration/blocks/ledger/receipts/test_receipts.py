"""Receipts in the ledger: what is recorded reads back, and what is tampered with is found."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, create_engine, select, text

from blocks.errors import LedgerError
from blocks.ledger import Ledger, ReceiptKind, ReceiptRecord
from blocks.ledger.calls.records import AttemptRecord, RunRecord
from blocks.ledger.receipts.faults import FaultKind
from blocks.ledger.receipts.signing import GENESIS, Seal, chained_hash, instant_text
from blocks.ledger.receipts.tables import RECEIPTS
from blocks.ledger.receipts.verification import PAGE, Verification
from blocks.settings import PROJECT_ROOT
from blocks.vocabulary.messages import AgentMessage

NOON = datetime(2026, 3, 1, 12, 0, 0, 120000, tzinfo=UTC)


def receipt(number: int = 0, **fields: Any) -> ReceiptRecord:
    given = {"at": NOON + timedelta(minutes=number), "kind": "route", "subject": f"task-{number}"}
    body = {"inputs": {"number": number}, "decision": {"plan": "ä"}, "why": "so"}
    return ReceiptRecord.model_validate(given | {"policy_version": "abc", "body": body} | fields)


@pytest.fixture
def seal(tmp_path: Path) -> Seal:
    return Seal(tmp_path / "state" / "receipts.key", tmp_path / "state" / "receipts" / "a.head")


async def commit(url: str, seal: Seal, *batches: int, start: int = 0) -> None:
    """Receipts in as many commits as there are numbers, each of that size."""
    with Ledger.open(url, seal=seal) as ledger:
        for size in batches:
            ledger.record(*(receipt(start + i) for i in range(size)))
            await ledger.flush()
            start += size


async def verified(url: str, seal: Seal) -> Verification:
    with Ledger.open(url, seal=seal) as ledger:
        return await ledger.receipts.verify()


def told(found: Verification) -> list[tuple[FaultKind, int | None]]:
    return [(fault.kind, fault.seq) for fault in found.faults]


def tamper(url: str, how: Callable[[Connection], object]) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        how(connection)
    engine.dispose()


def sql(*statements: str) -> Callable[[Connection], object]:
    return lambda connection: [connection.execute(text(s)) for s in statements]


def rehash(connection: Connection) -> None:
    """What a forger without the key can do: compute the whole chain anew."""
    previous = GENESIS
    for row in connection.execute(select(RECEIPTS).order_by(RECEIPTS.c.seq)).mappings().all():
        digest = chained_hash({**row, "at": instant_text(row["at"])}, previous)
        same = RECEIPTS.c.seq == row["seq"]
        changes = {"previous": previous, "hash": digest}
        connection.execute(RECEIPTS.update().where(same).values(changes))
        previous = digest


async def test_a_receipt_reads_back_as_it_was_recorded(ledger_url: str, seal: Seal) -> None:
    odd = receipt(1, run_id="r1", kind="select", body={"z": "\ud800\x00", "a": [1.0, 1e300, None]})
    with Ledger.open(ledger_url, seal=seal) as ledger:
        ledger.record(first := receipt(), odd, receipt(2, run_id="r1"))
        await ledger.flush()
        receipts = ledger.receipts
        assert await receipts.get(first.id) == first
        assert await receipts.get("nobody") is None
        read = await receipts.get(odd.id)
        assert read
        assert read.body == {"z": "\ufffd\ufffd", "a": [1.0, 1e300, None]}
        assert read.at == odd.at
        assert [r.subject for r in await receipts.of(run_id="r1")] == ["task-2", "task-1"]
        assert await receipts.of(kind=ReceiptKind.SELECT) == [read]
        assert await receipts.of(subject="task-0") == [first]
        assert [r.subject for r in await receipts.of(since=NOON, limit=1)] == ["task-2"]
        assert await receipts.of(since=NOON + timedelta(hours=1)) == []
        found = await receipts.verify()
        assert (found.sound, found.count, found.notes) == (True, 3, [])
        assert found.head == found.anchor == await receipts.head()


async def test_an_untouched_chain_is_sound(ledger_url: str, seal: Seal) -> None:
    assert (await verified(ledger_url, seal)).count == 0
    await commit(ledger_url, seal, 1, 3, 2)
    shown: list[tuple[int, int]] = []
    with Ledger.open(ledger_url, seal=seal) as ledger:
        found = await ledger.receipts.verify(lambda done, of: shown.append((done, of)))
    assert (found.sound, found.count, shown) == (True, 6, [(6, 6)])


FORGERIES = {
    "a body is edited": (
        sql("UPDATE receipts SET body = replace(body, 'so', 'no') WHERE seq = 3"),
        [(FaultKind.CHANGED, 3)],
    ),
    "an instant is edited": (
        sql("UPDATE receipts SET at = '2026-03-01 12:00:00' WHERE seq = 4"),
        [(FaultKind.CHANGED, 4)],
    ),
    "a middle row is deleted": (
        sql("DELETE FROM receipts WHERE seq = 3"),
        [(FaultKind.MISSING, 3)],
    ),
    "the first row is deleted": (
        sql("DELETE FROM receipts WHERE seq = 1"),
        [(FaultKind.MISSING, 1)],
    ),
    "a row is deleted and the gap closed": (
        sql(
            "DELETE FROM receipts WHERE seq = 2",
            *(f"UPDATE receipts SET seq = {n - 1} WHERE seq = {n}" for n in range(3, 7)),
        ),
        [
            (FaultKind.OUT_OF_ORDER, 2),
            (FaultKind.REWRITTEN, 3),
            (FaultKind.REWRITTEN, 5),
            (FaultKind.CUT_OFF, 6),
        ],
    ),
    "a whole commit is deleted at the end": (
        sql("DELETE FROM receipts WHERE seq > 4"),
        [(FaultKind.CUT_OFF, 5)],
    ),
    "a part of the last commit is deleted": (
        sql("DELETE FROM receipts WHERE seq = 6"),
        [(FaultKind.UNSIGNED, 5), (FaultKind.CUT_OFF, 6)],
    ),
    "everything is deleted": (sql("DELETE FROM receipts"), [(FaultKind.CUT_OFF, 1)]),
    "two rows are swapped": (
        sql(
            *(f"UPDATE receipts SET seq = {b} WHERE seq = {a}" for a, b in ((2, 9), (3, 2), (9, 3)))
        ),
        [(FaultKind.OUT_OF_ORDER, seq) for seq in (2, 3, 4)],
    ),
    "the chain is computed anew": (
        lambda c: (sql("UPDATE receipts SET body = '{}' WHERE seq = 2")(c), rehash(c)),
        [
            (FaultKind.REWRITTEN, 4),
            (FaultKind.REWRITTEN, 6),
            (FaultKind.OTHER_CHAIN, 6),
        ],
    ),
    "the chain is computed anew and no longer signed": (
        lambda c: (sql("UPDATE receipts SET body = '{}', mac = NULL")(c), rehash(c)),
        [(FaultKind.UNSIGNED, 1), (FaultKind.OTHER_CHAIN, 6)],
    ),
    "a signature is removed": (
        sql("UPDATE receipts SET mac = NULL WHERE seq = 4"),
        [(FaultKind.UNSIGNED, 2)],
    ),
    "a signature is garbage": (
        sql(
            "UPDATE receipts SET mac = 'x.9.ü' WHERE seq = 6",
            "UPDATE receipts SET mac = 'x' WHERE seq = 4",
        ),
        [(FaultKind.REWRITTEN, 4), (FaultKind.OTHER_KEY, 6)],
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forgery_is_found(ledger_url: str, seal: Seal, forgery: str) -> None:
    await commit(ledger_url, seal, 1, 3, 2)
    how, faults = FORGERIES[forgery]
    tamper(ledger_url, how)
    found = await verified(ledger_url, seal)
    assert told(found) == faults
    assert not found.sound


@pytest.mark.parametrize("claimed", [False, True])
async def test_a_receipt_slipped_in_between_two_commits_is_found(
    ledger_url: str, seal: Seal, claimed: bool
) -> None:
    """The next commit goes on from it, but its signature neither vouches for it nor can be bent."""
    await commit(ledger_url, seal, 2)

    def slip_in(connection: Connection) -> None:
        head = connection.execute(select(RECEIPTS).where(RECEIPTS.c.seq == 2)).mappings().one()
        forged = {**head, "seq": 3, "id": "forged", "previous": head["hash"], "mac": None}
        forged["hash"] = chained_hash({**forged, "at": instant_text(head["at"])}, head["hash"])
        connection.execute(RECEIPTS.insert(), forged)

    tamper(ledger_url, slip_in)
    await commit(ledger_url, seal, 2, start=2)
    if claimed:
        tamper(ledger_url, sql("UPDATE receipts SET mac = replace(mac, '.4.', '.3.')"))
    fault = (FaultKind.REWRITTEN, 5) if claimed else (FaultKind.UNSIGNED, 3)
    assert told(await verified(ledger_url, seal)) == [fault]


async def test_going_on_after_a_cut_does_not_cover_it_up(ledger_url: str, seal: Seal) -> None:
    await commit(ledger_url, seal, 2, 2)
    tamper(ledger_url, sql("DELETE FROM receipts WHERE seq > 2"))
    await commit(ledger_url, seal, 1, start=10)
    assert told(await verified(ledger_url, seal)) == [(FaultKind.CUT_OFF, 4)]
    await commit(ledger_url, seal, 3, start=20)
    assert told(await verified(ledger_url, seal)) == [(FaultKind.OTHER_CHAIN, 4)]


async def test_of_a_damaged_receipt_the_reader_is_told(ledger_url: str, seal: Seal) -> None:
    await commit(ledger_url, seal, 1)
    tamper(ledger_url, sql("UPDATE receipts SET body = 'x'"))
    with (
        Ledger.open(ledger_url, seal=seal) as ledger,
        pytest.raises(LedgerError, match=r"number 1\) cannot be read.*orchestrator verify"),
    ):
        await ledger.receipts.of()


async def test_what_sqlite_takes_and_nobody_can_read_is_found(tmp_path: Path, seal: Seal) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    await commit(url, seal, 4)
    tamper(
        url,
        sql(
            "UPDATE receipts SET at = 'yesterday' WHERE seq = 1",
            "UPDATE receipts SET body = x'ff00' WHERE seq = 2",
            "UPDATE receipts SET seq = 'four' WHERE seq = 4",
        ),
    )
    kinds = [(FaultKind.CHANGED, n) for n in (1, 2, None)]
    assert told(await verified(url, seal)) == [
        *kinds,
        (FaultKind.UNSIGNED, 1),
        (FaultKind.CUT_OFF, 4),
    ]


async def test_a_long_chain_is_read_in_pages(ledger_url: str, seal: Seal) -> None:
    await commit(ledger_url, seal, PAGE - 1, 1, 5)
    assert (await verified(ledger_url, seal)).sound
    tamper(ledger_url, sql(f"DELETE FROM receipts WHERE seq IN ({PAGE}, {PAGE + 2})"))
    assert told(await verified(ledger_url, seal)) == [
        (FaultKind.MISSING, PAGE),
        (FaultKind.MISSING, PAGE + 2),
    ]


async def test_of_many_faults_the_first_are_told_and_all_are_counted(
    ledger_url: str, seal: Seal
) -> None:
    await commit(ledger_url, seal, 130)
    tamper(ledger_url, sql("UPDATE receipts SET body = 'x'"))
    found = await verified(ledger_url, seal)
    assert (len(found.faults), found.more_faults) == (100, 30)


# Keys and anchors.


async def test_another_key_is_told_once_and_by_name(ledger_url: str, tmp_path: Path) -> None:
    here, there = (
        Seal(SecretStr(letter * 32), tmp_path / f"{letter}.head") for letter in ("a", "b")
    )
    await commit(ledger_url, here, 1, 1)
    await commit(ledger_url, there, 1, 1, start=2)
    found = await verified(ledger_url, here)
    assert told(found) == [(FaultKind.OTHER_KEY, 3)]
    assert "ORCHESTRATOR_RECEIPT_KEY" in found.faults[0].words


async def test_machines_with_one_key_share_a_chain(ledger_url: str, tmp_path: Path) -> None:
    key = SecretStr("k" * 32)
    here, there = (Seal(key, tmp_path / name / "a.head") for name in ("here", "there"))
    await commit(ledger_url, here, 2)
    await commit(ledger_url, there, 2, start=2)
    seen = await verified(ledger_url, here)
    assert (seen.sound, len(seen.notes)) == (True, 1)
    assert "stands at receipt 2" in seen.notes[0]
    await commit(ledger_url, here, 1, start=4)
    assert (await verified(ledger_url, here)).notes == []
    tamper(ledger_url, sql("DELETE FROM receipts WHERE seq > 3"))
    for machine in (here, there):
        assert told(await verified(ledger_url, machine))[-1][0] == FaultKind.CUT_OFF


async def test_the_key_is_made_once_and_for_its_owner_only(ledger_url: str, seal: Seal) -> None:
    assert await verified(ledger_url, seal)
    assert not seal.anchor_path.parent.parent.exists(), "looking made a key"
    await commit(ledger_url, seal, 1)
    key = seal.anchor_path.parent.parent / "receipts.key"
    made = key.read_text()
    again = Seal(key, seal.anchor_path)
    await commit(ledger_url, again, 1, start=1)
    assert (await verified(ledger_url, again)).sound
    assert key.read_text() == made
    assert {p.stat().st_mode & 0o777 for p in (key, seal.anchor_path)} == {0o600}


async def test_without_key_and_folder_decisions_are_kept_and_it_is_told(
    ledger_url: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    lost = Seal(tmp_path / "file" / "receipts.key", tmp_path / "file" / "receipts" / "a.head")
    await commit(ledger_url, lost, 2)
    found = await verified(ledger_url, lost)
    assert told(found) == [(FaultKind.UNSIGNED, 1), (FaultKind.UNCHECKED, None)]
    assert (found.count, "no anchor" in found.notes[0]) == (2, True)
    seal = Seal(tmp_path / "key", tmp_path / "receipts" / "a.head")
    await commit(ledger_url, seal, 1, start=2)
    assert told(await verified(ledger_url, seal)) == [(FaultKind.UNSIGNED, 1)]


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 40])
async def test_a_file_that_holds_no_key_is_said(
    ledger_url: str, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "key").write_bytes(content)
    seal = Seal(tmp_path / "key", tmp_path / "a.head")
    await commit(ledger_url, seal, 1)
    assert told(await verified(ledger_url, seal))[-1] == (FaultKind.UNCHECKED, None)


async def test_a_garbled_anchor_counts_as_none_and_is_made_anew(
    ledger_url: str, seal: Seal
) -> None:
    await commit(ledger_url, seal, 1)
    seal.anchor_path.write_text("{")
    found = await verified(ledger_url, seal)
    assert (found.sound, "no anchor" in found.notes[0]) == (True, True)
    await commit(ledger_url, seal, 1, start=1)
    assert (await verified(ledger_url, seal)).notes == []


async def test_the_anchor_never_goes_back(ledger_url: str, seal: Seal) -> None:
    await commit(ledger_url, seal, 1)
    earlier = seal.anchor()
    await commit(ledger_url, seal, 1, start=1)
    later = seal.anchor()
    assert earlier
    assert later
    seal.move_anchor(earlier)
    assert seal.anchor() == later


async def test_ledgers_have_anchors_of_their_own(ledger_url: str, tmp_path: Path) -> None:
    """Opened by URL alone, as everywhere: the settings' state folder holds key and anchors."""
    with Ledger.open(ledger_url) as ledger, Ledger.open(f"sqlite:///{tmp_path}/b.db") as other:
        ledger.record(receipt(1), receipt(2))
        other.record(receipt(1))
        await asyncio.gather(ledger.flush(), other.flush())
        for each, count in ((ledger, 2), (other, 1)):
            found = await each.receipts.verify()
            assert (found.sound, found.notes, found.count) == (True, [], count)


# Commits that are repeated, and processes that die or compete.


async def test_a_repeated_commit_doubles_nothing(ledger_url: str, seal: Seal) -> None:
    with Ledger.open(ledger_url, seal=seal) as ledger:
        ledger.record(first := receipt(1), second := receipt(2))
        ledger.record(first, first.model_copy(update={"subject": "other"}))
        await ledger.flush()
        ledger.record(second, receipt(3), first.model_copy(update={"subject": "other"}))
        await ledger.flush()
        assert [r.subject for r in await ledger.receipts.of()] == ["task-3", "task-2", "task-1"]
        assert (await ledger.receipts.verify()).sound


WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from blocks.ledger import Ledger, ReceiptRecord
from blocks.ledger.receipts.signing import Seal

async def main():
    url, name, folder, groups = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    seal = Seal(folder / "receipts.key", folder / "receipts" / "a.head")
    ledger = Ledger.open(url, patience=60, seal=seal)
    for group in range(groups):
        for number in range(3):
            ledger.record(ReceiptRecord(
                at=datetime.now(UTC), kind="route", subject=name, body={"group": group}
            ))
        await ledger.flush()
        print(group, flush=True)
    ledger.close()

asyncio.run(main())
"""


def start_writer(url: str, name: str, folder: Path, groups: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, url, name, str(folder), str(groups)],
        cwd=PROJECT_ROOT,
        text=True,
        stdout=subprocess.PIPE,
    )


async def test_two_processes_write_one_unbroken_chain(
    ledger_url: str, seal: Seal, tmp_path: Path
) -> None:
    writers = [start_writer(ledger_url, n, tmp_path / "state", 40) for n in ("one", "two")]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    found = await verified(ledger_url, seal)
    assert (found.faults, found.notes, found.count) == ([], [], 240)


async def test_a_killed_writer_leaves_a_chain_that_verifies(
    ledger_url: str, seal: Seal, tmp_path: Path
) -> None:
    with start_writer(ledger_url, "victim", tmp_path / "state", 100_000) as process:
        assert process.stdout
        for _ in range(20):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    found = await verified(ledger_url, seal)
    assert found.sound
    assert found.count >= 60
    await commit(ledger_url, seal, 1)
    found = await verified(ledger_url, seal)
    assert (found.sound, found.notes) == (True, [])


async def work(url: str, seal: Seal, *numbers: int) -> None:
    """Runs that each make one call, with the receipt of who takes it."""
    with Ledger.open(url, seal=seal) as ledger:
        await ledger.policies.keep("abc", {}, NOON)
        for number in numbers:
            at = NOON + timedelta(minutes=number)
            message = AgentMessage(
                id=f"m{number}",
                timestamp=at,
                recipient="sre-reliability",
                action="assess_health",
                run_id=f"r{number}",
            )
            ledger.record(
                RunRecord(id=f"r{number}", workflow="w", trigger="manual", started_at=at),
                receipt(number, kind="select", subject=message.id, run_id=message.run_id),
                message,
                AttemptRecord(
                    message_id=message.id,
                    attempt=1,
                    agent="a",
                    action=message.action,
                    sent_at=at,
                    started_at=at,
                    deadline=at,
                ),
            )
        await ledger.flush()


@pytest.mark.parametrize(
    ("removed", "first", "calls"),
    [("seq > 0", 0, 4), ("seq > 2", 2, 2), ("seq = 2", 1, 1)],
    ids=["all", "those of a time", "one"],
)
async def test_that_work_was_done_says_that_receipts_are_gone(
    ledger_url: str, seal: Seal, removed: str, first: int, calls: int
) -> None:
    await work(ledger_url, seal, 0, 1, 2, 3)
    assert (await verified(ledger_url, seal)).faults == []
    tamper(ledger_url, sql(f"DELETE FROM receipts WHERE {removed}"))
    seal.anchor_path.unlink()
    gone = [f for f in (await verified(ledger_url, seal)).faults if f.kind is FaultKind.GONE]
    assert [fault.seq for fault in gone] == [None]
    assert f"{calls} calls of {calls} runs, from 2026-03-01 12:0{first}:00" in gone[0].words


async def test_work_that_is_older_than_receipts_has_none(ledger_url: str, seal: Seal) -> None:
    await work(ledger_url, seal, -2, -1)
    tamper(ledger_url, sql("DELETE FROM receipts"))
    seal.anchor_path.unlink()
    found = await verified(ledger_url, seal)
    assert found.sound
    (note,) = found.notes
    assert "no receipt, and no anchor" in note
    assert "although 2 runs are on record" in note


async def test_of_an_empty_ledger_there_is_nothing_to_say(ledger_url: str, seal: Seal) -> None:
    found = await verified(ledger_url, seal)
    assert (found.sound, found.notes) == (True, [])
