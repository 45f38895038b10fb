"""Getting ready for a surge: what it asks of the systems, limits raised for as long, and put back.

ready = await prepare(team, items)
try:
    ...                    # what makes the load
finally:
    await put_back(team)   # a run that dies before is put back by whoever sweeps
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.calls import Reply
from blocks.errors import OrchestratorError
from blocks.ledger import EffectRecord
from blocks.policy.policy import SRE
from blocks.vocabulary.effects import EffectStatus
from flows.orchestrator.effects.acting import take_back
from flows.orchestrator.effects.actions import known_kinds
from flows.orchestrator.remedies.remediation import remediate
from flows.reports.model import RemediationLine

if TYPE_CHECKING:
    from flows.orchestrator.team.team import Orchestrator


@dataclass(frozen=True)
class Ready:
    """How well the systems are prepared.

    Attributes:
        reply: The assessment, as it was before any limit was raised; or why there is none.
        raised: What came of each raise that it proposes.
    """

    reply: Reply
    raised: Sequence[RemediationLine] = ()


async def prepare(
    team: Orchestrator, items: int, factor: float = 1.5, *, raise_limits: bool = True
) -> Ready:
    """Assess a surge, and raise the limits that would give way, where that is safe.

    What is raised stays so until ``put_back``, or until it has lasted long enough.

    Args:
        team: The run that prepares.
        items: Items that are to be ordered, 1 to 1,000,000.
        factor: Expected units of work per item.
        raise_limits: Off: only assess.

    Raises:
        InvalidMessage: It is out of its range.
        LedgerError: The ledger cannot be read or written.
    """
    reply = await team.ask(SRE, "prepare_for_surge", {"items": items, "factor": factor})
    if not reply.ok or not raise_limits:
        return Ready(reply)
    return Ready(reply, await remediate(team, reply.result.findings))


async def put_back(team: Orchestrator) -> None:
    """Put back what this run has raised; what cannot be put back now is noted, and swept later."""
    kinds = known_kinds(team.toolbox.registry, team.ledger)
    for effect in await team.ledger.effects.acts(run_id=team.run.id):
        kind = kinds.get(effect.kind)
        if kind is not None and kind.says.lasts is not None and effect.status in _MAY_BE_RAISED:
            await _put_back(team, effect)


_MAY_BE_RAISED = (EffectStatus.DONE, EffectStatus.UNKNOWN)


async def _put_back(team: Orchestrator, effect: EffectRecord) -> None:
    try:
        await take_back(team, effect)
    except OrchestratorError as error:
        team.notes.append(f"{effect.target} is put back later: {error}")
