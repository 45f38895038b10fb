"""Standard Webhooks 1.0.0: how a webhook is signed, and whether it is what its sender signed.

Signed is ``id.timestamp.body``, the body byte for byte as it came, with HMAC-SHA256. The header
``webhook-signature`` holds any number of signatures, separated by single spaces: a sender signs
with its old and its new key while it changes them.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from blocks.errors import InvalidMessage

TOLERANCE = 300
"""Seconds that a webhook's timestamp and our clock may lie apart."""

LONGEST_ID = 200

_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)
_ID = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_ID}}}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_SIGNATURES = re.compile(
    r"v[0-9]+[a-z]*,[A-Za-z0-9+/]+={0,2}( v[0-9]+[a-z]*,[A-Za-z0-9+/]+={0,2})*"
)


@dataclass(frozen=True)
class Signed:
    """What a valid signature vouches for, apart from the body.

    Attributes:
        id: The webhook's id: the same however often it is sent.
        sent_at: When this attempt to send it was made.
    """

    id: str
    sent_at: datetime


def key_of(secret: str) -> bytes:
    """The key that a secret (``whsec_`` and base64) stands for.

    Raises:
        ValueError: It is no base64 of 24 to 64 bytes; does not repeat it.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(f"a webhook secret is {_PREFIX} and base64") from None
    if len(key) not in _KEY_BYTES:
        raise ValueError(f"a webhook secret has 24 to 64 bytes, this one has {len(key)}")
    return key


def new_secret() -> str:
    """A secret for a new sender."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def sign(key: bytes, webhook_id: str, timestamp: int | str, body: bytes) -> str:
    """The signature of a webhook, as it stands in ``webhook-signature``."""
    content = b"%s.%s.%s" % (webhook_id.encode(), str(timestamp).encode(), body)
    # hmac.digest would let go of the interpreter's lock each time, and wait to get it back.
    digest = hmac.new(key, content, "sha256").digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def verify(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: datetime) -> Signed:
    """See that one of the keys signed a webhook, and that it was sent just now.

    What is said against it depends on the webhook alone, never on the keys.

    Args:
        keys: Those that may have signed it.
        headers: By lower-case name.
        body: As it came.
        now: The instant of its arrival.

    Raises:
        InvalidMessage: A header is missing or malformed, the timestamp is more than ``TOLERANCE``
            seconds off, or no signature fits.
    """
    webhook_id = _header(headers, "webhook-id", _ID)
    timestamp = _header(headers, "webhook-timestamp", _TIMESTAMP)
    signatures = _header(headers, "webhook-signature", _SIGNATURES).split(" ")
    apart = int(now.timestamp()) - int(timestamp)
    if abs(apart) > TOLERANCE:
        raise InvalidMessage(
            f"webhook-timestamp lies {abs(apart):,} s in the {'past' if apart > 0 else 'future'}.",
            hint=f"Sign each attempt anew; {TOLERANCE} s are tolerated.",
        )
    fits = False
    for key in keys:
        expected = sign(key, webhook_id, timestamp, body)
        for signature in signatures:
            fits |= hmac.compare_digest(expected, signature)
    if not fits:
        raise InvalidMessage(
            "No signature fits.",
            hint="Sign webhook-id.webhook-timestamp.body, byte for byte, with the secret of this "
            "connection.",
        )
    return Signed(webhook_id, datetime.fromtimestamp(int(timestamp), UTC))


def _header(headers: Mapping[str, str], name: str, form: re.Pattern[str]) -> str:
    value = headers.get(name)
    if value is None or not form.fullmatch(value):
        raise InvalidMessage(
            f"{name} is {'missing' if value is None else 'malformed'}.",
            hint="Sign as Standard Webhooks 1.0.0 says.",
        )
    return value
