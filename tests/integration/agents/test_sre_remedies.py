"""Remedies on real processes and a real store: they act, and know whether it helped."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from agents.calls import Toolbox
from agents.registry import registry
from agents.sre_reliability.automation import refetch_snapshot, restart, restart_service
from agents.sre_reliability.automation.refetch import PAUSE
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.errors import InvalidMessage
from blocks.ledger import Ledger
from blocks.store.block import StoreDatabase
from blocks.store.mapping import FrameMapping
from blocks.vocabulary.effects import EffectVerdict
from blocks.vocabulary.messages import utc_now
from tests.integration.loopback import free_port

# A service whose mood is written in a file; being started puts it in the mood of ``reborn``.
SERVICE = """
import http.server, os, pathlib, sys
folder, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
(folder / "mood").write_text((folder / "reborn").read_text())
count = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global count
        count += 1
        mood = (folder / "mood").read_text()
        ill = mood == "ill" or mood == "moody" and count % 2 == 0
        self.send_response(500 if ill else 200)
        self.end_headers()
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", port), Handler)
(folder / "pid.new").write_text(str(os.getpid()))
(folder / "pid.new").rename(folder / "pid")
server.serve_forever()
"""

# Ends the old process and starts a new one that outlives this command.
RESTART = """
import os, pathlib, signal, subprocess, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / "restarts").open("a").write("x")
pid = int((folder / "pid").read_text())
os.kill(pid, signal.SIGKILL)
(folder / "pid").unlink()
while pathlib.Path(f"/proc/{pid}/cmdline").exists() and open(f"/proc/{pid}/cmdline").read():
    time.sleep(0.01)
subprocess.Popen([sys.executable, str(folder / "service.py"), *sys.argv[1:3]],
                 start_new_session=True)
"""


class Process:
    """A real service process with a mood: well, ill, or moody (every second answer is an error)."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        (folder / "service.py").write_text(SERVICE)
        (folder / "restart.py").write_text(RESTART)
        self.becomes("well")
        self.process = subprocess.Popen(
            [sys.executable, str(folder / "service.py"), str(folder), str(self.port)]
        )
        deadline = time.monotonic() + 30
        while not (folder / "pid").exists():
            assert time.monotonic() < deadline, "the service does not start"
            time.sleep(0.02)

    def is_(self, mood: str) -> None:
        (self.folder / "mood").write_text(mood)

    def becomes(self, mood: str) -> None:
        """Its mood after the next start."""
        (self.folder / "reborn").write_text(mood)

    @property
    def restarts(self) -> int:
        file = self.folder / "restarts"
        return len(file.read_text()) if file.exists() else 0

    def monitored(self, **change: object) -> Business:
        command = [sys.executable, str(self.folder / "restart.py"), str(self.folder)]
        service = {
            "name": "checkout",
            "health_url": f"http://127.0.0.1:{self.port}/health",
            "restart": [*command, str(self.port)],
            "latency_budget_ms": 5000,
        }
        return Business(None, services=(MonitoredService.model_validate(service | change),))

    def stop(self) -> None:
        with suppress(ProcessLookupError, FileNotFoundError):
            os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    monkeypatch.setattr(restart, "GAP", 0.05)
    monkeypatch.setattr(restart, "SETTLING", 2.0)
    process = Process(tmp_path)
    try:
        yield process
    finally:
        process.stop()


async def test_a_failing_service_is_restarted_and_seen_to_answer_well(process):
    process.is_("ill")
    result = await restart_service("checkout", process.monitored(), utc_now())
    assert result.status is EffectVerdict.VERIFIED, result.detail
    assert result.acted
    assert result.resource == "service:checkout"
    assert result.before["condition"] == "failing"
    assert result.before["http_status"] == 500
    assert result.after["condition"] == "ok"
    assert result.after["good"] >= 3
    assert process.restarts == 1


async def test_a_service_that_is_well_again_is_left_alone(process):
    result = await restart_service("checkout", process.monitored(), utc_now())
    assert result.status is EffectVerdict.NOT_NEEDED
    assert not result.acted
    assert result.before["good"] == 3
    assert result.after == {}
    assert process.restarts == 0


async def test_a_slow_service_does_not_fail_and_is_left_alone(process):
    slow = process.monitored(latency_budget_ms=0.001)
    result = await restart_service("checkout", slow, utc_now())
    assert result.status is EffectVerdict.NOT_NEEDED
    assert result.before["condition"] == "slow"
    assert result.detail == "checkout is slow, which is no failure: it is left alone."
    assert process.restarts == 0


async def test_metrics_have_no_say_in_whether_a_service_fails(process):
    unread = process.monitored(metrics_url=f"http://127.0.0.1:{free_port()}/metrics")
    result = await restart_service("checkout", unread, utc_now())
    assert result.status is EffectVerdict.NOT_NEEDED
    assert process.restarts == 0


async def test_a_service_that_is_slow_after_its_restart_is_mended_all_the_same(process):
    process.is_("ill")
    slow = process.monitored(latency_budget_ms=0.001)
    result = await restart_service("checkout", slow, utc_now())
    assert result.status is EffectVerdict.VERIFIED, result.detail
    assert process.restarts == 1


async def test_a_service_that_fails_now_and_then_is_not_taken_for_well(process):
    process.is_("moody")
    result = await restart_service("checkout", process.monitored(), utc_now())
    assert result.status is EffectVerdict.VERIFIED
    assert (result.before["good"], result.before["looks"]) == (1, 2)
    assert process.restarts == 1


async def test_a_restart_that_changes_nothing_is_ineffective(process):
    process.is_("ill")
    process.becomes("ill")
    result = await restart_service("checkout", process.monitored(), utc_now())
    assert result.status is EffectVerdict.INEFFECTIVE
    assert result.acted
    assert process.restarts == 1
    assert "still failing: HTTP 500" in result.detail


async def test_a_service_that_comes_back_moody_is_inconclusive(process):
    process.is_("ill")
    process.becomes("moody")
    result = await restart_service("checkout", process.monitored(), utc_now())
    assert result.status is EffectVerdict.INCONCLUSIVE
    assert 0 < result.after["good"] < result.after["looks"]


async def test_a_command_that_had_to_be_killed_leaves_the_outcome_unknown(process):
    process.is_("ill")
    hangs = [sys.executable, "-c", "import time; time.sleep(60)"]
    business = process.monitored(restart=hangs, restart_timeout=0.5)
    result = await restart_service("checkout", business, utc_now())
    assert result.status is EffectVerdict.UNKNOWN
    assert result.acted
    assert "took longer than 0.5 s; the command was killed" in result.detail
    assert result.detail.endswith("checkout is failing now.")


@pytest.mark.parametrize(
    ("configured", "least"), [({"restart_timeout": 300}, 330), ({"timeout": 9}, 30 + 2 + 6 * 18)]
)
def test_the_deadline_of_a_restart_covers_the_command_and_all_looks(process, configured, least):
    spec = registry().action("sre-reliability", "restart_service")
    toolbox = Toolbox(None, process.monitored(**configured))
    assert toolbox.time_limit(spec, {"service": "checkout"}) > least


def test_a_restart_may_take_ten_minutes_and_not_more(process):
    assert process.monitored(restart_timeout=600).services[0].restart_timeout == 600
    with pytest.raises(ValidationError, match=r"restart_timeout\n.*less than or equal to 600"):
        process.monitored(restart_timeout=601)


async def test_a_command_that_completes_and_does_nothing_is_ineffective(process):
    process.is_("ill")
    business = process.monitored(restart=["true"])
    result = await restart_service("checkout", business, utc_now())
    assert result.status is EffectVerdict.INEFFECTIVE


@pytest.mark.parametrize("command", [["false"], ["/no/such/command"]])
async def test_a_command_that_fails_has_failed_and_the_service_is_measured(process, command):
    process.is_("ill")
    result = await restart_service("checkout", process.monitored(restart=command), utc_now())
    assert result.status is EffectVerdict.FAILED
    assert "restart" in result.detail.lower()
    assert result.after["condition"] == "failing"


async def test_without_a_command_nothing_is_done(process):
    process.is_("ill")
    result = await restart_service("checkout", process.monitored(restart=None), utc_now())
    assert result.status is EffectVerdict.FAILED
    assert not result.acted


async def test_an_unknown_service_is_named_with_those_that_exist(process):
    with pytest.raises(InvalidMessage, match=r"'chekout'.*checkout"):
        await restart_service("chekout", process.monitored(), utc_now())


# --- Snapshots ---------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Business:
    monkeypatch.setattr("agents.sre_reliability.automation.refetch.PAUSE", PAUSE / 100)
    file = tmp_path / "shop.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE stock (sku TEXT, on_hand REAL)")
        connection.execute("INSERT INTO stock VALUES ('A', 3)")
    connection.close()
    return Business(
        StoreDatabase(
            name="shop",
            url=f"sqlite:///{file}",
            frames={
                "stock": FrameMapping(table="stock", columns={"sku": "sku", "on_hand": "on_hand"})
            },
        )
    )


async def test_a_missing_snapshot_is_fetched_and_found_in_the_ledger(shop, ledger):
    now = utc_now()
    result = await refetch_snapshot(shop, ledger, now)
    assert result.status is EffectVerdict.VERIFIED, result.detail
    assert result.resource == "store:shop"
    assert result.before == {
        "taken_at": None,
        "fresh": False,
        "lacking": ["stock"],
        "problems": "",
    }
    assert result.after["rows"] == {"stock": 1}
    kept = await ledger.snapshots.latest("shop")
    assert kept is not None
    assert kept.taken_at == now


async def test_an_old_snapshot_is_fetched_again_and_a_fresh_one_is_not(shop, ledger):
    now = utc_now()
    await refetch_snapshot(shop, ledger, now - timedelta(minutes=10))
    assert (await refetch_snapshot(shop, ledger, now)).status is EffectVerdict.VERIFIED
    again = await refetch_snapshot(shop, ledger, now + timedelta(minutes=5))
    assert again.status is EffectVerdict.NOT_NEEDED
    assert not again.acted


async def test_a_store_that_stays_away_has_failed_and_the_old_snapshot_stays(
    shop, ledger, tmp_path
):
    now = utc_now()
    await refetch_snapshot(shop, ledger, now - timedelta(hours=1))
    (tmp_path / "shop.db").unlink()
    result = await refetch_snapshot(shop, ledger, now)
    assert result.status is EffectVerdict.FAILED
    assert not result.acted
    assert "shop.db" in result.detail
    kept = await ledger.snapshots.latest("shop")
    assert kept is not None
    assert kept.taken_at == now - timedelta(hours=1)


async def test_a_snapshot_that_lacks_a_frame_is_ineffective(shop, ledger, tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE products (sku TEXT, name TEXT, price REAL)")
    connection.close()
    columns = {"sku": "sku", "name": "name", "unit_price": "price"}
    shop.store.frames["products"] = [FrameMapping(table="products", columns=columns)]
    result = await refetch_snapshot(shop, ledger, utc_now())
    assert result.status is EffectVerdict.INEFFECTIVE
    assert result.after["lacking"] == ["products"]
    assert "products" in result.detail
