"""What each resource bears of an expected load, and which of them gives way first: the judgement.

What a surge asks is ``items`` × ``factor`` units of work within a time: what it takes to check,
order and confirm one item, with the events that come of it. Two ways lead from there to a
resource's own unit. Where the work of one unit is measured, it is added to the present load: the
slots in use grow by arrivals per second times seconds of work (Little's law; for a server it is the
utilization law, U = X S: Denning and Buzen, "The operational analysis of queueing network models",
ACM Computing Surveys 10, 1978). Where nobody measures it, the present load is taken to be that of
``items`` units and to grow with them. Which of the two, each resource says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import floor, inf, isfinite

from pydantic import AwareDatetime, Field

from agents.sre_reliability.capacity_planning.queueing import knee_of_slots
from blocks.models import Strict
from blocks.vocabulary.findings import Finding


@dataclass(frozen=True)
class Surge:
    """What is expected.

    Attributes:
        items: Items that are to be ordered.
        factor: Expected load per item; more than 1 leaves room for what is tried again.
        minutes: Within so long.
    """

    items: int
    factor: float
    minutes: float

    @property
    def units(self) -> float:
        """Units of work that are expected."""
        return self.items * self.factor


@dataclass(frozen=True)
class Load:
    """A resource as it is measured.

    Attributes:
        resource: ``type:name``.
        measure: What is measured of it, in words, with its unit.
        present: How much of it is used now; None when it does not tell.
        limit: How much of it there is, in the same unit; None when it does not tell.
        slots: Whether it is worked in slots: whole pieces of work, each in one of them.
        share: For what has no slots, the share of the limit that may be used.
        seconds_per_unit: Work that one unit of the surge makes, in seconds of a slot (or, without
            slots, ``limit``-units times seconds); None when that is not known: then the present
            load grows with the surge.
        basis: Where that is from, in words.
        detail: Why it is not known, or what is wrong with it already, in words.
        is_out: Whether it does not work now.
    """

    resource: str
    measure: str
    present: float | None = None
    limit: float | None = None
    slots: bool = False
    share: float = 1.0
    seconds_per_unit: float | None = None
    basis: str = ""
    detail: str = ""
    is_out: bool = False


class Verdict(StrEnum):
    """Whether a resource bears what is expected.

    Attributes:
        BEARS: It does.
        BREAKS: It does not.
        NOT_KNOWN: It does not tell how much it bears. Never taken for well.
    """

    BEARS = "bears"
    BREAKS = "breaks"
    NOT_KNOWN = "not-known"


class Capacity(Strict):
    """What one resource bears.

    Attributes:
        resource: ``type:name``.
        measure: What is measured of it, with its unit.
        present: How much of it is used now.
        projected: How much the surge makes it.
        limit: How much there is.
        knee: Up to where it bears: see ``queueing``; for what has no slots a share of the limit.
        headroom: What is left below the knee under the surge; negative when it is exceeded.
        bears: Units of work within the time that bring it to its knee; None when it is not known,
            or when no number of them does.
        verdict: Whether that is enough.
        basis: How the work of a unit is known.
        detail: What else there is to say.
    """

    resource: str
    measure: str
    present: float | None = None
    projected: float | None = None
    limit: float | None = None
    knee: float | None = None
    headroom: float | None = None
    bears: float | None = None
    verdict: Verdict
    basis: str = ""
    detail: str = ""


class SurgeAssessment(Strict):
    """Whether the systems can take a surge.

    Attributes:
        checked_at: When.
        items, factor, window_minutes: What is expected: ``items`` × ``factor`` units of work within
            so long.
        resources: What each bears; what gives way first comes first, what is not known last.
        findings: What gives way, with the remedy where a limit can be raised safely.
        missing: What could not be looked at, and why.
    """

    checked_at: AwareDatetime
    items: int
    factor: float
    window_minutes: float
    resources: list[Capacity]
    findings: list[Finding] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)

    @property
    def expected(self) -> float:
        """Units of work that are expected."""
        return self.items * self.factor

    @property
    def first_to_break(self) -> Capacity | None:
        """What would give way first, be it below or above what is expected; None: not known."""
        first = self.resources[0] if self.resources else None
        return first if first is not None and first.bears is not None else None

    @property
    def breaking(self) -> list[Capacity]:
        """What does not bear what is expected."""
        return [each for each in self.resources if each.verdict is Verdict.BREAKS]

    @property
    def not_known(self) -> list[str]:
        """Of which resources nobody knows what they bear, though of none of their measures."""
        known = {each.resource for each in self.resources if each.verdict is not Verdict.NOT_KNOWN}
        return sorted({each.resource for each in self.resources} - known)

    @property
    def summary(self) -> str:
        """The whole in two or three sentences."""
        asked = f"{self.expected:,.0f} units of work within {self.window_minutes:g} minutes"
        if self.breaking:
            number = len(self.breaking)
            said = f"{asked} are more than {number} of {len(self.resources)} measures bear."
        else:
            said = f"Nothing that is known gives way under {asked}."
        if (first := self.first_to_break) is not None:
            said += f" The first to give way is {first.resource} ({first.measure}), at {at(first)}."
        if self.not_known:
            said += f" Of {', '.join(self.not_known)} it is not known."
        return said


def at(capacity: Capacity) -> str:
    """At which load a resource gives way, in words."""
    assert capacity.bears is not None, "it is known"
    return f"{floor(capacity.bears):,} units" if capacity.bears > 0 else "its present load"


def assess_capacity(loads: Iterable[Load], surge: Surge) -> list[Capacity]:
    """What each resource bears of a surge.

    Args:
        loads: The resources as they are.
        surge: What is expected.

    Returns:
        One entry per load: what gives way at the least load first, what is not known last.
    """
    return sorted((_assess(load, surge) for load in loads), key=_order)


def _order(capacity: Capacity) -> tuple[bool, bool, float, str, str]:
    endless = capacity.bears is None
    units = capacity.bears if capacity.bears is not None else 0.0
    unknown = capacity.verdict is Verdict.NOT_KNOWN
    return unknown, endless, units, capacity.resource, capacity.measure


def _assess(load: Load, surge: Surge) -> Capacity:
    said = {
        "resource": load.resource,
        "measure": load.measure,
        "present": load.present,
        "limit": load.limit,
        "basis": load.basis,
        "detail": load.detail,
    }
    if load.is_out:
        return Capacity(**said, bears=0.0, verdict=Verdict.BREAKS)
    if load.present is None or load.limit is None:
        return Capacity(**said, verdict=Verdict.NOT_KNOWN)
    knee = knee_of_slots(int(load.limit)) if load.slots else load.share * load.limit
    if load.seconds_per_unit is None:  # all of it is taken to be of these items
        base, per_unit = 0.0, load.present / surge.items
    else:
        base, per_unit = load.present, load.seconds_per_unit / (surge.minutes * 60)
    projected = base + per_unit * surge.units
    # What is beyond it already bears no unit more, however few are asked about.
    bears = 0.0 if load.present >= knee else _bears(knee - base, per_unit)
    is_enough = bears is None or surge.units <= bears
    return Capacity(
        **said,
        projected=projected,
        knee=knee,
        headroom=knee - projected,
        bears=bears,
        verdict=Verdict.BEARS if is_enough else Verdict.BREAKS,
    )


def _bears(spare: float, per_unit: float) -> float | None:
    """How many units use up what is spare; None when no number of them does."""
    if spare < 0:
        return 0.0
    units = spare / per_unit if per_unit > 0 else inf
    return units if isfinite(units) else None


def tightest(resources: Sequence[Capacity]) -> dict[str, Capacity]:
    """Of each resource the measure that gives way first, in the order given."""
    found: dict[str, Capacity] = {}
    for each in resources:
        found.setdefault(each.resource, each)
    return found
