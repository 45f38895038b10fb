"""What the work of one item takes, as the ledger has it of past runs that ordered some."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReportRecord
from blocks.prefect_api.client import RunInfo

WORKFLOW = "critical-inventory"
"""Its runs say in their reports how many items they drafted orders for, or held back."""

RUNS = 5
"""So many of the last runs that handled items are looked at."""

_CALLS = 500  # of one run; it makes a few dozen

ASSUMED_SECONDS = 3.0
"""Seconds of work per item where nothing is measured: a check, an order and a confirmation, each a
call of a second."""


@dataclass(frozen=True)
class PastWork:
    """What past runs took.

    Attributes:
        items: Items that they handled together.
        agents: By agent, the seconds that its calls took.
        pools: By work pool, the seconds that the runs themselves took.
        runs: How many runs.
    """

    items: int = 0
    agents: Mapping[str, float] = field(default_factory=dict)
    pools: Mapping[str, float] = field(default_factory=dict)
    runs: int = 0

    def agent(self, name: str) -> tuple[float, str]:
        """Seconds of an agent's work that one item takes, and how that is known."""
        return self._per_item(self.agents.get(name, 0.0))

    def pool(self, name: str) -> tuple[float, str]:
        """Seconds of a pool's slots that one item takes, and how that is known."""
        if self.items and not self.pools:  # they ran in no pool: nothing is known of any
            return _ASSUMED
        return self._per_item(self.pools.get(name, 0.0))

    def _per_item(self, seconds: float) -> tuple[float, str]:
        if not self.items:
            return _ASSUMED
        each = seconds / self.items
        return each, f"measured: {each:.2g} s per item, over {self.items} items of {self.runs} runs"


_ASSUMED = (ASSUMED_SECONDS, f"assumed: {ASSUMED_SECONDS:g} s per item, as no run has handled any")


async def past_work(ledger: Ledger, finished: Sequence[RunInfo]) -> PastWork:
    """What the last runs took that handled items: all of their work, also what comes once a run.

    So it is rather too much for a surge of many items than too little.

    Args:
        ledger: Where their reports and calls are.
        finished: Prefect's runs, which know their pool.

    Raises:
        LedgerUnavailable: The ledger cannot be read.
    """
    reports = await ledger.latest_reports(workflow=WORKFLOW, limit=RUNS)
    pool_of = {run.id: run.pool for run in finished}
    items, runs = 0, 0
    agents: defaultdict[str, float] = defaultdict(float)
    pools: defaultdict[str, float] = defaultdict(float)
    for report in reports:
        run = await ledger.run(report.run_id)
        handled = items_of(report)
        if run is None or run.finished_at is None or not handled:
            continue
        items, runs = items + handled, runs + 1
        for call in await ledger.calls(run_id=run.id, limit=_CALLS):
            agents[call.agent] += (call.duration_ms or 0.0) / 1000
        if pool := pool_of.get(run.flow_run_id or ""):
            pools[pool] += (run.finished_at - run.started_at).total_seconds()
    return PastWork(items, dict(agents), dict(pools), runs)


def items_of(report: ReportRecord) -> int:
    """How many items a run drafted orders for, or held back; 0 where its report does not say."""
    plan = report.body.get("orders")
    if not isinstance(plan, dict):
        return 0
    lines = [line for order in plan.get("orders", []) for line in order.get("lines", [])]
    return len(lines) + len(plan.get("held", []))
