"""Runs that were asked for what cannot be done: that is no failure of ours, and no incident."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar, cast

from prefect.states import Failed

from blocks.errors import OrchestratorError
from blocks.prefect_api.calls import REFUSED
from blocks.vocabulary.blame import Blame, blame
from flows.reports.model import Report


def is_askers_fault(code: str) -> bool:
    """Whether it says nothing but that it was asked for wrongly, or when a rule forbids it."""
    return code == "dead-letter" or blame(code) is Blame.ASKER


F = TypeVar("F", bound=Callable[..., Awaitable[Report]])


def refusing(flow_function: F) -> F:
    """A flow that may be asked for what cannot be done: it then ends as FAILED, named "Refused".

    So that it counts as no failure of ours. Who awaits it gets the error, as ever.
    """

    @wraps(flow_function)
    async def asked(*args: Any, **kwargs: Any) -> Report:
        try:
            return await flow_function(*args, **kwargs)
        except OrchestratorError as error:
            if not error.is_askers_fault:
                raise
            state: Any = Failed(name=REFUSED, message=str(error), data=error)
            return cast(Report, state)

    # Prefect reads the types of parameters where the function is defined, which is here.
    asked.__annotations__ = inspect.get_annotations(flow_function, eval_str=True)
    asked.__signature__ = inspect.signature(flow_function, eval_str=True)  # type: ignore[attr-defined]
    return cast(F, asked)
