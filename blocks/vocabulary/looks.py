"""What watching sees: each look's samples, and the signals of what is wrong.

A signal is an alert of our own: it fires as long as looks find it, and is resolved by the first
look that covers its subject and does not.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, Field

from blocks.models import Frozen
from blocks.vocabulary.messages import (
    FIRING,
    RESOLVED,
    Name,
    Severity,
    SystemEvent,
    alert_identity,
)

WATCH = "orchestrator.watch"
"""What the sources of our own alerts begin with; the part that looked follows."""


class Sample(Frozen):
    """One value of a series at an instant.

    Attributes:
        series: ``subject/what_unit``: ``service:checkout/latency_ms``, ``host:local/disk_percent``,
            ``store:shop/orders_per_hour``.
    """

    series: str = Field(min_length=1, max_length=300)
    at: AwareDatetime
    value: float = Field(allow_inf_nan=False)


class Signal(Frozen):
    """One thing that a look finds wrong.

    Attributes:
        kind: What sort of trouble, dotted: ``probe.failed``, ``disk.filling``, ``orders.stopped``.
        subject: The thing in trouble, ``type:name``, as findings and events name it.
        severity: How bad it is.
        summary: One sentence a manager understands.
        key: Tells apart what is said of one subject in one kind; empty where there is one.
        impact_per_hour: Money at risk per hour in the store's currency; None when unknown.
        runbook: What to do, a text or a link.
        evidence: The measured values behind it, JSON-able.
    """

    kind: str = Field(pattern=r"^[a-z][a-z0-9]*(\.[a-z0-9_]+)*$")
    subject: str = Field(max_length=500)
    severity: Severity
    summary: str
    key: str = ""
    impact_per_hour: float | None = None
    runbook: str = ""
    evidence: dict[str, Any] = Field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Identity of the trouble, equal from one look to the next."""
        said = "\0".join((self.kind, self.subject, self.key))
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def as_event(self, part: str, now: datetime, *, firing: bool = True) -> SystemEvent:
        """What the inbox is told: that it fires, or that it is over."""
        data: dict[str, Any] = {
            "status": FIRING if firing else RESOLVED,
            "fingerprint": self.fingerprint,
            "annotations": {"summary": self.summary, "runbook_url": self.runbook},
            "labels": {"part": part},
            "evidence": self.evidence,
        }
        if self.impact_per_hour is not None:
            data["impact_per_hour"] = self.impact_per_hour
        source = f"{WATCH}.{part}"
        return SystemEvent(
            id=alert_identity(source, self.fingerprint),
            source=source,
            type=self.kind,
            time=now,
            severity=self.severity if firing else Severity.INFO,
            subject=self.subject,
            data=data,
        )


class Look(Frozen):
    """What one part of watching saw.

    Attributes:
        part: Which one: ``probes``, ``orders``, ``host``.
        covered: The subjects that it looked at and could judge: what fires about one of them and
            is not among the signals is over. About all others nothing is said.
        signals: What is wrong.
        samples: What was measured.
        missing: What could not be looked at and why, in words.
        notes: What is known less well than one may think, for good: no reason to look again.
        failed: Why nothing at all could be looked at, in words for anybody; empty when it was.
    """

    part: Name
    covered: frozenset[str] = frozenset()
    signals: tuple[Signal, ...] = ()
    samples: tuple[Sample, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failed: str = ""
