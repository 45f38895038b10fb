"""Makes the Tryton shop of the tests, through Tryton's own code; see tests/shops/README.md.

    python tryton.py shop.conf shop tryton.json

The database is there, with Tryton's modules sale and purchase; the last file takes the figures of
Tryton's own reports.

Sixty days of sales that end on 2026-11-28, the same on every run.
"""

# ruff: noqa: N806  models are called as Tryton calls them

from __future__ import annotations

import json
import os
import random
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from proteus import Model, config
from trytond import config as settings
from trytond.modules.account.tests.tools import (
    create_chart,
    create_fiscalyear,
    get_accounts,
)
from trytond.modules.account_invoice.tests.tools import (
    create_payment_term,
    set_fiscalyear_invoice_sequences,
)
from trytond.modules.company.tests.tools import create_company, get_company
from trytond.modules.currency.tests.tools import get_currency
from trytond.transaction import Transaction

LAST_DAY = date(2026, 11, 28)
DAYS = 60


def make() -> None:
    rng = random.Random(11)
    create_company(currency="EUR")
    company = get_company()
    company.timezone = "Europe/Berlin"
    company.save()
    create_chart(company)
    year = create_fiscalyear(company, (date(2026, 1, 1), date(2026, 12, 31)))
    set_fiscalyear_invoice_sequences(year).click("create_period")
    accounts = get_accounts(company)
    term = create_payment_term()
    term.save()
    (journal,) = Model.get("account.journal").find([("type", "=", "cash")])
    cash = Model.get("account.invoice.payment.method")(name="Cash", journal=journal)
    cash.credit_account = cash.debit_account = accounts["cash"]
    cash.save()
    dollars = get_currency("USD")

    Party, Uom, Category = (
        Model.get(n) for n in ("party.party", "product.uom", "product.category")
    )
    Template, Location = Model.get("product.template"), Model.get("stock.location")
    customer, supplier = Party(name="A customer"), Party(name="Clay & Sons")
    customer.save()
    supplier.save()
    (unit,) = Uom.find([("name", "=", "Unit")])
    dozen = Uom(name="Dozen", symbol="dz", category=unit.category, factor=12.0, rate=0.083333333333)
    dozen.rounding, dozen.digits = 0.01, 2
    dozen.save()
    books = Category(name="Goods", accounting=True)
    books.account_expense, books.account_revenue = accounts["expense"], accounts["revenue"]
    books.save()

    def product(name: str, price: str, code: str, cost: str = "1", **given: object):
        made = Template(name=name, default_uom=unit, type="goods", account_category=books)
        made.salable = made.purchasable = True
        made.list_price = Decimal(price)
        for field, value in given.items():
            setattr(made, field, value)
        (variant,) = made.products
        variant.suffix_code = code
        variant.cost_price = Decimal(cost)
        made.save()
        return made.products[0]

    mug = product("Mug", "8.40", "MUG", "3.10")
    card = product("Card", "1.5550", "CARD", "0.40")
    lamp = product("Lamp", "33.33", "LAMP", "15")
    bowl = product("Bowl", "14.00", "BOWL", "6")
    vase = product("Rare vase", "210.00", "VASE", "90")
    plain = product("Saucer without a code", "2.20", "")
    straw = product("Packing straw", "0.50", "STRAW", consumable=True)
    idle = product("Pot that nobody has", "9.00", "POT")
    delivery = product("Delivery", "4.90", "DELIVERY", type="service")

    (storage,) = Location.find([("code", "=", "STO")])
    shelf = Location(name="Shop floor", code="FLOOR", type="storage", parent=storage)
    shelf.save()
    zones = {}
    for code in ("IN2", "STO2", "OUT2"):
        zones[code] = Location(name=f"South {code}", code=code, type="storage")
        zones[code].save()
    south = Location(name="South", code="SOUTH", type="warehouse")
    south.input_location, south.storage_location, south.output_location = (
        zones["IN2"],
        zones["STO2"],
        zones["OUT2"],
    )
    (south.lost_found_location,) = Location.find([("type", "=", "lost_found")])
    south.save()
    for zone in zones.values():
        zone.parent = south
        zone.save()
    (north,) = Location.find([("code", "=", "WH")])

    Inventory, Move, Internal = (
        Model.get(n) for n in ("stock.inventory", "stock.move", "stock.shipment.internal")
    )

    def count(place, stock) -> None:
        sheet = Inventory(
            location=place, date=LAST_DAY - timedelta(days=DAYS), empty_quantity="keep"
        )
        for item, units in stock:
            sheet.lines.new(product=item, quantity=float(units))
        sheet.click("confirm")

    count(storage, [(mug, 600), (card, 1500), (lamp, 180), (bowl, 260), (vase, 2), (plain, 80)])
    count(shelf, [(mug, 24), (bowl, 6)])
    count(zones["STO2"], [(mug, 40), (lamp, 11)])

    Sale, Purchase, Shipment = (
        Model.get(n) for n in ("sale.sale", "purchase.purchase", "stock.shipment.in")
    )

    def sale(day: date, lines, currency=None, invoiced: bool = True):
        made = Sale(party=customer, payment_term=term, sale_date=day)
        made.invoice_method = "order" if invoiced else "manual"
        if currency:
            made.currency = currency
        made.warehouse = north
        for item, units, given in lines:
            line = made.lines.new()
            line.product, line.quantity = item, float(units)
            for field, value in given.items():
                setattr(line, field, value)
        made.save()
        return made

    def confirm(made):
        made.click("quote")
        made.click("confirm")
        return made

    def ship(made, day: date, units: float | None = None) -> None:
        for shipment in made.shipments:
            if shipment.state in ("done", "cancelled"):
                continue
            shipment.effective_date = day
            if units is not None:  # of the largest line; the rest waits in a shipment of its own
                max(shipment.inventory_moves, key=lambda m: m.quantity).quantity = units
            shipment.save()
            shipment.click("assign_force")
            shipment.click("pick")
            shipment.click("pack")
            shipment.click("do")
            return

    def pay(made, day: date) -> None:
        """Only a sale that is sent and paid is done."""
        for invoice in made.invoices:
            invoice.invoice_date = day
            invoice.click("post")
            wizard = invoice.click("pay")
            wizard.form.payment_method, wizard.form.date = cash, day
            wizard.execute("choice")

    pick = [(mug, 6), (card, 14), (lamp, 2), (bowl, 3), (plain, 1)]
    for ago in range(DAYS - 1, 2, -1):
        day = LAST_DAY - timedelta(days=ago)
        for _ in range(rng.choice((0, 1, 1, 2))):
            lines = [
                (item, rng.randint(1, most), {})
                for item, most in rng.sample(pick, rng.choice((1, 1, 2, 3)))
            ]
            fate = rng.random()
            if 0.2 < fate < 0.4:
                lines.append((delivery, 1, {}))
            if fate > 0.9:  # a price of the day, whatever it is
                item, units, _given = lines[0]
                lines[0] = (item, units, {"unit_price": Decimal("1.3995")})
            made = sale(day, lines)
            if fate < 0.04:
                continue  # stays a draft
            made.click("quote")
            if fate < 0.08:
                continue  # a quotation that nobody took up
            if fate < 0.13:
                made.click("cancel")
                continue
            made.click("confirm")
            ship(made, day + timedelta(days=1))
            if fate > 0.5:
                pay(made, day)

    # What a person does once in a while.
    ago = lambda days: LAST_DAY - timedelta(days=days)  # noqa: E731
    confirm(sale(ago(9), [(card, 2, {"unit": dozen, "unit_price": Decimal("16.80")})]))
    voucher = sale(ago(8), [(mug, 10, {})])
    voucher.lines.new(description="Voucher", quantity=1.0, unit_price=Decimal("-5"))
    voucher.lines.new(type="comment", description="Please wrap it")
    voucher.save()
    ship(confirm(voucher), ago(7))
    ship(confirm(sale(ago(6), [(mug, 12, {}), (lamp, 4, {})])), ago(5), units=5.0)
    ship(confirm(sale(ago(5), [(lamp, 2, {"unit_price": Decimal("36.00")})], dollars)), ago(4))
    back = confirm(sale(ago(4), [(mug, -2, {}), (bowl, -1, {})]))
    for shipment in back.shipment_returns:
        shipment.effective_date = ago(3)
        shipment.save()
        shipment.click("receive")
        shipment.click("do")
    given_up = confirm(sale(ago(3), [(bowl, 5, {})], invoiced=False))
    for shipment in given_up.shipments:
        shipment.click("cancel")
    handle = Sale(given_up.id).click("handle_shipment_exception")
    handle.form.ignore_moves.extend(handle.form.ignore_moves.find())
    handle.execute("handle")
    confirm(sale(ago(2), [(vase, 3, {})]))  # one more than there is, and it has gone out:
    ship(confirm(sale(ago(2), [(vase, 3, {})])), ago(1))
    assigned = confirm(sale(ago(1), [(mug, 7, {})]))
    assigned.shipments[0].click("assign_try")
    packed = confirm(sale(ago(1), [(lamp, 3, {}), (delivery, 1, {})]))
    for step in ("assign_try", "pick", "pack"):
        packed.shipments[0].click(step)
    confirm(sale(ago(0), [(straw, 30, {}), (mug, 1, {})]))

    def transfer(item, units, target, begin: date, end: date):
        made = Internal(from_location=storage, to_location=target)
        made.planned_start_date, made.planned_date = begin, end
        made.effective_start_date = begin
        line = made.moves.new(product=item, quantity=float(units), unit=unit)
        line.from_location, line.to_location = storage, target
        made.save()
        made.click("wait")
        made.click("assign_try")
        return made

    moved = transfer(mug, 10, shelf, ago(20), ago(20))
    moved.effective_date = ago(20)
    moved.save()
    moved.click("do")
    transfer(bowl, 4, zones["STO2"], ago(2), LAST_DAY + timedelta(days=1))
    for step in ("pack", "ship"):
        Internal.find([("state", "in", ["assigned", "packed"])])[0].click(step)

    def purchase(day: date, lines, expected: date):
        made = Purchase(
            party=supplier, payment_term=term, purchase_date=day, delivery_date=expected
        )
        made.invoice_method, made.warehouse = "manual", north
        for item, units, uom in lines:
            line = made.lines.new()
            line.product, line.quantity, line.unit = item, float(units), uom
            line.unit_price = Decimal("3")
        made.save()
        return made

    def receive(made, day: date, share: float = 1.0) -> None:
        shipment = Shipment(supplier=supplier, warehouse=north, effective_date=day)
        for coming in made.moves:
            shipment.incoming_moves.append(Move(coming.id))
        shipment.save()
        if share < 1:
            for coming in shipment.incoming_moves:
                coming.quantity *= share
            shipment.save()
        shipment.click("receive")
        shipment.click("do")

    receive(confirm(purchase(ago(60), [(card, 10, dozen), (mug, 60, unit)], ago(50))), ago(49))
    receive(confirm(purchase(ago(30), [(mug, 100, unit), (lamp, 20, unit)], ago(10))), ago(9), 0.4)
    confirm(purchase(ago(12), [(card, 30, dozen)], LAST_DAY + timedelta(days=7)))
    purchase(ago(5), [(bowl, 80, unit)], LAST_DAY + timedelta(days=3))  # a draft
    purchase(ago(5), [(bowl, 70, unit)], LAST_DAY + timedelta(days=3)).click("quote")
    purchase(ago(4), [(bowl, 60, unit)], LAST_DAY + timedelta(days=3)).click("cancel")
    received_unput = Shipment(supplier=supplier, warehouse=north, effective_date=ago(1))
    arrived = confirm(purchase(ago(11), [(plain, 15, unit)], ago(1)))
    received_unput.incoming_moves.append(Move(arrived.moves[0].id))
    received_unput.save()
    received_unput.click("receive")  # in the input zone, not put away

    # Confirmed, and waiting for a worker that does not run.
    settings.set("queue", "worker", "True")
    confirm(sale(ago(0), [(bowl, 2, {})]))
    confirm(purchase(ago(0), [(lamp, 25, unit)], LAST_DAY + timedelta(days=20)))
    print(len(Sale.find([])), "sales; never had:", idle.rec_name)


def settle(name: str) -> None:
    """What Tryton dates from today, dated as of the last day."""
    with Transaction().start(name, 0) as transaction:
        cursor = transaction.connection.cursor()
        for column in ("effective_date", "planned_date"):
            cursor.execute(
                f"UPDATE stock_move SET {column} = '{LAST_DAY}' WHERE {column} > '{LAST_DAY}' "
                "AND origin LIKE 'sale.line,%'"
            )


def own_figures() -> dict[str, object]:
    """What Tryton's own sales report, and its own view of the warehouses, say."""
    days = {"from_date": LAST_DAY - timedelta(days=DAYS), "to_date": LAST_DAY, "period": "day"}
    with config.get_config().set_context(**days):
        series = Model.get("sale.reporting.main.time_series").find([])
        report = {str(s.date): [s.number, str(s.revenue)] for s in series}
    houses = [place.id for place in Model.get("stock.location").find([("type", "=", "warehouse")])]
    with config.get_config().set_context(locations=houses, stock_skip_warehouse=False):
        products = Model.get("product.product").find([("template.type", "=", "goods")])
        stock = {p.code or f"#{p.id}": p.quantity for p in products}
    return {"days": report, "stock": stock}


if __name__ == "__main__":
    os.environ["DB_NAME"] = sys.argv[2]
    config.set_trytond(user="admin", config_file=sys.argv[1]).skip_warning = True
    make()
    settle(sys.argv[2])
    Path(sys.argv[3]).write_text(json.dumps(own_figures(), indent=0, sort_keys=True) + "\n")
