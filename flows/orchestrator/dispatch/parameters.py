"""The payload of a message as an action's parameters: each checked against its type, by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

from agents.capability import tools_of
from agents.registry import ActionSpec
from blocks.dialects.strict_json import shown
from blocks.errors import InvalidMessage
from blocks.prefect_api.templates import refuse_templates
from blocks.text import did_you_mean


def fitting(spec: ActionSpec, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a payload gives an action, in the types that it asks for.

    The tools that an action is handed (``now``, ``ledger`` and so on) are no parameters: a message
    from outside must not bring its own.

    Raises:
        InvalidMessage: One is unknown, missing, of another type, can travel in no message, or holds
            what Prefect would act upon.
    """
    refuse_templates(payload)
    tools = tools_of(spec.function)
    signature = inspect.signature(spec.function, eval_str=True)
    asked = {name: p for name, p in signature.parameters.items() if name not in tools}
    for name in payload:
        if name not in asked:
            raise InvalidMessage(
                f"{spec.full_name} has no parameter {shown(name)}.",
                hint=did_you_mean(name, asked, f"It takes {', '.join(asked) or 'none'}."),
            )
    for name, parameter in asked.items():
        if parameter.default is parameter.empty and name not in payload:
            raise InvalidMessage(
                f"{spec.full_name} needs {name}.", hint="Give it in the message's payload."
            )
    return {
        name: _of_type(spec, name, asked[name].annotation, value) for name, value in payload.items()
    }


def _of_type(spec: ActionSpec, name: str, kind: Any, value: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except PydanticSchemaGenerationError:  # frames and clients
        raise InvalidMessage(
            f"{spec.full_name} takes {name} only within a workflow.",
            hint="Run a workflow that uses the action, or ask for another action.",
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join([name, *(str(part) for part in first["loc"])])
        raise InvalidMessage(
            f"{spec.full_name}: {where} is {shown(first['input'])}.", hint=f"{first['msg']}."
        ) from None
