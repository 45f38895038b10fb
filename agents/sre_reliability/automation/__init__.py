"""Remedies that may be tried without asking a person.

A remedy checks first that it is still needed, says which change it predicts, acts, and then looks
whether the change came. A remedy that completed and changed nothing is ineffective.
"""

from agents.sre_reliability.automation.refetch import refetch_snapshot
from agents.sre_reliability.automation.restart import restart_service
from agents.sre_reliability.automation.result import RemediationResult

__all__ = [
    "RemediationResult",
    "refetch_snapshot",
    "restart_service",
]
