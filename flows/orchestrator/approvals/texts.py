"""Questions to a person in words, for the form, the notification and the record."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.text import printable
from flows.reports.plain_text import as_lines, as_text

SAFE_WORDS = {"approve": "yes", "reject": "no"}


def how_it_was_settled(record: ApprovalRecord) -> str:
    """Who answered what, on which way and when; or that nobody did, and what then counts."""
    if record.status is ApprovalStatus.EXPIRED:
        return (
            f"Nobody answered until {_utc(record.expires_at)}, "
            f"so the safe choice counts: {SAFE_WORDS[record.safe_choice]}."
        )
    if record.status is ApprovalStatus.OPEN or record.answered_at is None:
        return "Nobody has answered yet."
    said = f"{record.answered_by} {record.status} it via {record.via}, {_utc(record.answered_at)}"
    return f"{said}: {printable(record.note)}" if record.note else f"{said}."


def form_text(record: ApprovalRecord, timezone: str) -> str:
    """What the form says above its fields, as Markdown."""
    return "\n\n".join(
        part
        for part in (
            f"## {as_text(record.title)}",
            f"About **{as_text(record.resource)}**" if record.resource else "",
            as_lines(record.detail),
            f"If nobody answers by **{_local(record.expires_at, timezone)}**, that counts as "
            f"**{SAFE_WORDS[record.safe_choice]}**.",
        )
        if part
    )


def notification(record: ApprovalRecord) -> tuple[str, str]:
    """Subject and body of the message that tells people of a question."""
    short = record.id[:8]
    return (
        f"Your answer is needed: {printable(record.title)}",
        f"{record.detail}\n\n"
        f"Without an answer by {_utc(record.expires_at)} it counts as "
        f"{SAFE_WORDS[record.safe_choice]}.\n\n"
        "Answer it in the Prefect UI, where the run of approval-form that bears this title is "
        f"paused, or with ./orchestrator approve {short} or ./orchestrator reject {short}.",
    )


def _utc(instant: datetime) -> str:
    return _local(instant, "UTC")


def _local(instant: datetime, timezone: str) -> str:
    return f"{instant.astimezone(ZoneInfo(timezone)):%a %d %b %Y, %H:%M %Z}"
