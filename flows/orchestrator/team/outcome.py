"""What came of a run: its findings, what it lacks, and the state in which it ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from prefect.artifacts import acreate_markdown_artifact
from prefect.states import Completed, Failed

from agents.calls import Reply
from blocks.business.business import Business
from blocks.errors import OrchestratorError
from blocks.prefect_api.calls import REFUSED
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.frames import NO_CURRENCY, Snapshot
from blocks.vocabulary.gaps import left_out, told
from blocks.vocabulary.messages import Outcome
from flows.reports.markdown import as_markdown
from flows.reports.model import Report
from flows.reports.plain_text import as_text


def findings_of(replies: Iterable[Reply]) -> Iterable[Finding]:
    """All findings in the results of the replies."""
    for reply in replies:
        yield from getattr(reply.result, "findings", ())


def result_of(action: str, replies: Iterable[Reply]) -> Any:
    """The result of the first reply from that action that has one, else None."""
    return next((r.result for r in replies if r.ok and r.message.action == action), None)


def currency_of(business: Business, replies: Iterable[Reply]) -> str:
    """The money that a report speaks of: the store's, or what its lines say where nobody did."""
    fetched = result_of("fetch_data", replies)
    if business.currency != NO_CURRENCY or fetched is None:
        return business.currency
    return str(fetched.currency)


def what_is_missing(failures: Sequence[str], replies: Iterable[Reply]) -> list[str]:
    """What a report could not include: calls that failed, and what results say they lack.

    Each entry once, in order of appearance.
    """
    lacking = [*failures]
    for reply in replies:
        result = reply.result
        lacking += getattr(result, "missing", ())
        if isinstance(result, Snapshot):
            stale = f"Fresh data of the store: {result.stale_because}"
            lacking += [stale] if result.stale_because else []
            lacking += [told(problem) for problem in result.problems if not problem.kept]
    return list(dict.fromkeys(lacking))


def with_what_was_left_out(headline: str, replies: Iterable[Reply]) -> str:
    """The headline, with what was left out of the store's data where that matters."""
    snapshots = (reply.result for reply in replies if isinstance(reply.result, Snapshot))
    gaps = [f"{gap}." for each in snapshots for gap in left_out(each) if gap.matters]
    return " ".join(filter(None, [headline, *dict.fromkeys(gaps)]))


async def publish(report: Report) -> None:
    """Create the report's artifact; its key is the workflow's name, so that versions line up."""
    await acreate_markdown_artifact(
        markdown=as_markdown(report), key=report.workflow, description=as_text(report.headline)
    )


class NothingAchieved(OrchestratorError):
    """Every call of a workflow failed; ``report`` says why each did."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"Every call failed. {'; '.join(report.missing)}")
        self.report = report


def conclude(report: Report) -> Report:
    """The final state of a workflow: Completed, Completed as "Partial", or Failed.

    Returned from a flow, it makes the run's page tell how much was achieved; who awaits the flow
    gets the report, or NothingAchieved.
    """
    state: Any  # a flow that returns a state returns, to its caller, the state's data
    match report.outcome:
        case Outcome.SUCCEEDED:
            state = Completed(message=report.headline, data=report)
        case Outcome.PARTIAL:
            state = Completed(name="Partial", message=report.headline, data=report)
        case Outcome.FAILED:
            error = NothingAchieved(report)
            state = Failed(message=str(error), data=error)
        case Outcome.REFUSED:
            error = NothingAchieved(report)
            state = Failed(name=REFUSED, message=str(error), data=error)
    return cast(Report, state)
