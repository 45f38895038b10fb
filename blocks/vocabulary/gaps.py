"""What a snapshot of the store lacks: rows that were set aside, and what could not be read at all.

What was left out is always told in the report. It is told in the headline too, and the run ends
as done in part, when it matters: from ``NOTABLE`` of revenue on; of sales also when nobody can tell
their share. Of products and stock no share means that no item was lost: each had another row, or
the row named none. Rows of open orders make no revenue: they are told in the report alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from blocks.vocabulary.frames import Problem, Snapshot

NOTABLE = 0.01
"""Share of revenue from which what was left out matters."""

_LACKING = {
    "products": "names, list prices and costs of the items",
    "stock": "what is out of stock or at risk, and what the stock is worth",
    "sales": "what sells, what comes back, what will be wanted, and what is at risk",
    "orders": "revenue and orders, their trend, and what is usual",
    "open_orders": "what is on its way: an order may be proposed a second time",
}
"""What a report lacks when a frame is not there."""


@dataclass(frozen=True)
class LeftOut:
    """Rows that were set aside.

    Attributes:
        what: What they are rows of: sales, products, stock.
        rows: How many.
        share: Share of revenue (0 to 1) that they or their items make; None if nobody can tell.
        why: What is not there, in words, where it is no rows: days that are not read yet.
    """

    what: str
    rows: int
    share: float | None
    why: str = ""

    @property
    def matters(self) -> bool:
        """Whether it belongs into a headline."""
        return self.what == "sales" if self.share is None else self.share >= NOTABLE

    def __str__(self) -> str:
        if self.why:
            return self.why
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        share = (
            "their share of revenue cannot be told"
            if self.share is None
            else f"{self.share:.1%} of revenue"
        )
        return f"{rows} of the {self.what} left out, {share}"


def left_out(snapshot: Snapshot) -> list[LeftOut]:
    """The rows that were set aside, by what they are rows of."""
    found = [LeftOut("sales", _rows(snapshot, "sale_lines"), snapshot.left_out)]
    for frame in ("products", "stock"):
        # Each problem of such a frame tells the share of all its lost items.
        shares = [p.share for p in snapshot.problems if p.frame == frame and p.share is not None]
        found.append(LeftOut(frame, _rows(snapshot, frame), max(shares, default=None)))
    unread = [
        LeftOut("sales", 0, None, problem.reason)
        for problem in snapshot.problems
        if problem.frame == "sale_lines" and not problem.rows and not problem.kept
    ]
    return [each for each in found if each.rows] + (unread if "sales" in snapshot.frames else [])


def _rows(snapshot: Snapshot, frame: str) -> int:
    return sum(p.rows for p in snapshot.problems if p.frame == frame and not p.kept)


def told(problem: Problem) -> str:
    """A problem in words, with what a report lacks for it."""
    lacking = "" if problem.rows else _LACKING.get(problem.frame, "")
    return f"{str(problem).rstrip('.')}. Missing for it: {lacking}." if lacking else str(problem)
