"""The parts of watching: what each looks at, how often, and how long that may take.

A part is one function that makes a ``Look``; what it judges by lies with the agents.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.sre_reliability.objectives.objective_watch import look_at_objectives
from agents.sre_reliability.objectives.promises import objectives_in_force
from agents.sre_reliability.system_monitoring.host_watch import look_at_host
from agents.sre_reliability.system_monitoring.metric_watch import look_at_metrics, subjects
from agents.sre_reliability.system_monitoring.prefect_itself.watch import (
    API,
    answered,
    look_at_prefect,
)
from agents.sre_reliability.system_monitoring.probe_watch import look_at_probes, subject_of
from agents.sre_reliability.system_monitoring.service_watch import look_at_services
from blocks.business.business import Business
from blocks.ledger import Ledger
from blocks.policy.policy import Policy
from blocks.prefect_api.client import PrefectApi
from blocks.prefect_api.env import RunningStack
from blocks.settings import get_settings
from blocks.vocabulary.looks import Look
from flows.orchestrator.watching.anomalies import PART as ANOMALIES
from flows.orchestrator.watching.anomalies import Following
from flows.orchestrator.watching.orders import PART as ORDERS
from flows.orchestrator.watching.orders import Orders
from flows.orchestrator.watching.orders import subjects as order_subjects
from flows.orchestrator.watching.signals import covering_what_is_gone


@dataclass(frozen=True)
class Watch:
    """What a part is handed.

    Attributes:
        business: What is looked after; without a store and services while none is configured.
        ledger: Our own database.
        prefect: The Prefect server that runs us.
        policy: The policy in force.
        now: The instant of the look.
    """

    business: Business
    ledger: Ledger
    prefect: PrefectApi
    policy: Policy
    now: datetime


@dataclass(frozen=True)
class Part:
    """One part of watching.

    Attributes:
        name: As in its looks (``Look.part``).
        every: How often it is due.
        deadline: Seconds that a look may take.
        look: Looks.
    """

    name: str
    every: Callable[[Policy], timedelta]
    deadline: float
    look: Callable[[Watch], Awaitable[Look]]


async def _services(watch: Watch) -> Look:
    gap = watch.policy.watch.services_confirm_seconds
    look = await look_at_services(watch.business.services, watch.now, confirm_after=gap)
    return await _of_all(watch, look, [f"service:{each.name}" for each in watch.business.services])


async def _probes(watch: Watch) -> Look:
    rules = watch.policy.watch
    look = await look_at_probes(
        watch.business.probes,
        watch.now,
        confirm_after=rules.probes_confirm_seconds,
        within=rules.probes_within_seconds,
    )
    return await _of_all(watch, look, [subject_of(each) for each in watch.business.probes])


_FOLLOWING = Following()
"""What this process has learned of series; another one learns it from the samples as well."""


async def _anomalies(watch: Watch) -> Look:
    return await _FOLLOWING.look(watch.business, watch.ledger, watch.policy.anomalies, watch.now)


async def _of_all(watch: Watch, look: Look, subjects: Sequence[str]) -> Look:
    """A look that covers what is no longer configured, too."""
    if watch.business.left_out:  # one may be looked after, and be configured wrongly just now
        return look
    return await covering_what_is_gone(watch.ledger, look, subjects)


async def _host(watch: Watch) -> Look:
    settings = get_settings()
    return await look_at_host(
        watch.ledger.path.parent if watch.ledger.path else settings.state_dir,
        watch.ledger.samples.history,
        watch.now,
        horizon=timedelta(days=watch.policy.watch.disk_horizon_days),
        serves=RunningStack.find(settings.state_dir) is not None,
    )


async def _metrics(watch: Watch) -> Look:
    services = watch.business.services
    look = await look_at_metrics(services, watch.ledger.samples.history, watch.now)
    return await _of_all(watch, look, subjects(services))


async def _prefect(watch: Watch) -> Look:
    look = await look_at_prefect(watch.prefect, get_settings(), watch.now)
    return await covering_what_is_gone(watch.ledger, look, [API]) if answered(look) else look


async def _objectives(watch: Watch) -> Look:
    rules = watch.policy.objectives
    look = await look_at_objectives(watch.business, watch.ledger, rules, watch.now)
    named = [each.target for each in objectives_in_force(watch.business.services, rules)]
    return await _of_all(watch, look, named)


_ORDERS = Orders()
"""What this process has learned of the shop's orders; another one learns it from the store."""


async def _orders(watch: Watch) -> Look:
    rules = watch.policy.trade
    look = await _ORDERS.look(watch.business, watch.ledger, rules, watch.now)
    return await _of_all(watch, look, order_subjects(watch.business, rules))


PARTS: tuple[Part, ...] = (
    Part(
        name="services",
        every=lambda policy: timedelta(seconds=policy.watch.services_seconds),
        deadline=90.0,  # two looks of 9 s at most, and a confirmation after 60 s at most
        look=_services,
    ),
    Part(
        name="probes",
        every=lambda policy: timedelta(seconds=policy.watch.probes_seconds),
        deadline=130.0,  # the policy says how long it really may take
        look=_probes,
    ),
    Part(
        name="host",
        every=lambda policy: timedelta(seconds=policy.watch.host_seconds),
        deadline=20.0,
        look=_host,
    ),
    Part(
        name="metrics",
        every=lambda policy: timedelta(seconds=policy.watch.metrics_seconds),
        deadline=40.0,  # metrics, and then the health of those that stopped, 9 s each at most
        look=_metrics,
    ),
    Part(
        name="prefect",
        every=lambda policy: timedelta(seconds=policy.watch.prefect_seconds),
        deadline=20.0,
        look=_prefect,
    ),
    Part(
        name="objectives",
        every=lambda policy: timedelta(seconds=policy.objectives.seconds),
        deadline=50.0,
        look=_objectives,
    ),
    Part(
        name=ORDERS,
        every=lambda policy: timedelta(minutes=policy.trade.look_minutes),
        deadline=120.0,  # once a day it reads half a year of orders
        look=_orders,
    ),
    Part(
        name=ANOMALIES,
        every=lambda policy: timedelta(seconds=policy.anomalies.every_seconds),
        deadline=180.0,  # a minute of learning, the last piece of it, and the newest of each
        look=_anomalies,
    ),
)
