"""What of the incidents an audience is told now, by what it was told before.

Grouping is Alertmanager's: a group's first notice waits, later ones keep an interval, what nobody
acknowledges is repeated. Pure: the same facts give the same notices.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from blocks.ledger.events.records import IncidentRecord, IncidentState
from blocks.ledger.work.tellings import Telling
from blocks.policy.policy import Policy
from blocks.vocabulary.severity import Severity

SOURCE = "incidents"
"""Who saw what an audience is told of here; checks tell of theirs themselves."""

ASKED_SOON = timedelta(seconds=90)
"""So long after it began, the question about what nobody knows is out, or nobody can put it."""


@dataclass
class Notice:
    """What an audience is told of one group at once.

    Attributes:
        group: Which.
        new: What it was not told of yet, or is worse than it was told.
        again: What it was told of, and nobody has acknowledged since.
        flapping: What begins and ends again and again.
        over: What has ended; None where the ledger has forgotten the incident.
        open: How many of the group go on.
    """

    group: str
    new: list[IncidentRecord] = field(default_factory=list)
    again: list[IncidentRecord] = field(default_factory=list)
    flapping: list[IncidentRecord] = field(default_factory=list)
    over: list[tuple[Telling, IncidentRecord | None]] = field(default_factory=list)
    open: int = 0

    @property
    def told(self) -> list[IncidentRecord]:
        """What goes on, the worst first."""
        return in_order([*self.new, *self.again, *self.flapping])

    @property
    def worst(self) -> Severity | None:
        """Of what is new."""
        return max((one.severity for one in (*self.new, *self.flapping)), default=None)


def in_order(incidents: Sequence[IncidentRecord]) -> list[IncidentRecord]:
    """The worst first, of equal ones the oldest."""
    return sorted(incidents, key=lambda one: (-one.severity.rank, one.opened_at, one.title))


@dataclass
class Verdict:
    """What an audience is told, and how all of it stands from now on."""

    notices: list[Notice] = field(default_factory=list)
    tellings: list[Telling] = field(default_factory=list)


@dataclass(frozen=True)
class Facts:
    """What notices follow from.

    Attributes:
        incidents: All that are open, and those that the audience was told of, by id.
        policy: Who is told of what, and when.
        now: The instant to judge at.
        forgotten: What the audience was told of and the ledger no longer has.
        asked: Whether questions to a person reach this audience anyway.
        quiet: Whether it is told only of what is new and critical now.
        inhibited: Incidents that another one explains: that one is told.
    """

    incidents: Mapping[str, IncidentRecord]
    policy: Policy
    now: datetime
    forgotten: frozenset[str] = frozenset()
    asked: bool = False
    quiet: bool = False
    inhibited: frozenset[str] = frozenset()


def fingerprint_of(incident: IncidentRecord) -> str:
    """What an audience's ``about`` is held against: ``kind/resource``."""
    return f"{incident.type.replace('.', '-').lower()}/{incident.resource}"


def concerns(audience: str, incident: IncidentRecord, facts: Facts) -> bool:
    """Whether an audience is to be told of an incident: it is its own, or has come to it."""
    policy = facts.policy
    if incident.assigned_to == audience:
        return True
    is_grave = incident.severity >= policy.notify.audiences[audience].worth_telling
    if is_grave and audience in policy.notify.concerned(fingerprint_of(incident)):
        return True
    waited = facts.now - _since(incident, facts.now)
    return any(
        step.audience == audience
        and incident.severity >= step.at_least
        and waited >= timedelta(minutes=step.after_minutes)
        for step in policy.incidents.steps
    )


def _since(incident: IncidentRecord, now: datetime) -> datetime:
    """From when on nobody has seen to it as it is now."""
    marks = [incident.began_at, incident.worsened_at, incident.acknowledged_until]
    return max(mark for mark in marks if mark is not None and mark <= now)


def judge(audience: str, known: Mapping[str, Telling], facts: Facts) -> Verdict:
    """What an audience is told now.

    Args:
        audience: Its name, one of the policy's.
        known: What it was told of and was not over, by fingerprint.
        facts: How the incidents stand.
    """
    mine = {
        name: telling
        for name, telling in known.items()
        if telling.source == SOURCE and (name in facts.incidents or name in facts.forgotten)
    }
    groups: dict[str, dict[str, IncidentRecord | None]] = {}
    for name in mine:
        found = facts.incidents.get(name)
        groups.setdefault(found.notice_group if found else name, {})[name] = found
    for incident in facts.incidents.values():
        if not incident.is_over and concerns(audience, incident, facts):
            groups.setdefault(incident.notice_group, {})[incident.id] = incident
    verdict = Verdict()
    for group, members in sorted(groups.items()):
        _judge_group(audience, group, members, mine, facts, verdict)
    return verdict


def _judge_group(
    audience: str,
    group: str,
    members: Mapping[str, IncidentRecord | None],
    known: Mapping[str, Telling],
    facts: Facts,
    verdict: Verdict,
) -> None:
    before = [known[name] for name in members if name in known]
    notice, silently = Notice(group), list[IncidentRecord]()
    for name, incident in members.items():
        if incident is None or incident.is_over:
            notice.over.append((known[name], incident))
            continue
        notice.open += 1
        _sort_in(incident, known.get(name), facts, notice, silently)
    if not _may_go(notice, before, facts):
        notice = Notice(group)
    elif notice.told or notice.over:
        verdict.notices.append(notice)
    verdict.tellings += _tellings(audience, notice, silently, members, known, facts.now)


def _sort_in(
    incident: IncidentRecord,
    told: Telling | None,
    facts: Facts,
    notice: Notice,
    silently: list[IncidentRecord],
) -> None:
    """What there is to tell of one that goes on, if anything."""
    now, rules = facts.now, facts.policy.incidents
    seen_to = incident.state(now) is IncidentState.ACKNOWLEDGED
    if incident.is_silenced or seen_to or incident.id in facts.inhibited:
        return
    if told is None:
        if now - incident.began_at < timedelta(seconds=facts.policy.events.group_wait_seconds):
            return
        if facts.asked and incident.group_key is not None:
            if incident.approval_id is not None:
                silently.append(incident)  # the question has told them
            if incident.approval_id is not None or now - incident.began_at < ASKED_SOON:
                return
        notice.new.append(incident)
    elif incident.severity > Severity(told.state):
        notice.new.append(incident)
    elif incident.flapping_since is not None:
        if told.told_at < incident.flapping_since:
            notice.flapping.append(incident)
    elif now - told.told_at >= rules.repeat or _ran_out(incident, told, now):
        notice.again.append(incident)


def _ran_out(incident: IncidentRecord, told: Telling, now: datetime) -> bool:
    """Whether who saw to it has not been heard of for so long that others are called again."""
    until = incident.acknowledged_until
    return until is not None and told.told_at < until <= now


def _may_go(notice: Notice, before: Sequence[Telling], facts: Facts) -> bool:
    """Whether a group's notice goes out now, or is kept for the next look."""
    worst = notice.worst
    if facts.quiet:
        return worst is Severity.CRITICAL
    if not before or not notice.open:
        return True  # its first, after the wait; or its last: all of it is over
    if worst is not None and worst > max(Severity(told.state) for told in before):
        return True
    return facts.now - max(told.told_at for told in before) >= facts.policy.incidents.interval


def _tellings(
    audience: str,
    notice: Notice,
    silently: Collection[IncidentRecord],
    members: Mapping[str, IncidentRecord | None],
    known: Mapping[str, Telling],
    now: datetime,
) -> Iterator[Telling]:
    """How what the audience knows stands from now on, where that changes.

    A notice says how many of its group go on, so all of them are told with it.
    """
    told = {one.id: one for one in (*notice.told, *silently)}
    if notice.told or notice.over:
        told |= {one.id: one for name, one in members.items() if one and name in known}
    over = {telling.fingerprint for telling, _ in notice.over}
    for one in told.values():
        if one.id not in over:
            before = known.get(one.id)
            yield Telling(
                audience=audience,
                fingerprint=one.id,
                state=max(one.severity, Severity(before.state) if before else one.severity).value,
                title=one.title,
                source=SOURCE,
                since=before.since if before else now,
                told_at=now,
            )
    for telling, _ in notice.over:
        yield telling.model_copy(update={"over_at": now})
