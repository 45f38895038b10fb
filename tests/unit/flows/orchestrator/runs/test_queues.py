"""Where a run is started, by how urgent it is."""

from __future__ import annotations

import pytest

from blocks.vocabulary.messages import Priority
from flows.orchestrator.runs.queues import Place, place_of


@pytest.mark.parametrize(
    ("priority", "place"),
    [
        (Priority.CRITICAL, Place("respond/respond-critical", "critical", "critical")),
        (Priority.HIGH, Place("respond/respond", "operations", "high")),
        (Priority.NORMAL, Place("respond/respond", "operations", "default")),
        (Priority.LOW, Place("respond/respond", "operations", "low")),
    ],
)
def test_every_priority_has_its_queue(priority: Priority, place: Place) -> None:
    assert place_of("respond", priority) == place
