"""What alerts are about: by the labels that real rules and exporters give them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blocks.dialects import read
from blocks.dialects.resources import LONGEST, resource_of
from blocks.policy.alert_rules import USUAL, AlertRules, ResourceRule

KSM = {
    "job": "kube-state-metrics",
    "instance": "10.0.3.4:8080",
    "service": "prometheus-kube-state-metrics",
    "endpoint": "http",
    "prometheus": "monitoring/k8s",
}
KSM_POD = {"pod": "prometheus-kube-state-metrics-6c7-x2x", "container": "kube-state-metrics"}
NODE_EXPORTER = {
    "job": "node-exporter",
    "instance": "10.0.0.7:9100",
    "service": "prometheus-node-exporter",
    "pod": "prometheus-node-exporter-abcde",
    "container": "node-exporter",
    "namespace": "monitoring",
}

# Labels of alerts of kubernetes-mixin, kube-prometheus, exporters and hand-written rules.
CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "KubePodCrashLooping": (
        KSM | {"namespace": "shop", "pod": "checkout-6f7d9c-abcde", "container": "checkout"},
        "pod:shop/checkout-6f7d9c-abcde",
    ),
    "KubeDeploymentReplicasMismatch": (
        KSM | KSM_POD | {"namespace": "shop", "deployment": "checkout"},
        "deployment:shop/checkout",
    ),
    "KubeStatefulSetReplicasMismatch": (
        KSM | {"namespace": "shop", "statefulset": "db"},
        "statefulset:shop/db",
    ),
    "KubeJobFailed": (
        KSM | {"namespace": "shop", "job_name": "export-2893"},
        "job:shop/export-2893",
    ),
    "KubeNodeNotReady": (KSM | KSM_POD | {"namespace": "monitoring", "node": "n1"}, "node:n1"),
    "KubeQuotaFullyUsed": (
        KSM | KSM_POD | {"namespace": "shop", "resourcequota": "q"},
        "namespace:shop",
    ),
    "KubeCPUOvercommit": (KSM | KSM_POD, None),
    "KubePersistentVolumeFillingUp": (
        {
            "job": "kubelet",
            "service": "kubelet",
            "instance": "10.0.0.7:10250",
            "node": "n1",
            "namespace": "shop",
            "persistentvolumeclaim": "data-db-0",
        },
        "persistentvolumeclaim:shop/data-db-0",
    ),
    "CPUThrottlingHigh": (
        {"namespace": "shop", "pod": "web-1", "container": "web"},
        "pod:shop/web-1",
    ),
    "by workload": (
        {"namespace": "shop", "workload": "web", "workload_type": "deployment"},
        "deployment:shop/web",
    ),
    "NodeFilesystemAlmostOutOfSpace": (
        NODE_EXPORTER | {"device": "/dev/sda1", "mountpoint": "/"},
        "instance:10.0.0.7:9100",
    ),
    "an exporter as a sidecar": (
        {
            "job": "redis_exporter",
            "instance": "10.1.2.3:9121",
            "namespace": "shop",
            "pod": "redis-master-0",
            "container": "redis-exporter",
        },
        "pod:shop/redis-master-0",
    ),
    "a probe": (
        {"job": "blackbox", "instance": "https://shop.example/checkout"},
        "instance:https://shop.example/checkout",
    ),
    "a probe of a named service": (
        {"job": "blackbox", "instance": "https://shop.example/", "service": "checkout"},
        "service:checkout",
    ),
    "the exporter itself is down": (
        {"job": "node-exporter", "namespace": "monitoring", "service": "node-exporter"},
        "service:node-exporter",
    ),
    "labels that clash": (
        {
            "job": "kubernetes-service-endpoints",
            "pod": "kube-state-metrics-x",
            "namespace": "monitoring",
            "exported_pod": "checkout-1",
            "exported_namespace": "shop",
        },
        "pod:shop/checkout-1",
    ),
    "pushed": (
        {"job": "pushgateway", "instance": "10.0.0.9:9091", "exported_job": "nightly-export"},
        "service:nightly-export",
    ),
    "annotated pods": (
        {
            "job": "kubernetes-pods",
            "instance": "10.1.1.1:8080",
            "kubernetes_namespace": "shop",
            "kubernetes_pod_name": "web-1",
            "app": "web",
        },
        "pod:shop/web-1",
    ),
    "OpenTelemetry": ({"service_name": "cart", "instance": "x"}, "service:cart"),
    "a scraped service": (
        {"job": "checkout", "instance": "10.1.1.1:8080"},
        "service:checkout",
    ),
    "a job named node": (
        {"job": "node", "instance": "node-1:9100", "service": "nodejs-shop"},
        "service:nodejs-shop",
    ),
    "a service of one's own": ({"service": "payments", "namespace": "shop"}, "service:payments"),
    "a supplier": ({"supplier": "acme", "instance": "i"}, "supplier:acme"),
    "an instance": ({"instance": "10.0.0.7:9100"}, "instance:10.0.0.7:9100"),
    "nothing that tells": ({"alertname": "Watchdog", "severity": "none"}, None),
    "values that are none": ({"service": "", "pod": 7, "app": " ", "node": "a\nb"}, None),
    "too long": ({"service": "x" * 500, "node": "n1"}, "node:n1"),
}


@pytest.mark.parametrize("case", CASES)
def test_an_alert_is_about_the_thing_and_not_about_who_reported_it(case: str) -> None:
    labels, resource = CASES[case]
    assert resource_of(labels, USUAL) == resource


def test_rules_of_the_house_come_first_and_see_all_labels() -> None:
    rules = AlertRules(
        resources=[
            ResourceRule(
                resource="service:{container}", when={"namespace": "shop*", "job": "kube-*"}
            ),
            ResourceRule(resource="store:main", when={"team": "stock"}),
        ]
    )
    labels = CASES["KubePodCrashLooping"][0]
    assert resource_of(labels, rules) == "service:checkout"
    assert resource_of(labels | {"namespace": "shop-eu"}, rules) == "service:checkout"
    assert resource_of(labels | {"namespace": "test"}, rules) == "pod:test/checkout-6f7d9c-abcde"
    assert resource_of({"team": "stock", "service": "x"}, rules) == "store:main"
    without = {name: value for name, value in labels.items() if name != "container"}
    assert resource_of(without, rules) == "pod:shop/checkout-6f7d9c-abcde", "half a name is none"


def test_who_reports_is_told_apart_as_the_house_says() -> None:
    rules = AlertRules(reporters=["watcher"], exporters=[])
    labels = {"job": "watcher", "instance": "10.0.0.1", "namespace": "shop"}
    assert resource_of(labels, rules) == "namespace:shop"
    assert resource_of(labels, USUAL) == "service:watcher"


@pytest.mark.parametrize("resource", ["", "checkout", "service:", "Service:x", "a:{", "a:{b"])
def test_a_rule_that_names_no_resource_is_refused(resource: str) -> None:
    with pytest.raises(ValidationError, match="a resource is type:name"):
        ResourceRule(resource=resource)


@given(
    st.dictionaries(
        st.sampled_from(["service", "job", "instance", "pod", "namespace", "exported_pod", "node"]),
        st.one_of(
            # Documents with a NUL, or with half of a surrogate pair, are refused as a whole, before
            # labels are looked at.
            st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=600),
            st.integers(),
            st.none(),
            st.just("kube-state-metrics"),
        ),
    )
)
def test_whatever_the_labels_are_the_resource_can_be_kept(labels: dict[str, Any]) -> None:
    found = resource_of(labels, USUAL)
    assert found is None or (found.isprintable() and 0 < len(found) <= LONGEST)
    alert = {"labels": labels, "startsAt": "2026-03-01T12:00:00Z"}
    (event,) = read({"alerts": [alert]}).events
    assert event.subject == (found or "alert:unnamed")
