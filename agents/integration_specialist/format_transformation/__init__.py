"""Making somebody else's data ours: a look at a database, and the mapping it suggests."""

from __future__ import annotations

import asyncio
import time
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from sqlalchemy.engine import URL

from agents.capability import Asker, action
from agents.integration_specialist.format_transformation.business_file import business_file, remarks
from agents.integration_specialist.format_transformation.catalogue import Table
from agents.integration_specialist.format_transformation.coins import ask_about_coins
from agents.integration_specialist.format_transformation.looking.links import find_links
from agents.integration_specialist.format_transformation.looking.looker import Looker
from agents.integration_specialist.format_transformation.looking.reading import (
    Catalogue,
    read_catalogue,
)
from agents.integration_specialist.format_transformation.outline import Outline, outlined
from agents.integration_specialist.format_transformation.proposal import (
    NEEDED,
    ConnectProposal,
    FrameProposal,
)
from agents.integration_specialist.format_transformation.proposing import propose
from agents.integration_specialist.format_transformation.recipes.offering import offered
from agents.integration_specialist.format_transformation.trying import ask_about_unknown, tried
from blocks.egress import Reach
from blocks.errors import EmptySource
from blocks.store import sql
from blocks.store.mapping import STORE_FRAMES
from blocks.store.rows import FrameReader

__all__ = ["ConnectProposal", "FrameProposal", "look_at", "propose_mapping"]

DEADLINE = 45.0
"""Seconds that looking at a database may take."""


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
    began = time.monotonic()
    with sql.reading(url, DEADLINE, reach) as connection:
        looker = Looker(connection, began + DEADLINE)
        found = read_catalogue(looker)
        if not found.tables:
            raise EmptySource(
                f"There are no tables in {sql.describe(url)}.",
                hint="; ".join(_left_out(found, []))
                or "Is it the right database, and may this user read it?",
            )
        find_links(found.tables, looker)
        outline = _outline(found.tables, looker)
        reader = FrameReader(connection, ZoneInfo(outline.timezone))
        tries = [tried(name, outline.frames[name], reader, looker) for name in STORE_FRAMES]
    frames = [frame for frame, _ in tries]
    ask_about_unknown(frames)
    ask_about_coins({frame.name: (frame, rows) for frame, rows in tries})
    return ConnectProposal(
        database=sql.describe(url),
        system=outline.title,
        tables=len(found.tables),
        left_out=_left_out(found, frames),
        frames=frames,
        remarks=remarks(outline),
        toml=business_file(url, outline, frames),
        complete=all(frame.ready for frame in frames if frame.name in NEEDED),
    )


def _outline(tables: dict[str, Table], looker: Looker) -> Outline:
    """How the store would be read: by the recipe of its system, or by what names and values say."""
    return offered(tables, looker) or outlined(propose(tables, looker), tables)


def _left_out(found: Catalogue, frames: list[FrameProposal]) -> list[str]:
    """What could not be looked at, or not at all its values, and is used by no frame."""
    used = {
        name
        for frame in frames
        for mapping in frame.mappings
        for name in (mapping.table, *(join.table for join in mapping.joins))
    }
    faulty = {name: table.fault for name, table in found.tables.items() if table.fault}
    return [
        f"{name} ({reason})"
        for name, reason in sorted((found.left_out | faulty).items())
        if name not in used
    ]
