"""How each supplier's catalogue reads, in the terms of a supplier connection."""

from __future__ import annotations

from typing import Any

CATALOGUES: dict[str, dict[str, Any]] = {
    "json": {
        "records_path": "catalogue.items",
        "columns": {
            "sku": "product.code",
            "unit_cost": "price.net",
            "currency": "price.currency",
            "lead_time_days": "supply.lead_days",
            "min_order_units": "supply.minimum",
            "pack_units": "supply.pack",
            "available_units": "supply.available",
        },
    },
    "csv": {
        "columns": {
            "sku": "Article",
            "unit_cost": "Net price GBP",
            "lead_time_days": "Delivery days",
            "min_order_units": "MOQ",
            "pack_units": "Pack",
            "available_units": "Stock",
        },
    },
    "xml": {
        "records_path": "article",
        "columns": {
            "sku": "@code",
            "unit_cost": "cost",
            "lead_time_days": "delivery/@days",
            "min_order_units": "minimum",
            "pack_units": "pack",
            "available_units": "stock",
        },
    },
}
"""By format."""
