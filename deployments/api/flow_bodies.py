"""Request bodies that follow from a flow's signature, so that its rules stand in one place."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

if TYPE_CHECKING:
    from prefect import Flow


def flow_body(
    name: str,
    flow: Flow[..., Any],
    *,
    without: Collection[str] = (),
    required: Collection[str] = (),
    example: dict[str, Any],
) -> type[BaseModel]:
    """The model of a request's body: the flow's parameters, each with its type and description.

    Args:
        name: Of the model in the OpenAPI document.
        flow: Whose parameters.
        without: Those that a request does not set.
        required: Those that it must set, whatever the flow's default.
        example: For the OpenAPI document.
    """
    hints = get_type_hints(flow.fn, include_extras=True)
    told = flow.parameters.properties
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(flow.fn).parameters.values():
        if parameter.name in without:
            continue
        default = ... if parameter.name in required else parameter.default
        description = told[parameter.name].get("description", "")
        fields[parameter.name] = (hints[parameter.name], Field(default, description=description))
    forbid = ConfigDict(extra="forbid", json_schema_extra={"examples": [example]})
    return create_model(name, __config__=forbid, __doc__=flow.description, **fields)


def given(body: BaseModel) -> dict[str, Any]:
    """What a request sets, as JSON has it."""
    return body.model_dump(mode="json", exclude_unset=True)
