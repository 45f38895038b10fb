"""Probing a name: whether it resolves, and to what it should."""

from __future__ import annotations

import ipaddress
import time
from typing import Literal

from pydantic import Field, field_validator

from blocks.business.probing.seen import Call, Fault, Seen
from blocks.egress import PERSON, resolve_soon
from blocks.models import Strict


class DnsCheck(Strict):
    """A name, asked of this machine's resolver; nothing is called at what it means."""

    kind: Literal["dns"] = "dns"
    hostname: str = Field(min_length=1, max_length=253)
    addresses: list[str] = Field(
        default_factory=list,
        description="Addresses or networks: each address that the name has must be among them.",
    )

    @field_validator("addresses")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        for entry in value:
            ipaddress.ip_network(entry, strict=False)
        return value

    @property
    def hosts(self) -> list[str]:
        """Whom it calls: nobody."""
        return []

    async def look(self, call: Call) -> Seen:
        """Ask once."""
        began = time.perf_counter()
        try:
            # Whatever it means: to ask is not to call.
            found = await resolve_soon(self.hostname, 0, PERSON, call.who)
        except OSError as error:
            return Seen(Fault(f"{self.hostname} does not resolve ({error.strerror or error})"))
        took = round((time.perf_counter() - began) * 1000, 1)
        wanted = [ipaddress.ip_network(entry, strict=False) for entry in self.addresses]
        others = [
            address
            for address in found
            if wanted and not any(ipaddress.ip_address(address) in network for network in wanted)
        ]
        fault = Fault(f"{self.hostname} means {', '.join(others[:5])}, too") if others else None
        if len(others) == len(found) and fault:
            fault = Fault(f"{self.hostname} means {', '.join(others[:5])} and not what it should")
        return Seen(fault, took)
