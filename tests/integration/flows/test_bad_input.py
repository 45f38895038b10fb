"""Whatever is wrong with a business, its workflows do what can be done and say what is missing."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from blocks.errors import ConfigurationError
from blocks.vocabulary.effects import EffectVerdict
from flows.daily_health_check import daily_health_check
from tests.integration.flows.seen import WORKFLOWS, assert_nothing_half_written, ran
from tests.integration.flows.shop import WEB_PAGE
from tests.loopback import HANG, serve

pytestmark = pytest.mark.prefect


async def column_is_missing(shop):
    shop.sql("ALTER TABLE stock RENAME COLUMN on_hand TO quantity")


async def column_holds_words(shop):
    shop.sql("UPDATE stock SET on_hand = 'plenty'")


async def some_rows_hold_words(shop):
    shop.sql("UPDATE sale_lines SET units = 'lots' WHERE line_id % 50 = 0")


async def table_is_missing(shop):
    shop.sql("DROP TABLE products")


async def table_is_empty(shop):
    shop.sql("DELETE FROM sale_lines")


async def every_table_is_empty(shop):
    shop.sql(*(f"DELETE FROM {table}" for table in ("products", "stock", "sale_lines")))


async def supplier_hangs(shop):
    shop.answers["acme"] = HANG
    shop.description["suppliers"][0]["timeout"] = 0.2


async def supplier_answers_a_web_page(shop):
    shop.answers["acme"] = WEB_PAGE


async def store_is_not_configured(shop):
    del shop.description["store"]


async def database_is_gone(shop):
    shop.database.unlink()


async def database_is_locked(shop):
    shop.description["store"]["statement_timeout"] = 0.3
    connection = shop.open.enter_context(closing(sqlite3.connect(shop.database)))
    connection.execute("BEGIN EXCLUSIVE")


async def database_hangs(shop):
    silent = await shop.open.enter_async_context(serve(HANG))
    url = f"mysql://shop:canary-secret@127.0.0.1:{silent.port}/shop"
    shop.description["store"] |= {"url": url, "statement_timeout": 0.3}


@pytest.mark.parametrize(
    ("fault", "missing", "title"),
    [
        (column_is_missing, "no column 'on_hand'", "The store's stock cannot be read"),
        (column_holds_words, "unreadable (12 rows, for instance 'plenty')", "stock cannot be"),
        (some_rows_hold_words, "sale_lines.units: empty or unreadable", "for instance 'lots'"),
        (table_is_missing, "no table or view 'products'", "The store's products cannot be read"),
        (supplier_hangs, "'acme' gave no complete answer within 0.2 s", "acme does not answer"),
        (supplier_answers_a_web_page, "not answer a JSON catalogue", "acme answers something"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_what_is_wrong_is_told_and_the_rest_is_done(
    fault, missing, title, shop, ledger, caplog
):
    await fault(shop)
    shop.configure()
    state, report = await ran(daily_health_check)
    assert state.is_completed()
    assert any(missing in line for line in report.missing), report.missing
    assert any(title in finding.title for finding in report.findings)
    for part in ("Trade on", "Data quality", "Systems", "Connections"):
        assert any(section.title.startswith(part) for section in report.sections), part
    assert "Traceback" not in caplog.text
    await assert_nothing_half_written(ledger, report)


@pytest.mark.parametrize(
    ("fault", "missing", "title"),
    [
        (table_is_empty, "sale_lines has no rows", "sale_lines cannot be read"),
        (every_table_is_empty, "stock has no rows", "products and stock and sale_lines cannot"),
        (store_is_not_configured, "The business has no store", ""),
        (database_is_gone, "database is gone: there is no sqlite file", "shop does not answer"),
        (database_is_locked, "is locked by another program", "shop does not answer"),
        (database_hangs, "did not finish within 0.3 s", "shop does not answer"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_without_sales_every_workflow_does_what_is_left(
    fault, missing, title, shop, ledger, caplog
):
    await fault(shop)
    shop.configure()
    ended = await asyncio.gather(*map(ran, WORKFLOWS))
    daily, parallel, sequential, critical = (report for _, report in ended)
    for state, report in ended:
        assert state.is_completed(), state
        assert any(missing in line for line in report.missing), report.missing
    # A store that nobody configured is missing, not wrong: no finding is due.
    assert not title or any(title in finding.title for finding in daily.findings)
    for report in (daily, parallel):
        for part in ("Systems", "Connections"):
            assert any(section.title.startswith(part) for section in report.sections), part
    assert not any("What sells" in section.title for section in sequential.sections)
    assert critical.orders is None
    assert "Traceback" not in caplog.text
    assert "canary-secret" not in caplog.text + "".join(r.model_dump_json() for _, r in ended)
    await assert_nothing_half_written(ledger, daily, parallel, sequential, critical)


async def test_a_part_that_is_configured_wrongly_is_left_out_and_named(shop, ledger, caplog):
    shop.description["suppliers"][0]["auth"] = "magic"
    shop.configure()
    state, report = await ran(daily_health_check)
    assert state.is_completed()
    (line,) = (line for line in report.missing if line.startswith("Left out of the business: "))
    assert "suppliers[0].auth" in line
    assert any(section.title.startswith("Trade on") for section in report.sections)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("fault", [database_is_gone, database_is_locked])
async def test_earlier_data_stand_in_for_a_store_that_is_away_and_are_called_so(
    fault, shop, ledger, caplog
):
    _, before = await ran(daily_health_check)
    await fault(shop)
    shop.configure()
    _, report = await ran(daily_health_check)
    assert report.sections[0].title == before.sections[0].title
    assert report.sections[0].tables == before.sections[0].tables
    assert any(line.startswith("Fresh data of the store: The ") for line in report.missing)
    (stale,) = (finding for finding in report.findings if finding.kind == "data-stale")
    assert "stand in for fresh ones" in stale.title

    (tried,) = await ledger.effects.acts(run_id=report.run_id)
    assert tried.kind == "sre-reliability.refetch_snapshot"
    # The data that stand in are of a moment ago: there is nothing to fetch.
    assert {line.status for line in report.remediations} == {EffectVerdict.NOT_NEEDED}
    assert "Traceback" not in caplog.text
    await assert_nothing_half_written(ledger, before, report)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[store", "is not TOML"),
        ("", "describes no business"),
        ('[store]\nname = "shop"\nurl = "sqlite:///x.db"\nfarmes = {}', "Did you mean frames"),
        ('[store]\nname = "Shop!"\nurl = "canary-secret"', "store.name: "),
        ('[store]\nname = "shop"\nurl = "${NOT_SET_ANYWHERE}"', "NOT_SET_ANYWHERE is not set"),
    ],
)
async def test_a_business_file_that_cannot_be_used_is_named_with_its_fault(
    content, says, shop, ledger, caplog
):
    shop.business_file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"business\.toml") as told:
        await daily_health_check()
    assert says in str(told.value)
    assert "Traceback" not in caplog.text
    assert "canary-secret" not in caplog.text + str(told.value)
    assert await ledger.runs() == []
