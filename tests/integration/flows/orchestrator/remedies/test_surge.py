"""Limits raised for a surge on a real Prefect server: in force, and put back whatever happens."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import pytest
from prefect import flow, get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings

from agents.registry import registry
from agents.sre_reliability.capacity_planning import raising
from agents.sre_reliability.capacity_planning.preparing import prepare_for_surge as assess
from agents.sre_reliability.system_monitoring.host import WORKERS_MARK
from blocks.business.business import current_business
from blocks.crash_points import VARIABLE as CRASH_AT
from blocks.errors import InvalidMessage, RequestError
from blocks.ledger import EffectRecord, Ledger
from blocks.prefect_api.client import PrefectApi
from blocks.settings import get_settings
from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.messages import Outcome, Priority, utc_now
from flows.deliver_message import deliver_message
from flows.internal.take_back import have_taken_back, take_back_effect
from flows.orchestrator.approvals.caretaker import settle_effects
from flows.orchestrator.dispatch.policy import VARIABLE, forget_policy, write_changes
from flows.orchestrator.effects.claims import claim
from flows.orchestrator.messages.delivery import Delivery
from flows.orchestrator.remedies.surge import Ready, prepare, put_back
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import NothingAchieved
from flows.prepare_for_surge import prepare_for_surge
from tests.forked import orchestrator, run_script
from tests.integration.flows.seen import ran
from tests.integration.flows.shop import SICK, Shop
from tests.integration.pools import own_limit, pool_named, reporting_pool

pytestmark = pytest.mark.prefect

MANY = 3000
"""Items whose work, taken to be 3 s each, keeps almost four slots busy for an hour."""


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raising, "LOOK", 0.02)
    monkeypatch.setenv(WORKERS_MARK, "x")  # as in a run that a worker started


@pytest.fixture
async def pool(shop: Shop) -> AsyncIterator[str]:
    """A pool with a worker of this machine, which has room enough."""
    async with reporting_pool() as name:
        await allow(name, 6)
        yield name
        async with get_client() as client:
            with suppress(ObjectNotFound):
                await client.delete_variable_by_name(VARIABLE)
        forget_policy()


async def allow(pool: str, most: int) -> None:
    room = {"cpu_load": 1e6, "spare_memory": 0.0, "run_memory_gb": 0.001}
    await write_changes({"surge": {"pools": {pool: most}, **room}}, registry())


async def raises(ledger: Ledger) -> list[EffectRecord]:
    return [e for e in await ledger.effects.acts() if e.kind.endswith("raise_pool_limit")][::-1]


@flow
async def surging(*, ends: bool = True) -> tuple[Ready, list[int | None]]:
    """A surge of its own, and the pool's limits while it goes on and afterwards."""
    async with workflow_run("surging") as team:
        ready = await prepare(team, MANY)
        (finding,) = [f for f in ready.reply.result.findings if f.remedy]
        name = finding.remedy.params["pool"]
        limits = [await own_limit(name)]
        if ends:
            await put_back(team)
            limits.append(await own_limit(name))
        return ready, limits


async def test_a_limit_is_raised_is_in_force_and_is_put_back(pool: str, ledger: Ledger) -> None:
    ready, limits = await surging()
    assert limits == [5, None]
    (line,) = ready.raised
    assert (line.status, line.action) == (EffectVerdict.VERIFIED, "raise_pool_limit")
    assert "its worker has read it" in line.detail
    (effect,) = await raises(ledger)
    assert effect.target == f"pool:{pool}"
    assert effect.params == {"pool": pool, "limit": 5, "usual": None}
    assert (effect.status, effect.helped) == (EffectStatus.UNDONE, True)
    assert effect.outcome.after["limit"] == 5
    assert await ledger.effects.due(utc_now() + timedelta(days=1)) == []


async def test_a_third_surge_of_a_day_is_prepared_for_as_the_first(
    pool: str, ledger: Ledger
) -> None:
    """What was put back as it was meant to be is no remedy that did not help."""
    assert [(await surging())[1] for _ in range(3)] == [[5, None]] * 3


async def test_of_two_surges_at_once_the_last_puts_the_usual_limit_back(
    pool: str, ledger: Ledger
) -> None:
    await surging(ends=False)
    assert await own_limit(pool) == 5
    await allow(pool, 4)  # the second one asks for less
    _, limits = await surging()
    assert limits == [5, 5], "the first one still needs it"
    first, second = await raises(ledger)
    assert (first.params["usual"], second.params["usual"]) == (None, None)
    assert (first.status, second.status) == (EffectStatus.DONE, EffectStatus.UNDONE)
    await have_taken_back(first)
    assert await own_limit(pool) is None


async def test_a_surge_that_ends_leaves_what_another_one_needs(pool: str, ledger: Ledger) -> None:
    await surging(ends=False)
    await allow(pool, 4)
    await surging(ends=False)
    first, second = await raises(ledger)
    await have_taken_back(first)
    assert await own_limit(pool) == 4
    await have_taken_back(second)
    assert await own_limit(pool) is None


async def test_a_limit_that_a_person_has_set_meanwhile_stays(pool: str, ledger: Ledger) -> None:
    await surging(ends=False)
    await PrefectApi().limit_pool(pool, 17)
    (effect,) = await raises(ledger)
    assert "A person has set that meanwhile" in await take_back_effect(effect.id)
    assert await own_limit(pool) == 17


async def test_a_limit_of_the_pool_itself_is_put_back(pool: str, ledger: Ledger) -> None:
    await PrefectApi().limit_pool(pool, 2)
    _, limits = await surging()
    assert limits == [5, 2]


async def test_a_pool_that_is_gone_needs_nothing_put_back(pool: str, ledger: Ledger) -> None:
    await surging(ends=False)
    async with get_client() as client:
        await client.delete_work_pool(pool)
    (effect,) = await raises(ledger)
    assert "any more" in await take_back_effect(effect.id)
    assert (await ledger.effects.get(effect.id)).status is EffectStatus.UNDONE


DIE = """
import asyncio
from flows.orchestrator.messages.delivery import Delivery
from flows.orchestrator.team.outcome import NothingAchieved
from flows.prepare_for_surge import prepare_for_surge
asyncio.run(prepare_for_surge(items=3000))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "left"), [("effect.acting", None), ("effect.acted", 5), ("effect.closed", 5)]
)
async def test_who_was_killed_amid_a_surge_leaves_nothing_raised(
    pool: str, ledger: Ledger, point: str, left: int | None
) -> None:
    died = await asyncio.to_thread(run_script, DIE, **{CRASH_AT: point})
    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]
    assert await own_limit(pool) == left
    (effect,) = await raises(ledger)
    held = await ledger.claims.get(effect.target)
    assert held is not None
    await ledger.claims.release(effect.target, held.token)  # which is over by then
    for hours in (3, 6):  # given up as unknown, or done; then put back
        await settle_effects(ledger, utc_now() + timedelta(hours=hours), have_taken_back)
    assert await own_limit(pool) is None
    assert (await ledger.effects.get(effect.id)).status is EffectStatus.UNDONE
    assert await ledger.approvals.list() == []


async def test_what_cannot_be_put_back_now_is_noted_and_swept_later(
    pool: str, ledger: Ledger
) -> None:
    @flow
    async def outranked() -> list[str]:
        async with workflow_run("surging") as team:
            await prepare(team, MANY)
            async with claim(team, f"pool:{pool}", priority=Priority.CRITICAL):
                await put_back(team)
            return team.notes

    (note,) = await outranked()
    assert note.startswith(f"pool:{pool} is put back later: ")
    assert await own_limit(pool) == 5
    await settle_effects(ledger, utc_now() + timedelta(hours=3), have_taken_back)
    assert await own_limit(pool) is None


async def test_a_person_takes_it_back_by_command(
    pool: str, ledger: Ledger, prefect_server: str
) -> None:
    await surging(ends=False)
    (effect,) = await raises(ledger)
    here = {
        "ORCHESTRATOR_LEDGER_URL": get_settings().effective_ledger_url,
        "PREFECT_API_URL": prefect_server,
    }
    shown = await asyncio.to_thread(orchestrator, "effects", **here)
    assert effect.id[:8] in shown.stdout, shown.stderr
    assert "done until" in shown.stdout
    undo = "effects", "undo", effect.id[:8], "--json"
    ended = await asyncio.to_thread(orchestrator, *undo, **here)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)[0]["status"] == "undone"
    shown = await asyncio.to_thread(orchestrator, "effects", **here)
    assert "Nothing is going on" in shown.stdout
    assert await own_limit(pool) is None
    with pytest.raises(RequestError, match="no effect"):
        await take_back_effect("0000000")


async def test_what_was_not_done_or_cannot_be_taken_back_is_refused(
    pool: str, ledger: Ledger
) -> None:
    wanted = {"target": "service:a", "need_key": "a", "intended_at": utc_now()}
    stays = EffectRecord(kind="sre-reliability.restart_service", **wanted)
    raised = EffectRecord(kind="sre-reliability.raise_pool_limit", **wanted | {"need_key": "b"})
    for effect in (stays, raised):
        assert await ledger.effects.intend(effect)
    with pytest.raises(RequestError, match="restart_service cannot be taken back"):
        await take_back_effect(stays.id)
    with pytest.raises(RequestError, match=r"nothing to take back: .* is intended"):
        await take_back_effect(raised.id)


async def test_the_workflow_tells_what_gives_way_first_and_raises(
    shop: Shop, pool: str, ledger: Ledger
) -> None:
    shop.answers["search"] = SICK
    _, report = await ran(prepare_for_surge, items=MANY)
    assert report.outcome is Outcome.SUCCEEDED
    assert "at its present load" in report.headline, "of what is out, or over its limit already"
    unknown = report.headline.rpartition(" Of ")[2]
    assert "ledger:local" in unknown
    assert unknown.endswith(" service:checkout it is not known.")
    (section,) = report.sections
    rows = {str(row[0]).split()[0]: row for row in section.tables[0].rows}
    verdicts = {name: row[-1] for name, row in rows.items()}
    assert rows["service:search"][0] == "service:search health"
    assert rows["service:search"][4] == 0, "at its present load"
    assert verdicts["service:search"] == "GIVES WAY"
    assert verdicts[f"pool:{pool}"] == "GIVES WAY"
    assert verdicts["agent:data-intelligence"] == "bears it"
    assert verdicts["service:checkout"] == "not known"
    assert f"pool:{pool}" in section.charts[0].x
    assert [line.status for line in report.remediations] == [EffectVerdict.VERIFIED]
    assert (await pool_named(pool)).limit == 5, "it is put back when it has lasted long enough"

    _, looked = await ran(prepare_for_surge, items=MANY, raise_limits=False)
    assert looked.remediations == []
    (effect,) = await raises(ledger)
    await have_taken_back(effect)


async def test_a_message_may_ask_what_a_surge_would_break_and_raises_nothing(
    pool: str, ledger: Ledger
) -> None:
    async def asked(action: str, **payload: object) -> Delivery:
        wanted = {"to": "sre-reliability", "action": action, "payload": payload}
        try:
            report = await deliver_message(wanted)
        except NothingAchieved as nothing:
            report = nothing.report  # type: ignore[assignment]
        (delivery,) = report.deliveries
        return delivery

    told = (await asked("prepare_for_surge", items=MANY)).call
    assert told is not None
    assert told.reply is not None
    found = {each["resource"]: each for each in told.reply["result"]["resources"]}
    assert found[f"pool:{pool}"]["verdict"] == "breaks"
    assert found["ledger:local"]["verdict"] == "not-known"
    for items in (0, -1, 10_000_000, 1.5, "many", None):
        refused = await asked("prepare_for_surge", items=items)
        assert refused.letter is not None, items
        assert "items is" in refused.letter.reason
    raised = await asked("raise_pool_limit", pool=pool, limit=9, usual=None)
    assert raised.letter is not None
    assert "may not be asked for by a message" in raised.letter.reason
    assert await own_limit(pool) is None
    assert await raises(ledger) == []


async def test_without_prefect_the_services_and_agents_are_judged_all_the_same(
    shop: Shop, ledger: Ledger
) -> None:
    business = await current_business()
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        found = await assess(10, business, ledger, PrefectApi(deadline=1), utc_now())
    assert any(why.startswith("prefect: ") for why in found.missing)
    assert "prefect:api" in found.not_known
    assert any(each.resource.startswith("agent:") for each in found.resources)
    for items, factor in ((0, 1.5), (1, float("nan")), (1, 0.5)):
        with pytest.raises(InvalidMessage, match="cannot be prepared for"):
            await assess(items, business, ledger, PrefectApi(), utc_now(), factor)
