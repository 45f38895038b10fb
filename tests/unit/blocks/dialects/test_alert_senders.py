"""Alerts in Alertmanager's shape from others than Alertmanager: the shape counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from blocks.dialects import read
from blocks.dialects.alertmanager import is_one
from blocks.vocabulary.messages import Severity

# As Grafana 12 sends it: version 1, values that may be null, an end at its start.
FIRING: dict[str, Any] = {
    "receiver": "ops",
    "status": "firing",
    "orgId": 1,
    "alerts": [
        {
            "status": "firing",
            "labels": {
                "alertname": "Checkout p95 high",
                "grafana_folder": "Shop",
                "service": "checkout",
                "severity": "critical",
            },
            "annotations": {"summary": "p95 above 2 s"},
            "startsAt": "2026-11-29T04:10:40.123456789+01:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://127.0.0.1:3000/alerting/grafana/a1/view?orgId=1",
            "fingerprint": "5c1d0f7a9b3e2468",
            "silenceURL": "http://127.0.0.1:3000/alerting/silence/new",
            "dashboardURL": "",
            "panelURL": "",
            "values": {"B": 2.71, "C": 1},
            "valueString": "[ var='B' labels={} value=2.71 ]",
        },
        {
            "status": "firing",
            "labels": {"alertname": "DatasourceNoData", "service": "shop"},
            "annotations": {},
            "startsAt": "2026-11-29T03:11:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "",
            "fingerprint": "9e8d7c6b5a493827",
            "values": None,
            "valueString": "",
        },
    ],
    "groupLabels": {"grafana_folder": "Shop"},
    "commonLabels": {"grafana_folder": "Shop"},
    "commonAnnotations": {},
    "externalURL": "http://127.0.0.1:3000/",
    "appVersion": "12.2.0",
    "version": "1",
    "groupKey": '{}:{grafana_folder="Shop"}',
    "truncatedAlerts": 3,
    "title": "[FIRING:2] Shop",
    "state": "alerting",
    "message": "**Firing**",
}


def firing(**change: Any) -> dict[str, Any]:
    """The notification with its first alert alone."""
    return FIRING | {"truncatedAlerts": 0, "alerts": [FIRING["alerts"][0] | change]}


def test_grafanas_alerts_are_read_with_what_they_measured() -> None:
    slow, no_data = read(FIRING).events
    assert (slow.type, slow.severity, slow.subject) == (
        "alert.Checkout p95 high",
        Severity.CRITICAL,
        "service:checkout",
    )
    assert slow.data["values"] == {"B": 2.71, "C": 1}
    assert slow.data["silenceURL"].endswith("/silence/new")
    assert (no_data.type, no_data.severity, no_data.subject) == (
        "alert.DatasourceNoData",
        Severity.ERROR,
        "service:shop",
    )
    assert not {"values", "valueString", "dashboardURL"} & no_data.data.keys()


def test_alerts_that_were_never_sent_are_told() -> None:
    for event in read(FIRING).events:
        assert event.data["truncatedAlerts"] == 3
        assert event.notes[0].startswith("3 more alerts of this group were not sent")
    assert read(firing()).events[0].notes == []


def test_an_end_whose_start_was_written_over_is_that_of_the_same_alert() -> None:
    (began,) = read(firing()).events
    end = {"startsAt": "2026-11-29T03:25:00Z", "endsAt": "2026-11-29T03:25:00Z"}
    (ended,) = read(firing(status="resolved", **end)).events
    assert (ended.id, ended.fingerprint) == (began.id, began.fingerprint)
    assert (ended.status, ended.severity) == ("resolved", Severity.INFO)
    assert ended.time == datetime(2026, 11, 29, 3, 25, tzinfo=UTC)


@pytest.mark.parametrize("version", [None, "1", "4", 1, 4])
def test_the_known_versions_need_no_remark(version: object) -> None:
    assert read(firing() | {"version": version}).events[0].notes == []


@pytest.mark.parametrize("version", ["5", "", "v1", [], 2.0])
def test_any_other_version_is_read_by_its_shape_and_remarked(version: object) -> None:
    (event,) = read(firing() | {"version": version}).events
    assert event.type == "alert.Checkout p95 high"
    assert "is not known: it was read by its shape" in event.notes[0]


def test_the_shape_alone_is_enough() -> None:
    least = {"alerts": [{"labels": {"alertname": "Down"}}]}
    assert is_one(least)
    (event,) = read(least).events
    assert (event.type, event.status, event.severity) == ("alert.Down", "firing", Severity.ERROR)
    assert event.tells_how_it_stands
    (event,) = read({"status": "Resolved", **least}).events
    assert event.status == "resolved"
    for null in ("labels", "annotations", "values", "startsAt", "endsAt", "fingerprint"):
        assert read(firing(**{null: None})).events[0].status == "firing"


def test_an_alert_is_not_lost_for_a_time_that_cannot_be_read() -> None:
    (event,) = read(firing(startsAt="yesterday", endsAt=7)).events
    assert [note.partition(" is ")[0] for note in event.notes] == [
        "alerts[0].startsAt",
        "alerts[0].endsAt",
    ]
    (never,) = read(firing(startsAt="0001-01-01T00:00:00Z")).events
    assert never.time.year > 2000
    assert never.notes == []


def test_a_fingerprint_may_be_a_number() -> None:
    known, same, other = (read(firing(fingerprint=f)).events[0] for f in (7, "7", 8))
    assert known.tells_how_it_stands
    assert known.id == same.id != other.id
