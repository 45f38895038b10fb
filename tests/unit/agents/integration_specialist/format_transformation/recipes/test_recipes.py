"""Recipes: what every file must say, and how a prefix of table names is found."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from agents.integration_specialist.format_transformation.recipes import documents, recognise
from blocks.store.mapping import STORE_FRAMES
from blocks.vocabulary.frames import CONTRACTS


@pytest.fixture
def connection() -> Any:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _shop(connection: sa.Connection, name: str, prefix: str) -> dict[str, list[str]]:
    """Empty tables by which a recipe recognises a shop, with one row each."""
    tables = {
        table.replace("{prefix}", prefix): columns
        for table, columns in documents()[name]["recognised_by"].items()
    }
    for table, columns in tables.items():
        connection.execute(sa.text(f'CREATE TABLE "{table}" ({", ".join(columns)})'))
        connection.execute(sa.text(f'INSERT INTO "{table}" ({columns[0]}) VALUES (1)'))
    return tables


@pytest.mark.parametrize("name", documents())
def test_every_recipe_says_what_a_person_needs_to_know(name: str) -> None:
    document = documents()[name]
    assert document["title"]
    assert "tried" in document
    assert len(document["notes"]) >= 3
    assert all(note.endswith(".") for note in document["notes"])
    assert {"products", "stock", "sale_lines"} <= set(document["frames"]) <= set(STORE_FRAMES)


@pytest.mark.parametrize("name", documents())
def test_every_part_maps_what_its_contract_wants(name: str) -> None:
    for frame, parts in documents()[name]["frames"].items():
        contract = CONTRACTS[frame].columns
        wanted = {column for column, rule in contract.items() if rule.required}
        if frame == "products":
            wanted.discard("unit_price")
        for part in parts if isinstance(parts, list) else [parts]:
            assert wanted <= set(part["columns"]) <= set(contract)


@pytest.mark.parametrize("prefix", ["wp_", "", "2nd-shop_", "it's_"])
def test_any_prefix_of_table_names_is_seen_through(prefix: str, connection: sa.Connection) -> None:
    tables = _shop(connection, "woocommerce", prefix)
    recipe = recognise(connection, tables)
    assert recipe is not None
    assert recipe.frames["stock"][0].table == f"{prefix}posts"


def test_of_two_shops_in_one_database_the_shorter_prefix_is_taken(
    connection: sa.Connection,
) -> None:
    tables = _shop(connection, "woocommerce", "wp_2_") | _shop(connection, "woocommerce", "wp_")
    recipe = recognise(connection, tables)
    assert recipe is not None
    assert recipe.frames["stock"][0].table == "wp_posts"


def test_a_database_that_lacks_one_column_is_not_taken_for_a_shop(
    connection: sa.Connection,
) -> None:
    tables = _shop(connection, "tryton", "")
    tables["sale_line"] = tables["sale_line"][1:]
    assert recognise(connection, tables) is None


def test_tables_of_the_same_names_with_another_prefix_are_not_mixed(
    connection: sa.Connection,
) -> None:
    tables = _shop(connection, "woocommerce", "wp_")
    tables["other_wc_orders"] = tables.pop("wp_wc_orders")
    assert recognise(connection, tables) is None
