"""A signal becomes an alert of our own, and has one identity from look to look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from blocks.vocabulary.looks import Signal
from blocks.vocabulary.messages import FIRING, RESOLVED, Severity
from blocks.vocabulary.told import told_by

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
FILLING = Signal(
    kind="disk.filling",
    subject="host:local",
    severity=Severity.ERROR,
    summary="The disk is full in 3 days.",
    runbook="https://example.org/disk",
    evidence={"percent": 91.0},
)


def test_it_is_the_same_alert_whenever_it_is_seen_and_whatever_was_measured():
    later = FILLING.model_copy(update={"evidence": {"percent": 92.0}, "severity": "critical"})
    first, second = FILLING.as_event("host", NOW), later.as_event("host", NOW + timedelta(hours=1))
    assert first.id == second.id == first.fingerprint == second.fingerprint
    assert first.tells_how_it_stands
    assert first.id != FILLING.model_copy(update={"key": "/var"}).as_event("host", NOW).id


def test_what_it_says_is_told_to_people():
    told = told_by(FILLING.as_event("host", NOW))
    assert (told.summary, told.runbook) == (FILLING.summary, FILLING.runbook)


def test_its_end_is_the_end_of_the_same_alert_and_no_trouble():
    begun, over = FILLING.as_event("host", NOW), FILLING.as_event("host", NOW, firing=False)
    assert (begun.status, over.status, over.severity) == (FIRING, RESOLVED, Severity.INFO)
    assert begun.fingerprint == over.fingerprint


def test_a_subject_that_no_alert_can_have_is_refused_at_once():
    """And not when it is told: what waits to be told would wait behind it for ever."""
    assert FILLING.model_copy(update={"subject": "metric:" + 493 * "x"}).as_event("host", NOW)
    with pytest.raises(ValueError, match="at most 500"):
        Signal(kind="a", subject=501 * "x", severity=Severity.ERROR, summary="It is.")
