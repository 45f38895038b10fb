"""What severities are called."""

from __future__ import annotations

import pytest

from blocks.policy.alert_rules import USUAL, AlertRules
from blocks.policy.policy import Policy
from blocks.vocabulary.messages import Severity


@pytest.mark.parametrize(
    ("words", "severity"),
    [
        ("critical CRIT page P1 p-1 sev1 SEV-1 'sev 0' emergency fatal disaster", "critical"),
        ("error err high major P2 sev2 severe", "error"),
        ("warning warn medium minor ticket P3 sev3", "warning"),
        ("info notice low none ok debug P4 P5 sev4", "info"),
    ],
)
def test_usual_words_are_known_however_they_are_written(words: str, severity: str) -> None:
    for word in words.replace("'sev 0'", "sev\u00a00").split(" "):
        assert USUAL.severity_of(word) is Severity(severity), word


@pytest.mark.parametrize("word", ["", "purple", "7", "true", "p6", "critical!"])
def test_other_words_are_not(word: str) -> None:
    assert USUAL.severity_of(word) is None


def test_the_house_has_words_of_its_own_and_may_mean_others_by_the_usual_ones() -> None:
    rules = AlertRules(severities={"Sev-3": Severity.CRITICAL, "rot": Severity.ERROR})
    assert rules.severity_of("sev3") is Severity.CRITICAL
    assert rules.severity_of("ROT") is Severity.ERROR
    assert rules.severity_of("page") is Severity.CRITICAL


def test_they_are_a_part_of_the_policy() -> None:
    changed = Policy.extended(
        {"alerts": {"resources": [{"resource": "service:{app}"}], "severities": {"P3": "error"}}}
    )
    assert changed.alerts.severity_of("p3") is Severity.ERROR
    assert changed.alerts.reporters == USUAL.reporters, "what is not named stays"
    assert changed.version != Policy().version
