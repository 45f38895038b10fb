"""Whom an error says something about, by its code as it is stored."""

from __future__ import annotations

import pytest

from blocks.errors import DeadlineMissed, OrchestratorError, SourceTimeout, error_class
from blocks.vocabulary.blame import Blame, blame, says_nothing
from blocks.vocabulary.messages import CALLED_OFF


@pytest.mark.parametrize(
    ("code", "blamed"),
    [
        ("invalid-message", Blame.ASKER),
        ("unknown-action", Blame.ASKER),
        ("not-allowed", Blame.ASKER),
        ("policy-error", Blame.ASKER),
        ("resource-busy", Blame.ASKER),
        ("source-timeout", Blame.SOURCE),
        ("source-garbled", Blame.SOURCE),
        ("empty-source", Blame.SOURCE),
        ("configuration-error", Blame.SOURCE),
        ("deadline-missed", Blame.ASKED),
        ("unexpected", Blame.ASKED),
        ("", Blame.ASKED),
        ("ledger-unavailable", Blame.HOUSE),
        ("no-agent-available", Blame.HOUSE),
        (CALLED_OFF, Blame.NOBODY),
    ],
)
def test_blame_follows_from_the_family(code, blamed):
    assert blame(code) is blamed
    assert says_nothing(code) == (blamed in {Blame.ASKER, Blame.NOBODY})


def test_every_error_is_found_by_its_code():
    kinds: list[type[OrchestratorError]] = [OrchestratorError]
    for kind in kinds:
        kinds += [k for k in kind.__subclasses__() if k.__module__ == "blocks.errors"]
        assert error_class(kind.code.fget(kind.__new__(kind))) is kind
    assert error_class("unexpected") is None


def test_our_own_deadline_is_told_from_a_sources():
    assert not issubclass(DeadlineMissed, SourceTimeout)
    assert DeadlineMissed("").retryable
