"""Do the frames agree with each other, and with common sense?"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from agents.data_intelligence.data_validation.report import Answer, answer, by_share
from agents.data_intelligence.result import count
from agents.data_intelligence.trading_calendar import completed, local_day, since
from agents.statistics import Floats
from blocks.vocabulary.columns import distinct
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

_AT_ONCE = 250_000  # rows of sales of which copies are made at a time
_NO_ROWS = np.zeros(0, dtype=np.intp)


def references(snapshot: Snapshot) -> Answer:
    """Does every SKU that is sold or stocked have a product, and every product its stock?"""
    name, question = "references", "Do products, stock and sales know the same SKUs?"
    if "products" not in snapshot.frames:
        return answer(name, question, None, "There are no products to check against.")
    products = _skus(snapshot, "products")
    findings = []
    asked = broken = 0
    for frame in ("sales", "stock", "open_orders"):
        skus = _skus(snapshot, frame)
        asked, broken = asked + len(skus), broken + len(skus - products)
        findings += _orphans(skus - products, frame, f"{frame} without a product")
    if "stock" in snapshot.frames:
        unstocked = products - _skus(snapshot, "stock") - _never_counted(snapshot)
        asked, broken = asked + len(products), broken + len(unstocked)
        findings += _orphans(unstocked, "products", "products without a stock row")
    score = 1 - broken / asked if asked else None
    return answer(name, question, score, f"{broken} of {asked} references are broken.", findings)


def _skus(snapshot: Snapshot, frame: str) -> set[str]:
    """The SKUs of a frame; none where it is not there."""
    return distinct(snapshot.frames[frame]["sku"]) if frame in snapshot.frames else set()


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
    sold = _of_skus(sales[["sku", "units"]], distinct(many["sku"]))
    typical = many["sku"].map(sold.groupby("sku")["units"].median())
    wild = many[many["units"] > OUTLIER_FACTOR * typical]
    score = 1 - len(wild) / len(sales)
    detail = f"{count(len(wild), 'outlier')} in {len(sales):,} rows."
    return answer(name, question, score, detail, [_wild_days(wild)] if len(wild) else [])


def _of_skus(sales: pd.DataFrame, skus: set[str]) -> pd.DataFrame:
    """Rows of days on which one of a few SKUs was sold."""
    parts = [sales.iloc[at : at + _AT_ONCE] for at in range(0, len(sales), _AT_ONCE)]
    return pd.concat([some[(some["units"] > 0) & some["sku"].isin(skus)] for some in parts])


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
    listed, sold = _Listed(products), 0
    free, far = [_NO_ROWS], [_NO_ROWS]
    for at in range(0, len(sales), _AT_ONCE):
        some = sales.iloc[at : at + _AT_ONCE]
        # With returns in it, a day's revenue per unit is no price.
        rows = np.flatnonzero((some["units"] > 0) & (some["returned"] == 0))
        paid = some["revenue"].to_numpy()[rows] / some["units"].to_numpy()[rows]
        price = listed.of(some["sku"])[rows]
        known = (price > 0) & (paid > 0)
        ratio = np.divide(paid, price, out=np.ones(len(rows)), where=known)
        free.append(at + rows[paid <= 0])
        far.append(at + rows[(ratio > PRICE_FACTOR) | (ratio < 1 / PRICE_FACTOR)])
        sold += len(rows)
    given_away, odd = np.concatenate(free), np.concatenate(far)
    findings = _bad_prices(sales.iloc[given_away], sold, "revenue", "sold for nothing")
    what = f"sold at {PRICE_FACTOR:.0f} times the list price or a tenth of it"
    findings += _bad_prices(sales.iloc[odd], sold, "unit_price", what)
    findings += _unpriced(products[~(products["unit_price"] > 0)])  # none, or nothing
    bad = len(given_away) + len(odd)
    score = 1 - bad / sold if sold else None
    return answer(name, question, score, f"{bad} of {sold:,} rows are not.", findings)


class _Listed:
    """List prices by SKU."""

    def __init__(self, products: pd.DataFrame) -> None:
        self._index = pd.Index(products["sku"])
        self._prices = np.append(products["unit_price"].to_numpy(), np.nan)

    def of(self, skus: pd.Series[str]) -> Floats:
        """Each SKU's list price; NaN where there is none."""
        return np.asarray(self._prices[self._index.get_indexer(pd.Index(skus))])


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
            evidence={"rows": len(rows), "skus": sorted(rows["sku"].unique())[:20]},
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
