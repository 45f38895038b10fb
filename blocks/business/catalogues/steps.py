"""Price steps of one article, in one row or in several, as a row of OFFERS each."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from blocks.business.catalogues.columns import PriceStep


def unfolded(raw: pd.DataFrame, steps: Sequence[PriceStep]) -> pd.DataFrame:
    """Rows with several price steps as a row per step; steps without a price are none.

    Args:
        raw: Rows as they came, with the columns that the steps name.
        steps: As the connection names them; ``unit_cost`` in the row is the price below them all.
    """
    priced_at = [n for n, step in enumerate(steps) if step.cost_column(n) in raw]
    if not priced_at:
        return raw
    parts = [raw if "unit_cost" in raw else raw.assign(unit_cost=None)]
    for number in priced_at:
        step = steps[number]
        known = None if isinstance(step.from_units, str) else step.from_units
        from_units = raw.get(step.from_column(number), known)
        priced = raw.assign(unit_cost=raw[step.cost_column(number)], from_units=from_units)
        parts.append(priced[priced["unit_cost"].notna()])
    # Together, in the order of the rows: the first row of a SKU tells its first price.
    together = pd.concat(parts).sort_index(kind="stable")
    has_price = together["unit_cost"].notna()
    without = ~together.index.isin(together.index[has_price])  # they stay, to be told of
    return together[has_price | without].reset_index(drop=True)


def by_smallest_order(offers: pd.DataFrame) -> pd.DataFrame:
    """Several rows of one SKU that differ in price and smallest order, as the price steps they are.

    A price that is given for orders of at least 480 holds from 480 pieces on. Only where no row of
    the SKU tells from how many pieces its price holds, no two tell the same smallest order, and a
    larger one is never dearer: all else is left as it is, to be refused as contradictory.

    Args:
        offers: Rows of contract OFFERS of one supplier.
    """
    from_units = offers["from_units"] if "from_units" in offers else pd.Series(0.0, offers.index)
    told = from_units.fillna(0.0) > 0
    order = offers.assign(told=told).sort_values(["sku", "min_order_units"], kind="stable")
    several = order["sku"].duplicated(keep=False)
    if not several.any():
        return offers
    order = order[several]
    before = order.groupby("sku")[["min_order_units", "unit_cost"]].shift()
    odd = (
        order["told"]
        | (order["min_order_units"] <= before["min_order_units"])
        | (order["unit_cost"] > before["unit_cost"])
    )
    steps = order[~odd.groupby(order["sku"]).transform("any")]
    if steps.empty:
        return offers
    offers = offers.assign(from_units=from_units)
    smallest = steps.groupby("sku")["min_order_units"].transform("min")
    offers.loc[steps.index, "from_units"] = steps["min_order_units"]
    offers.loc[steps.index, "min_order_units"] = smallest
    return offers
