"""A storm of events: do critical ones keep their latency, and is anything lost or done twice?

A process of its own hands events to the ledger's inbox at a given rate, in small concurrent
batches; another one runs the real event-driven workflow against a Prefect server of the
benchmark's own (both on SQLite). First only the critical events come (quiet), then the same with
all the others around them (storm). A critical event's latency runs from the moment at which it is
durable to the first reply of an agent; one that joins an incident which was answered already, to
the moment at which it is settled.

Of the events 2 % are critical. A quarter of those is about a resource of which nothing was said
before, so that all agents are asked; the others say more of one of the last ten (--fresh 1: all are
about new ones). The rest are news and warnings about 40 SKUs. 5 % are sent twice, 10 % are up to
two seconds late.

Last, bursts of events that have nothing to do with each other (``benchmarks.burst``), on SQLite and
on PostgreSQL: how many of them are settled in a second.

    python -m benchmarks.storm [--json] [--seconds 20] [--rate 1000] [--fresh 0.25]
                               [--database both] [--postgres URL]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

from benchmarks import burst
from benchmarks.coordination import prefect_server
from benchmarks.intake import POSTGRES
from benchmarks.output import show
from blocks.ledger import Ledger
from blocks.vocabulary.messages import Severity, SystemEvent, utc_now

CRITICAL, TWICE, LATE = 0.02, 0.05, 0.10
"""Shares of the events."""

TICK = 0.05
"""Seconds between two rounds of the generator; each hands in three batches at once."""

DRAIN = """
import asyncio, pathlib, sys
from flows.event_driven_workflow import event_driven_workflow
from prefect import get_client

async def main(folder, seconds):
    await event_driven_workflow()  # warm: everything is imported, the policy is read
    (folder / "ready").touch()
    await event_driven_workflow(drain_seconds=seconds)
    await event_driven_workflow()

asyncio.run(main(pathlib.Path(sys.argv[1]), int(sys.argv[2])))
"""


@dataclass(frozen=True)
class Outcome:
    """What one stream came to."""

    sent: int
    lost: int
    double_effects: int
    latencies: list[float]
    deepest: int
    drained_after: float

    def quantile(self, share: float) -> float:
        """Latency in seconds that this share of the critical events did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def stream(seconds: int, rate: int, fresh: float, *, quiet: bool) -> list[list[SystemEvent]]:
    """The events of each round; the same for the same arguments, except for their times."""
    chance = random.Random(7)
    rounds: list[list[SystemEvent]] = []
    sent: list[SystemEvent] = []
    troubled: list[str] = []
    for number in range(int(seconds / TICK)):
        batch = []
        for place in range(int(rate * TICK)):
            name = f"{number}-{place}"
            critical = chance.random() < CRITICAL
            late = chance.random() < LATE
            again, which = chance.random() < TWICE, chance.random()
            units, delay = chance.randrange(5), chance.uniform(0, 2)
            subject, severity = f"sku:{chance.randrange(40)}", chance.choice(["info", "warning"])
            if critical:
                if chance.random() < fresh or not troubled:
                    troubled.append(f"service:{name}")
                subject, severity = chance.choice(troubled[-10:]), "critical"
            if quiet and not critical:
                continue
            event = SystemEvent(
                id=name,
                source="storm",
                type="order.failed" if critical else "stock.changed",
                severity=Severity(severity),
                subject=subject,
                data={"units": units},
                time=utc_now() - timedelta(seconds=delay if late else 0),
            )
            batch += [event, *([sent[int(which * len(sent))]] if again and sent else [])]
            sent.append(event)
        random.Random(number).shuffle(batch)
        rounds.append(batch)
    return rounds


async def generate(
    url: str, seconds: int, rate: int, fresh: float, quiet: bool, kept: Path
) -> None:
    """Hand the stream in at its rate, and write down when each event was durable."""
    durable: dict[str, float] = {}
    rounds = stream(seconds, rate, fresh, quiet=quiet)
    with Ledger.open(url) as ledger:

        async def hand_in(events: list[SystemEvent]) -> None:
            await ledger.inbox.accept(events, utc_now())
            now = utc_now().timestamp()
            for event in events:
                durable.setdefault(event.id, now)

        began = monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number, batch in enumerate(rounds):
                await asyncio.sleep(max(0.0, began + number * TICK - monotonic()))
                for start in range(3):
                    if part := batch[start::3]:
                        tasks.create_task(hand_in(part))
    await asyncio.to_thread(kept.write_text, json.dumps(durable))


def run_stream(folder: Path, seconds: int, rate: int, fresh: float, *, quiet: bool) -> Outcome:
    """Generate and drain in two processes, and count in the ledger what came of it."""
    folder.mkdir()
    (folder / "business.toml").write_text(burst.BUSINESS)
    url, kept = f"sqlite:///{folder / 'ledger.db'}", folder / "durable.json"
    environment = {
        **os.environ,
        "ORCHESTRATOR_LEDGER_URL": url,
        "ORCHESTRATOR_BUSINESS_FILE": str(folder / "business.toml"),
        "ORCHESTRATOR_STATE_DIR": str(folder),
    }
    drainer = subprocess.Popen(
        [sys.executable, "-c", DRAIN, str(folder), str(seconds + 3)], env=environment
    )
    while not (folder / "ready").exists():
        if drainer.poll() is not None:
            raise SystemExit("The drainer ended before it began.")
        sleep(0.1)
    arguments = [url, str(seconds), str(rate), str(fresh), str(int(quiet)), str(kept)]
    began = monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.storm", "--generate", *arguments], env=environment
    ) as generator:
        deepest = 0
        while generator.poll() is None:
            deepest = max(deepest, _depth(folder / "ledger.db"))
            sleep(0.5)
    while _depth(folder / "ledger.db") and drainer.poll() is None:
        sleep(0.1)
    drained_after = monotonic() - began - seconds
    drainer.wait()
    return _count(folder / "ledger.db", json.loads(kept.read_text()), deepest, drained_after)


def _depth(file: Path) -> int:
    query = "SELECT COUNT(*) FROM events WHERE settled_at IS NULL"
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute(query).fetchone()[0])


def _count(file: Path, durable: dict[str, float], deepest: int, drained_after: float) -> Outcome:
    with closing(sqlite3.connect(file)) as connection:
        events = connection.execute(
            "SELECT id, severity, incident_id, settled_at FROM events"
        ).fetchall()
        calls = connection.execute(
            "SELECT m.recipient, m.payload, r.replied_at FROM messages m "
            "JOIN replies r ON r.message_id = m.id WHERE m.type = 'event'"
        ).fetchall()
    incident_of = {name: incident for name, _, incident, settled in events if settled}
    answered: dict[str, float] = {}
    asked: dict[tuple[str, str], int] = {}
    told = ((agent, e["id"], at) for agent, payload, at in calls for e in _events_in(payload))
    for agent, event, replied_at in told:
        incident = incident_of.get(event, "")
        asked[agent, incident] = asked.get((agent, incident), 0) + 1
        at = _instant(replied_at)
        answered[incident] = min(answered.get(incident, at), at)
    latencies = []
    for name, severity, incident, settled_at in events:
        if severity == "critical" and settled_at:
            first = answered.get(incident, 0.0)
            reached = first if first >= durable[name] else _instant(settled_at)
            latencies.append(max(0.0, reached - durable[name]))
    return Outcome(
        sent=len(durable),
        lost=sum(not incident_of.get(name) for name in durable),
        double_effects=sum(times - 1 for times in asked.values()),
        latencies=latencies,
        deepest=deepest,
        drained_after=drained_after,
    )


def _events_in(payload: str) -> list[dict[str, str]]:
    """What an agent was asked about: one event, or many at once."""
    said = json.loads(payload)
    return said["events"] if "events" in said else [said["event"]]


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def figures(quiet: Outcome, storm: Outcome) -> dict[str, float | str | None]:
    """What is printed; the load says how far the seconds can be trusted."""
    return {
        "events": storm.sent,
        "critical": len(storm.latencies),
        "lost": quiet.lost + storm.lost,
        "double_effects": quiet.double_effects + storm.double_effects,
        "critical_p50_s": round(storm.quantile(0.5), 3),
        "critical_p99_s": round(storm.quantile(0.99), 3),
        "critical_p50_s_quiet": round(quiet.quantile(0.5), 3),
        "critical_p99_s_quiet": round(quiet.quantile(0.99), 3),
        "ratio_p99": round(storm.quantile(0.99) / quiet.quantile(0.99), 2),
        "deepest": storm.deepest,
        "drained_after_s": round(storm.drained_after, 1),
        "load_1_min": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=1000, help="events per second")
    parser.add_argument("--fresh", type=float, default=0.25, help="share of new resources")
    parser.add_argument(
        "--database", choices=("both", *burst.DATABASES), default="both", help="for the bursts"
    )
    parser.add_argument("--postgres", default=POSTGRES, help="server on which to make a database")
    parser.add_argument("--generate", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.generate:
        url, seconds, rate, fresh, quiet, kept = options.generate
        quietly = bool(int(quiet))
        asyncio.run(generate(url, int(seconds), int(rate), float(fresh), quietly, Path(kept)))
        return
    with tempfile.TemporaryDirectory() as folder, prefect_server(Path(folder)):
        asked = (options.seconds, options.rate, options.fresh)
        quiet_outcome = run_stream(Path(folder, "quiet"), *asked, quiet=True)
        storm = run_stream(Path(folder, "storm"), *asked, quiet=False)
        databases = burst.DATABASES if options.database == "both" else (options.database,)
        bursts = burst.measure(Path(folder), options.postgres, databases)
    title = f"{options.rate:,} events/s for {options.seconds} s, beside a quiet stream"
    show(title, figures(quiet_outcome, storm) | bursts, as_json=options.json)


if __name__ == "__main__":
    main()
