"""``connect`` on shops that nobody here wrote: what its proposal gives is the shop's own figure."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from agents.integration_specialist.format_transformation import (
    ConnectProposal,
    FrameProposal,
    propose_mapping,
)
from blocks.business.business import Business
from blocks.vocabulary.frames import Snapshot
from tests.shops import NOW, fill
from tests.shops.truth import done


async def looked_at(shop: str, folder: Path) -> ConnectProposal:
    return await propose_mapping(fill(f"sqlite:///{folder / 'shop.db'}", shop))


def frames(proposal: ConnectProposal) -> dict[str, FrameProposal]:
    return {frame.name: frame for frame in proposal.frames}


async def read(proposal: ConnectProposal, folder: Path, **changes: str) -> Snapshot:
    """What the workflows would see, through the file that was proposed."""
    text = proposal.toml
    for key, value in changes.items():
        line = next(line for line in text.splitlines() if line.startswith(f"{key} = "))
        text = text.replace(line, f"{key} = {value!r}")
    (folder / "business.toml").write_text(text)
    business = Business.from_toml(folder / "business.toml")
    assert business.store
    return await business.store.read_snapshot(NOW)


def days(snapshot: Snapshot) -> dict[str, tuple[float, float]]:
    """Day to its orders and its revenue."""
    rows = snapshot.frames["orders"].itertuples(index=False)
    return {str(row.date.date()): (row.orders, row.revenue) for row in rows}


def by_sku(frame: pd.DataFrame, column: str) -> dict[str, Any]:
    return dict(zip(frame["sku"], frame[column], strict=True))


def sold(snapshot: Snapshot, day: str) -> dict[str, float]:
    sales = snapshot.frames["sales"]
    units = by_sku(sales[sales["date"] == day], "units")
    return {sku: value for sku, value in units.items() if value}


async def test_customers_orders_are_no_goods_on_their_way_to_us(tmp_path: Path) -> None:
    proposal = await looked_at("oversold", tmp_path)

    found = frames(proposal)
    assert proposal.complete
    assert all(found[name].ticked for name in ("products", "stock", "sale_lines"))
    assert found["open_orders"].mappings == []
    assert "orders of customers have none" in found["open_orders"].problems[0]
    assert "frames.open_orders" not in proposal.toml
    snapshot = await read(proposal, tmp_path)
    assert by_sku(snapshot.frames["stock"], "on_hand") == {"A": -3.0, "B": 500.0}


async def test_what_was_paid_is_on_the_line_and_a_books_name_is_no_partners(
    tmp_path: Path,
) -> None:
    proposal = await looked_at("listed_price", tmp_path)

    found = frames(proposal)
    lines = found["sale_lines"]
    assert lines.mappings[0].columns["unit_price"] == "unit_price_incl_tax"
    assert {row["name"] for row in found["products"].sample} == {"Blue Book", "Red Book"}
    assert found["open_orders"].mappings == []
    (states,) = [note for note in lines.notes if note.startswith("order_order.status")]
    assert "counted Complete (67%); left out" in states
    assert "Refunded (12%)" in states
    assert "Cancelled (10%)" in states
    (asked,) = lines.questions
    assert "does Pending (12%) count as sold? It is left out" in asked
    assert not lines.ticked
    assert lines.ready
    assert f"# sale_lines: {asked}" in proposal.toml
    (tax,) = [note for note in lines.notes if "with tax" in note]
    assert "unit_price_incl_tax (10.00 for instance): with tax" in tax
    assert "unit_price_excl_tax (8.40 for instance) is without tax" in tax
    snapshot = await read(proposal, tmp_path)
    assert snapshot.currency == "EUR"
    assert snapshot.amounts.tax == "included"
    assert snapshot.frames["orders"][["orders", "revenue"]].sum().tolist() == [40.0, 400.0]


async def test_variants_and_bundles_count_once_and_names_are_found_among_attributes(
    tmp_path: Path,
) -> None:
    proposal = await looked_at("magento", tmp_path)

    found = frames(proposal)
    assert found["products"].ticked
    assert found["stock"].ticked
    # No counter of one table was taken for the counter of another.
    (join,) = found["stock"].mappings[0].joins
    assert join.on == {"cataloginventory_stock_item.product_id": "entity_id"}
    (held, fraud) = found["sale_lines"].questions
    assert "does holded (33%) count as sold" in held
    assert "does fraud (33%)" in fraud
    snapshot = await read(proposal, tmp_path)
    assert by_sku(snapshot.frames["products"], "name") == {"TEE-M-RED": "Tee M red", "MUG": "Mug"}
    assert by_sku(snapshot.frames["products"], "unit_price") == {"TEE-M-RED": 30.0, "MUG": 10.0}
    assert by_sku(snapshot.frames["stock"], "on_hand") == {"TEE-M-RED": 18.0, "MUG": 40.0}
    assert days(snapshot) == {"2026-11-27": (1.0, 110.0)}
    assert sold(snapshot, "2026-11-27") == {"TEE-M-RED": 3.0, "MUG": 2.0}
    assert snapshot.currency == "EUR"  # base_price is in the shop's money, not the customer's


async def test_units_given_back_or_cancelled_are_taken_off_where_a_column_counts_them(
    tmp_path: Path,
) -> None:
    """Of 3 mugs one was paid back and one cancelled; of 2 tees, and the variant below, one."""
    url = fill(f"sqlite:///{tmp_path / 'shop.db'}", "magento")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as file, file:
        file.executescript(
            """UPDATE sales_order_item SET qty_ordered = 3, row_total = 30, qty_refunded = 1,
                qty_canceled = 1 WHERE item_id = 3;
            UPDATE sales_order_item SET qty_refunded = 1 WHERE item_id IN (1, 2);
            UPDATE sales_order_item SET qty_refunded = NULL, qty_canceled = NULL
                WHERE item_id = 6;"""
        )
    proposal = await propose_mapping(url)

    lines = frames(proposal)["sale_lines"]
    assert (
        "qty_canceled and qty_refunded are taken off units and money, on the day of the order"
        in lines.notes
    )
    snapshot = await read(proposal, tmp_path)
    assert snapshot.amounts.refunds == "excluded"
    assert days(snapshot) == {"2026-11-27": (1.0, 30 + 10 + 40)}
    assert sold(snapshot, "2026-11-27") == {"TEE-M-RED": 2.0, "MUG": 2.0}


@pytest.mark.services
async def test_odoo_is_read_to_the_cent_as_it_was_proposed(
    postgres_url: str, tmp_path: Path
) -> None:
    proposal = await propose_mapping(fill(postgres_url, "odoo"))

    found = frames(proposal)
    assert all(frame.ticked for frame in proposal.frames)
    (states,) = [n for n in found["sale_lines"].notes if n.startswith("sale_order.state")]
    assert all(f"{state} (20%)" in states.partition("left out")[2] for state in ("draft", "sent"))
    assert any("stock_location.usage is internal is added up" in n for n in found["stock"].notes)
    assert any("product_product.active is False" in n for n in found["products"].notes)
    snapshot = await read(proposal, tmp_path)
    assert snapshot.problems == []
    names = by_sku(snapshot.frames["products"], "name")
    assert names == {"DESK-OAK": "Desk", "DESK-PINE": "Desk", "LAMP": "Lamp"}
    stock = snapshot.frames["stock"]
    assert by_sku(stock, "on_hand") == {"DESK-OAK": 5.0, "LAMP": 42.0, "DESK-PINE": 0.0}
    assert by_sku(stock, "reserved") == {"DESK-OAK": 2.0, "LAMP": 0.0, "DESK-PINE": 0.0}
    assert days(snapshot) == {"2026-11-27": (2.0, 349.5)}
    assert sold(snapshot, "2026-11-27") == {"DESK-OAK": 2.0, "LAMP": 4.0}
    ordered = snapshot.frames["open_orders"]
    assert ordered[["sku", "supplier", "units"]].values.tolist() == [
        ["DESK-OAK", "Timber Ltd", 5.0]
    ]
    assert str(ordered["expected_at"][0]) == "2026-12-05 00:00:00+00:00"


async def test_woocommerce_is_not_ticked_where_it_cannot_be_told(tmp_path: Path) -> None:
    url = fill(f"sqlite:///{tmp_path / 'shop.db'}", "woocommerce")
    done(url, "ALTER TABLE wp_posts RENAME COLUMN post_parent TO parent")  # so that no recipe fits
    proposal = await propose_mapping(url)

    found = frames(proposal)
    lines = found["sale_lines"]
    assert not proposal.complete
    assert "nothing looks like name" in found["products"].problems[0]  # no 'About us'
    (states,) = [note for note in lines.notes if note.startswith("wp_wc_orders.status")]
    dropped = states.partition("left out")[2]
    for state in ("wc-checkout-draft", "trash", "wc-failed", "wc-cancelled"):
        assert state in dropped
    unchecked = "whether these are products was not checked: products could not be read"
    assert found["stock"].questions == [unchecked]
    (asked, _) = lines.questions
    assert "wc-on-hold (10%), wc-pending (10%)" in asked
    assert lines.mappings[0].columns["revenue"] == "product_net_revenue"
    snapshot = await read(proposal, tmp_path, timezone="Europe/Berlin")
    assert by_sku(snapshot.frames["stock"], "on_hand") == {
        "MUG-RED": 7.0,
        "MUG-BLUE": -2.0,
        "CARD-1": 300.0,
        "OLD-1": 0.0,  # in the trash, as a table says that nothing links to this one
    }
    assert days(snapshot) == {"2026-11-20": (1.0, 10.0), "2026-11-27": (2.0, 25.0)}
    assert sold(snapshot, "2026-11-27") == {"MUG-RED": 2.0, "CARD-1": 10.0}
