"""When to order and up to where: levels that follow from costs, or from a target fill rate.

An item is looked at every ``review_days``. At or below ``reorder`` (s) it is ordered up to
``up_to`` (S). What is there must last until what is ordered at the *next* look can arrive: over
lead time and review, the protection interval. Its demand is a mixture over lead times of what is
forecast and how the item's own past varied around its average (``own_past.py``), or, where there is
no past, of the errors that the forecast made over all items (``protection.py``).

* S - s is the economic order quantity Q = sqrt(2 K D / (c h)) (Harris 1913; Silver, Pyke and Thomas
  2017, ch. 4), or what sells from one look to the next, whichever is more: K per order line, D
  units a year, c h the cost of holding a unit for a year.
* s is the quantile of the demand over the protection interval at which a unit more costs as much
  as it saves. Over one cycle of Q / D years it costs c h Q / D to hold, and saves the margin b with
  the chance that it is asked for: P(demand > s) = c h Q / (c h Q + b D), sales being lost (Hadley
  and Whitin 1963, ch. 4-11).
* With a target fill rate, s is that at which the expected shortage of one cycle is (1 - fill rate)
  Q (Silver, Pyke and Thomas 2017, ch. 6).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.demand.demand import Demand
from agents.data_intelligence.predictive_analytics.ordering.economics import (
    REVIEW_DAYS,
    Economics,
    LeadTimes,
    Levels,
)
from agents.data_intelligence.predictive_analytics.ordering.lead_times import lead_time_nodes
from agents.data_intelligence.predictive_analytics.ordering.own_past import (
    OwnPast,
    covering,
    quantile,
    recent_rate,
)
from agents.data_intelligence.predictive_analytics.ordering.protection import Protection, Rows
from agents.data_intelligence.predictive_analytics.unit_sales import UnitSales
from agents.statistics import Floats
from blocks.errors import InvalidMessage

RATE_DAYS = 91
"""The rate of demand that quantities rest on is that of the next quarter."""

MOST_COVER_DAYS = 364
"""An order covers a year at most: beyond that the forecast says nothing, and goods go out of
fashion, which the cost of holding does not know."""

FALLBACK_SERVICE = 0.95
"""Probability of no stock-out in a cycle, where price or cost are unknown."""

FALLBACK_COVER_DAYS = 28
"""What an order covers where the cost is unknown."""

_LEAST_SERVICE, _MOST_SERVICE = 0.5, 0.999


def levels_of(
    demand: Demand,
    lead: LeadTimes,
    economics: Economics,
    review_days: int = REVIEW_DAYS,
    rows: Rows | None = None,
    past: UnitSales | None = None,
    fill_rate: float | None = None,
) -> Levels:
    """Levels that cost least: holding, order lines and lost margin; or that meet a fill rate.

    Where cost or margin are unknown (NaN), or no margin is left, ``guessed`` is True: the quantity
    covers ``FALLBACK_COVER_DAYS`` unless the cost is known, the service is ``FALLBACK_SERVICE``.
    With a fill rate that is so where the cost is unknown, on which the quantity rests.

    Args:
        demand: Whose levels.
        lead: One per row that is asked for; levels of an unknown lead time are NaN.
        economics: One per row that is asked for.
        review_days: Days from one look at the stock to the next.
        rows: Rows of ``demand`` that are asked for; all when None.
        past: What the SKUs of ``demand`` sold, in its rows; without it every item is judged by the
            errors over all of them.
        fill_rate: Share of the demand that is to be served from stock, between 0 and 1.

    Raises:
        InvalidMessage: The fill rate is no share.
    """
    days = lead_time_nodes(lead) + review_days
    protection = Protection.over(demand, days, rows)
    return levels_over(
        protection, demand, lead, economics, review_days, rows, past, days, fill_rate
    )


def levels_over(
    protection: Protection,
    demand: Demand,
    lead: LeadTimes,
    economics: Economics,
    review_days: int,
    rows: Rows | None,
    past: UnitSales | None,
    days: NDArray[np.intp],
    fill_rate: float | None = None,
) -> Levels:
    """``levels_of`` where the demand over lead time and review is known already."""
    if fill_rate is not None and not 0 < fill_rate < 1:
        raise InvalidMessage(
            f"A fill rate of {fill_rate} is not possible.", hint="Give one between 0 and 1."
        )
    rate = quantity_rate(demand, rows, past)
    quantity = order_quantity(rate, economics, review_days)
    own = None if past is None else OwnPast.of(past, days, protection.mean, rows)
    if fill_rate is None:
        service, guessed = economic_service(rate, quantity, economics)
        reorder = quantile(protection, own, service)
    else:
        reorder = covering(protection, own, (1 - fill_rate) * quantity)
        service, guessed = 1 - protection.exceeds(reorder), np.isnan(economics.unit_cost)
    reorder = np.where(np.isnan(lead.mean), np.nan, reorder)
    return Levels(reorder, reorder + quantity, service, guessed)


def quantity_rate(demand: Demand, rows: Rows | None, past: UnitSales | None) -> Floats:
    """Units per day that order quantities rest on: what sold lately, else what is forecast.

    What did not sell for a quarter and will, as its season comes, has no rate of its own lately.
    """
    forecast = daily_rate(demand, rows)
    if past is None:
        return forecast
    recent = recent_rate(past, rows)
    return np.where(recent > 0, recent, forecast)


def daily_rate(demand: Demand, rows: Rows | None = None) -> Floats:
    """Expected units per day over the next quarter."""
    rate = demand.mean(RATE_DAYS) / RATE_DAYS
    return rate if rows is None else rate[rows]


def order_quantity(rate: Floats, economics: Economics, review_days: int) -> Floats:
    """Economic order quantity per SKU, in units; at least the demand of one review.

    Args:
        rate: Units per day.
        economics: Its costs.
        review_days: Days from one look to the next.
    """
    holding = economics.unit_cost * economics.holding_per_year / 365
    known = np.nan_to_num(holding) > 0
    quantity = rate * FALLBACK_COVER_DAYS
    squared = np.divide(2 * economics.line_cost * rate, holding, where=known, out=quantity**2)
    quantity = np.sqrt(squared)
    return np.asarray(np.clip(quantity, rate * review_days, rate * MOST_COVER_DAYS))


def economic_service(
    rate: Floats, quantity: Floats, economics: Economics
) -> tuple[Floats, NDArray[np.bool_]]:
    """Probability of no stock-out in a cycle that costs least, and where it is a guess."""
    held = economics.unit_cost * economics.holding_per_year / 365 * quantity
    lost = economics.margin * rate
    known = np.isfinite(held) & np.isfinite(lost) & (economics.margin > 0)
    service = np.full(len(rate), FALLBACK_SERVICE)
    np.divide(lost, held + lost, out=service, where=known & (lost > 0))
    service[known & (lost <= 0)] = _LEAST_SERVICE  # nothing sells: nothing is lost
    return np.clip(service, _LEAST_SERVICE, _MOST_SERVICE), ~known
