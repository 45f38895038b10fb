"""What is told of orders that stopped, or that are far fewer than usually."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from agents.data_intelligence.anomaly_detection.orders.judging import Judgement, Shortfall, Silence
from blocks.vocabulary.looks import Signal
from blocks.vocabulary.messages import Severity

STOPPED, LOW = "orders.stopped", "orders.low"

RUNBOOK = (
    "Place an order as a customer would, down to the payment. Look at what changed last: the "
    "checkout, the payment provider, prices, the stock that is on sale."
)


@dataclass(frozen=True)
class Facts:
    """What is known besides the judgement itself.

    Attributes:
        subject: Whom it is told of.
        newest: When the newest order was made.
        hours_to_know: How long it took, or would take now, to know of a stop.
        orders_per_hour: Usual in the present hour.
        money_per_hour: Likewise, in the store's currency.
        money_since: Usual between the newest order and now.
        elsewhere: Newest of what else the store's database holds, by what it is.
        zone: Whose clock people read.
    """

    subject: str
    newest: datetime | None
    hours_to_know: float | None
    orders_per_hour: float
    money_per_hour: float
    money_since: float
    elsewhere: Mapping[str, datetime]
    zone: ZoneInfo


def signals_of(judgement: Judgement, facts: Facts) -> tuple[Signal, ...]:
    """What is wrong; nothing when orders are as usual."""
    if judgement.silence:
        return (_stopped(judgement.silence, facts),)
    if judgement.shortfall:
        return (_low(judgement.shortfall, facts),)
    return ()


def _stopped(silence: Silence, facts: Facts) -> Signal:
    since = _clock(facts.newest, facts.zone) if facts.newest else "for as long as we know"
    said = f"No order since {since}: about {silence.missed:.0f} usually come in that time."
    if silence.perhaps_closed:
        said += " None came today: if the shop is closed, name the day in the policy (trade)."
    return Signal(
        kind=STOPPED,
        subject=facts.subject,
        severity=Severity.WARNING if silence.perhaps_closed else Severity.CRITICAL,
        summary=f"{said} {_fed(facts)}".strip(),
        impact_per_hour=facts.money_per_hour,
        runbook=RUNBOOK,
        evidence=_evidence(facts)
        | {
            "orders_missed": round(silence.missed, 1),
            "orders_missed_by_chance_once_per_budget": round(silence.limit, 1),
            "usual_revenue_since": round(facts.money_since, 2),
            "perhaps_closed": silence.perhaps_closed,
        },
    )


def _low(short: Shortfall, facts: Facts) -> Signal:
    hours = "hour" if short.hours == 1 else f"{short.hours} hours"
    orders = "order" if short.orders == 1 else "orders"
    return Signal(
        kind=LOW,
        subject=facts.subject,
        severity=Severity.ERROR,
        summary=f"{short.orders:.0f} {orders} in the last {hours}, {short.share:.0%} of the "
        f"{short.usual:.0f} that usually come.",
        impact_per_hour=facts.money_per_hour * (1 - short.share),
        runbook=RUNBOOK,
        evidence=_evidence(facts)
        | {
            "hours": short.hours,
            "orders": short.orders,
            "usual_orders": round(short.usual, 1),
            "surprise": round(short.surprise, 1),
            "surprise_by_chance_once_per_budget": round(short.limit, 1),
        },
    )


def _fed(facts: Facts) -> str:
    """Whether the database is still written to: else its orders may merely not arrive there."""
    newest = facts.newest
    if not facts.elsewhere or newest is None:
        return ""
    later = {what: at for what, at in facts.elsewhere.items() if at > newest}
    if later:
        what, at = max(later.items(), key=lambda each: each[1])
        return f"Its database is written to: {what} of {_clock(at, facts.zone)}."
    return (
        "Nothing else in its database is newer, so that it may be the feed of the database that "
        "stopped, and not the sales."
    )


def _evidence(facts: Facts) -> dict[str, Any]:
    told: dict[str, Any] = {
        "newest_order": facts.newest.isoformat() if facts.newest else None,
        "usual_orders_per_hour": round(facts.orders_per_hour, 2),
        "usual_revenue_per_hour": round(facts.money_per_hour, 2),
        "hours_to_know_of_a_stop": facts.hours_to_know and round(facts.hours_to_know, 2),
    }
    if facts.elsewhere:
        told["newest_elsewhere"] = {what: at.isoformat() for what, at in facts.elsewhere.items()}
    return told


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
