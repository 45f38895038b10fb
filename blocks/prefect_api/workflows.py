"""The workflows that people may run: those of ``prefect.yaml`` that are not ``internal``."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from blocks.errors import RequestError
from blocks.settings import PROJECT_ROOT
from blocks.text import did_you_mean
from blocks.text.masking import without_passwords

if TYPE_CHECKING:
    from prefect import Flow


@cache
def entrypoints() -> dict[str, str]:
    """Name of each workflow to its entrypoint, in the order of the file."""
    stanzas = yaml.safe_load((PROJECT_ROOT / "prefect.yaml").read_text())["deployments"]
    return {
        stanza["name"]: stanza["entrypoint"]
        for stanza in stanzas
        if "internal" not in stanza.get("tags", ())
    }


def entrypoint_of(name: str) -> str:
    """Where the flow of a workflow is.

    Raises:
        RequestError: There is no such workflow; names the nearest.
    """
    known = entrypoints()
    if name not in known:
        hint = did_you_mean(name.replace("_", "-"), known)
        raise RequestError(f"There is no workflow {name!r}.", hint=hint)
    return known[name]


@cache
def load_workflow(name: str) -> Flow[..., Any]:
    """The flow of a workflow; raises as ``entrypoint_of``."""
    entrypoint = entrypoint_of(name)
    from prefect.flows import load_flow_from_entrypoint

    return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)


def validated(flow: Flow[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """Parameters as the flow's own signature has them: the rules that its run applies.

    Passwords of URLs in them are masked.

    Args:
        flow: Whose parameters.
        given: Values by name, as JSON has them.

    Raises:
        RequestError: One is unknown, missing, or does not fit.
    """
    from prefect.exceptions import ParameterTypeError

    from blocks.prefect_api.templates import refuse_templates

    known = flow.parameters.properties
    for name in given:
        if name not in known:
            raise RequestError(
                f"{flow.name} has no parameter {name!r}.",
                hint=did_you_mean(name, known, f"It takes {', '.join(known) or 'none'}."),
            )
    if missing := [name for name in flow.parameters.required or () if name not in given]:
        raise RequestError(f"{flow.name} needs {', '.join(missing)}.", hint="Give it a value.")
    refuse_templates(given)
    logging.getLogger("prefect.flows").addFilter(_without_values)  # added again, it is one
    try:
        return flow.validate_parameters(without_passwords(given))
    except (ParameterTypeError, ValueError) as error:
        # One line per fault, after a heading of Prefect's own.
        faults = "; ".join(line.strip(" -") for line in str(error).splitlines()[1:])
        raise RequestError(f"{flow.name}: {faults or error}.") from None


def _without_values(record: logging.LogRecord) -> bool:
    """Not the line in which Prefect writes all that was given into the log, secrets and all."""
    return not str(record.msg).startswith("Parameter validation failed")
