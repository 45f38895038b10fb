"""Keeping our picture of the store's data in step with the store, and checking it against it."""

from agents.integration_specialist.data_synchronization.stock import (
    StockChange,
    StockSync,
    sync_stock,
)
from agents.integration_specialist.data_synchronization.verification import (
    CheckedFigure,
    Validation,
    verify_against_source,
)

__all__ = [
    "CheckedFigure",
    "StockChange",
    "StockSync",
    "Validation",
    "sync_stock",
    "verify_against_source",
]
