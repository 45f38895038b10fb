"""What limits or questions an order's quantity, each with its reason in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.unit_sales import UnitSales
from agents.statistics import Floats

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Limits:
    """What an order may be without anybody asking.

    Attributes:
        times_ever_sold: An order is cut to so many times the most that was ever sold in as many
            days as it is to cover.
        least_weeks: An item with fewer weeks of history is held: its demand is a guess.
        price_jump: An item whose cost is so many times its usual one, or that part of it, is held.
        surplus_days: What a pack or a minimum adds must sell in so many days.
        line_value: Most that one line may be worth, in the store's money; no limit when None.
        order_value: Most that one order may be worth; no limit when None.
    """

    times_ever_sold: float = 2.0
    least_weeks: int = 4
    price_jump: float = 10.0
    surplus_days: float = 91.0
    line_value: Decimal | None = None
    order_value: Decimal | None = None


@dataclass
class Guarded:
    """Quantities after the guards, one per SKU.

    Attributes:
        units: Whole packs; 0 where the item is held or nothing is wanted.
        reasons: What cut the quantity, in words.
        held: Why nothing is ordered though something was wanted; "" where nothing holds it.
    """

    units: Floats
    reasons: list[list[str]]
    held: list[str]


def history(sales: UnitSales, span_days: Floats) -> pd.DataFrame:
    """What the guards know of the past, one row per SKU of the sales.

    Args:
        sales: Units of the past.
        span_days: Days of each SKU over which the most that it ever sold is asked for; they are
            rounded up to whole weeks.

    Returns:
        ``history_weeks`` since the first sale, ``most_sold`` in any such span.
    """
    span = np.clip(np.ceil(np.nan_to_num(span_days, nan=7.0) / 7), 1, sales.weeks).astype(np.intp)
    most = np.zeros(len(span))
    for weeks in np.unique(span):
        rows = np.flatnonzero(span == weeks)
        sums = np.zeros((len(rows), sales.weeks + 1))
        np.cumsum(sales.weekly[rows], axis=1, out=sums[:, 1:])
        most[rows] = (sums[:, weeks:] - sums[:, :-weeks]).max(axis=1)
    return pd.DataFrame({"history_weeks": sales.weeks - sales.first_week, "most_sold": most})


def guard(lines: pd.DataFrame, limits: Limits) -> Guarded:
    """Cut, round and hold quantities.

    First what makes a record doubtful holds it; then the quantity is cut to what history and shelf
    life allow; then it is rounded to whole packs and the supplier's minimum, which must not create
    demand; at last its value is limited.

    Args:
        lines: One row per item: ``wanted`` (units, 0 where no order is due), ``position``,
            ``reorder`` (units), ``rate`` (units per day), ``lead_days``, ``pack_units``,
            ``min_order_units``; NaN where unknown: ``unit_cost``, ``usual_cost``,
            ``shelf_life_days``, ``history_weeks``, ``most_sold``; text: ``unit``, ``offer_unit``.
        limits: What is allowed.
    """
    work = _Work(lines, limits)
    for step in (_doubtful, _ever_sold, _shelf_life, _whole_packs, _line_value):
        step(work)
    return Guarded(work.units, work.reasons, work.held)


def order_value_reason(value: Decimal, limits: Limits, currency: str = "") -> str:
    """Why an order as a whole needs a person's look; "" when it does not."""
    if limits.order_value is None or value <= limits.order_value:
        return ""
    money = f" {currency}".rstrip()
    return (
        f"The order is worth {value:,.2f}{money}, more than the limit of "
        f"{limits.order_value:,.2f}{money} per order."
    )


class _Work:
    """Quantities on their way through the guards."""

    def __init__(self, lines: pd.DataFrame, limits: Limits) -> None:
        self.limits = limits
        self.lines = lines
        self.units = np.maximum(np.nan_to_num(self.numbers("wanted")), 0.0)
        self.held = [""] * len(lines)
        self.reasons: list[list[str]] = [[] for _ in range(len(lines))]

    def numbers(self, column: str, unknown: float = np.nan) -> Floats:
        if column not in self.lines:
            return np.full(len(self.lines), unknown)
        found = self.lines[column].to_numpy(dtype=float, na_value=np.nan)
        return np.where(np.isnan(found), unknown, found)

    def hold(self, which: Mask, reason: Callable[[int], str]) -> None:
        """Hold what is wanted still, with the reason of each row."""
        for row in np.flatnonzero(which & (self.units > 0)):
            self.held[row] = reason(int(row))
            self.units[row] = 0.0

    def cut(self, which: Mask, to: Floats, reason: Callable[[int], str]) -> None:
        for row in np.flatnonzero(which & (self.units > 0)):
            self.reasons[row].append(reason(int(row)))
            self.units[row] = to[row]


def _doubtful(work: _Work) -> None:
    """Hold items whose unit, cost or history cannot be trusted."""
    limits = work.limits
    if {"unit", "offer_unit"} <= set(work.lines.columns):
        ours, theirs = (
            work.lines[column].fillna("").astype(str).to_numpy()
            for column in ("unit", "offer_unit")
        )
        work.hold(
            (ours != theirs) & (ours != "") & (theirs != ""),
            lambda i: (
                f"It is sold by the {ours[i]} and offered by the {theirs[i]}: say how many "
                f"{ours[i]} a {theirs[i]} holds before ordering."
            ),
        )
    cost, usual = work.numbers("unit_cost"), work.numbers("usual_cost")
    times = np.divide(cost, usual, out=np.ones(len(cost)), where=(cost > 0) & (usual > 0))
    work.hold(
        (times >= limits.price_jump) | (times <= 1 / limits.price_jump),
        lambda i: (
            f"It costs {cost[i]:,.2f} where it cost {usual[i]:,.2f}: check the price before "
            "ordering."
        ),
    )
    weeks = work.numbers("history_weeks", np.inf)
    work.hold(
        weeks < limits.least_weeks,
        lambda i: (
            f"It has sold for {weeks[i]:.0f} weeks, and its demand is only known after "
            f"{limits.least_weeks}: decide by hand."
        ),
    )


def _ever_sold(work: _Work) -> None:
    """Cut to a multiple of the most that was ever sold in the same span."""
    times, most = work.limits.times_ever_sold, work.numbers("most_sold")
    wanted = work.units.copy()
    allowed = np.floor(times * np.nan_to_num(most))
    much = np.isfinite(most) & (wanted > allowed)
    work.hold(
        much & (allowed < 1),
        lambda i: f"{wanted[i]:,.0f} units would be ordered of an item that never sold.",
    )
    work.cut(
        much,
        allowed,
        lambda i: (
            f"Cut from {wanted[i]:,.0f} to {allowed[i]:,.0f} units: the most it ever sold in such "
            f"a span is {most[i]:,.0f}, and an order is at most {times:g} times that."
        ),
    )


def _sells_in_time(work: _Work) -> Floats:
    """Units that sell before they go off, beyond what is there when they come; inf if they keep."""
    rate, life = work.numbers("rate", 0.0), work.numbers("shelf_life_days", np.inf)
    arriving = np.maximum(
        work.numbers("position", 0.0) - rate * work.numbers("lead_days", 0.0), 0.0
    )
    with np.errstate(invalid="ignore"):
        sells = np.where(np.isinf(life), np.inf, rate * life - arriving)
    return np.asarray(np.maximum(sells, 0.0))


def _shelf_life(work: _Work) -> None:
    """Cut to what sells before it goes off."""
    life, sells = work.numbers("shelf_life_days"), np.floor(_sells_in_time(work))
    wanted = work.units.copy()
    work.hold(
        sells < 1,
        lambda i: f"It keeps for {life[i]:.0f} days, in which no further unit is expected to sell.",
    )
    work.cut(
        wanted > sells,
        sells,
        lambda i: (
            f"Cut from {wanted[i]:,.0f} to {sells[i]:,.0f} units: it keeps for {life[i]:.0f} days, "
            "in which no more is expected to sell."
        ),
    )


def _whole_packs(work: _Work) -> None:
    """Round to whole packs and up to the minimum, while what that adds sells in a stated time."""
    pack = np.maximum(work.numbers("pack_units", 1.0), 1.0)
    minimum = np.ceil(work.numbers("min_order_units", 0.0) / pack) * pack
    wanted, rate = work.units.copy(), work.numbers("rate", 0.0)
    down, up = np.floor(wanted / pack) * pack, np.ceil(wanted / pack) * pack
    # Down where that is nearer and still brings the item above its reorder point.
    enough = (down > 0) & (work.numbers("position", 0.0) + down > work.numbers("reorder", 0.0))
    rounded = np.where(enough & (wanted - down < up - wanted), down, up)
    rounded = np.maximum(rounded, minimum)
    days = work.limits.surplus_days
    most = np.minimum(wanted + rate * days, _sells_in_time(work))
    fits = rounded <= np.maximum(most, wanted)
    # A pack less is better than none, where the minimum allows it.
    smaller = ~fits & (down > 0) & (down >= minimum)
    rounded = np.where(smaller, down, rounded)
    life = work.numbers("shelf_life_days")

    def why_held(i: int) -> str:
        by_minimum = minimum[i] >= up[i] and minimum[i] > pack[i]
        least = f"the minimum is {minimum[i]:,.0f}" if by_minimum else f"a pack is {pack[i]:,.0f}"
        if wanted[i] + rate[i] * days < rounded[i]:
            late = f"the {rounded[i] - wanted[i]:,.0f} more would not sell in {days:.0f} days"
        else:
            late = f"it keeps for {life[i]:.0f} days and would not all sell in them"
        return f"{wanted[i]:,.0f} units are wanted, {least}, and {late}."

    work.hold(~fits & ~smaller, why_held)
    # No reason to be told: what is bought in the end, and in which packs, the order's line says.
    work.units = np.where(work.units > 0, rounded, 0.0)


def _line_value(work: _Work) -> None:
    """Cut to whole packs that the limit per line allows."""
    limit = work.limits.line_value
    if limit is None:
        return
    pack, cost = np.maximum(work.numbers("pack_units", 1.0), 1.0), work.numbers("unit_cost")
    units, minimum = work.units.copy(), work.numbers("min_order_units", 0.0)
    allowed = units.copy()
    with np.errstate(invalid="ignore"):
        near = np.flatnonzero(units * cost > 0.99 * float(limit))
    for row in near:  # to the cent, in the few that come near the limit
        packs = limit // (Decimal(str(cost[row])) * Decimal(str(pack[row])))
        allowed[row] = min(float(packs) * pack[row], units[row])
    much = allowed < units
    work.hold(
        much & ((allowed < 1) | (allowed < minimum)),
        lambda i: (
            f"{units[i]:,.0f} units are worth {units[i] * cost[i]:,.2f}, more than the limit of "
            f"{limit:,.2f} per line, and no smaller order is possible."
        ),
    )
    work.cut(
        much,
        allowed,
        lambda i: (
            f"Cut from {units[i]:,.0f} to {allowed[i]:,.0f} units: the limit is {limit:,.2f} per "
            "line."
        ),
    )
