"""What an alert is about, by its labels: the thing in trouble, not who reported it. Pure.

Prometheus puts the labels of whoever was scraped beside those of the metric. Where an exporter
tells of others, ``job``, ``instance``, ``service`` and often ``pod`` are the exporter's own; labels
that clash are kept as ``exported_…``, and are then those of the thing. Sources: Prometheus'
documentation of ``honor_labels``, the rules of kubernetes-mixin and kube-prometheus.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from blocks.policy.alert_rules import PLACE, AlertRules

LONGEST = 500
"""Characters of a resource."""

_ALIASES = {
    "service_name": "service",
    "service.name": "service",
    "app_kubernetes_io_name": "app",
    "kubernetes_namespace": "namespace",
    "k8s_namespace_name": "namespace",
    "kubernetes_pod_name": "pod",
    "pod_name": "pod",
    "k8s_pod_name": "pod",
    "k8s_deployment_name": "deployment",
    "kubernetes_node": "node",
    "k8s_node_name": "node",
}
"""Other names of labels, as service discovery and OpenTelemetry give them."""

_IN_A_NAMESPACE = (
    ("{workload_type}", "workload"),
    ("deployment", "deployment"),
    ("statefulset", "statefulset"),
    ("daemonset", "daemonset"),
    ("cronjob", "cronjob"),
    ("job", "job_name"),
    ("persistentvolumeclaim", "persistentvolumeclaim"),
    ("horizontalpodautoscaler", "horizontalpodautoscaler"),
    ("pod", "pod"),
    ("container", "container"),
)

USUAL = (
    *(f"{kind}:{{{kind}}}" for kind in ("service", "supplier", "store", "sku")),
    *(
        f"{kind}:{place}{{{label}}}"
        for kind, label in _IN_A_NAMESPACE
        for place in ("{namespace}/", "")
    ),
    "node:{node}",
    "service:{app}",
    "service:{job}",
    "instance:{instance}",
    "namespace:{namespace}",
)
"""What labels usually say, the most telling first."""


def resource_of(labels: Mapping[str, Any], rules: AlertRules) -> str | None:
    """What an alert is about, ``type:name``; None when no label says so.

    Args:
        labels: Of the alert, name to value.
        rules: The house's own come first, and see all labels.
    """
    texts = {name: value for name, value in labels.items() if _can_name(value)}
    for rule in rules.resources:
        fits = all(fnmatchcase(texts.get(name, ""), like) for name, like in rule.when.items())
        if fits and (found := _filled(rule.resource, texts)):
            return found
    telling = _of_the_thing(texts, rules)
    return next((found for form in USUAL if (found := _filled(form, telling))), None)


def _can_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _filled(form: str, labels: Mapping[str, str]) -> str | None:
    """The resource of a form; None where a label is missing, or it is longer than one may be."""
    if any(name not in labels for name in PLACE.findall(form)):
        return None
    found = PLACE.sub(lambda place: labels[place[1]], form)
    return found if len(found) <= LONGEST else None


def _of_the_thing(labels: Mapping[str, str], rules: AlertRules) -> dict[str, str]:
    """The labels without those of whoever reported it."""
    named = dict(labels)
    for alias, name in _ALIASES.items():
        if alias in labels:
            named.setdefault(name, labels[alias])
    named = _without_reporter(named, rules)
    exported = {
        name.removeprefix("exported_"): value
        for name, value in labels.items()
        if name.startswith("exported_")
    }
    return named | exported


def _without_reporter(labels: Mapping[str, str], rules: AlertRules) -> dict[str, str]:
    job = labels.get("job", "")
    if _is_like(job, rules.reporters):
        own, kept = {"job", "instance"}, set()
    elif _is_like(job, rules.exporters) and "instance" in labels:
        own, kept = {"job"}, {"instance"}
    else:
        return dict(labels)
    itself = re.escape(_spelled(job.rpartition("/")[2]))
    named_after = re.compile(rf"(?<![a-z0-9]){itself}(?![a-z0-9])")
    own |= {name for name, value in labels.items() if named_after.search(_spelled(value))} - kept
    return {name: value for name, value in labels.items() if name not in own}


def _is_like(job: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(_spelled(job), pattern) for pattern in patterns)


def _spelled(name: str) -> str:
    return name.replace("_", "-").lower()
