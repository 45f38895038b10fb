"""The post-incident report: what happened, what it cost, what was done, what worked, what is left.

Every sentence of it rests on a record. What nobody measured is said to be unknown; who is to blame
is no question here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from blocks.business.business import Business, current_business
from blocks.errors import OrchestratorError
from blocks.ledger import Ledger
from blocks.ledger.events.records import Ending
from blocks.text.spans import span
from blocks.vocabulary.messages import Outcome
from flows.orchestrator.incidents.chronicle import Chronicle, chronicle_of
from flows.orchestrator.incidents.costs import Cost, ShopHour, costs_of, hours_around
from flows.orchestrator.incidents.report_parts import (
    left,
    measured,
    timeline,
    what_happened,
    what_it_cost,
    what_was_done,
    worked,
)
from flows.reports.model import Report, Section, local, money

_ENDINGS = {
    Ending.RESOLVED: "its source said that it is over",
    Ending.ANSWERED: "a person closed it",
    Ending.WELL: "our own look found it well",
    Ending.MENDED: "a remedy was verified to have helped",
}


@dataclass(frozen=True)
class Facts:
    """What a report tells of: all that is on record, and the money, in whose words.

    Attributes:
        hours: The shop's hours around the incident.
        zone: IANA zone of the times that people read.
    """

    chronicle: Chronicle
    cost: Cost
    hours: tuple[ShopHour, ...]
    zone: str
    currency: str


async def facts_of(ledger: Ledger, business: Business, incident_id: str, now: datetime) -> Facts:
    """Read what is known of an incident.

    Args:
        ledger: Has the records.
        business: Whose incident it is.
        incident_id: Its id, or enough of its beginning.
        now: The present.

    Raises:
        NotFound: There is no such incident.
        RequestError: There are several, or the beginning is too short.
        LedgerError: The ledger cannot be read.
    """
    chronicle = await chronicle_of(ledger, incident_id, now)
    incident, store = chronicle.incident, business.store
    costs = await costs_of([incident], business, ledger, now)
    hours: tuple[ShopHour, ...] = ()
    if store is not None:
        hours = await hours_around(ledger, store.name, chronicle.began, chronicle.until)
    return Facts(chronicle, costs[incident.id], hours, business.timezone, business.currency)


def title(facts: Facts) -> str:
    """What the report is called while the incident goes on, and afterwards."""
    goes_on = facts.chronicle.incident.settled_at is None
    return "Incident report" if goes_on else "Post-incident report"


def headline(facts: Facts) -> str:
    """The whole in three or four sentences."""
    chronicle, incident = facts.chronicle, facts.chronicle.incident
    began = local(chronicle.began, facts.zone)
    if incident.settled_at is None:
        ended = f"It goes on, since {began}: for {span(chronicle.lasted, 2)} by now."
    else:
        ended = f"It lasted {span(chronicle.lasted, 2)}, from {began}"
        ended += f" on; {_how_it_ended(chronicle)}."
    so_far = money(facts.cost.so_far, facts.currency)
    at_risk = f" About {so_far} were at risk." if facts.cost.so_far else ""
    severity = incident.severity.value.capitalize()
    return f"{incident.title}. {severity}. {ended}{at_risk} {worked(chronicle)}"


def sections(facts: Facts) -> list[Section]:
    """What happened, what it cost, what was done, the timeline, what was measured, what is left."""
    chronicle, zone = facts.chronicle, facts.zone
    return [
        what_happened(chronicle, zone),
        what_it_cost(facts.cost, facts.hours, zone, facts.currency),
        what_was_done(chronicle, zone),
        timeline(chronicle, zone),
        *measured(chronicle, zone),
        *left(chronicle),
    ]


async def business_or_none() -> Business:
    """The business that is configured; an empty one where it cannot be read.

    What happened can be told without it; only money cannot.
    """
    try:
        return await current_business()
    except OrchestratorError:
        return Business(store=None)


async def post_incident_report(
    ledger: Ledger, business: Business, incident_id: str, now: datetime
) -> Report:
    """The report on one incident as it stands, for whoever reads it now; nothing is kept of it.

    Args and errors are those of ``facts_of``.
    """
    facts = await facts_of(ledger, business, incident_id, now)
    chronicle = facts.chronicle
    return Report(
        workflow="post-incident-report",
        title=title(facts),
        run_id=chronicle.incident.id,
        started_at=now,
        finished_at=now,
        outcome=Outcome.SUCCEEDED,
        headline=headline(facts),
        currency=facts.currency,
        timezone=facts.zone,
        sections=sections(facts),
    )


def _how_it_ended(chronicle: Chronicle) -> str:
    incident = chronicle.incident
    how = _ENDINGS.get(incident.ending, "it was dealt with") if incident.ending else "dealt with"
    return f"{how} ({incident.ended_by})" if incident.ended_by else how
