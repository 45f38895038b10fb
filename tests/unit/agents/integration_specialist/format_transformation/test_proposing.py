"""Names, values and links, told apart by hand."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from agents.integration_specialist.format_transformation.catalogue import Link, Table
from agents.integration_specialist.format_transformation.proposing import propose as drafted
from agents.integration_specialist.format_transformation.proposing.names import name_score
from agents.integration_specialist.format_transformation.synonyms import COLUMNS
from agents.integration_specialist.format_transformation.words import stem, words_of
from blocks.store.mapping import FrameMapping


def table(name: str, *links: Link, key: str = "id", **values: list[Any]) -> Table:
    count = max(len(column) for column in values.values())
    rows = [{name: column[i] for name, column in values.items()} for i in range(count)]
    types: dict[str, sa.types.TypeEngine[Any]] = dict.fromkeys(values, sa.types.NullType())
    return Table(name, types, [key], list(links), rows, whole=True)


def propose(found: dict[str, Table]) -> dict[str, FrameMapping]:
    return {name: draft.mapping() for name, draft in drafted(found).items()}


def tables(*found: Table) -> dict[str, Table]:
    return {one.name: one for one in found}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("OrderLine_ArtikelNr", ["order", "line", "artikel", "nr"]),
        ("unitPrice", ["unit", "price"]),
        ("Größe (cm)", ["groesse", "cm"]),
        ("QTÉ", ["qte"]),
        ("order-id2", ["order", "id", "2"]),
    ],
)
def test_names_fall_into_words(name: str, words: list[str]) -> None:
    assert words_of(name) == words


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("order", "orders"),
        ("category", "categories"),
        ("auftrag", "auftraege"),
        ("bestellung", "bestellungen"),
        ("kunde", "kunden"),
        ("invoice", "invoices"),
        ("price", "prices"),
    ],
)
def test_singular_and_plural_have_one_stem(one: str, many: str) -> None:
    assert stem(one) == stem(many)


@pytest.mark.parametrize(
    ("better", "worse", "meant"),
    [
        ("quantity", "amount", "units"),
        ("unit_price", "price_id", "unit_price"),
        ("einzelpreis", "gesamtpreis", "unit_price"),
        ("order_date", "ship_date", "sold_at"),
        ("artikelnummer", "id", "sku"),
        ("quantiy", "weight", "units"),  # a slip of the pen is likelier than another word
    ],
)
def test_the_likelier_name_scores_higher(better: str, worse: str, meant: str) -> None:
    lines = table("sale_lines", id=[1])
    names = COLUMNS["sale_lines"][meant]
    assert name_score(better, lines, names) > name_score(worse, lines, names)


def test_a_tables_own_name_in_a_column_says_nothing() -> None:
    products = table("products", id=[1])
    names = COLUMNS["products"]["name"]
    assert name_score("product_name", products, names) == name_score("name", products, names) == 1


PRODUCTS = table("items", id=[1, 2], sku=["A", "B"], title=["Apple", "Pear"], price=[1.5, "2"])


def test_values_outvote_names() -> None:
    stock = table("inventory", sku=["A", "B"], quantity=["many", "few"], level=[3, 4])
    assert propose(tables(PRODUCTS, stock))["stock"].columns == {"sku": "sku", "on_hand": "level"}


def test_an_id_that_is_no_sku_is_joined_to_where_the_sku_is() -> None:
    stock = table("inventory", Link("item_id", "items", "id"), item_id=[1, 2], quantity=[3, 4])
    mapping = propose(tables(PRODUCTS, stock))["stock"]
    assert mapping.columns["sku"] == "items.sku"
    assert [(join.table, join.on) for join in mapping.joins] == [
        ("items", {"inventory.item_id": "id"})
    ]


def test_a_column_that_holds_the_skus_needs_no_join() -> None:
    stock = table("inventory", product_code=["B", "A"], quantity=[3, 4])
    mapping = propose(tables(PRODUCTS, stock))["stock"]
    assert (mapping.columns["sku"], mapping.joins) == ("product_code", [])


def test_a_column_of_other_codes_is_no_sku() -> None:
    stock = table("inventory", product_code=["X9", "X7"], quantity=[3, 4])
    assert "stock" not in propose(tables(PRODUCTS, stock))


def lines(name: str, status: list[str]) -> Table:
    found = table(
        name,
        order_no=[7, 8],
        sku=["A", "B"],
        order_date=[date(2024, 1, 1), date(2024, 1, 2)],
        qty=[1, 2],
        price=[Decimal("1.5"), 2],
        supplier=["acme", "acme"],
        due_date=["2024-02-01", "2024-02-02"],
        status=status,
    )
    found.states = {"status": dict(Counter(status))}
    return found


def test_what_was_bought_is_told_from_what_was_sold_by_the_tables_names() -> None:
    sold = lines("sales_order_lines", ["shipped", "cancelled"])
    bought = lines("purchase_order_lines", ["ordered", "received"])
    mappings = propose(tables(PRODUCTS, bought, sold))
    assert mappings["sale_lines"].table == "sales_order_lines"
    assert mappings["sale_lines"].where_not == {"status": ["cancelled"]}
    assert mappings["open_orders"].table == "purchase_order_lines"
    assert mappings["open_orders"].where == {"status": ["ordered"]}
    assert mappings["open_orders"].columns["expected_at"] == "due_date"


def test_what_was_paid_comes_before_the_list_price_of_the_product() -> None:
    listed = table("items", id=[1, 2], sku=["A", "B"], title=["x", "y"], unit_price=[9, 9])
    sold = table(
        "sale_lines",
        Link("item_id", "items", "id"),
        order_no=[7, 8],
        item_id=[1, 2],
        sold_at=["2024-01-01", "2024-01-02"],
        qty=[1, 2],
        price=[8, 8],
    )
    assert propose(tables(listed, sold))["sale_lines"].columns["unit_price"] == "price"
