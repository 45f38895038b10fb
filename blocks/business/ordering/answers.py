"""What a supplier says of an order, read from its answer and believed as far as it goes.

Nothing in an answer is taken on trust: it may be about another order, name articles that nobody
ordered, or figures that cannot be. What cannot be believed is left out and told in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

import pandas as pd
from pydantic import AwareDatetime

from blocks.business.ordering.desks import ANSWER_FIELDS, CONFIRMED_FIELDS, ApiDesk
from blocks.errors import SourceGarbled
from blocks.formats.decimal_marks import DecimalMark, read_numbers
from blocks.formats.documents import Part
from blocks.text import printable
from blocks.vocabulary.purchasing import (
    MOST_UNITS,
    ConfirmedLine,
    OrderAnswer,
    OrderLine,
    PurchaseOrder,
    SupplierSays,
)

_SAYS_WHAT_COMES = {SupplierSays.CONFIRMED, SupplierSays.PARTLY}
_MOST_MONEY = Decimal(10) ** 12
_MOST_DIGITS = 30
_LATEST = timedelta(days=730)  # after it was wanted: beyond it a day is a slip
_LONGEST_DETAIL = 500


def read_answer(
    desk: ApiDesk, part: Part, reference: str, mark: DecimalMark | None = None
) -> OrderAnswer:
    """An answer in our words, by itself: ``held_against`` compares it with the order.

    Who names what comes, and gives no status, confirms it. Where part of what an answer tells
    cannot be believed, it says no more than that the supplier has the order.

    Args:
        desk: Whose answer it is, which says where what stands.
        part: The answer.
        reference: Our number of the order that was sent or asked about.
        mark: The decimal mark of the supplier's numbers, where it is known.

    Raises:
        SourceGarbled: It is about another order, or lacks its reference or status.
    """
    told = {
        name: part.text(desk.answer[name]) if name in desk.answer else ""
        for name in ANSWER_FIELDS
        if name != "lines"
    }
    _require_ours(desk, told, reference)
    lines, doubts = _lines(desk, part, mark)
    lines, remarks = _each_once(lines)
    says = SupplierSays.CONFIRMED if lines else SupplierSays.TAKEN
    if status := told["status"]:
        words = {word.casefold(): means for word, means in desk.status_words.items()}
        says = words.get(status.casefold(), SupplierSays.TAKEN)
        if status.casefold() not in words:
            remarks.insert(0, f"its status {status!r} is not among status_words")
    if doubts and says in _SAYS_WHAT_COMES:
        says = SupplierSays.TAKEN
    return OrderAnswer(
        reference=reference,
        number=printable(told["number"])[:200],
        says=says,
        lines=tuple(lines),
        currency=printable(told["currency"]).upper()[:10],
        at=_instant(told["at"]),
        detail=_joined([told["detail"], *doubts, *remarks]),
    )


def held_against(order: PurchaseOrder, answer: OrderAnswer) -> OrderAnswer:
    """The answer to an order, with everything in which it differs from it.

    A confirmation that differs is ``PARTLY``, whatever word the supplier had for it; one that
    names every item and leaves nothing over is ``REJECTED``. Articles that were not ordered, and
    prices in another currency, are told and left out.
    """
    wanted = {line.sku: line for line in order.lines}
    lines = [line for line in answer.lines if line.sku in wanted]
    foreign = [line.sku for line in answer.lines if line.sku not in wanted]
    notes = [f"it names {sku!r}, which was not ordered" for sku in foreign]
    if answer.currency and answer.currency != order.currency:
        notes.append(f"its prices are in {answer.currency!r}, and the order in {order.currency}")
        lines = [line.model_copy(update={"unit_cost": None}) for line in lines]
    if lines and answer.says in _SAYS_WHAT_COMES:
        named = {line.sku for line in lines}
        notes += [f"it says nothing of {sku!r}" for sku in wanted if sku not in named]
    for line in lines:
        notes += _differences(wanted[line.sku], order.wanted_by, line)
    lines = [_with_a_day_to_believe(line, order.wanted_by) for line in lines]
    says = answer.says
    names_all = {line.sku for line in lines} == set(wanted)
    if says in _SAYS_WHAT_COMES and names_all and not any(line.units for line in lines):
        says = SupplierSays.REJECTED
    elif says is SupplierSays.CONFIRMED and notes:
        says = SupplierSays.PARTLY
    return answer.model_copy(
        update={"says": says, "lines": tuple(lines), "detail": _joined([answer.detail, *notes])}
    )


def _with_a_day_to_believe(line: ConfirmedLine, by: date | None) -> ConfirmedLine:
    """Without a day that cannot be meant: it would never be late."""
    if by and line.expected_on and line.expected_on - by > _LATEST:
        return line.model_copy(update={"expected_on": None})
    return line


def _differences(wanted: OrderLine, by: date | None, line: ConfirmedLine) -> Iterator[str]:
    """In what an item's confirmation is not what was ordered."""
    if line.units != wanted.units:
        yield f"{line.units} of {wanted.units} of {line.sku!r}"
    if line.unit_cost is not None and line.unit_cost > wanted.unit_cost:
        yield f"{line.sku!r} at {line.unit_cost:f} instead of {wanted.unit_cost:f}"
    if line.expected_on and by and line.expected_on > by:
        yield f"{line.sku!r} on {line.expected_on}, wanted by {by}"


def _require_ours(desk: ApiDesk, told: dict[str, str], reference: str) -> None:
    if "reference" in desk.answer and told["reference"] != reference:
        about = f"order {printable(told['reference'])[:80]!r}" if told["reference"] else "no order"
        raise SourceGarbled(f"The answer is about {about}, and not about {reference!r}.")
    if "status" in desk.answer and not told["status"]:
        raise SourceGarbled(f"The answer about {reference!r} tells no status.")


def _lines(
    desk: ApiDesk, part: Part, mark: DecimalMark | None
) -> tuple[list[ConfirmedLine], list[str]]:
    """What is said of items, and what of that cannot be believed."""
    if "sku" not in desk.answer:
        return [], []
    parts = part.parts(desk.answer.get("lines", ""))
    if parts is None:
        return [], []
    rows = [
        {name: each.text(desk.answer[name]) for name in CONFIRMED_FIELDS if name in desk.answer}
        for each in parts
    ]
    units = _numbers([row.get("units", "") for row in rows], mark)
    costs = _numbers([row.get("unit_cost", "") for row in rows], mark)
    lines, doubts = [], []
    for row, many, cost in zip(rows, units, costs, strict=True):
        sku = row["sku"]
        if not sku:
            doubts.append("an item without SKU")
        elif many is None or many != many.to_integral_value() or not 0 <= many <= MOST_UNITS:
            doubts.append(f"{row.get('units', '')!r} units of {sku!r}")
        elif row.get("unit_cost") and (cost is None or not 0 <= cost < _MOST_MONEY):
            doubts.append(f"{sku!r} at {row['unit_cost']!r}")
        else:
            day = _day(row.get("expected_on", ""))
            lines.append(ConfirmedLine(sku=sku, units=int(many), unit_cost=cost, expected_on=day))
            if row.get("expected_on") and day is None:
                doubts.append(f"{sku!r} on {row['expected_on']!r}")
    return lines, [f"not believed: {doubt}" for doubt in doubts]


def _each_once(lines: list[ConfirmedLine]) -> tuple[list[ConfirmedLine], list[str]]:
    """Items that are named several times, once.

    What is said again word for word counts once; else it is one of several deliveries: pieces are
    added up, and the dearest price and the last day hold.
    """
    together: dict[str, list[ConfirmedLine]] = {}
    for line in lines:
        together.setdefault(line.sku, []).append(line)
    once, remarks = [], []
    for sku, said in together.items():
        parts = list(dict.fromkeys(said))
        if len(parts) < len(said):
            remarks.append(f"it names {sku!r} {len(said)} times")
        if len(parts) > 1:
            remarks.append(f"{sku!r} comes in {len(parts)} deliveries")
        prices = [part.unit_cost for part in parts if part.unit_cost is not None]
        days = [part.expected_on for part in parts if part.expected_on is not None]
        once.append(
            ConfirmedLine(
                sku=sku,
                units=min(sum(part.units for part in parts), MOST_UNITS),
                unit_cost=max(prices, default=None),
                expected_on=max(days, default=None),
            )
        )
    return once, remarks


def _numbers(texts: list[str], mark: DecimalMark | None) -> list[Decimal | None]:
    """Numbers as they are meant; None for what is none, or may mean two."""
    plain, unclear = read_numbers(pd.Series(texts, dtype=object), mark)
    return [
        None if vague else _number(str(text)) for text, vague in zip(plain, unclear, strict=True)
    ]


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and number.adjusted() < _MOST_DIGITS else None


def _day(text: str) -> date | None:
    """An ISO day, or the day of an ISO time."""
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None


def _instant(text: str) -> AwareDatetime | None:
    """An ISO time with a zone: of one without, nobody knows when it is."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def _joined(notes: Iterable[str]) -> str:
    text = "; ".join(printable(note) for note in notes if note)
    return text if len(text) <= _LONGEST_DETAIL else f"{text[: _LONGEST_DETAIL - 1]}…"
