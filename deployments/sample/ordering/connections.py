"""How each supplier of the sample takes orders, in the terms of a supplier connection."""

from __future__ import annotations

from typing import Any

from deployments.sample.ordering.api import KEY, PATHS
from deployments.sample.ordering.mailbox import ADDRESS


def ordering(catalogue: str, host: str, mail_port: int) -> dict[str, Any]:
    """A supplier's ``ordering``, by the format of its catalogue.

    Args:
        catalogue: json, csv or xml.
        host: Where the mail server of the one that takes mail listens.
        mail_port: And at which port.
    """
    match catalogue:
        case "json":
            return _JSON
        case "csv":
            return _CSV
    server = {
        "host": host,
        "port": mail_port,
        "security": "none",
        "sender": "Sample Shop <buying@sample-shop.example>",
    }
    return {"via": "mail", "to": ADDRESS, "server": server}


_JSON: dict[str, Any] = {
    "via": "api",
    "orders_path": PATHS["json"],
    "idempotency_header": KEY,
    "find_path": f"{PATHS['json']}?reference={{reference}}",
    "found_at": "orders",
    "fields": {
        "reference": "customer_reference",
        "currency": "currency",
        "wanted_by": "wanted_by",
        "lines": "positions",
        "sku": "code",
        "units": "quantity",
        "unit_cost": "expected_price",
    },
    "answer": {
        "reference": "customer_reference",
        "number": "number",
        "status": "state",
        "at": "received_at",
        "currency": "currency",
        "lines": "positions",
        "sku": "code",
        "units": "quantity",
        "unit_cost": "net",
        "expected_on": "delivery",
    },
    "status_words": {
        "confirmed": "confirmed",
        "part": "partly",
        "shipped": "shipped",
        "delivered": "delivered",
    },
}

_CSV: dict[str, Any] = {
    "via": "api",
    "orders_path": PATHS["csv"],
    "format": "csv",
    "find_path": f"{PATHS['csv']}?order={{reference}}",
    "found_at": "Order",
    "fields": {
        "reference": "Customer order",
        "sku": "Article",
        "units": "Quantity",
        "unit_cost": "Expected price GBP",
        "wanted_by": "Wanted by",
    },
    "answer": {
        "reference": "Customer order",
        "number": "Order",
        "status": "Status",
        "sku": "Article",
        "units": "Quantity",
        "unit_cost": "Net price GBP",
        "expected_on": "Delivery",
    },
    "status_words": {"OK": "confirmed", "PART": "partly", "SENT": "shipped", "DONE": "delivered"},
}
