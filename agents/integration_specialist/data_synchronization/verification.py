"""Checking a result against the store itself, before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from math import isclose
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from pydantic import Field

from agents.capability import ANYBODY, action
from blocks.business.business import Business
from blocks.errors import ConfigurationError
from blocks.models import Frozen, Strict, read_as
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

TOLERANCE = 0.001
"""Relative difference that counts as none: a late booking of a tenth of a percent changes nothing
that is said of a day."""

READABLE = ("revenue", "orders", "units")
"""Figures that the store itself can confirm."""


class _Figure(Frozen):
    name: str
    value: float


class _Claim(Frozen):
    """What is read of a result: the day, and its figures."""

    day: date
    metrics: list[_Figure]


class CheckedFigure(Strict):
    """One figure of the result beside the store's; ``actual`` is None without such a day."""

    name: str
    claimed: float
    actual: float | None
    agrees: bool


class Validation(Strict):
    """Whether a result holds against the store.

    Attributes:
        valid: Whether every figure that could be checked agrees, and there was one.
        checked: The figures that were checked.
        reason: Why, in one sentence.
        findings: What is wrong.
    """

    valid: bool
    checked: list[CheckedFigure]
    reason: str
    findings: list[Finding] = Field(default_factory=list)

    @property
    def summary(self) -> str:
        """The reason."""
        return self.reason


@action(timeout=120, retries=2, askers=ANYBODY)
async def verify_against_source(
    business: Business, now: datetime, result: dict[str, Any]
) -> Validation:
    """Read the day that a result speaks of from the store again, and compare its figures.

    Args:
        business: Whose store.
        now: The instant of the reading.
        result: A result with ``day`` and ``metrics`` as JSON: of data-intelligence.examine_anomaly
            or analyze_daily_metrics. One that names no day cannot be confirmed, and is not valid.

    Raises:
        ConfigurationError: There is no store, or its sales are not mapped.
        SourceError: The store cannot be read.
        InvalidMessage: ``day`` or ``metrics`` are not what they should be.
    """
    store = business.store
    if store is None or "sale_lines" not in store.frames:
        raise ConfigurationError(
            "The business has no store whose sales could be read.",
            hint="Connect one, or map its sale_lines, with ./orchestrator connect URL.",
        )
    claim = read_claim(result)
    if claim is None:
        return Validation(
            valid=False,
            checked=[],
            reason="The result names no day and no figure that the store could confirm.",
        )
    today = now.astimezone(ZoneInfo(store.timezone)).date()
    # A reading of its own, of no more than the day needs: what is kept must not vouch for itself.
    narrow = store.model_copy(
        update={
            "frames": {"sale_lines": store.frames["sale_lines"]},
            "history_days": max((today - claim.day).days, 1),
        }
    )
    snapshot = await narrow.read_snapshot(now)
    problems = "; ".join(str(p) for p in snapshot.problems if p.frame == "sale_lines")
    return compare(claim, snapshot.frames.get("orders"), store.name, problems)


def read_claim(result: Mapping[str, Any]) -> _Claim | None:
    """The day and figures of a result; None when it has none that the store can confirm.

    Raises:
        InvalidMessage: They are there and cannot be read.
    """
    if not {"day", "metrics"} <= result.keys():
        return None
    hint = "Hand over a result of data-intelligence.examine_anomaly."
    claim = read_as(_Claim, result, "result", hint)
    known = [figure for figure in claim.metrics if figure.name in READABLE]
    return claim.model_copy(update={"metrics": known}) if known else None


def compare(
    claim: _Claim, orders: pd.DataFrame | None, store: str, problems: str = ""
) -> Validation:
    """The claimed figures beside those of the store's ORDERS frame.

    ``problems`` says why the frame is None, or what of it was set aside.
    """
    rows = None if orders is None else orders[orders["date"] == pd.Timestamp(claim.day)]
    day = None if rows is None or rows.empty else rows.iloc[0]
    checked = [
        _check(figure, None if day is None else float(day[figure.name])) for figure in claim.metrics
    ]
    wrong = [figure for figure in checked if not figure.agrees]
    if day is None:
        why = f" ({problems})" if problems else ""
        reason = f"The store shows no sales on {claim.day}, of which the result speaks{why}."
    elif wrong:
        reason = f"On {claim.day} the store says otherwise: " + "; ".join(
            f"{f.name} {f.actual:,.2f} instead of {f.claimed:,.2f}" for f in wrong
        )
    else:
        names = ", ".join(figure.name for figure in checked)
        reason = f"The store, read again, confirms {names} of {claim.day}."
    return Validation(
        valid=not wrong,
        checked=checked,
        reason=reason,
        findings=[_disagreement(store, claim.day, reason, wrong)] if wrong else [],
    )


def _check(figure: _Figure, actual: float | None) -> CheckedFigure:
    agrees = actual is not None and isclose(figure.value, actual, rel_tol=TOLERANCE, abs_tol=0.005)
    return CheckedFigure(name=figure.name, claimed=figure.value, actual=actual, agrees=agrees)


def _disagreement(store: str, day: date, reason: str, wrong: list[CheckedFigure]) -> Finding:
    return Finding(
        kind="result-disagrees",
        resource=f"store:{store}",
        severity=Severity.ERROR,
        title=reason.rstrip("."),
        evidence={"day": day.isoformat(), "figures": [f.model_dump() for f in wrong]},
        advice="Take a new snapshot and examine the day again before acting on the result.",
    )
