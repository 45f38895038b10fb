"""Why a connection failed, as far as the ledger's own calls tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime

from agents.capability import ANYBODY, action
from agents.data_intelligence.result import Result, count
from blocks.business.business import Business
from blocks.business.connections import Connection, find_connection
from blocks.errors import DeadlineMissed, InvalidMessage
from blocks.ledger import CallRecord, Ledger
from blocks.models import Strict
from blocks.vocabulary.blame import Blame, blame, says_nothing
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import ErrorInfo, Severity

MOST_CALLS = 2000
LONGEST_HOURS = 24.0 * 30
LISTED = 5
"""So many errors and other failing calls are listed, the most frequent first."""

_TROUBLE = frozenset({Severity.WARNING, Severity.ERROR, Severity.CRITICAL})

Cause = Literal["none", "partner", "common", "unknown"]


class Failing(Strict):
    """One thing that happened several times."""

    what: str
    times: int


class FailureExplanation(Result):
    """What the ledger's calls say of a connection.

    Attributes:
        summary: The cause in one or two sentences.
        connection: Its name.
        since: First failure of the unbroken run of failures at the end; None when the last call
            that concerned it found it well, or none did.
        calls: Calls in the window that concerned it and say something of it. One that was asked
            wrongly, or called off, or met a bug, says nothing.
        failed: Those that failed because of it, or found something wrong with it.
        errors: What was said, most frequent first.
        others_calls: All other answered calls since the first of the failures.
        others_failed: Of those, the ones that failed, by action, most frequent first.
        cause: ``partner``: it alone fails; ``common``: much else fails at the same time, so that
            the cause is rather ours; ``none``: nothing failed; ``unknown``: no call concerned it.
        window_hours: How far back was looked.
    """

    summary: str
    connection: str
    since: AwareDatetime | None
    calls: int
    failed: int
    errors: list[Failing]
    others_calls: int
    others_failed: list[Failing]
    cause: Cause
    window_hours: float


@action(timeout=30, askers=ANYBODY)
async def explain_failure(
    business: Business, ledger: Ledger, now: datetime, connection: str, window_hours: float = 24
) -> FailureExplanation:
    """Explain from the recorded calls why a connection failed: since when, how often, it alone?

    Args:
        business: Whose connection.
        ledger: Where the calls are.
        now: End of the window.
        connection: Its name, or ``kind:name``.
        window_hours: How far back to look, in hours, at most 720.

    Raises:
        InvalidMessage: There is no such connection, or the window is out of range.
        LedgerUnavailable: The ledger cannot be read.
    """
    if not 0 < window_hours <= LONGEST_HOURS:
        raise InvalidMessage(
            f"window_hours is {window_hours}.", hint=f"Use up to {LONGEST_HOURS:g} hours."
        )
    found = find_connection(business, connection)
    calls = await ledger.calls(since=now - timedelta(hours=window_hours), limit=MOST_CALLS)
    return explain(found, calls, window_hours)


def explain(
    connection: Connection, calls: Sequence[CallRecord], window_hours: float
) -> FailureExplanation:
    """What some calls, newest first, say of a connection. Unanswered calls say nothing."""
    answered = [c for c in calls if c.outcome and not (c.error and says_nothing(c.error.code))]
    answered.sort(key=lambda c: c.sent_at)
    concerned = [call for call in answered if _concerns(call, connection)]
    about = [call for call in concerned if call.error is None or _is_of_a_source(call.error)]
    wrong = [(call, said) for call in about if (said := _trouble(call, connection))]
    failed = {call.message_id for call, _ in wrong}
    since = _unbroken_since(about, failed)
    start = wrong[0][0].sent_at if wrong else None
    known = {call.message_id for call in concerned}
    others = [c for c in answered if c.message_id not in known and start and c.sent_at >= start]
    others_failed = Counter(f"{c.agent}.{c.action}" for c in others if c.error)
    cause = _cause(about, failed, others, others_failed.total())
    errors = _most(Counter(said for _, said in wrong))
    return FailureExplanation(
        summary=_say(connection, cause, len(about), errors, since, others, others_failed, wrong),
        connection=connection.name,
        since=since,
        calls=len(about),
        failed=len(failed),
        errors=errors,
        others_calls=len(others),
        others_failed=_most(others_failed),
        cause=cause,
        window_hours=window_hours,
        findings=[_finding(connection, len(failed), len(about), since, errors)] if since else [],
    )


def _concerns(call: CallRecord, connection: Connection) -> bool:
    """Whether a parameter, the error or the result names the connection."""
    names = {connection.name, connection.resource}
    if connection.kind == "store":
        names.add("store")  # as fetch_data calls it
    return (
        any(text in names for text in _texts(call.payload))
        or any(text in names for text in _texts(call.reply))
        or _quoted_in_error(call, connection)
    )


def _is_of_a_source(error: ErrorInfo) -> bool:
    return blame(error.code) is Blame.SOURCE or error.code == DeadlineMissed("").code


def _trouble(call: CallRecord, connection: Connection) -> str:
    """What the call says is wrong with the connection; "" when nothing is."""
    if call.error:
        return f"{call.error.code}: {call.error.what}"
    findings = (call.reply or {}).get("result") or {}
    listed = findings.get("findings") if isinstance(findings, dict) else None
    for finding in listed if isinstance(listed, list) else []:
        if finding.get("resource") == connection.resource and finding.get("severity") in _TROUBLE:
            return str(finding.get("title", finding.get("kind")))
    return ""


def _quoted_in_error(call: CallRecord, connection: Connection) -> bool:
    # Errors of a source name it so: supplier 'acme'. Those of the store's database name no store.
    if call.error is None:
        return False
    of_store = connection.kind == "store" and "store's database" in call.error.what
    return of_store or f"{connection.kind} {connection.name!r}" in call.error.what


def _texts(value: Any) -> Iterator[str]:
    """All texts of a JSON value."""
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


def _unbroken_since(about: Sequence[CallRecord], failed: set[str]) -> datetime | None:
    since = None
    for call in reversed(about):
        if call.message_id not in failed:
            break
        since = call.sent_at
    return since


def _cause(
    about: Sequence[CallRecord], failed: set[str], others: Sequence[CallRecord], bad: int
) -> Cause:
    if not about:
        return "unknown"
    if not failed:
        return "none"
    # Half of everything else failing at the same time is no coincidence.
    return "common" if others and 2 * bad >= len(others) else "partner"


def _say(
    connection: Connection,
    cause: Cause,
    calls: int,
    errors: Sequence[Failing],
    since: datetime | None,
    others: Sequence[CallRecord],
    others_failed: Counter[str],
    wrong: Sequence[tuple[CallRecord, str]],
) -> str:
    name = connection.name
    if cause == "unknown":
        return f"No recorded call concerned {name}: nothing can be said of its failure."
    if cause == "none":
        return f"{count(calls, 'recorded call')} concerned {name}, and not one found it failing."
    ended = (
        f"and it fails since {since:%Y-%m-%d %H:%M} UTC"
        if since
        else "but the last one found it well"
    )
    said = errors[0].what.rstrip(".")
    bad = others_failed.total()
    why = (
        f"{bad} of {count(len(others), 'other call')} failed in the same time, so the cause is "
        "rather on our side: the network, or this machine"
        if cause == "common"
        else f"{bad} of {count(len(others), 'other call')} failed in the same time, so the cause "
        f"lies with {name}"
    )
    return (
        f"{len(wrong)} of {count(calls, 'call')} that concerned {name} found it failing, {ended}; "
        f"mostly: {said}. {why}."
    )


def _most(counted: Counter[str]) -> list[Failing]:
    return [Failing(what=what, times=times) for what, times in counted.most_common(LISTED)]


def _finding(
    connection: Connection,
    failed: int,
    calls: int,
    since: datetime | None,
    errors: Sequence[Failing],
) -> Finding:
    return Finding(
        kind="connection-failing",
        resource=connection.resource,
        severity=Severity.ERROR if failed > 1 else Severity.WARNING,
        title=f"{connection.name} failed {count(failed, 'time')} in {count(calls, 'call')}",
        evidence={
            "since": since.isoformat() if since else None,
            "errors": [error.model_dump() for error in errors],
        },
        advice="Have integration-specialist.diagnose_connection look at it.",
    )
