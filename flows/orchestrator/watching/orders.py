"""The part of watching that looks at orders: whether they come as they usually do at that hour."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from agents.data_intelligence.anomaly_detection.orders.closures import known_closures
from agents.data_intelligence.anomaly_detection.orders.freshness import NOTED_DAYS, freshness
from agents.data_intelligence.anomaly_detection.orders.judging import Judgement, judge
from agents.data_intelligence.anomaly_detection.orders.rhythm import FEWEST_WEEKS, Rhythm, learn
from agents.data_intelligence.anomaly_detection.orders.spans import joined, sum_between
from agents.data_intelligence.anomaly_detection.orders.telling import Facts, signals_of
from agents.data_intelligence.anomaly_detection.orders.written import actual_hours, usual_hours
from agents.data_intelligence.trading_calendar import TradingCalendar, TradingHistory
from blocks.business.business import Business
from blocks.errors import DataError, SourceError
from blocks.ledger import Ledger
from blocks.policy.watching.trade_rules import TradeRules
from blocks.store.block import StoreDatabase
from blocks.store.hours.counts import OrderCounts
from blocks.vocabulary.looks import Look, Sample, Signal

PART = "orders"

AGE = "newest_order_age_s"
"""Series of how old the newest order was at each look."""

LEARNING_SECONDS = 45.0
"""After which reading the past ends: what is older is not learned from."""

RECENT = timedelta(hours=26)
"""What is read at each look: the day before with a margin, so that late lines are seen."""

WITHIN_THE_HOUR = 1.0


@dataclass(frozen=True, eq=False)
class _Learned:
    """What is known of a shop, and for what that holds."""

    of: tuple[str, ...]
    rhythm: Rhythm | None
    weeks: float
    closed: frozenset[date]
    fastest: float | None


class Orders:
    """Looks at a store's orders; what its past says is learned once a day, and remembered."""

    def __init__(self) -> None:
        self._learned: _Learned | None = None

    async def look(
        self, business: Business, ledger: Ledger, rules: TradeRules, now: datetime
    ) -> Look:
        """Look at the newest orders of a business.

        Args:
            business: Its store has them, and its services a checkout.
            ledger: Has what earlier looks noted.
            rules: How orders are judged.
            now: The instant of the look.

        Raises:
            LedgerError: The ledger cannot be read or written.
        """
        store = business.store
        if store is None or "sale_lines" not in store.frames:
            return Look(part=PART)
        subject = f"store:{store.name}"
        try:
            learned = await self._known(store, ledger, rules, now)
            if learned.rhythm is None:
                return _not_judged(subject, learned.weeks)
            recent = await store.count_orders(now - RECENT, now)
        except DataError as error:  # it stays so until somebody configures it otherwise
            return Look(part=PART, missing=(f"{subject}: {error}",))
        except SourceError as error:
            return Look(part=PART, missing=(f"{subject}: {error}",), failed=str(error))
        looking = _Looking(store, learned, learned.rhythm, recent, now)
        return await looking.look(ledger, _about(business, store, rules))

    async def _known(
        self, store: StoreDatabase, ledger: Ledger, rules: TradeRules, now: datetime
    ) -> _Learned:
        zone = ZoneInfo(store.timezone)
        today = now.astimezone(zone).date()
        frames = str({name: [m.model_dump() for m in f] for name, f in store.frames.items()})
        secret = store.url.get_secret_value()
        of = (store.name, secret, frames, store.timezone, rules.model_dump_json(), str(today))
        if self._learned is None or self._learned.of != of:
            midnight = datetime.combine(today, time(), zone).astimezone(UTC)
            since = midnight - timedelta(weeks=rules.past_weeks)
            past = await store.count_orders(since, midnight, seconds=LEARNING_SECONDS)
            rhythm = await asyncio.to_thread(learn, past, zone, rules)
            calendar = await _calendar(ledger, store.name, now)
            closed = known_closures(today - timedelta(days=10), 25, rules.closed_days, calendar)
            weeks = (past.end - past.begin) / timedelta(weeks=1) if past.orders.any() else 0.0
            fastest = rhythm.fastest() if rhythm else None
            self._learned = _Learned(of, rhythm, weeks, closed, fastest)
            if rhythm:
                await ledger.samples.revise(usual_hours(store.name, rhythm, now, closed))
        return self._learned


class _Looking:
    """One look at a store whose rhythm is known."""

    def __init__(
        self,
        store: StoreDatabase,
        learned: _Learned,
        rhythm: Rhythm,
        recent: OrderCounts,
        now: datetime,
    ) -> None:
        self._store, self._learned, self._rhythm, self._now = store, learned, rhythm, now
        self._counts = joined(rhythm.past, recent)
        self._newest = recent.newest or rhythm.newest
        sold = {*self._counts.days_with_orders(rhythm.zone)}
        # Who sells on a day off is open after all.
        self._closed = learned.closed - sold

    async def look(self, ledger: Ledger, about: str) -> Look:
        """See whether orders come as they usually do; trouble is told of ``about``."""
        name, now = self._store.name, self._now
        subject = f"store:{name}"
        age = f"{subject}/{AGE}"
        since = now - timedelta(days=NOTED_DAYS)
        ages = (await ledger.samples.history([age], since, now))[age]
        fresh = freshness(self._rhythm, ages, self._newest, self._is_closed)
        samples: list[Sample] = []
        if self._newest is not None:
            seconds = max(0.0, (self._counts.end - self._newest).total_seconds())
            samples.append(Sample(series=age, at=now, value=seconds))
        if fresh.live:
            samples += actual_hours(name, self._counts, now)
        judgement = judge(self._limited(fresh.late or 0.0), self._counts, self._is_closed)
        if judgement.silence and fresh.late is None:
            why = f"{subject}: {self._unknown(fresh.live, judgement)}"
            return Look(part=PART, samples=tuple(samples), missing=(why,))
        if not fresh.live:  # what came within the last hours is not known of it
            judgement = replace(judgement, shortfall=None)
        signals: tuple[Signal, ...] = ()
        if judgement.silence or judgement.shortfall:
            signals = signals_of(judgement, await self._facts(about, judgement))
        return Look(
            part=PART,
            covered=frozenset({subject, about}),
            signals=signals,
            samples=tuple(samples),
            notes=tuple(f"{subject}: {why}" for why in self._slow(fresh.live, fresh.late)),
        )

    def _limited(self, late: float) -> Rhythm:
        return replace(self._rhythm, silence=self._rhythm.silence + late)

    def _is_closed(self, day: date) -> bool:
        return day in self._closed

    async def _facts(self, about: str, judgement: Judgement) -> Facts:
        now, rhythm = self._now, self._rhythm
        elsewhere: dict[str, datetime] = {}
        if judgement.silence:
            try:
                elsewhere = await self._store.newest_elsewhere()
            except (DataError, SourceError):  # then nothing is said of it
                elsewhere = {}
        newest = self._newest or self._counts.begin
        return Facts(
            subject=about,
            newest=self._newest,
            hours_to_know=rhythm.hours_to_know(newest, self._is_closed),
            orders_per_hour=sum_between(rhythm.expected, now, now + timedelta(hours=1)),
            money_per_hour=sum_between(rhythm.earned, now, now + timedelta(hours=1)),
            money_since=sum_between(rhythm.earned, newest, now, self._is_closed),
            elsewhere=elsewhere,
            zone=rhythm.zone,
        )

    def _unknown(self, live: bool | None, judgement: Judgement) -> str:
        newest = f"{self._newest:%Y-%m-%d %H:%M} UTC" if self._newest else "long ago"
        said = f"the newest order is of {newest}, about {judgement.missed:.0f} are missing since"
        if live is None:
            return (
                f"{said}. Whether orders stopped or reach the database late cannot be told: "
                "no look has seen them come in yet."
            )
        return f"{said}. Orders reach the database late; how late is usual is not known yet."

    def _slow(self, live: bool | None, late: float | None) -> list[str]:
        """Why a stop cannot be known within the hour, if it cannot."""
        fastest = self._learned.fastest
        if live is False and late:
            took = self._limited(late).fastest()
            when = f"after {took:.0f} hours at best" if took else "in two weeks"
            return [f"orders reach the database late: a stop is known {when}"]
        if fastest is None:
            return ["so few orders come that a stop cannot be known within two weeks"]
        if fastest > WITHIN_THE_HOUR:
            rate = float(self._rhythm.rates.max())
            return [
                "a stop of its orders cannot be known within the hour: at the busiest hour, with "
                f"{rate:.1f} orders, it takes {fastest:.1f} hours"
            ]
        return []


def subjects(business: Business, rules: TradeRules) -> list[str]:
    """Whom trouble with orders is told of now; nobody where no orders are mapped."""
    store = business.store
    if store is None or "sale_lines" not in store.frames:
        return []
    return [f"store:{store.name}", _about(business, store, rules)]


def _about(business: Business, store: StoreDatabase, rules: TradeRules) -> str:
    if rules.checkout and any(each.name == rules.checkout for each in business.services):
        return f"service:{rules.checkout}"
    return f"store:{store.name}"


async def _calendar(ledger: Ledger, store: str, now: datetime) -> TradingCalendar | None:
    try:
        snapshot = await ledger.snapshots.latest(store, only=("orders",))
        return TradingHistory.of(snapshot, now).calendar if snapshot else None
    except DataError:  # kept for other contracts, or without an order
        return None


def _not_judged(subject: str, weeks: float) -> Look:
    if weeks == 0:
        why = "no order could be counted, so that it is not known what is usual at an hour"
        return Look(part=PART, missing=(f"{subject}: {why}",))
    why = f"orders by the hour are judged from {FEWEST_WEEKS} weeks of sales on"
    return Look(part=PART, notes=(f"{subject}: {why}; at most {weeks:.0f} are known",))
