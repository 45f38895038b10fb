"""A second business: an ERP in German, shaped as unlike the sample as real ones are."""

from __future__ import annotations

import sqlite3
import time
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from agents.integration_specialist.format_transformation import ConnectProposal, propose_mapping
from agents.integration_specialist.format_transformation.looking.looker import Looker
from agents.integration_specialist.format_transformation.looking.reading import read_catalogue
from blocks.business.business import Business
from blocks.errors import ConfigurationError, EmptySource, SourceUnavailable
from blocks.vocabulary.frames import Snapshot

NOW = datetime(2024, 6, 30, 9, 0, tzinfo=UTC)
DAYS = 40


def build_erp(url: str, *, foreign_keys: bool = True) -> None:
    """Headers and lines apart, integer ids everywhere, the article number only with the article."""

    def ref(name: str, target: str) -> sa.Column[Any]:
        keys = [sa.ForeignKey(target)] if foreign_keys else []
        return sa.Column(name, sa.Integer, *keys, nullable=False)

    erp = sa.MetaData()
    text = sa.String(60)
    warengruppe = sa.Table(
        "warengruppen",
        erp,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("bezeichnung", text),
    )
    artikel = sa.Table(
        "artikel",
        erp,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("artikelnummer", text),
        sa.Column("bezeichnung", text),
        sa.Column("vk_preis", sa.Numeric(10, 2)),
        sa.Column("ek_preis", sa.Numeric(10, 2)),
        ref("warengruppe_id", "warengruppen.id"),
        sa.Column("angelegt_am", sa.DateTime),
    )
    bestand = sa.Table(
        "lagerbestand",
        erp,
        ref("artikel_id", "artikel.id"),
        sa.Column("menge", sa.Numeric(12, 3)),
        sa.Column("geaendert_am", sa.DateTime),
    )
    kunden = sa.Table(
        "kunden", erp, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", text)
    )
    auftrag = sa.Table(
        "auftraege",
        erp,
        sa.Column("id", sa.Integer, primary_key=True),
        ref("kunde_id", "kunden.id"),
        sa.Column("auftragsdatum", sa.DateTime),
        sa.Column("status", text),
    )
    position = sa.Table(
        "auftragspositionen",
        erp,
        sa.Column("id", sa.Integer, primary_key=True),
        ref("auftrag_id", "auftraege.id"),
        ref("artikel_id", "artikel.id"),
        sa.Column("menge", sa.Integer),
        sa.Column("einzelpreis", sa.Numeric(10, 2)),
    )
    lieferant = sa.Table(
        "lieferanten", erp, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", text)
    )
    bestellung = sa.Table(
        "bestellungen",
        erp,
        sa.Column("id", sa.Integer, primary_key=True),
        ref("lieferant_id", "lieferanten.id"),
        sa.Column("bestelldatum", sa.Date),
        sa.Column("liefertermin", sa.Date),
        sa.Column("wareneingang_am", sa.Date),
    )
    bestellposition = sa.Table(
        "bestellpositionen",
        erp,
        sa.Column("id", sa.Integer, primary_key=True),
        ref("bestellung_id", "bestellungen.id"),
        ref("artikel_id", "artikel.id"),
        sa.Column("menge", sa.Integer),
    )
    engine = sa.create_engine(url)
    erp.create_all(engine, checkfirst=False)
    last = NOW.replace(tzinfo=None)
    articles = range(101, 121)
    orders = [
        {
            "id": 9000 + day,
            "kunde_id": 1 + day % 3,
            "auftragsdatum": last - timedelta(days=day, minutes=30),
            "status": "Storniert" if day == 7 else "Versandt",
        }
        for day in range(1, DAYS + 1)
    ]
    with engine.begin() as connection:
        for table, rows in (
            (warengruppe, [{"id": 1, "bezeichnung": "Schrauben"}]),
            (
                artikel,
                [
                    {
                        "id": i,
                        "artikelnummer": f"S-{i:04}",
                        "bezeichnung": f"Schraube {i}",
                        "vk_preis": i / 10,
                        "ek_preis": i / 20,
                        "warengruppe_id": 1,
                        "angelegt_am": last,
                    }
                    for i in articles
                ],
            ),
            (bestand, [{"artikel_id": i, "menge": i, "geaendert_am": last} for i in articles]),
            (kunden, [{"id": i, "name": f"Kunde {i}"} for i in (1, 2, 3)]),
            (auftrag, orders),
            (
                position,
                [
                    {
                        "id": 10 * order["id"] + n,
                        "auftrag_id": order["id"],
                        "artikel_id": 101 + n,
                        "menge": n + 1,
                        "einzelpreis": 2,
                    }
                    for order in orders
                    for n in range(3)
                ],
            ),
            (lieferant, [{"id": 1, "name": "Meier GmbH"}, {"id": 2, "name": "Huber KG"}]),
            (
                bestellung,
                [
                    {
                        "id": 50 + i,
                        "lieferant_id": 1 + i % 2,
                        "bestelldatum": date(2024, 6, 1),
                        "liefertermin": date(2024, 7, 1),
                        "wareneingang_am": date(2024, 6, 20) if i < 5 else None,
                    }
                    for i in range(8)
                ],
            ),
            (
                bestellposition,
                [
                    {"id": 1 + i, "bestellung_id": 50 + i, "artikel_id": 101 + i, "menge": 100}
                    for i in range(8)
                ],
            ),
        ):
            connection.execute(table.insert(), rows)
    engine.dispose()


def by_name(proposal: ConnectProposal) -> dict[str, Any]:
    return {frame.name: frame for frame in proposal.frames}


async def read_back(proposal: ConnectProposal, folder: Path) -> Snapshot:
    file = folder / "business.toml"
    file.write_text(proposal.toml)
    business = Business.from_toml(file)
    assert business.store
    return await business.store.read_snapshot(NOW)


def check_erp(proposal: ConnectProposal, snapshot: Snapshot) -> None:
    assert proposal.complete
    assert {name: frame.missing for name, frame in by_name(proposal).items()} == {
        "products": [],
        "stock": [],
        "sale_lines": [],
        "open_orders": [],
    }
    lines = by_name(proposal)["sale_lines"]
    assert lines.mappings[0].where_not == {"auftraege.status": ["Storniert"]}
    assert lines.rows_seen == lines.rows_valid == 3 * (DAYS - 1)
    assert lines.sample[0]["sku"] == "S-0101"

    assert snapshot.problems == []
    products, stock, sales, orders, open_orders = snapshot.need(
        "products", "stock", "sales", "orders", "open_orders"
    )
    first = products.set_index("sku").loc["S-0101"]
    assert (first["name"], first["category"]) == ("Schraube 101", "Schrauben")
    assert (first["unit_price"], first["unit_cost"]) == (10.1, 5.05)
    assert stock.set_index("sku")["on_hand"]["S-0120"] == 120
    assert len(orders) == DAYS - 1  # the cancelled one is no sale
    assert orders[["orders", "units", "revenue"]].iloc[0].tolist() == [1, 6, 12]
    assert sales["units"].sum() == 6 * (DAYS - 1)
    assert set(open_orders["supplier"]) == {"Meier GmbH", "Huber KG"}
    assert sorted(open_orders["sku"]) == ["S-0106", "S-0107", "S-0108"]


async def test_a_german_erp_on_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'erp.db'}"
    build_erp(url)
    before = (tmp_path / "erp.db").read_bytes()

    proposal = await propose_mapping(url)

    check_erp(proposal, await read_back(proposal, tmp_path))
    assert (tmp_path / "erp.db").read_bytes() == before


async def test_links_nobody_declared_are_found_by_name_and_value(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'erp.db'}"
    build_erp(url, foreign_keys=False)

    proposal = await propose_mapping(url)

    check_erp(proposal, await read_back(proposal, tmp_path))


@pytest.mark.services
async def test_a_german_erp_on_postgresql(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_erp(postgres_url)
    monkeypatch.setenv("STORE_URL", postgres_url)

    proposal = await propose_mapping(postgres_url)

    check_erp(proposal, await read_back(proposal, tmp_path))


@pytest.mark.services
async def test_a_german_erp_on_mariadb(
    mariadb_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_erp(mariadb_url)
    monkeypatch.setenv("STORE_URL", mariadb_url)

    proposal = await propose_mapping(mariadb_url)

    check_erp(proposal, await read_back(proposal, tmp_path))


CURRENCIES = """
CREATE TABLE products (sku TEXT PRIMARY KEY, name TEXT, price REAL);
INSERT INTO products VALUES ('a', 'Apple', 1.5), ('b', 'Pear', 2.5);
CREATE TABLE stock (sku TEXT REFERENCES products (sku), on_hand INTEGER);
INSERT INTO stock VALUES ('a', 3), ('b', 4);
CREATE TABLE orders (id INTEGER PRIMARY KEY, ordered_at TEXT, currency_code TEXT, status TEXT);
INSERT INTO orders VALUES (1, '2024-06-01', 'EUR', 'NEW'), (2, '2024-06-02', 'EUR', 'OLD');
CREATE TABLE order_lines (order_id INTEGER REFERENCES orders (id),
  sku TEXT REFERENCES products (sku), quantity INTEGER, unit_price REAL);
INSERT INTO order_lines VALUES (1, 'a', 1, 1.5), (2, 'b', 2, 2.5);
"""


@pytest.mark.parametrize(
    ("change", "currency", "told"),
    [
        ("", "EUR", "# The currency is EUR, as orders.currency_code says."),
        (
            "UPDATE orders SET currency_code = 'USD' WHERE id = 2",
            "EUR",
            "# Amounts are in several currencies (EUR 50%, USD 50% of orders.currency_code). Those "
            "in USD are kept apart until rates = { USD = … } says what one is worth in EUR.",
        ),
        (
            "ALTER TABLE orders DROP COLUMN currency_code",
            "XXX",
            "# What money the amounts are in could not be told: write currency = 'EUR'",
        ),
    ],
)
async def test_the_currency_is_read_and_never_guessed(
    tmp_path: Path, change: str, currency: str, told: str
) -> None:
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.executescript(CURRENCIES + change)
    connection.close()

    proposal = await propose_mapping(f"sqlite:///{tmp_path / 'shop.db'}")

    assert proposal.complete
    assert told in proposal.toml
    assert (await read_back(proposal, tmp_path)).currency == currency


@pytest.mark.services
async def test_states_are_found_in_all_stretches_of_a_large_table_without_reading_it_all(
    postgres_url: str, mariadb_url: str, tmp_path: Path
) -> None:
    rows = 100_000
    for url in (postgres_url, mariadb_url, f"sqlite:///{tmp_path / 'large.db'}"):
        engine = sa.create_engine(url)
        orders = sa.Table(
            "orders",
            sa.MetaData(),
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("status", sa.String(20)),
        )
        orders.create(engine)
        # Void orders lie in the middle alone, and the last row says something of its own.
        with engine.begin() as connection:
            connection.execute(
                orders.insert(),
                [
                    {"id": n, "status": "void" if 40_000 < n < 60_000 else "paid"}
                    for n in range(1, rows)
                ]
                + [{"id": rows, "status": "open"}],
            )
        read = []
        with engine.connect() as connection:
            sa.event.listen(
                connection,
                "before_cursor_execute",
                lambda c, cursor, statement, *rest, read=read: read.append(statement.upper()),
            )
            found = read_catalogue(Looker(connection, time.monotonic() + 60))
            assert set(found.tables["orders"].states["status"]) == {"open", "paid", "void"}
        ours = [statement for statement in read if "FROM ORDERS" in statement]
        assert len(ours) > 2
        assert all("LIMIT" in statement or "MIN(" in statement for statement in ours)
        engine.dispose()


async def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.executescript(
        """CREATE TABLE products (sku TEXT PRIMARY KEY, title TEXT);
           INSERT INTO products VALUES ('a', 'Apple'), ('b', 'Pear');
           CREATE TABLE visits (page TEXT, seen_at TEXT);"""
    )
    connection.close()

    proposal = await propose_mapping(f"sqlite:///{tmp_path / 'shop.db'}")

    frames = by_name(proposal)
    assert not proposal.complete
    assert frames["products"].mappings[0].columns == {"sku": "sku", "name": "title"}
    assert frames["products"].missing == ["unit_price"]
    assert (
        "nothing looks like unit_price (usual names: unit price" in frames["products"].problems[-1]
    )
    assert frames["sale_lines"].mappings == []
    assert "no table looks like sale_lines (there is products, visits)" in str(
        frames["sale_lines"].problems
    )
    assert (
        "# products is not here: products has nothing that looks like unit_price." in proposal.toml
    )
    assert "store.frames.products" not in proposal.toml


async def test_rows_that_do_not_fit_are_counted_with_an_example(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'erp.db'}"
    build_erp(url)
    connection = sqlite3.connect(tmp_path / "erp.db")
    connection.execute("UPDATE artikel SET vk_preis = 'auf Anfrage' WHERE id = 103")
    connection.execute("UPDATE lagerbestand SET menge = 'viele' WHERE artikel_id = 104")
    connection.commit()
    connection.close()

    frames = by_name(await propose_mapping(url))

    stock, products = frames["stock"], frames["products"]
    assert (stock.rows_seen, stock.rows_valid) == (20, 19)
    assert "(1 row, for instance 'viele')" in stock.problems[0]
    assert (products.rows_seen, products.rows_valid) == (20, 20)  # a price may be empty
    assert "taken as empty (1 row, for instance 'auf Anfrage')" in products.problems[0]


async def test_a_password_reaches_neither_the_proposal_nor_the_file() -> None:
    with pytest.raises(SourceUnavailable) as caught:
        await propose_mapping("postgresql://shop:canary-7f3@127.0.0.1:1/shop")
    assert "canary-7f3" not in str(caught.value)


@pytest.mark.services
async def test_the_file_names_a_variable_instead_of_the_password(postgres_url: str) -> None:
    build_erp(postgres_url)
    url = sa.make_url(postgres_url).set(password="canary-7f3")  # trust: any password is welcome

    proposal = await propose_mapping(url.render_as_string(hide_password=False))

    assert "canary-7f3" not in proposal.model_dump_json()
    assert tomllib.loads(proposal.toml)["store"]["url"] == "${STORE_URL}"


async def test_an_empty_database_and_a_nonsense_url_are_refused(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(EmptySource, match=r"no tables in sqlite file .*empty\.db"):
        await propose_mapping(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(ConfigurationError, match="not a database URL"):
        await propose_mapping("my shop")
    with pytest.raises(ConfigurationError, match="'oracle' are not supported"):
        await propose_mapping("oracle://scott@db/shop")
