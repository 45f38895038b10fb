"""Prometheus Alertmanager's webhook, version 4: one event per alert. Unknown fields are ignored.

An alert is known by its group, its fingerprint, when it started and its status, so that a repeated
notification is no new event, and the end of an alert is one. What has ended is ``info``.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from blocks.dialects import fields as build
from blocks.dialects.fields import Fields, refuse
from blocks.dialects.strict_json import Document
from blocks.messages import Severity, SystemEvent

VERSION = "4"
SOURCE = "alertmanager"
"""One source for all: the members of a cluster send the same alerts, each under its own URL."""

SUBJECTS = ("service", "supplier", "store", "sku", "instance")
"""Labels that say what an alert is about, the most telling first."""

LONGEST_NAME = 180
"""Characters of an alert's name."""

LONGEST_LABEL = 480
"""Characters of a label that says what an alert is about."""

_KEPT = ("receiver", "groupKey", "externalURL")


def is_one(document: Document) -> bool:
    """Whether it holds alerts as Alertmanager sends them."""
    if not isinstance(document, dict) or not isinstance(document.get("alerts"), list):
        return False
    return not {"version", "groupKey", "receiver"}.isdisjoint(document)


def read(document: Document) -> list[SystemEvent]:
    """The alerts of a notification, as events.

    Raises:
        InvalidMessage: It is of another version, or an alert lacks what it is known by.
    """
    group = Fields(document)
    version = group.text("version", VERSION)
    if version != VERSION:
        refuse("version", version, f"be {VERSION}")
    key = group.document.get("groupKey")
    if not isinstance(key, str | None):
        refuse("groupKey", key, "be text")
    status = _status(group, "firing")
    alerts = group.document.get("alerts")
    if not isinstance(alerts, list):
        refuse("alerts", alerts, "be a list")
    return [_alert(group, Fields(one, f"alerts[{i}]"), status) for i, one in enumerate(alerts)]


def _status(fields: Fields, usual: str) -> str:
    status = fields.text("status", usual)
    if status not in ("firing", "resolved"):
        refuse(fields.path("status"), status, "be firing or resolved")
    return status


def _alert(group: Fields, alert: Fields, usual: str) -> SystemEvent:
    status = _status(alert, usual)
    labels = Fields(alert.object("labels"), alert.path("labels"))
    name = labels.text("alertname", "unnamed", longest=LONGEST_NAME)
    started = alert.instant("startsAt")
    if started is None:
        refuse(alert.path("startsAt"), None, "say when the alert began")
    ended = alert.instant("endsAt")
    identity = [
        group.document.get("groupKey"),
        alert.document.get("fingerprint") or labels.document,
        started.isoformat(),
        status,
    ]
    return build.event(
        {
            "id": hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32],
            "source": SOURCE,
            "type": f"alert.{name}",
            "time": ended if ended and status == "resolved" else started,
            # As in a message: an alert that does not say how bad it is counts as an error.
            "severity": Severity.INFO
            if status == "resolved"
            else labels.severity("severity", Severity.ERROR),
            "subject": _subject(labels, name),
            "data": _data(group, alert, status),
        }
    )


def _subject(labels: Fields, name: str) -> str:
    for kind in SUBJECTS:
        found = labels.document.get(kind)
        # One that cannot name anything is kept with the others, and the alert is not lost for it.
        if isinstance(found, str) and found.isprintable() and 0 < len(found) <= LONGEST_LABEL:
            return f"{kind}:{found}"
    return f"alert:{name}"


def _data(group: Fields, alert: Fields, status: str) -> dict[str, Any]:
    kept = {
        "status": status,
        "labels": alert.object("labels"),
        "annotations": alert.object("annotations"),
        "startsAt": alert.document.get("startsAt"),
        "generatorURL": alert.document.get("generatorURL"),
        **{name: group.document.get(name) for name in _KEPT},
    }
    return {name: value for name, value in kept.items() if value is not None}
