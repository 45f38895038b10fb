"""Two runs that want to mend one thing at the same moment."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from prefect import flow

from agents.calls import Toolbox
from agents.sre_reliability.automation import restart
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.ledger import Ledger, RunRecord
from blocks.policy.policy import Policy
from blocks.vocabulary.effects import EffectVerdict
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import Severity, utc_now
from flows.orchestrator.dispatch.policy import InForce
from flows.orchestrator.remedies.remediation import remediate
from flows.orchestrator.team.team import Orchestrator
from flows.reports.model import RemediationLine
from tests.integration.loopback import free_port

pytestmark = pytest.mark.prefect


def finding(kind: str) -> Finding:
    return Finding(
        kind=kind,
        resource="service:checkout",
        severity=Severity.ERROR,
        title="checkout is ill",
        remedy=Remedy(
            agent="sre-reliability", action="restart_service", params={"service": "checkout"}
        ),
    )


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        (("service-down", "service-down"), "duplicate-in-progress"),
        (("service-down", "service-failing"), "resource-busy"),
    ],
)
async def test_a_resource_is_mended_by_one_run_at_a_time(
    prefect_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kinds: tuple[str, str],
    reason: str,
) -> None:
    monkeypatch.setattr(restart, "SETTLING", 0.0)
    log = tmp_path / "restarts"
    command = [sys.executable, "-c", f"open({str(log)!r}, 'a').write('x')"]
    service = MonitoredService(
        name="checkout", health_url=f"http://127.0.0.1:{free_port()}/", restart=command
    )
    business = Business(None, services=(service,))

    @flow
    async def both(ledger: Ledger) -> list[list[RemediationLine]]:
        teams = [
            Orchestrator(
                RunRecord(id=run, workflow="test", started_at=utc_now()),
                Toolbox(ledger, business),
                InForce(Policy()),
            )
            for run in ("one", "two")
        ]
        return await asyncio.gather(
            *(remediate(team, [finding(kind)]) for team, kind in zip(teams, kinds, strict=True))
        )

    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        lines = [line for (line,) in await both.with_options(validate_parameters=False)(ledger)]
    assert log.read_text() == "x"
    assert [line.status for line in lines].count(None) == 1
    assert EffectVerdict.INEFFECTIVE in [line.status for line in lines]
    assert any(line.detail.startswith(f"{reason}: ") for line in lines)
