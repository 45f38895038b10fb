"""Alerts in the shape of Prometheus Alertmanager's webhook: one event per alert.

Grafana sends the same shape under another version, and so do others: the shape counts, not the
version, and unknown fields are ignored. What cannot be understood of an alert is remarked, and the
alert is not lost for it.

An alert is known by its sender's fingerprint. Its events tell how it stands: in their data are
``status`` (firing or resolved), ``fingerprint``, ``labels``, ``annotations``, and ``group_key``
where the sender has groups. What is resolved is ``info``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from blocks.dialects import fields as build
from blocks.dialects.fields import Fields, refuse
from blocks.dialects.resources import resource_of
from blocks.dialects.strict_json import Document, shown
from blocks.errors import InvalidMessage
from blocks.policy.alert_rules import USUAL, AlertRules
from blocks.vocabulary.messages import (
    FIRING,
    NOTES,
    RESOLVED,
    Severity,
    SystemEvent,
    alert_identity,
)

VERSIONS = ("4", "1")
"""Of Alertmanager and of Grafana. Others are read alike, and remarked."""

SOURCE = "alertmanager"
"""One source for all: the members of a cluster send the same alerts, each under its own URL."""

LONGEST_NAME = 180
"""Characters of an alert's name."""

_OF_A_GROUP = ("version", "groupKey", "receiver", "groupLabels", "commonLabels", "externalURL")
_OF_AN_ALERT = ("startsAt", "generatorURL", "dashboardURL", "panelURL", "silenceURL", "imageURL")
_MEASURED = ("values", "valueString")
_NEVER = 1  # the year of an instant that Go's zero time stands for


def is_one(document: Document) -> bool:
    """Whether it holds alerts as Alertmanager sends them."""
    if not isinstance(document, dict) or not isinstance(alerts := document.get("alerts"), list):
        return False
    labelled = bool(alerts) and all(isinstance(a, dict) and "labels" in a for a in alerts)
    return labelled or any(name in document for name in _OF_A_GROUP)


def read(document: Document, rules: AlertRules = USUAL) -> list[SystemEvent]:
    """The alerts of a notification, as events.

    Args:
        document: The notification.
        rules: What labels and severities mean.

    Raises:
        InvalidMessage: It is of another shape.
    """
    group = Fields(document)
    usual = _status(group, FIRING)
    alerts = group.document.get("alerts")
    if not isinstance(alerts, list):
        refuse("alerts", alerts, "be a list of alerts")
    of_all = _remarks(group)
    each = [Fields(one, f"alerts[{number}]") for number, one in enumerate(alerts)]
    return [_alert(group, alert, usual, of_all, rules) for alert in each]


def _status(fields: Fields, usual: str) -> str:
    status = fields.text("status", usual).lower()
    if status not in (FIRING, RESOLVED):
        refuse(fields.path("status"), status, f"be {FIRING} or {RESOLVED}")
    return status


def _remarks(group: Fields) -> list[str]:
    found = []
    version = group.document.get("version")
    if version is not None and str(version) not in VERSIONS:
        found.append(f"version {shown(version)} is not known: it was read by its shape.")
    if truncated := _truncated(group):
        found.append(
            f"{truncated} more alerts of this group were not sent (truncatedAlerts): raise the "
            "most alerts of a notification at the sender."
        )
    return found


def _truncated(group: Fields) -> int:
    number = group.document.get("truncatedAlerts")
    return number if type(number) is int and number > 0 else 0


def _alert(
    group: Fields, alert: Fields, usual: str, of_all: list[str], rules: AlertRules
) -> SystemEvent:
    notes = list(of_all)
    status = _status(alert, usual)
    labels = Fields(alert.object("labels"), alert.path("labels"))
    name = labels.text("alertname", "unnamed", longest=LONGEST_NAME)
    fingerprint = _fingerprint(alert, labels.document)
    severity = labels.severity("severity", Severity.ERROR, notes, rules)
    started, ended = (_instant(alert, name, notes) for name in ("startsAt", "endsAt"))
    return build.event(
        {
            "id": alert_identity(SOURCE, fingerprint),
            "source": SOURCE,
            "type": f"alert.{name}",
            "time": (ended if status == RESOLVED else None) or started,
            # As in a message: an alert that does not say how bad it is counts as an error.
            "severity": Severity.INFO if status == RESOLVED else severity,
            "subject": resource_of(labels.document, rules) or f"alert:{name}",
            "data": {"status": status, "fingerprint": fingerprint, **_data(group, alert)}
            | ({NOTES: notes} if notes else {}),
        }
    )


def _fingerprint(alert: Fields, labels: Mapping[str, Any]) -> str:
    """What the sender knows an alert by; of one that says nothing, its labels."""
    given = alert.document.get("fingerprint")
    if given:
        return str(given)
    text = json.dumps(labels, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _instant(alert: Fields, name: str, notes: list[str]) -> datetime | None:
    try:
        found = alert.instant(name)
    except InvalidMessage as error:
        notes.append(f"{error.what} When it came counts instead.")
        return None
    return found if found and found.year != _NEVER else None


def _data(group: Fields, alert: Fields) -> dict[str, Any]:
    kept = {
        "labels": alert.object("labels"),
        "annotations": alert.object("annotations"),
        **{name: alert.document.get(name) or None for name in _OF_AN_ALERT},
        **{name: alert.document.get(name) or None for name in _MEASURED},
        "group_key": group.document.get("groupKey"),
        "receiver": group.document.get("receiver"),
        "externalURL": group.document.get("externalURL"),
        "truncatedAlerts": _truncated(group) or None,
    }
    return {name: value for name, value in kept.items() if value is not None}
