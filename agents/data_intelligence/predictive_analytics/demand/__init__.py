"""Demand learned over all items of a shop, and what every model of demand can be asked."""
