"""The stream of the storm benchmark is what its text says."""

from __future__ import annotations

from benchmarks.storm import CRITICAL, TWICE, Outcome, figures, stream
from blocks.vocabulary.messages import Severity


def test_the_quiet_stream_holds_the_critical_events_of_the_storm() -> None:
    storm = [e for batch in stream(10, 1000, 0.25, quiet=False) for e in batch]
    quiet = [e for batch in stream(10, 1000, 0.25, quiet=True) for e in batch]
    names = {e.id for e in storm}
    assert len(names) == 10_000
    assert abs(len(storm) / 10_000 - 1 - TWICE) < 0.02
    critical = {e.id for e in storm if e.severity is Severity.CRITICAL}
    assert abs(len(critical) / 10_000 - CRITICAL) < 0.005
    assert {e.id for e in quiet} == critical


def test_a_quantile_is_a_latency_that_was_measured() -> None:
    outcome = Outcome(100, 0, 0, [float(n) for n in range(100)], 7, 1.0)
    assert (outcome.quantile(0.5), outcome.quantile(0.99), outcome.quantile(1)) == (50, 99, 99)
    told = figures(outcome, outcome)
    assert (told["lost"], told["ratio_p99"], told["deepest"]) == (0, 1.0, 7)
