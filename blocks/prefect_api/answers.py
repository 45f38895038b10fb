"""What Prefect answered, in our own words."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from blocks.models import Frozen


class RunInfo(Frozen):
    """One flow run. Durations are in seconds; ``wait_s`` is None until the run starts.

    ``last_heartbeat_at`` is only looked up for running runs; None where none was seen. ``since`` is
    when it came into its state, ``deployment`` the id of its deployment; None without one.
    """

    id: str
    name: str
    flow: str
    state: str
    pool: str | None = None
    queue: str | None = None
    deployment: str | None = None
    since: AwareDatetime | None = None
    expected_at: AwareDatetime | None = None
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    last_heartbeat_at: AwareDatetime | None = None
    message: str = ""

    @property
    def wait_s(self) -> float | None:
        """Time between when it should have started and when it did."""
        if self.expected_at is None or self.started_at is None:
            return None
        return max(0.0, (self.started_at - self.expected_at).total_seconds())


class WorkerInfo(Frozen):
    """One worker process that has reported to a pool."""

    name: str
    last_heartbeat_at: AwareDatetime | None
    online: bool


class PoolInfo(Frozen):
    """One work pool with its workers.

    Attributes:
        concurrency_limit: The pool's own limit, set in Prefect; None when it has none.
        worker_limit: What its worker runs at once of itself, as ``prefect.yaml`` said when it was
            registered; None for a pool that is not listed there.
    """

    name: str
    type: str
    paused: bool
    concurrency_limit: int | None
    worker_limit: int | None = None
    workers: list[WorkerInfo]

    @property
    def limit(self) -> int | None:
        """The runs at once that really hold; None when nothing limits them.

        Our worker follows its pool's own limit, and keeps to its own while the pool has none.
        """
        return self.worker_limit if self.concurrency_limit is None else self.concurrency_limit

    @property
    def online(self) -> int:
        """How many of its workers are alive."""
        return sum(worker.online for worker in self.workers)


class QueueDepth(Frozen):
    """Runs of one work queue that are due and have not started."""

    pool: str
    queue: str
    due: int
    late: int
    oldest_wait_s: float


class WorkQueueInfo(Frozen):
    """One work queue as a person has set it; ``limit`` is None when it has none."""

    pool: str
    name: str
    paused: bool
    limit: int | None = None


class LimitInfo(Frozen):
    """One concurrency limit, and who holds its slots.

    Attributes:
        name: The limit's own name; ``flow/deployment`` for that of a deployment.
        of_deployment: Whether it is a deployment's; ``name`` is the deployment's then.
        limit: How many slots there are.
        slots: How many of them count as taken.
        changed_at: When that number last changed.
        holders: The runs that hold slots and have not ended.
        unexplained: Slots that may be held by what we cannot see: a process that is no run, or a
            run whose taking of the slot lies too far back.
    """

    name: str
    of_deployment: bool
    limit: int
    slots: int
    changed_at: AwareDatetime
    holders: list[RunInfo] = Field(default_factory=list)
    unexplained: int = 0

    @property
    def orphans(self) -> int:
        """Slots that nobody holds any more, and that nobody can take."""
        return max(0, self.slots - len(self.holders) - self.unexplained)


class DeploymentInfo(Frozen):
    """One deployment: whether it is started by its schedules, and what they asked for in vain.

    Attributes:
        id: Prefect's id.
        name: ``flow/deployment``.
        pool: Its work pool; None when it is served.
        paused: A person has paused it, or each of its schedules.
        scheduled: Whether it has schedules at all.
        missed: Instants within the window at which a schedule asked for a run and none was made.
        ran_since: Whether a run was made for a later instant than the last of them.
    """

    id: str
    name: str
    pool: str | None = None
    paused: bool = False
    scheduled: bool = False
    missed: list[AwareDatetime] = Field(default_factory=list)
    ran_since: bool = False


class PrefectHealth(Frozen):
    """Prefect as it answered at one instant.

    Attributes:
        version: Version of the server.
        latency_ms: Round trip of a trivial request.
        clock_skew_s: Server's clock minus ours; one second resolution.
        runs_by_state: State name to number of runs expected in the last ``window_hours``.
        mean_wait_s: Mean time between expected and actual start over the same runs.
        late: Runs that should have started more than ``late_after_s`` ago, oldest first.
        queues: Due runs by work queue, deepest first; queues without due runs are absent.
        running: Runs that run now, oldest first.
        stalled: Those of ``running`` whose heartbeat stopped, or that run longer than
            ``max_run_hours``.
        pools: Work pools with their workers.
        pending: Runs that are about to start, and may hold slots meanwhile, oldest first.
        cancelling: Runs that are being cancelled, oldest first.
        awaiting_slot: Runs that wait for a slot of their deployment's limit.
        work_queues: Every work queue.
        limits: Concurrency limits that are in force, deployments' included.
        deployments: Every deployment.
        failures: Runs that failed or crashed in the last ``window_hours``, newest first.
        truncated: Which of the lists hit the server's page limit and are incomplete.
    """

    version: str
    latency_ms: float
    clock_skew_s: float | None
    window_hours: float
    runs_by_state: dict[str, int]
    mean_wait_s: float | None
    late: list[RunInfo]
    queues: list[QueueDepth]
    running: list[RunInfo]
    stalled: list[RunInfo]
    pools: list[PoolInfo]
    failures: list[RunInfo]
    pending: list[RunInfo] = Field(default_factory=list)
    cancelling: list[RunInfo] = Field(default_factory=list)
    awaiting_slot: list[RunInfo] = Field(default_factory=list)
    work_queues: list[WorkQueueInfo] = Field(default_factory=list)
    limits: list[LimitInfo] = Field(default_factory=list)
    deployments: list[DeploymentInfo] = Field(default_factory=list)
    truncated: list[str] = Field(default_factory=list)
