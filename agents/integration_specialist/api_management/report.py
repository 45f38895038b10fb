"""What is reported of connections."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from blocks.business.connections import Kind
from blocks.vocabulary.findings import Finding


class ConnectionCheck(BaseModel):
    """What one connection answered. None means: not looked at, or cannot be known.

    Attributes:
        name: The connection's name.
        kind: What it connects to.
        reached: It answered.
        authenticated: It knows us.
        shape_ok: Its answer is what the connection promises; of a service True when metrics
            were read, which it does not promise.
        healthy: It answers 2xx and calls itself well; only services say so.
        latency_ms: Time to its complete answer.
        clock_skew_s: Its clock minus ours.
        rows: How many rows it gave.
        detail: What is wrong or noteworthy, in words.
    """

    name: str
    kind: Kind
    reached: bool
    authenticated: bool | None = None
    shape_ok: bool | None = None
    healthy: bool | None = None
    latency_ms: float | None = None
    clock_skew_s: float | None = None
    rows: int | None = None
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing that was looked at is wrong."""
        wrong = False in (self.authenticated, self.shape_ok, self.healthy)
        return self.reached and not wrong


class IntegrationReport(BaseModel):
    """All connections, and what is wrong with those to the store and the suppliers.

    Services appear among the checks only: what is wrong with them is for sre-reliability to say.
    """

    checked_at: datetime
    checks: list[ConnectionCheck]
    findings: list[Finding]
