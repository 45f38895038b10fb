"""Where a run is started, by how urgent it is: the judgement. Whoever starts runs asks here."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.vocabulary.messages import Priority

SUFFIX = "-critical"
"""The second deployment of a workflow that may be critical ends so, and is in a pool of its own.

A deployment is bound to one pool, and what is critical must not wait for slots of the others.
"""

_QUEUES = {
    Priority.CRITICAL: ("critical", "critical"),
    Priority.HIGH: ("operations", "high"),
    Priority.NORMAL: ("operations", "default"),
    Priority.LOW: ("operations", "low"),
}


@dataclass(frozen=True)
class Place:
    """Where a run is started.

    Attributes:
        deployment: ``flow/deployment``, as Prefect names it.
        pool: The work pool that the deployment is bound to.
        queue: The queue of the pool.
    """

    deployment: str
    pool: str
    queue: str


def place_of(workflow: str, priority: Priority) -> Place:
    """Where a run of a workflow is started.

    Args:
        workflow: Dashed name of the workflow, which is its flow's and deployment's name.
        priority: How urgent the run is; a critical one needs the workflow's second deployment.
    """
    pool, queue = _QUEUES[priority]
    suffix = SUFFIX if priority is Priority.CRITICAL else ""
    return Place(f"{workflow}/{workflow}{suffix}", pool, queue)
