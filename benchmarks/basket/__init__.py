"""Helpers of benchmarks.purchasing_basket: suppliers, replay, the rule to beat, and the bound."""
