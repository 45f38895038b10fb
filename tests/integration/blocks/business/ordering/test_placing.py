"""Orders placed at real servers on loopback: what is sure, and what nobody knows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from blocks.business.ordering.placing import find, place
from blocks.business.suppliers import SupplierConnection
from blocks.errors import (
    ConfigurationError,
    DeliveryUnknown,
    OrchestratorError,
    SourceGarbled,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from blocks.settings import get_settings
from blocks.vocabulary.purchasing import OrderLine, PurchaseOrder, SupplierSays
from tests.loopback import HANG, Reply, serve
from tests.mailbox import mailbox

CANARY = "canary-20c7"
ORDER = PurchaseOrder(
    reference="PO 1/7",
    supplier="acme",
    currency="GBP",
    lines=(OrderLine(sku="A", name="Mug", units=12, unit_cost=Decimal("2.50")),),
)
ANSWER = {
    "ref": ORDER.reference,
    "no": "S-9",
    "state": "accepted",
    "lines": [{"sku": "A", "units": 12, "price": 2.5}],
}
DESK: dict[str, Any] = {
    "via": "api",
    "orders_path": "orders",
    "idempotency_header": "X-Order-Key",
    "find_path": "orders/{reference}",
    "answer": {
        **{"reference": "ref", "number": "no", "status": "state", "lines": "lines"},
        **{"sku": "sku", "units": "units", "unit_cost": "price"},
    },
    "status_words": {"accepted": "confirmed"},
}


@pytest.fixture(autouse=True)
def own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What one test makes of its partners is no concern of another."""
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


PAGE = "<!doctype html><html><body>Sign in</body></html>"


def supplier(url: str, **changes: Any) -> SupplierConnection:
    return SupplierConnection(
        name="acme",
        base_url=url,
        auth="bearer",
        credential=SecretStr(CANARY),
        timeout=0.5,
        internal_hosts=["127.0.0.1"],
        ordering={**DESK, **changes},
    )


def replying(document: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(document), status=status)


async def test_an_order_is_posted_once_with_its_key_and_our_credentials() -> None:
    async with serve(replying(ANSWER, 201)) as server:
        desk = supplier(server.url)
        answer = await place(desk, ORDER, idempotency_key="k-1")
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/orders")
    assert request.headers["x-order-key"] == "k-1"
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body)["reference"] == ORDER.reference
    assert (answer.says, answer.number, answer.detail) == (SupplierSays.CONFIRMED, "S-9", "")
    assert desk.ordering
    assert desk.ordering.is_idempotent
    assert desk.ordering.can_be_asked


async def test_a_desk_without_a_header_gets_no_key() -> None:
    async with serve(replying(ANSWER)) as server:
        await place(supplier(server.url, idempotency_header=""), ORDER, idempotency_key="k-1")
    assert "k-1" not in server.requests[0].headers.values()


async def test_a_desk_that_answers_nothing_readable_may_be_said_to() -> None:
    silent = {"answer": {}, "status_words": {}, "find_path": ""}
    async with serve(Reply(b"", status=202)) as server:
        answer = await place(supplier(server.url, **silent), ORDER, idempotency_key="k")
        assert answer.says is SupplierSays.TAKEN
    async with serve(Reply(PAGE, content_type="text/html")) as server:
        with pytest.raises(DeliveryUnknown, match="web page"):
            await place(supplier(server.url, **silent), ORDER, idempotency_key="k")


@pytest.mark.parametrize(
    "reply",
    [
        HANG,
        Reply(raw=b""),
        Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
        Reply(raw=b"220 mail.example ESMTP\r\n"),
        Reply(json.dumps(ANSWER), pause=0.2),
        Reply(PAGE, content_type="text/html"),
        Reply(PAGE),
        Reply("[]"),
        Reply("7" * 300_000),
        Reply(b"0" * (6 * 1024 * 1024)),
        Reply(b"", status=204),
        replying({"error": "try again"}),
        replying(ANSWER | {"ref": "PO-2"}),
        Reply(status=302, headers={"Location": "/elsewhere"}),
        Reply(status=303, headers={"Location": "http://127.0.0.1:1/"}),
        *(Reply(status=status) for status in (408, 409, 429, 500, 502, 503, 504)),
    ],
    ids=lambda reply: f"{reply.status} {str(reply.body or reply.raw)[:20]!r}",
)
async def test_what_leaves_open_whether_it_was_taken_is_unknown(reply: Reply) -> None:
    async with serve(reply) as server:
        with pytest.raises(DeliveryUnknown) as caught:
            await place(supplier(server.url), ORDER, idempotency_key="k-1")
    assert len(server.requests) == 1, "sent again by nobody"
    assert not caught.value.retryable
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (400, SourceRefused, r"refused the order \(HTTP 400\): 'below the minimum'"),
        (401, SourceRefused, "refused our credentials"),
        (403, SourceRefused, "refused our credentials"),
        (404, SourceRefused, "HTTP 404"),
        (422, SourceRefused, "HTTP 422"),
    ],
)
async def test_a_refusal_is_surely_no_order(status, kind, says) -> None:
    async with serve(Reply("below the\nminimum", status=status)) as server:
        with pytest.raises(kind, match=says) as caught:
            await place(supplier(server.url), ORDER, idempotency_key="k-1")
    assert not isinstance(caught.value, DeliveryUnknown)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"base_url": "http://127.0.0.1:1"}, SourceUnavailable),
        ({"base_url": "http://no-such-host.invalid"}, SourceUnavailable),
        ({"internal_hosts": [], "base_url": "http://169.254.169.254"}, ConfigurationError),
        ({"base_url": "ftp://127.0.0.1"}, ConfigurationError),
        ({"credential": SecretStr("a\nb")}, ConfigurationError),
        ({"ordering": None}, ConfigurationError),
    ],
    ids=str,
)
async def test_what_never_left_us_is_surely_no_order(change, kind) -> None:
    desk = supplier("http://127.0.0.1:1").model_copy(update=change)
    with pytest.raises(kind) as caught:
        await place(desk, ORDER, idempotency_key="k-1")
    assert not isinstance(caught.value, DeliveryUnknown)
    if change.get("ordering", ...) is None:
        assert "takes no orders from us" in str(caught.value)


# Asking about an order

LIST = {
    "find_path": "orders?reference={reference}",
    "found_at": "data.orders",
}


async def test_who_has_an_order_says_how_it_stands() -> None:
    async with serve(replying(ANSWER)) as server:
        answer = await find(supplier(server.url), ORDER.reference)
    assert answer
    assert answer.says is SupplierSays.CONFIRMED
    assert server.requests[0].path == "/orders/PO%201%2F7", "no part of a path, no second query"
    assert server.requests[0].method == "GET"


@pytest.mark.parametrize(
    ("reply", "changes"),
    [
        (replying({"error": "no such order"}, 404), {}),
        (Reply("Not Found", status=404, content_type="text/plain"), {}),
        (replying({"data": {"orders": []}}), LIST),
        (replying({"data": {"orders": [ANSWER | {"ref": "PO-2"}]}}), LIST),
    ],
)
async def test_who_does_not_have_it_says_so(reply, changes) -> None:
    async with serve(reply) as server:
        assert await find(supplier(server.url, **changes), ORDER.reference) is None


@pytest.mark.parametrize(
    ("reply", "changes", "kind"),
    [
        (Reply(PAGE, status=404, content_type="text/html"), {}, SourceRefused),
        (Reply(PAGE), {}, SourceGarbled),
        (replying({"error": "no such path"}, 404), LIST, SourceRefused),
        (replying(ANSWER | {"ref": "PO-2"}), {}, SourceGarbled),
        (replying({"error": "try again"}), LIST, SourceGarbled),
        (replying({"data": {"orders": None}}), LIST, SourceGarbled),
        (Reply(status=503), {}, SourceUnavailable),
        (Reply(status=302), {}, SourceGarbled),
        (HANG, {}, SourceTimeout),
    ],
)
async def test_who_cannot_tell_is_not_taken_for_who_does_not_have_it(reply, changes, kind) -> None:
    async with serve(reply) as server:
        with pytest.raises(kind):
            await find(supplier(server.url, **changes), ORDER.reference)


async def test_one_who_has_it_twice_is_found_out() -> None:
    twice = [ANSWER, ANSWER | {"no": "S-10"}]
    async with serve(replying({"data": {"orders": twice}})) as server:
        answer = await find(supplier(server.url, **LIST), ORDER.reference)
    assert answer
    assert answer.says is SupplierSays.PARTLY
    assert "It has this order 2 times: 'S-9', 'S-10'" in answer.detail


async def test_who_cannot_be_asked_is_not() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be asked.*find_path"):
        await find(supplier("http://127.0.0.1:1", find_path=""), ORDER.reference)


# By mail


async def by_mail(prepare: Callable[[Any], None] = lambda _: None, **changes: Any) -> Any:
    async with mailbox() as box:
        prepare(box)
        desk = {"via": "mail", "to": "orders@acme.example", "server": box.block(**changes)}
        acme = SupplierConnection(name="acme", base_url="http://acme.example", ordering=desk)
        assert acme.ordering
        assert not acme.ordering.is_idempotent
        assert not acme.ordering.can_be_asked
        try:
            return box, await place(acme, ORDER, idempotency_key="k-1")
        except OrchestratorError as error:
            return box, error


async def test_an_order_by_mail_arrives_and_says_no_more_than_that() -> None:
    box, answer = await by_mail()
    ((recipients, mail),) = box.mails
    assert recipients == ["orders@acme.example"]
    assert mail["Subject"] == "Purchase order PO 1/7"
    assert mail["From"] == "Shop <ops@shop.example>"
    assert mail["Message-ID"] == "<PO_1_7@shop.example>"
    assert "12  A  Mug  at 2.50 GBP" in mail.get_body(("plain",)).get_content()
    assert [part.get_filename() for part in mail.iter_attachments()] == ["PO_1_7.csv"]
    assert (answer.says, "taken" in answer.detail) == (SupplierSays.TAKEN, True)


async def test_a_mail_server_that_says_nothing_leaves_it_open() -> None:
    box, error = await by_mail(lambda box: setattr(box, "answer", None), timeout=0.5)
    assert isinstance(error, DeliveryUnknown)
    assert len(box.mails) == 1


async def test_a_mail_that_is_refused_was_not_sent() -> None:
    box, error = await by_mail(lambda box: box.refused.add("orders@acme.example"))
    assert isinstance(error, SourceRefused)
    assert box.mails == []
    _, error = await by_mail(port=1)
    assert isinstance(error, SourceUnavailable)
