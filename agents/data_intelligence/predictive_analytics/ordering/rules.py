"""What the reordering rules of ERP systems would order now: Tryton's, Odoo's and ERPNext's.

Each rule is given its parameters, as the shop would have entered them, and the state of its stock.
``usual_parameters`` sets them as shops do: days of the average demand, by class of value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.statistics import Floats

CLASS_SHARES = (0.8, 0.95)
"""Class A sells the first 80% of the value, B the next 15%, C the rest (Pareto, Dickie 1951)."""

CLASSES = ("A", "B", "C")


@dataclass(frozen=True)
class Usual:
    """How a shop sets the parameters of a class of items.

    Attributes:
        safety_days: Days of demand beyond the lead time below which it orders.
        cover_days: Days of demand that an order brings.
    """

    safety_days: float
    cover_days: float


USUAL = {"A": Usual(21, 42), "B": Usual(14, 42), "C": Usual(7, 91)}
"""Parameters where the shop has none: what cost a real shop least over half a year, searched for by
``python -m benchmarks.purchasing`` on the days before its cut."""


@dataclass(frozen=True)
class Parameters:
    """What an ERP system's rule is given, one per SKU, in units.

    Attributes:
        minimum: Tryton's and Odoo's minimum, ERPNext's reorder level.
        maximum: Odoo's maximum, Tryton's target.
        quantity: ERPNext's reorder quantity.
    """

    minimum: Floats
    maximum: Floats
    quantity: Floats


def tryton(
    lowest: Floats, minimum: Floats, target: Floats, requested: Floats | float = 0.0
) -> Floats:
    """Tryton's order point: target less the least stock in the window, less open requests.

    Args:
        lowest: Least forecast stock on any day of the window, see ``lowest_in_window``.
        minimum: Below it is a shortage.
        target: Up to where it orders.
        requested: Units of purchase requests that are still open.
    """
    quantity = np.maximum(target - lowest - requested, 0.0)
    return np.asarray(np.where(lowest < minimum, quantity, 0.0))


def lowest_in_window(
    on_hand: Floats, moves: Floats, first: NDArray[np.intp], last: NDArray[np.intp]
) -> Floats:
    """Least forecast stock in Tryton's window.

    Args:
        on_hand: Units now.
        moves: Units that come (above zero) and go (below), one row per SKU, one column per day
            from today on; what is overdue belongs to today.
        first: Day, from 0, of the earliest supply if ordered today.
        last: Day of the latest supply if ordered one supply period later; after the last column
            nothing moves.
    """
    stock = on_hand[:, None] + np.cumsum(moves, axis=1)
    end = moves.shape[1] - 1
    day = np.arange(end + 1)
    start, stop = np.minimum(first, end)[:, None], np.minimum(last, end)[:, None]
    inside = (day >= start) & (day <= np.maximum(stop, start))
    return np.asarray(np.where(inside, stock, np.inf).min(axis=1))


def odoo(
    forecast: Floats,
    minimum: Floats,
    maximum: Floats,
    multiple: Floats | float = 1.0,
) -> Floats:
    """Odoo's reordering rule: up to the maximum where the forecast is below the minimum.

    Args:
        forecast: Virtual available up to the lead days, and what is in progress.
        minimum: Below it is ordered.
        maximum: Up to where; the minimum where that is more.
        multiple: Units of the packaging; the order is rounded up to it.
    """
    quantity = np.maximum(minimum, maximum) - forecast
    packed = np.ceil(np.round(quantity / multiple, 9)) * multiple
    return np.asarray(np.where(forecast < minimum, np.maximum(packed, 0.0), 0.0))


def erpnext(projected: Floats, level: Floats, quantity: Floats) -> Floats:
    """ERPNext's auto reorder: the reorder quantity, or up to the level where that is more.

    Args:
        projected: Actual + ordered + requested + planned - reserved.
        level: At or below it is ordered.
        quantity: Reorder quantity.
    """
    due = (projected <= level) & ((level > 0) | (quantity > 0))
    return np.asarray(np.where(due, np.maximum(quantity, level - projected), 0.0))


def abc_classes(value: Floats) -> NDArray[np.intp]:
    """Class of each SKU by the value that it sold: 0 for A, 1 for B, 2 for C.

    Args:
        value: Money per SKU over the same time; NaN and what is below zero count as zero.
    """
    known = np.maximum(np.nan_to_num(value), 0.0)
    order = np.argsort(-known, kind="stable")
    total = known.sum()
    classes = np.full(len(known), len(CLASSES) - 1, dtype=np.intp)
    if total > 0:
        before = (np.cumsum(known[order]) - known[order]) / total
        classes[order] = np.searchsorted(CLASS_SHARES, before, side="right")
        classes[known <= 0] = len(CLASSES) - 1
    return classes


def usual_parameters(
    average: Floats,
    lead_days: Floats,
    safety_days: Floats | float,
    cover_days: Floats | float,
) -> Parameters:
    """Parameters as shops set them, from the average demand of the past.

    Minimum and level are the average over lead time and safety days (ERPNext's report "Itemwise
    Recommended Reorder Level" has the same form), maximum and reorder quantity what sells in the
    days that an order is to cover. They are whole units: a level is rounded, a quantity is 1 at
    least.

    Args:
        average: Units per day.
        lead_days: Expected lead time.
        safety_days: Days of demand beyond it.
        cover_days: Days of demand that an order brings.
    """
    level = np.rint(average * (lead_days + safety_days))
    # Tryton and Odoo order below their minimum, ERPNext at its level: a minimum of 0 never orders.
    quantity = np.where(average > 0, np.maximum(np.rint(average * cover_days), 1.0), 0.0)
    return Parameters(level, level + quantity, quantity)


def usual_by_class(
    average: Floats, lead_days: Floats, classes: NDArray[np.intp], usual: dict[str, Usual] = USUAL
) -> Parameters:
    """``usual_parameters`` with the days of each SKU's class."""
    days = np.array([[usual[c].safety_days, usual[c].cover_days] for c in CLASSES])[classes]
    return usual_parameters(average, lead_days, days[:, 0], days[:, 1])
