"""What an event means for the business: what depends on it, how much is at risk, how often."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from agents.capability import ANYBODY, action
from agents.data_intelligence import EVENT_KINDS
from agents.data_intelligence.pattern_recognition.item_facts import (
    SALES_DAYS,
    advice_on,
    left,
    sku_facts,
)
from agents.data_intelligence.pattern_recognition.order_events import (
    OF_ORDERS,
    meaning_of_orders,
)
from agents.data_intelligence.result import count
from agents.data_intelligence.takings import (
    Takings,
    money_between,
    money_per_hour,
    share_of_hour,
    usual_takings,
)
from agents.data_intelligence.trading_calendar import TradingHistory
from agents.events import answer_each
from blocks.business.business import Business
from blocks.errors import DataError
from blocks.ledger import Ledger
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.messages import Severity, SystemEvent
from blocks.vocabulary.responses import EventResponse, EventResponses, read_event, subject_of

RECURRENCE = timedelta(hours=24)
"""How far back equal events are counted."""

DAY = timedelta(hours=24)
VITAL_SHARE = 0.25
"""From this share of revenue on, trouble with a service is critical."""


@action(timeout=20, retries=1, askers=ANYBODY)
async def process_event(
    event: dict[str, Any], business: Business, ledger: Ledger, now: datetime
) -> EventResponse:
    """Say what an event means for the business: money at risk, and how often it came.

    Nothing is asked but the ledger. A subject ``service:``, ``sku:``, ``supplier:`` or ``store:``
    concerns the business; anything else does not.

    Args:
        event: A SystemEvent as JSON.
        business: Whose event.
        ledger: Holds earlier events, and the store's snapshots.
        now: The instant to judge at.

    Raises:
        InvalidMessage: ``event`` is no event.
        ContractViolation: The kept snapshot was written for other contracts than today's.
        LedgerUnavailable: The ledger cannot be read.
    """
    happened = read_event(event)
    kind, name = subject_of(happened)
    if kind not in EVENT_KINDS or not name:
        return EventResponse.not_concerned(
            happened, f"{happened.subject or 'It'} is nothing that the business's figures speak of."
        )
    meaning = await _Meaning(happened, business, ledger, now).of(kind, name)
    if not meaning.relevant:
        return meaning
    earlier = await ledger.inbox.earlier(happened, now - RECURRENCE)
    often = f" {count(earlier, 'such event')} came within the 24 hours before." if earlier else ""
    return meaning.model_copy(
        update={
            "assessment": f"{meaning.assessment}{often}",
            "evidence": meaning.evidence | {"earlier_within_24_h": earlier},
        }
    )


@action(timeout=60, retries=0)
async def process_events(
    events: list[dict[str, Any]], business: Business, ledger: Ledger, now: datetime
) -> EventResponses:
    """Say what each of many events means for the business, as ``process_event`` does."""
    return await answer_each(events, lambda event: process_event(event, business, ledger, now))


class _Meaning:
    """One event's meaning, by what it is about."""

    def __init__(
        self, event: SystemEvent, business: Business, ledger: Ledger, now: datetime
    ) -> None:
        self._event, self._business, self._ledger, self._now = event, business, ledger, now

    async def of(self, kind: str, name: str) -> EventResponse:
        if self._event.type in OF_ORDERS:
            return meaning_of_orders(
                self._event, await self._takings(), self._business.currency, self._now
            )
        match kind:
            case "service":
                return await self._service(name)
            case "sku":
                return await self._sku(name)
            case "supplier":
                return await self._supplier(name)
        return await self._store(name)

    async def _service(self, name: str) -> EventResponse:
        service = next((s for s in self._business.services if s.name == name), None)
        if service is None:
            return self._not_concerned(f"The business has no service {name!r}.")
        severity = self._event.severity
        if severity is Severity.ERROR and service.revenue_share >= VITAL_SHARE:
            severity = Severity.CRITICAL
        share = service.revenue_share
        takings = await self._takings()
        at_risk = money_per_hour(takings, share, self._now)
        day = money_between(takings, share, self._now, self._now + DAY)
        hour = "in an hour like this"
        if not takings.is_by_hour(self._now):
            hour = "per hour, averaged over the day"
        money = "" if at_risk is None else f", about {self._money(at_risk)} {hour}"
        return EventResponse(
            relevant=True,
            assessment=f"{share:.0%} of revenue depends on {name}{money}.",
            severity=severity,
            resource=f"service:{name}",
            impact_per_hour=at_risk if self._is_trouble else None,
            impact_per_day=day if self._is_trouble else None,
            evidence={
                "revenue_share": share,
                "revenue_per_hour": takings.in_hour(self._now),
                "averaged_over_the_day": not takings.is_by_hour(self._now),
                "next_day_at_risk": day,
            },
        )

    async def _sku(self, sku: str) -> EventResponse:
        store = self._business.store
        snapshot = await self._ledger.snapshots.of_item(store.name, sku) if store else None
        if snapshot is None:
            return self._not_concerned(f"No snapshot of the store is kept that would know {sku!r}.")
        history = _history(await self._snapshot("orders"), self._now)
        days = history.days_known(SALES_DAYS) if history else SALES_DAYS
        facts = sku_facts(snapshot, sku, self._now, days)
        if facts is None:
            return self._not_concerned(f"The store has no SKU {sku!r}.")
        free, units = facts["free"], facts["units_per_day"]
        name, severity = snapshot.names().get(sku, sku), self._event.severity
        out = free is not None and (free < 0 or free <= 0 < units)
        if out and severity is Severity.INFO:
            severity = Severity.WARNING
        cover = ""
        if free and free > 0 and units > 0:
            cover = f", enough for {count(round(free / units), 'day')}"
        per_day = facts["revenue_per_day"]
        per_hour, by_hour = share_of_hour(per_day, await self._takings(), self._now)
        return EventResponse(
            relevant=True,
            assessment=f"{name} sells {units:.1f} a day: {left(facts)}{cover}.",
            severity=severity,
            resource=f"sku:{sku}",
            advice=advice_on(facts) if out else "",
            impact_per_hour=per_hour if out or self._is_trouble else None,
            impact_per_day=per_day if out or self._is_trouble else None,
            evidence=facts
            | {
                "snapshot_taken_at": snapshot.taken_at.isoformat(),
                "averaged_over_the_day": not by_hour,
            },
        )

    async def _supplier(self, name: str) -> EventResponse:
        if all(supplier.name != name for supplier in self._business.suppliers):
            return self._not_concerned(f"The business has no supplier {name!r}.")
        snapshot = await self._snapshot("open_orders")
        orders = snapshot.frames.get("open_orders") if snapshot else None
        if orders is None:
            told, waiting = f"What is on order from {name} is not known", {}
        else:
            lines = orders[orders["supplier"] == name]
            waiting = {"open_lines": len(lines), "open_units": float(lines["units"].sum())}
            told = (
                f"{count(len(lines), 'order line')} of {waiting['open_units']:,.0f} units "
                f"from {name} have not arrived"
                if len(lines)
                else f"Nothing is on order from {name}"
            )
        return EventResponse(
            relevant=True,
            assessment=f"{told}.",
            severity=self._event.severity,
            resource=f"supplier:{name}",
            evidence=waiting,
        )

    async def _store(self, name: str) -> EventResponse:
        if self._business.store is None or self._business.store.name != name:
            return self._not_concerned(f"The business has no store {name!r}.")
        snapshot = await self._snapshot()
        told = "There is no earlier snapshot: without the store nothing can be said of the business"
        age = None
        if snapshot:
            age = (self._now - snapshot.taken_at).total_seconds() / 3600
            told = f"Without the store, figures rest on its snapshot of {age:.1f} hours ago"
        return EventResponse(
            relevant=True,
            assessment=f"{told}.",
            severity=self._event.severity,
            resource=f"store:{name}",
            evidence={"snapshot_age_hours": age},
        )

    @property
    def _is_trouble(self) -> bool:
        return self._event.severity >= Severity.WARNING

    def _not_concerned(self, why: str) -> EventResponse:
        return EventResponse.not_concerned(self._event, why)

    async def _takings(self) -> Takings:
        store = self._business.store
        if store is None:
            return Takings()
        return await usual_takings(self._ledger, store.name, self._now, self._now + DAY)

    def _money(self, amount: float) -> str:
        return f"{amount:,.{0 if amount >= 100 else 2}f} {self._business.currency}"

    async def _snapshot(self, *frames: str) -> Snapshot | None:
        """The newest kept snapshot of the store, with no more frames than are asked for."""
        store = self._business.store
        return await self._ledger.snapshots.latest(store.name, only=frames) if store else None


def _history(snapshot: Snapshot | None, now: datetime) -> TradingHistory | None:
    if snapshot is None:
        return None
    try:
        return TradingHistory.of(snapshot, now)
    except DataError:  # no order yet: then nothing is known, which is no failure of the event
        return None
