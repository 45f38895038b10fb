"""A storm of alerts, of which one in a hundred matters: what people are told, and is anything lost?

A database dies, and eleven services that depend on it fail in nine ways each: with the database's
own alert these are 100 critical alerts. Around them 9,900 warnings about 3,300 pods, of 30 kinds.
All go through a real Alertmanager, grouped by ``alertname``, with two receivers: our API
(``POST /alerts``), and a plain webhook, which is what people would be told without us. Ours is a
real ledger, the real event-driven workflow, and a real notification channel: a webhook on
loopback. Every message to it counts, questions to a person too.

Lost is an alert that the ledger does not have, or that is in no incident.

    python -m benchmarks.alert_storm [--json] [--alerts 10000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import httpx

from benchmarks.burst import BUSINESS
from benchmarks.coordination import prefect_server
from benchmarks.output import show
from blocks.ledger import Ledger
from blocks.ledger.events.records import IncidentRecord

ALERTMANAGER = "prometheus-alertmanager"
"""The program, as Debian calls it."""

DATABASE = "orders-database"
_NAMES = ("cart", "checkout", "payments", "search", "login", "mail", "prices", "stock", "returns")
SERVICES = [f"{name}-service" for name in (*_NAMES, "reviews", "invoices")]
WAYS = ("Errors", "Latency", "Saturated", "NoTraffic", "Retries", "Queue", "Probe", "Pool", "Lag")
NOISE = [f"Pod{what}{n}" for what in ("Restarts", "Throttled", "Slow") for n in range(10)]

CALM = 12.0
"""Seconds without a new alert or a message after which the storm is over."""

LONGEST = 600.0

BATCH = 250

CONFIGURATION = """
route:
  receiver: both
  group_by: [alertname]
  group_wait: 2s
  group_interval: 5s
  repeat_interval: 4h
receivers:
  - name: both
    webhook_configs:
      - {{url: "{api}/alerts", max_alerts: 1000}}
      - {{url: "{plain}"}}
"""


@dataclass
class Heard:
    """What came to the two ears on loopback."""

    plain: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


def alerts(count: int) -> list[dict[str, Any]]:
    """The storm, as Alertmanager takes it; one in a hundred matters."""
    start = datetime.now(UTC).isoformat()

    def alert(name: str, severity: str, summary: str, **labels: str) -> dict[str, Any]:
        return {
            "labels": {"alertname": name, "severity": severity, **labels},
            "annotations": {"summary": summary},
            "startsAt": start,
        }

    grave = [alert("DatabaseDown", "critical", "The database is gone", service=DATABASE)]
    for service in SERVICES:
        for way in WAYS:
            text = f"{service} fails: {way}"
            grave.append(alert(f"Service{way}", "critical", text, service=service))
    grave = grave[: count // 100]
    mild = []
    for number in range(count - len(grave)):
        name, pod = NOISE[number % len(NOISE)], f"worker-{number // 3}"
        mild.append(alert(name, "warning", f"{pod}: {name}", namespace="jobs", pod=pod))
    step = len(mild) // max(1, len(grave)) + 1
    storm = []
    for number in range(0, len(mild), step):
        storm += [*mild[number : number + step], *grave[number // step : number // step + 1]]
    return [*storm, *grave[(len(mild) - 1) // step + 1 :]]


@contextmanager
def ears(heard: Heard) -> Iterator[str]:
    """A server on loopback that keeps what it is told; its address."""

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            (heard.plain if self.path == "/plain" else heard.told).append(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """It says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


@contextmanager
def running(arguments: list[str], ready: str) -> Iterator[None]:
    """A program, from when it answers at an address until it is ended."""
    program = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            if program.poll() is not None:
                raise SystemExit(f"{arguments[0]} ended before it answered.")
            try:
                if httpx.get(ready, trust_env=False).is_success:
                    break
            except httpx.TransportError:
                sleep(0.2)
        yield
    finally:
        program.terminate()
        program.wait()


async def storm(folder: Path, count: int) -> dict[str, Any]:
    """Let the storm come, and count what came of it."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    from agents.registry import registry
    from flows.orchestrator.dispatch.policy import write_changes

    heard = Heard()
    with ears(heard) as ear:
        block = CustomWebhookNotificationBlock(
            name="on-call", url=f"{ear}/told", json_data={"told": "{{subject}}: {{body}}"}
        )
        await block.asave("on-call", overwrite=True)
        topology = {f"service:{service}": [f"service:{DATABASE}"] for service in SERVICES}
        changes = {
            "events": {"topology": topology, "group_wait_seconds": 5},
            "notify": {"audiences": {"on-call": {"worth_telling": "error"}}},
        }
        policy = await write_changes(changes, registry())
        api, manager = f"http://127.0.0.1:{_free_port()}", f"127.0.0.1:{_free_port()}"
        os.environ["ORCHESTRATOR_API_PORT"] = api.rpartition(":")[2]
        (folder / "alertmanager.yml").write_text(
            CONFIGURATION.format(api=api, plain=f"{ear}/plain")
        )
        program = [ALERTMANAGER, f"--config.file={folder / 'alertmanager.yml'}"]
        program += [f"--storage.path={folder}", f"--web.listen-address={manager}"]
        with (
            running([sys.executable, "-m", "deployments.api"], f"{api}/livez"),
            running([*program, "--cluster.listen-address="], f"http://{manager}/-/ready"),
            Ledger.open(os.environ["ORCHESTRATOR_LEDGER_URL"]) as ledger,
        ):
            sent = alerts(count)
            began = monotonic()
            async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
                for start in range(0, count, BATCH):
                    url = f"http://{manager}/api/v2/alerts"
                    (await client.post(url, json=sent[start : start + BATCH])).raise_for_status()
            await _until_calm(ledger, policy, heard, began)
            return {**await _count(ledger, sent, heard), "seconds": round(monotonic() - began, 1)}


async def _until_calm(ledger: Ledger, policy: Any, heard: Heard, began: float) -> None:
    """Drain and tell, as the stack does, until nothing more comes."""
    from blocks.vocabulary.messages import utc_now
    from flows.event_driven_workflow import event_driven_workflow
    from flows.orchestrator.incidents.escalation import escalate_due

    last, seen = monotonic(), (-1, -1)
    while monotonic() - last < CALM and monotonic() - began < LONGEST:
        await event_driven_workflow()
        await escalate_due(ledger, policy, utc_now())
        now = len(heard.told), len(heard.plain)
        if now != seen or (await ledger.inbox.depth(utc_now())).events:
            last, seen = monotonic(), now
        await asyncio.sleep(1)


async def _count(ledger: Ledger, sent: list[dict[str, Any]], heard: Heard) -> dict[str, Any]:
    from datetime import timedelta

    from blocks.vocabulary.messages import utc_now

    since = utc_now() - timedelta(hours=1)
    events = await ledger.inbox.received(since, 10 * len(sent))
    known = {json.dumps(e.data["labels"], sort_keys=True) for e in events if "labels" in e.data}
    wanted = [json.dumps(a["labels"], sort_keys=True) for a in sent]
    incidents: list[IncidentRecord] = await ledger.inbox.incidents(limit=10 * len(sent))
    placed = sum(incident.events for incident in incidents)
    inhibited = await ledger.inhibitions.current()
    told = "\n".join(heard.told)
    return {
        "alerts": len(sent),
        "matter": sum(a["labels"]["severity"] == "critical" for a in sent),
        "messages": len(heard.told),
        "messages_of_plain_alertmanager": len(heard.plain),
        "incidents": len(incidents),
        "open_critical": sum(
            i.severity == "critical" and not i.is_over and i.id not in inhibited for i in incidents
        ),
        "inhibited": len(inhibited),
        "names_the_cause": DATABASE in told,
        "lost": len([each for each in wanted if each not in known]) + max(0, len(known) - placed),
    }


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Run the storm and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--alerts", type=int, default=10_000)
    given = parser.parse_args()
    if shutil.which(ALERTMANAGER) is None:
        raise SystemExit(f"{ALERTMANAGER} is not installed: apt-get install {ALERTMANAGER}.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "business.toml").write_text(BUSINESS)
        os.environ |= {
            "ORCHESTRATOR_LEDGER_URL": f"sqlite:///{folder / 'ledger.db'}",
            "ORCHESTRATOR_BUSINESS_FILE": str(folder / "business.toml"),
            "ORCHESTRATOR_NOTIFY": "custom-webhook/on-call",
        }
        with prefect_server(folder):
            figures = asyncio.run(storm(folder, given.alerts))
    show("A storm of alerts", figures, as_json=given.json)


if __name__ == "__main__":
    main()
