"""The part of Prometheus' HTTP API that the sample's services speak."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deployments.sample.series import SERVICES, History
from deployments.sample.service_api import BadQuery, PrometheusApi

CPU = "cpu_utilization_percent"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def api() -> PrometheusApi:
    return PrometheusApi("checkout", {m.name: History(m) for m in SERVICES["checkout"]})


def ask(api: PrometheusApi, **changes: str) -> dict:
    parameters = {"query": CPU, "start": str(NOW - 3600), "end": str(NOW), "step": "300"}
    return api.query_range({**parameters, **changes}, NOW)


def test_a_range_has_a_point_every_step_with_text_values(api) -> None:
    answer = ask(api)
    assert answer["resultType"] == "matrix"
    (series,) = answer["result"]
    assert series["metric"] == {"__name__": CPU, "job": "checkout"}
    assert [ts for ts, _ in series["values"]] == [NOW - 3600 + 300 * i for i in range(13)]
    assert all(isinstance(value, str) and 0 < float(value) <= 100 for _, value in series["values"])


def test_an_instant_query_gives_the_value_of_that_time(api) -> None:
    (then,) = api.query({"query": CPU, "time": str(NOW - 3600)}, NOW)["result"]
    assert then["value"] == list(ask(api)["result"][0]["values"][0])
    (current,) = api.query({"query": CPU}, NOW)["result"]
    assert current["value"][0] == NOW


@pytest.mark.parametrize("step", ["5m", "300", "300.0", "300s", "300000ms"])
def test_a_step_may_be_a_number_or_a_duration(api, step: str) -> None:
    assert ask(api, step=step) == ask(api)


def test_times_may_be_rfc_3339(api) -> None:
    assert ask(api, start="2026-11-23T11:00:00Z", end="2026-11-23T13:00:00+01:00") == ask(api)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f'{CPU}{{job="checkout"}}', 1),
        (f'{CPU}{{ job = "checkout" , }}', 1),
        (f"{CPU}{{}}", 1),
        (f'{CPU}{{job="storefront"}}', 0),
        (f'{CPU}{{instance="x"}}', 0),
        ("no_such_metric", 0),
    ],
)
def test_selectors(api, query: str, found: int) -> None:
    assert len(ask(api, query=query)["result"]) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"query": ""},
        {"query": "rate(cpu_utilization_percent[5m])"},
        {"query": f'{CPU}{{job=~"c.*"}}'},
        {"query": f"{CPU}{{job}}"},
        {"start": ""},
        {"start": "yesterday"},
        {"start": "nan"},
        {"end": "inf"},
        {"end": "2026-11-23T11:00:00"},
        {"start": str(NOW + 1)},
        {"step": ""},
        {"step": "0"},
        {"step": "-5"},
        {"step": "nan"},
        {"step": "5y"},
        {"step": "1" * 400},
        {"start": "0", "step": "1"},
        {"start": "-1e308", "end": "1e308", "step": "0.001"},
    ],
    ids=str,
)
def test_what_prometheus_would_refuse_is_refused(api, changes: dict[str, str]) -> None:
    with pytest.raises(BadQuery):
        ask(api, **changes)
