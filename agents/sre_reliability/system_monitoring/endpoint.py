"""Whether anything at all is there at a connection's address: no login, no data, no judgement."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import httpx
from pydantic import Field

from agents.capability import ANYBODY, action
from blocks import egress
from blocks.business.business import Business
from blocks.business.connections import Connection, find_connection
from blocks.business.suppliers import SupplierConnection
from blocks.errors import ConfigurationError, SourceError
from blocks.models import Strict
from blocks.partners.http import fetch
from blocks.store.block import StoreDatabase
from blocks.store.url import PORTS, parse_url, socket_of
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

STEP = 5.0
"""Seconds that each step may take: to resolve the name, to connect, to be answered."""


class EndpointProbe(Strict):
    """What is there at an address. None: not looked at, because an earlier step failed.

    Attributes:
        summary: One sentence a manager understands.
        connection: The connection's name.
        kind: What it connects to.
        address: Host and port, or the file; nothing secret.
        resolves: The host has an address; of a file: it is there.
        accepts: It accepts a TCP connection; of a file: it can be read.
        answers: It answers HTTP, whatever the status; None for a database.
        detail: What the system said of the first step that failed.
        degraded: Always: it is not known whether the connection does what it promises.
        findings: What is wrong.
    """

    summary: str
    connection: str
    kind: str
    address: str
    resolves: bool | None = None
    accepts: bool | None = None
    answers: bool | None = None
    detail: str = ""
    degraded: bool = True
    findings: list[Finding] = Field(default_factory=list)

    @property
    def there(self) -> bool:
        """Whether every step that was tried succeeded."""
        return False not in (self.resolves, self.accepts, self.answers)


@action(timeout=4 * STEP, retries=0, askers=ANYBODY)
async def probe_endpoint(business: Business, connection: str) -> EndpointProbe:
    """See whether a connection's host resolves, accepts a connection and answers HTTP at all.

    Args:
        business: Whose connection.
        connection: Its name, or ``kind:name``.

    Raises:
        InvalidMessage: There is no such connection; names the nearest.
        ConfigurationError: Its address is unusable.
    """
    found = find_connection(business, connection)
    block = found.block
    if isinstance(block, StoreDatabase):
        url = parse_url(block.url.get_secret_value())
        if url.drivername == "sqlite":
            return _file(found, egress.readable_file(url.database or "", block.reach))
        if path := socket_of(url):
            egress.require_socket(path, block.reach, found.resource)
            return _socket(found, Path(path))
        port = url.port or PORTS[url.get_backend_name()]
        return await _server(found, url.host or "localhost", port, None)
    address = block.base_url if isinstance(block, SupplierConnection) else block.health_url
    host, port = _host_and_port(found, address)
    return await _server(found, host, port, address)


def _host_and_port(found: Connection, address: str) -> tuple[str, int]:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(
            f"The address of {found.resource} is not an http or https URL.",
            hint="Write it as https://host[:port]/path.",
        )
    return url.host, url.port or (443 if url.scheme == "https" else 80)


def _file(found: Connection, path: Path) -> EndpointProbe:
    there = path.is_file()
    readable = os.access(path, os.R_OK) if there else None
    detail = "" if readable else "it cannot be read" if there else "there is no such file"
    return _judged(found, str(path), there, readable, None, detail)


def _socket(found: Connection, path: Path) -> EndpointProbe:
    there = path.exists()  # of PostgreSQL it is the folder that is named
    detail = "" if there else "there is no such socket"
    return _judged(found, str(path), there, None, None, detail)


async def _server(found: Connection, host: str, port: int, url: str | None) -> EndpointProbe:
    """Resolve, connect, and ask ``url`` (None: a server that speaks no HTTP)."""
    reach = found.block.reach
    address = f"{host}:{port}"
    try:
        async with asyncio.timeout(STEP):
            addresses = await asyncio.to_thread(egress.resolve, host, port, reach, found.resource)
    except (OSError, TimeoutError) as error:
        return _judged(found, address, False, None, None, _words(error))
    try:
        line = await asyncio.to_thread(egress.connect, addresses, port, STEP)
        line.close()
    except (OSError, TimeoutError) as error:
        return _judged(found, address, True, False, None, _words(error))
    if url is None:
        return _judged(found, address, True, True, None, "")
    try:
        await fetch(url, source=found.resource, timeout=STEP, reach=reach)
    except SourceError as error:
        return _judged(found, address, True, True, False, error.what)
    return _judged(found, address, True, True, True, "")


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not error.args:
        return f"nothing came within {STEP:g} s"
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number and number > 0 else str(error)


def _judged(
    found: Connection,
    address: str,
    resolves: bool,
    accepts: bool | None,
    answers: bool | None,
    detail: str,
) -> EndpointProbe:
    failed = next(
        (
            said
            for step, said in (
                (resolves, "is not to be found"),
                (accepts, "is known but accepts no connection"),
                (answers, "accepts a connection but does not answer HTTP"),
            )
            if step is False
        ),
        "",
    )
    said = f"{found.name} {failed or 'is there'} ({address}{': ' + detail if detail else ''})"
    finding = Finding(
        kind=f"{found.kind}-unreachable",
        resource=found.resource,
        severity=Severity.ERROR,
        title=said,
        evidence={"address": address, "detail": detail},
        advice="See whether it runs, and whether its address and our network are right.",
    )
    return EndpointProbe(
        summary=f"{said}; more than that was not checked.",
        connection=found.name,
        kind=found.kind,
        address=address,
        resolves=resolves,
        accepts=accepts,
        answers=answers,
        detail=detail,
        findings=[finding] if failed else [],
    )
