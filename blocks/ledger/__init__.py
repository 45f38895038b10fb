"""The ledger: the one record of runs, calls, remediations, reports and snapshots."""

from blocks.ledger.calls.records import (
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
from blocks.ledger.ledger import Ledger
from blocks.ledger.work.claims import Claim
from blocks.ledger.work.tasks import TaskRecord, TaskStatus

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
