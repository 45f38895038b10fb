"""What may be done about a surge: limits that can be raised safely, and why others cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor

from agents.sre_reliability.capacity_planning.assessment import Capacity, Verdict, at
from agents.sre_reliability.capacity_planning.queueing import knee_of_slots, slots_for
from agents.sre_reliability.system_monitoring.assessment import HostHealth
from blocks.policy.surge_rules import SurgeRules
from blocks.prefect_api.client import PoolInfo
from blocks.prefect_api.worker_names import worker_name
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import Severity

AGENT_ADVICE = (
    'Give it more capacity in the policy ("instances"), which is a person\'s to change, or spread '
    "the work over a longer time."
)
OTHER_ADVICE = "Give it more capacity, or spread the work over a longer time."


@dataclass(frozen=True)
class Pool:
    """A work pool, and what limits it when no surge raises that.

    Attributes:
        info: As Prefect tells it.
        usual: Its own limit when no surge raises it; None when it has none.
    """

    info: PoolInfo
    usual: int | None

    @property
    def limit(self) -> int | None:
        """The runs at once that hold when no surge raises them; None when nothing limits them.

        A surge is judged by it, whatever another one has raised: that ends when it ends.
        """
        return self.info.worker_limit if self.usual is None else self.usual


def findings_of(
    resources: Sequence[Capacity],
    pools: Mapping[str, Pool],
    host: HostHealth | None,
    rules: SurgeRules,
) -> list[Finding]:
    """What does not bear the surge, with the raise of its limit as the remedy where that is safe.

    Args:
        resources: What each bears, the first to give way first.
        pools: The work pools by name.
        host: The machine of their workers; None when nobody knows how it is.
        rules: The bounds.
    """
    spare = _Spare(host, rules)
    return [
        _finding(each, pools, spare, rules) for each in resources if each.verdict is Verdict.BREAKS
    ]


class _Spare:
    """What the machine of the workers has left for more runs at once."""

    def __init__(self, host: HostHealth | None, rules: SurgeRules) -> None:
        self.refusal, self.runs = "", 0
        if host is None:
            self.refusal = "nobody knows what this machine has left"
        elif not host.serves:
            self.refusal = "no worker runs where this was asked for, so what it has left is unknown"
        elif host.load_per_cpu is None or host.load_per_cpu > rules.cpu_load:
            load = "an unknown number" if host.load_per_cpu is None else f"{host.load_per_cpu:.1f}"
            self.refusal = f"{load} of processes per CPU want to run already"
        else:
            left = host.memory_available_gb - rules.spare_memory * host.memory_total_gb
            self.runs = max(0, floor(left / rules.run_memory_gb))
            if not self.runs:
                self.refusal = f"only {host.memory_available_gb:.1f} GB of memory are available"


def _finding(
    short: Capacity, pools: Mapping[str, Pool], spare: _Spare, rules: SurgeRules
) -> Finding:
    kind, _, name = short.resource.partition(":")
    remedy, advice = None, AGENT_ADVICE if kind == "agent" else OTHER_ADVICE
    if kind == "pool":
        remedy, advice = _raise(short, pools[name], spare, rules)
    who = "The workers' machine" if kind == "host" else name
    gives_way = f"gives way at {at(short)}" if short.bears is not None else "does not bear that"
    is_out = short.limit is None
    return Finding(
        kind="capacity-short",
        resource=short.resource,
        severity=Severity.ERROR if is_out else Severity.WARNING,
        title=f"{who} ({short.measure}) {'does not work now' if is_out else gives_way}",
        evidence={
            "measure": short.measure,
            "present": short.present,
            "projected": short.projected,
            "knee": short.knee,
            "limit": short.limit,
            "bears_units": short.bears,
        },
        advice=short.detail if is_out and short.detail else advice,
        remedy=remedy,
    )


def _raise(
    short: Capacity, pool: Pool, spare: _Spare, rules: SurgeRules
) -> tuple[Remedy | None, str]:
    """The raise of a pool's limit, or why it is left alone, in words."""
    name, limit = pool.info.name, pool.limit
    assert limit is not None, "it was assessed"
    assert short.projected is not None, "it was assessed"
    most = rules.pools.get(name)
    if most is None:
        return None, f"Its limit is left alone: the policy names no bound for {name}."
    if limit >= most:
        return None, f"Its limit is left alone: its bound is {most}."
    if why := _not_ours(pool.info) or spare.refusal:
        return None, f"Its limit is left alone: {why}."
    in_force = max(limit, pool.info.limit or limit)
    granted = min(slots_for(short.projected, most), in_force + spare.runs)
    if granted <= limit:
        return None, "Its limit is left alone: other pools take what this machine has left."
    spare.runs -= max(0, granted - in_force)
    remedy = Remedy(
        agent="sre-reliability",
        action="raise_pool_limit",
        params={"pool": name, "limit": granted, "usual": pool.usual},
    )
    bears = knee_of_slots(granted) >= short.projected
    enough = "which bears it" if bears else "the most that is allowed, and not enough"
    return remedy, f"Its limit can be raised from {limit} to {granted}, {enough}."


def _not_ours(pool: PoolInfo) -> str:
    """Why this machine does not tell what a raise would do; "" when it does."""
    online = [worker.name for worker in pool.workers if worker.online]
    if pool.paused:
        return "the pool is paused"
    if not online:
        return "no worker of it is online"
    if online != [worker_name(pool.name)]:
        return "it has workers elsewhere, and nobody knows what those machines have left"
    return ""
