"""Writes the WooCommerce shops of the tests, one shop in two shapes; see tests/shops/README.md.

    python woocommerce.py

No code of WordPress or WooCommerce runs: the tables are those that they document.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")
LAST_DAY = datetime(2026, 11, 28, tzinfo=ZONE)
DAYS = 60
TAX = 0.19

SCHEMA = """
posts (ID BIGINT PRIMARY KEY, post_author BIGINT, post_date DATETIME, post_date_gmt DATETIME,
  post_title TEXT, post_status VARCHAR(20), post_parent BIGINT, post_type VARCHAR(20))
postmeta (meta_id BIGINT PRIMARY KEY, post_id BIGINT, meta_key VARCHAR(255), meta_value TEXT)
options (option_id BIGINT PRIMARY KEY, option_name VARCHAR(191), option_value TEXT,
  autoload VARCHAR(20))
woocommerce_order_items (order_item_id BIGINT PRIMARY KEY, order_item_name TEXT,
  order_item_type VARCHAR(200), order_id BIGINT)
woocommerce_order_itemmeta (meta_id BIGINT PRIMARY KEY, order_item_id BIGINT,
  meta_key VARCHAR(255), meta_value TEXT)
wc_order_product_lookup (order_item_id BIGINT PRIMARY KEY, order_id BIGINT, product_id BIGINT,
  variation_id BIGINT, customer_id BIGINT, date_created DATETIME, product_qty INT,
  product_net_revenue DOUBLE, product_gross_revenue DOUBLE, coupon_amount DOUBLE,
  tax_amount DOUBLE, shipping_amount DOUBLE, shipping_tax_amount DOUBLE)
wc_order_stats (order_id BIGINT PRIMARY KEY, parent_id BIGINT, date_created DATETIME,
  date_created_gmt DATETIME, date_paid DATETIME, date_completed DATETIME, num_items_sold INT,
  total_sales DOUBLE, tax_total DOUBLE, shipping_total DOUBLE, net_total DOUBLE,
  returning_customer INT, status VARCHAR(20), customer_id BIGINT)
wc_product_meta_lookup (product_id BIGINT PRIMARY KEY, sku VARCHAR(100), `virtual` INT,
  downloadable INT, min_price DECIMAL(19,4), max_price DECIMAL(19,4), onsale INT,
  stock_quantity DOUBLE NULL, stock_status VARCHAR(100), rating_count BIGINT,
  average_rating DECIMAL(3,2), total_sales BIGINT, tax_status VARCHAR(100), tax_class VARCHAR(100))
wc_reserved_stock (order_id BIGINT, product_id BIGINT, stock_quantity DOUBLE,
  `timestamp` DATETIME, expires DATETIME, PRIMARY KEY (order_id, product_id))
wc_orders (id BIGINT PRIMARY KEY, status VARCHAR(20), currency VARCHAR(10), type VARCHAR(20),
  tax_amount DECIMAL(26,8), total_amount DECIMAL(26,8), customer_id BIGINT,
  date_created_gmt DATETIME, date_updated_gmt DATETIME, parent_order_id BIGINT)
"""

INDEXES = {
    "post_parent": "posts (post_parent)",
    "post_id": "postmeta (post_id)",
    "order_id": "woocommerce_order_items (order_id)",
    "order_item_id": "woocommerce_order_itemmeta (order_item_id)",
    "product_order_id": "wc_order_product_lookup (order_id)",
}

# id, kind, state, title, parent, sku, price, stock (None: not managed)
PRODUCTS = [
    (10, "product", "publish", "Mug", 0, "MUG", 8.4, None),
    (11, "product_variation", "publish", "Mug - red", 10, "MUG-RED", 8.4, 61),
    (12, "product_variation", "publish", "Mug - blue", 10, "", 8.4, -2),
    (20, "product", "publish", "Card", 0, "CARD", 1.55, 700),
    (30, "product", "publish", "Gift box", 0, "", 14.0, 25),
    (31, "product", "publish", "E-book", 0, "EBOOK", 9.9, None),
    (40, "product", "trash", "Old thing", 0, "OLD", 3.0, 5),
    (41, "product", "private", "Secret thing", 0, "SECRET", 3.0, 5),
    (50, "product", "publish", "Shirt", 0, "SHIRT", 20.0, 90),  # its stock is that of both sizes
    (51, "product_variation", "publish", "Shirt - S", 50, "SHIRT-S", 20.0, None),
    (52, "product_variation", "publish", "Shirt - M", 50, "SHIRT-M", 20.0, None),
]
PRICE = {row[0]: row[6] for row in PRODUCTS}
PARENT = {row[0]: row[4] for row in PRODUCTS}


@dataclass
class Line:
    """One item of an order: a product's, or a fee without one."""

    product: int
    units: int
    net: float


@dataclass
class Order:
    """An order, or a refund of one."""

    at: datetime
    status: str
    lines: list[Line]
    shipping: float = 4.9
    currency: str = "EUR"
    of: Order | None = None
    amount: float | None = None
    number: int = 0
    items: list[int] = field(default_factory=list)

    @property
    def net(self) -> float:
        return round(sum(line.net for line in self.lines), 4)

    @property
    def tax(self) -> float:
        return round((self.net + self.shipping) * TAX, 2)

    @property
    def total(self) -> float:
        return self.amount if self.amount is not None else self.net + self.shipping + self.tax


def history() -> list[Order]:
    """Sixty days of orders, and one of each kind that asks for care."""
    rng = random.Random(11)
    orders = []
    for ago in range(DAYS - 1, 0, -1):
        for _ in range(rng.choice((1, 1, 2, 3))):
            at = LAST_DAY - timedelta(days=ago) + timedelta(minutes=rng.randint(1, 1430))
            picked = rng.sample([11, 12, 20, 30, 31, 51, 52], rng.choice((1, 2, 3)))
            cut = rng.choice((1, 1, 1, 0.9))  # a coupon
            lines = [
                Line(p, units, round(PRICE[p] * units * cut, 2))
                for p in picked
                for units in [rng.randint(1, 4)]
            ]
            status = rng.choices(
                ["wc-completed", "wc-processing", "wc-cancelled", "wc-failed", "wc-pending"],
                [80, 8, 5, 4, 3],
            )[0]
            orders.append(Order(at, status, lines))
            if status == "wc-completed" and rng.random() < 0.06:
                first = lines[0]
                back = [Line(first.product, -1, -round(first.net / first.units, 2))]
                orders.append(Order(at + timedelta(days=1), "wc-completed", back, 0, of=orders[-1]))
    day = LAST_DAY
    whole = Order(day - timedelta(days=6), "wc-refunded", [Line(11, 2, 16.8), Line(20, 10, 15.5)])
    some = Order(day - timedelta(days=5), "wc-completed", [Line(30, 2, 28.0)])
    undone = Order(day - timedelta(days=4), "wc-cancelled", [Line(30, 1, 14.0)])
    orders += [
        whole,  # paid back by a change of state: no items, tax and delivery taken along
        Order(day - timedelta(days=2), "wc-completed", [], 0, of=whole, amount=-whole.total),
        some,  # ten euros as a gesture
        Order(day - timedelta(days=2), "wc-completed", [], 0, of=some, amount=-10.0),
        undone,  # money back for what was cancelled: neither counts
        Order(day - timedelta(days=3), "wc-completed", [Line(30, -1, -14.0)], 0, of=undone),
        Order(day - timedelta(days=3), "wc-on-hold", [Line(12, 2, 16.8)]),
        Order(day - timedelta(days=3), "wc-shipped", [Line(20, 7, 10.85)]),  # a state of its own
        Order(day - timedelta(days=3), "wc-completed", [Line(11, 1, 8.4), Line(0, 0, 3.5)]),  # fee
        Order(day - timedelta(days=2), "wc-completed", [Line(31, 3, 32.0)], 0, "USD"),
        Order(day - timedelta(days=2), "trash", [Line(20, 99, 153.45)]),
        Order(day - timedelta(days=1), "wc-checkout-draft", [Line(20, 44, 68.2)]),
        # 23:30 and 00:30 in Berlin are one day in UTC.
        Order(day - timedelta(minutes=30), "wc-completed", [Line(11, 1, 8.4)]),
        Order(day + timedelta(minutes=30), "wc-completed", [Line(11, 1, 8.4)]),
    ]
    return orders


def script(prefix: str, hpos: bool) -> str:
    rows: dict[str, list[tuple[object, ...]]] = {
        name.split(" ")[0]: [] for name in SCHEMA.strip().split("\n") if name[0] != " "
    }

    def meta(post: int, **pairs: object) -> None:
        for key, value in pairs.items():
            rows["postmeta"].append((len(rows["postmeta"]) + 1, post, key, value))

    for number, kind, state, title, parent, sku, price, stock in PRODUCTS:
        rows["posts"].append(
            (number, 1, *_clock(LAST_DAY - timedelta(days=200)), title, state, parent, kind)
        )
        managed = "yes" if stock is not None else "parent" if parent == 50 else "no"
        meta(number, _sku=sku, _price=price, _regular_price=price + 1, _manage_stock=managed)
        if stock is not None:
            meta(number, _stock=stock)
        rows["wc_product_meta_lookup"].append(
            (number, sku, 0, 0, price, price, 1, stock, "instock", 0, 0, 0, "taxable", "")
        )
    rows["posts"].append((90, 1, *_clock(LAST_DAY), "About us", "publish", 0, "page"))
    for at, order in enumerate(history(), 1000):
        order.number = at
        _write(order, rows, meta, hpos)
    settings = {
        "woocommerce_currency": "EUR",
        "timezone_string": "Europe/Berlin",
        "woocommerce_custom_orders_table_enabled": "yes" if hpos else "no",
        "blogname": "A shop",
    }
    rows["options"] = [(i, k, v, "on") for i, (k, v) in enumerate(settings.items(), 1)]
    rows["wc_reserved_stock"] = [(1003, 30, 1, *_clock(LAST_DAY))]
    head = "orders in tables of their own" if hpos else "orders among the posts"
    return "\n".join(
        [
            f"-- Made by tests/shops/made_with/woocommerce.py: {head}. SQLite and MariaDB.",
            *_tables(prefix),
            *(f"CREATE INDEX {prefix}{n} ON {prefix}{on};" for n, on in INDEXES.items()),
            "BEGIN;",
            *(_insert(prefix + table, lines) for table, lines in rows.items() if lines),
            "COMMIT;",
            "",
        ]
    )


def _write(order: Order, rows: dict, meta, hpos: bool) -> None:
    of = order.of.number if order.of else 0
    kind = "shop_order_refund" if of else "shop_order"
    local, gmt = _clock(order.at)
    shown = "shop_order_placehold" if hpos else kind
    state = "draft" if hpos else order.status
    rows["posts"].append((order.number, 1, local, gmt, "Order", state, of, shown))
    if hpos:
        rows["wc_orders"].append(
            (
                order.number,
                order.status,
                order.currency,
                kind,
                order.tax,
                order.total,
                0,
                gmt,
                gmt,
                of,
            )
        )
    else:
        meta(
            order.number,
            _order_currency=order.currency,
            _order_total=round(order.total, 4),
            _order_tax=order.tax,
            _order_shipping=order.shipping,
            _cart_discount="0",
        )
    for line in order.lines:
        item = len(rows["woocommerce_order_items"]) + 1
        what = "line_item" if line.product else "fee"
        rows["woocommerce_order_items"].append((item, what, what, order.number))
        parent = PARENT.get(line.product) or line.product
        variation = line.product if parent != line.product else 0
        pairs = {"_line_total": line.net, "_line_tax": round(line.net * TAX, 2)}
        if line.product:
            pairs |= {
                "_qty": line.units,
                "_product_id": parent,
                "_variation_id": variation,
                "_line_subtotal": line.net + 1,
            }
        begin = len(rows["woocommerce_order_itemmeta"]) + 1
        rows["woocommerce_order_itemmeta"] += [
            (begin + i, item, key, value) for i, (key, value) in enumerate(pairs.items())
        ]
        if line.product:
            rows["wc_order_product_lookup"].append(
                (
                    item,
                    order.number,
                    parent,
                    variation,
                    1,
                    local,
                    line.units,
                    line.net,
                    round(line.net * (1 + TAX), 2),
                    0,
                    round(line.net * TAX, 2),
                    0,
                    0,
                )
            )
    paid_back = order.amount is not None
    shipping, tax = (0, 0) if paid_back else (order.shipping, order.tax)
    units = sum(line.units for line in order.lines)
    status = order.of.status if order.of else order.status
    rows["wc_order_stats"].append(
        (
            order.number,
            of,
            local,
            gmt,
            local,
            local,
            units,
            round(order.total, 4),
            tax,
            shipping,
            round(order.total - tax - shipping, 4),
            0,
            status,
            1,
        )
    )


def _clock(at: datetime) -> tuple[str, str]:
    """The same instant in the shop's time and in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}", f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _tables(prefix: str) -> Iterable[str]:
    return (f"CREATE TABLE {prefix}{t};" for t in SCHEMA.strip().replace("\n  ", " ").split("\n"))


def _insert(table: str, rows: list[tuple[object, ...]]) -> str:
    lines = ",\n".join(" (" + ",".join(map(_literal, row)) + ")" for row in rows)
    return f"INSERT INTO {table} VALUES\n{lines};"


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, str) else f"{value}"


if __name__ == "__main__":
    shops = Path(__file__).parent.parent
    for name, prefix, hpos in [
        ("woocommerce_hpos", "wp_", True),
        ("woocommerce_before_hpos", "shop3_", False),
    ]:
        (shops / f"{name}.sql").write_text(script(prefix, hpos), encoding="utf-8")
