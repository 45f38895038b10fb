"""People are told of incidents: at once, again, further up, and when it is over; each once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from blocks.crash_points import reach
from blocks.ledger import Ledger
from blocks.ledger.events.records import IncidentRecord
from blocks.ledger.events.steps import step
from blocks.ledger.incidents.entries import EntryKind, IncidentEntry
from blocks.ledger.work.effects import EffectRecord
from blocks.ledger.work.tellings import Telling
from blocks.policy.policy import Policy
from blocks.prefect_api.notifications import channels as everybody
from blocks.vocabulary.severity import Severity
from flows.orchestrator.approvals.caretaker import Caretaker
from flows.orchestrator.digests.quiet_hours import quiet_until
from flows.orchestrator.effects.notifications import (
    NOTIFICATION,
    deliver,
    is_shadow,
    notification,
)
from flows.orchestrator.effects.perform import decide
from flows.orchestrator.incidents.notices import SOURCE, Facts, Verdict, judge
from flows.orchestrator.incidents.texts import Setting, letter_of


@dataclass(frozen=True)
class Decision:
    """What an audience knows from now on, and by what it is told.

    Attributes:
        tellings: How what it is told of stands.
        effects: By which it is told; none where nobody is told anything.
        entries: The steps in the incidents' timelines.
        wanted: By which it would be told.
    """

    tellings: Sequence[Telling] = ()
    effects: Sequence[EffectRecord] = ()
    entries: Sequence[IncidentEntry] = ()
    wanted: Sequence[EffectRecord] = ()


async def escalate_due(
    ledger: Ledger, policy: Policy, now: datetime, setting: Setting | None = None
) -> list[str]:
    """Tell every audience what is due of the incidents. Safe to call at any time, by several.

    Silences are noted, and what flapped may become steady, before anybody is told. What an
    audience knows and the messages that tell it are one transaction: who dies before it leaves
    nothing, and who dies after it leaves messages that the next sweep sends, once.

    Args:
        ledger: Where the incidents are.
        policy: Who is told of what, and when.
        now: The instant to judge at.
        setting: By which clocks and in which money.

    Returns:
        What could not be told now, in words; it is tried again.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    await ledger.incidents.silence(now)
    await ledger.incidents.calm(now, policy.incidents.steady)
    found = await ledger.incidents.open(None, at_least=_least(policy))
    open_ones = {each.id: each for each in found}
    by, due = Caretaker(ledger, policy), list[EffectRecord]()
    for name in policy.notify.audiences:
        due += await _tell(by, name, open_ones, setting or Setting(), now)
    reach("incidents.intended")
    told = await asyncio.gather(*(deliver(by, effect) for effect in due))
    return [fault for fault in told if fault]


def _least(policy: Policy) -> Severity:
    """The mildest that anybody is told of."""
    told = [each.worth_telling for each in policy.notify.audiences.values()]
    return min((*told, *(step.at_least for step in policy.incidents.steps)), default=Severity.ERROR)


async def _tell(
    by: Caretaker,
    name: str,
    open_ones: Mapping[str, IncidentRecord],
    setting: Setting,
    now: datetime,
) -> Sequence[EffectRecord]:
    """Put on record what one audience is told; what is to be sent now."""
    audience = by.policy.notify.audiences[name]
    through = audience.channels or everybody()
    known = await by.ledger.tellings.open(name)
    mine = [each.fingerprint for each in known if each.source == SOURCE]
    if not through or not (open_ones or mine):
        return ()  # nobody can be told, so nobody was; or there is nothing to tell
    missing = [each for each in mine if each not in open_ones]
    ended = await by.ledger.incidents.of(missing) if missing else {}
    is_quiet = quiet_until(audience.quiet, now, setting.timezone) is not None
    if is_quiet and not audience.may_wake:
        return ()  # what goes on then is told afterwards
    asked = set(through) <= set(everybody() or by.policy.notify.channels)
    forgotten = frozenset(missing).difference(ended)
    inhibited = frozenset(await by.ledger.inhibitions.current())
    facts = Facts({**open_ones, **ended}, by.policy, now, forgotten, asked, is_quiet, inhibited)
    if not judge(name, {each.fingerprint: each for each in known}, facts).tellings:
        return ()
    shadow = is_shadow(by)

    def decide_now(told: Mapping[str, Telling]) -> Decision:
        verdict = judge(name, told, facts)
        wanted = _effects(verdict, name, through, setting, now)
        return Decision(
            verdict.tellings,
            () if shadow else wanted,
            () if shadow else _entries(verdict, name, through, now),
            wanted,
        )

    reach("incidents.judged")
    decision = await by.ledger.tellings.tell(name, now, decide_now)
    for effect in decision.wanted:
        why = f"There is news for {name}: {effect.payload['subject']}"
        decide(by, NOTIFICATION, effect, "shadow" if shadow else "", why)
    return decision.effects


def _effects(
    verdict: Verdict, name: str, through: Sequence[str], setting: Setting, now: datetime
) -> list[EffectRecord]:
    found = []
    for notice in verdict.notices:
        subject, body = letter_of(notice, setting, now)
        cause = f"incidents of {notice.group} for {name} at {now.isoformat()}"
        payload = {"subject": subject, "body": body}
        found += [notification(channel, cause, payload, now) for channel in through]
    return found


def _entries(
    verdict: Verdict, name: str, through: Sequence[str], now: datetime
) -> list[IncidentEntry]:
    ways = ", ".join(through)
    found = []
    for notice in verdict.notices:
        kinds = (
            (notice.new, "is told"),
            (notice.again, "is told again: nobody has acknowledged it"),
            (notice.flapping, "is told that it flaps"),
        )
        for incidents, how in kinds:
            for one in incidents:
                entry = step(one.id, EntryKind.ESCALATED, now, f"{name} {how}, through {ways}.")
                found.append(entry.model_copy(update={"id": f"{entry.id} {name}"}))
        for _, ended in notice.over:
            if ended is not None:
                text = f"{name} is told that it is over, through {ways}."
                entry = step(ended.id, EntryKind.ESCALATED, now, text)
                found.append(entry.model_copy(update={"id": f"{entry.id} {name}"}))
    return found
