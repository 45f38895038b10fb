"""The business in figures: the last trading day, and what sells."""

from agents.data_intelligence.business_intelligence.analysis import (
    Analysis,
    CompleteAnalysis,
    analyze,
    run_analysis,
)
from agents.data_intelligence.business_intelligence.daily_metrics import (
    DailyMetrics,
    DayPoint,
    Metric,
    UnusualDay,
    analyze_daily_metrics,
)

__all__ = [
    "Analysis",
    "CompleteAnalysis",
    "DailyMetrics",
    "DayPoint",
    "Metric",
    "UnusualDay",
    "analyze",
    "analyze_daily_metrics",
    "run_analysis",
]
