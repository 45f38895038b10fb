"""The policy in force: the default, changed by a person through a Prefect variable."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agents.registry import Registry
from blocks.business.file import faults
from blocks.errors import ConfigurationError, OrchestratorError
from blocks.ledger import Ledger
from blocks.models import names_at
from blocks.policy.policy import Policy
from blocks.prefect_api.calls import save_variable
from blocks.prefect_api.client import prefect_client
from blocks.text import did_you_mean
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.dispatch.routing import check_policy
from flows.orchestrator.dispatch.rule_checks import check_rules

VARIABLE = "orchestrator_policy"
"""The Prefect variable that holds the changes, as JSON."""

FRESH = 10.0
"""Seconds for which a process takes the policy that it read to be the one in force."""


@dataclass(frozen=True)
class InForce:
    """The policy that decisions are made under.

    Attributes:
        policy: The policy.
        fault: Why it is not the one that the variable holds; empty when it is.
    """

    policy: Policy
    fault: str = ""


_known: dict[str, tuple[float, InForce]] = {}


async def policy_in_force(ledger: Ledger, team: Registry) -> InForce:
    """The policy as the variable has it now.

    A variable that cannot be used stops nobody's work: the policy that was used last stands in,
    and ``fault`` says so. Every version that is used is kept in the ledger.

    Raises:
        LedgerError: The version cannot be kept.
    """
    read_at, known = _known.get(ledger.where, (0.0, None))
    if known is not None and time.monotonic() - read_at < FRESH:
        return known
    try:
        found = InForce(read_policy(await read_changes(), team))
    except OrchestratorError as error:
        last = known.policy if known else await last_used_policy(ledger, team)
        found = InForce(last, f"The policy in the Prefect variable {VARIABLE} is not used: {error}")
    if known is None or known.policy.version != found.policy.version:
        body = found.policy.model_dump(mode="json")
        await ledger.policies.keep(found.policy.version, body, utc_now())
    _known[ledger.where] = (time.monotonic(), found)
    return found


def forget_policy() -> None:
    """Have the next question read the variable anew."""
    _known.clear()


def read_policy(changes: Any, team: Registry) -> Policy:
    """The default policy with these changes.

    Raises:
        ConfigurationError: Names the key at fault, or the action that is not there.
    """
    if not isinstance(changes, dict):
        raise ConfigurationError(
            f"The policy is no table of changes, but {json.dumps(changes)[:60]}.",
            hint='Write for instance {"recovery": {"approval_hours": 4}}.',
        )
    try:
        policy = Policy.extended(changes)
    except ValidationError as error:
        raise ConfigurationError(
            f"The policy cannot be read: {faults(error)}.",
            hint=_hints(error) or "./orchestrator policy shows the one in force.",
        ) from None
    check_policy(policy, team)
    check_rules(policy)
    return policy


def _hints(error: ValidationError) -> str:
    """For whoever misspelt a name: what it may be."""
    return " ".join(
        did_you_mean(str(fault["loc"][-1]), names)
        for fault in error.errors(include_url=False, include_context=False)
        if fault["type"] == "extra_forbidden" and (names := names_at(Policy, fault["loc"][:-1]))
    )


async def read_changes() -> Any:
    """What the variable holds; nothing when there is none.

    Raises:
        SourceError: The Prefect API does not answer.
    """
    async with prefect_client() as client:
        variable = await client.read_variable_by_name(VARIABLE)
    return variable.value if variable is not None else {}


async def write_changes(changes: dict[str, Any], team: Registry) -> Policy:
    """Put changes in force, after a look whether they can be used.

    Raises:
        ConfigurationError: They cannot.
        SourceError: The Prefect API does not answer.
    """
    policy = read_policy(changes, team)
    async with prefect_client() as client:
        await save_variable(client, VARIABLE, changes)
    forget_policy()
    return policy


async def policy_fault(team: Registry) -> str:
    """Why the policy that a person put in force cannot be used; empty when it can.

    Raises:
        SourceError: The Prefect API does not answer.
    """
    changes = await read_changes()
    try:
        read_policy(changes, team)
    except ConfigurationError as error:
        return str(error)
    return ""


async def last_used_policy(ledger: Ledger, team: Registry) -> Policy:
    """The policy that a decision was last made under; the default before the first.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    body = await ledger.policies.latest()
    try:
        policy = Policy.model_validate(body or {})
        check_policy(policy, team)
    except (ValidationError, ConfigurationError):  # of an earlier release: the default is sound
        return Policy()
    return policy
