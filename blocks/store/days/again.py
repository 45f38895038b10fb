"""Settled months looked at again: of all that are kept, some each day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from blocks.store.days.block import Block
from blocks.store.days.kept import KeptMonths
from blocks.store.days.sums import Span
from blocks.vocabulary.frames import Problem

CHANGED = 0.005
"""Money by which a day may differ from what was kept of it: floating point."""


def look_again(
    kept: KeptMonths, months: Sequence[Span], today: date, read: Callable[[Span], Block]
) -> list[Problem]:
    """Read the newest settled month again, and of the others another one each day.

    The newest tells at once when it is another shop, or one whose days have all moved: then all
    that is kept is thrown away.

    Args:
        kept: What is compared, and corrected.
        months: The settled months of the period, oldest first.
        today: Tells whose turn it is.
        read: Reads a month from the database.

    Returns:
        Which months changed after they were settled.
    """
    known = set(kept.months())
    months = [month for month in months if month.first in known]
    if not months:
        return []
    *others, newest = months
    turn = [others[today.toordinal() % len(others)]] if others else []
    problems: list[Problem] = []
    for month in [newest, *turn]:
        changes = _changes(kept, month, read(month))
        if changes is None:
            kept.forget()
            break
        problems += changes
    return problems


def _changes(kept: KeptMonths, month: Span, now: Block) -> list[Problem] | None:
    """How a month differs from what was kept of it, which is corrected; None where most days do."""
    before = kept.load(month.first)
    if before is None:  # its file is damaged
        kept.save(month.first, now)
        return []
    changed = now.differing_days(before, CHANGED)
    if 2 * len(changed) > month.days:
        return None
    if not changed:
        return []
    kept.save(month.first, now)
    was, is_ = (f"{float(each.items.revenue.sum()):,.2f}" for each in (before, now))
    reason = (
        f"{month.first:%B %Y} changed after it was settled: its revenue was {was}, and is {is_}"
    )
    rows = max(1, abs(now.told.lines - before.told.lines))
    return [Problem("sale_lines", "", reason, rows, changed[0].isoformat(), kept=True)]
