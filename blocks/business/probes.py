"""Probes: what is asked again and again, and should answer as it is told to."""

from __future__ import annotations

import asyncio
from typing import Annotated, TypeAlias

from prefect.blocks.core import Block
from pydantic import Field

from blocks.business.probing.lines import TcpCheck, TlsCheck
from blocks.business.probing.names import DnsCheck
from blocks.business.probing.seen import Call, Fault, Seen
from blocks.business.probing.statements import SqlCheck
from blocks.business.probing.web import HttpCheck
from blocks.egress import InternalHosts, Reach
from blocks.errors import SourceError
from blocks.vocabulary.messages import Name
from blocks.vocabulary.severity import Severity

Check: TypeAlias = HttpCheck | TcpCheck | TlsCheck | DnsCheck | SqlCheck
CHECKS: dict[str, type[Check]] = {
    "http": HttpCheck,
    "tcp": TcpCheck,
    "tls": TlsCheck,
    "dns": DnsCheck,
    "sql": SqlCheck,
}
"""The ways of probing, by their name in a business file."""


class Probe(Block):
    """Something that is asked again and again: a page, a port, a certificate, a name, a query."""

    _block_type_name = "Probe"
    _block_type_slug = "probe"
    _description = (
        "Something that is asked again and again: a page, a port, a certificate, a name, a query."
    )

    name: Name = Field(description="Dashed name, equal to the block's name.")
    origin: str = Field(default="ui", description="Who made this block; leave it as it is.")
    check: Annotated[Check, Field(discriminator="kind")] = Field(
        description="What is asked, and what should be answered."
    )
    severity: Severity = Field(default=Severity.ERROR, description="How bad it is when it fails.")
    runbook: str = Field(default="", description="What to do then: a link, or a sentence.")
    internal_hosts: InternalHosts = Field(default_factory=list)
    timeout: float = Field(
        default=2.5, gt=0, le=9, description="Seconds that one look may take, at most 9."
    )

    async def look(self) -> Seen:
        """Look once. That it fails is a result, not an error.

        Raises:
            ConfigurationError: It cannot be asked as it is configured.
        """
        try:
            async with asyncio.timeout(self.timeout):
                return await self.check.look(Call(self.who, self.timeout, self.reach))
        except TimeoutError:
            return Seen(Fault(f"no complete answer within {self.timeout:g} s"))
        except SourceError as error:
            return Seen(Fault(error.what.rstrip(".")))

    @property
    def reach(self) -> Reach:
        """What it may be called at."""
        return Reach(tuple(self.internal_hosts))

    @property
    def who(self) -> str:
        """As errors name it."""
        return f"probe {self.name!r}"
