"""Mail goes to a real server, and what went wrong says whether it was sent."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest
from pydantic import ValidationError

from blocks.errors import (
    ConfigurationError,
    DeliveryUnknown,
    OrchestratorError,
    SourceRefused,
    SourceUnavailable,
)
from blocks.prefect_api import mail
from blocks.prefect_api.mail import MailServer
from blocks.settings import get_settings
from tests.integration.loopback import free_port
from tests.mailbox import mailbox

SECRET = "canary-Pässword"


def letter(subject: str = "Hello") -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message["To"] = "Ann <ann@shop.example>"
    message.set_content("Grüße\n.\nFrom the second line on\n")
    return message


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """The certificate of localhost, which we trust meanwhile."""
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    more = "-addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    subprocess.run([*make.split(), *more.split()], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    mail._tls.cache_clear()
    yield context
    mail._tls.cache_clear()


async def test_a_mail_arrives_as_it_was_written() -> None:
    async with mailbox() as box:
        said = await box.block().send(letter("Réapprovisionnement"), ["Ann <ann@shop.example>"])
        assert said == "taken"
        [(recipients, arrived)] = box.mails
    assert recipients == ["ann@shop.example"]
    assert arrived["Subject"] == "Réapprovisionnement"
    assert arrived["From"] == "Shop <ops@shop.example>"
    assert arrived["Message-ID"].endswith("@shop.example>")
    assert arrived["Date"]
    # Once Apprise is loaded, Python writes texts as quoted-printable, whose line ends are CRLF.
    assert arrived.get_content().splitlines() == ["Grüße", ".", "From the second line on"]


@pytest.mark.parametrize("security", ["starttls", "ssl"])
async def test_it_is_encrypted_and_logged_in_and_the_certificate_is_held_against_the_name(
    certified: ssl.SSLContext, security: str
) -> None:
    login = ("ops", SECRET)
    secure = {"security": security, "internal_hosts": ["localhost", "127.0.0.1"]}
    async with mailbox(tls=certified, at_once=security == "ssl", login=login) as box:
        server = box.block(host="localhost", username="ops", password=SECRET, **secure)
        await server.send(letter(), ["ann@shop.example"])
        assert len(box.mails) == 1
        other = box.block(host="127.0.0.1", username="ops", password=SECRET, **secure)
        with pytest.raises(SourceUnavailable, match="certificate does not hold"):
            await other.send(letter(), ["ann@shop.example"])
        wrong = box.block(host="localhost", username="ops", password=f"{SECRET}!", **secure)
        with pytest.raises(SourceRefused, match="refused our user name and password") as refused:
            await wrong.send(letter(), ["ann@shop.example"])
        assert SECRET not in str(refused.value)
        assert len(box.mails) == 1


async def test_what_is_to_be_encrypted_is_never_sent_in_the_clear() -> None:
    async with mailbox() as box:
        with pytest.raises(SourceRefused, match="does not offer what it is to do"):
            await box.block(security="starttls").send(letter(), ["ann@shop.example"])
        assert box.mails == []
    with pytest.raises(ValidationError, match="would send the password in the clear"):
        box.block(username="ops", password=SECRET)


async def test_an_internal_server_is_reached_only_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_INTERNAL_HOSTS", "")
    get_settings.cache_clear()
    async with mailbox() as box:
        with pytest.raises(ConfigurationError, match="internal hosts must be named"):
            await box.block(internal_hosts=[]).send(letter(), ["ann@shop.example"])
        await box.block().send(letter(), ["ann@shop.example"])
        assert len(box.mails) == 1
    monkeypatch.undo()
    get_settings.cache_clear()


async def test_of_a_refused_address_nobody_gets_it_or_all_the_others_do() -> None:
    both = ["ann@shop.example", "bob@shop.example"]
    async with mailbox() as box:
        box.refused = {"bob@shop.example"}
        with pytest.raises(SourceRefused, match=r"refused mail to bob@shop\.example: 550 no such"):
            await box.block().send(letter(), both)
        assert box.mails == []
        said = await box.block().send(letter(), both, all_or_none=False)
        assert said == "taken (not for bob@shop.example)"
        assert [recipients for recipients, _ in box.mails] == [["ann@shop.example"]]
        with pytest.raises(SourceRefused, match="550 no such"):
            await box.block().send(letter(), both[1:], all_or_none=False)


@pytest.mark.parametrize(
    ("answer", "kind"), [("452 disk full", SourceUnavailable), ("554 is spam", SourceRefused)]
)
async def test_a_refused_mail_was_not_sent(answer: str, kind: type[OrchestratorError]) -> None:
    async with mailbox() as box:
        box.answer = answer
        with pytest.raises(kind, match=f"refused our mail: {answer}"):
            await box.block().send(letter(), ["ann@shop.example"])


async def test_of_a_server_that_falls_silent_over_a_mail_nobody_knows() -> None:
    async with mailbox() as box:
        box.answer = None
        with pytest.raises(DeliveryUnknown, match="did not say whether it took it") as unknown:
            await box.block(timeout=1.0).send(letter(), ["ann@shop.example"])
        assert not unknown.value.retryable
        assert len(box.mails) == 1, "and in truth it has it"


@asynccontextmanager
async def talking(*lines: str) -> AsyncIterator[MailServer]:
    """A server that says these lines, one per command of ours, and then closes the line."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in lines:
            writer.write(f"{line}\r\n".encode())
            await reader.readline()
        writer.close()
        await writer.wait_closed()
        over.set()

    over = asyncio.Event()
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield MailServer(
            host="127.0.0.1",
            port=port,
            security="none",
            sender="ops@shop.example",
            internal_hosts=["127.0.0.1"],
            timeout=2.0,
        )
        await over.wait()


async def test_who_hangs_up_before_the_mail_has_none_and_afterwards_nobody_knows() -> None:
    envelope = ("220 hi", "250 hello", "250 sender", "250 recipient")
    for lines in ((), envelope[:1], envelope[:3]):
        async with talking(*lines) as server:
            with pytest.raises(SourceUnavailable):
                await server.send(letter(), ["ann@shop.example"])
    async with talking(*envelope, "354 go on") as server:
        with pytest.raises(DeliveryUnknown):
            await server.send(letter(), ["ann@shop.example"])
    async with talking("HTTP/1.1 400 Bad Request") as server:
        with pytest.raises(SourceRefused):
            await server.send(letter(), ["ann@shop.example"])


async def test_nobody_there_is_said_in_words() -> None:
    server = MailServer(
        host="127.0.0.1", port=free_port(), sender="a@b.example", internal_hosts=["127.0.0.1"]
    )
    with pytest.raises(SourceUnavailable, match=r"at port \d+: Connection refused"):
        await server.send(letter(), ["ann@shop.example"])


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "ann@",
        "@shop.example",
        "a@b\r\nRCPT TO:<x@y.example>",
        "ü@shop.example",
        "a b@c.d",
    ],
)
async def test_what_is_no_address_is_refused_before_anything_is_sent(address: str) -> None:
    async with mailbox() as box:
        with pytest.raises(ConfigurationError, match="is no mail address"):
            await box.block().send(letter(), ["ann@shop.example", address])
        with pytest.raises(ValidationError, match="is no mail address"):
            box.block(sender=address)
        with pytest.raises(ConfigurationError, match="no recipient"):
            await box.block().send(letter(), [])
        assert box.mails == []
