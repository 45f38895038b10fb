"""Severities are ordered by how bad they are."""

from blocks.vocabulary.severity import Severity


def test_the_worse_is_the_greater() -> None:
    assert sorted(Severity) == list(Severity)
    assert max(Severity.WARNING, Severity.INFO, Severity.CRITICAL) is Severity.CRITICAL
    assert Severity.INFO < Severity.WARNING <= Severity.WARNING < Severity.ERROR
    assert Severity.CRITICAL > Severity.ERROR >= Severity.ERROR
    assert Severity.CRITICAL > "error", "as it is stored"
