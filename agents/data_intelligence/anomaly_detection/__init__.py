"""What is not as it usually is: metrics, the agents' own calls, the business's figures."""

from agents.data_intelligence.anomaly_detection.examination import (
    AnomalyExamination,
    examine_anomaly,
)
from agents.data_intelligence.anomaly_detection.latency import (
    LatencyHistory,
    analyze_latency_history,
)
from agents.data_intelligence.anomaly_detection.series import (
    Anomaly,
    AnomalyReport,
    SeriesSummary,
    detect_anomalies,
)

__all__ = [
    "Anomaly",
    "AnomalyExamination",
    "AnomalyReport",
    "LatencyHistory",
    "SeriesSummary",
    "analyze_latency_history",
    "detect_anomalies",
    "examine_anomaly",
]
