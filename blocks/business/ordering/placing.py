"""An order placed at a supplier's desk, and looked up there."""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import quote

from blocks.business.ordering.answers import held_against, read_answer
from blocks.business.ordering.desks import ApiDesk, MailDesk
from blocks.business.ordering.mail import write_mail
from blocks.business.ordering.writing import MEDIA_TYPES, write_order
from blocks.business.suppliers import SupplierConnection
from blocks.errors import (
    ConfigurationError,
    DeliveryUnknown,
    SourceError,
    SourceGarbled,
    SourceRefused,
)
from blocks.formats.documents import Part, read_document
from blocks.formats.parsing import UnreadableError
from blocks.partners.answers import Answer, require_success
from blocks.text import printable
from blocks.vocabulary.purchasing import OrderAnswer, PurchaseOrder, SupplierSays


async def place(
    supplier: SupplierConnection, order: PurchaseOrder, *, idempotency_key: str
) -> OrderAnswer:
    """Send an order, once: whether it is sent again is the caller's to decide.

    Args:
        supplier: Who is to deliver.
        order: What.
        idempotency_key: The same however often the same order is sent; goes to desks that have a
            header for it.

    Returns:
        What the supplier says, held against the order; ``TAKEN`` from a mail server.

    Raises:
        DeliveryUnknown: It was sent, and nobody knows whether the supplier has it: no answer, a
            broken one, an HTTP 408, 409, 429 or 5xx, or something that is no answer to it.
        OrchestratorError: Any other: for sure, the supplier does not have it from this call.
            ConfigurationError, SourceRefused: nor would it the next time. SourceUnavailable,
            SourceTimeout: it may.
    """
    match supplier.ordering:
        case ApiDesk() as desk:
            return await _post(supplier, desk, order, idempotency_key)
        case MailDesk() as desk:
            said = await desk.server.send(write_mail(desk, order), [desk.to])
            return OrderAnswer(reference=order.reference, says=SupplierSays.TAKEN, detail=said)
    raise _no_desk(supplier)


async def find(supplier: SupplierConnection, reference: str) -> OrderAnswer | None:
    """Ask a supplier about one of our orders.

    Args:
        supplier: Whose desk ``can_be_asked``.
        reference: Our number of the order.

    Returns:
        What it says; ``held_against`` tells in what that differs from the order. None where it does
        not have it.

    Raises:
        ConfigurationError: It cannot be asked.
        SourceError: It did not tell.
    """
    desk = supplier.ordering
    if not isinstance(desk, ApiDesk) or not desk.can_be_asked:
        raise (
            _no_desk(supplier)
            if desk is None
            else ConfigurationError(
                f"{supplier.who} cannot be asked about an order.",
                hint="Set ordering.find_path, if it has such a path.",
            )
        )
    answer = await supplier.ask(desk.find_path.format(reference=quote(reference, safe="")))
    # Where orders are listed, one that is not there is not in the list: 404 says that no list is.
    if answer.status == 404 and not desk.found_at and not _is_page(answer):
        return None
    require_success(answer, supplier.who)
    document = _document(supplier, desk, answer)
    if not desk.found_at:
        return read_answer(desk, document, reference, supplier.decimal_mark)
    parts = document.parts(desk.found_at)
    if parts is None:
        raise _garbled(supplier, answer, f"it has no {desk.found_at!r}")
    ours = [part for part in parts if part.text(desk.answer["reference"]) == reference]
    found = [read_answer(desk, part, reference, supplier.decimal_mark) for part in ours]
    return _the_one(found) if found else None


def _the_one(found: list[OrderAnswer]) -> OrderAnswer:
    """What a supplier says of an order that it may have several times."""
    last = found[-1]
    numbers = list(dict.fromkeys(answer.number for answer in found))
    if len(numbers) < 2:
        return last
    named = ", ".join(map(repr, numbers))[:300]
    detail = f"It has this order {len(numbers)} times: {named}. {last.detail}".strip()
    return last.model_copy(update={"says": SupplierSays.PARTLY, "detail": detail})


async def _post(
    supplier: SupplierConnection, desk: ApiDesk, order: PurchaseOrder, key: str
) -> OrderAnswer:
    try:
        answer = await supplier.post(
            desk.orders_path,
            write_order(desk, order),
            content_type=MEDIA_TYPES[desk.format],
            headers={desk.idempotency_header: key} if desk.is_idempotent else {},
        )
    except SourceError as error:
        if error.nothing_sent:
            raise
        _unknown(supplier, error.what)
    _require_taken(supplier, answer)
    try:
        if not desk.answer and not _is_page(answer):  # it tells nothing but that it has it
            return OrderAnswer(reference=order.reference, says=SupplierSays.TAKEN)
        document = _document(supplier, desk, answer)
        said = read_answer(desk, document, order.reference, supplier.decimal_mark)
    except SourceGarbled as error:
        _unknown(supplier, error.what)
    return held_against(order, said)


def _require_taken(supplier: SupplierConnection, answer: Answer) -> None:
    """Let an answer pass by which the supplier has an order."""
    if answer.ok:
        return
    if answer.status == 409 or not 400 <= answer.status < 500:  # 409: it has one like it
        _unknown(supplier, f"It answered HTTP {answer.status}.")
    if answer.status in (401, 403):
        require_success(answer, supplier.who)
    raise SourceRefused(
        f"{supplier.who} refused the order (HTTP {answer.status}): "
        f"{printable(answer.beginning())!r}.",
        hint="If its words do not tell why, check the connection's ordering.",
    )


def _document(supplier: SupplierConnection, desk: ApiDesk, answer: Answer) -> Part:
    if _is_page(answer):
        raise _garbled(supplier, answer, "it is a web page")
    try:
        return read_document(answer.body, desk.reads)
    except UnreadableError as error:
        raise _garbled(supplier, answer, str(error)) from None


def _is_page(answer: Answer) -> bool:
    """Whether a web server says something to a person, whatever status it has."""
    begins = answer.body[:200].lstrip().lower()
    return answer.content_type == "text/html" or begins.startswith((b"<!doctype html", b"<html"))


def _garbled(supplier: SupplierConnection, answer: Answer, why: str) -> SourceGarbled:
    return SourceGarbled(
        f"{supplier.who} did not answer about the order: {why} "
        f"({answer.content_type or 'no content type'}, {len(answer.body)} bytes, "
        f"beginning {answer.beginning()!r}).",
        hint="Check the connection's ordering: answer_format, answer and found_at.",
    )


def _unknown(supplier: SupplierConnection, what: str) -> NoReturn:
    raise DeliveryUnknown(
        f"{supplier.who} was sent the order, and whether it has it is not known. {what}",
        hint="Ask the supplier before it is sent again.",
    )


def _no_desk(supplier: SupplierConnection) -> ConfigurationError:
    return ConfigurationError(
        f"{supplier.who} takes no orders from us.",
        hint="Describe its desk in ordering: an API, or mail. Until then order by hand.",
    )
