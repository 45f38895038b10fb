"""The business's connections by name: its store, its suppliers, its services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.business.suppliers import SupplierConnection
from blocks.errors import InvalidMessage
from blocks.store.block import StoreDatabase
from blocks.text import did_you_mean

Kind = Literal["store", "supplier", "service"]
STORE_BUDGET_MS = 1000.0
"""A store has no budget of its own; a trivial query, connecting included, takes no longer."""

Block: TypeAlias = StoreDatabase | SupplierConnection | MonitoredService


@dataclass(frozen=True)
class Connection:
    """One connection: what it connects to, its name, and its block."""

    kind: Kind
    name: str
    block: Block

    @property
    def resource(self) -> str:
        """``kind:name``, as findings and events name it."""
        return f"{self.kind}:{self.name}"

    @property
    def budget_ms(self) -> float:
        """What an answer may take, in ms."""
        if isinstance(self.block, StoreDatabase):
            return STORE_BUDGET_MS
        return self.block.latency_budget_ms


def connections_of(business: Business) -> list[Connection]:
    """All connections: the store, then suppliers, then services."""
    return [
        *([Connection("store", business.store.name, business.store)] if business.store else []),
        *(Connection("supplier", supplier.name, supplier) for supplier in business.suppliers),
        *(Connection("service", service.name, service) for service in business.services),
    ]


def find_connection(business: Business, name: str) -> Connection:
    """The connection of that name.

    Args:
        business: Whose connections.
        name: ``acme``, or ``supplier:acme`` where a supplier and a service share a name.

    Raises:
        InvalidMessage: There is none, or there are several; names the nearest.
    """
    known = connections_of(business)
    found = [c for c in known if name in (c.name, c.resource)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidMessage(
            f"There are {len(found)} connections {name!r}.",
            hint=f"Say which: {', '.join(c.resource for c in found)}.",
        )
    names = [c.resource if ":" in name else c.name for c in known]
    raise InvalidMessage(f"There is no connection {name!r}.", hint=did_you_mean(name, names))
