"""Do the frames agree with each other, and with common sense?"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from agents.data_intelligence.data_validation.report import Answer, answer, by_share
from agents.data_intelligence.result import count
from agents.data_intelligence.trading_calendar import completed, local_day, since
from agents.statistics import Floats
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.frames import DAILY_WEEKS, SALES, Snapshot
from blocks.vocabulary.messages import Severity

OUTLIER_FACTOR = 20.0
OUTLIER_UNITS = 1000.0
"""A day is an outlier when it is this many times the SKU's median selling day, and this big."""

PRICE_FACTOR = 10.0
"""A unit price this many times above or below the SKU's list price is an outlier."""

HIGH_RETURNS = 0.10
"""Share of units returned from which returns are worth a look."""


def references(snapshot: Snapshot) -> Answer:
    """Does every SKU that is sold or stocked have a product, and every product its stock?"""
    name, question = "references", "Do products, stock and sales know the same SKUs?"
    if "products" not in snapshot.frames:
        return answer(name, question, None, "There are no products to check against.")
    products = set(snapshot.frames["products"]["sku"])
    findings = []
    asked = broken = 0
    for frame in ("sales", "stock", "open_orders"):
        skus = set(snapshot.frames[frame]["sku"].unique()) if frame in snapshot.frames else set()
        asked, broken = asked + len(skus), broken + len(skus - products)
        findings += _orphans(skus - products, frame, f"{frame} without a product")
    if "stock" in snapshot.frames:
        unstocked = products - set(snapshot.frames["stock"]["sku"]) - _never_counted(snapshot)
        asked, broken = asked + len(products), broken + len(unstocked)
        findings += _orphans(unstocked, "products", "products without a stock row")
    score = 1 - broken / asked if asked else None
    return answer(name, question, score, f"{broken} of {asked} references are broken.", findings)


def _never_counted(snapshot: Snapshot) -> set[str]:
    """Products whose stock nobody counts."""
    products = snapshot.frames["products"]
    return set(products["sku"][products["stocked"] == 0]) if "stocked" in products else set()


def _orphans(skus: set[str], frame: str, what: str) -> list[Finding]:
    if not skus:
        return []
    return [
        Finding(
            kind="data-inconsistent",
            resource=f"frame:{frame}",
            severity=Severity.WARNING,
            title=f"{count(len(skus), 'SKU')}: {what} ({', '.join(sorted(skus)[:3])})",
            evidence={"skus": sorted(skus)[:50], "count": len(skus)},
            advice="Add the missing rows, or retire these SKUs.",
        )
    ]


def units(snapshot: Snapshot) -> Answer:
    """Are there days on which an SKU sold absurdly much?"""
    name, question = "units", "Are the units sold plausible?"
    sales = _days(snapshot)
    if sales.empty:
        return answer(name, question, None, "There are no sales.")
    many = sales[sales["units"] > OUTLIER_UNITS]  # few, and only their SKUs need be looked at
    sold = sales[(sales["units"] > 0) & sales["sku"].isin(many["sku"].unique())]
    typical = many["sku"].map(sold.groupby("sku")["units"].median())
    wild = many[many["units"] > OUTLIER_FACTOR * typical]
    score = 1 - len(wild) / len(sales)
    detail = f"{count(len(wild), 'outlier')} in {len(sales):,} rows."
    return answer(name, question, score, detail, [_wild_days(wild)] if len(wild) else [])


def _days(snapshot: Snapshot) -> pd.DataFrame:
    """The sales that are told by day; what is older may be sums of weeks."""
    if "sales" not in snapshot.frames:
        return pd.DataFrame(columns=list(SALES.columns))
    read_on = local_day(snapshot.taken_at, snapshot.timezone)
    return since(snapshot.frames["sales"], read_on - timedelta(weeks=DAILY_WEEKS))


def _wild_days(wild: pd.DataFrame) -> Finding:
    wild = wild.sort_values("units", ascending=False)
    worst = wild.iloc[0]
    back = int((wild["returned"] >= 0.9 * wild["units"]).sum())
    return Finding(
        kind="data-outlier",
        resource="column:sales.units",
        severity=Severity.INFO,
        title=f"{count(len(wild), 'day')} with very many units of one SKU (the most: "
        f"{worst['units']:,.0f} of {worst['sku']} on {worst['date'].date()}); {back} of them "
        "returned the same day",
        evidence={
            "days": len(wild),
            "returned_same_day": back,
            "examples": [
                {"sku": row["sku"], "day": row["date"].date().isoformat(), "units": row["units"]}
                for _, row in wild.head(5).iterrows()
            ],
        },
        advice="Check whether they were typing errors. Forecasts count such weeks only in part.",
    )


def prices(snapshot: Snapshot) -> Answer:
    """Are goods sold at no price, or far from their list price?"""
    name, question = "prices", "Are the prices plausible?"
    if not {"sales", "products"} <= snapshot.frames.keys():
        return answer(name, question, None, "There are no sales or no products.")
    sales, products = _days(snapshot), snapshot.frames["products"]
    # With returns in it, a day's revenue per unit is no price.
    sold = np.flatnonzero((sales["units"] > 0) & (sales["returned"] == 0))
    paid = sales["revenue"].to_numpy()[sold] / sales["units"].to_numpy()[sold]
    listed = _listed(sales["sku"], products)[sold]
    known = (listed > 0) & (paid > 0)
    ratio = np.divide(paid, listed, out=np.ones(len(sold)), where=known)
    free, far = paid <= 0, (ratio > PRICE_FACTOR) | (ratio < 1 / PRICE_FACTOR)
    findings = _bad_prices(sales.iloc[sold[free]], len(sold), "revenue", "sold for nothing")
    what = f"sold at {PRICE_FACTOR:.0f} times the list price or a tenth of it"
    findings += _bad_prices(sales.iloc[sold[far]], len(sold), "unit_price", what)
    findings += _unpriced(products[~(products["unit_price"] > 0)])  # none, or nothing
    bad = int(free.sum() + far.sum())
    score = 1 - bad / len(sold) if len(sold) else None
    return answer(name, question, score, f"{bad} of {len(sold):,} rows are not.", findings)


def _listed(skus: pd.Series[str], products: pd.DataFrame) -> Floats:
    """Each SKU's list price; NaN where there is none."""
    prices = np.append(products["unit_price"].to_numpy(), np.nan)
    return np.asarray(prices[pd.Index(products["sku"]).get_indexer(pd.Index(skus))])


def _bad_prices(rows: pd.DataFrame, of: int, column: str, what: str) -> list[Finding]:
    if rows.empty:
        return []
    example = rows.iloc[-1]
    return [
        Finding(
            kind="data-outlier",
            resource=f"column:sales.{column}",
            severity=by_share(len(rows), of),
            title=f"{count(len(rows), 'row')} of sales: {what}, for instance "
            f"{example['sku']} on {example['date'].date()}",
            evidence={"rows": len(rows), "skus": sorted(set(rows["sku"]))[:20]},
            advice="Check the prices of these SKUs.",
        )
    ]


def _unpriced(products: pd.DataFrame) -> list[Finding]:
    if products.empty:
        return []
    skus = sorted(products["sku"])
    return [
        Finding(
            kind="data-inconsistent",
            resource="column:products.unit_price",
            severity=Severity.WARNING,
            title=f"{count(len(skus), 'product')} without a price ({', '.join(skus[:3])})",
            evidence={"skus": skus[:50], "count": len(skus)},
            advice="Give them a price.",
        )
    ]


def returns(snapshot: Snapshot, today: date) -> Answer:
    """Which share of the units comes back? That is the shop's life: it lowers no score."""
    name, question = "returns", "Which share of units was returned in the last quarter?"
    if "sales" not in snapshot.frames:
        return answer(name, question, None, "There are no sales.")
    recent = since(completed(snapshot.frames["sales"], today), today - timedelta(days=91))
    sold, returned = float(recent["units"].sum()), float(recent["returned"].sum())
    if sold <= 0:
        return answer(name, question, None, "Nothing was sold in the last quarter.")
    share = returned / sold
    findings = [
        Finding(
            kind="returns-high",
            resource="metric:return-rate",
            severity=Severity.WARNING,
            title=f"{share:.0%} of the units sold in the last quarter came back",
            evidence={"units": sold, "returned": returned, "share": share},
            advice="Look for cancelled bulk orders and for faulty products.",
        )
    ]
    detail = f"{share:.1%} of units were returned."
    return answer(name, question, None, detail, findings if share > HIGH_RETURNS else [])
