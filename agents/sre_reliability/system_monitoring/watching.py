"""Watching a call while another agent works on it, and stopping it when going on would do harm."""

from __future__ import annotations

import asyncio
from time import monotonic

from agents.capability import ANYBODY, action
from agents.sre_reliability.system_monitoring import host
from agents.sre_reliability.system_monitoring.assessment import HostHealth
from blocks.errors import InvalidMessage
from blocks.ledger import Ledger
from blocks.models import Strict
from blocks.settings import get_settings
from blocks.vocabulary.messages import Severity

LOOK_EVERY = 1.0  # seconds
LONGEST = 600.0
"""Seconds after which no watched call may go on, whatever the limit asked for."""

EXHAUSTIBLE = frozenset({"disk-low", "memory-low"})
"""What a call can use up for everybody else. A busy CPU only makes it slower."""


class WatchVerdict(Strict):
    """How a watch ended.

    Attributes:
        stop: Whether the watched call should be stopped.
        reason: Why the watch ended, in one sentence.
        looks: How often it looked.
    """

    stop: bool
    reason: str
    looks: int

    @property
    def summary(self) -> str:
        """The reason."""
        return self.reason


@action(timeout=LONGEST + 30, retries=0, askers=ANYBODY)
async def watch_run(
    ledger: Ledger, task_type: str, message_id: str, limit_s: float = 120.0
) -> WatchVerdict:
    """Watch a call until it is answered; say "stop" when it must not go on.

    Looks about once a second at the ledger and at this machine. Meant to run beside the call it
    watches, and to be cancelled with it.

    Args:
        ledger: Where the call's message and reply are.
        task_type: What the call is for, to say so.
        message_id: The call's message, which need not be in the ledger yet.
        limit_s: Seconds that the call may take, at most 600.

    Raises:
        InvalidMessage: The limit is out of range.
        LedgerUnavailable: The ledger cannot be read.
    """
    if not 0 < limit_s <= LONGEST:
        raise InvalidMessage(f"limit_s is {limit_s}.", hint=f"Use up to {LONGEST:g} seconds.")
    folder = ledger.path.parent if ledger.path else get_settings().state_dir
    end, looks = monotonic() + limit_s, 0
    while True:
        looks += 1
        call = await ledger.call(message_id)
        if call and call.outcome:
            reason = f"{call.agent}.{call.action} has answered: it {call.outcome}."
            return WatchVerdict(stop=False, reason=reason, looks=looks)
        if shortage := exhausted(await asyncio.to_thread(host.read_host, folder)):
            reason = f"{task_type} must stop: {shortage}."
            return WatchVerdict(stop=True, reason=reason, looks=looks)
        if (left := end - monotonic()) <= 0:
            reason = f"{task_type} must stop: it has not been done within {limit_s:g} s."
            return WatchVerdict(stop=True, reason=reason, looks=looks)
        await asyncio.sleep(min(LOOK_EVERY, left))


def exhausted(seen: HostHealth) -> str:
    """What of this machine is used up so far that a call must stop; "" when nothing is."""
    return "; ".join(
        finding.title
        for finding in host.judge_host(seen)
        if finding.kind in EXHAUSTIBLE and finding.severity is Severity.ERROR
    )
