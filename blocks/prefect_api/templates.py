"""The parameters of runs are data, never Prefect's templates.

Prefect's server renders an object with the key ``__prefect_kind`` wherever it stands in a run's
parameters: as Jinja, which may read variables or never end, or as a variable's value. The process
of the run then loads the block that an object with ``$ref`` names, secrets and all. Neither is told
from what a partner or a client wrote, so nobody who asks us for work may write one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blocks.errors import InvalidMessage

MARKS = ("__prefect_kind", "$ref")
"""Keys by which Prefect knows what it renders or resolves in parameters."""


def refuse_templates(parameters: Mapping[str, Any]) -> None:
    """See that Prefect will take parameters as they are.

    Args:
        parameters: By name, as JSON has them, however deep.

    Raises:
        InvalidMessage: One holds what Prefect would render or resolve; names its place.
    """
    to_look_at: list[tuple[str, Any]] = [("", parameters)]
    while to_look_at:
        place, value = to_look_at.pop()
        if isinstance(value, Mapping):
            for mark in MARKS:
                if mark in value:
                    raise InvalidMessage(
                        f"{place or 'The parameters'} has the key {mark!r}, which Prefect would "
                        "act upon.",
                        hint="Name it otherwise, or give the value as JSON in a text. In the data "
                        "of an event it may stand.",
                    )
            inner = [(f"{place}.{name}" if place else str(name), v) for name, v in value.items()]
        elif isinstance(value, list | tuple):
            inner = [(f"{place}[{number}]", each) for number, each in enumerate(value)]
        else:
            continue
        to_look_at += reversed(inner)
