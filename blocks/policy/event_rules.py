"""How events are put together and drained: the part of the policy that concerns the inbox."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from blocks.models import Strict
from blocks.vocabulary.severity import Severity


class EventRules(Strict):
    """How events become incidents, and what waits in a storm."""

    batch: PositiveInt = Field(default=100, le=2000, description="Events that are taken at once.")
    window_seconds: float = Field(
        default=300.0, gt=0, description="Events of one resource within it are one incident."
    )
    at_once: PositiveInt = Field(default=8, description="Incidents that are responded to at once.")
    storm_waiting: PositiveInt = Field(
        default=500, description="From so many waiting events on, low-value ones must wait."
    )
    calm_waiting: PositiveInt = Field(
        default=100, description="Down to so many waiting events, a storm goes on."
    )
    calm_seconds: float = Field(
        default=5.0,
        gt=0,
        description="When no low-value event came for so long, those that wait are summarised.",
    )
    backlog_seconds: float = Field(
        default=60.0,
        gt=0,
        description="What waited for so long in a storm is summarised while it goes on.",
    )
    group_wait_seconds: float = Field(
        default=30.0,
        ge=0,
        le=1800,
        description="For so long what nobody knows may still end by itself, and others of its "
        "group may come, before a person is asked about them.",
    )
    silence_seconds: float = Field(
        default=6 * 3600.0,
        gt=0,
        description="When the source of an alert that fires has said nothing for so long, that is "
        "told. Alertmanager repeats itself every four hours.",
    )
    worth_asking: Severity = Field(
        default=Severity.ERROR,
        description="From this severity on an event is responded to in a storm too, and a person "
        "is asked about what no agent knows.",
    )
    topology: dict[str, list[str]] = Field(
        default_factory=dict,
        description="Resource to the resources that it depends on, for instance "
        '{"service:checkout": ["store:shop"]}: trouble below explains trouble above.',
    )
    inhibits_from: Severity = Field(
        default=Severity.ERROR,
        description="From this severity on trouble silences what depends on it, by the topology.",
    )
    inhibition_grace_seconds: float = Field(
        default=300.0,
        ge=0,
        le=86400,
        description="For so long after its cause is over, what depends on it may still recover "
        "before it counts as trouble of its own.",
    )
