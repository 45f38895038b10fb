"""The parts of watching: what each looks at, how often, and how long that may take.

A part is one function that makes a ``Look``; what it judges by lies with the agents.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.sre_reliability.system_monitoring.service_watch import look_at_services
from blocks.business.business import Business
from blocks.ledger import Ledger
from blocks.policy.policy import Policy
from blocks.prefect_api.client import PrefectApi
from blocks.vocabulary.looks import Look
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
    if watch.business.left_out:  # one may be looked after, and be configured wrongly just now
        return look
    named = [f"service:{service.name}" for service in watch.business.services]
    return await covering_what_is_gone(watch.ledger, look, named)


PARTS: tuple[Part, ...] = (
    Part(
        name="services",
        every=lambda policy: timedelta(seconds=policy.watch.services_seconds),
        deadline=90.0,  # two looks of 9 s at most, and a confirmation after 60 s at most
        look=_services,
    ),
)
