"""Tryton, as its own modules and its own code made it (tests/shops/README.md)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.shops import FOLDER, fill
from tests.shops.reading import read, recipe_of
from tests.shops.truth import Truth, assert_true, done

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)]

# As in Tryton's sale.reporting: the quantity that was moved or invoiced where it is known.
_SOLD = """
    SELECT s.sale_date AS day, s.number AS number,
           coalesce(l.actual_quantity, l.quantity) * u.factor / d.factor AS units,
           CASE WHEN c.code = 'EUR'
                THEN coalesce(l.actual_quantity, l.quantity) * l.unit_price ELSE 0 END AS money,
           l.product AS product, p.code AS code
    FROM sale_line l
    JOIN sale_sale s ON s.id = l.sale
    JOIN currency_currency c ON c.id = s.currency
    LEFT JOIN product_product p ON p.id = l.product
    LEFT JOIN product_template t ON t.id = p.template
    LEFT JOIN product_uom u ON u.id = l.unit
    LEFT JOIN product_uom d ON d.id = t.default_uom
    WHERE l.type = 'line' AND s.state NOT IN ('draft', 'quotation', 'cancelled')
"""
_SKU = "CASE WHEN coalesce(code, '') = '' THEN '#' || product ELSE code END"

# Tryton's own places: all below a warehouse. What is sold and has not left them is spoken for.
_STOCK = """
    WITH RECURSIVE house(id) AS (
        SELECT id FROM stock_location WHERE type = 'warehouse'
        UNION SELECT l.id FROM stock_location l JOIN house h ON l.parent = h.id),
    moved AS (
        SELECT m.product, m.state, m.internal_quantity AS units, t.type AS target_type,
               CASE WHEN m.to_location IN (SELECT id FROM house) THEN 1 ELSE 0 END
               - CASE WHEN m.from_location IN (SELECT id FROM house) THEN 1 ELSE 0 END AS sign
        FROM stock_move m JOIN stock_location t ON t.id = m.to_location)
    SELECT CASE WHEN coalesce(p.code, '') = '' THEN '#' || p.id ELSE p.code END,
           coalesce((SELECT sum(units * sign) FROM moved
                     WHERE product = p.id AND state = 'done'), 0),
           coalesce((SELECT sum(units) FROM moved WHERE product = p.id AND sign = -1
                     AND state IN ('draft', 'assigned') AND target_type <> 'storage'), 0)
           + coalesce((SELECT sum(l.quantity) FROM sale_line l JOIN sale_sale s ON s.id = l.sale
                       WHERE s.state = 'confirmed' AND l.product = p.id), 0)
    FROM product_product p JOIN product_template t ON t.id = p.template
    WHERE t.type = 'goods' AND NOT coalesce(t.consumable, false)
"""

# By the purchases: what was ordered, less what was received.
_COMING = """
    SELECT o.number, y.name, CASE WHEN coalesce(p.code, '') = '' THEN '#' || p.id ELSE p.code END,
           l.quantity * u.factor / d.factor - coalesce(
               (SELECT sum(m.internal_quantity) FROM stock_move m
                WHERE m.origin = 'purchase.line,' || l.id AND m.state = 'done'), 0),
           coalesce((SELECT max(m.planned_date) FROM stock_move m
                     WHERE m.origin = 'purchase.line,' || l.id AND m.state = 'draft'),
                    l.delivery_date_store, o.delivery_date)
    FROM purchase_line l
    JOIN purchase_purchase o ON o.id = l.purchase
    JOIN party_party y ON y.id = o.party
    JOIN product_product p ON p.id = l.product
    JOIN product_template t ON t.id = p.template
    JOIN product_uom u ON u.id = l.unit
    JOIN product_uom d ON d.id = t.default_uom
    WHERE o.state IN ('confirmed', 'processing')
      AND l.quantity * u.factor / d.factor > coalesce(
               (SELECT sum(m.internal_quantity) FROM stock_move m
                WHERE m.origin = 'purchase.line,' || l.id AND m.state = 'done'), 0)
"""
TRUTH = Truth(
    days=f"""
        SELECT day, count(DISTINCT CASE WHEN units > 0 THEN number END), sum(money)
        FROM ({_SOLD}) AS x GROUP BY day""",
    items=f"""
        SELECT day, {_SKU}, sum(CASE WHEN units > 0 THEN units ELSE 0 END),
               sum(CASE WHEN units < 0 THEN -units ELSE 0 END)
        FROM ({_SOLD}) AS x WHERE product IS NOT NULL AND units <> 0 GROUP BY day, product, code""",
    stock=_STOCK,
    products="""
        SELECT CASE WHEN coalesce(p.code, '') = '' THEN '#' || p.id ELSE p.code END, t.name,
               0.0 + l.list_price
        FROM product_product p JOIN product_template t ON t.id = p.template
        JOIN product_list_price l ON l.template = t.id WHERE t.salable""",
    open_orders=_COMING,
)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_figure_is_that_of_the_shop(kind: str, empty: Callable[[str], str]) -> None:
    url = fill(empty(kind), f"tryton/{kind}")
    recipe = recipe_of(url)
    assert recipe is not None
    assert (recipe.name, recipe.currency, recipe.timezone) == ("tryton", "EUR", "Europe/Berlin")
    snapshot = await read(url, recipe, "UTC")
    assert_true(snapshot, url, TRUTH)
    assert "72.00 USD are kept apart" in "; ".join(map(str, snapshot.problems))


@pytest.mark.parametrize("kind", KINDS)
async def test_the_figures_are_those_of_tryton_itself(
    kind: str, empty: Callable[[str], str]
) -> None:
    """Its sales report and its stock by warehouse, as its own code told them of this database."""
    url = fill(empty(kind), f"tryton/{kind}")
    recipe = recipe_of(url)
    assert recipe is not None
    own = json.loads((FOLDER / "tryton" / f"{kind}.json").read_text(encoding="utf-8"))
    # Tryton converts by its rates: in this shop a dollar is two euros.
    snapshot = await read(url, recipe, "UTC", rates={"USD": 2.0})
    orders, stock = snapshot.need("orders", "stock")
    days = dict(zip(orders["date"].dt.strftime("%Y-%m-%d"), orders["revenue"], strict=True))
    assert days == pytest.approx(
        {day: float(revenue) for day, (_, revenue) in own["days"].items()},
        abs=0.00501,  # cents, rounded
    )
    on_hand = dict(zip(stock["sku"], stock["on_hand"], strict=True))
    assert on_hand == {sku: units for sku, units in own["stock"].items() if sku != "STRAW"}


async def test_what_is_bought_by_the_dozen_and_has_no_moves_yet_is_told_in_units(
    empty: Callable[[str], str],
) -> None:
    url = fill(empty("sqlite"), "tryton/sqlite")
    done(
        url,
        """UPDATE purchase_line SET unit = (SELECT id FROM product_uom WHERE name = 'Dozen')
        WHERE purchase IN (SELECT id FROM purchase_purchase WHERE state = 'confirmed')""",
    )
    recipe = recipe_of(url)
    assert recipe is not None
    snapshot = await read(url, recipe, "UTC")
    assert_true(snapshot, url, TRUTH)
    (coming,) = snapshot.need("open_orders")
    assert 25 * 12 in coming["units"].tolist()


async def test_without_the_modules_of_stock_and_purchase_the_rest_is_read(
    empty: Callable[[str], str],
) -> None:
    url = fill(empty("sqlite"), "tryton/sqlite")
    done(url, "ALTER TABLE stock_move RENAME TO gone")
    done(url, "ALTER TABLE purchase_line RENAME TO gone_too")
    recipe = recipe_of(url)
    assert recipe is not None
    assert recipe.absent == ("purchase_line", "stock_move")
    # What is left of stock would say that there is nothing.
    assert sorted(recipe.frames) == ["products", "sale_lines"]
