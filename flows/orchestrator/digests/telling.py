"""The door through which the audiences of a check are told what it saw."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from agents.calls import Reply
from blocks.crash_points import reach
from blocks.ledger.incidents.entries import IncidentEntry
from blocks.ledger.work.effects import EffectRecord
from blocks.ledger.work.tellings import Telling
from blocks.policy.notify_rules import Audience
from blocks.prefect_api.notifications import channels as everybody
from blocks.vocabulary.messages import Outcome
from blocks.vocabulary.severity import Severity
from flows.orchestrator.digests.changes import changes
from flows.orchestrator.digests.quiet_hours import quiet_until
from flows.orchestrator.digests.seen import Look, digest_of, look_of
from flows.orchestrator.effects.notifications import (
    NOTIFICATION,
    deliver,
    is_shadow,
    notification,
    put_on_record,
)
from flows.orchestrator.effects.perform import Doer, decide
from flows.reports.mail.digest import Digest
from flows.reports.model import Report, local

DAILY = "daily-health-check"
"""The workflow whose report is sent each day to who wants it."""


@dataclass(frozen=True)
class Decision:
    """What an audience knows from now on, and by what it is told.

    Attributes:
        tellings: How what it is told of stands.
        effects: By which it is told; none where nobody is told anything.
        entries: None: a check tells of no incident.
        wanted: By which it would be told.
    """

    tellings: Sequence[Telling]
    effects: Sequence[EffectRecord] = ()
    entries: Sequence[IncidentEntry] = ()
    wanted: Sequence[EffectRecord] = ()


@dataclass(frozen=True)
class Addressed:
    """One audience, through its channels, at the instant of a check."""

    by: Doer
    name: str
    audience: Audience
    channels: Sequence[str]
    now: datetime

    async def tell_news(self, look: Look, business: str) -> Sequence[EffectRecord]:
        """Put on record what is news to it; what is to be sent now."""
        seen = look.seen_by(self.name, self.by.policy.notify)
        shadow, incidents = is_shadow(self.by), look.incidents

        def judge(known: Mapping[str, Telling]) -> Decision:
            # What it was told of before it became an incident stays open to it until it is over.
            ours = [s for s in seen if s.fingerprint in known or s.fingerprint not in incidents]
            found = changes(self.name, known, ours, look.looked, self.audience.repeat, self.now)
            digest = digest_of(look, business, found)
            wanted = self._by_digest(look.report, digest) if digest else ()
            return Decision(found.tellings, () if shadow else wanted, wanted=wanted)

        decision = await self.by.ledger.tellings.tell(self.name, self.now, judge)
        for effect in decision.wanted:
            why = f"There is news for {self.name}: {effect.payload['subject']}"
            decide(self.by, NOTIFICATION, effect, "shadow" if shadow else "", why)
        return [effect for effect in decision.effects if not self._is_held(effect)]

    def _by_digest(self, report: Report, digest: Digest) -> list[EffectRecord]:
        is_urgent = any(matter.severity is Severity.CRITICAL for matter in digest.new.matters)
        held = None if is_urgent and self.audience.may_wake else self._quiet_until(report)
        cause = f"digest of {report.run_id} for {self.name}"
        payload = {"subject": digest.subject, "digest": digest.model_dump(mode="json")}
        return [notification(each, cause, payload, self.now, at=held) for each in self.channels]

    async def send_report(self, report: Report) -> Sequence[EffectRecord]:
        """Put on record that it gets the report of the day, once a day; what is to be sent now."""
        when = local(report.finished_at, report.timezone)
        day = report.finished_at.astimezone(ZoneInfo(report.timezone)).date()
        payload = {"subject": f"{report.title}, {when}", "report": report.run_id}
        held, due = self._quiet_until(report), []
        for channel in self.channels:
            cause = f"report of {day} for {self.name}"
            wanted = notification(channel, cause, payload, self.now, at=held)
            intent = await put_on_record(self.by, wanted)
            due += [intent] if intent and not self._is_held(intent) else []
        return due

    def _quiet_until(self, report: Report) -> datetime | None:
        return quiet_until(self.audience.quiet, self.now, report.timezone)

    def _is_held(self, effect: EffectRecord) -> bool:
        """Whether it is sent later, by whoever sweeps."""
        return effect.next_at is not None and effect.next_at > self.now + NOTIFICATION.lease


async def tell(by: Doer, business: str, report: Report, replies: Sequence[Reply]) -> list[str]:
    """Tell every audience what is news to it of a check, and send the daily report.

    Each change is told once, what stays open again after the audience's interval, what is over
    once. What quiet hours hold back is sent when they are over. All of it is on record before
    anything is sent: a run that dies loses nothing, and none tells anything twice.

    Args:
        by: Who tells it.
        business: What the business is called.
        report: The check's report, which the ledger has.
        replies: What the agents answered, of which the report was made.

    Returns:
        What could not be told now, in words.

    Raises:
        LedgerError: It could not be put on record.
    """
    now, look = report.finished_at, look_of(report, replies)
    due: list[EffectRecord] = []
    for name, audience in by.policy.notify.audiences.items():
        channels = audience.channels or everybody()
        if not channels:
            continue  # nobody can be told, so nobody was
        addressed = Addressed(by, name, audience, channels, now)
        due += await addressed.tell_news(look, business)
        if audience.daily_report and report.workflow == DAILY and _is_worth_reading(report):
            due += await addressed.send_report(report)
    reach("digests.intended")
    told = await asyncio.gather(*(deliver(by, effect) for effect in due))
    return [fault for fault in told if fault]


def _is_worth_reading(report: Report) -> bool:
    """Whether it tells more than that nothing could be looked at, which is news of its own."""
    return report.outcome is not Outcome.FAILED
