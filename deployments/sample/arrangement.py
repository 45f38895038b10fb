"""Where the sample business lives: its folder, its ports, its secrets, its business file."""

from __future__ import annotations

import json
import os
import secrets
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from blocks.business.webhooks.signatures import new_secret
from blocks.egress import host_in
from blocks.errors import ConfigurationError
from blocks.store.sql import parse_url
from deployments.processes.specs import local_url
from deployments.processes.supervisor import ProcessSpec
from deployments.sample.catalogues import CATALOGUES
from deployments.sample.faults import PATH as DRILL_PATH
from deployments.sample.ordering.connections import ordering
from deployments.sample.series import SERVICES
from deployments.sample.serving import CREDENTIAL, DRILL_TOKEN, STORE_URL
from deployments.sample.store import CURRENCY, TIMEZONE
from deployments.sample.supplier_api import PATHS, USERNAME
from deployments.sample.suppliers import SUPPLIERS, Supplier

NAMES = [supplier.name for supplier in SUPPLIERS] + list(SERVICES)
"""All processes, in the order of their ports."""

MAIL = "continental-import"
"""Who takes orders by mail, at the port after those of all processes."""

CHECKOUT = "checkout"
"""Who takes the shop's orders."""

REVENUE_SHARE = {"storefront": 1.0, "checkout": 1.0, "warehouse-api": 0.3}


def _same_names(table: str, *columns: str) -> dict[str, Any]:
    """A frame's mapping to a table of the shop whose columns have our names."""
    return {"table": table, "columns": {column: column for column in columns}}


AMOUNTS = {"refunds": "excluded", "shipping": "excluded"}
"""Returns are lines of their own, and only goods are in the data; whether its prices are with tax,
and before discounts, the data set does not say."""

FRAMES: dict[str, dict[str, Any]] = {
    "products": _same_names("products", "sku", "name", "unit_price", "unit_cost"),
    "stock": {
        "table": "stock",
        "columns": {
            "sku": "sku",
            "on_hand": "on_hand",
            "reserved": "backordered",
            "updated_at": "updated_at",
        },
    },
    "sale_lines": _same_names("sale_lines", "order_id", "sku", "sold_at", "units", "unit_price"),
    "open_orders": _same_names(
        "purchase_orders", "order_id", "supplier", "sku", "units", "ordered_at", "expected_at"
    )
    | {"where": {"received_at": []}},
}


@dataclass(frozen=True)
class Access:
    """How to reach the processes: address, first port, and secrets by process name.

    Attributes:
        webhook_secret: What the shop signs the webhooks with that it may send to the API.
    """

    host: str
    port: int
    credentials: dict[str, str] = field(repr=False)
    drill_tokens: dict[str, str] = field(repr=False)
    webhook_secret: str = field(default="", repr=False)

    def base_url(self, name: str) -> str:
        """The address of the named process."""
        return local_url(self.host, self.port + NAMES.index(name))

    @property
    def mail_port(self) -> int:
        """Where the mail server of the supplier that takes mail listens."""
        return self.port + len(NAMES)


def folder_of(state_dir: Path) -> Path:
    """The sample's folder in a state folder."""
    return state_dir.resolve() / "sample"


def open_folder(state_dir: Path) -> Path:
    """The sample's folder, made if need be, closed to other users.

    Raises:
        ConfigurationError: It cannot be made.
    """
    folder = folder_of(state_dir)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {folder} cannot be used: {error.strerror}.",
            hint="Set ORCHESTRATOR_STATE_DIR to a folder that you may write to.",
        ) from None
    return folder


def save_access(folder: Path, host: str, port: int) -> Access:
    """Write down where the processes listen; secrets that exist are kept."""
    file = folder / "access.json"
    known = load_access(folder) if file.exists() else Access(host, port, {}, {})
    access = Access(
        host,
        port,
        {s.name: known.credentials.get(s.name) or secrets.token_urlsafe(24) for s in SUPPLIERS},
        {name: known.drill_tokens.get(name) or secrets.token_urlsafe(24) for name in NAMES},
        known.webhook_secret or new_secret(),
    )
    if access != known or not file.exists():
        _write_private(file, json.dumps(asdict(access), indent=1))
    return access


def load_access(folder: Path) -> Access:
    """What ``save_access`` wrote.

    Raises:
        ConfigurationError: Nothing was written there, or it cannot be read.
    """
    file = folder / "access.json"
    try:
        return Access(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no sample business in {folder}.", hint="Start it with ./orchestrator up."
        ) from None
    except (OSError, ValueError, TypeError):
        raise ConfigurationError(
            f"{file} cannot be read.", hint="Delete it; the next start makes a new one."
        ) from None


def specs(access: Access, folder: Path, store_url: str) -> list[ProcessSpec]:
    """The six processes; what they keep is kept in ``folder``, and orders in the store."""
    return [_spec(access, name, folder, store_url) for name in NAMES]


@dataclass(frozen=True)
class DrillTarget:
    """A sample process that a drill can break.

    Attributes:
        name: Name of the supplier or service.
        kind: ``supplier`` or ``service``.
        url: Its drill endpoint (see deployments.sample.faults).
        token: Bearer token of that endpoint.
    """

    name: str
    kind: str
    url: str
    token: str = field(repr=False)


def drill_targets(access: Access) -> dict[str, DrillTarget]:
    """By name, how a drill reaches each process."""
    return {
        name: DrillTarget(
            name, _kind(name), f"{access.base_url(name)}{DRILL_PATH}", access.drill_tokens[name]
        )
        for name in NAMES
    }


def write_business_file(folder: Path, state_dir: Path, access: Access, store_url: str) -> Path:
    """Write the business file; a reader sees the old one or the new one, never half of it."""
    document = {
        "store": {
            "name": "sample-shop",
            "url": store_url,
            "currency": CURRENCY,
            "timezone": TIMEZONE,
            "amounts": AMOUNTS,
            "frames": FRAMES,
        },
        "suppliers": [_supplier(access, supplier) for supplier in SUPPLIERS],
        "services": [_service(access, name, state_dir.resolve()) for name in SERVICES],
        "probes": _probes(access, store_url),
        "webhooks": [
            {
                "name": "sample-shop",
                "secret": access.webhook_secret,
                "event_type": "shop.event",
                "subject": "{data.subject}",
            }
        ],
    }
    file = folder / "business.toml"
    heading = "# The sample business. Written anew at every start: changes here are lost.\n\n"
    _write_private(file, heading + tomli_w.dumps(document))
    return file


def _spec(access: Access, name: str, folder: Path, store_url: str) -> ProcessSpec:
    kind = _kind(name)
    port = access.port + NAMES.index(name)
    env = {DRILL_TOKEN: access.drill_tokens[name]}
    more: list[str] = []
    if name == CHECKOUT:
        env[STORE_URL] = parse_url(store_url).render_as_string(hide_password=False)
    if kind == "supplier":
        env[CREDENTIAL] = access.credentials[name]
        more += ["--folder", str(folder)]
    if name == MAIL:
        more += ["--mail-port", str(access.mail_port)]
    return ProcessSpec(
        name=name,
        argv=(
            *(sys.executable, "-m", f"deployments.sample.{kind}_api", name, *more),
            *("--host", access.host, "--port", str(port)),
        ),
        env=env,
        ready_url=f"{access.base_url(name)}/health",
    )


def _kind(name: str) -> str:
    return "service" if name in SERVICES else "supplier"


def _supplier(access: Access, supplier: Supplier) -> dict[str, Any]:
    username = {"username": USERNAME} if supplier.auth == "basic" else {}
    return {
        "name": supplier.name,
        "base_url": access.base_url(supplier.name),
        "format": supplier.format,
        "auth": supplier.auth,
        **username,
        "credential": access.credentials[supplier.name],
        "catalogue_path": PATHS[supplier.format],
        "health_path": "/health",
        **CATALOGUES[supplier.format],
        "ordering": ordering(supplier.format, host_in(local_url(access.host, 1)), access.mail_port),
        **_terms(supplier),
    }


def _terms(supplier: Supplier) -> dict[str, Any]:
    """What it asks of a whole order, as a business file says it."""
    terms = supplier.terms.model_dump(exclude_defaults=True, exclude_none=True)
    return {"terms": {name: float(money) for name, money in terms.items()}} if terms else {}


def _service(access: Access, name: str, state_dir: Path) -> dict[str, Any]:
    base_url = access.base_url(name)
    return {
        "name": name,
        "health_url": f"{base_url}/health",
        "metrics_url": f"{base_url}/metrics",
        "history_url": base_url,
        "metrics": [metric.name for metric in SERVICES[name]],
        "revenue_share": REVENUE_SHARE[name],
        "restart": [
            *(sys.executable, "-m", "deployments.processes.restart"),
            *(name, "--state-dir", str(state_dir)),
        ],
    }


def _probes(access: Access, store_url: str) -> list[dict[str, Any]]:
    """What is watched beside the services: the shop's database, a supplier's mail, a name."""
    host = host_in(local_url(access.host, 1))
    products = {"kind": "sql", "url": store_url, "query": "SELECT COUNT(*) FROM products"}
    mail = {"kind": "tcp", "host": host, "port": access.mail_port, "banner": "220"}
    own_name = {"kind": "dns", "hostname": "localhost", "addresses": ["127.0.0.0/8", "::1"]}
    return [
        {"name": "shop-database", "check": products | {"at_least": 1}},
        {"name": "supplier-mail", "severity": "warning", "check": mail},
        {"name": "local-name", "severity": "warning", "check": own_name},
    ]


def _write_private(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.touch(mode=0o600)
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigurationError(
            f"{file} cannot be written: {error.strerror}.",
            hint="Check the folder's permissions and free space.",
        ) from None
