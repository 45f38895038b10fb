"""What one audience is told after a check: what is new, what stays open, what is over."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import AwareDatetime, Field

from blocks.models import Frozen
from blocks.vocabulary.severity import Severity
from flows.reports.mail import parts
from flows.reports.mail.letters import Letter, subject_of
from flows.reports.mail.parts import line
from flows.reports.model import count, local, money, short
from flows.reports.placed_orders import WAITS

MOST = 20
"""Things of one kind that a digest tells in full; of the others it tells how many there are."""

MOST_BARS = 8
"""Bars of the chart of what is at risk."""


class Matter(Frozen):
    """One thing that people are told of.

    Attributes:
        severity: How bad it is.
        title: What it is, in a sentence.
        to_do: What was done about it, or is to be done.
        impact_per_day: Money at risk per day; None when unknown.
        was: How bad it was when they were last told of it; None when it is new.
    """

    severity: Severity
    title: str
    to_do: str = ""
    impact_per_day: float | None = None
    was: Severity | None = None


class Draft(Frozen):
    """One draft order: whom it goes to, its items, what it costs, when it would be there.

    ``stands`` is what became of it; "" where it stayed a draft.
    """

    supplier: str
    items: int
    total: str
    arrives_on: str
    stands: str = ""


class Listed(Frozen):
    """The first of some matters, and how many there are."""

    matters: list[Matter] = Field(default=[], max_length=MOST)
    number: int = 0

    @property
    def rest(self) -> int:
        """How many are not told in full."""
        return self.number - len(self.matters)


class Digest(Frozen):
    """What an audience is told; the currency is the store's.

    Attributes:
        business: Whose.
        check: The check that saw it, as a person calls it.
        at: When it was seen.
        new: What is new, or worse than before.
        open: What is told again, as it is still open.
        over: Titles of what is over, and how many there are in ``over_number``.
        drafts: Draft orders, where they changed.
    """

    business: str
    check: str
    run_id: str
    at: AwareDatetime
    timezone: str
    currency: str
    new: Listed = Listed()
    open: Listed = Listed()
    over: list[str] = Field(default=[], max_length=MOST)
    over_number: int = 0
    drafts: list[Draft] = Field(default=[])

    @property
    def subject(self) -> str:
        """In a line: the first thing, and how many there are of each kind."""
        said = [
            f"{self.new.number:,} new" if self.new.number else "",
            f"{self.open.number:,} still open" if self.open.number else "",
            f"{self.over_number:,} over" if self.over_number else "",
            f"{count(len(self.drafts), 'order')} proposed" if self.drafts else "",
        ]
        first = next((m.title for m in (*self.new.matters, *self.open.matters)), "")
        first = first or next(iter(self.over), "")
        numbers = ", ".join(filter(None, said))
        return subject_of(f"{self.business}: {numbers}{f'. {first}' if first else ''}")


ANSWER = "Your yes or no: on the status page, in the Prefect UI, or with ./orchestrator approvals."


def _wants_answer(digest: Digest) -> bool:
    return any(draft.stands == WAITS for draft in digest.drafts)


def letter_of(digest: Digest) -> Letter:
    """A digest as a message."""
    return Letter(digest.subject, _as_text(digest), _as_html(digest))


def _parts(digest: Digest) -> Iterator[tuple[str, Listed]]:
    for title, listed in (("New", digest.new), ("Still open", digest.open)):
        if listed.number:
            yield title, listed


def _as_text(digest: Digest) -> str:
    lines = [f"{line(digest.business)}: {_when(digest)}"]
    for title, listed in _parts(digest):
        lines += ["", title.upper()]
        for matter in listed.matters:
            lines.append(f"- [{_severity(matter)}] {line(matter.title)}{_at_risk(matter, digest)}")
            lines += [f"  {line(matter.to_do)}"] if matter.to_do else []
        lines += [_and_more(listed.rest)] if listed.rest else []
    if digest.over:
        lines += ["", "OVER", *(f"- {line(title)}" for title in digest.over)]
        rest = digest.over_number - len(digest.over)
        lines += [_and_more(rest)] if rest else []
    if digest.drafts:
        lines += ["", "ORDERS PROPOSED"]
        lines += [
            f"- {line(d.supplier)}: {count(d.items, 'item')}, {d.total}, there {d.arrives_on}"
            f"{f', {d.stands}' if d.stands else ''}"
            for d in digest.drafts
        ]
        lines += [ANSWER] if _wants_answer(digest) else []
    return "\n".join([*lines, "", f"Run {digest.run_id}", ""])


def _as_html(digest: Digest) -> str:
    body = [parts.paragraph(_when(digest), faint=True)]
    for title, listed in _parts(digest):
        body += [parts.heading(title), _table(listed, digest.currency)]
        body += [parts.paragraph(_and_more(listed.rest), faint=True)] if listed.rest else []
    body.append(_chart(digest))
    if digest.over:
        body += [parts.heading("Over"), *(parts.paragraph(f"✓ {title}") for title in digest.over)]
        rest = digest.over_number - len(digest.over)
        body += [parts.paragraph(_and_more(rest), faint=True)] if rest else []
    if digest.drafts:
        rows = [
            [
                parts.text(d.supplier),
                f"{d.items:,}",
                parts.text(d.total),
                parts.text(d.arrives_on),
                parts.text(d.stands or "a draft"),
            ]
            for d in digest.drafts
        ]
        columns = ["Supplier", "Items", "Total", "Arrives", "Stands"]
        body += [parts.heading("Orders proposed"), parts.table(columns, rows, right=[1, 2])]
        body += [parts.paragraph(ANSWER)] if _wants_answer(digest) else []
    body.append(parts.paragraph(f"Run {digest.run_id}", faint=True))
    return parts.page(digest.business, body)


def _table(listed: Listed, currency: str) -> str:
    rows = [
        [
            parts.badge(matter.severity),
            parts.text(matter.title)
            + (parts.paragraph(f"Before: {matter.was.value}.", faint=True) if matter.was else "")
            + (parts.paragraph(matter.to_do, faint=True) if matter.to_do else ""),
            parts.text(money(matter.impact_per_day, currency)),
        ]
        for matter in listed.matters
    ]
    return parts.table(["", "What, and what to do", "At risk per day"], rows, right=[2])


def _chart(digest: Digest) -> str:
    """What is at risk, greatest first, of all that is open; nothing where nobody knows."""
    told = [*digest.new.matters, *digest.open.matters]
    known = [(m.title, m.impact_per_day) for m in told if m.impact_per_day]
    known.sort(key=lambda pair: -pair[1])
    return parts.bars(
        "At risk per day",
        [(short(title, 40), v, money(v, digest.currency)) for title, v in known[:MOST_BARS]],
    )


def _when(digest: Digest) -> str:
    return f"{digest.check}, {local(digest.at, digest.timezone)}"


def _severity(matter: Matter) -> str:
    return (
        f"{matter.severity.value}, was {matter.was.value}" if matter.was else matter.severity.value
    )


def _at_risk(matter: Matter, digest: Digest) -> str:
    if matter.impact_per_day is None:
        return ""
    return f" ({money(matter.impact_per_day, digest.currency)} at risk per day)"


def _and_more(number: int) -> str:
    return f"And {number:,} more."
