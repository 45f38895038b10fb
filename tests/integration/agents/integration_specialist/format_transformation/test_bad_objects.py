"""One bad table or view elsewhere in a database costs only itself."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from agents.integration_specialist.format_transformation import ConnectProposal, propose_mapping
from tests.shops import fill


def check(proposal: ConnectProposal, left_out: list[str]) -> None:
    assert proposal.complete
    assert proposal.left_out == left_out
    seen = {frame.name: (frame.rows_valid, frame.rows_seen) for frame in proposal.frames}
    assert seen["products"] == seen["stock"] == (2, 2)
    assert seen["sale_lines"][0] >= 1


def execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


async def test_of_a_sqlite_file(tmp_path: Path) -> None:
    url = fill(f"sqlite:///{tmp_path / 'shop.db'}", "bad_objects/sqlite")
    check(
        await propose_mapping(url),
        [
            "customer_notes (text that is no UTF-8)",
            "report_old (a view over something that is gone)",
        ],
    )


async def test_text_that_is_no_utf8_in_a_mapped_table_costs_its_row(tmp_path: Path) -> None:
    url = fill(f"sqlite:///{tmp_path / 'shop.db'}", "bad_objects/sqlite")
    with sqlite3.connect(tmp_path / "shop.db") as file:
        file.execute("INSERT INTO products VALUES ('A-3', CAST(x'4772FCDF65' AS TEXT), 1)")
    file.close()

    proposal = await propose_mapping(url)

    products = proposal.frames[0]
    assert (products.rows_valid, products.rows_seen) == (2, 3)
    assert "'Gr" in products.problems[0]
    assert proposal.model_dump_json()  # the undecodable bytes are in no text that is passed on


@pytest.mark.services
async def test_of_postgresql(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(postgres_url, "bad_objects/postgresql")
    execute(
        postgres_url,
        "CREATE SCHEMA hr",
        "CREATE TABLE hr.salaries (id int)",
        "CREATE TABLE letters (id int)",
        "CREATE MATERIALIZED VIEW never AS SELECT 1 AS one WITH NO DATA",
        "DROP ROLE IF EXISTS bad_objects_reader",
        "CREATE ROLE bad_objects_reader LOGIN",
        "GRANT USAGE ON SCHEMA public, wms TO bad_objects_reader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public, wms TO bad_objects_reader",
        "REVOKE SELECT ON letters FROM bad_objects_reader",
    )
    try:
        reader = sa.make_url(postgres_url).set(username="bad_objects_reader")
        proposal = await propose_mapping(reader.render_as_string(hide_password=False))
    finally:
        execute(
            postgres_url,
            "REASSIGN OWNED BY bad_objects_reader TO CURRENT_USER",
            "DROP OWNED BY bad_objects_reader",
            "DROP ROLE bad_objects_reader",
        )

    check(
        proposal,
        [
            "hr.salaries (this user has no right to read it)",
            "letters (this user has no right to read it)",
            "museum (a date outside the years 1 to 9999: 12026-01-01)",
            "never (a materialized view that was never filled)",
            "price_rules (a date outside the years 1 to 9999: infinity)",
        ],
    )
    (lines,) = [frame for frame in proposal.frames if frame.name == "sale_lines"]
    assert sorted(row["unit_price"] for row in lines.sample) == [9.5, 1234.5]  # of type money
    assert lines.rows_seen == 2
    # The only place where stock is summed up is a materialized view in another schema.
    assert proposal.tables == 7
    assert "wms.stock_total" in str(proposal.frames[3].problems)


@pytest.mark.services
async def test_of_mariadb(mariadb_url: str) -> None:
    proposal = await propose_mapping(fill(mariadb_url, "bad_objects/mariadb"))

    check(
        proposal,
        [
            "report_definer (a view whose definer is gone)",
            "report_old (a view over something that is gone)",
        ],
    )
    (lines,) = [frame for frame in proposal.frames if frame.name == "sale_lines"]
    assert lines.mappings[0].columns["order_id"] == "order"
    assert (lines.rows_valid, lines.rows_seen) == (1, 3)
    assert "0000-00-00 00:00:00" in lines.problems[0] or "2026-02-31" in lines.problems[0]
    assert lines.questions == ["only 1 of 3 rows fit: is it what is meant?"]
    assert not lines.ticked


@pytest.mark.services
async def test_a_view_that_takes_too_long_and_parts_of_a_table_cost_themselves(
    postgres_url: str,
) -> None:
    fill(postgres_url, "bad_objects/postgresql")
    execute(
        postgres_url,
        "DROP TABLE price_rules, museum",
        "CREATE VIEW slow AS SELECT sku, pg_sleep(30)::text AS nap FROM products",
        "ALTER TABLE sale_lines RENAME TO sale_lines_old",
        "CREATE TABLE sale_lines (LIKE sale_lines_old) PARTITION BY RANGE (sold_at)",
        "CREATE TABLE sale_lines_2026 PARTITION OF sale_lines"
        " FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        "INSERT INTO sale_lines SELECT * FROM sale_lines_old",
        "DROP TABLE sale_lines_old",
    )

    proposal = await propose_mapping(postgres_url)

    check(proposal, ["slow (it took longer than 3 s)"])
    (lines,) = [frame for frame in proposal.frames if frame.name == "sale_lines"]
    assert [mapping.table for mapping in lines.mappings] == ["sale_lines"]
    assert proposal.tables == 5  # sale_lines_2026 is none of its own
