"""Which metrics did what they never did before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.capability import action
from agents.data_intelligence.anomaly_detection.detector import (
    BUDGET,
    COOLDOWN,
    THRESHOLD,
    Scores,
    score_series,
)
from agents.data_intelligence.result import Result, worst_first
from blocks.errors import ContractViolation, InvalidMessage
from blocks.formats.sample_times import has_stopped
from blocks.models import Strict
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.frames import SERIES
from blocks.vocabulary.messages import Severity

RECENT_HOURS = 24.0

MOST_BUDGET = 20.0
"""False alarms per metric and week of which nobody could say that they mean something."""


class Anomaly(Strict):
    """A stretch of samples that do not fit what came before.

    Attributes:
        series: Name of the metric.
        start: First anomalous sample.
        end: Last anomalous sample.
        samples: Anomalous samples in it.
        peak_at: Where the score is greatest.
        peak_value: The value there.
        expected: What was expected there.
        score: The score there (0.5 to 1).
        times: The deviation there, in those that the budget allows.
        direction: Whether the value lies above or below what was expected.
        recent: Whether it ended within the reported hours.
    """

    series: str
    start: datetime
    end: datetime
    samples: int
    peak_at: datetime
    peak_value: float
    expected: float
    score: float
    times: float
    direction: Literal["above", "below"]
    recent: bool


class SeriesSummary(Strict):
    """One metric that was looked at.

    Attributes:
        name: Its name.
        samples: Samples up to now.
        last_at: Time of the last one; None without any.
        last_value: Its value.
        last_score: Its score.
        anomalies: How many anomalies were found.
        stopped: Whether its samples have stopped coming.
        note: Why it could not be judged; "" when it could.
    """

    name: str
    samples: int
    last_at: datetime | None = None
    last_value: float | None = None
    last_score: float = 0.0
    anomalies: int = 0
    stopped: bool = False
    note: str = ""


class AnomalyReport(Result):
    """What was found in some metrics.

    Attributes:
        budget: False alarms per metric and week that were allowed.
        series: One per metric, as given.
        anomalies: Newest first.
    """

    budget: float
    series: list[SeriesSummary]
    anomalies: list[Anomaly]


@action()
def detect_anomalies(
    series: Mapping[str, pd.DataFrame] | pd.DataFrame,
    now: datetime,
    budget: float = BUDGET,
    recent_hours: float = RECENT_HOURS,
    timezone: str = "UTC",
) -> AnomalyReport:
    """Find anomalies in metrics; those of the last hours become findings, and what has stopped.

    Samples are scored with nothing but the samples before them (see ``detector``).

    Args:
        series: Metric name to SERIES frame; a lone frame is called ``value``. Times may be
            irregular, repeated, with gaps, in any order.
        now: Later samples are ignored.
        budget: False alarms per metric and week.
        recent_hours: An anomaly that ended within these hours is a finding.
        timezone: IANA zone whose clock the business keeps.

    Raises:
        ContractViolation: A frame is not a SERIES frame.
        InvalidMessage: The budget is none, or there is no such zone.
    """
    if not 0 < budget <= MOST_BUDGET:
        raise InvalidMessage(
            f"budget is {budget}.", hint=f"Use a number above 0, at most {MOST_BUDGET:g}."
        )
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidMessage(
            f"timezone is {timezone!r}.", hint="Use an IANA name, such as Europe/London."
        ) from None
    named = {"value": series} if isinstance(series, pd.DataFrame) else series
    since = pd.Timestamp(now) - timedelta(hours=recent_hours)
    summaries: list[SeriesSummary] = []
    anomalies: list[Anomaly] = []
    for name, frame in named.items():
        samples = _samples(name, frame, now)
        scores = score_series(
            samples["ts"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(),
            samples["value"].to_numpy(dtype=float),
            timezone,
            budget,
        )
        found = _anomalies(name, samples, scores, since)
        anomalies += found
        summaries.append(_summary(name, samples, scores, len(found), now))
    return AnomalyReport(
        budget=budget,
        series=summaries,
        anomalies=sorted(anomalies, key=lambda a: a.end, reverse=True),
        findings=worst_first([*_findings(anomalies), *_stopped(summaries)]),
    )


def _samples(name: str, frame: pd.DataFrame, now: datetime) -> pd.DataFrame:
    missing = [column for column in SERIES.columns if column not in frame.columns]
    if missing or not isinstance(frame["ts"].dtype, pd.DatetimeTZDtype):
        what = f"no column {' and no column '.join(missing)}" if missing else "times without a zone"
        raise ContractViolation(
            f"Series {name!r} has {what}.", hint="Hand over frames that conform to SERIES."
        )
    past = frame[frame["ts"] <= pd.Timestamp(now)]
    return past.sort_values("ts", kind="stable", ignore_index=True)


def _anomalies(
    name: str, samples: pd.DataFrame, scores: Scores, since: pd.Timestamp
) -> list[Anomaly]:
    """Anomalous samples in a row, or with less than COOLDOWN samples and a day between, are one."""
    rows = np.flatnonzero(scores.score >= THRESHOLD)
    if not rows.size:
        return []
    apart, times = np.diff(rows), samples["ts"].iloc[rows].diff().iloc[1:]
    far = (apart >= COOLDOWN) | (times > timedelta(days=1)).to_numpy()
    groups = np.split(rows, np.flatnonzero((apart > 1) & far) + 1)
    return [_anomaly(name, samples, scores, group, since) for group in groups]


def _anomaly(
    name: str, samples: pd.DataFrame, scores: Scores, rows: NDArray[np.intp], since: pd.Timestamp
) -> Anomaly:
    peak = rows[scores.score[rows].argmax()]
    times, value = samples["ts"], float(samples["value"].iloc[peak])
    return Anomaly(
        series=name,
        start=times.iloc[rows[0]].to_pydatetime(),
        end=times.iloc[rows[-1]].to_pydatetime(),
        samples=len(rows),
        peak_at=times.iloc[peak].to_pydatetime(),
        peak_value=value,
        expected=float(scores.expected[peak]),
        score=float(scores.score[peak]),
        times=float(scores.score[peak] / (1 - scores.score[peak])),
        direction="above" if value > scores.expected[peak] else "below",
        recent=bool(times.iloc[rows[-1]] >= since),
    )


def _summary(
    name: str, samples: pd.DataFrame, scores: Scores, anomalies: int, now: datetime
) -> SeriesSummary:
    if samples.empty:
        return SeriesSummary(name=name, samples=0, stopped=True, note="no samples")
    return SeriesSummary(
        name=name,
        samples=len(samples),
        last_at=samples["ts"].iloc[-1].to_pydatetime(),
        last_value=float(samples["value"].iloc[-1]),
        last_score=float(scores.score[-1]),
        anomalies=anomalies,
        stopped=has_stopped(samples["ts"], now),
        note="" if scores.judged[-1] else f"too few samples ({len(samples)}) to judge the last one",
    )


def _stopped(summaries: list[SeriesSummary]) -> list[Finding]:
    return [
        Finding(
            kind="metric-stopped",
            resource=f"metric:{each.name}",
            severity=Severity.WARNING,
            title=f"{each.name}: no sample"
            + (f" since {each.last_at:%Y-%m-%d %H:%M} UTC" if each.last_at else " at all"),
            evidence={
                "last_at": each.last_at and each.last_at.isoformat(),
                "samples": each.samples,
            },
            advice="See whether it is still exposed and collected. Until then nobody watches it.",
        )
        for each in summaries
        if each.stopped
    ]


def _findings(anomalies: list[Anomaly]) -> list[Finding]:
    """One finding per metric: its newest anomaly, if that is recent."""
    newest = {a.series: a for a in sorted(anomalies, key=lambda a: a.end) if a.recent}
    return [
        Finding(
            kind="metric-anomaly",
            resource=f"metric:{a.series}",
            severity=Severity.WARNING,
            title=(
                f"{a.series} went far {a.direction} what it usually does: {a.peak_value:,.4g} "
                f"instead of {a.expected:,.4g} at {a.peak_at:%Y-%m-%d %H:%M} UTC"
            ),
            evidence=a.model_dump(mode="json", exclude={"series", "recent"}),
            advice="Look at what changed at that time.",
        )
        for a in newest.values()
    ]
