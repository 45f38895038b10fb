"""Senders of signed webhooks, and what their webhooks mean to us."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, ValidationInfo, field_validator

from blocks.business.webhooks.schemes import Scheme, key_of
from blocks.business.webhooks.signatures import Signed
from blocks.dialects import fields as build
from blocks.dialects.fields import LONGEST_ID, Fields
from blocks.errors import InvalidMessage
from blocks.policy.alert_rules import USUAL, AlertRules
from blocks.vocabulary.messages import NOTES, Name, Severity, SystemEvent

_PLACE = re.compile(r"\{([^{}]*)\}")
_PATH = re.compile(r"[^\s.{}]+(\.[^\s.{}]+)*")


class WebhookSource(Block):
    """A service that tells us what happens, by signed webhooks."""

    _block_type_name = "Webhook Source"
    _block_type_slug = "webhook-source"
    _description = "A service that tells us what happens, by signed webhooks."

    name: Name = Field(
        description="Dashed name, equal to the block's name; webhooks go to /webhooks/NAME."
    )
    origin: str = Field(default="ui", description="Who made this block; leave it as it is.")
    scheme: Scheme = Field(  # before the secrets: what they look like depends on it
        default=Scheme.STANDARD,
        description="How it signs: standard (Standard Webhooks, Svix), or as github, shopify, "
        "stripe or woocommerce do.",
    )
    secret: SecretStr = Field(
        description="What its webhooks are signed with: whsec_ and base64 of 24 to 64 bytes; of "
        "another scheme than standard, the text that its sender has."
    )
    previous_secret: SecretStr | None = Field(
        default=None, description="The secret before that, as long as it is still in use."
    )
    event_type: str = Field(
        default="webhook.received",
        min_length=1,
        max_length=200,
        description="Type of the events, for webhooks that do not say theirs.",
    )
    severity: Severity = Field(
        default=Severity.INFO,
        description="How bad they are, for webhooks whose data has no severity.",
    )
    subject: str = Field(
        default="",
        max_length=500,
        description="What they are about, as type:name; {data.order.sku} stands for that value "
        "of the payload. For instance service:checkout, or sku:{data.sku}.",
    )

    @field_validator("secret", "previous_secret")
    @classmethod
    def _is_a_key(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None and "scheme" in info.data:
            key_of(value.get_secret_value(), info.data["scheme"])
        return value

    @field_validator("subject")
    @classmethod
    def _has_paths(cls, value: str) -> str:
        for path in _PLACE.findall(value):
            if not _PATH.fullmatch(path):
                raise ValueError(f"{{{path}}} is no path into a payload such as {{data.sku}}")
        return value

    @property
    def keys(self) -> tuple[bytes, ...]:
        """With which its webhooks may be signed, the current one first."""
        secrets = (self.secret, self.previous_secret)
        return tuple(key_of(secret.get_secret_value(), self.scheme) for secret in secrets if secret)

    def event(self, payload: Any, signed: Signed, rules: AlertRules = USUAL) -> SystemEvent:
        """The event that a webhook tells of.

        A payload with ``type`` and ``data``, as Standard Webhooks recommends, says its own type,
        where no header does.

        Args:
            payload: What the body holds, as parsed.
            signed: What is known of it beside; the id makes it the same event when it is sent
                again.
            rules: What severities are called.

        Raises:
            InvalidMessage: It cannot be kept as an event; names the field.
        """
        fields = Fields(payload if isinstance(payload, dict) else {"value": payload})
        told = not signed.type and {"type", "data"} <= fields.document.keys()
        data = fields.document["data"] if told else fields.document
        data = data if isinstance(data, dict) else {"value": data}
        notes: list[str] = []
        severity = Fields(data, "data").severity("severity", self.severity, notes, rules)
        return build.event(
            {
                "id": signed.id or fields.text("id", longest=LONGEST_ID),
                "source": self.name,
                "type": fields.text("type", longest=200)
                if told
                else signed.type or self.event_type,
                "time": _instant(fields) or signed.sent_at,
                "severity": severity,
                "subject": self._subject(fields.document),
                "data": data | ({NOTES: notes} if notes else {}),
            }
        )

    def _subject(self, payload: Mapping[str, Any]) -> str:
        found = [_at(payload, path) for path in _PLACE.findall(self.subject)]
        if "" in found:
            return ""  # half a name would be the name of something else
        values = iter(found)
        return _PLACE.sub(lambda _: next(values), self.subject)[:500]


def _instant(fields: Fields) -> datetime | None:
    """When it happened; senders write it in many ways, and not all of them can be read."""
    try:
        return fields.instant("timestamp")
    except InvalidMessage:
        return None


def _at(payload: Mapping[str, Any], path: str) -> str:
    """The text or number at a path of dotted keys; "" where there is none."""
    value: Any = payload
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value).strip()
    return text if text.isprintable() else ""
