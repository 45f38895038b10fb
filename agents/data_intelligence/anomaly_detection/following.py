"""Series of samples, followed from look to look: which of them are unusual now, and since when.

A series is judged in steps of five minutes, each the mean of its samples, so that one slow answer
is nobody's trouble and it does not matter how often is looked. What a step is compared with, and
how far it must deviate, follows from the steps before (``detector``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from agents.data_intelligence.anomaly_detection.detector import THRESHOLD, Detector
from blocks.vocabulary.looks import Signal
from blocks.vocabulary.messages import Severity

KIND = "metric.unusual"

STEP = timedelta(minutes=5)

HISTORY = timedelta(days=28)
"""How much of a series' past is worth learning from."""

USUAL_AGAIN = timedelta(hours=1)
"""An episode is over when what was measured has been as usual for so long."""

FORGOTTEN = timedelta(hours=5)
"""Of a series that has been silent for so long, nothing is unusual any more: it has stopped."""

_STEP_US = STEP // timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Episode:
    """A stretch in which a series is unusual.

    Attributes:
        since: Its first unusual step.
        until: Its last one so far.
        peak_at: Where it is the most unusual.
        value: The value there.
        expected: What was expected there.
        times: The deviation there, in those that the budget of false alarms allows.
    """

    since: datetime
    until: datetime
    peak_at: datetime
    value: float
    expected: float
    times: float


class Followed:
    """One series: what it has been like, and whether it is unusual now."""

    def __init__(self, series: str, zone: str, budget: float) -> None:
        """Know nothing of it yet.

        Args:
            series: Its name, ``subject/what_unit``.
            zone: IANA zone whose clock the business keeps.
            budget: False alarms per week.
        """
        self.series = series
        self._budget = budget
        self._detector = Detector(zone, budget)
        self._steps = 0
        self.unseen: datetime | None = None
        """The first instant that was not seen; None before anything was."""
        self.judged = False
        """Whether its newest step could be judged."""
        self._episode: Episode | None = None
        self._value = self._expected = 0.0

    @property
    def subject(self) -> str:
        """What it speaks of, as findings name it: a watched metric is a subject of its own."""
        return self.series if self.series.startswith("metric:") else self._parts[0]

    @property
    def _parts(self) -> tuple[str, str]:
        subject, _, what = self.series.rpartition("/")
        return subject, what

    def see(self, points: Sequence[tuple[datetime, float]], until: datetime) -> None:
        """Judge the steps that are over, and learn from them.

        Args:
            points: Its samples from ``unseen`` on, in order; of earlier ones nothing is made.
            until: Steps that end later are left for the next time.
        """
        at = np.array([(at - _EPOCH) // timedelta(microseconds=1) for at, _ in points], np.int64)
        step = at // _STEP_US
        over = (step + 1) * _STEP_US <= (until - _EPOCH) // timedelta(microseconds=1)
        if self.unseen is not None:
            over &= at >= (self.unseen - _EPOCH) // timedelta(microseconds=1)
        if not over.any():
            return
        values = np.array([value for _, value in points])[over]
        steps, place = np.unique(step[over], return_inverse=True)
        means = np.bincount(place, values) / np.bincount(place)
        scores = self._detector.score((steps * _STEP_US).astype("datetime64[us]"), means)
        for row in np.flatnonzero(scores.score >= THRESHOLD):
            ratio = float(scores.score[row] / (1 - scores.score[row]))
            self._note(int(steps[row]), float(means[row]), float(scores.expected[row]), ratio)
        self._steps += len(steps)
        self._value, self._expected = float(means[-1]), float(scores.expected[-1])
        self.judged = bool(scores.judged[-1])
        self.unseen = _instant(int(steps[-1]) + 1)

    def _note(self, step: int, value: float, expected: float, times: float) -> None:
        at, before = _instant(step), self._episode
        if before is None or at - before.until > USUAL_AGAIN:
            self._episode = Episode(at, at, at, value, expected, times)
        elif times > before.times:
            self._episode = Episode(before.since, at, at, value, expected, times)
        else:
            self._episode = Episode(
                before.since, at, before.peak_at, before.value, before.expected, before.times
            )

    def episode(self, now: datetime) -> Episode | None:
        """What is unusual about it now; None when nothing is, or when it has stopped."""
        found, unseen = self._episode, self.unseen
        if found is None or unseen is None or now - unseen > FORGOTTEN:
            return None
        return found if unseen - STEP - found.until < USUAL_AGAIN else None

    def signal(self, episode: Episode, severity: Severity) -> Signal:
        """What is told of an episode."""
        subject, what = self._parts
        which = "above" if episode.value > episode.expected else "below"
        return Signal(
            kind=KIND,
            subject=self.subject,
            severity=severity,
            key=what,
            summary=f"{what} of {subject.partition(':')[2] or subject} is far {which} what is "
            f"usual since {episode.since:%Y-%m-%d %H:%M} UTC: {_figure(episode.value)} instead of "
            f"about {_figure(episode.expected)}.",
            runbook="See what changed at that time.",
            evidence={
                "series": self.series,
                "value": episode.value,
                "expected": episode.expected,
                "since": episode.since.isoformat(),
                "peak_at": episode.peak_at.isoformat(),
                "newest_value": self._value,
                "newest_expected": self._expected,
                "times_the_rare_deviation": round(episode.times, 2),
                "rare_means_per_week": self._budget,
                "steps_known": self._steps,
            },
        )


def judge(
    followed: Iterable[Followed], now: datetime, matters: Callable[[str], bool]
) -> tuple[frozenset[str], tuple[Signal, ...]]:
    """What is unusual now, and the subjects of which that could be told.

    A subject with a series that could not be judged is not among them: what fires about it stays.

    Args:
        followed: All series.
        now: The instant of the look.
        matters: Whether what is unusual about a series of this name is an error, and no warning.
    """
    all_of_them = list(followed)
    unknown = {each.subject for each in all_of_them if not each.judged}
    signals = tuple(
        each.signal(episode, Severity.ERROR if matters(each.series) else Severity.WARNING)
        for each in all_of_them
        if each.judged and (episode := each.episode(now))
    )
    return frozenset(each.subject for each in all_of_them) - unknown, signals


def _instant(step: int) -> datetime:
    return _EPOCH + step * STEP


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
