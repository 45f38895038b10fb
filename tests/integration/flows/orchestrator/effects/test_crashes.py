"""kill -9 at every named point of an effect's life: nothing lost, nothing done twice.

Whose outcome nobody knows is with a person.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from datetime import timedelta
from pathlib import Path

from blocks.ledger import Ledger
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.effects.sweep import sweep
from tests.effects import Clerk
from tests.forked import run_script
from tests.integration.flows.orchestrator.effects.lives import LIVES

DIE = """
import sys
from tests.integration.flows.orchestrator.effects.lives import die_all
die_all(*sys.argv[1:])
"""

AFTERWARDS = {
    # The acts that the target has seen, how the effect stands, and how often a person was asked.
    "effect.intended/silent": (["act"], "done", 0),
    "effect.intended/asked": (["act"], "done", 0),
    "effect.acting/silent": ([], "unknown", 1),
    "effect.acting/asked": (["act"], "done", 0),
    "effect.acted/silent": (["act"], "unknown", 1),
    "effect.acted/asked": (["act"], "done", 0),
    "effect.closed/silent": (["act"], "done", 0),
    "effect.closed/asked": (["act"], "done", 0),
    "effect.asked/silent": (["act"], "unknown", 1),
    "effect.asked/asked": (["act"], "unknown", 1),
    "effect.undoing/silent": (["act"], "unknown", 1),
    "effect.undoing/asked": (["act"], "unknown", 1),
    "effect.taken-back/silent": (["act", "undo"], "unknown", 1),
    "effect.taken-back/asked": (["act", "undo"], "unknown", 1),
    "effect.looked-up/asked": (["act"], "done", 0),
}


async def test_an_effect_survives_the_death_of_who_does_it(ledger_url: str, tmp_path: Path) -> None:
    Ledger.open(ledger_url).close()
    died = await asyncio.to_thread(run_script, DIE, ledger_url, str(tmp_path))
    assert died.stdout.split() == [
        word for life in LIVES for word in (life.name, str(-signal.SIGKILL))
    ], died.stderr
    kinds = {life.name: life.kind(tmp_path) for life in LIVES}
    with Ledger.open(ledger_url) as ledger:
        for days in (1, 2, 3):
            now = utc_now() + timedelta(days=days)
            await asyncio.gather(*(sweep(Clerk(ledger), kinds, now) for _ in range(2)))
        effects = {effect.kind: effect for effect in await ledger.effects.list()}
        asked = Counter(q.proposal["effect_id"] for q in await ledger.approvals.list())
        found = {
            life.name: (
                [
                    "undo" if act.startswith("undo-") else "act"
                    for act in life.target(tmp_path).acts
                ],
                effects[life.name].status.value,
                asked[effects[life.name].id],
            )
            for life in LIVES
        }
        assert found == AFTERWARDS
        for effect in effects.values():
            assert bool(effect.approval_id) == (effect.status.value == "unknown")
        assert (await ledger.receipts.verify()).faults == []
