"""WooCommerce on its documented tables: orders in tables of their own ("HPOS"), and among posts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agents.integration_specialist.format_transformation.recipes import NOT_TRIED
from tests.shops import fill
from tests.shops.reading import read, recipe_of
from tests.shops.truth import Truth, assert_true, done

KINDS = ["sqlite", pytest.param("mariadb", marks=pytest.mark.services)]

_ORDERS = {
    "woocommerce_hpos": """
        SELECT o.id, o.currency, o.total_amount AS total, r.id AS refund_of,
               r.total_amount AS whole,
               coalesce(r.status, o.status) AS state
        FROM wp_wc_orders o LEFT JOIN wp_wc_orders r ON r.id = o.parent_order_id""",
    "woocommerce_before_hpos": """
        SELECT o.ID AS id, c.meta_value AS currency, t.meta_value AS total, r.ID AS refund_of,
               w.meta_value AS whole, coalesce(r.post_status, o.post_status) AS state
        FROM shop3_posts o
        LEFT JOIN shop3_posts r ON r.ID = o.post_parent AND o.post_type = 'shop_order_refund'
        LEFT JOIN shop3_postmeta c ON c.post_id = o.ID AND c.meta_key = '_order_currency'
        LEFT JOIN shop3_postmeta t ON t.post_id = o.ID AND t.meta_key = '_order_total'
        LEFT JOIN shop3_postmeta w ON w.post_id = r.ID AND w.meta_key = '_order_total'
        WHERE o.post_type IN ('shop_order', 'shop_order_refund')""",
}


def _truth(shop: str, prefix: str) -> Truth:
    """From the items of the orders and the products' own fields: no table of Analytics."""

    facts = f"""
        WITH items AS (
            SELECT i.order_id, i.order_item_type AS kind,
                   sum(CASE m.meta_key WHEN '_line_total' THEN 0.0 + m.meta_value END) AS net,
                   sum(CASE m.meta_key WHEN '_qty' THEN 0 + m.meta_value END) AS units,
                   sum(CASE m.meta_key WHEN '_product_id' THEN 0 + m.meta_value END) AS product,
                   sum(CASE m.meta_key WHEN '_variation_id' THEN 0 + m.meta_value END) AS variation
            FROM {prefix}woocommerce_order_items i
            JOIN {prefix}woocommerce_order_itemmeta m ON m.order_item_id = i.order_item_id
            GROUP BY i.order_item_id, i.order_id, i.order_item_type),
        nets AS (SELECT order_id, sum(net) AS net FROM items GROUP BY order_id),
        counted AS (
            SELECT o.*, substr(p.post_date, 1, 10) AS day FROM ({_ORDERS[shop]}) AS o
            JOIN {prefix}posts p ON p.ID = o.id
            WHERE substr(p.post_date, 1, 10) <= '2026-11-28' AND o.state IN
                ('wc-completed', 'wc-processing', 'wc-on-hold', 'wc-refunded', 'wc-shipped')),
        own AS (
            SELECT post_id AS item, max(CASE meta_key WHEN '_stock' THEN meta_value END) AS stock,
                   max(CASE meta_key WHEN '_manage_stock' THEN meta_value END) AS managed,
                   max(CASE meta_key WHEN '_price' THEN meta_value END) AS price,
                   coalesce(nullif(max(CASE meta_key WHEN '_sku' THEN meta_value END), ''),
                            replace('#?', '?', post_id)) AS sku
            FROM {prefix}postmeta GROUP BY post_id)
    """
    return Truth(
        # A refund without items takes its share of the tax and the delivery along.
        days=f"""{facts}
            SELECT o.day, sum(CASE WHEN o.refund_of IS NULL THEN 1 ELSE 0 END),
                   sum(CASE WHEN o.currency <> 'EUR' THEN 0
                       ELSE coalesce(n.net, o.total * w.net / o.whole) END)
            FROM counted o LEFT JOIN nets n ON n.order_id = o.id
            LEFT JOIN nets w ON w.order_id = o.refund_of GROUP BY o.day""",
        items=f"""{facts}
            SELECT o.day, own.sku, sum(CASE WHEN i.units > 0 THEN i.units ELSE 0 END),
                   sum(CASE WHEN i.units < 0 THEN -i.units ELSE 0 END)
            FROM items i JOIN counted o ON o.id = i.order_id JOIN own
            ON own.item = CASE WHEN i.variation <> 0 THEN i.variation ELSE i.product END
            WHERE i.kind = 'line_item' GROUP BY o.day, own.sku""",
        stock=f"""{facts}
            SELECT own.sku, own.stock, 0 FROM {prefix}posts p JOIN own ON own.item = p.ID
            WHERE p.post_status = 'publish' AND own.managed = 'yes'
              AND p.post_type IN ('product', 'product_variation')
              AND NOT EXISTS (SELECT 1 FROM {prefix}posts v WHERE v.post_parent = p.ID
                              AND v.post_type = 'product_variation')""",
        products=f"""{facts}
            SELECT own.sku, p.post_title, own.price FROM {prefix}posts p JOIN own ON own.item = p.ID
            WHERE p.post_status = 'publish' AND p.post_type IN ('product', 'product_variation')
              AND NOT EXISTS (SELECT 1 FROM {prefix}posts v WHERE v.post_parent = p.ID
                              AND v.post_type = 'product_variation')""",
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shop", "prefix", "recipe_name"),
    [
        ("woocommerce_hpos", "wp_", "woocommerce"),
        ("woocommerce_before_hpos", "shop3_", "woocommerce-before-hpos"),
    ],
)
async def test_every_figure_is_that_of_the_shop(
    shop: str, prefix: str, recipe_name: str, kind: str, empty: Callable[[str], str]
) -> None:
    url = fill(empty(kind), shop)
    recipe = recipe_of(url)
    assert recipe is not None
    assert (recipe.name, recipe.tried, recipe.absent) == (recipe_name, NOT_TRIED, ())
    assert (recipe.currency, recipe.timezone) == ("EUR", "Europe/Berlin")
    snapshot = await read(url, recipe, "UTC")
    assert_true(snapshot, url, _truth(shop, prefix))
    assert "32.00 USD are kept apart" in "; ".join(map(str, snapshot.problems))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_shop_without_the_tables_of_analytics_is_read_and_what_is_absent_is_said(
    kind: str, empty: Callable[[str], str]
) -> None:
    url = fill(empty(kind), "woocommerce")
    recipe = recipe_of(url)
    assert recipe is not None
    assert (recipe.name, recipe.currency) == ("woocommerce", "")
    assert recipe.absent == (
        "wp_wc_order_stats",
        "wp_woocommerce_order_itemmeta",
        "wp_woocommerce_order_items",
    )
    snapshot = await read(url, recipe, "Europe/Berlin")
    orders, sales, stock, products = snapshot.need("orders", "sales", "stock", "products")
    days = orders.assign(date=orders["date"].dt.day).to_numpy().tolist()
    assert days == [[20, 1, 1, 10, 0], [27, 2, 12, 25, 1], [28, 1, 1, 10, 0]]
    assert sales["returned"].tolist() == [0, 0, 1, 0]
    assert dict(zip(stock["sku"], stock["on_hand"], strict=True)) == {
        "MUG-RED": 7,
        "MUG-BLUE": -2,
        "CARD-1": 300,
    }
    assert sorted(products["sku"]) == ["CARD-1", "GIFT", "MUG-BLUE", "MUG-RED"]


@pytest.mark.parametrize(
    ("change", "recognised"),
    [
        # Back among the posts: what is left in the order tables is old.
        ("UPDATE wp_options SET option_value = 'no' WHERE option_name LIKE '%orders_table%'", None),
        ("DELETE FROM wp_wc_orders", None),
        ("ALTER TABLE wp_wc_orders RENAME COLUMN currency TO money", None),
        ("ALTER TABLE wp_options RENAME TO old_options", "woocommerce"),
    ],
)
def test_order_tables_that_are_not_in_use_are_not_read(
    change: str, recognised: str | None, empty: Callable[[str], str]
) -> None:
    url = fill(empty("sqlite"), "woocommerce_hpos")
    done(url, change)
    recipe = recipe_of(url)
    assert (recipe.name if recipe else None) == recognised
