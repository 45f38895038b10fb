"""Which events start which workflow: the part of the policy that is called ``rules``.

What a rule says is data. Whether the workflow is there and takes these parameters is seen when the
policy is read (``flows.orchestrator.dispatch.rule_checks``), not when the event comes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from blocks.models import Strict
from blocks.policy import placeholders
from blocks.vocabulary.messages import RESOLVED, Name, SystemEvent
from blocks.vocabulary.severity import Severity

Scalar = str | int | float | bool


class Test(Strict):
    """What a value in an event's data must be like; all that is said must hold.

    A mere value is what it must equal. A field that is not there holds for ``exists = false`` only.
    """

    __test__ = False  # pytest takes it for a class of tests

    equals: Scalar | None = None
    differs: Scalar | None = None
    any_of: list[Scalar] | None = Field(default=None, min_length=1)
    contains: Scalar | None = Field(
        default=None, description="Of a text a part, of a list an item, of an object a key."
    )
    like: str | None = Field(default=None, description="A text with * and ?.")
    at_least: float | None = Field(default=None, allow_inf_nan=False)
    below: float | None = Field(default=None, allow_inf_nan=False)
    exists: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_a_mere_value(cls, value: Any) -> Any:
        return value if isinstance(value, dict | Test) else {"equals": value}

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self._said:
            raise ValueError("it says nothing; write a value, or for instance { at_least = 5 }")
        return self

    @property
    def _said(self) -> set[str]:
        return {name for name, value in self if value is not None}

    def holds(self, value: Any) -> bool:
        """Whether it holds for a value; None: there is none."""
        if value is None:
            return self.exists is False and self._said == {"exists"}
        number = _number(value)
        return (
            self.exists is not False
            and (self.equals is None or _same(value, self.equals))
            and (self.differs is None or not _same(value, self.differs))
            and (self.any_of is None or any(_same(value, each) for each in self.any_of))
            and (self.contains is None or _contains(value, self.contains))
            and (self.like is None or (isinstance(value, str) and fnmatchcase(value, self.like)))
            and (self.at_least is None or (number is not None and number >= self.at_least))
            and (self.below is None or (number is not None and number < self.below))
        )


class When(Strict):
    """Which events a rule is about; all that is said must hold. Texts know ``*`` and ``?``."""

    type: str | list[str] = Field(description="Of the event, or several; for instance stock.low.")
    subject: str = Field(default="*", description="What it is about, for instance service:*.")
    source: str = Field(default="*", description="Who says so.")
    severity: Severity = Field(default=Severity.INFO, description="At least so bad.")
    status: Literal["firing", "resolved", "any"] = Field(
        default="firing",
        description="firing: whatever is not the end of an alert. resolved: only that.",
    )
    data: dict[str, Test] = Field(
        default_factory=dict,
        description="Dotted place in the event's data to the value there, or a test of it.",
    )

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if not self.types or "" in self.types:
            raise ValueError('an empty type fits nothing; "*" fits all')
        if self.status == RESOLVED and self.severity > Severity.INFO:
            raise ValueError("the end of an alert is news (info): no severity fits it")
        return self

    @property
    def types(self) -> list[str]:
        """The patterns of types."""
        return [self.type] if isinstance(self.type, str) else self.type

    def fits_type(self, kind: str) -> bool:
        """Whether events of a type may be meant."""
        return any(fnmatchcase(kind, pattern) for pattern in self.types)

    def fits(self, event: SystemEvent) -> bool:
        """Whether an event is meant."""
        is_end = event.status == RESOLVED
        return (
            self.fits_type(event.type)
            and self.status in ("any", RESOLVED if is_end else "firing")
            and event.severity >= self.severity
            and fnmatchcase(event.subject, self.subject)
            and fnmatchcase(event.source, self.source)
            and all(
                wanted.holds(placeholders.at(event.data, place, None))
                for place, wanted in self.data.items()
            )
        )


class Rule(Strict):
    """An event of this kind starts that workflow, with these parameters."""

    description: str = Field(default="", description="Why it is there, in a sentence.")
    when: When
    workflow: Name = Field(description="One of prefect.yaml, for instance critical-inventory.")
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Of the workflow. {subject}, {data.days:integer} and the like stand for what "
        "the event has there.",
    )
    share_seconds: float = Field(
        default=0.0,
        ge=0,
        le=3600,
        description="Events within so long that ask for the same share one run, which begins when "
        "that time is over; 0: each event has its own, at once.",
    )
    cooldown_seconds: float = Field(
        default=0.0,
        ge=0,
        le=7 * 86400,
        description="For so long after a run none is started with the same parameters.",
    )
    limit_per_hour: int = Field(
        default=60, ge=1, le=1000, description="Runs in an hour; what comes beyond is told."
    )
    order: int = Field(default=100, description="The lowest goes first; of equal ones by name.")
    stop: bool = Field(default=False, description="Rules after it do not see what it fits.")
    enabled: bool = True

    @field_validator("parameters")
    @classmethod
    def _can_be_filled(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        placeholders.check(value)
        return value


Rules = dict[Name, Rule]
"""Rules by their names."""

STOCK_LOW = "stock-low"

DEFAULT_RULES: Rules = {
    STOCK_LOW: Rule(
        description="What to order is worked out anew when goods run low.",
        when=When(type="stock.low"),
        workflow="critical-inventory",
        share_seconds=60.0,
    )
}
"""The rules where nobody has changed them."""


def in_order(rules: Mapping[str, Rule]) -> list[tuple[str, Rule]]:
    """The rules that are enabled, in the order in which they see an event."""
    enabled = [(name, rule) for name, rule in rules.items() if rule.enabled]
    return sorted(enabled, key=lambda each: (each[1].order, each[0]))


def with_starts_as_rules(policy: Any) -> Any:
    """A policy of an earlier release: what ``events.starts`` said, as rules.

    It replaced the default rule, and so it does here.
    """
    events = policy.get("events") if isinstance(policy, dict) else None
    if not isinstance(events, dict) or not {"starts", "starts_wait_seconds"} & set(events):
        return policy
    rest = dict(events)
    starts = rest.pop("starts", {"stock.low": "critical-inventory"})
    wait = rest.pop("starts_wait_seconds", 60.0)
    if not isinstance(starts, dict):
        return policy  # what is wrong with it is said by whoever reads it
    given = policy.get("rules")
    rules = dict(given) if isinstance(given, dict) else {}
    if rules.get(STOCK_LOW) == DEFAULT_RULES[STOCK_LOW].model_dump(mode="json"):
        del rules[STOCK_LOW]
    for kind, workflow in starts.items():
        name = re.sub(r"[^a-z0-9]+", "-", str(kind).lower()).strip("-") or "any"
        name = name if name[0].isalpha() else f"on-{name}"
        rules.setdefault(
            name, {"when": {"type": kind}, "workflow": workflow, "share_seconds": wait}
        )
    return {**policy, "events": rest, "rules": rules}


def _same(value: Any, wanted: Any) -> bool:
    """Equal as JSON has it: true is not 1, and labels that spell a number are texts."""
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _contains(value: Any, wanted: Scalar) -> bool:
    if isinstance(value, str):
        return isinstance(wanted, str) and wanted in value
    if isinstance(value, list):
        return any(_same(each, wanted) for each in value)
    return isinstance(value, dict) and wanted in value


def _number(value: Any) -> float | None:
    """A number, or a text that spells one: labels are texts."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
