"""Databases as real shops have them, through mappings written by hand: every figure as its own."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from pydantic import SecretStr

from blocks.store.block import StoreDatabase
from blocks.vocabulary.frames import Snapshot
from tests.shops import NOW, fill, run

ODOO: dict[str, Any] = {
    "products": {
        "table": "product_product",
        "columns": {
            "sku": "default_code",
            "name": "json(product_template.name, 'en_US')",
            "unit_price": "list_price",
            "unit_cost": "json(standard_price, '1')",
        },
        "joins": [{"table": "product_template", "on": {"product_tmpl_id": "id"}}],
        "where": {"active": [True]},
        "where_not": {"product_template.type": ["service"]},
    },
    "stock": {
        "table": "stock_quant",
        "columns": {
            "sku": "default_code",
            "on_hand": "if(usage = 'internal', quantity, 0)",
            "reserved": "if(usage = 'internal', reserved_quantity, 0)",
        },
        "joins": [
            {"table": "product_product", "on": {"product_id": "id"}},
            {"table": "stock_location", "on": {"location_id": "id"}},
        ],
        "rows": "sum",
    },
    "sale_lines": {
        "table": "sale_order_line",
        "columns": {
            "order_id": "sale_order.name",
            "sku": "if(product_template.type = 'service', '-', product_product.default_code)",
            "sold_at": "utc(date_order)",
            "units": "product_uom_qty",
            "revenue": "price_subtotal",
        },
        "joins": [
            {"table": "sale_order", "on": {"order_id": "id"}},
            {"table": "product_product", "on": {"product_id": "id"}},
            {"table": "product_template", "on": {"product_product.product_tmpl_id": "id"}},
        ],
        "where": {"sale_order.state": ["sale", "done"], "display_type": []},
    },
    "open_orders": {
        "table": "purchase_order_line",
        "columns": {
            "order_id": "purchase_order.name",
            "supplier": "res_partner.name",
            "sku": "default_code",
            "units": "product_qty - qty_received",
            "ordered_at": "date_order",
            "expected_at": "purchase_order_line.date_planned",
        },
        "joins": [
            {"table": "purchase_order", "on": {"order_id": "id"}},
            {"table": "res_partner", "on": {"purchase_order.partner_id": "id"}},
            {"table": "product_product", "on": {"product_id": "id"}},
        ],
        "where": {"purchase_order.state": ["purchase"]},
        "keep": "product_qty > qty_received",
    },
}
MAGENTO: dict[str, Any] = {
    "products": {
        "table": "catalog_product_entity",
        "columns": {"sku": "sku", "name": "title.value", "unit_price": "price.value"},
        "joins": [
            {
                "table": "catalog_product_entity_varchar",
                "name": "title",
                "on": {"entity_id": "entity_id"},
            }
            | {"where": {"attribute_id": [73], "store_id": [0]}},
            {
                "table": "catalog_product_entity_decimal",
                "name": "price",
                "on": {"entity_id": "entity_id"},
            }
            | {"where": {"attribute_id": [77], "store_id": [0]}},
        ],
        "where_not": {"type_id": ["configurable", "bundle"]},
    },
    "stock": {
        "table": "cataloginventory_stock_item",
        "columns": {"sku": "sku", "on_hand": "qty"},
        "joins": [{"table": "catalog_product_entity", "on": {"product_id": "entity_id"}}],
        "where": {"manage_stock": [1]},
        "where_not": {"type_id": ["configurable", "bundle"]},
    },
    "sale_lines": {
        "table": "sales_order_item",
        "columns": {
            "order_id": "increment_id",
            "sku": "sku",
            "sold_at": "utc(sales_order.created_at)",
            # Leaves are what leaves the store; what has no parent is what is paid.
            "units": "if(product_type in ('configurable', 'bundle'), 0, qty_ordered)",
            "revenue": "if(parent_item_id is empty, base_price * qty_ordered, 0)",
        },
        "joins": [{"table": "sales_order", "on": {"order_id": "entity_id"}}],
        "where_not": {"state": ["canceled"]},
    },
}
WOOCOMMERCE: dict[str, Any] = {
    "products": {
        "table": "wp_wc_product_meta_lookup",
        "columns": {"sku": "sku", "name": "post_title", "unit_price": "min_price"},
        "joins": [{"table": "wp_posts", "on": {"product_id": "ID"}}],
        "where": {"post_status": ["publish"]},
        "keep": "sku != ''",
    },
    "stock": {
        "table": "wp_wc_product_meta_lookup",
        "columns": {"sku": "sku", "on_hand": "stock_quantity"},
        "joins": [{"table": "wp_posts", "on": {"product_id": "ID"}}],
        "where": {"post_status": ["publish"]},
        "keep": "stock_quantity is not empty",
    },
    "sale_lines": {
        "table": "wp_wc_order_product_lookup",
        "columns": {
            "order_id": "order_id",
            "sku": "first_of(null_if(variant.sku, ''), product.sku)",
            "sold_at": "utc(date_created_gmt)",
            "units": "product_qty",
            "revenue": "product_net_revenue",
            "currency": "currency",
        },
        "joins": [
            {"table": "wp_wc_orders", "on": {"order_id": "id"}},
            {
                "table": "wp_wc_product_meta_lookup",
                "name": "variant",
                "on": {"variation_id": "product_id"},
            },
            {"table": "wp_wc_product_meta_lookup", "name": "product"}
            | {"on": {"wp_wc_order_product_lookup.product_id": "product_id"}},
        ],
        "keep": "status in ('wc-completed', 'wc-processing', 'wc-on-hold', 'wc-refunded')",
    },
}


async def read(url: str, frames: dict[str, Any], zone: str = "UTC", **more: Any) -> Snapshot:
    store = StoreDatabase(name="shop", url=SecretStr(url), frames=frames, timezone=zone, **more)
    return await store.read_snapshot(NOW)


def column(frame: pd.DataFrame, name: str) -> dict[str, Any]:
    return dict(zip(frame["sku"], frame[name], strict=True))


def days(snapshot: Snapshot) -> dict[str, tuple[float, float]]:
    """Day to its orders and its revenue."""
    orders = snapshot.frames["orders"]
    return {
        str(row.date.date()): (row.orders, row.revenue) for row in orders.itertuples(index=False)
    }


def sold(snapshot: Snapshot, day: str, what: str = "units") -> dict[str, float]:
    sales = snapshot.frames["sales"]
    found = column(sales[sales["date"] == day], what)
    return {sku: value for sku, value in found.items() if value}


@pytest.mark.services
async def test_odoo(postgres_url: str) -> None:
    snapshot = await read(fill(postgres_url, "odoo"), ODOO)
    assert snapshot.problems == []
    products = snapshot.frames["products"]
    assert column(products, "name") == {"DESK-OAK": "Desk", "DESK-PINE": "Desk", "LAMP": "Lamp"}
    assert column(products, "unit_cost") == {"DESK-OAK": 70.0, "DESK-PINE": 55.0, "LAMP": 14.0}
    stock = snapshot.frames["stock"]
    assert column(stock, "on_hand") == {"DESK-OAK": 5.0, "LAMP": 42.0, "DESK-PINE": 0.0}
    assert column(stock, "reserved") == {"DESK-OAK": 2.0, "LAMP": 0.0, "DESK-PINE": 0.0}
    assert days(snapshot) == {"2026-11-27": (2.0, 349.5)}
    assert sold(snapshot, "2026-11-27") == {"DESK-OAK": 2.0, "LAMP": 4.0}
    ordered = snapshot.frames["open_orders"]
    assert ordered[["order_id", "sku", "units"]].values.tolist() == [["P00001", "DESK-OAK", 5.0]]
    assert str(ordered["expected_at"][0]) == "2026-12-05 00:00:00+00:00"


async def test_magento(shop_url: str) -> None:
    frames = dict(MAGENTO)
    snapshot = await read(fill(shop_url, "magento"), frames, "Europe/Paris")
    assert snapshot.problems[0].reason == "is not mapped"  # open orders: Magento has none
    assert column(snapshot.frames["products"], "name") == {"TEE-M-RED": "Tee M red", "MUG": "Mug"}
    assert column(snapshot.frames["products"], "unit_price") == {"TEE-M-RED": 30.0, "MUG": 10.0}
    assert column(snapshot.frames["stock"], "on_hand") == {"MUG": 40.0, "TEE-M-RED": 18.0}
    assert days(snapshot) == {"2026-11-27": (1.0, 110.0), "2026-11-28": (1.0, 50.0)}
    assert sold(snapshot, "2026-11-27") == {"TEE-M-RED": 3.0, "MUG": 2.0}
    assert sold(snapshot, "2026-11-28") == {"MUG": 5.0}


@pytest.mark.parametrize(
    "shop_url", ["sqlite", pytest.param("mariadb", marks=pytest.mark.services)], indirect=True
)
async def test_woocommerce(shop_url: str) -> None:
    snapshot = await read(fill(shop_url, "woocommerce"), WOOCOMMERCE, "Europe/Berlin")
    assert snapshot.currency == "EUR"
    assert set(snapshot.frames["products"]["sku"]) == {"MUG-RED", "MUG-BLUE", "CARD-1", "GIFT"}
    stock = column(snapshot.frames["stock"], "on_hand")
    assert stock == {"MUG-RED": 7.0, "MUG-BLUE": -2.0, "CARD-1": 300.0}
    assert days(snapshot) == {
        "2026-11-20": (1.0, 10.0),
        "2026-11-27": (2.0, 25.0),
        "2026-11-28": (1.0, 10.0),
    }
    assert sold(snapshot, "2026-11-27") == {"MUG-RED": 2.0, "CARD-1": 10.0}
    assert sold(snapshot, "2026-11-27", "returned") == {"MUG-RED": 1.0}
    assert sold(snapshot, "2026-11-28") == {"MUG-BLUE": 1.0}


BAD: dict[str, Any] = {
    "products": {"table": "products", "columns": {c: c for c in ("sku", "name", "unit_price")}},
    "stock": {"table": "stock", "columns": {"sku": "sku", "on_hand": "on_hand"}},
    "sale_lines": {
        "table": "sale_lines",
        "columns": {c: c for c in ("order_id", "sku", "sold_at", "units", "unit_price")},
    },
}


async def test_a_text_that_is_no_utf8_costs_its_row(tmp_path: Any) -> None:
    url = fill(f"sqlite:///{tmp_path / 'shop.db'}", "bad_objects/sqlite")
    notes = {"table": "customer_notes", "columns": {"sku": "id", "name": "note", "unit_price": "1"}}
    snapshot = await read(url, BAD | {"products": [BAD["products"], notes]})
    assert column(snapshot.frames["products"], "unit_price") == {"A-1": 9.5, "A-2": 12.0}
    assert "products.name: empty or unreadable (1 row, for instance 'Gr" in str(
        snapshot.problems[0]
    )
    assert days(snapshot)["2026-11-27"] == (1.0, 19.0)


async def test_a_view_over_what_is_gone_costs_itself(tmp_path: Any) -> None:
    url = fill(f"sqlite:///{tmp_path / 'shop.db'}", "bad_objects/sqlite")
    old = {"table": "report_old", "columns": {"sku": "sku", "on_hand": "price"}}
    snapshot = await read(url, BAD | {"stock": old})
    assert set(snapshot.frames) == {"products", "sales", "orders"}
    assert "old_prices" in str(snapshot.problems[0])


@pytest.mark.services
async def test_dates_that_python_has_none_for_cost_their_rows(postgres_url: str) -> None:
    url = fill(postgres_url, "bad_objects/postgresql")
    rules = {
        "table": "price_rules",
        "columns": {"order_id": "'r'", "sku": "'A-2'", "sold_at": "valid_to", "units": "1"}
        | {"revenue": "5"},
    }
    museum = rules | {"table": "museum"}
    museum["columns"] = rules["columns"] | {"sold_at": "made_on"}
    snapshot = await read(
        url, BAD | {"sale_lines": [BAD["sale_lines"], rules, museum]}, "Europe/Berlin"
    )
    # money is a number, an instant a day of the store's
    assert days(snapshot)["2026-11-27"] == (1.0, 19.0)
    assert days(snapshot)["2026-11-28"] == (1.0, 1234.5)
    told = "; ".join(str(problem) for problem in snapshot.problems)
    assert "(2 rows, for instance 'no ISO date: infinity')" in told


@pytest.mark.services
async def test_zero_dates_cost_their_rows(mariadb_url: str) -> None:
    url = fill(mariadb_url, "bad_objects/mariadb")
    lines = {
        "table": "order",
        "columns": {"order_id": "order", "sku": "sku", "sold_at": "date", "units": "units"}
        | {"unit_price": "unit_price"},
    }
    stock = {"table": "stock", "columns": {c: c for c in ("sku", "on_hand", "updated_at")}}
    snapshot = await read(url, BAD | {"sale_lines": lines, "stock": stock})
    assert days(snapshot) == {"2026-11-27": (1.0, 19.0)}
    assert column(snapshot.frames["stock"], "on_hand") == {"A-1": 40.0, "A-2": 12.0}
    told = "; ".join(str(problem) for problem in snapshot.problems)
    assert "(2 rows, for instance 'no ISO date: 0000-00-00 00:00:00'), 55.8% of revenue" in told
    assert snapshot.left_out == pytest.approx(24 / 43)


@pytest.mark.services
async def test_the_definer_of_a_view_is_gone(mariadb_url: str) -> None:
    url = fill(mariadb_url, "bad_objects/mariadb")
    for view in ("report_definer", "report_old"):
        stock = {"table": view, "columns": {"sku": "sku", "on_hand": "1"}}
        snapshot = await read(url, BAD | {"stock": stock})
        assert "products" in snapshot.frames
        assert "stock" not in snapshot.frames


async def test_two_tables_make_one_frame(tmp_path: Any) -> None:
    """Sales in one table, what was paid back in another; an order counts once."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    run(
        url,
        "CREATE TABLE sold (o TEXT, sku TEXT, day TEXT, n INT, total REAL);"
        "INSERT INTO sold VALUES (1, 'A', '2026-11-27', 2, 20), (1, 'B', '2026-11-27', 1, 5);"
        "CREATE TABLE refunds (o TEXT, sku TEXT, day TEXT, n INT, back REAL);"
        "INSERT INTO refunds VALUES (1, 'A', '2026-11-28', 1, 9);"
        "CREATE TABLE deliveries (o TEXT, day TEXT, paid REAL);"
        "INSERT INTO deliveries VALUES (1, '2026-11-27', 4.5);",
    )
    columns = {"order_id": "o", "sku": "sku", "sold_at": "day", "units": "n", "revenue": "total"}
    back = columns | {"units": "-n", "revenue": "-back"}
    paid = columns | {"sku": "'-'", "units": "0", "revenue": "paid"}
    frames = [
        {"table": "sold", "columns": columns},
        {"table": "refunds", "columns": back},
        {"table": "deliveries", "columns": paid},
    ]
    snapshot = await read(url, {"sale_lines": frames})
    assert days(snapshot) == {"2026-11-27": (1.0, 29.5), "2026-11-28": (0.0, -9.0)}
    assert sold(snapshot, "2026-11-27", "revenue") == {"A": 20.0, "B": 5.0}
    assert sold(snapshot, "2026-11-28", "returned") == {"A": 1.0}


async def test_what_is_left_out_is_told_with_its_share_of_revenue(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    run(
        url,
        "CREATE TABLE sold (o TEXT, sku TEXT, day TEXT, n INT, total REAL);"
        "INSERT INTO sold VALUES (1, 'A', '2026-11-27', 1, 60), (2, 'B', '2026-11-27', 1, 30),"
        " (3, 'C', 'yesterday', 1, 10);"
        "CREATE TABLE stock (sku TEXT, n TEXT);"
        "INSERT INTO stock VALUES ('A', '5'), ('B', 'many');",
    )
    columns = {"order_id": "o", "sku": "sku", "sold_at": "day", "units": "n", "revenue": "total"}
    snapshot = await read(
        url,
        {
            "sale_lines": {"table": "sold", "columns": columns},
            "stock": {"table": "stock", "columns": {"sku": "sku", "on_hand": "n"}},
        },
    )
    shares = {problem.frame: problem.share for problem in snapshot.problems if problem.rows}
    assert shares == {
        "sale_lines": pytest.approx(0.1),  # of all 100
        "stock": pytest.approx(1 / 3),  # B made 30 of the 90 that could be read
    }
    assert snapshot.left_out == pytest.approx(0.1)


STOCK_IN_PLACES = """
CREATE TABLE bins (sku VARCHAR(9), pieces {pieces}, held INTEGER);
INSERT INTO bins VALUES ('A', 6, 2), ('A', -1, NULL), ('B', 3, 0), ('B', 4, 1);
"""


@pytest.mark.parametrize("added_up_there", [True, False])
async def test_stock_is_added_up(shop_url: str, added_up_there: bool) -> None:
    """By the database where its columns are numbers, else row by row: the same."""
    pieces = "INTEGER" if added_up_there else "VARCHAR(9)"
    run(shop_url, STOCK_IN_PLACES.format(pieces=pieces))
    columns = {"sku": "sku", "on_hand": "pieces", "reserved": "held"}
    snapshot = await read(shop_url, {"stock": {"table": "bins", "columns": columns, "rows": "sum"}})
    stock = snapshot.frames["stock"].sort_values("sku")
    assert stock.values.tolist() == [["A", 5.0, 2.0], ["B", 7.0, 1.0]]


async def test_a_count_that_is_missing_is_no_nought(shop_url: str) -> None:
    run(
        shop_url,
        STOCK_IN_PLACES.format(pieces="INTEGER") + "INSERT INTO bins VALUES ('A', NULL, 0)",
    )
    columns = {"sku": "sku", "on_hand": "pieces"}
    snapshot = await read(shop_url, {"stock": {"table": "bins", "columns": columns, "rows": "sum"}})
    assert column(snapshot.frames["stock"], "on_hand") == {"B": 7.0}
    assert "another row of the same item could not be read" in str(snapshot.problems[1])
