"""What one look of a probe saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blocks.egress import Reach
from blocks.vocabulary.severity import Severity


@dataclass(frozen=True)
class Call:
    """What every way of probing is handed.

    Attributes:
        who: Who is called, for error messages: ``probe 'front'``.
        timeout: Seconds for everything.
        reach: Which internal hosts and files may be reached.
    """

    who: str
    timeout: float
    reach: Reach


@dataclass(frozen=True)
class Fault:
    """What is wrong, in words that name no secret.

    Attributes:
        severity: How bad it is, where the answer tells; None: as bad as the probe says.
        lasting: Whether it is no matter of chance: another look would see the same.
        kind: What sort of trouble, as a signal says it.
    """

    what: str
    severity: Severity | None = None
    lasting: bool = False
    kind: str = "probe.failed"


@dataclass(frozen=True)
class Seen:
    """One look.

    Attributes:
        fault: What is wrong; None when nothing is.
        latency_ms: Time to the whole answer; None when none came.
        values: What else was measured, ``what_unit`` to its value.
    """

    fault: Fault | None = None
    latency_ms: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def up(self) -> bool:
        """Whether it does what it should: a certificate that will expire is no outage."""
        return self.fault is None or self.fault.kind != "probe.failed"
