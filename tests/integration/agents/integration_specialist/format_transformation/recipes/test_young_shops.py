"""A shop in which nothing unusual has happened yet is read by its recipe as any other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.shops import fill
from tests.shops.reading import read, recipe_of
from tests.shops.truth import done


@pytest.mark.parametrize(
    ("shop", "never"),
    [
        (
            "django_oscar/sqlite",
            [
                "UPDATE order_order SET status = 'Pending'",
                "UPDATE order_line SET status = 'Pending'",
                "DELETE FROM order_shippingeventquantity",
                "DELETE FROM order_shippingeventtype",
                "UPDATE catalogue_product SET structure = 'standalone', parent_id = NULL",
            ],
        ),
        (
            "tryton/sqlite",
            [
                "DELETE FROM sale_sale WHERE state <> 'done'",
                "DELETE FROM stock_move WHERE state <> 'done'",
                "DELETE FROM purchase_purchase",
                "DELETE FROM purchase_line",
            ],
        ),
        (
            "woocommerce_before_hpos",
            [
                "DELETE FROM shop3_posts WHERE post_type = 'product_variation'",
                "DELETE FROM shop3_posts WHERE post_type = 'shop_order_refund'",
                "UPDATE shop3_posts SET post_status = 'wc-completed' WHERE post_type LIKE '%order'",
                "DELETE FROM shop3_woocommerce_order_items WHERE order_item_type = 'fee'",
            ],
        ),
    ],
)
async def test_states_and_kinds_that_never_occurred_cost_nothing(
    shop: str, never: list[str], empty: Callable[[str], str]
) -> None:
    url = fill(empty("sqlite"), shop)
    for statement in never:
        done(url, statement)
    recipe = recipe_of(url)
    assert recipe is not None
    snapshot = await read(url, recipe, "UTC")
    orders, _stock, _products = snapshot.need("orders", "stock", "products")
    assert orders["revenue"].sum() > 0
    assert set(snapshot.frames) >= set(recipe.frames) - {"sale_lines"}
