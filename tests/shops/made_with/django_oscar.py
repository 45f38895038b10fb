"""Makes the django-oscar shop of the tests, through Oscar's own code; see tests/shops/README.md.

    python django_oscar.py sqlite:///shop.db
    python django_oscar.py postgresql://postgres@127.0.0.1/shop

The database must be empty. Ninety days of orders that end on 2026-11-28, the same on every run.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import django
from django.conf import settings
from oscar import INSTALLED_APPS
from oscar.defaults import *  # noqa: F403  what a shop's own settings start with

LAST_DAY = datetime(2026, 11, 28, tzinfo=UTC)
DAYS = 90


def configure(url: str) -> None:
    parts = urlsplit(url)
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.path.removeprefix("/")}
    if parts.scheme != "sqlite":
        database = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.path.removeprefix("/"),
            "HOST": parts.hostname,
            "USER": parts.username,
        }
    own = {name: value for name, value in globals().items() if name.startswith("OSCAR_")}
    settings.configure(
        **own
        | {
            "DATABASES": {"default": database},
            "INSTALLED_APPS": INSTALLED_APPS,
            "SITE_ID": 1,
            "SECRET_KEY": "of a shop that nobody visits",
            "USE_TZ": True,
            "TIME_ZONE": "Europe/Berlin",
            "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
            "ROOT_URLCONF": "",
            "OSCAR_DEFAULT_CURRENCY": "EUR",
            # The pipeline of Oscar's own sandbox.
            "OSCAR_INITIAL_ORDER_STATUS": "Pending",
            "OSCAR_INITIAL_LINE_STATUS": "Pending",
            "OSCAR_ORDER_STATUS_PIPELINE": {
                "Pending": ("Being processed", "Cancelled"),
                "Being processed": ("Complete", "Cancelled"),
                "Complete": (),
                "Cancelled": (),
            },
            "OSCAR_LINE_STATUS_PIPELINE": {
                "Pending": ("Being processed", "Cancelled"),
                "Being processed": ("Complete", "Cancelled"),
                "Complete": (),
                "Cancelled": (),
            },
            "OSCAR_ORDER_STATUS_CASCADE": {
                "Being processed": "Being processed",
                "Complete": "Complete",
                "Cancelled": "Cancelled",
            },
            "HAYSTACK_CONNECTIONS": {
                "default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}
            },
        }
    )
    django.setup()


def make() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from oscar.apps.basket.models import Basket
    from oscar.apps.catalogue.models import Product, ProductClass
    from oscar.apps.offer.applicator import Applicator
    from oscar.apps.offer.models import Benefit, Condition, ConditionalOffer, Range
    from oscar.apps.order.models import Order, ShippingEventType
    from oscar.apps.order.processing import EventHandler
    from oscar.apps.order.utils import OrderCreator
    from oscar.apps.partner.models import Partner
    from oscar.apps.partner.strategy import UK
    from oscar.apps.payment.models import Source, SourceType, Transaction
    from oscar.apps.shipping.methods import FixedPrice
    from oscar.core.prices import Price

    rng = random.Random(11)
    own, drop = (
        Partner.objects.create(name="Own warehouse"),
        Partner.objects.create(name="Drop Ltd"),
    )
    goods = ProductClass.objects.create(name="Goods", track_stock=True)
    files = ProductClass.objects.create(name="Download", track_stock=False, requires_shipping=False)

    def product(title: str, price: str, stock: int | None, **given: object) -> Product:
        sku, partner = given.pop("sku"), given.pop("partner", own)
        currency = given.pop("currency", "EUR")
        made = Product.objects.create(title=title, **{"product_class": goods} | given)
        made.stockrecords.create(
            partner=partner,
            partner_sku=sku,
            price=Decimal(price),
            num_in_stock=stock,
            price_currency=currency,
        )
        return made

    mug = product("Mug", "8.40", 700, sku="MUG", upc="4006381333931")
    card = product("Card", "1.55", 1800, sku="CARD-1")
    lamp = product("Lamp", "33.33", 320, sku="LAMP", upc="9780201379624")
    ebook = product("How to pot", "12.00", None, sku="EBOOK", product_class=files)
    rare = product("Rare vase", "210.00", 4, sku="VASE")
    export = product("Teapot for export", "25.00", 50, sku="POT-US", currency="USD")
    hidden = product("Last year's mug", "6.00", 35, sku="MUG-OLD", is_public=False)
    shirt = Product.objects.create(title="Shirt", structure="parent", product_class=goods)
    sizes = [
        product(
            "" if size == "S" else f"Shirt {size}",
            "19.95",
            400,
            sku=f"SHIRT-{size}",
            structure="child",
            parent=shirt,
            product_class=None,
        )
        for size in "SM"
    ]
    # A second source of the same goods: never sold from while the first one is there.
    mug.stockrecords.create(
        partner=drop,
        partner_sku="D-MUG",
        price=Decimal("8.90"),
        price_currency="EUR",
        num_in_stock=1000,
    )
    # Both call it the same.
    card.stockrecords.create(
        partner=drop,
        partner_sku="CARD-1",
        price=Decimal("1.70"),
        price_currency="EUR",
        num_in_stock=500,
    )
    everything = Range.objects.create(name="Everything", includes_all_products=True)
    ConditionalOffer.objects.create(
        name="Seven per cent from 30",
        condition=Condition.objects.create(range=everything, type="Value", value=30),
        benefit=Benefit.objects.create(range=everything, type="Percentage", value=7),
    )
    shipped, returned, cancelled = (
        ShippingEventType.objects.create(name=name) for name in ("Shipped", "Returned", "Cancelled")
    )
    paid_by = SourceType.objects.create(name="Card")
    handler, creator = EventHandler(), OrderCreator()
    pick = [(mug, 5), (card, 12), (lamp, 2), (ebook, 1), (sizes[0], 3), (sizes[1], 2)]

    def order(at: datetime, wanted: list[tuple[Product, int]]) -> Order:
        basket = Basket.objects.create()
        basket.strategy = UK()
        for item, quantity in wanted:
            basket.add_product(item, quantity)
        Applicator().apply(basket)
        delivery = FixedPrice(Decimal("4.90"), Decimal("5.88"))
        charge = delivery.calculate(basket)
        total = Price(
            basket.currency,
            basket.total_excl_tax + charge.excl_tax,
            basket.total_incl_tax + charge.incl_tax,
        )
        placed = creator.place_order(
            basket,
            total,
            delivery,
            charge,
            order_number=str(100_000 + basket.id),
            date_placed=at,
            guest_email="customer@example.com",
        )
        basket.submit()
        source = Source.objects.create(order=placed, source_type=paid_by, currency=total.currency)
        source.debit(total.incl_tax)
        return placed

    def event(of: Order, kind: ShippingEventType, lines: list, units: list[int], at: datetime):
        made = handler.handle_shipping_event(of, kind, lines, units)
        type(made).objects.filter(pk=made.pk).update(date_created=at)

    def process(of: Order, at: datetime) -> None:
        handler.handle_order_status_change(of, "Being processed")
        lines = list(of.lines.all())
        units = [line.quantity for line in lines]
        handler.consume_stock_allocations(of, lines, units)
        event(of, shipped, lines, units, at)
        handler.handle_order_status_change(of, "Complete")

    def cancel(of: Order) -> None:
        handler.handle_order_status_change(of, "Cancelled")
        handler.cancel_stock_allocations(of)

    for ago in range(DAYS - 1, -1, -1):
        day = LAST_DAY - timedelta(days=ago)
        for _ in range(rng.choice((1, 1, 2, 2, 3))):
            wanted = [
                (item, rng.randint(1, most))
                for item, most in rng.sample(pick, rng.choice((1, 1, 2, 3)))
            ]
            at = day + timedelta(minutes=rng.randint(5, 1310))
            placed = order(at, wanted)
            fate = rng.random()
            if ago < 3:
                continue  # too young to be anything but pending
            if fate < 0.08:
                cancel(placed)
            elif fate > 0.12:
                process(placed, at + timedelta(hours=20))
                if fate > 0.94:
                    line = placed.lines.first()
                    units = max(1, line.quantity // 2)
                    back = at + timedelta(days=2, hours=3)
                    if back < LAST_DAY:
                        event(placed, returned, [line], [units], back)
                        source = placed.sources.first()
                        source.refund(line.unit_price_incl_tax * units)
                        Transaction.objects.filter(txn_type="Refund", source=source).update(
                            date_created=back
                        )
    # 23:30 in London is the next day in the shop's zone; sold more than there is; dollars;
    # half of an order on its way; one line of an order cancelled.
    order(LAST_DAY - timedelta(days=2, minutes=30), [(mug, 3)])
    order(LAST_DAY + timedelta(hours=9), [(rare, 6)])
    process(order(LAST_DAY - timedelta(days=6, hours=-8), [(export, 2)]), LAST_DAY)
    order(LAST_DAY - timedelta(days=1, hours=-8), [(export, 1)])
    half = order(LAST_DAY - timedelta(days=4, hours=-10), [(mug, 10), (lamp, 4)])
    handler.handle_order_status_change(half, "Being processed")
    line = half.lines.get(partner_sku="MUG")
    handler.consume_stock_allocations(half, [line], [4])
    event(half, shipped, [line], [4], LAST_DAY - timedelta(days=3))
    part = order(LAST_DAY - timedelta(days=5, hours=-12), [(card, 20), (lamp, 1)])
    line = part.lines.get(partner_sku="LAMP")
    line.set_status("Cancelled")
    line.cancel_allocation(1)
    event(part, cancelled, [line], [1], LAST_DAY - timedelta(days=5))
    # Baskets are no orders.
    for _ in range(3):
        basket = Basket.objects.create()
        basket.strategy = UK()
        basket.add_product(mug, 50)
    print(f"{Order.objects.count()} orders; not sold: {hidden}")


if __name__ == "__main__":
    configure(sys.argv[1])
    make()
