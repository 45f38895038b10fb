"""Services on loopback: probed, scraped, asked for their history, restarted."""

from __future__ import annotations

import gzip
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from blocks.business.services import MonitoredService
from blocks.errors import (
    ConfigurationError,
    PolicyError,
    SourceGarbled,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from blocks.vocabulary.frames import SERIES
from tests.loopback import HANG, Reply, Request, serve
from tests.waiting import wait_until

NOW = datetime(2024, 6, 30, 9, 0, tzinfo=UTC)


def service(url: str = "http://127.0.0.1:1", **changes: Any) -> MonitoredService:
    return MonitoredService(
        name="checkout",
        health_url=f"{url}/health",
        **{"metrics_url": f"{url}/metrics", "history_url": url, "timeout": 5, **changes},
    )


GZIP = {"Content-Encoding": "gzip"}
AWAY = {"Location": "https://b.example/c?token=secret"}


@pytest.mark.parametrize(
    ("reply", "healthy", "status", "detail", "error"),
    [
        (Reply('{"status": "pass"}'), True, 200, "", ""),
        (Reply("OK", content_type="text/plain"), True, 200, "", ""),
        (Reply('{"status": "DOWN"}'), False, 200, "it reports status 'DOWN'", ""),
        (Reply('{"status": "yellow"}'), True, 200, "it reports status 'yellow'", ""),
        (Reply('{"healthy": false}'), False, 200, "it reports healthy false", ""),
        (Reply(gzip.compress(b"DOWN"), headers=GZIP), False, 200, "it reports 'DOWN'", ""),
        (Reply("x" * 6_000_000), True, 200, "", ""),  # a whole shop window is an answer too
        (Reply(status=503), False, 503, "HTTP 503", ""),
        (Reply('{"status": "DOWN"}', 503), False, 503, "HTTP 503: it reports status 'DOWN'", ""),
        (Reply(status=302), False, 302, "HTTP 302", ""),
        (Reply(status=301, headers=AWAY), False, 301, "a redirect to https://b.example/c", ""),
        (HANG, False, None, "no complete answer within 0.3 s", "source-timeout"),
        (Reply(raw=b"\0\1\2\r\n\r\n"), False, None, "does not speak HTTP", "source-garbled"),
    ],
)
async def test_a_probe_says_what_it_saw(
    reply: Reply, healthy: bool, status: int | None, detail: str, error: str
) -> None:
    async with serve(reply) as server:
        probe = await service(server.url, timeout=0.3).probe(NOW)
    assert (probe.healthy, probe.status, probe.error) == (healthy, status, error)
    assert detail in probe.detail
    assert "secret" not in probe.detail
    assert (probe.service, probe.checked_at) == ("checkout", NOW)


async def test_a_dead_service_is_a_result_and_not_an_error() -> None:
    probe = await service().probe(NOW)
    assert (probe.healthy, probe.status, probe.latency_ms) == (False, None, None)
    assert "Connection refused" in probe.detail


async def test_slow_is_not_ill() -> None:
    async with serve(Reply("{}", pause=0.02)) as server:
        probe = await service(server.url, latency_budget_ms=1).probe(NOW)
    assert (probe.healthy, probe.slow) == (True, True)


METRICS = """# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{code="200",path="/a}b"} 1027 1395066363000
http_requests_total{code="500",path="say \\"hi\\""} 3
queue_depth 1.5e1
ratio NaN
limit +Inf
"""


async def test_metrics_are_read_as_they_are_written() -> None:
    async with serve(Reply(METRICS, content_type="text/plain")) as server:
        seen = await service(server.url).scrape()
        assert seen.samples == {
            'http_requests_total{code="200",path="/a}b"}': 1027.0,
            'http_requests_total{code="500",path="say \\"hi\\""}': 3.0,
            "queue_depth": 15.0,
        }
        assert seen.problem == ""
        assert server.requests[0].headers["accept"].startswith("text/plain;version=0.0.4,")
    assert (await service(metrics_url=None).scrape()).samples == {}


async def test_metrics_that_are_none_are_named_with_their_line() -> None:
    async with serve(Reply("\n<html>", content_type="text/html")) as server:
        with pytest.raises(
            SourceGarbled, match=r"the text/html answer holds no .*line 2: '<html>'"
        ):
            await service(server.url).scrape()
    async with serve(Reply("up 1\n<html>", content_type="text/html")) as server:
        seen = await service(server.url).scrape()
    assert (seen.samples, seen.unread) == ({"up": 1.0}, 1)
    async with serve(Reply(status=307, headers=AWAY)) as server:
        with pytest.raises(SourceGarbled, match=r"redirects to https://b.example/c \(HTTP 307\)"):
            await service(server.url).scrape()


def a_range(request: Request) -> Reply:
    """What Prometheus answers for a metric that was recorded at every step."""
    begin, end, step = (float(request.query[key]) for key in ("start", "end", "step"))
    count = int((end - begin) / step) + 1
    values: list[list[Any]] = [[begin + i * step, str(i)] for i in range(count)]
    values[1][1] = "NaN"
    series = {"metric": {"__name__": request.query["query"]}, "values": values}
    return Reply(
        json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [series]}})
    )


async def test_history_becomes_a_series() -> None:
    async with serve(a_range) as server:
        frame = await service(f"{server.url}/").history(
            "rate(x[5m])", NOW - timedelta(minutes=2), NOW, timedelta(minutes=1)
        )
    SERIES.validate(frame)
    assert frame["value"].tolist() == [0.0, 2.0]
    assert frame["ts"].tolist() == [NOW - timedelta(minutes=2), NOW]
    request = server.requests[0]
    assert (request.path, request.query["query"]) == ("/api/v1/query_range", "rate(x[5m])")


def answer(result: list[Any]) -> Reply:
    return Reply(json.dumps({"status": "success", "data": {"result": result}}))


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (Reply("<html>", content_type="text/html"), SourceGarbled, "text/html instead of a Prom"),
        (Reply('{"status": "success"}'), SourceGarbled, "instead of a Prometheus range"),
        (answer([{"values": [[10**400, "1"]]}]), SourceGarbled, "instead of a Prometheus range"),
        (Reply("<html>", status=502), SourceUnavailable, "HTTP 502"),
        (
            Reply('{"status": "error", "error": "parse error: unexpected"}', status=400),
            SourceRefused,
            "refused 'm': parse error: unexpected",
        ),
        (answer([{"values": []}, {"values": []}]), ConfigurationError, "yields 2 series"),
    ],
)
async def test_a_history_that_is_none_says_why(
    reply: Reply, error: type[Exception], says: str
) -> None:
    async with serve(reply) as server:
        with pytest.raises(error, match=says):
            await service(server.url).history("m", NOW, NOW, timedelta(minutes=1))


async def test_nothing_recorded_is_an_empty_series() -> None:
    async with serve(answer([])) as server:
        frame = await service(server.url).history("m", NOW, NOW, timedelta(minutes=1))
    assert frame.empty
    SERIES.validate(frame)


async def test_a_restart_runs_the_command_as_it_stands() -> None:
    arguments = ["$HOME; echo", "a b"]  # no shell looks at these
    script = "import sys; print('working'); print(sys.argv[1:])"
    said = await service(restart=[sys.executable, "-c", script, *arguments]).restart_now()
    assert said == str(arguments)


async def test_a_restart_that_fails_says_what_it_said() -> None:
    script = "import sys; print('no such unit', file=sys.stderr); sys.exit(3)"
    with pytest.raises(SourceRefused, match="exit code 3: no such unit"):
        await service(restart=[sys.executable, "-c", script]).restart_now()
    with pytest.raises(ConfigurationError, match=r"'/no/such/thing': No such file"):
        await service(restart=["/no/such/thing"]).restart_now()
    with pytest.raises(PolicyError, match="has no restart command") as caught:
        await service().restart_now()
    assert caught.value.reason == "unmanaged-resource"


FORKS = """
import os, sys, time
child = os.fork()
if child == 0:
    time.sleep(60)
open(sys.argv[1], "w").write(str(child))
{then}
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_restart_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = FORKS.format(then="time.sleep(60)")
    block = service(restart=[sys.executable, "-c", script, str(note)], restart_timeout=1)
    with pytest.raises(SourceTimeout, match="took longer than 1 s; the command was killed"):
        await block.restart_now()
    child = int(note.read_text())
    wait_until(lambda: not is_running(child), "the end of the command's child")


async def test_a_daemon_that_a_restart_leaves_behind_lives_on(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    block = service(restart=[sys.executable, "-c", FORKS.format(then=""), str(note)])
    await block.restart_now()  # the daemon holds our output open, and we do not wait for it
    child = int(note.read_text())
    assert is_running(child)
    os.kill(child, 9)


@pytest.mark.parametrize("url", ["checkout:8080/health", ""])
async def test_an_address_that_is_none_is_the_configurations_fault(url: str) -> None:
    with pytest.raises(ConfigurationError, match="service 'checkout' is not an http or https URL"):
        await MonitoredService(name="checkout", health_url=url).probe(NOW)


async def test_a_restart_command_writes_files_as_it_would_from_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_USUAL_UMASK", "022")
    file = tmp_path / "written"
    ours = os.umask(0o077)
    try:
        await service(restart=["touch", str(file)]).restart_now()
    finally:
        os.umask(ours)
    assert file.stat().st_mode & 0o777 == 0o644
