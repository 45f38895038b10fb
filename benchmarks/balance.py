"""How well agent selection spreads work over unequal instances, one of which dies midway.

The model: tasks arrive as a Poisson process and need one call each. Ten instances take up to eight
calls at once, calls do not slow each other down, and a task that finds nobody with room waits in
one queue in order of arrival, as leases have it in the product. The work of a call is exponential
with a mean of one second at speed 1; the fastest instance is twice as fast as the slowest, and 1%
to 9% of an instance's calls fail, 5% on average, after all their work. Which instance is how fast,
how reliable, and which one dies is drawn for each seed. A failed task is tried again, at the head
of the queue, by an instance that has not failed it yet, at most three attempts in all.

Arrivals are 70% of what the ten can do at their speeds, not counting failures, so that the load
is 74% with them and about 82% after one instance has died, when half the tasks have arrived. Calls
to it then fail, at the time when they would have ended, and it never comes back.

All policies meet the same arrivals, and the same work and luck of each attempt of each task.
"ours" is ``flows.orchestrator.dispatch.selection.select`` with its default rules, fed by the
outcomes so far, of which one counts half after five seconds. "random" and "round robin" take any
instance with room, "least busy" the one with the fewest calls. "known speeds" is the bound: it
knows every speed, failure rate and the death, and takes the least expected time to success.

Latency is from arrival to success. Utilization is the busy part of an instance's capacity while
it was alive and tasks were arriving; its sigma is the standard deviation over the ten. Regret is
the mean latency over that of known speeds, less one.

    python -m benchmarks.balance [--json] [--tasks 10000] [--seed 1]
"""

from __future__ import annotations

import argparse
from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from statistics import fmean, pstdev, quantiles

from benchmarks.output import show_rows
from blocks.policy.selection_rules import SelectionRules
from flows.orchestrator.dispatch.selection import Candidate, select

INSTANCES = 10
CAPACITY = 8
ATTEMPTS = 3
LOAD = 0.7
WORK_MS = 1000.0
SPEED_RATIO = 2.0
FAILURE_RATES = (0.01, 0.09)
HALF_LIFE_MS = 5000.0


@dataclass(frozen=True)
class World:
    """What all policies meet.

    Attributes:
        arrivals: When each task arrives, in ms.
        work: Per task and attempt, the work in ms at speed 1.
        luck: Per task and attempt, uniform on 0..1; below its instance's failure rate it fails.
        speeds: Per instance; their mean is 1.
        failure_rates: Per instance.
        dying: The instance that dies.
        death: When it dies, in ms.
    """

    arrivals: Sequence[float]
    work: Sequence[Sequence[float]]
    luck: Sequence[Sequence[float]]
    speeds: Sequence[float]
    failure_rates: Sequence[float]
    dying: int
    death: float

    def pace(self, instance: Instance) -> float:
        """Successes per second of work: the inverse of the expected time to a success."""
        return self.speeds[instance.number] * (1 - self.failure_rates[instance.number])

    def dead(self, number: int, now: float) -> bool:
        """Whether an instance is dead by then."""
        return number == self.dying and now >= self.death

    def succeeds(self, task: int, attempt: int, number: int, now: float) -> bool:
        """Whether an attempt that ends now at an instance is a success."""
        lucky = self.luck[task][attempt] >= self.failure_rates[number]
        return lucky and not self.dead(number, now)

    def gone(self, number: int) -> float:
        """Until when an instance was alive and tasks arrived, in ms."""
        return self.death if number == self.dying else self.arrivals[-1]

    @classmethod
    def draw(cls, tasks: int, seed: int) -> World:
        """The world of a seed."""
        random = Random(seed)
        steps = [i / (INSTANCES - 1) for i in range(INSTANCES)]
        speeds = [SPEED_RATIO**step for step in steps]
        low, high = FAILURE_RATES
        failure_rates = [low + (high - low) * step for step in steps]
        random.shuffle(speeds)
        random.shuffle(failure_rates)
        gap = WORK_MS / (LOAD * INSTANCES * CAPACITY)
        arrivals: list[float] = []
        for _ in range(tasks):
            arrivals.append((arrivals[-1] if arrivals else 0.0) + random.expovariate(1 / gap))
        return cls(
            arrivals=arrivals,
            work=[[random.expovariate(1 / WORK_MS) for _ in range(ATTEMPTS)] for _ in arrivals],
            luck=[[random.random() for _ in range(ATTEMPTS)] for _ in arrivals],
            speeds=[speed / fmean(speeds) for speed in speeds],
            failure_rates=failure_rates,
            dying=random.randrange(INSTANCES),
            death=arrivals[tasks // 2],
        )


@dataclass
class Instance:
    """An instance as a policy sees it: its calls now, and what became of those before."""

    number: int
    workload: int = 0
    successes: float = 0.0
    failures: float = 0.0
    duration: float = 0.0
    seen: float = 0.0

    @property
    def name(self) -> str:
        """Its name for selection."""
        return f"agent/{self.number}"

    def record(self, now: float, succeeded: bool, duration: float) -> None:
        """An attempt ended."""
        self.fade(now)
        self.successes += succeeded
        self.failures += not succeeded
        self.duration += duration if succeeded else 0.0

    def fade(self, now: float) -> None:
        """Let older outcomes count for less."""
        kept = 0.5 ** ((now - self.seen) / HALF_LIFE_MS)
        self.successes *= kept
        self.failures *= kept
        self.duration *= kept
        self.seen = now

    def candidate(self) -> Candidate:
        """The instance as selection wants it."""
        return Candidate(
            instance=self.name,
            agent="agent",
            capacity=CAPACITY,
            workload=self.workload,
            expertise=1.0,
            successes=self.successes,
            failures=self.failures,
            mean_ms=self.duration / self.successes if self.successes else None,
            timed=self.successes,
        )


Policy = Callable[[Sequence[Instance], float, str], Instance | None]
"""Chooses one with room among instances, at a time, for an attempt of that name; None to wait."""


def policies(world: World, seed: int) -> dict[str, Policy]:
    """All that are compared, by name, ours first."""
    random, last = Random(seed), -1
    rules = SelectionRules()

    def ours(team: Sequence[Instance], now: float, attempt: str) -> Instance | None:
        by_name = {}
        for instance in team:
            instance.fade(now)
            by_name[instance.name] = instance
        chosen = select([i.candidate() for i in team], rules, seed=attempt).chosen
        return by_name[chosen.instance] if chosen else None

    def at_random(team: Sequence[Instance], now: float, attempt: str) -> Instance | None:
        return random.choice(with_room(team) or [None])

    def round_robin(team: Sequence[Instance], now: float, attempt: str) -> Instance | None:
        nonlocal last
        free = with_room(team)
        if not free:
            return None
        chosen = min(free, key=lambda i: (i.number - last - 1) % INSTANCES)
        last = chosen.number
        return chosen

    def least_busy(team: Sequence[Instance], now: float, attempt: str) -> Instance | None:
        return min(with_room(team), key=lambda i: (i.workload, random.random()), default=None)

    def known_speeds(team: Sequence[Instance], now: float, attempt: str) -> Instance | None:
        alive = [i for i in with_room(team) if not world.dead(i.number, now)]
        return max(alive, key=world.pace, default=None)

    return {
        "ours": ours,
        "random": at_random,
        "round robin": round_robin,
        "least busy": least_busy,
        "known speeds": known_speeds,
    }


def with_room(team: Sequence[Instance]) -> list[Instance]:
    """Those that may be given another call."""
    return [i for i in team if i.workload < CAPACITY]


@dataclass
class Outcome:
    """What came of a policy.

    Attributes:
        latencies: Of the tasks that succeeded, in ms.
        busy: Per instance, the time its calls took while it was alive and tasks arrived, in ms.
        calls: Per instance, when it was given each of its calls, in ms.
    """

    latencies: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=lambda: [0.0] * INSTANCES)
    calls: list[list[float]] = field(default_factory=lambda: [[] for _ in range(INSTANCES)])


def run(world: World, policy: Policy) -> Outcome:
    """Put all tasks through one policy."""
    team = [Instance(number) for number in range(INSTANCES)]
    tried: list[list[int]] = [[] for _ in world.arrivals]
    waiting: list[int] = []
    running: list[tuple[float, int, float]] = []
    arrivals = deque(enumerate(world.arrivals))
    outcome = Outcome()
    while arrivals or running:
        if arrivals and (not running or arrivals[0][1] <= running[0][0]):
            task, now = arrivals.popleft()
            insort(waiting, task)
        else:
            now, task, began = heappop(running)
            instance = team[tried[task][-1]]
            instance.workload -= 1
            attempt = len(tried[task]) - 1
            succeeded = world.succeeds(task, attempt, instance.number, now)
            instance.record(now, succeeded, now - began)
            if succeeded:
                outcome.latencies.append(now - world.arrivals[task])
            elif attempt + 1 < ATTEMPTS:
                insort(waiting, task)
        for task in tuple(waiting):
            if not with_room(team):
                break
            able = [i for i in team if i.number not in tried[task]]
            chosen = policy(able, now, f"{task}/{len(tried[task])}")
            if chosen:
                waiting.remove(task)
                end = now + world.work[task][len(tried[task])] / world.speeds[chosen.number]
                tried[task].append(chosen.number)
                chosen.workload += 1
                heappush(running, (end, task, now))
                outcome.calls[chosen.number].append(now)
                outcome.busy[chosen.number] += max(0.0, min(end, world.gone(chosen.number)) - now)
    return outcome


def figures_of(world: World, outcome: Outcome) -> dict[str, float]:
    """A policy's figures, but for its regret."""
    shares = [busy / CAPACITY / world.gone(i) for i, busy in enumerate(outcome.busy)]
    return {
        "utilization_sigma": pstdev(shares),
        "success_rate": len(outcome.latencies) / len(world.arrivals),
        "mean_ms": fmean(outcome.latencies),
        "p95_ms": quantiles(outcome.latencies, n=20)[-1],
    }


def compare(tasks: int, seed: int) -> dict[str, dict[str, float]]:
    """The figures of every policy in the world of a seed."""
    world = World.draw(tasks, seed)
    compared = policies(world, seed)
    rows = {name: figures_of(world, run(world, policy)) for name, policy in compared.items()}
    bound = rows["known speeds"]["mean_ms"]
    return {name: row | {"regret": row["mean_ms"] / bound - 1} for name, row in rows.items()}


def main() -> None:
    """Compare the policies and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as well")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.tasks < 100:
        parser.error(f"{options.tasks} tasks say nothing; take at least 100")
    rows = compare(options.tasks, options.seed)
    figures = dict(rows["ours"])
    for name, row in rows.items():
        if name != "ours":
            figures |= {f"{name.replace(' ', '_')}_{figure}": v for figure, v in row.items()}
    title = f"Selection among {INSTANCES} instances, {options.tasks} tasks, seed {options.seed}"
    show_rows(title, rows, figures, as_json=options.json)


if __name__ == "__main__":
    main()
