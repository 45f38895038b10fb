"""Remedies that may be tried without asking a person, and the reasons not to try them.

A remedy checks first that it is still needed, says which change it predicts, acts, and then looks
whether the change came. A remedy that completed and changed nothing is ineffective.
"""

from agents.sre_reliability.automation.policy import (
    HISTORY,
    IN_PROGRESS,
    Reason,
    presumed_end,
    reason_not_to_act,
)
from agents.sre_reliability.automation.refetch import refetch_snapshot
from agents.sre_reliability.automation.restart import restart_service
from agents.sre_reliability.automation.result import RemediationResult

__all__ = [
    "HISTORY",
    "IN_PROGRESS",
    "Reason",
    "RemediationResult",
    "presumed_end",
    "reason_not_to_act",
    "refetch_snapshot",
    "restart_service",
]
