"""Partners' endpoints for webhooks: where they are, what they are told, how it is signed."""

from __future__ import annotations

from datetime import datetime
from fnmatch import fnmatchcase

from prefect.blocks.core import Block
from prefect.blocks.fields import SecretDict
from pydantic import Field, SecretStr, field_validator

from blocks.business.webhooks.signatures import key_of, sign
from blocks.egress import InternalHosts, Reach
from blocks.errors import OrchestratorError
from blocks.partners.http import place_of
from blocks.vocabulary.messages import Name
from blocks.vocabulary.partner_events import EventType, OrderedBy

_OURS = ("content-type", "content-length", "host", "transfer-encoding", "connection")
"""Headers that are not the configuration's, beside ``webhook-…``."""


class WebhookEndpoint(Block):
    """A partner that is told what happens here, by signed webhooks."""

    _block_type_name = "Webhook Endpoint"
    _block_type_slug = "webhook-endpoint"
    _description = "A partner that is told what happens here, by signed webhooks."

    name: Name = Field(description="Dashed name, equal to the block's name.")
    origin: str = Field(default="ui", description="Who made this block; leave it as it is.")
    url: SecretStr = Field(
        description="Where webhooks are sent to: https://partner.example/hooks/7f3a. Only its host "
        "is ever shown."
    )
    secret: SecretStr = Field(
        description="What they are signed with: whsec_ and base64 of 24 to 64 bytes."
    )
    previous_secret: SecretStr | None = Field(
        default=None,
        description="The secret before that, while the partner may still go by it: each webhook "
        "is signed with both.",
    )
    event_types: list[str] = Field(
        default_factory=lambda: ["*"],
        min_length=1,
        description="What it is told: types of events, or patterns such as incident.* and order.*.",
    )
    ordered_by: OrderedBy = Field(
        default=OrderedBy.NONE,
        description="What comes one after another: none, subject (of the same incident or order), "
        "resource (of the same service or supplier), or all.",
    )
    headers: SecretDict = Field(
        default_factory=lambda: SecretDict({}),
        description="Further headers that it wants, for instance Authorization.",
    )
    active: bool = Field(default=True, description="Whether it is told anything.")
    internal_hosts: InternalHosts = Field(default_factory=list)

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: SecretStr) -> SecretStr:
        try:
            place_of(value.get_secret_value(), "the endpoint")
        except OrchestratorError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("secret", "previous_secret")
    @classmethod
    def _is_a_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            key_of(value.get_secret_value())
        return value

    @field_validator("event_types")
    @classmethod
    def _are_types(cls, value: list[str]) -> list[str]:
        for pattern in value:
            if not any(fnmatchcase(each, pattern) for each in EventType):
                known = ", ".join(EventType)
                raise ValueError(f"{pattern!r} is no type of event; there are {known}")
        return value

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, value: SecretDict) -> SecretDict:
        for name, text in value.get_secret_value().items():
            if name.lower() in _OURS or name.lower().startswith("webhook-"):
                raise ValueError(f"the header {name!r} is not yours to set")
            if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
                raise ValueError(f"{name!r} is no name of a header")
            if not isinstance(text, str) or not text.isascii() or not text.isprintable():
                raise ValueError(f"the value of the header {name!r} cannot be sent")
        return value

    @property
    def place(self) -> str:
        """Scheme, host and port: all of its address that may be shown."""
        return place_of(self.url.get_secret_value(), self.who)

    @property
    def who(self) -> str:
        """What it is called in messages."""
        return f"endpoint {self.name!r}"

    @property
    def reach(self) -> Reach:
        """Which internal hosts may be called."""
        return Reach(hosts=tuple(self.internal_hosts))

    @property
    def secrets(self) -> list[str]:
        """What of its configuration must not be shown; what is behind its host, too."""
        behind = self.url.get_secret_value().removeprefix(self.place)
        secrets = [self.secret, self.previous_secret]
        own = [each.get_secret_value() for each in secrets if each]
        bare = [each.removeprefix("whsec_") for each in own]
        headers = [str(each) for each in self.headers.get_secret_value().values()]
        words = [word for each in headers for word in each.split()]
        return [
            each
            for each in (behind, *own, *bare, *headers, *words)
            if len(each) >= _SHORTEST_SECRET
        ]

    @property
    def keys(self) -> tuple[bytes, ...]:
        """With which it is signed, the current one first."""
        secrets = (self.secret, self.previous_secret)
        return tuple(key_of(secret.get_secret_value()) for secret in secrets if secret)

    def signed(self, webhook_id: str, now: datetime, body: bytes) -> dict[str, str]:
        """The headers by which it knows a webhook for ours, made for one attempt.

        While its secret is changed, it is signed with the new one and with the old one.

        Args:
            webhook_id: The same however often it is sent.
            now: When this attempt is made.
            body: What is sent, byte for byte.
        """
        stamp = int(now.timestamp())
        return {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": " ".join(sign(key, webhook_id, stamp, body) for key in self.keys),
        }


_SHORTEST_SECRET = 6
"""Shorter values are words such as Bearer: to mask them would mask half of what is shown."""
