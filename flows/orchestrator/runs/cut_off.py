"""What becomes of a run that is cut off: from the ledger, or from Prefect before it began.

Such a run has failed at nothing. Whoever was told that it is accepted is owed its result, so it
ends as one that crashed does, and is run again when the ledger is back
(``flows.orchestrator.runs.deaths``).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar, cast

from prefect.states import Crashed

from blocks.errors import LedgerUnavailable, SourceUnavailable
from flows.orchestrator.runs.deaths import CUT_OFF

P = ParamSpec("P")
R = TypeVar("R")


def outlives_outages(work: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Have a flow's run that is cut off end as crashed; whoever awaits it gets the error.

    For flows that do nothing twice when they are run again: those of deployments with the tag
    ``restart-on-crash``.

    Args:
        work: The flow's function. Failures of its calls are in its report; what it raises of these
            errors is the ledger's, or Prefect's own API's before it began.
    """

    @functools.wraps(work)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await work(*args, **kwargs)
        except (LedgerUnavailable, SourceUnavailable) as error:
            return cast(R, Crashed(name=CUT_OFF, message=str(error), data=error))

    # Prefect looks names up where it takes a function to be from: here, they would be unknown.
    run.__signature__ = inspect.signature(work, eval_str=True)  # type: ignore[attr-defined]
    return run
