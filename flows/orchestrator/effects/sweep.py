"""The one loop that settles effects: what is due is done, and what was left lying is cleared up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from blocks.crash_points import reach
from blocks.errors import OrchestratorError
from blocks.ledger.work.effects import EffectOutcome, EffectRecord
from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.effects.kinds import Came, Kind
from flows.orchestrator.effects.lanes import Lanes
from flows.orchestrator.effects.perform import Doer, ask_a_person, conclude, decide, perform

DIED = "Its run died, or was not heard of in time."
NEVER_BEGUN = "never-begun"
"""The reason why an effect was not done whose run died before it began."""


TakeBack = Callable[[EffectRecord], Awaitable[object]]
"""Takes back what was wanted for a while only; a run has to."""


async def sweep(
    by: Doer,
    kinds: Mapping[str, Kind],
    now: datetime,
    take_back: TakeBack | None = None,
    lanes: Lanes | None = None,
) -> list[str]:
    """Settle what is due. Safe to call at any time, from several processes.

    What was being done by somebody who died is never done again by itself: its target is asked
    what came of it, and where that cannot be told a person is. With nothing due it is one small
    query. What is due on one target is settled one after another, beside that on others.

    Args:
        by: Who settles.
        kinds: Every kind of effect, by its name.
        now: The instant to judge at.
        take_back: How what has lasted long enough is taken back; None: it is left to who can.
        lanes: Where targets that are slow go on beside the next sweep; None: all is waited for.

    Returns:
        What a person should know of, in words.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    if lanes is None:
        async with Lanes() as own:
            return await sweep(by, kinds, now, take_back, own)
    on: dict[str, list[EffectRecord]] = defaultdict(list)
    over = []
    for effect in await by.ledger.effects.due(now):
        kind = _kind_of(effect, kinds)
        if effect.status in _LASTING and kind.says.lasts is not None:
            over.append(effect)
        else:
            on[effect.target].append(effect)
    for target, effects in on.items():
        lanes.start(target, partial(_settle, by, kinds, effects))
    if take_back is not None and over:
        lanes.start(_TAKING_BACK, partial(_take_all_back, over, take_back))
    return await lanes.wait()


_TOLD = (EffectStatus.UNKNOWN, EffectStatus.FAILED)
_LASTING = (EffectStatus.DONE, EffectStatus.UNKNOWN)

_TAKING_BACK = ""
"""The lane of what is taken back: that is a run each time."""


def _kind_of(effect: EffectRecord, kinds: Mapping[str, Kind]) -> Kind:
    return kinds.get(effect.kind) or Kind.forgotten(effect.kind)


async def _settle(
    by: Doer, kinds: Mapping[str, Kind], effects: Sequence[EffectRecord]
) -> list[str]:
    """Settle what is due on one target."""
    said = []
    for effect in effects:
        kind = _kind_of(effect, kinds)
        match effect.status:
            case EffectStatus.ACTING | EffectStatus.UNDOING:
                settled = await _clear_up(by, kind, effect)
            case EffectStatus.INTENDED if effect.approval_id is None:
                settled = await _take_up(by, kind, effect)
            case _:
                settled = await ask_a_person(by, kind, effect)
        if settled is not None and settled.status in _TOLD:
            said.append(f"{effect.kind} on {effect.target}: {settled.outcome.detail}")
    return said


async def _take_all_back(effects: Sequence[EffectRecord], take_back: TakeBack) -> list[str]:
    return [fault for each in effects if (fault := await _have_taken_back(each, take_back))]


async def _have_taken_back(effect: EffectRecord, take_back: TakeBack) -> str:
    """What went wrong; empty when it was taken back. The next sweep tries again."""
    try:
        await take_back(effect)
    except OrchestratorError as error:
        return f"{effect.kind} on {effect.target} could not be taken back: {error}"
    return ""


async def _clear_up(by: Doer, kind: Kind, effect: EffectRecord) -> EffectRecord | None:
    """Settle what somebody was at who is dead; None when another one has settled it."""
    came = None
    if kind.look_up is not None and effect.status is EffectStatus.ACTING:
        came = await kind.look_up(by.ledger, effect)
        reach("effect.looked-up")
    came = came or Came(EffectStatus.UNKNOWN, DIED, EffectVerdict.UNKNOWN)
    return await conclude(by, kind, effect, came, swept=True)


async def _take_up(by: Doer, kind: Kind, effect: EffectRecord) -> EffectRecord | None:
    """Do what is intended; what only a run can do is not done, as nobody knows that it still helps.

    Of what was intended and not begun nothing happened.
    """
    now = utc_now()
    if kind.act is not None:
        return await perform(by, kind, effect, kind.act, now + kind.lease)
    detail = f"{DIED} Nothing was done."
    receipt = decide(by, kind, effect, NEVER_BEGUN, detail)
    outcome = EffectOutcome(reason=NEVER_BEGUN, detail=detail)
    return await by.ledger.effects.close(
        effect, EffectStatus.REFUSED, outcome, now, receipt=receipt
    )
