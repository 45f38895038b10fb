"""The ledger: the one record of runs, calls, effects, reports and snapshots."""

from blocks.ledger.calls.records import (
    AgentActivity,
    AttemptRecord,
    CallRecord,
    ReceiptKind,
    ReceiptRecord,
    ReportRecord,
    RunRecord,
)
from blocks.ledger.ledger import Ledger
from blocks.ledger.work.claims import Claim
from blocks.ledger.work.effects import EffectOutcome, EffectRecord
from blocks.ledger.work.tasks import TaskRecord, TaskStatus

__all__ = [
    "AgentActivity",
    "AttemptRecord",
    "CallRecord",
    "Claim",
    "EffectOutcome",
    "EffectRecord",
    "Ledger",
    "ReceiptKind",
    "ReceiptRecord",
    "ReportRecord",
    "RunRecord",
    "TaskRecord",
    "TaskStatus",
]
