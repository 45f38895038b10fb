"""The figures in Prometheus' text format. Names and units as its guide to naming asks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blocks.ledger.events.records import Depth
from blocks.ledger.status import SystemStatus
from blocks.vocabulary.messages import Severity

_own = CollectorRegistry()

REQUESTS = Counter(
    "orchestrator_api_requests",
    "Requests that were answered.",
    ["method", "route", "status"],
    registry=_own,
)
DURATION = Histogram(
    "orchestrator_api_request_duration_seconds",
    "Time to the answer.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
    registry=_own,
)

REFUSED = Counter(
    "orchestrator_intake_refused",
    "Events, alerts and webhooks that were refused.",
    ["door", "sender", "code"],
    registry=_own,
)


def exposition(
    status: SystemStatus,
    depth: Depth,
    incidents: Mapping[Severity, int],
    refused: int,
    objectives: Mapping[str, Mapping[str, float]],
) -> bytes:
    """Everything that is known, as text.

    Args:
        status: Of the last 24 hours.
        depth: What waits in the inbox.
        incidents: How many are open, by severity.
        refused: Writes of this process that the ledger did not take.
        objectives: The figures of the last looks at objectives, by objective.
    """
    computed = CollectorRegistry()
    computed.register(_Computed(status, depth, incidents, refused))
    computed.register(_Objectives(objectives))
    return generate_latest(computed) + generate_latest(_own)


class Measured:
    """Counts and times every answer, by the route that gave it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through, and note how it was answered."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun, status = time.monotonic(), 500

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            route = getattr(scope.get("route"), "path", "(none)")  # paths that lead nowhere are one
            method = scope["method"] if route != "(none)" else "(any)"
            REQUESTS.labels(method, route, status).inc()
            DURATION.labels(method, route).observe(time.monotonic() - begun)


class _Computed:
    """What the status says, as gauges."""

    def __init__(
        self, status: SystemStatus, depth: Depth, incidents: Mapping[Severity, int], refused: int
    ) -> None:
        self._status, self._depth = status, depth
        self._incidents, self._refused = incidents, refused

    def collect(self) -> Iterator[Metric]:
        status = self._status
        healthy = {"healthy": 0, "degraded": 1, "unhealthy": 2}[status.system_health]
        yield _gauge("health", "0 healthy, 1 degraded, 2 unhealthy.", healthy)
        yield _gauge("pending_tasks", "Tasks that are not finished.", status.pending_tasks)
        yield _gauge("open_approvals", "Questions to a person.", status.awaiting_approval)
        sound = not status.ledger_fault
        yield _gauge("ledger_ok", "1 while the ledger takes writes and is not damaged.", sound)
        yield CounterMetricFamily(
            "orchestrator_ledger_refused_writes",
            "Writes of this process that the ledger did not take.",
            value=self._refused,
        )
        if status.uptime_s is not None:
            yield _gauge("uptime_seconds", "Since the stack started.", status.uptime_s)
        yield from self._agents()
        yield from self._workflows()
        met = GaugeMetricFamily(
            "orchestrator_target_met", "Whether an operating target is met.", labels=["target"]
        )
        for target in status.targets:
            if target.met is not None:
                met.add_metric([target.name], float(target.met))
        yield met
        open_ = GaugeMetricFamily(
            "orchestrator_open_incidents", "Incidents that are not over.", labels=["severity"]
        )
        for severity, count in self._incidents.items():
            open_.add_metric([severity.value], count)
        yield open_
        waiting = GaugeMetricFamily(
            "orchestrator_inbox_events", "Events that wait.", labels=["severity"]
        )
        for severity, wait in self._depth.waiting.items():
            waiting.add_metric([severity.value], wait.events)
        yield waiting
        oldest = self._depth.oldest_wait.total_seconds()
        yield _gauge("inbox_oldest_seconds", "How long the oldest event waits.", oldest)

    def _agents(self) -> Iterator[Metric]:
        for name, help_, field in (
            ("workload", "Slots in use now.", "workload"),
            ("capacity", "Slots.", "capacity"),
            ("calls_completed", "Calls that ended with a result, last 24 h.", "tasks_completed"),
            ("success_ratio", "Of the calls that ended, last 24 h.", "success_rate"),
            ("utilization_ratio", "Busy time over capacity, last 24 h.", "utilization"),
        ):
            family = GaugeMetricFamily(f"orchestrator_agent_{name}", help_, labels=["agent"])
            for agent in self._status.agents:
                if (value := getattr(agent, field)) is not None:
                    family.add_metric([agent.agent], value)
            yield family

    def _workflows(self) -> Iterator[Metric]:
        for name, help_, field in (
            ("runs", "Runs, last 24 h.", "runs"),
            ("running", "Runs that are going on.", "going_on"),
            ("completion_ratio", "Of the runs that ended, last 24 h.", "completion_rate"),
            ("duration_median_seconds", "Median, last 24 h.", "median_s"),
            ("duration_p95_seconds", "95th percentile, last 24 h.", "p95_s"),
        ):
            family = GaugeMetricFamily(f"orchestrator_workflow_{name}", help_, labels=["workflow"])
            for workflow in self._status.workflows:
                if (value := getattr(workflow, field)) is not None:
                    family.add_metric([workflow.workflow], value)
            yield family


class _Objectives:
    """How objectives stand, as gauges."""

    def __init__(self, figures: Mapping[str, Mapping[str, float]]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for name, help_, figure, unit in (
            ("budget_left", "Share of the error budget that is left.", "budget_left_percent", 100),
            ("burn_rate", "Burn rate over the first rule's long window.", "burn_rate", 1),
            ("burning", "0 not too fast, 1 calls for a ticket, 2 pages.", "burning_level", 1),
        ):
            family = GaugeMetricFamily(
                f"orchestrator_objective_{name}", help_, labels=["objective"]
            )
            for objective, figures in self._figures.items():
                if figure in figures:
                    family.add_metric([objective], figures[figure] / unit)
            yield family


def _gauge(name: str, help_: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"orchestrator_{name}", help_, value=value)
