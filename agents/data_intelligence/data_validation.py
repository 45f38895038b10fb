"""Whether the data can be trusted: complete, fresh, consistent, plausible."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from agents.capability import action
from agents.data_intelligence.result import Part, Result, worst_first
from agents.data_intelligence.trading_calendar import TradingHistory, completed, local_day
from blocks.errors import DataError
from blocks.findings import Finding
from blocks.frames import Snapshot
from blocks.messages import Severity

ESSENTIAL = ("products", "stock", "sales", "orders", "open_orders")
"""The frames that the workflows use, in the order of the questions they answer."""

OUTLIER_FACTOR = 20.0
OUTLIER_UNITS = 1000.0
"""A day is an outlier when it is this many times the SKU's median selling day, and this big."""

PRICE_FACTOR = 10.0
"""A unit price this many times above or below the SKU's list price is an outlier."""

HIGH_RETURNS = 0.10
"""Share of units returned from which returns are worth a look."""

STALE_STOCK = timedelta(days=2)


class Check(Part):
    """One question asked of the data.

    Attributes:
        name: Dashed name.
        question: What it asks.
        score: Share that passed (0 to 1); None when it could not be asked.
        detail: The answer in words.
    """

    name: str
    question: str
    score: float | None
    detail: str


class FrameSummary(Part):
    """One frame of the snapshot: rows read, rows set aside, and its span of days."""

    name: str
    rows: int
    set_aside: int
    first: date | None = None
    last: date | None = None


class ValidationReport(Result):
    """How far the data can be trusted.

    Attributes:
        taken_at: When the snapshot was read.
        score: 0 to 100: the product of the checks' scores, so that it is roughly the share of
            the data to which no objection applies.
        verdict: ``good`` (95 and more), ``usable`` (80 and more) or ``doubtful``.
        meaning: The verdict in a sentence.
        checks: The questions asked.
        frames: The frames there are.
    """

    taken_at: datetime
    score: float
    verdict: str
    meaning: str
    checks: list[Check]
    frames: list[FrameSummary]


@action()
def validate_data(snapshot: Snapshot, now: datetime) -> ValidationReport:
    """Check whether the data are complete, fresh, consistent and plausible.

    Never fails on bad data: a frame that is not there is a finding.

    Args:
        snapshot: As read from the store, with its problems.
        now: Freshness is judged at this instant.
    """
    today = local_day(now, snapshot.timezone)
    answers = [
        _completeness(snapshot),
        _readability(snapshot),
        _freshness(snapshot, now),
        _dates(snapshot, today),
        _references(snapshot),
        _units(snapshot),
        _prices(snapshot),
        _returns(snapshot, today),
        _stock_age(snapshot, now),
    ]
    checks = [check for check, _ in answers]
    score = 100 * float(np.prod([c.score for c in checks if c.score is not None]))
    verdict, meaning = next(v for least, *v in _VERDICTS if score >= least)
    return ValidationReport(
        taken_at=snapshot.taken_at,
        score=round(score, 1),
        verdict=verdict,
        meaning=meaning,
        checks=checks,
        frames=_summaries(snapshot),
        findings=worst_first([finding for _, found in answers for finding in found]),
    )


_VERDICTS = (
    (95.0, "good", "The numbers can be used as they are."),
    (80.0, "usable", "The numbers hold as a whole; look at the findings before acting on one."),
    (0.0, "doubtful", "Mend the findings first: conclusions from these data may be wrong."),
)

Answer = tuple[Check, list[Finding]]


def _completeness(snapshot: Snapshot) -> Answer:
    """Are all frames there, with rows? An empty list of open orders is fine."""
    findings = []
    there = 0
    for name in ESSENTIAL:
        frame = snapshot.frames.get(name)
        if frame is not None and (len(frame) or name == "open_orders"):
            there += 1
            continue
        why = "; ".join(p.reason for p in snapshot.problems if p.frame == name)
        what = "is empty" if frame is not None else "could not be read"
        findings.append(
            Finding(
                kind="data-missing",
                resource=f"frame:{name}",
                severity=Severity.ERROR if name in ("sales", "orders") else Severity.WARNING,
                title=f"The store's {name} {what}{': ' + why if why else '.'}",
                evidence={"frame": name, "reason": why},
                advice="Check the store's mapping with ./orchestrator connect.",
            )
        )
    detail = f"{there} of {len(ESSENTIAL)} frames are there."
    return _check("completeness", "Is every frame there?", there / len(ESSENTIAL), detail), findings


def _readability(snapshot: Snapshot) -> Answer:
    """Could every row be read? The rows set aside are known from the snapshot's problems."""
    findings = []
    set_aside = 0
    for problem in snapshot.problems:
        if not problem.rows:
            continue
        set_aside += problem.rows
        findings.append(
            Finding(
                kind="data-inconsistent",
                resource=f"column:{problem.frame}.{problem.column}",
                severity=_by_share(problem.rows, len(snapshot.frames.get(problem.frame, ()))),
                title=f"Rows were set aside: {problem}.",
                evidence={"rows": problem.rows, "reason": problem.reason},
                advice="Correct these rows at their source.",
            )
        )
    rows = sum(len(frame) for frame in snapshot.frames.values())
    score = rows / (rows + set_aside) if rows + set_aside else None
    return (
        _check("readability", "Could every row be read?", score, f"{set_aside} rows set aside."),
        findings,
    )


def _freshness(snapshot: Snapshot, now: datetime) -> Answer:
    """Has every day brought sales on which the shop usually trades?"""
    name, question = "freshness", "Do the sales reach up to yesterday?"
    findings = []
    if snapshot.stale_because:
        age = now - snapshot.taken_at
        findings.append(
            Finding(
                kind="data-stale",
                resource="store:snapshot",
                severity=Severity.WARNING,
                title=f"The store could not be read; data of {snapshot.taken_at:%Y-%m-%d %H:%M} "
                f"UTC stand in ({snapshot.stale_because}).",
                evidence={"age_hours": age.total_seconds() / 3600},
                advice="Bring the store's database back.",
            )
        )
    try:
        history = TradingHistory.of(snapshot, now)
    except DataError as error:
        return _check(name, question, None, error.what), findings
    calendar, yesterday = history.calendar, history.today - timedelta(days=1)
    missing = calendar.missing(history.last + timedelta(days=1), yesterday)
    if missing:
        holiday = all(calendar.closed_a_year_before(day) for day in missing)
        chance = float(np.prod([1 - calendar.probability(day) for day in missing]))
        severity = Severity.ERROR if len(missing) > 1 else Severity.WARNING
        findings.append(
            Finding(
                kind="data-stale",
                resource="frame:sales",
                severity=Severity.INFO if holiday else severity,
                title=f"No sales since {history.last}: {_count(len(missing), 'trading day')} "
                f"missing{' (closed at this time last year too)' if holiday else ''}.",
                evidence={
                    "last_sale": history.last.isoformat(),
                    "missing_days": [day.isoformat() for day in missing[:31]],
                    "chance_if_all_is_well": chance,
                },
                advice="Check that the shop took orders, and that they reach the database.",
            )
        )
    lately = history.today - timedelta(days=28)
    holes = [d for d in calendar.missing(lately, history.last) if not calendar.closed(d)]
    if holes:
        findings.append(
            Finding(
                kind="data-missing",
                resource="frame:sales",
                severity=Severity.INFO,
                title=f"{_count(len(holes), 'usual trading day')} of the last four weeks had "
                f"no sale: {', '.join(map(str, holes[:5]))}.",
                evidence={"missing_days": [day.isoformat() for day in holes]},
                advice="Nothing to do if these were holidays.",
            )
        )
    expected = 4 * calendar.days_per_week
    score = max(0.0, 1 - len(missing) / expected)
    detail = f"Last sale on {history.last}; {_count(len(missing), 'trading day')} missing since."
    return _check(name, question, score, detail), findings


def _dates(snapshot: Snapshot, today: date) -> Answer:
    """Are there sales of days to come?"""
    name, question = "dates", "Are all sales of the past?"
    if "sales" not in snapshot.frames or snapshot.frames["sales"].empty:
        return _check(name, question, None, "There are no sales."), []
    sales = snapshot.frames["sales"]
    future = int((sales["date"] > pd.Timestamp(today)).sum())
    findings = []
    if future:
        findings.append(
            Finding(
                kind="data-inconsistent",
                resource="column:sales.date",
                severity=Severity.WARNING,
                title=f"{_count(future, 'row')} of sales lie after today ({today}).",
                evidence={"rows": future, "latest": sales["date"].max().date().isoformat()},
                advice="Check the store's time zone and clock; these rows are left out.",
            )
        )
    return _check(name, question, 1 - future / len(sales), f"{future} rows after today."), findings


def _references(snapshot: Snapshot) -> Answer:
    """Does every SKU that is sold or stocked have a product, and every product its stock?"""
    name, question = "references", "Do products, stock and sales know the same SKUs?"
    if "products" not in snapshot.frames:
        return _check(name, question, None, "There are no products to check against."), []
    products = set(snapshot.frames["products"]["sku"])
    findings = []
    asked = broken = 0
    for frame in ("sales", "stock", "open_orders"):
        if frame in snapshot.frames:
            skus = set(snapshot.frames[frame]["sku"])
            asked += len(skus)
            broken += len(skus - products)
            findings += _orphans(skus - products, f"frame:{frame}", f"{frame} without a product")
    if "stock" in snapshot.frames:
        asked += len(products)
        without = products - set(snapshot.frames["stock"]["sku"])
        broken += len(without)
        findings += _orphans(without, "frame:products", "products without a stock row")
    score = 1 - broken / asked if asked else None
    return _check(name, question, score, f"{broken} of {asked} references are broken."), findings


def _orphans(skus: set[str], resource: str, what: str) -> list[Finding]:
    if not skus:
        return []
    return [
        Finding(
            kind="data-inconsistent",
            resource=resource,
            severity=Severity.WARNING,
            title=f"{_count(len(skus), 'SKU')}: {what} ({', '.join(sorted(skus)[:3])}).",
            evidence={"skus": sorted(skus)[:50], "count": len(skus)},
            advice="Add the missing rows, or retire these SKUs.",
        )
    ]


def _units(snapshot: Snapshot) -> Answer:
    """Are there days on which an SKU sold absurdly much?"""
    name, question = "units", "Are the units sold plausible?"
    if "sales" not in snapshot.frames or snapshot.frames["sales"].empty:
        return _check(name, question, None, "There are no sales."), []
    sales = snapshot.frames["sales"]
    typical = sales["units"].where(sales["units"] > 0).groupby(sales["sku"]).transform("median")
    wild = sales[(sales["units"] > OUTLIER_FACTOR * typical) & (sales["units"] > OUTLIER_UNITS)]
    findings = []
    if len(wild):
        worst = wild.nlargest(1, "units").iloc[0]
        back = (wild["returned"] >= 0.9 * wild["units"]).sum()
        findings.append(
            Finding(
                kind="data-outlier",
                resource="column:sales.units",
                severity=Severity.INFO,
                title=f"{_count(len(wild), 'day')} with implausibly many units of one SKU, the "
                f"most {worst['units']:,.0f} of {worst['sku']} on {worst['date'].date()}; {back} "
                "of them returned the same day.",
                evidence={
                    "days": len(wild),
                    "returned_same_day": int(back),
                    "examples": [
                        {"sku": r["sku"], "day": r["date"].date().isoformat(), "units": r["units"]}
                        for _, r in wild.nlargest(5, "units").iterrows()
                    ],
                },
                advice="Forecasts are not moved by them. Check whether they were typing errors.",
            )
        )
    score = 1 - len(wild) / len(sales)
    return _check(name, question, score, f"{len(wild)} outliers in {len(sales)} rows."), findings


def _prices(snapshot: Snapshot) -> Answer:
    """Are goods sold at no price, or far from their list price?"""
    name, question = "prices", "Are the prices plausible?"
    if not {"sales", "products"} <= snapshot.frames.keys() or snapshot.frames["sales"].empty:
        return _check(name, question, None, "There are no sales or no products."), []
    sales, products = snapshot.frames["sales"], snapshot.frames["products"]
    kept = sales["units"] - sales["returned"]
    sold = sales[(kept > 0) & (sales["units"] > 0)]
    paid = sold["revenue"] / kept[sold.index]
    listed = sold["sku"].map(products.set_index("sku")["unit_price"])
    free = (paid <= 0) & (sold["returned"] == 0)
    far = (listed > 0) & (paid > 0) & ((paid / listed) > PRICE_FACTOR)
    far |= (listed > 0) & (paid > 0) & ((paid / listed) < 1 / PRICE_FACTOR)
    findings = []
    for what, rows, resource in (
        ("sold for nothing", sold[free], "column:sales.revenue"),
        (f"sold at {PRICE_FACTOR:.0f} times the list price or a tenth of it", sold[far], _PRICE),
    ):
        if len(rows):
            findings.append(
                Finding(
                    kind="data-outlier",
                    resource=resource,
                    severity=_by_share(len(rows), len(sold)),
                    title=f"{_count(len(rows), 'row')} of sales were {what}, for instance "
                    f"{rows['sku'].iloc[0]} on {rows['date'].iloc[0].date()}.",
                    evidence={"rows": len(rows), "skus": sorted(set(rows["sku"]))[:20]},
                    advice="Check the prices of these SKUs.",
                )
            )
    unpriced = products[products["unit_price"] <= 0]
    if len(unpriced):
        findings.append(
            Finding(
                kind="data-inconsistent",
                resource="column:products.unit_price",
                severity=Severity.WARNING,
                title=f"{_count(len(unpriced), 'product')} have no price "
                f"({', '.join(unpriced['sku'].head(3))}).",
                evidence={"skus": list(unpriced["sku"].head(50)), "count": len(unpriced)},
                advice="Give them a price.",
            )
        )
    bad = int(free.sum() + far.sum())
    score = 1 - bad / len(sold) if len(sold) else None
    return _check(name, question, score, f"{bad} of {len(sold)} rows."), findings


_PRICE = "column:sales.unit_price"


def _returns(snapshot: Snapshot, today: date) -> Answer:
    """Which share of the units comes back?"""
    name, question = "returns", "Which share of units was returned in the last quarter?"
    if "sales" not in snapshot.frames:
        return _check(name, question, None, "There are no sales."), []
    sales = completed(snapshot.frames["sales"], today)
    recent = sales[sales["date"] >= pd.Timestamp(today - timedelta(days=91))]
    units, returned = float(recent["units"].sum()), float(recent["returned"].sum())
    if units <= 0:
        return _check(name, question, None, "Nothing sold in the last quarter."), []
    share = returned / units
    findings = []
    if share > HIGH_RETURNS:
        findings.append(
            Finding(
                kind="returns-high",
                resource="metric:return-rate",
                severity=Severity.WARNING,
                title=f"{share:.0%} of the units sold in the last quarter came back.",
                evidence={"units": units, "returned": returned, "share": share},
                advice="Look for cancelled bulk orders and for faulty products.",
            )
        )
    # Returns are the shop's life, not a fault of its data: they do not lower the score.
    return _check(name, question, None, f"{share:.1%} of units were returned."), findings


def _stock_age(snapshot: Snapshot, now: datetime) -> Answer:
    """Is the stock of today?"""
    name, question = "stock-age", "Was the stock counted lately?"
    stock = snapshot.frames.get("stock")
    if stock is None or "updated_at" not in stock or stock["updated_at"].isna().all():
        return _check(name, question, None, "The stock does not say when it was updated."), []
    newest = stock["updated_at"].max()
    age = pd.Timestamp(now) - newest
    findings = []
    if age > STALE_STOCK:
        findings.append(
            Finding(
                kind="data-stale",
                resource="frame:stock",
                severity=Severity.WARNING,
                title=f"No stock row was updated since {newest:%Y-%m-%d %H:%M} UTC.",
                evidence={"newest": newest.isoformat(), "age_hours": age.total_seconds() / 3600},
                advice="Check the job that updates the stock.",
            )
        )
    return _check(name, question, None, f"Newest update {newest:%Y-%m-%d %H:%M} UTC."), findings


def _check(name: str, question: str, score: float | None, detail: str) -> Check:
    return Check(name=name, question=question, score=score, detail=detail)


def _by_share(rows: int, of: int) -> Severity:
    share = rows / (rows + of)
    if share >= 0.2:
        return Severity.ERROR
    return Severity.WARNING if share >= 0.01 else Severity.INFO


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _summaries(snapshot: Snapshot) -> list[FrameSummary]:
    return [
        FrameSummary(
            name=name,
            rows=len(frame),
            set_aside=sum(p.rows for p in snapshot.problems if p.frame == name),
            first=frame["date"].min().date() if "date" in frame and len(frame) else None,
            last=frame["date"].max().date() if "date" in frame and len(frame) else None,
        )
        for name, frame in snapshot.frames.items()
    ]
