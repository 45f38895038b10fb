"""The daily check restarts no service for the look of its metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.vocabulary.effects import EffectVerdict
from flows.daily_health_check import daily_health_check
from tests import odd_services
from tests.integration.flows.seen import ran
from tests.integration.flows.shop import Shop
from tests.loopback import serve

pytestmark = pytest.mark.prefect


async def test_only_what_is_ill_is_restarted_and_odd_metrics_are_a_warning(
    shop: Shop, tmp_path: Path
) -> None:
    log = tmp_path / "restarts.log"
    async with serve(odd_services.answer) as server:
        shop.description["services"] = odd_services.configured(server.url, log)
        shop.configure()
        _, report = await ran(daily_health_check)
    assert set(log.read_text().split()) == {"search"}

    about = {f.resource: f for f in report.findings if f.resource.startswith("service:")}
    assert set(about) == {f"service:{name}" for name in [*odd_services.UNREADABLE, "search"]}
    serious = {resource for resource, f in about.items() if f.severity.rank > 1}
    assert serious == {"service:search"}
    done = report.remediation_of(about["service:search"])
    assert done is not None
    assert done.status is EffectVerdict.INEFFECTIVE  # shards are not found by a restart
    assert report.remediation_of(about["service:redirect"]) is None
