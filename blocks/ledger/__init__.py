"""The ledger: the one record of runs, calls, remediations, reports and snapshots."""

from blocks.ledger.claims import Claim
from blocks.ledger.records import (
    AgentActivity,
    AttemptRecord,
    CallRecord,
    ReceiptKind,
    ReceiptRecord,
    RemediationRecord,
    RemediationStatus,
    ReportRecord,
    RunRecord,
)
from blocks.ledger.store import Ledger
from blocks.ledger.tasks import TaskRecord, TaskStatus

__all__ = [
    "AgentActivity",
    "AttemptRecord",
    "CallRecord",
    "Claim",
    "Ledger",
    "ReceiptKind",
    "ReceiptRecord",
    "RemediationRecord",
    "RemediationStatus",
    "ReportRecord",
    "RunRecord",
    "TaskRecord",
    "TaskStatus",
]
