"""The policy: how work is routed, who may do it, how urgency is judged. Data, never code.

The default stands in this file. A person changes it at run time through a Prefect variable
(``blocks.policy_variable``), and tries a change beforehand with ``./orchestrator replay``.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

from pydantic import Field, PositiveInt, model_validator

from blocks.models import Strict
from blocks.policy.alert_rules import AlertRules
from blocks.policy.autonomy_rules import AutonomyRules
from blocks.policy.claim_rules import ClaimRules
from blocks.policy.effect_rules import EffectRules
from blocks.policy.endpoint_rules import EndpointRules
from blocks.policy.event_rules import EventRules
from blocks.policy.notify_rules import NotifyRules
from blocks.policy.selection_rules import SelectionRules
from blocks.policy.surge_rules import SurgeRules
from blocks.policy.target_rules import TargetRules
from blocks.policy.trigger_rules import DEFAULT_RULES, Rules, with_starts_as_rules
from blocks.policy.watching.anomaly_rules import AnomalyRules
from blocks.policy.watching.incident_rules import IncidentRules
from blocks.policy.watching.objective_rules import ObjectiveRules
from blocks.policy.watching.trade_rules import TradeRules
from blocks.policy.watching.watch_rules import WatchRules
from blocks.vocabulary.messages import Name, TaskType
from blocks.vocabulary.severity import Severity
from blocks.vocabulary.urgency import PriorityRules

DATA, SRE, INTEGRATION = "data-intelligence", "sre-reliability", "integration-specialist"


class Role(StrEnum):
    """The parts that agents play in a task."""

    SUPPORT = "support"
    PRIMARY = "primary"
    MONITOR = "monitor"
    VALIDATE = "validate"
    SECONDARY = "secondary"
    ANALYZE = "analyze"

    @property
    def meaning(self) -> str:
        """What who plays it does."""
        return _MEANINGS[self]


_MEANINGS = {
    Role.SUPPORT: "prepares what the primary needs",
    Role.PRIMARY: "does the task",
    Role.MONITOR: "watches the primary, and can stop it",
    Role.VALIDATE: "checks the result before it is used",
    Role.SECONDARY: "takes over in a degraded but useful way, and says so",
    Role.ANALYZE: "explains the cause afterwards",
}


class Play(Strict):
    """The action by which an agent plays a role."""

    agent: Name
    action: str


class Plan(Strict):
    """How tasks of one type are done: who plays which role."""

    description: str = Field(default="", description="What the task is, in a sentence.")
    severity: Severity = Field(
        default=Severity.WARNING, description="How bad it is when nobody says so."
    )
    roles: dict[Role, Play] = Field(description="Role to agent and action; a primary is needed.")

    @model_validator(mode="after")
    def _has_a_primary(self) -> Self:
        if Role.PRIMARY not in self.roles:
            raise ValueError("a plan needs a primary")
        return self


class Instance(Strict):
    """One instance of an agent.

    Attributes:
        deployment: None: it works in the run that calls it. Else the deployment of the flow
            ``agent-call`` whose runs do its work, for instance ``agent-call/agent-call``.
        expertise: Action or capability to how well it suits it, 0 to 1; 1 where none is named.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9/._-]*$", max_length=80)
    agent: Name
    capacity: PositiveInt | None = Field(
        default=None, description="Calls it takes at once; the agent's own number when empty."
    )
    deployment: str | None = Field(
        default=None, description="For a remote instance: a deployment of the flow agent-call."
    )
    expertise: dict[str, float] = Field(default_factory=dict)

    def expertise_in(self, action: str, capability: str) -> float:
        """How well it suits an action, 0 to 1: as named for it, else for its capability."""
        return self.expertise.get(action, self.expertise.get(capability, 1.0))


class RecoveryRules(Strict):
    """How far recovery goes by itself."""

    wait_for_slot_seconds: float = Field(
        default=30.0, ge=0, description="How long a call waits while every instance is busy."
    )
    # Less than the shortest day, that on which clocks go forward: what a daily check asked is over
    # before the next one, which then asks anew instead of waiting for the old question.
    approval_hours: float = Field(
        default=22.0, gt=0, description="After it a question counts as answered with the safe no."
    )
    restarts: int = Field(
        default=3,
        ge=0,
        le=100,
        description="How often a crashed run is run again: what kills it would go on for ever.",
    )
    restarts_when_cut_off: int = Field(
        default=60,
        ge=0,
        le=1000,
        description="The same for a run that lost the ledger or Prefect, which is not its own "
        "doing; 60 are about a day.",
    )


class Policy(Strict):
    """Everything that the orchestrator's judgement is configured by."""

    task_types: dict[TaskType, Plan] = Field(default_factory=lambda: dict(DEFAULT_MATRIX))
    instances: list[Instance] = Field(
        default_factory=list,
        description="More instances of agents; each agent has one local one of its own name.",
    )
    selection: SelectionRules = Field(default_factory=SelectionRules)
    priorities: PriorityRules = Field(default_factory=PriorityRules)
    recovery: RecoveryRules = Field(default_factory=RecoveryRules)
    events: EventRules = Field(default_factory=EventRules)
    alerts: AlertRules = Field(default_factory=AlertRules)
    claims: ClaimRules = Field(default_factory=ClaimRules)
    effects: EffectRules = Field(default_factory=EffectRules)
    incidents: IncidentRules = Field(default_factory=IncidentRules)
    notify: NotifyRules = Field(default_factory=NotifyRules)
    endpoints: EndpointRules = Field(default_factory=EndpointRules)
    targets: TargetRules = Field(default_factory=TargetRules)
    autonomy: AutonomyRules = Field(default_factory=AutonomyRules)
    surge: SurgeRules = Field(default_factory=SurgeRules)
    trade: TradeRules = Field(default_factory=TradeRules)
    watch: WatchRules = Field(default_factory=WatchRules)
    anomalies: AnomalyRules = Field(default_factory=AnomalyRules)
    objectives: ObjectiveRules = Field(default_factory=ObjectiveRules)
    rules: Rules = Field(
        default_factory=lambda: dict(DEFAULT_RULES),
        description="Name to which events start which workflow.",
    )

    @model_validator(mode="before")
    @classmethod
    def _of_any_release(cls, values: Any) -> Any:
        return with_starts_as_rules(values)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [instance.name for instance in self.instances]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two instances are named {min(twice)!r}")
        return self

    @model_validator(mode="after")
    def _steps_lead_to_somebody(self) -> Self:
        for step in self.incidents.steps:
            if step.audience not in self.notify.audiences:
                known = ", ".join(sorted(self.notify.audiences))
                raise ValueError(
                    f"an escalation step leads to {step.audience!r}; notify.audiences has {known}"
                )
        return self

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change with the content."""
        body = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(body.encode()).hexdigest()[:12]

    @classmethod
    def extended(cls, changes: dict[str, Any]) -> Policy:
        """The default policy with a person's changes.

        Task types are added or replaced one by one; of the parts, the fields that are given; of a
        rule that is there, too.

        Raises:
            pydantic.ValidationError: The changes do not fit.
        """
        base = cls().model_dump(mode="json")
        merged = dict(base)
        for key, value in changes.items():
            known = base.get(key)
            if isinstance(known, dict) and isinstance(value, dict):
                if key == "rules":
                    value = {name: _changed(known.get(name), to) for name, to in value.items()}
                value = {**known, **value}
            merged[key] = value
        return cls.model_validate(merged)


def _changed(known: Any, value: Any) -> Any:
    return {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value


def _plan(
    description: str, severity: Severity = Severity.WARNING, **roles: tuple[str, str]
) -> Plan:
    plays = {Role(name): Play(agent=a, action=b) for name, (a, b) in roles.items()}
    return Plan(description=description, severity=severity, roles=plays)


DEFAULT_MATRIX: dict[str, Plan] = {
    "inventory_sync": _plan(
        "Bring what we know of the stock up to date.",
        primary=(INTEGRATION, "sync_stock"),
        secondary=(DATA, "estimate_stock"),
        monitor=(SRE, "watch_run"),
    ),
    "performance_issue": _plan(
        "Find out what is slow, and why.",
        primary=(SRE, "analyze_performance"),
        secondary=(DATA, "analyze_latency_history"),
        support=(INTEGRATION, "prepare_performance_context"),
    ),
    "data_anomaly": _plan(
        "Find out what an unusual figure means.",
        primary=(DATA, "examine_anomaly"),
        secondary=(SRE, "screen_anomaly"),
        validate=(INTEGRATION, "verify_against_source"),
    ),
    "api_failure": _plan(
        "Find out what is wrong with a connection.",
        Severity.ERROR,
        primary=(INTEGRATION, "diagnose_connection"),
        secondary=(SRE, "probe_endpoint"),
        analyze=(DATA, "explain_failure"),
    ),
}
"""The default matrix."""
