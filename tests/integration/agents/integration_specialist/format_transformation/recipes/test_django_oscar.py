"""django-oscar, as its own migrations and its own code made it (tests/shops/README.md)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.shops import fill
from tests.shops.reading import read, recipe_of
from tests.shops.truth import Truth, assert_true

# The shop is in Berlin; summer time ends on 2026-10-25.
_DAY = {
    "sqlite": "date({0}, CASE WHEN {0} < '2026-10-25 01:00' THEN '+2 hours' ELSE '+1 hours' END)",
    "postgresql": "CAST({0} AT TIME ZONE 'Europe/Berlin' AS date)",
}


def _truth(kind: str) -> Truth:
    """Oscar's own basket total, without what was cancelled, less what came back; in euros."""
    sold, back = (_DAY[kind].format(column) for column in ("o.date_placed", "e.date_created"))
    lines = f"""
        SELECT {sold} AS day, o.number AS number, l.partner_sku AS sku, l.quantity AS units,
               0 AS returned,
               CASE WHEN o.currency = 'EUR' THEN l.line_price_excl_tax ELSE 0 END AS money
        FROM order_order o JOIN order_line l ON l.order_id = o.id
        WHERE o.status <> 'Cancelled' AND l.status <> 'Cancelled'
        UNION ALL
        SELECT {back}, NULL, l.partner_sku, 0, q.quantity,
               -1.0 * q.quantity * l.line_price_excl_tax / l.quantity
        FROM order_shippingeventquantity q
        JOIN order_shippingevent e ON e.id = q.event_id
        JOIN order_shippingeventtype t ON t.id = e.event_type_id AND t.name = 'Returned'
        JOIN order_line l ON l.id = q.line_id
        JOIN order_order o ON o.id = l.order_id AND o.status <> 'Cancelled'
    """
    return Truth(
        days=f"""SELECT day, count(DISTINCT number), sum(money)
            FROM ({lines}) AS x WHERE day <= '2026-11-28' GROUP BY day""",
        items=f"""SELECT day, sku, sum(units), sum(returned)
            FROM ({lines}) AS x WHERE day <= '2026-11-28' GROUP BY day, sku""",
        stock="""SELECT s.partner_sku, sum(coalesce(s.num_in_stock, 0)),
                sum(coalesce(s.num_allocated, 0))
            FROM partner_stockrecord s
            JOIN catalogue_product p ON p.id = s.product_id
            LEFT JOIN catalogue_product m ON m.id = p.parent_id
            JOIN catalogue_productclass c ON c.id = coalesce(p.product_class_id, m.product_class_id)
            WHERE c.track_stock AND p.is_public GROUP BY s.partner_sku""",
        # A price in dollars is none, and so are two for what two partners call the same.
        products="""SELECT s.partner_sku, max(CASE WHEN p.title = '' THEN m.title ELSE p.title END),
                sum(CASE WHEN s.price_currency = 'EUR' AND (SELECT count(*) FROM partner_stockrecord
                    o WHERE o.partner_sku = s.partner_sku) = 1 THEN s.price ELSE 0 END)
            FROM partner_stockrecord s
            JOIN catalogue_product p ON p.id = s.product_id
            LEFT JOIN catalogue_product m ON m.id = p.parent_id
            WHERE p.is_public GROUP BY s.partner_sku""",
    )


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
async def test_every_figure_is_that_of_the_shop(kind: str, empty: Callable[[str], str]) -> None:
    url = fill(empty(kind), f"django_oscar/{kind}")
    recipe = recipe_of(url)
    assert recipe is not None
    assert recipe.name == "django-oscar"
    snapshot = await read(url, recipe, "Europe/Berlin")
    assert_true(snapshot, url, _truth(kind))
    assert snapshot.currency == "EUR"
    assert "68.70 USD are kept apart" in "; ".join(map(str, snapshot.problems))
