"""Parts of reports: each function turns one agent's result into a section."""

from flows.orchestrator.events.section import standing
from flows.reports.business import analysis, data_quality, forecast, stock, trade, trade_headline
from flows.reports.operations import (
    connections,
    connections_headline,
    decisions,
    proposals,
    systems,
)
from flows.status.section import status_headline, system_status

__all__ = [
    "analysis",
    "connections",
    "connections_headline",
    "data_quality",
    "decisions",
    "forecast",
    "proposals",
    "standing",
    "status_headline",
    "stock",
    "system_status",
    "systems",
    "trade",
    "trade_headline",
]
