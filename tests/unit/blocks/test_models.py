"""The two kinds of models, and what was handed over as one."""

import pytest
from pydantic import ValidationError

from blocks.errors import InvalidMessage
from blocks.models import Frozen, Strict, read_as


class Loose(Frozen):
    units: int


class Exact(Strict):
    units: int
    parts: list[Loose] = []  # noqa: RUF012


def test_neither_changes_and_one_takes_no_unknown_field() -> None:
    assert Loose.model_validate({"units": 1, "colour": "red"}) == Loose(units=1)
    with pytest.raises(ValidationError, match="colour"):
        Exact.model_validate({"units": 1, "colour": "red"})
    for model in (Loose(units=1), Exact(units=1)):
        with pytest.raises(ValidationError, match="frozen"):
            model.units = 2  # type: ignore[misc]


def test_the_field_at_fault_is_named() -> None:
    assert read_as(Exact, {"units": 1}, "order", "Hand over an order.") == Exact(units=1)
    with pytest.raises(InvalidMessage, match=r"order\.parts\.0\.units: Field required") as refused:
        read_as(Exact, {"units": 1, "parts": [{}]}, "order", "Hand over an order.")
    assert refused.value.hint == "Hand over an order."
    with pytest.raises(InvalidMessage, match=r"^order: "):
        read_as(Exact, 3, "order", "")
