"""What is open and nobody's: a person is asked, once per group, and again when nobody answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic

from blocks.crash_points import reach
from blocks.ledger.events.incidents import CLOSE, NEED
from blocks.ledger.events.records import IncidentRecord, IncidentStatus
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.text import printable
from blocks.vocabulary.messages import ORCHESTRATOR, new_id
from blocks.vocabulary.urgency import urgency
from flows.orchestrator.approvals.escalation import escalate
from flows.orchestrator.events.incident import worst_of
from flows.orchestrator.team.team import Orchestrator

LOOK = timedelta(seconds=1)
"""Between two looks of a run that has other work."""

_EXAMPLES = 5
_LONGEST_LIST = 10  # labels of one example


class Standing:
    """Looks after what stands, for one run."""

    def __init__(self, team: Orchestrator) -> None:
        self._team = team
        self._next = datetime.min.replace(tzinfo=UTC)
        self._noted: set[str] = set()

    @property
    def waits(self) -> bool:
        """Whether something that this run settled waits until its group's wait is over."""
        return bool(self._noted)

    def note(self, incident: IncidentRecord) -> None:
        """An incident was settled; if a person is to be asked about it, this run sees to it."""
        if incident.status is IncidentStatus.STANDING and incident.group_key is not None:
            self._noted.add(incident.id)

    async def look(self, now: datetime, *, at_once: bool = False) -> None:
        """Ask what is due, if the last look was some time ago.

        Raises:
            LedgerError: A question could not be kept.
        """
        if not at_once and now < self._next:
            return
        began = monotonic()
        if at_once:
            await self._team.ledger.incidents.end_resolved(now)
        await _withdraw(self._team, now)
        self._noted &= await ask_due(self._team, now)
        # Where thousands stand a look takes long: the run's other work comes first.
        self._next = now + max(LOOK, timedelta(seconds=10 * (monotonic() - began)))


async def ask_due(team: Orchestrator, now: datetime) -> set[str]:
    """Ask a person about what nobody knows and the wait of whose group is over.

    Incidents of one group are one question; those that come while it is open are told in it. Of
    what a silence covers nobody is asked.

    Returns:
        The ids of the incidents whose group still waits.

    Raises:
        LedgerError: A question could not be kept.
    """
    await team.ledger.incidents.silence(now)
    unasked = await team.ledger.incidents.unasked(now)
    if not unasked:
        return set()
    wait = timedelta(seconds=team.policy.events.group_wait_seconds)
    groups: dict[str, list[IncidentRecord]] = {}
    for incident in unasked:
        groups.setdefault(str(incident.group_key), []).append(incident)
    asked, waiting = await team.ledger.incidents.asked(), set()
    for name, group in groups.items():
        question, about = asked.get(name, (None, []))
        if question is None and now - group[0].opened_at < wait:
            waiting |= {incident.id for incident in group}
        else:
            await ask_about(team, [*about, *group], now, question)
    return waiting


async def ask_about(
    team: Orchestrator,
    group: Sequence[IncidentRecord],
    now: datetime,
    question: ApprovalRecord | None = None,
) -> None:
    """Ask whether incidents are dealt with, or tell in an open question of more of them.

    Args:
        team: The run that asks.
        group: All that the question is about, the oldest first.
        now: The instant of asking.
        question: The open one.

    Raises:
        LedgerError: The question could not be kept.
    """
    text = {"title": _title(group), "detail": _detail(team, group)}
    record = question.model_copy(update=text) if question else _question(team, group, text, now)
    more = [incident.id for incident in group if incident.approval_id != record.id]
    kept = await team.ledger.incidents.ask(record, more)
    reach("incident.asked")
    if kept is not None and question is None and kept.id == record.id:
        await escalate(team, record)


def _question(
    team: Orchestrator, group: Sequence[IncidentRecord], text: dict[str, str], now: datetime
) -> ApprovalRecord:
    first = group[0]
    at_risk = [each.impact_per_hour for each in group if each.impact_per_hour is not None]
    return ApprovalRecord(
        id=new_id(),
        need_key=f"{NEED}{first.id} after {first.approval_id or 'none'}",
        run_id=team.run.id,
        resource=first.resource if len(group) == 1 else "",
        priority=urgency(
            worst_of(incident.severity for incident in group),
            now,
            impact_per_hour=max(at_risk, default=None),
            since=first.opened_at,
            rules=team.policy.priorities,
        ).priority,
        proposal={"kind": CLOSE, "group": first.group_key},
        asked_at=now,
        expires_at=now + timedelta(hours=team.policy.recovery.approval_hours),
        **text,
    )


def _title(group: Sequence[IncidentRecord]) -> str:
    title = printable(group[0].title)
    if len(group) == 1:
        return f"{title}: is it dealt with?"
    return f"{title}, and {len(group) - 1:,} more: are they dealt with?"


def _detail(team: Orchestrator, group: Sequence[IncidentRecord]) -> str:
    """Why it is asked, in Markdown; texts from outside as code, so that they are only texts."""
    one = len(group) == 1
    severity = worst_of(incident.severity for incident in group).value
    about = "this incident" if one else f"these {len(group):,} incidents of one group"
    more = len(group) - _EXAMPLES
    parts = [
        f"No agent could deal with {about}; severity **{severity}**, open since "
        f"{group[0].opened_at:%Y-%m-%d %H:%M} UTC.",
        "\n".join(f"- {_example(incident)}" for incident in group[:_EXAMPLES]),
        f"And {more:,} more." if more > 0 else "",
        f"**Yes** closes {'it' if one else 'them'}: there is nothing left to do here. **No**, and "
        f"no answer, leaves {'it' if one else 'them'} open until its source says that it is over; "
        f"you are asked again after {team.policy.recovery.approval_hours:g} hours.",
    ]
    return "\n\n".join(part for part in parts if part)


def _example(incident: IncidentRecord) -> str:
    told = incident.told
    parts = [_code(incident.resource), _code(told.summary or incident.title)]
    parts += [f"runbook {told.runbook}"] if told.runbook else []
    labels = [f"{name}={value}" for name, value in list(told.labels.items())[:_LONGEST_LIST]]
    return ", ".join([*parts, *([_code(", ".join(labels))] if labels else [])])


def _code(text: str) -> str:
    return f"`{printable(text).replace('`', chr(39))}`"


async def _withdraw(team: Orchestrator, now: datetime) -> None:
    """Settle the questions about what is over by now, so that nobody is asked in vain."""
    approvals = team.ledger.approvals
    for question in await team.ledger.incidents.pointless_questions():
        note = "It is over: nobody need answer any more."
        _, counted = await approvals.answer(
            question.id, True, by=ORCHESTRATOR, via="events", note=note, now=now
        )
        until = now + LOOK
        if counted and await approvals.claim_application(question.id, team.run.id, now, until):
            await approvals.applied(question.id, team.run.id, note, now)
