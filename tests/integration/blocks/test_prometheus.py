"""A service's history from a real Prometheus, where one is installed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from blocks.business.services import MonitoredService
from blocks.errors import ConfigurationError, OrchestratorError, SourceRefused
from blocks.vocabulary.frames import SERIES
from blocks.vocabulary.messages import utc_now
from tests.loopback import Reply, serve
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
        with pytest.raises(ConfigurationError, match=r"yields 2 series.*sum\(errors_total\)"):
            await history("errors_total")
        with pytest.raises(SourceRefused, match="parse error"):
            await history("sum(")
