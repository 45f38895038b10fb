"""A service's history from a real Prometheus, where one is installed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from agents.sre_reliability.system_monitoring import collect_metrics
from agents.sre_reliability.system_monitoring.metric_watch import look_at_metrics
from agents.sre_reliability.system_monitoring.services import promql
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.errors import ConfigurationError, OrchestratorError, SourceRefused
from blocks.ledger import Ledger
from blocks.vocabulary.frames import SERIES
from blocks.vocabulary.messages import utc_now
from tests.loopback import Reply, Request, serve
from tests.waiting import until

PROGRAM = shutil.which("prometheus")

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="prometheus is not installed")

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
METRICS = 'queue_depth 7\nerrors_total{code="500"} 3\nerrors_total{code="502"} 4\n'


@asynccontextmanager
async def prometheus(folder: Path, target: int) -> AsyncIterator[str]:
    assert PROGRAM
    (folder / "prometheus.yml").write_text(CONFIG.format(port=target))
    async with serve(Reply()) as free:  # a port that was free a moment ago
        address = f"127.0.0.1:{free.port}"
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        await process.wait()


async def test_what_a_real_prometheus_recorded_becomes_a_series(tmp_path: Path) -> None:
    async with (
        serve(Reply(METRICS, content_type="text/plain; version=0.0.4")) as target,
        prometheus(tmp_path, target.port) as url,
    ):
        service = MonitoredService(name="shop", health_url=target.url, history_url=url)

        async def history(metric: str) -> list[float]:
            now = utc_now()
            frame = await service.history(
                metric, now - timedelta(minutes=1), now, timedelta(seconds=1)
            )
            SERIES.validate(frame)
            return list(frame["value"])

        async def begun() -> list[float]:
            try:
                return await history("queue_depth")
            except OrchestratorError:  # it is still starting
                return []

        assert set(await until(begun, "a first value")) == {7.0}
        assert set(await history("sum(errors_total)")) == {7.0}
        assert await history("no_such_metric") == []
        with pytest.raises(ConfigurationError, match=r"yields 2 series.*code=\"500\".*sum\("):
            await history("errors_total")
        with pytest.raises(SourceRefused, match="parse error"):
            await history("sum(")


async def test_a_counter_is_read_as_a_rate_over_a_restart_by_our_actions(tmp_path: Path) -> None:
    shown = [1000]

    def metrics(request: Request) -> Reply:
        if request.path == "/health":
            return Reply("ok")
        shown[0] += 5
        return Reply(
            f"# TYPE orders_total counter\norders_total {shown[0]}\nqueue 7\n",
            content_type="text/plain; version=0.0.4",
        )

    async with serve(metrics) as target, prometheus(tmp_path, target.port) as url:
        watched = MonitoredService(
            name="shop",
            health_url=f"{target.url}/health",
            history_url=url,
            metrics=["orders_total", "queue"],
        )

        async def known() -> list[float]:
            """The rates of the last minute, by seconds: a step of a real history takes minutes."""
            now = utc_now()
            try:
                frame = await watched.history(
                    promql("orders_total"), now - timedelta(minutes=1), now, timedelta(seconds=1)
                )
            except OrchestratorError:  # it is still starting
                return []
            return list(frame["value"])

        assert promql("orders_total") == "rate(orders_total[10m])"
        await until(known, "a first rate")
        shown[0] = 0  # it begins anew
        await asyncio.sleep(3)
        rates = await known()
        assert all(0 <= rate < 50 for rate in rates), "never minus a thousand"

        with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
            look = await look_at_metrics([watched], ledger.samples.history, utc_now())
            assert (look.signals, look.missing) == ((), ())
            assert look.covered == {"metric:shop/orders_total", "metric:shop/queue"}
            business = Business(None, services=(watched,))
            collected = await collect_metrics(business, ledger, utc_now(), hours=1)
        assert set(collected) == {"shop/orders_total", "shop/queue"}
        assert set(collected["shop/queue"]["value"]) <= {7.0}
