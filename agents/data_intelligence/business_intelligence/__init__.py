"""The business in figures: the last trading day, and what sells."""
