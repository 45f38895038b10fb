"""Every page, ticket and reset of the objectives' engine, against a plain reading of the rules.

Recorded and generated traffic (``traces.py``) goes through the engine as it would live, and through
a reading of the rules that sums all windows anew for every second (``plain.py``). What begins or
ends to fire in one and not in the other, at the same second, is a mismatch; so is an event within
the stated lateness that the engine would not count.

    python -m benchmarks.burn_rate [--json] [--full]
"""

from __future__ import annotations

import argparse
from collections import Counter
from time import perf_counter

from agents.sre_reliability.objectives.burning import BurnAlerts, Change
from benchmarks.burn_rate.plain import read_plainly
from benchmarks.burn_rate.traces import LATENESS, Trace, traces
from benchmarks.output import show
from blocks.policy.watching.objective_rules import Loudness


def through_the_engine(trace: Trace) -> tuple[list[Change], int]:
    """What the engine says of a trace that comes second by second, and what it would not count."""
    alerts = BurnAlerts(trace.objective, holds=trace.holds, lateness=LATENESS)
    refused = 0
    for clock, bucket in trace.arrivals:
        refused += not alerts.add(bucket)
        alerts.advance(clock)
    alerts.advance(trace.end)
    return alerts.changes, refused


def main() -> None:
    """Compare all traces and print the figures; ends with 1 when anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as well")
    parser.add_argument("--full", action="store_true", help="more traces and 62 days at 1 s")
    arguments = parser.parse_args()
    counted: Counter[str] = Counter()
    engine_s = plain_s = 0.0
    for trace in traces(full=arguments.full):
        began = perf_counter()
        ours, refused = through_the_engine(trace)
        between = perf_counter()
        plain = read_plainly(
            (bucket for _, bucket in trace.arrivals), trace.objective, trace.holds, trace.end
        )
        engine_s, plain_s = engine_s + between - began, plain_s + perf_counter() - between
        different = set(ours) ^ set(plain)
        counted["mismatches"] += len(different) + refused + (len(ours) != len(set(ours)))
        counted["traces"] += 1
        counted["events"] += sum(bucket.total for _, bucket in trace.arrivals)
        counted["seconds"] += trace.end - min(b.second for _, b in trace.arrivals) + 1
        for change in plain:
            loudness = trace.objective.rules[change.rule].loudness
            if not change.fires:
                counted["resets"] += 1
            else:
                counted["pages" if loudness is Loudness.PAGE else "tickets"] += 1
        if different:
            print(f"{trace.name}: {sorted(different)[:5]}")
    figures: dict[str, float | str | None] = {
        **{name: counted[name] for name in ("pages", "tickets", "resets", "mismatches")},
        **{name: counted[name] for name in ("traces", "seconds", "events")},
        "engine_us_per_second": 1e6 * engine_s / counted["seconds"],
        "plain_us_per_second": 1e6 * plain_s / counted["seconds"],
    }
    show("Burn rates, against a plain reading of the rules", figures, as_json=arguments.json)
    if counted["mismatches"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
