"""Notifications: a person is told something, through each channel once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from blocks.errors import DeliveryUnknown, NotFound, OrchestratorError
from blocks.ledger.work.effects import EffectRecord
from blocks.prefect_api.notifications import channels, send
from blocks.settings import get_settings
from blocks.vocabulary.effects import Approval, Effect, EffectStatus
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.effects.kinds import Came, Kind
from flows.orchestrator.effects.perform import Doer, decide, intend, perform
from flows.reports.mail import digest, letters
from flows.reports.mail.digest import Digest
from flows.reports.mail.letters import Letter
from flows.reports.model import Report

DEADLINE = 15.0
"""Seconds that it may take to send one."""


async def notify(by: Doer, cause: str, subject: str, body: str) -> list[str]:
    """Tell whoever is to be told, through every channel at once; each is told of a cause once.

    The channels are those of ``ORCHESTRATOR_NOTIFY``, else those of all audiences.

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
    payload = {"subject": subject, "body": body}
    names = channels() or by.policy.notify.channels
    told = await asyncio.gather(*(_tell(by, name, cause, payload) for name in names))
    return [fault for fault in told if fault]


async def _tell(by: Doer, channel: str, cause: str, payload: dict[str, Any]) -> str:
    """What went wrong; empty when it was sent, now or before."""
    intent = await put_on_record(by, notification(channel, cause, payload, utc_now()))
    return await deliver(by, intent) if intent else ""


async def put_on_record(by: Doer, wanted: EffectRecord) -> EffectRecord | None:
    """The notification, on record; None when it was told before, or nobody is told anything."""
    subject = wanted.payload["subject"]
    if is_shadow(by):
        decide(by, NOTIFICATION, wanted, "shadow", f"It would be told: {subject}")
        return None
    return await intend(by, NOTIFICATION, wanted, f"Somebody is to be told: {subject}")


def is_shadow(by: Doer) -> bool:
    """Whether nobody is told anything, and it is only written down what would be."""
    return by.policy.effects.approval_of(NOTIFICATION.name, NOTIFICATION.says) is Approval.SHADOW


def notification(
    channel: str,
    cause: str,
    payload: dict[str, Any],
    now: datetime,
    *,
    at: datetime | None = None,
) -> EffectRecord:
    """What is to be told through a channel, once per cause.

    Args:
        channel: A notification block.
        cause: What it is about.
        payload: ``subject``, and of these one: ``body``, a text; ``digest``, a digest; ``report``,
            the run whose report it is.
        now: When that is decided.
        at: When it is to be sent, by whoever sweeps; None: now, by who decides it.
    """
    return EffectRecord(
        kind=NOTIFICATION.name,
        target=f"channel:{channel}",
        need_key=f"{cause} through {channel}",
        cause=cause,
        payload=payload,
        intended_at=now,
        next_at=at or now + NOTIFICATION.lease,
    )


async def deliver(by: Doer, intent: EffectRecord) -> str:
    """Send what is on record; what went wrong, or empty."""
    effect = await perform(by, NOTIFICATION, intent, _send, utc_now() + NOTIFICATION.lease)
    if effect is None or effect.status is EffectStatus.DONE:
        return ""
    channel = effect.target.removeprefix("channel:")
    again = " It is tried again." if effect.status is EffectStatus.INTENDED else ""
    return f"Nobody was notified through {channel}: {effect.outcome.detail}{again}"


async def _send(effect: EffectRecord) -> Came:
    channel = effect.target.removeprefix("channel:")
    try:
        letter = await _letter(effect.payload)
        async with asyncio.timeout(DEADLINE):
            await send(channel, letter.subject, letter.text, letter.html)
    except TimeoutError:
        return Came(EffectStatus.UNKNOWN, f"It was not over within {DEADLINE:g} s.")
    except DeliveryUnknown as error:
        return Came(EffectStatus.UNKNOWN, error.what)
    except NotFound as error:  # what the ledger has forgotten it will not have later
        return Came(EffectStatus.FAILED, error.what, is_final=True)
    except OrchestratorError as error:
        return Came(EffectStatus.FAILED, error.what)
    except Exception as error:  # of a block of somebody's own; its words may hold an address
        return Came(EffectStatus.UNKNOWN, f"Sending broke off ({type(error).__name__}).")
    return Came(EffectStatus.DONE, "It was taken.")


async def _letter(payload: dict[str, Any]) -> Letter:
    """What is told, put into words when it is sent: the ledger keeps what it is made of."""
    if "digest" in payload:
        return digest.letter_of(Digest.model_validate(payload["digest"]))
    if "report" in payload:
        return letters.letter_of(await _report(str(payload["report"])))
    return Letter(str(payload["subject"]), str(payload["body"]))


async def _report(run_id: str) -> Report:
    found = await shared_ledger(get_settings().effective_ledger_url).report(run_id)
    if found is None:
        raise NotFound(f"The ledger no longer has the report of run {run_id}.")
    return Report.model_validate(found.body)


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
