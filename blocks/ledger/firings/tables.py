"""The table of what rules did."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table

from blocks.ledger.engine.tables import (
    METADATA,
    CleanText,
    Instant,
    index_where,
    json_column,
    required,
)

RULE_FIRINGS = Table(
    "rule_firings",
    METADATA,
    required("rule", primary_key=True),
    required("source", primary_key=True),
    required("event_id", primary_key=True),
    required("at", Instant, index=True),
    required("outcome"),
    required("detail"),
    required("workflow"),
    json_column("parameters", nullable=False),
    required("asks_for"),
    Column("run_key", CleanText),
    Column("due", Instant),
    Column("run_id", CleanText),
    Column("run_name", CleanText),
    json_column("chain", nullable=False),
    required("policy_version"),
    Column("settled_at", Instant),
)
"""One row per rule and event that fitted it, whatever came of it."""

# Whoever fires asks what a rule did in the last hour; whoever starts runs, which are missing.
Index("ix_rule_firings_rule", RULE_FIRINGS.c.rule, RULE_FIRINGS.c.at)
Index("ix_rule_firings_run_id", RULE_FIRINGS.c.run_id)
index_where("ix_rule_firings_open", RULE_FIRINGS.c.settled_at.is_(None), RULE_FIRINGS.c.at)
