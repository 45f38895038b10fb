"""What suppliers say of orders, believed as far as it goes."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.business.ordering.answers import held_against, read_answer
from blocks.business.ordering.desks import ApiDesk
from blocks.errors import SourceGarbled
from blocks.formats.documents import read_document
from blocks.vocabulary.purchasing import (
    MOST_UNITS,
    ConfirmedLine,
    OrderAnswer,
    OrderLine,
    PurchaseOrder,
    SupplierSays,
)

DESK = ApiDesk(
    via="api",
    orders_path="orders",
    answer={
        **{"reference": "ref", "number": "no", "status": "state", "currency": "money"},
        **{"at": "at", "detail": "note", "lines": "lines"},
        **{"sku": "code", "units": "qty", "unit_cost": "price", "expected_on": "day"},
    },
    status_words={"OK": SupplierSays.CONFIRMED, "No": SupplierSays.REJECTED},
)
ORDER = PurchaseOrder(
    reference="PO-1",
    supplier="acme",
    currency="GBP",
    wanted_by=date(2026, 12, 9),
    lines=(
        OrderLine(sku="A", units=100, unit_cost=Decimal("2.50")),
        OrderLine(sku="B", units=12, unit_cost=Decimal("1")),
    ),
)
A = {"code": "A", "qty": 100, "price": "2.50", "day": "2026-12-09"}
B = {"code": "B", "qty": 12, "price": 1, "day": "2026-12-09"}


def said(*lines: dict[str, Any], desk: ApiDesk = DESK, **more: Any) -> OrderAnswer:
    """What becomes of an answer with those lines."""
    document = {"ref": "PO-1", "no": "7", "state": "ok", "lines": lines, **more}
    part = read_document(json.dumps(document).encode(), "json")
    return held_against(ORDER, read_answer(desk, part, "PO-1"))


def test_a_confirmation_as_ordered() -> None:
    answer = said(A, B, at="2026-12-01T10:00:00+00:00", money="gbp", note="Thank\nyou")
    assert answer == OrderAnswer(
        reference="PO-1",
        number="7",
        says=SupplierSays.CONFIRMED,
        currency="GBP",
        at="2026-12-01T10:00:00Z",
        detail="Thank you",
        lines=(
            ConfirmedLine(
                sku="A", units=100, unit_cost=Decimal("2.50"), expected_on=date(2026, 12, 9)
            ),
            ConfirmedLine(sku="B", units=12, unit_cost=Decimal(1), expected_on=date(2026, 12, 9)),
        ),
    )


@pytest.mark.parametrize(
    ("lines", "says", "detail"),
    [
        ((A | {"qty": 60}, B), "partly", "60 of 100 of 'A'"),
        ((A | {"qty": 140}, B), "partly", "140 of 100 of 'A'"),
        ((A | {"price": "2.51"}, B), "partly", "'A' at 2.51 instead of 2.50"),
        ((A | {"price": "2.49"}, B), "confirmed", ""),
        ((A | {"day": "2026-12-10"}, B), "partly", "'A' on 2026-12-10, wanted by 2026-12-09"),
        ((A | {"day": "2026-12-08T12:00:00Z"}, B), "confirmed", ""),
        ((A,), "partly", "it says nothing of 'B'"),
        ((A, B, B | {"code": "C"}), "partly", "it names 'C', which was not ordered"),
        ((A | {"qty": 0}, B | {"qty": "0"}), "rejected", "0 of 100 of 'A'"),
        # Of what it does not name, as much may come as was ordered.
        ((A | {"qty": 0},), "partly", "it says nothing of 'B'"),
        ((), "confirmed", ""),
        # Said twice in the same words is said once; two deliveries are two.
        ((A, B, A, B), "confirmed", "it names 'A' 2 times"),
        ((A | {"qty": 40}, A | {"qty": 60, "day": "2026-12-08"}, B), "confirmed", "2 deliveries"),
        ((A, A | {"day": "2026-12-08"}, B), "partly", "200 of 100 of 'A'"),
    ],
)
def test_a_confirmation_that_differs_is_one_in_part(lines, says, detail) -> None:
    answer = said(*lines)
    assert (answer.says.value, detail in answer.detail) == (says, True), answer.detail
    assert (not answer.detail) == (not detail)


@pytest.mark.parametrize(
    "bad",
    [
        {"qty": 10**18},
        {"qty": MOST_UNITS + 1},
        {"qty": -1},
        {"qty": 1.5},
        {"qty": "NaN"},
        {"qty": "1e309"},
        {"qty": "1e999999999"},
        {"qty": "9" * 900},
        {"qty": None},
        {"qty": [1]},
        {"price": "-0.01"},
        {"price": 1e300},
        {"price": "cheap"},
        {"price": "1.234", "qty": "1,234"},
        {"day": "soon"},
        {"code": ""},
    ],
    ids=str,
)
def test_who_tells_what_cannot_be_has_taken_the_order_and_no_more(bad) -> None:
    answer = said(A | bad, B)
    assert answer.says is SupplierSays.TAKEN
    assert "not believed" in answer.detail
    assert all(0 <= line.units <= MOST_UNITS for line in answer.lines)
    assert said(A | bad, B, state="no").says is SupplierSays.REJECTED


def test_a_day_that_cannot_be_meant_is_told_and_not_waited_for() -> None:
    answer = said(A | {"day": "9999-12-31"}, B)
    assert (answer.says, answer.lines[0].expected_on) == (SupplierSays.PARTLY, None)
    assert "'A' on 9999-12-31, wanted by 2026-12-09" in answer.detail
    assert said(A | {"day": "2028-01-01"}, B).lines[0].expected_on == date(2028, 1, 1)


def test_a_word_that_nobody_knows_says_that_it_was_taken() -> None:
    answer = said(A, B, state="\x1b[31mhmm", no="7\x1b[31m")
    assert answer.number.isprintable()
    assert answer.says is SupplierSays.TAKEN
    assert "is not among status_words" in answer.detail
    assert answer.detail.isprintable()


def test_without_a_status_what_comes_is_confirmed_by_naming_it() -> None:
    answer = {name: path for name, path in DESK.answer.items() if name != "status"}
    desk = DESK.model_copy(update={"answer": answer, "status_words": {}})
    assert said(A, B, desk=desk).says is SupplierSays.CONFIRMED
    assert said(A | {"qty": 1}, B, desk=desk).says is SupplierSays.PARTLY
    assert said(desk=desk).says is SupplierSays.TAKEN


def test_prices_in_other_money_are_not_ours() -> None:
    answer = said(A | {"price": 900}, B, money="JPY")
    assert answer.says is SupplierSays.PARTLY
    assert "its prices are in 'JPY', and the order in GBP" in answer.detail
    assert [line.unit_cost for line in answer.lines] == [None, None]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"ref": "PO-2", "state": "ok"}, "about order 'PO-2', and not about 'PO-1'"),
        ({"state": "ok"}, "about no order"),
        ({"ref": "PO-1"}, "tells no status"),
        ({"ref": "PO-1", "state": {"code": 1}}, "tells no status"),
    ],
)
def test_an_answer_about_something_else_is_none(document, says) -> None:
    with pytest.raises(SourceGarbled, match=says):
        read_answer(DESK, read_document(json.dumps(document).encode(), "json"), "PO-1")


def test_a_time_without_a_zone_is_none() -> None:
    assert said(A, B, at="2026-12-01T10:00:00").at is None
    assert said(A, B, at="at noon").at is None


def test_many_words_stay_a_line() -> None:
    many = [{"code": f"X{i}", "qty": 1} for i in range(2000)]
    answer = said(*many)
    assert len(answer.detail) <= 500
    assert answer.lines == ()


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_whatever_stands_in_a_line_there_is_an_answer(value) -> None:
    assert said(A | {"qty": value, "price": value, "day": value}, B).number == "7"
