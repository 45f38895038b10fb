"""Metrics as a service exposes them: Prometheus' text format 0.0.4 and 1.0.0, and OpenMetrics 1.0.

Read line by line, because a service is not to be judged by one line: what cannot be read costs
that line and is counted. Prometheus' own parsers for Python give up at the first such line, and
one of them at an exemplar; they are what the tests compare with.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

ACCEPT = (
    "text/plain;version=0.0.4,text/plain;version=1.0.0;q=0.8,"
    "application/openmetrics-text;version=1.0.0;q=0.6,*/*;q=0.1"
)
"""What we ask for. The plainest first: to ``*/*`` alone some frameworks answer OpenMetrics."""

_GAP = r"[ \t]*"
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_QUOTED = r'"(?:\\.|[^"\\])*"'
_LABEL = rf"(?:{_QUOTED}|{_NAME}){_GAP}={_GAP}{_QUOTED}"
_LABELS = rf"((?:{_LABEL}{_GAP}(?:,{_GAP}|(?=\}})))*)"  # the last may be followed by a comma too
_NUMBER = r"[^\s#{}]+"
_SAMPLE = re.compile(
    rf"(?:({_NAME})(?:{_GAP}\{{{_GAP}{_LABELS}\}})?"  # name{label="value"}
    rf"|\{{{_GAP}({_QUOTED}){_GAP}(?:,{_GAP}{_LABELS})?\}})"  # {"any name",label="value"}
    rf"(?:(?<=\}}){_GAP}|[ \t]+)({_NUMBER})(?:[ \t]+{_NUMBER})?"  # the value, and its time
    r"(?:[ \t]+#.*)?"  # an exemplar; one that is written badly is no reason to lose the sample
)
_PAIR = re.compile(rf"({_QUOTED}|{_NAME}){_GAP}={_GAP}({_QUOTED})")
_EXCERPT = 60  # characters of an unreadable line that are shown


@dataclass
class Exposition:
    """What an exposition says.

    Attributes:
        samples: Sample (``name``, ``name{label="value"}``, or ``{"any name",label="value"}``) to
            its current value. Those that are no finite number are left out.
        lines: Lines that should have been samples.
        unread: How many of them are none.
        example: The first that is none, with its number; "" when there is none.
        counters: Names of samples that only grow, and begin at 0 with each start: those of
            counters, and the counts, sums and buckets of histograms and summaries.
        contradictory: Samples that it gives twice, with two values. Neither is taken.
        cut_off: It is OpenMetrics and lacks the mark of its end.
    """

    samples: dict[str, float] = field(default_factory=dict)
    lines: int = 0
    unread: int = 0
    example: str = ""
    counters: set[str] = field(default_factory=set)
    contradictory: set[str] = field(default_factory=set)
    cut_off: bool = False

    @property
    def problem(self) -> str:
        """What could not be read, in words; "" when everything could."""
        said = []
        if self.unread:
            said.append(
                f"{self.unread} of {self.lines} lines are no samples, the first of them "
                f"{self.example}"
            )
        if self.contradictory:
            said.append(f"two values of {min(self.contradictory)[:_EXCERPT]}")
        if self.cut_off:
            said.append("it ends without # EOF, and may have been cut off")
        return "; ".join(said)

    def is_counter(self, name: str) -> bool:
        """Whether samples of that name count, and begin anew with the service."""
        return name in self.counters or name.endswith("_total")


_COUNTING = {
    "counter": ("", "_total"),
    "histogram": ("_bucket", "_count", "_sum"),
    "summary": ("_count", "_sum"),
}
"""What only grows of each type, by what follows the name of the metric."""


def read_exposition(text: str, *, openmetrics: bool = False) -> Exposition:
    """Read every line that is a sample, and count those that are none.

    Args:
        text: The exposition.
        openmetrics: It says that it is OpenMetrics, which marks its end.
    """
    seen = Exposition()
    if openmetrics and text.rstrip().rpartition("\n")[2].strip() != "# EOF":
        seen.cut_off = True
        text = text[: text.rfind("\n") + 1]  # half a line may be half a number
    # Not splitlines(): a label may hold U+2028 and other characters that end lines elsewhere.
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip(" \t\r")
        if line.startswith("# TYPE"):
            _note_type(line, seen)
        if not line or line.startswith("#"):
            continue
        seen.lines += 1
        sample = _read_sample(line)
        if sample is None:
            seen.unread += 1
            seen.example = seen.example or f"line {number}: {line[:_EXCERPT]!r}"
        elif math.isfinite(sample[1]) and seen.samples.setdefault(*sample) != sample[1]:
            seen.contradictory.add(sample[0])
    for name in seen.contradictory:
        del seen.samples[name]
    return seen


def _note_type(line: str, seen: Exposition) -> None:
    words = line.split()
    if len(words) == 4:
        name = words[2].strip('"')
        seen.counters.update(name + ending for ending in _COUNTING.get(words[3], ()))


def _read_sample(line: str) -> tuple[str, float] | None:
    found = _SAMPLE.fullmatch(line)
    if found is None:
        return None
    name, labels, quoted, further, number = found.groups()
    try:
        value = float(number)
    except ValueError:
        return None
    if "_" in number:  # 1_000 is a number in Python alone
        return None
    written = [f"{label}={text}" for label, text in _PAIR.findall(labels or further or "")]
    if quoted:
        return f"{{{','.join([quoted, *written])}}}", value
    return (f"{name}{{{','.join(written)}}}" if written else name), value
