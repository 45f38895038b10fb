"""A shop read as somebody would who keeps to the recipe that its tables are recognised by."""

from __future__ import annotations

import sqlalchemy as sa
from pydantic import SecretStr

from agents.integration_specialist.format_transformation.recipes import Recipe, recognise
from blocks.store import sql
from blocks.store.block import StoreDatabase
from blocks.vocabulary.frames import NO_CURRENCY, Snapshot
from tests.shops import NOW


def recipe_of(url: str) -> Recipe | None:
    """The recipe by which a database is recognised."""
    with sql.reading(sql.parse_url(url), 30) as connection:
        inspector = sa.inspect(connection)
        return recognise(
            connection,
            {
                name: [column["name"] for column in inspector.get_columns(name)]
                for name in inspector.get_table_names()
            },
        )


async def read(
    url: str, recipe: Recipe, timezone: str, rates: dict[str, float] | None = None
) -> Snapshot:
    """A snapshot by a recipe, of all days that there are."""
    store = StoreDatabase(
        name=recipe.name,
        url=SecretStr(url),
        frames=recipe.frames,
        amounts=recipe.amounts,
        currency=recipe.currency or NO_CURRENCY,
        timezone=recipe.timezone or timezone,
        rates=rates or {},
        history_days=400,
    )
    return await store.read_snapshot(NOW)
