"""kill -9 at every named point of a real remedy's life, on both databases; ``make soak``.

The life of an effect by itself is in ``test_crashes``, which every run of the tests goes through.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from blocks.crash_points import VARIABLE as CRASH_AT
from blocks.ledger import Ledger
from blocks.settings import get_settings
from blocks.vocabulary.messages import utc_now
from flows.daily_health_check import daily_health_check
from flows.internal.apply_approval import apply_approval
from flows.orchestrator.approvals.caretaker import settle_effects
from flows.orchestrator.dispatch.context import shared_ledger
from tests.forked import run_script
from tests.integration.flows.seen import ran
from tests.integration.flows.shop import Shop

pytestmark = [pytest.mark.prefect, pytest.mark.soak]

CHECK = (
    "import asyncio; from flows.daily_health_check import daily_health_check;"
    "asyncio.run(daily_health_check())"
)

AFTERWARDS = {
    # Restarts when the run died, how the effect stands once it is swept, whether a person is
    # asked, and the restarts after the next check.
    "effect.intended": (0, "refused", False, 1),
    "effect.acting": (0, "unknown", True, 0),
    "effect.acted": (1, "unknown", True, 1),
    "effect.closed": (1, "done", False, 1),
}


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRATOR_LEDGER_URL", ledger_url)
        get_settings.cache_clear()
        ledger = shared_ledger(get_settings().effective_ledger_url)
        yield ledger
        ledger.close()
    get_settings.cache_clear()


@pytest.mark.parametrize("point", AFTERWARDS)
async def test_a_remedy_survives_the_death_of_its_run(
    shop: Shop, ledger: Ledger, point: str
) -> None:
    died_with, status, asked, checked_again_with = AFTERWARDS[point]
    shop.break_checkout()
    ended = await asyncio.to_thread(run_script, CHECK, **{CRASH_AT: point})
    assert ended.returncode == -signal.SIGKILL, ended.stderr[-2000:]
    assert shop.restarts == died_with

    for _ in range(2):
        await settle_effects(ledger, utc_now() + timedelta(hours=1))
    (effect,) = await ledger.effects.acts()
    assert effect.status == status
    held = await ledger.claims.get(effect.target)
    assert held is not None
    await ledger.claims.release(effect.target, held.token)  # which is over by then, too
    questions = await ledger.approvals.list()
    assert [question.id for question in questions] == ([effect.approval_id] if asked else [])

    await ran(daily_health_check)
    assert shop.restarts == checked_again_with
    if asked:
        (question,) = questions
        await ledger.approvals.answer(question.id, True, by="ada", via="test", now=utc_now())
        said = await apply_approval(question.id)
        assert "done" in said or "refused" in said, said  # a service that is well is left alone
        assert shop.restarts == 1
    assert (await ledger.receipts.verify()).faults == []
