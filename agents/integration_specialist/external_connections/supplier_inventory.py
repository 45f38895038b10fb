"""What the suppliers have: all of them asked at once, each in its own format."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any, get_args

import pandas as pd

from agents.capability import ANYBODY, action
from agents.integration_specialist.external_connections.asking import ask_all
from agents.integration_specialist.external_connections.delivery_times import learn
from agents.integration_specialist.external_connections.inventory import SupplierInventory, Urgency
from agents.integration_specialist.external_connections.judging import Judge
from agents.integration_specialist.external_connections.telling import tell
from blocks.business.business import Business
from blocks.errors import ConfigurationError, InvalidMessage
from blocks.ledger import Ledger
from blocks.text import did_you_mean

DEADLINES: dict[str, float] = {"low": 120.0, "normal": 60.0, "high": 20.0}
"""Seconds that the suppliers have to answer, by urgency."""

LONGEST = 600.0
"""Seconds that they may be given at most."""

MOST_ASKED = 10_000
"""Items that may be asked for by name; without names all are looked at."""

_MARGIN = 120.0  # seconds beside the deadline: for the ledger, and for large catalogues


def _time_limit(params: Mapping[str, Any], _: Business) -> float:
    given = params.get("deadline_seconds")
    if isinstance(given, int | float) and 0 < given <= LONGEST:
        return _MARGIN + given
    return _MARGIN + DEADLINES.get(str(params.get("urgency")), DEADLINES["normal"])


@action(timeout=_time_limit, retries=1, askers=ANYBODY)
async def check_supplier_inventory(
    business: Business,
    ledger: Ledger,
    now: datetime,
    items: list[str],
    urgency: Urgency = "normal",
    deadline_seconds: float | None = None,
    asked: list[str] | None = None,
) -> SupplierInventory:
    """Ask all suppliers at once what they have of some items, and on which terms.

    One that is slow or broken holds up nobody: it counts with what it offered last, and that is
    told with its age. What is offered is kept in the ledger.

    Args:
        business: Whose suppliers.
        ledger: Keeps what they offer; knows the store's products and our own orders.
        now: The instant of the check.
        items: SKUs to tell of; all when empty.
        urgency: How urgent it is: it says how long the suppliers have to answer.
        deadline_seconds: How long instead, at most 600.
        asked: Suppliers that were asked in this run already: they are not asked again.

    Raises:
        InvalidMessage: A parameter is not what it has to be.
        ConfigurationError: The business has no suppliers.
        LedgerUnavailable: The ledger cannot be read or written.
    """
    _refuse_wrong(items, urgency, deadline_seconds)
    if not business.suppliers:
        raise ConfigurationError(
            "The business has no suppliers.", hint="Add [[suppliers]] to the business file."
        )
    deadline = deadline_seconds or DEADLINES[urgency]
    everyone = await ask_all(business, ledger, now, deadline, asked or ())
    products = await _products(business, ledger)
    learned = {
        supplier.name: learn(await ledger.orders.lead_times(supplier.name))
        for supplier in business.suppliers
    }
    judge = Judge(products, business.currency, business.store.rates if business.store else {})
    told = await asyncio.to_thread(tell, everyone, judge, learned, items, now)
    return SupplierInventory(
        checked_at=now,
        urgency=urgency,
        deadline_seconds=deadline,
        currency=business.currency,
        **told,
    )


def _refuse_wrong(items: list[str], urgency: str, deadline_seconds: float | None) -> None:
    if urgency not in DEADLINES:
        raise InvalidMessage(
            f"There is no urgency {urgency!r}.", hint=did_you_mean(str(urgency), get_args(Urgency))
        )
    if deadline_seconds is not None and not (
        isinstance(deadline_seconds, int | float)
        and isfinite(deadline_seconds)
        and 0 < deadline_seconds <= LONGEST
    ):
        raise InvalidMessage(
            f"deadline_seconds is {deadline_seconds!r}.",
            hint=f"Seconds above 0, at most {LONGEST:g}.",
        )
    if not isinstance(items, list) or not all(isinstance(sku, str) and sku for sku in items):
        raise InvalidMessage("items is no list of SKUs.", hint='For instance ["85123A"].')
    if len(items) > MOST_ASKED:
        raise InvalidMessage(
            f"{len(items):,} items are asked for.",
            hint=f"Name {MOST_ASKED:,} at most, or none to look at all.",
        )


async def _products(business: Business, ledger: Ledger) -> pd.DataFrame:
    """The store's products as they were last read; without rows where they never were."""
    store = business.store
    kept = await ledger.snapshots.latest(store.name, only=("products",)) if store else None
    if kept is None or "products" not in kept.frames:
        empty = {name: pd.Series(dtype="str") for name in ("sku", "name")}
        return pd.DataFrame(empty | {"unit_price": pd.Series(dtype=float)})
    return kept.frames["products"]
