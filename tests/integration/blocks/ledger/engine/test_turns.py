"""A process that writes without a pause does not keep the others from writing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from blocks.ledger import Ledger
from blocks.ledger.engine.turns import turn
from blocks.settings import PROJECT_ROOT
from blocks.vocabulary.messages import SystemEvent, utc_now
from tests.waiting import wait_until

WRITES_ON_AND_ON = """
import sys, time
from pathlib import Path
from sqlalchemy import text
from blocks.ledger import Ledger

with Ledger.open(sys.argv[1]) as ledger:
    def write(connection):
        connection.execute(text("UPDATE events SET tries = tries"))
        time.sleep(0.02)
    written, running = 0, [ledger._access._writer.submit(write) for _ in range(2)]
    Path(sys.argv[2]).touch()
    while not Path(sys.argv[3]).exists():  # the next is always there before the last one ends
        running.pop(0).result()
        running.append(ledger._access._writer.submit(write))
        written += 1
print(written)
"""


def test_who_waits_is_next(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    ready, stop = tmp_path / "ready", tmp_path / "stop"

    async def write() -> int:
        with Ledger.open(url) as ledger:
            events = [SystemEvent(id=f"{n}", source="s", type="t") for n in range(20)]
            return sum([(await ledger.inbox.accept([e], utc_now())).new for e in events])

    script = [sys.executable, "-c", WRITES_ON_AND_ON, url, str(ready), str(stop)]
    with subprocess.Popen(script, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as other:
        try:
            wait_until(ready.exists, "the other writer")
            assert asyncio.run(write()) == 20
        finally:
            stop.touch()
        written, _ = other.communicate()
    assert int(written) < 60, "two or so between each two of ours, and while we opened the file"


def test_a_turn_is_held_by_one_and_given_up_by_who_waits_too_long(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    file.touch()
    with turn(file, 1), turn(file, 0):
        pass  # nobody waits for ever: SQLite's own lock decides
    with turn(None, 0), turn(tmp_path / "gone.db", 0):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "ledger.db",
        "ledger.db-next",
        "ledger.db-turn",
    ]
