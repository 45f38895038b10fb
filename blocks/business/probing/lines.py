"""Probing a line: whether a port takes connections, and how long its certificate is good."""

from __future__ import annotations

import asyncio
import math
import os
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field

from blocks.business.probing.seen import Call, Fault, Seen
from blocks.egress import readable_file, resolve_soon
from blocks.errors import ConfigurationError, SourceUnavailable
from blocks.models import Strict
from blocks.vocabulary.severity import Severity

_BANNER = 4096  # bytes of a greeting that are looked at

_EXPIRED, _OF_ANOTHER_NAME = 10, 62  # X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_HOSTNAME_MISMATCH


class TcpCheck(Strict):
    """A connection, and the greeting that comes over it."""

    kind: Literal["tcp"] = "tcp"
    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    banner: str = Field(
        default="",
        description="A text that the greeting must contain; none is waited for if empty.",
    )

    @property
    def hosts(self) -> list[str]:
        """Whom it names."""
        return [self.host]

    async def look(self, call: Call) -> Seen:
        """Connect once.

        Raises:
            SourceUnavailable: Nobody takes the connection.
            ConfigurationError: The host may not be called.
        """
        began = time.perf_counter()
        async with _line(self.host, self.port, call) as (reader, _):
            fault = await self._greeted(reader) if self.banner else None
        return Seen(fault, _since(began))

    async def _greeted(self, reader: asyncio.StreamReader) -> Fault | None:
        wanted, said = self.banner.encode(), b""
        while wanted not in said:
            more = await reader.read(_BANNER)
            said += more
            if not more or len(said) >= _BANNER:
                return Fault(f"the greeting does not contain {self.banner[:60]!r}")
        return None


class TlsCheck(Strict):
    """A TLS server's certificate: for this name, of an authority that is trusted, not expired."""

    kind: Literal["tls"] = "tls"
    host: str = Field(min_length=1)
    port: int = Field(default=443, ge=1, le=65535)
    server_name: str = Field(
        default="", description="The name that the certificate must be for; the host if empty."
    )
    ca_file: str = Field(default="", description="PEM file of the authority, where it is your own.")
    warn_days: float = Field(default=21, ge=0, description="A warning from so many days left on.")
    error_days: float = Field(default=7, ge=0, description="An error from so many days left on.")

    @property
    def hosts(self) -> list[str]:
        """Whom it names."""
        return [self.host]

    async def look(self, call: Call) -> Seen:
        """Look at the certificate once.

        Raises:
            SourceUnavailable: Nobody takes the connection, or it is no TLS.
            ConfigurationError: The host may not be called, or ca_file cannot be read.
        """
        began = time.perf_counter()
        name = self.server_name or self.host
        context = _context(str(readable_file(self.ca_file, call.reach)) if self.ca_file else "")
        try:
            async with _line(self.host, self.port, call, ssl=context, server_hostname=name) as line:
                certificate: dict[str, Any] = line[1].get_extra_info("peercert")
        except ssl.SSLCertVerificationError as error:
            return Seen(_refused(error, name), _since(began))
        except ssl.SSLError as error:
            reason = (error.reason or "unknown").replace("_", " ").lower()
            raise SourceUnavailable(
                f"{call.who}: no TLS at {self.host}:{self.port} ({reason})."
            ) from None
        left = (ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / 86400
        return Seen(self._expires(certificate, left), _since(began), {"days_left": round(left, 2)})

    def _expires(self, certificate: dict[str, Any], left: float) -> Fault | None:
        if left > max(self.warn_days, self.error_days):
            return None
        until = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
        days = math.floor(left)
        return Fault(
            f"the certificate expires in {days} {'day' if days == 1 else 'days'}, on "
            f"{until:%Y-%m-%d %H:%M} UTC",
            Severity.ERROR if left <= self.error_days else Severity.WARNING,
            lasting=True,
            kind="certificate.expiring",
        )


def _refused(error: ssl.SSLCertVerificationError, name: str) -> Fault:
    """What a browser would refuse, too."""
    match error.verify_code:
        case code if code == _EXPIRED:
            what = "the certificate has expired"
        case code if code == _OF_ANOTHER_NAME:
            what = f"the certificate is not for {name}"
        case _:
            what = f"the certificate is not trusted: {error.verify_message}"
    return Fault(what, lasting=True)


@lru_cache(maxsize=32)
def _context(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:  # what OpenSSL says is an OSError, too
        raise ConfigurationError(
            f"The ca_file {ca_file} cannot be used: {error.strerror or 'it holds no certificate'}.",
            hint="It is a file in PEM format.",
        ) from None


@asynccontextmanager
async def _line(
    host: str, port: int, call: Call, **tls: Any
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the first of a host's addresses that takes one."""
    try:
        addresses = await resolve_soon(host, port, call.reach, call.who)
    except OSError:
        raise SourceUnavailable(f"{call.who}: there is no host {host!r}.") from None
    for at, address in enumerate(addresses, start=1):
        try:
            async with asyncio.timeout(call.timeout / len(addresses)):
                line = await asyncio.open_connection(address, port, **tls)
            break
        except ssl.SSLError:
            raise
        except (TimeoutError, OSError) as error:
            if at == len(addresses):
                raise _unreachable(call, host, port, error) from None
    try:
        yield line
    finally:
        line[1].transport.abort()  # nothing more is to be said, and nobody waited for
        with suppress(OSError):
            await line[1].wait_closed()


def _unreachable(call: Call, host: str, port: int, error: Exception) -> SourceUnavailable:
    reason = "no answer in time"
    if isinstance(error, OSError) and error.errno and not isinstance(error, TimeoutError):
        reason = os.strerror(error.errno)
    return SourceUnavailable(f"{call.who} cannot be reached ({host}:{port}: {reason}).")


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 1)
