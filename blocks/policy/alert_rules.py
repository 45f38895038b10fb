"""How alerts of foreign monitoring are understood: the part of the policy that concerns senders.

The usual words and labels are known by themselves (``blocks.dialects.resources`` has the labels);
a person adds those of the own house.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, field_validator

from blocks.models import Strict
from blocks.vocabulary.severity import Severity

PLACE = re.compile(r"\{([^{}]+)\}")
"""A label within the name of a resource."""

_FORM = re.compile(r"([a-z][a-z0-9-]*|\{[^{}\s]+\}):(?:[^{}]|\{[^{}]+\})+")

_WORDS = {
    Severity.CRITICAL: "critical crit fatal emergency emerg panic alert page pager disaster "
    "blocker urgent highest p0 p1 s0 s1 sev0 sev1 severity0 severity1 priority1 prio1",
    Severity.ERROR: "error err major high severe average p2 s2 sev2 severity2 priority2 prio2",
    Severity.WARNING: "warning warn minor medium moderate ticket "
    "p3 s3 sev3 severity3 priority3 prio3",
    Severity.INFO: "info informational information notice low lowest none ok normal clear cleared "
    "debug trace verbose p4 p5 s4 s5 sev4 sev5 severity4 severity5 priority4 priority5 prio4 prio5",
}
_USUAL = {word: severity for severity, words in _WORDS.items() for word in words.split()}


class ResourceRule(Strict):
    """What alerts with certain labels are about."""

    resource: str = Field(
        max_length=500,
        description="type:name; {label} stands for that label's value, for instance "
        "service:{container}. A rule that names a label which an alert lacks is not for it.",
    )
    when: dict[str, str] = Field(
        default_factory=dict,
        description='Label to what its value must be like, for instance {"namespace": "shop*"}.',
    )

    @field_validator("resource")
    @classmethod
    def _has_a_form(cls, value: str) -> str:
        if not _FORM.fullmatch(value):
            raise ValueError("a resource is type:name, for instance service:{container}")
        return value


class AlertRules(Strict):
    """How severities are called here, and which labels say what an alert is about."""

    resources: list[ResourceRule] = Field(
        default_factory=list,
        description="The first that fits says what an alert is about; else the usual labels do.",
    )
    severities: dict[str, Severity] = Field(
        default_factory=dict,
        description='Words beside the usual ones, or instead of them: {"P2": "critical"}.',
    )
    reporters: list[str] = Field(
        default=["*kube-state-metrics*", "kubelet*", "*cadvisor*", "*pushgateway*"],
        description="Jobs (with * and ?) that tell of other things: their own instance, pod and "
        "service say nothing of what an alert is about.",
    )
    exporters: list[str] = Field(
        default=["*exporter*", "*blackbox*", "*snmp*", "node", "integrations/*", "kubernetes-*"],
        description="Jobs that stand beside what they tell of: it is their instance.",
    )

    @field_validator("severities", mode="before")
    @classmethod
    def _in_one_spelling(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {_spelled(str(word)): severity for word, severity in value.items()}

    def severity_of(self, word: str) -> Severity | None:
        """What a word for a severity means; None when nobody knows it. ``SEV-1`` is ``sev1``."""
        spelled = _spelled(word)
        return self.severities.get(spelled, _USUAL.get(spelled))


def _spelled(word: str) -> str:
    return re.sub(r"[\s_-]+", "", word).lower()


USUAL = AlertRules()
"""The rules where nobody has changed them."""
