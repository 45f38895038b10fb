"""Events as they are made: what they are named by is harmless to show."""

from __future__ import annotations

from blocks.vocabulary.messages import SystemEvent


def test_what_an_event_is_named_by_has_no_control_characters() -> None:
    event = SystemEvent(source="till", type="stock.low", subject="sku:1\r\nX-Evil: 1\x1b[2J")
    assert event.subject == "sku:1 X-Evil: 1 [2J"
    assert event.notes == ["Its subject had control characters: they are spaces now."]
    again = SystemEvent(**event.model_dump())
    assert again == event
