"""A real Prometheus and a real Alertmanager: scrape, alert, repeat, resolve, and fire again."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from prefect.variables import Variable

from agents.registry import registry
from blocks.ledger import Ledger
from blocks.ledger.events.records import Ending
from blocks.settings import get_settings
from blocks.vocabulary.messages import Severity
from flows.event_driven_workflow import event_driven_workflow
from flows.orchestrator.dispatch.policy import VARIABLE, forget_policy, write_changes
from tests.conftest import service_missing
from tests.integration.deployments.api.conftest import api_settings, serving
from tests.integration.deployments.api.intake import NO_PREFECT
from tests.integration.flows.seen import ran
from tests.integration.flows.shop import Shop
from tests.integration.loopback import free_port
from tests.loopback import Reply, Request, serve
from tests.waiting import until, wait_until

pytestmark = pytest.mark.prefect

PROGRAMS = ("prometheus", "prometheus-alertmanager")

PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{folder}/rules.yml]
scrape_configs:
  - job_name: till
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["127.0.0.1:{manager}"]}}]
"""

RULES = """
groups:
  - name: till
    rules:
      - alert: TillJammed
        expr: last_over_time(till_jams[15s]) > 0  # a scrape may be missed
        labels: {severity: critical, till: "7"}
        annotations: {summary: "Till 7 is jammed", runbook_url: "https://example.org/till"}
"""

ALERTMANAGER = """
route: {{receiver: us, group_by: [alertname], group_wait: 1s, group_interval: 1s,
        repeat_interval: 1s}}
receivers:
  - name: us
    webhook_configs: [{{url: "{api}/alerts"}}]
"""


@dataclass
class Till:
    """A thing that is scraped.

    Attributes:
        jams: What it says of itself.
        prometheus: Where the one that scrapes it answers.
    """

    jams: int = 0
    prometheus: str = ""

    def answer(self, request: Request) -> Reply:
        return Reply(f"till_jams {self.jams}\n", content_type="text/plain")


@contextmanager
def program(*arguments: str, ready: str) -> Iterator[None]:
    with subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:

        def answers() -> bool:
            assert process.poll() is None, f"{arguments[0]} ended"
            try:
                return httpx.get(ready, trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        try:
            wait_until(answers, arguments[0])
            yield
        finally:
            process.kill()


@pytest.fixture
async def rules(prefect_server: str) -> AsyncIterator[None]:
    forget_policy()
    await write_changes({"events": {"group_wait_seconds": 0}}, registry())
    yield
    await Variable.aunset(VARIABLE)
    forget_policy()


@pytest.fixture
async def till(shop: Shop, ledger: Ledger, rules: None, tmp_path: Path) -> AsyncIterator[Till]:
    """It is scraped, and what Prometheus makes of it comes to our API by Alertmanager."""
    for name in PROGRAMS:
        if shutil.which(name) is None:
            service_missing(f"{name} is not installed (apt-get install {' '.join(PROGRAMS)})")
    target = Till()
    settings = api_settings(tmp_path / "api", ledger_url=get_settings().effective_ledger_url)
    async with serve(target.answer) as scraped:
        manager, prometheus = free_port(), free_port()
        with serving(settings, prefect_url=NO_PREFECT) as api:
            (tmp_path / "rules.yml").write_text(RULES)
            (tmp_path / "alertmanager.yml").write_text(ALERTMANAGER.format(api=api))
            (tmp_path / "prometheus.yml").write_text(
                PROMETHEUS.format(folder=tmp_path, target=scraped.port, manager=manager)
            )
            target.prometheus = f"http://127.0.0.1:{prometheus}"
            with (
                program(
                    "prometheus-alertmanager",
                    f"--config.file={tmp_path / 'alertmanager.yml'}",
                    f"--storage.path={tmp_path / 'alertmanager'}",
                    f"--web.listen-address=127.0.0.1:{manager}",
                    "--cluster.listen-address=",
                    ready=f"http://127.0.0.1:{manager}/-/ready",
                ),
                program(
                    "prometheus",
                    f"--config.file={tmp_path / 'prometheus.yml'}",
                    f"--storage.tsdb.path={tmp_path / 'prometheus'}",
                    f"--web.listen-address=127.0.0.1:{prometheus}",
                    ready=f"{target.prometheus}/-/ready",
                ),
            ):
                yield target


async def events(ledger: Ledger) -> list[str]:
    """How the alert stood, change by change."""
    came = await ledger.inbox.received(datetime.min.replace(tzinfo=UTC), 100)
    return [event.status for event in sorted(came, key=lambda event: event.id)]


async def told(ledger: Ledger, *changes: str) -> None:
    """Wait until the ledger has heard so much, and deal with it."""

    async def came() -> bool:
        return await events(ledger) == list(changes)

    await until(came, f"that it was {', '.join(changes)}")
    await ran(event_driven_workflow)


async def test_an_alert_fires_is_repeated_ends_and_fires_again(till: Till, ledger: Ledger) -> None:
    till.jams = 1
    await told(ledger, "firing")
    (incident,) = await ledger.inbox.incidents()
    assert incident.resource == "service:till"
    assert incident.severity is Severity.CRITICAL
    assert incident.told.summary == "Till 7 is jammed"
    assert incident.told.runbook == "https://example.org/till"

    # Asked, Prometheus says the same.
    async with httpx.AsyncClient(trust_env=False) as client:
        query = await client.get(f"{till.prometheus}/api/v1/query", params={"query": "till_jams"})
    assert query.json()["data"]["result"][0]["value"][1] == "1"

    # Alertmanager says it again and again: that changes nothing but when it was heard of.
    first = (await ledger.incidents.heard())[incident.id]

    async def repeated() -> bool:
        return (await ledger.incidents.heard())[incident.id] > first

    await until(repeated, "a repeat")
    await told(ledger, "firing")
    assert [each.id for each in await ledger.inbox.incidents()] == [incident.id]
    (again,) = await ledger.incidents.open()
    assert again.events == 1

    till.jams = 0
    await told(ledger, "firing", "resolved")
    assert await ledger.incidents.open() == []
    (over,) = await ledger.inbox.incidents()
    assert over.ending is Ending.RESOLVED

    till.jams = 2
    await told(ledger, "firing", "resolved", "firing")
    (open_now,) = await ledger.incidents.open()
    assert open_now.id == incident.id, "it came back so soon that it is reopened"
    assert open_now.outages == 2
