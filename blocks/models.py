"""The two kinds of models: what we make and read back, and what must be written without a slip."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from blocks.errors import InvalidMessage

M = TypeVar("M", bound=BaseModel)


class Frozen(BaseModel):
    """Never changes once made; fields that it does not know are left out when it is read."""

    model_config = ConfigDict(frozen=True)


class Strict(Frozen):
    """Never changes either, and takes no field that it does not know: that is a slip."""

    model_config = ConfigDict(extra="forbid")


def read_as(model: type[M], value: Any, what: str, hint: str) -> M:
    """What somebody handed over, as a model.

    Args:
        model: What it has to be.
        value: What was handed over.
        what: What it is called where it was handed over.
        hint: What to hand over instead.

    Raises:
        InvalidMessage: It is something else; names the field at fault.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in (what, *first["loc"]))
        raise InvalidMessage(f"{where}: {first['msg']}.", hint=hint) from None
