"""Making somebody else's data ours: a look at a database, and the mapping it suggests."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from zoneinfo import ZoneInfo

import tomli_w
from pydantic import BaseModel, SecretStr
from sqlalchemy.engine import URL

from agents.capability import Asker, action
from agents.integration_specialist.format_transformation.catalogue import (
    Table,
    read_catalogue,
    words_of,
)
from agents.integration_specialist.format_transformation.matching import propose
from agents.integration_specialist.format_transformation.synonyms import COLUMNS, CURRENCY
from blocks.egress import Reach
from blocks.errors import EmptySource
from blocks.store import sql
from blocks.store.mapping import STORE_FRAMES, FrameMapping
from blocks.store.rows import FrameReader
from blocks.vocabulary.frames import CONTRACTS

SAMPLE_ROWS = 1000
"""How many of the newest rows of each frame are read through the proposed mapping."""

DEADLINE = 45.0
"""Seconds that looking at a database may take."""

NEEDED = ("products", "stock", "sale_lines")
"""Frames without which the workflows have little to say."""

_CODE = re.compile("[A-Z]{3}")


class FrameProposal(BaseModel):
    """How one of our frames would be read from the database.

    Attributes:
        name: The frame: ``products``, ``stock``, ``sale_lines`` or ``open_orders``.
        mapping: The proposed mapping; None when no table looks like it.
        rows_seen: How many rows were read through it, the newest first.
        rows_valid: How many of them fit the contract.
        problems: What is wrong with the others, or with the mapping.
        missing: Required columns that nothing was found for.
        sample: The first valid rows, as the workflows would see them.
        ready: The frame can be read as proposed.
    """

    name: str
    mapping: FrameMapping | None = None
    rows_seen: int = 0
    rows_valid: int = 0
    problems: list[str] = []
    missing: list[str] = []
    sample: list[dict[str, Any]] = []
    ready: bool = False


class ConnectProposal(BaseModel):
    """What ``connect`` found in a database.

    Attributes:
        database: Where it is, without user and password.
        tables: How many tables and views it has.
        frames: A proposal for each frame that a store has.
        toml: A business file, ready to be saved; it holds no password.
        complete: Products, stock and sale lines can all be read as proposed.
    """

    database: str
    tables: int
    frames: list[FrameProposal]
    toml: str
    complete: bool


@action(timeout=60, retries=0, askers=[Asker.PERSON])  # any address: not for what is sent
async def propose_mapping(url: str | SecretStr) -> ConnectProposal:
    """Look at a SQL database and propose how to read our frames from it, writing nothing.

    Internal hosts, and files outside the configured folders, must be allowed by the settings.

    Args:
        url: SQLAlchemy URL of the database. As a SecretStr where messages are recorded.

    Raises:
        ConfigurationError: The URL cannot be used, or leads where we may not go.
        EmptySource: The database has no tables.
        SourceError: The database cannot be read; see blocks.store.sql.reading.
    """
    return await look_at(url.get_secret_value() if isinstance(url, SecretStr) else url, Reach())


async def look_at(url: str, reach: Reach) -> ConnectProposal:
    """Look at a SQL database; see ``propose_mapping``.

    Tables and columns are matched by their names (synonyms.py), their values, and what points at
    what; the proposal is then tried on the newest rows.

    Args:
        url: SQLAlchemy URL of the database.
        reach: Which internal hosts and files may be read: what no message can say.

    Raises:
        OrchestratorError: As ``propose_mapping``.
    """
    return await asyncio.to_thread(_look, sql.parse_url(url), reach)


def _look(url: URL, reach: Reach) -> ConnectProposal:
    with sql.reading(url, DEADLINE, reach) as connection:
        tables = read_catalogue(connection)
        if not tables:
            raise EmptySource(
                f"There are no tables in {sql.describe(url)}.",
                hint="Is it the right database, and may this user read it?",
            )
        mappings = propose(tables)
        reader = FrameReader(connection, ZoneInfo("UTC"))
        frames = [_try(name, mappings.get(name), reader, tables) for name in STORE_FRAMES]
    return ConnectProposal(
        database=sql.describe(url),
        tables=len(tables),
        frames=frames,
        toml=_toml(url, frames, _currencies(tables, mappings)),
        complete=all(frame.ready for frame in frames if frame.name in NEEDED),
    )


def _try(
    name: str, mapping: FrameMapping | None, reader: FrameReader, tables: dict[str, Table]
) -> FrameProposal:
    required = [ours for ours, column in CONTRACTS[name].columns.items() if column.required]
    if mapping is None:
        likely = ", ".join(sorted(tables)[:20])
        problem = f"no table looks like {name} (there is {likely})"
        return FrameProposal(name=name, problems=[problem], missing=required)
    missing = [ours for ours in required if ours not in mapping.columns]
    sample = reader.newest(name, [mapping], SAMPLE_ROWS)
    problems = [str(problem) for problem in sample.problems]
    if missing:
        problems += [
            f"nothing looks like {ours} (usual names: {', '.join(COLUMNS[name][ours][:4])})"
            for ours in missing
        ]
    elif sample.error:
        problems.append(sample.error)
    if name == "open_orders" and not mapping.where and "open" not in mapping.table:
        problems.append("nothing tells open orders from arrived ones: every row is taken as open")
    return FrameProposal(
        name=name,
        mapping=mapping,
        rows_seen=sample.seen,
        rows_valid=len(sample.frame),
        problems=problems,
        missing=missing,
        sample=sample.frame.head(5).astype(object).to_dict("records"),
        ready=not missing and not sample.error,
    )


def _currencies(tables: dict[str, Table], mappings: dict[str, FrameMapping]) -> dict[str, str]:
    """What columns called like a currency say in the mapped tables: code to ``table.column``."""
    mapped = [name for m in mappings.values() for name in (m.table, *(j.table for j in m.joins))]
    return {
        code: f"{name}.{column}"
        for name in dict.fromkeys(mapped)
        for column, texts in tables[name].states.items()
        if set(words_of(column)) & set(CURRENCY)
        for code in texts
        if _CODE.fullmatch(code)
    }


def _toml(url: URL, frames: list[FrameProposal], currencies: dict[str, str]) -> str:
    """A business file. A URL with a password is left to the environment."""
    secret = url.password is not None or bool(url.query)
    shown = "${STORE_URL}" if secret else url.render_as_string()
    store = {
        "name": "my-store",
        "url": shown,
        **({"currency": next(iter(currencies))} if len(currencies) == 1 else {}),
        "timezone": "UTC",
        "frames": {
            f.name: f.mapping.model_dump(exclude_defaults=True) for f in frames if f.mapping
        },
    }
    comments = [
        "Your business, for ORCHESTRATOR_BUSINESS_FILE. See docs/connect-your-business.md.",
        *(["The database's address holds a password: export STORE_URL='…'"] if secret else []),
        _about_currency(currencies),
        "Check the time zone of the dates in your database.",
        *(f"{f.name} still lacks: {', '.join(f.missing)}" for f in frames if f.missing),
    ]
    return "".join(f"# {comment}\n" for comment in comments) + tomli_w.dumps({"store": store})


def _about_currency(currencies: dict[str, str]) -> str:
    write = "write currency = 'EUR', or whatever it is, below [store]"
    if not currencies:
        return f"What money the amounts are in could not be told: {write}."
    if len(currencies) > 1:
        found = ", ".join(f"{code} in {place}" for code, place in sorted(currencies.items()))
        return (
            f"Amounts are in several currencies ({found}), and would be added up as one: {write}."
        )
    ((code, place),) = currencies.items()
    return f"The currency is {code}, as {place} says."
