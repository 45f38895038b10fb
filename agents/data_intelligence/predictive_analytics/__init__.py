"""What will be wanted, and whether there is enough of it."""

from agents.data_intelligence.predictive_analytics.forecasting import (
    DemandForecast,
    SkuForecast,
    forecast_demand,
)
from agents.data_intelligence.predictive_analytics.stock_estimate import (
    StockEstimate,
    estimate_stock,
)
from agents.data_intelligence.predictive_analytics.stock_findings import ItemAtRisk, SurplusItem
from agents.data_intelligence.predictive_analytics.stock_risk import StockRisk, assess_stock_risk

__all__ = [
    "DemandForecast",
    "ItemAtRisk",
    "SkuForecast",
    "StockEstimate",
    "StockRisk",
    "SurplusItem",
    "assess_stock_risk",
    "estimate_stock",
    "forecast_demand",
]
