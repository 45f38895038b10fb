"""The two kinds of models: what we make and read back, and what must be written without a slip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, get_args

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


def names_at(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """The names that may stand at a place within a model, as a fault's ``loc`` gives it.

    Keys and numbers within a field lead no further: all models that it may hold are meant.
    """
    models = [model]
    for step in place:
        inner = [
            found
            for each in models
            if (field := each.model_fields.get(str(step)))
            for found in _models_in(field.annotation)
        ]
        models = inner or models
    return list(dict.fromkeys(name for each in models for name in each.model_fields))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models_in(each)
