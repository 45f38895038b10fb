"""Migrations: cheap when none is due, all or nothing when one is, and clear when none can be."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Executable, MetaData, create_engine, text, update

from blocks.errors import LedgerSchemaError
from blocks.ledger import Ledger, ReceiptKind
from blocks.ledger.engine import schema
from blocks.ledger.engine.tables import METADATA
from blocks.ledger.events.records import IncidentResponse
from blocks.ledger.events.tables import INCIDENTS
from blocks.ledger.snapshots.frames import pack_frame
from blocks.settings import PROJECT_ROOT
from blocks.vocabulary.amounts import Amounts
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import STOCK
from blocks.vocabulary.messages import AgentMessage

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
Release = Callable[[str], None]
NEWEST = schema.revisions()[-1]
NEXT = f"{int(NEWEST) + 1:04}"


def execute(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def tables(url: str) -> set[str]:
    from sqlalchemy import inspect

    engine = create_engine(url)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Release]:
    """Makes a later release of the migrations, whose last step runs the given statements."""

    def release(body: str) -> None:
        later = tmp_path / "migrations"
        shutil.copytree(schema._MIGRATIONS, later, ignore=shutil.ignore_patterns("__pycache__"))
        (later / "versions" / f"{NEXT}_later.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\n"
            f"revision = '{NEXT}'\ndown_revision = '{NEWEST}'\n"
            f"def upgrade():\n    {body}\n"
        )
        monkeypatch.setattr(schema, "_MIGRATIONS", later)
        schema.revisions.cache_clear()

    yield release
    schema.revisions.cache_clear()


async def test_a_new_ledger_is_at_the_newest_revision(empty_ledger_url: str) -> None:
    with Ledger.open(empty_ledger_url) as ledger:
        assert await ledger.schema_version() == schema.revisions()[-1]
    Ledger.open(empty_ledger_url, migrate=False).close()


def test_many_can_find_an_empty_database_at_once(empty_ledger_url: str) -> None:
    start = threading.Barrier(6)

    def open_ledger(_: int) -> None:
        start.wait()
        Ledger.open(empty_ledger_url, patience=30).close()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(open_ledger, range(6)))


def test_the_migrations_make_the_tables_that_the_code_uses(empty_ledger_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    Ledger.open(empty_ledger_url).close()
    engine = create_engine(empty_ledger_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_the_numbers_in_the_file_names_are_the_line_of_revisions() -> None:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(schema._MIGRATIONS))
    line = [revision.revision for revision in script.walk_revisions()]
    assert line[::-1] == schema.revisions()


def test_opening_an_up_to_date_ledger_imports_neither_alembic_nor_pandas(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    Ledger.open(url).close()
    code = (
        "import sys; from blocks.ledger import Ledger; Ledger.open(sys.argv[1]).close();"
        "print({'alembic', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, url],
        cwd=PROJECT_ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "set()\n"


async def test_an_older_ledger_is_migrated_with_its_entries(
    empty_ledger_url: str, next_release: Release
) -> None:
    with Ledger.open(empty_ledger_url) as ledger:
        ledger.record(AgentMessage(to="data-intelligence", action="kept"))
    next_release("op.add_column('runs', sa.Column('note', sa.Text))")
    with pytest.raises(LedgerSchemaError, match=f"'{NEWEST}'; '{NEXT}' is needed"):
        Ledger.open(empty_ledger_url, migrate=False)
    with Ledger.open(empty_ledger_url) as ledger:
        assert await ledger.schema_version() == NEXT
        assert [call.action for call in await ledger.calls()] == ["kept"]


def at_revision(url: str, revision: str, *statements: Executable | str) -> None:
    """Make the ledger of an earlier release, with something in it."""
    config = Config()
    config.set_main_option("script_location", str(schema._MIGRATIONS))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement in statements:
            connection.execute(text(statement) if isinstance(statement, str) else statement)
    engine.dispose()


MESSAGE = (
    "INSERT INTO messages (id, sender, recipient, type, action, priority, sent_at, payload) "
    "VALUES ('m1', 'system-orchestrator', 'data-intelligence', 'request', 'kept', 2, "
    "'2026-03-01 12:00:00.000000', '{}')"
)


REMEDIATION = (
    "INSERT INTO remediations (id, run_id, need_key, finding, resource, action, status, "
    "started_at, {more} detail, before, after) VALUES ('{id}', 'r', 'need {id}', "
    "'down/service:checkout', 'service:checkout', 'sre-reliability.restart_service', '{status}', "
    "'2026-03-01 12:00:00.000000', {values} 'said {id}', '{{\"ms\": 900}}', '{{}}')"
)


def remediation(name: str, status: str, **instants: str) -> str:
    more = "".join(f"{column}, " for column in instants)
    values = "".join(f"'{instant}', " for instant in instants.values())
    return REMEDIATION.format(id=name, status=status, more=more, values=values)


async def test_an_older_ledger_keeps_its_remediations_as_effects(empty_ledger_url: str) -> None:
    ended = {"finished_at": "2026-03-01 12:00:05.000000"}
    verdicts = ["not-needed", "verified", "ineffective", "inconclusive", "failed", "unknown"]
    deadline = {"deadline": "2026-03-01 12:02:00.000000"}
    at_revision(
        empty_ledger_url,
        "0007",
        *(remediation(verdict, verdict, **ended) for verdict in verdicts),
        remediation("open", "intended", **deadline),
        remediation("older", "intended"),
    )
    with Ledger.open(empty_ledger_url) as ledger:
        kept = {effect.id: effect for effect in await ledger.effects.acts(since=NOON)}
        assert [kept[verdict].outcome.verdict for verdict in verdicts] == verdicts
        assert [kept[verdict].status for verdict in verdicts] == [
            "refused", "done", "done", "done", "failed", "unknown",
        ]  # fmt: skip
        one = kept["verified"]
        assert (one.kind, one.target) == ("sre-reliability.restart_service", "service:checkout")
        assert (one.cause, one.need_key) == ("down/service:checkout", "need verified")
        assert (one.intended_at, one.finished_at) == (NOON, NOON + timedelta(seconds=5))
        assert (one.outcome.detail, one.outcome.before) == ("said verified", {"ms": 900})
        assert await ledger.effects.due(NOON) == []
        due = await ledger.effects.due(NOON + timedelta(minutes=2))
        assert [(effect.id, effect.status) for effect in due] == [("open", "acting")]
        assert len(await ledger.effects.due(NOON + timedelta(minutes=10))) == 2
        assert not await ledger.effects.intend(one)
    assert "remediations" not in tables(empty_ledger_url)


async def test_a_ledger_from_before_the_api_is_migrated_with_its_entries(
    empty_ledger_url: str,
) -> None:
    at_revision(empty_ledger_url, "0003", MESSAGE)
    with pytest.raises(LedgerSchemaError, match=f"'0003'; '{NEWEST}' is needed"):
        Ledger.open(empty_ledger_url, migrate=False)
    with Ledger.open(empty_ledger_url) as ledger:
        assert await ledger.schema_version() == NEWEST
        assert [call.action for call in await ledger.calls()] == ["kept"]
        assert await ledger.tokens.list() == []


async def test_what_was_settled_before_there_were_outages_stays_settled(
    empty_ledger_url: str,
) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    old = {"id": "s", "need_key": "k", "resource": "service:web", "severity": "critical"}
    old |= {"title": "Ill", "opened_at": now, "updated_at": now, "events": 0, "settled_at": now}
    situations = INCIDENTS.to_metadata(MetaData(), name="situations")
    at_revision(
        empty_ledger_url,
        "0004",
        situations.insert().values(**old, status="settled", response={"mended": True}),
        situations.insert().values(**old | {"id": "o", "need_key": "o"}, status="open"),
        update(situations).where(situations.c.id == "o").values(settled_at=None),
    )
    with Ledger.open(empty_ledger_url) as ledger:
        kept = await ledger.inbox.incident("s")
        assert kept is not None
        assert kept.is_over
        assert (kept.ending, kept.response) == (None, IncidentResponse(mended=True))
        assert [each.id for each in await ledger.incidents.open()] == ["o"]
        assert await ledger.incidents.unasked(now) == []


OLD_INCIDENT = (
    "INSERT INTO situations (id, need_key, resource, severity, title, opened_at, updated_at, "
    "status, events, response, group_key) VALUES ('{id}', '{id}', 'service:web', 'critical', "
    "'Ill', '2026-03-01 12:00:00.000000', '2026-03-01 12:00:00.000000', 'standing', 2, {response}, "
    "{group})"
)
OLD_EVENT = (
    "INSERT INTO events (source, id, type, time, severity, rank, subject, data, fingerprint, "
    "content_hash, received_at, status, tries, situation_id) VALUES ('dog', '{id}', '{type}', "
    "'2026-03-01 12:00:00.000000', 'error', {rank}, 'service:web', '{{}}', '{id}', 'h', "
    "'2026-03-01 12:00:00.000000', 'settled', 1, '{of}')"
)


async def test_what_was_open_before_people_were_told_of_incidents_is_told_as_what_it_is(
    empty_ledger_url: str,
) -> None:
    told = """'{"done": "x", "told": {"labels": {"team": "shop"}}}'"""
    at_revision(
        empty_ledger_url,
        "0012",
        OLD_INCIDENT.format(id="asked", response=told, group="'dog all'"),
        OLD_INCIDENT.format(id="other", response="NULL", group="NULL"),
        OLD_INCIDENT.format(id="empty", response="NULL", group="NULL"),
        OLD_EVENT.format(id="e1", type="disk.low", rank=1, of="asked"),
        OLD_EVENT.format(id="e2", type="disk.full", rank=2, of="asked"),
        OLD_EVENT.format(id="e3", type="job.failed", rank=2, of="other"),
    )
    with Ledger.open(empty_ledger_url) as ledger:
        found = {each.id: each for each in await ledger.incidents.open()}
        assert {i: (one.type, one.notice_group, one.labels) for i, one in found.items()} == {
            "asked": ("disk.full", "dog all", {"team": "shop"}),
            "other": ("job.failed", "dog job.failed", {}),
            "empty": ("", "", {}),
        }


async def test_a_ledger_from_before_large_ledgers_keeps_what_it_knows(
    empty_ledger_url: str,
) -> None:
    frame, _ = conform(pd.DataFrame({"sku": ["a"], "on_hand": [3]}), STOCK)
    blob = pack_frame("stock", frame).hex()
    literal = f"X'{blob}'" if empty_ledger_url.startswith("sqlite") else f"decode('{blob}', 'hex')"
    receipts = [
        "INSERT INTO receipts (seq, id, at, kind, subject, policy_version, body, previous, hash) "
        f"VALUES ({seq}, 'r{seq}', '2026-03-01 12:00:00.000000', '{kind}', 'm{seq}', '', '{{}}', "
        "'', '')"
        for seq, kind in enumerate(("select", "route", "select", "select"), start=1)
    ]
    at_revision(
        empty_ledger_url,
        "0004",
        MESSAGE,
        "INSERT INTO attempts (message_id, attempt, agent, started_at, deadline, finished_at, "
        "outcome) VALUES ('m1', 1, 'data-intelligence', '2026-03-01 12:00:01.000000', "
        "'2026-03-01 12:01:00.000000', '2026-03-01 12:00:02.000000', 'succeeded')",
        "INSERT INTO snapshots (id, taken_at, currency, timezone, stale_because, store, problems) "
        "VALUES ('s1', '2026-03-01 12:00:00.000000', 'EUR', 'UTC', '', 'shop', '[]')",
        f"INSERT INTO snapshot_frames VALUES ('s1', 'stock', {literal})",
        *receipts,
        "INSERT INTO outcomes (receipt_id, kind, subject, decided_at, settled_at, verdict, detail) "
        "VALUES ('r1', 'select', 'm1', '2026-03-01 12:00:00.000000', "
        "'2026-03-01 13:00:00.000000', 'succeeded', '{}')",
    )
    with Ledger.open(empty_ledger_url) as ledger:
        (attempt,) = await ledger.past_attempts(NOON - timedelta(days=1), 10)
        assert (attempt.action, attempt.sent_at) == ("kept", NOON)
        kept = await ledger.snapshots.latest("shop")
        by_item = await ledger.snapshots.of_item("shop", "a")
        assert kept
        assert by_item
        for read in (kept, by_item):
            pd.testing.assert_frame_equal(read.frames["stock"], frame)
        for kind, ids in ((ReceiptKind.SELECT, ["r3", "r4"]), (ReceiptKind.ROUTE, ["r2"])):
            found = await ledger.outcomes.open_decisions(kind, 10)
            assert [receipt.id for receipt in found.receipts.values()] == ids
    engine = create_engine(empty_ledger_url)
    with engine.connect() as connection:
        standing = connection.execute(text("SELECT kind, read_to FROM settling ORDER BY kind"))
        assert standing.all() == [("route", 1), ("select", 2)]
    engine.dispose()


async def test_of_earlier_snapshots_nobody_has_said_what_their_money_is(
    empty_ledger_url: str,
) -> None:
    at_revision(
        empty_ledger_url,
        "0008",
        "INSERT INTO snapshots (id, taken_at, currency, timezone, stale_because, problems) VALUES "
        "('s1', '2026-03-01 12:00:00.000000', 'EUR', 'UTC', '', '[]')",
    )
    with Ledger.open(empty_ledger_url) as ledger:
        kept = await ledger.snapshots.latest("")
        assert kept
        assert (kept.currency, kept.amounts) == ("EUR", Amounts())


async def test_a_migration_that_fails_changes_nothing(
    empty_ledger_url: str, next_release: Release
) -> None:
    Ledger.open(empty_ledger_url).close()
    next_release("op.create_table('half', sa.Column('a', sa.Text)); op.drop_table('nonsense')")
    with pytest.raises(LedgerSchemaError, match=rf"'{NEXT}': .*nonsense.* unchanged"):
        Ledger.open(empty_ledger_url)
    assert "half" not in tables(empty_ledger_url)
    schema._MIGRATIONS.joinpath(f"versions/{NEXT}_later.py").unlink()
    schema.revisions.cache_clear()
    with Ledger.open(empty_ledger_url) as ledger:
        assert await ledger.schema_version() == NEWEST


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DROP TABLE replies", "replies"),
        ("ALTER TABLE attempts DROP COLUMN error", "error"),
        ("DELETE FROM alembic_version", "no version"),
        ("DROP TABLE alembic_version", "no version"),
    ],
)
@pytest.mark.parametrize("migrate", [True, False])
def test_a_half_migrated_ledger_is_left_alone_and_the_way_out_is_named(
    empty_ledger_url: str, damage: str, said: str, migrate: bool
) -> None:
    Ledger.open(empty_ledger_url).close()
    execute(empty_ledger_url, damage)
    before = tables(empty_ledger_url)
    with pytest.raises(LedgerSchemaError, match=f"half-migrated: .*{said}.*Restore its backup"):
        Ledger.open(empty_ledger_url, migrate=migrate)
    assert tables(empty_ledger_url) == before


def test_a_version_without_any_table_is_half_migrated(empty_ledger_url: str) -> None:
    execute(
        empty_ledger_url,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)",
        f"INSERT INTO alembic_version VALUES ('{schema.revisions()[-1]}')",
    )
    with pytest.raises(LedgerSchemaError, match="half-migrated"):
        Ledger.open(empty_ledger_url)


@pytest.mark.parametrize("version", ["9999", "a1b2c3d4"])
def test_a_newer_ledger_asks_for_newer_software(empty_ledger_url: str, version: str) -> None:
    Ledger.open(empty_ledger_url).close()
    execute(empty_ledger_url, f"UPDATE alembic_version SET version_num = '{version}'")
    with pytest.raises(LedgerSchemaError, match=f"version '{version}'.*upgrade the software"):
        Ledger.open(empty_ledger_url)


def test_a_database_without_a_schema_is_not_given_one_unasked(postgres_url: str) -> None:
    with pytest.raises(LedgerSchemaError, match=r"version 'none'.*orchestrator up"):
        Ledger.open(postgres_url, migrate=False)
    assert tables(postgres_url) == set()
