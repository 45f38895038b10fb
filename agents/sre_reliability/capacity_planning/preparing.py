"""Looks at everything that a surge would load, and says what bears it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import Field, ValidationError

from agents.capability import ANYBODY, action
from agents.registry import registry
from agents.sre_reliability.capacity_planning.assessment import (
    Load,
    Surge,
    SurgeAssessment,
    assess_capacity,
)
from agents.sre_reliability.capacity_planning.past_work import PastWork, past_work
from agents.sre_reliability.capacity_planning.proposing import Pool, findings_of
from agents.sre_reliability.capacity_planning.raising import standing_raises
from agents.sre_reliability.capacity_planning.told import PROPORTIONAL, loads_of
from agents.sre_reliability.system_monitoring import assess_health
from agents.sre_reliability.system_monitoring.assessment import HostHealth
from blocks.business.business import Business
from blocks.errors import InvalidMessage, SourceError
from blocks.ledger import Ledger
from blocks.policy.policy import Policy
from blocks.prefect_api.client import PrefectApi, PrefectHealth, RunInfo

MOST_ITEMS, MOST_FACTOR = 1_000_000, 100.0

Items = Annotated[int, Field(ge=1, le=MOST_ITEMS)]
Factor = Annotated[float, Field(ge=1, le=MOST_FACTOR)]


@action(timeout=90, askers=ANYBODY)
async def prepare_for_surge(
    items: Items,
    business: Business,
    ledger: Ledger,
    prefect: PrefectApi,
    now: datetime,
    factor: Factor = 1.5,
) -> SurgeAssessment:
    """Say whether the systems can take a surge of orders, and what would give way first.

    Nothing is changed: where a limit can be raised safely, the finding carries that as its remedy.

    Args:
        items: Items that are to be ordered, 1 to 1,000,000.
        business: Whose services are looked at.
        ledger: What past orders took, and how busy the agents are.
        prefect: The work pools, and what runs in them.
        now: When.
        factor: Expected units of work per item, 1 to 100.

    Raises:
        InvalidMessage: ``items`` or ``factor`` is out of its range.
        LedgerError: The ledger cannot be read.
    """
    if not 1 <= items <= MOST_ITEMS or not 1 <= factor <= MOST_FACTOR:
        raise InvalidMessage(
            f"A surge of {items} items at a factor of {factor} cannot be prepared for.",
            hint=f"Give 1 to {MOST_ITEMS:,} items and a factor of 1 to {MOST_FACTOR:g}.",
        )
    policy = await _policy(ledger)
    rules = policy.surge
    surge = Surge(items, factor, rules.window_minutes)
    health, platform = await asyncio.gather(
        assess_health(business, now), _Platform.seen(prefect, now)
    )
    work = await past_work(ledger, platform.finished)
    pools = await _pools(ledger, platform)
    loads = [
        *(load for service in health.services for load in loads_of(service, rules.utilization)),
        *_pool_loads(platform, pools, work),
        *_agent_loads(policy, await ledger.leases.workload(now), work),
        *_host_loads(health.host, work, policy),
        _UNMEASURED_LEDGER,
    ]
    resources = assess_capacity(loads, surge)
    return SurgeAssessment(
        checked_at=now,
        items=items,
        factor=factor,
        window_minutes=rules.window_minutes,
        resources=resources,
        findings=findings_of(resources, pools, health.host, rules),
        missing=[*health.missing, *platform.missing],
    )


_UNMEASURED_LEDGER = Load(
    "ledger:local",
    "commits",
    detail="Entries share commits: what it takes now does not tell what it takes at most.",
)


async def _policy(ledger: Ledger) -> Policy:
    """The policy that decisions were last made under; the default where it cannot be read."""
    try:
        return Policy.model_validate(await ledger.policies.latest() or {}, extra="ignore")
    except ValidationError:  # of another release
        return Policy()


@dataclass(frozen=True)
class _Platform:
    """Prefect as it is.

    Attributes:
        health: None when it does not answer.
        in_use: By work pool, the slots that its runs hold.
        finished: Its newest runs that are over.
        missing: What could not be had, and why.
    """

    health: PrefectHealth | None = None
    in_use: Mapping[str, int] = field(default_factory=dict)
    finished: Sequence[RunInfo] = ()
    missing: Sequence[str] = ()

    @classmethod
    async def seen(cls, prefect: PrefectApi, now: datetime) -> _Platform:
        """As it answers."""
        try:
            health, in_use, finished = await asyncio.gather(
                prefect.health(now), prefect.slots_in_use(), prefect.finished_runs(now)
            )
        except SourceError as error:
            return cls(missing=[f"prefect: {error}"])
        many = "late" in health.truncated
        missing = ["prefect: more runs wait than one answer tells"] if many else []
        return cls(health, in_use, finished, missing)

    def waiting(self, pool: str) -> int:
        """Runs of a pool that are due and have not started."""
        queues = self.health.queues if self.health else ()
        return sum(queue.due for queue in queues if queue.pool == pool)


async def _pools(ledger: Ledger, platform: _Platform) -> dict[str, Pool]:
    found = {}
    for info in platform.health.pools if platform.health else ():
        usual = info.concurrency_limit
        for effect in await standing_raises(ledger, info.name):
            if info.concurrency_limit == effect.params["limit"]:  # else a person has set it since
                usual = effect.params["usual"]
        found[info.name] = Pool(info, usual)
    return found


def _pool_loads(platform: _Platform, pools: Mapping[str, Pool], work: PastWork) -> Iterable[Load]:
    if platform.health is None:
        yield Load("prefect:api", "runs at once", detail="Prefect does not answer.")
        return
    for name, pool in pools.items():
        seconds, basis = work.pool(name)
        idle = "" if pool.info.online else "No worker of it is online."
        yield Load(
            f"pool:{name}",
            "runs at once",
            present=float(platform.in_use.get(name, 0) + platform.waiting(name)),
            limit=None if pool.limit is None else float(pool.limit),
            slots=True,
            seconds_per_unit=seconds,
            basis=basis,
            detail="Nothing tells what its worker takes." if pool.limit is None else idle,
        )


def _agent_loads(policy: Policy, workload: Mapping[str, int], work: PastWork) -> Iterable[Load]:
    """Each agent, all its instances together: who of them takes a call, dispatch decides."""
    for agent, spec in registry().agents.items():
        mine = [instance for instance in policy.instances if instance.agent == agent]
        capacity = {instance.name: instance.capacity or spec.capacity for instance in mine}
        capacity.setdefault(agent, spec.capacity)
        seconds, basis = work.agent(agent)
        yield Load(
            f"agent:{agent}",
            "calls at once",
            present=float(sum(workload.get(name, 0) for name in capacity)),
            limit=float(sum(capacity.values())),
            slots=True,
            seconds_per_unit=seconds,
            basis=basis,
        )


def _host_loads(host: HostHealth | None, work: PastWork, policy: Policy) -> Iterable[Load]:
    """The machine of the workers: its CPUs, and its memory as more runs at once take it."""
    if host is None or not host.serves:
        detail = "No worker runs where this was asked for, so it was not looked at."
        yield Load("host:local", "CPU and memory", detail=detail)
        return
    rules = policy.surge
    if host.load_per_cpu is not None:
        yield Load(
            "host:local",
            "processes that want to run",
            present=host.load_per_cpu * host.cpus,
            limit=float(host.cpus),
            slots=True,
            basis=PROPORTIONAL,
        )
    seconds = sum(work.pools.values()) / work.items if work.pools else work.pool("")[0]
    yield Load(
        "host:local",
        "GB of memory in use",
        present=host.memory_total_gb - host.memory_available_gb,
        limit=host.memory_total_gb,
        share=1 - rules.spare_memory,
        seconds_per_unit=seconds * rules.run_memory_gb,
        basis=f"assumed: {rules.run_memory_gb:g} GB for each run at once",
    )
