"""Whole days that stand for a lead time that varies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.ordering.economics import LeadTimes

NODES = 5
"""Lead times that stand for the distribution of one item's, each as likely as any other."""


def lead_time_nodes(lead: LeadTimes, nodes: int = NODES) -> NDArray[np.intp]:
    """Quantiles of each lead time's gamma distribution, in whole days.

    Args:
        lead: Expected days and their standard deviation; a deviation that is NaN counts as zero.
        nodes: How many; node k is the quantile (k + 1/2) / nodes.

    Returns:
        One row per SKU, one column per node, each at least 0; 0 where the lead time is NaN.
    """
    from scipy.special import gammaincinv

    mean, deviation = np.nan_to_num(lead.mean, nan=0.0), np.nan_to_num(lead.deviation, nan=0.0)
    days = np.repeat(mean[:, None], nodes, axis=1)
    varies = (mean > 0) & (deviation > 0)
    if varies.any():
        # Lead times are few, items many.
        pairs = np.column_stack([mean[varies], deviation[varies]])
        few, back = np.unique(pairs, axis=0, return_inverse=True)
        shape = (few[:, :1] / few[:, 1:]) ** 2
        ranks = (np.arange(nodes) + 0.5) / nodes
        quantiles = gammaincinv(shape, ranks) * few[:, :1] / shape
        days[varies] = quantiles[back.reshape(-1)]
    return np.asarray(np.rint(days), dtype=np.intp)
