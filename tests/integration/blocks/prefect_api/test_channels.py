"""Blocks that people are told through: made, saved, loaded, and sent through for real."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from blocks.errors import DeliveryUnknown, SourceRefused, SourceUnavailable
from blocks.prefect_api.channels import AppriseNotification, MailNotification
from blocks.prefect_api.notifications import send
from tests.loopback import Reply, serve
from tests.mailbox import Mailbox, mailbox

pytestmark = pytest.mark.prefect

SECRET = "canary-token"

APPRISE = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
"""It knows of PGP whoever asks for mail, and of pictures whoever asks for PGP."""


@pytest.fixture
async def box(prefect_server: str) -> AsyncIterator[Mailbox]:
    async with mailbox() as box:
        yield box


async def save(box: Mailbox, *to: str, **more: object) -> None:
    """As the Prefect UI does it: the server is a block of its own, which the mail refers to."""
    server = box.block(**more)
    await server.asave("post", overwrite=True)
    await MailNotification(server=server, to=list(to)).asave("people", overwrite=True)


async def test_mail_has_the_text_and_the_html(box: Mailbox) -> None:
    await save(box, "Ann <ann@shop.example>", "bob@shop.example")
    await send("mail/people", "Ümläut\r\nBcc: x@y.example", "plain", "<p>rich</p>")
    [(to, mail)] = box.mails
    assert to == ["ann@shop.example", "bob@shop.example"]
    assert (mail["Subject"], mail["Bcc"]) == ("Ümläut Bcc: x@y.example", None)
    assert mail["To"] == "Ann <ann@shop.example>, bob@shop.example"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert [part.get_content().strip() for part in mail.iter_parts()] == ["plain", "<p>rich</p>"]
    await send("mail/people", "S", "plain")
    assert box.mails[1][1].get_content_type() == "text/plain"


async def test_one_bad_address_keeps_nobody_else_waiting(box: Mailbox) -> None:
    await save(box, "gone@shop.example", "bob@shop.example")
    box.refused = {"gone@shop.example"}
    await send("mail/people", "S", "plain")
    assert [to for to, _ in box.mails] == [["bob@shop.example"]]
    box.refused.add("bob@shop.example")
    with pytest.raises(SourceRefused):
        await send("mail/people", "S", "plain")


async def test_what_nobody_knows_stays_apart_from_what_was_refused(box: Mailbox) -> None:
    await save(box, "ann@shop.example", timeout=0.5)
    box.answer = None
    with pytest.raises(DeliveryUnknown):
        await send("mail/people", "S", "plain")


@APPRISE
async def test_any_service_that_apprise_knows_is_told(prefect_server: str) -> None:
    async with serve(Reply("ok")) as hook:
        url = f"json://127.0.0.1:{hook.port}/{SECRET}"
        await AppriseNotification(url=url).asave("hook", overwrite=True)
        await send("apprise/hook", "checkout is down", "Restart it.")
    (request,) = hook.requests
    told = json.loads(request.body)
    assert (request.method, request.path) == ("POST", f"/{SECRET}")
    assert (told["title"], told["message"]) == ("checkout is down", "Restart it.")


@APPRISE
async def test_a_service_that_refuses_is_told_of_without_its_secret(
    prefect_server: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(Reply("no", status=500)) as hook:
        url = f"json://127.0.0.1:{hook.port}/{SECRET}"
        await AppriseNotification(url=url).asave("hook", overwrite=True)
        with pytest.raises(SourceUnavailable) as refused:
            await send("apprise/hook", "S", "B")
    assert SECRET not in str(refused.value)
    with pytest.raises(ValidationError, match="knows no service"):
        AppriseNotification(url=f"nonsense://{SECRET}")
    assert SECRET not in caplog.text


def test_a_mail_needs_somebody_to_go_to() -> None:
    server = Mailbox(port=25).block()
    with pytest.raises(ValidationError, match="at least 1 item"):
        MailNotification(server=server, to=[])
    with pytest.raises(ValidationError, match="is no mail address"):
        MailNotification(server=server, to=["ann"])
