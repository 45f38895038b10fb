"""The sample's three suppliers within this process, on a day that is set from outside."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import uvicorn

from deployments.sample import arrangement
from deployments.sample.arrangement import Access
from deployments.sample.faults import ORDER_KINDS, Fault, Trouble
from deployments.sample.ordering.books import SupplierBook
from deployments.sample.ordering.desk import OrderDesk
from deployments.sample.ordering.mailbox import serving_mail
from deployments.sample.store import shop_today
from deployments.sample.supplier_api import build_app
from deployments.sample.suppliers import SUPPLIERS, supplier_named

HOST = "127.0.0.1"
_PORTS = range(20_000, 30_000, 10)


@dataclass
class Suppliers:
    """How they are reached, and what is the matter with them.

    Attributes:
        folder: Their books lie there.
        access: Their addresses and credentials.
        business_file: The sample business with them.
        store_url: The shop's database, which nobody has filled yet.
        day: The shop's.
    """

    folder: Path
    access: Access
    business_file: Path
    store_url: str
    day: date = field(default_factory=shop_today)
    _troubles: dict[str, Trouble] = field(
        default_factory=lambda: {each.name: Trouble(ORDER_KINDS) for each in SUPPLIERS}
    )

    def suffer(self, faults: Mapping[str, str]) -> None:
        """Let some of them have a fault each, by name, and all others be well."""
        for name, trouble in self._troubles.items():
            fault = faults.get(name)
            trouble.begin(Fault(fault, float("inf"), 0) if fault else None)

    def desk(self, name: str) -> OrderDesk:
        """Where one of them takes orders."""
        book = SupplierBook(self.folder, name)
        return OrderDesk(supplier_named(name), book, lambda: self.day, self._troubles[name])


@contextmanager
def suppliers_on_loopback(folder: Path) -> Iterator[Suppliers]:
    """Serve all three, each in a thread of its own, until this ends.

    Args:
        folder: For their books, the shop's database and the business file.
    """
    lines = _bound()
    access = arrangement.save_access(folder, HOST, lines[0].getsockname()[1])
    store_url = f"sqlite:///{folder / 'shop.db'}"
    file = arrangement.write_business_file(folder, folder, access, store_url)
    suppliers = Suppliers(folder, access, file, store_url)
    with ExitStack() as stack:
        for line in lines:
            stack.enter_context(closing(line))
        for name, line in zip((each.name for each in SUPPLIERS), lines, strict=False):
            mail = lines[-1] if name == arrangement.MAIL else None
            stack.enter_context(_serving(suppliers, name, line, mail))
        yield suppliers


@contextmanager
def _serving(
    suppliers: Suppliers, name: str, line: socket.socket, mail: socket.socket | None
) -> Iterator[None]:
    desk = suppliers.desk(name)
    app = build_app(
        desk,
        suppliers.access.credentials[name],
        (lambda _: serving_mail(desk, mail)) if mail else None,
    )
    # A drill's silence would otherwise outlast the server.
    config = uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [line]}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def _bound() -> list[socket.socket]:
    """Sockets at the ports that the arrangement has for the suppliers, and for mail."""
    wanted = [*range(len(SUPPLIERS)), len(arrangement.NAMES)]
    for first in _PORTS:
        with ExitStack() as stack:
            try:
                lines = [
                    stack.enter_context(closing(socket.create_server((HOST, first + offset))))
                    for offset in wanted
                ]
            except OSError:
                continue
            stack.pop_all()
            return lines
    raise OSError("no free ports on loopback")
