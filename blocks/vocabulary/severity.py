"""The two scales that everything is ordered by: how bad, and how urgent."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Priority(IntEnum):
    """How urgent work is; higher goes first."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    CRITICAL = 4


class Severity(StrEnum):
    """How bad something is; ordered by that, not by the alphabet."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for ``info`` up to 3 for ``critical``."""
        return _RANKS[self]

    def __lt__(self, other: str) -> bool:
        return self.rank < Severity(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Severity(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Severity(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Severity(other).rank

    @property
    def priority(self) -> Priority:
        """The priority of work that this severity calls for."""
        return Priority(self.rank + 1)


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}
