"""Changing the secret with which an endpoint's webhooks are signed, without a moment of silence."""

from __future__ import annotations

from pydantic import SecretStr

from blocks.business.endpoints.endpoint import WebhookEndpoint
from blocks.business.webhooks.signatures import new_secret
from blocks.errors import ConfigurationError, NotFound, RequestError
from blocks.settings import get_settings

_NOW = "Everything is signed with both secrets from now on."


async def rotate_secret(name: str) -> str:
    """Give an endpoint a new secret; its webhooks are signed with the new and the old one.

    Args:
        name: The endpoint's, a saved block.

    Returns:
        The new secret: the partner has to be told it, and nobody is shown it again.

    Raises:
        NotFound: There is no such block.
        RequestError: The change before is not over: the partner may still go by the old secret.
        ConfigurationError: The endpoint stands in a file, which only its owner writes.
        SourceError: The Prefect API does not answer.
    """
    fresh = new_secret()
    if file := get_settings().business_file:
        raise ConfigurationError(
            f"The endpoint {name!r} stands in {file}, which is yours to write.",
            hint=f'Move its secret to previous_secret, and write secret = "{fresh}" (new, made for '
            f"this; nobody has it yet). {_NOW} Once the partner goes by the new one, remove "
            "previous_secret.",
        )
    block = await _saved(name)
    if block.previous_secret is not None:
        raise RequestError(
            f"The endpoint {name!r} is signed with two secrets already.",
            hint="Once the partner goes by the new one: "
            f"./orchestrator webhooks rotate {name} --finish",
        )
    changed = {"secret": SecretStr(fresh), "previous_secret": block.secret}
    await block.model_copy(update=changed).asave(name, overwrite=True)
    return fresh


async def finish_rotation(name: str) -> None:
    """Sign with the new secret alone; nothing happens where there is only one.

    Raises:
        NotFound, ConfigurationError, SourceError: As ``rotate_secret``.
    """
    if file := get_settings().business_file:
        raise ConfigurationError(
            f"The endpoint {name!r} stands in {file}, which is yours to write.",
            hint="Remove its previous_secret there.",
        )
    block = await _saved(name)
    await block.model_copy(update={"previous_secret": None}).asave(name, overwrite=True)


async def _saved(name: str) -> WebhookEndpoint:
    try:
        return await WebhookEndpoint.aload(name)
    except ValueError:  # by which Prefect says that there is no such block
        raise NotFound(
            f"There is no block Webhook Endpoint {name!r}.",
            hint="See ./orchestrator webhooks endpoints.",
        ) from None
