"""The facts about each item of a stock: what is on order, how long it takes, what it brings."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.demand.demand import Demand
from agents.data_intelligence.predictive_analytics.last_sales import LastSales
from blocks.vocabulary.frames import Snapshot

LEAD_TIME_DAYS = 7
"""Lead time of an SKU that no supplier offers, or when the offers could not be had."""

COVER_DAYS = 28
"""An order placed today should last for its lead time and so many days after it."""


def names_of(snapshot: Snapshot, skus: pd.Index) -> pd.Series:
    """What each SKU is called; itself where it has no product."""
    names = pd.Series(skus, index=skus)
    if "products" in snapshot.frames:
        names = snapshot.frames["products"].set_index("sku")["name"].reindex(skus).fillna(names)
    return names


def prices_and_costs(
    snapshot: Snapshot, last: LastSales, skus: pd.Index
) -> tuple[pd.Series, pd.Series]:
    """What a unit brings now, as last sold (else its list price), and what it costs the store.

    NaN where nobody knows.
    """
    price = pd.Series(last.price, index=skus)
    cost = pd.Series(np.nan, index=skus)
    if "products" in snapshot.frames:
        products = snapshot.frames["products"].set_index("sku").reindex(skus)
        price = price.fillna(products["unit_price"].where(products["unit_price"] > 0))
        if "unit_cost" in products:
            cost = products["unit_cost"]
    return price, cost


def lead_times(
    snapshot: Snapshot, skus: pd.Index, default: int, down: Collection[str] = ()
) -> pd.Series:
    """Whole days, at least one: the shortest offer of each SKU.

    Offers of suppliers that are ``down`` are what they offered last. They count where nobody else
    offers the SKU: so an item is never less urgent because its supplier does not answer, and more
    where the others are slower.
    """
    days = pd.Series(np.nan, index=skus)
    if "offers" in snapshot.frames:
        offers = snapshot.frames["offers"]
        is_down = offers["supplier"].isin(list(down))
        for some in (offers[~is_down], offers[is_down]):
            fastest = some.groupby("sku")["lead_time_days"].min()
            days = days.fillna(fastest.reindex(skus))
    return days.fillna(default).apply(np.ceil).clip(1, 365).astype(int)


def deliveries_of(snapshot: Snapshot, today: date, lead: pd.Series) -> pd.DataFrame:
    """Open order lines: ``sku``, ``units``, ``days`` from today until due (NaN: no date), ``lead``.

    Whole days of the store: a delivery promised for today may come until midnight.

    Args:
        snapshot: Uses ``open_orders`` where it is there.
        today: The store's date.
        lead: Lead time in days by SKU; lines of other SKUs are left out.
    """
    if "open_orders" not in snapshot.frames:
        return pd.DataFrame({"sku": [], "units": [], "days": [], "lead": []}, dtype=float)
    lines = snapshot.frames["open_orders"]
    lines = lines[lines["sku"].isin(lead.index)]
    day = lines["expected_at"].dt.tz_convert(snapshot.timezone).dt.tz_localize(None).dt.normalize()
    return pd.DataFrame(
        {
            "sku": lines["sku"],
            "units": lines["units"],
            "days": (day - pd.Timestamp(today)).dt.days,
            "lead": lines["sku"].map(lead),
        }
    )


def on_order(deliveries: pd.DataFrame, today: date, skus: pd.Index) -> pd.DataFrame:
    """Per SKU the units due within the lead time, due after it (and from when), and overdue.

    Columns ``arriving``, ``due_later`` (up to ``COVER_DAYS`` after the lead time), ``overdue``
    (due before today, or on no day), ``next_due`` (of ``due_later``) and ``first_due`` (of all that
    is due).
    """
    days, lead = deliveries["days"], deliveries["lead"]
    later = deliveries[(days > lead) & (days <= lead + COVER_DAYS)]
    units = {
        "arriving": deliveries[(days >= 0) & (days <= lead)],
        "due_later": later,
        "overdue": deliveries[days.isna() | (days < 0)],
    }
    table = pd.DataFrame(
        {name: part.groupby("sku")["units"].sum() for name, part in units.items()}
    ).reindex(skus)
    first = {"next_due": later, "first_due": deliveries[days >= 0]}
    due = {
        name: pd.Timestamp(today)
        + pd.to_timedelta(part.groupby("sku")["days"].min().reindex(skus), unit="D")
        for name, part in first.items()
    }
    return table.fillna(0.0).assign(**due)


def exposure(demand: Demand, deliveries: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """What of each SKU's demand cannot be served before an order placed today arrives.

    With D(t) the demand of the t days from today on and S(t) what is free plus what is due before
    day t, looked at on each day of the lead time L on which goods are due, and on L itself, where
    all that is due within it is there. S(t) is at least zero for t < L, and may be below it for L:
    what is owed waits for a delivery.

    The chance of a stock-out is the greatest of the chances that ``D(t) > S(t)``: goods count from
    the day on which they arrive. It is exact for demand that is high or low throughout, as that of
    a forecast that errs is, and else a lower bound. Lost units are the greatest of the expected
    shortages ``E[D(t) - S(t)]+``: for one course of demand the maximum is exact, as what is lost
    once is not wanted again; the maximum of the expectations is a lower bound.

    Args:
        demand: Of all SKUs of the table, and maybe others.
        deliveries: As ``deliveries_of`` makes them.
        table: By SKU ``free``, ``arriving`` and ``lead_time``, in units and days.

    Returns:
        By SKU ``demand`` over the lead time, ``probability`` and ``lost_units``.
    """
    rows = pd.Index(demand.skus)
    found = pd.DataFrame(0.0, index=table.index, columns=["demand", "probability", "lost_units"])
    for lead_time in sorted(table["lead_time"].unique()):
        group = table[table["lead_time"] == lead_time]
        spread = demand.spread(int(lead_time)).rows(rows.get_indexer(group.index))
        available = (group["free"] + group["arriving"]).to_numpy()
        found.loc[group.index, "demand"] = spread.mean
        found.loc[group.index, "probability"] = spread.exceeds(available)
        found.loc[group.index, "lost_units"] = spread.shortage(available)
    waiting = _before_deliveries(demand, deliveries, table).reindex(table.index)
    for column in ("probability", "lost_units"):
        found[column] = np.fmax(found[column], waiting[column])
    return found


def _before_deliveries(
    demand: Demand, deliveries: pd.DataFrame, table: pd.DataFrame
) -> pd.DataFrame:
    """Greatest chance of a shortage, and greatest expected one, just before a delivery."""
    rows = pd.Index(demand.skus)
    days, lead = deliveries["days"], deliveries["lead"]
    due = deliveries[(days >= 0) & (days <= lead)]
    due = due.groupby(["sku", "days"])["units"].sum().reset_index()  # sorted by both
    came = due.groupby("sku")["units"].cumsum() - due["units"]
    available = (due["sku"].map(table["free"]) + came).clip(lower=0.0)
    due = due.assign(available=available, probability=0.0, lost_units=0.0)
    for day in sorted(due.loc[due["days"] > 0, "days"].unique()):
        group = due[due["days"] == day]
        spread = demand.spread(int(day)).rows(rows.get_indexer(pd.Index(group["sku"])))
        there = group["available"].to_numpy()
        due.loc[group.index, "probability"] = spread.exceeds(there)
        due.loc[group.index, "lost_units"] = spread.shortage(there)
    return due.groupby("sku")[["probability", "lost_units"]].max()


LIKELY = 0.5
"""An SKU is likely to run out when it is more likely to than not."""

LOSS_SHARE = 0.9
"""Items that may run out are told of until they make up this share of what is expected to be lost.

Of 43 stock-outs within the lead time in the sample shop's year, a list cut at a chance of 50% had
9 (0.6 items a day); one cut at this share had 28 (25 of 190 items a day), with 70% of the money."""


def may_run_out(items: pd.DataFrame) -> pd.Series:
    """Which items that are in stock are worth a line: cut by what is expected to be lost.

    Those that are likely to run out, and those of the greatest loss. Where no price is known, the
    loss of a whole unit counts.

    Args:
        items: By SKU ``probability``, ``lost_units`` and ``lost_per_day``, money or NaN.
    """
    loss = items["lost_per_day"]
    falling = loss.fillna(0.0).sort_values(ascending=False, kind="stable")
    before = (falling.cumsum() - falling).reindex(items.index)
    greatest = (before < LOSS_SHARE * falling.sum()) & (loss > 0)
    unpriced = loss.isna() & (items["lost_units"] >= 1)
    return (items["probability"] > LIKELY) | greatest | unpriced
