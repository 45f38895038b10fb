"""Parts of reports: each function turns one agent's result into a section."""

from flows.sections.business import (
    analysis,
    data_quality,
    forecast,
    stock,
    trade,
    trade_headline,
)
from flows.sections.events import standing
from flows.sections.operations import (
    connections,
    connections_headline,
    decisions,
    proposals,
    systems,
)
from flows.sections.status import status_headline, system_status

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
