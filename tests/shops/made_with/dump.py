"""Writes some tables of a database as one SQL script; see tests/shops/README.md.

python dump.py sqlite shop.db django_oscar > ../django_oscar/sqlite.sql
python dump.py postgresql postgresql://postgres@127.0.0.1/shop django_oscar > …
"""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator

TABLES = {
    "django_oscar": """
        basket_basket basket_line catalogue_category catalogue_product catalogue_productcategory
        catalogue_productclass offer_conditionaloffer order_line order_order order_orderdiscount
        order_shippingevent order_shippingeventquantity order_shippingeventtype partner_partner
        partner_stockalert partner_stockrecord payment_transaction
    """,
    "tryton": """
        account_invoice_line company_company currency_currency currency_currency_rate party_party
        product_category product_cost_price product_list_price product_product product_template
        product_uom purchase_line purchase_purchase sale_line sale_sale stock_inventory
        stock_inventory_line stock_location stock_move stock_period stock_period_cache
        stock_shipment_out
    """,
}
"""The tables that the recipes read, and some that could be taken for them."""


def from_sqlite(file: str, tables: set[str]) -> Iterator[str]:
    yield "BEGIN;"
    with sqlite3.connect(file) as connection:
        for line in connection.iterdump():
            table = re.match(r'(?:CREATE TABLE(?: IF NOT EXISTS)?|INSERT INTO) "?([\w-]+)"?', line)
            if table and table[1] in tables:
                yield line
    yield "COMMIT;"


def from_postgresql(url: str, tables: set[str]) -> Iterator[str]:
    command = ["pg_dump", url, "--inserts", "--rows-per-insert=100", "--no-owner"]
    command += ["--no-privileges", "--no-comments", *(f"--table={table}" for table in tables)]
    script = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for block in re.split(r"\n{2,}", script):
        lines = [line for line in block.splitlines() if not re.match(r"--|\\|SET |SELECT pg", line)]
        statement = "\n".join(lines)
        referred = re.search(r"REFERENCES public\.(\w+)", statement)
        index = statement.startswith("CREATE INDEX")
        if statement and not index and (not referred or referred[1] in tables):
            yield statement


if __name__ == "__main__":
    kind, place, shop = sys.argv[1:]
    wanted = set(TABLES[shop].split())
    print(f"-- Made as tests/shops/README.md says: the schema is that of {shop}, the data our own.")
    for text in (from_sqlite if kind == "sqlite" else from_postgresql)(place, wanted):
        print(text)
