"""Request bodies that follow from a flow's signature, so that its rules stand in one place."""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_type_hints

from fastapi.exceptions import RequestValidationError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)

from blocks.prefect_api.workflows import entrypoints, load_workflow

if TYPE_CHECKING:
    from prefect import Flow


def flow_body(
    name: str,
    flow: Flow[..., Any],
    *,
    without: Collection[str] = (),
    required: Collection[str] = (),
    example: dict[str, Any] | None = None,
) -> type[BaseModel]:
    """The model of a request's body: the flow's parameters, each with its type and description.

    Args:
        name: Of the model in the OpenAPI document.
        flow: Whose parameters.
        without: Those that a request does not set.
        required: Those that it must set, whatever the flow's default.
        example: For the OpenAPI document; none when None.
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
    examples: dict[str, Any] = {"examples": [example]} if example else {}
    forbid = ConfigDict(extra="forbid", json_schema_extra=examples)
    return create_model(name, __config__=forbid, __doc__=flow.description, **fields)


def given(body: BaseModel) -> dict[str, Any]:
    """What a request sets, as JSON has it."""
    return body.model_dump(mode="json", exclude_unset=True)


def strictly(model: type[BaseModel]) -> Any:
    """The type of a body that takes JSON as it is: text is no number, and 1 is not true."""

    def read(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        if not isinstance(value, dict):
            return handler(value)  # which says what is wrong with it
        return model.model_validate_json(json.dumps(value), strict=True)

    return Annotated[model, WrapValidator(read)]


def check_workflow_body(body: BaseModel) -> None:
    """What OpenAPI says of a workflow's parameters holds to the letter.

    Raises:
        RequestValidationError: A value is of another type than the parameter.
    """
    try:
        workflow_bodies().validate_json(body.model_dump_json(), strict=True)
    except ValidationError as error:
        # A place begins with the workflow's name, by which the body was told from the others.
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"][1:])} for fault in error.errors()]
        ) from None


@cache
def workflow_bodies() -> TypeAdapter[Any]:
    """Of all workflows: the name, and the parameters that go with it."""
    each: Any = Union[tuple(_workflow_body(name) for name in entrypoints())]  # noqa: UP007
    return TypeAdapter(Annotated[each, Field(discriminator="workflow")])


def _workflow_body(name: str) -> type[BaseModel]:
    flow = load_workflow(name)
    title = "".join(part.capitalize() for part in name.split("-"))
    parameters = flow_body(f"{title}Parameters", flow, required=flow.parameters.required or ())
    constant: Any = Literal[name]
    return create_model(
        f"{title}Request",
        __config__=ConfigDict(extra="forbid"),
        __doc__=flow.description,
        workflow=(constant, Field(description="The workflow's name.")),
        parameters=(parameters, Field(default_factory=parameters, description="Its parameters.")),
    )
