"""The sample business as its users see it: six real processes, a business file, and drills."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from blocks.business.business import Business
from blocks.errors import ConfigurationError, SourceGarbled, SourceRefused, SourceUnavailable
from blocks.settings import PROJECT_ROOT, Settings
from blocks.vocabulary.frames import DAILY_WEEKS
from deployments.processes.supervisor import ProcessSpec
from deployments.sample.arrangement import DrillTarget
from deployments.sample.business import SampleBusiness, drill_targets, prepare
from deployments.sample.series import SERVICES, labelled_anomalies
from deployments.sample.serving import STORE_URL
from deployments.sample.suppliers import SUPPLIERS, catalogue, supplier_named
from tests.integration.loopback import free_port, free_ports
from tests.waiting import wait_until

MONDAY = date(2026, 11, 23)
SUPPLIER_NAMES = [supplier.name for supplier in SUPPLIERS]


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def sample(state_dir: Path) -> SampleBusiness:
    return prepare(state_dir, Settings(sample_port=free_ports(7)), MONDAY)


@pytest.fixture(scope="module")
def running(sample: SampleBusiness) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """All six processes, up and answering."""
    processes = {spec.name: start(spec) for spec in sample.processes}
    try:
        for spec in sample.processes:
            wait_until_ready(spec)
        yield processes
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def business(sample: SampleBusiness, running) -> Business:
    return Business.from_toml(sample.business_file)


@pytest.fixture
def targets(state_dir: Path, running) -> Iterator[dict[str, DrillTarget]]:
    found = drill_targets(state_dir)
    yield found
    for target in found.values():
        drill(target, "DELETE")


def start(spec: ProcessSpec) -> subprocess.Popen[bytes]:
    return subprocess.Popen(spec.argv, env={**os.environ, **spec.env}, cwd=PROJECT_ROOT)


def wait_until_ready(spec: ProcessSpec) -> None:
    def answers() -> bool:
        try:
            return httpx.get(spec.ready_url or "", trust_env=False, verify=False).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(answers, spec.name)


def drill(target: DrillTarget, method: str, document: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {target.token}"}
    return httpx.request(
        method, target.url, json=document, headers=headers, trust_env=False, verify=False
    )


def get(url: str, **parameters: str) -> httpx.Response:
    return httpx.get(url, params=parameters, trust_env=False, verify=False)


def supplier(business: Business, name: str) -> Any:
    return next(s for s in business.suppliers if s.name == name)


def service(business: Business, name: str) -> Any:
    return next(s for s in business.services if s.name == name)


# The business file


def test_the_business_file_describes_everything_and_is_private(sample, business) -> None:
    assert [s.name for s in business.suppliers] == sorted(SUPPLIER_NAMES)
    assert [s.name for s in business.services] == sorted(SERVICES)
    assert (business.currency, business.timezone) == ("GBP", "Europe/London")
    folder = sample.business_file.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("business.toml", "access.json"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    for entry in tomllib.loads(sample.business_file.read_text())["services"]:
        assert entry["restart"][1:4] == ["-m", "deployments.processes.restart", entry["name"]]


def test_preparing_again_changes_no_secret_and_moves_the_ports(tmp_path: Path, state_dir) -> None:
    first = prepare(tmp_path, Settings(sample_port=5000), MONDAY)
    again = prepare(tmp_path, Settings(sample_port=6000), MONDAY)
    assert (first.refilled, again.refilled) == (True, False)
    assert [spec.env for spec in first.processes] == [spec.env for spec in again.processes]
    assert [spec.ready_url for spec in again.processes] == [
        f"http://127.0.0.1:{port}/health" for port in range(6000, 6006)
    ]
    every = [pair for spec in first.processes for pair in spec.env.items()]
    ours = {secret for name, secret in every if name != STORE_URL}
    theirs = {target.token for target in drill_targets(state_dir).values()}
    assert len(ours) == 9
    assert not ours & theirs
    assert all(secret not in repr(first) for secret in ours)


def test_without_a_sample_there_is_nothing_to_drill(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no sample business"):
        drill_targets(tmp_path)


def test_a_damaged_access_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample" / "access.json").write_text('{"host": ')
    with pytest.raises(ConfigurationError, match=r"access\.json cannot be read"):
        prepare(tmp_path, Settings(), MONDAY)


# The shop and the suppliers


async def test_the_orchestrator_reads_the_shop_as_any_store(business) -> None:
    snapshot = await business.store.read_snapshot(datetime(2026, 11, 23, 12, tzinfo=UTC))
    products, stock, sales, orders, open_orders = snapshot.need(
        "products", "stock", "sales", "orders", "open_orders"
    )
    assert len(products) == len(stock) > 150
    assert sales["date"].max().date() == MONDAY - timedelta(days=1)
    assert len(orders) > 250
    daily = sales["date"] >= sales["date"].max() - timedelta(weeks=DAILY_WEEKS - 1)
    assert set(sales["date"][daily]) <= set(orders["date"])
    assert set(open_orders["supplier"]) <= set(SUPPLIER_NAMES)
    assert not [problem for problem in snapshot.problems if "duplicate" not in problem.reason]


@pytest.mark.parametrize("name", SUPPLIER_NAMES)
async def test_each_supplier_s_format_reads_as_its_offers(business, name: str) -> None:
    answer = await supplier(business, name).fetch_offers(datetime.now(UTC))
    expected = [
        (name, o.product.sku, o.unit_cost, o.supplier.lead_time_days, o.supplier.min_order_units)
        for o in catalogue(supplier_named(name))
    ]
    columns = ["supplier", "sku", "unit_cost", "lead_time_days", "min_order_units"]
    assert list(answer.frame[columns].itertuples(index=False, name=None)) == expected
    assert not answer.problems
    assert answer.clock_skew_s == pytest.approx(0, abs=5)


@pytest.mark.parametrize("name", SUPPLIER_NAMES)
async def test_each_supplier_turns_strangers_away(business, name: str) -> None:
    ours = supplier(business, name)
    url = ours.base_url + ours.catalogue_path
    refused = get(url)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"]
    other = supplier(business, next(n for n in SUPPLIER_NAMES if n != name))
    with pytest.raises(SourceRefused, match="credentials"):
        await ours.model_copy(update={"credential": other.credential}).fetch_offers(
            datetime.now(UTC)
        )


def test_health_needs_no_credentials_and_tells_the_time(sample, running) -> None:
    for spec in sample.processes:
        answer = get(spec.ready_url)
        assert answer.json()["status"] == "ok"
        skew = parsedate_to_datetime(answer.headers["date"]) - datetime.now(UTC)
        assert abs(skew) < timedelta(seconds=5)


# The services


@pytest.mark.parametrize("name", SERVICES)
async def test_metrics_parse_and_show_the_series_now(business, name: str) -> None:
    ours = service(business, name)
    families = list(text_string_to_metric_families(get(ours.metrics_url).text))
    assert {family.name for family in families} <= set(ours.metrics)
    assert len(families) >= len(ours.metrics) - 1  # one may be in a gap of its source
    assert all(family.type == "gauge" and family.documentation for family in families)
    shown = {family.name: family.samples[0].value for family in families}
    for metric, value in shown.items():
        answer = get(f"{ours.history_url}/api/v1/query", query=metric).json()
        assert float(answer["data"]["result"][0]["value"][1]) == value
    assert (await ours.scrape()).samples == shown


async def test_the_history_of_each_metric_reaches_back_a_fortnight_and_holds_its_anomalies(
    business,
) -> None:
    now = datetime.now(UTC)
    for ours in business.services:
        for metric in ours.metrics:
            frame = await ours.history(metric, now - timedelta(days=14), now, timedelta(minutes=5))
            assert len(frame) > 3950
            labels = [at for s, m, at in labelled_anomalies(now) if (s, m) == (ours.name, metric)]
            assert labels
            shown = timedelta(minutes=15), timedelta(days=13)  # away from both ends of the frame
            for at in labels:
                if shown[0] < now - at < shown[1]:
                    assert frame["ts"].min() <= at <= frame["ts"].max()


def test_a_query_that_prometheus_would_refuse_is_refused_its_way(business) -> None:
    answer = get(f"{service(business, 'checkout').history_url}/api/v1/query_range", query="x{")
    assert answer.status_code == 400
    assert answer.json()["status"] == "error"
    assert answer.json()["errorType"] == "bad_data"


# Drills


def restart(spec: ProcessSpec, running: dict[str, subprocess.Popen[bytes]]) -> None:
    running[spec.name].kill()
    running[spec.name].wait()
    running[spec.name] = start(spec)
    wait_until_ready(spec)


async def test_errors_last_until_the_restart(business, targets, sample, running) -> None:
    checkout = service(business, "checkout")
    assert drill(targets["checkout"], "POST", {"fault": "errors"}).json()["fault"] == "errors"
    for _ in range(2):
        probe = await checkout.probe(datetime.now(UTC))
        assert (probe.healthy, probe.status) == (False, 500)
    assert (await service(business, "storefront").probe(datetime.now(UTC))).healthy
    restart(next(s for s in sample.processes if s.name == "checkout"), running)
    assert (await checkout.probe(datetime.now(UTC))).healthy
    assert drill(targets["checkout"], "GET").json() == {"fault": None, "seconds_left": None}


async def test_a_slow_service_is_over_its_budget(business, targets) -> None:
    drill(targets["storefront"], "POST", {"fault": "slow", "latency_ms": 1100})
    probe = await service(business, "storefront").probe(datetime.now(UTC))
    assert probe.healthy
    assert probe.slow


@pytest.mark.parametrize("fault", ["garbage", "truncated"])
@pytest.mark.parametrize("name", ["northwind-wholesale", "continental-import"])
async def test_garbage_is_an_answer_that_cannot_be_read(business, targets, name, fault) -> None:
    drill(targets[name], "POST", {"fault": fault})
    with pytest.raises(SourceGarbled):
        await supplier(business, name).fetch_offers(datetime.now(UTC))
    drill(targets[name], "DELETE")
    assert not (await supplier(business, name).fetch_offers(datetime.now(UTC))).problems


async def test_errors_of_a_supplier_are_worth_a_retry(business, targets) -> None:
    drill(targets["midland-express"], "POST", {"fault": "errors"})
    with pytest.raises(SourceUnavailable):
        await supplier(business, "midland-express").fetch_offers(datetime.now(UTC))


def test_a_fault_may_end_by_itself(sample, targets) -> None:
    target = targets["warehouse-api"]
    answer = drill(target, "POST", {"fault": "errors", "seconds": 0.3})
    assert 0 <= answer.json()["seconds_left"] <= 0.3
    wait_until(lambda: not drill(target, "GET").json()["fault"], "the fault's end")
    assert get(target.url.replace("/_drill", "/health")).status_code == 200


@pytest.mark.parametrize(
    "document",
    [
        {"fault": "fire"},
        {},
        [],
        "errors",
        {"fault": "errors", "seconds": 0},
        {"fault": "errors", "seconds": "60"},
        {"fault": "errors", "seconds": True},
        {"fault": "slow", "latency_ms": -1},
        {"fault": "slow", "latency_ms": 1e12},
    ],
    ids=str,
)
def test_a_drill_that_makes_no_sense_is_refused(targets, document: Any) -> None:
    answer = drill(targets["checkout"], "POST", document)
    assert answer.status_code == 400
    assert "must be" in answer.json()["error"]
    assert drill(targets["checkout"], "GET").json()["fault"] is None


def test_a_drill_needs_the_process_s_own_token(targets) -> None:
    url = targets["checkout"].url
    for headers in ({}, {"Authorization": f"Bearer {targets['storefront'].token}"}):
        answer = httpx.post(
            url, json={"fault": "errors"}, headers=headers, trust_env=False, verify=False
        )
        assert answer.status_code == 401
    body = httpx.post(
        url, content=b"{", headers={"Authorization": f"Bearer {targets['checkout'].token}"}
    )
    assert body.status_code == 400
    assert drill(targets["checkout"], "GET").json()["fault"] is None


def test_without_a_token_there_is_no_drill(sample) -> None:
    spec = next(s for s in sample.processes if s.name == "storefront")
    port = free_port()
    bare = ProcessSpec(
        name="bare",
        argv=[*spec.argv[:-1], str(port)],
        env={},
        ready_url=f"http://127.0.0.1:{port}/health",
    )
    process = start(bare)
    try:
        wait_until_ready(bare)
        answer = httpx.get(
            f"http://127.0.0.1:{port}/_drill",
            headers={"Authorization": "Bearer x"},
            trust_env=False,
            verify=False,
        )
        assert answer.status_code == 404
    finally:
        process.kill()
        process.wait()


def test_a_supplier_without_credentials_does_not_start(sample) -> None:
    spec = next(s for s in sample.processes if s.name == "midland-express")
    environment = {k: v for k, v in os.environ.items() if k != "SAMPLE_CREDENTIAL"}
    ended = subprocess.run(
        spec.argv, env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert "SAMPLE_CREDENTIAL is not set" in ended.stderr
    assert "Traceback" not in ended.stderr


# The checkout's orders


ORDER = {
    "order_id": "new-1",
    "sold_at": "2026-11-23T10:26:00",
    "lines": [{"sku": "85123A", "units": 6, "unit_price": 2.55}],
}


def place(target: DrillTarget, document: Any, token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token or target.token}"}
    url = f"{target.url.removesuffix('/_drill')}/orders"
    return httpx.post(url, json=document, headers=headers, trust_env=False)


def lines_of(sample: SampleBusiness, order: str) -> list[tuple[Any, ...]]:
    file = sample.store_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file)) as connection:
        asked = "SELECT sku, units, unit_price FROM sale_lines WHERE order_id = ?"
        return connection.execute(asked, [order]).fetchall()


def test_the_checkout_writes_orders_and_under_its_fault_only_says_so(sample, targets) -> None:
    checkout = targets["checkout"]
    assert place(checkout, ORDER).status_code == 201
    assert lines_of(sample, "new-1") == [("85123A", 6, 2.55)]
    assert drill(checkout, "POST", {"fault": "sells-nothing"}).status_code == 200
    assert place(checkout, ORDER | {"order_id": "new-2"}).status_code == 201
    assert lines_of(sample, "new-2") == []
    assert get(f"{checkout.url.removesuffix('/_drill')}/health").status_code == 200


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        ORDER | {"lines": []},
        ORDER | {"sold_at": "yesterday"},
        ORDER | {"sold_at": "2026-11-23T10:26:00Z"},
        ORDER | {"paid": True},
        ORDER | {"lines": [{"sku": "85123A", "units": -6, "unit_price": 2.55}]},
    ],
)
def test_the_checkout_refuses_what_is_no_order(targets, document: Any) -> None:
    assert place(targets["checkout"], document).status_code == 400


def test_the_checkout_takes_orders_of_a_drill_alone(targets) -> None:
    assert place(targets["checkout"], ORDER, token="guessed").status_code == 401
    assert drill(targets["storefront"], "POST", {"fault": "sells-nothing"}).status_code == 400
