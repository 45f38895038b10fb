"""Links that nobody declared."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from agents.integration_specialist.format_transformation.catalogue import Link, Table
from agents.integration_specialist.format_transformation.looking.asking import InSample
from agents.integration_specialist.format_transformation.looking.links import find_links


def table(name: str, key: str, **values: list[Any]) -> Table:
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    types: dict[str, sa.types.TypeEngine[Any]] = dict.fromkeys(values, sa.types.NullType())
    return Table(name, types, [key] if key else [], [], rows, whole=True)


def links(*tables: Table) -> dict[str, list[Link]]:
    find_links({one.name: one for one in tables}, InSample())
    return {one.name: one.links for one in tables if one.links}


def test_two_counters_mean_nothing_by_equal_numbers() -> None:
    orders = table("sales_order_item", "item_id", item_id=[1, 2, 3], sku=["A", "B", "C"])
    stock = table("stock_item", "item_id", item_id=[1, 2, 3], qty=[7, 8, 9])
    assert links(orders, stock) == {}


def test_a_name_that_points_at_a_table_and_its_keys() -> None:
    orders = table("orders", "id", id=[1, 2, 3], day=["x", "y", "z"])
    lines = table("order_lines", "id", id=[1, 2, 3, 4], order_id=[1, 1, 2, 3])
    assert links(orders, lines) == {"order_lines": [Link("order_id", "orders", "id")]}


def test_zero_points_at_nothing() -> None:
    orders = table("orders", "id", id=[5, 6], parent=[1, 2])
    notes = table("notes", "id", id=[1, 2, 3], order_id=[5, 0, 6])
    assert links(orders, notes)["notes"] == [Link("order_id", "orders", "id")]


def test_the_nearer_name_comes_first() -> None:
    entity = table("catalog_product_entity", "entity_id", entity_id=[1, 2, 3], sku=["A", "B", "C"])
    varchar = table("catalog_product_entity_varchar", "value_id", value_id=[1, 2, 3, 4])
    stock = table("stock_item", "item_id", item_id=[1, 2, 3], product_id=[3, 1, 2])
    assert links(entity, varchar, stock)["stock_item"] == [
        Link("product_id", "catalog_product_entity", "entity_id")
    ]


def test_texts_that_are_nearly_all_keys_need_no_name() -> None:
    codes = [f"M-{n}" for n in range(40)]
    materials = table("mara", "matnr", matnr=codes, maktx=codes)
    stock = table("mard", "", bismt=codes[:38], labst=list(range(38)))
    assert links(materials, stock) == {"mard": [Link("bismt", "mara", "matnr")]}
    few = table("mard", "", bismt=[*codes[:30], *"abcdefgh"], labst=list(range(38)))
    assert links(materials, few) == {}
