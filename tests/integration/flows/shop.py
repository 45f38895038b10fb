"""A whole small business on loopback: the sample's real data, suppliers and services that obey."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from deployments.sample.arrangement import FRAMES
from deployments.sample.store import CURRENCY, TIMEZONE
from tests.loopback import Loopback, Reply, Request, serve

WELL = Reply(json.dumps({"status": "ok"}))
SICK = Reply("Internal error", 500, "text/plain")
WEB_PAGE = Reply("<!doctype html><html><body>Back soon</body></html>", content_type="text/html")


def catalogue(*skus: str) -> Reply:
    """What a supplier offers, in the names of our own contract."""
    terms = {"unit_cost": 1.5, "lead_time_days": 4, "min_order_units": 10}
    return Reply(json.dumps([{"sku": sku} | terms for sku in skus]))


@dataclass
class Shop:
    """A business whose parts can be broken.

    Attributes:
        folder: Where its database and its business file are.
        answers: What each supplier and service answers, by name.
        description: The business file's content; ``configure`` writes it.
        open: What is closed together with the shop.
        requests: What its suppliers and services were asked.
    """

    folder: Path
    answers: dict[str, Reply] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)
    open: AsyncExitStack = field(default_factory=AsyncExitStack)
    requests: list[Request] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.folder / "shop.db"

    @property
    def business_file(self) -> Path:
        return self.folder / "business.toml"

    @property
    def restarts(self) -> int:
        """How often the restart command of the checkout ran."""
        file = self.folder / "restarts"
        return len(file.read_text()) if file.exists() else 0

    def break_checkout(self, *, for_good: bool = False) -> None:
        """Have the checkout answer errors until it is restarted, or even then."""
        (self.folder / "broken").write_text("for good" if for_good else "")

    def sql(self, *statements: str) -> None:
        """Change the shop's database."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def configure(self) -> None:
        """Write the business file as the description says now."""
        self.business_file.write_text(tomli_w.dumps(self.description))

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        name = request.path.split("/")[1]
        if name == "checkout" and (self.folder / "broken").exists():
            return SICK
        return self.answers[name]


@asynccontextmanager
async def open_shop(folder: Path) -> AsyncIterator[Shop]:
    """A healthy shop: two suppliers, two services, of which the checkout can be restarted."""
    shop = Shop(folder)
    shop.answers = {
        "acme": catalogue("85123A", "22423"),
        "globex": catalogue("85123A", "84879"),
        "checkout": WELL,
        "search": WELL,
    }
    async with serve(shop.answer) as server, shop.open:
        shop.description = {
            "store": {
                "name": "shop",
                "url": f"sqlite:///{shop.database}",
                "currency": CURRENCY,
                "timezone": TIMEZONE,
                "frames": FRAMES,
            },
            "suppliers": [_supplier(server, name) for name in ("acme", "globex")],
            "services": [
                _service(server, "checkout", 0.5) | {"restart": _restart_command(folder)},
                _service(server, "search", 0.1),
            ],
        }
        shop.configure()
        yield shop


def _supplier(server: Loopback, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "base_url": f"{server.url}/{name}",
        "timeout": 30.0,
        "latency_budget_ms": 30_000.0,
    }


def _service(server: Loopback, name: str, share: float) -> dict[str, Any]:
    return {
        "name": name,
        "health_url": f"{server.url}/{name}/health",
        "revenue_share": share,
        # Flows, server and tests share one busy loop.
        "timeout": 9.0,
        "latency_budget_ms": 30_000.0,
    }


def _restart_command(folder: Path) -> list[str]:
    script = 'printf x >>"$0/restarts"; grep -q good "$0/broken" || rm -f "$0/broken"'
    return ["sh", "-c", script, str(folder)]
