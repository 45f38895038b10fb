"""What came of asking the suppliers, put together for who asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pandas as pd

from agents.integration_specialist.api_management.findings import failure, slow, unusable_offers
from agents.integration_specialist.external_connections.asking import Asked
from agents.integration_specialist.external_connections.delivery_times import (
    DeliveryTimes,
    with_learned_times,
)
from agents.integration_specialist.external_connections.inventory import SupplierState
from agents.integration_specialist.external_connections.judging import Judge
from blocks.business.catalogues.answers import part_of
from blocks.business.suppliers import SupplierConnection
from blocks.vocabulary.conform import conform
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.frames import OFFERS
from blocks.vocabulary.messages import Severity

MOST_ITEMS = 200
"""Items that are told one by one; all of them are looked at and counted."""


def tell(
    everyone: Sequence[Asked],
    judge: Judge,
    learned: Mapping[str, DeliveryTimes | None],
    items: Sequence[str],
    now: datetime,
) -> dict[str, Any]:
    """The fields of a SupplierInventory that follow from what the suppliers offer.

    Args:
        everyone: What came of asking each.
        judge: Knows which offers nothing is ordered by.
        learned: Of each supplier what is known of its deliveries.
        items: SKUs to tell of; all when empty.
        now: The instant of the check.
    """
    offers = _together(everyone)
    refused = judge.refused(offers)
    suppliers = [
        _state(each, offers, refused, judge, learned.get(each.supplier.name), now)
        for each in everyone
    ]
    skus = list(dict.fromkeys(items)) or sorted({*judge.names.index} or {*offers["sku"]})
    wanted = pd.Index(skus)
    usable = offers.drop(refused.index)
    unoffered = wanted[~wanted.isin(usable["sku"])].tolist()
    unavailable = wanted[wanted.isin(_unavailable(usable))].tolist()
    return {
        "suppliers": suppliers,
        "items": judge.items(skus[:MOST_ITEMS], offers, refused),
        "asked_items": len(skus),
        "unoffered": unoffered[:MOST_ITEMS],
        "unoffered_items": len(unoffered),
        "unavailable": unavailable[:MOST_ITEMS],
        "unavailable_items": len(unavailable),
        "findings": [finding for each in everyone for finding in _findings(each)]
        + [_refused_offers(state) for state in suppliers if state.refused],
        "missing": [_missing(state) for state in suppliers if not state.answered or state.part],
        "offers": with_learned_times(offers, learned),
    }


def _together(everyone: Sequence[Asked]) -> pd.DataFrame:
    known = [each.offers for each in everyone if each.offers is not None and len(each.offers)]
    if known:
        return pd.concat(known, ignore_index=True)
    return conform(pd.DataFrame(columns=list(OFFERS.columns)), OFFERS)[0]


def _unavailable(offers: pd.DataFrame) -> pd.Index:
    """SKUs that are offered, and of which nobody has its smallest order."""
    if "available_units" not in offers or offers.empty:
        return pd.Index([], dtype="str")
    least = offers[["min_order_units"]].assign(one=1.0)
    if "pack_units" in offers:
        least = least.assign(pack=offers["pack_units"])
    there = ~(offers["available_units"] < least.max(axis=1))
    by_sku = there.groupby(offers["sku"]).any()
    return by_sku.index[~by_sku]


def _state(
    asked: Asked,
    offers: pd.DataFrame,
    refused: pd.Series[str],
    judge: Judge,
    delivery: DeliveryTimes | None,
    now: datetime,
) -> SupplierState:
    supplier = asked.supplier
    own = offers[offers["supplier"] == supplier.name]
    known = asked.known
    problems = [] if known is None else known.problems
    days = own["lead_time_days"].mode()
    return SupplierState(
        name=supplier.name,
        answered=asked.error is None,
        detail="" if asked.error is None else _not_answered(asked, now),
        offered_at=None if known is None else known.taken_at,
        offers=len(own),
        part=part_of(problems),
        latency_ms=None if asked.answer is None else round(asked.answer.latency_ms, 1),
        tax=_tax(supplier),
        terms=supplier.terms,
        promised_days=None if days.empty else float(days.iloc[0]),
        delivery=delivery,
        refused=[
            *map(str, problems),
            *judge.remarks(own, refused.reindex(own.index).dropna()),
        ],
    )


def _not_answered(asked: Asked, now: datetime) -> str:
    """Why it did not answer, and how old what stands in is."""
    what = asked.error.what if asked.error else ""
    if asked.known is None:
        return f"{what} Nothing is known of what it offers."
    hours = (now - asked.known.taken_at).total_seconds() / 3600
    age = f"{hours:,.0f} hours" if hours < 48 else f"{hours / 24:,.0f} days"
    return f"{what} What it offered {age} ago counts."


def _tax(supplier: SupplierConnection) -> str:
    match supplier.prices:
        case "net":
            return "net"
        case "gross":
            return f"net of the {(supplier.tax_rate or Decimal(0)):.1%} that are in its prices"
    return ""


def _missing(state: SupplierState) -> str:
    return state.part if state.answered else f"what {state.name} offers now: {state.detail}"


def _findings(asked: Asked) -> list[Finding]:
    if asked.error is not None:
        return [failure("supplier", asked.supplier.name, asked.error)]
    if asked.answer is None:
        return []
    return [*slow(asked.supplier, asked.answer.latency_ms), *unusable_offers(asked.answer)]


def _refused_offers(state: SupplierState) -> Finding:
    return Finding(
        kind="supplier-offers-refused",
        resource=f"supplier:{state.name}",
        severity=Severity.WARNING,
        title=f"Not everything that {state.name} offers can be ordered by: {state.refused[0]}",
        evidence={"refused": state.refused},
        advice="Correct how its catalogue is read (docs/catalogues.md), or tell the supplier.",
    )
