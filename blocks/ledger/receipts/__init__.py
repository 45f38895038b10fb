"""Decisions on record: chained, signed, verified, and compared with what came of them."""
