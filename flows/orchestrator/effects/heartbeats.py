"""Heartbeats: a watcher outside hears that a check ran, and notices when one did not.

Called as healthchecks.io and its like have it: the URL itself when the check ran to its end, and
``/fail`` below it when it could look at nothing, or broke off. A check that never began says
nothing: that is what the watcher waits for.
"""

from __future__ import annotations

from datetime import timedelta

from blocks.errors import OrchestratorError
from blocks.ledger import Ledger
from blocks.ledger.work.effects import EffectRecord
from blocks.partners.answers import require_success
from blocks.partners.http import fetch
from blocks.settings import get_settings
from blocks.vocabulary.effects import Effect, EffectStatus
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.effects.kinds import Came, Kind
from flows.orchestrator.effects.perform import Doer, intend, perform

TIMEOUT = 5.0
"""Seconds that a watcher has to answer: a check does not wait for longer."""

_WHO = "the watcher of ORCHESTRATOR_HEARTBEAT_URL"


async def beat(by: Doer, workflow: str, run_id: str, *, ok: bool) -> None:
    """Tell the watcher that a check is over; nothing where there is none.

    Args:
        by: Whose check it was.
        workflow: The check.
        run_id: Its run.
        ok: Whether it ran to its end.

    Raises:
        LedgerError: It could not be put on record, and nobody was told.
    """
    if get_settings().heartbeat_url is None:
        return
    now = utc_now()
    until = now + HEARTBEAT.lease
    wanted = EffectRecord(
        kind=HEARTBEAT.name,
        target=f"watcher:{workflow}",
        need_key=f"heartbeat of {run_id}",
        cause=run_id,
        payload={"ok": ok},
        run_id=run_id,
        intended_at=now,
        next_at=until,
    )
    why = f"{workflow} {'ran to its end' if ok else 'came to nothing'}."
    if intent := await intend(by, HEARTBEAT, wanted, why):
        await perform(by, HEARTBEAT, intent, _call, until)


async def _call(effect: EffectRecord) -> Came:
    url = get_settings().heartbeat_url
    if url is None:
        return Came(EffectStatus.FAILED, "There is no watcher any more.", is_final=True)
    where = url.get_secret_value().rstrip("/") + ("" if effect.payload["ok"] else "/fail")
    try:
        require_success(await fetch(where, source=_WHO, timeout=TIMEOUT, excerpt=100), _WHO)
    except OrchestratorError as error:
        return Came(EffectStatus.FAILED, error.what)
    return Came(EffectStatus.DONE, "It was heard.")


async def _may_be_told_again(ledger: Ledger, effect: EffectRecord) -> Came:
    """Heard twice is heard: whoever died over it asks nothing of a person."""
    return Came(EffectStatus.FAILED, "Whoever called the watcher died over it.")


HEARTBEAT = Kind(
    name="heartbeat",
    says=Effect(
        precondition="a check is over",
        prediction="the watcher hears of it",
        verified_by="the watcher's answer",
        blast_radius="whoever the watcher wakes",
        cooldown=timedelta(0),
    ),
    act=_call,
    look_up=_may_be_told_again,
    schedule=(timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5)),
    lease=timedelta(seconds=4 * TIMEOUT),
)
"""After the schedule it is given up: that nothing was heard, the watcher notices by itself."""
