"""What misleads in other shops, one small database for each: what ``connect`` makes of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from agents.integration_specialist.format_transformation import FrameProposal, propose_mapping

PRODUCTS = """
CREATE TABLE products (id INTEGER PRIMARY KEY, sku TEXT, name TEXT, price REAL);
INSERT INTO products VALUES (11, 'A', 'Apple', 2), (14, 'B', 'Pear', 3), (19, 'C', 'Plum', 4);
"""
STOCK = """
CREATE TABLE stock (sku TEXT, on_hand INTEGER);
INSERT INTO stock VALUES ('A', 3), ('B', 4), ('C', 5);
"""
SOLD = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, ordered_at TEXT, status TEXT);
INSERT INTO orders VALUES (1, '2026-11-27', 'paid'), (2, '2026-11-28', 'cancelled');
CREATE TABLE order_lines (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders (id),
    sku TEXT, quantity INTEGER, price REAL);
INSERT INTO order_lines VALUES (1, 1, 'A', 1, 2), (2, 1, 'B', 2, 3), (3, 2, 'C', 1, 4);
"""


async def looked_at(folder: Path, script: str) -> dict[str, FrameProposal]:
    with sqlite3.connect(folder / "shop.db") as file:
        file.executescript(script)
    file.close()
    proposal = await propose_mapping(f"sqlite:///{folder / 'shop.db'}")
    return {frame.name: frame for frame in proposal.frames}


async def test_two_counters_that_overlap_are_no_link(tmp_path: Path) -> None:
    found = await looked_at(
        tmp_path,
        """CREATE TABLE items (item_id INTEGER PRIMARY KEY, sku TEXT, name TEXT, price REAL);
        INSERT INTO items VALUES (1, 'A', 'Apple', 2), (2, 'B', 'Pear', 3), (3, 'C', 'Plum', 4);
        CREATE TABLE stock_items (item_id INTEGER PRIMARY KEY, on_hand INTEGER);
        INSERT INTO stock_items VALUES (1, 30), (2, 40), (3, 50);""",
    )
    assert found["products"].ready
    assert found["stock"].mappings == []


async def test_two_counters_of_which_a_name_makes_one_are_a_question(tmp_path: Path) -> None:
    found = await looked_at(
        tmp_path,
        """CREATE TABLE items (id INTEGER PRIMARY KEY, sku TEXT, name TEXT, price REAL);
        INSERT INTO items VALUES (1, 'A', 'Apple', 2), (2, 'B', 'Pear', 3), (3, 'C', 'Plum', 4);
        CREATE TABLE stock_levels (item_id INTEGER PRIMARY KEY, quantity INTEGER);
        INSERT INTO stock_levels VALUES (1, 30), (2, 40), (3, 50);""",
    )
    assert found["stock"].ready
    assert not found["stock"].ticked
    assert found["stock"].questions == [
        "item_id and items.id both count 1, 2, 3 …: is item_id the id of items? "
        "Its name alone says so"
    ]


async def test_what_was_bought_is_neither_stock_nor_sold(tmp_path: Path) -> None:
    found = await looked_at(
        tmp_path,
        PRODUCTS
        + """CREATE TABLE purchase (id INTEGER PRIMARY KEY, supplier TEXT, product_id INTEGER,
            quantity INTEGER, price REAL, ordered_at TEXT, due_at TEXT);
        INSERT INTO purchase VALUES (1, 'Acme', 11, 20, 1, '2026-11-01', '2026-12-01'),
            (2, 'Acme', 14, 10, 2, '2026-11-02', '2026-12-02');""",
    )
    assert found["stock"].mappings == []
    assert found["sale_lines"].mappings == []
    assert found["open_orders"].mappings[0].columns["order_id"] == "id"
    assert "every row is taken as open" in found["open_orders"].questions[0]


async def test_a_quantity_on_hand_is_stock_wherever_it_is(tmp_path: Path) -> None:
    script = "ALTER TABLE products ADD COLUMN qty_on_hand INTEGER DEFAULT 5;"
    stock = (await looked_at(tmp_path, PRODUCTS + script))["stock"]
    assert stock.mappings[0].columns == {"sku": "sku", "on_hand": "qty_on_hand"}


async def test_a_number_of_the_row_is_a_sku_in_question_alone(tmp_path: Path) -> None:
    found = await looked_at(
        tmp_path,
        """CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, price REAL);
        INSERT INTO products VALUES (1, 'Apple', 2), (2, 'Pear', 3);
        CREATE TABLE product_units (id INTEGER PRIMARY KEY, name TEXT, rate REAL);
        INSERT INTO product_units VALUES (1, 'Dozen', 12), (2, 'Gram', 0.001);""",
    )
    products = found["products"]
    assert products.mappings[0].table == "products"
    assert products.questions == [
        "products.id merely numbers the rows: is it what you call a product by?"
    ]


async def test_numbers_that_do_not_merely_count_are_a_link_by_name(tmp_path: Path) -> None:
    found = await looked_at(
        tmp_path,
        PRODUCTS
        + """CREATE TABLE stock (product_id INTEGER PRIMARY KEY, on_hand INTEGER);
        INSERT INTO stock VALUES (11, 3), (14, 4), (19, 5);""",
    )
    assert found["stock"].ticked
    assert {row["sku"]: row["on_hand"] for row in found["stock"].sample} == {
        "A": 3.0,
        "B": 4.0,
        "C": 5.0,
    }


async def test_a_link_needs_nearly_all_of_its_values(tmp_path: Path) -> None:
    found = await looked_at(
        tmp_path,
        PRODUCTS
        + """CREATE TABLE stock (product_id INTEGER, on_hand INTEGER);
        INSERT INTO stock VALUES (11, 3), (14, 4), (99, 5), (98, 6);""",
    )
    assert found["stock"].mappings == []


async def test_prices_in_cents_are_divided_where_the_name_says_so(tmp_path: Path) -> None:
    sold = SOLD.replace("price REAL", "price_cents INTEGER").replace("2, 3)", "2, 399)")
    found = await looked_at(tmp_path, PRODUCTS + STOCK + sold)
    lines = found["sale_lines"]
    assert lines.mappings[0].columns["unit_price"] == "price_cents / 100"
    assert "order_lines.price_cents is in the smallest coin: divided by 100" in lines.notes
    assert {row["sku"]: row["unit_price"] for row in lines.sample}["B"] == 3.99


async def test_whole_numbers_that_look_like_cents_are_asked_about(tmp_path: Path) -> None:
    sold = SOLD.replace("price REAL", "price INTEGER")
    for old, new in (("1, 2)", "1, 199)"), ("2, 3)", "2, 299)"), ("1, 4)", "1, 399)")):
        sold = sold.replace(old, new)
    lines = (await looked_at(tmp_path, PRODUCTS + STOCK + sold))["sale_lines"]
    assert lines.mappings[0].columns["unit_price"] == "price"
    assert 'Then write unit_price = "price / 100"' in lines.questions[0]
    assert not lines.ticked


async def test_prices_on_lines_a_hundred_times_the_catalogue_s_are_asked_about(
    tmp_path: Path,
) -> None:
    """Whichever of the two it is; a product that is sold off proves nothing."""
    sold = SOLD.replace("1, 4)", "1, 4), (4, 1, 'C', 1, 4), (5, 1, 'C', 2, 4)")
    cents = sold.replace("1, 2)", "1, 180)").replace("2, 3)", "2, 300)").replace("2, 4)", "2, 410)")
    found = await looked_at(tmp_path, PRODUCTS + STOCK + cents)
    (asked,) = found["sale_lines"].questions
    assert "price of the line is about 100 times that of the catalogue in 3 of 3" in asked
    assert asked.endswith(
        '(A: 180.00 and 2.00): is it in the smallest coin? Then write unit_price = "price / 100"'
    )
    assert not found["sale_lines"].ticked
    assert found["products"].ticked
    (tmp_path / "shop.db").unlink()

    dear = PRODUCTS.replace("'Apple', 2", "'Apple', 200").replace("'Pear', 3", "'Pear', 300")
    found = await looked_at(tmp_path, dear.replace("'Plum', 4", "'Plum', 400") + STOCK + sold)
    (asked,) = found["products"].questions
    assert "price of the catalogue is about 100 times that of the line" in asked
    assert found["sale_lines"].ticked
    (tmp_path / "shop.db").unlink()

    found = await looked_at(tmp_path, PRODUCTS + STOCK + sold.replace("1, 2)", "1, 200)"))
    assert found["sale_lines"].ticked


@pytest.mark.parametrize(
    ("column", "value", "note"),
    [
        ("deleted_at TEXT", "'2026-01-01'", "products.deleted_at is filled: deleted or archived"),
        ("is_deleted INTEGER DEFAULT 0", "1", "products.is_deleted is 1: deleted or archived"),
        ("active TEXT DEFAULT 'Y'", "'N'", "products.active is N: archived or switched off"),
        ("archived INTEGER DEFAULT 0", "1", "products.archived is 1: deleted or archived"),
    ],
)
async def test_products_that_were_put_away_are_left_out(
    tmp_path: Path, column: str, value: str, note: str
) -> None:
    name = column.split()[0]
    script = (
        f"{PRODUCTS} ALTER TABLE products ADD COLUMN {column};"
        f"UPDATE products SET {name} = {value} WHERE sku = 'B';"
    )
    products = (await looked_at(tmp_path, script + STOCK))["products"]
    assert {row["sku"] for row in products.sample} == {"A", "C"}
    assert f"left out where {note}" in products.notes


async def test_lines_that_say_not_what_was_sold_are_not_read(tmp_path: Path) -> None:
    sold = SOLD + "UPDATE order_lines SET sku = '' WHERE sku = 'B';"
    lines = (await looked_at(tmp_path, PRODUCTS + STOCK + sold))["sale_lines"]
    assert not lines.ready
    assert "1 of 2 rows say not which product or order they are about" in lines.problems[-1]


async def test_a_deleted_order_is_no_sale(tmp_path: Path) -> None:
    sold = SOLD.replace("'cancelled'", "'paid'")
    sold += "ALTER TABLE orders ADD COLUMN deleted_at TEXT;"
    sold += "UPDATE orders SET deleted_at = '2026-11-28' WHERE id = 2;"
    lines = (await looked_at(tmp_path, PRODUCTS + STOCK + sold))["sale_lines"]
    assert {row["order_id"] for row in lines.sample} == {"1"}


async def test_states_that_are_numbers_are_asked_about_unless_a_table_names_them(
    tmp_path: Path,
) -> None:
    numbers = SOLD.replace("status TEXT", "status_id INTEGER").replace("'paid'", "5")
    numbers = numbers.replace("'cancelled'", "7")
    (tmp_path / "bare").mkdir()
    lines = (await looked_at(tmp_path / "bare", PRODUCTS + STOCK + numbers))["sale_lines"]
    assert "which of them are no sales" in lines.questions[0]
    names = """CREATE TABLE order_status (id INTEGER PRIMARY KEY, name TEXT);
        INSERT INTO order_status VALUES (5, 'Paid'), (7, 'Cancelled'), (9, 'Draft');"""
    lines = (await looked_at(tmp_path, PRODUCTS + STOCK + numbers + names))["sale_lines"]
    assert lines.mappings[0].where_not == {"order_status.name": ["Draft", "Cancelled"]}
    assert {row["order_id"] for row in lines.sample} == {"1"}


async def test_a_delivery_that_is_pending_is_no_doubt_about_the_sale(tmp_path: Path) -> None:
    lines = (
        await looked_at(
            tmp_path,
            PRODUCTS
            + STOCK
            + SOLD
            + "ALTER TABLE orders ADD COLUMN shipping_status TEXT DEFAULT 'pending';",
        )
    )["sale_lines"]
    assert lines.mappings[0].where_not == {"orders.status": ["cancelled"]}
    assert lines.ticked


async def test_sent_is_an_offer_only_where_offers_are_made(tmp_path: Path) -> None:
    sent = SOLD.replace("'paid'", "'sent'")
    lines = (await looked_at(tmp_path, PRODUCTS + STOCK + sent))["sale_lines"]
    assert lines.mappings[0].where_not == {"orders.status": ["cancelled"]}


async def test_names_are_no_numbers_and_no_partners(tmp_path: Path) -> None:
    script = PRODUCTS.replace("name TEXT", "name TEXT, supplier_id INTEGER").replace(
        "'Apple', 2", "'4711', 1, 2"
    )
    script = script.replace("'Pear', 3", "'4712', 2, 3").replace("'Plum', 4", "'4713', 1, 4")
    script += """CREATE TABLE suppliers (id INTEGER PRIMARY KEY, name TEXT);
        INSERT INTO suppliers VALUES (1, 'Acme'), (2, 'Bolt');"""
    products = (await looked_at(tmp_path, script + STOCK))["products"]
    assert products.missing == ["name"]
    assert "nothing looks like name" in products.problems[0]


async def test_stock_in_several_places_is_added_up_and_asked_about(tmp_path: Path) -> None:
    stock = (
        await looked_at(
            tmp_path,
            PRODUCTS
            + """CREATE TABLE stock (sku TEXT, warehouse TEXT, on_hand INTEGER);
            INSERT INTO stock VALUES ('A', 'Leeds', 3), ('A', 'York', 4), ('B', 'York', -1);""",
        )
    )["stock"]
    assert stock.mappings[0].rows == "sum"
    assert {row["sku"]: row["on_hand"] for row in stock.sample} == {"A": 7.0, "B": -1.0}
    assert "a SKU has several rows (warehouse)" in stock.questions[0]


async def test_seconds_since_1970_and_utc_by_name(tmp_path: Path) -> None:
    seconds = SOLD.replace("ordered_at TEXT", "ordered_at INTEGER").replace(
        "'2026-11-27'", "1795780800"
    )
    seconds = seconds.replace("'2026-11-28'", "1795867200")
    (tmp_path / "epoch").mkdir()
    lines = (await looked_at(tmp_path / "epoch", PRODUCTS + STOCK + seconds))["sale_lines"]
    assert lines.mappings[0].columns["sold_at"] == "epoch(orders.ordered_at)"
    assert str(lines.sample[0]["sold_at"]).startswith("2026-11-27")
    gmt = SOLD.replace("ordered_at", "ordered_at_gmt")
    lines = (await looked_at(tmp_path, PRODUCTS + STOCK + gmt))["sale_lines"]
    assert lines.mappings[0].columns["sold_at"] == "utc(orders.ordered_at_gmt)"


async def test_a_line_s_total_that_fits_comes_before_units_times_price(tmp_path: Path) -> None:
    total = "ALTER TABLE order_lines ADD COLUMN line_total REAL;"
    fits = total + "UPDATE order_lines SET line_total = quantity * price * 0.9;"
    (tmp_path / "fits").mkdir()
    lines = (await looked_at(tmp_path / "fits", PRODUCTS + STOCK + SOLD + fits))["sale_lines"]
    assert lines.mappings[0].columns["revenue"] == "line_total"
    assert "unit_price" not in lines.mappings[0].columns
    of_the_order = total + "UPDATE order_lines SET line_total = 1000 * order_id;"
    lines = (await looked_at(tmp_path, PRODUCTS + STOCK + SOLD + of_the_order))["sale_lines"]
    assert "revenue" not in lines.mappings[0].columns
    assert "line_total is not the money of a line" in str(lines.notes)


async def test_purchase_orders_are_open_by_what_has_arrived(tmp_path: Path) -> None:
    ordered = (
        await looked_at(
            tmp_path,
            PRODUCTS
            + STOCK
            + SOLD
            + """CREATE TABLE purchase_orders (id INTEGER PRIMARY KEY, supplier TEXT,
                ordered_on TEXT, due_date TEXT, status TEXT);
            INSERT INTO purchase_orders VALUES (1, 'Acme', '2026-11-01', '2026-12-01', 'sent'),
                (2, 'Acme', '2026-11-02', '2026-12-02', 'confirmed'),
                (3, 'Acme', '2026-11-02', '2026-12-02', 'cancelled');
            CREATE TABLE purchase_order_lines (order_id INTEGER REFERENCES purchase_orders (id),
                sku TEXT, quantity INTEGER, received INTEGER);
            INSERT INTO purchase_order_lines VALUES (2, 'A', 20, 15), (2, 'B', 10, 10),
                (3, 'C', 9, 0), (2, 'C', 7, NULL);""",
        )
    )["open_orders"]
    assert {row["sku"]: row["units"] for row in ordered.sample} == {"A": 5.0, "C": 7.0}
    assert "open is quantity less received" in ordered.notes


@pytest.mark.parametrize("when", ["NULL", "'2026-11-20'"])
async def test_when_it_was_received_is_not_how_much(tmp_path: Path, when: str) -> None:
    ordered = (
        await looked_at(
            tmp_path,
            PRODUCTS
            + f"""CREATE TABLE purchase_orders (order_id TEXT, supplier TEXT, sku TEXT,
                units INTEGER, ordered_at TEXT, expected_at TEXT, received_at TEXT);
            INSERT INTO purchase_orders VALUES
                ('P1', 'Acme', 'A', 5, '2026-11-01', '2026-12-01', NULL),
                ('P2', 'Acme', 'B', 7, '2026-11-01', '2026-12-01', {when});""",
        )
    )["open_orders"]
    assert ordered.mappings[0].columns["units"] == "units"
    assert ordered.mappings[0].where == {"received_at": []}
    assert "open while purchase_orders.received_at is empty" in ordered.notes


async def test_half_a_purchase_order_is_said_and_not_written(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as file:
        file.executescript(
            PRODUCTS
            + STOCK
            + SOLD
            + """CREATE TABLE purchase_lines (po_number TEXT, supplier TEXT, sku TEXT,
                quantity INTEGER, ordered_on TEXT);
            INSERT INTO purchase_lines VALUES ('P1', 'Acme', 'A', 5, '2026-11-01');"""
        )
    file.close()
    proposal = await propose_mapping(f"sqlite:///{tmp_path / 'shop.db'}")
    assert "frames.open_orders" not in proposal.toml
    assert (
        "# open_orders is not here: purchase_lines has nothing that looks like expected_at."
        in proposal.toml
    )


async def test_the_chosen_variant_is_what_was_sold(tmp_path: Path) -> None:
    sold = SOLD.replace("sku TEXT", "product_id INTEGER, variant_id INTEGER")
    for sku, ids in (("'A'", "11, 0"), ("'B'", "11, 14"), ("'C'", "19, 0")):
        sold = sold.replace(sku, ids)
    lines = (await looked_at(tmp_path, PRODUCTS + STOCK + sold))["sale_lines"]
    assert [row["sku"] for row in lines.sample] == ["A", "B"]


async def test_what_is_paid_back_is_taken_off_the_line_s_total_in_its_share(tmp_path: Path) -> None:
    """Not where it is more than was sold, as no count of units is; nor where only money tells."""
    there = SOLD.replace("quantity INTEGER, price REAL", "quantity INTEGER, total REAL, {}")
    counted = there.format("quantity_returned INTEGER, quantity_refunded INTEGER")
    counted = counted.replace("1, 2),", "1, 2, 0, 0),").replace("2, 3),", "2, 3, 1, 1),")
    found = await looked_at(tmp_path, PRODUCTS + counted.replace("1, 4);", "1, 4, 0, NULL);"))
    (mapping,) = found["sale_lines"].mappings
    left = "(quantity - first_of(quantity_refunded, 0))"
    assert mapping.columns["units"] == left
    assert mapping.columns["revenue"] == f"total * {left} / quantity"
    (tmp_path / "shop.db").unlink()

    told = there.format("refunded REAL").replace("1, 2),", "1, 2, 0),")
    told = told.replace("2, 3),", "2, 3, 2.5),").replace("1, 4);", "1, 4, 0);")
    found = await looked_at(tmp_path, PRODUCTS + told)
    assert found["sale_lines"].mappings[0].columns["units"] == "quantity"
    assert "what is paid back (refunded) is not taken off" in found["sale_lines"].notes
    (tmp_path / "shop.db").unlink()

    more = told.replace("refunded REAL", "quantity_refunded REAL")
    found = await looked_at(tmp_path, PRODUCTS + more)
    assert found["sale_lines"].mappings[0].columns["units"] == "quantity"
