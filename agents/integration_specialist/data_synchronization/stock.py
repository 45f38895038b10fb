"""The store's stock as it is now, and what changed since it was last read."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import pandas as pd
from pydantic import AwareDatetime, Field

from agents.capability import ANYBODY, action
from blocks.business.business import Business
from blocks.business.snapshots import READING_TIMEOUT, take_snapshot
from blocks.errors import ConfigurationError, InvalidMessage
from blocks.ledger import Ledger
from blocks.models import Strict
from blocks.text import did_you_mean
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.frames import Problem, Snapshot
from blocks.vocabulary.messages import Severity
from blocks.vocabulary.responses import StockLevels

MOST_CHANGES = 50
"""How many changed SKUs are listed; all of them are counted."""

MOST_NAMES = 20
"""How many SKUs a finding names."""

VANISHED = 0.05
"""When more than this share of the SKUs is gone at once, it is rather an import than a season."""


class StockChange(Strict):
    """One SKU whose units on hand changed; ``delta`` is ``after`` minus ``before``."""

    sku: str
    before: float
    after: float
    delta: float


class StockSync(StockLevels):
    """The store's stock, counted now, against the ledger's previous snapshot.

    Attributes:
        compared_with: When the previous snapshot was taken; None without one, and then nothing
            counts as changed.
        added: SKUs that were not there before.
        removed: SKUs that are there no more.
        changed: SKUs whose units changed, largest change first, at most 50.
        changed_items: How many changed.
        units_delta: Units on hand now minus before; None without a previous snapshot.
    """

    compared_with: AwareDatetime | None = None
    added: list[str] = Field(default_factory=list)
    removed: list[str] = Field(default_factory=list)
    changed: list[StockChange] = Field(default_factory=list)
    changed_items: int = 0
    units_delta: float | None = None


@action(timeout=READING_TIMEOUT, retries=2, askers=ANYBODY)
async def sync_stock(
    business: Business, ledger: Ledger, now: datetime, skus: list[str] | None = None
) -> StockSync:
    """Read the store's stock now, keep it, and say what changed since the snapshot before.

    Nothing stands in for the store: when it cannot be read, that is the answer.

    Args:
        business: Whose stock.
        ledger: Holds the previous snapshot, and keeps the new one.
        now: The instant of the reading.
        skus: The SKUs to look at; all when None.

    Raises:
        ConfigurationError: There is no store.
        SourceError: The store cannot be read.
        ContractViolation: The store's stock is not mapped, or cannot be read as it is mapped.
        InvalidMessage: An SKU is neither in the store nor in the previous snapshot.
        LedgerUnavailable: The snapshot cannot be kept.
    """
    store = business.store
    if store is None:
        raise ConfigurationError(
            "The business has no store.", hint="Connect one with ./orchestrator connect URL."
        )
    before = await ledger.snapshots.latest(store.name, only=("stock",))
    return compare(await take_snapshot(store, ledger, now), before, skus)


def compare(after: Snapshot, before: Snapshot | None, skus: Collection[str] | None) -> StockSync:
    """What the stock is in one snapshot, and how it differs from an earlier one.

    An earlier snapshot without stock counts as none.

    Raises:
        ContractViolation: The later snapshot has no stock.
        InvalidMessage: An SKU is in neither.
    """
    after.need("stock")
    now = _on_hand(after)
    then = _on_hand(before) if before and "stock" in before.frames else None
    if skus is not None:
        _refuse_unknown(skus, set(now.index) | set(() if then is None else then.index))
        now = now[now.index.isin(skus)]
        then = None if then is None else then[then.index.isin(skus)]
    problems = [p for p in after.problems if p.frame == "stock" and not p.kept]
    units, owed = float(now.clip(lower=0.0).sum()), float((-now).clip(lower=0.0).sum())
    levels = {
        "taken_at": after.taken_at,
        "items": len(now),
        "units": units,
        "owed": owed,
        "on_hand": {str(sku): float(units) for sku, units in now.items()},
        "stale": False,
        "degraded": False,
        "basis": f"counted in the store at {after.taken_at:%Y-%m-%d %H:%M} UTC",
    }
    counted = f"{len(now):,} items with {units:,.0f} units are on hand"
    counted += f", and {owed:,.0f} units are owed" if owed else ""
    if before is None or then is None:
        return StockSync(
            **levels,
            summary=f"{counted}; there is no earlier snapshot to compare with.",
            findings=_findings(after.store, [], 0, problems),
        )
    both = pd.DataFrame({"before": then, "after": now}).dropna()
    delta = (both["after"] - both["before"]).rename("delta")
    moved = both.join(delta[delta != 0], how="inner")
    moved = moved.reindex(moved["delta"].abs().sort_values(ascending=False, kind="stable").index)
    added, removed = (
        sorted(set(now.index) - set(then.index)),
        sorted(set(then.index) - set(now.index)),
    )
    units_delta = units - float(then.clip(lower=0.0).sum())
    return StockSync(
        **levels,
        summary=f"{counted}, {units_delta:+,.0f} units since {before.taken_at:%Y-%m-%d %H:%M} UTC: "
        f"{len(moved)} items changed, {len(added)} new, {len(removed)} gone.",
        compared_with=before.taken_at,
        added=added,
        removed=removed,
        changed=[
            StockChange(sku=str(sku), **{str(key): float(value) for key, value in row.items()})
            for sku, row in moved.head(MOST_CHANGES).iterrows()
        ],
        changed_items=len(moved),
        units_delta=units_delta,
        findings=_findings(after.store, removed, len(then), problems),
    )


def _on_hand(snapshot: Snapshot) -> pd.Series[float]:
    return snapshot.frames["stock"].set_index("sku")["on_hand"].sort_index()


def _refuse_unknown(skus: Collection[str], known: set[str]) -> None:
    unknown = sorted(set(skus) - known)
    if unknown:
        raise InvalidMessage(
            f"No such SKU: {', '.join(map(repr, unknown[:5]))}.",
            hint=did_you_mean(unknown[0], sorted(known), "Use SKUs of the store's stock."),
        )


def _findings(
    store: str, removed: list[str], items_before: int, problems: list[Problem]
) -> list[Finding]:
    found = []
    if len(removed) > VANISHED * items_before:
        found.append(
            Finding(
                kind="stock-rows-gone",
                resource=f"store:{store}",
                severity=Severity.ERROR,
                title=f"{len(removed)} of {items_before} items have vanished from the stock",
                evidence={"removed": len(removed), "skus": removed[:MOST_NAMES]},
                advice="See whether an import into the store failed before trusting the stock.",
            )
        )
    if problems:
        rows = sum(problem.rows for problem in problems)
        found.append(
            Finding(
                kind="stock-rows-unreadable",
                resource=f"store:{store}",
                severity=Severity.WARNING,
                title=f"{rows} rows of the stock were set aside",
                evidence={"problems": [str(problem) for problem in problems]},
                advice="Correct these rows in the store.",
            )
        )
    return found
