"""Probes of ports and certificates, against real servers on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from blocks.business.probes import Probe
from blocks.business.probing.lines import TcpCheck, TlsCheck
from blocks.business.probing.names import DnsCheck
from blocks.errors import ConfigurationError
from blocks.vocabulary.severity import Severity
from tests.certificates import Authority
from tests.rogue_servers import talking

HOST = "127.0.0.1"


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ")
    await writer.drain()
    writer.write(b"ESMTP ready\r\n")
    await reader.read()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def tcp(port: int, **check: Any) -> Probe:
    return Probe(name="mail", check=TcpCheck(host=HOST, port=port, **check), timeout=0.5)


async def test_a_port_that_takes_connections_is_well_and_its_greeting_is_read_to_the_end() -> None:
    async with talking(greet) as port:
        assert (await tcp(port).look()).up
        assert (await tcp(port, banner="ESMTP").look()).up
        seen = await tcp(port, banner="IMAP").look()
    assert seen.fault
    assert "within 0.5 s" in seen.fault.what


async def test_a_port_that_says_nothing_or_is_closed_is_not() -> None:
    async with talking(silent) as port:
        seen = await tcp(port, banner="ESMTP").look()
    assert seen.fault
    assert "within 0.5 s" in seen.fault.what
    with socket.socket() as nobody:
        nobody.bind((HOST, 0))
        refused = await tcp(nobody.getsockname()[1]).look()
    assert refused.fault
    assert "Connection refused" in refused.fault.what


async def test_an_internal_host_that_is_not_named_is_not_called() -> None:
    probe = Probe(name="inside", check=TcpCheck(host="10.255.255.1", port=80))
    with pytest.raises(ConfigurationError, match="internal hosts must be named"):
        await probe.look()


@asynccontextmanager
async def tls_server(certificate: Path) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(silent, HOST, 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def look(port: int, authority: Authority | None, name: str = "shop.test") -> Any:
    ca_file = str(authority.file) if authority else ""
    check = TlsCheck(host=HOST, port=port, server_name=name, ca_file=ca_file)
    return await Probe(name="certificate", check=check, timeout=5).look()


@pytest.mark.parametrize(
    ("days", "severity", "told"),
    [
        (90, None, ""),
        (22, None, ""),
        (20, Severity.WARNING, "expires in 19 days"),
        (6, Severity.ERROR, "expires in 5 days"),
        (1.5, Severity.ERROR, "expires in 1 day, on"),
    ],
)
async def test_a_certificate_that_expires_is_told_in_time_and_is_no_outage(
    tmp_path: Path, days: float, severity: Severity | None, told: str
) -> None:
    authority = Authority(tmp_path)
    async with tls_server(authority.certificate("shop.test", timedelta(days=days))) as port:
        seen = await look(port, authority)
    assert seen.up
    assert days - 1 < seen.values["days_left"] <= days
    assert (seen.fault and seen.fault.severity) == severity
    assert told in (seen.fault.what if seen.fault else "")


async def test_what_a_browser_would_refuse_is_an_outage_that_needs_no_second_look(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    good = authority.certificate("shop.test", timedelta(days=90))
    expired = authority.certificate("shop.test", timedelta(days=-1))
    async with tls_server(good) as port, tls_server(expired) as late:
        wrong = {
            "has expired": await look(late, authority),
            "is not for other.test": await look(port, authority, "other.test"),
            "is not trusted": await look(port, None),
        }
    for told, seen in wrong.items():
        assert not seen.up
        assert seen.fault.lasting
        assert told in seen.fault.what


async def test_a_port_without_tls_is_told_as_such(tmp_path: Path) -> None:
    async with talking(greet) as port:
        seen = await look(port, Authority(tmp_path))
    assert seen.fault
    assert "no TLS at" in seen.fault.what


@pytest.mark.parametrize(
    ("hostname", "addresses", "told"),
    [
        ("localhost", [], ""),
        ("localhost", ["127.0.0.0/8", "::1"], ""),
        ("localhost", ["192.0.2.1"], "and not what it should"),
        ("no-such-name.invalid", [], "does not resolve"),
        ("a" * 64 + ".test", [], "does not resolve"),
    ],
)
async def test_names_mean_what_they_should(hostname: str, addresses: list[str], told: str) -> None:
    check = DnsCheck(hostname=hostname, addresses=addresses)
    seen = await Probe(name="name", check=check, timeout=9).look()
    fault = seen.fault.what if seen.fault else ""
    assert told in fault
    assert bool(told) == bool(fault)
