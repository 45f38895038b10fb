"""The ledger: the one record of runs, calls, remediations, reports and snapshots."""

from blocks.ledger.records import (
    AgentActivity,
    AttemptRecord,
    CallRecord,
    RemediationRecord,
    RemediationStatus,
    ReportRecord,
    RunRecord,
)
from blocks.ledger.store import Ledger

__all__ = [
    "AgentActivity",
    "AttemptRecord",
    "CallRecord",
    "Ledger",
    "RemediationRecord",
    "RemediationStatus",
    "ReportRecord",
    "RunRecord",
]
