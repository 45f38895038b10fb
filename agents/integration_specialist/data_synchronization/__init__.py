"""Keeping our picture of the store's data in step with the store, and checking it against it."""

from agents.integration_specialist.data_synchronization.stock import (
    StockChange,
    StockSync,
    sync_stock,
)

__all__ = ["StockChange", "StockSync", "sync_stock"]
