"""The post-incident report: what happened, what it cost, what worked, and what is left."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from blocks.vocabulary.messages import utc_now
from flows.orchestrator.incidents.chronicle import last_grave_one
from flows.orchestrator.incidents.post_incident import facts_of, headline, sections, title
from flows.orchestrator.runs.endings import outlives_outages, refusing
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude
from flows.reports.model import Report


@flow(
    name="post-incident-report",
    description=(
        "Tells of one incident from what is on record: what happened, what it cost, what was done "
        "and worked, and what is left to do, with a timeline and charts."
    ),
    timeout_seconds=300,
)
@outlives_outages
@refusing
async def post_incident_report(
    incident: Annotated[
        str,
        Field(
            max_length=64,
            description="The incident's id, or how it begins; empty: the last one that was no "
            "mere warning.",
        ),
    ] = "",
) -> Report:
    """Report on one incident, whether or not it is over.

    Args:
        incident: Its id, or at least the first six characters of it; empty for the one opened
            last, warnings left out.

    Raises:
        NotFound: There is no such incident.
        LedgerError: The ledger cannot be read or written.
    """
    async with workflow_run("post-incident-report") as team:
        incident = incident or await last_grave_one(team.ledger)
        facts = await facts_of(team.ledger, team.business, incident, utc_now())
        report = await team.report(
            title(facts),
            headline(facts),
            sections=sections(facts),
            findings=[],
            replies=[],
        )
    return conclude(report)
