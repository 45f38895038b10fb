"""The tables of callers of the API: their tokens, and their requests."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table

from blocks.ledger.engine.tables import METADATA, CleanText, Instant, json_column, required

API_TOKENS = Table(
    "api_tokens",
    METADATA,
    required("id", primary_key=True),
    required("name"),
    required("hash"),
    json_column("scopes", nullable=False),
    required("created_at", Instant),
    required("created_by"),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)
"""One row per token of the API that was ever made; of its text only the hash."""

API_REQUESTS = Table(
    "api_requests",
    METADATA,
    required("caller", primary_key=True),
    required("key", primary_key=True),
    required("fingerprint"),
    required("begun_at", Instant, index=True),
    required("begun_by"),
    required("alive_until", Instant),
    Column("finished_at", Instant),
    Column("status", BigInteger),
    json_column("headers"),
    Column("body", CleanText),
)
"""One row per request with an idempotency key, and its answer once there is one.

``body`` is JSON as text: whoever asks again is answered to the letter.
"""
