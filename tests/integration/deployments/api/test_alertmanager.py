"""A real Prometheus and a real Alertmanager: from a rule that fires to a finished run."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client

from blocks.ledger import Ledger
from blocks.ledger.callers.tokens import Scope
from blocks.ledger.events.records import IncidentStatus
from blocks.ledger.work.approvals import ApprovalStatus
from blocks.vocabulary.messages import utc_now
from tests.conftest import service_missing
from tests.integration.deployments.api.conftest import working
from tests.integration.deployments.api.intake import Intake, open_intake
from tests.integration.loopback import free_port
from tests.integration.workers import is_completed, run_that
from tests.waiting import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(300)]

PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
"""

RULES = """
groups:
  - name: shop
    rules:
      - alert: CheckoutDown
        expr: up == 0
        labels: {severity: critical, service: checkout}
        annotations: {summary: The checkout does not answer.}
"""

ALERTMANAGER = """
route: {{receiver: orchestrator, group_by: [alertname], group_wait: 1s, group_interval: 1s}}
receivers:
  - name: orchestrator
    webhook_configs:
      - url: {url}/alerts
        http_config: {{authorization: {{credentials: "{token}"}}}}
"""


@contextmanager
def running(folder: Path, name: str, *arguments: str) -> Iterator[None]:
    program = shutil.which(name)
    if program is None:
        service_missing(f"{name} is not installed")
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log, cwd=folder)
        try:
            yield
        finally:
            process.kill()
            process.wait()


@contextmanager
def monitoring(folder: Path, intake: Intake, token: str) -> Iterator[None]:
    """Prometheus watches a service that is not there; Alertmanager tells us."""
    alertmanager, prometheus = free_port(), free_port()
    (folder / "rules.yml").write_text(RULES)
    (folder / "prometheus.yml").write_text(
        PROMETHEUS.format(rules="rules.yml", alertmanager=alertmanager, target=free_port())
    )
    url = str(intake.client.base_url).rstrip("/")
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(url=url, token=token))
    with (
        running(
            folder,
            "prometheus-alertmanager",
            "--config.file=alertmanager.yml",
            "--storage.path=alerts",
            f"--web.listen-address=127.0.0.1:{alertmanager}",
            "--cluster.listen-address=",
        ),
        running(
            folder,
            "prometheus",
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address=127.0.0.1:{prometheus}",
        ),
    ):
        yield


async def test_a_rule_that_fires_ends_in_a_coordinated_response(
    tmp_path: Path, registered: str
) -> None:
    for name in ("prometheus", "prometheus-alertmanager"):
        if shutil.which(name) is None:
            service_missing(f"{name} is not installed")
    with (
        open_intake(tmp_path, prefect_url=registered) as intake,
        working(intake.settings, tmp_path / "worker.log", "operations"),
        Ledger.open(intake.settings.effective_ledger_url) as ledger,
    ):
        token, _ = await ledger.tokens.create("alerts", [Scope.RUN], by="test", now=utc_now())
        with monitoring(tmp_path, intake, token):
            wait_until(lambda: bool(intake.kept("alertmanager")), "alert", timeout=60)
            (event,) = intake.kept("alertmanager").values()
            assert (event["type"], event["severity"], event["subject"]) == (
                "alert.CheckoutDown",
                "critical",
                "service:checkout",
            )
            wait_until(lambda: _settled(intake), "settled", timeout=200)
        (incident,) = await ledger.inbox.incidents()
        # No agent knows the service, and the alert still fires.
        assert (incident.status, incident.events) == (IncidentStatus.STANDING, 1)
        assert incident.resource == "service:checkout"
        assert incident.run_id is not None
        run = next(r for r in await ledger.runs(limit=10) if r.id == incident.run_id)
        assert run.flow_run_id is not None
        async with get_client() as client:
            await run_that(client, UUID(run.flow_run_id), is_completed)
        (question,) = await ledger.approvals.list(ApprovalStatus.OPEN)
        assert "The checkout does not answer." in question.detail


def _settled(intake: Intake) -> bool:
    return all(event["settled_at"] for event in intake.kept("alertmanager").values())
