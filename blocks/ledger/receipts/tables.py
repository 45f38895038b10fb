"""The tables of receipts: decisions, their policies, and what became of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Table

from blocks.ledger.engine.tables import METADATA, CleanText, Instant, json_column, required

RECEIPTS = Table(
    "receipts",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    required("id", unique=True),
    required("at", Instant, index=True),
    required("kind"),
    required("subject", index=True),
    Column("run_id", CleanText, index=True),
    required("policy_version"),
    required("body"),
    required("previous"),
    required("hash"),
    Column("mac", CleanText),
)
"""One row per decision, chained by ``hash``; the last of each commit is signed (``mac``).

``body`` is JSON as text: it is hashed, so it must come back to the letter.
"""

Index("ix_receipts_kind", RECEIPTS.c.kind, RECEIPTS.c.seq)

POLICIES = Table(
    "policies",
    METADATA,
    required("version", primary_key=True),
    required("first_used_at", Instant),
    json_column("body", nullable=False),
)
"""One row per version of the policy that a decision was made under."""

OUTCOMES = Table(
    "outcomes",
    METADATA,
    required("receipt_id", primary_key=True),
    required("kind"),
    required("subject"),
    Column("task_type", CleanText),
    Column("instance", CleanText, index=True),
    required("decided_at", Instant, index=True),
    required("settled_at", Instant),
    required("verdict"),
    Column("cost_ms", Double),
    json_column("detail", nullable=False),
)
"""One row per automatic decision that was compared with what then happened."""

# Selection asks every few seconds for what came back, and that is little.
Index("ix_outcomes_verdict", OUTCOMES.c.verdict, OUTCOMES.c.decided_at)

SETTLING = Table(
    "settling",
    METADATA,
    required("kind", primary_key=True),
    required("read_to", BigInteger),
    json_column("held", nullable=False),
)
"""One row per kind of decision whose outcomes are settled.

All decisions up to the receipt numbered ``read_to`` have their outcome, but for those whose numbers
``held`` lists: of them it was too early to tell.
"""
