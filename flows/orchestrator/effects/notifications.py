"""Notifications: a person is told something, through each channel once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from blocks.errors import OrchestratorError
from blocks.ledger.work.effects import EffectRecord
from blocks.prefect_api.notifications import channels, send
from blocks.vocabulary.effects import Approval, Effect, EffectStatus
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.effects.kinds import Came, Kind
from flows.orchestrator.effects.perform import Doer, decide, intend, perform

DEADLINE = 15.0
"""Seconds that it may take to send one."""


async def notify(by: Doer, cause: str, subject: str, body: str) -> list[str]:
    """Tell whoever is to be told, through every channel at once; each is told of a cause once.

    Args:
        by: Who tells it.
        cause: What it is about; told of it again, nobody is told again.
        subject: In a line.
        body: All of it.

    Returns:
        What went wrong, in words, one entry per channel.

    Raises:
        LedgerError: It could not be put on record, and was not sent.
    """
    told = await asyncio.gather(*(_tell(by, name, cause, subject, body) for name in channels()))
    return [fault for fault in told if fault]


async def _tell(by: Doer, channel: str, cause: str, subject: str, body: str) -> str:
    """What went wrong; empty when it was sent, now or before."""
    now = utc_now()
    until = now + NOTIFICATION.lease
    wanted = EffectRecord(
        kind=NOTIFICATION.name,
        target=f"channel:{channel}",
        need_key=f"{cause} through {channel}",
        cause=cause,
        payload={"subject": subject, "body": body},
        intended_at=now,
        next_at=until,
    )
    if by.policy.effects.approval_of(NOTIFICATION.name, NOTIFICATION.says) is Approval.SHADOW:
        decide(by, NOTIFICATION, wanted, "shadow", f"It would be told: {subject}")
        return ""
    intent = await intend(by, NOTIFICATION, wanted, f"Somebody is to be told: {subject}")
    effect = await perform(by, NOTIFICATION, intent, _send, until) if intent else None
    if effect is None or effect.status is EffectStatus.DONE:
        return ""
    again = " It is tried again." if effect.status is EffectStatus.INTENDED else ""
    return f"Nobody was notified through {channel}: {effect.outcome.detail}{again}"


async def _send(effect: EffectRecord) -> Came:
    channel = effect.target.removeprefix("channel:")
    subject, body = str(effect.payload["subject"]), str(effect.payload["body"])
    try:
        async with asyncio.timeout(DEADLINE):
            await send(channel, subject, body)
    except TimeoutError:
        return Came(EffectStatus.UNKNOWN, f"It was not over within {DEADLINE:g} s.")
    except OrchestratorError as error:
        return Came(EffectStatus.FAILED, error.what)
    except Exception as error:  # of a block of somebody's own; its words may hold an address
        return Came(EffectStatus.UNKNOWN, f"Sending broke off ({type(error).__name__}).")
    return Came(EffectStatus.DONE, "It was taken.")


NOTIFICATION = Kind(
    name="notification",
    says=Effect(
        precondition="a person is needed, and was not told through this channel",
        prediction="the channel takes the message",
        verified_by="the channel's answer",
        blast_radius="whoever reads the channel",
        cooldown=timedelta(0),
    ),
    act=_send,
    schedule=(
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=5),
    ),
    lease=timedelta(seconds=2 * DEADLINE),  # what the ledger takes comes on top
)
"""After the schedule it is a dead letter: ``./orchestrator effects resend``."""
