"""How the run of a flow ends that raises an error which is no failure of ours."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from prefect.client.schemas.objects import State
from prefect.states import Crashed, Failed

from blocks.errors import LedgerUnavailable, OrchestratorError, SourceTimeout, SourceUnavailable
from blocks.prefect_api.calls import REFUSED
from blocks.vocabulary.blame import Blame, blame
from flows.orchestrator.runs.deaths import CUT_OFF

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


def outlives_outages(work: F) -> F:
    """Have a flow's run that is cut off, from the ledger or from Prefect, end as crashed.

    It has failed at nothing. Whoever was told that it is accepted is owed its result, so it is run
    again when the ledger is back (``flows.orchestrator.runs.deaths``). Whoever awaits it gets the
    error.

    For flows that do nothing twice when they are run again: those of deployments with the tag
    ``restart-on-crash``.

    Args:
        work: The flow's function. Failures of its calls are in its report; what it raises of these
            errors is the ledger's, or Prefect's own API's before it began.
    """
    away = (LedgerUnavailable, SourceUnavailable, SourceTimeout)
    return _ending(work, lambda e: Crashed(name=CUT_OFF) if isinstance(e, away) else None)


def refusing(work: F) -> F:
    """Have a run that was asked for what cannot be done end as FAILED, named "Refused".

    So that it counts as no failure of ours. Whoever awaits it gets the error, as ever.
    """
    return _ending(work, lambda e: Failed(name=REFUSED) if e.is_askers_fault else None)


def is_askers_fault(code: str) -> bool:
    """Whether it says nothing but that it was asked for wrongly, or when a rule forbids it."""
    return code == "dead-letter" or blame(code) is Blame.ASKER


def _ending(work: F, as_state: Callable[[OrchestratorError], State[Any] | None]) -> F:
    @functools.wraps(work)
    async def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return await work(*args, **kwargs)
        except OrchestratorError as error:
            if (state := as_state(error)) is None:
                raise
            state.message, state.data = str(error), error
            return state

    # Prefect looks names up where it takes a function to be from: here, they would be unknown.
    run.__annotations__ = inspect.get_annotations(work, eval_str=True)
    run.__signature__ = inspect.signature(work, eval_str=True)  # type: ignore[attr-defined]
    return cast(F, run)
